// Small words shared by the contract's schemas. Objects are closed: an unknown field is refused, never ignored.

import { type Static, type TObject, type TProperties, type TSchema, Type } from 'typebox';

export const closed = <P extends TProperties>(properties: P): TObject<P> =>
  Type.Object(properties, { additionalProperties: false });

/** One of a few words. */
export const oneOf = <const T extends readonly string[]>(...words: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...words] });

export const id = Type.String({ pattern: '^[A-Za-z0-9_.-]{1,120}$' });
export const word = Type.String({ pattern: '^[A-Za-z0-9_.:-]{1,80}$' });
export const country = Type.String({ pattern: '^[A-Z]{2}$' });
/** 1, 2, 3 … */
export const count = Type.Integer({ minimum: 1 });
/** Milliseconds since 1970 UTC. */
export const ms = Type.Integer({ minimum: 0 });

/** An event schema: its type and its fields. */
export const event = <const T extends string, P extends TProperties>(type: T, properties: P) =>
  Type.Object({ type: Type.Literal(type), ...properties }, { additionalProperties: false });

/** A catalogue of event schemas by type, and the union of what they describe. */
export type EventOf<C extends { readonly [type: string]: TSchema }> = Static<C[keyof C]>;
