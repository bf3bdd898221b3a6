// The printing bureau over HTTP: files out, receipts in. A receipt repeats count and checksum of the file it is for; one that does
// not is no receipt, and the file is sent again (O-17).

import type { Asking } from '../asking.ts';
import { embossedNameOf } from '../asking.ts';
import { readFile, writeFile } from '../batch-file.ts';
import { type Errors, type Reading, STRANGE } from '../exchange.ts';
import type { BureauPort } from '../ports.ts';
import { wordIn } from '../word-in.ts';

export function bureauOver({ ask, about }: Asking): BureauPort {
  return {
    submitJob: (call) =>
      ask('bureau.submit', call, {
        path: '/bureau/files',
        errors,
        build: ({ personRef, orderId, jobId, batchId, cardId, productCode, designId }, key) =>
          about(personRef, (person) =>
            writeFile({
              kind: 'SUBMIT',
              reference: key,
              batch: batchId,
              records: [[jobId, orderId, cardId, productCode, designId, embossedNameOf(person)]],
            }),
          ),
        readEcho: (sent) => receiptOf(String(sent), () => ({})),
      }),
    withdrawJob: (call) =>
      ask('bureau.withdraw', call, {
        path: '/bureau/withdrawals',
        errors,
        build: ({ orderId, jobId }, key) =>
          writeFile({ kind: 'WITHDRAW', reference: key, batch: '-', records: [[jobId, orderId]] }),
        readEcho: (sent) => receiptOf(String(sent), ([, code]) => outcomeOf(code)),
      }),
  };
}

const errors: Errors = { at: ({ fault_code }) => fault_code, words: { JOB_WITHDRAWN: 'job_withdrawn' } };

const OUTCOMES: { readonly [code: string]: string } = { W0: 'withdrawn', W1: 'intercepted', W2: 'shipped' };
function outcomeOf(code: string | undefined): { readonly outcome: string } | undefined {
  const outcome = wordIn(OUTCOMES, code);
  return outcome === undefined ? undefined : { outcome };
}

/** Reads the receipt for `sent`: whole, for this file, of as many records, with a first record that `pick` understands. */
function receiptOf(
  sent: string,
  pick: (record: readonly string[]) => { readonly [field: string]: string } | undefined,
): Reading {
  return (answer) => {
    const [file, receipt] = [readFile(sent), typeof answer === 'string' ? readFile(answer) : 'no text'];
    if (typeof file === 'string') return file; // Our own file: it can be read.
    if (typeof receipt === 'string') return `malformed receipt: ${receipt}`;
    if (!receipt.whole) return 'the receipt’s count or checksum is wrong';
    const [head, ...records] = receipt.records;
    const isOurs =
      receipt.kind === 'RECEIPT' &&
      receipt.reference === file.reference &&
      head?.[0] === String(file.count) &&
      head[1] === file.checksum &&
      records.length === file.count;
    if (!isOurs) return 'the receipt is for another file';
    const output = pick(records[0] ?? []);
    return output === undefined ? STRANGE : { output };
  };
}
