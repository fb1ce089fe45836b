-- Note that a machine cannot see the input of a unit.
-- KEYS[1] the project's prefix   ARGV[1] run   ARGV[2] unit   ARGV[3] machine
-- Returns how many machines could not by now.
-- uses base
local set = key('lacks', member(ARGV[1], ARGV[2]))
call('SADD', set, ARGV[3])
call('EXPIRE', set, TTL.lacks)
return call('SCARD', set)
