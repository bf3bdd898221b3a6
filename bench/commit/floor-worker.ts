// The floor's worker, a process of its own as the product's is: group read over all shards, step, one bare commit per shard.

import { canonical } from '../../runtime/index.ts';
import { type ActorId, charts, connectRedis, type Held, streamsOf } from '../../runtime/testing/index.ts';
import { group, keys, loadFloor, portion, shardCount } from './floor.ts';
import { input, machine, subject } from './subject.ts';

interface Resident {
  held: Held;
  sequence: number;
}

const url = process.argv[2] ?? '';
const reader = await connectRedis('reader', url);
const writer = await connectRedis('writer', url);
await loadFloor(writer);
const chart = charts([subject()]).byName(machine);
const residents = new Map<string, Resident>();
const inboxes = Array.from({ length: shardCount }, (_, shard) => keys(shard).inbox);
process.send?.('ready');

let open = true;
process.once('SIGTERM', () => {
  open = false;
});

let committing: Promise<unknown> = Promise.resolve();
while (open) {
  const reply = await reader.block('XREADGROUP', 500, (redis) =>
    redis.call(
      'XREADGROUP',
      'GROUP',
      group,
      'w',
      'COUNT',
      '100',
      'BLOCK',
      '500',
      'STREAMS',
      ...inboxes,
      ...inboxes.map(() => '>'),
    ),
  );
  let pipeline = writer.redis.pipeline();
  const sent: Promise<unknown>[] = [];
  for (const [inbox, entries] of streamsOf(reply)) {
    const shard = inboxes.indexOf(inbox);
    const names: string[] = [];
    const args: string[] = [];
    for (const [id, [, actor = '', , body = '']] of entries) {
      const { stored, journal } = step(actor, body);
      names.push(keys(shard).actor(actor));
      args.push(actor, stored, journal, id);
    }
    pipeline.call('FCALL', 'emboss_floor_commit', names.length + 2, inbox, keys(shard).journal, ...names, ...args);
    if (pipeline.length === portion) {
      sent.push(pipeline.exec());
      pipeline = writer.redis.pipeline();
    }
  }
  await committing; // One batch on the way while the next is stepped.
  if (pipeline.length > 0) sent.push(pipeline.exec());
  committing = Promise.all(sent);
}
await committing;
await reader.close();
await writer.close();

function step(actor: string, body: string): { readonly stored: string; readonly journal: string } {
  const message = JSON.parse(body) as { readonly event: { readonly type: string }; readonly m: string };
  const now = 0;
  const known = residents.get(actor);
  const scope = { actor: actor as ActorId, sequence: (known?.sequence ?? 0) + 1, now };
  const held = known?.held ?? chart.start(input(actor as ActorId), scope).held;
  const result = chart.step(held, message.event, scope);
  if (result.kind === 'refused') throw new Error(`the floor's chart refused ${canonical(message.event)}`);
  residents.set(actor, { held: result.held, sequence: scope.sequence });
  return { stored: result.stored, journal: JSON.stringify({ event: message.event, m: message.m, q: scope.sequence }) };
}
