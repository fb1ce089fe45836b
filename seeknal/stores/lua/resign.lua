-- Give an office up, if the owner has it.
-- KEYS[1] the project's prefix   ARGV[1] role   ARGV[2] owner
-- Returns 1 if it had, else 0.
-- uses base
local office = key('office', ARGV[1])
if call('GET', office) ~= ARGV[2] then
  return 0
end
return call('DEL', office)
