// Mutants of the worker and of what follows it: leases, the shard's loop, connections, keys, the tail.

import type { Mutant } from './mutant.ts';

export const workerMutants: readonly Mutant[] = [
  {
    name: 'config-ignored',
    law: 'L1',
    why: 'a process that is set to another number of shards, or pace, refuses to start',
    file: 'runtime/shards/config.ts',
    find: '    if (recorded[field] === value) continue;\n',
    replace: "    if (recorded[field] === value || field !== 'hashName') continue;\n",
    tests: ['runtime/shards/shards.test.ts'],
  },
  {
    name: 'fenced-keeps-shard',
    law: 'L2',
    why: 'a fenced worker drops the shard with all it held, and claims anew only with lock and assignment',
    file: 'runtime/commit/open-shard.ts',
    find: '    const loss = lossOf(why);\n    this.#close();\n',
    replace: "    const loss = lossOf(why);\n    if (loss === 'fenced') return;\n    this.#close();\n",
    tests: ['runtime/worker.test.ts'],
  },
  {
    name: 'server-change-ignored',
    law: 'L2',
    why: 'after a restart of the server every shard is claimed anew',
    file: 'runtime/shards/ownership.ts',
    find: '    const changed = await server.changed();\n',
    replace: '    const changed = (await server.changed()).slice(0, 0);\n',
    tests: ['runtime/shards/shards.test.ts'],
  },
  {
    name: 'margin-ignored',
    law: 'L4',
    why: 'no work starts with less than the margin of the lease left',
    file: 'runtime/shards/lease.ts',
    find: '    mayWork: (shard) => left(leases.get(shard)) > limits.marginMs,\n',
    replace: '    mayWork: (shard) => left(leases.get(shard)) > 0,\n',
    tests: ['runtime/shards/shards.test.ts'],
  },
  {
    name: 'unknown-not-claimed',
    law: 'C3',
    why: 'after an unknown outcome the owner claims anew before it reads back: a late copy then meets a dead token',
    file: 'runtime/commit/claiming.ts',
    find: '      if (!mayWork(shard)) return undefined;\n      const floor',
    replace: `      if (!mayWork(shard)) return undefined;
      if (before.token !== '' && tokenCounter(before.token) === this.#counters.get(shard)) {
        const line = await batch.run(command(['HGET', keys.owner, 'line'], String));
        const [head, , below] = line.split(' ').map(Number);
        return { kind: 'claimed', token: before.token, head, below, oldest: '', tries: 0, found: 0 } as unknown as Claimed;
      }
      const floor`,
    tests: ['runtime/worker.test.ts'],
  },
  {
    name: 'belief-outlives-connection',
    law: 'L2',
    why: 'what was believed over a connection is dropped with it: the server behind the next one may have lost its tail',
    file: 'runtime/worker.ts',
    find: '    onDoubt(writer, (concerned) => this.#drop(concerned));\n',
    replace: '',
    tests: ['runtime/worker.test.ts'],
  },
  {
    name: 'blocked-socket-kept',
    law: 'M2',
    why: 'a blocking read that outlives its deadline costs the socket, since the block may live on at the server',
    file: 'runtime/redis/connection.ts',
    find: '      if (error instanceof OutcomeUnknown && generation === before && !closed) destroySocket(redis);\n',
    replace: '',
    tests: ['runtime/redis/redis.test.ts'],
  },
  {
    name: 'refused-as-moved',
    law: 'M4',
    why: 'an event that selects no transition is refused, and moves nothing',
    file: 'runtime/statechart/chart.ts',
    find: "    if (!this.#collector.moved && after.status === 'active') return this.#refused(held, waiting, record, scope);\n",
    replace: '',
    tests: ['runtime/statechart/statechart.test.ts'],
  },
  {
    name: 'key-of-the-clock',
    law: 'E2',
    why: 'the key of an effect is the same for whoever takes the step, whenever',
    file: 'runtime/statechart/collector.ts',
    find: '{this.#step.sequence}:',
    replace: '{this.#step.sequence + this.#step.now}:',
    tests: ['runtime/statechart/statechart.test.ts'],
  },
  {
    name: 'history-forgotten',
    law: 'C1',
    why: 'a step after a reload is the step of a live actor; random charts and sequences, from a printed seed',
    file: 'runtime/statechart/chart.ts',
    find: '      snapshot.historyValue = inOrder(persisted.historyValue, snapshot.historyValue);\n',
    replace: '      snapshot.historyValue = {};\n',
    tests: ['runtime/statechart/oracle.test.ts'],
  },
  {
    name: 'announcement-previous',
    law: 'P2',
    why: 'each announcement names the one before it',
    file: 'runtime/commit/stepping.ts',
    find: '    const previous = resident.held?.record.announced ?? 0;\n',
    replace: '    const previous = 0;\n',
    tests: ['runtime/worker.test.ts'],
  },
  {
    name: 'floor-ignored',
    law: 'P3',
    why: 'a read with a floor is not older than what was written',
    file: 'runtime/client/connect.ts',
    find: '    if ((view?.version ?? 0) >= floor || clock.monotonic() >= until) return view;\n',
    replace: '    return view;\n',
    tests: ['runtime/worker.test.ts'],
  },
  {
    name: 'tail-not-checked',
    law: 'P2',
    why: 'after a reconnection a reader looks whether the entry it stands at is still there, before it goes on',
    file: 'runtime/journal/tail.ts',
    find: '    if (by.generation !== lane.checkedAt) return await check(lane);\n',
    replace: '',
    tests: ['runtime/worker.test.ts'],
  },
];
