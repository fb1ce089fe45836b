-- Ask for what is completed to be done again.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] actor   ARGV[3] action   ARGV[4] what   ARGV[5] reason
-- ARGV[6] how many ranges; then start, end, label of each, and each value's unit
-- uses base ranges units flows
local flow, ranges = ARGV[1], tonumber(ARGV[6])
local at = 7 + 3 * ranges
for i = 7, at - 1, 3 do
  local first, last = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  for _, done in ipairs(within(key('completions', flow), first, last)) do
    paint(key('restatements', flow), done.start, done.stop, ARGV[i + 2])
  end
end
for i = at, #ARGV do
  if call('HEXISTS', key('values', flow), ARGV[i]) == 1 then
    call('HSET', key('restatedvalues', flow), ARGV[i], ARGV[5])
  end
end
note_change(flow, ARGV[2], ARGV[3], ARGV[4], ARGV[5])
return 1
