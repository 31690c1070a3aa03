"""Benchmarks on a local stack and control plane."""
