// `emboss keys`: which master key wraps how many persons' keys, and how both kinds are replaced by new ones.

import { Command, InvalidArgumentError } from 'commander';
import { openPeople, type People, type RotationCount } from '../../actors/people/index.ts';
import { CliFailure } from '../failure.ts';
import { inWords, withClients } from '../found.ts';
import { table } from '../table.ts';

interface KeysOptions {
  readonly json?: boolean;
  readonly all?: boolean;
}

export function keysCommand(): Command {
  return new Command('keys')
    .description('Show and rotate the keys of personal data.')
    .addCommand(statusCommand())
    .addCommand(rotateCommand())
    .addCommand(rekeyCommand());
}

function statusCommand(): Command {
  return new Command('status')
    .description('Count the persons’ keys under each master key.')
    .option('--json', 'counts as JSON')
    .addHelpText('after', '\nA master key may leave EMBOSS_MASTER_KEYS once nothing is under it any more.')
    .action((options: KeysOptions) =>
      withVault(async (vault) => {
        const counts = [...(await vault.keys.status())].sort(([a], [b]) => (a < b ? -1 : 1));
        const rows = counts.map(([id, persons]) => [id, String(persons), id === vault.keys.current ? 'current' : '']);
        const shown =
          rows.length === 0 ? 'No personal data are kept.\n' : table({ head: ['master key', 'persons', ''], rows });
        process.stdout.write(
          options.json === true
            ? `${JSON.stringify({ current: vault.keys.current, persons: Object.fromEntries(counts) })}\n`
            : shown,
        );
      }),
    );
}

function rotateCommand(): Command {
  return new Command('rotate')
    .description('Wrap all persons’ keys with the current master key, the first of EMBOSS_MASTER_KEYS.')
    .option('--json', 'the result as JSON')
    .addHelpText('after', '\nMay be ended and begun again at any time: what is done is passed over.')
    .action((options: KeysOptions) =>
      withVault(async (vault) => {
        const done = await vault.keys.rotate(progress(options));
        told(options, done, `${done.changed} of ${done.persons} keys are now under ${vault.keys.current}.`);
      }),
    );
}

function rekeyCommand(): Command {
  return new Command('rekey')
    .description('Give a person, or everybody, another key, and seal all records anew under it.')
    .argument('[user]', 'id of the user, such as usr_anna', userId)
    .option('--all', 'everybody')
    .option('--json', 'the result as JSON')
    .action((user: string | undefined, options: KeysOptions) => {
      if ((user === undefined) !== (options.all === true))
        throw new InvalidArgumentError('name one user, or say --all.');
      return withVault(async (vault) => {
        const done = await vault.keys.rekey(user === undefined ? 'all' : { userId: user }, progress(options));
        told(options, done, `${done.changed} persons have another key; ${done.records} records were sealed anew.`);
      });
    });
}

/** Runs `work` with the vault of the running system, under the keys of this process's settings. */
export const withVault = (work: (vault: People) => Promise<void>): Promise<void> =>
  withClients(async ({ ordering }, { settings }) => {
    try {
      await work(openPeople(ordering, settings));
    } catch (error) {
      throw inWords(error);
    }
  });

const progress =
  ({ json }: KeysOptions) =>
  ({ persons, changed }: RotationCount): void => {
    if (json !== true && process.stderr.isTTY) process.stderr.write(`\r${persons} persons seen, ${changed} changed`);
  };

function told({ json }: KeysOptions, done: RotationCount, words: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(done)}\n` : `${words}\n`);
  if (done.failed.length === 0) return;
  const named = done.failed.map(({ person, code }) => `  ${person}: ${code}`).join('\n');
  throw new CliFailure(`Of these persons the key or a record does not open:\n${named}`);
}

/** An id, and no more: whoever types a name here is told so before it stands in a history of commands twice. */
function userId(text: string): string {
  if (/^[A-Za-z][A-Za-z0-9_.-]{1,63}$/.test(text)) return text;
  throw new InvalidArgumentError('the id of a user is expected.');
}
