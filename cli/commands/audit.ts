// `emboss audit`: checks the standing invariants over both contexts, the partners' ledger and a client's log.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parseAcks } from '../audit/acknowledged.ts';
import type { Ack } from '../audit/evidence.ts';
import { shownAudit } from '../audit/shown.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { withClients } from '../found.ts';

interface AuditOptions {
  readonly acks?: string;
  readonly ledger: boolean;
  readonly json?: boolean;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'Check that nothing was lost, doubled or reordered: I1 to I4, I6, and of I8 what can be seen of a running system.',
    )
    .option('--acks <file>', 'log of acknowledged commands, as `emboss demo --acks` writes it')
    .option('--no-ledger', 'do not ask the partners what happened there')
    .option('--json', 'the report as JSON')
    .addHelpText(
      'after',
      '\nReads only; may run beside a working system. Exit code 0 when no invariant is violated, else 1.',
    )
    .action(async ({ acks, ledger, json }: AuditOptions) => {
      const { audit } = await import('../audit/audit.ts'); // Charts and schemas: too much to load for --help.
      const told = acks === undefined ? undefined : acksFrom(acks);
      await withClients(async ({ ordering, delivery }, { urls }) => {
        const report = await audit({
          ordering,
          delivery,
          ledgerUrl: ledger ? urls.simulator : undefined,
          acks: told,
        });
        process.stdout.write(json === true ? `${JSON.stringify(report)}\n` : shownAudit(report));
        if (!report.clean) process.exitCode = EXIT.failed;
      });
    });
}

function acksFrom(file: string): readonly Ack[] {
  try {
    return parseAcks(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CliFailure(`--acks ${file}: ${error instanceof Error ? error.message : String(error)}`, EXIT.usage);
  }
}
