// The schedule of one shard: when to look at its due timers and effects next. The sorted set in Redis is the truth (T1);
// here is only the time of the next look, kept from commits and from the looks themselves.

import type { Cancel } from '../clock.ts';
import type { Scene } from '../commit/scene.ts';
import { type EffectRecord, type TimerWork, timerWork } from '../commit/work.ts';
import { command, pairsOf } from '../functions/call.ts';
import type { ActorId } from '../ids.ts';
import { dueBatchMax, timerLookMs } from '../limits.ts';
import type { ShardKeys } from '../redis/keys.ts';

export interface ScheduleDoors {
  readonly isParked: (actor: ActorId) => boolean;
  readonly parkedCount: () => number;
  /** How far the shard has travelled in domain time, in ms (T2). */
  readonly travelled: () => number;
  readonly onTimers: (timers: readonly TimerWork[]) => void;
  readonly onEffect: (key: string, record: EffectRecord, attempts: number) => void;
  /** A read failed: the connection is in doubt, and so is the shard. */
  readonly onTrouble: (why: unknown) => void;
}

const SPREAD_MS = 20; // Between portions of overdue rows: messages get their turn in between (T1).
const TIMERS_PER_ACTOR = 8; // Rows of parked actors stay due: the look reaches past about this many of each,
const PARKED_SLACK_MAX = 1_000; // and past this many in all.

export class Schedule {
  readonly #scene: Scene;
  readonly #keys: ShardKeys;
  readonly #doors: ScheduleDoors;
  /** Timers handed over and not settled: they stand in the set until their commit removes them. */
  readonly #handed = new Set<string>();
  #next = Number.POSITIVE_INFINITY;
  #cancel: Cancel = () => undefined;
  #looking = false;
  #stopped = false;

  constructor(scene: Scene, keys: ShardKeys, doors: ScheduleDoors) {
    this.#scene = scene;
    this.#keys = keys;
    this.#doors = doors;
  }

  /** First look; effects begun by the previous owner are handed over whatever their due time. Two round trips. */
  async start(begun: readonly string[]): Promise<void> {
    await this.#handEffects(begun);
    this.expect(this.#scene.serverNow());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Something is due at `dueAt` on the server's clock. */
  expect(dueAt: number): void {
    if (this.#stopped || dueAt >= this.#next) return;
    this.#next = dueAt;
    if (this.#looking) return; // The look under way plans the next one when it is back.
    this.#cancel();
    const wait = Math.min(Math.max(0, dueAt - this.#scene.serverNow()), timerLookMs);
    this.#cancel = this.#scene.clock.after(wait, () => this.#look());
  }

  /** The timer's step has a verdict, or was put aside: it may be handed over again. */
  settled(member: string): void {
    this.#handed.delete(member);
  }

  #look(): void {
    if (this.#stopped || this.#looking) return;
    this.#looking = true;
    this.#next = Number.POSITIVE_INFINITY;
    this.#due()
      .then((nextAt) => {
        this.#looking = false;
        const earliest = Math.min(this.#next, nextAt);
        this.#next = Number.POSITIVE_INFINITY;
        this.expect(earliest);
      })
      .catch((why: unknown) => {
        this.#looking = false;
        if (!this.#stopped) this.#doors.onTrouble(why);
      });
  }

  /** Hands over what is due and returns when to look again. Two round trips. */
  async #due(): Promise<number> {
    const { batch } = this.#scene;
    const now = this.#scene.serverNow();
    const travelled = this.#doors.travelled();
    const { timers, rows } = this.#keys;
    const slack = this.#handed.size + Math.min(PARKED_SLACK_MAX, this.#doors.parkedCount() * TIMERS_PER_ACTOR);
    const [found, [next]] = await Promise.all([
      batch.run(
        command(['ZRANGEBYSCORE', timers, '-inf', now, 'WITHSCORES', 'LIMIT', 0, dueBatchMax + slack], pairsOf),
      ),
      batch.run(command(['ZRANGEBYSCORE', timers, `(${now}`, '+inf', 'WITHSCORES', 'LIMIT', 0, 1], pairsOf)),
    ]);
    const fresh = found.filter(([member]) => !this.#waits(member)).slice(0, dueBatchMax);
    const due = fresh.filter(([member]) => member.startsWith('t|'));
    const effects = fresh.filter(([member]) => member.startsWith('e|')).map(([member]) => member.slice(2));
    const [texts] = await Promise.all([
      due.length === 0
        ? []
        : batch.run(command(['HMGET', rows, ...due.map(([member]) => member)], (reply) => reply as (string | null)[])),
      this.#handEffects(effects),
    ]);
    if (this.#stopped) return Number.POSITIVE_INFINITY;
    // The shard has travelled meanwhile: when a row was due is read anew.
    if (this.#doors.travelled() !== travelled) return now;
    const works = due.flatMap(([member, score], index) => {
      const text = texts[index];
      const dueAt = this.#scene.domain.at(Number(score), travelled);
      const work = typeof text === 'string' ? timerWork(member, text, dueAt) : undefined;
      return work === undefined || this.#doors.isParked(work.actor) ? [] : [work];
    });
    for (const { member } of works) this.#handed.add(member);
    if (works.length > 0) this.#doors.onTimers(works);
    const more = fresh.length === dueBatchMax ? now + SPREAD_MS : Number.POSITIVE_INFINITY;
    return Math.min(more, Number(next?.[1] ?? Number.POSITIVE_INFINITY), now + timerLookMs);
  }

  /** In hand already, or of a parked actor: its row stays due and is passed over. */
  #waits(member: string): boolean {
    return (
      this.#handed.has(member) || (member.startsWith('t|') && this.#doors.isParked(member.split('|')[1] as ActorId))
    );
  }

  async #handEffects(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const { batch } = this.#scene;
    const [records, attempts] = await Promise.all([
      batch.run(command(['HMGET', this.#keys.effects, ...keys], (reply) => reply as (string | null)[])),
      batch.run(command(['HMGET', this.#keys.attempts, ...keys], (reply) => reply as (string | null)[])),
    ]);
    if (this.#stopped) return;
    for (const [index, key] of keys.entries()) {
      const record = records[index];
      if (record != null)
        this.#doors.onEffect(key, JSON.parse(record) as EffectRecord, Number.parseInt(attempts[index] ?? '0', 10));
    }
  }
}
