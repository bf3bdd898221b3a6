// The issuer's processor over HTTP: cards under its tokens and states. Ours is `external_card_id`, which it echoes and takes: it
// follows from the order's id, so nothing is looked up.

import { Type } from 'typebox';
import type { EffectOutcome } from '../../../runtime/hosting.ts';
import type { JsonObject } from '../../../runtime/json.ts';
import { cardIdOf } from '../../contract/dto.ts';
import type { EffectInput } from '../../contract/index.ts';
import { type Asking, embossedNameOf } from '../asking.ts';
import { type Errors, type Reading, reading } from '../exchange.ts';
import type { IssuerPort, Try } from '../ports.ts';

type Move = 'card.activate' | 'card.suspend' | 'card.resume' | 'card.close';

export function issuerOver({ ask, about }: Asking): IssuerPort {
  const move = <N extends Move>(
    name: N,
    call: Try<N>,
    verb: string,
    goodStates: readonly string[],
  ): Promise<EffectOutcome> =>
    ask<N>(name, call, {
      path: `/issuer/v1/cards/${verb}`,
      errors,
      build: (input, key) => ({
        external_id: key,
        external_card_id: input.cardId,
        account_reference: input.orderId,
        ...reasonOf(input),
      }),
      read: inState(goodStates),
    });

  return {
    createCard: (call) =>
      ask('card.create', call, {
        path: '/issuer/v1/cards',
        errors,
        build: ({ personRef, orderId, productCode, paymentSystem, designId, currency, reissueOf }, key) =>
          about(personRef, (person) => ({
            external_id: key,
            external_card_id: cardIdOf(orderId),
            account_reference: orderId,
            type: 'PHYSICAL',
            product_token: productCode,
            network: paymentSystem.toUpperCase(),
            art_id: designId,
            currency,
            name_line: embossedNameOf(person),
            ...(reissueOf === undefined ? {} : { reissue_of: reissueOf }),
          })),
        read: reading(cardAnswer, ({ external_card_id, last_four, exp_month, exp_year }) => ({
          cardId: external_card_id,
          last4: last_four,
          expiry: `${exp_year}-${exp_month}`,
        })),
      }),
    activateCard: (call) => move('card.activate', call, 'activate', ['OPEN']),
    suspendCard: (call) => move('card.suspend', call, 'pause', ['PAUSED']),
    resumeCard: (call) => move('card.resume', call, 'unpause', ['OPEN', 'PENDING_ACTIVATION']),
    closeCard: (call) => move('card.close', call, 'close', ['CLOSED']),
  };
}

const cardAnswer = Type.Object({
  external_card_id: Type.String({ pattern: '^crd_[A-Za-z0-9_.-]{1,110}$' }),
  last_four: Type.String({ pattern: '^[0-9]{4}$' }),
  exp_month: Type.String({ pattern: '^(0[1-9]|1[0-2])$' }),
  exp_year: Type.String({ pattern: '^20[0-9]{2}$' }),
});

/** The card is in a state that means that it was done. In another, it was not, whatever the status of the answer. */
const inState = (good: readonly string[]): Reading =>
  reading(Type.Object({ state: Type.String({ maxLength: 40 }) }), ({ state }) =>
    good.includes(state) ? {} : undefined,
  );

/** Why a card is closed, in the processor's substatus words. */
const SUBSTATUS: { readonly [reason in EffectInput<'card.close'>['reason']]: string } = {
  lost: 'LOST',
  stolen: 'STOLEN',
  compromised: 'COMPROMISED',
  damaged: 'DAMAGED',
  expired: 'EXPIRED',
  cancelled: 'END_USER_REQUEST',
  undeliverable: 'UNDELIVERABLE',
  replaced: 'REISSUED',
  failed: 'OTHER',
};

const reasonOf = (input: EffectInput<Move>): JsonObject =>
  'reason' in input ? { substatus: SUBSTATUS[input.reason] } : {};

const errors: Errors = {
  at: ({ error_code }) => error_code,
  words: {
    CARD_PAUSED: 'card_suspended',
    CARD_CLOSED: 'card_closed',
    CARD_NOT_FOUND: 'card_unknown',
    PRODUCT_SUSPENDED: 'product_suspended',
    ACTIVATION_DECLINED: 'activation_declined',
  },
};
