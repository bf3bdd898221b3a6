// How far one owned shard is in domain time (T2). The namespace says where it goes; the owner brings it there between two of
// its commits, so that a step counts either wholly with the old time or wholly with the new.

import { Fenced } from '../commit/loss.ts';
import type { Scene } from '../commit/scene.ts';
import { advance } from '../functions/advance.ts';
import { command } from '../functions/call.ts';
import type { Token } from '../ids.ts';
import type { ShardKeys } from '../redis/keys.ts';
import { crashPoint } from '../testing/crash-points.ts';

export class ShardTime {
  readonly #scene: Scene;
  readonly #shard: { readonly keys: ShardKeys; readonly token: Token };
  readonly #onAdvance: () => void;
  #travelled = 0;

  /** `onAdvance`: what was passed over is due now. */
  constructor(scene: Scene, shard: { readonly keys: ShardKeys; readonly token: Token }, onAdvance: () => void) {
    this.#scene = scene;
    this.#shard = shard;
    this.#onAdvance = onAdvance;
  }

  /** Milliseconds of domain time that the timers of the shard have come nearer by. */
  get travelled(): number {
    return this.#travelled;
  }

  isBehind(): boolean {
    return this.#travelled < this.#scene.travelled();
  }

  /** What an owner before us has brought about. One round trip, none where the clock is real. */
  async read(): Promise<void> {
    const { batch, domain } = this.#scene;
    if (domain.isReal) return;
    const found = command(['HGET', this.#shard.keys.owner, 'travelled'], (reply) => Number(reply ?? 0));
    this.#travelled = await batch.run(found);
  }

  /** One round trip. Throws Fenced; without an answer the shard is in doubt, like after any write. */
  async advance(): Promise<void> {
    const { batch, timeScale } = this.#scene;
    const { keys, token } = this.#shard;
    crashPoint('before-advance');
    const there = await batch.run(advance(keys, token, this.#scene.travelled(), timeScale));
    if (there === undefined) throw new Fenced();
    crashPoint('after-advance');
    this.#travelled = there;
    this.#onAdvance();
  }
}
