// Acts of a bulk operation: each the ordinary command of one actor, under an id that follows from operation and actor.

import type { BulkOutcome } from '../../actors/contract/bulk.ts';
import type { AskOutcome, Client, SendOutcome } from '../../runtime/client.ts';
import { holdOf, mayRelease } from '../auth/verbs.ts';
import { pause, type Ticker } from '../client/clock.ts';
import { ApiProblem } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ActorId, Event } from '../parts.ts';
import type { Approval, Bulk } from './record.ts';

export interface Act {
  readonly bulk: Bulk;
  readonly agreed: Approval | undefined;
  readonly actor: ActorId;
  /** Of the context the actor lives in. */
  readonly client: Client;
}

/** Carries one act out, and waits up to 2 s for what it comes to. Throws OperatingError when the store is gone. */
export async function carryOut(act: Act): Promise<BulkOutcome> {
  const { bulk, actor, client } = act;
  const messageId = `b.${client.digest('bulk', bulk.bulkId, actor).slice(0, 40)}`;
  if (bulk.request.act === 'redrive') return redriven(act, messageId);
  if (bulk.request.act === 'release') {
    const kind = holdOf((await client.read(actor))?.states ?? []);
    if (kind !== undefined && !mayRelease(bulk.role, kind)) return { kind: 'refused', reason: `hold-${kind}` };
  }
  const outcome = await client.ask(
    { actor, event: eventOf(bulk), messageId, from: fromOf(act) },
    { timeoutMs: limits.askWaitMs },
  );
  return outcomeOf(outcome);
}

/** For the journal: who asked for it, who agreed, and in which operation. */
const fromOf = ({ bulk, agreed }: Act): string =>
  `${bulk.role}:${bulk.by}${agreed === undefined ? '' : `+${agreed.by}`}/${bulk.bulkId}`;

/** The same for every try: what tells two commands under one id apart is their event. */
function eventOf({ by, request: { act, reason } }: Bulk): Event {
  if (act === 'cancel') return { type: 'CANCEL', by, reason };
  return { type: act === 'release' ? 'RELEASE' : 'RETRY', by, note: reason };
}

async function redriven({ actor, client, ...act }: Act, id: string): Promise<BulkOutcome> {
  let outcome: SendOutcome;
  try {
    outcome = await client.redrive(actor, fromOf({ actor, client, ...act }), id);
  } catch (error) {
    if (error instanceof Error && error.name === 'OutcomeUnknown') return { kind: 'unknown', reason: 'no-answer' };
    throw error;
  }
  return outcome.kind === 'accepted' || outcome.kind === 'duplicate'
    ? { kind: 'applied' }
    : { kind: 'refused', reason: outcome.kind === 'rejected' ? outcome.reason : outcome.kind };
}

function outcomeOf(outcome: AskOutcome): BulkOutcome {
  switch (outcome.kind) {
    case 'answered':
      if (outcome.answer.kind === 'applied') return { kind: 'applied' };
      return outcome.answer.kind === 'refused'
        ? { kind: 'refused', reason: outcome.answer.reason }
        : { kind: 'unknown', reason: 'parked' }; // Kept with the actor: a redrive will carry it out.
    case 'rejected':
      return { kind: 'refused', reason: outcome.reason };
    case 'key-reused':
      return { kind: 'refused', reason: 'key-reused' };
    case 'running':
      return { kind: 'unknown', reason: 'running' };
    case 'unknown':
      return { kind: 'unknown', reason: 'no-answer' };
  }
}

/** Carries acts out, eight at a time and 50 a second over all operations of the context; outcomes in the order of the acts. */
export async function carryOutAll(acts: readonly Act[], ticker: Ticker): Promise<readonly BulkOutcome[]> {
  const outcomes: BulkOutcome[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < acts.length; index = next++) {
      const act = acts[index] as Act;
      await turn(act.client, ticker);
      outcomes[index] = await carryOut(act);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.bulkAtOnce, acts.length) }, worker));
  return outcomes;
}

/** Waits for this act's turn. Whoever waits for too long is told so: others use up the rate, and a repeat is harmless. */
async function turn(client: Client, ticker: Ticker): Promise<void> {
  const until = ticker.now() + limits.bulkTurnMs;
  for (;;) {
    const { allowed, retryAfterMs } = await client.limit('bulk', limits.bulkRate);
    if (allowed) return;
    if (ticker.now() > until) throw new ApiProblem('rate-limited', { retryAfterMs });
    await pause(ticker, retryAfterMs);
  }
}
