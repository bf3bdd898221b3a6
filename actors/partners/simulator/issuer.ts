// The card issuer's processor: card records, never a card number.
//
// inactive → active ⇄ suspended → closed. A closed card stays closed; a suspension remembers what the card was before.

import { Type } from 'typebox';
import type { JsonObject } from '../../../runtime/json.ts';
import { closed, count, id, word } from '../../contract/schema.ts';
import { befalls, draw } from './faults.ts';
import { type Decision, done, idFor, type Operation, operation, refused, type World } from './operation.ts';

interface Card {
  readonly orderId: string;
  readonly state: 'inactive' | 'active' | 'suspended' | 'closed';
  /** State before the suspension, while it lasts. */
  readonly before?: 'inactive' | 'active';
  readonly reason?: string;
  readonly token: string;
  readonly last4: string;
  readonly expiry: string;
}

const VALID_YEARS = 5;

const create = operation<{ orderId: string; productCode: string }>({
  effect: 'card.create',
  path: '/issuer/cards',
  body: closed({
    orderId: id,
    productCode: word,
    paymentSystem: word,
    designId: word,
    currency: word,
    embossedName: Type.String({ minLength: 1, maxLength: 60 }),
  }),
  subject: (body) => body.orderId,
  product: (body) => body.productCode,
  decide(body, ask, world) {
    if (befalls(world.faults, 'cardRefusalRate', ask))
      return refused('product_suspended', 'the product takes no new cards');
    const cardId = idFor('crd_', ask);
    const last4 = String(Math.floor(draw(world.faults.seed, 'last4', ask.businessKey, ask.act) * 10_000)).padStart(
      4,
      '0',
    );
    const today = new Date(world.now);
    const expiry = `${today.getUTCFullYear() + VALID_YEARS}-${String(today.getUTCMonth() + 1).padStart(2, '0')}`;
    const card: Card = { orderId: body.orderId, state: 'inactive', token: idFor('tok_', ask), last4, expiry };
    return done(
      { cardId, token: card.token, last4, expiry },
      { result: cardId, sets: [{ table: 'cards', id: cardId, row: { ...card } }] },
    );
  },
});

const target = { orderId: id, cardId: id };

const activate = operation<{ orderId: string; cardId: string }>({
  effect: 'card.activate',
  path: '/issuer/activations',
  body: closed({ ...target, n: count }),
  subject: (body) => body.orderId,
  decide(body, ask, world) {
    if (befalls(world.faults, 'activationRefusalRate', ask)) return refused('activation_declined');
    return moved(body.cardId, world, (card) => {
      if (card.state === 'suspended') return refused('card_suspended', undefined, 409);
      return { ...card, state: 'active' };
    });
  },
});

const suspend = operation<{ orderId: string; cardId: string }>({
  effect: 'card.suspend',
  path: '/issuer/suspensions',
  body: closed({ ...target, n: count }),
  subject: (body) => body.orderId,
  decide: (body, _ask, world) =>
    moved(body.cardId, world, (card) =>
      card.state === 'suspended' || card.state === 'closed'
        ? card
        : { ...card, state: 'suspended', before: card.state },
    ),
});

const resume = operation<{ orderId: string; cardId: string }>({
  effect: 'card.resume',
  path: '/issuer/resumptions',
  body: closed({ ...target, n: count }),
  subject: (body) => body.orderId,
  decide: (body, _ask, world) =>
    moved(body.cardId, world, ({ before, ...card }) =>
      card.state === 'suspended' ? { ...card, state: before ?? 'inactive' } : card,
    ),
});

const close = operation<{ orderId: string; cardId: string; reason: string }>({
  effect: 'card.close',
  path: '/issuer/closures',
  body: closed({ ...target, reason: word }),
  subject: (body) => body.orderId,
  decide(body, _ask, world) {
    const card = cardOf(body.cardId, world);
    // Closing is for good, so a second closing, for whatever reason, has nothing left to do.
    if (card?.state === 'closed') return done({ state: 'closed' });
    return moved(body.cardId, world, (open) => ({ ...open, state: 'closed', reason: body.reason }));
  },
});

function moved(cardId: string, world: World, move: (card: Card) => Card | Decision): Decision {
  const card = cardOf(cardId, world);
  if (card === undefined) return refused('card_unknown', undefined, 404);
  if (card.state === 'closed') return refused('card_closed', undefined, 409);
  const next = move(card);
  if ('kind' in next) return next;
  return done({ state: next.state }, { result: next.state, sets: [{ table: 'cards', id: cardId, row: { ...next } }] });
}

const cardOf = (cardId: string, world: World): Card | undefined =>
  world.book.row('cards', cardId) as (Card & JsonObject) | undefined; // Rows of this table are written here alone.

export const issuer: readonly Operation[] = [create, activate, suspend, resume, close];
