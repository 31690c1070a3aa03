"""Usernames: which characters they have, and which spellings are one name."""

import unicodedata

from django.core.exceptions import ValidationError

MAX_KEY = 450
"""In characters; folding the case of a username of 150 gives at most three for one."""
_SIGNS = "_.@+-"


def name_key(username: str) -> str:
    """Return what is equal for all spellings of a name: they may differ in case, width and composition of letters."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


def validate_username(username: str) -> None:
    """Check that a username consists of letters with their combining marks, digits, and some signs.

    Django's validator excludes marks, and so the vowel signs of Arabic, Hebrew and the scripts of India.

    Raises:
        ValidationError: with the character.
    """
    for position, character in enumerate(username):
        mark = unicodedata.category(character).startswith("M")
        if not (character.isalnum() or character in _SIGNS or (mark and position > 0)):
            code = f"U+{ord(character):04X}"
            raise ValidationError(
                f"a username has letters with their marks, digits and {' '.join(_SIGNS)}, "
                f"not {unicodedata.name(character, code)} ({code}) as character {position + 1}"
            )
