// Branded ids: every identifier of the runtime gets its type here and nowhere else.

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Name of a bounded context on the runtime, for example `ord`. Lower case letters and digits, 1–16 characters. */
export type Namespace = Brand<string, 'Namespace'>;
/** Opaque, prefixed id of an actor, for example `ord_3kT…`. 1–80 characters of `[A-Za-z0-9_.-]`. */
export type ActorId = Brand<string, 'ActorId'>;
/** Index of a shard, 0 … shards − 1. */
export type ShardIndex = Brand<number, 'ShardIndex'>;
/** Fencing token `<counter>:<nonce>`; compared for equality only (L2, L3). */
export type Token = Brand<string, 'Token'>;
/** An actor's step count: 1 is its creation; gapless (C2). */
export type Sequence = Brand<number, 'Sequence'>;
/** Number of a journal, inbox or outbox entry inside one shard: the part behind `0-`. */
export type Position = Brand<number, 'Position'>;
/** Static name of a worker process, for example `ordering.1` (L1). */
export type WorkerId = Brand<string, 'WorkerId'>;

const NAMESPACE = /^[a-z][a-z0-9]{0,15}$/;
const ACTOR = /^[A-Za-z0-9_.-]{1,80}$/;
const WORKER = /^[A-Za-z][A-Za-z0-9-]{0,40}\.[0-9]{1,5}$/;

function checked<T extends string>(kind: string, pattern: RegExp, value: string): Brand<string, T> {
  if (pattern.test(value)) return value as Brand<string, T>;
  throw new TypeError(`${kind} must match ${pattern.source}, got ${JSON.stringify(value)}`);
}

export const namespace = (value: string): Namespace => checked<'Namespace'>('namespace', NAMESPACE, value);
export const actorId = (value: string): ActorId => checked<'ActorId'>('actor id', ACTOR, value);
export const workerId = (value: string): WorkerId => checked<'WorkerId'>('worker id', WORKER, value);
export const isActorId = (value: unknown): value is ActorId => typeof value === 'string' && ACTOR.test(value);
export const shardIndex = (value: number): ShardIndex => value as ShardIndex;
export const sequence = (value: number): Sequence => value as Sequence;
export const position = (value: number): Position => value as Position;
export const token = (value: string): Token => value as Token;

/** The counter in front of a token: it orders ETags and journal entries, and never decides ownership (L2). */
export const tokenCounter = (value: Token | string): number => Number.parseInt(value, 10) || 0;
/** The Redis stream id of a position, and back. */
export const streamId = (value: Position | number): string => `0-${value}`;
export const positionOf = (id: string): Position => Number(id.slice(id.indexOf('-') + 1)) as Position;
