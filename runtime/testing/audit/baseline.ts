// I8: what is still there when all is over. Work that nobody does any more is counted in Redis; handles and memory by whoever
// ran the processes.

import type { ShardLeftovers } from '../../client.ts';
import type { Allowances, NamespaceEvidence, Reading } from './evidence.ts';
import type { Findings } from './findings.ts';

/** A shard has one consumer group, of its last claim, and no counter below 0. When all is quiet, nothing is on its way. */
export function checkLeftovers(
  namespaces: readonly NamespaceEvidence[],
  quiet: boolean,
  { parked = [], lossAllowed = [] }: Allowances,
  findings: Findings,
): void {
  for (const { namespace, leftovers = [], parked: stopped } of namespaces) {
    for (const shard of leftovers) {
      const where = `${namespace} shard ${shard.shard}`;
      checkGroups(where, shard, findings);
      if (quiet) checkQuiet(where, shard, findings);
    }
    if (!quiet) continue;
    findings.looked('I8');
    for (const { actor, waiting } of stopped)
      if (!parked.includes(actor)) findings.violated('I8', actor, `is parked, ${waiting} messages wait behind it`);
  }
  // A source that lost its tail knows less than it sent, until it sends again (M3).
  if (quiet && lossAllowed.length === 0) checkLanes(namespaces, findings);
}

function checkGroups(where: string, { group, groups }: ShardLeftovers, findings: Findings): void {
  findings.looked('I8');
  if (group === undefined) {
    if (groups.length > 0) findings.violated('I8', where, `has ${groups.length} consumer groups and was never claimed`);
  } else if (groups.length !== 1 || groups[0]?.name !== group) {
    const names = groups.map(({ name }) => name).join(', ');
    findings.violated('I8', where, `has the consumer groups [${names}], where its last claim made one, ${group}`);
  }
}

/** What must be 0 when all is quiet, and the words for it. */
const COUNTERS: readonly (readonly [words: string, count: (shard: ShardLeftovers) => number])[] = [
  ['entries are pending in the consumer group', ({ groups }) => sum(groups.map(({ pending }) => pending))],
  ['inbox entries are not read', ({ unread }) => unread],
  ['messages stand in the backlog counter of the shard', ({ backlog }) => backlog],
  ['messages stand in the backlog counters of its actors', ({ open }) => open],
  ['effects are open', ({ effects }) => effects],
  ['attempts of effects are noted', ({ attempts }) => attempts],
  ['due times have no row, or rows no due time', ({ due, rows, effects }) => Math.abs(due - rows - effects)],
];

function checkQuiet(where: string, shard: ShardLeftovers, findings: Findings): void {
  findings.looked('I8', COUNTERS.length);
  for (const [words, count] of COUNTERS)
    if (count(shard) !== 0) findings.violated('I8', where, `all is quiet, and ${count(shard)} ${words}`);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

/** The last record that a lane's source sent is the last that its target received, where both are audited. */
function checkLanes(namespaces: readonly NamespaceEvidence[], findings: Findings): void {
  const received = new Map<string, string>();
  const known = new Set<string>();
  for (const { namespace, leftovers = [] } of namespaces) {
    for (const { shard, lanesIn } of leftovers) {
      known.add(`${namespace}:${shard}`);
      for (const [lane, last] of Object.entries(lanesIn)) received.set(lane, last);
    }
  }
  for (const { lanesOut } of namespaces.flatMap(({ leftovers = [] }) => leftovers)) {
    for (const [lane, sent] of Object.entries(lanesOut)) {
      if (!known.has(lane.slice(lane.indexOf('>') + 1))) continue;
      findings.looked('I8');
      const last = received.get(lane);
      if (last !== sent)
        findings.violated('I8', `lane ${lane}`, `sent up to ${sent}, received up to ${last ?? 'nothing'}`);
    }
  }
}

/** Each measure that was read before and after ends where it began, or above it by what is allowed. */
export function checkReadings(before: Reading, after: Reading, { growth = {} }: Allowances, findings: Findings): void {
  for (const [measure, began] of Object.entries(before)) {
    const ended = after[measure];
    if (ended === undefined) {
      findings.remark(`${measure} was read before and not after`);
      continue;
    }
    findings.looked('I8');
    const allowed = growth[measure] ?? 0;
    if (ended > began + allowed)
      findings.violated('I8', measure, `was ${began} before and is ${ended} after, ${allowed} more would be allowed`);
  }
}

/** Reads this process: what it holds open, by kind, and its heap. */
export function readProcess(name: string): Reading {
  const handles = process.getActiveResourcesInfo();
  return { [`${name} handles`]: handles.length, [`${name} heapBytes`]: process.memoryUsage().heapUsed };
}
