-- Start a run, unless the flow's version is another by now.
-- KEYS[1] the project's prefix
-- ARGV[1] run   ARGV[2] flow   ARGV[3] version   ARGV[4] this call's own mark
-- ARGV[5] units   ARGV[6] created_by
-- ARGV[7] actor   ARGV[8] action   ARGV[9] what   ARGV[10] reason, all '' if it is not audited
-- ARGV[11] how many ranges   ARGV[12] how many values
-- ARGV[13] how many ranges are to be done again   ARGV[14] how many values; then start, end of
-- each range, each value's unit, start, end, label of each range again, unit and reason of each
-- value again, and the fields of the run and what they hold, by turns
-- Returns 1; 0 if the version is another; -1 if there is a run of that id.
-- uses base ranges runs units flows outage
local id, flow, mark = ARGV[1], ARGV[2], ARGV[4]
local units, rest = tonumber(ARGV[5]), 15

-- Call `act` on so many groups of the arguments that are left, each of so many.
local function each(groups, size, act)
  for _ = 1, tonumber(groups) do
    act(unpack(ARGV, rest, rest + size - 1))
    rest = rest + size
  end
end

local version = call('HGET', key('flow', flow), 'version') or '0'
local known = call('HGET', key('run', id), 'mark')
if known == mark then
  return 1  -- this very call's reply was lost
end
if version ~= ARGV[3] then
  return 0
end
if known then
  return -1
end

-- Forget the oldest runs that are no longer kept.
local function prune(set)
  for _, old in ipairs(call('ZRANGE', set, 0, 9)) do
    if call('EXISTS', key('run', old)) == 0 then
      call('ZREM', set, old)
    end
  end
end

local now = clock()
came_back(now)
local status = units > 0 and 'active' or 'done'
local run = { id = id, flow = flow, seq = call('INCR', key('runseq')) }
call(
  'HSET', key('run', id), 'id', id, 'flow', flow, 'mark', mark, 'units', int(units),
  'status', status, 'created', int(now), 'seq', run.seq, 'created_by', ARGV[6],
  'cursor', '', 'fed', 0, 'done', 0, 'failed', 0, 'running', 0,
  'live', 0, 'retries', 0, 'rows', 0, 'bytes', 0, 'busy', '0', 'ended', 0
)
prune(key('runs'))
prune(key('flowruns', flow))
call('ZADD', key('runs'), run.seq, id)
call('ZADD', key('flowruns', flow), run.seq, id)
tell(run, 'registered', '', '', ARGV[6])
each(ARGV[11], 2, function(start, stop)
  local first, last = tonumber(start), tonumber(stop)
  paint(key('unfinished', flow), first, last, '')
  drop_failures(flow, first, last)
end)
each(ARGV[12], 1, function(unit)
  call('SADD', key('unfinishedvalues', flow), unit)
  drop_failure(flow, unit)
end)
each(ARGV[13], 3, function(start, stop, label)
  for _, done in ipairs(within(key('completions', flow), tonumber(start), tonumber(stop))) do
    fill(key('restatements', flow), done.start, done.stop, label)
  end
end)
each(ARGV[14], 2, function(unit, reason)
  if call('HEXISTS', key('values', flow), unit) == 1 then
    call('HSETNX', key('restatedvalues', flow), unit, reason)
  end
end)
note_change(flow, ARGV[7], ARGV[8], ARGV[9], ARGV[10])
each((#ARGV - rest + 1) / 2, 2, function(field, text)
  call('HSET', key('run', id), field, text)
end)
local v = call('HMGET', key('run', id), 'fingerprint', 'spec')
if v[1] ~= '' then
  call('HSET', key('specs', flow), v[1], v[2])
end
if units > 0 then
  activate(run)
  call('ZADD', key('open', flow), run.seq, id)
else
  end_run(run, status)
end
new_version(flow)
return 1
