"""The ways in which people type the same number or text."""

import re
import unicodedata
from random import Random
from typing import Final

_DIGITS: Final = "0123456789"
ARABIC: Final = str.maketrans(f"{_DIGITS}.", "٠١٢٣٤٥٦٧٨٩\u066b")
DEVANAGARI: Final = str.maketrans(_DIGITS, "".join(map(chr, range(0x0966, 0x0970))))
_THREE_DECIMALS: Final = re.compile(r"\.[0-9]{3}$")
_MOST_DIGITS: Final = 34


def spell_number(text: str, rng: Random) -> str:
    """Type a decimal in plain notation in one of the ways that the platform must read as this number."""
    forms = [
        text,
        f" {text} ",
        text.translate(ARABIC),
        text.translate(DEVANAGARI),
        text.replace("-", "\u2212"),
        text if text.startswith("-") else f"+{text}",
    ]
    if "." in text and sum(map(str.isdecimal, text)) < _MOST_DIGITS:
        forms.append(f"{text}0")
        # Three decimals after a comma could be thousands, and are rejected; a zero more makes them decimals.
        forms.append((f"{text}0" if _THREE_DECIMALS.search(text) else text).replace(".", ","))
    return rng.choice(forms)


def spell_text(text: str, rng: Random) -> str:
    """Type a text of one line composed or decomposed, with or without space at its ends."""
    return rng.choice([text, f"  {text} ", unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)])


def other_case(text: str) -> str:
    """The text in capitals, as far as that changes no character's number."""
    return "".join(character.upper() if len(character.upper()) == 1 else character for character in text)
