// `emboss shards pin` and `unpin`: an operator's word on which worker has a shard. The workers move it themselves.

import { Command } from 'commander';
import type { Client } from '../../runtime/client.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { type Clients, inWords, withClients } from '../found.ts';
import { monotonic, pause } from '../time.ts';

interface PinOptions {
  readonly json?: boolean;
}

const WAIT_MS_MAX = 10_000;
const LOOK_MS = 100;

export function pinCommand(): Command {
  return new Command('pin')
    .description('Keep a shard with one worker while that one is alive.')
    .argument('<shard>', 'context and number, for example ord:7 or dlv:0')
    .argument('<worker>', 'id of a worker, as `emboss workers` shows it')
    .option('--json', 'the result as JSON')
    .addHelpText('after', '\nWaits until the worker serves it: exit code 0 then, 1 when it does not within 10 s.')
    .action(async (shard: string, worker: string, options: PinOptions) => {
      await withClients(async (clients) => {
        const place = placeOf(shard, clients);
        const changed = await setPin(place, worker);
        await served(place, worker);
        told(options, { shard, worker, changed }, `${shard} is pinned to ${worker}, which serves it.`);
      });
    });
}

export function unpinCommand(): Command {
  return new Command('unpin')
    .description('Let the workers place a shard as they do the others.')
    .argument('<shard>', 'context and number, for example ord:7')
    .option('--json', 'the result as JSON')
    .action(async (shard: string, options: PinOptions) => {
      await withClients(async (clients) => {
        const changed = await setPin(placeOf(shard, clients), undefined);
        told(options, { shard, changed }, changed ? `${shard} is free again.` : `${shard} was not pinned.`);
      });
    });
}

interface Place {
  readonly client: Client;
  readonly shard: number;
}

function placeOf(text: string, { ordering, delivery }: Clients): Place {
  const [, context = '', digits = ''] = /^(ord|ordering|dlv|delivery):(\d{1,5})$/.exec(text) ?? [];
  if (context === '') throw new CliFailure(`"${text}" names no shard: write ord:7 or dlv:7`, EXIT.usage);
  return { client: context.startsWith('ord') ? ordering : delivery, shard: Number(digits) };
}

const setPin = ({ client, shard }: Place, worker: string | undefined): Promise<boolean> =>
  client.pin(shard, worker).catch((error: unknown) => Promise.reject(inWords(error)));

async function served({ client, shard }: Place, worker: string): Promise<void> {
  const deadline = monotonic() + WAIT_MS_MAX;
  while (monotonic() < deadline) {
    const [view] = await client.shardViews([shard]);
    if (view?.owner === worker) return;
    await pause(LOOK_MS);
  }
  throw new CliFailure(`${worker} does not serve the shard yet; is it alive? See \`emboss workers\`.`);
}

function told({ json }: PinOptions, facts: object, words: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(facts)}\n` : `${words}\n`);
}
