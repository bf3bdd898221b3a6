// The app: a surface from its parts. Four surfaces, each on a listener of its own, share the frame and the gate.

import type { FastifyInstance } from 'fastify';
import { installGate } from './auth/gate.ts';
import { createFrame, registerProblems, type SurfaceName } from './frame.ts';
import { registerLive } from './live/upgrade.ts';
import type { Parts } from './parts.ts';
import { registerBulk } from './routes/bulk.ts';
import { registerCards } from './routes/cards.ts';
import { registerChanges } from './routes/changes.ts';
import { registerCourier } from './routes/courier.ts';
import { registerDelivery } from './routes/delivery.ts';
import { registerDocuments } from './routes/documents.ts';
import { registerDevelopmentTokens, registerInternal } from './routes/internal.ts';
import { registerOrders } from './routes/orders.ts';
import { registerPartners } from './routes/partner.ts';
import { registerPrivacy, registerPrivacyDesk } from './routes/privacy.ts';
import { registerSimulators } from './routes/simulators.ts';
import { registerSla } from './routes/sla.ts';
import { registerTasks } from './routes/tasks.ts';

export const surfaces: readonly SurfaceName[] = ['public', 'internal', 'courier', 'partner'];

/** Builds one surface, ready to listen or to be injected. Closing it ends its listener, not the parts. */
export async function createSurface(name: SurfaceName, parts: Parts): Promise<FastifyInstance> {
  const app = createFrame(name, parts);
  installGate(app, parts.tokens);
  registerProblems(app);
  switch (name) {
    case 'public':
      await registerLive(app, parts);
      registerOrders(app, parts);
      registerChanges(app, parts);
      registerDelivery(app, parts);
      registerCards(app, parts);
      registerDocuments(app, parts);
      registerPrivacy(app, parts);
      break;
    case 'internal':
      registerInternal(app, parts);
      registerPrivacyDesk(app, parts);
      registerTasks(app, parts);
      registerSla(app, parts);
      registerBulk(app, parts);
      registerDevelopmentTokens(app, parts);
      registerSimulators(app, parts);
      break;
    case 'courier':
      registerCourier(app, parts);
      break;
    case 'partner':
      registerPartners(app, parts);
      break;
  }
  await app.ready();
  return app;
}
