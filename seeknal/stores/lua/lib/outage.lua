-- An outage of the server is nobody's death. Needs base.

-- Whoever looks after leases looks twice a second. If nobody did for longer than this, the
-- server may have stood still, or its clock may have been set.
local UNSEEN = 1000000

local function prolong(name, till)
  call('HSET', key('unit', name), 'until', int(till))
  call('ZADD', key('leases'), int(till), name)
end

-- Note that the server is seen, and give back to leases the time for which it was not: what it
-- finds waiting when it goes on may be a look before it is a renewal. Holders renew at a third
-- of a lease, so that they survive less than half of it by themselves.
-- Returns whether any lease ends later now.
local function look(now)
  local away = now - tonumber(call('GET', key('seen')) or now)
  call('SET', key('seen'), int(now))
  if away < UNSEEN then
    return false
  end
  local later = false
  local rows = call('ZRANGE', key('leases'), 0, -1, 'WITHSCORES')
  for i = 1, #rows, 2 do
    local name, till = rows[i], tonumber(rows[i + 1])
    local lease = tonumber(call('HGET', key('unit', name), 'lease') or '0')
    local given = math.min(till + away, now + lease)
    if 2 * away > lease and given > till then
      prolong(name, given)
      later = true
    end
  end
  return later
end

-- Notice that this is another server, or a later life of it, than the one that was known;
-- then every lease counts from now, as if its holder had just renewed it. Looks as well.
-- Returns whether any lease may end later now.
local function came_back(now)
  local later = look(now)
  local info = redis.pcall('INFO', 'server')
  local id = type(info) == 'string' and string.match(info, 'run_id:(%w+)')
  if not id then
    return later
  end
  local known = call('GET', key('server'))
  if known == id then
    return later
  end
  call('SET', key('server'), id)
  if not known then
    return later
  end
  for _, name in ipairs(call('ZRANGE', key('leases'), 0, -1)) do
    prolong(name, now + tonumber(call('HGET', key('unit', name), 'lease') or '0'))
  end
  return true
end
