// The floor of the commit bench: the same chart, stepped in the same way, made durable by one bare function without a single
// guard. No token, no sequence, no head, no dedupe, no timers, outbox, index or ownership: what is left is the price of
// moving the bytes. The product is measured against it.

import type { Connection } from '../../runtime/testing/index.ts';

export const shardCount = 64;
export const keys = (shard: number) => ({
  inbox: `{floor:${shard}}:inbox`,
  journal: `{floor:${shard}}:journal`,
  actor: (id: string) => `{floor:${shard}}:a:${id}`,
});
export const group = 'floor';
export const portion = 8; // Commands per pipeline, as the product's batches have them.

const source = `#!lua name=emboss_floor
redis.register_function('emboss_floor_commit', function(keys, args)
  for i = 0, #args / 4 - 1 do
    redis.call('HSET', keys[3 + i], 'snap', args[i * 4 + 2])
    redis.call('XADD', keys[2], '*', 'a', args[i * 4 + 1], 'b', args[i * 4 + 3])
    redis.call('XACK', keys[1], 'floor', args[i * 4 + 4])
  end
end)
`;

export async function loadFloor({ redis }: Connection): Promise<void> {
  await redis.call('FUNCTION', 'LOAD', 'REPLACE', source);
  for (let shard = 0; shard < shardCount; shard += 1) {
    await redis.xgroup('CREATE', keys(shard).inbox, group, '0', 'MKSTREAM').catch(() => undefined);
  }
}
