-- send: take a caller's message into the inbox, once per actor and message id (M1, M6). Intake: no token (L3).
--
-- KEYS   1 inbox    2 backlog    3 dedupe    4 actor
-- ARGV   1 most per actor (0: no limit) and most per shard, apart by a space
--        2 what the dedupe record begins with: `reading digest `. The reading, in ms, is when it was accepted, for the age of its
--        answer; nothing is decided by it. The digest is of the command
--        3 `actor|message id`    4 body
-- Reply  'ACCEPTED position' | {'DUPLICATE', answer or ''} | 'REUSED'; or, with nothing written, 'FULL actor' | 'FULL shard' |
--        'GONE' (there is no inbox: data were lost, and it is not made anew) | 'BAD what'     Cost O(1)
local limits, per_actor, per_shard = '', 0, 0 -- As last told, and what that says: callers tell the same again and again.

-- Nothing was accepted: what was counted and noted is taken back in the same call. A backlog of 0 and none are the same.
local function take_back(keys, field, count)
  redis.call('HDEL', keys[3], field)
  redis.call('INCRBY', keys[2], '-1')
  if count == 1 and redis.call('HEXISTS', keys[4], 'line') == 0 then
    redis.call('HDEL', keys[4], 'open') -- No such actor: no key of it stays.
  else
    redis.call('HINCRBY', keys[4], 'open', '-1')
  end
end

local function send(keys, args)
  if args[1] ~= limits then
    local actor, shard = string.match(args[1], '^(%d+) (%d+)$')
    if not actor then return 'BAD limits' end
    limits, per_actor, per_shard = args[1], tonumber(actor), tonumber(shard)
  end
  local refused = denied(keys[1], 'HINCRBY', 'INCRBY', 'XADD', 'HDEL', 'HEXISTS')
  if refused then return refused end
  local record, field = args[2], args[3]
  if redis.call('HSETNX', keys[3], field, record) == 0 then
    local first, answer = string.match(redis.call('HGET', keys[3], field), '^%d+ (%x+ )(.*)$')
    if first ~= string.match(record, ' (.*)$') then return 'REUSED' end
    return { 'DUPLICATE', answer }
  end

  local count, total = redis.call('HINCRBY', keys[4], 'open', '1'), redis.call('INCRBY', keys[2], '1')
  if per_actor > 0 and (count > per_actor or total > per_shard) then
    take_back(keys, field, count)
    return count > per_actor and 'FULL actor' or 'FULL shard'
  end
  -- Whether there is an inbox is asked by the write itself: EXISTS before the first write (C1) would cost every message one
  -- command more in five, for what is always true but after a loss.
  local id = redis.call('XADD', keys[1], 'NOMKSTREAM', '0-*', 'h', record .. field, 'b', args[4])
  if not id then
    take_back(keys, field, count)
    return 'GONE'
  end
  return 'ACCEPTED ' .. string.sub(id, 3)
end

redis.register_function(named('send'), send)
