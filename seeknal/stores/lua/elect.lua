-- Take, or keep, an office that one holds at a time. All who look after a project ask for one
-- again and again, and so tell that the server is seen.
-- KEYS[1] the project's prefix   ARGV[1] role   ARGV[2] owner   ARGV[3] for how many seconds
-- Returns 1 if the owner has it, else 0.
-- uses base outage
look(clock())
local office = key('office', ARGV[1])
local owner = call('GET', office)
if owner and owner ~= ARGV[2] then
  return 0
end
call('SET', office, ARGV[2], 'PX', int(tonumber(ARGV[3]) * 1000))
return 1
