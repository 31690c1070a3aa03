"""Letters of mathematical alphabets: browsers ignore `mathvariant`, so letters are replaced by those of Unicode."""

from typing import Final

_FIRST: Final[dict[str, tuple[int, int, int | None, int | None]]] = {
    # variant: code points of its A, a, 0 and capital alpha
    "bold": (0x1D400, 0x1D41A, 0x1D7CE, 0x1D6A8),
    "italic": (0x1D434, 0x1D44E, None, 0x1D6E2),
    "bold-italic": (0x1D468, 0x1D482, None, 0x1D71C),
    "script": (0x1D49C, 0x1D4B6, None, None),
    "bold-script": (0x1D4D0, 0x1D4EA, None, None),
    "fraktur": (0x1D504, 0x1D51E, None, None),
    "double-struck": (0x1D538, 0x1D552, 0x1D7D8, None),
    "bold-fraktur": (0x1D56C, 0x1D586, None, None),
    "sans-serif": (0x1D5A0, 0x1D5BA, 0x1D7E2, None),
    "bold-sans-serif": (0x1D5D4, 0x1D5EE, 0x1D7EC, 0x1D756),
    "sans-serif-italic": (0x1D608, 0x1D622, None, None),
    "sans-serif-bold-italic": (0x1D63C, 0x1D656, None, 0x1D790),
    "monospace": (0x1D670, 0x1D68A, 0x1D7F6, None),
}
_ELSEWHERE: Final[dict[str, dict[str, str]]] = {
    # letters that Unicode had before these alphabets
    "italic": {"h": "\u210e"},
    "script": dict(
        zip("BEFHILMRego", "\u212c\u2130\u2131\u210b\u2110\u2112\u2133\u211b\u212f\u210a\u2134", strict=True)
    ),
    "fraktur": dict(zip("CHIRZ", "\u212d\u210c\u2111\u211c\u2128", strict=True)),
    "double-struck": dict(zip("CHNPQRZ", "\u2102\u210d\u2115\u2119\u211a\u211d\u2124", strict=True)),
}
_GREEK_SYMBOLS: Final = "\u2202\u03f5\u03d1\u03f0\u03d5\u03f1\u03d6"
"""The partial differential and variants of small letters, in this order after the small letters of an alphabet."""
_GREEK_CAPITALS: Final = ("\u0391", "\u03a9")
_GREEK_SMALL: Final = ("\u03b1", "\u03c9")
_TO_SMALL: Final = 26
"""Letters from capital to small alpha in an alphabet."""
_TO_SYMBOLS: Final = _TO_SMALL + 25


def in_variant(text: str, variant: str) -> str:
    """Return the text in the letters of an alphabet; what the alphabet lacks stays as it is."""
    if variant not in _FIRST:
        return text
    return "".join(_ELSEWHERE.get(variant, {}).get(char) or _letter(char, variant) for char in text)


def _letter(char: str, variant: str) -> str:
    upper, lower, digit, greek = _FIRST[variant]
    ranges = [("A", "Z", upper), ("a", "z", lower)]
    if digit is not None:
        ranges.append(("0", "9", digit))
    if greek is not None:
        ranges += [(*_GREEK_CAPITALS, greek), (*_GREEK_SMALL, greek + _TO_SMALL)]
        if char in _GREEK_SYMBOLS:
            return chr(greek + _TO_SYMBOLS + _GREEK_SYMBOLS.index(char))
    return next((chr(base + ord(char) - ord(first)) for first, last, base in ranges if first <= char <= last), char)
