"""Test harness: environments, faults, simulated students, the oracle, and the scenarios built from them."""
