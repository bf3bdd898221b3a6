// Fault rules: which requests meet which fault. Decided in the order in which requests arrive, with a seeded generator, so
// that the same requests under the same seed meet the same faults.

import type { Random } from '../oracle.ts';
import type { RedisReply } from '../redis-probe.ts';

/** Milliseconds, or from … to, drawn evenly. */
export type Span = number | readonly [from: number, to: number];

export type Fault =
  /** Executed; its reply never arrives, and its connection is cut. What was sent behind it is executed, too. */
  | { readonly kind: 'lose-reply' }
  /** It never arrives, and its connection is cut: a request that vanishes from a living stream would be TCP's own failure. */
  | { readonly kind: 'lose-request' }
  /** It, or its reply, arrives later; so does what comes behind it on that connection, in order. */
  | { readonly kind: 'delay'; readonly requestMs?: Span; readonly replyMs?: Span }
  /** It arrives twice in a row. The second reply is swallowed. */
  | { readonly kind: 'repeat' }
  /** As `lose-request`, and kept: `held` delivers it later, on a connection of its own. Needs `times`. */
  | { readonly kind: 'hold' }
  /** From it on nothing passes on that connection, and both sockets stay open until `heal`. */
  | { readonly kind: 'half-open' };

export interface FaultRule {
  readonly fault: Fault;
  /** A command's name in any case, or a look at the words, the command first. Default: every request. */
  readonly of?: string | ((words: readonly string[]) => boolean);
  /** How likely each of them is met, 0 … 1. Default 1. */
  readonly chance?: number;
  /** How many of them go by first. Default 0. */
  readonly skip?: number;
  /** After how many faults the rule ends. Default: never. */
  readonly times?: number;
}

/** A request that was held back. */
export interface HeldCommand {
  readonly command: readonly string[];
  /** Sends it now and gives its reply. Rejects with the server's words on an error reply. */
  deliver(): Promise<RedisReply>;
}

/** A rule at work. */
export interface StandingRule {
  /** Requests it has met so far. */
  readonly hits: number;
  /** What it holds back, oldest first. */
  readonly held: readonly HeldCommand[];
  /** Resolves when so many faults have happened: a lost reply counts when it was there to be lost. */
  happened(times?: number): Promise<void>;
  remove(): void;
}

const HELD_MAX = 1_000; // Kept in memory until delivered or closed.

/** What the proxy does about one request. `done` is called when it has happened. */
export interface Sentence {
  readonly fault: Fault;
  readonly done: (held?: HeldCommand) => void;
}

export class FaultRules {
  readonly #random: Random;
  #rules: readonly Standing[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Later rules are asked after earlier ones; the first that matches decides. Throws TypeError on a rule that cannot be. */
  add(rule: FaultRule): StandingRule {
    check(rule);
    const standing = new Standing(rule, () => {
      this.#rules = this.#rules.filter((one) => one !== standing);
    });
    this.#rules = [...this.#rules, standing];
    return standing;
  }

  clear(): void {
    this.#rules = [];
  }

  judge(words: readonly string[]): Sentence | undefined {
    for (const rule of this.#rules) {
      const sentence = rule.judge(words, this.#random);
      if (sentence !== undefined) return sentence;
    }
    return undefined;
  }

  draw(span: Span | undefined): number {
    if (span === undefined || typeof span === 'number') return span ?? 0;
    return span[0] + this.#random() * (span[1] - span[0]);
  }
}

class Standing implements StandingRule {
  readonly #rule: FaultRule;
  readonly #matches: (words: readonly string[]) => boolean;
  readonly remove: () => void;
  readonly held: HeldCommand[] = [];
  hits = 0;
  #seen = 0;
  #happened = 0;
  #waiting: { readonly times: number; readonly tell: () => void }[] = [];

  constructor(rule: FaultRule, remove: () => void) {
    this.#rule = rule;
    this.remove = remove;
    const { of } = rule;
    if (of === undefined) this.#matches = () => true;
    else if (typeof of === 'string') this.#matches = ([name]) => name?.toUpperCase() === of.toUpperCase();
    else this.#matches = of;
  }

  judge(words: readonly string[], random: Random): Sentence | undefined {
    const { fault, chance = 1, skip = 0, times = Number.POSITIVE_INFINITY } = this.#rule;
    if (!this.#matches(words)) return undefined;
    this.#seen += 1;
    if (this.#seen <= skip || (chance < 1 && random() >= chance)) return undefined;
    this.hits += 1;
    if (this.hits >= times) this.remove();
    return { fault, done: (held) => this.#done(held) };
  }

  happened(times = 1): Promise<void> {
    return new Promise((tell) => {
      this.#waiting.push({ times, tell });
      this.#tell();
    });
  }

  #done(held: HeldCommand | undefined): void {
    this.#happened += 1;
    if (held !== undefined) this.held.push(held);
    this.#tell();
  }

  #tell(): void {
    for (const { times, tell } of this.#waiting) if (times <= this.#happened) tell();
    this.#waiting = this.#waiting.filter(({ times }) => times > this.#happened);
  }
}

function check({ fault, chance = 1, skip = 0, times }: FaultRule): void {
  if (!(chance >= 0 && chance <= 1)) throw new TypeError(`chance is a number from 0 to 1, not ${chance}`);
  if (!(Number.isSafeInteger(skip) && skip >= 0)) throw new TypeError(`skip is a whole number from 0 on, not ${skip}`);
  if (times !== undefined && !(Number.isSafeInteger(times) && times > 0))
    throw new TypeError(`times is a whole number from 1 on, not ${times}`);
  if (fault.kind === 'hold' && (times ?? HELD_MAX + 1) > HELD_MAX)
    throw new TypeError(`what is held back is kept: give times, 1 to ${HELD_MAX}`);
}
