// Screening partners: identity (verdict by callback), sanctions lists, credit, and the carrier's knowledge of addresses.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, count, country, id, word } from '../../contract/schema.ts';
import { type About, befalls, draw, type Faults } from './faults.ts';
import {
  type Ask,
  done,
  idFor,
  minutes,
  type Operation,
  operation,
  planned,
  type Step,
  type World,
} from './operation.ts';

const identity = closed({
  name: Type.String({ minLength: 1, maxLength: 300 }),
  birthDate: Type.String({ maxLength: 10 }),
  citizenship: Type.Optional(country),
});

const KYC_MINUTES = [2, 10] as const; // Automatic checks of documents and a selfie.
const REVIEW_MINUTES = [5, 30] as const; // A person at the partner looks at it.

const kycStart = operation<{ orderId: string; attempt: number }>({
  effect: 'kyc.start',
  path: '/kyc/verifications',
  body: closed({
    orderId: id,
    attempt: count,
    person: identity,
    documents: Type.Array(Type.Object({ kind: word, issuingCountry: country }), { maxItems: 10 }),
  }),
  subject: (body) => body.orderId,
  decide(body, ask, world) {
    const verificationId = idFor('ver_', ask);
    const callbacks = planned(world, ask, kycSteps(body, ask, world));
    const row = { orderId: body.orderId, attempt: body.attempt };
    return done(
      { verificationId, status: 'pending' },
      { result: verificationId, callbacks, sets: [{ table: 'verifications', id: verificationId, row }] },
    );
  },
});

function kycSteps(
  { orderId, attempt }: { readonly orderId: string; readonly attempt: number },
  ask: Ask,
  world: World,
): readonly Step[] {
  const path = '/partner/screening/v1/results';
  const decidedAt = world.now + minutes(world, ask, 'kyc', KYC_MINUTES);
  const tell = (outcome: string, dueAt: number, more: JsonObject = {}): Step => ({
    name: outcome,
    path,
    dueAt,
    body: { orderId, check: 'kyc', attempt, outcome, ...more },
  });

  if (befalls(world.faults, 'kycRejectRate', ask)) return [tell('rejected', decidedAt, { reason: 'document_forged' })];
  if (befalls(world.faults, 'kycResubmitRate', ask))
    return [tell('resubmission_requested', decidedAt, { reason: 'document_blurred' })];
  if (befalls(world.faults, 'kycReviewRate', ask)) {
    const reviewedAt = decidedAt + minutes(world, ask, 'kyc review', REVIEW_MINUTES);
    return [tell('in_review', decidedAt), tell('approved', reviewedAt, { reason: 'name_mismatch' })];
  }
  const risk = befalls(world.faults, 'kycHighRiskRate', ask) ? 'high' : 'low';
  return [tell('approved', decidedAt, { risk })];
}

const amlScreen = operation<{ orderId: string }>({
  effect: 'aml.screen',
  path: '/aml/screenings',
  body: closed({ orderId: id, listVersion: word, person: identity }),
  subject: (body) => body.orderId,
  decide: (_body, ask, world) => done({ result: amlResult(world.faults, ask) }),
});

function amlResult(faults: Faults, about: About): string {
  if (befalls(faults, 'amlHitRate', about)) return 'confirmed_match';
  return befalls(faults, 'amlPotentialRate', about) ? 'potential_match' : 'clear';
}

const LIMITS_MINOR = ['5000000', '10000000', '30000000'] as const;

const creditDecide = operation<{ orderId: string; productCode: string }>({
  effect: 'credit.decide',
  path: '/credit/decisions',
  body: closed({ orderId: id, productCode: word, currency: word, person: identity }),
  subject: (body) => body.orderId,
  product: (body) => body.productCode,
  decide(_body, ask, world) {
    if (befalls(world.faults, 'creditDeclineRate', ask)) return done({ decision: 'declined' });
    const decision = befalls(world.faults, 'creditCounterRate', ask) ? 'counter_offered' : 'approved';
    const limit = LIMITS_MINOR[Math.floor(draw(world.faults.seed, 'limit', ask.businessKey) * LIMITS_MINOR.length)];
    return done({ decision, limitMinor: limit });
  },
});

const addressValidate = operation<{ orderId: string; method: string }>({
  effect: 'address.validate',
  path: '/carrier/address-validations',
  body: closed({
    orderId: id,
    method: word,
    country,
    address: Type.Object({ countryCode: country }, { additionalProperties: true }),
  }),
  subject: (body) => body.orderId,
  decide(_body, ask, world) {
    if (befalls(world.faults, 'undeliverableAddressRate', ask))
      return done({ result: 'likely_undeliverable', inZone: true });
    if (befalls(world.faults, 'outOfZoneRate', ask)) return done({ result: 'likely_deliverable', inZone: false });
    return done({ result: 'likely_deliverable', inZone: true });
  },
});

export const screening: readonly Operation[] = [kycStart, amlScreen, creditDecide, addressValidate];
