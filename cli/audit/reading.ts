// Reading the partners' ledger for the audit. What the namespaces store is read by the runtime's own audit.

import { type Ledger, readLedger } from '../../actors/partners/ledger.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { repeated } from '../reads.ts';

/** The partners' ledger, asked for up to three times. Throws CliFailure, exit code 69, when nobody answers. */
export async function readPartners(url: string): Promise<Ledger> {
  try {
    return await repeated(() => readLedger(url), isUnanswered);
  } catch (error) {
    if (!isUnanswered(error)) throw error;
    throw new CliFailure(
      `The partners at ${url} do not answer, so their ledger cannot be read (emboss audit --no-ledger leaves it out)`,
      EXIT.unavailable,
    );
  }
}

/** A connection that failed, or an answer that did not come in time. */
const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && (error.message === 'fetch failed' || error.name === 'DeadlinePassed');
