"""The internal API: called by operator and tools with a service token."""
