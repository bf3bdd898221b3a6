// The ordering workers' process.

import type { Client } from '../../runtime/client.ts';
import { actorId } from '../../runtime/ids.ts';
import { systemClock } from '../../runtime/index.ts';
import { DELIVERY, ORDERING, SWEEP } from '../contract/index.ts';
import { httpPartners } from '../partners/index.ts';
import { openPeople } from '../people/index.ts';
import { reconcile } from '../reconcile.ts';
import { runWorker } from '../worker.ts';
import { startRetention } from './privacy-charts.ts';
import { orderingCharts } from './registration.ts';

const SWEEP_EVERY_MS = 15 * 60_000; // Real time, however fast the namespace plays: it mends what servers did.

await runWorker({
  name: 'ordering',
  namespace: ORDERING,
  charts: async (open, settings, log) => {
    const own = await open(ORDERING);
    const vault = openPeople(own, settings);
    await beginSweep(own);
    await startRetention(own, vault);
    const partners = httpPartners({ url: settings.partnersUrl, people: vault, clock: systemClock, log });
    // Opened when it is first needed: this context starts and runs while the other one is down.
    let peer: Promise<Client> | undefined;
    return orderingCharts({
      partners,
      privacy: { people: vault, orders: own },
      reconcile: async (signal) => {
        peer ??= open(DELIVERY);
        return reconcile({ ordering: own, delivery: await peer, clock: systemClock, signal });
      },
    });
  },
});

/** One for the namespace, whoever starts first; later ones find it there (M1). */
async function beginSweep(client: Client): Promise<void> {
  const create = { machine: 'sweep', input: { everyMs: SWEEP_EVERY_MS * client.timeScale } };
  await client.send({ actor: actorId(SWEEP), event: { type: 'BEGIN' }, messageId: 'begin', create });
}
