// Allowed events: what a refused caller is told it may send instead (M4).

import type { AnyMachineSnapshot, AnyStateNode } from 'xstate';
import { hasConsequence } from './collector.ts';

/** Event types by state that a caller could send there; never `xstate.…`, never a wildcard, which is no type one could name. */
export function callableTypes(nodes: readonly AnyStateNode[]): ReadonlyMap<AnyStateNode, readonly string[]> {
  const isCallable = (type: string): boolean => !type.startsWith('xstate.') && !type.endsWith('*');
  return new Map(nodes.map((node) => [node, node.ownEvents.filter(isCallable)]));
}

/**
 * Event types that the active states would take now, sorted. A guard that needs more of
 * the event than its type cannot be judged here, so its event counts as allowed. Cost: the guards of each candidate.
 */
export function allowedEvents(
  snapshot: AnyMachineSnapshot,
  callable: ReturnType<typeof callableTypes>,
): readonly string[] {
  if (snapshot.status !== 'active') return [];
  const types = new Set<string>();
  for (const node of snapshot._nodes as readonly AnyStateNode[]) {
    for (const type of callable.get(node) ?? []) types.add(type);
  }
  return [...types].filter((type) => mayMove(snapshot, type)).sort();
}

function mayMove(snapshot: AnyMachineSnapshot, type: string): boolean {
  let asked = false; // Has a guard looked at a field we do not have?
  const note = <T>(answer: T): T => {
    asked = true;
    return answer;
  };
  const probe = new Proxy(
    { type },
    {
      get: (event, field) => (field === 'type' ? event.type : note(undefined)),
      has: (_event, field) => field === 'type' || note(true),
      ownKeys: () => note(['type']),
    },
  );
  try {
    const selected = snapshot.machine.getTransitionData(snapshot, probe);
    return asked || selected.some(hasConsequence);
  } catch {
    return true;
  }
}
