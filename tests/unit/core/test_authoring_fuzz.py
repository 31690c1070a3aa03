"""Random documents: each is read completely or rejected with a Problem."""

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from exam_core.answer_value import AnswerValue, mask_of
from exam_core.authoring.exam import AcceptedImage, ExamDocument, read_exam
from exam_core.images import ImageRef
from exam_core.numbers import decimal_text
from exam_core.paper import freeze, plain_text
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.choices import ChoicesKey
from exam_core.questions.model import KeyHalf
from exam_core.questions.numeric import NumericKey
from exam_core.scoring import Policy, score
from exam_core.validation import count_fault, question_faults

GOOD = """\
exam: algebra-101
title: Algebra 101
level: year-1
questions:
  - id: one
    kind: single
    text: "One?"
    image: QUJD
    choices:
      - {id: a, text: "1", correct: true}
      - {id: b, text: "2"}
  - id: some
    kind: multiple
    weight: 1.50
    max_choices: 2
    text: Which?
    choices:
      - {id: a, text: "1", correct: yes}
      - {id: b, image: QUJD, correct: false}
      - {id: c, text: "3", correct: TRUE}
  - id: many
    kind: numeric
    text: |
      How many?
    answer: {value: "3,14", tolerance: 0.01}
"""
SYNTAX_FRAGMENTS = (
    *("&a", "*a", "<<:", "!x", "!!bool", "? ", "- ", ": ", "{", "}", "[", "]", "'", '"', "|", ">", "#", "%", "@", "`"),
    *("---", "...", "\n", "\t", "\r\n", "\x00", "\x85", "\ud800", "\ufeff", "é", "٣", "\\U00110000", "\\ud800", "\\0"),
    *("null", "~", "true", "maybe", "1e999", "-0", ".inf", "NaN", "1_0", "0x1F", "2026-01-01", "=", "9" * 40),
    *("id", "kind", "text", "choices", "answer", "value", "single", "numeric", "[[[[[[[[[[[[[[[[[[[[[[[["),
)
LINES = GOOD.splitlines(keepends=True)
KEYS = (
    "exam",
    "title",
    "level",
    "questions",
    "id",
    "kind",
    "text",
    "weight",
    "choices",
    "correct",
    "answer",
    "value",
    "x",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.dates()
    | st.binary(max_size=3)
    | st.sampled_from(("single", "multiple", "numeric", "1", "a", "3,14", "QUJD"))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=6,
)


def accept_image(data: bytes) -> AcceptedImage:
    """Accept every image of three bytes."""
    if len(data) != 3:
        raise ValueError("it is not an image")
    ref = ImageRef(sha256=hashlib.sha256(data).hexdigest(), type="image/png", width=1, height=1)
    return AcceptedImage(ref, data)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """The valid document after random edits."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        line = lines[place]
        column = draw(st.integers(0, len(line)))
        edit = draw(st.sampled_from(("insert", "replace", "cut", "delete", "repeat", "move", "indent")))
        if edit == "insert":
            lines[place] = line[:column] + draw(st.sampled_from(SYNTAX_FRAGMENTS)) + line[column:]
        elif edit == "replace":
            lines[place] = line.split(":", maxsplit=1)[0] + ": " + draw(st.sampled_from(SYNTAX_FRAGMENTS)) + "\n"
        elif edit == "cut":
            lines[place] = line[:column]
        elif edit == "delete":
            lines[place] = ""
        elif edit == "repeat":
            lines[place] = line * 2
        elif edit == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
        else:
            lines[place] = "  " + line
    return "".join(lines)


@st.composite
def trees(draw: st.DrawFn) -> str:
    """The valid document with random parts replaced, removed or repeated."""
    root = yaml.safe_load(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        parts = list(_containers(root))
        part = parts[draw(st.integers(0, len(parts) - 1))]
        places = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not places:
            continue
        place = draw(st.sampled_from(places))
        if draw(st.booleans()):
            part[place] = draw(VALUES)
        elif isinstance(part, dict):
            del part[place]
        else:
            part.append(part[place])
    return yaml.dump(
        root, allow_unicode=draw(st.booleans()), default_flow_style=draw(st.sampled_from((None, True, False)))
    )


def _containers(node: Any) -> Any:
    if isinstance(node, dict | list):
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from _containers(child)


@settings(max_examples=150)
@given(texts())
def test_random_edits_give_an_exam_or_faults(text: str) -> None:
    """Whatever I edit in my document, I get an exam, or lines and reasons."""
    check_outcome(text)


@settings(max_examples=150)
@given(trees())
def test_random_values_give_an_exam_or_faults(text: str) -> None:
    """Whatever value stands in any place, I get an exam, or lines and reasons."""
    check_outcome(text)


MARK = "Tenochtitlan"


def refusal(text: str) -> str:
    """All that is said about a rejected document; empty for a valid one."""
    try:
        read_exam(text, accept_image)
    except Problem as refused:
        return json.dumps(refused.body())
    return ""


@settings(max_examples=300)
@given(st.data())
def test_faults_quote_nothing_of_the_document(data: st.DataObject) -> None:
    """Whatever I mistype, and wherever, the faults do not quote it: others read them who may not know the key."""
    marked = data.draw(st.sampled_from((MARK, f"*{MARK}", f"&{MARK} x", f"!{MARK} x", f"!{MARK}!x y", f"{MARK}: x")))
    quoted = data.draw(st.sampled_from((marked, f'"{MARK}', f"'{MARK}", f"- {MARK}", f"{{{MARK}", f"%TAG !{MARK}! a")))
    lines = list(LINES)
    place = data.draw(st.integers(0, len(lines) - 1))
    line = lines[place]
    words = [0, *(match.start() for match in re.finditer(r"(?<=[ {])\S", line))]
    column = data.draw(st.sampled_from(words))
    rest = data.draw(st.sampled_from(("\n", line[column:])))
    lines[place] = line[:column] + quoted + rest
    assert MARK not in refusal("".join(lines))


@given(st.text(st.characters(), max_size=40) | st.text(st.sampled_from("".join(SYNTAX_FRAGMENTS)), max_size=40))
def test_random_text_gives_faults(text: str) -> None:
    """A file that is no document at all is rejected with a Problem."""
    check_outcome(text)


def check_outcome(text: str) -> None:
    """Check the invariant of every document: it is read or rejected with a Problem."""
    try:
        document = read_exam(text, accept_image)
    except Problem as refused:
        outcome: ExamDocument | Problem = refused
    else:
        outcome = document
    if isinstance(outcome, Problem):
        check_faults(outcome, text)
    else:
        check_exam(outcome)


def check_faults(problem: Problem, text: str) -> None:
    """Check that faults have lines of the document and short reasons."""
    assert problem.kind is ProblemKind.PAPER_INVALID
    faults = problem.extra["faults"]
    assert isinstance(faults, list)
    assert faults
    # YAML has several line separators, and the end of a document is the line after its last.
    last = len(text.splitlines()) + 2
    for fault in faults:
        assert 1 <= fault["line"] <= last
        assert 0 < len(fault["reason"]) < 400


def check_exam(document: ExamDocument) -> None:
    """Check that an accepted exam can be frozen, stored and answered correctly."""
    paper, key = freeze(document.exam, range, plain_text)
    paper.body.decode()
    assert b"\\u0000" not in paper.body
    questions = document.exam.questions
    assert len({question.id for question in questions}) == len(questions) >= 1
    for question in questions:
        assert len({item.id for item in question.interaction.items}) == len(question.interaction.items)
    assert [fault for question in questions for fault in question_faults(question)] == []
    assert count_fault(len(questions)) is None
    assert paper.images == document.images.keys()
    best = [best_answer(entry.half) for entry in key.entries(paper)]
    answered = [(number, answer) for number, answer in enumerate(best) if answer is not None]
    result = score(paper, key, Policy(), answered)
    for number, answer in answered:
        assert not answer.blank
        points = result.points[number]
        assert points is not None
        assert 0 <= points <= paper.questions[number].weight


def best_answer(half: KeyHalf) -> AnswerValue | None:
    """An answer that earns something, None for kinds without an obvious one."""
    if isinstance(half, ChoicesKey):
        best = max(half.credits)
        return AnswerValue(choice=mask_of([half.credits.index(best)]))
    if isinstance(half, NumericKey):
        (interval, _), *_ = half.accepted
        return AnswerValue(value=decimal_text(Decimal(int(interval.low or 0))))
    return None
