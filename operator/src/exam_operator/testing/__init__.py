"""Test doubles; the wheel does not contain this package."""
