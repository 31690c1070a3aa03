"""Whole sittings from provisioning to published degrees, checked by the oracle.

`runner` runs a sitting; each environment's package says how its sittings are scheduled, ended and disturbed by faults.
"""
