-- A run's counters, its events and its end. Needs base.
local EVENTS_KEPT, ATTEMPTS_KEPT = '10000', '20'

local function is_open(status)
  return status == 'active' or status == 'paused'
end

-- What changes of a run with its units, or nil if there is no such run.
local function load_run(id)
  local v = call(
    'HMGET', key('run', id), 'flow', 'status', 'units', 'done', 'failed', 'running', 'live',
    'retries', 'rows', 'bytes', 'busy', 'max_active', 'seq'
  )
  if not v[1] then
    return nil
  end
  return {
    id = id, flow = v[1], status = v[2], units = tonumber(v[3]), done = tonumber(v[4]),
    failed = tonumber(v[5]), running = tonumber(v[6]), live = tonumber(v[7]),
    retries = tonumber(v[8]), rows = tonumber(v[9]), bytes = tonumber(v[10]),
    busy = tonumber(v[11]), max_active = tonumber(v[12] or ''), seq = v[13],
  }
end

local function below_cap(run)
  return not run.max_active or run.running < run.max_active
end

-- Where a run stands among the active ones: by priority, its members' order is their age.
local function by_age(run)
  return string.format('%016d', tonumber(run.seq)) .. ':' .. run.id
end

local function id_by_age(name)
  return string.match(name, '^%d+:(.*)$')
end

-- Put active runs, of known rank and age, into the order of claiming.
local function in_order(runs)
  table.sort(runs, function(a, b)
    if a.rank ~= b.rank then
      return a.rank < b.rank
    end
    return a.share < b.share or (a.share == b.share and a.age < b.age)
  end)
  return runs
end

local function activate(run)
  local priority = call('HGET', key('run', run.id), 'priority') or '0'
  call('ZADD', key('active'), -tonumber(priority), by_age(run))
end

-- A run as it is told of: its fields and what they hold, and the units that were taken back.
local function told(id)
  return { call('HGETALL', key('run', id)), call('HGETALL', key('returned', id)) }
end

-- Note that the set of runs that hold a flow's units may have changed.
local function new_version(flow)
  call('SADD', key('flows'), flow)
  return call('HINCRBY', key('flow', flow), 'version', 1)
end

-- Tell of what happened to a run. All events have the same fields: a stream keeps their names
-- once. Returns the event's id.
local function tell(run, kind, unit, worker, detail, seconds, rows, bytes)
  return call(
    'XADD', key('events', run.id), 'MAXLEN', '~', EVENTS_KEPT, '*', 'k', kind, 'u', unit or '',
    'w', worker or '', 'd', detail or '', 's', seconds or '0', 'r', rows or '0', 'b', bytes or '0'
  )
end

-- Tell of the end of an attempt, also in its unit's log; there of one that went well only if
-- others did not.
local function tell_attempt(run, kind, unit, worker, detail, seconds, rows, bytes)
  local id = tell(run, kind, unit, worker, detail, seconds, rows, bytes)
  local log = key('log', member(run.flow, unit))
  if kind == 'completed' and call('EXISTS', log) == 0 then
    return
  end
  local line = { id, run.id, kind, worker, seconds, rows or '0', bytes or '0', detail }
  call('RPUSH', log, table.concat(line, '\n'))
  call('LTRIM', log, '-' .. ATTEMPTS_KEPT, '-1')
  call('EXPIRE', log, TTL.log)
end

local function end_run(run, status)
  run.status = status
  call('HSET', key('run', run.id), 'status', status, 'ended', int(clock()))
  call('DEL', key('returned', run.id))
  call('ZREM', key('active'), by_age(run))
  call('ZREM', key('open', run.flow), run.id)
  call('EXPIRE', key('run', run.id), TTL.run)
  call('EXPIRE', key('events', run.id), TTL.events)
end

-- Write a run's counters, and end it with its last unit. `held` says whether a lease came or
-- went.
local function count(run, held)
  call(
    'HSET', key('run', run.id), 'done', int(run.done), 'failed', int(run.failed),
    'running', int(run.running), 'live', int(run.live), 'retries', int(run.retries),
    'rows', int(run.rows), 'bytes', int(run.bytes), 'busy', string.format('%.17g', run.busy)
  )
  if is_open(run.status) and run.done + run.failed >= run.units then
    local status = run.failed > 0 and 'failed' or 'done'
    end_run(run, status)
    tell(run, status)
    new_version(run.flow)
  elseif held and run.status ~= 'active' then
    new_version(run.flow)
  end
end
