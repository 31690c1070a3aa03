"""From a wish to an answer's JSON: a student who knows the exam recognises the right choices by what they see."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from exam_harness.oracle.document import Document, Question
from exam_harness.oracle.history import plain_number
from exam_harness.oracle.paper import Shown, match
from exam_harness.students.plan import Wish


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes answers to one shown paper."""

    shown: Shown
    most: tuple[int, ...]
    """How many choices each question takes."""

    @classmethod
    def of(cls, document: Document, paper: Mapping[str, Any]) -> "Pen":
        """The pen of somebody who knows the exam and looks at the paper."""
        return cls(match(document, paper), tuple(question.get("max_choices", 0) for question in paper["questions"]))

    def write(self, number: int, wish: Wish, chance: Random) -> dict[str, Any]:
        """The members of an answer: ``{"choices": […]}`` or ``{"value": …}``."""
        question = self.shown.questions[number]
        if question.value is not None:
            return {"value": None if wish is Wish.BLANK else _number(question, wish, chance)}
        if wish is Wish.BLANK:
            return {"choices": []}
        right = self._right(number)
        if wish is Wish.RIGHT:
            return {"choices": chance.sample(right, len(right))}
        return {"choices": self._wrong(number, right, chance)}

    def _right(self, number: int) -> list[int]:
        meant = self.shown.questions[number].right
        return [shown for shown, authored in enumerate(self.shown.choices[number]) if authored in meant]

    def _wrong(self, number: int, right: list[int], chance: Random) -> list[int]:
        """Some choices that are not the right set."""
        size = len(self.shown.choices[number])
        while True:
            chosen = chance.sample(range(size), chance.randint(1, max(1, min(self.most[number], size))))
            if set(chosen) != set(right):
                return chosen


def _number(question: Question, wish: Wish, chance: Random) -> str:
    value = question.value or Fraction(0)
    if wish is Wish.RIGHT:
        # The edge of the tolerance is still right; people write a number in several ways.
        exact = value + chance.choice([0, 1, -1]) * question.tolerance
        text = plain_number(exact)
        forms = [text, f" {text} ", text.replace(".", ",")]
        return chance.choice(forms if "." not in text else [*forms, f"{text}0"])
    off = question.tolerance + Fraction(chance.randint(1, 500), 100)
    return plain_number(value + chance.choice([1, -1]) * off)
