"""The internal API, on a port of its own: called by operator, solvers and tools with service tokens."""
