-- What of a flow is done, failed and about to be published. Needs base, ranges and units.
-- `failures` and `publishing` are sorted sets by start with members 'end|unit'; `longest` of
-- the flow bounds how far before a time a unit in them may begin that reaches into it.

local function time_done(flow, first, last)
  return covers(key('completions', flow), first, last)
    and #within(key('restatements', flow), first, last) == 0
end

local function value_done(flow, unit)
  return call('HEXISTS', key('values', flow), unit) == 1
    and call('HEXISTS', key('restatedvalues', flow), unit) == 0
end

local function unit_done(flow, unit, plan)
  if plan.start then
    return time_done(flow, plan.start, plan.stop)
  end
  return value_done(flow, unit)
end

-- The units in a set that overlap [first, last), in order.
local function overlapping(set, flow, first, last)
  local longest = tonumber(call('HGET', key('flow', flow), 'longest') or '0')
  local rows = call(
    'ZRANGEBYSCORE', set, '(' .. int(first - longest), '(' .. int(last), 'WITHSCORES'
  )
  local found = {}
  for i = 1, #rows, 2 do
    local stop, unit = string.match(rows[i], '^(-?%d+)|(.*)$')
    if tonumber(stop) > first then
      found[#found + 1] = {
        start = tonumber(rows[i + 1]), stop = tonumber(stop), unit = unit, name = rows[i],
      }
    end
  end
  return found
end

local function remember(set, flow, unit, first, last)
  local longest = tonumber(call('HGET', key('flow', flow), 'longest') or '0')
  if last - first > longest then
    call('HSET', key('flow', flow), 'longest', int(last - first))
  end
  call('ZADD', set, int(first), int(last) .. '|' .. unit)
end

-- Drop the failed record of a unit, in whichever run it is.
local function drop_failure(flow, unit)
  local run = call('HGET', key('failed', flow), unit)
  if run then
    call('HDEL', key('failed', flow), unit)
    drop_record(run, unit, 'failed')
  end
end

-- Drop the failed records within a time, and those whose time is done with it.
local function drop_failures(flow, first, last)
  local set = key('failures', flow)
  if call('EXISTS', set) == 0 then
    return
  end
  for _, old in ipairs(overlapping(set, flow, first, last)) do
    local inside = first <= old.start and old.stop <= last
    if inside or time_done(flow, old.start, old.stop) then
      call('ZREM', set, old.name)
      drop_failure(flow, old.unit)
    end
  end
end

-- Settle the publications within a time, and those whose time is done with it.
local function drop_publications(flow, first, last)
  local set = key('publishing', flow)
  for _, old in ipairs(overlapping(set, flow, first, last)) do
    local inside = first <= old.start and old.stop <= last
    if inside or time_done(flow, old.start, old.stop) then
      call('ZREM', set, old.name)
    end
  end
end

-- Settle what else completed time ends: what was taken back of it, asked for again, failed, or
-- about to be published.
local function settle(flow, first, last)
  erase(key('forgotten', flow), first, last)
  erase(key('restatements', flow), first, last)
  drop_failures(flow, first, last)
  drop_publications(flow, first, last)
end

-- End an attempt: the unit is ready at some time, or, without one, has failed for good.
local function end_attempt(run, unit, plan, found, ready, text)
  local name = member(run.id, unit)
  call('ZREM', key('leases'), name)
  unqueue(run.id, unit)
  call(
    'HSET', key('unit', name), 'state', ready and 'waiting' or 'failed', 'ready', ready or '0',
    'error', text, 'worker', '', 'until', '0'
  )
  if ready then
    call('ZADD', key('waiting'), ready, name)
    call('ZADD', key('pending'), 'XX', ready, name)
    run.retries = run.retries + 1
  else
    call('ZREM', key('pending'), name)
    drop_failure(run.flow, unit)
    call('HSET', key('failed', run.flow), unit, run.id)
    if plan.start then
      remember(key('failures', run.flow), run.flow, unit, plan.start, plan.stop)
    end
    call('ZADD', key('runfailed', run.id), call('ZSCORE', key('fed', run.id), unit), unit)
    call('ZREM', key('fed', run.id), unit)
    run.failed, run.live = run.failed + 1, run.live - 1
  end
  if found.state == 'running' then
    run.running = run.running - 1
  end
end

-- Write a change by hand into the audit; nothing if it has no action.
local function note_change(flow, actor, action, what, reason)
  if action == '' then
    return
  end
  call('SADD', key('flows'), flow)
  call(
    'XADD', key('audit'), '*', 'at', int(clock()), 'flow', flow, 'actor', actor,
    'action', action, 'what', what, 'reason', reason
  )
end
