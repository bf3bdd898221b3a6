-- found: make the empty inbox of a shard, before its namespace is recorded for the first time. The only one that makes an inbox:
-- whoever else finds none has met lost data (M1).
--
-- KEYS   1 inbox
-- ARGV   none
-- Reply  'FOUNDED' | 'THERE' (as it is; nothing is written)     Cost O(1)
local function found(keys)
  if redis.call('EXISTS', keys[1]) == 1 then return 'THERE' end
  if not may('XGROUP', 'DESTROY', keys[1], '') then return refusal('XGROUP DESTROY') end
  -- A stream without entries whose first will be 0-1: the group makes it and leaves no trace.
  redis.call('XGROUP', 'CREATE', keys[1], 'founding', '0-0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', keys[1], 'founding')
  return 'FOUNDED'
end

redis.register_function(named('found'), found)
