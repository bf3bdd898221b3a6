// Trial 42: personal data are nowhere in the open, and nowhere at all for who has no key. It needs the processes of the
// business, of which the runtime knows nothing: what it does is in cli/trials, loaded by path when it runs.

import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const PLACE = '../../../cli/trials/42-canaries.js'; // Seen from the compiled file.

export const canaries: Trial = {
  number: 42,
  name: 'canaries',
  fault:
    'orders are played with words that exist nowhere else in every personal field and document; everything on disk and in logs is searched',
  expects: 'no word is found in any form but where it was planted in the open; of an erased person nothing can be read',
  seconds: 90,
  async run(stage) {
    const { seekCanaries } = (await import(new URL(PLACE, import.meta.url).href)) as {
      readonly seekCanaries: (stage: Stage) => Promise<void>;
    };
    await seekCanaries(stage);
  },
};
