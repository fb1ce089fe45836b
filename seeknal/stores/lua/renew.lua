-- Extend a lease, also one that was reaped and that nobody has claimed since.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] token   ARGV[5] worker
-- ARGV[6] lease in microseconds
-- Returns 1, or 0 if the token is not current.
-- uses base runs units
local flow, id, unit, worker, seconds = ARGV[1], ARGV[2], ARGV[3], ARGV[5], tonumber(ARGV[6])
if not holds(flow, id, unit, ARGV[4]) then
  return 0
end
local name = member(id, unit)
local till = int(clock() + seconds)
local state = call('HGET', key('unit', name), 'state')
call('ZADD', key('leases'), till, name)
call(
  'HSET', key('unit', name), 'state', 'running', 'worker', worker, 'until', till,
  'lease', int(seconds), 'ready', '0'
)
if state ~= 'running' then
  unqueue(id, unit)
  call('HINCRBY', key('run', id), 'running', 1)
  if call('HGET', key('run', id), 'status') ~= 'active' then
    new_version(flow)
  end
end
return 1
