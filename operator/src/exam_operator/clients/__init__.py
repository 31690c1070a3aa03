"""Clients of the Kubernetes API and of web's internal API."""
