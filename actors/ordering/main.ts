// The ordering workers' process.

import { systemClock } from '../../runtime/index.ts';
import { ORDERING } from '../contract/index.ts';
import { httpPartners } from '../partners/index.ts';
import { openPeople } from '../people/index.ts';
import { runWorker } from '../worker.ts';
import { startRetention } from './privacy-charts.ts';
import { orderingCharts } from './registration.ts';

await runWorker({
  name: 'ordering',
  namespace: ORDERING,
  charts: async (open, settings) => {
    const client = await open(ORDERING);
    const vault = openPeople(client, settings);
    await startRetention(client, vault);
    const partners = httpPartners({ url: settings.partnersUrl, people: vault, clock: systemClock });
    return orderingCharts(partners, { people: vault, orders: client });
  },
});
