"""Values: time, intervals, units and state. Frozen, no I/O, no clock."""
