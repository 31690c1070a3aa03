"""Clients of the API server and of web's internal API."""
