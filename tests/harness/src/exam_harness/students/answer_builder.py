"""Builds an answer's JSON from a student's intent, choosing by the texts and images that the paper shows.

For each kind of question there are some plausible answers; plain scoring tells which of them are correct, partly right
or wrong. An intent that no answer fits gives the nearest one: where nothing is partly right, it is a wrong answer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any, Final

from exam_harness.oracle.accepted import AcceptedNumber
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import Document
from exam_harness.oracle.numbers import format_number
from exam_harness.oracle.paper import MatchedPaper, match_paper
from exam_harness.oracle.scoring import share
from exam_harness.students.plan import Intent
from exam_harness.students.spellings import other_case, spell_number, spell_text

Body = dict[str, Any]
"""The members of an answer beside its `seq`."""

_TRIES: Final = 12
"""Random answers to a question, among which wrong and partly right ones are looked for."""
_WORDS: Final = ("no idea", "Œuvre", "naïve", "42", "Ἀθῆναι", "*", "perhaps a bit longer than that")
_SENTENCES: Final = (
    "It follows from the definition.",
    "First we draw the line\u00a0AB;\r\nthen we see that it meets the circle.",
    "Dass es \u00e4hnliche Dreiecke sind, hei\u00dft: ihre Winkel sind gleich.",
    "\tCafe\u0301, \U0001d465\u00b2 and \u03c0.",
)
_BLANK: Final[Mapping[str, tuple[Body, ...]]] = {
    "numeric": ({"value": None},),
    "text": ({"value": None}, {"value": " "}),
    "matching": ({"pairs": {}}, {"pairs": {"0": None}}),
    "ordering": ({"order": []}, {"order": None}),
    "essay": ({"value": None}, {"value": " \n"}),
}


@dataclass(frozen=True, slots=True)
class AnswerBuilder:
    """Builds answers for one shown paper."""

    paper: MatchedPaper

    @classmethod
    def for_paper(cls, document: Document, paper: Mapping[str, Any]) -> "AnswerBuilder":
        """A builder for a paper as shown, with the authored exam as its key."""
        return cls(match_paper(document, paper))

    def build(self, number: int, intent: Intent, rng: Random) -> Body:
        """The members of an answer, such as ``{"choices": […]}``, ``{"value": …}``, ``{"pairs": …}``."""
        kind = self.kind(number)
        if intent is Intent.BLANK:
            return dict(rng.choice(_BLANK.get(kind, ({"choices": []},))))
        if kind == "essay":
            return {"value": self._essay(number, rng)}
        bodies = [body for body in _PLAUSIBLE[kind](self, number, rng) if parse_content(body, kind)]
        plausible = [(self._share(number, body), body) for body in bodies]
        shares = [earned for earned, _ in plausible]
        if intent is Intent.CORRECT:
            fitting = {max(shares)}
        else:
            fitting = {earned for earned in shares if earned <= 0} or {min(shares)}
            if intent is Intent.PARTLY:
                fitting = {earned for earned in shares if 0 < earned < max(shares)} or fitting
        return self._spelt(number, rng.choice([body for earned, body in plausible if earned in fitting]), rng)

    def kind(self, number: int) -> str:
        """The kind of a question."""
        return self.paper.questions[number].kind

    def _share(self, number: int, body: Body) -> Fraction:
        return share(self.paper, number, parse_content(body, self.kind(number))) or Fraction(0)

    def _spelt(self, number: int, body: Body, rng: Random) -> Body:
        """The answer in one of the ways in which it can be typed."""
        match self.kind(number):
            case "numeric":
                return {"value": spell_number(body["value"], rng)}
            case "text":
                typed = rng.choice([body["value"], other_case(body["value"])])
                same = self._share(number, {"value": typed}) == self._share(number, body)
                return {"value": spell_text(typed if same else body["value"], rng)}
        return body

    # Plausible answers, among them a correct one

    def _choices(self, number: int, rng: Random) -> Iterator[Body]:
        question, numbers = self.paper.questions[number], self.paper.items[number]
        most = question.shown.get("max_choices", 1)
        credits_ = {shown: question.items[index].credit for shown, index in enumerate(numbers)}
        positive = sorted((shown for shown in credits_ if credits_[shown] > 0), key=lambda each: -credits_[each])
        yield {"choices": rng.sample(positive[:most], min(most, len(positive)))}
        if most == 1:
            yield from ({"choices": [shown]} for shown in credits_)
            return
        for _ in range(_TRIES):
            yield {"choices": rng.sample(range(len(numbers)), rng.randint(1, most))}
        yield from ({"choices": [shown]} for shown in credits_ if credits_[shown] <= 0)

    def _numbers(self, number: int, rng: Random) -> Iterator[Body]:
        for accepted in self.paper.questions[number].numbers:
            yield from ({"value": format_number(value)} for value in _near(accepted, rng))

    def _texts(self, number: int, rng: Random) -> Iterator[Body]:
        question = self.paper.questions[number]
        for accepted in question.texts:
            run = rng.choice(["", "x", " and "]) if accepted.wildcards else "*"
            typed = accepted.text.replace("\\*", "\0").replace("*", run).replace("\0", "*")
            yield {"value": (typed if accepted.wildcards else accepted.text)[: question.shown["max_length"]]}
        yield from ({"value": word[: question.shown["max_length"]]} for word in _WORDS)

    def _pairs(self, number: int, rng: Random) -> Iterator[Body]:
        stems, targets = self.paper.questions[number].items, self.paper.targets[number]
        right = [targets.index(stems[index].target) for index in self.paper.items[number]]
        yield {"pairs": {str(stem): target for stem, target in enumerate(right)}}
        others = [[other for other in range(len(targets)) if other != target] for target in right]
        yield {"pairs": {str(stem): rng.choice(wrong) for stem, wrong in enumerate(others)}}
        yield {"pairs": {str(stem): target for stem, target in enumerate(right[:1])}}
        for _ in range(_TRIES):
            # Open stems are left out or null.
            order = rng.sample(range(len(right)), len(right))
            drawn = {str(stem): rng.choice([right[stem], None, *others[stem][:1]]) for stem in order}
            drawn[str(order[0])] = rng.choice(others[order[0]])
            yield {"pairs": dict(list(drawn.items())[: rng.randint(1, len(right))])}

    def _orders(self, number: int, rng: Random) -> Iterator[Body]:
        numbers = self.paper.items[number]
        right = sorted(range(len(numbers)), key=lambda each: numbers[each])
        yield {"order": right}
        yield {"order": right[::-1]}
        yield {"order": [*right[1:], right[0]]}
        for _ in range(_TRIES):
            yield {"order": rng.sample(right, len(right))}

    def _essay(self, number: int, rng: Random) -> str:
        shown = self.paper.questions[number].shown
        text = str(shown.get("template", "")) + " ".join(rng.choices(_SENTENCES, k=rng.randint(1, 6)))
        return text[: shown["max_characters"]]


_PLAUSIBLE: Final[Mapping[str, Callable[[AnswerBuilder, int, Random], Iterator[Body]]]] = {
    "single": AnswerBuilder._choices,
    "true-false": AnswerBuilder._choices,
    "multiple": AnswerBuilder._choices,
    "numeric": AnswerBuilder._numbers,
    "text": AnswerBuilder._texts,
    "matching": AnswerBuilder._pairs,
    "ordering": AnswerBuilder._orders,
}


def _near(accepted: AcceptedNumber, rng: Random) -> Iterator[Fraction]:
    """Numbers inside an interval, at its ends and outside, which a student can type."""
    off = Fraction(rng.randint(1, 500), 100)
    low = accepted.low if accepted.low is not None else (accepted.high or Fraction(0)) - off
    high = accepted.high if accepted.high is not None else low + off
    middle = (low + high) / 2
    for value in (middle, low, high, low - off, high + off):
        yield value if _finite(value) else Fraction(round(value * 10**6), 10**6)


def _finite(value: Fraction) -> bool:
    """Whether a number has a decimal form with few places."""
    return (value * 10**12).denominator == 1
