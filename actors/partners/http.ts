// The partners over HTTP: one adapter each, which speaks its partner's own contract. Holds no state; sockets are kept alive by the
// platform.

import { billingOver } from './adapters/billing.ts';
import { bureauOver } from './adapters/bureau.ts';
import { carrierOver } from './adapters/carriers.ts';
import { issuerOver } from './adapters/issuer.ts';
import { notificationsOver } from './adapters/notifications.ts';
import { screeningOver } from './adapters/screening.ts';
import { asking, type HttpPartnersOptions } from './asking.ts';
import type { Partners } from './ports.ts';

export type { HttpPartnersOptions } from './asking.ts';

export function httpPartners(options: HttpPartnersOptions): Partners {
  const room = asking(options);
  return {
    screening: screeningOver(room),
    issuer: issuerOver(room),
    bureau: bureauOver(room),
    carrier: carrierOver(room),
    notifications: notificationsOver(room),
    billing: billingOver(room),
  };
}
