// What the charts ask of the outside world: for each effect its input, its output and its business key.
//
// The business key names the act, not the call: whatever is retried, redriven or asked anew under one key happens at
// most once at the partner, and the audit counts by it. The runtime's idempotency key (E2) goes along as a header.
// An outcome `failed` carries `{code, detail?}`; what a chart does about it is at its `onError`.

import { type Static, type TSchema, Type } from 'typebox';
import { closed, count, country, id, ms, oneOf, word } from './schema.ts';
import { method, paymentSystem } from './words.ts';

/** Who carries the effect out; also the name of the circuit that guards it (E3). `local` needs nobody. */
export type Partner = 'kyc' | 'aml' | 'credit' | 'issuer' | 'bureau' | 'carrier' | 'notify' | 'billing' | 'local';

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
/** A class of data that a duty keeps; `until` in ms, absent while the relationship goes on. */
const kept = closed({ dataClass: word, duty: word, until: Type.Optional(ms) });

export const effects = {
  // --- Screening ---
  /** Starts a verification. The verdict comes by callback: KYC_APPROVED, KYC_REJECTED, KYC_RESUBMIT, KYC_IN_REVIEW, KYC_EXPIRED. */
  'kyc.start': effect({
    partner: 'kyc',
    input: closed({ orderId: id, attempt: count, personRef: id }),
    output: closed({ verificationId: id }),
    key: ({ orderId, attempt }) => `${orderId}:${attempt}`,
  }),
  /** The order was stopped: the verification is not needed any more. Of one that is decided or unknown: done. */
  'kyc.cancel': effect({
    partner: 'kyc',
    input: closed({ orderId: id, attempt: count }),
    output: nothing,
    key: ({ orderId, attempt }) => `${orderId}:${attempt}:cancel`,
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
    input: closed({ orderId: id, addressRef: id, method, country, pickupPointId: Type.Optional(id) }),
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

  /** The order was stopped: the offer is given back. Of an order that was never decided: done. */
  'credit.withdraw': effect({
    partner: 'credit',
    input: closed({ orderId: id }),
    output: nothing,
    key: ({ orderId }) => `${orderId}:withdraw`,
  }),

  // --- Card record at the issuer's processor. No PAN, CVV or PIN, ever ---
  'card.create': effect({
    partner: 'issuer',
    /** `reissueOf`: another plastic of that card, with the same number at the issuer, where it can. */
    input: closed({
      orderId: id,
      personRef: id,
      productCode: word,
      paymentSystem,
      designId: word,
      currency: word,
      reissueOf: Type.Optional(id),
    }),
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

  // --- Money ---
  /** Takes a fee. `amountMinor` is integer minor units as text. */
  'fee.charge': effect({
    partner: 'billing',
    input: closed({ orderId: id, userId: id, feeType: oneOf('issue'), amountMinor: word, currency: word }),
    output: nothing,
    key: ({ orderId, feeType }) => `${orderId}:${feeType}`,
  }),
  /** Gives a fee back. Of one that was never taken: done, and it cannot be taken any more. */
  'fee.refund': effect({
    partner: 'billing',
    input: closed({ orderId: id, userId: id, feeType: oneOf('issue'), amountMinor: word, currency: word }),
    output: nothing,
    key: ({ orderId, feeType }) => `${orderId}:${feeType}:refund`,
  }),

  // --- Between the contexts ---
  /** Compares every order that has a delivery outside with it, and has restated what was missed. Done here. */
  'deliveries.compare': effect({
    partner: 'local',
    input: closed({ round: count }),
    output: closed({ compared: Type.Integer({ minimum: 0 }), restated: Type.Integer({ minimum: 0 }) }),
    key: ({ round }) => `sweep:${round}`,
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
  /**
   * May the method serve this address or pickup point, by the zones of this context? Decided here, without a partner.
   * `distanceMetres` from the address before, where both have coordinates.
   */
  'zone.check': effect({
    partner: 'local',
    input: closed({
      deliveryId: id,
      method,
      addressRef: id,
      country,
      pickupPointId: Type.Optional(id),
      previousAddressRef: Type.Optional(id),
    }),
    output: closed({
      zoneId: Type.Optional(id),
      allowed: Type.Boolean(),
      alternatives: Type.Array(method, { maxItems: 6 }),
      /** Who carries the method there, in the order in which they are asked. */
      carriers: Type.Optional(Type.Array(word, { maxItems: 3 })),
      /** The point named, or the nearest one of the zone when none was. */
      pickupPointId: Type.Optional(id),
      stopsPerRun: Type.Optional(count),
      distanceMetres: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
    key: ({ deliveryId, addressRef, method: by, pickupPointId }) =>
      `${deliveryId}:${addressRef}:${by}:${pickupPointId ?? ''}`,
  }),
  /** What a slot's id means by the zones of this context. Decided here, without a partner. */
  'slot.terms': effect({
    partner: 'local',
    input: closed({ slotId: id }),
    output: closed({
      offered: Type.Boolean(),
      from: Type.Optional(ms),
      to: Type.Optional(ms),
      capacity: Type.Optional(count),
      leadMs: Type.Optional(ms),
    }),
    key: ({ slotId }) => slotId,
  }),
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
      /** The carrier asked: another one when the first could not be had. */
      carrier: Type.Optional(word),
      slot: Type.Optional(slot),
      pickupPointId: Type.Optional(id),
      service: Type.Optional(oneOf('standard', 'priority', 'express')),
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

  // --- Personal data: done in the vault, without a partner. The journal's entry of the outcome is the audit's ---
  /** Destroys the documents of an order, for good. Of an order without any: done. */
  'documents.shred': effect({
    partner: 'local',
    input: closed({ orderId: id, userId: id, why: word }),
    output: closed({ destroyed: Type.Integer({ minimum: 0 }) }),
    key: ({ orderId }) => `${orderId}:shred`,
  }),
  /** Destroys the person's key, and with it everything kept of him. `erased: false`: that was done before. */
  'people.erase': effect({
    partner: 'local',
    input: closed({ userId: id, requestId: id }),
    output: closed({ erased: Type.Boolean() }),
    key: ({ userId, requestId }) => `${userId}:${requestId}`,
  }),
  /** What stands against an erasure. `n` counts the looks of a request. At most 20 open orders are named. */
  'privacy.classify': effect({
    partner: 'local',
    input: closed({ requestId: id, userId: id, n: count }),
    output: closed({
      open: Type.Array(id, { maxItems: 20 }),
      legalHold: Type.Boolean(),
      kept: Type.Array(kept, { maxItems: 8 }),
      personRef: Type.Optional(id),
    }),
    key: ({ requestId, n }) => `${requestId}:classify:${n}`,
  }),
  /** Destroys what no duty keeps. `waitMs`: domain time until something of the rest may be due. */
  'privacy.prune': effect({
    partner: 'local',
    input: closed({ requestId: id, userId: id, n: count }),
    output: closed({ kept: Type.Array(kept, { maxItems: 8 }), waitMs: ms }),
    key: ({ requestId, n }) => `${requestId}:prune:${n}`,
  }),
  /** Puts a copy of everything kept of the person away for him. */
  'privacy.export': effect({
    partner: 'local',
    input: closed({ requestId: id, userId: id }),
    output: closed({ objectId: id, personRef: Type.Optional(id) }),
    key: ({ requestId }) => `${requestId}:export`,
  }),
  /** Destroys what is due of everybody since `fromDay`. */
  'retention.sweep': effect({
    partner: 'local',
    input: closed({ fromDay: Type.Integer({ minimum: 0 }) }),
    output: closed({ nextDay: Type.Integer({ minimum: 0 }), destroyed: Type.Integer({ minimum: 0 }) }),
    key: ({ fromDay }) => `sweep:${fromDay}`,
  }),

  // --- Messages to people ---
  /** The handler computes the code from delivery and attempt (`client.digest`); it is in no event and no record. */
  'otp.send': effect({
    partner: 'notify',
    input: closed({
      deliveryId: id,
      attempt: count,
      /** Counts the sendings of an attempt, by any channel. */
      n: count,
      channel: Type.Optional(oneOf('sms', 'voice', 'email')),
      personRef: id,
      locale: word,
    }),
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
