"""Degrees."""
