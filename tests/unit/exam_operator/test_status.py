"""What is said of an Exam, and when it is worth an Event."""

from dataclasses import replace
from typing import Any

import pytest

from exam_core.instants import HOUR, MINUTE, SECOND
from exam_core.schedule import State
from exam_operator.decide.status import (
    Capacity,
    Fault,
    Phase,
    degraded_status,
    events_for,
    moment,
    phase_of,
    status_of,
)
from exam_operator.model.exam import DesiredState, Exam
from exam_operator.model.observed import Job, JobState, ObservedState, Rejection, Revision, Seal, Sitting
from exam_operator.testing.world import EPOCH_2027, make_exam

NOW = EPOCH_2027
EXAM = make_exam(NOW)
OPENS, CLOSES = EXAM.spec.window.opens_at, EXAM.spec.window.closes_at
SITTING = Sitting(
    id="60b1f19f-0000-4000-8000-000000000000",
    state=State.SCHEDULED,
    epoch=3,
    now=NOW,
    window=EXAM.spec.window,
    paused=False,
    ends_at=CLOSES,
    paper="a" * 64,
    distributed=True,
    drained=False,
    seal=None,
    revisions=(),
    published_revision=0,
    published_at=None,
)
SEALED = replace(
    SITTING, state=State.SEALED, drained=True, seal=Seal(at=CLOSES, answers=7, students=2, digest="b" * 64)
)


def revision(number: int = 1, graded: int = 3) -> Revision:
    """A revision of three chunks."""
    done = graded == 3
    return Revision(number=number, done=done, chunks=3, graded=graded, started_at=CLOSES, finished_at=None)


def wishing(**changes: Any) -> Exam:
    """The Exam with another wish."""
    return replace(EXAM, spec=replace(EXAM.spec, **changes), generation=2)


def status(observed: ObservedState, resource: Exam = EXAM, *, now: int = NOW, **more: Any) -> dict[str, Any]:
    """What is said."""
    given = {"capacity": None, "skew": 0} | more
    return dict(status_of(resource, observed, given["capacity"], given["skew"], now))


def condition(said: dict[str, Any], kind: str) -> tuple[str, str, str]:
    """One condition: status, reason, message."""
    [found] = [each for each in said["conditions"] if each["type"] == kind]
    return found["status"], found["reason"], found["message"]


@pytest.mark.parametrize(
    ("sitting", "now", "phase"),
    [
        (None, NOW, Phase.PENDING),
        (SITTING, OPENS - 5 * MINUTE - 1, Phase.SCHEDULED),
        (SITTING, OPENS - 5 * MINUTE, Phase.WARMING),
        (SITTING, OPENS, Phase.OPEN),
        (SITTING, CLOSES, Phase.OPEN),
        (SITTING, CLOSES + 1, Phase.CLOSING),
        (replace(SITTING, paused=True, ends_at=None), OPENS, Phase.PAUSED),
        (replace(SITTING, paused=True, ends_at=None), OPENS - 1, Phase.WARMING),
        (replace(SITTING, state=State.CANCELLED), OPENS, Phase.CANCELLED),
        (replace(SITTING, state=State.CLOSING), CLOSES, Phase.CLOSING),
        (replace(SITTING, state=State.CLOSING, drained=True), CLOSES, Phase.GRADING),
        (SEALED, CLOSES, Phase.GRADING),
        (replace(SEALED, revisions=(revision(graded=2),)), CLOSES, Phase.GRADING),
        (replace(SEALED, revisions=(revision(),)), CLOSES, Phase.GRADED),
        (replace(SEALED, revisions=(revision(),), published_revision=1), CLOSES, Phase.PUBLISHED),
    ],
)
def test_the_phase_is_where_the_sitting_is(sitting: Sitting | None, now: int, phase: Phase) -> None:
    """If I look at the phase, it says where the sitting is by PostgreSQL and its clock."""
    assert phase_of(EXAM, ObservedState(sitting=sitting), now) is phase


def test_an_exam_cancelled_before_it_was_made_is_cancelled() -> None:
    """If I cancel an Exam that has no sitting yet, it is cancelled."""
    assert phase_of(wishing(desired=DesiredState.CANCELLED), ObservedState(sitting=None), NOW) is Phase.CANCELLED


def test_what_is_not_is_left_out() -> None:
    """If something is not there yet, its field is not, rather than empty."""
    said = status(ObservedState(sitting=SITTING))
    assert said.keys() == {
        "phase", "sitting", "sittingId", "epoch", "paperDigest", "window", "observedGeneration", "conditions"
    }  # fmt: skip
    assert said["window"] == {
        "opensAt": "2027-01-15T08:10:00Z",
        "closesAt": "2027-01-15T09:10:00Z",
        "endsAt": "2027-01-15T09:10:00Z",
    }
    assert "endsAt" not in status(ObservedState(sitting=replace(SITTING, ends_at=None)))["window"]


def test_a_refused_wish_is_told_until_another_is_wished() -> None:
    """If a wish was refused, I read why; once I wish for something else that is gone."""
    no = Rejection(action="change-window", generation=1, at=NOW, reason="WindowFrozen", message="not shortened")
    observed = ObservedState(sitting=SITTING, rejections=(no,))
    said = status(observed)
    assert condition(said, "Accepted") == ("False", "WindowFrozen", "not shortened")
    assert said["reason"] == "WindowFrozen"
    later = status(observed, replace(EXAM, generation=2))
    assert condition(later, "Accepted")[0] == "True"
    assert "reason" not in later


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"desired": DesiredState.PAUSED}, "the sitting is closed: it can no longer become Paused"),
        ({"desired": DesiredState.CANCELLED}, "the sitting is closed: it can no longer become Cancelled"),
        (
            {"window": replace(EXAM.spec.window, closes_at=CLOSES + HOUR)},
            "the sitting is closed: its window stays 2027-01-15T08:10:00Z to 2027-01-15T09:10:00Z",
        ),
    ],
)
def test_an_edit_after_the_close_is_told_to_be_too_late(changes: dict[str, Any], sentence: str) -> None:
    """If I edit what is over, I am told that it is too late, and what stays."""
    assert condition(status(ObservedState(sitting=SEALED), wishing(**changes)), "Accepted") == (
        "False",
        "Closed",
        sentence,
    )


def test_a_paper_that_nobody_can_read_is_not_provisioned() -> None:
    """If the paper is not yet where solvers read it, the Exam does not count as provisioned."""
    said = status(ObservedState(sitting=replace(SITTING, distributed=False)))
    assert condition(said, "Provisioned")[:2] == ("False", "PaperNotDistributed")


@pytest.mark.parametrize(("skew", "word"), [(3 * SECOND, "behind"), (-3 * SECOND, "ahead of")])
def test_a_clock_that_is_off_is_named(skew: int, word: str) -> None:
    """If the operator's clock is off by more than it may be, I read in which direction."""
    holds, reason, message = condition(status(ObservedState(sitting=SITTING), skew=skew), "Degraded")
    assert (holds, reason) == ("True", "ClockSkew")
    assert f"{word} the platform's" in message
    assert condition(status(ObservedState(sitting=SITTING), skew=skew // 2), "Degraded")[0] == "False"


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (Job(name="g", uid="u", state=JobState.FAILED, failures=1), "GradingJobFailed"),
        (Job(name="g", uid="u", state=JobState.RUNNING, failures=2), "GradingPodFailed"),
        (Job(name="g", uid="u", state=JobState.RUNNING, failures=0), "AsExpected"),
    ],
)
def test_trouble_with_the_job_is_named(job: Job, reason: str) -> None:
    """If the grading Job or its pods fail, I read so."""
    assert condition(status(ObservedState(sitting=SEALED, job=job)), "Degraded")[1] == reason


def test_how_far_the_grading_is_can_be_read() -> None:
    """If grading goes on, I see which revision, by which Job, and how much of it is done."""
    job = Job(name="grade-60b1f19f-r1", uid="u", state=JobState.RUNNING, failures=0)
    said = status(ObservedState(sitting=replace(SEALED, revisions=(revision(graded=2),)), job=job))
    assert said["grading"].items() >= {
        "revision": 1, "jobName": "grade-60b1f19f-r1", "jobUid": "u", "chunks": 3, "graded": 2
    }.items()  # fmt: skip
    assert condition(said, "Graded") == ("False", "Grading", "revision 1: 2 of 3 chunks")
    waits = ObservedState(sitting=SEALED, job=replace(job, state=JobState.SUSPENDED), job_slot=False)
    assert condition(status(waits), "Graded")[1] == "Queued"


def test_the_job_stays_named_once_it_is_gone() -> None:
    """If a Job is cleaned away after its time, the status still says which one it was."""
    graded = replace(SEALED, revisions=(revision(),))
    before = replace(EXAM, status={"grading": {"revision": 1, "jobUid": "u", "failed": 0}})
    assert status(ObservedState(sitting=graded), before)["grading"]["jobUid"] == "u"


def test_ready_pods_are_told_while_they_matter() -> None:
    """If a sitting is warming or open, I see how many solver pods are ready; later nobody is troubled with it."""
    capacity = Capacity(floor=4, ready=3, kept=4, wanted=2)
    warm = status(ObservedState(sitting=SITTING), now=OPENS, capacity=capacity)
    assert warm["capacity"] == {"wanted": 2, "ready": 3}
    assert condition(warm, "CapacityReady") == ("False", "NotReady", "3 of 4 solver pods are ready")
    enough = status(ObservedState(sitting=SITTING), now=OPENS, capacity=replace(capacity, ready=4))
    assert condition(enough, "CapacityReady")[:2] == ("True", "Ready")
    going = status(ObservedState(sitting=SITTING), now=OPENS, capacity=replace(capacity, ready=4, kept=1))
    assert condition(going, "CapacityReady") == ("False", "NotReady", "1 of 4 solver pods are ready")
    over = [status(ObservedState(sitting=SEALED), capacity=replace(capacity, ready=ready)) for ready in (1, 9)]
    assert over[0] == over[1]


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    """If a condition holds on, it says since when; once it changes, that is now."""
    first = status(ObservedState(sitting=SITTING))
    again = status(ObservedState(sitting=SITTING), replace(EXAM, status=first), now=OPENS)
    since = {each["type"]: each["lastTransitionTime"] for each in again["conditions"]}
    assert since["Provisioned"] == moment(NOW)
    assert since["Open"] == moment(OPENS)


def test_what_was_said_stays_while_nothing_can_be_learned() -> None:
    """If web is away, all that was known stays, and I read that it is away."""
    before = status(ObservedState(sitting=SITTING))
    fault = Fault(reason="WebUnavailable", message="web: nobody answers")
    said = degraded_status(replace(EXAM, status=before), fault, NOW)
    assert {**said, "conditions": 0, "reason": 0} == {**before, "conditions": 0, "reason": 0}
    assert condition(said, "Degraded") == ("True", "WebUnavailable", "web: nobody answers")
    assert condition(said, "Provisioned") == condition(before, "Provisioned")
    assert degraded_status(EXAM, fault, NOW)["phase"] == "Pending"


def test_an_event_is_said_for_each_new_phase_and_trouble_alone() -> None:
    """If I describe an Exam, I read its phases and troubles once each, and nothing of what did not change."""
    first = status(ObservedState(sitting=SITTING))
    assert [(each.warning, each.reason) for each in events_for(EXAM, first)] == [(False, "Scheduled")]
    said = replace(EXAM, status=first)
    assert list(events_for(said, status(ObservedState(sitting=SITTING), said))) == []
    no = Rejection(action="pause", generation=1, at=NOW, reason="Closed", message="too late")
    rejected = status(ObservedState(sitting=SITTING, rejections=(no,)), said, now=OPENS)
    told = list(events_for(said, rejected))
    assert [(each.warning, each.reason) for each in told] == [(False, "Open"), (True, "Closed")]
    assert told[0].message == "students may start until 2027-01-15T09:10:00Z"
    assert list(events_for(replace(EXAM, status=rejected), rejected)) == []


@pytest.mark.parametrize(
    ("instant", "text"),
    [(None, None), (NOW, "2027-01-15T08:00:00Z"), (NOW + 1, "2027-01-15T08:00:00.000001Z")],
)
def test_instants_are_written_as_the_api_has_them(instant: int | None, text: str | None) -> None:
    """If an instant is at a whole second, no zeros trail it."""
    assert moment(instant) == text
