"""The status, conditions and Events of an Exam."""

from dataclasses import replace
from typing import Any

import pytest

from exam_core.instants import HOUR, MINUTE, SECOND
from exam_core.schedule import State
from exam_core.scoring import MultipleRule, Policy
from exam_operator.decide.events import events_for
from exam_operator.decide.phase import phase_of
from exam_operator.decide.plan import Verb, plan
from exam_operator.decide.status import Fault, degraded_status, status_of
from exam_operator.model.exam import FINALIZER, DesiredState, Exam
from exam_operator.model.instants import format_instant
from exam_operator.model.observed import (
    Change,
    Content,
    Job,
    JobState,
    ObservedState,
    PodFault,
    Rejection,
    Revision,
    Seal,
    Sitting,
    SolverCapacity,
)
from exam_operator.model.status import ExamStatus, Phase
from exam_operator.testing.world import EPOCH_2027, make_exam

NOW = EPOCH_2027
EXAM = make_exam(NOW)
CAPACITY = SolverCapacity(needed=4, limit=100, ready=3, kept=4, wanted=2)
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
    frozen_at=NOW - HOUR,
    refreeze="",
    content=Content(change=Change.NONE, detail=""),
    candidates=100,
    scoring=Policy(),
    distributed=True,
    drained=False,
    seal=None,
    revisions=(),
    published_revision=0,
    published_at=None,
)
NEGATIVE = Policy(negative_total=True)
SEALED = replace(
    SITTING,
    state=State.SEALED,
    drained=True,
    seal=Seal(at=CLOSES, answers=7, students=2, digest="b" * 64, statement="first"),
)


def revision(number: int = 1, graded: int = 3) -> Revision:
    """A revision of three chunks."""
    done = graded == 3
    return Revision(number=number, done=done, chunks=3, graded=graded, started_at=CLOSES, finished_at=None)


def edited(**changes: Any) -> Exam:
    """The Exam with an edited spec."""
    return replace(EXAM, spec=replace(EXAM.spec, **changes), generation=2)


def status(
    observed: ObservedState,
    exam: Exam = EXAM,
    *,
    now: int = NOW,
    capacity: SolverCapacity | None = None,
    skew: int = 0,
) -> dict[str, Any]:
    """The status as it is written."""
    return status_of(exam, observed, capacity, skew, now).to_json()


def with_status(exam: Exam, body: dict[str, Any]) -> Exam:
    """An Exam with a status that was written before."""
    return replace(exam, status=ExamStatus.from_json(body))


def condition(body: dict[str, Any], kind: str) -> tuple[str, str, str]:
    """One condition: status, reason, message."""
    [found] = [each for each in body["conditions"] if each["type"] == kind]
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
def test_the_phase_follows_postgresql_and_the_clock(sitting: Sitting | None, now: int, phase: Phase) -> None:
    """If I look at the phase, it follows PostgreSQL's state and the platform's clock."""
    assert phase_of(EXAM, ObservedState(sitting=sitting), now) is phase


def test_an_exam_cancelled_before_provisioning_is_cancelled() -> None:
    """If I cancel an Exam that has no sitting yet, it is cancelled."""
    exam = edited(desired_state=DesiredState.CANCELLED)
    assert phase_of(exam, ObservedState(sitting=None), NOW) is Phase.CANCELLED


def test_absent_values_are_omitted() -> None:
    """If a value does not exist yet, its field is absent, not empty."""
    body = status(ObservedState(sitting=SITTING))
    assert body.keys() == {
        "phase", "sitting", "sittingId", "epoch", "paperDigest", "paperFrozenAt", "window", "scoring",
        "observedGeneration", "conditions",
    }  # fmt: skip
    assert body["window"] == {
        "opensAt": "2027-01-15T08:10:00Z",
        "closesAt": "2027-01-15T09:10:00Z",
        "endsAt": "2027-01-15T09:10:00Z",
    }
    assert "endsAt" not in status(ObservedState(sitting=replace(SITTING, ends_at=None)))["window"]


def test_the_first_statement_about_a_seal_is_kept() -> None:
    """The status keeps the statement that was published first, so that a later, different one is found out."""
    first = status(ObservedState(sitting=SEALED))
    assert first["seal"]["statement"] == "first"
    assert SEALED.seal is not None
    changed = replace(SEALED, seal=replace(SEALED.seal, statement="second", digest="c" * 64))
    later = status(ObservedState(sitting=changed), with_status(EXAM, first))
    assert (later["seal"]["statement"], later["seal"]["digest"]) == ("first", "c" * 64)
    without = replace(SEALED, seal=replace(SEALED.seal, statement=None))
    assert "statement" not in status(ObservedState(sitting=without))["seal"]


def test_a_rejection_is_reported_for_its_generation() -> None:
    """If an edit was rejected, I read why; once I edit the spec again, that is gone."""
    rejection = Rejection(action="change-window", generation=1, at=NOW, reason="WindowFrozen", message="not shortened")
    observed = ObservedState(sitting=SITTING, rejections=(rejection,))
    body = status(observed)
    assert condition(body, "Accepted") == ("False", "WindowFrozen", "not shortened")
    assert body["reason"] == "WindowFrozen"
    later = status(observed, replace(EXAM, generation=2))
    assert condition(later, "Accepted") == ("True", "Accepted", "spec applied")
    assert "reason" not in later


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"desired_state": DesiredState.PAUSED}, "the sitting is closed: it can no longer become Paused"),
        ({"desired_state": DesiredState.CANCELLED}, "the sitting is closed: it can no longer become Cancelled"),
        (
            {"window": replace(EXAM.spec.window, closes_at=CLOSES + HOUR)},
            "the sitting is closed: its window stays 2027-01-15T08:10:00Z to 2027-01-15T09:10:00Z",
        ),
    ],
)
def test_an_edit_after_the_close_is_not_accepted(changes: dict[str, Any], message: str) -> None:
    """If I edit a sitting that is over, I read that it is too late, and what stays."""
    body = status(ObservedState(sitting=SEALED), edited(**changes))
    assert condition(body, "Accepted") == ("False", "Closed", message)


CORRECTED = {
    Change.KEY: Content(change=Change.KEY, detail="the key of question q1 changed"),
    Change.PAPER: Content(change=Change.PAPER, detail="the text of question q1 changed"),
}


def test_the_status_says_since_when_the_paper_is_frozen() -> None:
    """While the exam is the frozen one, I read when that was."""
    body = status(ObservedState(sitting=SITTING))
    assert body["paperFrozenAt"] == "2027-01-15T07:00:00Z"
    text = "the paper was frozen at 2027-01-15T07:00:00Z; the exam has the same content"
    assert condition(body, "PaperCurrent") == ("True", "Current", text)
    assert "refreeze" not in body


@pytest.mark.parametrize(
    ("change", "sitting", "now", "way"),
    [
        (Change.KEY, SITTING, NOW, "set spec.refreeze to a new value before the opening to use it"),
        (Change.PAPER, SITTING, NOW, "set spec.refreeze to a new value before the opening to use it"),
        (Change.KEY, SITTING, OPENS, "a new grading revision uses it"),
        (Change.PAPER, SITTING, OPENS, "a new grading revision needs its texts and points"),
        (Change.KEY, SEALED, CLOSES, "a new grading revision uses it"),
    ],
)
def test_a_change_of_the_exam_since_the_freezing_is_reported(change, sitting: Sitting, now: int, way: str) -> None:
    """If the exam was corrected after its paper was frozen, I read what differs and how it can be used."""
    body = status(ObservedState(sitting=replace(sitting, content=CORRECTED[change])), now=now)
    holds, reason, message = condition(body, "PaperCurrent")
    assert (holds, reason) == ("False", "KeyChanged" if change is Change.KEY else "PaperChanged")
    assert CORRECTED[change].detail in message
    assert message.endswith(way)
    assert condition(body, "Accepted")[0] == "True"
    events = events_for(EXAM.status, ExamStatus.from_json(body))
    assert (True, reason) in [(each.warning, each.reason) for each in events]


@pytest.mark.parametrize(("sitting", "now"), [(SITTING, OPENS), (SEALED, CLOSES)])
def test_a_request_to_freeze_anew_that_came_too_late_is_not_accepted(sitting: Sitting, now: int) -> None:
    """If I request freezing anew after the opening, I read that it came too late; an applied request is shown."""
    exam = edited(refreeze="typo")
    late = status(ObservedState(sitting=replace(sitting, content=CORRECTED[Change.PAPER])), exam, now=now)
    assert condition(late, "Accepted")[:2] == ("False", "PaperFrozen")
    assert late["reason"] == "PaperFrozen"
    applied = replace(sitting, content=CORRECTED[Change.PAPER], refreeze="typo")
    body = status(ObservedState(sitting=applied), exam, now=now)
    assert (condition(body, "Accepted")[0], body["refreeze"]) == ("True", "typo")


@pytest.mark.parametrize("earlier", [True, False])
def test_content_is_changed_while_the_window_is_furthest(earlier: bool) -> None:  # noqa: FBT001 - parametrised
    """If I move the window and freeze anew in one edit, the order leaves the most time before the opening."""
    opens_at = OPENS - 5 * MINUTE if earlier else OPENS + 5 * MINUTE
    exam = edited(
        window=replace(EXAM.spec.window, opens_at=opens_at), refreeze="typo", candidates=5000, scoring=NEGATIVE
    )
    exam = replace(exam, finalizers=(FINALIZER,))
    verbs = []
    sitting = replace(SITTING, content=CORRECTED[Change.PAPER])
    while (action := plan(exam, ObservedState(sitting=sitting), NOW).action) is not None:
        verbs.append(action.verb)
        applied: dict[Verb, dict[str, Any]] = {
            Verb.CHANGE_WINDOW: {"window": exam.spec.window},
            Verb.REFREEZE: {"refreeze": "typo"},
            Verb.CHANGE_CANDIDATES: {"candidates": 5000},
            Verb.CHANGE_SCORING: {"scoring": NEGATIVE},
        }
        sitting = replace(sitting, **applied[action.verb])
    content = [Verb.REFREEZE, Verb.CHANGE_CANDIDATES, Verb.CHANGE_SCORING]
    assert verbs == ([*content, Verb.CHANGE_WINDOW] if earlier else [Verb.CHANGE_WINDOW, *content])


def test_the_scoring_policy_of_the_sitting_is_shown() -> None:
    """If I look at an Exam, I see by which policy its answers will be scored, also if that is the exam's."""
    assert status(ObservedState(sitting=SITTING))["scoring"] == {"multiple": "AllOrNothing", "negativeTotal": False}
    proportional = replace(SITTING, scoring=Policy(multiple=MultipleRule.PROPORTIONAL))
    body = status(ObservedState(sitting=proportional))
    assert body["scoring"] == {"multiple": "Proportional", "negativeTotal": False}
    assert condition(body, "Accepted")[:2] == ("True", "Accepted")


@pytest.mark.parametrize(
    ("sitting", "now", "accepted"),
    [(SITTING, NOW, "True"), (SITTING, OPENS, "False"), (SEALED, CLOSES, "False")],
    ids=["before", "open", "sealed"],
)
def test_a_scoring_policy_that_comes_too_late_is_reported(sitting: Sitting, now: int, accepted: str) -> None:
    """If I name another scoring policy once students answer by one, I read that it stays and which one it is."""
    exam = replace(edited(scoring=NEGATIVE), finalizers=(FINALIZER,))
    holds, reason, message = condition(status(ObservedState(sitting=sitting), exam, now=now), "Accepted")
    assert holds == accepted
    if accepted == "False":
        assert (reason, "multiple AllOrNothing, negativeTotal false" in message) == ("ScoringFixed", True)
        action = plan(exam, ObservedState(sitting=sitting), now).action
        assert action is None or action.verb is not Verb.CHANGE_SCORING
    same = replace(sitting, scoring=NEGATIVE)
    assert condition(status(ObservedState(sitting=same), exam, now=now), "Accepted")[0] == "True"


def test_an_undistributed_paper_is_not_provisioned() -> None:
    """If solvers cannot read the paper yet, the Exam does not count as provisioned."""
    body = status(ObservedState(sitting=replace(SITTING, distributed=False)))
    assert condition(body, "Provisioned")[:2] == ("False", "PaperNotDistributed")


@pytest.mark.parametrize(("skew", "word"), [(3 * SECOND, "behind"), (-3 * SECOND, "ahead of")])
def test_clock_skew_is_reported_with_its_direction(skew: int, word: str) -> None:
    """If the operator's clock is off by more than the bound, I read in which direction."""
    observed = ObservedState(sitting=SITTING)
    holds, reason, message = condition(status(observed, skew=skew), "Degraded")
    assert (holds, reason) == ("True", "ClockSkew")
    assert f"{word} the platform's" in message
    assert condition(status(observed, skew=skew // 2), "Degraded") == ("False", "AsExpected", "all checks passed")


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (Job(name="g", uid="u", state=JobState.FAILED, failures=1), "GradingJobFailed"),
        (Job(name="g", uid="u", state=JobState.RUNNING, failures=2), "GradingPodFailed"),
        (Job(name="g", uid="u", state=JobState.RUNNING, failures=0), "AsExpected"),
    ],
)
def test_a_failing_job_degrades_the_exam(job: Job, reason: str) -> None:
    """If the grading Job or its pods fail, I read so."""
    assert condition(status(ObservedState(sitting=SEALED, job=job)), "Degraded")[1] == reason


def test_grading_progress_is_reported() -> None:
    """If a sitting is being graded, I see which revision, by which Job, and how much of it is done."""
    job = Job(name="grade-60b1f19f-r1", uid="u", state=JobState.RUNNING, failures=0)
    body = status(ObservedState(sitting=replace(SEALED, revisions=(revision(graded=2),)), job=job))
    assert body["grading"].items() >= {
        "revision": 1, "jobName": "grade-60b1f19f-r1", "jobUid": "u", "chunks": 3, "graded": 2
    }.items()  # fmt: skip
    assert condition(body, "Graded") == ("False", "Grading", "revision 1: 2 of 3 chunks")
    waiting = ObservedState(sitting=SEALED, job=replace(job, state=JobState.SUSPENDED), job_slot=False)
    assert condition(status(waiting), "Graded")[1] == "Queued"


def test_the_job_stays_in_the_status_after_its_deletion() -> None:
    """If a Job is deleted after its time to live, the status still names it."""
    graded = ObservedState(sitting=replace(SEALED, revisions=(revision(),)))
    before = with_status(EXAM, {"grading": {"revision": 1, "jobUid": "u", "failed": 0}})
    assert status(graded, before)["grading"]["jobUid"] == "u"


def test_ready_pods_are_reported_while_warm() -> None:
    """If a sitting is warming or open, I see how many solver pods are ready; afterwards the number is left out."""
    capacity = CAPACITY
    observed = ObservedState(sitting=SITTING)
    warm = status(observed, now=OPENS, capacity=capacity)
    assert warm["capacity"] == {"wanted": 2, "ready": 3}
    assert condition(warm, "CapacityReady") == ("False", "NotReady", "3 of 4 solver pods are ready")
    enough = status(observed, now=OPENS, capacity=replace(capacity, ready=4))
    assert condition(enough, "CapacityReady")[:2] == ("True", "Ready")
    unstable = status(observed, now=OPENS, capacity=replace(capacity, ready=4, kept=1))
    assert condition(unstable, "CapacityReady") == ("False", "NotReady", "1 of 4 solver pods are ready")
    over = [status(ObservedState(sitting=SEALED), capacity=replace(capacity, ready=ready)) for ready in (1, 9)]
    assert over[0] == over[1]


def _candidates(number: int) -> Exam:
    """An Exam whose maximum allows four pods of ten candidates."""
    solver = replace(EXAM.spec.solver, candidates_per_replica=10, max_replicas=4)
    return replace(EXAM, spec=replace(EXAM.spec, candidates=number, solver=solver))


@pytest.mark.parametrize("now", [NOW, OPENS], ids=["scheduled", "open"])
def test_a_maximum_below_what_the_candidates_need_is_reported(now: int) -> None:
    """If maxReplicas allows fewer pods than my candidates need, I read it long before the opening, with the remedy."""
    observed = ObservedState(sitting=SITTING)
    enough = replace(CAPACITY, ready=4)
    fits = status(observed, _candidates(40), now=now, capacity=enough)
    assert condition(fits, "CapacityReady")[1] == ("NotWarm" if now == NOW else "Ready")
    body = status(observed, _candidates(41), now=now, capacity=enough)
    holds, reason, message = condition(body, "CapacityReady")
    assert (holds, reason) == ("False", "MaxReplicasTooLow")
    assert "41 candidates need 5 solver pods of 10 each, but spec.solver.maxReplicas allows 4" in message
    assert "raise spec.solver.maxReplicas to 5, or correct candidates or candidatesPerReplica" in message
    assert body["reason"] == "MaxReplicasTooLow"
    over = status(ObservedState(sitting=SEALED), _candidates(41), now=CLOSES + 1, capacity=enough)
    assert condition(over, "CapacityReady")[1] == "NotWarm"


def test_the_limit_of_the_platform_is_reported() -> None:
    """If sittings need more pods than the platform allows, each says so while it is warm; one alone in advance."""
    observed = ObservedState(sitting=SITTING)
    full = replace(CAPACITY, needed=12, limit=10, ready=10, kept=10)
    warm = condition(status(observed, now=OPENS, capacity=full), "CapacityReady")
    assert warm[:2] == ("False", "PlatformLimitReached")
    assert warm[2].startswith("all open sittings need 12 solver pods, the platform allows 10: raise solver.maxReplicas")
    assert condition(status(observed, now=NOW, capacity=full), "CapacityReady")[1] == "NotWarm"
    alone = condition(status(observed, now=NOW, capacity=replace(full, wanted=11)), "CapacityReady")
    assert alone[1:] == ("PlatformLimitReached", alone[2])
    assert alone[2].startswith("the sitting needs 11 solver pods, the platform allows 10")


def test_a_fault_of_the_pods_is_reported_while_warm() -> None:
    """If solver pods crash while a sitting needs them, its status and an Event say so; with enough pods they do not."""
    observed = ObservedState(sitting=SITTING)
    failing = replace(CAPACITY, fault=PodFault("CrashLooping", "pod a crashes"))
    body = status_of(EXAM, observed, failing, 0, OPENS)
    assert condition(body.to_json(), "CapacityReady") == (
        "False",
        "CrashLooping",
        "3 of 4 solver pods are ready; pod a crashes",
    )
    assert body.reason == "CrashLooping"
    assert [each.reason for each in events_for(EXAM.status, body) if each.warning] == ["CrashLooping"]
    starting = status_of(EXAM, observed, CAPACITY, 0, OPENS)
    assert [each.reason for each in events_for(EXAM.status, starting) if each.warning] == []
    assert condition(status(observed, now=NOW, capacity=failing), "CapacityReady")[1] == "NotWarm"
    enough = replace(failing, ready=4)
    assert condition(status(observed, now=OPENS, capacity=enough), "CapacityReady")[1] == "Ready"


def test_last_transition_time_changes_with_the_status_alone() -> None:
    """If a condition stays the same, it keeps the time of its last change; once it changes, that is now."""
    first = status(ObservedState(sitting=SITTING))
    again = status(ObservedState(sitting=SITTING), with_status(EXAM, first), now=OPENS)
    since = {each["type"]: each["lastTransitionTime"] for each in again["conditions"]}
    assert since["Provisioned"] == format_instant(NOW)
    assert since["Open"] == format_instant(OPENS)


def test_the_last_status_stays_while_web_is_unavailable() -> None:
    """If web is unavailable, the last status stays, and condition Degraded says so."""
    before = status(ObservedState(sitting=SITTING)) | {"fieldOfANewerRelease": {"a": 1}}
    fault = Fault(reason="WebUnavailable", message="web: ConnectError")
    body = degraded_status(ExamStatus.from_json(before), 1, fault, NOW).to_json()
    assert {**body, "conditions": 0, "reason": 0} == {**before, "conditions": 0, "reason": 0}
    assert condition(body, "Degraded") == ("True", "WebUnavailable", "web: ConnectError")
    assert condition(body, "Provisioned") == condition(before, "Provisioned")
    assert degraded_status(EXAM.status, 1, fault, NOW).phase is Phase.PENDING


def test_an_event_is_created_for_each_new_phase_and_fault() -> None:
    """If I describe an Exam, I read each phase and each fault once."""
    observed = ObservedState(sitting=SITTING)
    first = status_of(EXAM, observed, None, 0, NOW)
    assert [(each.warning, each.reason) for each in events_for(EXAM.status, first)] == [(False, "Scheduled")]
    exam = replace(EXAM, status=first)
    assert list(events_for(exam.status, status_of(exam, observed, None, 0, NOW))) == []
    rejection = Rejection(action="pause", generation=1, at=NOW, reason="Closed", message="too late")
    rejected = status_of(exam, ObservedState(sitting=SITTING, rejections=(rejection,)), None, 0, OPENS)
    events = list(events_for(exam.status, rejected))
    assert [(each.warning, each.reason) for each in events] == [(False, "Open"), (True, "Closed")]
    assert events[0].message == "students may start until 2027-01-15T09:10:00Z"
    assert list(events_for(rejected, rejected)) == []


def test_a_status_survives_a_round_trip() -> None:
    """If the operator reads a status that it has written, it writes the same again."""
    job = Job(name="grade-60b1f19f-r1", uid="u", state=JobState.RUNNING, failures=1)
    capacity = CAPACITY
    full = replace(
        SEALED, revisions=(replace(revision(), finished_at=CLOSES + 1),), published_revision=1, published_at=CLOSES + 2
    )
    body = status(ObservedState(sitting=full, job=job), capacity=capacity) | {"later": True}
    body["conditions"][0] |= {"later": True}
    body["window"] |= {"later": True}
    assert ExamStatus.from_json(body).to_json() == body


@pytest.mark.parametrize(
    "body",
    [
        {"phase": "Lost"},
        {"window": {"opensAt": "2027-01-15T23:59:60Z"}},
        {"conditions": [{"type": "Open", "status": "True", "lastTransitionTime": "soon"}]},
        {"grading": {}},
    ],
)
def test_a_status_that_was_edited_by_hand_can_be_read(body: dict[str, Any]) -> None:
    """If the status was overwritten by hand, the operator ignores what it cannot parse and restores it."""
    exam = with_status(EXAM, body)
    assert status(ObservedState(sitting=SITTING), exam) == status(ObservedState(sitting=SITTING))


@pytest.mark.parametrize(("instant", "text"), [(NOW, "2027-01-15T08:00:00Z"), (NOW + 1, "2027-01-15T08:00:00.000001Z")])
def test_instants_are_formatted_as_by_the_api_server(instant: int, text: str) -> None:
    """If an instant is a whole second, it has no fraction."""
    assert format_instant(instant) == text
