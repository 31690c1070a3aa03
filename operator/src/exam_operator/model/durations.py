"""Durations in Kubernetes' (Go's) notation: ``90m``, ``1h30m``, ``1.5h``, ``45s``."""

import re
from fractions import Fraction

from exam_core.instants import HOUR, MILLISECOND, MINUTE, SECOND

_UNITS: dict[str, int | Fraction] = {
    "h": HOUR,
    "m": MINUTE,
    "s": SECOND,
    "ms": MILLISECOND,
    "us": 1,
    "µs": 1,
    "ns": Fraction(1, 1000),
}
_PART = r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)"
_WHOLE = re.compile(rf"\+?((?:{_PART})+|0)", re.ASCII)


def parse_duration(text: str) -> int:
    """A duration in microseconds; a fraction of a microsecond is dropped.

    Raises:
        ValueError: the text is not a duration, or is negative.
    """
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a duration like 90m, 1h30m or 45s")
    return int(sum(Fraction(number) * _UNITS[unit] for number, unit in re.findall(_PART, text)))
