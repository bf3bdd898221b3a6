// Goal: what many share is given to as many as there are places. Method: a slot and a run are walked by hand, and in random
// orders beside a plain set; a random test prints its seed.

import fc from 'fast-check';
import { test } from 'tap';
import { type Walk, walk } from '../walk.ts';
import { runIdOf } from './context.ts';
import { run } from './run.ts';
import { slot } from './slot.ts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;
const SLOT = 'slt_de_20270118T0900-1300';
const terms = { offered: true, from: NOW + 48 * HOUR, to: NOW + 52 * HOUR, capacity: 2, leadMs: 12 * HOUR };

const take = (w: Walk, deliveryId: string, turn = 1): boolean => w.send({ type: 'TAKE', deliveryId, turn });
const free = (w: Walk, deliveryId: string, turn = 1): boolean => w.send({ type: 'FREE', deliveryId, turn });
const answers = (w: Walk): string[] =>
  w.said('answerDelivery').map(({ type, deliveryId, turn }) => `${type} ${deliveryId} ${turn}`);

function slotOf(more: object = {}): Walk {
  const w = walk(slot, { slotId: SLOT }, NOW);
  w.done('slot.terms', { ...terms, ...more });
  return w;
}

test('DL8, D-04: a slot gives each place once; asking again is answered again; what is given back is free', (t) => {
  const w = slotOf();
  take(w, 'dlv_a');
  take(w, 'dlv_b');
  take(w, 'dlv_c');
  take(w, 'dlv_a');
  t.same(answers(w), ['SLOT_TAKEN dlv_a 1', 'SLOT_TAKEN dlv_b 1', 'SLOT_FULL dlv_c 1', 'SLOT_TAKEN dlv_a 1']);
  t.match(w.said('answerDelivery')[0], { slotId: SLOT, from: terms.from, to: terms.to });
  t.ok(free(w, 'dlv_c'), 'of a place that was never had: done');
  free(w, 'dlv_a');
  take(w, 'dlv_c', 2);
  t.equal(answers(w).at(-1), 'SLOT_TAKEN dlv_c 2');
  take(w, 'dlv_b', 2);
  free(w, 'dlv_b', 1);
  t.same(w.context.taken, { dlv_c: 2, dlv_b: 2 }, 'the later asking stands');
  t.end();
});

test('D-04: a slot knows its window from the catalogue, and whoever asks meanwhile waits', (t) => {
  const w = walk(slot, { slotId: SLOT }, NOW);
  t.match(w.effects, [{ src: 'slot.terms', input: { slotId: SLOT } }]);
  for (const id of ['dlv_a', 'dlv_b', 'dlv_c', 'dlv_d']) take(w, id);
  free(w, 'dlv_b');
  take(w, 'dlv_a', 2);
  t.same(answers(w), [], 'nothing is promised yet');
  const gone = w.fork();
  w.done('slot.terms', terms);
  t.same(answers(w), ['SLOT_TAKEN dlv_c 1', 'SLOT_TAKEN dlv_d 1', 'SLOT_FULL dlv_a 2'], 'in the order of asking');

  gone.done('slot.terms', { offered: false });
  t.same(answers(gone), ['SLOT_FULL dlv_c 1', 'SLOT_FULL dlv_d 1', 'SLOT_FULL dlv_a 2']);
  take(gone, 'dlv_e');
  t.match(gone.effects, [{ src: 'slot.terms' }], 'the next one makes it look again');
  gone.fail('slot.terms');
  t.equal(answers(gone).at(-1), 'SLOT_FULL dlv_e 1');
  gone.fire('termsOverdue');
  t.equal(gone.snapshot.status, 'done');

  const crowd = walk(slot, { slotId: SLOT }, NOW);
  for (let i = 0; i < 61; i++) take(crowd, `dlv_${i}`);
  t.same(answers(crowd), ['SLOT_FULL dlv_60 1'], 'those who wait are bounded');
  t.end();
});

test('D-04: a slot is booked before its lead time only, and ends with its window, whatever the scale of time', (t) => {
  const late = slotOf({ from: NOW + 12 * HOUR });
  take(late, 'dlv_a');
  t.equal(answers(late).at(-1), 'SLOT_FULL dlv_a 1', 'a second too late');
  const w = slotOf();
  take(w, 'dlv_a');
  w.fire('windowOver');
  t.ok(w.in('open'), 'its hour has not come: it looks again later');
  t.same(w.context.looks, 1);
  w.send({ type: 'FREE', deliveryId: 'dlv_a', turn: 1, at: terms.to });
  const past = walk(slot, { slotId: SLOT }, terms.to);
  past.done('slot.terms', terms);
  past.fire('windowOver');
  t.equal(past.snapshot.status, 'done');
  t.end();
});

test('DL8: whatever is asked and given back in whatever order, a slot and a run never give more than they have', (t) => {
  const seed = 20_261_125;
  t.comment(`seed ${seed}`);
  const acts = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 3 })), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(acts, fc.integer({ min: 1, max: 4 }), (all, capacity) => {
      const [w, day] = [slotOf({ capacity }), runOf(capacity)];
      const held = new Set<string>();
      for (const [isTake, who, turn] of all) {
        const id = `dlv_${who}`;
        if (isTake) take(w, id, turn);
        else free(w, id, 9);
        day.send(isTake ? { type: 'BOARD', deliveryId: id, turn } : { type: 'LEAVE', deliveryId: id });
        if (isTake && (held.has(id) || held.size < capacity)) held.add(id);
        else if (!isTake) held.delete(id);
        const yes = isTake && held.has(id);
        if (isTake && w.said('answerDelivery').at(-1)?.type !== (yes ? 'SLOT_TAKEN' : 'SLOT_FULL')) return false;
        if (isTake && day.said('answerDelivery').at(-1)?.type !== (yes ? 'BOARDED' : 'RUN_FULL')) return false;
        for (const books of [w.context.taken, day.context.stops])
          if (Object.keys(books).sort().join() !== [...held].sort().join()) return false;
      }
      return true;
    }),
    { seed, numRuns: 60 },
  );
  t.pass('60 orders of acts');
  t.end();
});

function runOf(capacity = 2): Walk {
  return walk(run, { runId: 'run_c_20270118', courierId: 'usr_c', capacity, until: NOW + 2 * HOUR }, NOW);
}

test('DL8, D-07, D-10: a run takes as many envelopes as its courier can carry', (t) => {
  const w = runOf();
  for (const deliveryId of ['dlv_a', 'dlv_b', 'dlv_c']) w.send({ type: 'BOARD', deliveryId, turn: 3 });
  t.same(answers(w), ['BOARDED dlv_a 3', 'BOARDED dlv_b 3', 'RUN_FULL dlv_c 3']);
  w.send({ type: 'LEAVE', deliveryId: 'dlv_a' });
  w.send({ type: 'BOARD', deliveryId: 'dlv_c', turn: 4 });
  t.equal(answers(w).at(-1), 'BOARDED dlv_c 4');
  w.fire('dayOver');
  t.ok(w.in('quiet'), 'he has envelopes to fetch still');
  for (const deliveryId of ['dlv_b', 'dlv_c']) w.send({ type: 'LEAVE', deliveryId });
  const past = walk(run, { runId: 'r', courierId: 'c', capacity: 1, until: NOW }, NOW);
  past.fire('dayOver');
  t.equal(past.snapshot.status, 'done');
  t.equal(runIdOf('usr_c1', SLOT), 'run_c1_20270118');
  t.not(runIdOf('c1', SLOT), runIdOf('usr_c1', SLOT), 'no two couriers share a run');
  t.end();
});

test('D-41: half an hour without a sign of life, while he holds envelopes, is said to each of them and to the desk', (t) => {
  const w = runOf(3);
  for (const deliveryId of ['dlv_a', 'dlv_b', 'dlv_c']) w.send({ type: 'BOARD', deliveryId, turn: 1 });
  t.notOk(w.timers.includes('courierSilent'), 'he holds nothing');
  for (const deliveryId of ['dlv_a', 'dlv_b']) w.send({ type: 'HELD', deliveryId });
  t.notOk(w.send({ type: 'SEEN', deliveryId: 'dlv_other' }));
  w.send({ type: 'SEEN', deliveryId: 'dlv_a' });
  w.fire('courierSilent');
  t.match(w.said('tellStops'), [{ courierId: 'usr_c', stops: ['dlv_a', 'dlv_b'] }]);
  t.match(w.said('openTask'), [{ subject: 'run_c_20270118', task: 'courier_offline' }]);
  const back = w.fork();
  back.send({ type: 'SEEN', deliveryId: 'dlv_b' });
  t.ok(back.in('carrying'));
  for (const deliveryId of ['dlv_a', 'dlv_b']) w.send({ type: 'LEAVE', deliveryId });
  t.ok(w.in('quiet'));
  for (const each of [back, w]) t.equal(each.said('closeTask').length, 1);
  t.end();
});
