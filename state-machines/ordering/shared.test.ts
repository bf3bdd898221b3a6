// Goal: what many orders share is decided once, and every order has one status for the customer. Method: walks of the small
// charts, event by event; the table of statuses over every state of the order.

import { test } from 'tap';
import { walk } from '../walk.ts';
import { applicant } from './applicant.ts';
import { BATCH_MEMBERS_MAX, batch } from './batch.ts';
import { cardGuard } from './card-guard.ts';
import { closedBatch } from './closed-batch.ts';
import { order } from './order.ts';
import { publicStatus, publicStatuses, statusGroupOf } from './public-status.ts';
import { stock } from './stock.ts';
import { by } from './walks.ts';

// --- What many orders share ---

test('CO9: one order at a time holds the key of a product', (t) => {
  const w = walk(applicant, { userId: by });
  const key = 'debit_classic';
  w.send({ type: 'RESERVE', orderId: 'ord_a', key });
  w.send({ type: 'RESERVE', orderId: 'ord_b', key });
  w.send({ type: 'RESERVE', orderId: 'ord_a', key });
  t.same(w.said('answer'), [
    { orderId: 'ord_a', granted: true },
    { orderId: 'ord_b', granted: false, existing: 'ord_a' },
    { orderId: 'ord_a', granted: true },
  ]);
  t.notOk(w.send({ type: 'RELEASE_KEY', orderId: 'ord_b', key }), 'not his to give back');
  w.send({ type: 'RELEASE_KEY', orderId: 'ord_a', key });
  w.send({ type: 'RESERVE', orderId: 'ord_b', key });
  t.same(w.context.active, { [key]: 'ord_b' });
  t.end();
});

test('CO10: a batch goes out at the cut-off or when it is full, and tells each member once', (t) => {
  const w = walk(batch, { line: 'bat_main' });
  t.same(w.timers, [], 'an empty batch has no cut-off');
  for (const orderId of ['ord_a', 'ord_b', 'ord_c']) w.send({ type: 'JOIN', orderId });
  t.notOk(w.send({ type: 'JOIN', orderId: 'ord_a' }), 'joined already');
  w.send({ type: 'LEAVE', orderId: 'ord_b' });
  w.fire('cutOff');
  t.same(w.said('closeBatch'), [{ line: 'bat_main', number: 1, members: ['ord_a', 'ord_c'] }]);
  t.same(w.states, ['empty']);
  t.notOk(w.send({ type: 'LEAVE', orderId: 'ord_a' }), 'too late');

  for (let member = 0; member < BATCH_MEMBERS_MAX; member++) w.send({ type: 'JOIN', orderId: `ord_${member}` });
  t.match(w.said('closeBatch').at(-1), { number: 2 });
  t.match(w.said('closeBatch').at(-1)?.members, { length: BATCH_MEMBERS_MAX });
  w.send({ type: 'JOIN', orderId: 'ord_a' });
  w.send({ type: 'LEAVE', orderId: 'ord_a' });
  t.same(w.timers, [], 'empty again: no cut-off');
  t.end();
});

test('CO10, CO12: a closed batch tells its members, takes one result of each, and is over with the last', (t) => {
  const w = walk(closedBatch, { batchId: 'bat_main_7', members: ['ord_a', 'ord_b'] });
  t.same(w.said('tellMembers'), [], 'nobody is told before it exists');
  w.send({ type: 'CUT_OFF' });
  t.same(w.said('tellMembers'), [{ batchId: 'bat_main_7', members: ['ord_a', 'ord_b'] }]);
  t.notOk(w.send({ type: 'BATCH_RESULT', orderId: 'ord_c', result: 'printed' }), 'no member');
  w.send({ type: 'BATCH_RESULT', orderId: 'ord_a', result: 'rejected' });
  t.notOk(w.send({ type: 'BATCH_RESULT', orderId: 'ord_a', result: 'printed' }), 'the first word counts');

  const late = w.fork();
  late.fire('overdue');
  t.match(late.said('openTask'), [{ subject: 'bat_main_7', task: 'batch_unreconciled' }]);
  const looked = late.fork();
  looked.send({ type: 'RECONCILED', by });
  t.equal(looked.snapshot.status, 'done');
  late.send({ type: 'BATCH_RESULT', orderId: 'ord_b', result: 'printed' });
  t.match(late.said('closeTask'), [{ task: 'batch_unreconciled' }], 'the missing one came after all');
  t.equal(late.snapshot.status, 'done');

  w.send({ type: 'BATCH_RESULT', orderId: 'ord_b', result: 'printed' });
  t.equal(w.snapshot.status, 'done');
  t.same(w.context.results, { ord_a: 'rejected', ord_b: 'printed' });
  t.end();
});

test('CO11: no plastic is promised twice, and what is promised is given back or used', (t) => {
  const w = walk(stock, { designId: 'classic', received: 2 });
  for (const orderId of ['ord_a', 'ord_b', 'ord_c']) w.send({ type: 'RESERVE_PLASTIC', orderId });
  t.same(
    w.said('answerOrder').map(({ orderId, type }) => [orderId, type]),
    [
      ['ord_a', 'PLASTIC_RESERVED'],
      ['ord_b', 'PLASTIC_RESERVED'],
      ['ord_c', 'STOCK_OUT'],
    ],
  );
  w.send({ type: 'USE_PLASTIC', orderId: 'ord_a' });
  w.send({ type: 'RESERVE_PLASTIC', orderId: 'ord_c' });
  t.match(w.said('answerOrder').at(-1), { type: 'STOCK_OUT' }, 'a used one does not come back');
  w.send({ type: 'RELEASE_PLASTIC', orderId: 'ord_b' });
  w.send({ type: 'RESERVE_PLASTIC', orderId: 'ord_c' });
  t.match(w.said('answerOrder').at(-1), { type: 'PLASTIC_RESERVED' });
  t.notOk(w.send({ type: 'RECEIVE_PLASTIC', by, quantity: -1 }), 'not below what is promised or gone');
  w.send({ type: 'RECEIVE_PLASTIC', by, quantity: 5 });
  t.match(w.context, { received: 7, reserved: 1, used: 1 });
  w.send({ type: 'RELEASE_PLASTIC', orderId: 'ord_c' });
  t.notOk(w.send({ type: 'RELEASE_PLASTIC', orderId: 'ord_c' }), 'nothing is reserved');
  t.end();
});

test('CO6: the card of a stolen envelope is blocked without waiting for its order, and never given up', (t) => {
  const w = walk(cardGuard, { orderId: 'ord_a', cardId: 'crd_a' });
  w.send({ type: 'DeliveryStolen', orderId: 'ord_a' });
  t.match(w.effects, [{ id: 'card.close', input: { cardId: 'crd_a', reason: 'stolen' } }]);
  w.fail('card.close');
  t.match(w.said('openTask'), [{ task: 'card_block_overdue' }]);
  w.fire('closeAgain');
  w.fail('card.close');
  w.send({ type: 'RETRY', by });
  w.done('card.close');
  t.equal(w.snapshot.status, 'done');
  t.equal(w.said('closeTask').length, 2);
  t.end();
});

// --- Public status ---

test('4.3: every state of fulfilment has a public status, and each status is some state’s', (t) => {
  const seen = new Set<string>(['on_hold']);
  const visit = (path: string, node: { states: Record<string, never> }): void => {
    const children = Object.entries(node.states) as unknown as [
      string,
      { type: string; states: Record<string, never> },
    ][];
    if (children.length === 0) {
      const status = publicStatus({ fulfilment: nested(path), hold: 'clear' });
      seen.add(status);
      t.ok(publicStatuses.includes(status), `${path}: ${status} (${statusGroupOf(status)})`);
    }
    for (const [name, child] of children) visit(path ? `${path}.${name}` : name, child);
  };
  const region = order.root.states.fulfilment;
  visit('', region as never);
  t.same(
    publicStatuses.filter((status) => !seen.has(status)),
    [],
  );
  t.throws(() => publicStatus({ transport: 'created' }), TypeError);
  t.throws(() => publicStatus({ fulfilment: 'elsewhere' }), TypeError);
  t.end();
});

/** `a.b.c` as a state value. */
function nested(path: string): unknown {
  return path
    .split('.')
    .reduceRight<unknown>((inner, name) => (inner === undefined ? name : { [name]: inner }), undefined);
}

test('4.3: a hold shows only where the customer may know, and never hides the end', (t) => {
  const held = (kind: string, fulfilment: unknown) => publicStatus({ fulfilment, hold: { held: kind } });
  t.equal(held('operator', 'manualReview'), 'on_hold');
  t.equal(held('customer', { production: 'printing' }), 'on_hold');
  for (const kind of ['fraud', 'aml', 'legal']) t.equal(held(kind, { production: 'printing' }), 'in_production');
  t.equal(held('operator', 'cancelled'), 'cancelled');
  t.equal(held('operator', { handedOver: 'awaitingActivation' }), 'delivered');
  t.end();
});
