-- Tell of the newest runs.
-- KEYS[1] the project's prefix   ARGV[1] a flow, or '' for all   ARGV[2] how many at most
-- Returns each run's fields and units that were taken back, each with what it holds by turns,
-- newest first.
-- uses base runs
local set = ARGV[1] == '' and key('runs') or key('flowruns', ARGV[1])
local found = {}
for _, id in ipairs(call('ZREVRANGE', set, 0, tonumber(ARGV[2]) - 1)) do
  local run = told(id)
  if #run[1] > 0 then
    found[#found + 1] = run
  end
end
return found
