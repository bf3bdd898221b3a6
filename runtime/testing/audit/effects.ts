// I4: what happened in the partners' world, against what the charts asked for. Counted by business key, at the partner.

import type { JournalEntry } from '../../messages.ts';
import type { LedgerAct } from './evidence.ts';
import type { Findings } from './findings.ts';
import type { Losses } from './losses.ts';

/** Idempotency keys of all effects that journals say were started, with the position of the step. */
export function startedKeys(entries: Iterable<JournalEntry>): ReadonlyMap<string, JournalEntry> {
  const keys = new Map<string, JournalEntry>();
  for (const entry of entries) for (const { key } of entry.starts ?? []) keys.set(key, entry);
  return keys;
}

/** An effect is known by its place, `actor:sequence:index`, and has one key: no two steps, and no step twice, start it anew. */
export function checkStarts(entries: Iterable<JournalEntry>, findings: Findings): void {
  const first = new Map<string, { readonly key: string; readonly position: number }>();
  for (const { kind, actor = '', starts = [], position } of entries) {
    if (kind === 'late') continue; // It names what had been started.
    for (const { key, name } of starts) {
      const place = placeOf(key);
      const before = first.get(place);
      if (before === undefined) first.set(place, { key, position });
      else
        findings.violated(
          'I4',
          actor,
          `effect ${name} is started at position ${position} under ${key}, and at ${before.position} under ${before.key}`,
        );
    }
  }
}

/**
 * One act per business key, one key per effect of an actor, no attempt made twice. With `started`, every key that the
 * partners know was started by a journaled step; leave it out where journals were trimmed.
 */
export function checkLedger(
  ledger: readonly LedgerAct[],
  started: ReadonlyMap<string, unknown> | undefined,
  losses: Losses,
  findings: Findings,
): void {
  const acts = actsOf(ledger);
  findings.looked('I4', acts.size);
  for (const [where, { count, results }] of acts)
    if (count > 1) findings.violated('I4', where, `happened ${count} times${said(results)}`);
  checkAttempts(ledger, losses, findings);
  if (started !== undefined) checkStarted(ledger, started, losses, findings);
}

const said = (results: readonly string[]): string =>
  results.length === 0 ? '' : ` (${results.slice(0, 3).join(', ')})`;

interface Acts {
  count: number;
  readonly results: string[];
}

/** Acts by business key. A partner dedupes by key, so a row without a count is an act when its key is new. */
function actsOf(ledger: readonly LedgerAct[]): ReadonlyMap<string, Acts> {
  const acts = new Map<string, Acts>();
  const known = new Set<string>();
  for (const { name, key, businessKey = key, acts: own, results = [] } of ledger) {
    const where = `${name} ${businessKey}`;
    const sum = acts.get(where) ?? { count: 0, results: [] };
    acts.set(where, sum);
    sum.count += own ?? (known.has(`${name} ${key}`) ? 0 : 1);
    sum.results.push(...results);
    known.add(`${name} ${key}`);
  }
  return acts;
}

/** E1: an attempt is numbered before it is made; E2: its key is that of its effect, whoever makes it. */
function checkAttempts(ledger: readonly LedgerAct[], losses: Losses, findings: Findings): void {
  const keys = new Map<string, string>();
  const attempts = new Set<string>();
  for (const { name, key, attempt, actor } of ledger) {
    const place = `${name} ${placeOf(key)}`;
    const other = keys.get(place) ?? key;
    keys.set(place, key);
    // After a loss the same place may be reached again by another way.
    if (other !== key && !losses.isDeclared)
      findings.violated('I4', actor, `effect ${name} was asked for under ${other} and under ${key}`);
    if (attempt === undefined) continue;
    if (attempts.has(`${key} ${attempt}`) && !losses.isDeclared)
      findings.violated('I4', actor, `effect ${name} ${key}: attempt ${attempt} was made twice`);
    attempts.add(`${key} ${attempt}`);
  }
}

function checkStarted(
  ledger: readonly LedgerAct[],
  started: ReadonlyMap<string, unknown>,
  losses: Losses,
  findings: Findings,
): void {
  const judged = new Set<string>();
  for (const { name, key, businessKey = key } of ledger) {
    // A follow-up of a late outcome bears the key of the effect it follows.
    if (judged.has(key) || started.has(key) || started.has(key.replace(/:late$/, ''))) continue;
    judged.add(key);
    if (losses.isDeclared) losses.lostEffect();
    else
      findings.violated('I4', `${name} ${businessKey}`, `was asked for under ${key}, which no journaled step started`);
  }
}

/** `actor:sequence:index` of `actor:sequence:index:digest`; a follow-up of a late outcome has a place of its own. */
const placeOf = (key: string): string => {
  const [actor = '', sequence, index, ...rest] = key.split(':');
  return sequence === undefined ? key : [actor, sequence, index, ...rest.slice(1)].join(':');
};
