"""Fault injection: crashed solvers, killed pods, a faulty API server."""
