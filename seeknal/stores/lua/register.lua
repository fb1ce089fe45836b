-- Start a run, unless the flow's version is another by now.
-- KEYS[1] the project's prefix
-- ARGV[1] run   ARGV[2] flow   ARGV[3] version   ARGV[4] this call's own mark
-- ARGV[5] units   ARGV[6] priority   ARGV[7] created_by   ARGV[8] how many ranges
-- ARGV[9] how many values; then start, end of each range, each value's unit, and the fields
-- of the run and what they hold, by turns
-- Returns 1; 0 if the version is another; -1 if there is a run of that id.
-- uses base ranges runs units flows outage
local id, flow, mark = ARGV[1], ARGV[2], ARGV[4]
local units, ranges, values = tonumber(ARGV[5]), tonumber(ARGV[8]), tonumber(ARGV[9])
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
  'status', status, 'created', int(now), 'seq', run.seq, 'priority', ARGV[6],
  'created_by', ARGV[7], 'cursor', '', 'fed', 0, 'done', 0, 'failed', 0, 'running', 0,
  'live', 0, 'retries', 0, 'rows', 0, 'bytes', 0, 'busy', '0'
)
local at = 10 + 2 * ranges + values
for i = at, #ARGV, 2 do
  call('HSET', key('run', id), ARGV[i], ARGV[i + 1])
end
prune(key('runs'))
prune(key('flowruns', flow))
call('ZADD', key('runs'), run.seq, id)
call('ZADD', key('flowruns', flow), run.seq, id)
tell(run, 'registered', '', '', ARGV[7])
for i = 10, 9 + 2 * ranges, 2 do
  local first, last = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  paint(key('unfinished', flow), first, last, '')
  drop_failures(flow, first, last)
end
for i = 10 + 2 * ranges, at - 1 do
  call('SADD', key('unfinishedvalues', flow), ARGV[i])
  drop_failure(flow, ARGV[i])
end
if units > 0 then
  call('ZADD', key('active'), -tonumber(ARGV[6]), by_age(run))
  call('ZADD', key('open', flow), run.seq, id)
else
  end_run(run, status)
end
new_version(flow)
return 1
