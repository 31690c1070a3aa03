"""The key that an exam, as it is now, gives to a paper that was frozen of it earlier.

A corrected key is the reason to grade again; a changed question is not: the paper was asked as it was.
"""

from collections.abc import Mapping
from typing import Any

from exam_core.paper import (
    AuthoredChoice,
    AuthoredExam,
    AuthoredQuestion,
    Key,
    KeyEntry,
    Paper,
    QuestionKind,
    decimal_text,
    mask_of,
)


class NotTheSamePaperError(Exception):
    """The exam no longer asks what the paper asked; the message says where."""


def rekey(paper: Paper, exam: AuthoredExam) -> Key:
    """The exam's present key in the paper's numbers.

    Raises:
        NotTheSamePaperError: more than the key changed, or the key is one that no answer to the paper could meet.
    """
    asked = paper.content["questions"]
    if len(exam.questions) != len(asked):
        raise NotTheSamePaperError(f"it has {len(exam.questions)} questions now, not {len(asked)}")
    entries = [_entry(number, *pair) for number, pair in enumerate(zip(exam.questions, asked, strict=True))]
    return Key.of(paper=paper.digest, entries=entries)


def _entry(number: int, question: AuthoredQuestion, asked: Mapping[str, Any]) -> KeyEntry:
    now = (question.kind.value, question.text, decimal_text(question.weight), _image_of(question))
    if now != (asked["kind"], asked["text"], asked["weight"], _image_in(asked)):
        raise NotTheSamePaperError(f"question {number} changed")
    if question.kind is QuestionKind.NUMERIC:
        if question.value is None:
            raise NotTheSamePaperError(f"question {number} has no key any more")
        return KeyEntry(value=question.value, tolerance=question.tolerance)
    # Two choices that read the same are told apart by nothing, so they are matched in order.
    places: dict[tuple[str, str | None], list[int]] = {}
    for place, choice in enumerate(asked["choices"]):
        places.setdefault((choice["text"], _image_in(choice)), []).append(place)
    right = []
    for choice in question.choices:
        found = places.get((choice.text, _image_of(choice)))
        if not found:
            raise NotTheSamePaperError(f"the choices of question {number} changed")
        place = found.pop(0)
        if choice.correct:
            right.append(place)
    if any(places.values()):
        raise NotTheSamePaperError(f"the choices of question {number} changed")
    if not 1 <= len(right) <= asked["max_choices"]:
        raise NotTheSamePaperError(
            f"question {number} has {len(right)} correct choices now; 1 to {asked['max_choices']} could be chosen"
        )
    return KeyEntry(choices=mask_of(right))


def _image_of(item: AuthoredQuestion | AuthoredChoice) -> str | None:
    return item.image.sha256 if item.image else None


def _image_in(item: Mapping[str, Any]) -> str | None:
    image = item.get("image")
    return image["sha256"] if image else None
