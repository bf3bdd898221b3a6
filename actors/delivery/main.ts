// The delivery workers' process.

import { OperatingError, systemClock } from '../../runtime/index.ts';
import { type Catalogue, CatalogueError, loadCatalogue } from '../contract/catalogue.ts';
import { DELIVERY, ORDERING } from '../contract/index.ts';
import { httpPartners } from '../partners/index.ts';
import { openPeople } from '../people/index.ts';
import { runWorker } from '../worker.ts';
import { deliveryCharts } from './registration.ts';

await runWorker({
  name: 'delivery',
  namespace: DELIVERY,
  charts: async (open, settings, log) => {
    const catalogue = catalogueOf(settings.catalogueDir);
    // The vault lies beside the ordering context, where applications are filed; the code follows from our own namespace.
    const [vault, own] = [openPeople(await open(ORDERING), settings), await open(DELIVERY)];
    const partners = httpPartners({ url: settings.partnersUrl, people: vault, bookings: own, clock: systemClock, log });
    return deliveryCharts({ partners, catalogue, people: vault, digest: own.digest });
  },
});

/** Nobody is served by half a catalogue: the process ends and says what is wrong with it. */
function catalogueOf(folder: string | undefined): Catalogue {
  try {
    return loadCatalogue(folder);
  } catch (error) {
    if (!(error instanceof CatalogueError)) throw error;
    throw new OperatingError(error.code, error.message, { retry: 'never' });
  }
}
