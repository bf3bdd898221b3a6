// The order resource: one chart's state, the application as it was filed, and the vault, shown as six groups.
//
// A pure function of its arguments, field by field, so that equal states give equal bytes (M6: a replayed answer is the first).

import type { OrderRequest, OrderResource, OrderStatus } from '../../actors/contract/dto.ts';
import { cardIdOf } from '../../actors/contract/dto.ts';
import type { OrderInput } from '../../actors/contract/index.ts';
import type { Address, Person } from '../../actors/people/index.ts';
import type { JsonObject } from '../parts.ts';

/** What the customer filed and nobody needs for a decision: written once beside the actor, without personal data. */
export interface Application {
  readonly clientReference?: string;
  /** Without the name on the card, which is the vault's. */
  readonly cardInfo: Omit<OrderRequest['cardInfo'], 'embossedName'>;
  readonly legalInfo: Pick<NonNullable<OrderRequest['legalInfo']>, 'consents' | 'agreement'>;
  readonly deliveryInfo: { readonly service?: string; readonly pickupPointId?: string };
}

/** The public face of an order's state: what the charts announce, and answer. */
export interface Face {
  readonly status: string;
  readonly statusGroup: string;
  readonly statusReason?: string;
  readonly statusChangedAt?: number;
  readonly allowedActions: readonly string[];
  readonly cardState?: string;
  /** After an activation: wrong proofs that are left. */
  readonly triesLeft?: number;
}

/** What of the chart's context is shown. Everything is read with care: it was written by some version of the chart. */
export interface OrderFacts {
  readonly userId: string;
  readonly personRef: string;
  readonly addressRef: string;
  readonly productCode: string;
  readonly method: string;
  readonly times: { readonly [milestone: string]: number | undefined };
  readonly card: { readonly last4?: string; readonly expiry?: string } | null;
  readonly delivery: {
    readonly seq: number;
    readonly deliveryId: string | null;
    readonly open: boolean;
    readonly attempts: number;
    readonly slot: { readonly slotId: string; readonly from: number; readonly to: number } | null;
  };
}

export interface OrderParts {
  readonly orderId: string;
  readonly version: number;
  readonly face: Face;
  readonly facts: OrderFacts;
  readonly application: Application | undefined;
  readonly person: Person | undefined;
  readonly address: Address | undefined;
}

export const factsOf = (context: JsonObject): OrderFacts => context as unknown as OrderFacts; // Written by the order chart alone.

/** The facts of an order at its first commit, before anything has happened to it. */
export function factsAtCreation(input: OrderInput, at: number): OrderFacts {
  return {
    ...input,
    times: { created: at, submitted: at },
    card: null,
    delivery: { seq: 0, deliveryId: null, open: false, attempts: 0, slot: null },
  };
}

export function orderResource(parts: OrderParts): OrderResource {
  const { orderId, version, face, facts, application, person } = parts;
  const { times } = facts;
  return {
    orderId,
    ...optional({ clientReference: application?.clientReference }),
    version,
    ...shownFace(face),
    cardInfo: cardInfo(parts),
    userInfo: { userId: facts.userId, ...shownPerson(person) },
    legalInfo: {
      consents: [...(application?.legalInfo.consents ?? [])],
      documents: shownDocuments(person),
      kyc: { status: kycStatus(face, times) },
      ...optional({ agreement: application?.legalInfo.agreement }),
    },
    deliveryInfo: deliveryInfo(parts),
    timestamp: iso(times.created) ?? new Date(0).toISOString(),
    ...optional({
      submittedAt: iso(times.submitted),
      approvedAt: iso(times.approved),
      producedAt: iso(times.produced),
      shippedAt: iso(times.shipped),
      deliveredAt: iso(times.delivered),
      activatedAt: iso(times.activated),
      closedAt: iso(times.closed),
    }),
  };
}

export const orderStatus = ({
  orderId,
  version,
  face,
}: Pick<OrderParts, 'orderId' | 'version' | 'face'>): OrderStatus => ({
  orderId,
  version,
  ...shownFace(face),
});

const shownFace = ({ status, statusGroup, statusReason, statusChangedAt, allowedActions }: Face) => ({
  status,
  statusGroup,
  ...optional({ statusReason, statusChangedAt: iso(statusChangedAt) }),
  allowedActions: [...allowedActions],
});

function cardInfo({ orderId, face, facts, application, person }: OrderParts): OrderResource['cardInfo'] {
  const filed = application?.cardInfo;
  return {
    productCode: facts.productCode,
    ...optional({
      cardType: filed?.cardType,
      paymentSystem: filed?.paymentSystem,
      designId: filed?.designId,
      material: filed?.material,
      embossedName: person?.embossedName as OrderResource['cardInfo']['embossedName'] | undefined,
      currency: filed?.currency,
      pinDelivery: filed?.pinDelivery,
      virtualFirst: filed?.virtualFirst,
      additionalFor: filed?.additionalFor,
      replacementFor: filed?.replacementFor,
      replacementReason: filed?.replacementReason,
    }),
    ...(facts.card === null
      ? {}
      : {
          cardId: cardIdOf(orderId),
          ...optional({ state: face.cardState, last4: facts.card.last4, expiry: facts.card.expiry }),
        }),
  };
}

function deliveryInfo({ facts, application, person, address }: OrderParts): OrderResource['deliveryInfo'] {
  const { delivery } = facts;
  const slot = delivery.slot;
  const recipient = person?.recipient;
  return {
    ...optional({ deliveryId: delivery.deliveryId ?? undefined }),
    method: facts.method,
    ...optional({
      service: application?.deliveryInfo.service,
      address: address as OrderResource['deliveryInfo']['address'] | undefined,
      recipient: recipient as OrderResource['deliveryInfo']['recipient'] | undefined,
      pickupPointId: application?.deliveryInfo.pickupPointId,
    }),
    ...(slot === null
      ? {}
      : { appointment: { slotId: slot.slotId, ...optional({ from: iso(slot.from), to: iso(slot.to) }) } }),
    attempts: delivery.attempts,
  };
}

function shownPerson(person: Person | undefined): Omit<OrderResource['userInfo'], 'userId'> {
  if (person === undefined) return {};
  const { givenName, familyName, middleName, birthDate, citizenship, residence, phone, email, locale, timeZone } =
    person;
  return optional({
    givenName,
    familyName,
    middleName,
    birthDate,
    citizenship,
    residence,
    phone,
    email,
    locale,
    timeZone,
  });
}

function shownDocuments(person: Person | undefined): OrderResource['legalInfo']['documents'] {
  return (person?.documents ?? []).map(({ kind, issuingCountry, numberMasked, issuedOn, expiresOn }) => ({
    kind,
    issuingCountry,
    numberMasked: numberMasked ?? '•••',
    ...optional({ issuedOn, expiresOn }),
  }));
}

/** The customer sees how far the identity check is, and neither scores nor lists. */
function kycStatus(face: Face, times: OrderFacts['times']): string {
  if (times.approved !== undefined) return 'approved';
  return face.statusGroup === 'in_progress' ? 'pending' : 'not_started';
}

const iso = (at: number | undefined): string | undefined => (at === undefined ? undefined : new Date(at).toISOString());

/** The same fields without those that are undefined. */
function optional<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  }; // Filtering keeps the keys' types.
}
