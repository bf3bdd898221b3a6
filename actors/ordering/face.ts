// The face of an order: what its chart announces to those who watch, and answers to those who ask.
//
// Pure. Reasons are shown only when the customer may know them: a hit on a list, or trouble at a partner, is ours.

import type { Announcement, StateView } from '../../runtime/hosting.ts';
import type { Event, JsonObject } from '../../runtime/json.ts';
import type { OrderContext } from '../../state-machines/ordering/context.ts';
import { ACTIVATION_TRIES_MAX } from '../../state-machines/ordering/order-setup.ts';
import { publicStatus, statusGroupOf } from '../../state-machines/ordering/public-status.ts';
import { customerActions } from './actions.ts';

const SHOWN_REASONS = new Set([
  'documents_wanted',
  'address_undeliverable',
  'out_of_zone',
  'counter_offer',
  'method_unavailable',
  'duplicate',
  'identity_rejected',
  'identity_expired',
  'not_eligible',
  'credit_declined',
  'offer_declined',
  'no_answer',
  'discarded',
  'draft_expired',
  'changed_mind',
  'wrong_data',
  'too_slow',
  'other',
  'attempts_exhausted',
  'not_retryable',
  'abandoned',
  'recalled',
  'damaged',
  'lost',
  'stolen',
  'compromised',
  'wrong_proof',
  'activation_refused',
  'not_activated',
  'stock_out',
  'storage_expired',
  'not_decided',
  'address_not_corrected',
  'carrier_returned',
  'seal_broken',
  'not_received',
  'replaced',
  'not_needed',
  'erasure',
]);
interface Face {
  readonly face: JsonObject;
  /** Equal texts, equal faces: the fields are written in one order. */
  readonly text: string;
}

/** A view is looked at as the outcome of a step, as its answer, and as the ground of the next: made once. */
const faces = new WeakMap<StateView, Face>();

function seen(view: StateView): Face {
  const known = faces.get(view);
  if (known !== undefined) return known;
  const face = faceOf(view);
  const made = { face, text: JSON.stringify(face) };
  faces.set(view, made);
  return made;
}

/** Steps of the card on its way, by what they lead to. */
const LEADS_TO: { readonly [leaf: string]: string } = {
  suspending: 'suspended',
  resuming: 'suspended',
  closing: 'closed',
  closeRefused: 'closed',
};

/** What a subscriber sees of an order. */
export function faceOf({ value, context }: StateView): JsonObject {
  const order = context as unknown as OrderContext; // Written by the order chart alone.
  const status = publicStatus(value);
  const reason = order.reason !== null && SHOWN_REASONS.has(order.reason) ? order.reason : undefined;
  const { delivery } = order;
  return {
    status,
    statusGroup: statusGroupOf(status),
    ...(reason === undefined ? {} : { reason }),
    allowedActions: [...customerActions(value, order)],
    ...(order.existing === null ? {} : { existing: order.existing }),
    ...(delivery.deliveryId === null ? {} : { deliveryId: delivery.deliveryId, attempts: delivery.attempts }),
    ...(delivery.slot === null ? {} : { slot: { ...delivery.slot } }),
    ...(delivery.next === null ? {} : { next: delivery.next }),
    ...(delivery.storageUntil === null ? {} : { storageUntil: delivery.storageUntil }),
    // Counted, so that an edit is a change that everybody sees and no precondition outlives it.
    ...(order.edits === 0 ? {} : { edits: order.edits }),
    ...(order.replacedBy === null ? {} : { replacedBy: order.replacedBy }),
    ...(order.card === null ? {} : { card: cardStateOf(value) }),
  };
}

/** `inactive`, `active`, `suspended`, `closed` …. */
function cardStateOf(value: unknown): string {
  const { card } = value as { card: unknown };
  const leaf = typeof card === 'string' ? card : (Object.keys(card as object)[0] ?? 'none');
  return LEADS_TO[leaf] ?? leaf;
}

/**
 * Told when the face has changed, and not else. `changedAt` is the step's clock reading in ms. `owner` is for those who may
 * watch all orders of a person; the api takes it off before it sends anything.
 */
export function announceOrder(before: StateView | undefined, after: StateView, event: Event): Announcement | undefined {
  const { face, text } = seen(after);
  if (before !== undefined && seen(before).text === text) return undefined;
  return {
    type: `order.${String(face.status)}`,
    data: { ...face, changedAt: clockOf(after, event), owner: String(after.context.userId) },
  };
}

/** The face after a caller's command, and how many wrong proofs are left to him. */
export function answerOrder(after: StateView, event: Event): JsonObject {
  const { wrongTries } = after.context as unknown as OrderContext;
  return {
    ...seen(after).face,
    changedAt: clockOf(after, event),
    ...(event.type === 'ACTIVATE' ? { triesLeft: Math.max(0, ACTIVATION_TRIES_MAX - wrongTries) } : {}),
  };
}

/** The creating step has no event of ours: its time is the order's own. */
const clockOf = ({ context }: StateView, event: Event): number =>
  typeof event.at === 'number' ? event.at : (context as unknown as OrderContext).times.created;
