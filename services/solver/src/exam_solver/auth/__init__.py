"""Bearer tokens: verification and the keys for it."""
