// Runs effects off the mailbox: attempt written first, call made, outcome recorded (E1). Shared by all shards of a worker.
//
// The record in Redis is the truth; here is only what runs at this moment. A runner that dies, or loses the shard, leaves
// an open record whose next owner tries again under the same key (E2).

import { Fenced, InboxGone } from '../commit/loss.ts';
import type { Scene } from '../commit/scene.ts';
import type { EffectRecord, LateWork } from '../commit/work.ts';
import { storedError } from '../errors.ts';
import { begin } from '../functions/begin.ts';
import { circuit } from '../functions/circuit.ts';
import { type FinishReply, finish } from '../functions/finish.ts';
import type { EffectCall, EffectOutcome, EffectRegistration, RetryPolicy } from '../hosting.ts';
import type { ActorId, Token } from '../ids.ts';
import type { Event, JsonObject } from '../json.ts';
import { circuitRestMs, effectGraceMs, effectsRunningMax, messageCharsMax } from '../limits.ts';
import type { Message } from '../messages.ts';
import { type NamespaceKeys, namespaceKeys, type ShardKeys } from '../redis/keys.ts';
import type { Behaviour } from '../statechart/behaviour.ts';
import { crashPoint } from '../testing/crash-points.ts';
import { defaultPolicy, isSpent, nextTry } from './policy.ts';

/** The shard an effect belongs to, as far as its effects need it. */
export interface EffectDoor {
  readonly shard: number;
  readonly token: Token;
  readonly keys: ShardKeys;
  mayWork(): boolean;
  add(work: LateWork): void;
  /** Look at the schedule again after this long. */
  lookAgain(afterMs: number): void;
  lose(why: unknown): void;
}

interface Running {
  readonly door: EffectDoor;
  readonly controller: AbortController;
  /** The shard is ours no more: what the call came to is for its next owner to find out. */
  abandoned: boolean;
}

const BUSY_RETRY_MS = 200; // All places taken, or no lease margin.
const STALLED_RETRY_MS = 10_000; // A missing handler comes with the next deployment, not sooner.

export class EffectRunner {
  readonly #scene: Scene;
  readonly #names: NamespaceKeys;
  readonly #running = new Map<string, Running>();
  /** Circuits seen closed lately: a closed one is asked for again only after a while. */
  readonly #closedSince = new Map<string, number>();

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#names = namespaceKeys(scene.namespace);
  }

  get running(): number {
    return this.#running.size;
  }

  /** Starts an effect unless it runs already. `attempts` is how often it has been tried. Returns at once. */
  start(door: EffectDoor, key: string, record: EffectRecord, attempts: number): void {
    // What runs for an earlier claim of the shard was told to give up: the try goes on under the same key (E2).
    if (this.#running.get(key)?.door === door) return;
    if (!door.mayWork()) {
      door.lookAgain(BUSY_RETRY_MS);
      return;
    }
    const running: Running = { door, controller: new AbortController(), abandoned: false };
    const busy = this.#running.size >= effectsRunningMax;
    this.#running.set(key, running);
    const run = busy
      ? this.#putOff(door, key, record, attempts, BUSY_RETRY_MS * (1 + 4 * this.#scene.clock.random()))
      : this.#run(running, key, record, attempts);
    run
      .catch((error: unknown) => {
        // Only Redis fails here; the record is open and the schedule finds it again, here or at the next owner.
        this.#scene.log.warn(
          { shard: door.shard, effect: record.name, error: String(error) },
          'effect not recorded, will be tried again',
        );
        door.lookAgain(BUSY_RETRY_MS);
      })
      .finally(() => {
        if (this.#running.get(key) === running) this.#running.delete(key);
      });
  }

  /** Ends what runs for a shard that is ours no more. */
  abandon(door: EffectDoor): void {
    for (const running of this.#running.values()) {
      if (running.door !== door) continue;
      running.abandoned = true;
      running.controller.abort();
    }
  }

  async #run(running: Running, key: string, record: EffectRecord, attempts: number): Promise<void> {
    const { door, controller } = running;
    const { batch, clock, counters } = this.#scene;
    const found = this.#registration(record);
    if (found === undefined) return await this.#stalled(door, key, record, attempts);
    const { registration, behaviour } = found;
    const policy = { ...defaultPolicy, ...registration.policy };
    const how = { registration, behaviour, policy };
    if (isSpent(policy, attempts, this.#scene.serverNow() - record.at)) {
      // E2: past its deadline, after an outage or behind an open circuit, it is not tried once more.
      return await this.#record(door, key, record, attempts, { kind: 'unknown', reason: 'deadline' }, how);
    }
    const { waitMs, probe } = await this.#enterCircuit(registration);
    crashPoint('before-begin');
    // No attempt is spent on an open circuit. Jitter: the calls that wait for it do not come back in one crowd.
    if (waitMs > 0)
      return await this.#putOff(
        door,
        key,
        record,
        attempts,
        Math.min(waitMs, circuitRestMs) * (1 + clock.random() / 4),
      );

    const now = this.#scene.serverNow();
    const begun = await batch.run(
      begin(door.keys, door.token, [
        { key, attemptsSoFar: attempts, lookAgainAt: now + policy.timeoutMs + effectGraceMs },
      ]),
    );
    if (begun === 'fenced') return door.lose(new Fenced());
    if (!begun[0] || controller.signal.aborted) return;
    counters.effects += 1;

    crashPoint('before-effect');
    const cancel = clock.after(policy.timeoutMs, () => controller.abort());
    const call: EffectCall = {
      input: record.input,
      actor: record.actor,
      key,
      attempt: attempts + 1,
      signal: controller.signal,
      now,
    };
    const outcome = await attempt(registration, call, policy.timeoutMs);
    cancel();
    crashPoint('after-effect');
    if (running.abandoned) return; // We let go, the partner did not fail: the next owner repeats it at once.
    this.#report(registration, outcome, probe);
    await this.#record(door, key, record, attempts + 1, outcome, how);
    crashPoint('after-finish');
  }

  async #record(
    door: EffectDoor,
    key: string,
    record: EffectRecord,
    tried: number,
    outcome: EffectOutcome,
    how: { readonly registration: EffectRegistration; readonly behaviour: Behaviour; readonly policy: RetryPolicy },
  ): Promise<void> {
    const { clock, log } = this.#scene;
    const now = this.#scene.serverNow();
    if (outcome.kind === 'unknown') {
      const next = nextTry(how.policy, tried, now - record.at, clock.random(), outcome.retryAfterMs);
      if (next.kind === 'retry') {
        await this.#finish(door, { key, attempt: tried, actor: record.actor, retryAt: now + next.afterMs, body: '' });
        return door.lookAgain(next.afterMs);
      }
      log.error(
        { shard: door.shard, actor: record.actor, effect: record.name, attempts: tried, reason: outcome.reason },
        'effect given up',
      );
    }
    const settled = outcome.kind === 'unknown' ? exhausted(outcome.reason, tried) : outcome;
    const event = this.#tells(how.behaviour, how.registration, record, settled);
    const message: Message | undefined = event && { kind: 'effect', event, effect: { key, child: record.child } };
    const text = message === undefined ? '' : JSON.stringify(message);
    const fits = text.length <= messageCharsMax;
    const reply = await this.#finish(door, {
      key,
      attempt: tried,
      actor: record.actor,
      body: fits ? text : tooLarge(how.behaviour, record, key, text.length),
    });
    if (reply !== 'late') return;
    // E1: the chart has left the state that asked. Told in the journal, and undone or passed on by the handler.
    const followUp = this.#followUp(how.registration, record, settled);
    door.add({
      kind: 'late',
      actor: record.actor,
      key,
      attempt: tried,
      machine: record.machine,
      name: record.name,
      outcome: settled,
      followUp,
    });
  }

  /** A handler that throws over an outcome is our fault, not the partner's: told as a failure, never tried again for it. */
  #tells(
    behaviour: Behaviour,
    registration: EffectRegistration,
    record: EffectRecord,
    outcome: EffectOutcome,
  ): Event | undefined {
    try {
      return tells(behaviour, registration, record, outcome);
    } catch (error) {
      this.#scene.log.error(
        { actor: record.actor, effect: record.name, error: String(error) },
        'a handler failed over an outcome',
      );
      const failure = { code: 'handler-failed' };
      return record.child === null
        ? undefined
        : behaviour.outcomeEvent(record.child, { kind: 'failed', error: failure });
    }
  }

  #followUp(registration: EffectRegistration, record: EffectRecord, outcome: EffectOutcome): LateWork['followUp'] {
    try {
      return registration.onLate?.(outcome, record.input);
    } catch (error) {
      this.#scene.log.error(
        { actor: record.actor, effect: record.name, error: String(error) },
        'onLate failed; nothing follows',
      );
      return undefined;
    }
  }

  async #finish(
    door: EffectDoor,
    outcome: { key: string; attempt: number; actor: ActorId; retryAt?: number; body: string },
  ): Promise<FinishReply> {
    const reply = await this.#scene.batch.run(finish(door.keys, door.token, outcome, this.#scene.reading()));
    if (reply === 'fenced') door.lose(new Fenced());
    if (reply === 'damaged') door.lose(new InboxGone());
    return reply;
  }

  /** By the chart that started it: two charts of a host may use one name for two effects. */
  #registration(record: EffectRecord): { registration: EffectRegistration; behaviour: Behaviour } | undefined {
    const behaviour = this.#scene.charts.all.find(({ machine }) => machine === record.machine);
    const registration = behaviour?.effect(record.name);
    return behaviour === undefined || registration === undefined ? undefined : { registration, behaviour };
  }

  /** No handler of this name here: another version's effect. It stays open and is looked at again. */
  #stalled(door: EffectDoor, key: string, record: EffectRecord, attempts: number): Promise<void> {
    this.#scene.log.error(
      { shard: door.shard, actor: record.actor, effect: record.name },
      'no handler for this effect; it waits',
    );
    return this.#putOff(door, key, record, attempts, STALLED_RETRY_MS);
  }

  /** Not tried now: its row leaves the front of the schedule, so that nothing else waits behind it (T1). */
  async #putOff(door: EffectDoor, key: string, record: EffectRecord, attempts: number, ms: number): Promise<void> {
    const retryAt = this.#scene.serverNow() + ms;
    await this.#finish(door, { key, attempt: attempts, actor: record.actor, retryAt, body: '' });
    door.lookAgain(ms);
  }

  /** How long to wait before calling, and whether the call is the one that finds out about an open circuit (E3). */
  async #enterCircuit(registration: EffectRegistration): Promise<{ readonly waitMs: number; readonly probe: boolean }> {
    const name = registration.circuit;
    const free = { waitMs: 0, probe: false };
    if (name === undefined) return free;
    const seen = this.#closedSince.get(name) ?? Number.NEGATIVE_INFINITY;
    if (this.#scene.clock.monotonic() - seen < CLOSED_BELIEVED_MS) return free;
    const reply = await this.#scene.batch.run(circuit(this.#names, name, 'enter', this.#scene.reading()));
    if (reply.pass && reply.state === 'closed') this.#closedSince.set(name, this.#scene.clock.monotonic());
    return reply.pass ? { waitMs: 0, probe: reply.state === 'half-open' } : { waitMs: reply.waitMs, probe: false };
  }

  /** E3: *unknown* speaks against the dependency; a clear *failed* is an answer like any other. */
  #report(registration: EffectRegistration, outcome: EffectOutcome, probe: boolean): void {
    const name = registration.circuit;
    if (name === undefined) return;
    const went = outcome.kind === 'unknown' ? 'bad' : 'ok';
    const word = probe ? (`probe-${went}` as const) : went;
    this.#scene.batch.run(circuit(this.#names, name, word, this.#scene.reading())).then(
      (reply) => {
        if (!reply.pass || reply.state !== 'closed') this.#closedSince.delete(name);
      },
      () => undefined, // A lost report costs one count.
    );
  }
}

const CLOSED_BELIEVED_MS = 500; // A circuit that opens elsewhere is noticed here within half a second.

/** A throw is a fault of the handler, not an answer of the partner: the outcome is unknown. */
async function attempt(registration: EffectRegistration, call: EffectCall, timeoutMs: number): Promise<EffectOutcome> {
  const aborted = new Promise<EffectOutcome>((resolve) => {
    call.signal.addEventListener(
      'abort',
      () => resolve({ kind: 'unknown', reason: `no answer within ${timeoutMs} ms` }),
      { once: true },
    );
  });
  const ran = Promise.resolve()
    .then(() => registration.run(call))
    .then(shaped)
    .catch(
      (error: unknown): EffectOutcome => ({
        kind: 'unknown',
        reason: `${storedError(error).name}: ${storedError(error).message}`,
      }),
    );
  return await Promise.race([ran, aborted]);
}

/** What a handler answers is checked once, here: anything else is no answer. */
function shaped(outcome: EffectOutcome): EffectOutcome {
  const kind: unknown = (outcome as { kind?: unknown } | undefined)?.kind;
  if (kind === 'unknown') return outcome;
  // The partner has done its part: what it answered cannot be kept, and asking again would not change that.
  const said = outcome.kind === 'done' ? (outcome.output ?? null) : (outcome as { readonly error?: unknown }).error;
  if ((kind === 'done' || kind === 'failed') && !isJson(said))
    return { kind: 'failed', error: { code: 'outcome-not-json' } };
  if (kind === 'done' || kind === 'failed') return outcome;
  return { kind: 'unknown', reason: `the handler answered with kind ${JSON.stringify(kind)}` };
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

const exhausted = (reason: string, attempts: number): EffectOutcome => ({
  kind: 'failed',
  error: { code: 'exhausted', reason, attempts },
});

/** The event that tells the actor; undefined when nobody asked to be told. */
function tells(
  behaviour: Behaviour,
  registration: EffectRegistration,
  record: EffectRecord,
  outcome: EffectOutcome,
): Event | undefined {
  const input = record.input as JsonObject;
  if (outcome.kind === 'done') {
    const output = outcome.output ?? null;
    return record.child === null
      ? registration.onDone?.(output, input)
      : behaviour.outcomeEvent(record.child, { kind: 'done', output });
  }
  const error = outcome.kind === 'failed' ? outcome.error : { code: 'unknown' };
  return record.child === null
    ? registration.onFailed?.(error, input)
    : behaviour.outcomeEvent(record.child, { kind: 'failed', error });
}

/** An answer that does not fit a message is a failure of the call, told as one; nothing is cut silently. */
function tooLarge(behaviour: Behaviour, record: EffectRecord, key: string, chars: number): string {
  if (record.child === null) return '';
  const error = { code: 'output-too-large', chars, most: messageCharsMax };
  const message: Message = {
    kind: 'effect',
    event: behaviour.outcomeEvent(record.child, { kind: 'failed', error }),
    effect: { key, child: record.child },
  };
  return JSON.stringify(message);
}
