// How the ordering context hosts its charts: order, applicant, batch and task, with a handler for every name they use.

import {
  type EffectRegistration,
  type Hosted,
  type MessageRegistration,
  message,
  type Send,
} from '../../runtime/hosting.ts';
import { actorId } from '../../runtime/ids.ts';
import type { Event, JsonObject } from '../../runtime/json.ts';
import { applicant } from '../../state-machines/ordering/applicant.ts';
import { batch } from '../../state-machines/ordering/batch.ts';
import { cardGuard } from '../../state-machines/ordering/card-guard.ts';
import { closedBatch } from '../../state-machines/ordering/closed-batch.ts';
import type { OrderInput } from '../../state-machines/ordering/context.ts';
import type { OrderEvent } from '../../state-machines/ordering/events.ts';
import { order } from '../../state-machines/ordering/order.ts';
import type { DeliveryOrder } from '../../state-machines/ordering/order-setup.ts';
import { stock } from '../../state-machines/ordering/stock.ts';
import { sweep } from '../../state-machines/ordering/sweep.ts';
import {
  type ApplicantMessage,
  applicantIdOf,
  BATCH_LINE,
  type BatchMessage,
  type ClosedBatchMessage,
  type OrderInput as ContractInput,
  closedBatchIdOf,
  DELIVERY,
  type DeliveryCommand,
  type DeliveryInput,
  deliveryIdOf,
  ORDERING,
  type OrderMessage,
  type StockMessage,
  stockIdOf,
} from '../contract/index.ts';
import { taskActions, taskChart } from '../tasks.ts';
import { announceOrder, answerOrder } from './face.ts';
import { type OrderingDoors, orderingHandlers } from './handlers.ts';
import { privacyChart, retentionChart, tellPrivacy } from './privacy-charts.ts';

const VERSION = '1';
/** Blank plastic of a design when its count begins. */
const PLASTIC_AT_START = 100_000;

const tasks = taskActions(ORDERING);

/** The charts over their doors; without them, for those who step and replay and reach nobody. */
export function orderingCharts(doors?: OrderingDoors): readonly Hosted[] {
  const { actions, invokes } = orderingHandlers(doors);
  return [
    {
      machine: order,
      name: 'order',
      version: VERSION,
      stamp: true,
      invokes,
      actions: {
        ...actions,
        askApplicant,
        askStock,
        joinBatch,
        leaveBatch,
        tellBatch,
        commandDelivery,
        beginOrder,
        tellOrder,
        tellPrivacy,
        'documents.shred': invokes['documents.shred'] as EffectRegistration,
        ...tasks,
      },
      announce: announceOrder,
      answer: answerOrder,
    },
    { machine: applicant, name: 'applicant', version: VERSION, stamp: true, actions: { answer: answerOrderOf } },
    { machine: batch, name: 'batch', version: VERSION, stamp: true, actions: { closeBatch } },
    { machine: closedBatch, name: 'closedBatch', version: VERSION, stamp: true, actions: { tellMembers, ...tasks } },
    { machine: stock, name: 'stock', version: VERSION, stamp: true, actions: { answerOrder: answerOrderOfStock } },
    {
      machine: cardGuard,
      name: 'cardGuard',
      version: VERSION,
      stamp: true,
      invokes: { 'card.close': invokes['card.close'] as EffectRegistration },
      actions: tasks,
    },
    {
      machine: sweep,
      name: 'sweep',
      version: VERSION,
      stamp: true,
      invokes: { 'deliveries.compare': invokes['deliveries.compare'] as EffectRegistration },
      actions: { openTask: tasks.openTask },
    },
    privacyChart({ ...invokes, notify: actions.notify as EffectRegistration }, tasks),
    retentionChart(invokes),
    taskChart,
  ];
}

// --- Messages. Builders are pure; params come from the charts' typed actions ---

const built = <Params>(build: (params: Params) => Send | readonly Send[] | undefined): MessageRegistration =>
  message((params) => build(params as unknown as Params)); // The chart's action is typed with these very params.

type Message = OrderMessage | ApplicantMessage | BatchMessage | ClosedBatchMessage | StockMessage;
const to = (actor: string, event: Message, create?: Send['create']): Send => ({
  namespace: ORDERING,
  actor: actorId(actor),
  event: event as unknown as Event, // A contract message is an event of JSON fields.
  ...(create === undefined ? {} : { create }),
});

interface Ask {
  readonly userId: string;
  readonly orderId: string;
  readonly key: string;
  readonly ask: 'RESERVE' | 'RELEASE_KEY' | 'nothing';
}
const askApplicant = built<Ask>(({ userId, orderId, key, ask }) => {
  if (ask === 'nothing') return undefined;
  const create = ask === 'RESERVE' ? { machine: 'applicant', input: { userId } } : undefined;
  return to(applicantIdOf(userId), { type: ask, orderId, key }, create);
});

const joinBatch = built<{ orderId: string }>(({ orderId }) =>
  to(BATCH_LINE, { type: 'JOIN', orderId }, { machine: 'batch', input: { line: BATCH_LINE } }),
);
const leaveBatch = built<{ orderId: string }>(({ orderId }) => to(BATCH_LINE, { type: 'LEAVE', orderId }));

const answerOrderOf = built<{ orderId: string; granted: boolean; existing?: string }>(
  ({ orderId, granted, existing }) =>
    to(orderId, granted ? { type: 'KEY_GRANTED' } : { type: 'KEY_REFUSED', existing: existing ?? orderId }),
);

const closeBatch = built<{ line: string; number: number; members: readonly string[] }>(({ line, number, members }) => {
  const batchId = closedBatchIdOf(line, number);
  return to(batchId, { type: 'CUT_OFF' }, { machine: 'closedBatch', input: { batchId, members: [...members] } });
});
const tellMembers = built<{ batchId: string; members: readonly string[] }>(({ batchId, members }) =>
  members.map((member) => to(member, { type: 'BATCH_CLOSED', batchId })),
);
const tellBatch = built<{ orderId: string; batchId: string | null; result: BatchResult }>(
  ({ orderId, batchId, result }) =>
    batchId === null ? undefined : to(batchId, { type: 'BATCH_RESULT', orderId, result }),
);
type BatchResult = Extract<ClosedBatchMessage, { type: 'BATCH_RESULT' }>['result'];

const askStock = built<{ orderId: string; designId: string; ask: 'RESERVE' | 'RELEASE' | 'USE' | 'nothing' }>(
  ({ orderId, designId, ask }) => {
    if (ask === 'nothing') return undefined;
    const create =
      ask === 'RESERVE' ? { machine: 'stock', input: { designId, received: PLASTIC_AT_START } } : undefined;
    return to(stockIdOf(designId), { type: `${ask}_PLASTIC`, orderId }, create);
  },
);
const answerOrderOfStock = built<{ orderId: string; designId: string; type: 'PLASTIC_RESERVED' | 'STOCK_OUT' }>(
  ({ orderId, designId, type }) => to(orderId, { type, designId }),
);

/** Another order of the chain of cards, as a draft or sent in at once. */
const beginOrder = built<{ orderId: string; by: string; submit: boolean; input: OrderInput }>(
  ({ orderId, by, submit, input }) =>
    to(orderId, { type: submit ? 'SUBMIT' : 'SAVE', by }, { machine: 'order', input: input as unknown as JsonObject }),
);
const tellOrder = built<{
  to: string | null;
  orderId: string;
  type: 'REPLACEMENT_ACTIVATED' | 'REPLACEMENT_ENDED' | 'ORIGINAL_ACTIVATED';
}>(({ to: other, orderId, type }) => (other === null ? undefined : to(other, { type, orderId })));

const commandDelivery = built<{ orderId: string; seq: number; command: DeliveryOrder }>(({ orderId, seq, command }) => {
  const deliveryId = deliveryIdOf(orderId, seq);
  const send = (event: DeliveryCommand, input?: DeliveryInput): Send => ({
    namespace: DELIVERY,
    actor: actorId(deliveryId),
    event: event as unknown as Event, // A contract message is an event of JSON fields.
    ...(input === undefined ? {} : { create: { machine: 'delivery', input: input as unknown as JsonObject } }),
  });
  if (command.type !== 'delivery.create') return send(command);
  return send({ type: command.type }, { deliveryId, orderId, seq, ...command.input });
});

/** Without doors: for those who step and replay the charts. Built last, since it uses all of the above. */
export const charts = orderingCharts();

// --- The charts' own types and the contract's are one: these lines do not compile when they drift apart ---

type Takes<Wide, Narrow extends Wide> = Narrow;
export type ContractFitsChart = [Takes<OrderEvent, OrderMessage>, Takes<OrderInput, ContractInput>];
