// `emboss workers restart <worker>`: ends a worker of this machine's system with the word that it comes back (SIGUSR2), and
// waits until it is. The supervisor starts it again; its shards wait for it meanwhile (decision 0015).

import { Command } from 'commander';
import type { Client, WorkerView } from '../../runtime/client.ts';
import { CliFailure } from '../failure.ts';
import { type Clients, type Found, withClients } from '../found.ts';
import { duration } from '../table.ts';
import { monotonic, pause } from '../time.ts';

const WAIT_MS_MAX = 30_000; // A drain may take 10 s, and a start a few.
const LOOK_MS = 200;

export function restartCommand(): Command {
  return new Command('restart')
    .description('End a worker of this machine in order and have it started again; nobody takes its shards for 5 s.')
    .argument('<worker>', 'id of a worker, as `emboss workers` shows it')
    .option('--json', 'the result as JSON')
    .addHelpText(
      'after',
      `
Waits until it is back. Elsewhere, or under another supervisor: send SIGUSR2 to the process, and start it again at once.`,
    )
    .action(async (worker: string, { json = false }: { readonly json?: boolean }) => {
      await withClients(async (clients, found) => {
        const began = monotonic();
        await restarted(clientOf(worker, clients), worker, pidOf(worker, found));
        const tookMs = Math.round(monotonic() - began);
        process.stdout.write(
          json ? `${JSON.stringify({ worker, tookMs })}\n` : `${worker} is back after ${duration(tookMs)}.\n`,
        );
      });
    });
}

const clientOf = (worker: string, { ordering, delivery }: Clients): Client =>
  worker.startsWith('delivery.') ? delivery : ordering;

function pidOf(worker: string, { running }: Found): number {
  const known = (running?.processes ?? []).filter(({ id }) => /^(ordering|delivery)\./.test(id));
  const pid = known.find(({ id }) => id === worker)?.pid;
  if (pid !== undefined && pid !== null) return pid;
  const others = known.map(({ id }) => id).join(', ') || 'none';
  throw new CliFailure(`no worker ${worker} runs under a supervisor on this machine; there are: ${others}`);
}

async function restarted(client: Client, worker: string, pid: number): Promise<void> {
  const view = async (): Promise<WorkerView | undefined> =>
    (await client.workerViews()).find((one) => one.worker === worker);
  const before = await view();
  askToEnd(worker, pid);
  const deadline = monotonic() + WAIT_MS_MAX;
  while (monotonic() < deadline) {
    const now = await view();
    if (now?.state === 'alive' && now.startedAt !== before?.startedAt) return;
    await pause(LOOK_MS);
  }
  throw new CliFailure(`${worker} is not back within ${duration(WAIT_MS_MAX)}; see \`emboss workers\` and its log.`);
}

function askToEnd(worker: string, pid: number): void {
  try {
    process.kill(pid, 'SIGUSR2');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EPERM') throw new CliFailure(`${worker} (process ${pid}) belongs to another user of this machine`);
    if (code !== 'ESRCH') throw error;
    throw new CliFailure(
      `${worker} ended before it could be asked, by itself or by another restart; see \`emboss workers\` and its log.`,
    );
  }
}
