"""The kinds of questions of QTI 1.2 and Canvas: from an item's responses and conditions to the authored form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.numbers import NotANumberError
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.essay import Essay
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Between, Near, Numeric, Tolerance
from exam_core.questions.text import AcceptedText
from exam_papers.formats.collector import letters
from exam_papers.formats.model import LossCode
from exam_papers.formats.moodle import point_number, short_text
from exam_papers.formats.qti.context import Context, NotTakenError
from exam_papers.formats.qti.credit_values import credit_of
from exam_papers.formats.qti.first_texts import FirstTexts, inside
from exam_papers.formats.xml_tree import Node

_HUNDRED: Final = Fraction(100)
_RESPONSES: Final = ("response_lid", "response_str", "response_num", "response_grp", "response_xy")


@dataclass(frozen=True, slots=True)
class FirstItem:
    """An item with its points; `conditions` are those that set a score, each with it."""

    context: Context
    texts: FirstTexts
    node: Node
    points: Fraction

    @property
    def responses(self) -> list[Node]:
        """The responses of the item."""
        return inside(self.node, *_RESPONSES)

    @property
    def conditions(self) -> list[tuple[Node, Fraction]]:
        """The conditions that set a score."""
        found = []
        for condition in inside(self.node, "respcondition"):
            settings, variables = list(condition.all("setvar")), condition.first("conditionvar")
            if settings and variables is not None:
                found.append((variables, self.context.number(settings[0], settings[0].text)))
        return found

    def credit(self, score: Fraction) -> Fraction:
        """Return the credit of a score from 0 to 100; scores of which the points are the largest are parts of these."""
        largest = max((each for _, each in self.conditions), default=_HUNDRED)
        return credit_of(score / (self.points if largest == self.points and largest < _HUNDRED else _HUNDRED))


def kind_of(item: FirstItem, named: str) -> str:
    """Return the kind of an item: the one that its metadata name, or what its responses are.

    Raises:
        NotTakenError: it has no place here.
    """
    if named:
        return named.removesuffix("_question")
    responses = item.responses
    names = {each.name for each in responses}
    if names == {"response_lid"}:
        cardinality = responses[0].attributes.get("rcardinality", "Single").lower()
        if len(responses) > 1:
            return "matching"
        return {"single": "multiple_choice", "multiple": "multiple_answers"}.get(cardinality, "ordered response")
    if len(responses) != 1 or not names & {"response_str", "response_num"}:
        raise NotTakenError(f"an item with {len(responses)} responses")
    fields = inside(responses[0], "render_fib")
    types = {each.attributes.get("fibtype", "").lower() for each in fields}
    if "response_num" in names or types & {"decimal", "integer"}:
        return "numerical"
    return "short_answer" if any(inside(each, "varequal") for each, _ in item.conditions) else "essay"


def _labels(response: Node) -> list[Node]:
    return inside(response, "response_label")


def _ident(node: Node) -> str:
    return node.attributes.get("ident", "")


def _single(item: FirstItem) -> Authored:
    labels = _labels(item.responses[0])
    scores: dict[str, Fraction] = {}
    for condition, score in item.conditions:
        for equal in condition.all("varequal"):
            scores.setdefault(equal.text.strip(), score)
    credits_ = [item.credit(scores.get(_ident(label), NO_CREDIT)) for label in labels]
    texts = [item.texts.text(label) for label in labels]
    words = [item.texts.bare(label).lower() for label in labels]
    if sorted(words) == ["false", "true"] and sorted(credits_) == [NO_CREDIT, FULL_CREDIT]:
        return TrueFalse(answer=credits_[words.index("true")] == FULL_CREDIT)
    return SingleChoice(choices=_choices(texts, credits_))


def _choices(texts: list[str], credits_: list[Fraction]) -> tuple[Choice, ...]:
    return tuple(
        Choice(id=ident, text=text, credit=credit)
        for ident, text, credit in zip(letters(len(texts)), texts, credits_, strict=True)
    )


def _multiple(item: FirstItem) -> Authored:
    labels = _labels(item.responses[0])
    texts = [item.texts.text(label) for label in labels]
    whole = [condition.first("and") for condition, score in item.conditions if score > 0]
    if len(whole) == 1 and whole[0] is not None:
        right = {equal.text.strip() for equal in whole[0].all("varequal")}
        listed = _choices(texts, [Fraction(_ident(label) in right) for label in labels])
        return MultipleChoice(choices=listed, rule=ChoiceRule.ALL_OR_NOTHING)
    scores: dict[str, Fraction] = {}
    for condition, score in item.conditions:
        names = [equal.text.strip() for equal in condition.all("varequal")]
        if len(names) != 1 or len(condition.children) != 1:
            raise NotTakenError("an item whose conditions are not understood")
        scores[names[0]] = scores.get(names[0], NO_CREDIT) + score
    credits_ = [item.credit(scores.get(_ident(label), NO_CREDIT)) for label in labels]
    return MultipleChoice(choices=_choices(texts, credits_), rule=ChoiceRule.SUM_OF_CREDITS)


def _short_answer(item: FirstItem) -> Authored:
    accepted = [
        AcceptedText(text=equal.text.strip().replace("*", "\\*"), credit=item.credit(score))
        for condition, score in item.conditions
        for equal in inside(condition, "varequal")
    ]
    return short_text(accepted)


def _numerical(item: FirstItem) -> Authored:
    accepted = [
        entry for condition, score in item.conditions for entry in _numbers(item, condition, item.credit(score))
    ]
    return Numeric(accepted=tuple(accepted))


def _numbers(item: FirstItem, condition: Node, credit: Fraction) -> list[Near | Between]:
    """The numbers that a condition accepts: a value, perhaps with a margin, or a range."""
    either = condition.first("or") or condition
    equal = either.first("varequal")
    ends = inside(either, "vargte", "vargt", "varlte", "varlt")
    lows = [each for each in ends if each.name.startswith("varg")]
    highs = [each for each in ends if each.name.startswith("varl")]
    low = _number(item, lows[0]) if lows else None
    high = _number(item, highs[0]) if highs else None
    if equal is None:
        if low is None and high is None:
            return []
        low_open, high_open = (any(each.name == name for each in ends) for name in ("vargt", "varlt"))
        return [Between(low=low, high=high, low_open=low_open, high_open=high_open, credit=credit)]
    value = _number(item, equal)
    margin = equal.attributes.get("margin")
    if margin is not None:
        tolerance = item.context.number(equal, margin)
        if equal.attributes.get("margintype") == "percent":
            return [Near(value=value, tolerance=tolerance / 100, by=Tolerance.RELATIVE, credit=credit)]
        return [Near(value=value, tolerance=tolerance, credit=credit)]
    return [Near(value=value, tolerance=value - low if low is not None else NO_CREDIT, credit=credit)]


def _number(item: FirstItem, node: Node) -> Fraction:
    try:
        return point_number(node.text)
    except NotANumberError as error:
        item.context.fault(node, f"has an accepted number which {error.reason}")
        return NO_CREDIT


def _matching(item: FirstItem) -> Authored:
    responses = item.responses
    right = {
        equal.attributes.get("respident", ""): equal.text.strip()
        for condition, _ in item.conditions
        for equal in inside(condition, "varequal")
    }
    labels = {_ident(label): item.texts.text(label) for response in responses for label in _labels(response)}
    stems = []
    for number, response in enumerate(responses, 1):
        target = labels.get(right.get(_ident(response), ""))
        if target is None:
            item.context.fault(response, "has a stem without a target")
            target = ""
        stems.append(Stem(id=f"s{number}", text=item.texts.text(response), target=target))
    used = {stem.target for stem in stems}
    return Matching(
        stems=tuple(stems), distractors=tuple(dict.fromkeys(text for text in labels.values() if text not in used))
    )


def _essay(item: FirstItem) -> Authored:
    item.context.lose(LossCode.CREDIT, "an essay is marked by hand: its key is dropped", len(item.conditions))
    return Essay()


READERS: Final[Mapping[str, Callable[[FirstItem], Authored]]] = {
    "multiple_choice": _single,
    "true_false": _single,
    "multiple_answers": _multiple,
    "short_answer": _short_answer,
    "numerical": _numerical,
    "matching": _matching,
    "essay": _essay,
}
"""What reads each kind."""
