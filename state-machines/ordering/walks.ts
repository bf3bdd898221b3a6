// Ways to a place in the order chart, as the tests take them: each ends where its name says, with a fresh walk.

import { type Walk, walk } from '../walk.ts';
import type { OrderInput } from './context.ts';
import { order } from './order.ts';

export const by = 'usr_1';
export const application: OrderInput = {
  orderId: 'ord_3kTabcdefghijklmnopqrstuv',
  userId: by,
  personRef: 'ppl_abcdefghijklmnopqrstuv',
  addressRef: 'ppl_abcdefghijklmnopqrstuw',
  productCode: 'debit_classic',
  cardType: 'debit',
  paymentSystem: 'mir',
  designId: 'classic',
  currency: 'EUR',
  country: 'DE',
  ageYears: 33,
  method: 'courier',
  verification: { idCheck: true, otp: true, signature: true, photo: false },
  consents: ['personal_data', 'contract'],
  phoneVerified: true,
  locale: 'de',
};

// --- Given: ways to a place ---

export const drafted = (more: Partial<OrderInput> = {}): Walk => walk(order, { ...application, ...more });

export function screened(more: Partial<OrderInput> = {}): Walk {
  const w = drafted(more);
  w.send({ type: 'SUBMIT', by });
  if (w.in('fulfilment.reserving')) w.send({ type: 'KEY_GRANTED' });
  return w;
}

/** All checks but identity are answered; `kyc.start` is acknowledged. */
export function allButIdentity(more: Partial<OrderInput> = {}): Walk {
  const w = screened(more);
  if (w.in('fulfilment.screening.identity.pending')) w.done('kyc.start', { verificationId: 'ver_1' });
  w.done('aml.screen', { result: 'clear' });
  w.done('eligibility.check', { eligible: true, risk: 'low' });
  w.done('address.validate', { result: 'likely_deliverable', inZone: true });
  return w;
}

export function approved(more: Partial<OrderInput> = {}): Walk {
  const w = allButIdentity(more);
  w.send({ type: 'KYC_APPROVED', nameMatch: true, risk: 'low' });
  return w;
}

export function withCard(more: Partial<OrderInput> = {}): Walk {
  const w = approved(more);
  w.done('card.create', { cardId: 'crd_1', last4: '4242', expiry: '2031-05' });
  return w;
}

export function submitted(more: Partial<OrderInput> = {}): Walk {
  const w = withCard(more);
  w.send({ type: 'PLASTIC_RESERVED', designId: 'classic' });
  w.fire('editWindow');
  w.send({ type: 'BATCH_CLOSED', batchId: 'bat_main_1' });
  return w;
}
export const jobId = 'job_3kTabcdefghijklmnopqrstuv_1';
export const secondJob = 'job_3kTabcdefghijklmnopqrstuv_2';

export function printed(more: Partial<OrderInput> = {}): Walk {
  const w = submitted(more);
  w.done('bureau.submit', {});
  w.send({ type: 'BUREAU_ACK', jobId });
  w.send({ type: 'PRINT_STARTED', jobId });
  w.send({ type: 'PRINTED', jobId, envelopeId: 'ENV-1' });
  return w;
}

/** A published event of the order's delivery, with the next count. */
export function publish(w: Walk, type: string, fields: object = {}): boolean {
  const { seq, version } = w.context.delivery;
  return w.send({
    type,
    schemaVersion: 1,
    orderId: application.orderId,
    deliveryId: `dlv_3kT_${seq}`,
    seq,
    deliveryVersion: version + 1,
    ...fields,
  });
}

export function outForDelivery(more: Partial<OrderInput> = {}): Walk {
  const w = printed(more);
  publish(w, 'DeliveryAccepted');
  publish(w, 'AppointmentConfirmed', { slotId: 'slt_1', from: 1, to: 2 });
  publish(w, 'DeliveryDispatched');
  publish(w, 'DeliveryOutForDelivery');
  return w;
}
export const proofs = application.verification;

export function handedOver(more: Partial<OrderInput> = {}): Walk {
  const w = outForDelivery(more);
  publish(w, 'DeliveryHandedOver', { proofs });
  return w;
}

export function completed(more: Partial<OrderInput> = {}): Walk {
  const w = handedOver(more);
  w.send({ type: 'ACTIVATE', by, proof: 'last4', last4: '4242' });
  w.done('card.activate', {});
  return w;
}

export const cancel = { type: 'CANCEL', by, reason: 'changed_mind' };
export const commands = (w: Walk): unknown[] =>
  w.said('commandDelivery').map(({ command }) => (command as { type: string }).type);
export const lastNotice = (w: Walk): unknown => w.said('notify').at(-1)?.template;
export const open = (w: Walk): string[] => w.effects.map(({ id }) => id).sort();
