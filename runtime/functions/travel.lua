-- travel: note that a namespace moves forward in domain time (T2). Its owners bring it about, shard by shard: advance.lua.
--
-- KEYS   1 config    2 travels
-- ARGV   1 message id    2 ms    3 who asks    4 most ms in all    5 most travels
-- Reply  {'TRAVELLED' | 'SAME' (noted before), ms in all} | {'REUSED', ms it was noted with} | {'REAL'}: the namespace was founded
--        without virtual time | {'FULL', ms in all}. Nothing is written but at the first.
-- Cost   O(1)
local function travel(keys, args)
  local facts = redis.call('HMGET', keys[1], 'virtualTime', 'travelled')
  if facts[1] ~= 'true' then return { 'REAL' } end
  local before = redis.call('HGET', keys[2], args[1])
  if before then
    local ms, all = string.match(before, '^(%d+) (%d+) ')
    return ms == args[2] and { 'SAME', all } or { 'REUSED', ms }
  end
  local travelled = tonumber(facts[2] or '0')
  local all = travelled + tonumber(args[2])
  if all > tonumber(args[4]) or redis.call('HLEN', keys[2]) >= tonumber(args[5]) then return { 'FULL', whole(travelled) } end
  local refused = denied(keys[1], 'HSET')
  if refused then return refused end
  redis.call('HSET', keys[2], args[1], args[2] .. ' ' .. whole(all) .. ' ' .. whole(reading('')) .. ' ' .. args[3])
  redis.call('HSET', keys[1], 'travelled', whole(all))
  return { 'TRAVELLED', whole(all) }
end

redis.register_function(named('travel'), travel)
