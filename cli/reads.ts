// Reads of the store, repeated: a read changes nothing, so one that got no reply within its deadline is asked for again
// before a command gives up. Every client of the command line reads through here; writes are left as they are.

import type { Client } from '../runtime/client.ts';
import { OperatingError, OutcomeUnknown } from '../runtime/errors.ts';
import type { ActorId } from '../runtime/ids.ts';
import { CliFailure, EXIT } from './failure.ts';
import { pause } from './time.ts';

const READS_MAX = 3;
const PAUSE_MS = 500;

/** Up to three tries with a pause between them while `isPassing` says that the next one may do better. Ends with the last error. */
export async function repeated<T>(
  read: () => Promise<T>,
  isPassing: (error: unknown) => boolean,
  pauseMs: number = PAUSE_MS,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await read();
    } catch (error) {
      if (tries >= READS_MAX || !isPassing(error)) throw error;
      await pause(pauseMs);
    }
  }
}

/** The client with reads that are repeated. One that stays without a reply ends with CliFailure, exit code 69. */
export function withPatientReads(client: Client, pauseMs?: number): Client {
  const patient =
    <Args extends readonly unknown[], T>(what: string, read: (...args: Args) => Promise<T>) =>
    (...args: Args): Promise<T> =>
      repeated(() => read(...args), isSilence, pauseMs).catch((error: unknown) => {
        throw isSilence(error) ? silent(what, error) : error;
      });
  const idsOf = patient('the actors of a shard', async (shard: number) => {
    const ids: ActorId[] = [];
    for await (const id of client.actorsOf(shard)) ids.push(id);
    return ids;
  });
  return {
    ...client, // A record of functions that stand alone.
    read: patient('an actor', client.read),
    readMany: patient('actors', client.readMany),
    history: patient('the history of an actor', client.history),
    inState: patient('the actors in a state', client.inState),
    population: patient('the population', client.population),
    journal: patient('a journal', client.journal),
    stored: patient('a snapshot', client.stored),
    getRecord: patient('a record', client.getRecord),
    leftovers: patient('what is on its way', client.leftovers),
    shardViews: patient('the shards', client.shardViews),
    workerViews: patient('the workers', client.workerViews),
    parked: patient('the parked actors', client.parked),
    timers: patient('the timers', client.timers),
    circuits: patient('the circuits', client.circuits),
    /** Collected first: a repeat in the middle would name some twice. */
    actorsOf: async function* (shard) {
      yield* await idsOf(shard);
    },
  };
}

const isSilence = (error: unknown): boolean =>
  error instanceof OutcomeUnknown || (error instanceof OperatingError && error.retry === 'here');

function silent(what: string, error: unknown): CliFailure {
  const words = error instanceof Error ? error.message : String(error);
  return new CliFailure(
    `Redis did not answer ${READS_MAX} times in a row when asked for ${what}: ${words}.\n` +
      'It is overloaded, or gone: see `emboss doctor`, and run the command again when the machine is quieter.',
    EXIT.unavailable,
  );
}
