-- begin: write the attempt numbers of effects before the calls are made (E1).
--
-- KEYS   1 owner    2 timers    3 effects    4 attempts
-- ARGV   1 token    then per effect: key, attempts so far, due time in ms of the next look at it
-- Reply  {'OK', '1' begun or '0' gone per effect …} | {'FENCED'}     Cost O(effects)
local function begin(keys, args)
  if not owns(keys[1], args[1]) then return { 'FENCED' } end
  local refused = denied(keys[2], 'ZADD')
  if refused then return refused end
  local reply = { 'OK' }
  for i = 2, #args, 3 do
    local attempt, _, late = attempt_of(redis.call('HGET', keys[4], args[i]))
    local open = redis.call('HEXISTS', keys[3], args[i]) == 1 and attempt == tonumber(args[i + 1])
    if open then
      redis.call('HSET', keys[4], args[i], whole(attempt + 1) .. 'r' .. late)
      redis.call('ZADD', keys[2], args[i + 2], 'e|' .. args[i])
    end
    reply[#reply + 1] = open and '1' or '0'
  end
  return reply
end

redis.register_function(named('begin'), begin)
