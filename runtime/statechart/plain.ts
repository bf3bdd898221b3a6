// Plain values: what leaves a chart must be JSON, since it comes back from a store as JSON and nothing else.
//
// Checked where the chart hands a value over (context, output, inputs, events), with the path of the offender in the error.
// Unchanged parts of a context are not looked at again: assign replaces what it changes, so the same reference is the same value.

import type { Event, JsonObject } from '../json.ts';

const DEPTH_MAX = 64; // Deeper is a cycle or a mistake; JSON.stringify would meet the first and say less about it.

/**
 * Throws TypeError naming the path when `value` is not JSON. Returns true when a round trip through JSON would change it all
 * the same, harmlessly: members that are `undefined`, and −0. `known` is an earlier, checked value. O(what differs from it).
 */
export function looseJson(value: unknown, path: string, known?: unknown, depth = 0): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return false;
    case 'number':
      return looseNumber(value, path);
    case 'object':
      if (value === null || value === known) return false;
      if (depth > DEPTH_MAX)
        throw new TypeError(`${path} is nested deeper than ${DEPTH_MAX} levels or contains itself`);
      return Array.isArray(value) ? looseArray(value, path, known, depth) : looseObject(value, path, known, depth);
    default:
      throw new TypeError(`${path} must be JSON, got ${typeof value}`);
  }
}

function looseNumber(value: number, path: string): boolean {
  if (!Number.isFinite(value)) throw new TypeError(`${path} must be JSON, got ${value}`);
  return Object.is(value, -0);
}

function looseArray(value: readonly unknown[], path: string, known: unknown, depth: number): boolean {
  const before: readonly unknown[] = Array.isArray(known) ? known : [];
  let loose = false;
  for (let i = 0; i < value.length; i++) {
    if (looseJson(value[i], `${path}[${i}]`, before[i], depth + 1)) loose = true;
  }
  return loose;
}

function looseObject(value: object, path: string, known: unknown, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`${path} must be JSON, got an instance of ${value.constructor?.name ?? 'a class'}`);
  }
  // XState takes an object with this key for a reference to an actor and replaces it on restore.
  if ('xstate$$type' in value) throw new TypeError(`${path} must be JSON, got a reference to an actor`);
  const before = (known ?? {}) as Record<string, unknown>;
  let loose = false;
  const members = value as Record<string, unknown>;
  for (const key in members) {
    const member = members[key];
    if (member === undefined) loose = true;
    else if (member !== before[key] || member === 0) {
      if (looseJson(member, `${path}.${key}`, before[key], depth + 1)) loose = true;
    }
  }
  return loose;
}

/** `value` as it will be read back, checked. The same reference when nothing is lost. */
export function plain<T>(value: T, path: string, known?: unknown): T {
  return looseJson(value, path, known) ? (JSON.parse(JSON.stringify(value)) as T) : value;
}

/** Params and inputs: an object; none counts as an empty one. */
export function plainObject(value: unknown, path: string): JsonObject {
  if (value === undefined) return {};
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new TypeError(`${path} must be an object`);
  return plain(value as JsonObject, path);
}

export function plainEvent(value: unknown, path: string): Event {
  const event = plainObject(value, path);
  if (typeof event.type !== 'string') throw new TypeError(`${path} must have a type`);
  return event as Event;
}
