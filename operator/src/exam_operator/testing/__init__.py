"""Test doubles; not part of the wheel."""
