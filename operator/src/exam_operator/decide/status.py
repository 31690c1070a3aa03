"""What is said of an `Exam` in its status, and the Events that go with it: pure, of the same facts as the plan.

Fields about the sitting are PostgreSQL's; while web cannot be reached they stay as they were last seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from exam_core.canonical import JsonObject
from exam_core.instants import SECOND, from_micros
from exam_core.schedule import State
from exam_operator.decide.manifests import job_name
from exam_operator.decide.plan import next_revision
from exam_operator.model.exam import DesiredState, Exam
from exam_operator.model.observed import JobState, ObservedState, Sitting

Status = dict[str, Any]

SKEW_BOUND = 2 * SECOND
"""Beyond this the operator's clock is named as wrong; decisions go by the platform's time all the same."""


class Phase(StrEnum):
    """Where a sitting is, in one word for people; conditions are for programs."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    WARMING = "Warming"
    OPEN = "Open"
    PAUSED = "Paused"
    CLOSING = "Closing"
    GRADING = "Grading"
    GRADED = "Graded"
    PUBLISHED = "Published"
    CANCELLED = "Cancelled"


WARM = frozenset({Phase.WARMING, Phase.OPEN, Phase.PAUSED})
"""While these last, it is told how many solver pods are ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Solver pods.

    Attributes:
        floor: how many all sittings of now want together.
        ready: how many there are.
        kept: how many the autoscaler was last told to keep.
        wanted: how many this sitting wants.
    """

    floor: int
    ready: int
    kept: int
    wanted: int

    @property
    def steady(self) -> int:
        """How many are there to stay: ready pods that the autoscaler does not keep may be gone the next moment."""
        return min(self.ready, self.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why the operator cannot do its work now: one word and a sentence."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An Event that people read in ``kubectl describe``."""

    warning: bool
    reason: str
    message: str


def status_of(resource: Exam, observed: ObservedState, capacity: Capacity | None, skew: int, now: int) -> Status:
    """The status of a resource whose sitting could be looked at; `skew` is the platform's clock less ours, in µs."""
    sitting = observed.sitting
    phase = phase_of(resource, observed, now)
    said: Status = {"phase": phase.value}
    if sitting is not None:
        said |= {
            "sitting": resource.key.sitting,
            "sittingId": sitting.id,
            "epoch": sitting.epoch,
            "paperDigest": sitting.paper,
            "window": _without_nothing(
                {
                    "opensAt": moment(sitting.window.opens_at),
                    "closesAt": moment(sitting.window.closes_at),
                    # None while a pause lasts: nobody knows yet.
                    "endsAt": moment(sitting.ends_at),
                }
            ),
            "seal": _seal(sitting),
            "grading": _grading(resource, sitting, observed),
            "publishedRevision": sitting.published_revision or None,
            "publishedAt": moment(sitting.published_at),
        }
    if capacity is not None:
        said["capacity"] = {"wanted": capacity.wanted} | ({"ready": capacity.ready} if phase in WARM else {})
    conditions = dict(_conditions(resource, observed, capacity, now))
    conditions["Degraded"] = _degraded(observed, skew)
    return _finished(resource, _without_nothing(said), conditions, now)


def degraded_status(resource: Exam, fault: Fault, now: int) -> Status:
    """The status of a resource of whose sitting nothing can be learned now: as it was, and why."""
    kept = {name: value for name, value in resource.status.items() if name not in {"conditions", "reason"}}
    conditions = {
        condition["type"]: (condition["status"], condition["reason"], condition["message"])
        for condition in resource.status.get("conditions", ())
    }
    conditions["Degraded"] = ("True", fault.reason, fault.message)
    return _finished(resource, {"phase": Phase.PENDING.value} | kept, conditions, now)


def phase_of(resource: Exam, observed: ObservedState, now: int) -> Phase:
    """Where the sitting is."""
    sitting = observed.sitting
    if sitting is None:
        return Phase.CANCELLED if resource.spec.desired is DesiredState.CANCELLED else Phase.PENDING
    if sitting.state is State.CANCELLED:
        return Phase.CANCELLED
    if sitting.state is State.SCHEDULED:
        return _phase_by_clock(resource, sitting, now)
    if sitting.state is State.CLOSING and not sitting.drained:
        return Phase.CLOSING
    if next_revision(resource, sitting) is not None:
        return Phase.GRADING
    return Phase.PUBLISHED if sitting.published_revision >= sitting.graded_revision else Phase.GRADED


def events_for(resource: Exam, status: Status) -> Iterator[EventRecord]:
    """The Events that the step from the last status to this one is worth."""
    if status["phase"] != resource.status.get("phase"):
        yield EventRecord(warning=False, reason=status["phase"], message=_story(status))
    before = {each["type"]: each for each in resource.status.get("conditions", ())}
    for each in status["conditions"]:
        was = before.get(each["type"], {})
        same = (was.get("status"), was.get("reason")) == (each["status"], each["reason"])
        fault = each["status"] == ("True" if each["type"] == "Degraded" else "False")
        if each["type"] in {"Accepted", "Degraded"} and fault and not same:
            yield EventRecord(warning=True, reason=each["reason"], message=each["message"])


def moment(instant: int | None) -> str | None:
    """An instant as the API server writes times, to the second where it is one."""
    if instant is None:
        return None
    exact = from_micros(instant)
    spec = "microseconds" if exact.microsecond else "seconds"
    return exact.isoformat(timespec=spec).replace("+00:00", "Z")


Condition = tuple[str, str, str]
"""Status, reason, message."""


def _phase_by_clock(resource: Exam, sitting: Sitting, now: int) -> Phase:
    if sitting.ends_at is not None and now > sitting.ends_at:
        return Phase.CLOSING
    if sitting.opened(now):
        return Phase.PAUSED if sitting.paused else Phase.OPEN
    warm = now >= sitting.window.opens_at - resource.spec.solver.prewarm
    return Phase.WARMING if warm else Phase.SCHEDULED


def _conditions(
    resource: Exam, observed: ObservedState, capacity: Capacity | None, now: int
) -> Iterator[tuple[str, Condition]]:
    sitting = observed.sitting
    yield "Accepted", _accepted(resource, observed)
    if sitting is None:
        yield "Provisioned", ("False", "NotProvisioned", "there is no sitting yet")
        return
    if sitting.distributed:
        yield "Provisioned", ("True", "Provisioned", f"sitting {resource.key.sitting}, paper {sitting.paper[:12]}")
    else:
        yield "Provisioned", ("False", "PaperNotDistributed", "the paper is not yet where solvers read it")
    phase = phase_of(resource, observed, now)
    if capacity is not None:
        yield "CapacityReady", _capacity_ready(capacity, phase)
    is_open = phase in {Phase.OPEN, Phase.PAUSED}
    yield "Open", ("True" if is_open else "False", phase.value, _window_text(sitting))
    if sitting.seal is None:
        yield "Sealed", ("False", "NotSealed", "answers are sealed once the sitting is closed and drained")
    else:
        text = f"{sitting.seal.answers} answers of {sitting.seal.students} students"
        yield "Sealed", ("True", "Sealed", text)
    yield "Graded", _graded(resource, sitting, observed)
    if sitting.published_revision:
        yield "Published", ("True", "Published", f"revision {sitting.published_revision}")
    else:
        yield "Published", ("False", "NotPublished", "degrees are not shown to students")


def _capacity_ready(capacity: Capacity, phase: Phase) -> Condition:
    if phase not in WARM:
        return ("False", "NotWarm", "solver pods are kept ready from the pre-warming to the end of the sitting")
    text = f"{capacity.steady} of {capacity.floor} solver pods are ready"
    enough = capacity.steady >= capacity.floor
    return ("True", "Ready", text) if enough else ("False", "NotReady", text)


def _accepted(resource: Exam, observed: ObservedState) -> Condition:
    """Whether what is wished for is what is done; a refused wish leaves everything as it was."""
    sitting = observed.sitting
    for rejection in observed.rejections:
        if rejection.generation == resource.generation:
            return ("False", rejection.reason, rejection.message)
    if sitting is not None and (late := _too_late(resource, sitting)):
        return ("False", "Closed", late)
    return ("True", "Accepted", "as wished")


def _too_late(resource: Exam, sitting: Sitting) -> str:
    """What an edit asks of a sitting that is over, in a sentence; empty when it asks for nothing."""
    spec = resource.spec
    if sitting.state is State.CANCELLED:
        desired = spec.desired is not DesiredState.CANCELLED and not resource.deleting
        return "the sitting was cancelled: make another Exam to hold it after all" if desired else ""
    if sitting.state is State.SCHEDULED:
        return ""
    if spec.desired in (DesiredState.PAUSED, DesiredState.CANCELLED):
        return f"the sitting is closed: it can no longer become {spec.desired.value}"
    if spec.window != sitting.window:
        return f"the sitting is closed: its window stays {_window_text(sitting)}"
    return ""


def _graded(resource: Exam, sitting: Sitting, observed: ObservedState) -> Condition:
    wanted = next_revision(resource, sitting)
    if wanted is None:
        return ("True", "Graded", f"revision {sitting.graded_revision}")
    if observed.job is not None and observed.job.state is JobState.SUSPENDED and not observed.job_slot:
        return ("False", "Queued", "as many grading Jobs run as may")
    revision = sitting.revision(wanted)
    if revision is None:
        return ("False", "NotGraded", f"revision {wanted} is not begun")
    return ("False", "Grading", f"revision {wanted}: {revision.graded} of {revision.chunks} chunks")


def _degraded(observed: ObservedState, skew: int) -> Condition:
    if observed.job is not None and observed.job.state is JobState.FAILED:
        return ("True", "GradingJobFailed", f"Job {observed.job.name} failed and is made anew; its log says why")
    if observed.job is not None and observed.job.failures:
        return ("True", "GradingPodFailed", f"{observed.job.failures} pods of Job {observed.job.name} failed")
    if abs(skew) > SKEW_BOUND:
        direction = "behind" if skew > 0 else "ahead of"
        bound = SKEW_BOUND // SECOND
        text = f"the operator's clock is more than {bound} s {direction} the platform's, which is gone by"
        return ("True", "ClockSkew", text)
    return ("False", "AsExpected", "nothing is wrong")


def _seal(sitting: Sitting) -> JsonObject | None:
    if sitting.seal is None:
        return None
    seal = sitting.seal
    return {"at": moment(seal.at), "answers": seal.answers, "students": seal.students, "digest": seal.digest}


def _grading(resource: Exam, sitting: Sitting, observed: ObservedState) -> JsonObject | None:
    """The revision under way, or the last that was graded."""
    number = next_revision(resource, sitting) or sitting.graded_revision
    if sitting.state not in (State.CLOSING, State.SEALED) or not sitting.drained:
        return None
    said = _without_nothing({"revision": number, "jobName": job_name(sitting.id, number)})
    if observed.job is not None:
        said |= {"jobUid": observed.job.uid, "failed": observed.job.failures}
    elif resource.status.get("grading", {}).get("revision") == number:
        said |= {name: resource.status["grading"].get(name) for name in ("jobUid", "failed")}
    revision = sitting.revision(number)
    if revision is not None:
        said |= {
            "chunks": revision.chunks,
            "graded": revision.graded,
            "startedAt": moment(revision.started_at),
            "finishedAt": moment(revision.finished_at),
        }
    return _without_nothing(said)


def _finished(resource: Exam, said: Status, conditions: Mapping[str, Condition], now: int) -> Status:
    said["observedGeneration"] = resource.generation
    said["conditions"] = list(_stamped(resource, conditions, now))
    wrong = [name for name in ("Accepted", "Degraded") if name in conditions]
    reasons = [conditions[name][1] for name in wrong if conditions[name][0] == str(name == "Degraded")]
    if reasons:
        said["reason"] = reasons[0]
    return said


def _stamped(resource: Exam, conditions: Mapping[str, Condition], now: int) -> Iterator[JsonObject]:
    """Conditions as the API has them: the time is that of the last change of status."""
    before = {each["type"]: each for each in resource.status.get("conditions", ())}
    for name, (holds, reason, message) in conditions.items():
        was = before.get(name)
        since = was["lastTransitionTime"] if was is not None and was["status"] == holds else _second(now)
        yield {
            "type": name,
            "status": holds,
            "reason": reason,
            "message": message,
            "observedGeneration": resource.generation,
            "lastTransitionTime": since,
        }


def _second(now: int) -> str | None:
    return moment(now // SECOND * SECOND)


def _window_text(sitting: Sitting) -> str:
    return f"{moment(sitting.window.opens_at)} to {moment(sitting.window.closes_at)}"


def _story(status: Status) -> str:
    """The sentence that goes with a phase."""
    window, seal, grading = (status.get(name, {}) for name in ("window", "seal", "grading"))
    return {
        Phase.PENDING: "waits for its sitting to be provisioned",
        Phase.SCHEDULED: f"paper frozen; opens at {window.get('opensAt')}",
        Phase.WARMING: f"solver pods are brought up; opens at {window.get('opensAt')}",
        Phase.OPEN: f"students may start until {window.get('closesAt')}",
        Phase.PAUSED: "nobody's clock runs",
        Phase.CLOSING: "nothing more is admitted; waits until all that was acknowledged is on record",
        Phase.GRADING: f"revision {grading.get('revision')} is being graded",
        Phase.GRADED: f"{seal.get('answers')} answers graded; degrees wait to be published",
        Phase.PUBLISHED: f"degrees of revision {status.get('publishedRevision')} are shown to students",
        Phase.CANCELLED: "nothing of it is graded",
    }[Phase(status["phase"])]


def _without_nothing(said: Mapping[str, Any]) -> Status:
    """Fields that have a value: an absent one is said by leaving it out."""
    return {name: value for name, value in said.items() if value is not None}
