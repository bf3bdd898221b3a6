-- meta: which source this library was loaded from. LIBRARY_HASH is put in when the library is assembled.
--
-- KEYS   none
-- ARGV   none
-- Reply  hash     Cost O(1)
redis.register_function {
  function_name = named('meta'),
  callback = function() return LIBRARY_HASH end,
  flags = { 'no-writes' },
}
