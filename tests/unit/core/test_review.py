"""Review policies: what each of them shows."""

import pytest

from exam_core.review import Review


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        ("nothing", []),
        ("degree", ["degree"]),
        ("points", ["degree", "points"]),
        ("paper", ["degree", "points", "paper"]),
        ("key", ["degree", "points", "paper", "key"]),
    ],
)
def test_each_policy_shows_what_those_before_it_show(policy: str, shown: list[str]) -> None:
    """If an author selects a policy, students see what it names and all that is less."""
    parts = [part for part in Review if part is not Review.NOTHING]
    assert [part.value for part in parts if Review(policy).shows(part)] == shown
