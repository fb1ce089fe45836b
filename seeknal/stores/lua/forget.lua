-- Take back completions whose output a unit is about to remove.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] token   ARGV[5...] start, end by turns
-- Returns 1, or 0 if the token is not current.
-- uses base ranges units
local flow = ARGV[1]
if not holds(flow, ARGV[2], ARGV[3], ARGV[4]) then
  return 0
end
for i = 5, #ARGV, 2 do
  local first, last = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  for _, old in ipairs(within(key('completions', flow), first, last)) do
    paint(key('forgotten', flow), old.start, old.stop, old.label)
    paint(key('unfinished', flow), old.start, old.stop, '')
  end
  erase(key('completions', flow), first, last)
  erase(key('restatements', flow), first, last)
end
return 1
