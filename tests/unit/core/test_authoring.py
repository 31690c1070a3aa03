"""Exam documents: valid ones are read, invalid ones rejected with every fault, its line and reason."""

import base64
import hashlib
from decimal import Decimal
from fractions import Fraction

import pytest

from exam_core.authoring.exam import AcceptedImage, read_exam
from exam_core.documents import MAX_DEPTH, MAX_DOCUMENT, MAX_FAULTS, decode
from exam_core.images import ImageRef
from exam_core.problems import Problem, ProblemKind
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice
from exam_core.questions.numeric import Near, Numeric
from exam_core.review import Review
from exam_core.scoring import MultipleRule, Policy

IMAGE = base64.b64encode(b"a picture").decode()


def accept_image(data: bytes) -> AcceptedImage:
    """Accept every image except an empty one."""
    if not data:
        raise ValueError("it is empty")
    ref = ImageRef(sha256=hashlib.sha256(data).hexdigest(), type="image/png", width=1, height=1)
    return AcceptedImage(ref, data)


def faults(text: str) -> list[tuple[int, str]]:
    """Return the faults of a document as (line, reason)."""
    with pytest.raises(Problem) as refused:
        read_exam(text, accept_image)
    assert refused.value.kind is ProblemKind.PAPER_INVALID
    members = refused.value.extra["faults"]
    assert isinstance(members, list)
    listed = [(fault["line"], fault["reason"]) for fault in members]
    assert "; ".join(f"line {line}: {reason}" for line, reason in listed) == refused.value.detail
    return listed


GOOD = f"""\
exam: algebra-101
title: Algebra 101
level: year-1
instructions: Answer all.
questions:
  - id: one
    kind: single
    text: "One?"
    image: {IMAGE}
    choices:
      - {{id: a, text: "1", correct: true}}
      - {{id: b, text: "2"}}
  - id: some
    kind: multiple
    weight: 1.50
    max_choices: 2
    text: Which?
    choices:
      - {{id: a, text: "1", correct: yes}}
      - {{id: b, image: {IMAGE}, correct: false}}
      - {{id: c, text: "3", correct: TRUE}}
  - id: many
    kind: numeric
    weight: 0
    text: |
      How many?
      Really.
    answer: {{value: "3,14", tolerance: 0.01}}
"""


def test_a_valid_document_is_read() -> None:
    """Every field that I wrote is in the exam, and nothing else."""
    document = read_exam(GOOD, accept_image)
    one, some, many = document.exam.questions
    assert (document.exam.slug, document.exam.title, document.level) == ("algebra-101", "Algebra 101", "year-1")
    assert document.exam.instructions == "Answer all."
    assert [question.id for question in document.exam.questions] == ["one", "some", "many"]
    assert [question.weight for question in document.exam.questions] == [1, Decimal("1.5"), 0]
    accepted = accept_image(b"a picture")
    right, wrong = Fraction(1), Fraction(0)
    assert one.interaction == SingleChoice(
        choices=(Choice(id="a", text="1", credit=right), Choice(id="b", text="2", credit=wrong))
    )
    assert some.interaction == MultipleChoice(
        choices=(
            Choice(id="a", text="1", credit=right),
            Choice(id="b", text="", credit=wrong, image=accepted.ref),
            Choice(id="c", text="3", credit=right),
        ),
        max_choices=2,
    )
    assert many.interaction == Numeric(accepted=(Near(value=Fraction("3.14"), tolerance=Fraction("0.01")),))
    assert (many.text, one.image) == ("How many?\nReally.\n", accepted.ref)
    assert document.images == {accepted.ref.sha256: accepted}


@pytest.mark.parametrize(
    ("scoring", "policy"),
    [
        ("", None),
        ("scoring: {}\n", Policy()),
        ("scoring: {multiple: proportional}\n", Policy(multiple=MultipleRule.PROPORTIONAL)),
        ("scoring: {negative_total: true}\n", Policy(negative_total=True)),
    ],
)
def test_a_document_may_name_the_scoring_policy(scoring: str, policy: Policy | None) -> None:
    """If my document has `scoring`, a rule that it leaves out has its default; without it, no policy is named."""
    assert read_exam(changed("level:", f"{scoring}level:"), accept_image).scoring == policy


def test_a_document_may_name_the_review_policy() -> None:
    """If my document says what students may see afterwards, it is read; without it, none is named."""
    assert read_exam(GOOD, accept_image).review is None
    assert read_exam(changed("level:", "review: degree\nlevel:"), accept_image).review is Review.DEGREE


def changed(old: str, new: str, *, times: int = 1) -> str:
    """Return the valid document with a change."""
    assert old in GOOD
    return GOOD.replace(old, new, times)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        # Document
        ("", 1, "the document is empty"),
        ("# nothing", 1, "the document is empty"),
        ("x" * (MAX_DOCUMENT + 1), 1, "longer than"),
        ("[]", 1, "expected a mapping"),
        ("a: b: c", 1, "not YAML"),
        ("exam: a\n---\nexam: b\n", 2, "not YAML"),
        (changed("Answer all.", "\x07"), 4, "U+0007"),
        (changed("level", "\x00level"), 3, "U+0000"),
        (changed("Algebra 101", "\ud800"), 2, "U+D800"),
        (
            changed("title: Algebra 101", "titel: Algebra 101"),
            2,
            "this member is not known here; known are attempts, exam",
        ),
        (changed("title: Algebra 101", "[title]: Algebra 101"), 2, "this member is not known here"),
        (changed("title: Algebra 101", "? {a: b}\n: c"), 2, "this member is not known here"),
        (changed("level: year-1\n", ""), 1, "'level' is missing"),
        (changed("level:", "scoring: proportional\nlevel:"), 3, "expected a mapping with multiple, negative_total"),
        (changed("level:", "scoring: {multiple: half}\nlevel:"), 3, "multiple is not one of all-or-nothing, prop"),
        (changed("level:", "scoring: {negative_total: 1}\nlevel:"), 3, "negative_total must be true or false"),
        (changed("level:", "scoring: {floor: 0}\nlevel:"), 3, "known are multiple, negative_total"),
        (changed("level:", "review: all\nlevel:"), 3, "review is not one of nothing, degree, points, paper, key"),
        (changed("level: year-1", "exam: again"), 3, "'exam' is given twice"),
        (changed("level: year-1", "<<: {level: year-1}"), 3, "this member is not known here"),
        # Unsupported YAML
        (changed("Answer all.", "*anchor"), 4, "an alias is not supported"),
        ("a: &a [*a]", 1, "an alias is not supported"),
        (changed("Answer all.", "!env HOME"), 4, "this tag is not known here"),
        (changed("Answer all.", "!!python/name:os.system x"), 4, "is not known here"),
        ("[" * (MAX_DEPTH + 1), 1, "levels of nesting"),
        ("[" * 100_000, 1, "levels of nesting"),
        ("- " * 5_000, 1, "levels of nesting"),
        (changed("Answer all.", '"\\U00110000"'), 4, "too large"),
        (changed("Answer all.", '"\\UFFFFFFFF"'), 4, "too large"),
        (f"%YAML 1.{'1' * 5_000}\n--- a", 1, "too large"),
        # Texts and names
        (changed("Answer all.", '"\\0"'), 4, "instructions has the character U+0000"),
        (changed("Answer all.", '"\\ud800"'), 4, "instructions has the character U+D800"),
        (changed("Answer all.", '"\\ud83d\\ude00"'), 4, "by itself: write the character itself, or all of it like"),
        (changed("Answer all.", '"\\e[31m"'), 4, "instructions has the character U+001B"),
        (changed("Answer all.", "x" * 10_001), 4, "instructions is longer than 10000"),
        (changed("Answer all.", ""), 4, "instructions must not be empty"),
        (changed("Algebra 101", "null"), 2, "title must not be empty"),
        (changed("Algebra 101", "[a]"), 2, "title must be a single value"),
        (changed("Algebra 101", "x" * 201), 2, "title is longer than 200"),
        (changed("algebra-101", "Algebra"), 1, "exam must be small letters"),
        (changed("algebra-101", "a" * 51), 1, "at most 50"),
        (changed("year-1", "jahr-é"), 3, "level must be small letters"),
        (changed("id: one", "id: -one"), 6, "a question's id must be letters"),
        (changed("id: one", "id: [one]"), 6, "a question's id must be a single value"),
        (changed("id: some", "id: one"), 13, "duplicate question id: the first is on line 6"),
        (changed("{id: b, text", "{id: a, text"), 12, "duplicate choice id: the first is on line 11"),
        # Questions
        (changed("  - id: one", "  - one\n  - id: one"), 6, "expected a mapping with id, kind, text"),
        (changed("    kind: single\n", ""), 6, "'kind' is missing"),
        (changed("kind: single", "kind: drawing"), 7, "kind is not one of single, true-false, multiple, numeric"),
        (changed("kind: single", "kind: [single]"), 7, "kind must be a single value"),
        (changed('text: "One?"', "text: [One]"), 8, "text must be a single value"),
        (changed('text: "One?"', "text:"), 8, "text must not be empty"),
        (changed("weight: 1.50", "weight: 1.501"), 15, "weight has at most 2 decimal places"),
        (changed("weight: 1.50", "weight: 1001"), 15, "weight must be from 0 to 1000"),
        (changed("weight: 1.50", "weight: -1"), 15, "weight must be from 0 to 1000"),
        (changed("weight: 1.50", "weight: .nan"), 15, "weight is not a number"),
        (changed("weight: 1.50", "weight: heavy"), 15, "weight is not a number"),
        (changed(f"image: {IMAGE}", "image: '%%%'"), 9, "the image is not usable"),
        (changed(f"image: {IMAGE}", "image: é"), 9, "the image is not usable"),
        (changed(f"image: {IMAGE}", "image: {a: b}"), 9, "image must be a single value"),
        # Choices
        (changed('      - {id: b, text: "2"}\n', ""), 11, "question one needs 2 to 26 choices and has 1"),
        (changed(", correct: true}", "}"), 11, "question one has no key: mark a choice as correct"),
        (
            changed('{id: b, text: "2"}', '{id: b, text: "2", credit: 0.3333333333333}'),
            12,
            "has too many places: write a",
        ),
        (
            changed('{id: b, text: "2"}', '{id: b, text: "2", credit: half}'),
            12,
            "credit is neither a fraction like 1/3",
        ),
        (changed("correct: true}", "correct: true, credit: 1}"), 11, "either correct or credit, not both"),
        (changed('{id: b, text: "2"}', "{id: b}"), 12, "question one has choice b with neither text nor image"),
        (
            changed('{id: b, text: "2"}', '{id: b, text: "1 "}'),
            12,
            "has choices a and b that look the same",
        ),
        (changed("correct: true}", "correct: 1}"), 11, "correct must be true or false"),
        (changed("correct: true}", "correct: [true]}"), 11, "correct must be a single value"),
        (changed("correct: true}", "correct: !!bool maybe}"), 11, "correct must be true or false"),
        (changed("max_choices: 2", "max_choices: 1"), 16, "question some has max_choices 1: it must be at least 1"),
        (changed("max_choices: 2", "max_choices: 4"), 16, "question some has max_choices 4: it must be at least 1"),
        (changed("max_choices: 2", "max_choices: ٢"), 16, "max_choices must be a whole number"),
        (changed("max_choices: 2", f"max_choices: {'2' * 5_000}"), 16, "max_choices must be a whole number"),
        (
            changed("max_choices: 2", "answer: {value: 1}"),
            16,
            "a question of kind multiple has no 'answer'; it can have cap, choices, floor, max_choices, rule",
        ),
        # Numeric questions
        (
            changed('    answer: {value: "3,14", tolerance: 0.01}\n', ""),
            22,
            "question many has no key",
        ),
        (changed('value: "3,14", ', ""), 28, "'value' is missing"),
        (changed('answer: {value: "3,14", tolerance: 0.01}', "answer: 3.14"), 28, "expected a mapping with value"),
        (changed('"3,14"', "pi"), 28, "value is not a number"),
        (changed('"3,14"', "[3]"), 28, "value must be a single value"),
        (changed('"3,14"', "1e22"), 28, "value has more than 22 digits before the point"),
        (changed('"3,14"', "0.0000000000001"), 28, "value has more than 12 decimal places"),
        (changed('"3,14"', "1e999999999999999999999"), 28, "value is beyond 10^±100"),
        (changed('"3,14"', '"3,141"'), 28, "value can be read in two ways: leave out the comma"),
        (changed('"3,14"', '"٣3"'), 28, "value mixes digits of several scripts"),
        (changed("0.01", "-0.01"), 28, "tolerance must not be negative"),
        (changed("0.01", "close"), 28, "tolerance is not a number"),
        (changed("0.01", "null"), 28, "tolerance must not be empty"),
        (
            changed("    weight: 0\n", "    choices: []\n"),
            24,
            "a question of kind numeric has no 'choices'; it can have accepted",
        ),
        (
            changed("    max_choices: 2\n", "    max_choices: 2\n    floor: 1\n"),
            17,
            "question some has a floor that is not from -1 to 0",
        ),
    ],
)
def test_a_fault_has_its_line_and_reason(text: str, line: int, reason: str) -> None:
    """Every fault is reported with its line and a reason that I can act on."""
    listed = faults(text)
    assert any(at == line and reason in message for at, message in listed), listed


def test_a_single_fault_is_reported_once() -> None:
    """One mistake gives one message."""
    for text in (changed("Algebra 101", "null"), changed("kind: single", "kind: drawing"), changed("0.01", "close")):
        assert len(faults(text)) == 1


def test_all_faults_are_reported_in_order_of_lines() -> None:
    """I can correct all faults in one pass."""
    text = (
        GOOD.replace("kind: single", "kind: drawing").replace("weight: 1.50", "weight: x").replace("year-1", "Year 1")
    )
    assert [line for line, _ in faults(text)] == [3, 7, 15]


def test_the_list_of_faults_is_limited() -> None:
    """A document with very many faults still gives a readable message."""
    listed = faults("questions: [" + "x, " * 400 + "]")
    assert len(listed) == MAX_FAULTS + 1
    assert listed[-1][1].startswith("and 303 more")


def test_too_many_questions_are_rejected() -> None:
    """The number of questions is limited."""
    question = "  - {id: q%d, kind: numeric, text: 'How many?', answer: {value: 1}}\n"
    text = "exam: a\ntitle: A\nlevel: b\nquestions:\n" + "".join(question % n for n in range(501))
    assert faults(text) == [(5, "the exam needs 1 to 500 questions and has 501")]
    assert len(read_exam(text.replace(question % 500, ""), accept_image).exam.questions) == 500


def test_an_alias_bomb_is_rejected_unexpanded() -> None:
    """Ten lines that would expand to billions of nodes are rejected at the first alias."""
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert faults("\n".join(lines)) == [(2, "not YAML: an alias is not supported: write it out")]


MOODLE = '<?xml version="1.0"?>\n<quiz><question type="truefalse"/></quiz>'
GIFT = "::diagonal:: How long is it? {\n=1.4\n~1.5\n}\n"
GIFT_NUMERIC = "How long is the diagonal of a unit square? {#1.414:0.001}"
AIKEN = "Which way is up?\nA) north\nB) south\nANSWER: A\n"


@pytest.mark.parametrize(("text", "name"), [(MOODLE, "XML"), (GIFT, "GIFT"), (GIFT_NUMERIC, "GIFT"), (AIKEN, "Aiken")])
def test_a_document_of_another_program_is_named(text: str, name: str) -> None:
    """If I import questions in the format of another program, the error names it, and what is read instead."""
    ((line, reason),) = faults(text)
    assert line == 1
    assert name in reason
    assert "docs/papers.md" in reason


def test_braces_and_angle_brackets_in_a_faulty_document_are_not_taken_for_a_format() -> None:
    """If my YAML has a fault, its line is shown, whatever my questions contain."""
    text = GOOD.replace("One?", "Is {x | x < 3} a set? <b> {=} {#1}").replace("kind: single", "kind: sinlge")
    assert all("YAML as docs" not in reason for _, reason in faults(text))
    ((line, reason),) = faults(text.replace("title: Algebra 101", "title: 'Algebra 101"))
    assert "YAML as docs" not in reason
    assert line > 1


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        ("exam: a\n".encode("utf-16"), 1, "UTF-16"),
        ("exam: a\ntitle: Größe".encode("latin-1"), 2, "not UTF-8 at byte 18"),
        (b"PK\x03\x04\xff\xfe", 1, "ZIP"),
    ],
)
def test_a_document_in_another_encoding_is_refused(data: bytes, line: int, reason: str) -> None:
    """If my editor saved another encoding than UTF-8, the error names the place and what to do."""
    with pytest.raises(Problem) as refused:
        decode(data)
    assert refused.value.detail.startswith(f"line {line}: ")
    assert reason in refused.value.detail


def test_a_byte_order_mark_is_accepted() -> None:
    """Some editors begin UTF-8 with a byte order mark; it is not part of the document."""
    assert decode(b"\xef\xbb\xbfexam: a") == "exam: a"
