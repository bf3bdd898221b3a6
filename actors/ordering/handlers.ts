// Effect handlers of the ordering context: each invoke of its charts, carried out at a partner's port.

import type { EffectOutcome, EffectRegistration, LateFollowUp } from '../../runtime/hosting.ts';
import type { EffectInput } from '../contract/index.ts';
import { performed, unconnected } from '../effects.ts';
import type { Partners } from '../partners/ports.ts';
import type { Reconciled } from '../reconcile.ts';
import { eligibilityOf } from './eligibility.ts';
import { type PrivacyDoors, privacyHandlers } from './privacy.ts';

export interface OrderingHandlers {
  readonly invokes: { readonly [source: string]: EffectRegistration };
  readonly actions: { readonly [action: string]: EffectRegistration };
}

export interface OrderingDoors {
  readonly partners: Partners;
  /** Compares the orders with their deliveries; see actors/reconcile.ts. */
  readonly reconcile: (signal: AbortSignal) => Promise<Reconciled>;
  /** The vault, and the orders by which its duties are judged. */
  readonly privacy: PrivacyDoors;
}

/** The handlers over the doors; without doors, none of them reaches anybody. */
export function orderingHandlers(doors?: OrderingDoors): OrderingHandlers {
  const { screening, issuer, bureau, billing, notifications } = doors?.partners ?? {};
  return {
    actions: {
      notify: performed('notify', { run: notifications?.notify ?? unconnected }),
      'kyc.cancel': performed('kyc.cancel', { run: screening?.cancelKyc ?? unconnected }),
      'credit.withdraw': performed('credit.withdraw', { run: screening?.withdrawCredit ?? unconnected }),
    },
    invokes: {
      ...privacyHandlers(doors?.privacy),
      'kyc.start': performed('kyc.start', { run: screening?.startKyc ?? unconnected }),
      'aml.screen': performed('aml.screen', { run: screening?.screenAml ?? unconnected }),
      'eligibility.check': performed('eligibility.check', {
        run: async ({ input }) => ({ kind: 'done', output: { ...eligibilityOf(input) } }),
      }),
      'address.validate': performed('address.validate', { run: screening?.validateAddress ?? unconnected }),
      'credit.decide': performed('credit.decide', { run: screening?.decideCredit ?? unconnected }),
      'card.create': performed('card.create', {
        run: issuer?.createCard ?? unconnected,
        // The order was stopped in the meantime: a card nobody waits for is closed, not forgotten (E1).
        onLate: (outcome, input) => (outcome.kind === 'done' ? closeLate(outcome.output, input) : undefined),
      }),
      'card.activate': performed('card.activate', { run: issuer?.activateCard ?? unconnected }),
      'card.suspend': performed('card.suspend', { run: issuer?.suspendCard ?? unconnected }),
      'card.resume': performed('card.resume', { run: issuer?.resumeCard ?? unconnected }),
      'card.close': performed('card.close', { run: issuer?.closeCard ?? unconnected }),
      'fee.charge': performed('fee.charge', { run: billing?.charge ?? unconnected, onLate: refundLate }),
      'fee.refund': performed('fee.refund', { run: billing?.refund ?? unconnected }),
      'deliveries.compare': performed('deliveries.compare', {
        run: async ({ signal }) =>
          doors === undefined ? unconnected() : { kind: 'done', output: { ...(await doors.reconcile(signal)) } },
      }),
      'bureau.submit': performed('bureau.submit', { run: bureau?.submitJob ?? unconnected }),
      'bureau.withdraw': performed('bureau.withdraw', { run: bureau?.withdrawJob ?? unconnected }),
    },
  };
}

function closeLate(output: unknown, { orderId }: EffectInput<'card.create'>): LateFollowUp {
  const { cardId } = output as { readonly cardId: string }; // By the contract's output schema, checked at the port.
  return { effect: 'card.close', input: { orderId, cardId, reason: 'cancelled' } };
}

/** A fee taken for an order that was stopped meanwhile is given back, whatever became of the call. */
const refundLate = (_: EffectOutcome, input: EffectInput<'fee.charge'>): LateFollowUp => ({
  effect: 'fee.refund',
  input: { ...input },
});
