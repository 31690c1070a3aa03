"""Values as messages show them."""

from collections.abc import Mapping
from typing import Final

SHOWN_LENGTH: Final = 40
"""Length to which values are cut in messages."""


def shown(value: object) -> str:
    """Format any value for a message: quoted, and cut to `SHOWN_LENGTH`."""
    if isinstance(value, str):
        return repr(value if len(value) <= SHOWN_LENGTH else value[: SHOWN_LENGTH - 3] + "...")
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        return repr(value) if abs(value) < 10**SHOWN_LENGTH else "a very large number"
    return "an object" if isinstance(value, Mapping) else "a list"
