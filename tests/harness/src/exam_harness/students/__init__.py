"""Simulated students: seeded characters on uneven networks who sit an exam over HTTP like anybody's client would.

What one does is decided by (seed, place in the crowd) alone, so that a run can be repeated; when it happens is the
network's and the machine's matter. They write what they were told into the oracle's book and judge nothing.
"""
