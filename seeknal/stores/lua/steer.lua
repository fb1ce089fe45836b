-- Change the order, the priority or the cap of an active or paused run.
-- KEYS[1] the project's prefix   ARGV[1] run   ARGV[2] this call's own mark
-- ARGV[3] actor   ARGV[4] action   ARGV[5] what   ARGV[6] reason, all '' if it is not audited
-- ARGV[7...] each option and its text ('' for its default), by turns
-- Returns 1, or 0 if the run is neither active nor paused.
-- uses base ranges runs units flows
local id = ARGV[1]
local hash, run = key('run', id), load_run(id)
if not run then
  return 0
end
if call('HGET', hash, 'steered') == ARGV[2] then
  return 1  -- this very call's reply was lost
end
if not is_open(run.status) then
  return 0
end

local function newest_first()
  return call('HGET', hash, 'newest_first') == 'true'
end

-- Take back what is fed and was never claimed; return how many units that are. All messages are
-- out of date: what is left gets others.
local function take_back()
  local taken = 0
  for _, unit in ipairs(call('ZRANGE', key('fed', id), 0, -1)) do
    if call('EXISTS', key('unit', member(id, unit))) == 0 then
      call('HSET', key('returned', id), unit, planned(id, unit).text)
      drop_record(id, unit, 'queued')
      taken = taken + 1
    end
  end
  for _, unit in ipairs(call('ZRANGE', key('sent', id), 0, -1)) do
    call('ZREM', key('sent', id), unit)
    enqueue(id, unit)
  end
  return taken
end

local before = newest_first()
for i = 7, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    call('HDEL', hash, ARGV[i])
  else
    call('HSET', hash, ARGV[i], ARGV[i + 1])
  end
end
call('HSET', hash, 'steered', ARGV[2])
if run.status == 'active' then
  activate(run)
end
if newest_first() ~= before then
  local ends, turn = string.match(call('HGET', hash, 'cursor'), '^([^#]*)#?(%d*)$')
  call(
    'HSET', hash, 'live', int(run.live - take_back()), 'turned', int(clock()),
    'cursor', ends .. '#' .. int((tonumber(turn) or 0) + 1)
  )
end
note_change(run.flow, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1
