"""Limits and formats of what an author writes, for the YAML reader, the API's schemas and the database's columns."""

from typing import Final

SLUG_PATTERN: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_SLUG: Final = 50
IDENT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
"""The ids of questions and choices."""
MAX_IDENT: Final = 50
MAX_TITLE: Final = 200
MAX_TEXT: Final = 10_000
MAX_CHOICE_TEXT: Final = 2000
MIN_CHOICES: Final = 2
MAX_CHOICES: Final = 26
"""One per letter of the alphabet; a set of choices fits the bits of one bigint."""
NAMESPACE_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""The names that Kubernetes namespaces can have."""
MAX_NAMESPACE: Final = 63
MAX_NAMESPACES: Final = 50
"""How many namespaces may hold an exam."""
MAX_WEIGHT: Final = 1000
WEIGHT_DIGITS: Final = 4
"""Digits of a weight before the point."""
WEIGHT_PLACES: Final = 2
KEY_DIGITS: Final = 22
"""Digits before the point of a numeric question's value and tolerance."""
KEY_PLACES: Final = 12
"""Their decimal places."""
MAX_ACCEPTED: Final = 100
"""How many accepted answers a numeric or a text question may list."""
MAX_UNIT: Final = 50
MAX_SHORT_TEXT: Final = 1000
"""Characters of an answer to a text question, and of an accepted text."""
DEFAULT_SHORT_TEXT: Final = 255
MAX_ESSAY: Final = 20_000
"""Characters of an essay."""
MIN_STEMS: Final = 2
MAX_STEMS: Final = 26
MAX_TARGETS: Final = 52
"""Targets of a matching question, those without a stem included."""
MIN_ITEMS: Final = 2
MAX_ITEMS: Final = 26
"""Items of an ordering question."""
