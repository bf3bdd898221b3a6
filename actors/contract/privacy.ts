// What a person may ask about the data kept of him, and what is said about it between his request, his orders and the desk.
//
// A request is an actor of the ordering context, `prv_…`, created by the api. It asks the person's open orders to end with
// SUBJECT_ERASURE; an order answers at once with ERASURE_ACCEPTED or ERASURE_REFUSED, and with ORDER_ENDED when it has ended.
// No event here holds anything of the person: what is kept is read in the vault by those who carry the request out.

import { type Static, Type } from 'typebox';
import { closed, type EventOf, event, id, oneOf, word } from './schema.ts';

export const privacyKinds = ['access', 'erasure', 'rectification'] as const;
export type PrivacyKind = (typeof privacyKinds)[number];

export const privacyInput = closed({ requestId: id, userId: id, kind: oneOf(...privacyKinds), locale: word });
export type PrivacyInput = Static<typeof privacyInput>;

/** Why an order goes on although its person asked to be forgotten. */
export const erasureRefusals = ['legal_hold', 'handed_over', 'not_now'] as const;

export const privacyEvents = {
  /** Creates the request. */
  REQUEST: event('REQUEST', { by: id }),
  /** By an order, in answer to SUBJECT_ERASURE: it ends, and will say when it has. Of an order that has ended: ORDER_ENDED alone. */
  ERASURE_ACCEPTED: event('ERASURE_ACCEPTED', { orderId: id }),
  ERASURE_REFUSED: event('ERASURE_REFUSED', { orderId: id, reason: oneOf(...erasureRefusals) }),
  ORDER_ENDED: event('ORDER_ENDED', { orderId: id }),
  /**
   * By the desk, where a request waits for a person: `proceed` goes on with what is possible (a correction: it was made), `retry`
   * looks at everything again, `refuse` ends the request.
   */
  DECIDE: event('DECIDE', { by: id, decision: oneOf('proceed', 'retry', 'refuse') }),
} as const;
export type PrivacyMessage = EventOf<typeof privacyEvents>;

// --- Retention: one actor, which looks every day for what is due ---

export const RETENTION = 'ret_main';

/** `fromDay`: number of the first domain day to look at. */
export const retentionInput = closed({ fromDay: Type.Integer({ minimum: 0 }) });
export type RetentionInput = Static<typeof retentionInput>;

export const retentionEvents = {
  /** Looks now. */
  SWEEP: event('SWEEP', { by: id }),
} as const;
export type RetentionMessage = EventOf<typeof retentionEvents>;
