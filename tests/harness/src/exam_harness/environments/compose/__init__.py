"""The platform on Docker Compose, and a client of the Django admin."""
