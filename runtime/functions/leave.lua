-- leave: remove a worker from the membership. Its own leaving passes its incarnation; burying a dead one passes the whole
-- entry, so that any sign of life in between saves it.
--
-- KEYS   1 members
-- ARGV   1 worker    2 first characters of the entry to remove
-- Reply  {'LEFT'} | {'OTHER', entry or ''}     Cost O(1)
local function leave(keys, args)
  local entry = redis.call('HGET', keys[1], args[1])
  if not entry or string.sub(entry, 1, #args[2]) ~= args[2] then return { 'OTHER', entry or '' } end
  redis.call('HDEL', keys[1], args[1])
  return { 'LEFT' }
end

redis.register_function { function_name = named('leave'), callback = leave, flags = { 'allow-oom' } }
