// An application as it is filed: what the schema cannot say, what the chart has to know, and where the rest is kept.
//
// Personal data leaves the request here, into the vault; the chart gets references and what guards need.

import type { OrderRequest } from '../../actors/contract/dto.ts';
import type { OrderInput, Verification } from '../../actors/contract/index.ts';
import { type Address, type People, type Person, residencyOf } from '../../actors/people/index.ts';
import { ApiProblem } from '../errors.ts';
import type { ActorId, JsonObject } from '../parts.ts';
import type { Application } from '../resource/order.ts';

/** A request whose shape and cross-field rules hold: one spelling of `legalInfo`, names in NFC. */
export interface Filed extends Omit<OrderRequest, 'legalInfo' | 'ligalInfo'> {
  readonly legalInfo: NonNullable<OrderRequest['legalInfo']>;
}

const AGE_MIN = 14;
const AGE_MAX = 120;
const ADULT = 18;
const requiredConsents = ['personal_data', 'contract'] as const;

/** Checks what fields mean together. Throws `validation-failed` with every fault. `subject` owns the order. */
export function filed(request: OrderRequest, subject: string, now: number): Filed {
  const { legalInfo, ligalInfo, ...rest } = request;
  const legal = legalInfo ?? ligalInfo;
  const faults: { pointer: string; code: string }[] = [];
  const fault = (pointer: string, code: string): void => void faults.push({ pointer, code });

  if (legal === undefined) fault('/legalInfo', 'required');
  if (legalInfo !== undefined && ligalInfo !== undefined) fault('/ligalInfo', 'given-twice');
  if (rest.userInfo.userId !== undefined && rest.userInfo.userId !== subject)
    fault('/userInfo/userId', 'not-the-token-subject');
  cardFaults(rest.cardInfo, fault);

  const age = ageAt(rest.userInfo.birthDate, now);
  if (age < AGE_MIN || age > AGE_MAX) fault('/userInfo/birthDate', 'age');
  if (age < ADULT && rest.deliveryInfo.recipient?.relation !== 'guardian')
    fault('/deliveryInfo/recipient/relation', 'guardian-required');
  if (rest.deliveryInfo.method === 'pickup_point' && rest.deliveryInfo.pickupPointId === undefined)
    fault('/deliveryInfo/pickupPointId', 'required');
  if (legal !== undefined) legalFaults(legal, rest.cardInfo.cardType ?? 'debit', fault);

  if (faults.length > 0 || legal === undefined) throw new ApiProblem('validation-failed', { errors: faults });
  return { ...normalised(rest), legalInfo: legal };
}

function cardFaults(card: OrderRequest['cardInfo'], fault: (pointer: string, code: string) => void): void {
  if ((card.replacementFor === undefined) !== (card.replacementReason === undefined))
    fault('/cardInfo/replacementReason', 'with-replacement-only');
  if (card.replacementFor !== undefined && card.additionalFor !== undefined)
    fault('/cardInfo/additionalFor', 'not-with-replacement');
}

function legalFaults(
  legal: Filed['legalInfo'],
  cardType: string,
  fault: (pointer: string, code: string) => void,
): void {
  const given = new Set<string>(legal.consents.map(({ type }) => type));
  const required = cardType === 'credit' ? [...requiredConsents, 'credit_bureau'] : requiredConsents;
  for (const type of required) if (!given.has(type)) fault('/legalInfo/consents', `${type.replace('_', '-')}-required`);
  if (cardType === 'credit' && legal.agreement === undefined) fault('/legalInfo/agreement', 'required');
}

/** One form for what looks the same to a person, so that a retry from another keyboard is a retry. */
function normalised<T>(value: T): T {
  return JSON.parse(JSON.stringify(value).normalize('NFC')) as T; // The value came from JSON.
}

/** Whole years between a `YYYY-MM-DD` and an instant, in UTC. */
export function ageAt(birthDate: string, now: number): number {
  const today = new Date(now);
  const [year = 0, month = 0, day = 0] = birthDate.split('-').map(Number);
  const before = today.getUTCMonth() + 1 < month || (today.getUTCMonth() + 1 === month && today.getUTCDate() < day);
  return today.getUTCFullYear() - year - (before ? 1 : 0);
}

/** What the chart gets. Holds no name, address, phone or e-mail. */
export function orderInput(
  order: Filed,
  ids: { orderId: string; userId: string; personRef: string; addressRef: string },
  now: number,
): OrderInput {
  const { cardInfo, userInfo, legalInfo, deliveryInfo } = order;
  return {
    ...ids,
    productCode: cardInfo.productCode,
    cardType: cardInfo.cardType ?? 'debit',
    paymentSystem: cardInfo.paymentSystem ?? 'visa',
    designId: cardInfo.designId ?? 'classic',
    currency: cardInfo.currency,
    country: deliveryInfo.address.countryCode,
    ageYears: ageAt(userInfo.birthDate, now),
    method: deliveryInfo.method,
    verification: verificationFor(deliveryInfo.method),
    consents: [...new Set(legalInfo.consents.map(({ type }) => type))],
    phoneVerified: true, // The sign-in proved it; a token is only given to a verified phone.
    locale: userInfo.locale ?? 'en',
    ...(cardInfo.replacementFor === undefined ? {} : { replacementFor: cardInfo.replacementFor }),
    ...(cardInfo.additionalFor === undefined ? {} : { additionalFor: cardInfo.additionalFor }),
  };
}

/** Whom a person meets asks for identity, code and signature; nobody can ask at a locker or a letter box. */
function verificationFor(method: string): Verification {
  const met = method !== 'post' && method !== 'parcel_locker';
  return { idCheck: met, otp: met, signature: met, photo: false };
}

/**
 * Writes person, address and application under ids that follow from the order's: side by side.
 * Throws `idempotency-key-reused` when the order's records hold something else.
 */
export async function storeApplication(
  { people }: { readonly people: People },
  orderId: ActorId,
  userId: string,
  order: Filed,
) {
  const filedBy = personOf(order, userId);
  const owner = { userId, residency: residencyOf(filedBy) };
  const stored = await Promise.all([
    people.storePerson(filedBy, orderId),
    people.storeAddress(addressOf(order), orderId, owner),
    people.storeApplication(applicationOf(order), orderId, owner),
  ]);
  const [person, address] = stored;
  if (stored.some(({ kind }) => kind === 'other')) throw new ApiProblem('idempotency-key-reused');
  return { personRef: person.personRef, addressRef: address.addressRef };
}

export function personOf({ userInfo, cardInfo, legalInfo, deliveryInfo }: Filed, userId: string): Person {
  const { userId: _claimed, ...person } = userInfo;
  return {
    userId,
    ...person,
    embossedName: cardInfo.embossedName,
    ...(legalInfo.documents === undefined ? {} : { documents: legalInfo.documents }),
    ...(deliveryInfo.recipient === undefined ? {} : { recipient: deliveryInfo.recipient }),
  };
}

export const addressOf = ({ deliveryInfo }: Filed): Address => deliveryInfo.address;

export function applicationOf({ clientReference, cardInfo, legalInfo, deliveryInfo }: Filed): Application {
  const { embossedName: _name, ...card } = cardInfo;
  const { service, pickupPointId } = deliveryInfo;
  return {
    ...(clientReference === undefined ? {} : { clientReference }),
    cardInfo: card,
    legalInfo: {
      consents: legalInfo.consents,
      ...(legalInfo.agreement === undefined ? {} : { agreement: legalInfo.agreement }),
    },
    deliveryInfo: {
      ...(service === undefined ? {} : { service }),
      ...(pickupPointId === undefined ? {} : { pickupPointId }),
    },
  };
}

/** The application as filed; undefined when it was erased. One round trip. */
export const readApplication = async (
  people: People,
  orderId: string,
  userId: string,
): Promise<Application | undefined> => (await people.readApplication(orderId, userId)) as Application | undefined; // Written by `storeApplication` and nobody else.

export const asInput = (input: OrderInput): JsonObject => input as unknown as JsonObject; // A JSON object by its schema.
