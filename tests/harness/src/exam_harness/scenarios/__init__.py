"""Whole sittings from provisioning to published degrees, each checked by the oracle."""
