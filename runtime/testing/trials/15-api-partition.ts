// Trial 15: the api process is parted from Redis, and workers are not. It needs the processes of the business, of which the
// runtime knows nothing: what it does is in cli/trials, loaded by path when it runs.

import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const PLACE = '../../../cli/trials/15-api-partition.js'; // Seen from the compiled file.

export const apiPartition: Trial = {
  number: 15,
  name: 'api-partition',
  fault:
    'the api alone is parted from Redis for 8 s: by a cut, silently, and of replies only; orders are placed and cancelled over HTTP',
  expects: 'every write is answered 503 within 5 s and the api is not ready; workers go on; a retry has the one answer',
  seconds: 40,
  async run(stage) {
    const { partApi } = (await import(new URL(PLACE, import.meta.url).href)) as {
      readonly partApi: (stage: Stage) => Promise<void>;
    };
    await partApi(stage);
  },
};
