// Anatomy of a chart: its states and transitions, and their numbers in the specification, as data.

import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export type Chart = AnyStateMachine;

/** Whether something that a module exports is a chart. */
export const isChart = (value: unknown): value is AnyStateMachine =>
  typeof value === 'object' && value !== null && 'root' in value && 'getTransitionData' in value;

/** Every state of the chart but its root, outer ones first, in the order of the text. */
export const statesOf = (machine: AnyStateMachine): readonly AnyStateNode[] => below(machine.root);
const below = (node: AnyStateNode): AnyStateNode[] =>
  Object.values(node.states).flatMap((child) => [child, ...below(child)]);

/** Every transition of the chart, of all events, timers and ends. */
export const transitionsOf = (machine: AnyStateMachine): readonly AnyTransitionDefinition[] =>
  [machine.root, ...statesOf(machine)].flatMap((node) => [
    ...[...node.transitions.values()].flat(),
    ...(node.always ?? []),
  ]);

/** What makes a transition happen, in few words: an event, `after x`, `done x`, `error x`, `always`. */
export function causeOf({ eventType, source }: AnyTransitionDefinition): string {
  if (eventType === '') return 'always';
  const [, kind, what = ''] = /^xstate\.(after|done\.actor|error\.actor|done\.state)\.(.*)$/.exec(eventType) ?? [];
  if (kind === undefined) return eventType;
  if (kind === 'after') return `after ${what.slice(0, what.lastIndexOf(`.${source.id}`))}`;
  if (kind === 'done.state') return 'all done';
  return `${kind === 'done.actor' ? 'done' : 'error'} ${what}`;
}

const NUMBER = /\b([OD])-(\d\d)(?:\s*[…–]\s*(?:[OD]-)?(\d\d))?/g;
const WIDTH = 2; // Digits of a number.

/** Numbers of the specification in a description: `O-17`, lists `D-11, D-13` and ranges `D-07…D-09`. */
export function idsOf({ description = '' }: { readonly description?: string | undefined }): readonly string[] {
  return [...description.matchAll(NUMBER)].flatMap(([, letter, first, last]) => {
    const from = Number(first);
    const count = last === undefined ? 1 : Number(last) - from + 1;
    return Array.from({ length: count }, (_, i) => numbered(letter ?? '', from + i));
  });
}
const numbered = (letter: string, n: number): string => `${letter}-${String(n).padStart(WIDTH, '0')}`;

/** All numbers there are: O-01 … O-54 of the order and D-01 … D-42 of the delivery. */
export const specified: readonly string[] = [
  ...Array.from({ length: 54 }, (_, i) => numbered('O', i + 1)),
  ...Array.from({ length: 42 }, (_, i) => numbered('D', i + 1)),
];
/** What happens by being made has no transition: by chart. */
export const CREATION: { readonly [chart: string]: string } = { order: 'O-01', delivery: 'D-01' };

/** Source, cause and number in a row among the same: says which transition it is, and stays while the chart does. */
export function nameOf(transition: AnyTransitionDefinition): string {
  const { source, eventType } = transition;
  const same = eventType === '' ? (source.always ?? []) : (source.transitions.get(eventType) ?? []);
  const place = same.indexOf(transition as never);
  return `${source.id} ${causeOf(transition)}${same.length > 1 ? ` #${place + 1}` : ''}`;
}
