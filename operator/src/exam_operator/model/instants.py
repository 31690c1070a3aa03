"""Instants at the edges: RFC 3339 text becomes microseconds when it is parsed, and text again when it is sent."""

from datetime import datetime

from exam_core.instants import from_micros, to_micros


def parse_instant(text: str) -> int:
    """The instant of an RFC 3339 text, in µs.

    Raises:
        ValueError: the text is not a date and time with an offset.
    """
    return to_micros(datetime.fromisoformat(text))


def format_instant(instant: int) -> str:
    """An instant as the API server writes it: no fraction when it is a whole second."""
    exact = from_micros(instant)
    timespec = "microseconds" if exact.microsecond else "seconds"
    return exact.isoformat(timespec=timespec).replace("+00:00", "Z")
