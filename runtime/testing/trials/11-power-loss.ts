// Trial 11: the machine under a Redis server loses its power: the append-only file is copied at a random instant, cut short as
// an unfinished write leaves it, and the server started on the copy. Workers and clients live on, and so does, in the second
// part, another server with a namespace of its own.

import { pause, systemClock } from '../../clock.ts';
import type { DeclaredLoss } from '../audit/evidence.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { ClusterServer } from '../cluster/cluster-server.ts';
import { AppendOnlyFile } from './append-only-file.ts';
import { violationsOf } from './audit.ts';
import type { Stage, StageLoad } from './stage.ts';
import type { Trial } from './trial.ts';

const ROUNDS = 5; // Per fsync mode; as many losses on two servers in turn.
const LIVES_MS = [1_200, 3_000] as const;
const CUT_BYTES_MAX = 4_096;
const LOSS_MS_MAX = 2_000; // What is promised of everysec. Redis itself says one second.
const BEHIND_MS_MAX = 1_000; // A server with everysec has written out what is older.
const COPIED_LATE_MS = 40;

const MODES = [
  { name: 'always', durability: 'fsync', fsync: 'always', namespaces: ['one'] },
  { name: 'everysec', durability: 'memory', fsync: 'everysec', namespaces: ['one'] },
  { name: 'everysec, two servers', durability: 'memory', fsync: 'everysec', namespaces: ['one', 'two'] },
] as const;
type Mode = (typeof MODES)[number];

export const powerLoss: Trial = {
  number: 11,
  name: 'power-loss',
  fault: `the append-only file is copied at a random instant, cut by 1 to ${CUT_BYTES_MAX} bytes, and the server started on the copy, ${ROUNDS} times with always, with everysec, and with everysec on two servers in turn`,
  expects: `always: every command acknowledged before the copy is there; everysec: what is lost is younger than ${LOSS_MS_MAX / 1_000} s; readers are told; I1 to I8 hold`,
  seconds: 120,
  async run(stage) {
    for (const mode of MODES) await losingPower(stage, mode);
  },
};

async function losingPower(stage: Stage, mode: Mode): Promise<void> {
  const { name, durability, fsync, namespaces } = mode;
  const cluster = await stage.cluster({
    ...{ durability, namespaces, servers: 'apart', workers: namespaces.length > 1 ? 2 : 3 },
    serverArgs: ['--appendfsync', fsync],
  });
  const loads: StageLoad[] = [];
  for (const namespace of namespaces) loads.push(await stage.load(cluster, { namespace }));
  const files = cluster.servers.map((server) => new AppendOnlyFile(server.dir));
  for (const file of files) stage.atEnd(async () => file.close());
  const losses: DeclaredLoss[] = [];
  const rounds = stage.rounds(ROUNDS);
  for (let round = 1; round <= rounds; round += 1) {
    const [least, most] = LIVES_MS;
    await pause(systemClock, least + stage.random() * (most - least));
    const index = round % files.length;
    const server = cluster.servers[index] as ClusterServer; // One file per server.
    const loss = await (fsync === 'always' ? afterFsync : withinASecond)(stage, server, files[index] as AppendOnlyFile);
    losses.push(loss);
    const answered = loads.map(({ load }) => load.answered);
    await cluster.until('answers come again', () => loads.every(({ load }, i) => load.answered > (answered[i] ?? 0)));
    await cluster.owned();
    stage.say(`${name}, round ${round} of ${rounds}: ${server.name} lost its tail`);
  }
  for (const file of files) file.close();
  await finished(stage, cluster, mode, { loads, losses });
}

/** What was on the disk when we began to look is kept; what was written while it was copied is cut anywhere. */
async function afterFsync(stage: Stage, server: ClusterServer, file: AppendOnlyFile): Promise<DeclaredLoss> {
  const since = stage.recorder.now();
  const safe = file.size;
  await pause(systemClock, stage.random() * COPIED_LATE_MS);
  const copied = file.size;
  await server.kill();
  const at = stage.recorder.now();
  file.cut(Math.max(safe, copied - 1 - Math.floor(stage.random() * CUT_BYTES_MAX)));
  await server.start();
  return { at, sinceMs: at - since };
}

/** Any length that the file had within the last second, and a few bytes less. */
async function withinASecond(stage: Stage, server: ClusterServer, file: AppendOnlyFile): Promise<DeclaredLoss> {
  const copied = file.sizeBefore(stage.random() * BEHIND_MS_MAX);
  await server.kill();
  const at = stage.recorder.now();
  file.cut(copied - 1 - Math.floor(stage.random() * CUT_BYTES_MAX));
  await server.start();
  return { at, sinceMs: LOSS_MS_MAX };
}

async function finished(
  stage: Stage,
  cluster: Cluster,
  { name }: Mode,
  { loads, losses }: { readonly loads: readonly StageLoad[]; readonly losses: readonly DeclaredLoss[] },
): Promise<void> {
  const report = await stage.finish(cluster, { lossAllowed: losses });
  const rewinds = loads.flatMap(({ subscriber }) => subscriber.entries.filter(({ kind }) => kind === 'rewound'));
  const alarms = cluster.workers.flatMap(({ lines }) => lines.filter((line) => line.includes('M3: source rewound')));
  stage.measure(`acknowledged commands lost, ${name}`, report.lost.commands, 'commands');
  stage.measure(`greatest age of a lost one, ${name}`, report.lost.ageMsMax, 'ms');
  stage.measure(`lost beyond what is promised, ${name}`, violationsOf(report, 'I1'), 'commands');
  stage.measure(`rewinds told to readers, ${name}`, rewinds.length, 'shards');
  if (loads.length > 1) stage.measure(`alarms of lanes whose source was rewound, ${name}`, alarms.length, 'alarms');
  await cluster.close();
}
