"""A sitting with thousands of answers in the real stores, and what its degrees must be."""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from exam_answerlog.log import AnswerLog
from exam_answerlog.testing.settings import settings_from
from exam_core.answers import Answer, AnswerValue, Start, Submission, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.instants import MINUTE, to_micros
from exam_core.paper import mask_of
from exam_grader.answerlog import Store, cassandra_store
from exam_web.degrees.models import Degree
from exam_web.exams.models import Choice, Exam, Question
from exam_web.sittings.models import LedgerEntry, Revision, Schedule, Sitting
from exam_web.sittings.services import SittingSpec, sitting_provision
from exam_web.users.models import Level, User

STUDENTS = 240
ABSENT = 10
QUESTIONS = 12
CANDIDATES = 2000
"""Many more than come, so that the sitting has many buckets: 20."""
HALF_AN_HOUR = 30 * MINUTE

Said = dict[int, frozenset[str] | str]
"""What one student last said, by question: the texts of the choices, or the text of a number."""


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """A sitting with answers, and what each student last said."""

    sitting: UUID
    name: str
    said: dict[int, Said]

    @property
    def row(self) -> Sitting:
        """The sitting as it is now."""
        return Sitting.objects.get(id=self.sitting)

    def revision(self, number: int = 1) -> Revision:
        """One of its revisions."""
        return Revision.objects.get(sitting=self.sitting, number=number)

    def degrees(self, number: int = 1) -> dict[int, Decimal]:
        """Every total by student, as the database has it."""
        rows = Degree.objects.filter(revision=self.revision(number)).values_list("student_id", "total")
        totals = dict(rows)
        assert len(totals) == len(rows)
        return totals

    def expected(self) -> dict[int, Decimal]:
        """Every total by student, counted as simply as can be from what was said and the exam as it is now."""
        questions = list(Question.objects.filter(exam=self.row.exam).order_by("position").prefetch_related("choices"))
        return {student: _naive_total(questions, said) for student, said in self.said.items()}

    def ledger(self, number: int = 1) -> list[int]:
        """The chunks in the ledger, sorted."""
        rows = LedgerEntry.objects.filter(revision__sitting=self.sitting, revision__number=number)
        return sorted(rows.values_list("chunk", flat=True))

    def is_graded(self, number: int = 1) -> bool:
        """Whether a revision is declared graded."""
        graded = Revision.State.GRADED
        return Revision.objects.filter(sitting=self.sitting, number=number, state=graded).exists()

    def assert_graded_once(self, number: int = 1) -> None:
        """Every chunk is in the ledger once, and every degree is what a person would count."""
        assert self.ledger(number) == list(range(self.row.buckets))
        assert self.degrees(number) == self.expected()


def _naive_total(questions: Sequence[Question], said: Said) -> Decimal:
    points = Fraction(0)
    for number, question in enumerate(questions):
        answer = said.get(number)
        if not answer:
            continue
        if question.kind == "numeric":
            assert isinstance(answer, str)
            assert question.value is not None
            right = abs(Fraction(answer) - Fraction(question.value)) <= Fraction(question.tolerance)
        else:
            right = answer == {choice.text for choice in question.choices.all() if choice.correct}
        points += Fraction(question.weight) * right
    exact = Decimal(points.numerator) / Decimal(points.denominator)
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


@pytest.fixture
def database(transactional_db: None) -> None:
    """A database that other processes see; its one schedule is there although other tests empty tables."""
    Schedule.objects.get_or_create(id=1)


@pytest.fixture(scope="session")
def store(cassandra_env: dict[str, str]) -> Iterator[Store]:
    """The real answer log."""
    store = cassandra_store(settings_from(cassandra_env | {"EXAM_CASSANDRA_TIMEOUT_MS": "10000"}))
    yield store
    store.close()


@pytest.fixture
def seeded(database: None, store: Store) -> Seeded:
    """A sitting that is over: a paper of every kind of question, students who answered and changed their minds."""
    return seed(store)


@pytest.fixture
def seeded_open(database: None, store: Store) -> Seeded:
    """The same, but its window is still open."""
    return seed(store, over=False)


def seed(store: Store, *, publish: Sitting.Publish = Sitting.Publish.AUTOMATIC, over: bool = True) -> Seeded:
    """A new sitting with its answers in the answer log."""
    chance = random.Random(20)
    exam = _new_exam(f"exam-{uuid4().hex[:12]}")
    students = _new_students(exam.level, STUDENTS + ABSENT)[:STUDENTS]
    now = timezone.now()
    spec = SittingSpec(
        exam=exam.slug,
        opens_at=now - timedelta(hours=1),
        closes_at=now + timedelta(hours=1),
        duration=timedelta(minutes=30),
        candidates=CANDIDATES,
        publish=publish,
    )
    sitting = sitting_provision(name=f"{exam.slug}-sitting", spec=spec, permute=lambda n: chance.sample(range(n), n))
    if over:
        # Nobody waits an hour in a test: the past is written into the window, as if the hour had gone by.
        Sitting.objects.filter(id=sitting.id).update(closes_at=now - timedelta(minutes=1))
    said = {student: _what_is_said(chance, exam) for student in students}
    store.run(lambda log: _write_answers(log, sitting, said, chance))
    return Seeded(sitting=sitting.id, name=sitting.name, said=said)


def _new_exam(slug: str) -> Exam:
    level, _ = Level.objects.get_or_create(slug="year-1", defaults={"name": "Year 1"})
    exam = Exam.objects.create(slug=slug, title=slug, level=level)
    for position in range(QUESTIONS):
        kind = ("single", "multiple", "numeric")[position % 3]
        question = Question.objects.create(
            exam=exam,
            ident=f"q{position}",
            position=position,
            kind=kind,
            text=f"Question {position}?",
            weight=Decimal(position + 1) / 4,
            value=Decimal("2.5") if kind == "numeric" else None,
            tolerance=Decimal("0.25") if kind == "numeric" else Decimal(0),
        )
        if kind != "numeric":
            Choice.objects.bulk_create(
                Choice(
                    question=question,
                    ident=f"c{n}",
                    position=n,
                    text=f"choice {n}",
                    correct=n == 1 or (kind == "multiple" and n == 3),
                )
                for n in range(5)
            )
    return exam


def _new_students(level: Level, count: int) -> list[int]:
    run = uuid4().hex[:8]
    rows = [
        User(username=f"s{n}-{run}", password="!", kind=User.Kind.STUDENT, level=level)  # nobody logs in here
        for n in range(count)
    ]
    return [row.pk for row in User.objects.bulk_create(rows)]


def _what_is_said(chance: random.Random, exam: Exam) -> Said:
    said: Said = {}
    for question in exam.questions.order_by("position"):
        if chance.random() < 0.1:
            continue
        if question.kind == "numeric":
            said[question.position] = chance.choice(["2.5", "2.75", "2.2500", "2.7500001", "-2.5", ""])
        elif question.kind == "single":
            said[question.position] = frozenset(chance.sample([f"choice {n}" for n in range(3)], 1))
        else:
            said[question.position] = chance.choice(
                [frozenset({"choice 1", "choice 3"}), frozenset({"choice 1"}), frozenset[str]()]
            )
    return said


async def _write_answers(log: AnswerLog, sitting: Sitting, said: dict[int, Said], chance: random.Random) -> None:
    """Everyone begins twice (two devices), answers everything twice, every other one submits, some are late."""
    began = to_micros(sitting.opens_at)
    solvers = (uuid4(), uuid4())
    turn = asyncio.Semaphore(16)

    async def write(student: int, last: Said) -> None:
        bucket = bucket_of(student, sitting.buckets)
        async with turn:
            for solver, after in ((solvers[0], 0), (solvers[1], 9)):
                start = Start(student=student, started_at=began + after, solver=solver, epoch=sitting.epoch, seed=1)
                await log.append_start(sitting.id, bucket, start)
            await log.append_answers(sitting.id, bucket, _rows_of(sitting, student, last, began, solvers[0], chance))
            if student % 3 == 0:
                await log.append_late(sitting.id, bucket, _late(sitting, student, began, solvers[0]))
            if student % 2:
                done = Submission(student=student, submitted_at=began + 5, solver=solvers[0], epoch=sitting.epoch)
                await log.append_submission(sitting.id, bucket, done)

    await asyncio.gather(*(write(student, last) for student, last in said.items()))


def _rows_of(
    sitting: Sitting, student: int, last: Said, began: int, solver: UUID, chance: random.Random
) -> list[Answer]:
    """Two answers to each question, in any order: a first thought, and what was meant."""
    paper = json.loads(bytes(sitting.paper.body))
    rows: list[Answer] = []
    for question, meant in last.items():
        values = [_other_than(paper["questions"][question]), _value(paper["questions"][question], meant)]
        for seq, value in enumerate(values, start=1):
            rows.append(_answer(sitting, student, question, seq, value, began + seq, began, solver))
    chance.shuffle(rows)
    return rows


def _late(sitting: Sitting, student: int, began: int, solver: UUID) -> list[Answer]:
    """An answer to the first question that came a microsecond too late: it would be the last one."""
    late = began + HALF_AN_HOUR + 1
    return [_answer(sitting, student, 0, 9, AnswerValue(choice=1 << n), late, began, solver) for n in range(3)]


def _answer(
    sitting: Sitting, student: int, question: int, seq: int, value: AnswerValue, at: int, began: int, solver: UUID
) -> Answer:
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=sitting.id, student=student, question=question, seq=seq, answer=value),
        received_at=at,
        deadline_at=began + HALF_AN_HOUR,
        solver=solver,
        epoch=sitting.epoch,
        answer=value,
    )


def _value(question: dict[str, object], meant: frozenset[str] | str) -> AnswerValue:
    """What was meant, in the frozen paper's numbers."""
    if isinstance(meant, str):
        return AnswerValue(value=meant)
    shown = question["choices"]
    assert isinstance(shown, list)
    return AnswerValue(choice=mask_of(n for n, choice in enumerate(shown) if choice["text"] in meant))


def _other_than(question: dict[str, object]) -> AnswerValue:
    """A first thought that does not count."""
    return AnswerValue(value="2.5") if question["kind"] == "numeric" else AnswerValue(choice=1)
