// The card issuer's processor: card records under tokens of its own, never a card number.
//
// PENDING_ACTIVATION → OPEN ⇄ PAUSED → CLOSED. A closed card stays closed; a pause remembers what the card was before.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, id, oneOf, word } from '../../contract/schema.ts';
import { befalls, draw, opaque } from './faults.ts';
import { type Decision, done, idFor, type Operation, partnerOf, refused, type World } from './operation.ts';

export interface Card {
  readonly orderId: string;
  /** Ours. */
  readonly cardId: string;
  readonly state: 'PENDING_ACTIVATION' | 'OPEN' | 'PAUSED' | 'CLOSED';
  readonly substatus: string;
  /** State before the pause, while it lasts. */
  readonly before?: 'PENDING_ACTIVATION' | 'OPEN';
  /** Stands for the number that we never see; a reissued card has the same. */
  readonly numberRef: string;
  /** How many plastics there were under the number, this one included. */
  readonly plastic: number;
  readonly last4: string;
  readonly month: string;
  readonly year: string;
}

const VALID_YEARS = 5;
const processor = partnerOf((error_code, message) => ({ error_code, ...(message === undefined ? {} : { message }) }));
const external = {
  external_id: Type.String({ minLength: 1, maxLength: 300 }),
  external_card_id: id,
  account_reference: id,
};

const create = processor<{
  external_card_id: string;
  account_reference: string;
  product_token: string;
  reissue_of?: string;
}>({
  effect: 'card.create',
  path: '/issuer/v1/cards',
  reference: 'external_id',
  body: closed({
    ...external,
    type: oneOf('PHYSICAL'),
    product_token: word,
    network: word,
    art_id: word,
    currency: word,
    name_line: Type.String({ minLength: 1, maxLength: 60 }),
    reissue_of: Type.Optional(id),
  }),
  subject: (body) => body.account_reference,
  product: (body) => body.product_token,
  decide(body, ask, world) {
    if (befalls(world.faults, 'cardRefusalRate', ask)) return refused('PRODUCT_SUSPENDED');
    const old = body.reissue_of === undefined ? undefined : cardOf(body.reissue_of, world)?.card;
    if (body.reissue_of !== undefined && old === undefined) return refused('CARD_NOT_FOUND', 404);
    if (old?.state === 'CLOSED') return refused('CARD_CLOSED', 409);

    const token = idFor('tok_', ask);
    const today = new Date(world.now);
    const drawn = Math.floor(draw(world.faults.seed, 'last4', ask.businessKey, ask.act) * 10_000);
    const card: Card = {
      orderId: body.account_reference,
      cardId: body.external_card_id,
      state: 'PENDING_ACTIVATION',
      substatus: old === undefined ? 'NEW' : 'REISSUED',
      numberRef: old?.numberRef ?? `num_${opaque(18, token)}`,
      plastic: (old?.plastic ?? 0) + 1,
      last4: old?.last4 ?? String(drawn).padStart(4, '0'),
      month: String(today.getUTCMonth() + 1).padStart(2, '0'),
      year: String(today.getUTCFullYear() + VALID_YEARS),
    };
    return done(shown(token, card), {
      result: card.cardId,
      sets: [...stored(token, card), { table: 'cardRefs', id: card.cardId, row: { token } }],
    });
  },
});

const shown = (token: string, { cardId, state, substatus, last4, month, year, plastic }: Card): JsonObject => ({
  token,
  external_card_id: cardId,
  state,
  substatus,
  last_four: last4,
  exp_month: month,
  exp_year: year,
  plastic_number: plastic,
});

const stored = (token: string, card: Card) => [{ table: 'cards' as const, id: token, row: { ...card } }];

type Target = { external_card_id: string; account_reference: string };
const mover = (
  effect: string,
  verb: string,
  decide: (body: Target & { substatus?: string }, world: World, isRefused: boolean) => Decision,
): Operation =>
  processor<Target & { substatus?: string }>({
    effect,
    path: `/issuer/v1/cards/${verb}`,
    reference: 'external_id',
    body: closed({ ...external, substatus: Type.Optional(word) }),
    subject: (body) => body.account_reference,
    decide: (body, ask, world) =>
      decide(body, world, effect === 'card.activate' && befalls(world.faults, 'activationRefusalRate', ask)),
  });

const activate = mover('card.activate', 'activate', (body, world, isRefused) => {
  if (isRefused) return refused('ACTIVATION_DECLINED');
  return moved(body, world, (card) =>
    card.state === 'PAUSED' ? refused('CARD_PAUSED', 409) : { ...card, state: 'OPEN', substatus: 'ACTIVATED' },
  );
});

const pause = mover('card.suspend', 'pause', (body, world) =>
  moved(body, world, (card) =>
    card.state === 'PAUSED' || card.state === 'CLOSED' ? card : { ...card, state: 'PAUSED', before: card.state },
  ),
);

const unpause = mover('card.resume', 'unpause', (body, world) =>
  moved(body, world, ({ before, ...card }) =>
    card.state === 'PAUSED' ? { ...card, state: before ?? 'PENDING_ACTIVATION' } : card,
  ),
);

const close = mover('card.close', 'close', (body, world) => {
  const found = cardOf(body.external_card_id, world);
  // Closing is for good, so a second closing, for whatever reason, has nothing left to do.
  if (found?.card.state === 'CLOSED') return done(shown(found.token, found.card));
  return moved(body, world, (open) => ({ ...open, state: 'CLOSED', substatus: body.substatus ?? 'OTHER' }));
});

function moved({ external_card_id }: Target, world: World, move: (card: Card) => Card | Decision): Decision {
  const found = cardOf(external_card_id, world);
  if (found === undefined) return refused('CARD_NOT_FOUND', 404);
  if (found.card.state === 'CLOSED') return refused('CARD_CLOSED', 409);
  const next = move(found.card);
  if ('kind' in next) return next;
  return done(shown(found.token, next), { result: next.state, sets: stored(found.token, next) });
}

function cardOf(cardId: string, { book }: World): { readonly token: string; readonly card: Card } | undefined {
  const { token } = (book.row('cardRefs', cardId) ?? {}) as { readonly token?: string };
  const card = token === undefined ? undefined : (book.row('cards', token) as (Card & JsonObject) | undefined); // Written here alone.
  return token === undefined || card === undefined ? undefined : { token, card };
}

export const issuer: readonly Operation[] = [create, activate, pause, unpause, close];
