"""Tables as typed models: the CQL they give and the rows they keep."""

from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_answerlog.log import PaperPart
from exam_answerlog.model import Int, Table, Text, Uuid
from exam_answerlog.schema import MIGRATIONS
from exam_answerlog.tables import (
    ANSWERS,
    ANSWERS_LATE,
    PAPERS,
    SEALED,
    AnswerRow,
    AttemptRow,
    PaperRow,
    SealedRow,
    SubmissionRow,
)
from exam_core.answers import Answer, AnswerValue, Start, Submission
from exam_core.fold import seal_bucket

RELEASED = {1: "5be82f75f3e7948c65d79555f4b4d58289b0048d616cb96165362d379c4f1485"}
"""The digest of every migration that a release has brought to somebody: history, which nobody may rewrite."""

bigints = st.integers(-(2**63), 2**63 - 1)
answers = st.builds(
    Answer,
    student=bigints,
    question=st.integers(0, 499),
    seq=st.integers(1, 2**53 - 1),
    answer_id=st.uuids(),
    received_at=bigints,
    deadline_at=bigints,
    solver=st.uuids(),
    epoch=bigints,
    answer=st.one_of(
        bigints.map(lambda mask: AnswerValue(choice=mask)), st.text().map(lambda text: AnswerValue(value=text))
    ),
)


@dataclass(frozen=True, slots=True)
class Note:
    """A row for these tests."""

    place: Uuid
    number: Int
    text: Text | None


def test_cql_is_derived_from_the_model() -> None:
    """I declare a table once: its DDL, INSERT and SELECT follow."""
    notes = Table("notes", Note, partition=("place",), clustering=("number",))
    assert notes.create() == (
        "CREATE TABLE IF NOT EXISTS notes (place uuid, number int, text text, PRIMARY KEY ((place), number))"
    )
    assert notes.insert() == "INSERT INTO notes (place, number, text) VALUES (?, ?, ?)"
    assert notes.insert(once=True) == "INSERT INTO notes (place, number, text) VALUES (?, ?, ?) IF NOT EXISTS"
    assert notes.select("place", "number") == "SELECT place, number, text FROM notes WHERE place = ? AND number = ?"


def test_a_model_that_makes_no_sense_is_refused() -> None:
    """A key that may be missing, a key that is no column, a column without a type: an error at import, not at night."""

    @dataclass
    class Untyped:
        number: int

    with pytest.raises(TypeError, match=r"notes\.text is part of the key"):
        Table("notes", Note, partition=("place",), clustering=("text",))
    with pytest.raises(TypeError, match="are not fields of Note"):
        Table("notes", Note, partition=("plaice",))
    with pytest.raises(TypeError, match="names no CQL type"):
        Table("notes", Untyped, partition=("number",))


@given(answer=answers, sitting=st.uuids(), bucket=st.integers(0, 2**31 - 1))
def test_an_answer_survives_its_row(answer: Answer, sitting: UUID, bucket: int) -> None:
    """What I answered is what is read, whatever I answered."""
    row = AnswerRow.of(sitting, bucket, answer)
    assert ANSWERS.row(ANSWERS.values(row)).answer() == answer
    assert ANSWERS.values(row).count(None) == 1


@given(student=bigints, moment=bigints, solver=st.uuids(), epoch=bigints, seed=st.integers(0, 2**63 - 1))
def test_starts_and_submissions_survive_their_rows(
    student: int, moment: int, solver: UUID, epoch: int, seed: int
) -> None:
    """When I began and when I submitted is what is read."""
    start = Start(student=student, started_at=moment, solver=solver, epoch=epoch, seed=seed)
    submission = Submission(student=student, submitted_at=moment, solver=solver, epoch=epoch)
    assert AttemptRow.of(solver, 0, start).start() == start
    assert SubmissionRow.of(solver, 0, submission).submission() == submission


@given(one=answers, other=answers)
def test_two_answers_share_a_row_only_when_they_are_one_event(one: Answer, other: Answer) -> None:
    """Nothing that I answered can be overwritten by something else that I, or anyone, answered."""
    sitting = UUID(int=1)
    keys = {ANSWERS.key(AnswerRow.of(sitting, 0, each)) for each in (one, other, replace(one, seq=one.seq % 9 + 1))}
    events = {
        (each.student, each.question, each.seq, each.answer_id, each.received_at, each.solver)
        for each in (one, other, replace(one, seq=one.seq % 9 + 1))
    }
    assert len(keys) == len(events)


def test_late_answers_have_the_same_columns_elsewhere() -> None:
    """A late answer is kept in full, and in no table that a seal reads."""
    assert ANSWERS_LATE.columns == ANSWERS.columns
    assert ANSWERS_LATE.primary_key == ANSWERS.primary_key
    assert ANSWERS_LATE.name != ANSWERS.name


def test_a_seal_survives_its_row_and_an_altered_one_does_not() -> None:
    """Graders read what was sealed, or are told that it was altered."""
    seal = seal_bucket(sitting=UUID(int=1), bucket=0, answers=[], starts=[], submissions=[])
    row = SealedRow.of(UUID(int=1), 0, seal)
    assert SEALED.row(SEALED.values(row)).sealed() == seal
    for altered in (replace(row, data=row.data + b" "), replace(row, digest=bytes(32))):
        with pytest.raises(ValueError, match="was altered"):
            altered.sealed()


def test_a_paper_part_survives_its_row() -> None:
    """An image is returned byte for byte."""
    part = PaperPart(content_type="image/png", data=bytes(range(256)))
    assert PAPERS.row(PAPERS.values(PaperRow.of("00", "ab", part))).content() == part


def test_released_migrations_are_history() -> None:
    """I changed a model: this says that the old text must be kept and a migration added."""
    assert {migration.version: migration.digest for migration in MIGRATIONS} == RELEASED, (
        "write the statements that the models gave before into schema.MIGRATIONS and add a migration to the new ones"
    )


def test_migrations_are_numbered_in_order() -> None:
    """No version is missing or taken twice."""
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_numbers_have_the_width_of_their_values() -> None:
    """Instants and students are 64 bits wide; a choice mask is one such number."""
    wide = ("student", "seq", "received_at", "deadline_at", "choice", "epoch")
    assert {ANSWERS.columns[name] for name in wide} == {"bigint"}
