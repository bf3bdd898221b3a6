// `emboss privacy`: requests of persons that wait for the desk, what is kept of one and why, and what was destroyed.

import { Command, InvalidArgumentError } from 'commander';
import { RETENTION } from '../../actors/contract/index.ts';
import { dataClasses } from '../../actors/people/index.ts';
import { apiFailure, restFor, withClients } from '../found.ts';
import { table } from '../table.ts';
import { withVault } from './keys.ts';

interface PrivacyOptions {
  readonly json?: boolean;
  readonly reason?: string;
  readonly days?: number;
  readonly token?: string;
}

const WAITING = ['correcting', 'copying.stuck', 'erasing.stuck'] as const;
const DAYS_MAX = 400;

export function privacyCommand(): Command {
  return new Command('privacy')
    .description('See to privacy requests, and show what was destroyed.')
    .addCommand(waitingCommand())
    .addCommand(decideCommand())
    .addCommand(destroyedCommand());
}

function waitingCommand(): Command {
  return new Command('waiting')
    .description('List the requests that wait for somebody’s decision, the oldest first.')
    .option('--json', 'rows as JSON')
    .action(({ json }: PrivacyOptions) =>
      withClients(async ({ ordering }) => {
        const found = await Promise.all(
          WAITING.map(async (state) =>
            (await ordering.inState('privacy', state)).map(({ actor, since }) => ({ requestId: actor, state, since })),
          ),
        );
        const rows = found.flat().sort((a, b) => a.since - b.since);
        if (json === true) return void process.stdout.write(`${JSON.stringify({ requests: rows })}\n`);
        const cells = rows.map(({ requestId, state, since }) => [requestId, state, new Date(since).toISOString()]);
        const shown = table({ head: ['request', 'waits in', 'since'], rows: cells });
        process.stdout.write(rows.length === 0 ? 'No request waits for anybody.\n' : shown);
      }),
    );
}

function decideCommand(): Command {
  return new Command('decide')
    .description('Decide about a request that waits: proceed, retry or refuse.')
    .argument('<request>', 'prv_…, as `emboss privacy waiting` shows it')
    .argument('<decision>', 'proceed, retry or refuse')
    .option('--reason <word>', 'why, one of the desk’s words', 'procedure')
    .option('--token <token>', 'of an operator; default: one of the development issuer')
    .option('--json', 'the answer as JSON')
    .action((request: string, decision: string, { reason, token, json }: PrivacyOptions) =>
      withClients(async (_clients, found) => {
        const rest = restFor(found, 'internal', { subject: 'ops.cli', role: 'operator', token });
        const path = `/internal/v1/privacy-requests/${encodeURIComponent(request)}/decision`;
        const idempotencyKey = `decide-${crypto.randomUUID()}`;
        const answer = await rest
          .call<{ readonly status: string }>('POST', path, { body: { decision, reason }, idempotencyKey })
          .catch((error: unknown) => Promise.reject(apiFailure(error)));
        process.stdout.write(json === true ? `${answer.text}\n` : `${request} is ${answer.body.status}.\n`);
      }),
    );
}

function destroyedCommand(): Command {
  return new Command('destroyed')
    .description('Count what was destroyed in the last days, by class and reason; with --json, name each.')
    .option('--days <number>', 'how many domain days back', days, 30)
    .option('--json', 'entries as JSON')
    .action(({ days: back = 30, json }: PrivacyOptions) =>
      withVault(async (vault) => {
        const today = vault.today();
        const entries = (
          await Promise.all(Array.from({ length: back }, (_, ago) => vault.destructions(today - ago)))
        ).flat();
        if (json === true) return void process.stdout.write(`${JSON.stringify({ destroyed: entries })}\n`);
        const count = (dataClass: string, why: string): string =>
          String(entries.filter((entry) => entry.dataClass === dataClass && entry.why === why).length);
        const rows = [...dataClasses, 'person'].map((name) => [
          name,
          ...['erasure', 'retention', 'shredded'].map((why) => count(name, why)),
        ]);
        process.stdout.write(table({ head: ['class', 'erasure', 'retention', 'shredded'], rows }));
        process.stdout.write(`The daily look is the actor ${RETENTION}.\n`);
      }),
    );
}

function days(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= DAYS_MAX) return value;
  throw new InvalidArgumentError(`a whole number from 1 to ${DAYS_MAX} is expected.`);
}
