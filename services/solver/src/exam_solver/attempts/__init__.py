"""Attempts: start, answer, submit."""
