"""The grader: seals, grades and publishes sittings."""
