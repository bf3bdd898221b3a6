// What the live topics show first: an order's resource without the vault, a customer's orders, the whole floor.

import { applicantIdOf } from '../actors/contract/index.ts';
import type { Client } from '../runtime/client.ts';
import { maySee } from './auth/access.ts';
import type { Pictures } from './live/topics.ts';
import type { ActorId } from './parts.ts';
import { faceOfView } from './resource/face.ts';
import { factsOf, orderStatus } from './resource/order.ts';

export function picturesOf(client: Client): Pictures {
  return {
    order(view, principal) {
      if (view === undefined || !maySee(view, principal)) return undefined;
      const { delivery, card } = factsOf(view.context);
      return {
        ...orderStatus({ orderId: view.actor, version: view.announced, face: faceOfView(view) }),
        deliveryId: delivery.deliveryId,
        hasCard: card !== null,
      };
    },
    /** The unfinished orders: the applicant actor knows them. Finished ones are the read model's. */
    async mine(principal) {
      const applicant = await client.read(applicantIdOf(principal.subject) as ActorId); // A derived id of the contract.
      const active = Object.values((applicant?.context.active ?? {}) as Record<string, ActorId>);
      const views = (await client.readMany(active)).filter((view) => view !== undefined && maySee(view, principal));
      return {
        orders: views.map(
          (view) => view && orderStatus({ orderId: view.actor, version: view.announced, face: faceOfView(view) }),
        ),
      };
    },
    async all() {
      return { population: Object.fromEntries(await client.population('order')) };
    },
  };
}
