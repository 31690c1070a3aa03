"""Recomputes a sitting from the stores: seal, statements, degrees. Needs the extra `audit`."""
