// Public status: the one word a customer sees, as a function of where the order stands.
//
// Pure, and the same for every reader: api, timeline, webhooks. A hold for fraud, AML or the law is invisible: nobody is
// warned by us. Source: the status table of the specification, 4.3.

export const publicStatuses = [
  'draft',
  'in_review',
  'action_required',
  'approved',
  'in_production',
  'cancelling',
  'on_hold',
  'ready_to_ship',
  'in_transit',
  'out_for_delivery',
  'ready_for_pickup',
  'delivery_attempt_failed',
  'delivery_exception',
  'delivered',
  'returning',
  'completed',
  'rejected',
  'failed',
  'cancelled',
  'returned',
  'lost',
  'expired',
] as const;
export type PublicStatus = (typeof publicStatuses)[number];

export const statusGroups = ['in_progress', 'completed', 'rejected', 'canceled'] as const;
export type StatusGroup = (typeof statusGroups)[number];

/** By the longest path that the fulfilment's states begin with. */
const BY_STATE: { readonly [path: string]: PublicStatus } = {
  draft: 'draft',
  reserving: 'in_review',
  screening: 'in_review',
  'screening.identity.resubmissionRequested': 'action_required',
  'screening.address.needsCorrection': 'action_required',
  'screening.address.outOfZone': 'action_required',
  'screening.credit.counterOffered': 'action_required',
  manualReview: 'in_review',
  approved: 'approved',
  'approved.awaitingBatch.plastic.out': 'action_required',
  'approved.awaitingBatch.address.needsCorrection': 'action_required',
  'approved.awaitingBatch.address.outOfZone': 'action_required',
  production: 'in_production',
  'production.printed': 'ready_to_ship',
  'delivery.requesting': 'ready_to_ship',
  'delivery.scheduling': 'ready_to_ship',
  'delivery.dispatched': 'in_transit',
  'delivery.inTransit': 'in_transit',
  'delivery.outForDelivery': 'out_for_delivery',
  'delivery.readyForPickup': 'ready_for_pickup',
  'delivery.attemptFailed': 'delivery_attempt_failed',
  'delivery.exception': 'delivery_exception',
  'delivery.exception.onHold': 'action_required',
  handedOver: 'delivered',
  cancelling: 'cancelling',
  returning: 'returning',
  returned: 'returned',
  destroying: 'returned',
  undeliverable: 'returned',
  completed: 'completed',
  rejected: 'rejected',
  failed: 'failed',
  cancelled: 'cancelled',
  lost: 'lost',
  expired: 'expired',
};

const GROUP_OF_END: { readonly [status in PublicStatus]?: StatusGroup } = {
  completed: 'completed',
  rejected: 'rejected',
  failed: 'rejected',
  cancelled: 'canceled',
  returned: 'canceled',
  lost: 'canceled',
  expired: 'canceled',
};

const VISIBLE_HOLDS = new Set(['customer', 'operator']);

export const statusGroupOf = (status: PublicStatus): StatusGroup => GROUP_OF_END[status] ?? 'in_progress';

/** The status of an order by its state value. Throws TypeError for a value that is no order's. */
export function publicStatus(value: unknown): PublicStatus {
  const { fulfilment, hold } = value as { fulfilment?: unknown; hold?: unknown };
  if (fulfilment === undefined) throw new TypeError('not the state value of an order');

  const statuses = [...pathsOf(fulfilment)].map(statusAt);
  const status = statuses.find((each) => each === 'action_required') ?? statuses[0] ?? 'in_review';
  return isVisiblyHeld(hold) && statusGroupOf(status) === 'in_progress' && status !== 'delivered' ? 'on_hold' : status;
}

function statusAt(path: string): PublicStatus {
  for (let end = path.length; end > 0; end = path.lastIndexOf('.', end - 1)) {
    const status = BY_STATE[path.slice(0, end)];
    if (status) return status;
  }
  throw new TypeError(`no public status for fulfilment.${path}`);
}

/** Dotted paths of the active leaves. */
function* pathsOf(value: unknown, path = ''): Iterable<string> {
  if (typeof value === 'string') yield path ? `${path}.${value}` : value;
  else
    for (const [name, inner] of Object.entries(value as object)) yield* pathsOf(inner, path ? `${path}.${name}` : name);
}

const isVisiblyHeld = (hold: unknown): boolean =>
  typeof hold === 'object' && hold !== null && VISIBLE_HOLDS.has(String((hold as { held?: unknown }).held));
