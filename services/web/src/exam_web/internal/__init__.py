"""What operator and tools call with a service token."""
