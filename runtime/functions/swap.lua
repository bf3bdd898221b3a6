-- swap: change a sheet, a hash beside the actors, if it still is as the caller saw it; else say what is not.
--
-- KEYS   1 sheet
-- ARGV   1 number of conditions    then field, value expected ('' for absent) each    then field, value ('' removes) each
-- Reply  {'SWAPPED', revision} | {'OTHER', field}     Cost O(fields named)
--
-- `rev` counts the changes of a sheet: a condition on it holds for the sheet as a whole.
local function swap(keys, args)
  local conditions = tonumber(args[1])
  local first = 2 + conditions * 2
  for at = 2, first - 1, 2 do
    if (redis.call('HGET', keys[1], args[at]) or '') ~= args[at + 1] then return { 'OTHER', args[at] } end
  end
  -- The first write below is its own test, and what follows it is tested here (C1).
  local refused = denied(keys[1], 'HSET', 'HDEL')
  if refused then return refused end
  local revision = redis.call('HINCRBY', keys[1], 'rev', 1)
  for at = first, #args, 2 do
    if args[at + 1] == '' then
      redis.call('HDEL', keys[1], args[at])
    else
      redis.call('HSET', keys[1], args[at], args[at + 1])
    end
  end
  return { 'SWAPPED', whole(revision) }
end

redis.register_function(named('swap'), swap)
