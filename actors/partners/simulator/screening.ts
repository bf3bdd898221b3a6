// The partners that answer at once: sanctions lists, the credit bureau, and the address service.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, country, id, word } from '../../contract/schema.ts';
import { befalls, draw } from './faults.ts';
import { type Ask, type Decision, done, idFor, type Operation, partnerOf, refused, type World } from './operation.ts';

const reference = Type.String({ minLength: 1, maxLength: 300 });
const name = Type.String({ minLength: 1, maxLength: 300 });
const date = Type.String({ maxLength: 10 });

const amlPartner = partnerOf((reason, message) => ({
  error: { reason, ...(message === undefined ? {} : { message }) },
}));

const search = amlPartner<{ case_ref: string; list_version: string }>({
  effect: 'aml.screen',
  path: '/aml/v2/searches',
  reference: 'client_ref',
  body: closed({
    client_ref: reference,
    case_ref: id,
    list_version: word,
    search_term: name,
    filters: closed({ birth_date: date, nationality: Type.Optional(country) }),
  }),
  subject: (body) => body.case_ref,
  decide(body, ask, world): Decision {
    if (befalls(world.faults, 'amlUnavailableRate', ask)) return { kind: 'unavailable' };
    const hits = hitsFor(ask, world, body.list_version);
    return done({ search_id: idFor('SRC-', ask), list_version: body.list_version, total_hits: hits.length, hits });
  },
});

function hitsFor(ask: Ask, { faults }: World, list: string): readonly JsonObject[] {
  const hit = (match_strength: string, match_types: readonly string[]): JsonObject => ({
    match_id: idFor('HIT-', ask),
    list,
    match_strength,
    match_types,
  });
  if (befalls(faults, 'amlHitRate', ask)) return [hit('EXACT', ['name', 'birth_date'])];
  return befalls(faults, 'amlPotentialRate', ask) ? [hit('PARTIAL', ['name'])] : [];
}

const creditPartner = partnerOf((Fault, Detail) => ({ Fault, ...(Detail === undefined ? {} : { Detail }) }));
const LIMITS_MINOR = ['5000000', '10000000', '30000000'] as const;

const decide = creditPartner<{ ApplicationRef: string; Scheme: string }>({
  effect: 'credit.decide',
  path: '/credit/v3/decisions',
  reference: 'EnquiryRef',
  body: closed({
    EnquiryRef: reference,
    ApplicationRef: id,
    Scheme: word,
    Ccy: word,
    Subject: closed({ Name: name, BirthDate: date }),
  }),
  subject: (body) => body.ApplicationRef,
  product: (body) => body.Scheme,
  decide({ ApplicationRef }, ask, world): Decision {
    if (world.book.row('credits', ApplicationRef)?.withdrawn === true) return refused('WITHDRAWN', 409);
    if (befalls(world.faults, 'creditUnavailableRate', ask)) return { kind: 'unavailable' };
    const DecisionId = idFor('DEC-', ask);
    if (befalls(world.faults, 'creditDeclineRate', ask)) return done({ DecisionId, DecisionCode: 'D14' });
    const DecisionCode = befalls(world.faults, 'creditCounterRate', ask) ? 'C07' : 'A00';
    const Limit = LIMITS_MINOR[Math.floor(draw(world.faults.seed, 'limit', ask.businessKey) * LIMITS_MINOR.length)];
    return done({ DecisionId, DecisionCode, Limit });
  },
});

const withdraw = creditPartner<{ ApplicationRef: string }>({
  effect: 'credit.withdraw',
  path: '/credit/v3/withdrawals',
  reference: 'EnquiryRef',
  body: closed({ EnquiryRef: reference, ApplicationRef: id }),
  subject: (body) => body.ApplicationRef,
  decide: ({ ApplicationRef }) =>
    done({ Status: 'WITHDRAWN' }, { sets: [{ table: 'credits', id: ApplicationRef, row: { withdrawn: true } }] }),
});

const addressPartner = partnerOf((code, detail) => ({ code, ...(detail === undefined ? {} : { detail }) }));

const check = addressPartner<{ order_ref: string }>({
  effect: 'address.validate',
  path: '/addresses/v1/checks',
  reference: 'check_ref',
  body: closed({
    check_ref: reference,
    order_ref: id,
    service: word,
    country,
    lines: Type.Record(word, Type.String({ maxLength: 300 })),
  }),
  subject: (body) => body.order_ref,
  decide(_body, ask, { faults }) {
    if (befalls(faults, 'undeliverableAddressRate', ask)) return done({ verdict: 'NOT_FOUND', serviced: true });
    if (befalls(faults, 'unsureAddressRate', ask)) return done({ verdict: 'UNSURE', serviced: true });
    return done({ verdict: 'CONFIRMED', serviced: !befalls(faults, 'outOfZoneRate', ask) });
  },
});

export const screening: readonly Operation[] = [search, decide, withdraw, check];
