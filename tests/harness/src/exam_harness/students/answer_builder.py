"""Builds an answer's JSON from a student's intent, choosing by the texts and images that the paper shows."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any, Final

from exam_harness.oracle.document import Document, Question
from exam_harness.oracle.history import format_number
from exam_harness.oracle.paper import MatchedPaper, match_paper
from exam_harness.students.plan import Intent

ARABIC: Final = str.maketrans("0123456789.", "٠١٢٣٤٥٦٧٨٩\u066b")
THREE_DECIMALS: Final = re.compile(r"\.[0-9]{3}$")


@dataclass(frozen=True, slots=True)
class AnswerBuilder:
    """Builds answers for one shown paper."""

    paper: MatchedPaper
    max_choices: tuple[int, ...]
    """The maximum number of choices of each question."""

    @classmethod
    def for_paper(cls, document: Document, paper: Mapping[str, Any]) -> "AnswerBuilder":
        """A builder for a paper as shown, with the authored exam as its key."""
        limits = tuple(question.get("max_choices", 0) for question in paper["questions"])
        return cls(match_paper(document, paper), limits)

    def build(self, number: int, intent: Intent, rng: Random) -> dict[str, Any]:
        """The members of an answer: ``{"choices": […]}`` or ``{"value": …}``."""
        question = self.paper.questions[number]
        if question.value is not None:
            return {"value": None if intent is Intent.BLANK else _number(question, intent, rng)}
        if intent is Intent.BLANK:
            return {"choices": []}
        correct = self._correct(number)
        if intent is Intent.CORRECT:
            return {"choices": rng.sample(correct, len(correct))}
        return {"choices": self._wrong(number, correct, rng)}

    def _correct(self, number: int) -> list[int]:
        authored = self.paper.questions[number].correct
        return [shown for shown, index in enumerate(self.paper.choices[number]) if index in authored]

    def _wrong(self, number: int, correct: list[int], rng: Random) -> list[int]:
        """A random set of choices other than the correct one."""
        size = len(self.paper.choices[number])
        while True:
            chosen = rng.sample(range(size), rng.randint(1, max(1, min(self.max_choices[number], size))))
            if set(chosen) != set(correct):
                return chosen


def _number(question: Question, intent: Intent, rng: Random) -> str:
    value = question.value or Fraction(0)
    if intent is Intent.CORRECT:
        # The edge of the tolerance is still correct, and a number may be written in several ways.
        exact = value + rng.choice([0, 1, -1]) * question.tolerance
        text = format_number(exact)
        forms = [text, f" {text} ", text.translate(ARABIC), text.replace("-", "\u2212")]
        if "." in text:
            # Three decimals after a comma could be thousands, and are rejected; a zero more makes them decimals.
            forms += [
                f"{text}0",
                f"{text}0".replace(".", ",") if THREE_DECIMALS.search(text) else text.replace(".", ","),
            ]
        return rng.choice(forms)
    off = question.tolerance + Fraction(rng.randint(1, 500), 100)
    return format_number(value + rng.choice([1, -1]) * off)
