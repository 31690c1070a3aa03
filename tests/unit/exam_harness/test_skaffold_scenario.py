"""The edit that `make test-skaffold` makes."""

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.scenarios.skaffold.__main__ import BEFORE, EDITED


def test_the_edited_source_contains_the_text_to_replace() -> None:
    """If the solver's health response changes, this fails at once, and not only with a cluster."""
    assert (REPOSITORY / EDITED).read_text().count(BEFORE) == 1
