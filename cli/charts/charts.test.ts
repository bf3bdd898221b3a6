// Goal: every transition of the specification is taken by a test of the charts. Method: those tests run with a recorder.

import { test } from 'tap';
import { idsOf } from '../../state-machines/anatomy.ts';
import { coverTransitions } from './taken.ts';

test('4.2, 4.4: every transition of the specification is taken by a test', async (t) => {
  const { ids, gaps, unknown } = await coverTransitions();
  t.equal(ids.size, 96);
  t.same(gaps, [], 'no gap');
  t.same(unknown, [], 'no number that the specification does not have');
});

test('numbers are read one by one, in lists and in ranges', (t) => {
  t.same(idsOf({ description: 'O-17' }), ['O-17']);
  t.same(idsOf({ description: 'D-11, D-13' }), ['D-11', 'D-13']);
  t.same(idsOf({ description: 'D-07…D-09' }), ['D-07', 'D-08', 'D-09']);
  t.same(idsOf({ description: 'D-07 … 09' }), ['D-07', 'D-08', 'D-09']);
  t.same(idsOf({}), []);
  t.end();
});
