// `emboss functions`: the library of Redis Functions, where the processes themselves may not load it.

import { Command } from 'commander';
import { OperatingError } from '../../runtime/errors.ts';
import { dropFunctions, loadFunctions } from '../../runtime/index.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { findSystem } from '../found.ts';

interface Options {
  readonly json?: boolean;
  readonly url?: string;
}

export function functionsCommand(): Command {
  const all = new Command('functions').description('Load or drop the function library of the runtime, as an operator.');
  const url = ['--url <url>', 'Redis with the operator’s user; default: the servers of both contexts'] as const;
  all
    .command('load')
    .description('Load the functions of this version, where they are not there.')
    .option(...url)
    .option('--json', 'the result as JSON')
    .action(async (options: Options) => {
      const done = await each(options, loadFunctions);
      const [{ library, hash } = { library: '', hash: '' }] = done;
      told(options, { library, hash }, `${library} (${hash}) is loaded.`);
    });
  all
    .command('drop')
    .description('Drop a library that no process uses any more.')
    .argument('<library>', 'for example emboss_v1')
    .option(...url)
    .option('--yes', 'that no process uses it')
    .option('--json', 'the result as JSON')
    .action(async (library: string, options: Options & { readonly yes?: boolean }) => {
      if (options.yes !== true)
        throw new CliFailure(`Processes that use ${library} stop working. Say --yes when there are none.`, EXIT.usage);
      const dropped = (await each(options, (at) => dropFunctions(at, library))).some((one) => one);
      told(options, { library, dropped }, dropped ? `${library} is dropped.` : `There was no ${library}.`);
    });
  return all;
}

/** On the server named, or on those of both contexts, one after the other. */
async function each<T>({ url }: Options, act: (url: string) => Promise<T>): Promise<readonly T[]> {
  const found = url === undefined ? findSystem() : undefined;
  const urls = found === undefined ? [url ?? ''] : [found.orderingRedisUrl, found.deliveryRedisUrl];
  const done: T[] = [];
  for (const at of new Set(urls)) {
    try {
      done.push(await act(at));
    } catch (error) {
      throw error instanceof OperatingError ? new CliFailure(error.message, EXIT.unavailable) : error;
    }
  }
  return done;
}

function told({ json }: Options, facts: object, words: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(facts)}\n` : `${words}\n`);
}
