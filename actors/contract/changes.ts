// What a customer changes on the way: bodies and answers of the routes that do not place, read or cancel an order.

import { Type } from 'typebox';
import { address, cardInfoRequest, deliveryInfoRequest } from './dto.ts';
import { closed, oneOf } from './schema.ts';
import { replacementReason } from './words.ts';

const { designId, embossedName } = cardInfoRequest.properties;
const { method, pickupPointId } = deliveryInfoRequest.properties;

/** A merge patch: what is named is changed, the rest stays (RFC 7396). Nothing can be taken away. */
export const orderPatch = Type.Object(
  {
    cardInfo: Type.Optional(closed({ embossedName: Type.Optional(embossedName), designId })),
    deliveryInfo: Type.Optional(
      closed({ address: Type.Optional(address), method: Type.Optional(method), pickupPointId }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);

export const addressChange = closed({ address });
export const methodChange = closed({ method, pickupPointId, address: Type.Optional(address) });
export const redelivery = closed({ address: Type.Optional(address) });
export const offerDecision = closed({ decision: oneOf('accept', 'decline') });

/** About the envelope: before the handover, or about the handover itself. */
export const deliveryReport = closed({ kind: oneOf('not_received', 'received_after_all', 'wrong_person') });
export const cardReport = closed({ kind: oneOf('lost', 'stolen', 'compromised') });
export const replacementRequest = closed({
  reason: replacementReason,
  /** With `name_change`. */
  embossedName: Type.Optional(embossedName),
  /** With `design_change`. */
  designId,
});

/** Where the order stands after the change was taken; what a delivery makes of it, its events say. */
export const changeAnswer = closed({
  orderId: Type.String(),
  version: Type.Integer(),
  status: Type.String(),
  allowedActions: Type.Array(Type.String()),
});

export const cardResource = closed({
  cardId: Type.String(),
  orderId: Type.String(),
  state: Type.String(),
  last4: Type.String(),
  expiry: Type.String(),
  replacedBy: Type.Optional(Type.String()),
});
