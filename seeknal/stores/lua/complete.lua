-- Make a unit complete; its record goes, and with its last unit the run ends.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] token   ARGV[5] worker
-- ARGV[6] start   ARGV[7] end (both '' for a value)   ARGV[8] the completion's label
-- ARGV[9] rows   ARGV[10] bytes   ARGV[11] seconds
-- ARGV[12] '1' if the same call was sent before and its reply was lost
-- Returns 1, or 0 if the token is not current.
-- uses base ranges runs units flows
local flow, id, unit, token, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local first, last, label = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local ended = key('ended', worker)
if not holds(flow, id, unit, token) then
  return ARGV[12] == '1' and call('GET', ended) == token .. ' completed' and 1 or 0
end
local run = load_run(id)
local state = call('HGET', key('unit', member(id, unit)), 'state') or 'queued'
drop_record(id, unit, state)
call('HDEL', key('holders', flow), unit)
if first then
  paint(key('completions', flow), first, last, label)
  erase(key('unfinished', flow), first, last)
  if call(
    'EXISTS', key('forgotten', flow), key('restatements', flow), key('failures', flow),
    key('publishing', flow)
  ) > 0 then
    settle(flow, first, last)
  end
else
  call('HSET', key('values', flow), unit, label)
  call('HDEL', key('restatedvalues', flow), unit)
  call('SREM', key('unfinishedvalues', flow), unit)
  drop_failure(flow, unit)
end
run.done, run.live = run.done + 1, run.live - 1
run.rows, run.bytes = run.rows + tonumber(ARGV[9]), run.bytes + tonumber(ARGV[10])
run.busy = run.busy + tonumber(ARGV[11])
if state == 'running' then
  run.running = run.running - 1
end
call('SET', ended, token .. ' completed', 'EX', TTL.ended)
tell_attempt(run, 'completed', unit, worker, '', ARGV[11], ARGV[9], ARGV[10])
count(run, state == 'running')
return 1
