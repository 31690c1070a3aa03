"""A sitting on Docker Compose."""
