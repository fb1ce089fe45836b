-- Tell of a run.
-- KEYS[1] the project's prefix   ARGV[1] run
-- Returns its fields and the units that were taken back, each with what it holds by turns.
-- uses base runs
return told(ARGV[1])
