"""The learning core: pure functions and state machines over numpy arrays, without I/O or clock."""
