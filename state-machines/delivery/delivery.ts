// Delivery: one envelope, brought to one person, by one method; in as many attempts as it takes, up to the limit.
//
//   DL1  The envelope changes hands only with its own barcode, and is handed over only with every proof the product asks
//        for. No neighbour, no letter box but for what asks for none.
//   DL2  A delivery that is stopped while somebody has the envelope ends returned, lost or stolen, never cancelled.
//   DL3  Handover and recall meet in this actor: whichever it commits first, the other one finds it done.
//   DL4  One attempt has one one-time code, five tries and one end. The next attempt has another code.
//   DL5  Every published event carries the delivery's count, one higher each time.
//   DL6  Every end of the transport ends appointment, route and custody, except for an envelope in the vault; a handover
//        can be disputed for thirty days, and then it ends too.
//   DL7  Every state that waits for a person or a carrier has a timer, or a dispatcher's event, that leads out of it.
//   DL8  A place in a slot or in a run is given by that slot's or run's own actor, in one step; never more than there are.
//
// Five regions side by side: transport ∥ appointment ∥ custody ∥ route ∥ claim. Pure: no clock, no I/O, no ids made here; the
// transition ids in `description` are those of the specification.

import { appointment } from './appointment.ts';
import { claim } from './claim.ts';
import { newDelivery } from './context.ts';
import { custody } from './custody.ts';
import { delivering } from './delivery-setup.ts';
import { route } from './route.ts';
import { restated } from './standing.ts';
import { transport } from './transport.ts';

export const delivery = delivering.createMachine({
  id: 'delivery',
  context: ({ input }) => newDelivery(input),
  type: 'parallel',
  states: { transport, appointment, custody, route, claim },
  on: { 'delivery.restate': restated },
});
