// Liveness: who is alive, judged by one observer from the changes of heartbeats on its own monotonic clock. Wall clocks
// and what members say about time have no part in it; a wrong judgement costs a handoff, never a write (L1, L3).
//
// Silence is counted in what we could have heard: a pause of ours (a stalled loop, a frozen process, a server away) adds at
// most two beats to it. Otherwise everybody would look dead to a worker that wakes up.
//
// The server knows more than silence tells: it sees a connection end within microseconds of the process that held it. A
// member whose connection is closed and which has been silent for the time that a reconnection takes is gone.

import type { ShardLimits } from './limits.ts';

export type Liveness = 'alive' | 'suspect' | 'dead';

/** Judges one member. A phi-accrual detector fits here as well: it learns from `heard`. */
export interface Detector {
  /** A beat came `intervalMs` of counted time after the one before. */
  heard(intervalMs: number): void;
  level(silentMs: number): Liveness;
}

/** Fixed deadlines from the limits. */
export const deadlineDetector = ({ suspectMs, deadMs }: ShardLimits): Detector => ({
  heard: () => undefined,
  level: (silentMs) => (silentMs >= deadMs ? 'dead' : silentMs >= suspectMs ? 'suspect' : 'alive'),
});

export interface Sign {
  readonly worker: string;
  /** Changes with each beat. */
  readonly mark: string;
  /** What the server says of the connection of its last beat, where it was asked. */
  readonly connection: 'open' | 'closed' | 'unknown';
}

export interface Judgement {
  readonly liveness: Liveness;
  /** Counted silence in ms. */
  readonly silentMs: number;
  /** True when the server says that its connection is closed. */
  readonly gone: boolean;
  /** True once we heard it ourselves. An entry that was merely found may be of a worker long gone. */
  readonly proven: boolean;
}

export interface Observer {
  /** Takes in one look at all members and judges each. Members that are not in it are forgotten. */
  observe(signs: readonly Sign[], monotonicMs: number): ReadonlyMap<string, Judgement>;
}

interface Observed {
  mark: string;
  silentMs: number;
  proven: boolean;
  readonly detector: Detector;
}

export function createObserver(
  limits: ShardLimits,
  detectorOf: (limits: ShardLimits) => Detector = deadlineDetector,
): Observer {
  const members = new Map<string, Observed>();
  let lastLook: number | undefined;

  function take(sign: Sign, elapsedMs: number): Judgement {
    const known = members.get(sign.worker);
    if (known === undefined) {
      const gone = sign.connection === 'closed'; // Of an entry that is merely found: its process ended before we came.
      const silentMs = gone ? limits.deadMs : 0;
      const fresh = { mark: sign.mark, silentMs, proven: sign.connection === 'open', detector: detectorOf(limits) };
      members.set(sign.worker, fresh);
      return { liveness: fresh.detector.level(silentMs), silentMs, gone, proven: fresh.proven };
    }
    known.silentMs += elapsedMs;
    if (known.mark !== sign.mark) {
      known.detector.heard(known.silentMs);
      known.mark = sign.mark;
      known.silentMs = 0;
      known.proven = true;
    }
    const { silentMs, proven } = known;
    const gone = sign.connection === 'closed' && silentMs >= limits.goneMs;
    return { liveness: gone ? 'dead' : known.detector.level(silentMs), silentMs, gone, proven };
  }

  return {
    observe(signs, monotonicMs) {
      const elapsedMs = lastLook === undefined ? 0 : Math.min(monotonicMs - lastLook, 2 * limits.heartbeatMs);
      lastLook = monotonicMs;
      const present = new Set(signs.map(({ worker }) => worker));
      for (const worker of members.keys()) if (!present.has(worker)) members.delete(worker);
      return new Map(signs.map((sign) => [sign.worker, take(sign, elapsedMs)]));
    },
  };
}
