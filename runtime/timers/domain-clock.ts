// The domain clock: what time it is for the charts of a namespace (T2). Pure; the server's clock comes in as an argument.
//
//   domain time = origin + (server's time - origin) × time scale + travelled
//
// It stamps events (`at`), and a delay of a chart lasts as long on it as the chart says. Leases, retries, deadlines and the due
// times in Redis stay on the server's clock: a due time is translated when its row is written. Where neither scale nor travel is
// recorded, both clocks are one.

export interface DomainClock {
  /** Both clocks are one, for good. */
  readonly isReal: boolean;
  /** It may be moved forward: then what a travel passes over happens at the time it was due. */
  readonly mayTravel: boolean;
  /** Domain time in ms at a reading of the server's clock, in a shard that has travelled so far. */
  at(serverMs: number, travelledMs: number): number;
  /** How long a stretch of domain time takes on the server's clock. */
  serverMs(domainMs: number): number;
}

export interface TimeRecord {
  /** Domain milliseconds per real one. */
  readonly timeScale: number;
  /** Where the scaled clock began, in ms of the server's clock; 0 where nobody recorded it: then the scale moves no date. */
  readonly origin: number;
  /** The namespace may travel. */
  readonly virtualTime: boolean;
}

/** The end of the year 9999: a clock that comes so far stands still, since what lies behind it has no date of four digits. */
const END_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function domainClock({ timeScale, origin, virtualTime }: TimeRecord): DomainClock {
  const pace = origin === 0 ? 1 : timeScale;
  return {
    isReal: timeScale === 1 && !virtualTime,
    mayTravel: virtualTime,
    at: (serverMs, travelledMs) => Math.min(END_MS, Math.floor(origin + (serverMs - origin) * pace + travelledMs)),
    serverMs: (domainMs) => domainMs / timeScale,
  };
}
