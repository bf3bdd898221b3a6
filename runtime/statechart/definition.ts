// The definition of a chart as the runtime sees it: its states by path, and the hash that stored snapshots carry.

import { createHash } from 'node:crypto';
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import xxhash from 'xxhash-wasm';
import { canonical } from '../json.ts';

/** First `length` hex digits of SHA-256. */
export const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

const { h64ToString } = await xxhash();

/** What an auditor compares a replayed step by: xxHash64 of the stored text, 16 hex digits. Taken at every step, so cheap. */
export const snapshotHash = (stored: string): string => h64ToString(stored);

/** All state nodes, the root first, in document order: a node's `order` is its index. */
export function nodesOf(machine: AnyStateMachine): readonly AnyStateNode[] {
  const found: AnyStateNode[] = [];
  const visit = (node: AnyStateNode): void => {
    found[node.order] = node;
    for (const child of Object.values(node.states)) visit(child);
  };
  visit(machine.root);
  return found;
}

export const isLeaf = (node: AnyStateNode): boolean => node.type === 'atomic' || node.type === 'final';

/** Path of a state relative to the root, dotted; the root itself is `(root)`. */
export const pathOf = (node: AnyStateNode): string => (node.path.length === 0 ? '(root)' : node.path.join('.'));

/** Every transition of a node with the words that name its place in the chart. */
export function transitionsOf(node: AnyStateNode): readonly (readonly [place: string, AnyTransitionDefinition])[] {
  const listed: [string, AnyTransitionDefinition][] = [];
  for (const [type, transitions] of node.transitions) for (const one of transitions) listed.push([`on ${type}`, one]);
  for (const one of node.always ?? []) listed.push(['always', one]);
  return listed;
}

/**
 * First 16 hex digits of SHA-256 over the structure: states, transitions, names of guards, actions, delays and invoked sources.
 * Function bodies, descriptions and meta are not in it: they change without making a stored snapshot unreadable.
 */
export const hashOf = (machine: AnyStateMachine): string =>
  digest(canonical({ id: machine.id, states: nodesOf(machine).map(formOf) }), 16);

function formOf(node: AnyStateNode): unknown {
  return {
    id: node.id,
    path: node.path,
    type: node.type,
    history: node.history,
    initial: node.initial.target.map((target: AnyStateNode) => target.id),
    initialActions: node.initial.actions.map(nameOf),
    historyTarget: node.type === 'history' ? (node.config as { target?: unknown }).target : undefined,
    entry: node.entry.map(nameOf),
    exit: node.exit.map(nameOf),
    invoke: node.invoke.map((one) => ({ id: one.id, src: one.src })),
    output: node.output !== undefined,
    tags: node.tags,
    transitions: transitionsOf(node).map(([place, one]) => ({
      place,
      target: one.target?.map((target) => target.id),
      guard: one.guard === undefined ? undefined : nameOf(one.guard),
      actions: one.actions.map(nameOf),
      reenter: one.reenter,
    })),
  };
}

/** Name of an action or guard: its type when it has one, the combined names of and/or/not, else `(inline)`. */
export function nameOf(thing: unknown): unknown {
  if (typeof thing === 'string') return thing;
  const parts = thing as {
    type?: unknown;
    guards?: readonly unknown[];
    stateValue?: unknown;
    id?: unknown;
    delay?: unknown;
  };
  if (typeof thing === 'object') return parts.type;
  if (Array.isArray(parts.guards)) return [(thing as { name: string }).name, ...parts.guards.map(nameOf)];
  if (parts.stateValue !== undefined) return ['stateIn', parts.stateValue];
  const delay = typeof parts.delay === 'function' ? '(inline)' : parts.delay;
  return typeof parts.type === 'string' ? [parts.type, parts.id, delay] : '(inline)';
}
