// Goal: the checker of I7 finds an order where there is one, and only there. Method: small drawn histories against a brute
// force that tries every order of every choice; histories made by a sequential run, of which one answer is then changed; and
// the bounds. SEED=… replays the drawn ones.

import fc from 'fast-check';
import t from 'tap';
import { systemClock } from '../../clock.ts';
import { seeded } from '../../statechart/oracle.ts';
import type { Operation, Outcome } from './history.ts';
import { callsOf } from './linearity.ts';
import { type Call, linearizable, type Model } from './linearizability.ts';
import { tally, versions } from './models.ts';

const seed = Number(process.env.SEED ?? 20_261_125);
const drawn = (numRuns: number) => ({ seed, numRuns, verbose: true });
t.before(() => t.comment(`seed ${seed}`));

// --- The brute force ---------------------------------------------------------------------------------------------------

/** Every order of every choice of calls that has all with a return: some one respects real time and the model. */
function isLinearizable<S, I, O>(calls: readonly Call<I, O>[], model: Model<S, I, O>): boolean {
  const open = calls.filter(({ returnedAt }) => returnedAt === undefined);
  const certain = calls.filter(({ returnedAt, failed }) => returnedAt !== undefined && failed !== true);
  for (let choice = 0; choice < 2 ** open.length; choice += 1) {
    const chosen = open.filter((call, index) => (choice & (1 << index)) !== 0 && call.failed !== true);
    for (const order of orders([...certain, ...chosen]))
      if (respectsTime(order) && isRun(order, model, model.initial(calls))) return true;
  }
  return false;
}

function* orders<T>(items: readonly T[]): Generator<readonly T[]> {
  if (items.length === 0) yield [];
  for (const [index, item] of items.entries())
    for (const rest of orders(items.toSpliced(index, 1))) yield [item, ...rest];
}

const respectsTime = <I, O>(order: readonly Call<I, O>[]): boolean =>
  order.every((later, index) =>
    order.slice(index + 1).every(({ returnedAt = Number.POSITIVE_INFINITY }) => !(returnedAt < later.invokedAt)),
  );

function isRun<S, I, O>(order: readonly Call<I, O>[], model: Model<S, I, O>, initial: S): boolean {
  let state: S | undefined = initial;
  for (const { input, output } of order) {
    state = model.step(state, input, output);
    if (state === undefined) return false;
  }
  return true;
}

// --- A register ----------------------------------------------------------------------------------------------------------

type Access = { readonly write: number } | 'read';

const register: Model<number, Access, number> = {
  name: 'register',
  initial: () => 0,
  step: (value, input, output) => {
    if (input !== 'read') return input.write;
    return output === undefined || output === value ? value : undefined;
  },
};

const registerCall: fc.Arbitrary<Call<Access, number>> = fc
  .record({
    write: fc.boolean(),
    value: fc.nat(2),
    invokedAt: fc.nat(8),
    lasts: fc.nat(4),
    end: fc.constantFrom('returned', 'returned', 'returned', 'unknown', 'failed'),
  })
  .map(({ write, value, invokedAt, lasts, end }) => ({
    input: write ? { write: value } : 'read',
    invokedAt,
    ...(end === 'returned' ? { returnedAt: invokedAt + lasts, output: value } : {}),
    ...(end === 'failed' ? { failed: true } : {}),
  }));

t.test('I7: the checker and a brute force agree on every drawn history of a register', async (t) => {
  const seen = { linearizable: 0, 'not-linearizable': 0, 'not-decided': 0 };
  fc.assert(
    fc.property(fc.array(registerCall, { maxLength: 6 }), (calls) => {
      const { kind } = linearizable(calls, register);
      seen[kind] += 1;
      return kind === (isLinearizable(calls, register) ? 'linearizable' : 'not-linearizable');
    }),
    drawn(600),
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.linearizable > 50 && seen['not-linearizable'] > 50, 'both were drawn');
  t.equal(seen['not-decided'], 0);
});

t.test('I7: the order that is given is one: it respects real time, and the model can run it', async () => {
  fc.assert(
    fc.property(fc.array(registerCall, { maxLength: 12 }), (calls) => {
      const verdict = linearizable(calls, register);
      if (verdict.kind === 'not-decided') return false;
      const { order } = verdict; // Of a history that is refuted, the beginning that fits.
      const isWhole = calls.every(
        (call) => call.returnedAt === undefined || call.failed === true || order.includes(call),
      );
      return respectsTime(order) && isRun(order, register, 0) && (verdict.kind === 'linearizable') === isWhole;
    }),
    drawn(600),
  );
});

// --- The tally -----------------------------------------------------------------------------------------------------------

interface Instant {
  readonly kind: 'add' | 'read' | 'refused' | 'timer';
  /** How long before its instant it is invoked, and after it returns. */
  readonly before: number;
  readonly after: number;
  readonly end: 'told' | 'unknown, done' | 'unknown, not done';
  readonly lie: 'version' | 'list' | undefined;
}

const instant = (lies: readonly Instant['lie'][]): fc.Arbitrary<Instant> =>
  fc.record({
    kind: fc.constantFrom<Instant['kind'][]>('add', 'add', 'read', 'read', 'refused', 'timer'),
    before: fc.nat(7),
    after: fc.nat(7),
    end: fc.constantFrom<Instant['end'][]>('told', 'told', 'told', 'unknown, done', 'unknown, not done'),
    lie: fc.constantFrom(...lies),
  });

/** Carries out one instant after the other: a history with a known order, apart from the lies in it. */
function carriedOut(instants: readonly Instant[]): readonly Operation[] {
  let version = 0;
  let seen: readonly string[] = [];
  const history: Operation[] = [];
  for (const [index, one] of instants.entries()) {
    const at = index * 2;
    const id = `m${index}`;
    const begun = { actor: 'a', process: `p${index % 5}`, invokedAt: at - one.before };
    const command = { ...begun, kind: 'command', messageId: id, event: { type: 'ADD', id } } as const;
    const returnedAt = at + one.after;
    if (one.kind === 'timer') version += 1;
    else if (one.kind === 'read')
      history.push({ ...begun, kind: 'read', returnedAt, outcome: lied(one, { kind: 'read', version, seen }) });
    else if (one.kind === 'refused')
      history.push({ ...command, returnedAt, outcome: lied(one, { kind: 'refused', version }) });
    else {
      if (one.end !== 'unknown, not done') {
        version += 1;
        seen = [...seen, id];
      }
      if (one.end === 'told')
        history.push({ ...command, returnedAt, outcome: lied(one, { kind: 'applied', version }) });
      else history.push({ ...command, outcome: { kind: 'unknown' } });
    }
  }
  return history;
}

function lied({ lie }: Instant, outcome: Outcome): Outcome {
  if (lie === 'version' && 'version' in outcome) return { ...outcome, version: Math.max(0, outcome.version - 1) };
  if (lie === 'list' && outcome.kind === 'read') {
    const list = (outcome.seen ?? []) as readonly string[]; // As carriedOut writes it.
    return { ...outcome, seen: list.length > 1 ? list.toReversed() : ['made up'] };
  }
  return outcome;
}

/** The tally without its short cut: the whole list is the state. */
const slowTally: Model<{ readonly version: number; readonly seen: readonly unknown[] }, Operation, Outcome> = {
  name: 'slow tally',
  initial: () => ({ version: 0, seen: [] }),
  step({ version: before, seen }, { event }, outcome) {
    const version = versions.step(before, {} as Operation, outcome);
    if (version === undefined) return undefined;
    if (outcome?.kind === 'read')
      return JSON.stringify(outcome.seen) === JSON.stringify(seen) ? { version, seen } : undefined;
    return outcome?.kind === 'refused' ? { version, seen } : { version, seen: [...seen, event?.id] };
  },
};

t.test('I7: whatever was carried out one by one is linearizable, for the tally as for versions', async () => {
  fc.assert(
    fc.property(fc.array(instant([undefined]), { maxLength: 120 }), (instants) => {
      const calls = callsOf(carriedOut(instants));
      return [tally, versions].every((model) => linearizable(calls, model as typeof tally).kind === 'linearizable');
    }),
    drawn(150),
  );
});

t.test('I7: with lies among the answers, the tally and a brute force over whole lists still agree', async (t) => {
  let refuted = 0;
  const lies = [undefined, undefined, undefined, undefined, 'version', 'list'] as const;
  fc.assert(
    fc.property(fc.array(instant(lies), { minLength: 2, maxLength: 6 }), (instants) => {
      const calls = callsOf(carriedOut(instants));
      const expected = isLinearizable(calls, slowTally);
      refuted += expected ? 0 : 1;
      return (linearizable(calls, tally).kind === 'linearizable') === expected;
    }),
    drawn(600),
  );
  t.comment(`${refuted} refuted`);
  t.ok(refuted > 50);
});

t.test(
  'I7: five hundred operations of five processes are judged in few states, and one changed answer is found',
  async (t) => {
    const random = seeded(seed);
    const pick = <T>(...from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
    const instants = Array.from({ length: 500 }, () => ({
      kind: pick<Instant['kind']>('add', 'add', 'read'),
      before: pick(0, 1, 3, 5, 9),
      after: pick(0, 1, 3, 5, 9),
      end: pick<Instant['end']>(
        ...Array<'told'>(17).fill('told'),
        'unknown, done',
        'unknown, done',
        'unknown, not done',
      ),
      lie: undefined,
    }));
    const honest = carriedOut(instants);
    t.equal(honest.length, 500);
    const began = systemClock.monotonic();
    const verdict = linearizable(callsOf(honest), tally);
    t.comment(`${verdict.states} states, ${Math.round(systemClock.monotonic() - began)} ms`);
    t.equal(verdict.kind, 'linearizable');
    t.ok(verdict.states < 20_000, `${verdict.states} states`);
    t.equal(linearizable(callsOf(honest), versions).kind, 'linearizable');

    let late = -1;
    for (const [index, { kind, outcome }] of honest.entries())
      if (index > 400 && kind === 'read' && late < 0) late = outcome.kind === 'read' ? index : -1;
    const forged = honest.map((one, index): Operation => {
      if (index !== late || one.outcome.kind !== 'read') return one;
      return { ...one, outcome: { ...one.outcome, seen: (one.outcome.seen as readonly string[]).toSpliced(3, 1) } };
    });
    const refuted = linearizable(callsOf(forged), tally);
    t.comment(`refuted in ${refuted.states} states`);
    t.equal(refuted.kind, 'not-linearizable');
  },
);

// --- Bounds and bad input ------------------------------------------------------------------------------------------------

t.test('I7: a bound that is reached is no verdict', async (t) => {
  const width = 14;
  // All at once, and a read of what nobody wrote: every order has to be tried.
  const calls: Call<Access, number>[] = Array.from({ length: width }, (_, index) => ({
    input: { write: index },
    invokedAt: 0,
    returnedAt: 1,
  }));
  calls.push({ input: 'read', invokedAt: 2, returnedAt: 3, output: 99 });
  t.match(linearizable(calls, register, { statesMax: 1_000 }), { kind: 'not-decided', words: /1000 states/ });
  t.match(linearizable(calls, register, { callsMax: 10 }), { kind: 'not-decided', words: /15 calls, more than 10/ });
  t.equal(linearizable(calls, register).kind, 'not-linearizable', 'with room enough it is refuted');
});

t.test('I7: times that cannot be are refused; no calls are linearizable; a tie is no order', async (t) => {
  t.match(linearizable([], register), { kind: 'linearizable', order: [] });
  const write: Call<Access, number> = { input: { write: 1 }, invokedAt: 5, returnedAt: 9 };
  const read: Call<Access, number> = { input: 'read', invokedAt: 1, returnedAt: 5, output: 1 };
  t.throws(() => linearizable([{ ...read, invokedAt: 6 }], register), /one clock/);
  t.throws(() => linearizable([{ ...read, invokedAt: Number.NaN }], register), /one clock/);
  t.equal(linearizable([write, read], register).kind, 'linearizable', 'returned at 5 is not before invoked at 5');
  t.equal(linearizable([{ ...write, invokedAt: 6 }, read], register).kind, 'not-linearizable');
});
