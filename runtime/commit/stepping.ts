// One piece of work against one actor: the steps to commit, and what they start. Pure but for the resident, which is moved
// ahead at once and thrown away when a verdict is not COMMITTED.

import { OperatingError, storedError } from '../errors.ts';
import type { CommitStep } from '../functions/commit.ts';
import type { Send } from '../hosting.ts';
import { sequence, type Token, tokenCounter } from '../ids.ts';
import type { JournalBody } from '../journal/entry.ts';
import type { Event, Json } from '../json.ts';
import { snapshotCharsMax } from '../limits.ts';
import type { Answer, Message } from '../messages.ts';
import type { ShardKeys } from '../redis/keys.ts';
import type { Behaviour, EffectStart, Held, Step, StepScope, TimerStart } from '../statechart/behaviour.ts';
import type { Charts } from '../statechart/charts.ts';
import { snapshotHash } from '../statechart/definition.ts';
import type { DomainClock } from '../timers/domain-clock.ts';
import { type Parking, type ParkingCause, parkedNow } from './parking.ts';
import { type Resident, recordText } from './resident.ts';
import {
  type EffectRecord,
  type EntryWork,
  type LateWork,
  timerMember,
  UNREADABLE,
  type Work,
  waitingText,
} from './work.ts';

export interface StepScene {
  readonly keys: ShardKeys;
  readonly charts: Charts;
  readonly token: Token;
  /** Estimate of the server's clock in ms (T2). */
  readonly now: number;
  readonly domain: DomainClock;
  /** Milliseconds of domain time that this shard has travelled (T2). */
  readonly travelled: number;
  /** Undefined for an actor that is not parked (M5). */
  readonly parking: (actor: Resident['actor']) => Parking | undefined;
  readonly lane: (send: Send) => string;
}

export interface StartedEffect {
  readonly key: string;
  readonly record: EffectRecord;
}

export interface Stepped {
  readonly work: Work;
  readonly resident: Resident;
  readonly steps: readonly CommitStep[];
  readonly starts: readonly StartedEffect[];
  /** Earliest due time among the timers set; undefined when none. */
  readonly nextDue: number | undefined;
  /** Set where the step parks its actor. */
  readonly parks: Parking | undefined;
}

/** Builds the commit steps for `work`. Never throws for what a chart does: that parks its actor (M5). */
export function stepWork(scene: StepScene, resident: Resident, work: Work): Stepped {
  const builder = new Stepping(scene, resident, work);
  return builder.build();
}

const none: readonly StartedEffect[] = [];
const CREATE = 'emboss.create';

class Stepping {
  readonly #scene: StepScene;
  readonly #resident: Resident;
  readonly #work: Work;
  /** Domain time of the step: what the chart sees, and what the journal keeps for a replay (T2). */
  readonly #at: number;
  /** The server's clock at that time: what the timers of the step count from. */
  readonly #countsFrom: number;

  constructor(scene: StepScene, resident: Resident, work: Work) {
    this.#scene = scene;
    this.#resident = resident;
    this.#work = work;
    const { now, domain, travelled } = scene;
    if (domain.isReal) {
      this.#at = now;
      this.#countsFrom = now;
      return;
    }
    const current = domain.at(now, travelled);
    // What a travel passed over happens when it was due, and nothing happens to an actor before what has happened to it.
    const wanted = domain.mayTravel && work.kind === 'timer' ? Math.min(work.dueAt, current) : current;
    this.#at = Math.max(wanted, resident.at);
    this.#countsFrom = now - domain.serverMs(current - this.#at);
  }

  build(): Stepped {
    const work = this.#work;
    if (work.kind === 'late') return this.#one(this.#late(work));
    if (work.kind === 'entry') {
      if (work.position <= this.#resident.last) return this.#one({ ...this.#base('D'), cause: 'I' });
      if (work.message.kind === 'control') return this.#one(this.#control(work));
      if (this.#scene.parking(work.actor) !== undefined)
        return this.#one({ ...this.#base('Q'), entry: waitingText(work) });
      if (work.crashed)
        return this.#park(new OperatingError('crashed', 'the process ended twice while stepping this message'));
    }
    if (work.kind === 'waiting') {
      const parking = this.#scene.parking(work.actor);
      if (parking?.mode === 'discarding' && work.position < parking.below)
        return this.#one(this.#refused([], 'discarded', work.message.event));
    }
    if (work.kind === 'timer' && work.crashed)
      return this.#park(new OperatingError('crashed', 'the process ended twice while stepping this timer'));
    if (work.kind !== 'timer' && work.message.event.type === UNREADABLE)
      return this.#park(new OperatingError('unreadable', 'the inbox entry is no message'));
    try {
      return this.#step(work.kind === 'timer' ? work.event : work.message.event);
    } catch (error) {
      return this.#park(error);
    }
  }

  /** The normal path: (create,) step, and everything the step asks for. */
  #step(event: Event): Stepped {
    const resident = this.#resident;
    if (resident.stalled !== undefined) throw resident.stalled;
    const steps: CommitStep[] = [];
    const starts: StartedEffect[] = [];
    let nextDue: number | undefined;
    const before = { ...resident };

    try {
      const create = this.#message()?.create;
      if (resident.held === undefined && create !== undefined) {
        const behaviour = this.#scene.charts.byName(create.machine);
        const first = behaviour.start(create.input, this.#scope());
        // A create without an event of its own is the message's one step.
        const only = event.type === CREATE;
        steps.push(this.#moved(behaviour, first, only ? 'M' : 'C', { type: CREATE }, starts));
        nextDue = this.#earliest(nextDue, first.timersSet);
        if (only) return { work: this.#work, resident, steps, starts, nextDue, parks: undefined };
      }
      const { behaviour, held } = resident;
      if (behaviour === undefined || held === undefined) {
        steps.push(this.#refused([], 'unknown-actor', event));
        return { work: this.#work, resident, steps, starts: none, nextDue, parks: undefined };
      }
      const result = behaviour.step(held, event, this.#scope(this.#cause()));
      if (result.kind === 'refused') {
        steps.push(this.#refused(result.allowed, 'no-transition', event, result.held));
      } else {
        steps.push(this.#moved(behaviour, result, 'M', event, starts));
        nextDue = this.#earliest(nextDue, result.timersSet);
      }
      return { work: this.#work, resident, steps, starts, nextDue, parks: undefined };
    } catch (error) {
      Object.assign(resident, before); // A created actor whose first event throws is not created.
      throw error;
    }
  }

  #moved(behaviour: Behaviour, step: Step, kind: 'C' | 'M', event: Event, starts: StartedEffect[]): CommitStep {
    const { now, keys, lane, domain } = this.#scene;
    const resident = this.#resident;
    if (step.stored.length > snapshotCharsMax) {
      throw new OperatingError(
        'snapshot-too-large',
        `the stored snapshot has ${step.stored.length} characters, at most ${snapshotCharsMax}`,
      );
    }
    const left = resident.states.filter((state) => !step.states.includes(state));
    const entered = step.states.filter((state) => !resident.states.includes(state));
    const expected = resident.sequence;
    const previous = resident.held?.record.announced ?? 0;
    resident.sequence = expected + 1;
    resident.behaviour = behaviour;
    resident.held = step.held;
    resident.states = step.states;
    if (!domain.isReal) resident.at = this.#at;
    if (kind === 'M') resident.last = this.#position();

    const fresh = step.starts.map((start) => ({ key: start.key, record: this.#effectRecord(behaviour, start) }));
    starts.push(...fresh);
    const states = JSON.stringify(step.states);
    if (step.announcement !== undefined) resident.announcement = JSON.stringify(step.announcement);
    // One plain literal: spread objects lose their shape, and every step pays for it.
    return {
      kind,
      actor: resident.actor,
      cause: causes[this.#work.kind],
      causeId: causeIdOf(this.#work),
      generation: generationOf(this.#work),
      messageId: messageOf(this.#work)?.messageId,
      asked: messageOf(this.#work)?.dedupe,
      sequence: expected,
      snapshot: step.stored,
      record: recordText(step.held.record, states, resident),
      body: this.#movedBody(behaviour, step, kind, event, states, previous),
      answer: kind === 'M' ? this.#answered(this.#applied(step.answer)) : undefined,
      left: mapped(left, (state) => keys.state(behaviour.machine, state)),
      entered: mapped(entered, (state) => keys.state(behaviour.machine, state)),
      timersSet: mapped(step.timersSet, (timer) => this.#timerRow(timer)),
      timersCleared: mapped(step.timersCleared, ({ id, generation }) => ({
        member: timerMember(resident.actor, id),
        generation,
      })),
      effects: mapped(fresh, ({ key, record }) => ({ key, dueAt: now, record: JSON.stringify(record) })),
      stops: step.stops,
      sends: mapped(step.sends, (send, index) => ({
        lane: lane(send),
        actor: send.actor,
        messageId: `${resident.actor}:${expected + 1}:${index}`,
        body: JSON.stringify(laneMessage(send, resident.actor)),
      })),
    };
  }

  /** A JournalBody as text, put together from texts that the record and the answer have as well: this is every step's cost. */
  #movedBody(
    { machine, version }: Behaviour,
    step: Step,
    kind: 'C' | 'M',
    event: Event,
    states: string,
    previous: number,
  ): string {
    const message = this.#message();
    const creates = kind === 'C' || event.type === CREATE;
    let body = `${bodyHead(machine, version)},"event":${JSON.stringify(event)}`;
    if (creates) body += `,"input":${JSON.stringify(message?.create?.input ?? {})}`;
    if (message?.from !== undefined) body += `,"from":${JSON.stringify(message.from)}`;
    body += `,"at":${this.#at}`;
    if (!this.#scene.domain.isReal) body += `,"committedAt":${this.#scene.now}`;
    body += `,"states":${states},"snapshotHash":"${snapshotHash(step.stored)}"`;
    if (step.emitted.length > 0) body += `,"emitted":${JSON.stringify(step.emitted)}`;
    if (step.starts.length > 0)
      body += `,"starts":${JSON.stringify(step.starts.map(({ key, name }) => ({ key, name })))}`;
    if (step.announcement !== undefined)
      body += `,"announcement":${this.#resident.announcement},"previous":${previous}`;
    return step.final ? `${body},"final":true}` : `${body}}`;
  }

  /** M4. `held` differs from the actor's when the cause itself, a timer or an execution, leaves its record. */
  #refused(allowed: readonly string[], reason: string, event: Event, held?: Held): CommitStep {
    const resident = this.#resident;
    const record =
      held === undefined || held === resident.held
        ? ''
        : recordText(held.record, JSON.stringify(resident.states), resident);
    if (held !== undefined) resident.held = held;
    if (this.#work.kind === 'entry') resident.last = this.#position();
    const answer: Answer = {
      kind: 'refused',
      reason,
      version: sequence(resident.sequence),
      counter: tokenCounter(this.#scene.token),
      allowed,
    };
    const body: JournalBody = { event, ...this.#origin(), ...this.#when() };
    return { ...this.#base('R'), record, body: JSON.stringify(body), answer: this.#answered(answer) };
  }

  /** M5: the actor stops, its message waits, the shard goes on. */
  #park(error: unknown): Stepped {
    const { now, token } = this.#scene;
    const resident = this.#resident;
    const work = this.#work as EntryWork | Extract<Work, { kind: 'timer' }>;
    const stored = storedError(error);
    const event = work.kind === 'timer' ? work.event : work.message.event;
    const timer = work.kind === 'timer' ? { id: work.timerId, generation: work.generation } : undefined;
    const why: ParkingCause = {
      error: stored,
      event: event.type,
      states: resident.states,
      at: now,
      ...(timer === undefined ? { entry: (work as EntryWork).id } : { timer }),
    };
    const answer: Answer = { kind: 'parked', version: sequence(resident.sequence), counter: tokenCounter(token) };
    if (work.kind === 'entry') resident.last = work.position;
    const body: JournalBody = { event, ...this.#origin(), ...this.#when(), error: stored };
    const step: CommitStep = {
      ...this.#base('P'),
      body: JSON.stringify(body),
      answer: this.#answered(answer),
      why: JSON.stringify(why),
      ...(work.kind === 'entry' ? { entry: waitingText(work) } : {}),
    };
    return { work, resident, steps: [step], starts: none, nextDue: undefined, parks: parkedNow(timer) };
  }

  /** An operator's redrive or discard (M5). */
  #control(work: EntryWork): CommitStep {
    const parking = this.#scene.parking(work.actor);
    const act = work.message.event.type;
    if (parking === undefined) return this.#refused([], 'not-parked', work.message.event);
    // An act of a later version waits for a worker that knows it, like any other message.
    if (act !== 'redrive' && act !== 'discard') return { ...this.#base('Q'), entry: waitingText(work) };
    this.#resident.last = work.position;
    const body: JournalBody = { event: work.message.event, ...this.#origin(), ...this.#when() };
    return {
      ...this.#base(act === 'redrive' ? 'V' : 'X'),
      ...(act === 'discard' && parking.timer !== undefined ? this.#withoutTimer(parking.timer) : {}),
      body: JSON.stringify(body),
      answer: this.#answered(this.#applied()),
    };
  }

  /** The timer that parked the actor is dropped with the rest: it would throw again as soon as the actor goes on. */
  #withoutTimer({ id, generation }: NonNullable<Parking['timer']>): Partial<CommitStep> {
    const resident = this.#resident;
    const timersCleared = [{ member: timerMember(resident.actor, id), generation }];
    const { held } = resident;
    if (held?.record.timers[id]?.generation !== generation) return { timersCleared }; // Armed anew since, or not there.
    const { [id]: _, ...timers } = held.record.timers;
    const record = { ...held.record, timers };
    resident.held = { ...held, record };
    return { timersCleared, record: recordText(record, JSON.stringify(resident.states), resident) };
  }

  /** E1: an outcome that nobody waits for is told in the journal, and followed up. */
  #late(work: LateWork): CommitStep {
    const { now } = this.#scene;
    const { followUp } = work;
    const event: Event = { type: 'emboss.late', effect: work.name, outcome: work.outcome.kind };
    const body: JournalBody = { event, ...this.#when(), starts: [{ key: work.key, name: work.name }] };
    const key = `${work.key}:late`;
    return {
      ...this.#base('L'),
      body: JSON.stringify(body),
      ...(followUp !== undefined && 'effect' in followUp
        ? {
            effects: [
              {
                key,
                dueAt: now,
                record: JSON.stringify({
                  actor: work.actor,
                  machine: work.machine,
                  name: followUp.effect,
                  child: null,
                  input: followUp.input,
                  at: now,
                }),
              },
            ],
          }
        : {}),
      ...(followUp !== undefined && 'event' in followUp
        ? {
            own: [
              {
                actor: work.actor,
                messageId: key,
                body: JSON.stringify({ kind: 'effect', event: followUp.event } satisfies Message),
              },
            ],
          }
        : {}),
    };
  }

  #base(kind: CommitStep['kind']): CommitStep {
    const work = this.#work;
    const { actor } = work;
    return {
      kind,
      actor,
      cause: causes[work.kind],
      causeId: causeIdOf(work),
      generation: generationOf(work),
      messageId: messageOf(work)?.messageId,
      asked: messageOf(work)?.dedupe,
      sequence: this.#resident.sequence,
    };
  }

  #one(step: CommitStep): Stepped {
    return {
      work: this.#work,
      resident: this.#resident,
      steps: [step],
      starts: none,
      nextDue: undefined,
      parks: undefined,
    };
  }

  #timerRow(timer: TimerStart) {
    const delay = this.#scene.domain.serverMs(timer.delayMs);
    return {
      member: timerMember(this.#resident.actor, timer.id),
      generation: timer.generation,
      dueAt: this.#countsFrom + delay,
      resume: timer.resume === 'deadline' ? '' : `${timer.resume} ${Math.ceil(delay)}`,
      event: JSON.stringify(timer.event),
    };
  }

  #earliest(so: number | undefined, timers: readonly TimerStart[]): number | undefined {
    return timers.reduce<number | undefined>((least, timer) => {
      const due = this.#countsFrom + this.#scene.domain.serverMs(timer.delayMs);
      return least === undefined || due < least ? due : least;
    }, so);
  }

  #effectRecord(behaviour: Behaviour, start: EffectStart): EffectRecord {
    const { name, child, input } = start;
    const { actor } = this.#resident;
    // The input is opaque here; its shape is the handler's business.
    return {
      actor,
      machine: behaviour.machine,
      name,
      child,
      input: input as EffectRecord['input'],
      at: this.#scene.now,
    };
  }

  #applied(data?: Json): Answer {
    const { token } = this.#scene;
    const version = sequence(this.#resident.sequence);
    return {
      kind: 'applied',
      version,
      counter: tokenCounter(token),
      at: this.#at,
      ...(data === undefined ? {} : { data }),
    };
  }

  /** Only callers and operators wait for an answer; other messages keep none. */
  #answered(value: Answer): string | undefined {
    const kind = this.#message()?.kind;
    return kind === 'call' || kind === 'control' ? JSON.stringify(value) : undefined;
  }

  #origin(): { readonly from?: string } {
    const from = this.#message()?.from;
    return from === undefined ? {} : { from };
  }

  #when(): Pick<JournalBody, 'at' | 'committedAt'> {
    const { now, domain } = this.#scene;
    return domain.isReal ? { at: now } : { at: this.#at, committedAt: now };
  }

  #message(): Message | undefined {
    return messageOf(this.#work)?.message;
  }

  #position(): number {
    return this.#work.kind === 'entry' ? this.#work.position : this.#resident.last;
  }

  #scope(cause?: StepScope['cause']): StepScope {
    const { actor, sequence: committed } = this.#resident;
    return { actor, sequence: committed + 1, now: this.#at, ...(cause === undefined ? {} : { cause }) };
  }

  /** What the step uses up in the actor's record: its timer, or the execution whose outcome this is. */
  #cause(): StepScope['cause'] {
    if (this.#work.kind === 'timer') return { kind: 'timer', id: this.#work.timerId };
    const effect = this.#message()?.effect;
    return effect === undefined || effect.child === null ? undefined : { kind: 'effect', key: effect.key };
  }
}

const bodyHeads = new Map<string, string>(); // One per hosted chart and version.
function bodyHead(machine: string, version: string): string {
  const name = `${machine} ${version}`;
  let head = bodyHeads.get(name);
  if (head === undefined) {
    head = `{"machine":${JSON.stringify(machine)},"version":${JSON.stringify(version)}`;
    bodyHeads.set(name, head);
  }
  return head;
}

const messageOf = (work: Work): EntryWork | undefined =>
  work.kind === 'entry' || work.kind === 'waiting' ? work : undefined;
const causes = { entry: 'I', waiting: 'W', timer: 'T', late: 'E' } as const;
const causeIdOf = (work: Work): string =>
  work.kind === 'timer' ? work.member : work.kind === 'late' ? work.key : work.id;
const generationOf = (work: Work): string =>
  work.kind === 'timer' ? work.generation : work.kind === 'late' ? String(work.attempt) : '';

/** Most lists of most steps are empty. */
const mapped = <T, U>(items: readonly T[], make: (item: T, index: number) => U): readonly U[] | undefined =>
  items.length === 0 ? undefined : items.map(make);

function laneMessage(send: Send, from: string): Message {
  return { kind: 'lane', event: send.event, from, ...(send.create === undefined ? {} : { create: send.create }) };
}
