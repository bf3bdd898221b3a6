-- finish: settle one try of an effect. The outcome closes the record and enters the inbox in one go, or the try is put off (E1).
--
-- KEYS   1 owner    2 inbox    3 backlog    4 timers    5 effects    6 attempts    7 actor
-- ARGV   1 token    2 effect key    3 attempt    4 'settle' or 'retry'    5 due time in ms (retry)    6 actor
--        7 body ('' when nobody is told)    8 clock reading or ''
-- Reply  {'SETTLED'} | {'RETRY'} | {'LATE'} (left open for a commit of kind L) | {'GONE'} | {'FENCED'}
--        | {'DAMAGED', 'inbox'}: it is gone, and nothing was written     Cost O(1)
local function finish(keys, args)
  if not owns(keys[1], args[1]) then return { 'FENCED' } end
  local attempt, _, late = attempt_of(redis.call('HGET', keys[6], args[2]))
  if redis.call('HEXISTS', keys[5], args[2]) == 0 or attempt ~= tonumber(args[3]) then return { 'GONE' } end
  local refused = denied(keys[4], 'ZADD', 'ZREM', 'INCRBY', 'HINCRBY', 'HDEL')
  if refused then return refused end
  local now = args[7] ~= '' and whole(reading(args[8]))
  if args[4] == 'retry' then
    if attempt > 0 then redis.call('HSET', keys[6], args[2], whole(attempt) .. late) end -- 0: put off before its first try.
    redis.call('ZADD', keys[4], args[5], 'e|' .. args[2])
    return { 'RETRY' }
  end
  if late ~= '' then return { 'LATE' } end

  -- The first write: where it is refused there is none (C1).
  if args[7] ~= '' and not accept(keys[2], keys[3], keys[7], args[6], args[2], args[7], now) then
    return { 'DAMAGED', 'inbox' }
  end
  redis.call('HDEL', keys[5], args[2])
  redis.call('HDEL', keys[6], args[2])
  redis.call('ZREM', keys[4], 'e|' .. args[2])
  return { 'SETTLED' }
end

redis.register_function(named('finish'), finish)
