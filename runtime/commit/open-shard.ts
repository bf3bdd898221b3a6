// A shard that this worker owns: the loop that turns messages, timers and late outcomes into commits.
//
// One commit of a shard is in flight at a time, since each passes the journal head it expects (C2); shards overlap, and
// their calls of one tick share a pipeline (C4). Everything held here is a belief: it is dropped without a trace when the
// token turns out to be dead (L3), and read again when a verdict says that it was stale (C3).
//
// The order of one turn: work in hand → load what is missing → step → commit → start what was committed.

import { pause } from '../clock.ts';
import type { EffectDoor, EffectRunner } from '../effects/runner.ts';
import { command, pairsOf } from '../functions/call.ts';
import type { ClaimReply } from '../functions/claim.ts';
import { type CommitReply, commit, type Verdict } from '../functions/commit.ts';
import { release } from '../functions/release.ts';
import { resume } from '../functions/resume.ts';
import { trim } from '../functions/trim.ts';
import { timerTried, trying } from '../functions/trying.ts';
import { type ActorId, positionOf, type Token } from '../ids.ts';
import type { StreamEntry } from '../journal/entry.ts';
import {
  commitCharsMax,
  commitStepsMax,
  crashedAfterFinds,
  inboxBatchMax,
  resumptionsMax,
  singleFileAfterClaims,
  storedLookMs,
  trimEveryMs,
} from '../limits.ts';
import { Relay, type RelayDoor } from '../outbox/relay.ts';
import { type ShardKeys, shardKeys } from '../redis/keys.ts';
import { crashPoint } from '../testing/crash-points.ts';
import { Schedule } from '../timers/schedule.ts';
import { ShardTime } from '../timers/shard-time.ts';
import { Fenced, InboxGone, type Loss, lossOf, Rewound } from './loss.ts';
import { type Parking, parkedNow, parkingOf } from './parking.ts';
import { loadResidents, type Resident } from './resident.ts';
import type { Scene } from './scene.ts';
import { type Stepped, stepWork } from './stepping.ts';
import { checkStored } from './still-there.ts';
import { stillWarm, type WarmActors } from './warming.ts';
import { type EntryWork, entryWork, type TimerWork, type Work, waitingWork } from './work.ts';

export type Claimed = Extract<ClaimReply, { kind: 'claimed' }>;

export interface OpenShardDoors {
  readonly effects: EffectRunner;
  readonly relay: RelayDoor;
  /** Told once, when the shard dropped itself. */
  readonly onLost: (shard: number, loss: Loss, why: unknown) => void;
}

// Entries a shard may have taken and not handled: those of the turn under way, and what it takes while it has under a batch.
const IN_HAND_MAX = commitStepsMax / 2 + 2 * inboxBatchMax;
const STALE_TURNS_MAX = 20; // Verdicts that send work back, in a row: past it the belief is beyond repair and is claimed anew.

const placeOf = (id: string): number => (id === '' ? 0 : positionOf(id));

const triedAs = (work: EntryWork | TimerWork): string =>
  work.kind === 'timer' ? timerTried(work.member, work.generation) : work.id;

export class OpenShard implements EffectDoor {
  readonly shard: number;
  readonly token: Token;
  readonly keys: ShardKeys;
  readonly #scene: Scene;
  readonly #doors: OpenShardDoors;
  readonly #residents = new Map<ActorId, Resident>();
  readonly #parked = new Map<ActorId, Parking>();
  readonly #schedule: Schedule;
  readonly #relay: Relay;
  readonly #time: ShardTime;
  #work: Work[] = [];
  #head: number;
  #calls = 0;
  /** Entries up to here are in hand or handled. */
  #read: number;
  #staleTurns = 0;
  #hasWorked = false;
  #trimCursor = '0';
  readonly #claimedAt: number;
  /** M5: steps go one at a time and are announced, up to whatever the ended process may have had in hand. */
  #singleFile: { readonly crashed: string | undefined; readonly upTo: number } | undefined;
  #state: 'open' | 'draining' | 'closed' = 'open';
  #kick: () => void = () => undefined;
  #loop: Promise<void> = Promise.resolve();
  #stopTrimming: () => void = () => undefined;
  #stopChecking: () => void = () => undefined;

  constructor(scene: Scene, doors: OpenShardDoors, shard: number, claimed: Claimed) {
    this.shard = shard;
    this.token = claimed.token;
    this.keys = shardKeys(scene.namespace, shard);
    this.#scene = scene;
    this.#doors = doors;
    this.#head = claimed.head;
    this.#claimedAt = claimed.head;
    this.#read = claimed.below;
    if (claimed.tries >= singleFileAfterClaims || claimed.found > 0) {
      const crashed = claimed.found >= crashedAfterFinds ? claimed.tried : undefined;
      this.#singleFile = { crashed, upTo: Math.max(claimed.below, placeOf(claimed.oldest)) + IN_HAND_MAX };
    }
    this.#schedule = new Schedule(scene, this.keys, {
      isParked: (actor) => this.#parked.has(actor),
      parkedCount: () => this.#parked.size,
      travelled: () => this.#time.travelled,
      onTimers: (timers) => this.#add(timers.map((timer) => this.#marked(timer))),
      onEffect: (key, record, attempts) => doors.effects.start(this, key, record, attempts),
      onTrouble: (why) => this.lose(why),
    });
    this.#relay = new Relay(scene, this, doors.relay);
    this.#time = new ShardTime(scene, this, () => this.lookAgain(0));
  }

  /** Something was committed since it was claimed. */
  get hasWorked(): boolean {
    return this.#hasWorked;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get residents(): number {
    return this.#residents.size;
  }

  /** Reads what the previous owner left open, then starts the loop. Two round trips. `warm`: read before the claim. */
  async start(warm?: WarmActors): Promise<void> {
    const { batch, counters } = this.#scene;
    crashPoint('after-claim');
    const [parked, relayed, attempts, residents] = await Promise.all([
      batch.run(command(['HGETALL', this.keys.parked], pairsOf)),
      batch.run(command(['HGET', this.keys.owner, 'relayed'], (reply) => Number(reply ?? 0))),
      batch.run(command(['HGETALL', this.keys.attempts], pairsOf)),
      warm === undefined ? [] : stillWarm(batch, this.keys, warm, this.#head),
      this.#time.read(),
    ]);
    for (const resident of residents) this.#residents.set(resident.actor, resident);
    counters.warmed += residents.length;
    for (const [actor, text] of parked) this.#parked.set(actor as ActorId, parkingOf(text));
    // Tries that the previous owner began have an unknown outcome: they are repeated at once, under the same key (E1).
    const begun = attempts.filter(([, attempt]) => attempt.includes('r')).map(([key]) => key);
    await this.#schedule.start(begun);
    this.#relay.start(relayed);
    this.#loop = this.#run();
    for (const [actor, { mode }] of this.#parked) if (mode !== 'parked') this.#resume(actor);
    this.#trimNext();
    this.#checkNext();
  }

  /** The reader goes on above this position. */
  get position(): number {
    return this.#read;
  }

  /** False while there is enough to do: what waits in Redis costs no memory here. */
  get wantsEntries(): boolean {
    return this.#state === 'open' && this.#work.length < inboxBatchMax;
  }

  /** Entries in order, the first right above `position`. They are taken from the group by the commit that handles them (M2). */
  take(entries: readonly StreamEntry[]): void {
    if (this.#state !== 'open') return;
    crashPoint('after-read');
    const works = entries.map((entry) => this.#marked(entryWork(entry)));
    this.#read = works.at(-1)?.position ?? this.#read;
    this.#add(works);
  }

  /** The namespace has travelled: the loop hears of it (T2). */
  travel(): void {
    this.#kick();
  }

  add(work: Work): void {
    this.#add([work]);
  }

  /** Asked anew after every await: the shard may have been lost meanwhile. */
  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  mayWork(): boolean {
    return this.#state === 'open' && this.#scene.mayWork(this.shard);
  }

  lookAgain(afterMs: number): void {
    this.#schedule.expect(this.#scene.serverNow() + afterMs);
  }

  /** L4: stops reading, finishes what is in hand, gives the shard up. Never throws: an unknown release ends by claim. */
  async shut(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'draining';
    this.#kick();
    await this.#loop;
    await this.#relay.stop();
    this.#close();
    const { batch, clock } = this.#scene;
    await batch.run(release(this.keys, this.token, clock.nonce(8), this.#scene.reading())).catch((error: unknown) => {
      this.#scene.log.warn({ shard: this.shard, error: String(error) }, 'release has no answer');
    });
  }

  /** Drops all that is held of the shard, at once (L3). */
  lose(why: unknown): void {
    if (this.#state === 'closed') return;
    const loss = lossOf(why);
    this.#close();
    if (loss === 'fenced') this.#scene.counters.fenced += 1;
    if (loss === 'rewound') this.#scene.counters.rewound += 1;
    this.#doors.onLost(this.shard, loss, why);
  }

  /** Forgets the shard without a word: it never came to serve. */
  abandon(): void {
    if (this.#state !== 'closed') this.#close();
  }

  #close(): void {
    this.#state = 'closed';
    this.#stopTrimming();
    this.#stopChecking();
    this.#schedule.stop();
    this.#relay.abandon();
    this.#doors.effects.abandon(this);
    this.#residents.clear();
    this.#work = [];
    this.#kick();
  }

  #add(work: readonly Work[]): void {
    if (this.#state === 'closed') return;
    this.#work.push(...work);
    this.#kick();
  }

  async #run(): Promise<void> {
    try {
      while (this.#state === 'open') {
        if (this.#work.length === 0 && !this.#time.isBehind()) await this.#idle();
        else if (this.mayWork()) await (this.#time.isBehind() ? this.#time.advance() : this.#turn());
        else await pause(this.#scene.clock, 10); // L4: the renewal decides whether we go on or are told to stop.
      }
    } catch (error) {
      this.lose(error);
    }
  }

  #idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#kick = () => {
        this.#kick = () => undefined;
        resolve();
      };
    });
  }

  #marked<T extends EntryWork | TimerWork>(work: T): T {
    const crashed = this.#singleFile?.crashed;
    return crashed !== undefined && crashed === triedAs(work) ? { ...work, crashed: true } : work;
  }

  /** One turn of the loop: a batch of work becomes one commit. */
  async #turn(): Promise<void> {
    const { gate } = this.#scene;
    if (this.#singleFile !== undefined) return await gate.alone(() => this.#turnAlone());
    const works = this.#work.slice(0, commitStepsMax / 2);
    await this.#load(works);
    if (gate.held !== undefined) return await gate.held; // Then anew from the top: the lease has grown shorter meanwhile (L4).
    this.#work.splice(0, works.length);
    await this.#commit(works);
  }

  /** M5: one step, while no other shard of this worker takes any. */
  async #turnAlone(): Promise<void> {
    if (!this.mayWork()) return; // It waited for the gate.
    const works = this.#work.splice(0, 1);
    await this.#load(works);
    await this.#announce(works[0]);
    await this.#commit(works);
  }

  async #commit(works: readonly Work[]): Promise<void> {
    if (this.#isClosed()) return;
    const stepped = this.#step(works);
    if (stepped.length === 0 || this.#state === 'closed') return;
    crashPoint('before-commit');
    const steps = stepped.flatMap((one) => one.steps);
    const call = commit(this.keys, {
      token: this.token,
      call: String(++this.#calls),
      head: this.#head,
      reading: this.#scene.reading(),
      now: this.#scene.serverNow(),
      steps,
    });
    const reply = await this.#scene.batch.run(call);
    if (this.#isClosed()) {
      // The shard was given up meanwhile; that its token was dead is worth counting all the same (L3).
      if (reply.kind === 'fenced') this.#scene.counters.fenced += 1;
      return;
    }
    this.#settle(stepped, reply);
  }

  async #load(works: readonly Work[]): Promise<void> {
    const missing = [...new Set(works.map((work) => work.actor))].filter((actor) => !this.#residents.has(actor));
    if (missing.length === 0) return;
    const loaded = await loadResidents(this.#scene.batch, this.keys, this.#scene.charts, missing);
    for (const resident of loaded) this.#residents.set(resident.actor, resident);
  }

  /** M5: what is about to be stepped is noted, so that a step which ends the process is found out. */
  async #announce(work: Work | undefined): Promise<void> {
    if ((work?.kind !== 'entry' && work?.kind !== 'timer') || work.crashed) return;
    if (!(await this.#scene.batch.run(trying(this.keys, this.token, triedAs(work))))) throw new Fenced();
  }

  #step(works: readonly Work[]): readonly Stepped[] {
    const scene = this.#stepScene();
    const done: Stepped[] = [];
    let chars = 0;
    for (const [index, work] of works.entries()) {
      if (work.kind === 'timer' && this.#parked.has(work.actor)) {
        this.#schedule.settled(work.member); // Its row stays until the actor goes on.
        continue;
      }
      const resident = this.#residents.get(work.actor) as Resident;
      const one = stepWork(scene, resident, work);
      const size = one.steps.reduce(
        (sum, step) => sum + (step.snapshot?.length ?? 0) + (step.body?.length ?? 0) + (step.entry?.length ?? 0),
        0,
      );
      if (done.length > 0 && chars + size > commitCharsMax) {
        this.#residents.delete(work.actor); // Stepped ahead of a commit that it is not part of.
        this.#work.unshift(...works.slice(index));
        break;
      }
      chars += size;
      done.push(one);
      if (one.parks !== undefined) this.#parked.set(work.actor, one.parks);
    }
    crashPoint('after-step');
    return done;
  }

  #stepScene() {
    const { charts, domain, namespace } = this.#scene;
    return {
      keys: this.keys,
      charts,
      namespace,
      token: this.token,
      now: this.#scene.serverNow(),
      domain,
      travelled: this.#time.travelled,
      parking: (actor: ActorId) => this.#parked.get(actor),
      lane: (send: Parameters<Scene['lane']>[1]) => this.#scene.lane(this.shard, send),
    };
  }

  #settle(stepped: readonly Stepped[], reply: CommitReply): void {
    if (reply.kind === 'fenced') throw new Fenced();
    if (reply.kind === 'rewound') throw new Rewound(this.#head, reply.head);
    if (reply.kind === 'damaged') throw new InboxGone();
    crashPoint('after-commit');
    this.#hasWorked ||= reply.head > this.#head;
    this.#head = reply.head;
    let at = 0;
    const again: Work[] = [];
    for (const one of stepped) {
      at += one.steps.length;
      const verdict = reply.verdicts[at - 1];
      if (one.work.kind === 'timer') this.#schedule.settled(one.work.member);
      if (verdict === 'COMMITTED') this.#committed(one);
      else if (this.#stale(one, verdict)) again.push(one.work);
    }
    this.#staleTurns = again.length > 0 ? this.#staleTurns + 1 : 0;
    if (this.#staleTurns > STALE_TURNS_MAX) throw new Error('commits keep finding our copy stale');
    this.#work.unshift(...again); // In the order they came: per actor nothing overtakes (M2).
    this.#trimResidents();
  }

  /** C1 is done: what it asked for may begin. */
  #committed({ work, resident, steps, starts, nextDue }: Stepped): void {
    const { counters, forgetful } = this.#scene;
    const last = steps.at(-1);
    counters.steps += steps.length;
    if (last?.kind === 'R') counters.refused += 1;
    if (last?.kind === 'P') counters.parked += 1;
    if (work.kind === 'timer') counters.timers += 1;
    for (const { key, record } of starts) this.#doors.effects.start(this, key, record, 0);
    if (nextDue !== undefined) this.#schedule.expect(nextDue);
    if (steps.some((step) => (step.sends?.length ?? 0) > 0)) this.#relay.kick();
    if (last?.effects !== undefined && last.kind === 'L') this.lookAgain(0);
    if (last?.kind === 'V' || last?.kind === 'X') this.#treat(work, last.kind === 'V' ? 'redriving' : 'discarding');
    if (work.kind === 'waiting' && last?.kind !== 'P') this.#redrive(work.actor);
    if (this.#singleFile !== undefined && work.kind === 'entry' && work.position >= this.#singleFile.upTo)
      this.#singleFile = undefined;
    // A parked step left the resident where it was; reading it again costs little and believes nothing.
    if (forgetful || last?.kind === 'P') this.#residents.delete(resident.actor);
  }

  /** True when the work has to be done again on a fresh copy. */
  #stale({ work, resident, steps }: Stepped, verdict: Verdict | undefined): boolean {
    if (verdict !== 'DUPLICATE' || steps.at(-1)?.kind !== 'D') this.#residents.delete(resident.actor);
    if (steps.at(-1)?.kind === 'P' && verdict !== 'PARKED') this.#parked.delete(work.actor); // It was not parked after all.
    switch (verdict) {
      case 'DUPLICATE':
        return false;
      case 'GONE':
        if (work.kind === 'waiting') this.#redrive(work.actor);
        return false;
      case 'EARLY':
        this.lookAgain(5);
        return false;
      case 'PARKED':
        this.#parked.set(work.actor, parkedNow());
        return true;
      default: // CONFLICT, SKIPPED
        if (steps.at(-1)?.kind === 'Q') this.#parked.delete(work.actor);
        return true;
    }
  }

  /** M5: goes on with an act that an owner before us began, unless too many of them have ended over the message that is next. */
  #resume(actor: ActorId): void {
    this.#scene.batch.run(resume(this.keys, this.token, actor, resumptionsMax)).then(
      (reply) => {
        if (reply === 'fenced') return this.lose(new Fenced());
        if (reply === 'resumed') return this.#redrive(actor);
        this.#parked.set(actor, parkedNow(this.#parked.get(actor)?.timer));
        this.#scene.log.error({ shard: this.shard, actor }, 'redrive given up: its owners ended over one message');
      },
      (error: unknown) => this.lose(error),
    );
  }

  /** M5: an operator's act is committed, and so survives us. Discarding refuses what waits, one commit and one answer each. */
  #treat(work: Work, mode: 'redriving' | 'discarding'): void {
    const below = work.kind === 'entry' ? work.position : 0;
    const timer = mode === 'discarding' ? undefined : this.#parked.get(work.actor)?.timer;
    this.#parked.set(work.actor, { mode, below, timer });
    this.#redrive(work.actor);
  }

  /** M5: steps the waiting entries of a parked actor, oldest first, one at a time, until none is left or one throws again. */
  #redrive(actor: ActorId): void {
    const first = command(['LINDEX', this.keys.waiting(actor), 0], (reply) => reply as string | null);
    this.#scene.batch.run(first).then(
      (text) => {
        if (text !== null) return this.add(waitingWork(actor, text));
        this.#parked.delete(actor);
        this.lookAgain(0); // Its timers may be due.
      },
      (error: unknown) => this.lose(error),
    );
  }

  #trimResidents(): void {
    const most = this.#scene.residentsPerShard();
    for (const actor of this.#residents.keys()) {
      if (this.#residents.size <= most) return;
      this.#residents.delete(actor);
    }
  }

  #checkNext(): void {
    const { clock, batch } = this.#scene;
    this.#stopChecking = clock.after(storedLookMs * (0.75 + clock.random() / 4), () => {
      const belief = { token: this.token, head: this.#head, read: this.#read, claimedAt: this.#claimedAt };
      checkStored(batch, this.keys, belief).then(
        () => this.#state === 'open' && this.#checkNext(),
        (error: unknown) => this.lose(error),
      );
    });
  }

  /** Lanes to a namespace whose server was away are compared with what it has (M3). */
  compareLanes(to: string): void {
    if (this.#state === 'open') this.#relay.compare(to);
  }

  #trimNext(): void {
    this.#stopTrimming = this.#scene.clock.after(trimEveryMs * (0.75 + this.#scene.clock.random() / 2), () => {
      const what = { ...this.#relay.trimming(), journalFrom: 0, actors: [], cursor: this.#trimCursor };
      this.#scene.batch.run(trim(this.keys, this.token, what, this.#scene.reading())).then(
        (cursor) => {
          if (cursor === 'fenced') return this.lose(new Fenced());
          this.#trimCursor = cursor;
          if (this.#state === 'open') this.#trimNext();
        },
        () => this.#state === 'open' && this.#trimNext(), // Nothing rests on a trim: the next one does it.
      );
    });
  }
}
