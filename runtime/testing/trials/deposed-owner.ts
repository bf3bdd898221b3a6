// What trial 5 plays on copies of the build: an owner built a commit and was frozen; another claimed its shard, and either has
// done nothing yet or has gone on; then the commit is sent. Afterwards the deposed one owns the shard again.
//
// Run as a process it plays once and prints its report as JSON: a copy of the build plays it with the copy's own runtime.

import { parseArgs } from 'node:util';
import { shortName } from '../../functions/library.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterWorker } from '../cluster/cluster-worker.ts';
import { runTrial } from './run.ts';
import type { Stage } from './stage.ts';
import type { Trial } from './trial.ts';

const WARM_COMMITS = 15;
const SETTLE_MS = 20_000; // It takes one; a copy without its guards may never settle.
const GOES_ON = 30; // Journal entries after which the successor has surely handled what the deposed one had in hand.

export const deposedOwner: Trial = {
  number: 5,
  name: 'deposed-owner',
  fault: 'a commit of a deposed owner arrives, before and after its successor has begun',
  expects: 'FENCED',
  seconds: 30,
  async run(stage) {
    // One shard: whoever owns it owns all, and everything meets there.
    const cluster = await stage.cluster({ workers: 2, shards: 1 });
    await stage.load(cluster);
    const rounds = stage.rounds(1);
    try {
      for (let round = 1; round <= rounds; round += 1) {
        await played(stage, cluster, 'has claimed');
        await played(stage, cluster, 'has gone on');
      }
      await stage.finish(cluster, {}, SETTLE_MS);
    } catch (error) {
      // Without its guards a cluster may do anything, such as damage a shard that nobody may serve then. The auditor sees it.
      stage.violated(`it came to a standstill: ${String(error)}`);
      for (const worker of cluster.workers) if (worker.state === 'frozen') worker.thaw();
      await stage.audited(cluster);
    }
    const { fenced } = cluster;
    stage.measure('FENCED', fenced, 'replies');
    stage.expect(fenced >= 2 * rounds, `${fenced} commits were fenced, ${2 * rounds} deposed owners were`);
  },
};

async function played(stage: Stage, cluster: Cluster, successor: 'has claimed' | 'has gone on'): Promise<void> {
  const [deposed, next] = [cluster.worker('one.1'), cluster.worker('one.2')];
  const answers = commitsAnswered(cluster, deposed);
  await next.stop();
  await deposed.stop();
  deposed.launch({ crash: { at: 'before-commit', act: 'stop', skip: WARM_COMMITS + Math.floor(stage.random() * 30) } });
  await cluster.until('it stands still before its commit', () => deposed.state === 'frozen');
  if (successor === 'has claimed') {
    next.launch({ crash: { at: 'after-claim', act: 'stop' } });
    await cluster.until('its successor stands still behind its claim', () => next.state === 'frozen');
  } else {
    await next.start();
    await goesOn(cluster, next);
  }
  const before = answers.count;
  deposed.thaw();
  await cluster.until('the commit that it had built is answered', () => answers.count > before);
  answers.end();
  if (next.state === 'frozen') next.thaw();
  await goesOn(cluster); // Whose it is by now, the assignment says.
  await next.kill();
  await goesOn(cluster, deposed);
  await next.start();
  await cluster.owned();
  stage.say(`the successor ${successor}: the commit was answered`);
}

/** Until the worker, or whoever, owns the shard and has committed a while. */
async function goesOn(cluster: Cluster, worker?: ClusterWorker): Promise<void> {
  let from: number | undefined;
  await cluster.until(`${worker?.id ?? 'somebody'} goes on with the shard`, async () => {
    const [view] = await cluster.client().shardViews();
    if (view === undefined || (worker !== undefined && view.owner !== worker.id)) return false;
    from ??= view.head;
    return view.head > from + GOES_ON;
  });
}

/** Counts the replies to its commits as they pass. */
function commitsAnswered(cluster: Cluster, worker: ClusterWorker): { readonly count: number; end(): void } {
  let count = 0;
  const end = worker.proxy(cluster.server()).tap(([, name = '']) => (count += shortName(name) === 'commit' ? 1 : 0));
  return {
    get count() {
      return count;
    },
    end,
  };
}

if (import.meta.filename === process.argv[1]) {
  const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  process.stdout.write(`${JSON.stringify(await runTrial(deposedOwner, { seed: Number(values.seed), say }))}\n`);
}
