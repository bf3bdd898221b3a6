// Goal: what a host is promised of a single chart. Method: small charts, one promise each; faithfulness has oracle.test.ts.

import { test } from 'tap';
import {
  type AnyStateMachine,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  forwardTo,
  fromPromise,
  fromTransition,
  log,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import { effect, type Hosted, message, note } from '../hosting.ts';
import { type ActorId, actorId, sequence } from '../ids.ts';
import type { Event, JsonObject } from '../json.ts';
import type { JournalEntry } from '../messages.ts';
import type { Behaviour, Cause, Held, Refused, Step } from './behaviour.ts';
import { compile } from './chart.ts';
import { snapshotHash } from './definition.ts';
import { everyKind } from './every-kind.ts';
import { namesOf } from './live.ts';
import { replay } from './replay.ts';

const actor = actorId('act_1');
const done = effect(async () => ({ kind: 'done' }));
const at = (sequence: number, now = 1_000 * sequence, cause?: Cause) => ({ actor, sequence, now, cause });
const host = (machine: AnyStateMachine, more: Partial<Hosted> = {}): Behaviour =>
  compile({ machine, name: 'chart', version: '1', ...more });
const moved = (step: Step | Refused): Step => {
  if (step.kind !== 'moved') throw new Error(`refused; allowed: ${step.allowed.join(', ')}`);
  return step;
};
const reloaded = (behaviour: Behaviour, step: Step): Held =>
  behaviour.restore(step.stored, JSON.parse(JSON.stringify(step.held.record)), actor);
const withEntry = (entry: unknown): AnyStateMachine =>
  createMachine({ id: 'm', initial: 'here', states: { here: { entry: entry as never } } });

test('C1: registration refuses what it cannot host, naming the place', (t) => {
  const logic = fromPromise(async () => 0);
  const refused: readonly (readonly [what: string, machine: AnyStateMachine, place: RegExp, more?: Partial<Hosted>])[] =
    [
      ['an action without a handler', withEntry('ring'), /state "here" entry action "ring": no handler/],
      [
        'an action in a transition',
        createMachine({ on: { GO: { actions: 'ring' } } }),
        /state "\(root\)" on GO action "ring"/,
      ],
      [
        'an action at an initial transition',
        createMachine({ initial: { target: 'a', actions: ['ring'] } as never, states: { a: {} } }),
        /state "\(root\)" initial action "ring"/,
      ],
      [
        'an action of a delayed transition',
        createMachine({ after: { 10: { actions: 'ring' } } }),
        /on xstate\.after\.10/,
      ],
      [
        'an action of an eventless transition',
        createMachine({ always: { guard: () => false, actions: 'ring' } }),
        /always action "ring"/,
      ],
      ['an anonymous function', withEntry(() => {}), /state "here" entry: an anonymous function/],
      ['a function with a name', withEntry(function shout() {}), /the function "shout"/],
      ['sendTo', withEntry(sendTo('child', { type: 'X' })), /state "here" entry: sendTo/],
      ['sendParent', withEntry(sendParent({ type: 'X' })), /sendTo/],
      ['forwardTo', withEntry(forwardTo('child')), /sendTo/],
      ['spawnChild', withEntry(spawnChild('child')), /state "here" entry: spawnChild/],
      ['stopChild', withEntry(stopChild('child')), /state "here" entry: stopChild/],
      [
        'a named sendTo',
        setup({ actions: { tell: sendTo('child', { type: 'X' }) } }).createMachine({ entry: 'tell' }),
        /entry action "tell": sendTo/,
      ],
      [
        'an invoke without a handler',
        createMachine({ initial: 'a', states: { a: { invoke: { src: 'fetch' } } } }),
        /state "a" invoke 0 \(fetch\)/,
      ],
      [
        'an inline invoke',
        createMachine({ id: 'm', initial: 'a', states: { a: { invoke: { src: logic } } } }),
        /source "xstate\.invoke\.0\.m\.a"/,
      ],
      [
        'a systemId',
        createMachine({ invoke: { src: 'fetch', systemId: 'one' } }),
        /systemId/,
        { invokes: { fetch: done } },
      ],
      [
        'onSnapshot',
        createMachine({ invoke: { src: 'fetch', onSnapshot: {} } }),
        /onSnapshot/,
        { invokes: { fetch: done } },
      ],
      [
        'one invoke id twice at once',
        createMachine({
          type: 'parallel',
          states: { a: { invoke: { src: 'fetch', id: 'x' } }, b: { invoke: { src: 'fetch', id: 'x' } } },
        }),
        /state "b" invoke "x"/,
        { invokes: { fetch: done } },
      ],
      [
        'a guard nobody wrote',
        createMachine({ on: { GO: { guard: 'free' } } }),
        /on GO guard "free": the guard is not implemented/,
      ],
      ['a delay nobody wrote', createMachine({ after: { later: {} } }), /the delay "later" is not implemented/],
      ['a resume policy for no delay', createMachine({}), /resume "later"/, { resume: { later: 'restart' } }],
      [
        'one name for two effects',
        createMachine({ invoke: { src: 'fetch' } }),
        /registration "fetch"/,
        { invokes: { fetch: done }, actions: { fetch: effect(async () => ({ kind: 'done' })) } },
      ],
      [
        'a handler that would never run',
        setup({ actions: { ring: log('x') } }).createMachine({ entry: 'ring' }),
        /registration "ring"/,
        { actions: { ring: done } },
      ],
      ['a route', createMachine({ initial: 'a', states: { a: { id: 'a', route: {} } } } as never), /state "a" route/],
    ];
  for (const [what, machine, place, more] of refused) {
    t.throws(() => host(machine, more), { name: 'NotHostable', message: place }, what);
  }
  t.doesNotThrow(
    () =>
      host(
        createMachine({
          initial: 'a',
          states: { a: { invoke: { src: 'fetch', id: 'x' } }, b: { invoke: { src: 'fetch', id: 'x' } } },
        }),
        { invokes: { fetch: done } },
      ),
    'one id in states that exclude each other',
  );
  t.doesNotThrow(
    () =>
      host(createMachine({ id: 'm', invoke: { src: fromTransition((s: number) => s, 0) } }), {
        invokes: { 'xstate.invoke.0.m': done },
      }),
    'inline logic with a handler',
  );
  t.end();
});

test('C1: what only a run shows throws at that step, naming state and event', (t) => {
  const logic = fromPromise(async () => 0);
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'spawn inside assign',
      assign({ child: ({ spawn }: { spawn: (src: unknown) => unknown }) => spawn(logic) } as never),
      /spawn starts an actor/,
    ],
    [
      'a spawn that leaves no trace in the context',
      assign({
        n: ({ spawn }: { spawn: (src: unknown, o: object) => unknown }) => [spawn(logic, { id: 'x' })].length,
      } as never),
      /spawn starts an actor/,
    ],
    [
      'an enqueued spawnChild',
      enqueueActions(({ enqueue }) => enqueue.spawnChild(logic, { id: 'x' } as never)),
      /spawnChild/,
    ],
    [
      'an enqueued sendTo',
      enqueueActions(({ enqueue, self }) => enqueue.sendTo(self as never, { type: 'X' } as never)),
      /sendTo/,
    ],
    ['an enqueued function', enqueueActions(({ enqueue }) => enqueue(function ring() {})), /function "ring"/],
    [
      'an enqueued stranger',
      enqueueActions(({ enqueue }) => enqueue('stranger' as never)),
      /no handler is registered for the action "stranger"/,
    ],
    ['a delay that is no number', raise({ type: 'X' }, { delay: () => Number.NaN }), /finite number/],
    ['self.send', assign(({ self }) => ({ sent: self.send({ type: 'X' }) as never })), /self\.send is a side effect/],
  ];
  for (const [what, action, reason] of cases) {
    const machine = createMachine({
      context: {},
      initial: 'here',
      states: { here: { on: { GO: { actions: action as never } } } },
    });
    const behaviour = host(machine, { actions: { ring: done } });
    const held = behaviour.start({}, at(1)).held;
    t.throws(
      () => behaviour.step(held, { type: 'GO' }, at(2)),
      { code: 'unhostable-step', message: /state here, event GO/ },
      what,
    );
    t.throws(() => behaviour.step(held, { type: 'GO' }, at(2)), { message: reason }, what);
    t.equal(behaviour.step(held, { type: 'NO' }, at(2)).kind, 'refused', `${what}: the next step is untouched by it`);
  }
  const spawning = setup({ actors: { logic } }).createMachine({
    context: ({ spawn }) => ({ child: spawn('logic') }) as never,
  });
  t.throws(
    () => host(spawning as never).start({}, at(1)),
    { code: 'unhostable-step', message: /first step/ },
    'spawn in the initial context',
  );
  t.end();
});

test('C1: context, output, inputs and events must be JSON, and the error names the path', (t) => {
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ['a Date', { made: { when: new Date(0) } }, /context\.made\.when must be JSON, got an instance of Date/],
    ['a Map', { list: [new Map()] }, /context\.list\[0\] must be JSON, got an instance of Map/],
    ['a function', { run: () => 1 }, /context\.run must be JSON, got function/],
    ['NaN', { n: Number.NaN }, /context\.n must be JSON, got NaN/],
    ['a bigint', { n: 1n }, /context\.n must be JSON, got bigint/],
    ['undefined in an array', { n: [undefined] }, /context\.n\[0\]/],
    ['what XState takes for an actor', { n: { xstate$$type: 1, id: 'x' } }, /context\.n must be JSON, got a reference/],
  ];
  for (const [what, context, path] of cases) {
    const behaviour = host(createMachine({ context: {}, on: { GO: { actions: assign(() => context as never) } } }));
    const { held } = behaviour.start({}, at(1));
    t.throws(() => behaviour.step(held, { type: 'GO' }, at(2)), { name: 'TypeError', message: path }, what);
    t.throws(
      () => host(createMachine({ context } as never) as never).start({}, at(1)),
      { message: path },
      `${what} at the start`,
    );
  }
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  t.throws(() => host(createMachine({ context: cyclic })).start({}, at(1)), { message: /contains itself/ });
  t.throws(
    () =>
      host(createMachine({ output: () => new Date(0) as never, initial: 'a', states: { a: { type: 'final' } } })).start(
        {},
        at(1),
      ),
    { message: /output must be JSON/ },
  );
  t.throws(
    () =>
      host(withEntry({ type: 'ring', params: { when: new Date(0) } }), { actions: { ring: done } }).start({}, at(1)),
    { message: /input of "ring"\.when/ },
  );
  t.throws(() => host(withEntry({ type: 'ring', params: 7 }), { actions: { ring: done } }).start({}, at(1)), {
    message: /input of "ring" must be an object/,
  });
  t.throws(() => host(withEntry(emit({ type: 'TOLD', when: new Date(0) }))).start({}, at(1)), {
    message: /an emitted event\.when/,
  });
  t.end();
});

test('C1: a member that is undefined is gone from cache as it is after a reload', (t) => {
  const behaviour = host(
    createMachine({
      context: { a: 1, b: 1 } as { a?: number | undefined; b: number },
      on: { DROP: { actions: assign({ a: undefined }) }, SET: { actions: assign({ a: 2 }) } },
    }),
  );
  const dropped = moved(behaviour.step(behaviour.start({}, at(1)).held, { type: 'DROP' }, at(2)));
  t.same(Object.keys(dropped.held.view.context), ['b']);
  const [cached, after] = [dropped.held, reloaded(behaviour, dropped)].map(
    (held) => moved(behaviour.step(held, { type: 'SET' }, at(3))).stored,
  );
  t.equal(cached, after);
  t.end();
});

test('C1: the stored text is what getPersistedSnapshot gives, without children, deterministic', (t) => {
  const { actions, sources } = namesOf(everyKind);
  const behaviour = host(everyKind, {
    actions: Object.fromEntries(actions.map((n) => [n, done])),
    invokes: Object.fromEntries(sources.map((n) => [n, done])),
  });
  let step = behaviour.start({ limit: 5 }, at(1));
  for (const type of ['START', 'STEP', 'POKE', 'PAUSE', 'RESUME']) {
    step = moved(behaviour.step(step.held, { type }, at(2)));
    const { snapshot, ...rest } = JSON.parse(step.stored) as { snapshot: object };
    const persisted = everyKind.getPersistedSnapshot({ ...(step.held.snapshot as object), children: {} } as never);
    t.equal(JSON.stringify(snapshot), JSON.stringify(persisted), type);
    t.match(rest, { machine: 'chart', version: '1', hash: behaviour.hash });
    t.equal(
      moved(behaviour.step(step.held, { type: 'note.add' }, at(3))).stored,
      moved(behaviour.step(reloaded(behaviour, step), { type: 'note.add' }, at(3))).stored,
    );
  }
  t.match(
    JSON.parse(step.stored),
    { snapshot: { historyValue: { 'every.work.left.recall': [{ id: String }] } } },
    'with history',
  );
  t.notMatch(step.stored, /fetch|print/, 'and nothing of the invokes');
  t.end();
});

test('M4: an event that selects no transition is refused, whatever the snapshot reference says', (t) => {
  const machine = setup({
    actions: { ring: () => {} },
    guards: {
      code: ({ event }) => (event as unknown as { code: number }).code === 7,
      deep: ({ event }) => (event as unknown as { a: { b: number } }).a.b > 1,
      never: () => false,
    },
  }).createMachine({
    initial: 'here',
    on: { ABOVE: '.there', FORBIDDEN: '.there' },
    states: {
      here: {
        on: {
          ACT: { actions: 'ring' },
          GO: 'there',
          SELF: { target: 'here', reenter: true },
          BARE: { target: 'here' },
          FORBIDDEN: undefined,
          CODE: { guard: 'code', target: 'there' },
          DEEP: { guard: 'deep', target: 'there' },
          NEVER: { guard: 'never', target: 'there' },
          'part.*': { actions: 'ring' },
        },
      },
      there: { on: { '*': { actions: 'ring' } } },
    },
  });
  const behaviour = host(machine, { actions: { ring: note } });
  const { held } = behaviour.start({}, at(1));
  const kinds = Object.fromEntries(
    ['ACT', 'GO', 'SELF', 'BARE', 'ABOVE', 'part.x', 'part', 'FORBIDDEN', 'NEVER', 'NOBODY'].map((type) => [
      type,
      behaviour.step(held, { type }, at(2)).kind,
    ]),
  );
  t.same(kinds, {
    ACT: 'moved',
    GO: 'moved',
    SELF: 'moved',
    BARE: 'moved',
    ABOVE: 'moved',
    'part.x': 'moved',
    part: 'moved',
    FORBIDDEN: 'refused',
    NEVER: 'refused',
    NOBODY: 'refused',
  });
  const acted = moved(behaviour.step(held, { type: 'ACT' }, at(2)));
  t.equal(acted.held.snapshot, held.snapshot, 'an action-only transition returns the same reference');
  const refused = behaviour.step(held, { type: 'NOBODY' }, at(2)) as Refused;
  t.same(
    refused.allowed,
    ['ABOVE', 'ACT', 'BARE', 'CODE', 'DEEP', 'GO', 'SELF'],
    'guards that ask for more than the type count as open',
  );
  t.equal(refused.held, held);
  t.equal(behaviour.step(held, { type: 'CODE', code: 6 }, at(2)).kind, 'refused');
  t.equal(behaviour.step(held, { type: 'CODE', code: 7 }, at(2)).kind, 'moved');
  const there = moved(behaviour.step(held, { type: 'GO' }, at(2))).held;
  t.equal(behaviour.step(there, { type: 'NOBODY' }, at(3)).kind, 'moved', 'a wildcard selects');
  t.same(behaviour.allowed(there), ['ABOVE', 'FORBIDDEN'], 'and is no type one could name');
  t.end();
});

test('M4: types that begin xstate. come from the runtime only', (t) => {
  const machine = createMachine({
    initial: 'a',
    on: { '*': { actions: 'ring' } },
    states: { a: { invoke: { src: 'fetch', id: 'x', onDone: 'b' }, after: { 10: 'b' } }, b: {} },
  });
  const behaviour = host(machine, { actions: { ring: note }, invokes: { fetch: done } });
  const { held, starts, timersSet } = behaviour.start({}, at(1));
  for (const type of [
    'xstate.stop',
    'xstate.init',
    'xstate.error.actor.y',
    'xstate.done.actor.y',
    'xstate.after.20.(machine).a',
    'xstate.done.state.(machine)',
  ]) {
    t.equal(behaviour.step(held, { type }, at(2)).kind, 'refused', type);
  }
  t.same(behaviour.allowed(held), []);
  const key = starts[0]?.key as string;
  const late = behaviour.step(
    held,
    behaviour.outcomeEvent('x', { kind: 'done', output: 1 }),
    at(2, 2, { kind: 'effect', key: 'act_1:9:0:other' }),
  );
  t.equal(late.kind, 'refused', 'the outcome of another run of the same invoke');
  t.match(late, { held: { record: { executions: [{ key }] } } });
  const onTime = moved(
    behaviour.step(held, behaviour.outcomeEvent('x', { kind: 'done', output: 1 }), at(2, 2, { kind: 'effect', key })),
  );
  t.same([onTime.states, onTime.stops, onTime.held.record.executions], [['b'], [], []], 'ended, so nothing to stop');
  t.equal(onTime.timersCleared[0]?.id, timersSet[0]?.id);
  t.end();
});

test('M4: a timer or outcome that selects nothing is refused and gone from the record', (t) => {
  const machine = createMachine({
    initial: 'a',
    entry: raise({ type: 'LATER' }, { delay: 5, id: 'later' }),
    states: { a: { invoke: { src: 'fetch', id: 'x' } } },
  });
  const behaviour = host(machine, { invokes: { fetch: done } });
  const first = behaviour.start({}, at(1));
  const timer = behaviour.step(first.held, { type: 'LATER' }, at(2, 2, { kind: 'timer', id: 'later' })) as Refused;
  t.same([timer.kind, timer.allowed, timer.held.record.timers], ['refused', [], {}]);
  const outcome = behaviour.step(
    timer.held,
    behaviour.outcomeEvent('x', { kind: 'done', output: 1 }),
    at(2, 2, { kind: 'effect', key: first.starts[0]?.key as string }),
  ) as Refused;
  t.same([outcome.kind, outcome.held.record.executions, outcome.held.view.value], ['refused', [], 'a']);
  t.end();
});

test('M4: after the end every event is refused', (t) => {
  const behaviour = host(
    createMachine({ initial: 'a', on: { GO: { actions: 'ring' } }, states: { a: { type: 'final' } } }),
    { actions: { ring: note } },
  );
  const ended = behaviour.start({}, at(1));
  t.same([ended.final, ended.held.view.status], [true, 'done']);
  t.match(behaviour.step(ended.held, { type: 'GO' }, at(2)), { kind: 'refused', allowed: [] });
  t.match(behaviour.step(reloaded(behaviour, ended), { type: 'GO' }, at(2)), { kind: 'refused', allowed: [] });
  t.end();
});

test('M5: exceptions of guards and assigns escape as they are, and a loop ends at 10,000 microsteps', (t) => {
  const broken = new Error('broken');
  const machine = createMachine({
    context: { n: 0 },
    on: {
      GUARD: {
        guard: () => {
          throw broken;
        },
        actions: assign({ n: 1 }),
      },
      ASSIGN: {
        actions: assign(() => {
          throw broken;
        }),
      },
      FINE: { actions: assign({ n: 2 }) },
      LOOP: { actions: raise({ type: 'LOOP' }) },
    },
  });
  const behaviour = host(machine);
  const { held } = behaviour.start({}, at(1));
  t.throws(() => behaviour.step(held, { type: 'GUARD' }, at(2)), { message: /broken/ });
  try {
    behaviour.step(held, { type: 'ASSIGN' }, at(2));
    t.fail('must throw');
  } catch (error) {
    t.equal(error, broken);
  }
  t.throws(() => behaviour.step(held, { type: 'LOOP' }, at(2)), { message: /more than 10000 microsteps/ });
  t.same(
    moved(behaviour.step(held, { type: 'FINE' }, at(2))).held.view.context,
    { n: 2 },
    'the scope is clean afterwards',
  );
  t.throws(
    () =>
      host(
        createMachine({
          context: () => {
            throw broken;
          },
        }),
      ).start({}, at(1)),
    { message: 'broken' },
    'at the start too',
  );
  t.end();
});

test('T1: timers are rows: named, cleared, resumed by the policy of their delay, never two under one row', (t) => {
  const machine = setup({
    delays: { slow: ({ context }) => (context as { ms: number }).ms, fixed: 30, raised: 40 },
  }).createMachine({
    id: 'm',
    context: { ms: 2_500 },
    initial: 'a',
    on: {
      TWICE: { actions: [raise({ type: 'X' }, { id: 't', delay: 5 }), raise({ type: 'X' }, { id: 't', delay: 9 })] },
      REARM: { actions: [cancel('t'), raise({ type: 'X' }, { id: 't', delay: 7 })] },
      STOP: { actions: cancel('t') },
      BARE: { actions: [raise({ type: 'X' }, { delay: 'raised' }), raise({ type: 'Y' }, { delay: -3 })] },
      QUEUED: { actions: enqueueActions(({ enqueue }) => enqueue.raise({ type: 'X' }, { id: 'q', delay: 'raised' })) },
      END: '.end',
    },
    states: {
      a: { after: { slow: 'b', fixed: 'b', 70: 'b' } },
      b: {},
      end: { type: 'final', entry: raise({ type: 'X' }, { delay: 1 }) },
    },
  });
  const behaviour = host(machine, { resume: { slow: 'remaining', raised: 'restart' } });
  const first = behaviour.start({}, at(1));
  t.same(
    first.timersSet.map(({ id, generation, delayMs, resume }) => [id, generation, delayMs, resume]),
    [
      ['xstate.after.70.m.a', '1.0', 70, 'deadline'],
      ['xstate.after.slow.m.a', '1.1', 2_500, 'remaining'],
      ['xstate.after.fixed.m.a', '1.2', 30, 'deadline'],
    ],
  );
  const fired = moved(
    behaviour.step(
      first.held,
      { type: 'xstate.after.fixed.m.a' },
      at(2, 2, { kind: 'timer', id: 'xstate.after.fixed.m.a' }),
    ),
  );
  t.same(
    fired.timersCleared.map(({ id, generation }) => [id, generation]),
    [
      ['xstate.after.70.m.a', '1.0'],
      ['xstate.after.slow.m.a', '1.1'],
    ],
    'the one that fired is not cleared',
  );
  t.same(fired.held.record.timers, {});

  const bare = moved(behaviour.step(fired.held, { type: 'BARE' }, at(3)));
  t.same(
    bare.timersSet.map(({ id, delayMs, resume }) => [id, delayMs, resume]),
    [
      ['3.0', 40, 'restart'],
      ['3.1', 0, 'deadline'],
    ],
  );
  t.match(
    moved(behaviour.step(fired.held, { type: 'QUEUED' }, at(3))).timersSet,
    [{ id: 'q', resume: 'restart' }],
    'the delay of an enqueued raise has a name too',
  );

  const twice = moved(behaviour.step(fired.held, { type: 'TWICE' }, at(3)));
  t.same(
    twice.timersSet.map(({ id, delayMs }) => [id, delayMs]),
    [
      ['t', 5],
      ['t~3.1', 9],
    ],
    'as in XState both stand',
  );
  const stopped = moved(behaviour.step(reloaded(behaviour, twice), { type: 'STOP' }, at(4)));
  t.same(stopped.timersCleared, [{ id: 't~3.1', generation: '3.1' }], 'and cancel reaches the second only');
  t.same(moved(behaviour.step(stopped.held, { type: 'STOP' }, at(5))).timersCleared, []);
  const rearmed = moved(
    behaviour.step(moved(behaviour.step(fired.held, { type: 'REARM' }, at(3))).held, { type: 'REARM' }, at(4)),
  );
  t.same(
    [rearmed.timersCleared, rearmed.timersSet.map(({ id, generation }) => [id, generation])],
    [[{ id: 't', generation: '3.0' }], [['t', '4.0']]],
  );
  const ended = moved(behaviour.step(twice.held, { type: 'END' }, at(4)));
  t.same([ended.timersSet, ended.timersCleared.length, ended.held.record.timers], [[], 2, {}], 'the end clears all');
  t.end();
});

const caller = setup({
  actions: { ring: (_, _params?: { loud: boolean }) => {} },
  actors: { fetch: fromPromise<number, { n: number }>(async () => 0) },
}).createMachine({
  id: 'm',
  context: { n: 1 },
  initial: 'idle',
  states: {
    idle: { on: { GO: 'calling', BOTH: 'passing' } },
    calling: {
      invoke: { src: 'fetch', id: 'x', input: ({ context }) => ({ n: context.n }), onDone: 'idle' },
      on: { BACK: 'idle', AGAIN: { target: 'calling', reenter: true }, END: 'end' },
    },
    passing: {
      invoke: { src: 'fetch', input: { n: 0 } },
      always: 'idle',
      entry: { type: 'ring', params: { loud: true } },
    },
    end: { type: 'final', entry: 'ring' },
  },
});

test('E1: invokes and actions become effects; leaving the state stops the invoke, and only the invoke', (t) => {
  const behaviour = host(caller, { actions: { ring: done }, invokes: { fetch: done } });
  const idle = behaviour.start({}, at(1)).held;
  const calling = moved(behaviour.step(idle, { type: 'GO' }, at(2)));
  t.match(calling.starts, [{ name: 'fetch', child: 'x', input: { n: 1 } }]);
  const key = calling.starts[0]?.key as string;
  t.same(calling.held.record.executions, [{ key, name: 'fetch', child: 'x' }]);
  for (const held of [calling.held, reloaded(behaviour, calling)]) {
    t.same(moved(behaviour.step(held, { type: 'BACK' }, at(3))).stops, [key]);
    const again = moved(behaviour.step(held, { type: 'AGAIN' }, at(3)));
    t.same([again.stops, again.starts.length, again.held.record.executions.length], [[key], 1, 1]);
    t.not(again.starts[0]?.key, key);
    const ended = moved(behaviour.step(held, { type: 'END' }, at(3)));
    t.same(
      [ended.final, ended.stops, ended.starts.map(({ name }) => name), ended.held.record.executions],
      [true, [key], ['ring'], []],
    );
  }
  const passed = moved(behaviour.step(idle, { type: 'BOTH' }, at(2)));
  t.same(
    passed.starts.map(({ name, child, input }) => [name, child, input]),
    [['ring', null, { loud: true }]],
    'entered and left at once: never started',
  );
  t.same([passed.stops, passed.held.record.executions], [[], []]);
  t.end();
});

test('E1: an invoke that fails unhandled ends the chart in error, as in XState', (t) => {
  const behaviour = host(caller, { actions: { ring: done }, invokes: { fetch: done } });
  const calling = moved(behaviour.step(behaviour.start({}, at(1)).held, { type: 'GO' }, at(2)));
  const cause = { kind: 'effect', key: calling.starts[0]?.key as string } as const;
  const failed = moved(
    behaviour.step(
      reloaded(behaviour, calling),
      behaviour.outcomeEvent('x', { kind: 'failed', error: { code: 'no' } }),
      at(3, 3, cause),
    ),
  );
  t.same([failed.final, failed.held.view.status, failed.states, failed.stops], [true, 'error', ['calling'], []]);
  t.match(JSON.parse(failed.stored), { snapshot: { status: 'error', error: { code: 'no' } } });
  t.equal(behaviour.step(reloaded(behaviour, failed), { type: 'BACK' }, at(4)).kind, 'refused');
  t.end();
});

test('E1: a state entered again without being left starts its invoke again, and the older run goes on, as in XState', (t) => {
  const machine = createMachine({
    initial: 'a',
    states: {
      a: { invoke: { src: 'fetch', id: 'x', onDone: 'b', onError: 'past' } }, // The history of nothing is `a` itself.
      b: {},
      past: { type: 'history' },
    },
  });
  const behaviour = host(machine, { invokes: { fetch: done } });
  const first = behaviour.start({}, at(1));
  const run = (step: Step): string => step.starts[0]?.key as string;
  const error = behaviour.outcomeEvent('x', { kind: 'failed', error: {} });
  const ended = behaviour.outcomeEvent('x', { kind: 'done', output: null });
  const second = moved(behaviour.step(first.held, error, at(2, 2, { kind: 'effect', key: run(first) })));
  t.same([second.stops, second.starts.length, second.held.record.executions.length], [[], 1, 1]);

  const doubling = createMachine({
    initial: 'a',
    states: {
      a: { invoke: { src: 'fetch', id: 'x', onDone: 'b' }, on: { AGAIN: 'past' } },
      b: {},
      past: { type: 'history' },
    },
  });
  const twice = host(doubling, { invokes: { fetch: done } });
  const one = twice.start({}, at(1));
  const two = moved(twice.step(one.held, { type: 'AGAIN' }, at(2)));
  t.same(two.stops, [], 'nothing was left, so nothing stops');
  t.match(two.held.record.executions, [
    { key: run(one), unreachable: true },
    { key: run(two), unreachable: undefined },
  ]);
  for (const held of [two.held, reloaded(twice, two)]) {
    const left = moved(twice.step(held, ended, at(3, 3, { kind: 'effect', key: run(one) })));
    t.same(
      [left.states, left.stops],
      [['b'], [run(two)]],
      'the outcome of the older run counts, and leaving stops the newer',
    );
    const other = moved(twice.step(held, ended, at(3, 3, { kind: 'effect', key: run(two) })));
    t.same(
      [other.stops, other.held.record.executions.map(({ key }) => key)],
      [[], [run(one)]],
      'and the older is never stopped',
    );
  }
  t.end();
});

test('M4: an event type that no state names is refused without asking XState, which would remember it for ever', (t) => {
  const machine = createMachine({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } });
  const behaviour = host(machine);
  const { held } = behaviour.start({}, at(1));
  const asked: string[] = [];
  const hosted = (held.snapshot as { machine: AnyStateMachine }).machine;
  const original = hosted.transition;
  hosted.transition = (snapshot, event, scope) => {
    asked.push(event.type);
    return original(snapshot, event, scope);
  };
  t.equal(behaviour.step(held, { type: 'NOBODY' }, at(2)).kind, 'refused');
  t.equal(behaviour.step(held, { type: 'GO' }, at(2)).kind, 'moved');
  t.same(asked, ['GO']);
  t.end();
});

test('E2: the key of an effect is actor, sequence, index and digest, the same for whoever takes the step', (t) => {
  const [one, other] = [
    host(caller, { actions: { ring: done }, invokes: { fetch: done } }),
    host(caller, { actions: { ring: done }, invokes: { fetch: done } }),
  ];
  const idle = one.start({}, at(1));
  const key = moved(one.step(idle.held, { type: 'GO' }, at(2))).starts[0]?.key;
  t.match(key, /^act_1:2:0:[0-9a-f]{12}$/);
  t.equal(
    moved(other.step(reloaded(other, idle), { type: 'GO' }, at(2, 999_999))).starts[0]?.key,
    key,
    'another worker, another time',
  );
  t.equal(key, 'act_1:2:0:479b4640b25e', 'wire format: never change');
  t.not(moved(one.step(idle.held, { type: 'GO' }, at(3))).starts[0]?.key, key, 'another step');
  t.end();
});

test('C1: messages, notes, emits, views, answers and announcements of a step', (t) => {
  const machine = createMachine({
    context: { n: 0 },
    on: {
      TELL: {
        actions: [
          { type: 'tell', params: { to: 'two' } },
          { type: 'tell', params: {} },
          emit({ type: 'TOLD' }),
          'remark',
          log('x'),
          assign({ n: 1 }),
        ],
      },
      BAD: { actions: { type: 'tell', params: { to: 'two', type: 'xstate.stop' } } },
      ASTRAY: { actions: { type: 'tell', params: { to: 'bad id', type: 'HELLO' } } },
      QUIET: { actions: 'remark' },
    },
  });
  const tell = message(({ to, type = 'HELLO' }, { actor: from }) =>
    to === undefined
      ? undefined
      : [
          {
            namespace: 'dlv',
            actor: to as ActorId, // Unchecked, as a chart's author may write it.
            event: { type: type as string, from },
            create: { machine: 'm', input: { from } },
          },
        ],
  );
  const behaviour = host(machine, {
    stamp: true,
    actions: { tell, remark: note },
    announce: (before, after, event) =>
      event.type === 'QUIET'
        ? undefined
        : {
            type: 'changed',
            data: { from: before?.context.n ?? null, to: after.context.n as number, at: event.at as number },
          },
    answer: (after, event) => ({ n: after.context.n as number, type: event.type }),
  });
  const first = behaviour.start({}, at(1, 50));
  t.match(first, {
    announcement: { type: 'changed', data: { from: null, to: 0 } },
    answer: { n: 0, type: 'xstate.init' },
    states: ['(root)'],
    held: { record: { announced: 1 }, view: { value: {}, status: 'active' } },
  });
  const quiet = moved(behaviour.step(first.held, { type: 'QUIET' }, at(2, 60)));
  t.same([quiet.announcement, quiet.held.record.announced], [undefined, 1]);
  const told = moved(behaviour.step(quiet.held, { type: 'TELL' }, at(3, 70)));
  t.same(told.sends, [
    {
      namespace: 'dlv',
      actor: 'two',
      event: { type: 'HELLO', from: actor },
      create: { machine: 'm', input: { from: actor } },
    },
  ]);
  t.same(told.emitted, [{ type: 'TOLD' }]);
  t.same(
    [told.announcement?.data, told.answer, told.held.record.announced, told.starts],
    [{ from: 0, to: 1, at: 70 }, { n: 1, type: 'TELL' }, 3, []],
  );
  t.throws(() => behaviour.step(first.held, { type: 'BAD' }, at(2)), {
    code: 'unhostable-step',
    message: /sends an event of type xstate\.stop/,
  });
  t.throws(() => behaviour.step(first.held, { type: 'ASTRAY' }, at(2)), {
    code: 'unhostable-step',
    message: /goes to "bad id", which is no actor id/,
  });
  t.end();
});

test('T2: stamped charts read the clock of the step, others get events untouched', (t) => {
  const machine = createMachine({
    context: ({ input }) => ({ seen: [input] as unknown[] }),
    on: { GO: { actions: assign({ seen: ({ context, event }) => [...context.seen, event] }) } },
  });
  const seen = (stamp: boolean): unknown => {
    const behaviour = host(machine, { stamp });
    return moved(behaviour.step(behaviour.start({ a: 1 }, at(1, 5)).held, { type: 'GO' }, at(2, 6))).held.view.context
      .seen;
  };
  t.same(seen(true), [
    { a: 1, at: 5 },
    { type: 'GO', at: 6 },
  ]);
  t.same(seen(false), [{ a: 1 }, { type: 'GO' }]);
  t.end();
});

test('M5: a snapshot of another machine, version or definition is not read', (t) => {
  const behaviour = host(caller, { actions: { ring: done }, invokes: { fetch: done } });
  const { stored, held } = behaviour.start({}, at(1));
  const others = [
    host(caller, { version: '2', actions: { ring: done }, invokes: { fetch: done } }),
    host(caller, { name: 'other', actions: { ring: done }, invokes: { fetch: done } }),
    host(createMachine({ id: 'm', initial: 'idle', states: { idle: {} } })),
  ];
  for (const other of others)
    t.throws(() => other.restore(stored, held.record, actor), { code: 'version-missing', message: /chart 1 .*hosts/ });
  t.throws(() => behaviour.restore('{"broken', held.record, actor), {
    code: 'version-missing',
    message: /something unreadable/,
  });
  const unknown = stored.replace('"value":"idle"', '"value":"gone"');
  t.throws(() => behaviour.restore(unknown, held.record, actor), {
    code: 'snapshot-unreadable',
    message: /'gone' does not exist/,
  });
  t.equal(
    host(caller, { actions: { ring: note }, invokes: { fetch: done } }).hash,
    behaviour.hash,
    'handlers are not part of the definition',
  );
  const changed = { ...caller.config, states: { ...caller.config.states, more: {} } };
  t.not(
    host(createMachine(changed as never), { actions: { ring: done }, invokes: { fetch: done } }).hash,
    behaviour.hash,
    'states are',
  );
  t.end();
});

test('C1: leaves are the paths of all leaf states, states the active ones, sorted', (t) => {
  const machine = createMachine({
    type: 'parallel',
    states: {
      z: {
        initial: 'b',
        states: { a: {}, b: { initial: 'c', states: { c: {}, d: { type: 'final' } } }, h: { type: 'history' } },
      },
      m: {},
    },
  });
  const behaviour = host(machine);
  t.same(behaviour.leaves, ['m', 'z.a', 'z.b.c', 'z.b.d']);
  t.same(behaviour.start({}, at(1)).states, ['m', 'z.b.c']);
  t.end();
});

test('C2: a journal replays through the chart to the stored texts', (t) => {
  const behaviour = host(caller, { stamp: true, actions: { ring: done }, invokes: { fetch: done } });
  let step = behaviour.start({ a: 1 }, at(1));
  const entry = (number: number, event: Event, more: JsonObject = {}): JournalEntry =>
    ({
      shard: 0,
      position: number,
      token: '1:x',
      kind: 'moved',
      actor,
      sequence: sequence(number),
      at: 1_000 * number,
      event,
      snapshotHash: snapshotHash(step.stored),
      ...more,
    }) as JournalEntry;
  const entries = [entry(1, { type: 'xstate.init' }, { input: { a: 1 } })];
  const events = [
    { type: 'GO' },
    behaviour.outcomeEvent('x', { kind: 'done', output: 3 }),
    { type: 'BOTH' },
    { type: 'GO' },
    { type: 'END' },
  ];
  events.forEach((event, index) => {
    step = moved(behaviour.step(step.held, event, at(index + 2)));
    entries.push(entry(index + 2, event), { ...entry(index + 2, { type: 'NOBODY' }), kind: 'refused' });
  });
  const replayed = [...replay(behaviour, actor, entries)];
  t.same(
    replayed.map(({ hash }) => hash),
    entries.filter(({ kind }) => kind === 'moved').map((one) => one.snapshotHash),
  );
  t.equal(replayed.at(-1)?.stored, step.stored);
  t.throws(
    () => [
      ...replay(
        behaviour,
        actor,
        entries.filter((one) => one.sequence !== 3),
      ),
    ],
    { message: /^C2: / },
  );
  t.throws(
    () => [
      ...replay(
        behaviour,
        actor,
        entries.map((one) => (one.sequence === 2 ? { ...one, event: { type: 'NOBODY' } } : one)),
      ),
    ],
    { message: /^C1: / },
  );
  t.end();
});
