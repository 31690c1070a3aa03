"""Papers and their images."""
