"""Bounded and deduplicating caches."""
