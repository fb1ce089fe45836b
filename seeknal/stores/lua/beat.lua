-- Tell that a worker is alive, and what it does.
-- KEYS[1] the project's prefix
-- ARGV[1] worker   ARGV[2] detail as JSON   ARGV[3] seconds until it counts as gone
-- uses base
local seconds = tonumber(ARGV[3])
call('SET', key('worker', ARGV[1]), ARGV[2], 'PX', int(seconds * 1000))
call('ZADD', key('workers'), int(clock() + seconds * 1000000), ARGV[1])
call('EXPIRE', key('workers'), TTL.workers)
return 1
