-- Withdraw restatements, cut at the edges of what is given.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] actor   ARGV[3] action   ARGV[4] what   ARGV[5] reason
-- ARGV[6] how many ranges; then start, end of each, and each value's unit
-- uses base ranges units flows
local flow, ranges = ARGV[1], tonumber(ARGV[6])
local at = 7 + 2 * ranges
for i = 7, at - 1, 2 do
  erase(key('restatements', flow), tonumber(ARGV[i]), tonumber(ARGV[i + 1]))
end
for i = at, #ARGV do
  call('HDEL', key('restatedvalues', flow), ARGV[i])
end
note_change(flow, ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
