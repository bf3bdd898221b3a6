// What somebody does next about one order: a pure function of what is seen, of the order's fate and of what was done before.
//
// Customer, courier, reviewers and operators are one function here because they wait for one another; who acts stands in
// the move. Nothing to do means: wait for a partner, a timer or another person.

import { deliveryIdOf } from '../../actors/contract/index.ts';
import type { AtTheDoor, CancelPhase, Fate } from './fate.ts';

/** An order or a delivery as the internal surface shows it, as far as people look at it. */
export interface Sight<Context> {
  readonly actor: string;
  readonly version: number;
  readonly states: readonly string[];
  readonly context: Context;
}

export type OrderSight = Sight<{
  readonly card: { readonly last4: string } | null;
  readonly wrongTries: number;
  readonly firstOpinion: { readonly by: string } | null;
  readonly delivery: { readonly seq: number; readonly open: boolean; readonly deliveryId: string | null };
}>;

export type DeliverySight = Sight<{
  readonly courierId: string | null;
  readonly attempt: number;
  readonly envelopeId: string;
}>;

export interface Scene {
  readonly order: OrderSight;
  /** The order's current delivery, once it has one. */
  readonly delivery: DeliverySight | undefined;
  readonly fate: Fate;
  /** How often each move was answered, by its name. */
  readonly done: ReadonlyMap<string, number>;
}

export type StaffMember = 'operator' | 'second_operator' | 'reviewer' | 'second_reviewer';
export type CourierAct =
  | 'scan'
  | 'collect'
  | 'depart'
  | 'arrive'
  | 'start'
  | 'id'
  | 'code'
  | 'wrong_code'
  | 'signature'
  | 'fail'
  | 'receive';

export type Move =
  | { readonly kind: 'cancel'; readonly name: string }
  | { readonly kind: 'choose_slot'; readonly name: string; readonly deliveryId: string }
  | { readonly kind: 'activate'; readonly name: string; readonly proof: 'app' | 'last4'; readonly last4?: string }
  | {
      readonly kind: 'review';
      readonly name: string;
      readonly by: StaffMember;
      readonly decision: 'approve' | 'reject';
    }
  | {
      readonly kind: 'command';
      readonly name: string;
      readonly by: StaffMember;
      readonly actor: string;
      readonly type: string;
      readonly data?: { readonly [field: string]: string };
    }
  | {
      readonly kind: 'courier';
      readonly name: string;
      readonly act: CourierAct;
      readonly courierId: string;
      readonly delivery: DeliverySight;
      readonly reason?: string;
    };

/** Retries of one desk before somebody else has to be asked. */
const DESK_TRIES_MAX = 3;

export const ended = (states: readonly string[]): string | undefined =>
  ENDS.find((end) => states.includes(`fulfilment.${end}`));
const ENDS = ['completed', 'rejected', 'cancelled', 'expired', 'undeliverable', 'lost', 'failed'] as const;

/** The current delivery's id, as soon as the order asks for one. */
export function deliveryOf({ actor, context: { delivery } }: OrderSight): string | undefined {
  return delivery.seq > 0 ? deliveryIdOf(actor, delivery.seq) : undefined;
}

/** Moves to be made now, side by side. Empty: nothing to do but wait. */
export function nextMoves(scene: Scene): readonly Move[] {
  const { order, delivery } = scene;
  if (ended(order.states) !== undefined) return [];
  const desk = deskMove(scene);
  const door = delivery === undefined ? undefined : deliveryMove(scene, delivery);
  const cancel = cancelMove(scene);
  // At the door the customer calls the bank while signing: whoever is first wins (O-44).
  if (cancel !== undefined) return scene.fate.cancelsAt === 'door' && door !== undefined ? [cancel, door] : [cancel];
  const move = desk ?? customerMove(scene) ?? door;
  return move === undefined ? [] : [move];
}

const has = ({ states }: { readonly states: readonly string[] }, prefix: string): boolean =>
  states.some((state) => state === prefix || state.startsWith(`${prefix}.`));
const count = ({ done }: Scene, name: string): number => done.get(name) ?? 0;

// --- The customer ---

function cancelMove(scene: Scene): Move | undefined {
  const { cancelsAt } = scene.fate;
  if (cancelsAt === undefined || count(scene, 'cancel') > 0 || !isAt(scene, cancelsAt)) return undefined;
  return { kind: 'cancel', name: 'cancel' };
}

function isAt({ order, delivery }: Scene, phase: CancelPhase): boolean {
  switch (phase) {
    case 'screening':
      return has(order, 'fulfilment.screening');
    case 'approved':
      return has(order, 'fulfilment.approved.awaitingBatch');
    case 'production':
      return has(order, 'fulfilment.production');
    case 'scheduling':
      return has(order, 'fulfilment.delivery.scheduling');
    case 'transit':
      return delivery !== undefined && has(delivery, 'transport.lastMile.outForDelivery');
    case 'door':
      return (
        delivery !== undefined && has(delivery, 'transport.handover.signature.pending') && isOnlySignatureLeft(delivery)
      );
  }
}

const isOnlySignatureLeft = (delivery: DeliverySight): boolean =>
  !has(delivery, 'transport.handover.idCheck.pending') && !has(delivery, 'transport.handover.otp.sent');

function customerMove(scene: Scene): Move | undefined {
  const { order, delivery, fate } = scene;
  if (has(order, 'fulfilment.handedOver.awaitingActivation') && has(order, 'card.inactive') && has(order, 'hold.clear'))
    return activation(scene);
  if (has(order, 'fulfilment.approved.awaitingBatch.window.open') && fate.waivesEditing)
    return command(order.actor, 'EDIT_WAIVED', 'operator');
  if (has(order, 'fulfilment.screening.identity.resubmissionRequested'))
    return command(order.actor, 'KYC_RESUBMITTED', 'operator');
  if (has(order, 'fulfilment.screening.credit.counterOffered'))
    return command(order.actor, fate.counterOffer === 'accept' ? 'OFFER_ACCEPTED' : 'OFFER_DECLINED', 'operator');
  if (has(order, 'fulfilment.screening.address.outOfZone')) return { kind: 'cancel', name: 'cancel_out_of_zone' };
  if (has(order, 'fulfilment.delivery.exception.onHold'))
    return command(order.actor, 'CHANGE_METHOD', 'operator', { method: 'courier' });
  const mayChoose = delivery !== undefined && isChoosing(delivery);
  if (mayChoose && order.context.delivery.deliveryId === delivery.actor && has(order, 'fulfilment.delivery'))
    return {
      kind: 'choose_slot',
      name: `choose_slot ${delivery.actor} ${delivery.context.attempt}`,
      deliveryId: delivery.actor,
    };
  return undefined;
}

/** Nothing is chosen while a slot has yet to answer. */
const isChoosing = (delivery: DeliverySight): boolean =>
  (has(delivery, 'appointment.proposed') || has(delivery, 'appointment.rescheduling')) &&
  !delivery.states.some((state) => state.endsWith('.reserving'));

function activation(scene: Scene): Move {
  const { order, fate } = scene;
  const last4 = order.context.card?.last4 ?? '';
  if (fate.activates === 'wrong_last4_first' && order.context.wrongTries === 0)
    return { kind: 'activate', name: 'activate_wrongly', proof: 'last4', last4: last4 === '0000' ? '0001' : '0000' };
  return fate.activates === 'in_app'
    ? { kind: 'activate', name: 'activate', proof: 'app' }
    : { kind: 'activate', name: 'activate', proof: 'last4', last4 };
}

// --- Reviewers and operators ---

function command(actor: string, type: string, by: StaffMember, data?: { readonly [field: string]: string }): Move {
  return { kind: 'command', name: `${type} ${actor}`, by, actor, type, ...(data === undefined ? {} : { data }) };
}

/** What a desk does about an order that waits for one, by where it waits. */
const deskWork: readonly (readonly [state: string, type: string])[] = [
  ['fulfilment.screening.address.needsCorrection', 'ADDRESS_OVERRIDDEN'],
  ['fulfilment.approved.cardRefused', 'RETRY'],
  ['fulfilment.production.rejected', 'CORRECTED'],
  ['fulfilment.production.requiresAttention', 'RETRY'],
  ['card.closeRefused', 'RETRY'],
];

function deskMove(scene: Scene): Move | undefined {
  const { order, fate } = scene;
  if (has(order, 'fulfilment.manualReview')) return review(scene);
  if (has(order, 'fulfilment.screening.aml.potentialMatch') && fate.possibleHit === 'cleared')
    return command(order.actor, 'AML_CLEARED', 'reviewer');
  if (has(order, 'hold.held') && !has(order, 'hold.held.fraud')) return release(order);
  for (const [state, type] of deskWork) if (has(order, state)) return command(order.actor, type, 'operator');
  if (has(order, 'fulfilment.handedOver.awaitingActivation')) return activationDesk(scene);
  if (has(order, 'fulfilment.cancelling.stuck')) return stuck(scene);
  if (has(order, 'fulfilment.returned.deciding')) return decideReturn(scene);
  if (has(order, 'fulfilment.destroying'))
    return command(order.actor, 'DESTROYED', 'operator', { witness: 'ops.second_operator' });
  return undefined;
}

/** Fraud and sanctions are the reviewers' to lift. */
const release = (order: OrderSight): Move =>
  command(
    order.actor,
    'RELEASE',
    has(order, 'hold.held.fraud') || has(order, 'hold.held.aml') ? 'reviewer' : 'operator',
  );

/** Four eyes: the second opinion comes from whoever did not give the first. */
function review({ order, fate }: Scene): Move {
  const isSecond = has(order, 'fulfilment.manualReview.secondOpinion');
  const by = isSecond && order.context.firstOpinion?.by === 'ops.reviewer' ? 'second_reviewer' : 'reviewer';
  return { kind: 'review', name: isSecond ? 'second_review' : 'review', by, decision: fate.reviewers };
}

function activationDesk(scene: Scene): Move | undefined {
  const { order } = scene;
  if (has(order, 'hold.held')) return release(order);
  if (order.context.wrongTries >= 5) return command(order.actor, 'ACTIVATION_UNLOCKED', 'operator');
  return has(order, 'card.suspended') ? command(order.actor, 'RETRY', 'operator') : undefined;
}

function stuck(scene: Scene): Move {
  const { order } = scene;
  if (count(scene, `RETRY ${order.actor}`) < DESK_TRIES_MAX) return command(order.actor, 'RETRY', 'operator');
  const isFirst = count(scene, `FORCE ${order.actor}`) === 0;
  return command(order.actor, 'FORCE', isFirst ? 'operator' : 'second_operator');
}

function decideReturn({ order, fate }: Scene): Move {
  const mayRedeliver = has(order, 'hold.clear') && has(order, 'card.inactive') && order.context.delivery.seq <= 2;
  return command(order.actor, mayRedeliver && fate.afterReturn === 'redeliver' ? 'REDELIVER' : 'DESTROY', 'operator');
}

// --- The courier and the dispatcher ---

/** Where a dispatcher has it tried again. */
const retried = ['transport.assigning.notFound', 'transport.awaitingEnvelope.untold'];
/** Whoever stands at the counter of a pickup point. */
const CLERK = 'usr_clerk1';

/** No carrier takes it: asked again a few times, then the customer has to choose another way. */
const unbooked = (scene: Scene, actor: string): Move =>
  command(actor, count(scene, `RETRY ${actor}`) < DESK_TRIES_MAX ? 'RETRY' : 'RECALL', 'operator');

function deliveryMove(scene: Scene, delivery: DeliverySight): Move | undefined {
  const { actor, context } = delivery;
  const door = scene.fate.doors[doorNumber(scene, delivery)] ?? 'handed_over';
  if (retried.some((state) => has(delivery, state))) return command(actor, 'RETRY', 'operator');
  if (has(delivery, 'transport.moving.notBooked')) return unbooked(scene, actor);
  if (has(delivery, 'transport.pickupPoint.ready')) return courier('collect', delivery, CLERK);
  // Nobody in the demo changes an address, or decides about a refusal at the door: the envelope goes back.
  if (has(delivery, 'transport.attemptFailed')) return command(actor, 'RECALL', 'operator');
  if (has(delivery, 'transport.investigating'))
    return command(actor, door === 'envelope_found_again' ? 'FOUND' : 'LOST_CONFIRMED', 'operator');
  if (has(delivery, 'transport.returning')) return receipt(delivery);
  if (context.courierId === null) return undefined;
  return courierMove(scene, delivery, context.courierId, door);
}

/** Attempts over all deliveries of the order: a redelivery begins where the last one ended. */
const doorNumber = ({ order }: Scene, { context }: DeliverySight): number =>
  order.context.delivery.seq > 1 ? Number.POSITIVE_INFINITY : context.attempt - 1;

/** The vault takes the envelope back: from the courier, or over the desk when nobody is booked any more. */
function receipt(delivery: DeliverySight): Move {
  const { actor, context } = delivery;
  if (context.courierId !== null) return courier('receive', delivery, context.courierId);
  return command(actor, 'RECEIVED', 'operator', { barcode: context.envelopeId, seal: 'intact' });
}

const courier = (act: CourierAct, delivery: DeliverySight, courierId: string, reason?: string): Move => ({
  kind: 'courier',
  name: `${act} ${delivery.actor} ${delivery.context.attempt}`,
  act,
  courierId,
  delivery,
  ...(reason === undefined ? {} : { reason }),
});

const failures: { readonly [door in AtTheDoor]?: string } = {
  no_show: 'no_show',
  id_missing: 'id_missing',
  asked_later: 'customer_asked_later',
  refused: 'refused',
};

function courierMove(scene: Scene, delivery: DeliverySight, courierId: string, door: AtTheDoor): Move | undefined {
  const act = (what: CourierAct, reason?: string): Move => courier(what, delivery, courierId, reason);
  if (has(delivery, 'transport.pickup.courierArrived')) return act('scan');
  if (has(delivery, 'transport.pickup.scanned')) return act('depart');
  if (has(delivery, 'transport.pickupPoint.collecting')) return act('start');
  if (has(delivery, 'transport.lastMile.outForDelivery'))
    return door === 'envelope_lost' || door === 'envelope_found_again'
      ? command(delivery.actor, 'LOST_REPORTED', 'operator')
      : act('arrive');
  const failure = failures[door];
  if (has(delivery, 'transport.lastMile.arrived')) return failure === undefined ? act('start') : act('fail', failure);
  if (!has(delivery, 'transport.handover')) return undefined;
  if (has(delivery, 'transport.handover.idCheck.pending'))
    return act('id', door === 'id_mismatch' ? 'photo' : undefined);
  if (has(delivery, 'transport.handover.otp.sent'))
    return act(wantsWrongCode(scene, delivery, door) ? 'wrong_code' : 'code');
  return has(delivery, 'transport.handover.signature.pending') ? act('signature') : undefined;
}

const wantsWrongCode = (scene: Scene, delivery: DeliverySight, door: AtTheDoor): boolean =>
  door === 'wrong_code_first' && count(scene, `wrong_code ${delivery.actor} ${delivery.context.attempt}`) === 0;

// --- What a courier expects ---

const HANDOVER = ['idCheck.pending', 'otp.sent', 'signature.pending', 'photo.notRequired'].map(
  (proof) => `transport.handover.${proof}`,
);
const expected: { readonly [act in CourierAct]?: readonly string[] } = {
  scan: ['transport.pickup.scanned'],
  depart: ['transport.lastMile.outForDelivery'],
  arrive: ['transport.lastMile.arrived'],
  start: HANDOVER,
  id: HANDOVER.filter((state) => !state.includes('idCheck')),
  wrong_code: HANDOVER.filter((state) => !state.includes('idCheck')),
  code: HANDOVER.filter((state) => state.includes('signature')),
};

/**
 * Where a delivery stands once the act was taken, so that the courier goes on without looking it up: nobody rings the bell
 * and then waits for a screen. Undefined where only a look tells. What is expected wrongly is refused, and looked up then.
 */
export function afterwards({ delivery, act, reason }: Extract<Move, { kind: 'courier' }>): DeliverySight | undefined {
  const states = reason === undefined ? expected[act] : undefined;
  return states === undefined ? undefined : { ...delivery, states };
}
