// One order played from the application to its end: look, move, look again; wait when there is nothing to do.
//
// The look is the internal view of the order and of its delivery, never older than the last answer (P3). Live events wake
// it; a slow poll is there for what no event tells, such as the courier at the hub.

import { RestError } from '../../api/client/index.ts';
import { monotonic, pause } from '../time.ts';
import { type Acted, act, type Role, type Stage } from './acting.ts';
import type { Applicant } from './application.ts';
import type { Fate } from './fate.ts';
import {
  afterwards,
  type DeliverySight,
  deliveryOf,
  ended,
  type Move,
  nextMoves,
  type OrderSight,
  type Scene,
  type Sight,
} from './moves.ts';

export interface PlayOptions {
  readonly stage: Stage;
  readonly userId: string;
  readonly applicant: Applicant;
  readonly fate: Fate;
  /** Distinguishes this order's commands from all others, of this run and earlier ones. */
  readonly name: string;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** Resolves with true at the next live event of the order, with false when `wait` is aborted. */
  readonly woken: (orderId: string, wait: AbortSignal) => Promise<boolean>;
  readonly placed: (orderId: string) => void;
}

export interface Played {
  readonly orderId: string | undefined;
  /** `stuck`: the deadline passed. `not_placed`: the application was refused or never answered. */
  readonly outcome: string;
  readonly words?: string;
  readonly wallMs: number;
  /** Moves that were refused because the order had gone on meanwhile. */
  readonly refusals: number;
}

/** Looks while nothing wakes it, by what is waited for: events tell of most things, but not of these. */
const SCREENING_LOOK_MS = 1_000; // A possible hit is not shown to the customer.
const DELIVERY_LOOK_MS = 400; // Nobody tells when a courier stands at the hub.
const LOOK_MS = 3_000; // Everything else, and a live socket that is down.
const AGAIN_MS = 150; // After a refusal or without an answer: what was seen is old.

export async function play(options: PlayOptions): Promise<Played> {
  const begun = monotonic();
  const took = (): number => monotonic() - begun;
  const placed = await place(options);
  if (typeof placed !== 'string')
    return { orderId: undefined, outcome: 'not_placed', words: placed.words, wallMs: took(), refusals: 0 };
  options.placed(placed);
  const life = new Life(options, placed);
  while (took() < options.deadlineMs && !options.signal.aborted) {
    const outcome = await life.round();
    if (outcome !== undefined) return { orderId: placed, outcome, wallMs: took(), refusals: life.refusals };
  }
  const words = options.signal.aborted
    ? 'the run was ended'
    : `nothing ended it within ${options.deadlineMs / 1_000} s`;
  return {
    orderId: placed,
    outcome: 'stuck',
    words: `${words}; ${life.seen()}`,
    wallMs: took(),
    refusals: life.refusals,
  };
}

async function place({ stage, userId, applicant, name }: PlayOptions): Promise<string | { readonly words: string }> {
  const client = await stage.cast.customer(userId);
  const written = await stage.cast.write(client, {
    method: 'POST',
    path: '/api/v1/orders',
    body: applicant.order,
    key: `${name} place`,
    actor: undefined,
  });
  if (written.kind === 'applied') return (written.body as { readonly orderId: string }).orderId; // The order resource.
  if (written.kind === 'unknown') return { words: written.words };
  const { problem, status } = written;
  const faults = problem?.errors?.map(({ pointer, code }) => `${pointer} ${code}`).join(', ') ?? '';
  return { words: `${status} ${problem?.title ?? ''} ${faults}`.trim() };
}

/** What is known of the order, and what was done about it. */
class Life {
  readonly #options: PlayOptions;
  readonly #role: Role;
  readonly #done = new Map<string, number>();
  readonly #floors = new Map<string, number>();
  #order: OrderSight | undefined;
  #delivery: DeliverySight | undefined;
  #orderSeenAt = Number.NEGATIVE_INFINITY;
  /** Set when the last moves say where things stand now: then no look is needed. */
  #expected: Scene | undefined;
  refusals = 0;

  constructor(options: PlayOptions, orderId: string) {
    this.#options = options;
    this.#role = { orderId, userId: options.userId, applicant: options.applicant };
  }

  /** One look and the moves that follow from it. The outcome when the order has ended. */
  async round(): Promise<string | undefined> {
    const wait = new AbortController();
    // Listened for before the look: no event falls in between.
    const woken = this.#options.woken(this.#role.orderId, wait.signal).then((heard) => {
      if (heard) this.#orderSeenAt = Number.NEGATIVE_INFINITY;
    });
    try {
      const expected = this.#expected;
      this.#expected = undefined;
      const scene = expected ?? (await this.#look());
      if (scene === undefined) return void (await pause(AGAIN_MS));
      const outcome = ended(scene.order.states);
      if (outcome !== undefined) return outcome;
      const moves = nextMoves(scene);
      if (moves.length === 0) return void (await Promise.race([woken, pause(patience(scene), wait.signal)]));
      await this.#makeAll(scene, moves);
      return undefined;
    } finally {
      wait.abort();
    }
  }

  /** Where it stands, for whoever asks why it does not go on. */
  seen(): string {
    const order = this.#order?.states.filter((state) => !state.startsWith('sla.')).join(' ') ?? 'never seen';
    return `${order}${this.#delivery === undefined ? '' : ` | ${this.#delivery.states.join(' ')}`}`;
  }

  async #makeAll(scene: Scene, moves: readonly Move[]): Promise<void> {
    const acted = await Promise.all(moves.map((move) => this.#make(move)));
    const [only] = moves;
    const isTaken = acted.every(({ kind }) => kind === 'applied');
    const delivery = isTaken && moves.length === 1 && only?.kind === 'courier' ? afterwards(only) : undefined;
    this.#expected = delivery === undefined ? undefined : { ...scene, delivery };
    this.#orderSeenAt = Number.NEGATIVE_INFINITY;
    if (!isTaken) await pause(AGAIN_MS);
  }

  async #make(move: Move): Promise<Acted> {
    const tries = this.#done.get(move.name) ?? 0;
    const acted = await act(this.#options.stage, this.#role, move, `${this.#options.name} ${move.name} ${tries}`);
    if (acted.kind === 'applied' || acted.kind === 'refused') this.#done.set(move.name, tries + 1);
    if (acted.kind === 'refused') this.refusals += 1;
    if (acted.kind === 'applied' && acted.version !== undefined) this.#raise(move, acted.version);
    return acted;
  }

  /** A version is of the actor the move was about. */
  #raise(move: Move, version: number): void {
    const actor =
      move.kind === 'command'
        ? move.actor
        : move.kind === 'courier'
          ? move.delivery.actor
          : move.kind === 'choose_slot'
            ? move.deliveryId
            : this.#role.orderId;
    this.#floors.set(actor, Math.max(version, this.#floors.get(actor) ?? 0));
  }

  /** Both as they stand; the order only when something was heard of it, or not for a while. */
  async #look(): Promise<Scene | undefined> {
    const isFresh = monotonic() - this.#orderSeenAt < LOOK_MS && this.#delivery !== undefined;
    if (!isFresh) {
      this.#orderSeenAt = monotonic();
      this.#order = (await this.#see<OrderSight>(this.#role.orderId)) ?? this.#order;
    }
    if (this.#order === undefined) return undefined;
    const deliveryId = deliveryOf(this.#order);
    const isOver = ended(this.#order.states) !== undefined || !this.#order.context.delivery.open;
    this.#delivery = deliveryId === undefined || isOver ? undefined : await this.#see<DeliverySight>(deliveryId);
    return { order: this.#order, delivery: this.#delivery, fate: this.#options.fate, done: this.#done };
  }

  /** The actor as last committed; undefined when it is not there yet or nobody answers. */
  async #see<Seen extends Sight<unknown>>(actor: string): Promise<Seen | undefined> {
    const client = await this.#options.stage.cast.staff('operator');
    const floor = this.#floors.get(actor);
    try {
      const answer = await client.call<Seen>('GET', `/internal/v1/orders/${encodeURIComponent(actor)}`, {
        headers: floor === undefined ? {} : { 'min-version': String(floor) },
      });
      return answer.body;
    } catch (error) {
      if (error instanceof RestError) return undefined;
      throw error;
    }
  }
}

function patience({ order, delivery }: Scene): number {
  const isIn = (phase: string, states: readonly string[]): boolean => states.some((state) => state.startsWith(phase));
  if (delivery !== undefined)
    return isIn('transport.awaitingEnvelope', delivery.states) ? SCREENING_LOOK_MS : DELIVERY_LOOK_MS;
  return isIn('fulfilment.screening', order.states) ? SCREENING_LOOK_MS : LOOK_MS;
}
