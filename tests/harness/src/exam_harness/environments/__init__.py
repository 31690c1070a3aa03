"""Environments in which the platform runs for tests and scenarios: processes, a control plane, clusters, Compose."""
