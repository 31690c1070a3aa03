"""The one notation of accepted numbers."""

from fractions import Fraction

import pytest
from hypothesis import given

from exam_core.questions.notation import AcceptedNumberError, accepted_text, parse_accepted
from exam_core.questions.numeric import Between, Near, Tolerance
from exam_harness.strategies.questions import ACCEPTED_NUMBERS


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("3", Near(value=Fraction(3))),
        (" \u22120,5 ", Near(value=Fraction(-1, 2))),
        ("3\u00b10.5", Near(value=Fraction(3), tolerance=Fraction(1, 2))),
        ("3 +- 0.5", Near(value=Fraction(3), tolerance=Fraction(1, 2))),
        ("-3+/-0.5", Near(value=Fraction(-3), tolerance=Fraction(1, 2))),
        ("50 \u00b1 10 %", Near(value=Fraction(50), tolerance=Fraction(1, 10), by=Tolerance.RELATIVE)),
        ("7*/2", Near(value=Fraction(7), tolerance=Fraction(1), by=Tolerance.GEOMETRIC)),
        ("1..5", Between(low=Fraction(1), high=Fraction(5))),
        ("[1 .. 5)", Between(low=Fraction(1), high=Fraction(5), high_open=True)),
        ("(-1..5]", Between(low=Fraction(-1), high=Fraction(5), low_open=True)),
        ("1..", Between(low=Fraction(1), high=None)),
        ("..5", Between(low=None, high=Fraction(5))),
        ("*", Between(low=None, high=None)),
        ("1e3", Near(value=Fraction(1000))),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, entry: Near | Between) -> None:
    """Values, tolerances and ranges have one notation each, wherever I type them."""
    assert parse_accepted(text) == entry


@given(ACCEPTED_NUMBERS)
def test_what_is_written_is_read_back(entry: Near | Between) -> None:
    """An accepted number keeps its exact value when it is stored as a text."""
    read = parse_accepted(accepted_text(entry), entry.credit)
    assert (read.interval, read.credit) == (entry.interval, entry.credit)
    assert accepted_text(read) == accepted_text(entry)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a number"),
        ("three", "is not a number"),
        ("..", "is a range without ends: write *"),
        ("(1..5", "has a bracket at one end alone"),
        ("7*/2%", "has a factor in per cent"),
        ("1,234", "can be read in two ways"),
        ("3\u00b1x", "is not a number"),
        ("1e22", "has more than 22 digits before the point"),
        ("1e-13", "has more than 12 decimal places"),
    ],
)
def test_a_text_that_is_no_accepted_number_is_refused(text: str, reason: str) -> None:
    """A slip is named, and nothing is accepted by mistake."""
    with pytest.raises(AcceptedNumberError, match=f"^{reason.replace('*', '[*]')}"):
        parse_accepted(text)


def test_a_number_without_a_decimal_form_cannot_be_written() -> None:
    """A third is not silently rounded."""
    with pytest.raises(AcceptedNumberError, match="has no form with at most 12 decimal places"):
        accepted_text(Near(value=Fraction(1, 3)))
