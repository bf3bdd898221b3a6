-- send: take a caller's message into the inbox, once per actor and message id (M1, M6). Intake: no token (L3).
--
-- KEYS   1 inbox    2 backlog    3 dedupe    4 actor
-- ARGV   1 most per actor (0: no limit), most per shard, actor, clock reading in ms, digest of the command, message id; apart by
--        a space. The reading is when it was accepted, for the age of its answer; nothing is decided by it.    2 body
-- Reply  'ACCEPTED position' | {'DUPLICATE', answer or ''} | 'REUSED' | 'FULL actor' | 'FULL shard'     Cost O(1)
local request = '^(%d+) (%d+) ((%S+) (%d+) (%x+) (.+))$'

local function send(keys, args)
  local per_actor, per_shard, head, actor, now, digest, message = string.match(args[1], request)
  local field = actor .. '|' .. message
  if redis.call('HSETNX', keys[3], field, now .. ' ' .. digest .. ' ') == 0 then
    local first, answer = string.match(redis.call('HGET', keys[3], field), '^%d+ (%x+) (.*)$')
    if first ~= digest then return 'REUSED' end
    return { 'DUPLICATE', answer }
  end

  local count, total = redis.call('HINCRBY', keys[4], 'open', '1'), redis.call('INCRBY', keys[2], '1')
  if per_actor ~= '0' and (count > tonumber(per_actor) or total > tonumber(per_shard)) then
    -- Nothing was accepted: what was counted and noted is taken back in the same call.
    redis.call('HDEL', keys[3], field)
    redis.call('INCRBY', keys[2], '-1')
    if count == 1 and redis.call('HEXISTS', keys[4], 'line') == 0 then
      redis.call('HDEL', keys[4], 'open') -- No such actor: no key of it stays.
    else
      redis.call('HINCRBY', keys[4], 'open', '-1')
    end
    return count > tonumber(per_actor) and 'FULL actor' or 'FULL shard'
  end
  return 'ACCEPTED ' .. string.sub(redis.call('XADD', keys[1], '0-*', 'h', head, 'b', args[2]), 3)
end

redis.register_function('emboss_v1_send', send)
