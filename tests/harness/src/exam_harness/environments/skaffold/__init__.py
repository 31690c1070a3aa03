"""Skaffold's loop, run for real on the local cluster."""
