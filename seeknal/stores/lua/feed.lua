-- Queue units of an active run, in this order, ready at once.
-- KEYS[1] the project's prefix
-- ARGV[1] run   ARGV[2] the cursor the feeder read   ARGV[3] the cursor after these units
-- ARGV[4...] each unit and its 'start|end|origin|schedule', by turns
-- Returns 1, or 0 if the cursor has moved or the run is not active.
-- uses base
local id = ARGV[1]
local v = call('HMGET', key('run', id), 'status', 'cursor', 'fed', 'live')
if v[1] ~= 'active' or v[2] ~= ARGV[2] then
  return 0
end
local units, fed, live = key('units', id), tonumber(v[3]), tonumber(v[4])
local returned = key('returned', id)
local some_returned = call('EXISTS', returned) == 1
local now = int(clock())

-- Write a batch: Lua's stack bounds the arguments of one call.
local places, pending = {}, {}
local function flush()
  if #places > 0 then
    call('ZADD', key('fed', id), unpack(places))
    call('ZADD', key('unsent', id), unpack(places))
    call('ZADD', key('pending'), unpack(pending))
    places, pending = {}, {}
  end
end

for i = 4, #ARGV, 2 do
  if some_returned then
    call('HDEL', returned, ARGV[i])
  end
  if call('HSETNX', units, ARGV[i], ARGV[i + 1]) == 1 then
    fed, live = fed + 1, live + 1
    local n = #places
    places[n + 1], places[n + 2] = fed, ARGV[i]
    pending[n + 1], pending[n + 2] = now, member(id, ARGV[i])
    if n > 1000 then
      flush()
    end
  end
end
flush()
call('HSET', key('run', id), 'cursor', ARGV[3], 'fed', fed, 'live', live)
return 1
