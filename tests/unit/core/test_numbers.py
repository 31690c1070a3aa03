"""Numbers as students and authors type them are read in one way only."""

import re
import sys
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.numbers import NotANumberError, decimal_text, parse_decimal

NUMBER_LIKE = st.text(st.sampled_from("0123456789.,+-eE_ ٣٥۳３\u2212\u066b\u066cInfax"), max_size=70)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=None, min_value=-(10**33), max_value=10**33)
ZEROS = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) == "Nd" and unicodedata.decimal(character) == 0
]
"""The zero of every script (and style) that has decimal digits."""


def in_script(text: str, zero: str) -> str:
    """A number's text with the digits of another script."""
    return "".join(chr(ord(zero) + int(c)) if c in "0123456789" else c for c in text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.14", "3.14"),
        (" 3,14 ", "3.14"),
        ("0,125", "0.125"),
        ("-0,125", "-0.125"),
        ("00,125", "0.125"),
        ("3,5", "3.5"),
        ("1,2345", "1.2345"),
        ("1,23", "1.23"),
        ("1234,567", "1234.567"),
        ("1.234", "1.234"),
        ("1,234.", None),
        (",234", "0.234"),
        ("1,", "1"),
        (".5", "0.5"),
        ("+5", "5"),
        ("1e3", "1000"),
        ("1,5E-1", "0.15"),
        ("\u22125", "-5"),
        ("1e\u22122", "0.01"),
        ("٣\u066b٢٤", "3.24"),
        ("٢\u066b٢٣٤", "2.234"),
        ("٣,٢٤", "3.24"),
        ("\uff11\uff12", "12"),
        ("\u00a07\u2009", "7"),
        ("1,234", None),
        ("+1,234", None),
        ("\u2212999,000", None),
        ("٢,٢٣٤", None),
        ("1,234e5", None),
        ("12,345,678", None),
        ("1.2.3", None),
        ("1 234", None),
        ("1\u00a0234", None),
        ("1'234", None),
        ("1\u066c234", None),
        ("٣3", None),
        ("٣۳", None),
        ("²", None),
        ("Ⅷ", None),
        ("½", None),
        ("1_000", None),
        ("--1", None),
        ("\u2212-1", None),
        ("0x10", None),
        ("1e", None),
        ("e5", None),
        (".", None),
        ("", None),
        ("NaN", None),
        ("Infinity", None),
    ],
)
def test_a_number_has_one_reading_or_none(text: str, value: str | None) -> None:
    """What I type is read as the number that I mean, or I am asked to write it otherwise."""
    if value is None:
        with pytest.raises(NotANumberError):
            parse_decimal(text)
    else:
        assert decimal_text(parse_decimal(text)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,234", "'1,234' can be read in two ways: write '1234' or '1.234'"),
        ("\u22121,234 ", "write '\u22121234' or '\u22121.234'"),
        ("٢,٢٣٤", "write '٢٢٣٤' or '٢.٢٣٤'"),
        ("1,234,567", "'1,234,567' is not a number: write it with at most one decimal sign"),
        ("1 234", "'1 234' is not a number: write it without spaces"),
        ("٣3", "mixes digits of several scripts"),
        ("1" * 35, "has more than 34 digits"),
        ("1e101", "is beyond 10^±100"),
        ("1e-101", "is beyond 10^±100"),
        ("0e999", "is beyond 10^±100"),
        ("1e999999999999999999999", "is beyond 10^±100"),
    ],
)
def test_a_refused_number_says_what_to_write(text: str, message: str) -> None:
    """The message shows both ways to write 1,234, in my own digits, and its reason alone quotes nothing."""
    with pytest.raises(NotANumberError, match=re.escape(message)) as refusal:
        parse_decimal(text)
    assert text.strip() not in refusal.value.reason


@given(NUMBER_LIKE)
def test_a_number_is_parsed_like_decimal_or_rejected(text: str) -> None:
    """No number is parsed as another value than Decimal gives, and none that could be thousands is parsed."""
    try:
        number = parse_decimal(text)
    except NotANumberError:
        return
    plain = text.strip().replace(",", ".").replace("\u066b", ".").replace("\u2212", "-")
    assert number == Decimal(plain)
    assert number.is_finite()
    head, comma, tail = text.strip().lstrip("+-\u2212").partition(",")
    thousands = comma and 1 <= len(head) <= 3 and unicodedata.decimal(head[0]) != 0
    assert not (thousands and re.fullmatch(r"\d{3}", re.split("[eE]", tail)[0]))


@given(DECIMALS, st.sampled_from(ZEROS), st.sampled_from(".,\u066b"), st.sampled_from("-\u2212"))
def test_every_way_to_write_a_number_gives_it(number: Decimal, zero: str, point: str, minus: str) -> None:
    """Whatever my keyboard has for digits, decimal sign and minus, my number is the same; one comma form is refused."""
    plain = decimal_text(number)
    typed = in_script(plain, zero).replace(".", point).replace("-", minus)
    try:
        read = parse_decimal(typed)
    except NotANumberError:
        too_long = len(plain.lstrip("-").replace(".", "").lstrip("0")) > 34 or len(plain) > 100
        assert too_long or (point == "," and re.fullmatch(r"-?[1-9][0-9]{0,2}\.[0-9]{3}", plain))
    else:
        assert read == number


@given(DECIMALS, st.integers(0, 6))
def test_equal_numbers_have_one_text(number: Decimal, zeros: int) -> None:
    """However many zeros I type, my answer is the same; different numbers have different texts."""
    text = decimal_text(number)
    assert Decimal(text) == number
    assert "E" not in text
    assert text not in {"-0", ""}
    padded = Decimal(text + "0" * zeros) if "." in text else Decimal(f"{text}.{'0' * zeros}")
    assert decimal_text(padded) == text
    assert decimal_text(number.normalize()) == text or number != number.normalize()
