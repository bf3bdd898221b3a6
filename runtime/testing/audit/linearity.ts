// I7: the history of each actor, judged by its model. Operations under one message id are one command, repeated.

import { type Answered, isJournaled } from './acknowledged.ts';
import type { HistoryModel } from './evidence.ts';
import type { Findings } from './findings.ts';
import { described, type History, historiesByActor, type Operation, type Outcome } from './history.ts';
import { type Bounds, type Call, type Linearization, linearizable } from './linearizability.ts';
import type { Losses } from './losses.ts';

type ActorCall = Call<Operation, Outcome>;

export interface LinearityScope {
  readonly modelOf: (actor: string) => HistoryModel;
  /** With the journals at hand, an operation within a declared loss that they have is held to its answer. */
  readonly answered?: Answered | undefined;
  readonly losses: Losses;
  readonly bounds?: Bounds | undefined;
}

/** Judges each actor's history by itself, which is enough: linearizability is local. */
export function checkLinearity(history: History, scope: LinearityScope, findings: Findings): void {
  for (const [actor, operations] of historiesByActor(history)) {
    const model = scope.modelOf(actor);
    const judged = (again: 'never' | 'sometime') => {
      const calls = callsOf(operations.map((one) => afterLosses(one, again, scope)).filter((one) => one !== undefined));
      return { calls, verdict: linearizable(calls, model, scope.bounds) };
    };
    let { calls, verdict } = judged('never');
    // Costly, since such calls overlap all that came later; whatever fits without it fits with it.
    if (verdict.kind === 'not-linearizable' && scope.losses.isDeclared) ({ calls, verdict } = judged('sometime'));
    findings.looked('I7', calls.length);
    if (verdict.kind === 'not-decided')
      findings.undecided('I7', actor, `not decided (${model.name}): ${verdict.words}`);
    if (verdict.kind === 'not-linearizable') findings.violated('I7', actor, refutation(model.name, calls, verdict));
  }
}

/**
 * Within a declared loss nobody is held to an answer that is gone: a command may not have happened, a read is no witness. One
 * that the journals have may have been taken from the inbox again, sometime after its caller was told.
 */
function afterLosses(
  operation: Operation,
  again: 'never' | 'sometime',
  { losses, answered }: LinearityScope,
): Operation | undefined {
  if (losses.ageMs(operation) === undefined) return operation;
  if (operation.kind === 'read') return undefined;
  if (answered !== undefined && isJournaled(operation, answered))
    return again === 'never' ? operation : { ...operation, returnedAt: Number.POSITIVE_INFINITY };
  const { returnedAt: _, ...begun } = operation;
  return { ...begun, outcome: { kind: 'unknown' } };
}

/** The calls of one actor: its reads, and its commands, each once however often it was sent. */
export function callsOf(operations: History): readonly ActorCall[] {
  const calls: ActorCall[] = [];
  const byMessage = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { kind, messageId, outcome } = operation;
    if (kind === 'read') {
      if (outcome.kind === 'read') calls.push(callOf(operation, [operation]));
    } else if (messageId === undefined) calls.push(callOf(operation, [operation]));
    else {
      const tries = byMessage.get(messageId);
      if (tries === undefined) byMessage.set(messageId, [operation]);
      else tries.push(operation);
    }
  }
  for (const tries of byMessage.values()) calls.push(callOf(tries[0] as Operation, tries)); // A list has its first try.
  return calls;
}

const ANSWERS: ReadonlySet<Outcome['kind']> = new Set(['applied', 'refused', 'read']);

/** Begun with the first try, over with the first answer; without one, unknown, unless every try was certainly rejected. */
function callOf(input: Operation, tries: readonly Operation[]): ActorCall {
  const invokedAt = tries.reduce((least, one) => Math.min(least, one.invokedAt), Number.POSITIVE_INFINITY);
  let answer: Operation | undefined;
  for (const one of tries)
    if (ANSWERS.has(one.outcome.kind) && (answer === undefined || endOf(one) < endOf(answer))) answer = one;
  if (answer !== undefined) return { input: answer, invokedAt, returnedAt: answer.returnedAt, output: answer.outcome };
  return { input, invokedAt, failed: tries.every(({ outcome }) => outcome.kind === 'rejected') };
}

const endOf = (operation: Operation | undefined): number => operation?.returnedAt ?? Number.POSITIVE_INFINITY;

function refutation(
  model: string,
  calls: readonly ActorCall[],
  { order, stuck }: Extract<Linearization<Operation, Outcome>, { kind: 'not-linearizable' }>,
): string {
  const last = order.at(-1);
  const behind = last === undefined ? 'at the beginning' : `behind ${described(last.input)}`;
  const next = stuck.slice(0, 3).map(({ input }) => described(input));
  return `no order of its ${calls.length} operations fits (${model}): ${behind}, ${order.length} placed, none of these fits: ${next.join('; ')}`;
}
