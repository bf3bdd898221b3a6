// Two models of an actor for I7: any chart, of which versions are compared; and the tally chart of the trials, whose reads
// tell which commands were applied, and in which order.

import type { HistoryModel } from './evidence.ts';
import type { Operation, Outcome } from './history.ts';
import type { Call, Model } from './linearizability.ts';

/**
 * Any actor. An applied command returns a version above all before it; a refused one and a read return none below. Timers,
 * effects and messages of other actors may raise it in between, so a command of unknown outcome explains nothing.
 */
export const versions: Model<number, Operation, Outcome> = {
  name: 'versions',
  initial: () => 0,
  step(version, _operation, outcome) {
    if (outcome === undefined || !('version' in outcome)) return version;
    if (outcome.kind === 'applied') return outcome.version > version ? outcome.version : undefined;
    return outcome.version >= version ? outcome.version : undefined;
  },
  key: String,
};

interface TallyState {
  readonly version: number;
  /** How many of `shown` are applied, and what was applied beyond them. */
  readonly count: number;
  readonly beyond: number;
  /** The longest list that any read returned. The list only grows, so every state within it is a beginning of it. */
  readonly shown: readonly unknown[];
}

/**
 * The tally chart (trial-chart.ts): each applied ADD puts its id at the end of `seen`, once; nothing else does. For actors
 * that only the history's own commands reach: a lane's ids would appear from nowhere.
 */
export const tally: Model<TallyState, Operation, Outcome> = {
  name: 'tally',
  initial: (calls) => ({ version: 0, count: 0, beyond: 0, shown: longestRead(calls) }),
  step(state, operation, outcome) {
    const version = versions.step(state.version, operation, outcome);
    if (version === undefined) return undefined;
    if (outcome?.kind === 'read') {
      const isSame = state.beyond === 0 && isBeginning(seenOf(outcome), state.count, state.shown);
      return isSame ? { ...state, version } : undefined;
    }
    if (operation.event?.type !== 'ADD' || outcome?.kind === 'refused') return { ...state, version };
    return added({ ...state, version }, operation.event.id, outcome !== undefined);
  },
  key: ({ version, count, beyond }) => `${version} ${count} ${beyond}`,
};

/** What no read has shown is only counted, and where it may not have happened at all, not even that. */
function added(state: TallyState, id: unknown, isCertain: boolean): TallyState | undefined {
  const { count, beyond, shown } = state;
  if (count < shown.length) return shown[count] === id ? { ...state, count: count + 1 } : undefined;
  if (!isCertain) return state;
  return shown.includes(id) ? undefined : { ...state, beyond: beyond + 1 };
}

const seenOf = (outcome: Extract<Outcome, { kind: 'read' }>): readonly unknown[] | undefined => {
  if (Array.isArray(outcome.seen)) return outcome.seen;
  return outcome.version === 0 ? [] : undefined;
};

/** A read that did not look at the list fits any. */
const isBeginning = (list: readonly unknown[] | undefined, count: number, shown: readonly unknown[]): boolean =>
  list === undefined || (list.length === count && list.every((id, index) => id === shown[index]));

function longestRead(calls: readonly Call<Operation, Outcome>[]): readonly unknown[] {
  let longest: readonly unknown[] = [];
  for (const { output } of calls) {
    const list = output?.kind === 'read' ? seenOf(output) : undefined;
    if (list !== undefined && list.length > longest.length) longest = list;
  }
  return longest;
}

/** The models that ship, by name. */
export const historyModels = { versions, tally } as const satisfies { readonly [name: string]: HistoryModel };
