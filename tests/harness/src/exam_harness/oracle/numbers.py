"""Exact numbers, read from the texts of documents and answers, and their one spelling in stored answers."""

from decimal import Decimal, localcontext
from fractions import Fraction


def parse_number(text: str) -> Fraction:
    """The exact value of a decimal text: point, comma or U+066B, hyphen or U+2212, digits of any script."""
    return Fraction(text.strip().replace(",", ".").replace("\u066b", ".").replace("\u2212", "-"))


def parse_credit(text: str) -> Fraction:
    """The value of a credit, which is a decimal or a fraction like 1/3."""
    numerator, slash, denominator = text.partition("/")
    return parse_number(numerator) / parse_number(denominator) if slash else parse_number(text)


def format_number(exact: Fraction) -> str:
    """A finite decimal without an exponent or trailing zeros."""
    with localcontext(prec=400):
        text = format(Decimal(exact.numerator) / Decimal(exact.denominator), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
