"""Typed tables: their CQL and the conversion of rows."""

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
from exam_core.answer_value import AnswerValue
from exam_core.answers import Answer, Start, Submission
from exam_core.fold import seal_bucket

RELEASED = {
    1: "5be82f75f3e7948c65d79555f4b4d58289b0048d616cb96165362d379c4f1485",
    2: "17f4033e5b018f5a39e3f479f7199c1950ec29b55a9de19dce02099eaf5b07c3",
}
"""The digests of all released migrations, which must not change."""

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


def test_an_invalid_model_is_rejected() -> None:
    """An optional key, an unknown key column or a column without a type is an error at import."""

    @dataclass
    class Untyped:
        number: int

    with pytest.raises(TypeError, match=r"notes\.text is part of the key"):
        Table("notes", Note, partition=("place",), clustering=("text",))
    with pytest.raises(TypeError, match="are not fields of Note"):
        Table("notes", Note, partition=("plaice",))
    with pytest.raises(TypeError, match="has no CQL type"):
        Table("notes", Untyped, partition=("number",))


@given(answer=answers, sitting=st.uuids(), bucket=st.integers(0, 2**31 - 1))
def test_an_answer_is_read_from_its_row_unchanged(answer: Answer, sitting: UUID, bucket: int) -> None:
    """My answer is read back exactly, whatever its content."""
    row = AnswerRow.of(sitting, bucket, answer)
    assert ANSWERS.row(ANSWERS.values(row)).answer() == answer
    assert ANSWERS.values(row).count(None) == 1


@given(student=bigints, moment=bigints, solver=st.uuids(), epoch=bigints, seed=st.integers(0, 2**63 - 1))
def test_starts_and_submissions_are_read_from_their_rows_unchanged(
    student: int, moment: int, solver: UUID, epoch: int, seed: int
) -> None:
    """The times of my start and submission are read back exactly."""
    start = Start(student=student, started_at=moment, solver=solver, epoch=epoch, seed=seed)
    submission = Submission(student=student, submitted_at=moment, solver=solver, epoch=epoch)
    assert AttemptRow.of(solver, 0, start).start() == start
    assert SubmissionRow.of(solver, 0, submission).submission() == submission


@given(one=answers, other=answers)
def test_only_the_same_event_shares_a_row(one: Answer, other: Answer) -> None:
    """None of my answers can be overwritten by another one, of mine or of another student."""
    sitting = UUID(int=1)
    keys = {ANSWERS.key(AnswerRow.of(sitting, 0, each)) for each in (one, other, replace(one, seq=one.seq % 9 + 1))}
    events = {
        (each.student, each.question, each.seq, each.answer_id, each.received_at, each.solver)
        for each in (one, other, replace(one, seq=one.seq % 9 + 1))
    }
    assert len(keys) == len(events)


def test_late_answers_have_a_table_of_the_same_columns() -> None:
    """A late answer is stored completely, in a table that no seal reads."""
    assert ANSWERS_LATE.columns == ANSWERS.columns
    assert ANSWERS_LATE.primary_key == ANSWERS.primary_key
    assert ANSWERS_LATE.name != ANSWERS.name


def test_a_seal_is_read_unless_it_was_altered() -> None:
    """Graders read the sealed bytes, or get an error that they were altered."""
    seal = seal_bucket(sitting=UUID(int=1), bucket=0, paper=None, answers=[], starts=[], submissions=[])
    row = SealedRow.of(UUID(int=1), 0, seal)
    assert SEALED.row(SEALED.values(row)).sealed() == seal
    for altered in (replace(row, data=row.data + b" "), replace(row, digest=bytes(32))):
        with pytest.raises(ValueError, match="was altered"):
            altered.sealed()


def test_a_paper_part_is_read_from_its_row_unchanged() -> None:
    """An image is returned byte for byte."""
    part = PaperPart(content_type="image/png", data=bytes(range(256)))
    assert PAPERS.row(PAPERS.values(PaperRow.of("00", "ab", part))).content() == part


def test_released_migrations_do_not_change() -> None:
    """If I change a model, I must keep the old statements and add a migration."""
    assert {migration.version: migration.digest for migration in MIGRATIONS} == RELEASED, (
        "write the statements that the models gave before into schema.MIGRATIONS and add a migration to the new ones"
    )


def test_migrations_are_numbered_in_order() -> None:
    """No version is missing or used twice."""
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_large_numbers_are_bigints() -> None:
    """Instants and students are 64 bits wide; a choice mask is one such number."""
    wide = ("student", "seq", "received_at", "deadline_at", "choice", "epoch")
    assert {ANSWERS.columns[name] for name in wide} == {"bigint"}
