"""The examples of docs/scoring.md, scored by the engine and by the oracle."""

import re
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from exam_core.answers import parse_answer
from exam_core.authoring.exam import read_exam
from exam_core.paper import freeze, plain_text
from exam_core.questions.ordering_rules import OrderingRule, share_of
from exam_core.scoring import MultipleRule, Policy
from exam_core.scoring import score as core_score
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.oracle.content import parse_content
from exam_harness.oracle.document import read_document
from exam_harness.oracle.ordering import order_share
from exam_harness.oracle.paper import match_paper
from exam_harness.oracle.scoring import score

TEXT = (REPOSITORY / "docs/scoring.md").read_text()
(DOCUMENT,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
EXAM = read_exam(DOCUMENT, lambda _: pytest.fail("no images here")).exam
PAPER, KEY = freeze(EXAM, lambda size: range(size)[::-1], plain_text)
MATCHED = match_paper(read_document(DOCUMENT), PAPER.content)
NUMBERS = {question.id: number for number, question in enumerate(EXAM.questions)}
NOTHING = "—"
PROPORTIONAL = Policy(multiple=MultipleRule.PROPORTIONAL)
MEMBERS = {"single": "choices", "multiple": "choices", "matching": "stems"}


def _rows(head: str) -> list[list[str]]:
    """The rows of all tables with a head."""
    tables = re.findall(rf"^\| {head} \|$\n\|[-|]+\|$\n((?:\|.*\|$\n)+)", TEXT, re.MULTILINE)
    assert tables
    return [
        [cell.strip().strip("`") for cell in row.strip("|").split(" |")] for each in tables for row in each.splitlines()
    ]


def _body(number: int, answer: str) -> dict[str, Any]:
    """The JSON of an answer as the tables write it."""
    shown = PAPER.content["questions"][number]
    kind = shown["kind"]
    if kind in {"numeric", "text", "essay"}:
        return {"value": None if answer == NOTHING else answer}
    texts = ["true", "false"] if kind == "true-false" else [each["text"] for each in shown[MEMBERS[kind]]]
    parts = [] if answer == NOTHING else answer.split(", ")
    if kind == "matching":
        pairs = (part.split(": ") for part in parts)
        return {"pairs": {str(texts.index(stem)): shown["targets"].index(target) for stem, target in pairs}}
    return {"choices": [texts.index(part) for part in parts]}


def _scores(bodies: dict[int, dict[str, Any]], policy: Policy) -> list[tuple[Fraction, list[Fraction | None]]]:
    """The total and the points by the engine and by the oracle."""
    saved = [(number, parse_answer(PAPER, number, body)) for number, body in bodies.items()]
    engine = core_score(PAPER, KEY, policy, saved)
    contents = {number: parse_content(body, MATCHED.questions[number].kind) for number, body in bodies.items()}
    oracle = score(MATCHED, contents, policy.multiple.value, negative_total=policy.negative_total)
    points = [None if each is None else Fraction(each) for each in engine.points]
    return [(Fraction(engine.total), points), (oracle.total, list(oracle.points))]


@pytest.mark.parametrize(
    ("policy", "question", "answer", "points"),
    [
        *([Policy(), *row] for row in _rows(r"question \| answer \| points")),
        *(
            [Policy(multiple=MultipleRule.PROPORTIONAL), *row]
            for row in _rows(r"question \| proportional answer \| points")
        ),
    ],
)
def test_an_answer_earns_the_points_of_its_example(policy: Policy, question: str, answer: str, points: str) -> None:
    """If I give the answer of an example, engine and oracle give me the points that stand beside it."""
    number = NUMBERS[question]
    expected = None if points == NOTHING else Fraction(points)
    for _, earned in _scores({number: _body(number, answer)}, policy):
        assert earned[number] == expected


@pytest.mark.parametrize(("answers", "total", "negative"), _rows(r"answers \| total \| with a negative total"))
def test_answers_earn_the_total_of_their_example(answers: str, total: str, negative: str) -> None:
    """If I give the answers of an example, engine and oracle give me its total under both policies."""
    named = (part.split(" ", 1) for part in answers.split("; "))
    bodies = {NUMBERS[name]: _body(NUMBERS[name], answer) for name, answer in named}
    for negative_total, expected in ((False, total), (True, negative)):
        for found, _ in _scores(bodies, Policy(negative_total=negative_total)):
            assert found == Fraction(expected)


ORDERS = re.findall(r"^\| rule \| ((?:[A-D] ?)+(?: \| (?:[A-D] ?)+)*) \|$", TEXT, re.MULTILINE)[0].split(" | ")


@pytest.mark.parametrize(
    ("rule", "order", "per_cent"),
    [
        (rule, order, per_cent)
        for rule, *shares in _rows("rule \\| " + " \\| ".join(ORDERS))
        for order, per_cent in zip(ORDERS, shares, strict=True)
    ],
)
def test_an_order_earns_the_share_of_its_example(rule: str, order: str, per_cent: str) -> None:
    """If I put items in the order of an example, engine and oracle find the share that stands beside it."""
    places = ["ABCD".index(item) for item in order.split()]
    for share in (share_of(OrderingRule(rule), places), order_share(rule, places)):
        assert int(share * 100 + Fraction(1, 2)) == int(per_cent)


def test_the_examples_cover_every_rule_and_question() -> None:
    """If there is a rule, it has an example; if the document has a question, an example answers it."""
    assert {row[0] for row in _rows(r"question \| answer \| points")} == NUMBERS.keys()
    assert {row[0] for row in _rows(r"rule \| the share")} == set(OrderingRule)
    assert {row[0] for row in _rows("rule \\| " + " \\| ".join(ORDERS))} == set(OrderingRule)
    assert {tuple("ABCD".index(item) for item in order.split()) for order in ORDERS} <= set(permutations(range(4)))
