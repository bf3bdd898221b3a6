// Screening over HTTP: the KYC vendor's applicants, the AML vendor's searches, the credit bureau's codes, the address service.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import type { Address, Person } from '../../people/index.ts';
import { type Asking, nameOf } from '../asking.ts';
import { type Errors, reading } from '../exchange.ts';
import type { ScreeningPort } from '../ports.ts';
import { wordIn } from '../word-in.ts';

export function screeningOver({ ask, about, people }: Asking): ScreeningPort {
  return {
    startKyc: (call) =>
      ask('kyc.start', call, {
        path: '/kyc/v1/applicants',
        errors: kycErrors,
        build: ({ personRef, orderId }, key) =>
          about(personRef, (person) => ({
            externalUserId: orderId,
            externalActionId: key,
            levelName: 'card-issuing',
            fixedInfo: { fullName: nameOf(person), dob: person.birthDate, ...nationalityOf(person) },
            idDocs: (person.documents ?? []).map(({ kind, issuingCountry }) => ({
              idDocType: kind,
              country: issuingCountry,
            })),
          })),
        read: reading(Type.Object({ applicantId: theirId }), ({ applicantId }) => ({ verificationId: applicantId })),
      }),
    cancelKyc: (call) =>
      ask('kyc.cancel', call, {
        path: '/kyc/v1/applicants/cancellations',
        errors: kycErrors,
        build: ({ orderId, attempt }, key) => ({
          externalUserId: orderId,
          cancelledActionId: `${orderId}:${attempt}`,
          externalActionId: key,
        }),
      }),
    screenAml: (call) =>
      ask('aml.screen', call, {
        path: '/aml/v2/searches',
        errors: { at: ({ error }) => (error as { reason?: unknown } | undefined)?.reason, words: {} },
        build: ({ personRef, orderId, listVersion }, key) =>
          about(personRef, (person) => ({
            client_ref: key,
            case_ref: orderId,
            list_version: listVersion,
            search_term: nameOf(person),
            filters: { birth_date: person.birthDate, ...nationalityOf(person) },
          })),
        read: reading(searchResult, ({ hits }) => ({ result: matchOf(hits) })),
      }),
    decideCredit: (call) =>
      ask('credit.decide', call, {
        path: '/credit/v3/decisions',
        errors: creditErrors,
        build: ({ personRef, orderId, productCode, currency }, key) =>
          about(personRef, (person) => ({
            EnquiryRef: key,
            ApplicationRef: orderId,
            Scheme: productCode,
            Ccy: currency,
            Subject: { Name: nameOf(person), BirthDate: person.birthDate },
          })),
        read: reading(creditResult, decisionOf),
      }),
    withdrawCredit: (call) =>
      ask('credit.withdraw', call, {
        path: '/credit/v3/withdrawals',
        errors: creditErrors,
        build: ({ orderId }, key) => ({ EnquiryRef: key, ApplicationRef: orderId }),
      }),
    validateAddress: (call) =>
      ask('address.validate', call, {
        path: '/addresses/v1/checks',
        errors: { at: ({ code }) => code, words: {} },
        async build({ addressRef, orderId, method, country }, key) {
          const address = await people.readAddress(addressRef);
          if (address === undefined) return undefined;
          return { check_ref: key, order_ref: orderId, service: method, country, lines: linesOf(address) };
        },
        read: reading(addressResult, ({ verdict, serviced }) => {
          const result = wordIn(VERDICTS, verdict);
          return result === undefined ? undefined : { result, inZone: serviced };
        }),
      }),
  };
}

const theirId = Type.String({ pattern: '^[A-Za-z0-9_.-]{1,120}$' });
const nationalityOf = ({ citizenship }: Person): JsonObject =>
  citizenship === undefined ? {} : { nationality: citizenship };

const kycErrors: Errors = {
  at: ({ errorCode }) => errorCode,
  words: { 'applicant-cancelled': 'verification_cancelled', 'applicant-blocked': 'applicant_blocked' },
};

const creditErrors: Errors = { at: ({ Fault }) => Fault, words: { WITHDRAWN: 'application_withdrawn' } };

const searchResult = Type.Object({
  search_id: theirId,
  hits: Type.Array(Type.Object({ match_strength: Type.String({ maxLength: 40 }) }), { maxItems: 200 }),
});

/** Only an exact hit is a confirmed one. A strength that we do not know is still a hit: never `clear`. */
function matchOf(hits: readonly { readonly match_strength: string }[]): string {
  if (hits.length === 0) return 'clear';
  return hits.some(({ match_strength }) => match_strength === 'EXACT') ? 'confirmed_match' : 'potential_match';
}

const creditResult = Type.Object({
  DecisionCode: Type.String({ maxLength: 10 }),
  Limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,12}$' })),
});

/** A00 … A99 approve, C.. approve another limit, D.. decline. What a new letter means, a person has to find out. */
function decisionOf(answer: { readonly DecisionCode: string; readonly Limit?: string }): JsonObject | undefined {
  const limit = answer.Limit === undefined ? {} : { limitMinor: answer.Limit };
  if (/^A\d\d$/.test(answer.DecisionCode)) return { decision: 'approved', ...limit };
  if (/^C\d\d$/.test(answer.DecisionCode)) return { decision: 'counter_offered', ...limit };
  return /^D\d\d$/.test(answer.DecisionCode) ? { decision: 'declined' } : undefined;
}

const addressResult = Type.Object({ verdict: Type.String({ maxLength: 40 }), serviced: Type.Boolean() });
const VERDICTS: { readonly [verdict: string]: string } = {
  CONFIRMED: 'likely_deliverable',
  NOT_FOUND: 'likely_undeliverable',
  UNSURE: 'indeterminate',
};

const linesOf = ({ line1, street, house, city, postalCode, region }: Address): JsonObject => ({
  ...present({ line1, street, house, city, postalCode, region }),
});

/** Without the fields that are not there. */
export const present = (fields: { readonly [name: string]: string | undefined }): { readonly [name: string]: string } =>
  Object.fromEntries(Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
