"""Logins: limits of failed ones, known devices, bounded hashing, the second factor, and the pages of the admin."""
