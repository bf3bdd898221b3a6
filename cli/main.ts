// `emboss`: the command line. One file per command in commands/; this one knows their names and how a command fails.

import { Command, CommanderError } from 'commander';
import { SettingsError } from '../actors/contract/settings.ts';
import { aclCommand } from './commands/acl.ts';
import { auditCommand } from './commands/audit.ts';
import { bulkCommand } from './commands/bulk.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { functionsCommand } from './commands/functions.ts';
import { keysCommand } from './commands/keys.ts';
import { orderCommand } from './commands/order.ts';
import { parkedCommand } from './commands/parked.ts';
import { privacyCommand } from './commands/privacy.ts';
import { discardCommand, redriveCommand } from './commands/redrive.ts';
import { shardsCommand } from './commands/shards.ts';
import { slaCommand } from './commands/sla.ts';
import { tasksCommand } from './commands/tasks.ts';
import { timeCommand } from './commands/time.ts';
import { timersCommand } from './commands/timers.ts';
import { upCommand } from './commands/up.ts';
import { watchCommand } from './commands/watch.ts';
import { workersCommand } from './commands/workers.ts';
import { CliFailure, EXIT } from './failure.ts';

const program = new Command('emboss')
  .description('Card orders as durable actors: run the system, place orders, watch them, look after it.')
  .version('0.1.0')
  .configureHelp({ sortSubcommands: false, showGlobalOptions: true })
  .showHelpAfterError('(add --help for what is possible)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Exit codes: 0 done, 1 failed, 2 wrong call, 69 no Redis or no running system, 78 settings that cannot be used.
Settings come from the environment: docs/settings.md.`,
  );

const commands = [
  upCommand(),
  demoCommand(),
  orderCommand(),
  watchCommand(),
  shardsCommand(),
  workersCommand(),
  tasksCommand(),
  slaCommand(),
  timersCommand(),
  timeCommand(),
  parkedCommand(),
  redriveCommand(),
  discardCommand(),
  bulkCommand(),
  auditCommand(),
  keysCommand(),
  privacyCommand(),
  doctorCommand(),
  aclCommand(),
  functionsCommand(),
];
for (const command of commands) {
  program.addCommand(command.copyInheritedSettings(program));
  for (const verb of command.commands) verb.copyInheritedSettings(command);
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong in words, and gives the exit code. A fault of ours keeps its stack. */
function report(error: unknown): number {
  // commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT.usage;
  if (error instanceof CliFailure) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  if (error instanceof SettingsError) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.settings;
  }
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return EXIT.failed;
}
