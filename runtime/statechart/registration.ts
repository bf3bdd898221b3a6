// Registration: a chart is hosted whole or not at all. Whatever can be seen to be unhostable without running is refused here
// with its place named; what only a run shows (inside enqueueActions, assign, dynamic targets) is refused by the collector.

import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { NotHostable } from '../errors.ts';
import type { EffectRegistration, Hosted } from '../hosting.ts';
import { nodesOf, pathOf, transitionsOf } from './definition.ts';

type Refuse = (place: string, reason: string) => never;

/** A builtin of XState such as assign or raise: a function with the marks of its kind. */
interface Builtin {
  readonly type: string;
  readonly resolve: unknown;
  readonly id?: unknown;
  readonly delay?: unknown;
}

const HOSTED_BUILTINS = new Set([
  'xstate.assign',
  'xstate.raise',
  'xstate.cancel',
  'xstate.emit',
  'xstate.log',
  'xstate.enqueueActions',
]);

const REFUSED_BUILTINS: { readonly [type: string]: string } = {
  'xstate.sendTo': 'sendTo, sendParent and forwardTo have no actor to reach; register a message for the action instead',
  'xstate.spawnChild': 'spawnChild starts an actor in memory; invoke the source in a state instead',
  'xstate.stopChild': 'stopChild stops an actor in memory; leave the invoking state instead',
};

/** Throws NotHostable at the first place that cannot be hosted. Runs once per chart. */
export function examine(hosted: Hosted): void {
  const { machine } = hosted;
  const refuse: Refuse = (place, reason) => {
    throw new NotHostable(hosted.name, place, reason);
  };
  if (hosted.name === '' || hosted.version === '') refuse('registration', 'name and version must not be empty');
  examineNames(hosted, refuse);
  for (const node of nodesOf(machine)) {
    const place = `state "${pathOf(node)}"`;
    if ((node.config as { route?: unknown }).route !== undefined)
      refuse(`${place} route`, 'routes need events of type xstate.route, which callers cannot send');
    examineInvokes(hosted, node, place, refuse);
    for (const action of node.entry) examineAction(hosted, action, `${place} entry`, refuse);
    for (const action of node.exit) examineAction(hosted, action, `${place} exit`, refuse);
    for (const action of node.initial.actions) examineAction(hosted, action, `${place} initial`, refuse);
    for (const [where, transition] of transitionsOf(node)) {
      if (transition.guard !== undefined) examineGuard(machine, transition.guard, `${place} ${where} guard`, refuse);
      for (const action of transition.actions) examineAction(hosted, action, `${place} ${where}`, refuse);
    }
  }
  examineInvokeIds(machine, refuse);
  examineResume(hosted, refuse);
}

/** One name means one effect, whether an action or an invoke asks for it: outcomes find their handler by name. */
function examineNames({ actions = {}, invokes = {}, machine }: Hosted, refuse: Refuse): void {
  for (const [name, registration] of Object.entries(invokes)) {
    const action: unknown = actions[name];
    if (action !== undefined && action !== registration) {
      refuse(`registration "${name}"`, 'is registered twice, as an action and as an invoke, with different handlers');
    }
  }
  for (const name of Object.keys(actions)) {
    if (isBuiltin(machine.implementations.actions[name])) {
      refuse(`registration "${name}"`, 'the chart implements this action itself, so the handler would never run');
    }
  }
}

function examineInvokes(hosted: Hosted, node: AnyStateNode, place: string, refuse: Refuse): void {
  node.invoke.forEach((invoke, index) => {
    const where = `${place} invoke ${index} (${invoke.src})`;
    if (invoke.systemId !== undefined) refuse(where, 'a systemId names an actor in memory; there is none');
    if (invoke.onSnapshot !== undefined)
      refuse(where, 'onSnapshot never happens: an effect answers once, by done or error');
    const source = invoke.src as string; // A state node names inline logic too: xstate.invoke.<index>.<state id>.
    if (hosted.invokes?.[source] === undefined) refuse(where, `no handler is registered for the source "${source}"`);
  });
}

function examineAction(hosted: Hosted, action: unknown, place: string, refuse: Refuse): void {
  const { machine } = hosted;
  if (isBuiltin(action)) {
    examineBuiltin(machine, action, place, refuse);
    return;
  }
  if (typeof action === 'function') {
    const name = action.name === '' ? 'an anonymous function' : `the function "${action.name}"`;
    refuse(place, `${name} as an action would run in memory only; name the action and register a handler`);
  }
  const type = typeof action === 'string' ? action : (action as { type?: unknown } | undefined)?.type;
  if (typeof type !== 'string') refuse(place, 'an action must have a name');
  const own: unknown = machine.implementations.actions[type];
  const named = `${place} action "${type}"`;
  if (isBuiltin(own)) examineBuiltin(machine, own, named, refuse);
  else if (hosted.actions?.[type] === undefined) refuse(named, 'no handler is registered for it');
}

function examineBuiltin(machine: AnyStateMachine, builtin: Builtin, place: string, refuse: Refuse): void {
  const reason = REFUSED_BUILTINS[builtin.type];
  if (reason !== undefined) refuse(place, reason);
  if (!HOSTED_BUILTINS.has(builtin.type))
    refuse(place, `the built-in action ${builtin.type} is not known to this host`);
  if (builtin.type !== 'xstate.raise') return;
  if (typeof builtin.delay === 'string' && machine.implementations.delays[builtin.delay] === undefined) {
    refuse(place, `the delay "${builtin.delay}" is not implemented; XState would raise the event at once`);
  }
  if (typeof builtin.id === 'string' && /^\d+\.\d+$/.test(builtin.id)) {
    refuse(place, `the raise id "${builtin.id}" looks like the ids this host gives to delayed raises without one`);
  }
}

function examineGuard(machine: AnyStateMachine, guard: unknown, place: string, refuse: Refuse): void {
  if (typeof guard === 'function') {
    const { guards } = guard as { guards?: readonly unknown[] };
    for (const part of guards ?? []) examineGuard(machine, part, place, refuse);
    return;
  }
  const name = typeof guard === 'string' ? guard : (guard as { type: string }).type;
  const own: unknown = machine.implementations.guards[name];
  if (own === undefined) refuse(`${place} "${name}"`, 'the guard is not implemented');
  if (own !== guard) examineGuard(machine, own, `${place} "${name}"`, refuse);
}

/** Two invokes under one id may not be active together: XState would forget the first, which then answers for the second. */
function examineInvokeIds(machine: AnyStateMachine, refuse: Refuse): void {
  const seen = new Map<string, AnyStateNode[]>();
  for (const node of nodesOf(machine)) {
    for (const invoke of node.invoke) {
      const others = seen.get(invoke.id) ?? [];
      const rival = others.find((other) => together(other, node));
      if (rival !== undefined)
        refuse(
          `state "${pathOf(node)}" invoke "${invoke.id}"`,
          `the id is also used by state "${pathOf(rival)}", which can be active at the same time`,
        );
      seen.set(invoke.id, [...others, node]);
    }
  }
}

/** Can both states be active at once? Same or nested ones can; else only in different regions of a parallel state. */
function together(a: AnyStateNode, b: AnyStateNode): boolean {
  const above = new Set<AnyStateNode>();
  for (let node: AnyStateNode | undefined = a; node !== undefined; node = node.parent) above.add(node);
  let common: AnyStateNode = b;
  while (!above.has(common) && common.parent !== undefined) common = common.parent;
  return common === a || common === b || common.type === 'parallel';
}

function examineResume({ machine, resume = {} }: Hosted, refuse: Refuse): void {
  for (const name of Object.keys(resume)) {
    if (machine.implementations.delays[name] === undefined)
      refuse(`resume "${name}"`, 'the chart has no delay of this name');
  }
}

export function isBuiltin(thing: unknown): thing is Builtin {
  return typeof thing === 'function' && 'resolve' in thing;
}

/** Every effect of a registration by name, actions and invokes alike. */
export function effectsOf({ actions = {}, invokes = {} }: Hosted): ReadonlyMap<string, EffectRegistration> {
  const effects = new Map<string, EffectRegistration>();
  for (const [name, registration] of Object.entries(actions))
    if (registration.kind === 'effect') effects.set(name, registration);
  for (const [name, registration] of Object.entries(invokes)) effects.set(name, registration);
  return effects;
}
