"""Credits are exact, and never rounded silently."""

import re
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.credits import (
    FILE_CREDITS,
    FILE_TOLERANCE,
    MAX_DENOMINATOR,
    CreditError,
    credit_near,
    credit_of_percent,
    fraction_of,
    fraction_text,
    parse_credit,
    percent_text,
)

CREDITS = st.fractions(-1, 1, max_denominator=MAX_DENOMINATOR)


@pytest.mark.parametrize(
    ("percent", "credit"),
    [
        ("33.33333", "1/3"),
        ("33.3333", "1/3"),
        ("33.333", "1/3"),
        ("33,33333", "1/3"),
        ("33.33", None),
        ("33", None),
        ("66.66667", "2/3"),
        ("66.67", None),
        ("14.286", "1/7"),
        ("14.2857", "1/7"),
        ("14.29", None),
        ("11.111", "1/9"),
        ("11.11", None),
        ("2.5", None),
        ("5", "1/20"),
        ("100", "1"),
        ("0", "0"),
        ("-50", "-1/2"),
        ("-33.33333", "-1/3"),
        ("-33", None),
        ("83.33333", "5/6"),
        ("101", None),
        ("33.334", "1/3"),
        ("33.3344", None),
        ("1e30", None),
        ("half", None),
    ],
)
def test_a_percentage_is_its_exact_credit_or_refused(percent: str, credit: str | None) -> None:
    """33.33333 % in my file is one third, so that three of them are 1; 33 % is refused, not rounded."""
    if credit is None:
        with pytest.raises(CreditError):
            credit_of_percent(percent)
    else:
        assert credit_of_percent(percent) == Fraction(credit)


def test_a_refused_percentage_names_the_nearest_one() -> None:
    """The message says what I could write instead of 33 %."""
    with pytest.raises(CreditError, match=re.escape("'33' % is not a credit: the nearest is 33.33333 %")):
        credit_of_percent("33")


def test_the_credits_of_files_are_those_of_the_field() -> None:
    """My other system's percentages are known here: 100, 90, 83.33333, 80, 75, … 5."""
    small = ["0", "5", "10", "11.11111", "12.5", "14.28571", "16.66667", "20", "25", "30", "33.33333"]
    large = ["40", "50", "60", "66.66667", "70", "75", "80", "83.33333", "90", "100"]
    assert [percent_text(credit) for credit in sorted(FILE_CREDITS)] == small + large


def test_three_thirds_are_one() -> None:
    """Three choices of 33.33333 % earn the whole weight, not 0.9999999 of it."""
    assert 3 * credit_of_percent("33.33333") == 1


@given(st.sampled_from(FILE_CREDITS), st.sampled_from((1, -1)))
def test_a_written_percentage_is_read_as_the_same_credit(credit: Fraction, sign: int) -> None:
    """What is exported as a percentage is imported as the same fraction."""
    assert credit_of_percent(percent_text(sign * credit)) == sign * credit


@given(CREDITS)
def test_a_credit_that_a_percentage_would_round_is_refused(credit: Fraction) -> None:
    """An export never rounds my credit."""
    if abs(credit) not in FILE_CREDITS:
        with pytest.raises(CreditError, match="without rounding"):
            percent_text(credit)


@given(st.fractions(-2, 2, max_denominator=10**7) | st.sampled_from(FILE_CREDITS))
def test_a_ratio_denotes_the_one_credit_that_is_near(ratio: Fraction) -> None:
    """A ratio is the one credit within 0.00001 of it, on either side of zero."""
    near = [sign * c for c in FILE_CREDITS for sign in (1, -1) if abs(ratio - sign * c) < FILE_TOLERANCE]
    assert credit_near(ratio) == (near[0] if near else None)
    assert len(set(near)) <= 1


@pytest.mark.parametrize(
    ("text", "credit"),
    [
        ("1/3", "1/3"),
        (" 2 / 6 ", "1/3"),
        ("-1/2", "-1/2"),
        ("\u22121/2", "-1/2"),
        ("0.25", "1/4"),
        ("0,25", "1/4"),
        ("1", "1"),
        ("-1", "-1"),
        ("0", "0"),
        ("0.333", "333/1000"),
    ],
)
def test_an_author_writes_a_fraction_or_an_exact_decimal(text: str, credit: str) -> None:
    """1/3 is a third; 0.333 is 333/1000, because a decimal is exact."""
    assert parse_credit(text) == Fraction(credit)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3/2", "must be from -1 to 1"),
        ("-1.01", "must be from -1 to 1"),
        ("1/0", "is neither a fraction"),
        ("0.5/2", "is neither a fraction"),
        ("1/2/3", "is neither a fraction"),
        ("half", "is neither a fraction"),
        ("", "is neither a fraction"),
        ("50%", "is neither a fraction"),
        ("0.3333333333333", "has too many places"),
        ("1/9999999999999", "has too many places"),
    ],
)
def test_a_text_that_is_no_credit_is_refused(text: str, reason: str) -> None:
    """The reason says what a credit looks like, and quotes nothing of the key."""
    with pytest.raises(CreditError, match=reason) as refusal:
        parse_credit(text)
    assert not text or text not in str(refusal.value)


@given(CREDITS)
def test_a_stored_fraction_is_read_back(credit: Fraction) -> None:
    """A fraction has one text, which an author could also have written."""
    assert fraction_of(fraction_text(credit)) == parse_credit(fraction_text(credit)) == credit


@given(st.decimals(-1, 1, places=12))
def test_a_decimal_is_the_same_fraction(decimal: Decimal) -> None:
    """No digit of a decimal credit is lost."""
    assert parse_credit(format(decimal, "f")) == Fraction(decimal)


@pytest.mark.parametrize("text", ["2/4", "1/1", "-0", "01", "+1", "0.5", "1 /2", "1/-2", "1/0", "", "٣", "1" * 5000])
def test_another_spelling_of_a_stored_fraction_is_refused(text: str) -> None:
    """Keys are named by their digest, so that equal keys must have equal texts."""
    with pytest.raises(ValueError, match="not a fraction in lowest terms"):
        fraction_of(text)
