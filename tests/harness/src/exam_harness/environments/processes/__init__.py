"""The local stack: real PostgreSQL, Redis, Cassandra and nginx and our own services, as child processes.

One module for tests, demo and benchmarks. Every server has free ports and folders of its own, is ready when its own
protocol says so, keeps its log, and ends with whoever started it.
"""
