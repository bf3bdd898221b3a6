// How the ordering context hosts the charts of personal data: requests, and the daily look at what is due.

import type { Client } from '../../runtime/client.ts';
import { type EffectRegistration, type Hosted, message, type Send, type StateView } from '../../runtime/hosting.ts';
import { actorId } from '../../runtime/ids.ts';
import type { Event, JsonObject } from '../../runtime/json.ts';
import {
  type PrivacyContext,
  type PrivacyInput,
  privacy,
  privacyStatus,
} from '../../state-machines/ordering/privacy.ts';
import { retention } from '../../state-machines/ordering/retention.ts';
import {
  type PrivacyInput as ContractInput,
  ORDERING,
  type OrderMessage,
  type PrivacyMessage,
  RETENTION,
  type RetentionMessage,
} from '../contract/index.ts';
import type { People } from '../people/index.ts';

type Effects = { readonly [source: string]: EffectRegistration };

/** `tasks`: the actions by which a chart asks for a person. */
export const privacyChart = (invokes: Effects, tasks: NonNullable<Hosted['actions']>): Hosted => ({
  machine: privacy,
  name: 'privacy',
  version: '1',
  stamp: true,
  invokes,
  actions: { askOrders, ...tasks },
  answer: answerRequest,
});

export const retentionChart = (invokes: Effects): Hosted => ({
  machine: retention,
  name: 'retention',
  version: '1',
  stamp: true,
  invokes,
});

const askOrders = message((params) => {
  // The chart's action is typed with these very params.
  const { requestId, userId, orderIds } = params as unknown as {
    readonly requestId: string;
    readonly userId: string;
    readonly orderIds: readonly string[];
  };
  return orderIds.map((orderId): Send => {
    const event: OrderMessage = { type: 'SUBJECT_ERASURE', by: userId, requestId };
    return { namespace: ORDERING, actor: actorId(orderId), event };
  });
});

/** An order's word to the request that asked it to end; to nobody, where none did. */
export const tellPrivacy = message((params) => {
  // The chart's action is typed with these very params.
  const { to, ...event } = params as unknown as { readonly to: string | null } & PrivacyMessage;
  return to === null ? undefined : { namespace: ORDERING, actor: actorId(to), event: event as unknown as Event };
});

function answerRequest({ value, context }: StateView, _event: Event): JsonObject {
  const { requestId, kind } = context as unknown as PrivacyContext; // Written by the privacy chart alone.
  return { requestId, kind, status: privacyStatus(value) };
}

/**
 * Creates the retention actor where there is none, which looks at what is due from today on. Every worker says so at its start;
 * the first is heard.
 */
export async function startRetention(client: Client, people: People): Promise<void> {
  const event: RetentionMessage = { type: 'SWEEP', by: 'system' };
  await client.send({
    actor: actorId(RETENTION),
    event,
    messageId: 'founded',
    fingerprint: 'founded', // Whatever day it is: the first stands.
    create: { machine: 'retention', input: { fromDay: people.today() } },
  });
}

// --- The chart's own types and the contract's are one: this line does not compile when they drift apart ---

type Takes<Wide, Narrow extends Wide> = Narrow;
export type ContractFitsPrivacy = Takes<PrivacyInput, ContractInput>;
