// The relay of one shard: carries its outbox to other shards and contexts, in order per lane (M3).
//
// Every record is sent until its receiver has answered; a repeat is a duplicate there. A lane whose target is away waits
// alone; the others go on. The position below which everything is delivered is kept by `trim`, so that a new owner knows
// where to begin: what it sends again is answered *duplicate*.

import { type Cancel, pause } from '../clock.ts';
import type { Scene } from '../commit/scene.ts';
import { command, pairsOf } from '../functions/call.ts';
import { type LaneRecord, type ReceiveReply, receive } from '../functions/receive.ts';
import { type ActorId, namespace, positionOf, streamId, tokenCounter } from '../ids.ts';
import { fieldsOf, type StreamEntry } from '../journal/entry.ts';
import { outboxKeptMs, relayBatchMax } from '../limits.ts';
import type { Batch } from '../redis/batch.ts';
import { type ShardKeys, shardKeys } from '../redis/keys.ts';
import { crashPoint } from '../testing/crash-points.ts';

/** Where lanes lead: a batch per namespace. Undefined while it cannot be reached. */
export interface RelayDoor {
  target(namespace: string): Batch | undefined;
}

/** The shard whose outbox this is. */
export interface RelaySource {
  readonly shard: number;
  readonly keys: ShardKeys;
  mayWork(): boolean;
  lose(why: unknown): void;
}

interface Queued extends LaneRecord {
  readonly position: number;
  readonly at: number;
}

interface Lane {
  readonly name: string;
  queue: Queued[];
  /** The first record that did not fit the queue and is read again when it is empty; undefined when all fit. */
  shortFrom: number | undefined;
  sending: boolean;
  /** M3: a gap wider than what the outbox still holds. */
  stopped: boolean;
  /** The target has no inbox to take it into. Tried again until there is one, and told once. */
  gone: boolean;
  /** The receiver's last at the latest gap: the same one twice means that going on from it does not help. */
  reopenedAt: string | undefined;
}

const LANE_RETRY_MS = 200;
const COMPARE_AGAIN_MS = 1_000;
const LANE_AHEAD_MAX = 500; // Records a lane holds: the memory that an absent target may cost. The rest stays in Redis.
const AHEAD_MAX = 200_000; // Positions read and not delivered, over all lanes: numbers only.

export class Relay {
  readonly #scene: Scene;
  readonly #source: RelaySource;
  readonly #door: RelayDoor;
  readonly #lanes = new Map<string, Lane>();
  /** Positions read and not delivered. */
  readonly #open = new Set<number>();
  /** Delivered records and when they were committed, oldest first: they stay a while (M3). */
  #delivered: { readonly position: number; readonly at: number }[] = [];
  #read = 0;
  #keepFrom = 0;
  #kicked = false;
  #reading = false;
  #state: 'open' | 'stopping' | 'closed' = 'open';
  #cancel: Cancel = () => undefined;
  #cancelCompare: Cancel = () => undefined;
  #idle: () => void = () => undefined;

  constructor(scene: Scene, source: RelaySource, door: RelayDoor) {
    this.#scene = scene;
    this.#source = source;
    this.#door = door;
  }

  /** Begins above the position that the previous owner knew to be delivered. */
  start(deliveredTo: number): void {
    this.#read = deliveredTo;
    this.kick();
    this.compare();
  }

  /**
   * M3: a target that lost its tail does not ask for what it had. Goes on behind the last record that it has, on each lane with
   * nothing on its way: what is sent there finds out by itself. At the start, and when a target's server was away.
   */
  compare(to?: string): void {
    this.#compareAll(to).catch((error: unknown) => {
      this.#scene.log.warn(
        { shard: this.#source.shard, error: String(error) },
        'lanes not compared, will be tried again',
      );
      this.#compareLater(to);
    });
  }

  async #compareAll(to: string | undefined): Promise<void> {
    const sent = await this.#scene.batch.run(command(['HGETALL', this.#source.keys.lanesOut], pairsOf));
    const asked = sent.filter(([name]) => to === undefined || targetOf(name).namespace === to);
    let isAway = false;
    await Promise.all(
      asked.map(async ([name, stamp]) => {
        const { namespace: space, shard } = targetOf(name);
        const target = this.#door.target(space);
        isAway ||= target === undefined;
        if (target === undefined || this.#isOnItsWay(name)) return;
        const { lanesIn } = shardKeys(namespace(space), shard);
        const last = await target.run(command(['HGET', lanesIn, name], (reply) => (reply as string | null) ?? ''));
        if (last === stamp || this.#state !== 'open' || this.#isOnItsWay(name)) return;
        const { followers, later } = await this.#following(name, last);
        const missing = followers ?? later; // Both lost their tails: then what the source wrote since.
        if (missing.length === 0 || this.#state !== 'open' || this.#isOnItsWay(name)) return;
        this.#scene.log.error({ lane: name, last, sent: stamp }, 'M3: target rewound; what it lost is sent again');
        const lane = this.#lanes.get(name) ?? newLane(name);
        this.#lanes.set(name, lane);
        fill(lane, missing);
        for (const { position } of missing) this.#open.add(position);
        this.#send(lane);
      }),
    );
    if (isAway) this.#compareLater(to);
  }

  #compareLater(to: string | undefined): void {
    if (this.#state === 'open') this.#cancelCompare = this.#scene.clock.after(COMPARE_AGAIN_MS, () => this.compare(to));
  }

  #isOnItsWay(name: string): boolean {
    const lane = this.#lanes.get(name);
    return lane !== undefined && (lane.sending || hasMore(lane));
  }

  /** There are new records. */
  kick(): void {
    this.#kicked = true;
    if (!this.#reading && this.#state === 'open') void this.#pump();
  }

  /** Takes no more and waits for what is on the way. Resolves within the calls' own deadlines. */
  async stop(): Promise<void> {
    if (this.#state === 'open') this.#state = 'stopping';
    if (!this.#busy()) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  abandon(): void {
    this.#state = 'closed';
    this.#cancel();
    this.#cancelCompare();
    this.#idle();
  }

  /** What `trim` may drop and note. */
  trimming(): { readonly relayedTo: number; readonly outboxFrom: number } {
    const relayedTo = least(this.#open, this.#read + 1) - 1;
    const keepSince = this.#scene.serverNow() - outboxKeptMs;
    const young = this.#delivered.findIndex((one) => one.at >= keepSince);
    const leaving = this.#delivered.splice(0, young === -1 ? this.#delivered.length : young);
    this.#keepFrom = Math.max(this.#keepFrom, (leaving.at(-1)?.position ?? -1) + 1);
    // Lanes deliver at their own pace: a record below may have been delivered later.
    const kept = this.#delivered.map(({ position }) => position);
    return { relayedTo, outboxFrom: least(kept, Math.min(this.#keepFrom, relayedTo + 1)) };
  }

  #busy(): boolean {
    return this.#reading || [...this.#lanes.values()].some((lane) => lane.sending);
  }

  async #pump(): Promise<void> {
    this.#reading = true;
    try {
      while (this.#kicked && this.#state === 'open' && this.#open.size < AHEAD_MAX) {
        this.#kicked = false;
        const entries = await this.#readOutbox(this.#read);
        for (const entry of entries) this.#enqueue(entry);
        if (entries.length === relayBatchMax) this.#kicked = true;
        if (entries.length > 0) crashPoint('before-relay');
        for (const lane of this.#lanes.values()) this.#send(lane);
      }
    } catch (error) {
      this.#scene.log.warn({ shard: this.#source.shard, error: String(error) }, 'outbox not read, will be tried again');
      this.#kicked = true;
      this.#cancel = this.#scene.clock.after(LANE_RETRY_MS, () => this.kick());
    }
    this.#reading = false;
    if (!this.#busy()) this.#idle();
  }

  async #readOutbox(above: number): Promise<readonly StreamEntry[]> {
    const range = command(
      ['XRANGE', this.#source.keys.outbox, `(${streamId(above)}`, '+', 'COUNT', relayBatchMax],
      (reply) => reply as StreamEntry[],
    );
    return await this.#scene.batch.run(range);
  }

  #enqueue(entry: StreamEntry): void {
    const record = queued(entry);
    this.#read = Math.max(this.#read, record.position);
    this.#open.add(record.position);
    const lane = this.#lanes.get(record.lane) ?? newLane(record.lane);
    this.#lanes.set(record.lane, lane);
    if (lane.queue.length >= LANE_AHEAD_MAX) lane.shortFrom ??= record.position;
    if (lane.shortFrom === undefined) lane.queue.push(record);
  }

  #send(lane: Lane): void {
    if (lane.sending || lane.stopped || !hasMore(lane) || this.#state === 'closed') return;
    lane.sending = true;
    this.#drain(lane)
      .catch((error: unknown) =>
        this.#scene.log.warn({ lane: lane.name, error: String(error) }, 'lane interrupted, will be tried again'),
      )
      .then(async () => {
        lane.sending = false;
        if (this.#state !== 'open') return this.#busy() || this.#idle();
        if (hasMore(lane)) await pause(this.#scene.clock, LANE_RETRY_MS);
        if (hasMore(lane)) this.#send(lane);
        else if (this.#kicked && !this.#reading) void this.#pump();
      })
      .catch(() => undefined);
  }

  /** Sends the lane's queue in order, a portion per round trip, until it is empty or the target does not answer. */
  async #drain(lane: Lane): Promise<void> {
    while (this.#state === 'open') {
      if (lane.queue.length === 0 && lane.shortFrom !== undefined) await this.#refill(lane, lane.shortFrom);
      if (lane.queue.length === 0) return;
      const { namespace: to, shard } = targetOf(lane.name);
      const target = this.#door.target(to);
      if (target === undefined || !this.#source.mayWork()) return;
      const keys = shardKeys(namespace(to), shard);
      const portion = lane.queue.slice(0, relayBatchMax);
      const replies = await Promise.all(
        portion.map((record) => target.run(receive(keys, record, this.#scene.reading()))),
      );
      crashPoint('after-relay');
      if (!(await this.#settle(lane, portion, replies))) return;
    }
  }

  /** True while the lane can go on at once. */
  async #settle(lane: Lane, portion: readonly Queued[], replies: readonly ReceiveReply[]): Promise<boolean> {
    let gap = false;
    let gone = false;
    let last = '';
    for (const [index, record] of portion.entries()) {
      const reply = replies[index] as ReceiveReply;
      if (reply.kind === 'source-rewound') {
        this.#scene.log.error(
          { lane: lane.name, last: reply.last },
          'M3: source rewound; records of the lost tail had been received',
        );
      }
      if (reply.kind === 'gap') {
        gap = true;
        last = reply.last;
      } else if (reply.kind === 'gone') {
        gone = true;
      } else {
        if (reply.kind !== 'duplicate') last = stampOf(record);
        if (!gap && !gone) this.#settled(lane, record);
      }
    }
    this.#note(lane, gone);
    if (gap) return await this.#reopen(lane, last);
    if (gone) return false;
    lane.reopenedAt = undefined;
    return true;
  }

  /** M3: the record is kept, and the lane waits, while its target has lost its inbox or was never founded. */
  #note(lane: Lane, gone: boolean): void {
    if (gone === lane.gone) return;
    lane.gone = gone;
    if (gone) this.#scene.log.error({ lane: lane.name }, 'M3: the inbox of the target is gone; the lane waits for it');
    else this.#scene.log.warn({ lane: lane.name }, 'M3: the inbox of the target is back; the lane goes on');
  }

  #settled(lane: Lane, record: Queued): void {
    lane.queue.shift();
    this.#open.delete(record.position);
    this.#delivered.push({ position: record.position, at: this.#scene.serverNow() });
    this.#scene.counters.relayed += 1;
  }

  /** Reads on where the lane's queue had no place any more. */
  async #refill(lane: Lane, from: number): Promise<void> {
    let above = from - 1;
    while (above < this.#read && lane.queue.length < LANE_AHEAD_MAX) {
      const records = (await this.#readOutbox(above)).map(queued).filter(({ position }) => position <= this.#read);
      above = records.at(-1)?.position ?? this.#read;
      lane.queue.push(...records.filter((record) => record.lane === lane.name));
    }
    lane.shortFrom = above < this.#read ? above + 1 : undefined; // What was read meanwhile was left out, too.
  }

  /** M3: what we sent does not follow the receiver's last. Goes on behind that, if the outbox still holds the place. */
  async #reopen(lane: Lane, last: string): Promise<boolean> {
    const { followers, later, positions, isPast } = await this.#following(lane.name, last);
    if (this.#state === 'closed') return false;
    const queue = followers ?? (lane.reopenedAt === last ? [] : later);
    if (followers === undefined && queue.length === 0 && !isPast) {
      // A deposed owner's relay finds gaps, too; then its successor is at work.
      if (!this.#source.mayWork()) return false;
      lane.stopped = true;
      this.#scene.log.error(
        { lane: lane.name, last },
        'M3: the gap is wider than the outbox; the lane stops until an operator acts',
      );
      return false;
    }
    lane.reopenedAt = last;
    fill(lane, queue);
    const first = queue[0]?.position ?? Number.POSITIVE_INFINITY;
    const at = this.#scene.serverNow();
    for (const position of positions) {
      if (position >= first) this.#open.add(position);
      else if (this.#open.delete(position)) this.#delivered.push({ position, at }); // The receiver has it from another relay.
    }
    return true;
  }

  /**
   * The lane's records behind the one that `last` names, as far as was read: undefined when its place is not known any
   * more. Then `later` may help: what was committed after the source lost its tail. `isPast`: all of them lie below `last`,
   * which was received behind them and lost here. One round trip per 100 records.
   */
  async #following(
    lane: string,
    last: string,
  ): Promise<{
    readonly followers: readonly Queued[] | undefined;
    readonly later: readonly Queued[];
    readonly positions: readonly number[];
    readonly isPast: boolean;
  }> {
    const counter = tokenCounter(last);
    let isPast = true;
    const later: Queued[] = [];
    const positions: number[] = [];
    let followers: Queued[] | undefined;
    let above = 0;
    while (above < this.#read) {
      const records = (await this.#readOutbox(above)).map(queued).filter(({ position }) => position <= this.#read);
      above = records.at(-1)?.position ?? this.#read;
      for (const record of records) {
        if (record.lane !== lane) continue;
        positions.push(record.position);
        if (followers === undefined && record.previous === last) followers = [];
        if (followers !== undefined) keep(followers, record);
        if (followers === undefined && stampOf(record) === last) followers = [];
        if (tokenCounter(record.token) > counter) keep(later, record);
        isPast &&= liesBelow(record, last);
      }
    }
    return { followers, later, positions, isPast };
  }
}

/** What the queue has no place for is read again when it is empty (`#refill`). */
function fill(lane: Lane, records: readonly Queued[]): void {
  lane.queue = records.slice(0, LANE_AHEAD_MAX);
  lane.shortFrom = records[LANE_AHEAD_MAX]?.position;
}

/** Of what a lane's queue has no place for, only the position is needed: it is read again (`#refill`). */
function keep(records: Queued[], record: Queued): void {
  records.push(records.length < LANE_AHEAD_MAX ? record : { ...record, body: '' });
}

const newLane = (name: string): Lane => ({
  name,
  queue: [],
  shortFrom: undefined,
  sending: false,
  stopped: false,
  gone: false,
  reopenedAt: undefined,
});

/** `ord:7>dlv:3` leads to shard 3 of dlv. */
function targetOf(lane: string): { readonly namespace: string; readonly shard: number } {
  const [to = '', shard] = (lane.split('>')[1] ?? '').split(':');
  return { namespace: to, shard: Number(shard) };
}

const hasMore = (lane: Lane): boolean => lane.queue.length > 0 || lane.shortFrom !== undefined;

const least = (numbers: Iterable<number>, most: number): number => {
  let found = most;
  for (const number of numbers) if (number < found) found = number;
  return found;
};

/** How a lane names a record: the `previous` of the next one. */
const stampOf = ({ token, n }: LaneRecord): string => `${token}|${n}`;

/** An older token, or the same one and n not above. Of two tokens with one counter nobody knows which came first. */
function liesBelow({ token, n }: LaneRecord, last: string): boolean {
  const [lastToken = '', lastN] = last.split('|');
  return token === lastToken ? n <= Number(lastN) : tokenCounter(token) < tokenCounter(last);
}

function queued(entry: StreamEntry): Queued {
  const fields = fieldsOf(entry);
  return {
    lane: fields.get('l') ?? '',
    token: fields.get('t') ?? '',
    n: Number(fields.get('n')),
    previous: fields.get('p') ?? '',
    actor: (fields.get('a') ?? '') as ActorId,
    messageId: fields.get('m') ?? '',
    body: fields.get('b') ?? '',
    position: positionOf(entry[0]),
    at: Number(fields.get('c') ?? 0),
  };
}
