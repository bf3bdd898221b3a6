// The partners of a simulated run: they act once per idempotency key, answer again what they answered first, and are as
// unreliable as their network. What they did is their ledger.
//
// Where a server lost its tail, the same work may be done anew as another step, so under another key: then the business key
// decides (E2). Without such a loss another key is another act, so that I4 finds a runtime that changes its keys.

import type { EffectCall, EffectOutcome, EffectRegistration } from '../../hosting.ts';
import { effect } from '../../hosting.ts';
import type { LedgerAct } from '../audit/evidence.ts';
import type { Dice } from './dice.ts';
import type { Scheduler, Subject } from './scheduler.ts';
import type { SimulatedProcess } from './simulated-process.ts';

const TIMEOUT_MS = 300;
const POLICY = { timeoutMs: TIMEOUT_MS, firstDelayMs: 20, maxDelayMs: 200, attempts: 1_000, deadlineMs: 600_000 };

export class Partners implements Subject {
  readonly name = 'partner';
  readonly state = 'running';
  /** While false every call arrives and is answered soon. */
  faulty = true;
  readonly ledger: LedgerAct[] = [];
  readonly #scheduler: Scheduler;
  readonly #dice: Dice;
  readonly #hasLostTail: () => boolean;
  readonly #answers = new Map<string, EffectOutcome>();

  constructor(scheduler: Scheduler, dice: Dice, hasLostTail: () => boolean) {
    this.#scheduler = scheduler;
    this.#dice = dice;
    this.#hasLostTail = hasLostTail;
  }

  keep(): void {
    throw new Error('a partner does not freeze');
  }

  /** How the partner is called by a worker of this process. */
  effect(process: SimulatedProcess, name: string, more: Partial<EffectRegistration> = {}): EffectRegistration {
    return effect((call) => this.#call(process, name, call), { policy: POLICY, ...more });
  }

  /** Over the network and back; each way may fail, and then nobody answers. */
  #call(process: SimulatedProcess, name: string, call: EffectCall): Promise<EffectOutcome> {
    return new Promise((resolve) => {
      process.emit(() => {
        if (this.#isLost()) return;
        this.#scheduler.schedule(this.#scheduler.now + this.#travel(), this, `acts ${name} ${call.key}`, () => {
          const outcome = this.#act(name, call);
          if (this.#isLost()) return;
          const at = this.#scheduler.now + this.#travel();
          this.#scheduler.schedule(at, process, `hears of ${name} ${call.key}`, () => resolve(outcome));
        });
      });
    });
  }

  #isLost = (): boolean => this.faulty && this.#dice.chance(0.1);

  #travel(): number {
    if (!this.faulty) return this.#dice.between(0.5, 3);
    return this.#dice.chance(0.1) ? this.#dice.between(0, 2 * TIMEOUT_MS) : this.#dice.between(0.5, 20);
  }

  #act(name: string, { key, attempt, actor, input }: EffectCall): EffectOutcome {
    const businessKey = `${actor} ${String(input.id)}`;
    if (this.faulty && this.#dice.chance(0.08)) return { kind: 'unknown', reason: 'busy' }; // Before it did anything.
    const work = `${name} ${businessKey}`;
    const known = this.#answers.get(key) ?? (this.#hasLostTail() ? this.#answers.get(work) : undefined);
    this.ledger.push({ name, key, attempt, actor, businessKey, acts: known === undefined ? 1 : 0 });
    if (known !== undefined) return known;
    const outcome: EffectOutcome = this.#dice.chance(0.2)
      ? { kind: 'failed', error: { code: 'no' } }
      : { kind: 'done', output: name };
    for (const one of [key, work]) this.#answers.set(one, outcome);
    return this.faulty && this.#dice.chance(0.1) ? { kind: 'unknown', reason: 'acted, and does not know' } : outcome;
  }
}
