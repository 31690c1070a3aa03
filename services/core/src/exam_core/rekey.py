"""Derive an exam's current key for a paper that was frozen earlier, for a regrade with a corrected key.

Papers are identified by their content, and so are questions and choices here: an exam fits a paper while it shows the
same, whatever ids its author gives. A key may be corrected after the sitting; what students were shown may not.
Line ends and blanks at the ends of a text are no difference, because a browser that posts a form back changes them.
"""

from collections.abc import Sequence

from exam_core.canonical import JsonObject
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
    """The exam differs from the paper in more than its key; the message names the difference."""


def rekey(paper: Paper, exam: AuthoredExam) -> Key:
    """Return the exam's current key in the paper's numbering.

    Raises:
        NotTheSamePaperError: more than the key changed, or no answer to the paper could match the key.
    """
    frozen = paper.content["questions"]
    if len(exam.questions) != len(frozen):
        raise NotTheSamePaperError(f"it has {len(exam.questions)} questions now, not {len(frozen)}")
    entries = [_entry(*pair) for pair in zip(exam.questions, frozen, strict=True)]
    return Key.of(paper=paper.digest, entries=entries)


def _entry(question: AuthoredQuestion, frozen: JsonObject) -> KeyEntry:
    shown = (question.kind.value, _visible(question.text), decimal_text(question.weight), _image_of(question))
    if shown != (frozen["kind"], _visible(frozen["text"]), frozen["weight"], _image_in(frozen)):
        raise NotTheSamePaperError(f"question {question.id} changed")
    if question.kind is QuestionKind.NUMERIC:
        if question.value is None:
            raise NotTheSamePaperError(f"question {question.id} no longer has a key")
        return KeyEntry(value=question.value, tolerance=question.tolerance)
    numbers = _match_choices(question, frozen["choices"])
    correct = [number for number, choice in zip(numbers, question.choices, strict=True) if choice.correct]
    if not 1 <= len(correct) <= frozen["max_choices"]:
        raise NotTheSamePaperError(
            f"question {question.id} has {len(correct)} correct choices now; "
            f"1 to {frozen['max_choices']} could be chosen"
        )
    return KeyEntry(choices=mask_of(correct))


def _match_choices(question: AuthoredQuestion, frozen: Sequence[JsonObject]) -> list[int]:
    """Return the frozen number of each choice.

    Equal texts are matched before texts that differ in blanks; choices that look the same are matched in order, because
    they cannot be distinguished.
    """
    numbers: dict[int, int] = {}
    free = dict(enumerate(frozen))
    for form in (_exact, _visible):
        for index, choice in enumerate(question.choices):
            shown = (form(choice.text), _image_of(choice))
            match = (number for number, each in free.items() if (form(each["text"]), _image_in(each)) == shown)
            if index not in numbers and (number := next(match, None)) is not None:
                numbers[index] = number
                del free[number]
    if free or len(numbers) != len(question.choices):
        raise NotTheSamePaperError(f"the choices of question {question.id} changed")
    return [numbers[index] for index in range(len(numbers))]


def _exact(text: str) -> str:
    return text


def _visible(text: str) -> str:
    """A text without the differences that a browser makes when it posts a form back."""
    return text.replace("\r\n", "\n").strip()


def _image_of(item: AuthoredQuestion | AuthoredChoice) -> str | None:
    return item.image.sha256 if item.image else None


def _image_in(item: JsonObject) -> str | None:
    image = item.get("image")
    return image["sha256"] if image else None
