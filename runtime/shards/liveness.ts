// Liveness: who is alive, judged by one observer from the changes of heartbeats on its own monotonic clock. Wall clocks
// and what members say about time have no part in it; a wrong judgement costs a handoff, never a write (L1, L3).
//
// Silence is counted in what we could have heard: a pause of ours (a stalled loop, a frozen process, a server away) adds at
// most two beats to it. Otherwise everybody would look dead to a worker that wakes up.
//
// How long a silence must be is learned from the member itself: detector.ts.
//
// The server knows more than silence tells: it sees a connection end within microseconds of the process that held it. A
// member whose connection is closed and which has been silent for the time that a reconnection takes is gone.

import { type Detector, type Liveness, phiDetector } from './detector.ts';
import type { ShardLimits } from './limits.ts';

export interface Sign {
  readonly worker: string;
  /** `process:beat`: changes with each beat. */
  readonly mark: string;
  /** What the server says of the connection of its last beat, where it was asked. */
  readonly connection: 'open' | 'closed' | 'unknown';
  /** Given by a process that ended and announced its return: for so long after its last beat it is not missed. */
  readonly holdMs?: number | undefined;
}

export interface Judgement {
  readonly liveness: Liveness;
  /** Counted silence in ms, and how unusual it is. */
  readonly silentMs: number;
  readonly phi: number;
  /** True when the server says that its connection is closed, or the process itself said that it ends. */
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
  detector: Detector;
}

export function createObserver(
  limits: ShardLimits,
  detectorOf: (limits: ShardLimits) => Detector = phiDetector,
): Observer {
  const members = new Map<string, Observed>();
  let lastLook: number | undefined;

  function take(sign: Sign, elapsedMs: number): Judgement {
    const known = members.get(sign.worker);
    if (known === undefined) {
      const isAway = sign.holdMs !== undefined;
      const gone = sign.connection === 'closed' && !isAway; // Of an entry that is merely found: its process ended before we came.
      const silentMs = gone ? limits.deadMs : 0;
      const fresh = { mark: sign.mark, silentMs, proven: sign.connection === 'open', detector: detectorOf(limits) };
      members.set(sign.worker, fresh);
      return judged(fresh, sign);
    }
    known.silentMs += elapsedMs;
    if (known.mark !== sign.mark) {
      // Another process has habits of its own, and the time without any was no pause.
      if (processOf(known.mark) !== processOf(sign.mark)) known.detector = detectorOf(limits);
      else known.detector.heard(known.silentMs);
      known.mark = sign.mark;
      known.silentMs = 0;
      known.proven = true;
    }
    return judged(known, sign);
  }

  function judged({ silentMs, proven, detector }: Observed, { connection, holdMs }: Sign): Judgement {
    const facts = { silentMs, proven, phi: detector.phi(silentMs) };
    if (holdMs !== undefined) {
      const over = silentMs >= Math.min(holdMs, limits.restartMs); // However long it asks for.
      return { ...facts, liveness: over ? 'dead' : 'alive', gone: over };
    }
    const gone = connection === 'closed' && silentMs >= limits.goneMs;
    return { ...facts, liveness: gone ? 'dead' : detector.level(silentMs), gone };
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

const processOf = (mark: string): string => mark.slice(0, mark.lastIndexOf(':'));
