"""The sample papers and the documentation's examples: valid, with correct keys."""

import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from exam_core.answers import parse_answer
from exam_core.authoring.exam import AcceptedImage, ExamDocument, read_exam
from exam_core.authoring.interactions import MEMBERS
from exam_core.images import ImageRef
from exam_core.paper import Paper, freeze, plain_text
from exam_core.questions.choices import MultipleChoice
from exam_core.questions.model import KindName
from exam_core.questions.notation import parse_accepted
from exam_core.questions.numeric import Between, Numeric
from exam_core.scoring import Policy, score
from exam_core.sections import section_faults
from exam_core.validation import count_fault, question_faults
from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.oracle.document import read_document as read_plainly
from exam_harness.oracle.paper import match_paper
from exam_harness.scenarios.sitting.samples import read_samples

PAPERS = REPOSITORY / "k8s/samples/papers"
DESCRIPTION = REPOSITORY / "docs/papers.md"
HEAD = "exam: example\ntitle: Example\nlevel: year-1\n"


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
STEPS: dict[str, Callable[[int], bool]] = {
    "x² - 6x = -5": lambda x: x * x - 6 * x == -5,
    "x² - 6x + 9 = 4": lambda x: x * x - 6 * x + 9 == 4,
    "(x - 3)² = 4": lambda x: (x - 3) ** 2 == 4,
    "x - 3 = 2 or x - 3 = -2": lambda x: x - 3 in {2, -2},
    "x = 5 or x = 1": lambda x: x in {5, 1},
}
ALGEBRA: dict[str, Any] = {
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
    "inequality": all((-2 * x + 4 > 10) is (x < -3) for x in range(-9, 9)),
    "square-root": Fraction(math.sqrt(2)),
    "factor": {4: "four"}[12 // 3],
    "straight-lines": {"y = 2x - 1", "y = x / 3", "y = 5 - x"},
    "function-value": Fraction(2 * (-2) ** 2 - 3 * (-2) + 1),
    "sum-of-roots": {str(12 // 3)},
    "arithmetic-sequence": Fraction(range(4, 1_000, 3)[19]),
    "completing-the-square": [step for step, holds in STEPS.items() if {x for x in range(-9, 9) if holds(x)} == {1, 5}],
    "rise-and-fall": Fraction("1.2") * Fraction("0.8"),
}
SIDES = ("5, 12, 13", "4, 5, 6", "8, 15, 17", "6, 8, 12", "7, 24, 25")
GEOMETRY: dict[str, Any] = {
    "hexagon": {f"{(6 - 2) * 180}°"},
    "circle-area": Fraction(math.pi * 3**2),
    "parallel-sides": {"Parallelogram", "Rectangle", "Rhombus"},
    "distance": Fraction(int(math.hypot(2 - -1, 6 - 2))),
    "thales": {"90°"},
    "third-angle": Fraction(180 - 35 - 65),
    "volumes": {"Cylinder": "π r² h", "Cone": "π r² h / 3", "Sphere": "4 π r³ / 3"},
    "pythagorean-triples": {
        sides for sides in SIDES for a, b, c in [map(int, sides.split(", "))] if a * a + b * b == c * c
    },
    "angle-sum": None,
}


def body_of(shown: dict[str, Any], solution: Any) -> dict[str, Any]:
    """The answer with a solution to a question as the paper shows it."""

    def numbers(member: str) -> dict[str, int]:
        return {plain(each["text"]): number for number, each in enumerate(shown[member])}

    match shown["kind"]:
        case "true-false":
            return {"choices": [0 if solution else 1]}
        case "single" | "multiple":
            return {"choices": [numbers("choices")[text] for text in solution]}
        case "numeric":
            return {"value": str(round(Decimal(solution.numerator) / Decimal(solution.denominator), 6))}
        case "matching":
            stems = numbers("stems")
            return {"pairs": {str(stems[stem]): shown["targets"].index(target) for stem, target in solution.items()}}
        case "ordering":
            return {"order": [numbers("items")[step] for step in solution]}
        case _:
            return {"value": solution or "It is so."}


@pytest.mark.parametrize(
    ("name", "level", "solved"), [("algebra-101", "year-1", ALGEBRA), ("geometry-201", "year-2", GEOMETRY)]
)
def test_the_keys_of_the_samples_are_correct(name: str, level: str, solved: dict[str, Any]) -> None:
    """If I solve a sample exam correctly, I earn all points but those of essays, which are marked by hand."""
    document = sample(name)
    assert (document.exam.slug, document.level) == (name, level)
    assert [question.id for question in document.exam.questions] == list(solved)
    rng = Random(1)
    paper, key = freeze(document.exam, lambda size: rng.sample(range(size), size), plain_text)
    shown = zip(paper.content["questions"], solved.values(), strict=True)
    answers = [(n, parse_answer(paper, n, body_of(each, solution))) for n, (each, solution) in enumerate(shown)]
    for drawn in draws(paper) if paper.draws else [None]:
        result = score(paper, key, Policy(), answers, drawn=drawn)
        for number, (question, points) in enumerate(zip(document.exam.questions, result.points, strict=True)):
            counts = question.interaction.kind is not KindName.ESSAY and (drawn is None or number in drawn)
            assert points == (question.weight if counts else None), question.id
        assert result.maximum == read_plainly((PAPERS / f"{name}.yaml").read_text()).maximum


def draws(paper: Paper) -> list[set[int]]:
    """Every set of questions that a student can get."""
    chosen = itertools.product(*(itertools.combinations(each.questions, each.given) for each in paper.sections))
    return [{number for part in parts for number in part} for parts in chosen]


@pytest.mark.parametrize("name", ["algebra-101", "geometry-201"])
def test_the_samples_have_no_faults_and_no_warnings(name: str) -> None:
    """If I start from a sample, I get no warning about it."""
    questions = sample(name).exam.questions
    assert [fault for question in questions for fault in question_faults(question)] == []
    assert count_fault(len(questions)) is None
    assert list(section_faults(sample(name).exam.sections, [question.weight for question in questions])) == []
    assert [warning for question in questions for warning in question.interaction.warnings()] == []


def test_the_samples_use_every_feature() -> None:
    """If I look for an example of a kind, of weights, images, credits, negative points or sections, there is one."""
    algebra, geometry = sample("algebra-101"), sample("geometry-201")
    assert [len(document.exam.questions) for document in (algebra, geometry)] == [20, 9]
    kinds = Counter(each.interaction.kind for document in (algebra, geometry) for each in document.exam.questions)
    assert set(kinds) == set(KindName)
    assert sum(question.image is not None for question in algebra.exam.questions) == len(algebra.images) == 2
    assert freeze(algebra.exam, range, plain_text)[0].images == algebra.images.keys()
    by_id = {each.id: each.interaction for document in (algebra, geometry) for each in document.exam.questions}
    lines, area = by_id["straight-lines"], by_id["circle-area"]
    assert isinstance(lines, MultipleChoice)
    assert {choice.credit for choice in lines.choices} == {Fraction(1, 3), Fraction(-1, 3)}
    assert isinstance(area, Numeric)
    assert any(isinstance(entry, Between) for entry in area.accepted)
    assert [(each.is_pool, each.shuffle_questions) for each in geometry.exam.sections] == [
        (False, True),
        (True, True),
        (False, False),
    ]
    assert [question.id for question in geometry.exam.questions if question.in_order] == ["hexagon", "thales"]
    assert freeze(geometry.exam, range, plain_text)[0].given == 8


def test_the_quiz_as_code_has_a_pool() -> None:
    """If I look for an exam as code, its sample gives each student one of two questions; the oracle counts as many."""
    [text] = [each.text for each in read_samples() if each.as_code]
    exam = read_exam(text, png).exam
    assert list(section_faults(exam.sections, [question.weight for question in exam.questions])) == []
    paper = freeze(exam, range, plain_text)[0]
    assert [(part.questions, part.draw, part.shuffle) for part in paper.sections] == [
        ((0, 1), None, False),
        ((2, 3), 1, True),
    ]
    document = read_plainly(text)
    assert [document.draw_fault(sorted(drawn)) for drawn in draws(paper)] == ["", ""]
    assert match_paper(document, paper.content).questions == document.questions


def test_the_precision_that_a_sample_asks_for_decides() -> None:
    """If a question asks for two decimal places, 1.41 earns all points, 1.4 half of them, and 1.42 none."""
    exam = sample("algebra-101").exam
    paper, key = freeze(exam, range, plain_text)
    number = [question.id for question in exam.questions].index("square-root")

    def points(value: str) -> Decimal | None:
        return score(paper, key, Policy(), [(number, parse_answer(paper, number, {"value": value}))]).points[number]

    assert [points(value) for value in ("1.41", "1.4142", "1.4", "1.42")] == [1, 1, Decimal("0.5"), 0]


def examples() -> list[str]:
    """The documentation's examples: a whole document, sections, and one question of each kind."""
    return re.findall(r"```yaml\n(.*?)```", DESCRIPTION.read_text(), re.DOTALL)


def test_the_documented_example_is_valid() -> None:
    """If I copy the documentation's document, it is an exam."""
    document = read_exam(examples()[0], png)
    assert document.exam.slug == "fractions-101"
    kinds = [question.interaction.kind for question in document.exam.questions]
    assert kinds == [KindName.SINGLE, KindName.MULTIPLE, KindName.NUMERIC]
    assert [question.weight for question in document.exam.questions] == [1, 2, Decimal("1.5")]


def test_the_documented_sections_are_valid() -> None:
    """If I copy the documentation's sections into a document, one is for all, in its order, and one is a pool."""
    exam = read_exam(HEAD + examples()[1], png).exam
    assert [(each.size, each.is_pool, each.shuffle_questions) for each in exam.sections] == [
        (2, False, False),
        (3, True, True),
    ]
    assert freeze(exam, range, plain_text)[0].given == 4


def test_there_is_a_valid_example_of_each_kind() -> None:
    """If I copy the example of a kind into a document, it is a question without faults that uses the kind's members."""
    used: dict[KindName, set[str]] = {}
    for example in examples()[2:]:
        [question] = read_exam(f"{HEAD}questions:\n{example}", png).exam.questions
        used[question.interaction.kind] = set(re.findall(r"^  (\w+):", example, re.MULTILINE))
    assert list(used) == list(KindName)
    assert used[KindName.MATCHING] >= MEMBERS[KindName.MATCHING]
    assert used[KindName.TRUE_FALSE] >= MEMBERS[KindName.TRUE_FALSE]
    assert used[KindName.NUMERIC] >= MEMBERS[KindName.NUMERIC] - {"answer"}


def table(text: str, heading: str) -> set[str]:
    """The members in the table of a section."""
    section = text.split(f"\n{heading}\n")[1].split("\n#", maxsplit=1)[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_the_documentation_lists_every_field() -> None:
    """If the reader accepts a field, it is documented, for its kind alone."""
    text = DESCRIPTION.read_text()
    exam = {"exam", "title", "level", "instructions", "format", "attempts", "review", "scoring"}
    exam |= {"questions", "sections"}
    assert table(text, "## The exam") == exam
    assert table(text, "## A question") == {"id", "kind", "text", "weight", "image", "format", "shuffle"}
    section = {"id", "title", "instructions", "draw", "shuffle", "questions"}
    assert table(text, "## Sections and pools") == section
    assert table(text, "## A choice, a stem or an item") == {"id", "text", "image", "correct", "credit", "target"}
    assert {kind: table(text, f"### `{kind}`") for kind in KindName} == MEMBERS


def test_the_documented_numbers_are_read() -> None:
    """If I write an accepted number as the documentation shows, it is read."""
    section = DESCRIPTION.read_text().split("\n## Accepted numbers\n")[1].split("\n## ")[0]
    written = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(written) == 9
    assert all(parse_accepted(text).interval for text in written)
