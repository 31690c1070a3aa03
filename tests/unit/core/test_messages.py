"""Values in messages."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exam_core.messages import shown

HUGE = 10**5_000
"""More digits than Python converts to text."""
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(ANYTHING | st.integers(min_value=10**100))
def test_shown_values_are_short(value: Any) -> None:
    """An error message stays short, whatever was sent."""
    assert len(shown(value)) <= 500


def test_shown_values_are_quoted() -> None:
    """I recognise the value that I sent."""
    assert [shown("a"), shown("b" * 50)] == ["'a'", f"'{'b' * 37}...'"]
    assert [shown(None), shown(3), shown(HUGE)] == ["None", "3", "a very large number"]
    assert [shown([1]), shown({})] == ["a list", "an object"]
