// What the partners post to us, in their own words. Who means what is in partners/callbacks; nothing else reads these forms.
//
// A word of theirs (an answer, a status, a code) is any short text: one that we do not know is no reason to refuse the
// callback. Objects are closed all the same, so that nothing of a person comes in by an unexpected field.

import { type Static, type TProperties, Type } from 'typebox';
import type { Carrier } from './carriers.ts';
import { closed, count, oneOf } from './schema.ts';

const term = Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,80}$' });
const reference = Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,140}$', digits: 'exempt' });
const time = Type.String({ format: 'date-time' });
const maybe = Type.Optional;

/** The KYC vendor: an applicant was looked at. `externalActionId` is our `<orderId>:<attempt>`. */
export const applicantWebhook = closed({
  applicantId: reference,
  externalUserId: reference,
  externalActionId: maybe(reference),
  type: term,
  reviewStatus: term,
  reviewResult: maybe(
    closed({
      reviewAnswer: term,
      reviewRejectType: maybe(term),
      rejectLabels: maybe(Type.Array(term, { maxItems: 20 })),
      warnings: maybe(Type.Array(term, { maxItems: 20 })),
      riskLevel: maybe(term),
    }),
  ),
  createdAt: maybe(time),
});
export type ApplicantWebhook = Static<typeof applicantWebhook>;

/** The hub has scanned something; `adviceRef` is the delivery that was announced to it. */
export const hubScan = closed({
  scanNo: reference,
  scanCode: term,
  barcode: Type.String({ pattern: '^[A-Za-z0-9-]{4,40}$', digits: 'exempt' }),
  adviceRef: Type.String({ pattern: '^dlv_[A-Za-z0-9_-]{1,76}$' }),
  scannedAt: time,
});
export type HubScan = Static<typeof hubScan>;

/**
 * A file of the bureau, taken apart (partners/batch-file.ts): its form is right, and `whole` says whether count and checksum
 * of the trailer are.
 */
export const bureauFile = closed({
  kind: term,
  reference,
  batch: reference,
  records: Type.Array(Type.Array(Type.String({ maxLength: 200, digits: 'exempt' }), { maxItems: 20 }), {
    maxItems: 1_000,
  }),
  count: Type.Integer({ minimum: 0 }),
  checksum: Type.String({ pattern: '^[0-9a-f]{64}$', digits: 'exempt' }),
  whole: Type.Boolean(),
});
export type BureauFile = Static<typeof bureauFile>;

/** A carrier's status event, under that carrier's own names. */
export function carrierEventOf({ fields }: Carrier) {
  const properties: TProperties = {
    [fields.event]: reference,
    [fields.reference]: Type.String({ pattern: '^dlv_[A-Za-z0-9_-]{1,76}:[0-9]{1,4}$' }),
    [fields.number]: reference,
    [fields.status]: term,
    [fields.at]: time,
    [fields.reason]: maybe(term),
    [fields.point]: maybe(reference),
    ...(fields.tracking === undefined ? {} : { [fields.tracking]: maybe(reference) }),
    ...(fields.courier === undefined ? {} : { [fields.courier]: maybe(term) }),
  };
  return closed(properties);
}
export type CarrierEvent = { readonly [field: string]: string };

/** What a callback came to. Everything with status 200 is settled: the partner need not send it again. */
export const callbackAnswer = closed({ result: oneOf('accepted', 'duplicate', 'ignored'), records: maybe(count) });
