"""What tests, demo and benchmarks share: local stack, simulated students, oracle."""
