// Every bound of the API, with its unit and its reason.

export const limits = {
  /** A whole order is about 3 KB; the rest is room for long addresses. */
  bodyBytesMax: 64 * 1024,
  idempotencyKeyCharsMax: 64,
  /** How long a write waits for the commit of its first step before the outcome is called unknown. */
  askWaitMs: 2_000,
  /** How long a partner's callback waits to hear whether the chart took it. */
  callbackAnswerMs: 1_000,
  /** How long a read waits for the floor it was given (P3). */
  floorWaitMs: 500,
  /** A slow sender does not hold a socket for longer. */
  requestTimeoutMs: 30_000,
  /** How long a control of the partner simulators may take, and how much of their words is passed on. */
  controlMs: 5_000,
  controlDetailMax: 300,
  retryAfterUnknownMs: 1_000,
  retryAfterRunningMs: 500,
  retryAfterStoreMs: 2_000,
  fieldErrorsMax: 20,
  eventsPageMax: 200,
  stopsMax: 500,
  listMax: 1_000,
  /** One page of a list with a cursor (domain, 5.7). */
  pageMax: 200,
  /** Tasks that one call looks at for those that fit its filter. */
  tasksSeenMax: 2_000,
  /** Actors that the choice of a bulk operation looks at. */
  bulkSeenMax: 20_000,
  /** Acts of a bulk operation that says no limit. */
  bulkActs: 1_000,
  /** Acts of one run: at two seconds each and eight at a time they end within the caller's own deadline. */
  bulkPortion: 25,
  bulkAtOnce: 8,
  /** Over all bulk operations of a context: a share that leaves customers the rest. */
  bulkRate: { count: 50, perMs: 1_000, burst: 25 },
  bulkTurnMs: 3_000,
  /** Actors that a dry run names. */
  bulkSample: 20,
  /** Deliveries of one order: the first, two redeliveries, and room. */
  deliveriesMax: 5,
  ticketTtlMs: 30_000,
  /** `/readyz` reads six facts per shard: at most this often, whoever asks. Less than a start-up notices. */
  shardViewsKeptMs: 250,
  /** A tail that has not brought a committed entry for so long is broken: a busy one is behind by milliseconds. */
  tailLagMs: 5_000,
  /** How often a caller's request looks whether the slot has answered: it decides within a few milliseconds. */
  slotLookMs: 20,
  /** Journal entries after a choice in which the slot's answer is looked for. */
  slotVerdictEntries: 50,

  // The live hub: what one connection may cost.
  frameBytesMax: 16 * 1024,
  fragmentsMax: 16,
  connectionsMax: 5_000,
  helloWaitMs: 5_000,
  heartbeatMs: 25_000,
  resumeWindowMs: 300_000,
  subscriptionsMax: 50,
  framesPerSecond: 20,
  framesBurst: 120,
  bufferedBytesMax: 1024 * 1024,
  slowConsumerMs: 5_000,
  unackedMax: 500,
  /** How often a client that does not acknowledge gets the latest picture. */
  conflateMs: 1_000,
  framesWaitingMax: 200,
  /** A resume longer than this becomes a snapshot: cheaper for both sides. */
  replayEntriesMax: 20_000,
  journalPage: 500,
  /** Events that wait while a subscription reads its snapshot. */
  primingEventsMax: 2_000,
  goawayReconnectMs: 1_000,
  /** Between goaway and close: a client that reads leaves by itself. */
  goawayWaitMs: 100,
  /** After which a drain that hangs is cut short. */
  drainMs: 10_000,
} as const;
