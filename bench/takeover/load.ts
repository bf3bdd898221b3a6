// Steady load on every shard: one order per shard, held and released in turn, each answer noted with its owner's counter.
// A gap between two answers of different owners is what a customer of that shard feels of a takeover.

import { type Client, connect } from '../../runtime/client.ts';
import { type ActorId, pause, systemClock } from '../../runtime/index.ts';
import { eventOf, input, machine, namespace } from '../commit/subject.ts';

export interface Answered {
  /** Monotonic ms. */
  readonly at: number;
  /** Counter of the owner's token: another one is another claim. */
  readonly counter: number;
}

export interface Change {
  readonly shard: number;
  /** Last answer of the owner before, first answer of the next one; monotonic ms. */
  readonly lastBefore: number;
  readonly firstAfter: number;
}

export interface Load {
  readonly answers: number;
  readonly errors: number;
  /** Changes of owner since the last call, as far as the new owner has answered. */
  changes(): readonly Change[];
  /** Monotonic times of all answers since the last call. */
  times(): readonly number[];
  /** The last answer of each shard. */
  last(shard: number): Answered | undefined;
  close(): Promise<void>;
}

const BETWEEN_MS = 10; // Per shard: 100 messages a second where the owner answers at once, 6,400 for all at most.
const ANSWER_WITHIN_MS = 20_000;

export async function startLoad(url: string, run: string): Promise<Load> {
  const client = await connect({ namespace, url, secret: 'bench-bench-bench-bench' });
  const last = new Map<number, Answered>();
  let changes: Change[] = [];
  let times: number[] = []; // Emptied by each round: some 6,000 a second for ten seconds.
  let open = true;
  let answers = 0;
  let errors = 0;

  async function loop(shard: number, actor: ActorId): Promise<void> {
    for (let n = 0; open; n += 1) {
      const outcome = await client
        .ask(
          {
            actor,
            event: eventOf(n),
            messageId: String(n),
            from: 'bench',
            ...(n === 0 ? { create: { machine, input: input(actor) } } : {}),
          },
          { timeoutMs: ANSWER_WITHIN_MS },
        )
        .catch(() => undefined);
      if (outcome?.kind === 'answered' && outcome.answer.kind === 'applied') {
        answers += 1;
        note(shard, { at: systemClock.monotonic(), counter: outcome.answer.counter });
      } else if (open) errors += 1;
      await pause(systemClock, BETWEEN_MS);
    }
  }

  function note(shard: number, answered: Answered): void {
    times.push(answered.at);
    const before = last.get(shard);
    if (before !== undefined && before.counter !== answered.counter)
      changes.push({ shard, lastBefore: before.at, firstAfter: answered.at });
    last.set(shard, answered);
  }

  const loops = actorsOf(client, run).map((actor, shard) => loop(shard, actor));
  return {
    get answers() {
      return answers;
    },
    get errors() {
      return errors;
    },
    changes() {
      const told = changes;
      changes = [];
      return told;
    },
    times() {
      const told = times;
      times = [];
      return told;
    },
    last: (shard) => last.get(shard),
    async close() {
      open = false;
      await Promise.all(loops);
      await client.close();
    },
  };
}

/** One order for each shard: names are tried until every shard has one, some 300 tries for 64. */
function actorsOf(client: Client, run: string): readonly ActorId[] {
  const found = new Map<number, ActorId>();
  for (let i = 0; found.size < client.shards && i < 100 * client.shards; i += 1) {
    const actor = client.derive('ord', `${run}-${i}`);
    const shard = client.shardOf(actor);
    if (!found.has(shard)) found.set(shard, actor);
  }
  return Array.from({ length: client.shards }, (_, shard) => found.get(shard) as ActorId);
}
