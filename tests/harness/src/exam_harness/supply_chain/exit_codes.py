"""The outcomes of an audit."""

from typing import Final

CLEAN: Final = 0
"""Nothing is known."""
VULNERABLE: Final = 1
"""Something is, and was printed."""
NOT_AUDITED: Final = 2
"""It could not be found out."""
