"""Interactions in which choices are selected."""

from fractions import Fraction
from typing import Final

from exam_core.credits import FULL_CREDIT, NO_CREDIT
from exam_core.questions.choices import Choice, ChoiceRule, MultipleChoice, SingleChoice, TrueFalse
from exam_core.questions.model import Authored
from exam_papers.formats.collector import letters
from exam_papers.formats.model import LossCode
from exam_papers.formats.qti.content import ReadText
from exam_papers.formats.qti.context import NotUnderstoodError
from exam_papers.formats.qti.credit_values import choice_credits, credit_of, mapped_weight
from exam_papers.formats.qti.declarations import Mapping
from exam_papers.formats.qti.parts import Part, Taken, limit_of, places
from exam_papers.formats.qti.scoring import Chain, IsAnything, IsCorrect, IsValue, Mapped, Test
from exam_papers.formats.xml_tree import Node

_TRUTH: Final = ("false", "true")


def choice(part: Part) -> Taken:
    """Read choices of which one or several are selected; the cardinality of the response decides."""
    nodes = list(part.node.all("simpleChoice"))
    most = limit_of(part, "maxChoices")
    single = _is_single(part)
    if single and most is not None and most != 1:
        part.context.fault(part.node, f"has maxChoices {most} and a response of a single value: write 1, or multiple")
    least = limit_of(part, "minChoices") or 0
    if least > int(single):
        part.context.lose(LossCode.LIMITS, "the least number of selected choices is dropped")
    if single:
        return _single(part, nodes)
    part.layout(nodes)
    return _multiple(part, nodes, None if most == 0 or (most or 0) > len(nodes) else most)


def inline_choice(part: Part) -> Taken:
    """Read choices that are selected in the middle of a sentence."""
    if not _is_single(part):
        part.context.fault(part.response.node, "has a field that takes one choice, and a response of several values")
    return _single(part, list(part.node.all("inlineChoice")))


def _is_single(part: Part) -> bool:
    cardinality = part.response.cardinality
    if cardinality not in {"single", "multiple"}:
        part.context.fault(part.response.node, f"has choices and a response of the cardinality {cardinality!r}")
    return cardinality != "multiple"


def _single(part: Part, nodes: list[Node]) -> Taken:
    identifiers = [node.attributes.get("identifier", "") for node in nodes]
    if isinstance(part.scoring, Mapped):
        mapping = _mapping(part, nodes)
        weight = mapped_weight(mapping, part.outcomes, single=True)
        credits_ = [credit_of(mapping.bounded(mapping.value(name)) / weight) for name in identifiers]
    elif isinstance(part.scoring, Chain):
        weight = part.chain_weight(part.scoring)
        credits_ = [credit_of(_chain_score(part, part.scoring, name) / weight) for name in identifiers]
        part.check_identifiers(nodes, part.response.correct)
        by_key = any(isinstance(branch.test, IsCorrect) for branch in part.scoring.branches)
        if by_key and len(part.response.correct) != 1:
            part.context.fault(part.response.node, "needs one correct response")
    else:
        raise NotUnderstoodError
    read = [part.content.read(node) for node in nodes]
    truth = _true_false(nodes, read, credits_)
    if truth is not None:
        return Taken(truth, weight)
    part.layout(nodes)
    return Taken(SingleChoice(choices=_choices(part, nodes, read, credits_)), weight, places(nodes))


def _mapping(part: Part, nodes: list[Node]) -> Mapping:
    if part.response.mapping is None:
        raise NotUnderstoodError
    part.check_identifiers(nodes, [entry.key for entry in part.response.mapping.entries])
    return part.response.mapping


def _chain_score(part: Part, chain: Chain, identifier: str) -> Fraction:
    """The score of one choice: that of the first branch whose test it passes."""

    def passed(test: Test) -> bool:
        if isinstance(test, IsCorrect):
            return part.response.correct[:1] == (identifier,)
        if isinstance(test, IsValue):
            return test.value == identifier
        if isinstance(test, IsAnything):
            return True
        raise NotUnderstoodError

    return next((branch.score for branch in chain.branches if passed(branch.test)), chain.otherwise)


def _true_false(nodes: list[Node], read: list[ReadText], credits_: list[Fraction]) -> Authored | None:
    """The statement that two choices named true and false judge, or None."""
    words = [text.text.strip().lower() for text in read]
    names = [node.attributes.get("identifier", "").lower() for node in nodes]
    if sorted(words) != list(_TRUTH) or (sorted(names) == list(_TRUTH) and names != words):
        return None
    earned = dict(zip(words, credits_, strict=True))
    answer = earned["true"] == FULL_CREDIT
    other = earned["false" if answer else "true"]
    if not answer and earned["false"] != FULL_CREDIT:
        return None
    return None if other == FULL_CREDIT else TrueFalse(answer=answer, other_credit=other)


def _choices(part: Part, nodes: list[Node], read: list[ReadText], credits_: list[Fraction]) -> tuple[Choice, ...]:
    idents = part.idents(nodes, letters(len(nodes)))
    return tuple(
        Choice(id=ident, text=text.text, image=text.image, credit=credit)
        for ident, text, credit in zip(idents, read, credits_, strict=True)
    )


def _multiple(part: Part, nodes: list[Node], most: int | None) -> Taken:
    identifiers = [node.attributes.get("identifier", "") for node in nodes]
    scoring = part.scoring
    if isinstance(scoring, Chain):
        if not scoring.only_correct:
            raise NotUnderstoodError
        part.check_identifiers(nodes, part.response.correct)
        weight = part.whole(scoring.best)
        credits_ = [Fraction(name in part.response.correct) for name in identifiers]
        read = [part.content.read(node) for node in nodes]
        listed = _choices(part, nodes, read, credits_)
        interaction = MultipleChoice(choices=listed, max_choices=most, rule=ChoiceRule.ALL_OR_NOTHING)
        return Taken(interaction, weight, places(nodes))
    if not isinstance(scoring, Mapped):
        raise NotUnderstoodError
    mapping = _mapping(part, nodes)
    weight = mapped_weight(mapping, part.outcomes, single=False)
    floor, cap = _bounds(part, mapping, weight, [mapping.value(name) for name in identifiers])
    credits_ = choice_credits([mapping.value(name) for name in identifiers], weight, floor)
    read = [part.content.read(node) for node in nodes]
    return Taken(
        MultipleChoice(
            choices=_choices(part, nodes, read, credits_),
            max_choices=most,
            rule=ChoiceRule.SUM_OF_CREDITS,
            floor=floor,
            cap=cap,
        ),
        weight,
        places(nodes),
    )


def _bounds(part: Part, mapping: Mapping, weight: Fraction, values: list[Fraction]) -> tuple[Fraction, Fraction]:
    """The floor and the cap; shares are from -1 to 1, whatever the file has."""
    least, most = (sum((v for v in values if v * sign > 0), NO_CREDIT) / weight for sign in (-1, 1))
    floor = -FULL_CREDIT if mapping.lower is None else credit_of(mapping.lower / weight)
    cap = FULL_CREDIT if mapping.upper is None else credit_of(mapping.upper / weight)
    if floor < -FULL_CREDIT or (mapping.lower is None and least < -FULL_CREDIT):
        part.context.lose(LossCode.CREDIT, "an answer costs at most the weight")
    if cap > FULL_CREDIT or (mapping.upper is None and credit_of(most) > FULL_CREDIT):
        part.context.lose(LossCode.CREDIT, "an answer earns at most the weight")
    return max(floor, -FULL_CREDIT), min(cap, FULL_CREDIT)
