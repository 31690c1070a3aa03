"""Sealing records what was read back, once, whoever seals and however often."""

from collections.abc import Iterator, Mapping
from uuid import UUID

import pytest

from exam_answerlog.log import AnswerLogUnavailableError
from exam_answerlog.tables import SEALED
from exam_answerlog.testing.memory import MemoryAnswerLog
from exam_core.answers import Answer, AnswerValue, Start, answer_id_of
from exam_core.buckets import bucket_of
from exam_core.fold import SealedBucket, root_digest
from exam_grader.answerlog import Store
from exam_grader.errors import HaltedError, SealDamagedError
from exam_grader.sealing.seal import read_verified, seal_sitting

SITTING = UUID(int=7)
SOLVER = UUID(int=9)
BUCKETS = 5
STUDENTS = 40


class Register:
    """PostgreSQL's side, as a dictionary."""

    def __init__(self) -> None:
        self.digests: dict[int, str] = {}
        self.root: str | None = None

    def recorded(self) -> Mapping[int, str]:
        """What is recorded."""
        return dict(self.digests)

    def record(self, bucket: int, sealed: SealedBucket) -> None:
        """Record a bucket once."""
        assert self.digests.setdefault(bucket, sealed.digest) == sealed.digest

    def finish(self, root: str) -> None:
        """Keep the root."""
        self.root = root


def an_answer(student: int, question: int, seq: int, choice: int, received_at: int = 50) -> Answer:
    """An answer in time."""
    value = AnswerValue(choice=choice)
    return Answer(
        student=student,
        question=question,
        seq=seq,
        answer_id=answer_id_of(sitting=SITTING, student=student, question=question, seq=seq, answer=value),
        received_at=received_at,
        deadline_at=100,
        solver=SOLVER,
        epoch=1,
        answer=value,
    )


@pytest.fixture
def answers() -> MemoryAnswerLog:
    """The log that the store opens."""
    return MemoryAnswerLog()


@pytest.fixture
def store(answers: MemoryAnswerLog) -> Iterator[Store]:
    """A store in which everybody began and answered each of three questions twice."""
    store = Store(lambda: answers)
    for student in range(STUDENTS):
        bucket = bucket_of(student, BUCKETS)
        start = Start(student=student, started_at=student, solver=SOLVER, epoch=1, seed=1)
        rows = [an_answer(student, q, seq, 1 << seq) for q in range(3) for seq in (1, 2)]
        store.run(lambda log, bucket=bucket, start=start: log.append_start(SITTING, bucket, start))  # type: ignore[misc]
        store.run(lambda log, bucket=bucket, rows=rows: log.append_answers(SITTING, bucket, rows))  # type: ignore[misc]
    yield store
    store.close()


def seal(store: Store, register: Register, *, halt_after: int | None = None, parallelism: int = 2) -> list[int]:
    """Seal the sitting; what `tell` heard."""
    heard: list[int] = []
    seal_sitting(
        sitting=SITTING,
        buckets=BUCKETS,
        store=store,
        register=register,
        parallelism=parallelism,
        tell=lambda sealed, _buckets: heard.append(sealed),
        halt=lambda: halt_after is not None and len(register.digests) >= halt_after,
    )
    return heard


def test_the_root_names_all_buckets_in_order(store: Store) -> None:
    """The published digest stands for the whole counted set."""
    register = Register()
    assert seal(store, register) == [0, 2, 4, 5]
    assert sorted(register.digests) == list(range(BUCKETS))
    assert register.root == root_digest(SITTING, [register.digests[b] for b in range(BUCKETS)])


def test_every_student_is_in_the_seal_once(store: Store) -> None:
    """Nobody who sat is missing from the counted set."""
    register = Register()
    seal(store, register)
    sealed = [
        store.run(lambda log, b=b: read_verified(log, SITTING, b, register.digests[b]))  # type: ignore[misc]
        for b in range(BUCKETS)
    ]
    assert sorted(sat.student for bucket in sealed for sat in bucket.students) == list(range(STUDENTS))
    assert sum(bucket.count for bucket in sealed) == 3 * STUDENTS


def test_a_sealing_that_was_stopped_goes_on_where_it_was(store: Store) -> None:
    """A coordinator that died while sealing costs only what it had not recorded."""
    register = Register()
    with pytest.raises(HaltedError):
        seal(store, register, halt_after=2)
    assert (len(register.digests), register.root) == (2, None)
    assert seal(store, register) == [2, 4, 5]
    whole = Register()
    seal(store, whole)
    assert (register.digests, register.root) == (whole.digests, whole.root)


def test_what_came_to_light_after_the_first_seal_changes_nothing(store: Store, answers: MemoryAnswerLog) -> None:
    """The first seal of a bucket holds for everyone who seals it later."""
    first, second = Register(), Register()
    seal(store, first)
    late = an_answer(1, 0, 9, 1)
    store.run(lambda log: log.append_answers(SITTING, bucket_of(1, BUCKETS), [late]))
    seal(store, second)
    assert first.digests == second.digests
    assert answers.tables["answers"]


def test_a_recorded_bucket_whose_bytes_changed_stops_everything(store: Store, answers: MemoryAnswerLog) -> None:
    """If somebody touched a seal, the sitting is not declared sealed and I am told which bucket it is."""
    register = Register()
    with pytest.raises(HaltedError):
        seal(store, register, halt_after=2)
    rows = answers.tables[SEALED.name]
    other = next(row for row in rows.values() if row.bucket == 1)
    forged = SealedBucket(other.data.replace(b'"answers":[[', b'"answers":[ [', 1))
    rows[SITTING, 1] = type(other).of(SITTING, 1, forged)
    with pytest.raises(SealDamagedError, match="bucket 1 is damaged: its bytes have digest") as damage:
        seal(store, register)
    assert (damage.value.bucket, register.root) == (1, None)


def test_a_recorded_bucket_that_is_gone_stops_everything(store: Store, answers: MemoryAnswerLog) -> None:
    """A lost seal is never silently made anew."""
    register = Register()
    with pytest.raises(HaltedError):
        seal(store, register, halt_after=2)
    del answers.tables[SEALED.name][SITTING, 0]
    with pytest.raises(SealDamagedError, match="Cassandra has none"):
        seal(store, register)


def test_an_outage_keeps_what_is_recorded(store: Store, answers: MemoryAnswerLog) -> None:
    """When the answer log goes away while sealing, I get its own error and lose nothing."""
    register = Register()
    with pytest.raises(HaltedError):
        seal(store, register, halt_after=2)
    answers.fail_with(AnswerLogUnavailableError("no node answers"))
    with pytest.raises(AnswerLogUnavailableError):
        seal(store, register)
    answers.fail_with(None)
    seal(store, register)
    assert register.root is not None
