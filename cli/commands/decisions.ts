// `emboss order review|hold|release`: decisions about an order that have a route of their own, with roles and reason words.

import { randomUUID } from 'node:crypto';
import { Command, Option } from 'commander';
import type { Role } from '../../actors/contract/dto.ts';
import { holdReasons, reviewReasons } from '../../actors/contract/reasons.ts';
import { apiFailure, findSystem, restFor } from '../found.ts';
import { roleOption } from './tasks.ts';

interface Options {
  readonly as: string;
  readonly role?: Role;
  readonly reason: string;
  readonly kind?: string;
  readonly key?: string;
  readonly json?: boolean;
  readonly token?: string;
}

const HOLD_KINDS = ['fraud', 'aml', 'legal', 'customer', 'operator'];

export function decisions(): readonly Command[] {
  const verdicts = ['approve', 'reject'] as const;
  const review = new Command('review').description('Decide an application as a reviewer; high risk needs two of them.');
  for (const verdict of verdicts)
    review.addCommand(
      common(new Command(verdict), reviewReasons[verdict], 'ops.reviewer').action((orderId: string, options: Options) =>
        say(orderId, 'reviews', { decision: verdict, reason: options.reason }, { ...options, role: 'reviewer' }),
      ),
    );
  const holds = (['hold', 'release'] as const).map((action) =>
    common(new Command(action), holdReasons[action], 'ops.operator')
      .description(
        action === 'hold'
          ? 'Stop every new side effect of an order.'
          : 'Let a held order go on: by the role whose hold it is.',
      )
      .addOption(new Option('--kind <kind>', 'which hold').choices(HOLD_KINDS).default('operator'))
      .addOption(roleOption())
      .action((orderId: string, options: Options) =>
        say(orderId, 'holds', { action, kind: options.kind, reason: options.reason }, options),
      ),
  );
  return [review, ...holds];
}

const common = (command: Command, reasons: readonly string[], who: string): Command =>
  command
    .argument('<orderId>')
    .addOption(new Option('--reason <word>', 'why, for the journal').choices([...reasons]).default('other'))
    .option('--as <name>', 'who: another name for a second pair of eyes', who)
    .option('--key <key>', 'Idempotency-Key')
    .option('--json', 'the answer as JSON')
    .option('--token <token>', 'bearer token; default: one of the development issuer');

async function say(
  orderId: string,
  route: string,
  body: object,
  { as, role, key, json, token }: Options,
): Promise<void> {
  const client = restFor(findSystem(), 'internal', { subject: as, role: role ?? 'operator', token });
  const path = `/internal/v1/orders/${encodeURIComponent(orderId)}/${route}`;
  const call = client.call<{ readonly version: number }>('POST', path, { body, idempotencyKey: key ?? randomUUID() });
  const answer = await call.catch((error: unknown) => {
    throw apiFailure(error);
  });
  process.stdout.write(json === true ? `${answer.text}\n` : `${orderId} took it: version ${answer.body.version}\n`);
}
