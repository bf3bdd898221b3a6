// `emboss acl`: the Redis users of the processes, each with the rights that its code uses, to be typed by an operator.

import { Command } from 'commander';
import { DELIVERY, ORDERING } from '../../actors/contract/index.ts';
import { environmentOf, readSettings } from '../../actors/contract/settings.ts';
import { aclLine, type Entrance, namespace, type UserRights, userRights } from '../../runtime/index.ts';
import { projectRoot } from '../project.ts';

const ord = namespace(ORDERING);
const dlv = namespace(DELIVERY);

/** A worker hosts its context, reads records with clients (the vault is ordering's), and carries messages into the other one. */
const USERS: { readonly [user: string]: readonly Entrance[] } = {
  'emboss-ordering': workerOf(ord, dlv),
  'emboss-delivery': [...workerOf(dlv, ord), { door: 'client', namespace: ord }],
  'emboss-api': [
    { door: 'client', namespace: ord },
    { door: 'client', namespace: dlv },
  ],
  'emboss-lock': [
    { door: 'lock', namespace: ord },
    { door: 'lock', namespace: dlv },
  ],
  'emboss-operator': [{ door: 'operator', namespace: ord }],
};

function workerOf(own: Entrance['namespace'], other: Entrance['namespace']): readonly Entrance[] {
  return [
    { door: 'host', namespace: own },
    { door: 'client', namespace: own },
    { door: 'relay', namespace: other },
  ];
}

export function aclCommand(): Command {
  return new Command('acl')
    .description('Print the Redis users of the processes, with the rights that the code uses and no others.')
    .option('--json', 'users and rules as JSON')
    .addHelpText(
      'after',
      '\nGive each a password in the place of PASSWORD, and type the lines at redis-cli. docs/operating.md says where each is set.',
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { durability } = readSettings(environmentOf(projectRoot), projectRoot);
      const users = await usersAt(durability);
      process.stdout.write(json === true ? `${JSON.stringify({ users })}\n` : `${users.map(aclLine).join('\n')}\n`);
    });
}

const usersAt = (durability: string): Promise<readonly UserRights[]> =>
  Promise.all(Object.entries(USERS).map(([user, entrances]) => userRights(user, entrances, durability)));
