// What crosses the API surfaces: the order resource with its six groups and the bodies of the commands.
//
// Requests refuse unknown fields; responses drop what is not listed. A string that may hold a long number of its own
// kind (phone, tracking number, barcode) carries `digits: 'exempt'`: the search for card numbers passes it by.

import { type Static, type TObject, type TProperties, Type } from 'typebox';
import { cancellationReasons, commandReasons, holdReasons, reviewReasons, taskReasons } from './reasons.ts';

const closed = <P extends TProperties>(properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false });
/** One of a few words, as a string schema: enums stay open for readers and closed for writers. */
const oneOf = <const T extends readonly string[]>(values: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values] });

export const cardTypes = ['debit', 'credit', 'prepaid'] as const;
export const paymentSystems = ['mir', 'visa', 'mastercard', 'unionpay'] as const;
export const deliveryMethods = ['courier', 'pickup_point', 'parcel_locker', 'branch', 'post'] as const;
export const replacementReasons = [
  'lost',
  'stolen',
  'damaged',
  'expired',
  'compromised',
  'not_received',
  'name_change',
  'design_change',
] as const;
export const consentTypes = ['personal_data', 'contract', 'credit_bureau', 'marketing'] as const;

const country = Type.String({ pattern: '^[A-Z]{2}$' });
const date = Type.String({ format: 'date' });
const time = Type.String({ format: 'date-time', maxLength: 40 });
const phone = Type.String({ pattern: '^\\+[1-9][0-9]{6,14}$', digits: 'exempt' });
/** Letters of any script with their marks, and what joins the parts of a name. */
const personName = Type.String({ pattern: "^\\p{L}[\\p{L}\\p{M} .'’ʼ\\-]{0,63}$" });
const line = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[^\\p{Cc}]*$' });

// --- The order as it is asked for ---

export const cardInfoRequest = closed({
  productCode: Type.String({ pattern: '^[a-z0-9_]{3,32}$' }),
  cardType: Type.Optional(oneOf(cardTypes)),
  paymentSystem: Type.Optional(oneOf(paymentSystems)),
  designId: Type.Optional(Type.String({ pattern: '^[a-z0-9_]{1,32}$' })),
  material: Type.Optional(oneOf(['plastic', 'recycled_plastic', 'metal'])),
  embossedName: closed({
    line1: Type.String({ pattern: "^[A-Z0-9 .,/\\-&']{2,26}$" }),
    line2: Type.Optional(Type.String({ pattern: "^[A-Z0-9 .,/\\-&']{2,26}$" })),
  }),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  pinDelivery: Type.Optional(oneOf(['set_in_app', 'pin_mailer', 'at_handover'])),
  virtualFirst: Type.Optional(Type.Boolean()),
  additionalFor: Type.Optional(Type.String({ pattern: '^crd_[A-Za-z0-9_-]{1,76}$' })),
  replacementFor: Type.Optional(Type.String({ pattern: '^crd_[A-Za-z0-9_-]{1,76}$' })),
  replacementReason: Type.Optional(oneOf(replacementReasons)),
});

export const userInfoRequest = closed({
  /** Equals the token's subject; may be left out. */
  userId: Type.Optional(Type.String({ pattern: '^usr_[A-Za-z0-9_-]{1,60}$' })),
  givenName: personName,
  familyName: personName,
  middleName: Type.Optional(personName),
  birthDate: date,
  citizenship: country,
  residence: country,
  phone,
  email: Type.Optional(Type.String({ format: 'email', maxLength: 254 })),
  locale: Type.Optional(Type.String({ pattern: '^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$' })),
  timeZone: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_+\\-]{1,32}(/[A-Za-z0-9_+\\-]{1,32}){0,2}$' })),
});

const consent = closed({
  type: oneOf(consentTypes),
  textVersion: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }),
  acceptedAt: time,
  channel: oneOf(['app', 'web', 'branch', 'phone']),
});

const documentRequest = closed({
  kind: oneOf(['passport', 'national_id', 'residence_permit', 'birth_certificate']),
  issuingCountry: country,
  /** All but the last one to four characters hidden; the full number never travels here. */
  numberMasked: Type.String({ pattern: '^[*•]{1,16}[A-Z0-9]{1,4}$' }),
  issuedOn: Type.Optional(date),
  expiresOn: Type.Optional(date),
});

const agreement = closed({
  agreementId: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })),
  templateVersion: Type.String({ pattern: '^[A-Za-z0-9._-]{1,32}$' }),
  signedAt: time,
  signature: oneOf(['simple_es', 'qualified_es', 'handwritten']),
});

export const legalInfoRequest = closed({
  consents: Type.Array(consent, { minItems: 1, maxItems: 8 }),
  documents: Type.Optional(Type.Array(documentRequest, { maxItems: 5 })),
  agreement: Type.Optional(agreement),
});

export const address = closed({
  countryCode: country,
  postalCode: Type.String({ pattern: '^[A-Z0-9][A-Z0-9 \\-]{1,11}$' }),
  region: Type.Optional(line(80)),
  city: line(80),
  street: Type.Optional(line(120)),
  house: Type.Optional(line(20)),
  building: Type.Optional(line(20)),
  flat: Type.Optional(line(20)),
  entrance: Type.Optional(line(10)),
  floor: Type.Optional(line(10)),
  intercom: Type.Optional(line(20)),
  line1: Type.Optional(line(120)),
  line2: Type.Optional(line(120)),
  geo: Type.Optional(
    closed({ lat: Type.Number({ minimum: -90, maximum: 90 }), lon: Type.Number({ minimum: -180, maximum: 180 }) }),
  ),
});

const recipient = closed({
  name: line(130),
  phone,
  relation: oneOf(['self', 'guardian', 'legal_representative']),
});

export const deliveryInfoRequest = closed({
  method: oneOf(deliveryMethods),
  service: Type.Optional(oneOf(['standard', 'priority', 'express'])),
  address,
  recipient: Type.Optional(recipient),
  pickupPointId: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })),
});

export const orderRequest = closed({
  clientReference: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$' })),
  cardInfo: cardInfoRequest,
  userInfo: userInfoRequest,
  /** Required, under this name or, deprecated, the one below; not both. */
  legalInfo: Type.Optional(legalInfoRequest),
  ligalInfo: Type.Optional(legalInfoRequest),
  deliveryInfo: deliveryInfoRequest,
});

export type OrderRequest = Static<typeof orderRequest>;
export type LegalInfoRequest = Static<typeof legalInfoRequest>;
export type Address = Static<typeof address>;

// --- The order as it is shown ---

const maybe = Type.Optional(Type.String());

export const orderResource = closed({
  orderId: Type.String(),
  clientReference: maybe,
  version: Type.Integer(),
  status: Type.String(),
  statusGroup: Type.String(),
  statusReason: maybe,
  statusChangedAt: maybe,
  allowedActions: Type.Array(Type.String()),
  cardInfo: closed({
    productCode: Type.String(),
    cardType: maybe,
    paymentSystem: maybe,
    designId: maybe,
    material: maybe,
    embossedName: Type.Optional(closed({ line1: Type.String(), line2: maybe })),
    currency: maybe,
    pinDelivery: maybe,
    virtualFirst: Type.Optional(Type.Boolean()),
    additionalFor: maybe,
    replacementFor: maybe,
    replacementReason: maybe,
    cardId: maybe,
    state: maybe,
    last4: maybe,
    expiry: maybe,
  }),
  userInfo: closed({
    userId: Type.String(),
    givenName: maybe,
    familyName: maybe,
    middleName: maybe,
    birthDate: maybe,
    citizenship: maybe,
    residence: maybe,
    phone: maybe,
    email: maybe,
    locale: maybe,
    timeZone: maybe,
  }),
  legalInfo: closed({
    consents: Type.Array(
      closed({ type: Type.String(), textVersion: Type.String(), acceptedAt: Type.String(), channel: Type.String() }),
    ),
    documents: Type.Array(
      closed({
        kind: Type.String(),
        issuingCountry: Type.String(),
        numberMasked: Type.String(),
        issuedOn: maybe,
        expiresOn: maybe,
      }),
    ),
    kyc: closed({ status: Type.String() }),
    agreement: Type.Optional(
      closed({ agreementId: maybe, templateVersion: Type.String(), signedAt: Type.String(), signature: Type.String() }),
    ),
  }),
  deliveryInfo: closed({
    deliveryId: maybe,
    method: Type.String(),
    service: maybe,
    address: Type.Optional(address),
    recipient: Type.Optional(recipient),
    pickupPointId: maybe,
    appointment: Type.Optional(closed({ slotId: maybe, from: maybe, to: maybe, timeZone: maybe })),
    carrier: maybe,
    trackingNumber: maybe,
    eta: Type.Optional(closed({ from: maybe, to: maybe })),
    attempts: Type.Integer(),
  }),
  timestamp: Type.String(),
  submittedAt: maybe,
  approvedAt: maybe,
  producedAt: maybe,
  shippedAt: maybe,
  deliveredAt: maybe,
  activatedAt: maybe,
  closedAt: maybe,
});
export type OrderResource = Static<typeof orderResource>;

export const orderStatus = closed({
  orderId: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  statusGroup: Type.String(),
  statusReason: maybe,
  statusChangedAt: maybe,
  allowedActions: Type.Array(Type.String()),
});
export type OrderStatus = Static<typeof orderStatus>;

/** One visible change, as in the timeline, over the WebSocket and over SSE. `data` is the announcement's. */
export const orderEvent = closed({
  eventId: Type.String(),
  topic: Type.String(),
  version: Type.Integer(),
  previous: Type.Integer(),
  type: Type.String(),
  occurredAt: Type.String(),
  data: Type.Object({}, { additionalProperties: true }),
});
export type OrderEvent = Static<typeof orderEvent>;

export const orderEventPage = closed({
  data: Type.Array(orderEvent),
  page: closed({ next: Type.Optional(Type.Integer()), hasMore: Type.Boolean() }),
});

// --- Commands of the customer ---

export const cancellationRequest = closed({
  reason: Type.Optional(oneOf(cancellationReasons)),
});
export const cancellation = closed({
  orderId: Type.String(),
  version: Type.Integer(),
  status: oneOf(['none', 'in_progress', 'done', 'refused']),
  orderStatus: Type.String(),
});

export const activationRequest = closed({
  /** `app`: the signed-in session; `last4`: with the last digits read from the card. */
  proof: oneOf(['app', 'last4']),
  last4: Type.Optional(Type.String({ pattern: '^[0-9]{4}$' })),
});
export const activation = closed({
  cardId: Type.String(),
  orderId: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
});

export const slot = closed({
  slotId: Type.String(),
  from: Type.String(),
  to: Type.String(),
  timeZone: Type.String(),
  /** Places left when it was looked at; whether one is had, the slot decides. Left out of a slot that is taken. */
  placesLeft: Type.Optional(Type.Integer({ minimum: 0 })),
});
export const slotPage = closed({ data: Type.Array(slot) });
export type Slot = Static<typeof slot>;

export const appointmentRequest = closed({
  slotId: Type.String({ pattern: '^slt_[a-z0-9-]{2,24}_[0-9]{8}T[0-9]{4}-[0-9]{4}$' }),
  place: Type.Optional(oneOf(['home', 'office', 'other'])),
});
export const appointment = closed({
  orderId: Type.String(),
  deliveryId: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  slot,
});

export const disputeRequest = closed({ kind: oneOf(['not_me']) });
export const dispute = closed({ orderId: Type.String(), deliveryId: Type.String(), version: Type.Integer() });

export const ticket = closed({ ticket: Type.String(), expiresInMs: Type.Integer() });

// --- Commands of the staff ---

export const reviewRequest = closed({
  decision: oneOf(['approve', 'reject']),
  /** Which of them speak for which decision, the route checks. */
  reason: oneOf([...new Set([...reviewReasons.approve, ...reviewReasons.reject])]),
});

export const holdRequest = closed({
  action: oneOf(['hold', 'release']),
  kind: oneOf(['fraud', 'aml', 'legal', 'customer', 'operator']),
  reason: oneOf([...new Set([...holdReasons.hold, ...holdReasons.release])]),
});

/** That a task is over, by whoever did what it asked for. */
export const taskDone = closed({ reason: oneOf([...taskReasons]) });

/**
 * An operator's command: the chart's event by name, with plain fields. What the chart does not allow, it refuses.
 * `data.reason` is the event's own word where it has one, such as why an attempt failed; `reason` is why the desk gives it.
 */
export const operatorCommand = closed({
  type: Type.String({ pattern: '^[A-Z][A-Z0-9_]{1,39}$' }),
  reason: oneOf(commandReasons),
  data: Type.Optional(
    Type.Record(
      Type.String({ pattern: '^[a-z][A-Za-z0-9]{0,31}$' }),
      Type.Union([Type.String({ maxLength: 200 }), Type.Number(), Type.Boolean()]),
      {
        maxProperties: 10,
        additionalProperties: false,
      },
    ),
  ),
});

export const roles = [
  'customer',
  'operator',
  'reviewer',
  'dispatcher',
  'courier',
  'partner_bureau',
  'partner_carrier',
  'auditor',
  'admin',
  'service',
] as const;
export type Role = (typeof roles)[number];

export const devTokenRequest = closed({
  subject: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.-]{1,63}$' }),
  role: oneOf(roles),
  ttlSeconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400 })),
});
export const devToken = closed({
  token: Type.String(),
  subject: Type.String(),
  role: Type.String(),
  expiresAt: Type.String(),
});

// --- Commands of the courier ---

export const barcodeScan = closed({ barcode: Type.String({ pattern: '^[A-Za-z0-9-]{4,40}$', digits: 'exempt' }) });
export const arrival = closed({
  lat: Type.Number({ minimum: -90, maximum: 90 }),
  lon: Type.Number({ minimum: -180, maximum: 180 }),
});
export const idCheck = closed({
  match: Type.Boolean(),
  reason: Type.Optional(oneOf(['name', 'birth_date', 'document_number', 'photo', 'expired', 'missing'])),
});
export const oneTimeCode = closed({ code: Type.String({ pattern: '^[0-9]{6}$' }) });
export const signature = closed({ captured: Type.Optional(Type.Boolean()) });
export const attemptFailures = [
  'no_show',
  'wrong_address',
  'access_problem',
  'customer_asked_later',
  'refused',
  'id_missing',
  'id_mismatch',
  'id_expired',
  'otp_locked',
  'damaged',
  'weather_or_force_majeure',
  'courier_fault',
  'customer_moved',
] as const;
export const failureReport = closed({ reason: oneOf(attemptFailures) });
export const nothing = closed({});

export const stop = closed({
  deliveryId: Type.String(),
  orderId: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  attempt: Type.Integer(),
  recipient: Type.Optional(closed({ name: Type.String() })),
  address: Type.Optional(address),
  /** Asked for in its place, around the corner: the courier says whether he goes there. */
  proposedAddress: Type.Optional(address),
  appointment: Type.Optional(closed({ slotId: maybe, from: maybe, to: maybe, timeZone: maybe })),
  allowedActions: Type.Array(Type.String()),
});
export type Stop = Static<typeof stop>;
export const stopList = closed({ data: Type.Array(stop) });

/** What a courier's command came to. */
export const stopAnswer = closed({
  deliveryId: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  allowedActions: Type.Array(Type.String()),
});

// --- Ids for outsiders ---

/** An order has one card, so its id follows from the order's; the issuer's own reference stays inside. */
export const cardIdOf = (orderId: string): string => orderId.replace(/^ord_/, 'crd_');
export const orderIdOfCard = (cardId: string): string => cardId.replace(/^crd_/, 'ord_');

/**
 * The six digits of a one-time code, out of `client.digest('otp', deliveryId, attempt)` of the delivery context. Kept nowhere:
 * computed when it is sent and again when it is checked.
 */
export const codeOf = (digestHex: string): string =>
  (Number.parseInt(digestHex.slice(0, 12), 16) % 1_000_000).toString().padStart(6, '0');
