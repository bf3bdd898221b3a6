// The fleet as a client sees it: members judged by their beats, and the assignment as last published.

import type { WorkerView } from '../client.ts';
import { type Clock, pause } from '../clock.ts';
import { OperatingError } from '../errors.ts';
import { command, pairsOf } from '../functions/call.ts';
import { publish } from '../functions/publish.ts';
import { type WorkerId, workerId } from '../ids.ts';
import type { Batch } from '../redis/batch.ts';
import type { NamespaceKeys } from '../redis/keys.ts';
import { type Assignment, assignmentPrefix, withPin } from '../shards/assignment.ts';
import { SHARD_LIMITS } from '../shards/limits.ts';
import { createObserver, type Judgement } from '../shards/liveness.ts';
import { holdOf, type MemberEntry, markOf, parseEntry } from '../shards/membership.ts';
import { parseFacts } from '../shards/takeover.ts';
import type { Membership } from './operations.ts';

const PIN_TRIES = 5; // Workers publish when members come and go: rarely, and never five times in a row.
const NONCE_BYTES = 4;
const OPERATOR = workerId('operator.0'); // Who computed it: for people.
const FIRST_LIBRARY = 'emboss_v1'; // Of programs whose entries do not name one.
const LOOKS_APART_MS = SHARD_LIMITS.heartbeatMs + 250; // Two looks this far apart see a living member beat.

export function fleet(batch: Batch, names: NamespaceKeys, clock: Clock): Membership {
  const observer = createObserver(SHARD_LIMITS);
  let looked = false;

  const entries = (): Promise<ReadonlyMap<string, MemberEntry>> =>
    batch.run(command(['HGETALL', names.members], (reply) => new Map(pairsOf(reply).flatMap(entryOf))));

  async function assignment(): Promise<Assignment | undefined> {
    const text = await batch.run(command(['GET', names.assignment], (reply) => reply as string | null));
    return text === null ? undefined : (JSON.parse(text) as Assignment);
  }

  async function requireMember(worker: string): Promise<void> {
    const found = await entries();
    if (found.has(worker)) return;
    const known = [...found.keys()].sort().join(', ') || 'none';
    throw new OperatingError('worker-unknown', `no worker is called ${worker}; there are: ${known}`);
  }

  function judge(found: ReadonlyMap<string, MemberEntry>): ReadonlyMap<string, Judgement> {
    const signs = [...found].map(([worker, entry]) => ({
      worker,
      mark: markOf(entry),
      connection: 'unknown' as const,
      holdMs: holdOf(entry),
    }));
    return observer.observe(signs, clock.monotonic());
  }

  return {
    async placement() {
      const [current, found] = await Promise.all([assignment(), entries()]);
      return {
        owners: (current?.owners ?? []).map((owner) => owner ?? undefined),
        pins: current?.pins ?? {},
        facts: new Map([...found].map(([worker, { stats }]) => [worker, parseFacts(stats.shards)])),
      };
    },
    async pin(shard, worker) {
      if (worker !== undefined) await requireMember(worker);
      for (let tried = 0; tried < PIN_TRIES; tried += 1) {
        const current = await assignment();
        if (current === undefined) break;
        if (!(shard in current.owners))
          throw new OperatingError(
            'shard-unknown',
            `there is no shard ${shard}: they go from 0 to ${current.owners.length - 1}`,
          );
        const next = withPin(current, {
          shard,
          worker: worker as WorkerId | undefined, // A member's id was checked when it joined.
          by: OPERATOR,
          nonce: clock.nonce(NONCE_BYTES),
        });
        if (next === undefined) return false;
        if (await batch.run(publish(names, assignmentPrefix(current), JSON.stringify(next)))) return true;
      }
      throw new OperatingError('not-published', 'the assignment could not be published; is a worker alive?', {
        retry: 'here',
      });
    },
    async workers() {
      if (!looked) {
        judge(await entries());
        await pause(clock, LOOKS_APART_MS);
        looked = true;
      }
      const [found, current] = await Promise.all([entries(), assignment()]);
      const judgements = judge(found);
      return [...found]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([worker, entry]): WorkerView => {
          const judgement = judgements.get(worker);
          const stat = (name: string): number => Number(entry.stats[name] ?? 0);
          const owners = current?.owners ?? [];
          return {
            worker,
            state: stateOf(entry, judgement),
            phi: judgement?.phi ?? 0,
            heartbeatAgeMs: judgement?.silentMs ?? 0,
            weight: entry.weight,
            shards: owners.flatMap((owner, shard) => (owner === worker ? [shard] : [])),
            residents: stat('residents'),
            steps: stat('steps'),
            fenced: stat('fenced'),
            startedAt: entry.startedAt,
            version: entry.version,
            library: entry.library ?? FIRST_LIBRARY,
          };
        });
    },
  };
}

function entryOf([worker, text]: readonly [string, string]): readonly (readonly [string, MemberEntry])[] {
  const entry = parseEntry(text);
  return entry === undefined ? [] : [[worker, entry]];
}

function stateOf(entry: MemberEntry, judgement: Judgement | undefined): WorkerView['state'] {
  if (judgement === undefined) return 'suspect';
  if (entry.state === 'away') return judgement.liveness === 'dead' ? 'dead' : 'away';
  return judgement.proven ? judgement.liveness : 'suspect'; // Found twice and heard not once.
}
