// The delivery workers' process.

import { systemClock } from '../../runtime/index.ts';
import { DELIVERY, ORDERING } from '../contract/index.ts';
import { httpPartners } from '../partners/index.ts';
import { people } from '../people/index.ts';
import { runWorker } from '../worker.ts';
import { deliveryCharts } from './registration.ts';

await runWorker({
  name: 'delivery',
  namespace: DELIVERY,
  charts: async (open, settings, log) => {
    // The vault lies beside the ordering context, where applications are filed; the code follows from our own namespace.
    const [vault, own] = [people(await open(ORDERING)), await open(DELIVERY)];
    const partners = httpPartners({ url: settings.partnersUrl, people: vault, bookings: own, clock: systemClock, log });
    return deliveryCharts({ partners, digest: own.digest });
  },
});
