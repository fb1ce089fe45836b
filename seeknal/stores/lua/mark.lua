-- Complete by hand what is not completed yet.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] actor   ARGV[3] action   ARGV[4] what   ARGV[5] reason
-- ARGV[6] how many ranges; then start, end, label of each, and unit, label of each value
-- uses base ranges units flows
local flow, ranges = ARGV[1], tonumber(ARGV[6])
local at = 7 + 3 * ranges
for i = 7, at - 1, 3 do
  local first, last = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  fill(key('completions', flow), first, last, ARGV[i + 2])
  erase(key('restatements', flow), first, last)
  erase(key('unfinished', flow), first, last)
  drop_failures(flow, first, last)
end
for i = at, #ARGV, 2 do
  call('HSETNX', key('values', flow), ARGV[i], ARGV[i + 1])
  call('HDEL', key('restatedvalues', flow), ARGV[i])
  call('SREM', key('unfinishedvalues', flow), ARGV[i])
  drop_failure(flow, ARGV[i])
end
note_change(flow, ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
