"""The sample papers and the documentation's example: valid, with correct keys."""

import hashlib
import math
import re
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from exam_core.authoring.exam import AcceptedImage, ExamDocument, read_exam
from exam_core.images import ImageRef
from exam_core.paper import QuestionKind, freeze
from exam_harness.environments.processes.paths import REPOSITORY

PAPERS = REPOSITORY / "k8s/samples/papers"
DESCRIPTION = REPOSITORY / "docs/papers.md"


def png(data: bytes) -> AcceptedImage:
    """Describe a small PNG by its header."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) < 8_192
    width, height = (int.from_bytes(data[at : at + 4]) for at in (16, 20))
    ref = ImageRef(sha256=hashlib.sha256(data).hexdigest(), type="image/png", width=width, height=height)
    return AcceptedImage(ref, data)


def sample(name: str) -> ExamDocument:
    """A sample paper."""
    return read_exam((PAPERS / f"{name}.yaml").read_text(), png)


def plain(text: str) -> str:
    """Replace the typographic minus sign."""
    return text.replace("\N{MINUS SIGN}", "-")


POWERS = {"4³": 4**3, "8²": 8**2, "16²": 16**2, "2 · 32": 2 * 32, "2 · 6": 2 * 6}
ALGEBRA = {
    "linear-equation": {f"x = {x}" for x in range(9) if 3 * x - 7 == 11},
    "slope": Fraction(11 - 2, 4 - 1),
    "expand": {"x² - 2x - 15"} if all((x + 3) * (x - 5) == x * x - 2 * x - 15 for x in range(9)) else set(),
    "roots": {text for text in ("1", "2", "3", "6", "-1") if int(text) ** 2 - 5 * int(text) + 6 == 0},
    "discriminant": Fraction((-4) ** 2 - 4 * 2 * 1),
    "parabola-vertex": {f"({x}, {y})" for y, x in [min((x * x - 2 * x - 3, x) for x in range(-9, 9))]},
    "triangle-leg": next(Fraction(x) for x in range(1, 10) if x**2 + (x + 2) ** 2 == 10**2),
    "simplify": {"x + 3"} if all(x * x - 9 == (x - 3) * (x + 3) for x in range(9)) else set(),
    "two-equations": {f"x = {x}, y = {7 - 2 * x}" for x in range(9) if x - (7 - 2 * x) == 2},
    "exponent": Fraction(int(math.log2(32))),
    "powers-of-two": {text for text, power in POWERS.items() if power == 2**6},
    "inequality": {"x < -3"} if all((-2 * x + 4 > 10) is (x < -3) for x in range(-9, 9)) else set(),
    "square-root": Fraction(math.sqrt(2)),
    "factor": {"(x + 3)(x + 4)"} if all((x + 3) * (x + 4) == x * x + 7 * x + 12 for x in range(9)) else set(),
    "straight-lines": {"y = 2x - 1", "y = x / 3", "y = 5 - x"},
    "function-value": Fraction(2 * (-2) ** 2 - 3 * (-2) + 1),
    "sum-of-roots": {str(12 // 3)},
    "arithmetic-sequence": Fraction(range(4, 1_000, 3)[19]),
    "absolute-value": {text for text in ("-2", "-1", "0", "5", "6") if abs(int(text) - 2) <= 3},
    "rise-and-fall": Fraction("1.2") * Fraction("0.8"),
}
SIDES = ("5, 12, 13", "4, 5, 6", "8, 15, 17", "6, 8, 12", "7, 24, 25")
GEOMETRY = {
    "hexagon": {f"{(6 - 2) * 180}°"},
    "circle-area": Fraction(math.pi * 3**2),
    "parallel-sides": {"Parallelogram", "Rectangle", "Rhombus"},
    "distance": Fraction(int(math.hypot(2 - -1, 6 - 2))),
    "cone": {"1/3"},
    "thales": {"90°"},
    "third-angle": Fraction(180 - 35 - 65),
    "pythagorean-triples": {
        sides for sides in SIDES for a, b, c in [map(int, sides.split(", "))] if a * a + b * b == c * c
    },
}


@pytest.mark.parametrize(
    ("name", "level", "solved"), [("algebra-101", "year-1", ALGEBRA), ("geometry-201", "year-2", GEOMETRY)]
)
def test_the_keys_of_the_samples_are_correct(name: str, level: str, solved: dict[str, set[str] | Fraction]) -> None:
    """Correct solutions of the sample exams earn the maximum."""
    document = sample(name)
    assert (document.exam.slug, document.level) == (name, level)
    assert [question.id for question in document.exam.questions] == list(solved)
    for question in document.exam.questions:
        ident, expected = question.id, solved[question.id]
        if isinstance(expected, Fraction):
            assert question.value is not None, ident
            difference = abs(Fraction(question.value) - expected)
            # If digits were truncated, the tolerance is far larger than the truncation.
            assert difference == 0 or 10 * difference < Fraction(question.tolerance), ident
        else:
            assert {plain(choice.text) for choice in question.choices if choice.correct} == expected, ident


def test_the_samples_use_every_feature() -> None:
    """The samples use all kinds, weights, images, and a tolerance of two decimal places."""
    algebra, geometry = sample("algebra-101"), sample("geometry-201")
    assert [len(document.exam.questions) for document in (algebra, geometry)] == [20, 8]
    for document in (algebra, geometry):
        assert {question.kind for question in document.exam.questions} == set(QuestionKind)
    assert sum(question.image is not None for question in algebra.exam.questions) == len(algebra.images) == 2
    assert freeze(algebra.exam, range)[0].images == algebra.images.keys()
    root = next(question for question in algebra.exam.questions if question.id == "square-root")
    assert root.value is not None
    assert [abs(root.value - Decimal(answer)) <= root.tolerance for answer in ("1.41", "1.4142", "1.4", "1.42")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_documented_example_is_valid() -> None:
    """The example that I copy from the documentation works."""
    [example] = re.findall(r"```yaml\n(.*?)```", DESCRIPTION.read_text(), re.DOTALL)
    document = read_exam(example, png)
    assert document.exam.slug == "fractions-101"
    assert [question.kind for question in document.exam.questions] == list(QuestionKind)
    assert [question.weight for question in document.exam.questions] == [1, 2, Decimal("1.5")]


def test_the_documentation_lists_every_field() -> None:
    """Every field that the reader accepts is documented."""
    text = DESCRIPTION.read_text()
    sections = [text.index(f"## {title}\n") for title in ("The exam", "A question", "A choice", "YAML subset")]
    tables = [set(re.findall(r"^\| `(\w+)` \|", text[start:end], re.MULTILINE)) for start, end in pairwise(sections)]
    assert tables == [
        {"exam", "title", "level", "instructions", "attempts", "questions"},
        {"id", "kind", "text", "weight", "image", "choices", "max_choices", "answer"},
        {"id", "text", "image", "correct"},
    ]
