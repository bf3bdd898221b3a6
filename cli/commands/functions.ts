// `emboss functions`: the libraries of Redis Functions while versions of the program stand side by side.

import { Command } from 'commander';
import type { Client } from '../../runtime/client.ts';
import { OperatingError } from '../../runtime/errors.ts';
import { dropFunctions, functionLibraries, type LibraryView, loadFunctions } from '../../runtime/index.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { type Clients, findSystem, withClients } from '../found.ts';
import { table } from '../table.ts';

interface Options {
  readonly json?: boolean;
  readonly url?: string;
}

type Row = LibraryView & { readonly server: string };

export function functionsCommand(): Command {
  const all = new Command('functions').description('Show, load or drop the function libraries of the runtime.');
  all
    .command('list', { isDefault: true })
    .description('Which libraries the servers have, their hashes, and which workers call them.')
    .option('--json', 'rows as JSON')
    .action(async (options: Options) => {
      await withClients(async (clients) => {
        const rows = (
          await each((url) => functionLibraries(url, clientsAt(url, clients))).then((found) =>
            found.map(({ url, done }) => done.map((view): Row => ({ server: url, ...view }))),
          )
        ).flat();
        process.stdout.write(options.json === true ? `${JSON.stringify({ libraries: rows })}\n` : drawn(rows));
      });
    });
  all
    .command('load')
    .description('Load the functions of this version, where they are not there.')
    .option('--url <url>', 'Redis with the operator’s user; default: the servers of both contexts')
    .option('--json', 'the result as JSON')
    .action(async (options: Options) => {
      const [{ done } = { done: { library: '', hash: '' } }] = await each(loadFunctions, options.url);
      told(options, done, `${done.library} (${done.hash}) is loaded.`);
    });
  all
    .command('drop')
    .description('Drop a library that nobody calls any more. Refused while a worker that is not dead says it does.')
    .argument('<library>', 'for example emboss_v1')
    .option('--yes', 'that no client calls it either')
    .option('--json', 'the result as JSON')
    .action(async (library: string, options: Options & { readonly yes?: boolean }) => {
      if (options.yes !== true)
        throw new CliFailure(
          `Workers say which library they call, clients do not: those of ${library} stop working. Say --yes when there are none.`,
          EXIT.usage,
        );
      await withClients(async (clients) => {
        const found = await each((url) => dropFunctions(url, library, clientsAt(url, clients)));
        const dropped = found.some(({ done }) => done);
        told(options, { library, dropped }, dropped ? `${library} is dropped.` : `There was no ${library}.`);
      });
    });
  return all;
}

/** The contexts whose state the server holds. */
function clientsAt(url: string, { ordering, delivery }: Clients): readonly Client[] {
  const { orderingRedisUrl, deliveryRedisUrl } = findSystem();
  return [...(url === orderingRedisUrl ? [ordering] : []), ...(url === deliveryRedisUrl ? [delivery] : [])];
}

/** On the server named, or on those of both contexts, one after the other. */
async function each<T>(
  act: (url: string) => Promise<T>,
  named?: string,
): Promise<readonly { readonly url: string; readonly done: T }[]> {
  const found = named === undefined ? findSystem() : undefined;
  const urls = found === undefined ? [named ?? ''] : [found.orderingRedisUrl, found.deliveryRedisUrl];
  const all: { readonly url: string; readonly done: T }[] = [];
  for (const url of new Set(urls)) {
    try {
      all.push({ url, done: await act(url) });
    } catch (error) {
      throw error instanceof OperatingError ? new CliFailure(error.message, EXIT.unavailable) : error;
    }
  }
  return all;
}

function drawn(rows: readonly Row[]): string {
  if (rows.length === 0) return 'No library was ever loaded.\n';
  const cells = rows.map(({ server, library, hash, functions, workers }) => [
    printable(server),
    library,
    hash,
    functions,
    workers.join(', ') || '–',
  ]);
  return table({ head: ['server', 'library', 'hash', 'functions', 'workers'], rows: cells, right: [3] });
}

/** Without user and password. */
const printable = (url: string): string => url.replace(/\/\/[^@/]*@/, '//');

function told({ json }: Options, facts: object, words: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(facts)}\n` : `${words}\n`);
}
