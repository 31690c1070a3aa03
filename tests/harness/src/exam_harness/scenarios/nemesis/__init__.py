"""The nemesis: sittings under seeded schedules of faults on real processes, each judged by the oracle."""
