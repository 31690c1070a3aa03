"""``python -m exam_harness.scenarios.bench.regrade``: how long the difference of two revisions takes to compute.

Many students answer a paper of all kinds of questions. Their answers are scored under the first revision and under one
with adjustments, and the degrees are compared: all in one process and one run, so that the seconds can be compared with
each other. The benchmark checks no time.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from exam_core.adjustments.listing import Adjustments
from exam_core.adjustments.model import (
    AcceptNumber,
    AcceptText,
    CreditedStudents,
    GiveFullCredit,
    LeaveOut,
    SetChoiceCredit,
    SetWeight,
)
from exam_core.answer_value import AnswerValue
from exam_core.authored import AuthoredExam, AuthoredQuestion
from exam_core.degree_changes import DegreeChanges, PassMark, degree_changes, question_changes
from exam_core.paper import Key, Paper, freeze, plain_text
from exam_core.questions.choices import Choice, MultipleChoice, SingleChoice
from exam_core.questions.items import Item
from exam_core.questions.matching import Matching, Stem
from exam_core.questions.model import Authored
from exam_core.questions.numeric import Near, Numeric
from exam_core.questions.ordering import Ordering
from exam_core.questions.ordering_rules import OrderingRule
from exam_core.questions.text import AcceptedText, ShortText
from exam_core.scoring import MultipleRule, Policy, Score, Scorer
from exam_harness.environments.processes.paths import REPOSITORY

FOLDER = REPOSITORY / "build/bench-regrade"
PROPORTIONAL = Policy(multiple=MultipleRule.PROPORTIONAL)
KINDS = ("single", "multiple", "numeric", "text", "matching", "ordering")
T = TypeVar("T")
Answers = list[tuple[int, AnswerValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """How long a step took, and how much of it this process computed: a busy machine makes the difference."""

    wall: float
    cpu: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(wall=self.wall + other.wall, cpu=self.cpu + other.cpu)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m exam_harness.scenarios.bench.regrade", description=__doc__)
    parser.add_argument("--students", type=int, default=100_000, help="students with a degree (%(default)s)")
    parser.add_argument("--questions", type=int, default=50, help="questions, at least 6 (%(default)s)")
    options = parser.parse_args(arguments)
    rng = Random(1)
    paper, key = _paper(max(len(KINDS), options.questions), rng)
    attempts = _attempts(paper, options.students, rng)
    first, graded = _timed(lambda: _scored(paper, key, PROPORTIONAL, attempts))
    second, regraded = _timed(lambda: _scored(paper, key, _adjusted(paper), attempts))
    degrees, changes = _timed(
        lambda: degree_changes(*map(_degrees, (graded, regraded)), pass_mark=PassMark(share=Fraction(1, 2)))
    )
    pairs = ((before.points, after.points) for before, after in zip(graded, regraded, strict=True))
    questions, _ = _timed(lambda: question_changes(pairs))
    steps = {
        "score the first revision": first,
        "score the second one": second,
        "compare the degrees": degrees,
        "compare the points of each question": questions,
        "second revision and both comparisons": second + degrees + questions,
    }
    Console().print(_table(steps, changes, options.students, len(paper.questions)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    body = {"moved": len(changes.moved), "seconds": {name: asdict(each) for name, each in steps.items()}}
    (FOLDER / "report.json").write_text(json.dumps(body, indent=2) + "\n")
    return 0


def _timed(run: Callable[[], T]) -> tuple[Seconds, T]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return Seconds(wall=time.perf_counter() - wall, cpu=time.process_time() - cpu), result


def _scored(paper: Paper, key: Key, policy: Policy, attempts: Sequence[Answers]) -> list[Score]:
    shared = Scorer(paper, key, policy)
    return [shared.score(answers) for answers in attempts]


def _degrees(scores: Sequence[Score]) -> dict[int, tuple[Decimal, Decimal]]:
    return {student: (each.total, each.maximum) for student, each in enumerate(scores, start=1)}


def _adjusted(paper: Paper) -> Policy:
    """The policy of the second revision: an adjustment of the first question of most kinds."""
    number = {kind: next(n for n, q in enumerate(paper.questions) if q.half.kind == kind) for kind in KINDS}
    why = "two readings"
    entries = (
        SetChoiceCredit(question=number["single"], choice=1, credit=Fraction(1, 2), reason=why),
        GiveFullCredit(question=number["multiple"], to=CreditedStudents.ANSWERED, reason=why),
        AcceptNumber(question=number["numeric"], answer="10..20", credit=Fraction(1, 3), reason=why),
        AcceptText(question=number["text"], answer="w3", reason=why),
        SetWeight(question=number["matching"], weight=Decimal("2.5"), reason=why),
        LeaveOut(question=number["ordering"], reason=why),
    )
    return Policy(multiple=MultipleRule.PROPORTIONAL, adjustments=Adjustments(entries))


def _paper(size: int, rng: Random) -> tuple[Paper, Key]:
    questions = tuple(
        AuthoredQuestion(id=f"q{n}", text=f"Question {n}?", interaction=_interaction(KINDS[n % len(KINDS)]))
        for n in range(size)
    )
    exam = AuthoredExam(slug="bench", title="Bench", instructions="", questions=questions)
    return freeze(exam, lambda items: rng.sample(range(items), items), plain_text)


def _interaction(kind: str) -> Authored:
    choices = tuple(Choice(id=f"c{n}", text=f"{n}", credit=Fraction(n < 3)) for n in range(6))
    match kind:
        case "single":
            credits_ = (Fraction(1), Fraction(-1, 4), Fraction(-1, 4), Fraction(1, 3), Fraction(0))
            return SingleChoice(
                choices=tuple(Choice(id=f"c{n}", text=f"{n}", credit=c) for n, c in enumerate(credits_))
            )
        case "multiple":
            return MultipleChoice(choices=choices)
        case "numeric":
            return Numeric(accepted=(Near(value=Fraction(7), tolerance=Fraction(1, 2)), Near(value=Fraction(70))))
        case "text":
            return ShortText(accepted=(AcceptedText(text="w1"), AcceptedText(text="w2", credit=Fraction(1, 2))))
        case "matching":
            return Matching(stems=tuple(Stem(id=f"s{n}", text=f"stem {n}", target=f"target {n}") for n in range(4)))
    return Ordering(items=tuple(Item(id=f"i{n}", text=f"item {n}") for n in range(5)), rule=OrderingRule.PAIRS)


def _attempts(paper: Paper, students: int, rng: Random) -> list[Answers]:
    """Answers of each student to nine questions of ten; numbers and texts are of many spellings."""
    pools = [[(n, _answer(q.half.kind, rng)) for _ in range(500)] for n, q in enumerate(paper.questions)]
    return [[rng.choice(pool) for pool in pools if rng.random() < 0.9] for _ in range(students)]


def _answer(kind: str, rng: Random) -> AnswerValue:
    match kind:
        case "single":
            return AnswerValue(choice=1 << rng.randrange(5))
        case "multiple":
            return AnswerValue(choice=rng.randrange(1, 64))
        case "numeric":
            return AnswerValue(value=str(rng.choice([7, 70, rng.randrange(400)])))
        case "text":
            return AnswerValue(value=f"w{rng.choice([1, 2, rng.randrange(400)])}")
        case "matching":
            return AnswerValue(value=" ".join(f"{stem}:{rng.randrange(4)}" for stem in range(4)))
    return AnswerValue(value=" ".join(map(str, rng.sample(range(5), 5))))


def _table(steps: Mapping[str, Seconds], changes: DegreeChanges, students: int, questions: int) -> Table:
    table = Table(title=f"{students} students, {questions} questions; {len(changes.moved)} students move")
    for column in ("", "seconds", "CPU seconds", "CPU, of the first scoring"):
        table.add_column(column, justify="right")
    unit = next(iter(steps.values())).cpu
    for label, each in steps.items():
        table.add_row(label, f"{each.wall:.2f}", f"{each.cpu:.2f}", f"{each.cpu / unit:.2f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
