"""Doubles of the answer log for tests; not part of the wheel."""
