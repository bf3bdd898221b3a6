-- publish: replace the assignment, if it still is the one that the new one was computed from (L1).
--
-- KEYS   1 assignment
-- ARGV   1 first characters of the assignment read ('' for none): version and nonce    2 assignment
-- Reply  {'PUBLISHED'} | {'STALE'}     Cost O(size)
local function publish(keys, args)
  local current = redis.call('GET', keys[1]) or ''
  local seen = args[1]
  -- The nonce matters: a version number may be issued again after the server lost its tail.
  if (seen == '') ~= (current == '') or string.sub(current, 1, #seen) ~= seen then return { 'STALE' } end
  redis.call('SET', keys[1], args[2])
  return { 'PUBLISHED' }
end

redis.register_function { function_name = named('publish'), callback = publish, flags = { 'allow-oom' } }
