// A move carried out: which request of which surface it is. Everything goes over public HTTP, under a key of its own.

import { cardIdOf, type Slot } from '../../actors/contract/dto.ts';
import type { CommandReason } from '../../actors/contract/reasons.ts';
import type { SystemUrls } from '../running.ts';
import { pause } from '../time.ts';
import type { Applicant } from './application.ts';
import type { Cast, Written } from './cast.ts';
import type { Move } from './moves.ts';
import { codesFor } from './phone.ts';

export interface Stage {
  readonly cast: Cast;
  readonly urls: SystemUrls;
}

/** One order's people. */
export interface Role {
  readonly orderId: string;
  readonly userId: string;
  readonly applicant: Applicant;
}

/** `waiting`: the move needs something that is not there yet, such as a code on the phone. */
export type Acted = Written | { readonly kind: 'waiting' };

type CourierMove = Extract<Move, { kind: 'courier' }>;

const CODE_LOOKS = 12;
const CODE_LOOK_MS = 60;
/** Why the desk acts. */
const COMMAND_REASON: CommandReason = 'procedure';
const REVIEW_REASON = { approve: 'data_confirmed', reject: 'identity_not_confirmed' } as const;

export async function act(stage: Stage, role: Role, move: Move, key: string): Promise<Acted> {
  const { cast } = stage;
  const orderPath = encodeURIComponent(role.orderId);
  switch (move.kind) {
    case 'cancel': {
      const path = `/api/v1/orders/${orderPath}/cancellations`;
      const body = { reason: 'changed_mind' };
      return cast.write(await cast.customer(role.userId), { method: 'POST', path, body, key, actor: role.orderId });
    }
    case 'activate': {
      const path = `/api/v1/cards/${encodeURIComponent(cardIdOf(role.orderId))}/activations`;
      const body = { proof: move.proof, ...(move.last4 === undefined ? {} : { last4: move.last4 }) };
      return cast.write(await cast.customer(role.userId), { method: 'POST', path, body, key, actor: role.orderId });
    }
    case 'choose_slot':
      return chooseSlot(stage, role, move.deliveryId, key);
    case 'review': {
      const path = `/internal/v1/orders/${orderPath}/reviews`;
      const body = { decision: move.decision, reason: REVIEW_REASON[move.decision] };
      return cast.write(await cast.staff(move.by), { method: 'POST', path, body, key, actor: role.orderId });
    }
    case 'command': {
      const path = `/internal/v1/orders/${encodeURIComponent(move.actor)}/commands`;
      const body = { type: move.type, reason: COMMAND_REASON, ...(move.data === undefined ? {} : { data: move.data }) };
      return cast.write(await cast.staff(move.by), { method: 'POST', path, body, key, actor: move.actor });
    }
    case 'courier':
      return courierActs(stage, role, move, key);
  }
}

/** The customer takes the earliest window on offer. */
async function chooseSlot({ cast }: Stage, role: Role, deliveryId: string, key: string): Promise<Acted> {
  const client = await cast.customer(role.userId);
  let slots: readonly Slot[];
  try {
    slots = (await client.slots(role.orderId)).body.data;
  } catch (error) {
    return { kind: 'unknown', words: error instanceof Error ? error.message : String(error) };
  }
  const slot = slots[0];
  if (slot === undefined) return { kind: 'waiting' };
  const path = `/api/v1/orders/${encodeURIComponent(role.orderId)}/delivery/appointment`;
  return cast.write(client, { method: 'PUT', path, body: { slotId: slot.slotId }, key, actor: deliveryId });
}

async function courierActs(stage: Stage, role: Role, move: CourierMove, key: string): Promise<Acted> {
  const { cast } = stage;
  const { actor } = move.delivery;
  const client = await cast.courier(move.courierId);
  const say = (tail: string, body: unknown): Promise<Written> =>
    cast.write(client, {
      method: 'POST',
      path: `/courier/v1/stops/${encodeURIComponent(actor)}/${tail}`,
      body,
      key,
      actor,
    });
  switch (move.act) {
    case 'scan':
      return say('scans', { barcode: move.delivery.context.envelopeId });
    case 'collect':
      return say('collections', { barcode: move.delivery.context.envelopeId });
    case 'depart':
      return say('departures', {});
    case 'arrive':
      return say('arrivals', { lat: role.applicant.geo.lat, lon: role.applicant.geo.lon });
    case 'start':
      return say('handover', {});
    case 'id':
      return say(
        'handover/id-check',
        move.reason === undefined ? { match: true } : { match: false, reason: move.reason },
      );
    case 'signature':
      return say('handover/signature', {});
    case 'fail':
      return say('failures', { reason: move.reason });
    case 'receive':
      return say('returns/receipt', { barcode: move.delivery.context.envelopeId });
    case 'code':
    case 'wrong_code': {
      const code = await codeOnPhone(stage, role, move);
      return code === undefined ? { kind: 'waiting' } : say('handover/otp', { code });
    }
  }
}

/** The customer reads the last code aloud, or misreads it. Waits about a second for it to come. */
async function codeOnPhone(
  { urls }: Stage,
  { applicant }: Role,
  { act: what, delivery }: CourierMove,
): Promise<string | undefined> {
  for (let look = 0; look < CODE_LOOKS; look += 1) {
    const code = (await codesFor(urls.simulator, applicant.phone, delivery.actor)).at(-1);
    if (code !== undefined) return what === 'code' ? code : misread(code);
    await pause(CODE_LOOK_MS);
  }
  return undefined;
}

const misread = (code: string): string => `${code.slice(0, -1)}${(Number(code.at(-1)) + 1) % 10}`;
