"""Liveness, readiness and the HTTP server of /healthz, /readyz and /metrics."""
