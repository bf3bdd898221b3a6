// The log of what a client of the API was told: read from its file, and turned into operations that I1 can look up.

import type { Operation, Outcome } from '../../runtime/testing/index.ts';
import type { Ack } from './evidence.ts';

/**
 * The acknowledgements that are about a step of an actor: 2xx with a version is applied, 409 with one is refused. The log has
 * no time of the request and no message id, so they say nothing about the order of operations.
 */
export function operationsOf(acks: readonly Ack[]): readonly Operation[] {
  return acks.flatMap((ack) => {
    const outcome = outcomeOf(ack);
    if (outcome === undefined) return [];
    const { actor, scope, key, at } = ack;
    const returnedAt = Date.parse(at) || 0;
    const command = `${scope} ${key}`;
    return [{ actor, process: scope, kind: 'command', command, invokedAt: returnedAt, returnedAt, outcome }];
  });
}

function outcomeOf({ status, version, counter }: Ack): Outcome | undefined {
  if (version === undefined) return undefined;
  const owner = counter === undefined ? {} : { counter };
  if (status >= 200 && status < 300) return { kind: 'applied', version, ...owner };
  return status === 409 ? { kind: 'refused', version, ...owner } : undefined;
}

/** Reads a log of acknowledgements, one JSON object a line. Throws with the number of a line that is none. */
export function parseAcks(text: string): readonly Ack[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const ack = parsedLine(line);
    if (ack === undefined) throw new Error(`line ${index + 1} is not an acknowledgement`);
    return [ack];
  });
}

function parsedLine(line: string): Ack | undefined {
  try {
    const value = JSON.parse(line) as Partial<Ack> | null;
    const isAck = typeof value?.actor === 'string' && typeof value.key === 'string' && typeof value.status === 'number';
    return isAck ? { ...(value as Ack), scope: value.scope ?? '', at: value.at ?? '' } : undefined;
  } catch {
    return undefined;
  }
}
