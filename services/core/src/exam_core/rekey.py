"""Derive an exam's current key for a paper that was frozen earlier, for a regrade with a corrected key.

Papers are identified by their content, and so are questions and choices here: an exam fits a paper while it shows the
same, whatever ids its author gives. A key may be corrected after the sitting; what students were shown may not.
"""

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
    shown = (question.kind.value, question.text, decimal_text(question.weight), _image_of(question))
    if shown != (frozen["kind"], frozen["text"], frozen["weight"], _image_in(frozen)):
        raise NotTheSamePaperError(f"question {question.id} changed")
    if question.kind is QuestionKind.NUMERIC:
        if question.value is None:
            raise NotTheSamePaperError(f"question {question.id} no longer has a key")
        return KeyEntry(value=question.value, tolerance=question.tolerance)
    # Choices that look the same cannot be distinguished; they are matched in order.
    numbers: dict[tuple[str, str | None], list[int]] = {}
    for number, choice in enumerate(frozen["choices"]):
        numbers.setdefault((choice["text"], _image_in(choice)), []).append(number)
    correct = []
    for choice in question.choices:
        matching = numbers.get((choice.text, _image_of(choice)))
        if not matching:
            raise NotTheSamePaperError(f"the choices of question {question.id} changed")
        number = matching.pop(0)
        if choice.correct:
            correct.append(number)
    if any(numbers.values()):
        raise NotTheSamePaperError(f"the choices of question {question.id} changed")
    if not 1 <= len(correct) <= frozen["max_choices"]:
        raise NotTheSamePaperError(
            f"question {question.id} has {len(correct)} correct choices now; "
            f"1 to {frozen['max_choices']} could be chosen"
        )
    return KeyEntry(choices=mask_of(correct))


def _image_of(item: AuthoredQuestion | AuthoredChoice) -> str | None:
    return item.image.sha256 if item.image else None


def _image_in(item: JsonObject) -> str | None:
    image = item.get("image")
    return image["sha256"] if image else None
