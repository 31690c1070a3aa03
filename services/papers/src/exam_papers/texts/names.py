"""Sets of names, written as words."""


def names(words: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(words.split())
