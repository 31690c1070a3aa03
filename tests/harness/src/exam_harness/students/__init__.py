"""Simulated students: seeded profiles on uneven networks who sit an exam over HTTP, as any client would.

A student's actions depend only on (seed, index in the cohort), so that a run can be repeated; their timing depends on
the network and the machine. Students append what they sent and received to the oracle's history and check nothing.
"""
