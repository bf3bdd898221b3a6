// Wrapper of circuit.lua: a breaker per dependency, shared by all workers (E3).

import { circuitRestMs } from '../limits.ts';
import type { NamespaceKeys } from '../redis/keys.ts';
import { type Call, fcall, fleeting } from './call.ts';

export type CircuitReply =
  | { readonly pass: true; readonly state: string }
  | { readonly pass: false; readonly waitMs: number };

/** Asks to call (`enter`) or reports how the call went. One round trip. */
export const circuit = (
  keys: NamespaceKeys,
  name: string,
  what: 'enter' | 'ok' | 'bad' | 'probe-ok' | 'probe-bad',
  reading: string,
): Call<CircuitReply> =>
  fleeting(
    fcall('circuit', [keys.circuit(name), keys.circuits], [what, circuitRestMs, name, reading], ([word, detail]) =>
      word === 'WAIT' ? { pass: false, waitMs: Number(detail) } : { pass: true, state: detail ?? 'closed' },
    ),
  );
