// The frames of the WebSocket, both ways: subprotocol `cardorder.v1`, JSON, one frame per message. Browser-safe.
//
// Wire format: add fields, never change them. `kind` names the frame, since an event has a `type` of its own. A frame or a
// field that a reader does not know is ignored by clients and refused by the server.

import type { Problem } from '../../actors/contract/problems.ts';

export const SUBPROTOCOL = 'cardorder.v1';

export const closeCodes = {
  restart: 1012,
  badFrame: 4400,
  unauthenticated: 4401,
  heartbeat: 4408,
  slowConsumer: 4409,
  tooMany: 4429,
} as const;

/**
 * A place in a shard's journal: number and token of an entry, by which the entry is known again after a server lost its tail.
 * The number alone, as clients keep it who take two of the three fields of `at`, says nothing of what was undone: what comes is
 * a gap and a snapshot.
 */
export type Mark = readonly [position: number, token: string] | number;
/** Where a reader stands: a mark per shard. Opaque to clients but for keeping it. */
export type Cursor = { readonly [shard: string]: Mark };

export type ClientFrame =
  | {
      readonly kind: 'hello';
      readonly ticket: string;
      readonly resume?: { readonly sessionId: string; readonly lastEventId?: string };
    }
  | {
      readonly kind: 'subscribe';
      readonly id: string;
      /** `order:ord_…`, `me.orders` or `ops.orders`. */
      readonly topic: string;
      /** One order: the last version seen. */
      readonly since?: number;
      /**
       * One order: id of the event seen last, which tells its version from the same number after a rewind, by the counter. Where
       * there is a cursor, that decides.
       */
      readonly lastEventId?: string;
      /** From the snapshot, brought forward with `at` of each event. Without one, what was seen of many orders is unknown. */
      readonly cursor?: Cursor;
    }
  | { readonly kind: 'unsubscribe'; readonly id: string }
  | { readonly kind: 'ack'; readonly eventId: string }
  | { readonly kind: 'ping' | 'pong'; readonly t: number };

export interface EventFrame {
  readonly kind: 'event';
  readonly id: string;
  /** `<order>:<version>-<counter>`. */
  readonly eventId: string;
  readonly topic: string;
  readonly orderId: string;
  /** Strictly increasing per order. */
  readonly version: number;
  /** The version shown before this one: a client that has another one missed something (P2). */
  readonly previous: number;
  readonly type: string;
  readonly occurredAt: string;
  readonly data: { readonly [field: string]: unknown };
  /** Shard, position and token, for the cursor. */
  readonly at: readonly [shard: number, position: number, token: string];
}

export interface SnapshotFrame {
  readonly kind: 'snapshot';
  readonly id: string;
  readonly topic: string;
  /** 0 for a topic of many orders. */
  readonly version: number;
  readonly eventId?: string;
  readonly state: { readonly [field: string]: unknown };
  readonly cursor?: Cursor;
}

export type ServerFrame =
  | {
      readonly kind: 'welcome';
      readonly sessionId: string;
      readonly heartbeatMs: number;
      readonly resumeWindowMs: number;
      readonly serverTime: string;
    }
  | SnapshotFrame
  | EventFrame
  | { readonly kind: 'gap'; readonly id: string; readonly topic: string; readonly from: number; readonly to: number }
  | { readonly kind: 'ping' | 'pong'; readonly t: number }
  | { readonly kind: 'error'; readonly id?: string; readonly problem: Problem }
  | { readonly kind: 'goaway'; readonly reconnectAfterMs: number };

const ID = /^[A-Za-z0-9_.:-]{1,64}$/;
const EVENT_ID = /^[A-Za-z0-9_.-]{1,80}:\d{1,15}-\d{1,15}$/;
/** A frame of 16 KB holds no more of them. Who follows more shards comes back without a cursor. */
export const CURSOR_SHARDS_MAX = 400;
const TOKEN = /^[\w:.-]{0,64}$/;

/** A client's frame out of its text; undefined for anything else. Never throws. */
export function parseClientFrame(text: string): ClientFrame | undefined {
  const frame = parsedObject(text);
  if (frame === undefined) return undefined;
  const isId = (value: unknown): value is string => typeof value === 'string' && ID.test(value);
  const isEventId = (value: unknown): value is string => typeof value === 'string' && EVENT_ID.test(value);
  switch (frame.kind) {
    case 'hello':
      if (!hasOnly(frame, ['kind', 'ticket', 'resume']) || !isId(frame.ticket)) return undefined;
      return { kind: 'hello', ticket: frame.ticket };
    case 'subscribe':
      if (!hasOnly(frame, ['kind', 'id', 'topic', 'since', 'lastEventId', 'cursor'])) return undefined;
      if (!isId(frame.id) || typeof frame.topic !== 'string' || frame.topic.length > 100) return undefined;
      if (frame.since !== undefined && !isCount(frame.since)) return undefined;
      if (frame.lastEventId !== undefined && !isEventId(frame.lastEventId)) return undefined;
      if (frame.cursor !== undefined && !isCursor(frame.cursor)) return undefined;
      return frame as unknown as ClientFrame; // Each field was checked above.
    case 'unsubscribe':
      return hasOnly(frame, ['kind', 'id']) && isId(frame.id) ? { kind: 'unsubscribe', id: frame.id } : undefined;
    case 'ack':
      return hasOnly(frame, ['kind', 'eventId']) && isEventId(frame.eventId)
        ? { kind: 'ack', eventId: frame.eventId }
        : undefined;
    case 'ping':
    case 'pong':
      return hasOnly(frame, ['kind', 't']) && typeof frame.t === 'number'
        ? { kind: frame.kind, t: frame.t }
        : undefined;
    default:
      return undefined;
  }
}

/** A server's frame out of its text; undefined for what this version does not know. */
export function parseServerFrame(text: string): ServerFrame | undefined {
  const frame = parsedObject(text);
  return typeof frame?.kind === 'string' ? (frame as unknown as ServerFrame) : undefined; // The server is trusted with the rest.
}

/** The counter in an event id: it grows when a shard changes hands or is rewound. */
export const counterOf = (eventId: string): number => Number(eventId.slice(eventId.lastIndexOf('-') + 1));

function parsedObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const hasOnly = (frame: object, fields: readonly string[]): boolean =>
  Object.keys(frame).every((field) => fields.includes(field));
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isCursor(value: unknown): value is Cursor {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const entries = Object.entries(value);
  return (
    entries.length <= CURSOR_SHARDS_MAX && entries.every(([shard, mark]) => /^\d{1,5}$/.test(shard) && isMark(mark))
  );
}

function isMark(value: unknown): value is Mark {
  if (!Array.isArray(value)) return isCount(value);
  const [position, token] = value as readonly unknown[];
  return value.length === 2 && isCount(position) && typeof token === 'string' && TOKEN.test(token);
}
