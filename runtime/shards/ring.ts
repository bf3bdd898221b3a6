// The ring: which worker each shard goes to. Consistent hashing with bounded loads over the last published placement (L1).
//
// Pure, and computed alike by every worker. Three wishes, in this order:
//   1. nobody owns more than its share rounded up, plus one;
//   2. as few shards as possible move: a worker that leaves moves its own, one that joins takes its share and no more;
//   3. shards return to where they were at home, and else go where the ring says.
// Source: V. Mirrokni, M. Thorup, M. Zadimoghaddam, "Consistent Hashing with Bounded Loads" (2016).

import type { WorkerId } from '../ids.ts';

export interface RingMember {
  readonly worker: WorkerId;
  /** Above 0; a worker of weight 2 gets twice the shards of one of weight 1. */
  readonly weight: number;
}

export interface Placement {
  /** Owner per shard; null where there is no worker at all. */
  readonly owners: readonly (WorkerId | null)[];
  /** Where each shard last was by choice. It stays when the worker dies, so that a restarted one gets its own back. */
  readonly homes: readonly (WorkerId | null)[];
}

export interface AssignRequest {
  readonly shards: number;
  readonly members: readonly RingMember[];
  readonly previous?: Placement | undefined;
  /** Shards that must be with a certain worker while it is a member. They count towards its load. */
  readonly pins?: ReadonlyMap<number, WorkerId> | undefined;
}

export interface Ring {
  /** The next placement. The same arguments give the same answer in any order of members. O(shards × members). */
  assign(request: AssignRequest): Placement;
}

const POINTS_PER_WEIGHT = 64; // Spreads what the bounds leave open; the bounds, not the points, make the loads even.
const WORKERS_KEPT = 1_000;

/** `hash64` is the hash of the namespace. Points of workers seen are kept, and the order of the last member list. */
export function createRing(hash64: (text: string) => bigint): Ring {
  const place53 = (text: string): number => Number(hash64(text) >> PRECISION);
  const known = new Map<string, readonly Point[]>();
  const pointsOf = ({ worker, weight }: RingMember): readonly Point[] => {
    const key = `${worker}*${weight}`;
    if (known.size > WORKERS_KEPT) known.clear();
    const points = known.get(key) ?? makePoints(worker, weight, place53);
    known.set(key, points);
    return points;
  };
  let cached: { readonly key: string; readonly walk: (shard: number) => readonly WorkerId[] } | undefined;
  return {
    assign(request) {
      const members = [...request.members].sort((a, b) => (a.worker < b.worker ? -1 : 1));
      const key = members.map(({ worker, weight }) => `${worker}*${weight}`).join(' ');
      if (cached?.key !== key) cached = { key, walk: walkOver(members, pointsOf, place53) };
      return place({ ...request, members }, cached.walk);
    },
  };
}

interface Point {
  readonly at: number;
  readonly worker: WorkerId;
}

const PRECISION = 11n; // The upper 53 bits of a hash: numbers compare faster than big ones, and even so none collide.

/** The order in which a shard would choose among the workers: clockwise from its own point. */
function walkOver(
  members: readonly RingMember[],
  pointsOf: (member: RingMember) => readonly Point[],
  place53: (text: string) => number,
): (shard: number) => readonly WorkerId[] {
  const points = members.flatMap(pointsOf);
  points.sort((a, b) => a.at - b.at || (a.worker < b.worker ? -1 : 1));
  const walks = new Map<number, readonly WorkerId[]>();
  return (shard) => {
    const known = walks.get(shard);
    if (known !== undefined) return known;
    const start = place53(`shard ${shard}`);
    const first = Math.max(
      0,
      points.findIndex((point) => point.at >= start),
    ); // Past the last point, the first follows.
    const walk = new Set<WorkerId>();
    for (let i = 0; i < points.length && walk.size < members.length; i += 1) {
      const point = points[(first + i) % points.length];
      if (point !== undefined) walk.add(point.worker);
    }
    const order = [...walk];
    walks.set(shard, order);
    return order;
  };
}

const makePoints = (worker: WorkerId, weight: number, place53: (text: string) => number): readonly Point[] =>
  Array.from({ length: Math.max(1, Math.round(POINTS_PER_WEIGHT * weight)) }, (_, i) => ({
    at: place53(`${worker}#${i}`),
    worker,
  }));

interface Seat {
  readonly worker: WorkerId;
  readonly share: number;
  readonly least: number;
  readonly fair: number;
  /** It was not there in the previous placement: it may be coming back. */
  readonly joins: boolean;
  load: number;
}

const ROUNDING = 1e-9; // A share of 16 must not become 17 by a division.

function place(request: AssignRequest, walk: (shard: number) => readonly WorkerId[]): Placement {
  const { shards, members, previous, pins } = request;
  const homes = Array.from({ length: shards }, (_, shard) => previous?.homes[shard] ?? previous?.owners[shard] ?? null);
  const owners: (WorkerId | null)[] = homes.map(() => null);
  const seats = seatsOf(members, shards, new Set(previous?.owners));
  if (seats.size === 0) return { owners, homes };

  const give = (shard: number, worker: WorkerId): void => {
    const before = owners[shard];
    const left = before === null || before === undefined ? undefined : seats.get(before);
    if (left !== undefined) left.load -= 1;
    owners[shard] = worker;
    const taken = seats.get(worker);
    if (taken !== undefined) taken.load += 1;
  };

  // Whoever is still there keeps what it has.
  const orphans: number[] = [];
  for (let shard = 0; shard < shards; shard += 1) {
    const pin = pins?.get(shard);
    const stays = pin !== undefined && seats.has(pin) ? pin : previous?.owners[shard];
    if (stays !== null && stays !== undefined && seats.has(stays)) give(shard, stays);
    else orphans.push(shard);
  }

  for (const shard of orphansInOrder(orphans, homes, seats)) {
    const worker = seatFor(homes[shard] ?? null, walk(shard), seats);
    give(shard, worker);
    homes[shard] ??= worker;
  }

  const free = (shard: number): boolean => pins?.get(shard) === undefined;
  const context: Balance = { owners, homes, seats, walk, free };
  const next = (): Move | undefined => nextMove(context) ?? homecoming(context);
  for (let move = next(); move !== undefined; move = next()) {
    give(move.shard, move.to);
    homes[move.shard] = move.to; // Moved by choice, not by need.
  }
  return { owners, homes };
}

function seatsOf(
  members: readonly RingMember[],
  shards: number,
  owned: ReadonlySet<WorkerId | null>,
): Map<WorkerId, Seat> {
  const total = members.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(
    members.map(({ worker, weight }) => {
      const share = (shards * weight) / total;
      const [least, fair] = [Math.floor(share + ROUNDING), Math.ceil(share - ROUNDING)];
      return [worker, { worker, share, least, fair, joins: !owned.has(worker), load: 0 }];
    }),
  );
}

// Those whose home is there come first, so that a stranger does not take the place from them.
function orphansInOrder(
  orphans: readonly number[],
  homes: readonly (WorkerId | null)[],
  seats: ReadonlyMap<WorkerId, Seat>,
): readonly number[] {
  const atHome = (shard: number): boolean => {
    const home = homes[shard] ?? null;
    return home !== null && seats.has(home);
  };
  return [...orphans.filter(atHome), ...orphans.filter((shard) => !atHome(shard))];
}

/** Home or along the walk: first among those below their least share, then below the fair one. */
function seatFor(home: WorkerId | null, walk: readonly WorkerId[], seats: ReadonlyMap<WorkerId, Seat>): WorkerId {
  const order = home === null ? walk : [home, ...walk];
  const seated = order.map((worker) => seats.get(worker)).filter((seat) => seat !== undefined);
  const seat =
    seated.find(({ load, least }) => load < least) ??
    seated.find(({ load, fair }) => load < fair) ??
    [...seated].sort((a, b) => a.load - a.share - (b.load - b.share))[0];
  if (seat === undefined) throw new TypeError('a walk names every member');
  return seat.worker;
}

interface Move {
  readonly shard: number;
  readonly to: WorkerId;
}

interface Balance {
  readonly owners: readonly (WorkerId | null)[];
  readonly homes: readonly (WorkerId | null)[];
  readonly seats: ReadonlyMap<WorkerId, Seat>;
  readonly walk: (shard: number) => readonly WorkerId[];
  readonly free: (shard: number) => boolean;
}

/** One shard from the fullest to the emptiest, while somebody is below its least share or above its bound. */
function nextMove(balance: Balance): Move | undefined {
  const seats = [...balance.seats.values()];
  const surplus = (seat: Seat): number => seat.load - seat.share;
  const emptiest = seats.reduce((a, b) => (surplus(b) < surplus(a) - ROUNDING ? b : a));
  const needed = seats.some(({ load, least }) => load < least) || seats.some(({ load, fair }) => load > fair + 1);
  if (!needed || emptiest.load >= emptiest.fair) return undefined;
  const candidates = balance.owners.flatMap((owner, shard) => {
    const seat = owner === null ? undefined : balance.seats.get(owner);
    return seat !== undefined && surplus(seat) > ROUNDING && seat.load > seat.least && balance.free(shard)
      ? [{ shard, seat }]
      : [];
  });
  const most = Math.max(...candidates.map(({ seat }) => surplus(seat)));
  // Each move must bring the two nearer; pins can leave nothing that does.
  if (most - surplus(emptiest) <= 1) return undefined;
  const best = candidates
    .filter(({ seat }) => surplus(seat) >= most - ROUNDING)
    .map(({ shard, seat }) => ({ shard, gain: gainOf(balance, shard, seat.worker, emptiest.worker) }))
    .reduce<{ shard: number; gain: number } | undefined>(
      (a, b) => (a === undefined || b.gain < a.gain ? b : a),
      undefined,
    );
  return best === undefined ? undefined : { shard: best.shard, to: emptiest.worker };
}

/** The last shard of a worker that comes back with more than its least share: taken where it is one too many. */
function homecoming({ owners, homes, seats, free }: Balance): Move | undefined {
  for (const [shard, owner] of owners.entries()) {
    const home = homes[shard] ?? null;
    const to = home === null || home === owner ? undefined : seats.get(home);
    const from = owner === null ? undefined : seats.get(owner);
    if (to === undefined || from === undefined || !to.joins || !free(shard)) continue;
    if (to.load < to.fair && from.load > from.least) return { shard, to: to.worker };
  }
  return undefined;
}

/** The smaller the better: coming home counts most, then how much nearer on the ring the shard gets. */
function gainOf(balance: Balance, shard: number, from: WorkerId, to: WorkerId): number {
  if (balance.homes[shard] === to) return Number.NEGATIVE_INFINITY;
  const walk = balance.walk(shard);
  const leavesHome = balance.homes[shard] === from ? 0 : -0.5; // Rather those that are strangers here anyway.
  return walk.indexOf(to) - walk.indexOf(from) + leavesHome;
}
