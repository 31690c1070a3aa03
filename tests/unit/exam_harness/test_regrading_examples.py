"""The examples of adjustments in docs/scoring.md, scored by the engine and by the oracle."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from exam_core.adjustments.faults import adjustment_faults
from exam_core.adjustments.listing import Adjustments
from exam_core.adjustments.model import Change
from exam_core.adjustments.written import as_stored
from exam_core.answers import parse_answer
from exam_core.authoring.exam import read_exam
from exam_core.paper import freeze, plain_text
from exam_core.scoring import Policy
from exam_core.scoring import score as core_score
from exam_core.shown_points import shown_total
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.paper import match_paper
from exam_harness.oracle.regrading import Rules, adjusted_score

TEXT = (REPOSITORY / "docs/scoring.md").read_text()
(DOCUMENT,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
REQUEST, STORED = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
NOTHING = "—"
ORDERING = """
exam: ordering
title: Ordering
level: year-1
questions:
  - id: order
    kind: ordering
    weight: 100
    text: "Order."
    rule: {rule}
    items: [{{id: a, text: A}}, {{id: b, text: B}}, {{id: c, text: C}}, {{id: d, text: D}}]
"""
NAMED = {"choice": "choices", "choices": "choices", "stem": "stems", "target": "targets"}
"""The members that the examples give by text, and where a question shows those."""
MEMBERS = {"single": "choices", "multiple": "choices", "matching": "stems"}


def _rows(head: str) -> list[list[str]]:
    """The rows of the one table with a head."""
    (table,) = re.findall(rf"^\| {head} \|$\n\|[-|]+\|$\n((?:\|.*\|$\n?)+)", TEXT, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in row.strip("|").split(" |")] for row in table.splitlines()]


def _body(shown: dict[str, Any], answer: str) -> dict[str, Any]:
    """The JSON of an answer as the tables write it."""
    kind = shown["kind"]
    if kind in {"numeric", "text", "essay"}:
        return {"value": None if answer == NOTHING else answer}
    if kind == "ordering":
        return {"order": [_number(shown["items"], item) for item in answer.split()]}
    if kind == "true-false":
        return {"choices": [["true", "false"].index(answer)]}
    if kind == "matching":
        pairs = (part.split(": ") for part in answer.split(", "))
        return {"pairs": {str(_number(shown["stems"], stem)): shown["targets"].index(to) for stem, to in pairs}}
    return {"choices": [_number(shown["choices"], part) for part in answer.split(", ")]}


def _number(shown: list[Any], text: str) -> int:
    return [each if isinstance(each, str) else each["text"] for each in shown].index(text)


def _numbered(entry: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    """An adjustment as it is stored, which names by number what the example names by text."""
    numbered = dict(entry)
    for name in NAMED.keys() & entry.keys():
        listed = shown[NAMED[name]]
        value = entry[name]
        both = sorted(_number(listed, each) for each in value) if isinstance(value, list) else _number(listed, value)
        numbered[name] = both
    return numbered


def _scores(document: str, question: str, answer: str, entry: dict[str, Any] | None) -> list[list[Fraction | None]]:
    """Points of the question, and the maximum, by the engine and by the oracle."""
    exam = read_exam(document, lambda _: pytest.fail("no images here")).exam
    paper, key = freeze(exam, lambda size: range(size)[::-1], plain_text)
    number = [each.id for each in exam.questions].index(question)
    shown = paper.content["questions"][number]
    stored: list[dict[str, Any]] = []
    if entry is not None:
        head = {} if entry["change"] == "policy" else {"question": number}
        stored = [_numbered(entry, shown) | head | {"reason": "an example"}]
    body = _body(shown, answer)
    policy = Policy(adjustments=Adjustments.from_json({"entries": stored}))
    engine = core_score(paper, key, policy, [(number, parse_answer(paper, number, body))])
    matched = match_paper(read_document(document), paper.content)
    contents = {number: parse_content(body, matched.questions[number].kind)}
    oracle = adjusted_score(matched, contents, Rules(), stored)
    points = engine.points[number]
    return [
        [None if points is None else Fraction(points), Fraction(engine.maximum)],
        [oracle.points[number], oracle.maximum],
    ]


def _points(text: str) -> Fraction | None:
    return None if text == NOTHING else Fraction(text)


ADJUSTED = _rows(r"question \| adjustment \| answer \| before \| after \| of")
ORDERS = ["A B C D", "B A C D", "B A D C", "D C B A"]
ORDERED = _rows(r"rule \| also right \| credit \| " + r" \| ".join(ORDERS))


@pytest.mark.parametrize(("question", "adjustment", "answer", "before", "after", "maximum"), ADJUSTED)
def test_an_adjusted_answer_earns_the_points_of_its_example(
    question: str, adjustment: str, answer: str, before: str, after: str, maximum: str
) -> None:
    """If a revision has the adjustment of an example, engine and oracle give me the points that stand beside it."""
    for points, _ in _scores(DOCUMENT, question, answer, None):
        assert points == _points(before)
    for points, most in _scores(DOCUMENT, question, answer, json.loads(adjustment)):
        assert (points, most) == (_points(after), Fraction(maximum))


@pytest.mark.parametrize(
    ("rule", "right", "credit", "order", "per_cent"),
    [
        (rule, right, credit, order, per_cent)
        for rule, right, credit, *shares in ORDERED
        for order, per_cent in zip(ORDERS, shares, strict=True)
    ],
)
def test_an_order_earns_the_share_of_its_example(rule: str, right: str, credit: str, order: str, per_cent: str) -> None:
    """If a further order is right, engine and oracle give my order the share that stands beside it."""
    # The paper numbers the items D C B A.
    entry = {"change": "accept-order", "order": ["DCBA".index(item) for item in right.split()], "credit": credit}
    for points, _ in _scores(ORDERING.format(rule=rule), "order", order, entry):
        assert int((points or 0) + Fraction(1, 2)) == int(per_cent)


def test_the_stored_policy_is_read_as_it_is_written() -> None:
    """If I read the stored policy of the documentation, it is one that the platform writes."""
    stored = json.loads(STORED)
    assert Policy.from_json(stored).to_json() == stored


def test_the_request_of_the_documentation_is_accepted() -> None:
    """If I send the request of the documentation for its exam, nothing is wrong with it."""
    request = json.loads(REQUEST)
    assert set(request) == {"note", "adjustments"}
    exam = read_exam(DOCUMENT, lambda _: pytest.fail("no images here")).exam
    paper, key = freeze(exam, range, plain_text)
    listed = Adjustments.from_json({"entries": [as_stored(each) for each in request["adjustments"]]})
    assert adjustment_faults(listed, paper, key) == []
    assert [each["change"] for each in request["adjustments"]] == [entry.change for entry in listed.entries]


def test_every_change_is_documented() -> None:
    """If there is a change, the documentation describes it and has an example."""
    described = {name for row in _rows(r"change \| members \| what it does") for name in re.findall(r"[a-z-]+", row[0])}
    shown = {json.loads(row[1])["change"] for row in ADJUSTED} | {"accept-order" for _ in ORDERED}
    assert described == shown == set(Change)


@pytest.mark.parametrize(("points", "total", "sentence"), _rows(r"points \| total \| under the points"))
def test_the_sentence_under_the_points_is_the_documented_one(points: str, total: str, sentence: str) -> None:
    """If my points do not add up to my total, the page says what the documentation says."""
    given = [None if each == NOTHING else Decimal(each) for each in points.split(", ")]
    assert shown_total(given, Decimal(total)).sentence == sentence
