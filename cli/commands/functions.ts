// `emboss functions`: the libraries of Redis Functions while versions of the program stand side by side.

import { Command } from 'commander';
import type { Client } from '../../runtime/client.ts';
import { OperatingError } from '../../runtime/errors.ts';
import { dropFunctions, functionLibraries, type LibraryView, loadFunctions } from '../../runtime/index.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { type Found, findSystem, withClients } from '../found.ts';
import { table } from '../table.ts';

interface Options {
  readonly json?: boolean;
  readonly url?: string;
}

type Row = LibraryView & { readonly server: string };

export function functionsCommand(): Command {
  const all = new Command('functions').description('Show, load or drop the function libraries of the runtime.');
  const url = ['--url <url>', 'Redis with the operator’s user; default: the servers of both contexts'] as const;
  all
    .command('list', { isDefault: true })
    .description('Which libraries the servers have, their hashes, and which workers call them.')
    .option(...url)
    .option('--json', 'rows as JSON')
    .action(async (options: Options) => {
      const found = await withMembers(options, (members) =>
        each((at) => functionLibraries(at, members(at)), options.url),
      );
      const rows = found.flatMap(({ url, done }) => done.map((view): Row => ({ server: printable(url), ...view })));
      process.stdout.write(options.json === true ? `${JSON.stringify({ libraries: rows })}\n` : drawn(rows));
    });
  all
    .command('load')
    .description('Load the functions of this version, where they are not there.')
    .option(...url)
    .option('--json', 'the result as JSON')
    .action(async (options: Options) => {
      const [{ done } = { done: { library: '', hash: '' } }] = await each(loadFunctions, options.url);
      told(options, done, `${done.library} (${done.hash}) is loaded.`);
    });
  all
    .command('drop')
    .description('Drop a library that nobody calls any more. Refused while a worker that is not dead says it does.')
    .argument('<library>', 'for example emboss_v1')
    .option(...url)
    .option('--yes', 'that no client calls it either')
    .option('--json', 'the result as JSON')
    .action(async (library: string, options: Options & { readonly yes?: boolean }) => {
      if (options.yes !== true)
        throw new CliFailure(
          `Workers say which library they call, clients do not: those of ${library} stop working. Say --yes when there are none.`,
          EXIT.usage,
        );
      const found = await withMembers(options, (members) =>
        each((at) => dropFunctions(at, library, members(at)), options.url),
      );
      const dropped = found.some(({ done }) => done);
      told(options, { library, dropped }, dropped ? `${library} is dropped.` : `There was no ${library}.`);
    });
  return all;
}

type MembersAt = (url: string) => readonly Client[];

/** With the contexts whose state a server holds. For a server named where no system is found, with none: nobody is asked. */
async function withMembers<T>({ url }: Options, act: (members: MembersAt) => Promise<T>): Promise<T> {
  const found = systemOrNone(url);
  if (found === undefined) return await act(() => []);
  return await withClients(({ ordering, delivery }) =>
    act((at) => [
      ...(isSameServer(at, found.orderingRedisUrl) ? [ordering] : []),
      ...(isSameServer(at, found.deliveryRedisUrl) ? [delivery] : []),
    ]),
  );
}

function systemOrNone(url: string | undefined): Found | undefined {
  if (url === undefined) return findSystem();
  try {
    const found = findSystem();
    return [found.orderingRedisUrl, found.deliveryRedisUrl].some((own) => isSameServer(url, own)) ? found : undefined;
  } catch (error) {
    if (error instanceof CliFailure) return undefined;
    throw error;
  }
}

/** Whoever the user is. */
const isSameServer = (one: string, other: string): boolean => printable(one) === printable(other);

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
    server,
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
