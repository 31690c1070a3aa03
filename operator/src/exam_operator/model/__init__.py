"""Immutable values: the Exam resource with its status, and the observed state."""
