"""Run PostgreSQL, Redis, Cassandra, nginx and the platform's own services as child processes.

Tests, demos and benchmarks share it. Every server has free ports, a data folder and a log of its own, is ready when its
own protocol answers, and ends with the process that started it.
"""
