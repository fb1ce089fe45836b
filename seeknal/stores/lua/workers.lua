-- Tell which workers are alive, and drop those that are gone.
-- KEYS[1] the project's prefix
-- Returns worker, until when it counts as alive, detail, by turns.
-- uses base
call('ZREMRANGEBYSCORE', key('workers'), '-inf', '(' .. int(clock()))
local rows, found = call('ZRANGE', key('workers'), 0, -1, 'WITHSCORES'), {}
for i = 1, #rows, 2 do
  local detail = call('GET', key('worker', rows[i]))
  if detail then
    local n = #found
    found[n + 1], found[n + 2], found[n + 3] = rows[i], rows[i + 1], detail
  end
end
return found
