// A parked actor as its shard's owner knows it, and the text it is stored as (M5).

import type { StoredError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';

export interface Parking {
  /** What is being done about it. It survives its owner: the next one goes on. */
  readonly mode: 'parked' | 'redriving' | 'discarding';
  /** Discarding: position of the operator's act. What was accepted before it is refused, what came later is stepped. */
  readonly below: number;
  /** The timer whose step threw, where one did: its row stays due until the actor goes on, and a discard removes it. */
  readonly timer: { readonly id: string; readonly generation: string } | undefined;
}

/** Why an actor was parked, for people. `timer` as above. */
export interface ParkingCause {
  readonly error: StoredError;
  readonly event: string;
  readonly states: readonly string[];
  readonly at: number;
  /** Id of the entry whose step threw. */
  readonly entry?: string;
  readonly timer?: { readonly id: string; readonly generation: string };
}

export const parkedNow = (timer?: Parking['timer']): Parking => ({ mode: 'parked', below: 0, timer });

/** The cause of a stored text: what stands behind the first space. */
export const causeOf = (text: string): JsonObject => JSON.parse(text.slice(text.indexOf(' ') + 1)) as JsonObject;

/** Stored as functions/common.lua says: treatment, `+` resumptions, cause. */
export function parkingOf(text: string): Parking {
  const timer = (causeOf(text) as { readonly timer?: Json }).timer as Parking['timer'];
  if (text.startsWith('V')) return { mode: 'redriving', below: 0, timer };
  if (text.startsWith('X')) return { mode: 'discarding', below: Number.parseInt(text.slice(1), 10), timer };
  return parkedNow(timer);
}
