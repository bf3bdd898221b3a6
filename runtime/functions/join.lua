-- join: take a worker's place in the membership, if it still is as the caller saw it (L1).
--
-- KEYS   1 members
-- ARGV   1 worker    2 entry seen there ('' for none)    3 entry to write
-- Reply  {'JOINED'} | {'TAKEN', entry}     Cost O(1)
local function join(keys, args)
  local entry = redis.call('HGET', keys[1], args[1]) or ''
  if entry ~= args[2] then return { 'TAKEN', entry } end -- Somebody moved there meanwhile: look again.
  redis.call('HSET', keys[1], args[1], args[3])
  return { 'JOINED' }
end

redis.register_function { function_name = named('join'), callback = join, flags = { 'allow-oom' } }
