// The survey: every contender over the same histories, folded into means and worsts. Pure apart from its progress.

import { seeded } from '../../runtime/testing/oracle.ts';
import { type Contender, type Key, ownersOf, type Placed } from './contender.ts';
import { type History, randomHistory, type Weights } from './histories.ts';
import { type Change, changeBetween, leastFullest, type Moment, type Spread, spreadOf } from './spread.ts';

export interface Scene {
  readonly shards: number;
  readonly weights: Weights;
  readonly workers: number;
}

export interface MeanAndWorst {
  readonly mean: number;
  readonly worst: number;
}

export interface Row extends Scene {
  readonly contender: string;
  /** The `fullest` that whole shards allow in these histories: the floor below every contender. */
  readonly possible: MeanAndWorst;
  readonly load: Figures;
  /** The load counted in orders instead of shards. */
  readonly orders: Figures | undefined;
  /** Moved shards by the theoretical least, over all joins, and over all leaves. */
  readonly join: MeanAndWorst;
  readonly leave: MeanAndWorst;
  /** Moved shards above the theoretical least: the worst of all changes. */
  readonly tooMany: number;
  /** Share of the moved shards that went from one worker that stayed to another. */
  readonly needless: number;
}

export interface Figures {
  readonly fullest: MeanAndWorst;
  readonly deviation: number;
  readonly above: number;
}

export interface SurveyRequest {
  readonly contenders: readonly Contender[];
  readonly keys: readonly Key[];
  /** Orders per shard, where they are counted as well. */
  readonly orders?: readonly number[] | undefined;
  readonly scene: Scene;
  readonly histories: number;
  readonly seed: number;
}

/** One row per contender; all meet the same histories. */
export function survey({ contenders, keys, orders, scene, histories, seed }: SurveyRequest): readonly Row[] {
  const random = seeded(seed + scene.workers);
  const played = Array.from({ length: histories }, () => randomHistory(scene.workers, scene.weights, random));
  const possible = meanAndWorst(played.flat().map((members) => leastFullest(keys.length, members)));
  return contenders.map((contender) => {
    const seen = played.flatMap((history) => play(contender, keys, history));
    const changes = seen.flatMap(({ change }) => (change === undefined ? [] : [change]));
    const moved = changes.reduce((sum, change) => sum + change.moved, 0);
    return {
      ...scene,
      contender: contender.name,
      possible,
      load: figures(seen.map(({ owners, members }) => spreadOf(owners, members))),
      orders: orders && figures(seen.map(({ owners, members }) => spreadOf(owners, members, (at) => orders[at] ?? 0))),
      join: meanAndWorst(changes.filter(({ joined }) => joined).map(timesTheLeast)),
      leave: meanAndWorst(changes.filter(({ joined }) => !joined).map(timesTheLeast)),
      tooMany: Math.max(...changes.map((change) => change.moved - change.least)),
      needless: changes.reduce((sum, change) => sum + change.needless, 0) / Math.max(1, moved),
    };
  });
}

interface Seen extends Moment {
  /** Undefined at the beginning of a history. */
  readonly change: (Change & { readonly joined: boolean }) | undefined;
}

/** The moments of one history, in order. */
export function play(contender: Contender, keys: readonly Key[], history: History): readonly Seen[] {
  let previous: Placed | undefined;
  let before: Moment | undefined;
  return history.map((members) => {
    previous = contender.prepare({ members, keys, previous });
    const moment: Moment = { members, owners: ownersOf(previous, keys) };
    const change = before && {
      ...changeBetween(before, moment),
      joined: members.length > before.members.length,
    };
    before = moment;
    return { ...moment, change };
  });
}

const timesTheLeast = ({ moved, least }: Change): number => moved / least;

function figures(spreads: readonly Spread[]): Figures {
  return {
    fullest: meanAndWorst(spreads.map(({ fullest }) => fullest)),
    deviation: meanAndWorst(spreads.map(({ deviation }) => deviation)).mean,
    above: meanAndWorst(spreads.map(({ above }) => above)).mean,
  };
}

function meanAndWorst(values: readonly number[]): MeanAndWorst {
  if (values.length === 0) return { mean: 0, worst: 0 };
  return { mean: values.reduce((a, b) => a + b, 0) / values.length, worst: Math.max(...values) };
}
