-- Tell of a flow's failed units.
-- KEYS[1] the project's prefix   ARGV[1] flow
-- Returns a list of run, unit, planned, attempts, error.
-- uses base units
local found = {}
local rows = call('HGETALL', key('failed', ARGV[1]))
for i = 1, #rows, 2 do
  local unit, id = rows[i], rows[i + 1]
  local d = details(id, unit)
  found[#found + 1] = { id, unit, planned(id, unit).text, d.attempts, d.error }
end
return found
