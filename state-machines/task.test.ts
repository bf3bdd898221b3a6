// Goal: a task is opened, claimed, escalated and closed as TK1 and TK2 say, and the table knows every task that a chart asks
// for. Method: the chart walked by hand; the actions of the other charts read from their definitions.

import { test } from 'tap';
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { delivery } from './delivery/delivery.ts';
import { run } from './delivery/run.ts';
import { applicant } from './ordering/applicant.ts';
import { batch } from './ordering/batch.ts';
import { cardGuard } from './ordering/card-guard.ts';
import { closedBatch } from './ordering/closed-batch.ts';
import { order } from './ordering/order.ts';
import { sweep } from './ordering/sweep.ts';
import { REMINDERS_MAX, task } from './task.ts';
import { desks, type TaskName, taskKind, tasks } from './tasks.ts';
import { type Walk, walk } from './walk.ts';

const terms = (name: TaskName) => {
  const { desk, dueMs, ends } = taskKind(name);
  return { type: 'OPEN', desk, dueMs, ends };
};

function opened(name: TaskName = 'card_record_refused'): Walk {
  const w = walk(task, { taskId: `tsk_a_${name}`, subject: 'ord_a', orderId: 'ord_a', task: name });
  w.send(terms(name));
  return w;
}

test('TK1: a task is claimed by one, given back by him or in his name, and closed by its subject', (t) => {
  const w = opened();
  t.same(w.states, ['clock.running', 'work.open']);
  t.ok(w.send({ type: 'CLAIM', by: 'ops.anna' }));
  t.notOk(w.send({ type: 'CLAIM', by: 'ops.ben' }), 'it is taken');
  t.notOk(w.send({ type: 'UNCLAIM', by: 'ops.ben' }), 'it is not his');
  t.notOk(w.send({ type: 'UNCLAIM', by: 'ops.lead', holder: 'ops.ben' }), 'nor was it ever');
  t.ok(w.send({ type: 'UNCLAIM', by: 'ops.lead', holder: 'ops.anna' }));
  t.ok(w.send({ type: 'CLAIM', by: 'ops.ben' }));
  t.notOk(w.send({ type: 'DONE', by: 'ops.ben', reason: 'mended' }), 'a state stands behind it');
  t.ok(w.send(terms('card_record_refused')), 'asked again while it is claimed');
  t.match(w.context, { claimedBy: 'ops.ben', asked: 2, openings: 1 });

  t.ok(w.send({ type: 'CLOSE' }));
  t.same([w.states, w.timers], [['clock.stopped', 'work.closed'], []]);
  t.notOk(w.send({ type: 'CLAIM', by: 'ops.anna' }));
  t.notOk(w.send({ type: 'CLOSE' }));
  t.ok(w.send(terms('card_record_refused')));
  t.match(w.context, { asked: 1, openings: 2, claimedBy: null, escalations: 0 }, 'opened anew, nobody’s');

  const byHand = opened('bureau_silent');
  t.ok(byHand.send({ type: 'DONE', by: 'ops.anna', reason: 'told_customer' }));
  t.match(byHand.context, { closedBy: 'ops.anna', reason: 'told_customer' });
  t.end();
});

test('TK2: an open task escalates when it is due, claimed or not, and is told of again so many times', (t) => {
  const w = opened();
  w.send({ type: 'CLAIM', by: 'ops.anna' });
  t.same(w.timers, ['due'], 'claiming stops no clock');
  w.fire('due');
  t.match(w.context, { escalations: 1, claimedBy: 'ops.anna' });
  for (let reminder = 1; reminder <= REMINDERS_MAX; reminder++) w.fire('again');
  t.equal(w.context.escalations, 1 + REMINDERS_MAX);
  t.notOk(w.fire('again'), 'then there is silence');
  t.same([w.timers, w.states], [[], ['clock.escalated', 'work.claimed']]);
  w.send({ type: 'CLOSE' });
  w.send(terms('card_record_refused'));
  t.same(w.timers, ['due'], 'its clock begins anew');
  t.end();
});

const PREFIXES: { readonly [machine: string]: string } = {
  ...{ order: 'ord', delivery: 'dlv', applicant: 'apl', batch: 'bat' },
  ...{ closedBatch: 'bat', cardGuard: 'ord', run: 'run', sweep: 'swp' },
};

test('the table knows every task that a chart asks for, and each row can be worked', (t) => {
  for (const machine of [order, delivery, applicant, batch, closedBatch, cardGuard, run, sweep]) {
    const prefix = PREFIXES[machine.id] as 'ord';
    for (const [action, name] of asked(machine)) {
      const kind = taskKind(name);
      t.ok(Object.hasOwn(tasks, name), `${machine.id}: ${action} ${name}`);
      t.ok(kind.of.includes(prefix), `${name} may be of a ${prefix}_`);
    }
  }
  t.ok(asked(order).length > 10, 'the definitions were read');
  for (const [name, kind] of Object.entries(tasks)) {
    t.match(name, /^[a-z][a-z_]{2,39}$/); // 80 characters of an actor id hold the longest subject and this.
    t.ok(desks.includes(kind.desk) && kind.dueMs > 0 && kind.of.length > 0 && kind.words.endsWith('.'), name);
    t.ok(kind.verbs.length > 0, `${name}: something leads out`);
  }
  t.match(taskKind('not_listed'), { desk: 'operations', ends: 'person' }, 'and an unknown one is somebody’s too');
  t.match(taskKind('constructor'), { desk: 'operations' });
  t.end();
});

interface Asked {
  readonly task: string;
}

/** Every `openTask` and `closeTask` of a chart with the name it says. */
function asked(machine: AnyStateMachine): readonly (readonly [action: string, task: string])[] {
  const actions = nodes(machine.root).flatMap((node) => [
    ...node.entry,
    ...node.exit,
    ...[...node.transitions.values()].flat().flatMap((transition) => transition.actions),
    ...(node.always ?? []).flatMap((transition) => transition.actions),
  ]);
  return actions.flatMap((action) => {
    const { type, params } = action as { type?: string; params?: Asked | ((scope: object) => Asked) };
    if (type !== 'openTask' && type !== 'closeTask') return [];
    const said =
      typeof params === 'function' ? params({ context: { orderId: 'ord_a', deliveryId: 'dlv_a_1' } }) : params;
    return [[type, said?.task ?? 'none'] as const];
  });
}

function nodes(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodes)];
}
