"""The oracle's checker, with negative controls: each kind of platform fault is made on purpose and must be found."""

import dataclasses
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from exam_core import receipts
from exam_core.answers import Submission
from exam_core.keys import SigningKeys
from exam_core.receipts import Receipt
from exam_harness.oracle.checker import LoggedAnswer, ObservedDegree, check_log
from exam_harness.oracle.history import Acknowledgement
from exam_harness.oracle.seal import RawBucket, parse_seal

Platform = Any
"""`conftest.FakePlatform`; test modules cannot import it by name."""


def test_a_correct_platform_has_no_mismatches(platform: Platform) -> None:
    """When every acknowledged answer is sealed and graded, the checker reports nothing."""
    assert platform.check() == []


def test_an_acknowledged_answer_missing_from_the_seal_is_lost(platform: Platform) -> None:
    """If the last answer I was given a receipt for is missing from the seal, the checker reports it."""
    platform.rows = [row for row in platform.rows if (row.student, row.question) != (1, 2)]
    assert "lost" in platform.kinds()


def test_a_superseded_answer_in_the_seal_is_a_replacement(platform: Platform) -> None:
    """If an answer counts that I had already changed, the checker reports it."""
    platform.rows = [row for row in platform.rows if row.seq != 2 or row.student != 1]
    assert "replaced" in platform.kinds()


def test_an_attempt_missing_from_the_seal_is_lost(platform: Platform) -> None:
    """If I started and answered nothing, I am in the seal all the same, or the checker reports it."""
    platform.start(3)
    platform.starts.pop()
    assert "lost" in platform.kinds()


def test_a_late_answer_in_the_seal_is_reported(platform: Platform) -> None:
    """An answer that was refused as late never counts, however it got into the seal."""
    platform.history.late.add(platform.sent(2, 2, 9, {"value": "3.14"}))
    platform.rows.append(platform.row(2, 2, 9, {"value": "3.14"}))
    assert "late" in platform.kinds()


@pytest.mark.parametrize("kind", ["forged", "foreign"])
def test_an_answer_under_an_invalid_token_in_the_seal_is_reported(platform: Platform, kind: str) -> None:
    """An answer under a forged or another exam's token never counts."""
    getattr(platform.history, kind).add(platform.sent(2, 0, 1_000_000, {"choices": [1]}))
    platform.rows.append(platform.row(2, 0, 1_000_000, {"choices": [1]}))
    assert kind in platform.kinds()


def test_an_answer_that_was_never_sent_is_reported(platform: Platform) -> None:
    """An answer in the seal that no student sent is reported."""
    platform.rows.append(platform.row(2, 0, 1, {"choices": [1]}))
    assert "unasked" in platform.kinds()


def test_a_changed_received_at_in_the_seal_is_reported(platform: Platform) -> None:
    """The seal has the time that my receipt has."""
    platform.rows[-1] = dataclasses.replace(platform.rows[-1], received_at=2_101)
    assert "time" in platform.kinds()


def test_a_wrong_total_is_reported(platform: Platform) -> None:
    """If my degree is not what my answers earn, the checker reports it for every source."""
    degrees = [dataclasses.replace(degree, total="0.01") for degree in platform.degrees()]
    assert platform.kinds(degrees=degrees) == {"degree"}


def test_wrong_points_are_reported(platform: Platform) -> None:
    """Each question's points are compared, not only the total."""
    first, second = platform.degrees()
    swapped = dataclasses.replace(first, points=(*first.points[1:], first.points[0]))
    assert platform.kinds(degrees=[swapped, second]) == {"degree"}


def test_a_missing_degree_is_reported(platform: Platform) -> None:
    """Every student who started has a degree."""
    assert platform.kinds(degrees=platform.degrees()[:1]) == {"degree"}


def test_a_degree_of_an_absent_student_is_reported(platform: Platform) -> None:
    """A student who never started has no degree."""
    absent = ObservedDegree(source="database", student=77, total="0.00", maximum="3.60")
    assert platform.kinds(degrees=[*platform.degrees(), absent]) == {"degree"}


def test_a_receipt_signed_with_another_key_is_reported(
    platform: Platform, new_platform: Callable[[], Platform]
) -> None:
    """A receipt that the published keys do not verify is invalid."""
    other: SigningKeys = new_platform().signing
    _resign(platform, lambda receipt: receipt, other)
    assert platform.kinds() == {"receipt"}


@pytest.mark.parametrize("change", [{"seq": 99}, {"answer": "0" * 64}, {"student": 5}, {"received_at": 1}])
def test_a_receipt_with_other_claims_is_reported(platform: Platform, change: dict[str, Any]) -> None:
    """A correctly signed receipt must certify exactly what was acknowledged."""
    _resign(platform, lambda receipt: dataclasses.replace(receipt, **change), platform.signing)
    assert platform.kinds() == {"receipt"}


def test_a_receipt_with_another_deadline_is_reported(platform: Platform) -> None:
    """The deadline in my receipt is the one that follows from the window and my start."""
    _resign(platform, lambda receipt: dataclasses.replace(receipt, deadline_at=9_999), platform.signing)
    assert platform.kinds() == {"deadline"}


def test_changed_bytes_in_a_sealed_bucket_are_reported(platform: Platform) -> None:
    """One changed byte in a sealed bucket is found."""
    bucket = platform.bucket
    data = bucket.data.replace(b'"3.15"', b'"3.14"')
    assert data != bucket.data
    seal = parse_seal(platform.sitting.id, [RawBucket(0, bucket.digest, data)], buckets=1, root="")
    assert "seal" in platform.kinds(seal=seal)


def test_a_root_that_does_not_match_the_buckets_is_reported(platform: Platform) -> None:
    """The published root is the digest of the buckets."""
    bucket = platform.bucket
    raw = RawBucket(0, bucket.digest, bucket.data)
    assert parse_seal(platform.sitting.id, [raw], buckets=1, root="f" * 64).integrity_errors
    assert parse_seal(platform.sitting.id, [raw], buckets=2, root="f" * 64).integrity_errors


def test_a_submission_missing_from_the_seal_is_lost(platform: Platform) -> None:
    """If my submission was acknowledged, the seal has it."""
    platform.history.record_submission(platform.sitting.id, 1, 3_000)
    assert "lost" in platform.kinds()
    platform.submissions.append(Submission(student=1, submitted_at=3_000, solver=platform.rows[0].solver, epoch=1))
    assert platform.check() == []


def test_an_answer_of_unknown_outcome_may_count_or_not(platform: Platform) -> None:
    """An answer whose outcome I never learned may be in the seal or not; it is graded as sealed."""
    platform.history.record_indeterminate(platform.sent(2, 2, 5, {"value": "3.14"}))
    assert platform.check() == []
    platform.rows.append(platform.row(2, 2, 5, {"value": "3.14"}))
    assert platform.check() == []
    assert len(platform.history.unresolved()) == 1


def test_an_answer_of_unknown_outcome_does_not_excuse_another_answer(platform: Platform) -> None:
    """An unknown outcome of one answer does not allow a third one in its place."""
    platform.history.record_indeterminate(platform.sent(2, 2, 5, {"value": "3.14"}))
    platform.rows.append(platform.row(2, 2, 5, {"value": "2"}))
    assert "replaced" in platform.kinds()


def test_a_superseded_answer_of_unknown_outcome_must_not_count(platform: Platform) -> None:
    """Once a later answer is acknowledged, an earlier one of unknown outcome must not count."""
    platform.history.record_indeterminate(platform.sent(1, 2, 1, {"value": "1"}))
    assert platform.history.unresolved() == set()
    platform.rows = [row for row in platform.rows if (row.student, row.question) != (1, 2)]
    platform.rows.append(platform.row(1, 2, 1, {"value": "1"}))
    assert "replaced" in platform.kinds()


def test_a_retry_may_be_sealed_with_its_own_time(platform: Platform) -> None:
    """If an answer was sent twice because the first response was lost, its later row may be sealed."""
    platform.history.record_indeterminate(platform.sent(2, 2, 1, {"value": "3"}))
    platform.rows.append(platform.row(2, 2, 1, {"value": "3"}, at=2_050))
    assert platform.check() == []


def _logged(platform: Platform) -> set[LoggedAnswer]:
    return {LoggedAnswer(row.student, row.question, row.seq, row.received_at) for row in platform.rows}


def test_an_acknowledged_answer_missing_from_the_log_is_lost(platform: Platform) -> None:
    """Even an answer that I changed later stays in the log."""
    assert list(check_log(platform.history, platform.sitting, _logged(platform))) == []
    kept = {row for row in _logged(platform) if (row.student, row.seq) != (1, 1)}
    assert {mismatch.kind for mismatch in check_log(platform.history, platform.sitting, kept)} == {"lost"}


@pytest.mark.parametrize("kind", ["late", "forged", "foreign"])
def test_a_refused_answer_in_the_log_is_reported(platform: Platform, kind: str) -> None:
    """A refused answer is not logged, whether or not it would supersede another."""
    getattr(platform.history, kind).add(platform.sent(2, 0, 9, {"choices": [1]}))
    intruder = LoggedAnswer(2, 0, 9, 2_500)
    assert {
        mismatch.kind for mismatch in check_log(platform.history, platform.sitting, _logged(platform) | {intruder})
    } == {kind}


def test_a_logged_answer_that_was_never_sent_is_reported(platform: Platform) -> None:
    """An answer in the log that no student sent is reported."""
    intruder = LoggedAnswer(2, 0, 1, 2_500)
    found = check_log(platform.history, platform.sitting, _logged(platform) | {intruder})
    assert {mismatch.kind for mismatch in found} == {"unasked"}


def test_a_resume_that_lacks_acknowledged_answers_is_a_violation(platform: Platform) -> None:
    """When I resume, everything I had a receipt for is shown, or the history records a violation."""
    history, sitting = platform.history, platform.sitting.id
    history.record_resume(sitting, 2, {2: (1, "3"), 1: (2, frozenset())}, 2)
    assert history.violations == []
    history.record_resume(sitting, 2, {2: (1, "3")}, 1)
    history.record_resume(sitting, 2, {2: (1, "4"), 1: (2, frozenset())}, 2)
    assert len(history.violations) == 3


def _resign(platform: Platform, change: Callable[[Receipt], Receipt], keys: SigningKeys) -> None:
    """Replace one receipt in the history by a changed one."""
    entries = platform.history.acknowledged[platform.sitting.id, 2, 2]
    receipt = change(Receipt.of(UUID(platform.sitting.id), platform.rows[-2]))
    entries[0] = Acknowledgement(entries[0].answer, entries[0].received_at, receipts.sign(receipt, keys))


def test_answers_of_every_kind_are_sealed_and_graded_as_they_were_acknowledged(other_kinds: Platform) -> None:
    """If I answer with texts, pairs and orders, typed in any way, the checker finds no difference."""
    assert other_kinds.check() == []
    assert [row.answer.value for row in other_kinds.rows[1:]] == [
        "Jean-Paul SARTRE",
        "1:0",
        "2 0 1",
        "2 1 0",
        "Weil\n\u00e9",
    ]
    [degree] = other_kinds.degrees()
    assert (degree.total, degree.points, degree.answered) == ("2.50", ("-1", "2", "0.5", "1", None), 5)


@pytest.mark.parametrize(
    ("question", "body"),
    [
        (1, {"value": "Sartre"}),
        (2, {"pairs": {"1": 0, "0": 1}}),
        (3, {"order": [2, 0, 1]}),
        (4, {"value": "Weil e\u0301"}),
    ],
)
def test_another_text_pair_or_order_in_the_seal_is_reported(
    other_kinds: Platform, question: int, body: dict[str, Any]
) -> None:
    """If something else is sealed than what I wrote last, the checker reports it (negative control)."""
    rows = [row for row in other_kinds.rows if row.question != question]
    last = max(row.seq for row in other_kinds.rows if row.question == question)
    other_kinds.rows = [*rows, other_kinds.row(1, question, last, body, at=2_100)]
    assert "replaced" in other_kinds.kinds()
