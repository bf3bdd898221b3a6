// Every bound of the runtime, with unit and reason. Relations between bounds are asserted once, at the end.

import { invariant } from './errors.ts';

/** Steps in one commit call: past 100 the gain per step is under 10 % and the call blocks Redis too long (C4). */
export const commitStepsMax = 100;
/** Characters of argument text in one commit call, about 1 MB: beyond it Redis' single thread stalls others (C4). */
export const commitCharsMax = 1_000_000;
/** Entries taken from an inbox at once: what one commit call can carry. */
export const inboxBatchMax = 100;
/** Characters of one message body. Big data stays outside messages. */
export const messageCharsMax = 64_000;
/** Characters of a stored snapshot: ten times what a card order needs; beyond it the actor is parked. */
export const snapshotCharsMax = 262_144;
/** Messages accepted and not handled, per actor and per shard, beyond which callers are told to wait (M1). */
export const mailboxPerActorMax = 1_000;
export const mailboxPerShardMax = 20_000;
/** Suggested pause for a caller who met a full mailbox: about the time to drain a tenth of it. */
export const mailboxRetryMs = 1_000;
/** Actors kept in memory per worker, the longest held out first: about 10 KB each. */
export const residentsMax = 20_000;
/** Shards warmed at a time, as many as move at once; journal entries read for the actors of each: what two turns need. */
export const warmShardsMax = 4;
export const warmActorsMax = 100;
/** What was read ahead is forgotten after this: a lock is granted within a lease, or goes to somebody else. */
export const warmMs = 5_000;
/** Journal entries that may follow while a shard is warmed; past it, reading them would cost more than it saves. */
export const warmStaleMax = 500;
/** Due timers and effects fetched at once per shard: after a takeover the overdue ones come in portions (T1). */
export const dueBatchMax = 50;
/** The longest wait before a shard looks at its timers again, whatever it believes is next. */
export const timerLookMs = 5_000;
/** An owner looks at least this often whether its shard is stored as it left it. */
export const storedLookMs = 5_000;
/** Effects running at once per worker: sockets and memory, not speed, set it. */
export const effectsRunningMax = 256;
/** Extra time after an effect's own timeout before its row is looked at again by the same owner. */
export const effectGraceMs = 2_000;
/** Outbox records read and relayed at once per shard. */
export const relayBatchMax = 100;
/** Delivered outbox records stay this long, so that a receiver that lost its tail can ask again (M3). */
export const outboxKeptMs = 10 * 60_000;
/** Answers of commands are kept at least this long (M7). */
export const answersKeptMs = 7 * 24 * 3_600_000;
/** Deadline of one call to Redis; beyond it the outcome is unknown (C3). */
export const callDeadlineMs = 2_000;
/** How long replicas have to confirm shared writes, beyond which they are unknown: a thousand round trips in one building. */
export const copiesWithinMs = 1_000;
/** Calls held while replicas confirm earlier ones: memory of a process, about 1 KB each. */
export const heldCallsMax = 20_000;
/** How long a connection whose replicas fell behind waits when it looks whether they came back, and how often it looks. */
export const copiesLookMs = 20;
export const copiesLookEveryMs = 100;
/** How long one read of inboxes or journals blocks: rare when idle, short enough to find a dead socket soon. */
export const readBlockMs = 1_000;
/** How often a held shard trims its streams and leaves a sign of life. */
export const trimEveryMs = 5_000;
/** An owner silent for longer than this was an outage, and resume policies count (T1). Well above lease and failover. */
export const outageMs = 15_000;
/** Claims in a row over the same oldest entry or due timer from which a shard works in single file, and finds before it parks (M5). */
export const singleFileAfterClaims = 3;
export const crashedAfterFinds = 2;
/** Owners that may go on with a redrive over one waiting message, each after another ended: past it that message is suspect (M5). */
export const resumptionsMax = 2;
/** An open circuit lets one probe through per this many ms (E3). */
export const circuitRestMs = 10_000;
/** How often workers and clients look how far a namespace of virtual time has travelled: a travel is under way everywhere by then. */
export const travelLookMs = 250;
/** How long an operator who travels waits for the shards to be there, and how often it looks; the travel itself is noted before. */
export const travelWaitMs = 3_000;
export const travelWaitLookMs = 50;
/** Domain milliseconds that a namespace may travel in all, a hundred years; and travels, whose ids are kept for good. */
export const travelledMsMax = 100 * 365.25 * 24 * 3_600_000;
export const travelsMax = 10_000;
/** Entries one read of journals may return per shard. */
export const tailBatchMax = 500;

invariant(inboxBatchMax <= commitStepsMax, 'limits: an inbox batch fits a commit call');
invariant(messageCharsMax * 2 < commitCharsMax, 'limits: any message fits a commit call');
invariant(snapshotCharsMax * 2 < commitCharsMax, 'limits: any snapshot fits a commit call');
invariant(mailboxPerActorMax <= mailboxPerShardMax, 'limits: an actor cannot outgrow its shard');
invariant(readBlockMs < callDeadlineMs, 'limits: a blocked read ends before its deadline');
invariant(copiesWithinMs < callDeadlineMs, 'limits: a short count of replicas is heard before the deadline');
