-- trying: note what is about to be stepped in single file, so that a step which ends the process is found out (M5).
--
-- KEYS   1 owner
-- ARGV   1 token    2 entry id, or `t generation member` of a timer
-- Reply  {'OK'} | {'FENCED'}     Cost O(1)
local function trying(keys, args)
  if not owns(keys[1], args[1]) then return { 'FENCED' } end
  redis.call('HSET', keys[1], 'trying', args[2])
  return { 'OK' }
end

redis.register_function(named('trying'), trying)
