-- Forget a worker that leaves.
-- KEYS[1] the project's prefix   ARGV[1] worker
-- uses base
call('ZREM', key('workers'), ARGV[1])
call('DEL', key('worker', ARGV[1]))
return 1
