"""Doubles and an in-memory platform for tests; not part of the wheel."""
