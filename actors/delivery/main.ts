// The delivery workers' process.

import { systemClock } from '../../runtime/index.ts';
import { DELIVERY, ORDERING } from '../contract/index.ts';
import { httpPartners } from '../partners/index.ts';
import { openPeople } from '../people/index.ts';
import { runWorker } from '../worker.ts';
import { deliveryCharts } from './registration.ts';

await runWorker({
  name: 'delivery',
  namespace: DELIVERY,
  charts: async (open, settings) => {
    // The vault lies beside the ordering context, where applications are filed; the code follows from our own namespace.
    const [vault, own] = [openPeople(await open(ORDERING), settings), await open(DELIVERY)];
    const partners = httpPartners({ url: settings.partnersUrl, people: vault, clock: systemClock });
    return deliveryCharts({ partners, digest: own.digest });
  },
});
