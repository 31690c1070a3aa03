"""Shared by the apps: cache, clock, advisory locks, base classes of the admin."""
