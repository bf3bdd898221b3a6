// All trials, by number.

import { killedWorkers } from './01-killed-workers.ts';
import { zombieOwner } from './02-zombie-owner.ts';
import { stalledLoop } from './03-stalled-loop.ts';
import { allFrozen } from './04-all-frozen.ts';
import { mutantCheck } from './05-mutants.ts';
import { lockLost } from './06-lock-lost.ts';
import { lockMasters } from './07-lock-masters.ts';
import { wallClock } from './08-wall-clock.ts';
import { killedRedis } from './10-killed-redis.ts';
import { powerLoss } from './11-power-loss.ts';
import { lostReplies } from './12-lost-replies.ts';
import { delaysRepeats } from './13-delays-repeats.ts';
import { frozenRedis } from './14-frozen-redis.ts';
import { apiPartition } from './15-api-partition.ts';
import { partitionedWorker } from './16-partitioned-worker.ts';
import { failover } from './17-failover.ts';
import { splitBrain } from './18-split-brain.ts';
import { diskFull } from './19-disk-full.ts';
import { memoryFull } from './22-memory-full.ts';
import { deletedData } from './23-deleted-data.ts';
import { functionLibrary } from './24-function-library.ts';
import { aclDrift } from './25-acl-drift.ts';
import { repeatedMailbox } from './26-repeated-mailbox.ts';
import { poison } from './27-poison.ts';
import { hotOrder } from './28-hot-order.ts';
import { rebalanceStorm } from './29-rebalance-storm.ts';
import { timers } from './30-timers.ts';
import { randomCharts } from './32-random-charts.ts';
import { simulationSweep } from './33-simulation.ts';
import { everyCall } from './34-every-call.ts';
import { canaries } from './42-canaries.ts';
import { rollingUpgrade } from './46-rolling-upgrade.ts';
import type { Trial } from './trial.ts';

export const trials: readonly Trial[] = [
  killedWorkers,
  zombieOwner,
  stalledLoop,
  allFrozen,
  mutantCheck,
  lockLost,
  lockMasters,
  wallClock,
  killedRedis,
  powerLoss,
  lostReplies,
  delaysRepeats,
  frozenRedis,
  apiPartition,
  partitionedWorker,
  failover,
  splitBrain,
  diskFull,
  memoryFull,
  deletedData,
  functionLibrary,
  aclDrift,
  repeatedMailbox,
  poison,
  hotOrder,
  rebalanceStorm,
  timers,
  randomCharts,
  simulationSweep,
  everyCall,
  canaries,
  rollingUpgrade,
];
