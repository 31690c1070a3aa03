"""A sitting with thousands of answers in the real stores, and its expected degrees."""

import asyncio
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from exam_answerlog.log import AnswerLog
from exam_answerlog.testing.settings import settings_from
from exam_core.answer_value import AnswerValue, mask_of
from exam_core.answers import Answer, Start, Submission, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.instants import MINUTE, to_micros
from exam_grader.answerlog import SyncAnswerLog, cassandra_answerlog
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

LastAnswers = dict[int, frozenset[str] | str]
"""One student's last answers by question: the texts of the choices, or the text of a number."""


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """A sitting with answers, and each student's last answers."""

    sitting: UUID
    name: str
    last_answers: dict[int, LastAnswers]

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
        """Every total by student, counted naively from the last answers and the current exam."""
        questions = list(Question.objects.filter(exam=self.row.exam).order_by("position").prefetch_related("choices"))
        return {student: _naive_total(questions, last_answers) for student, last_answers in self.last_answers.items()}

    def ledger(self, number: int = 1) -> list[int]:
        """The chunks in the ledger, sorted."""
        rows = LedgerEntry.objects.filter(revision__sitting=self.sitting, revision__number=number)
        return sorted(rows.values_list("chunk", flat=True))

    def is_graded(self, number: int = 1) -> bool:
        """Whether a revision is declared graded."""
        graded = Revision.State.GRADED
        return Revision.objects.filter(sitting=self.sitting, number=number, state=graded).exists()

    def assert_graded_once(self, number: int = 1) -> None:
        """Assert that every chunk is in the ledger once and every degree equals the naive count."""
        assert self.ledger(number) == list(range(self.row.buckets))
        assert self.degrees(number) == self.expected()


def _naive_total(questions: Sequence[Question], last_answers: LastAnswers) -> Decimal:
    points = Fraction(0)
    for number, question in enumerate(questions):
        answer = last_answers.get(number)
        if not answer:
            continue
        if question.kind == "numeric":
            assert isinstance(answer, str)
            assert question.value is not None
            right = abs(Fraction(answer) - Fraction(question.value)) <= Fraction(question.tolerance)
        else:
            right = answer == frozenset(choice.text for choice in question.choices.all() if choice.correct)
        points += Fraction(question.weight) * right
    exact = Decimal(points.numerator) / Decimal(points.denominator)
    return exact.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


@pytest.fixture
def database(transactional_db: None) -> None:
    """A database that other processes see, with its schedule row even if other tests truncated tables."""
    Schedule.objects.get_or_create(id=1)


@pytest.fixture(scope="session")
def store(cassandra_env: dict[str, str]) -> Iterator[SyncAnswerLog]:
    """The real answer log."""
    store = cassandra_answerlog(settings_from(cassandra_env | {"EXAM_CASSANDRA_TIMEOUT_MS": "10000"}))
    yield store
    store.close()


@pytest.fixture
def make_seeded(database: None, store: SyncAnswerLog) -> Callable[..., Seeded]:
    """Makes sittings with answers, each of an exam of its own."""
    return partial(seed, store)


@pytest.fixture
def seeded(database: None, store: SyncAnswerLog) -> Seeded:
    """A sitting that is over: a paper of every kind of question, and students who changed their answers."""
    return seed(store)


@pytest.fixture
def seeded_open(database: None, store: SyncAnswerLog) -> Seeded:
    """The same, but its window is still open."""
    return seed(store, over=False)


def seed(store: SyncAnswerLog, *, publish: Sitting.Publish = Sitting.Publish.AUTOMATIC, over: bool = True) -> Seeded:
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
        # The window's end is moved into the past instead of waiting for an hour.
        Sitting.objects.filter(id=sitting.id).update(closes_at=now - timedelta(minutes=1))
    last_answers = {student: _random_answers(chance, exam) for student in students}
    store.run(lambda log: _write_answers(log, sitting, last_answers, chance))
    return Seeded(sitting=sitting.id, name=sitting.name, last_answers=last_answers)


def _new_exam(slug: str) -> Exam:
    level, _ = Level.objects.get_or_create(slug="year-1", defaults={"name": "Year 1"})
    exam = Exam.objects.create(slug=slug, title=slug, level=level, published=True)
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
        User(username=f"s{n}-{run}", password="!", kind=User.Kind.STUDENT, level=level)  # no login in these tests
        for n in range(count)
    ]
    return [row.pk for row in User.objects.bulk_create(rows)]


def _random_answers(chance: random.Random, exam: Exam) -> LastAnswers:
    last_answers: LastAnswers = {}
    for question in exam.questions.order_by("position"):
        if chance.random() < 0.1:
            continue
        if question.kind == "numeric":
            last_answers[question.position] = chance.choice(["2.5", "2.75", "2.2500", "2.7500001", "-2.5", ""])
        elif question.kind == "single":
            last_answers[question.position] = frozenset(chance.sample([f"choice {n}" for n in range(3)], 1))
        else:
            last_answers[question.position] = chance.choice(
                [frozenset({"choice 1", "choice 3"}), frozenset({"choice 1"}), frozenset[str]()]
            )
    return last_answers


async def _write_answers(
    log: AnswerLog, sitting: Sitting, last_answers: dict[int, LastAnswers], chance: random.Random
) -> None:
    """Each student starts twice (two devices), answers everything twice, every other one submits, some are late."""
    started = to_micros(sitting.opens_at)
    solvers = (uuid4(), uuid4())
    turn = asyncio.Semaphore(16)

    async def write(student: int, last: LastAnswers) -> None:
        bucket = bucket_of(student, sitting.buckets)
        async with turn:
            for solver, after in ((solvers[0], 0), (solvers[1], 9)):
                start = Start(student=student, started_at=started + after, solver=solver, epoch=sitting.epoch, seed=1)
                await log.append_start(sitting.id, bucket, start)
            await log.append_answers(sitting.id, bucket, _rows_of(sitting, student, last, started, solvers[0], chance))
            if student % 3 == 0:
                await log.append_late(sitting.id, bucket, _late(sitting, student, started, solvers[0]))
            if student % 2:
                done = Submission(student=student, submitted_at=started + 5, solver=solvers[0], epoch=sitting.epoch)
                await log.append_submission(sitting.id, bucket, done)

    await asyncio.gather(*(write(student, last) for student, last in last_answers.items()))


def _rows_of(
    sitting: Sitting, student: int, last: LastAnswers, started: int, solver: UUID, chance: random.Random
) -> list[Answer]:
    """Two answers to each question, in any order: an earlier one and the last one."""
    paper = json.loads(bytes(sitting.paper.body))
    rows: list[Answer] = []
    for question, meant in last.items():
        values = [_discarded_value(paper["questions"][question]), _value(paper["questions"][question], meant)]
        for seq, value in enumerate(values, start=1):
            rows.append(_answer(sitting, student, question, seq, value, started + seq, started, solver))
    chance.shuffle(rows)
    return rows


def _late(sitting: Sitting, student: int, started: int, solver: UUID) -> list[Answer]:
    """An answer to the first question that came a microsecond too late: it would be the last one."""
    late = started + HALF_AN_HOUR + 1
    return [_answer(sitting, student, 0, 9, AnswerValue(choice=1 << n), late, started, solver) for n in range(3)]


def _answer(
    sitting: Sitting, student: int, question: int, seq: int, value: AnswerValue, at: int, started: int, solver: UUID
) -> Answer:
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=sitting.id, student=student, question=question, seq=seq, answer=value),
        received_at=at,
        deadline_at=started + HALF_AN_HOUR,
        solver=solver,
        epoch=sitting.epoch,
        answer=value,
    )


def _value(question: dict[str, object], meant: frozenset[str] | str) -> AnswerValue:
    """An answer in the frozen paper's choice numbers."""
    if isinstance(meant, str):
        return AnswerValue(value=meant)
    shown = question["choices"]
    assert isinstance(shown, list)
    return AnswerValue(choice=mask_of(n for n, choice in enumerate(shown) if choice["text"] in meant))


def _discarded_value(question: dict[str, object]) -> AnswerValue:
    """An earlier answer, which does not count."""
    return AnswerValue(value="2.5") if question["kind"] == "numeric" else AnswerValue(choice=1)
