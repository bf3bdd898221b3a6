// `emboss redrive` and `emboss discard`: an operator's acts on a parked actor. Both are journaled with who did it.

import { userInfo } from 'node:os';
import { Command } from 'commander';
import { isActorId } from '../../runtime/ids.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { homeOf, withClients } from '../found.ts';
import { monotonic, pause } from '../time.ts';

type ParkedAct = 'redrive' | 'discard';

interface ActOptions {
  readonly by?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const WAIT_MS_MAX = 10_000;
const LOOK_MS = 100;

export function redriveCommand(): Command {
  return new Command('redrive')
    .description('Let a parked actor try its waiting messages again, in their order.')
    .argument('<actor>', 'id of the actor, as `emboss parked` shows it')
    .option('--by <name>', 'who does it, for the journal')
    .option('--json', 'the result as JSON')
    .addHelpText('after', '\nExit code 0 when the actor goes on, 1 when it parks again or does not answer within 10 s.')
    .action((actor: string, options: ActOptions) => carryOut('redrive', actor, options));
}

export function discardCommand(): Command {
  return new Command('discard')
    .description('Throw away what waits for a parked actor, and let it go on without it.')
    .argument('<actor>', 'id of the actor, as `emboss parked` shows it')
    .option('--by <name>', 'who does it, for the journal')
    .option('--yes', 'yes, these messages are lost for good')
    .option('--json', 'the result as JSON')
    .action((actor: string, options: ActOptions) => carryOut('discard', actor, options));
}

async function carryOut(what: ParkedAct, actor: string, { by, yes, json }: ActOptions): Promise<void> {
  if (!isActorId(actor)) throw new CliFailure(`"${actor}" is no id of an actor`, EXIT.usage);
  await withClients(async (clients) => {
    const client = homeOf(actor, clients);
    const isParked = async () => (await client.parked()).find((one) => one.actor === actor);
    const before = await isParked();
    if (before === undefined) throw new CliFailure(`${actor} is not parked`);
    if (what === 'discard' && yes !== true) {
      throw new CliFailure(
        `discard loses the ${before.waiting} messages that wait for ${actor}: say so with --yes`,
        EXIT.usage,
      );
    }
    const outcome = await client[what](actor, by ?? `cli:${userInfo().username}`);
    if (outcome.kind !== 'accepted') throw new CliFailure(`the ${what} was not taken: ${outcome.kind}`);

    const deadline = monotonic() + WAIT_MS_MAX;
    let after = await isParked();
    while (after !== undefined && after.at === before.at && monotonic() < deadline) {
      await pause(LOOK_MS);
      after = await isParked();
    }
    if (json === true) process.stdout.write(`${JSON.stringify({ actor, act: what, parked: after !== undefined })}\n`);
    else if (after === undefined) process.stdout.write(`${actor} goes on.\n`);
    if (after !== undefined) {
      const words =
        after.at === before.at ? `${actor} is still parked after 10 s` : `${actor} parked again; see: emboss parked`;
      throw new CliFailure(words);
    }
  });
}
