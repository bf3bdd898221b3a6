// Failures of the next calls, wished for one effect and perhaps one subject. In memory: a restart forgets them.

import { type Static, Type } from 'typebox';
import { closed, id, oneOf, word } from '../../contract/schema.ts';

/** An answer that nobody can use: the connection breaks before it or within it, or noise comes. */
export type Spoilt = 'lost' | 'half' | 'malformed';

export const NextFailure = closed({
  effect: word,
  /** An order or a delivery; any when absent. */
  subject: Type.Optional(id),
  /** `error`, `limit`: nothing was done. `lost`, `half`, `malformed`: done, and the answer is of no use. `refuse`: a no for good. */
  how: oneOf('error', 'limit', 'lost', 'half', 'malformed', 'refuse'),
  times: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
});
export type NextFailure = Static<typeof NextFailure>;

const WISHES_MAX = 10_000;

export class NextFailures {
  readonly #wishes = new Map<string, { readonly how: NextFailure['how']; left: number }>();

  /** False: too many wishes are open. */
  wish({ effect, subject, how, times = 1 }: NextFailure): boolean {
    const name = nameOf(effect, subject);
    if (this.#wishes.size >= WISHES_MAX && !this.#wishes.has(name)) return false;
    this.#wishes.set(name, { how, left: times });
    return true;
  }

  /** What befalls this call; counts it. The subjects come first, then what was wished for any. */
  next(effect: string, subjects: readonly string[]): NextFailure['how'] | undefined {
    if (this.#wishes.size === 0) return undefined;
    for (const name of [...subjects.map((subject) => nameOf(effect, subject)), nameOf(effect)]) {
      const wish = this.#wishes.get(name);
      if (wish === undefined) continue;
      wish.left -= 1;
      if (wish.left === 0) this.#wishes.delete(name);
      return wish.how;
    }
    return undefined;
  }

  clear(): void {
    this.#wishes.clear();
  }
}

const nameOf = (effect: string, subject = ''): string => `${effect}|${subject}`;
