// Small things beside the actors: records written once, values that expire, rates. No truth about an actor lives here.

import { createHash } from 'node:crypto';
import type { Client } from '../client.ts';
import { OperatingError } from '../errors.ts';
import { command, durable, pairsOf } from '../functions/call.ts';
import { limit } from '../functions/limit.ts';
import { swap } from '../functions/swap.ts';
import type { Batch } from '../redis/batch.ts';
import type { NamespaceKeys } from '../redis/keys.ts';

export type Records = Pick<
  Client,
  'limit' | 'once' | 'keep' | 'take' | 'putRecord' | 'getRecord' | 'dropRecord' | 'readSheet' | 'changeSheet'
>;

const RECORD_CHARS_MAX = 64_000; // Documents live in an object store; here are references and personal data of one person.
const SHEET_CHARS_MAX = 1_000_000; // A call of the owner's size (C4): what one server may stand still for.

export function records(batch: Batch, names: NamespaceKeys): Records {
  return {
    limit: (key, rate) => batch.run(limit(names.limit(key), rate, '')),
    once: (key, ttlMs) =>
      batch.run(command(['SET', names.once(key), '1', 'NX', 'PX', ttlMs], (reply) => reply === 'OK')),
    keep: (key, value, ttlMs) => batch.run(command(['SET', names.keep(key), value, 'PX', ttlMs], () => undefined)),
    take: (key) => batch.run(command(['GETDEL', names.keep(key)], (reply) => (reply as string | null) ?? undefined)),
    async putRecord(id, bytes) {
      if (bytes.length > RECORD_CHARS_MAX) {
        throw new OperatingError(
          'record-too-large',
          `a record has at most ${RECORD_CHARS_MAX} characters, this one ${bytes.length}`,
        );
      }
      const key = names.record(id);
      const put = command(['SET', key, bytes, 'NX', 'GET'], (reply) => reply as string | null);
      const stored = await batch.run(durable(put));
      if (stored === null) return 'stored';
      return digest(stored) === digest(bytes) ? 'same' : 'other';
    },
    getRecord: (id) => batch.run(command(['GET', names.record(id)], (reply) => (reply as string | null) ?? undefined)),
    dropRecord: (id) => batch.run(durable(command(['DEL', names.record(id)], (reply) => reply === 1))),
    readSheet: (id, fields) =>
      fields === undefined
        ? batch.run(command(['HGETALL', names.sheet(id)], (reply) => Object.fromEntries(pairsOf(reply))))
        : batch.run(
            command(['HMGET', names.sheet(id), ...fields], (reply) =>
              Object.fromEntries(
                (reply as (string | null)[]).flatMap((value, at) =>
                  value === null ? [] : [[fields[at] as string, value]],
                ),
              ),
            ),
          ),
    async changeSheet(id, change) {
      const chars = Object.values(change.set).reduce((sum, value) => sum + (value?.length ?? 0), 0);
      if (chars > SHEET_CHARS_MAX) {
        throw new OperatingError(
          'record-too-large',
          `a sheet takes at most ${SHEET_CHARS_MAX} characters at once, not ${chars}`,
        );
      }
      return batch.run(swap(names.sheet(id), change));
    },
  };
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
