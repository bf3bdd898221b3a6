// `npm run coverage:transitions`: every transition of the specification, with the tests that take it. Exits 1 on a gap.

import process from 'node:process';
import { parseArgs } from 'node:util';
import { coverTransitions } from './taken.ts';

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const { ids, gaps, unknown, untaken, files } = await coverTransitions();
const isWhole = gaps.length === 0 && unknown.length === 0;

if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ ok: isWhole, ids: Object.fromEntries(ids), gaps, unknown, untaken, files })}\n`,
  );
} else {
  for (const [id, tests] of ids) process.stdout.write(`${id}  ${tests[0] ?? 'NO TEST'}${more(tests.length)}\n`);
  process.stdout.write(
    `\n${ids.size - gaps.length} of ${ids.size} transitions are taken, by ${files.length} test files.\n`,
  );
  for (const each of unknown) process.stdout.write(`not in the specification: ${each}\n`);
  if (untaken.length > 0) {
    process.stdout.write(`\nWithout a number, and taken by no test (${untaken.length}):\n`);
    for (const each of untaken) process.stdout.write(`  ${each}\n`);
  }
}
process.exitCode = isWhole ? 0 : 1;

function more(count: number): string {
  return count > 1 ? `  (and ${count - 1} more)` : '';
}
