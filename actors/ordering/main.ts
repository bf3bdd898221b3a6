// The ordering workers' process.

import { systemClock } from '../../runtime/index.ts';
import { ORDERING } from '../contract/index.ts';
import { httpPartners } from '../partners/index.ts';
import { people } from '../people/index.ts';
import { runWorker } from '../worker.ts';
import { orderingCharts } from './registration.ts';

await runWorker({
  name: 'ordering',
  namespace: ORDERING,
  charts: async (open, settings, log) => {
    const vault = people(await open(ORDERING));
    return orderingCharts(httpPartners({ url: settings.partnersUrl, people: vault, clock: systemClock, log }));
  },
});
