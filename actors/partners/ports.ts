// What the actors ask of the partners, one port per partner. The adapters are in adapters/; handlers take a port.
//
// Each function is one try of one effect: it may be repeated under the same key without doubling anything, and it never
// rejects. *Unknown* means that it may have happened (E1). Inputs hold references; personal data is read from the vault
// at the moment of the call and goes nowhere but to the partner.

import type { EffectCall, EffectOutcome } from '../../runtime/hosting.ts';
import type { EffectInput, EffectName } from '../contract/effects.ts';

/** What a port needs to know of the call. */
export type Try<N extends EffectName> = Pick<EffectCall<EffectInput<N>>, 'input' | 'key' | 'signal'>;

export interface ScreeningPort {
  /** Done with `{verificationId}`; the verdict comes by callback. */
  startKyc(call: Try<'kyc.start'>): Promise<EffectOutcome>;
  /** Of one that is decided, or was never begun: done. */
  cancelKyc(call: Try<'kyc.cancel'>): Promise<EffectOutcome>;
  screenAml(call: Try<'aml.screen'>): Promise<EffectOutcome>;
  decideCredit(call: Try<'credit.decide'>): Promise<EffectOutcome>;
  withdrawCredit(call: Try<'credit.withdraw'>): Promise<EffectOutcome>;
  validateAddress(call: Try<'address.validate'>): Promise<EffectOutcome>;
}

export interface IssuerPort {
  /**
   * Done with `{cardId, last4, expiry}`; `cardId` follows from the order's id. There is no card number on this side of the issuer.
   * Failed with `card_closed` when the card to be reissued is closed.
   */
  createCard(call: Try<'card.create'>): Promise<EffectOutcome>;
  /** Failed with `card_suspended` or `card_closed` where the card's state forbids it. */
  activateCard(call: Try<'card.activate'>): Promise<EffectOutcome>;
  suspendCard(call: Try<'card.suspend'>): Promise<EffectOutcome>;
  resumeCard(call: Try<'card.resume'>): Promise<EffectOutcome>;
  closeCard(call: Try<'card.close'>): Promise<EffectOutcome>;
}

export interface BureauPort {
  submitJob(call: Try<'bureau.submit'>): Promise<EffectOutcome>;
  /** Done with `{outcome}`: withdrawn, intercepted or shipped. */
  withdrawJob(call: Try<'bureau.withdraw'>): Promise<EffectOutcome>;
}

export interface CarrierPort {
  preadvise(call: Try<'carrier.preadvise'>): Promise<EffectOutcome>;
  /** At the carrier asked for, else at the first that serves the method. Failed with `carrier_unknown`, `booking_void`, `refused`. */
  createShipment(call: Try<'carrier.createShipment'>): Promise<EffectOutcome>;
  voidShipment(call: Try<'carrier.void'>): Promise<EffectOutcome>;
}

export interface NotificationsPort {
  notify(call: Try<'notify'>): Promise<EffectOutcome>;
  /** `code` is computed by the caller and kept nowhere. Failed with `channel_unavailable`: another channel may do. */
  sendCode(call: Try<'otp.send'>, code: string): Promise<EffectOutcome>;
}

export interface BillingPort {
  /** Failed with `charge_refused`, or `fee_given_back` when the refund came first. */
  charge(call: Try<'fee.charge'>): Promise<EffectOutcome>;
  refund(call: Try<'fee.refund'>): Promise<EffectOutcome>;
}

export interface Partners {
  readonly screening: ScreeningPort;
  readonly issuer: IssuerPort;
  readonly bureau: BureauPort;
  readonly carrier: CarrierPort;
  readonly notifications: NotificationsPort;
  readonly billing: BillingPort;
}
