-- An outage of the server is nobody's death. Needs base.

-- Notice that this is another server, or a later life of it, than the one that was known;
-- then every lease counts from now, as if its holder had just renewed it.
local function came_back(now)
  local info = redis.pcall('INFO', 'server')
  local id = type(info) == 'string' and string.match(info, 'run_id:(%w+)')
  if not id then
    return false
  end
  local known = call('GET', key('server'))
  if known == id then
    return false
  end
  call('SET', key('server'), id)
  if not known then
    return false
  end
  for _, name in ipairs(call('ZRANGE', key('leases'), 0, -1)) do
    local unit = key('unit', name)
    local till = int(now + tonumber(call('HGET', unit, 'lease') or '0'))
    call('HSET', unit, 'until', till)
    call('ZADD', key('leases'), till, name)
  end
  return true
end
