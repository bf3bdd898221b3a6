-- rights: which commands the caller may not run. Asked at a start, so that a user without a right is refused then.
--
-- KEYS   none: what the commands name is looked at as text and not touched
-- ARGV   per command: number of its words, and the words
-- Reply  {'RIGHTS', place of a command that is denied, from 1, …}     Cost O(words)
local function rights(_, args)
  local reply, at, place = { 'RIGHTS' }, 1, 0
  while at <= #args do
    local count = tonumber(args[at])
    place = place + 1
    if not may(unpack(args, at + 1, at + count)) then reply[#reply + 1] = tostring(place) end
    at = at + count + 1
  end
  return reply
end

redis.register_function { function_name = named('rights'), callback = rights, flags = { 'no-writes' } }
