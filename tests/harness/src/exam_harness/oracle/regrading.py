"""Plain scoring under the adjustments of a revision, read from the JSON that the platform stores.

The adjustments of a question change the authored question; its answers are then scored as if it had been written so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from exam_harness.oracle.accepted import AcceptedText, read_accepted_number
from exam_harness.oracle.content import Content, order_of, pairs_of
from exam_harness.oracle.document import Question
from exam_harness.oracle.ordering import order_share
from exam_harness.oracle.paper import MatchedPaper
from exam_harness.oracle.scoring import ALL_OR_NOTHING, Score, round_to_cents, share

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for the whole exam."""

    multiple: str = ALL_OR_NOTHING
    negative_total: bool = False


def adjusted_score(
    paper: MatchedPaper,
    answers: Mapping[int, Content],
    rules: Rules,
    adjustments: Sequence[Entry],
    *,
    drawn: Collection[int] | None = None,
) -> Score:
    """Score one student's answers by question number under a list of adjustments; of a paper with pools, to the drawn.

    Whatever a question that the student did not get is changed to, it gives nothing and is not in the maximum.
    """
    got = range(len(paper.questions)) if drawn is None else drawn
    for each in adjustments:
        if each["change"] == "policy":
            multiple = each.get("multiple", rules.multiple)
            rules = Rules(multiple=multiple, negative_total=each.get("negative_total", rules.negative_total))
    earned: list[Fraction | None] = []
    maximum = Fraction(0)
    for number, question in enumerate(paper.questions):
        listed = [each for each in adjustments if each.get("question") == number]
        if number not in got or any(each["change"] == "leave-out" for each in listed):
            earned.append(None)
            continue
        weight = next((Fraction(each["weight"]) for each in listed if each["change"] == "weight"), question.weight)
        maximum += weight
        part = _share(paper, number, answers.get(number), rules, listed)
        earned.append(None if part is None else weight * part)
    total = sum((points for points in earned if points is not None), Fraction(0))
    if total < 0 and not rules.negative_total:
        total = Fraction(0)
    return Score(
        total=round_to_cents(total),
        maximum=maximum,
        points=tuple(None if points is None else round_to_cents(points) for points in earned),
        answered=sum(bool(content) for number, content in answers.items() if number in got),
    )


def _share(
    paper: MatchedPaper, number: int, content: Content, rules: Rules, listed: Sequence[Entry]
) -> Fraction | None:
    """The part of the weight; None without an answer, and for one that is marked by hand."""
    full = [each["to"] for each in listed if each["change"] == "full-credit"]
    if "all" in full or ("answered" in full and content):
        return Fraction(1)
    if not content:
        return None
    question = paper.questions[number]
    changed = _changed(question, paper.items[number], listed)
    questions = (*paper.questions[:number], changed, *paper.questions[number + 1 :])
    adjusted = replace(paper, questions=questions)
    targets = [each for each in listed if each["change"] == "accept-target"]
    if targets and isinstance(content, str):
        parts = [_matching_share(adjusted, number, pairs_of(content), targets)]
    else:
        first = share(adjusted, number, content, rules.multiple)
        if first is None:
            return None
        parts = [first]
    return max(parts + [credit for each in listed if (credit := _further(paper, number, content, each)) > 0])


def _changed(question: Question, places: Sequence[int], listed: Sequence[Entry]) -> Question:
    """The question with the credits that adjustments set; `places` are the authored indices of its choices."""
    items, numbers, texts = list(question.items), list(question.numbers), list(question.texts)
    for each in listed:
        if each["change"] == "choice-credit":
            index = places[each["choice"]]
            items[index] = replace(items[index], credit=Fraction(each["credit"]))
        elif each["change"] == "accepted-credit" and numbers:
            numbers[each["entry"]] = replace(numbers[each["entry"]], credit=Fraction(each["credit"]))
        elif each["change"] == "accepted-credit":
            texts[each["entry"]] = replace(texts[each["entry"]], credit=Fraction(each["credit"]))
    return replace(question, items=tuple(items), numbers=tuple(numbers), texts=tuple(texts))


def _matching_share(paper: MatchedPaper, number: int, pairs: Mapping[int, int], accepted: Sequence[Entry]) -> Fraction:
    stems = paper.questions[number].items
    right = 0
    for stem, target in pairs.items():
        authored = stems[paper.items[number][stem]].target == paper.targets[number][target]
        right += authored or any((each["stem"], each["target"]) == (stem, target) for each in accepted)
    return Fraction(right, len(stems))


def _further(paper: MatchedPaper, number: int, content: Content, entry: Entry) -> Fraction:
    """What an answer earns by an adjustment that accepts it; 0 if it does not."""
    credit = Fraction(entry.get("credit", 1))
    question = paper.questions[number]
    if isinstance(content, frozenset):
        return credit if entry["change"] == "accept-choices" and content == set(entry["choices"]) else Fraction(0)
    match entry["change"]:
        case "accept-number":
            return (
                credit if read_accepted_number(entry["answer"], credit).matches(Fraction(content or 0)) else Fraction(0)
            )
        case "accept-text":
            like = question.texts[0]
            text = AcceptedText(text=entry["answer"], case=like.case, wildcards=like.wildcards, credit=credit)
            return credit if text.matches(content or "") else Fraction(0)
        case "accept-order":
            places = [entry["order"].index(item) for item in order_of(content or "")]
            return credit * order_share(question.rule, places)
    return Fraction(0)
