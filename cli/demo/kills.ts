// Kills on purpose: SIGKILL to workers, spread over the run, only while enough orders are in flight to be hit by it.

import { CliFailure, EXIT } from '../failure.ts';
import { monotonic, pause } from '../time.ts';

export const IN_FLIGHT_MIN = 20;
const FIRST_AFTER_MS = 3_000;
const APART_MS_MIN = 4_000; // A lease and a claim: one death is over before the next one comes.
const APART_MS_MAX = 15_000;
const LOOK_MS = 100;

export interface KillWish {
  readonly type: string;
  readonly count: number;
}

export interface Killed {
  readonly worker: string;
  readonly pid: number;
  /** Since the beginning of the run. */
  readonly atMs: number;
  readonly inFlight: number;
  readonly shards: readonly number[];
}

/** The processes of the running system. */
export interface Fleet {
  pids(): { readonly [id: string]: number };
  kill(id: string): boolean;
  /** Shards a worker owns at this moment. */
  shardsOf(worker: string): Promise<readonly number[]>;
}

/** Reads `ordering=2`. Throws CliFailure for anything else; only workers can be killed on purpose. */
export function parseKill(text: string): KillWish {
  const [, type, count] = /^(ordering|delivery)=([1-9][0-9]?)$/.exec(text) ?? [];
  if (type === undefined)
    throw new CliFailure(`--kill ${text}: expected ordering=N or delivery=N, N from 1 to 99`, EXIT.usage);
  return { type, count: Number(count) };
}

export interface KillPlan {
  readonly wishes: readonly KillWish[];
  readonly fleet: Fleet;
  readonly inFlight: () => number;
  /** Default 3,000: by then something is under way. */
  readonly firstAfterMs?: number;
  /** Length of the run as far as it can be guessed, in ms. */
  readonly expectedMs: number;
  readonly signal: AbortSignal;
  readonly onKill: (killed: Killed) => void;
}

/** Kills as wished and resolves with what was done when all is done, or the run is over. */
export async function killWorkers(plan: KillPlan): Promise<readonly Killed[]> {
  const order = interleaved(plan.wishes);
  const apart = Math.min(APART_MS_MAX, Math.max(APART_MS_MIN, plan.expectedMs / (order.length + 1)));
  const begun = monotonic();
  const done: Killed[] = [];
  let notBefore = begun + (plan.firstAfterMs ?? FIRST_AFTER_MS);
  for (const type of order) {
    let killed: Killed | undefined;
    while (killed === undefined && !plan.signal.aborted) {
      if (monotonic() >= notBefore && plan.inFlight() >= IN_FLIGHT_MIN) killed = await killOne(plan, type, begun, done);
      if (killed === undefined) await pause(LOOK_MS, plan.signal);
    }
    if (killed === undefined) break;
    done.push(killed);
    plan.onKill(killed);
    notBefore = monotonic() + apart;
  }
  return done;
}

/** Of each type in turn, so that no context is hit by all at once. */
function interleaved(wishes: readonly KillWish[]): readonly string[] {
  const most = Math.max(0, ...wishes.map(({ count }) => count));
  return Array.from({ length: most }, (_, round) =>
    wishes.filter(({ count }) => count > round).map(({ type }) => type),
  ).flat();
}

/** The worker of that type that was killed least often and owns shards; undefined while none lives. */
async function killOne(
  { fleet, inFlight }: KillPlan,
  type: string,
  begun: number,
  done: readonly Killed[],
): Promise<Killed | undefined> {
  const pids = fleet.pids();
  const times = (worker: string): number => done.filter((killed) => killed.worker === worker).length;
  const living = Object.keys(pids)
    .filter((id) => id.startsWith(`${type}.`))
    .sort((a, b) => times(a) - times(b) || (a < b ? -1 : 1));
  for (const worker of living) {
    const shards = await fleet.shardsOf(worker);
    const pid = pids[worker];
    if (shards.length === 0 || pid === undefined || !fleet.kill(worker)) continue;
    return { worker, pid, atMs: Math.round(monotonic() - begun), inFlight: inFlight(), shards };
  }
  return undefined;
}
