// Goal: what a person may ask about his data comes to an end, told to him, and nothing is destroyed too early. Method: given a
// walk to a place, when something is said, then states, effects and messages are these. Nothing runs and no time passes.

import { test } from 'tap';
import { type Walk, walk } from '../walk.ts';
import { type PrivacyKind, privacy, privacyStatus } from './privacy.ts';
import { retention } from './retention.ts';

const requestId = 'prv_1';
const input = { requestId, userId: 'usr_1', locale: 'de' };
const status = (w: Walk) => privacyStatus(w.snapshot.value);
const templates = (w: Walk) =>
  w.effects.filter(({ src }) => src === 'notify').map((one) => (one.input as { template: string }).template);
/** Ends the open effect of that name; ids of invokes are of the state. */
const done = (w: Walk, src: string, output: object = {}): void => w.done(idOf(w, src), output);
const fail = (w: Walk, src: string): void => w.fail(idOf(w, src));
function idOf(w: Walk, src: string): string {
  const found = w.effects.find((one) => one.src === src);
  if (found === undefined) throw new Error(`${src} is not open: ${w.effects.map((one) => one.src).join(', ')}`);
  return found.id;
}

function requested(kind: PrivacyKind): Walk {
  const w = walk(privacy, { ...input, kind });
  w.send({ type: 'REQUEST', by: 'usr_1' });
  return w;
}
const nothingKept = { open: [], legalHold: false, kept: [], personRef: 'ppl_1' };
const identity = { dataClass: 'identity', duty: 'aml', until: 1_900_000_000_000 };
const withOpen = { ...nothingKept, open: ['ord_1', 'ord_2'] };

function asked(): Walk {
  const w = requested('erasure');
  done(w, 'privacy.classify', withOpen);
  return w;
}

test('PD1: open orders are asked to end, and nothing goes before all of them have answered for good', async (t) => {
  const w = asked();
  t.same(w.said('askOrders'), [{ requestId, userId: 'usr_1', orderIds: ['ord_1', 'ord_2'] }]);
  w.send({ type: 'ERASURE_ACCEPTED', orderId: 'ord_1' });
  w.send({ type: 'ERASURE_REFUSED', orderId: 'ord_2', reason: 'handed_over' });
  t.ok(w.in('erasing.waiting'), 'one has said yes, and has not ended');
  t.equal(w.send({ type: 'ORDER_ENDED', orderId: 'ord_9' }), false, 'an order that nobody asked has nothing to say');
  w.send({ type: 'ORDER_ENDED', orderId: 'ord_1' });
  t.ok(w.in('erasing.classifying'), 'then everything is looked at again');
  done(w, 'privacy.classify', { ...withOpen, open: ['ord_2', 'ord_3'] });
  t.same(w.said('askOrders')[1]?.orderIds, ['ord_3'], 'who has answered is not asked again; a new one is');
  w.send({ type: 'ORDER_ENDED', orderId: 'ord_3' });
  done(w, 'privacy.classify', { ...nothingKept, open: ['ord_2'], kept: [identity] });
  t.ok(w.in('erasing.telling'));
  t.notOk(w.told.some(({ type }) => type === 'openTask'));
});

test('PD1: an order that does not answer, or does not end, is the desk’s matter', async (t) => {
  const silent = asked();
  silent.send({ type: 'ERASURE_ACCEPTED', orderId: 'ord_1' });
  silent.fire('answersOverdue');
  t.ok(silent.in('erasing.stuck'));
  t.same(silent.said('openTask'), [{ subject: requestId, orderId: requestId, task: 'privacy_stuck' }]);
  const again = silent.fork();
  again.send({ type: 'DECIDE', by: 'ops.1', decision: 'retry' });
  t.same(again.said('closeTask'), [{ subject: requestId, orderId: requestId, task: 'privacy_stuck' }]);
  done(again, 'privacy.classify', withOpen);
  t.same(again.said('askOrders').length, 2, 'all of them are asked again');
  silent.send({ type: 'DECIDE', by: 'ops.1', decision: 'proceed' });
  t.ok(silent.in('erasing.telling'));
  silent.send({ type: 'ORDER_ENDED', orderId: 'ord_1' });
  t.ok(silent.in('erasing.telling'), 'a late word changes nothing');

  const slow = asked();
  for (const orderId of ['ord_1', 'ord_2']) slow.send({ type: 'ERASURE_ACCEPTED', orderId });
  slow.fire('answersOverdue');
  t.ok(slow.in('erasing.waiting'), 'all have answered');
  slow.fire('endingsOverdue');
  t.ok(slow.in('erasing.stuck'));
  slow.send({ type: 'DECIDE', by: 'ops.1', decision: 'refuse' });
  t.same(templates(slow), ['privacy_refused']);
});

test('PD2: who is erased is told first; who cannot be told is erased all the same', async (t) => {
  const w = requested('erasure');
  done(w, 'privacy.classify', nothingKept);
  t.same(templates(w), ['privacy_erased']);
  t.notOk(w.effects.some(({ src }) => src === 'privacy.prune'));
  const untold = w.fork();
  fail(untold, 'notify');
  for (const each of [w, untold]) {
    if (each === w) done(w, 'notify');
    done(each, 'privacy.prune', { kept: [], waitMs: 0 });
    t.same(
      each.effects.map(({ src }) => src),
      ['people.erase'],
    );
    done(each, 'people.erase', { erased: true });
    t.equal(status(each), 'done');
    t.equal(each.snapshot.status, 'done');
  }
  const nobody = requested('erasure');
  done(nobody, 'privacy.classify', { ...nothingKept, personRef: undefined });
  t.ok(nobody.in('erasing.pruning'));
});

test('PD3: what a duty keeps goes when its time is over', async (t) => {
  const w = requested('erasure');
  done(w, 'privacy.classify', { ...nothingKept, kept: [identity] });
  t.same(templates(w), ['privacy_partly_erased']);
  done(w, 'notify');
  done(w, 'privacy.prune', { kept: [identity], waitMs: 5_000 });
  t.equal(status(w), 'partly');
  t.same(w.context.kept, [identity]);
  w.fire('due');
  done(w, 'privacy.prune', { kept: [{ ...identity, dataClass: 'business' }], waitMs: 7_000 });
  w.fire('due');
  done(w, 'privacy.prune', { kept: [], waitMs: 0 });
  done(w, 'people.erase', { erased: true });
  t.equal(status(w), 'done');
  t.same(w.context.kept, []);
});

test('PD4: under a legal hold nothing is asked and nothing goes', async (t) => {
  const w = requested('erasure');
  done(w, 'privacy.classify', { ...withOpen, legalHold: true });
  t.same(w.said('askOrders'), []);
  t.same(templates(w), ['privacy_refused']);
  done(w, 'notify');
  t.equal(status(w), 'refused');
  t.equal(w.context.reason, 'legal_hold');
  t.notOk(w.effects.length > 0);
});

test('a copy is made, told of, and gone after a week; where it cannot be made the desk helps', async (t) => {
  const w = requested('access');
  fail(w, 'privacy.export');
  t.ok(w.in('copying.stuck'));
  w.send({ type: 'DECIDE', by: 'ops.1', decision: 'retry' });
  done(w, 'privacy.export', { objectId: 'exp_1', personRef: 'ppl_1' });
  t.same(templates(w), ['privacy_copy_ready']);
  done(w, 'notify');
  t.equal(status(w), 'ready');
  w.fire('copyKept');
  t.equal(status(w), 'done');
});

test('a correction is the desk’s, and ends as it says', async (t) => {
  for (const [decision, end] of [
    ['proceed', 'done'],
    ['refuse', 'refused'],
  ] as const) {
    const w = requested('rectification');
    t.equal(status(w), 'in_progress');
    t.equal(w.send({ type: 'DECIDE', by: 'ops.1', decision: 'retry' }), false);
    w.send({ type: 'DECIDE', by: 'ops.1', decision });
    t.equal(status(w), end);
    t.same(w.said('closeTask').length, 1);
  }
});

test('a vault that fails for long stops no request for good', async (t) => {
  const steps: readonly (readonly [src: string, output: object])[] = [
    ['privacy.classify', nothingKept],
    ['notify', {}],
    ['privacy.prune', { kept: [], waitMs: 0 }],
    ['people.erase', { erased: true }],
  ];
  for (const [failing] of steps.filter(([src]) => src !== 'notify')) {
    const w = requested('erasure');
    for (const [src, output] of steps) {
      if (src === failing) break;
      done(w, src, output);
    }
    fail(w, failing);
    t.ok(w.in('erasing.stuck'), failing);
    w.send({ type: 'DECIDE', by: 'ops.1', decision: 'retry' });
    for (const [src, output] of steps) done(w, src, output);
    t.equal(status(w), 'done', failing);
  }
});

test('PD5: a look that failed begins again where it began', async (t) => {
  const w = walk(retention, { fromDay: 20_000 });
  w.fire('daily');
  t.same(w.effects[0]?.input, { fromDay: 20_000 });
  fail(w, 'retention.sweep');
  w.fire('again');
  t.same(w.effects[0]?.input, { fromDay: 20_000 });
  done(w, 'retention.sweep', { nextDay: 20_001, destroyed: 3 });
  t.same(w.context, { nextDay: 20_001, destroyed: 3 });
  t.ok(w.send({ type: 'SWEEP', by: 'ops.1' }));
  t.same(w.effects[0]?.input, { fromDay: 20_001 });
});

test('a request stays small, whatever it is told', async (t) => {
  const orders = Array.from({ length: 20 }, (_, n) => `ord_${String(n).padStart(26, 'x')}`);
  const w = requested('erasure');
  const kept = ['identity', 'document', 'business'].map((dataClass) => ({ ...identity, dataClass }));
  done(w, 'privacy.classify', { ...nothingKept, open: orders, kept });
  for (const orderId of orders) w.send({ type: 'ERASURE_ACCEPTED', orderId });
  t.ok(JSON.stringify(w.context).length < 1_500, `${JSON.stringify(w.context).length}`);
});
