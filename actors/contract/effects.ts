// What the charts ask of the outside world: for each effect its input, its output and its business key.
//
// The business key names the act, not the call: whatever is retried, redriven or asked anew under one key happens at
// most once at the partner, and the audit counts by it. The runtime's idempotency key (E2) goes along as a header.
// An outcome `failed` carries `{code, detail?}`; what a chart does about it is at its `onError`.

import { type Static, type TSchema, Type } from 'typebox';
import { method, paymentSystem } from './ordering.ts';
import { closed, count, country, id, ms, oneOf, word } from './schema.ts';

/** Who carries the effect out; also the name of the circuit that guards it (E3). `local` needs nobody. */
export type Partner = 'kyc' | 'aml' | 'credit' | 'issuer' | 'bureau' | 'carrier' | 'notify' | 'local';

interface EffectContract<I extends TSchema, O extends TSchema> {
  readonly partner: Partner;
  readonly input: I;
  readonly output: O;
  readonly key: (input: Static<I>) => string;
}
const effect = <I extends TSchema, O extends TSchema>(contract: EffectContract<I, O>): EffectContract<I, O> => contract;

export const cardCloseReason = oneOf(
  'lost',
  'stolen',
  'compromised',
  'damaged',
  'expired',
  'cancelled',
  'undeliverable',
  'replaced',
  'failed',
);
export const risk = oneOf('low', 'medium', 'high');
const nothing = closed({});
const slot = closed({ slotId: id, from: ms, to: ms });

export const effects = {
  // --- Screening ---
  /** Starts a verification. The verdict comes by callback: KYC_APPROVED, KYC_REJECTED, KYC_RESUBMIT, KYC_IN_REVIEW, KYC_EXPIRED. */
  'kyc.start': effect({
    partner: 'kyc',
    input: closed({ orderId: id, attempt: count, personRef: id }),
    output: closed({ verificationId: id }),
    key: ({ orderId, attempt }) => `${orderId}:${attempt}`,
  }),
  'aml.screen': effect({
    partner: 'aml',
    input: closed({ orderId: id, personRef: id, listVersion: word }),
    output: closed({ result: oneOf('clear', 'potential_match', 'confirmed_match') }),
    key: ({ orderId, listVersion }) => `${orderId}:${listVersion}`,
  }),
  /** The product's own rules: age, country, card type. */
  'eligibility.check': effect({
    partner: 'local',
    input: closed({ orderId: id, productCode: word, country, ageYears: Type.Integer() }),
    output: closed({ eligible: Type.Boolean(), reason: Type.Optional(word), risk }),
    key: ({ orderId }) => orderId,
  }),
  /** Is there a house, and does the method reach it? */
  'address.validate': effect({
    partner: 'carrier',
    input: closed({ orderId: id, addressRef: id, method, country }),
    output: closed({
      result: oneOf('likely_deliverable', 'likely_undeliverable', 'indeterminate'),
      inZone: Type.Boolean(),
    }),
    key: ({ addressRef, method }) => `${addressRef}:${method}`,
  }),
  'credit.decide': effect({
    partner: 'credit',
    input: closed({ orderId: id, personRef: id, productCode: word, currency: word }),
    /** `limitMinor` is integer minor units as text; with `counter_offered` the customer has to accept it. */
    output: closed({ decision: oneOf('approved', 'declined', 'counter_offered'), limitMinor: Type.Optional(word) }),
    key: ({ orderId }) => orderId,
  }),

  // --- Card record at the issuer's processor. No PAN, CVV or PIN, ever ---
  'card.create': effect({
    partner: 'issuer',
    input: closed({ orderId: id, personRef: id, productCode: word, paymentSystem, designId: word, currency: word }),
    output: closed({
      cardId: id,
      last4: Type.String({ pattern: '^[0-9]{4}$' }),
      expiry: Type.String({ pattern: '^[0-9]{4}-[0-9]{2}$' }),
    }),
    key: ({ orderId }) => orderId,
  }),
  /** `n` counts the order's activations. */
  'card.activate': effect({
    partner: 'issuer',
    input: closed({ orderId: id, cardId: id, n: count }),
    output: nothing,
    key: ({ cardId, n }) => `${cardId}:activate:${n}`,
  }),
  /** Stops the card for a while. Of a card that is closed: failed with `card_closed`. `n` counts suspensions. */
  'card.suspend': effect({
    partner: 'issuer',
    input: closed({ orderId: id, cardId: id, n: count }),
    output: nothing,
    key: ({ cardId, n }) => `${cardId}:suspend:${n}`,
  }),
  /** Back to what the card was before suspension number `n`: inactive or active. */
  'card.resume': effect({
    partner: 'issuer',
    input: closed({ orderId: id, cardId: id, n: count }),
    output: nothing,
    key: ({ cardId, n }) => `${cardId}:resume:${n}`,
  }),
  /** For good, from any state. Of a card that is closed already: done. */
  'card.close': effect({
    partner: 'issuer',
    input: closed({ orderId: id, cardId: id, reason: cardCloseReason }),
    output: nothing,
    key: ({ cardId, reason }) => `${cardId}:${reason}`,
  }),

  // --- Bureau ---
  /** One job in a closed batch. What becomes of it comes by callback: BUREAU_ACK … PRINTED. Also the resend after silence. */
  'bureau.submit': effect({
    partner: 'bureau',
    input: closed({
      orderId: id,
      jobId: id,
      batchId: id,
      cardId: id,
      personRef: id,
      productCode: word,
      designId: word,
    }),
    output: nothing,
    key: ({ batchId, jobId }) => `${batchId}:${jobId}`,
  }),
  /**
   * `withdrawn` before print; `intercepted` after it: the envelope was caught and destroyed; `shipped`: too late, the hub
   * has it, and the delivery brings it back. A job the bureau never got is withdrawn too.
   */
  'bureau.withdraw': effect({
    partner: 'bureau',
    input: closed({ orderId: id, jobId: id }),
    output: closed({ outcome: oneOf('withdrawn', 'intercepted', 'shipped') }),
    key: ({ jobId }) => jobId,
  }),

  // --- Hub and carrier ---
  /** Tells the hub which envelope to expect for whom. The hub's scan comes by callback: ENVELOPE_READY. */
  'carrier.preadvise': effect({
    partner: 'carrier',
    input: closed({ orderId: id, deliveryId: id, envelopeId: word, method, country }),
    output: nothing,
    key: ({ deliveryId }) => deliveryId,
  }),
  /**
   * Books a courier for an appointment. `seq` counts the bookings of a delivery: each attempt, and each new search, is
   * one. Who comes follows by callback: COURIER_FOUND or COURIER_NOT_FOUND, then COURIER_ARRIVED.
   */
  'carrier.createShipment': effect({
    partner: 'carrier',
    input: closed({
      orderId: id,
      deliveryId: id,
      seq: count,
      envelopeId: word,
      method,
      personRef: id,
      addressRef: id,
      country,
      slot,
    }),
    output: closed({ shipmentId: id, carrier: word, trackingNumber: Type.Optional(word) }),
    key: ({ deliveryId, seq }) => `${deliveryId}:${seq}`,
  }),
  /** Gives a booking back. Of one that was never made, or is over: done. */
  'carrier.void': effect({
    partner: 'carrier',
    input: closed({ orderId: id, deliveryId: id, seq: count }),
    output: nothing,
    key: ({ deliveryId, seq }) => `${deliveryId}:${seq}:void`,
  }),

  // --- Messages to people ---
  /** The handler computes the code from delivery and attempt (`client.digest`); it is in no event and no record. */
  'otp.send': effect({
    partner: 'notify',
    input: closed({ deliveryId: id, attempt: count, n: count, personRef: id, locale: word }),
    output: nothing,
    key: ({ deliveryId, attempt, n }) => `${deliveryId}:${attempt}:${n}`,
  }),
  /** `subject` is the order or delivery; `n` tells repeats of one template apart. */
  notify: effect({
    partner: 'notify',
    input: closed({ subject: id, personRef: id, locale: word, template: word, n: count }),
    output: nothing,
    key: ({ subject, template, n }) => `${subject}:${template}:${n}`,
  }),
} as const;

export type EffectName = keyof typeof effects;
export type EffectInput<N extends EffectName> = Static<(typeof effects)[N]['input']>;
export type EffectOutput<N extends EffectName> = Static<(typeof effects)[N]['output']>;

/** The act that a call stands for. Equal keys of one effect happen at most once. */
export const businessKey = <N extends EffectName>(name: N, input: EffectInput<N>): string =>
  (effects[name].key as (input: EffectInput<N>) => string)(input); // Each entry's `key` takes its own input.
