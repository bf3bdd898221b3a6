// The fleet as a client sees it: members judged by their beats, and the assignment as last published.

import type { WorkerView } from '../client.ts';
import { type Clock, pause } from '../clock.ts';
import { command, pairsOf } from '../functions/call.ts';
import type { Batch } from '../redis/batch.ts';
import type { NamespaceKeys } from '../redis/keys.ts';
import type { Assignment } from '../shards/assignment.ts';
import { SHARD_LIMITS } from '../shards/limits.ts';
import { createObserver, type Judgement } from '../shards/liveness.ts';
import type { MemberEntry } from '../shards/membership.ts';
import type { Membership } from './operations.ts';

const LOOKS_APART_MS = SHARD_LIMITS.heartbeatMs + 250; // Two looks this far apart see a living member beat.

export function fleet(batch: Batch, names: NamespaceKeys, clock: Clock): Membership {
  const observer = createObserver(SHARD_LIMITS);
  let looked = false;

  const entries = (): Promise<ReadonlyMap<string, MemberEntry>> =>
    batch.run(
      command(
        ['HGETALL', names.members],
        (reply) => new Map(pairsOf(reply).map(([worker, text]) => [worker, JSON.parse(text) as MemberEntry])),
      ),
    );

  async function assignment(): Promise<Assignment | undefined> {
    const text = await batch.run(command(['GET', names.assignment], (reply) => reply as string | null));
    return text === null ? undefined : (JSON.parse(text) as Assignment);
  }

  function judge(found: ReadonlyMap<string, MemberEntry>): ReadonlyMap<string, Judgement> {
    const signs = [...found].map(([worker, entry]) => ({
      worker,
      mark: `${entry.incarnation}/${entry.seq}`,
      connection: 'unknown' as const,
    }));
    return observer.observe(signs, clock.monotonic());
  }

  return {
    async owners() {
      return ((await assignment())?.owners ?? []).map((owner) => owner ?? undefined);
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
          const stats = entry.stats as { readonly [name: string]: number | undefined };
          const owners = current?.owners ?? [];
          return {
            worker,
            state: judgement === undefined || (!judgement.proven && looked) ? 'suspect' : judgement.liveness,
            heartbeatAgeMs: judgement?.silentMs ?? 0,
            shards: owners.flatMap((owner, shard) => (owner === worker ? [shard] : [])),
            residents: stats.residents ?? 0,
            steps: stats.steps ?? 0,
            fenced: stats.fenced ?? 0,
            startedAt: entry.startedAt,
            version: entry.version,
          };
        });
    },
  };
}
