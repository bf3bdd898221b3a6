// The reporter of `npm test`: every failing assertion with its place and difference, then one closing line
// `N passed, N failed` (and `, N skipped` when there are any). A run in which no assertion ran has failed.

import { Transform } from 'node:stream';
import { Parser } from 'tap-parser';

const DIAGNOSTIC_CHARS_MAX = 6_000;
const OF_THE_RUNNER = new Set(['stdio', 'cwd', 'externalID', 'command', 'args', 'jobId']);

// tap pipes its TAP stream into a reporter, hence a Transform.
export default class PlainReporter extends Transform {
  #count = { passed: 0, failed: 0, skipped: 0 };
  #parser = new Parser();

  constructor() {
    super({ decodeStrings: false });
    this.#watch(this.#parser, []);
  }

  #watch(parser, path) {
    let failedBefore = 0;
    parser.on('child', (child) => {
      failedBefore = this.#count.failed;
      this.#watch(child, [...path, child.name]);
    });
    parser.on('bailout', (reason) => this.#fail([...path, `bailed out: ${reason}`], {}));
    parser.on('assert', (result) => {
      // The point that closes a subtest only sums it up, unless the subtest failed without a failed assertion.
      if (result.closingTestPoint && (result.ok || this.#count.failed > failedBefore)) return;
      if (result.skip || result.todo) this.#count.skipped++;
      else if (result.ok) this.#count.passed++;
      else this.#fail([...path, result.name], result.diag ?? {});
    });
  }

  #fail(path, diagnostic) {
    this.#count.failed++;
    this.push(`not ok ${path.map(asSource).join(' > ')}\n${indent(describe(diagnostic))}`);
  }

  _transform(chunk, _encoding, done) {
    this.#parser.write(chunk);
    done();
  }

  _flush(done) {
    this.#parser.once('complete', (result) => {
      const { passed, skipped } = this.#count;
      let { failed } = this.#count;
      if (!result.ok && failed === 0) failed = 1;
      if (passed + failed === 0) this.push('no test ran\n');
      // tap decides its exit code from the TAP stream; a run without assertions would count as a success there.
      if (failed > 0 || passed === 0) process.once('exit', failIfNobodyDid);
      this.push(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
      done();
    });
    this.#parser.end();
  }
}

/** What helps to find the fault: difference, other fields, place, stack. */
function describe(diagnostic) {
  const { diff, stack, at, source: _source, ...rest } = diagnostic;
  const place = at?.fileName ? `at ${at.fileName}:${at.lineNumber}:${at.columnNumber}` : '';
  const fields = Object.entries(rest)
    .filter(([name, value]) => !OF_THE_RUNNER.has(name) && value !== undefined && value !== null)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const parts = [diff, ...(diff ? [] : fields), place, stack].filter((part) => part);
  return parts.join('\n').slice(0, DIAGNOSTIC_CHARS_MAX);
}

function failIfNobodyDid(code) {
  if (code === 0) process.exitCode = 1;
}

/** A compiled test is named by its source. */
const asSource = (name) => name.replace(/^build\/(.*\.test)\.js$/, '$1.ts');

const indent = (text) => (text === '' ? '' : `${text.trimEnd().replace(/^/gm, '  ')}\n`);
