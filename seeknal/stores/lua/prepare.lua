-- Fence a publication: remember it, and tell what else lies within the unit's time.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] token
-- ARGV[5] start   ARGV[6] end (both '' for a value)
-- Returns two lists, or nil if the token is not current: completions as start, end, label by
-- turns, in order, and the other units that prepared and never completed.
-- uses base ranges units flows
local flow, unit = ARGV[1], ARGV[3]
if not holds(flow, ARGV[2], unit, ARGV[4]) then
  return nil
end
local first, last = tonumber(ARGV[5]), tonumber(ARGV[6])
if not first then
  return { {}, {} }
end
local publishing = key('publishing', flow)
remember(publishing, flow, unit, first, last)
local found = near(key('forgotten', flow), first, last)
for _, old in ipairs(near(key('completions', flow), first, last)) do
  found[#found + 1] = old
end
table.sort(found, function(a, b) return a.start < b.start end)
local completions, others = {}, {}
for _, old in ipairs(found) do
  if old.start < last and old.stop > first then
    local n = #completions
    completions[n + 1], completions[n + 2] = int(old.start), int(old.stop)
    completions[n + 3] = old.label
  end
end
for _, old in ipairs(overlapping(publishing, flow, first, last)) do
  if old.unit ~= unit then
    others[#others + 1] = old.unit
  end
end
return { completions, others }
