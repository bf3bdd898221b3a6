// Goal: the contenders are what their names say, or the comparison is worth nothing. Method: seeded histories, published
// values, and a slice of the bench itself. That ours keeps its bounds with equal weights and 64 shards is tested beside the ring.

import fc from 'fast-check';
import t from 'tap';
import { workerId } from '../runtime/ids.ts';
import { createHasher } from '../runtime/shards/hash.ts';
import { seeded } from '../runtime/testing/oracle.ts';
import { svgOf } from './picture.ts';
import { OURS } from './shard-balance/bounded.ts';
import { halves, keysOf, ownersOf } from './shard-balance/contender.ts';
import { contenders } from './shard-balance/contenders.ts';
import { costs } from './shard-balance/cost.ts';
import { columns } from './shard-balance/findings.ts';
import { memberOf, randomHistory, type Weights } from './shard-balance/histories.ts';
import { jump } from './shard-balance/jump.ts';
import { ordersPerShard } from './shard-balance/orders.ts';
import { pictures } from './shard-balance/plot.ts';
import { changeBetween, leastFullest, spreadOf } from './shard-balance/spread.ts';
import { play, survey } from './shard-balance/survey.ts';
import { report } from './shard-balance/tables.ts';
import { type Around, findingsOf, spread } from './takeover/findings.ts';
import { pictures as livePictures } from './takeover/plot.ts';

const hasher = await createHasher();
const all = contenders(hasher.hash64);
const ours = all.filter(({ name }) => name === OURS);
const keys = keysOf(64, hasher.hash64);
const seed = Number(process.env.SEED ?? 20_261_125);

t.test('every contender places every shard on a live worker, and alike whenever it is asked alike', async (t) => {
  t.comment(`seed ${seed}`);
  const again = contenders(hasher.hash64);
  for (const weights of ['equal', 'half double'] as const) {
    const random = seeded(seed);
    for (let i = 0; i < 20; i += 1) {
      const history = randomHistory(1 + Math.floor(random() * 16), weights, random);
      const reversed = history.map((members) => [...members].reverse());
      for (const [at, contender] of all.entries()) {
        const seen = play(contender, keys, history);
        for (const { owners, members } of seen)
          if (owners.some((owner) => !members.some(({ worker }) => worker === owner)))
            return t.fail(`${contender.name}: a shard without a live worker`);
        const twin = play(again[at] as typeof contender, keys, reversed); // The same list, made anew.
        if (seen.some(({ owners }, step) => owners.join() !== twin[step]?.owners.join()))
          return t.fail(`${contender.name}: another answer in another order of members`);
      }
    }
  }
  t.pass('placed');
});

t.test('jump gives the published values, and those of the paper with big integers', async (t) => {
  const of = (key: bigint, buckets: number): number => {
    const { high, low } = halves(key);
    return jump(high, low, buckets);
  };
  // The values that implementations in Go, Python and ClickHouse test themselves with.
  const published: readonly (readonly [bigint, number, number])[] = [
    [1n, 1, 0],
    [42n, 57, 43],
    [256n, 1_024, 520],
    [3735883980n, 1, 0],
    [3735883980n, 666, 361],
    [16045690984833335023n, 255, 237],
  ];
  for (const [key, buckets, bucket] of published) t.equal(of(key, buckets), bucket, `${key} among ${buckets}`);
  fc.assert(
    fc.property(
      fc.bigInt(0n, 2n ** 64n - 1n),
      fc.integer({ min: 1, max: 5_000 }),
      (key, buckets) => of(key, buckets) === plainJump(key, buckets),
    ),
    { seed },
  );
  const elsewhere = keysOf(1_024, hasher.hash64).filter(({ high, low }) => {
    const [before, after] = [jump(high, low, 8), jump(high, low, 9)];
    return after !== before && after !== 8;
  });
  t.same(elsewhere, [], 'a new bucket at the end takes, and moves nothing else');
});

/** Figure 1 of the paper, word by word. */
function plainJump(start: bigint, buckets: number): number {
  let key = start;
  let bucket = -1;
  let next = 0;
  while (next < buckets) {
    bucket = next;
    key = BigInt.asUintN(64, key * 2862933555777941757n + 1n);
    next = Math.floor((bucket + 1) * (2 ** 31 / (Number(key >> 33n) + 1)));
  }
  return bucket;
}

t.test('rendezvous and the ring move nothing between workers that stay', async (t) => {
  const random = seeded(seed);
  for (let i = 0; i < 50; i += 1) {
    const history = randomHistory(2 + Math.floor(random() * 12), i % 2 === 0 ? 'equal' : 'half double', random);
    for (const contender of all.filter(({ name }) => /^(ring|rendezvous)/.test(name)))
      for (const { change } of play(contender, keys, history))
        if ((change?.needless ?? 0) > 0)
          return t.fail(`${contender.name} moved ${change?.needless} that nobody needed to`);
  }
  t.pass('nothing');
});

t.test('a worker of weight 2 has about twice the keys, except on a ring of few points', async (t) => {
  const many = keysOf(20_000, hasher.hash64);
  const members = [1, 2, 3, 4].map((number) => memberOf(number, 'half double'));
  const judged = all.filter(({ name }) => name !== OURS && !/ (1|4|16) point/.test(name)); // Ours: see the next test.
  for (const contender of judged) {
    const { deviation } = spreadOf(ownersOf(contender.prepare({ members, keys: many }), many), members);
    t.ok(deviation < 0.15, `${contender.name}: ${deviation.toFixed(3)}`);
  }
});

t.test('L1: with weights, and with 1,024 shards, ours exceeds no share rounded up by more than one', async (t) => {
  t.comment(`seed ${seed}`);
  const cases: readonly (readonly [number, Weights, number])[] = [
    [64, 'half double', 1_000],
    [1_024, 'equal', 6],
    [1_024, 'half double', 6],
  ];
  for (const [shards, weights, histories] of cases) {
    const random = seeded(seed);
    const own = keysOf(shards, hasher.hash64);
    const worst = { above: 0, moves: 0 };
    for (let i = 0; i < histories; i += 1) {
      const history = randomHistory(1 + Math.floor(random() * 12), weights, random);
      for (const contender of ours)
        for (const { owners, members, change } of play(contender, own, history)) {
          worst.above = Math.max(worst.above, spreadOf(owners, members).above);
          worst.moves = Math.max(worst.moves, change === undefined ? 0 : change.moved - change.least);
        }
    }
    t.equal(worst.above, 0, `load, ${shards} shards, ${weights} weights`);
    t.ok(worst.moves <= 1, `moves, ${shards} shards, ${weights} weights: at worst ${worst.moves} above the share`);
  }
});

t.test('the measures: fullest, deviation, above, moved, least, needless', async (t) => {
  const [a, b, c] = [1, 2, 3].map((number) => ({ worker: workerId(`ordering.${number}`), weight: 1 }));
  if (a === undefined || b === undefined || c === undefined) return;
  const [x, y, z] = [a.worker, b.worker, c.worker];
  t.same(spreadOf([x, x, x, x, x, x, y, y], [a, b]), { fullest: 1.5, deviation: 0.5, above: 0.5 });
  t.same(spreadOf([x, x, x, y], [a, { ...b, weight: 1 / 3 }]), { fullest: 1, deviation: 0, above: 0 });
  t.equal(leastFullest(64, [a, b, c]), 22 / (64 / 3));
  t.equal(leastFullest(64, [a, { ...b, weight: 3 }]), 1);
  t.equal(spreadOf([x, y], [a, b], (shard) => (shard === 0 ? 3 : 1)).fullest, 1.5, 'counted in orders');
  t.same(
    changeBetween({ members: [a, b], owners: [x, x, y, y] }, { members: [a, b, c], owners: [x, z, x, y] }),
    { moved: 2, needless: 1, least: 2 },
    'a join',
  );
  t.same(
    changeBetween({ members: [a, b], owners: [x, x, y, y] }, { members: [a], owners: [x, x, x, x] }),
    { moved: 2, needless: 0, least: 2 },
    'a leave',
  );
});

t.test('a slice of the bench: the same seed gives the same rows, tables and pictures are drawn of them', async (t) => {
  const orders = ordersPerShard(500, 64, seed, hasher);
  t.equal(
    orders.reduce((x, y) => x + y),
    500,
  );
  const scene = { shards: 64, weights: 'equal', workers: 4 } as const;
  const run = () => survey({ contenders: contenders(hasher.hash64), keys, orders, scene, histories: 3, seed });
  const surveyed = run();
  t.same(run(), surveyed);
  const measured = costs({ cases: [{ keys, workers: 4 }], contendersOf: () => all, rounds: 1 });
  const rows = measured.flatMap(({ of }) => of);
  t.same(
    rows.map(({ contender }) => contender),
    all.map(({ name }) => name),
  );
  t.ok(rows.every(({ lookupNs, reassignUs }) => lookupNs > 0 && reassignUs > 0));
  const findings = { seed, histories: 3, orders: 500, rows: surveyed, costs: measured };
  t.match(report(findings, true), /64 shards, equal weights: fullest worker/);
  t.equal(columns(surveyed).length, all.length);
  for (const [name, picture] of Object.entries(pictures(findings))) t.match(await svgOf(picture), /^<svg/, name);
});

t.test('takeovers are reckoned by nearest rank, rates in bins around what happened, and drawn', async (t) => {
  t.match(spread([40, 10, 30, 20]), { n: 4, p50: 20, p99: 40, max: 40 });
  // A thousand answers a second until the moment, none for 200 ms, then as before.
  const around = (at: number): Around => {
    const answers = Array.from({ length: 2_000 }, (_, ms) => at - 1_000 + ms).filter((ms) => ms < at || ms >= at + 200);
    return { at, beforeMs: 1_000, afterMs: 1_000, answers };
  };
  const round = (ending: 'SIGKILL' | 'SIGTERM', takeovers: readonly number[], at: number) => ({
    ...{ ending, takeovers, pauses: [70, 80], signal: around(at), back: around(at + 5_000) },
  });
  const findings = findingsOf([round('SIGKILL', [500, 600], 2_000), round('SIGTERM', [90, 95], 9_000)], 1, 0);
  t.match(findings.SIGKILL, { first: { n: 1, p50: 500 }, shards: { n: 2, max: 600 }, ratio: 0.8 });
  t.match(findings.moved, { n: 4, p50: 70, max: 80 });
  const { fromMs, median } = findings.SIGKILL.dip;
  t.equal(fromMs, -1_000);
  t.same(median.slice(18, 26), [1_000, 1_000, 0, 0, 0, 0, 1_000, 1_000]);
  for (const [name, picture] of Object.entries(livePictures(findings))) t.match(await svgOf(picture), /^<svg/, name);
});
