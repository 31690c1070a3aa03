"""The oracle's judgement, with negative controls: each way to cheat a student is broken on purpose and must be seen."""

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from typing import Any
from uuid import UUID

import pytest

from exam_core import receipts
from exam_core.answers import Submission
from exam_core.keys import SigningKeys
from exam_core.receipts import Receipt
from exam_harness.oracle.checker import LoggedAnswer, SeenDegree, judge_log
from exam_harness.oracle.history import Acknowledged
from exam_harness.oracle.seal import RawBucket, read_seal

World = Any
"""`conftest.World`; test modules cannot import it by name."""


def test_nothing_is_named_when_everything_is_right(world: World) -> None:
    """When every acknowledged answer is sealed and graded, the oracle has nothing to say."""
    assert world.judge() == []


def test_an_acknowledged_answer_that_is_not_sealed_is_named(world: World) -> None:
    """If the last answer I was given a receipt for is gone from the seal, the oracle says so."""
    world.rows = [row for row in world.rows if (row.student, row.question) != (1, 2)]
    assert "lost" in world.kinds()


def test_an_older_answer_in_place_of_the_last_is_named(world: World) -> None:
    """If an answer counts that I had already changed, the oracle says so."""
    world.rows = [row for row in world.rows if row.seq != 2 or row.student != 1]
    assert "replaced" in world.kinds()


def test_a_student_who_started_and_is_not_sealed_is_named(world: World) -> None:
    """If I started and handed in nothing, I am in the seal all the same, or the oracle says so."""
    world.start(3)
    world.starts.pop()
    assert "lost" in world.kinds()


def test_a_late_answer_that_is_sealed_is_named(world: World) -> None:
    """An answer that I was told is late never counts, however it got into the seal."""
    world.book.late.add(world.said(2, 2, 9, {"value": "3.14"}))
    world.rows.append(world.row(2, 2, 9, {"value": "3.14"}))
    assert "late" in world.kinds()


@pytest.mark.parametrize("kind", ["forged", "foreign"])
def test_an_answer_nobody_was_allowed_to_give_is_named(world: World, kind: str) -> None:
    """An answer under a forged or another exam's token never counts."""
    getattr(world.book, kind).add(world.said(2, 0, 1_000_000, {"choices": [1]}))
    world.rows.append(world.row(2, 0, 1_000_000, {"choices": [1]}))
    assert kind in world.kinds()


def test_an_answer_that_nobody_gave_is_named(world: World) -> None:
    """An answer in the seal that nobody sent is seen."""
    world.rows.append(world.row(2, 0, 1, {"choices": [1]}))
    assert "unasked" in world.kinds()


def test_a_time_other_than_the_acknowledged_one_is_named(world: World) -> None:
    """The seal keeps the time that my receipt names."""
    world.rows[-1] = dataclasses.replace(world.rows[-1], received_at=2_101)
    assert "time" in world.kinds()


def test_a_degree_that_plain_scoring_does_not_give_is_named(world: World) -> None:
    """If my degree is not what my answers earn, the oracle says so, whoever shows it."""
    degrees = [dataclasses.replace(degree, total="0.01") for degree in world.degrees()]
    assert world.kinds(degrees=degrees) == {"degree"}


def test_points_that_do_not_belong_to_the_answers_are_named(world: World) -> None:
    """Each question's points are compared, not the total alone."""
    first, second = world.degrees()
    swapped = dataclasses.replace(first, points=(*first.points[1:], first.points[0]))
    assert world.kinds(degrees=[swapped, second]) == {"degree"}


def test_a_missing_degree_is_named(world: World) -> None:
    """Everyone who sat has a degree."""
    assert world.kinds(degrees=world.degrees()[:1]) == {"degree"}


def test_a_degree_of_somebody_who_never_came_is_named(world: World) -> None:
    """Who was absent has no degree."""
    stranger = SeenDegree(source="database", student=77, total="0.00", maximum="3.60")
    assert world.kinds(degrees=[*world.degrees(), stranger]) == {"degree"}


def test_a_receipt_signed_by_somebody_else_is_named(world: World, new_world: Callable[[], World]) -> None:
    """A receipt that the published keys do not verify is worth nothing."""
    stranger: SigningKeys = new_world().signing
    _resign(world, lambda receipt: receipt, stranger)
    assert world.kinds() == {"receipt"}


@pytest.mark.parametrize("change", [{"seq": 99}, {"answer": "0" * 64}, {"student": 5}, {"received_at": 1}])
def test_a_receipt_for_something_else_is_named(world: World, change: dict[str, Any]) -> None:
    """A well-signed receipt that does not say what was acknowledged is as bad as none."""
    _resign(world, lambda receipt: dataclasses.replace(receipt, **change), world.signing)
    assert world.kinds() == {"receipt"}


def test_a_receipt_with_another_deadline_is_named(world: World) -> None:
    """The deadline in my receipt is the one that the window and my start give."""
    _resign(world, lambda receipt: dataclasses.replace(receipt, deadline_at=9_999), world.signing)
    assert world.kinds() == {"deadline"}


def test_a_seal_whose_bytes_changed_is_named(world: World) -> None:
    """One changed byte in a sealed bucket is seen."""
    bucket = world.bucket
    data = bucket.data.replace(b'"3.15"', b'"3.14"')
    assert data != bucket.data
    seal = read_seal(world.facts.id, [RawBucket(0, bucket.digest, data)], buckets=1, root="")
    assert "seal" in world.kinds(seal=seal)


def test_a_root_that_is_not_of_these_buckets_is_named(world: World) -> None:
    """The published root vouches for the buckets, or the oracle says so."""
    bucket = world.bucket
    raw = RawBucket(0, bucket.digest, bucket.data)
    assert read_seal(world.facts.id, [raw], buckets=1, root="f" * 64).faults
    assert read_seal(world.facts.id, [raw], buckets=2, root="f" * 64).faults


def test_a_submission_that_is_not_sealed_is_named(world: World) -> None:
    """If I was told that I submitted, the seal knows it."""
    world.book.submitted(world.facts.id, 1, 3_000)
    assert "lost" in world.kinds()
    world.submissions.append(Submission(student=1, submitted_at=3_000, solver=world.rows[0].solver, epoch=1))
    assert world.judge() == []


def test_what_nobody_knows_may_count_or_not(world: World) -> None:
    """An answer whose outcome I was never told may be in the seal or not; both are graded as sealed."""
    world.book.doubt(world.said(2, 2, 5, {"value": "3.14"}))
    assert world.judge() == []
    world.rows.append(world.row(2, 2, 5, {"value": "3.14"}))
    assert world.judge() == []
    assert len(world.book.doubtful()) == 1


def test_what_nobody_knows_excuses_no_other_answer(world: World) -> None:
    """A doubt about one answer does not excuse a third one in its place."""
    world.book.doubt(world.said(2, 2, 5, {"value": "3.14"}))
    world.rows.append(world.row(2, 2, 5, {"value": "2"}))
    assert "replaced" in world.kinds()


def test_an_older_doubt_excuses_nothing(world: World) -> None:
    """Once a later answer is acknowledged, an earlier one of unknown outcome may not count."""
    world.book.doubt(world.said(1, 2, 1, {"value": "1"}))
    assert world.book.doubtful() == set()
    world.rows = [row for row in world.rows if (row.student, row.question) != (1, 2)]
    world.rows.append(world.row(1, 2, 1, {"value": "1"}))
    assert "replaced" in world.kinds()


def test_a_retry_may_be_sealed_with_its_own_time(world: World) -> None:
    """Sent twice because the first response was lost: the later row of the same answer may be the sealed one."""
    world.book.doubt(world.said(2, 2, 1, {"value": "3"}))
    world.rows.append(world.row(2, 2, 1, {"value": "3"}, at=2_050))
    assert world.judge() == []


def _logged(world: World) -> set[LoggedAnswer]:
    return {LoggedAnswer(row.student, row.question, row.seq, row.received_at) for row in world.rows}


def test_the_log_keeps_every_acknowledged_answer(world: World) -> None:
    """Even an answer that I changed later stays in the log; what is missing there is named."""
    assert list(judge_log(world.book, world.facts, _logged(world))) == []
    kept = {row for row in _logged(world) if (row.student, row.seq) != (1, 1)}
    assert {mismatch.kind for mismatch in judge_log(world.book, world.facts, kept)} == {"lost"}


@pytest.mark.parametrize("kind", ["late", "forged", "foreign"])
def test_the_log_keeps_nothing_that_was_refused(world: World, kind: str) -> None:
    """A refused answer is not among those that could count, whether or not it would win."""
    getattr(world.book, kind).add(world.said(2, 0, 9, {"choices": [1]}))
    intruder = LoggedAnswer(2, 0, 9, 2_500)
    assert {mismatch.kind for mismatch in judge_log(world.book, world.facts, _logged(world) | {intruder})} == {kind}


def test_the_log_keeps_nothing_that_nobody_sent(world: World) -> None:
    """An answer in the log that no student sent is named."""
    intruder = LoggedAnswer(2, 0, 1, 2_500)
    found = judge_log(world.book, world.facts, _logged(world) | {intruder})
    assert {mismatch.kind for mismatch in found} == {"unasked"}


def test_a_second_device_that_sees_less_than_was_acknowledged_is_a_complaint(world: World) -> None:
    """When I resume, everything I had a receipt for is there, or the oracle notes it."""
    book, sitting = world.book, world.facts.id
    book.resumed(sitting, 2, {2: (1, Fraction(3)), 1: (2, frozenset())}, 2)
    assert book.complaints == []
    book.resumed(sitting, 2, {2: (1, Fraction(3))}, 1)
    book.resumed(sitting, 2, {2: (1, Fraction(4)), 1: (2, frozenset())}, 2)
    assert len(book.complaints) == 3


def _resign(world: World, change: Callable[[Receipt], Receipt], keys: SigningKeys) -> None:
    """Replace one receipt in the book by a changed one."""
    entries = world.book.acknowledged[world.facts.id, 2, 2]
    receipt = change(Receipt.of(UUID(world.facts.id), world.rows[-2]))
    entries[0] = Acknowledged(entries[0].said, entries[0].received_at, receipts.sign(receipt, keys))
