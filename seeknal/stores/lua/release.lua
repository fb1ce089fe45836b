-- Hand a unit back, ready at once, without an attempt.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] token   ARGV[5] worker
-- Returns 1, or 0 if the token is not current.
-- uses base runs units
local flow, id, unit = ARGV[1], ARGV[2], ARGV[3]
if not holds(flow, id, unit, ARGV[4]) then
  return 0
end
local run, found, now = load_run(id), details(id, unit), clock()
call('HDEL', key('holders', flow), unit)
give_back(id, unit, now)
if found.state == 'running' then
  run.running = run.running - 1
end
tell_attempt(run, 'released', unit, ARGV[5], '', took(found, now))
count(run, found.state == 'running')
return 1
