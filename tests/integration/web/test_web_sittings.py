"""The life of a sitting: provisioned, moved, paused, ended, and never in two ways at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from exam_core.instants import to_micros
from exam_core.problems import Problem, ProblemKind
from exam_web.exams.models import Choice, Exam, Question
from exam_web.sittings import selectors
from exam_web.sittings.models import Paper, Schedule, Sitting
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


def refused(kind: ProblemKind, call, **arguments: Any) -> str:
    """Make a call that must be refused; the reason."""
    with pytest.raises(Problem) as problem:
        call(**arguments)
    assert problem.value.kind is kind
    return problem.value.detail


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run calls in threads with connections of their own; what each returned or raised."""

    def run(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Problem as problem:
            return problem
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def test_asking_again_changes_nothing(provision) -> None:
    """The same spec under the same name is the same sitting, untouched."""
    first = provision(opens=3600)
    again = Sitting.objects.get(name="midterm")
    assert provision(opens=3600).id == first.id
    assert Sitting.objects.count() == 1
    assert again.paper_id == first.paper_id


def test_one_name_is_one_exam(provision, people) -> None:
    """A name that is a sitting of another exam is refused."""
    provision()
    Exam.objects.create(slug="other", title="Other", level=people.year_1)
    assert "not of other" in refused(ProblemKind.CONFLICT, provision, exam="other")


def test_an_exam_without_questions_cannot_be_sat(provision, people) -> None:
    """An empty exam is refused with the reason, and so is one that does not exist."""
    Exam.objects.create(slug="empty", title="Empty", level=people.year_1)
    assert "questions and has 0" in refused(ProblemKind.PAPER_INVALID, provision, exam="empty")
    refused(ProblemKind.NOT_FOUND, provision, exam="nowhere")
    assert not Sitting.objects.exists()


def test_windows_of_one_exam_do_not_overlap(provision) -> None:
    """Two sittings of one exam at the same time are refused with the other's name; one after the other is fine."""
    provision("morning", opens=3600, closes=7200)
    assert "morning" in refused(ProblemKind.CONFLICT, provision, name="clash", opens=5000, closes=9000)
    provision("noon", opens=7300, closes=9000)


def test_every_change_raises_the_epoch(provision, people) -> None:
    """Extending, pausing, accommodating and ending each raise the one epoch and stamp it on the sitting."""
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


def test_an_open_window_may_be_extended_not_shortened(open_now) -> None:
    """Once open, a window grows, and neither shrinks nor moves its opening or duration."""
    later = open_now.closes_at + timedelta(minutes=10)
    assert window_change(sitting=open_now.id, closes_at=later).closes_at == later
    for change in (
        {"closes_at": open_now.closes_at},
        {"opens_at": timezone.now() + timedelta(minutes=1)},
        {"duration": timedelta(minutes=1)},
    ):
        assert "open" in refused(ProblemKind.WINDOW_FROZEN, window_change, sitting=open_now.id, **change)


def test_nothing_moves_once_every_deadline_has_passed(over) -> None:
    """An over sitting is extended, paused or accommodated no more, closed or not."""
    later = timezone.now() + timedelta(hours=1)
    refused(ProblemKind.WINDOW_FROZEN, window_change, sitting=over.id, closes_at=later)
    refused(ProblemKind.WINDOW_FROZEN, pause_begin, sitting=over.id)


def test_a_pause_moves_the_end_and_a_paused_sitting_never_closes(open_now) -> None:
    """While a pause lasts nobody can say when the sitting ends; afterwards it ends later by as much."""
    end = selectors.sitting_ends_at(open_now)
    paused = pause_begin(sitting=open_now.id)
    assert pause_begin(sitting=open_now.id).epoch == paused.epoch, "pausing twice changes nothing"
    assert selectors.sitting_ends_at(paused) is None
    assert "paused" in refused(ProblemKind.STATE_CONFLICT, sitting_close, sitting=open_now.id)
    resumed = pause_end(sitting=open_now.id)
    (pause,) = resumed.pauses.all()
    assert selectors.sitting_ends_at(resumed) == end + to_micros(pause.ended_at) - to_micros(pause.began_at)


def test_extra_time_reaches_past_the_close(open_now, people) -> None:
    """An accommodation moves the end of the sitting, and only grows once the window is open."""
    student = Student.objects.get(pk=people.student.pk)
    end = selectors.sitting_ends_at(open_now)
    accommodation_set(sitting=open_now.id, student=student, extra=timedelta(minutes=10))
    assert selectors.sitting_ends_at(Sitting.objects.get(id=open_now.id)) == end + 600_000_000
    refused(
        ProblemKind.WINDOW_FROZEN,
        accommodation_set,
        sitting=open_now.id,
        student=student,
        extra=timedelta(minutes=5),
    )
    other = Student.objects.get(pk=people.other_student.pk)
    refused(ProblemKind.INVALID, accommodation_set, sitting=open_now.id, student=other, extra=timedelta(1))


def test_a_sitting_closes_only_after_its_last_deadline(open_now, over_again) -> None:
    """Closing early is refused with the time; closing when all is over works, and again changes nothing."""
    assert "deadlines until" in refused(ProblemKind.STATE_CONFLICT, sitting_close, sitting=open_now.id)
    closed = sitting_close(sitting=over_again.id)
    assert (closed.state, closed.stopped_at) == ("closing", None)
    assert sitting_close(sitting=over_again.id).epoch == closed.epoch


@pytest.fixture
def over_again(open_now, people, provision):
    """A sitting of another exam that is over."""
    exam = Exam.objects.create(slug="short", title="Short", level=people.year_1)
    Question.objects.create(exam=exam, ident="q", position=0, kind="numeric", text="1+1", value=2)
    sitting = provision("short-over", exam="short")
    now = timezone.now()
    Sitting.objects.filter(id=sitting.id).update(opens_at=now - timedelta(hours=2), closes_at=now - timedelta(hours=1))
    return Sitting.objects.get(id=sitting.id)


def test_a_stop_ends_an_open_sitting_and_a_cancelled_one_stays_cancelled(open_now, provision) -> None:
    """Stopping closes at once and says when; a cancelled sitting is neither closed nor stopped."""
    stopped = sitting_stop(sitting=open_now.id)
    assert stopped.state == "closing"
    assert stopped.stopped_at == stopped.closed_at
    assert sitting_stop(sitting=open_now.id).epoch == stopped.epoch
    refused(ProblemKind.STATE_CONFLICT, sitting_cancel, sitting=open_now.id)
    other = provision("to-cancel", opens=8000, closes=9000)
    assert sitting_cancel(sitting=other.id).state == "cancelled"
    for call in (sitting_close, sitting_stop, pause_begin):
        refused(ProblemKind.STATE_CONFLICT, call, sitting=other.id)


def test_two_closers_close_once(over) -> None:
    """However many close a sitting at the same moment, its epoch rises once."""
    before = Schedule.objects.get().epoch
    results = at_once(*[lambda: sitting_close(sitting=over.id)] * 6)
    assert {row.state for row in results} == {"closing"}
    assert Schedule.objects.get().epoch == before + 1


def test_a_stop_and_an_extension_do_not_both_win_in_silence(open_now) -> None:
    """When a stop and an extension race, the sitting is stopped, and a late extension is told so."""
    later = open_now.closes_at + timedelta(hours=1)
    stopped, extended = at_once(
        lambda: sitting_stop(sitting=open_now.id),
        lambda: window_change(sitting=open_now.id, closes_at=later),
    )
    assert stopped.state == "closing"
    row = Sitting.objects.get(id=open_now.id)
    assert row.state == "closing"
    assert isinstance(extended, Problem) != (row.closes_at == later)


def test_the_same_exam_is_frozen_once(provision, algebra) -> None:
    """Sittings provisioned at the same moment share one paper, numbered once."""
    calls = [lambda n=n: provision(f"race-{n}", opens=3600 + 10_000 * n, closes=7200 + 10_000 * n) for n in range(4)]
    results = at_once(*calls)
    assert {type(row) for row in results} == {Sitting}
    assert Paper.objects.count() == 1


def test_a_corrected_key_is_a_new_key_to_the_same_paper(provision) -> None:
    """Correcting a choice gives another key; changing a question's text is refused for a regrade."""
    sitting = provision()
    question = Question.objects.filter(kind="single").first()
    right = question.choices.get(correct=True)
    wrong = question.choices.filter(correct=False).first()
    assert key_current(sitting).digest == sitting.key_id
    Choice.objects.filter(pk=right.pk).update(correct=False)
    Choice.objects.filter(pk=wrong.pk).update(correct=True)
    corrected = key_current(sitting)
    assert corrected.digest != sitting.key_id
    assert corrected.paper_id == sitting.paper_id
    Question.objects.filter(pk=question.pk).update(text="Something else")
    refused(ProblemKind.CONFLICT, key_current, sitting=sitting)


def test_the_paper_holds_nothing_of_the_key(provision, algebra) -> None:
    """Two exams that differ in their keys alone freeze to the same paper."""
    first = provision("before", opens=3600, closes=7200).paper
    Question.objects.filter(kind="numeric").update(tolerance=9)
    second = provision("after", opens=8000, closes=9000)
    assert second.paper_id == first.digest
    assert second.key_id != Sitting.objects.get(name="before").key_id
