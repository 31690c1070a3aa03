"""The lifecycle of a sitting: provision, change, pause, stop, close, and concurrent changes."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from exam_core.instants import to_micros
from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import Choice, Exam, Question
from exam_web.sittings import selectors
from exam_web.sittings.models import Paper, Schedule, Sitting, SolverLease
from exam_web.sittings.services import (
    accommodation_set,
    key_current,
    pause_begin,
    pause_end,
    sitting_cancel,
    sitting_close,
    sitting_stop,
    window_change,
)
from exam_web.users.models import Student

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


def raises(kind: ProblemKind, call, **arguments: Any) -> str:
    """Assert that a call raises a Problem of a kind; returns its detail."""
    with pytest.raises(Problem) as problem:
        call(**arguments)
    assert problem.value.kind is kind
    return problem.value.detail


def run_concurrently(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls in threads with connections of their own; returns their results or Problems."""

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Problem as problem:
            return problem
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_provisioning_is_idempotent(provision) -> None:
    """The same spec under the same name returns the same sitting, unchanged."""
    first = provision(opens=3600)
    again = Sitting.objects.get(name="midterm")
    assert provision(opens=3600).id == first.id
    assert Sitting.objects.count() == 1
    assert again.paper_id == first.paper_id


def test_a_name_of_another_exams_sitting_is_rejected(provision, people) -> None:
    """A name that belongs to a sitting of another exam is a conflict."""
    provision()
    Exam.objects.create(slug="other", title="Other", level=people.year_1, published=True)
    assert "not of other" in raises(ProblemKind.CONFLICT, provision, exam="other")


def test_an_empty_exam_cannot_be_scheduled(provision, people) -> None:
    """An exam without questions is rejected with the reason, and so is one that does not exist."""
    Exam.objects.create(slug="empty", title="Empty", level=people.year_1, published=True)
    assert "questions and has 0" in raises(ProblemKind.PAPER_INVALID, provision, exam="empty")
    raises(ProblemKind.NOT_FOUND, provision, exam="nowhere")
    assert not Sitting.objects.exists()


def test_windows_of_one_exam_must_not_overlap(provision) -> None:
    """Overlapping sittings of one exam are rejected with the other's name; consecutive ones are accepted."""
    provision("morning", opens=3600, closes=7200)
    assert "morning" in raises(ProblemKind.CONFLICT, provision, name="clash", opens=5000, closes=9000)
    provision("noon", opens=7300, closes=9000)


def test_every_change_increments_the_epoch(provision, people) -> None:
    """Extending, pausing, accommodating and stopping each increment the epoch and stamp it on the sitting."""
    sitting = provision().id
    student = Student.objects.get(pk=people.student.pk)
    closes = Sitting.objects.get().closes_at
    changes = [
        lambda: window_change(sitting=sitting, closes_at=closes + timedelta(hours=1)),
        lambda: accommodation_set(sitting=sitting, student=student, extra=timedelta(minutes=5)),
        lambda: pause_begin(sitting=sitting),
        lambda: pause_end(sitting=sitting),
        lambda: sitting_stop(sitting=sitting),
    ]
    epochs = [Schedule.objects.get().epoch]
    for change in changes:
        row = change()
        epochs.append(Schedule.objects.get().epoch)
        assert row.epoch == epochs[-1]
    assert epochs == sorted(set(epochs))


def test_an_open_window_can_only_be_extended(open_now) -> None:
    """Once open, a window can be extended; it cannot shrink, and its opening and duration are fixed."""
    later = open_now.closes_at + timedelta(minutes=10)
    assert window_change(sitting=open_now.id, closes_at=later).closes_at == later
    for change in (
        {"closes_at": open_now.closes_at},
        {"opens_at": timezone.now() + timedelta(minutes=1)},
        {"duration": timedelta(minutes=1)},
    ):
        assert "open" in raises(ProblemKind.WINDOW_FROZEN, window_change, sitting=open_now.id, **change)


@pytest.mark.parametrize(
    ("ttls", "opens", "outcome"),
    [
        ((), 20, "changed"),
        ((5, 10), 25, "changed"),
        ((5, 10), 9, "frozen"),
        ((5, 55), 45, "frozen"),
        ((55,), 85, "changed"),
    ],
)
def test_a_window_may_be_narrowed_until_the_longest_lease_before_it_opens(
    provision, people, ttls: tuple[int, ...], opens: float, outcome: str
) -> None:
    """A solver that has not read a change admits no student under the old window, however long its lease is."""
    sitting = provision(opens=opens, closes=7200)
    student = Student.objects.get(pk=people.student.pk)
    accommodation_set(sitting=sitting.id, student=student, extra=timedelta(minutes=5))
    for ttl in ttls:
        SolverLease.objects.create(
            holder=uuid4(), renewed_at=timezone.now(), ttl=timedelta(seconds=ttl), drained_epoch=1
        )
    changes = (
        (window_change, {"closes_at": sitting.closes_at - timedelta(minutes=1)}),
        (accommodation_set, {"student": student, "extra": timedelta(minutes=4)}),
    )
    for change, arguments in changes:
        if outcome == "frozen":
            raises(ProblemKind.WINDOW_FROZEN, change, sitting=sitting.id, **arguments)
        else:
            change(sitting=sitting.id, **arguments)


def test_a_sitting_is_immutable_after_its_last_deadline(over) -> None:
    """After its last deadline a sitting cannot be extended or paused, closed or not."""
    later = timezone.now() + timedelta(hours=1)
    raises(ProblemKind.WINDOW_FROZEN, window_change, sitting=over.id, closes_at=later)
    raises(ProblemKind.WINDOW_FROZEN, pause_begin, sitting=over.id)


def test_a_pause_extends_the_end_and_prevents_closing(open_now) -> None:
    """While a sitting is paused its end is unknown; afterwards it ends later by the length of the pause."""
    end = selectors.sitting_ends_at(open_now)
    paused = pause_begin(sitting=open_now.id)
    assert pause_begin(sitting=open_now.id).epoch == paused.epoch, "pausing is idempotent"
    assert selectors.sitting_ends_at(paused) is None
    assert "paused" in raises(ProblemKind.STATE_CONFLICT, sitting_close, sitting=open_now.id)
    resumed = pause_end(sitting=open_now.id)
    (pause,) = resumed.pauses.all()
    assert end is not None
    assert pause.ended_at is not None
    assert selectors.sitting_ends_at(resumed) == end + to_micros(pause.ended_at) - to_micros(pause.began_at)


def test_extra_time_extends_past_the_close(open_now, people) -> None:
    """An accommodation extends the end of the sitting, and can only grow once the window is open."""
    student = Student.objects.get(pk=people.student.pk)
    end = selectors.sitting_ends_at(open_now)
    assert end is not None
    accommodation_set(sitting=open_now.id, student=student, extra=timedelta(minutes=10))
    assert selectors.sitting_ends_at(Sitting.objects.get(id=open_now.id)) == end + 600_000_000
    raises(
        ProblemKind.WINDOW_FROZEN,
        accommodation_set,
        sitting=open_now.id,
        student=student,
        extra=timedelta(minutes=5),
    )
    other = Student.objects.get(pk=people.other_student.pk)
    raises(ProblemKind.INVALID, accommodation_set, sitting=open_now.id, student=other, extra=timedelta(1))


def test_a_sitting_closes_only_after_its_last_deadline(open_now, over_again) -> None:
    """Closing early is rejected with the time of the last deadline; after it closing succeeds and is idempotent."""
    assert "deadlines until" in raises(ProblemKind.STATE_CONFLICT, sitting_close, sitting=open_now.id)
    closed = sitting_close(sitting=over_again.id)
    assert (closed.state, closed.stopped_at) == ("closing", None)
    assert sitting_close(sitting=over_again.id).epoch == closed.epoch


@pytest.fixture
def over_again(open_now, people, provision):
    """A sitting of another exam that is over."""
    exam = Exam.objects.create(slug="short", title="Short", level=people.year_1, published=True)
    Question.objects.create(exam=exam, ident="q", position=0, kind="numeric", text="1+1", value=2)
    sitting = provision("short-over", exam="short")
    now = timezone.now()
    Sitting.objects.filter(id=sitting.id).update(opens_at=now - timedelta(hours=2), closes_at=now - timedelta(hours=1))
    return Sitting.objects.get(id=sitting.id)


def test_stopping_and_cancelling_are_final(open_now, provision) -> None:
    """Stopping closes at once and records when; a cancelled sitting can be neither closed nor stopped."""
    stopped = sitting_stop(sitting=open_now.id)
    assert stopped.state == "closing"
    assert stopped.stopped_at == stopped.closed_at
    assert sitting_stop(sitting=open_now.id).epoch == stopped.epoch
    raises(ProblemKind.STATE_CONFLICT, sitting_cancel, sitting=open_now.id)
    other = provision("to-cancel", opens=8000, closes=9000)
    assert sitting_cancel(sitting=other.id).state == "cancelled"
    for call in (sitting_close, sitting_stop, pause_begin):
        raises(ProblemKind.STATE_CONFLICT, call, sitting=other.id)


def test_concurrent_closes_increment_the_epoch_once(over) -> None:
    """However many close a sitting at the same moment, its epoch is incremented once."""
    before = Schedule.objects.get().epoch
    results = run_concurrently(*[lambda: sitting_close(sitting=over.id)] * 6)
    assert {row.state for row in results} == {"closing"}
    assert Schedule.objects.get().epoch == before + 1


def test_a_concurrent_extension_of_a_stopped_sitting_fails(open_now) -> None:
    """When a stop and an extension race, the sitting is stopped, and an extension after the stop raises."""
    later = open_now.closes_at + timedelta(hours=1)
    stopped, extended = run_concurrently(
        lambda: sitting_stop(sitting=open_now.id),
        lambda: window_change(sitting=open_now.id, closes_at=later),
    )
    assert stopped.state == "closing"
    row = Sitting.objects.get(id=open_now.id)
    assert row.state == "closing"
    assert isinstance(extended, Problem) != (row.closes_at == later)


def test_an_exam_is_frozen_once(provision, algebra) -> None:
    """Sittings that are provisioned concurrently share one paper."""
    calls = [lambda n=n: provision(f"race-{n}", opens=3600 + 10_000 * n, closes=7200 + 10_000 * n) for n in range(4)]
    results = run_concurrently(*calls)
    assert {type(row) for row in results} == {Sitting}
    assert Paper.objects.count() == 1


def test_a_corrected_key_keeps_the_paper(provision) -> None:
    """Correcting a choice or a typing mistake gives another key; a regrade with other choices is rejected."""
    sitting = provision()
    question = Question.objects.filter(kind="single").earliest("pk")
    right = question.choices.get(correct=True)
    wrong = question.choices.filter(correct=False).earliest("pk")
    assert key_current(sitting).digest == sitting.key_id
    Choice.objects.filter(pk=right.pk).update(correct=False)
    Choice.objects.filter(pk=wrong.pk).update(correct=True)
    corrected = key_current(sitting)
    assert corrected.digest != sitting.key_id
    assert corrected.paper_id == sitting.paper_id
    Question.objects.filter(pk=question.pk).update(text="A mended text")
    assert key_current(sitting).digest == corrected.digest
    right.delete()
    detail = raises(ProblemKind.PAPER_CHANGED, key_current, sitting=sitting)
    assert f"question {question.ident} " in detail
    assert "restore the rest of the exam" in detail


def test_the_paper_does_not_depend_on_the_key(provision, algebra) -> None:
    """Two exams that differ only in their keys freeze to the same paper."""
    first = provision("before", opens=3600, closes=7200).paper
    Question.objects.filter(kind="numeric").update(tolerance=9)
    second = provision("after", opens=8000, closes=9000)
    assert second.paper_id == first.digest
    assert second.key_id != Sitting.objects.get(name="before").key_id
