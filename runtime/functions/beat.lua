-- beat: a worker's sign of life, and a look at everybody else's. Nobody's life is judged here: each observer does that
-- on its own monotonic clock (L1).
--
-- KEYS   1 members
-- ARGV   1 worker    2 first characters of its entry, which name its incarnation    3 entry
-- Reply  {'BEAT', clock reading, worker, entry, worker, entry, …} | {'DISPLACED', entry}     Cost O(members)
local function beat(keys, args)
  local entry = redis.call('HGET', keys[1], args[1])
  -- An entry that is gone was lost with the server's tail, or buried while we were away: it is still ours.
  if entry and string.sub(entry, 1, #args[2]) ~= args[2] then return { 'DISPLACED', entry } end
  local reply = { 'BEAT', whole(reading('')) }
  local refused = denied(keys[1], 'HGETALL')
  if refused then return refused end
  redis.call('HSET', keys[1], args[1], args[3])
  for _, text in ipairs(redis.call('HGETALL', keys[1])) do reply[#reply + 1] = text end
  return reply
end

redis.register_function { function_name = named('beat'), callback = beat, flags = { 'allow-oom' } }
