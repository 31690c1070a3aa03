"""The conditions of an `Exam`."""

from collections.abc import Iterator
from typing import NamedTuple

from exam_core.instants import SECOND
from exam_core.schedule import State
from exam_operator.decide.demand import solvers_for_candidates
from exam_operator.decide.phase import phase_of
from exam_operator.decide.plan import has_other_scoring, is_refreeze_due, next_revision
from exam_operator.model.exam import DesiredState, Exam
from exam_operator.model.instants import format_instant
from exam_operator.model.observed import Change, JobState, ObservedState, Sitting, SolverCapacity
from exam_operator.model.scoring import multiple_name
from exam_operator.model.status import WARM_PHASES, Phase

SKEW_BOUND = 2 * SECOND
"""A larger clock skew is reported. It has no other effect: decisions use the platform's time."""


_STARTING = frozenset({"NotWarm", "NotReady"})
"""Reasons of CapacityReady=False that need no attention."""


class Holds(NamedTuple):
    """What a condition says: its status, a reason for programs, a message for people."""

    status: str
    reason: str
    message: str


def is_adverse(kind: str, status: str, reason: str) -> bool:
    """Whether a condition reports a fault, which people have to know."""
    if kind == "CapacityReady":
        return status == "False" and reason not in _STARTING
    return (kind == "Degraded" and status == "True") or (kind == "Accepted" and status == "False")


def conditions_of(
    exam: Exam, observed: ObservedState, capacity: SolverCapacity | None, skew: int, now: int
) -> dict[str, Holds]:
    """All conditions by type; those of the sitting are left out while there is none."""
    return dict(_sitting_conditions(exam, observed, capacity, now)) | {"Degraded": _degraded(observed, skew)}


def _sitting_conditions(
    exam: Exam, observed: ObservedState, capacity: SolverCapacity | None, now: int
) -> Iterator[tuple[str, Holds]]:
    sitting = observed.sitting
    yield "Accepted", _accepted(exam, observed, now)
    if sitting is None:
        yield "Provisioned", Holds("False", "NotProvisioned", "the sitting has not been created yet")
        return
    if sitting.distributed:
        yield "Provisioned", Holds("True", "Provisioned", f"sitting {exam.key.sitting}, paper {sitting.paper[:12]}")
    else:
        yield "Provisioned", Holds("False", "PaperNotDistributed", "the paper is not distributed to the solvers yet")
    yield "PaperCurrent", _paper_current(sitting, now)
    phase = phase_of(exam, observed, now)
    if capacity is not None:
        yield "CapacityReady", _capacity_ready(exam, capacity, phase)
    is_open = phase in {Phase.OPEN, Phase.PAUSED}
    yield "Open", Holds("True" if is_open else "False", phase.value, _window_text(sitting))
    if sitting.seal is None:
        yield "Sealed", Holds("False", "NotSealed", "answers are sealed once the sitting is closed and drained")
    else:
        text = f"{sitting.seal.answers} answers of {sitting.seal.students} students"
        yield "Sealed", Holds("True", "Sealed", text)
    yield "Graded", _graded(exam, sitting, observed)
    if sitting.published_revision:
        yield "Published", Holds("True", "Published", f"revision {sitting.published_revision}")
    else:
        yield "Published", Holds("False", "NotPublished", "degrees are not published")


def _paper_current(sitting: Sitting, now: int) -> Holds:
    """Whether the exam's content is the frozen one."""
    frozen = f"the paper was frozen at {format_instant(sitting.frozen_at // SECOND * SECOND)}"
    content = sitting.content
    if content.change is Change.NONE:
        return Holds("True", "Current", f"{frozen}; the exam has the same content")
    if sitting.state is State.SCHEDULED and not sitting.has_opened(now):
        way = "set spec.refreeze to a new value before the opening to use it"
    elif content.change is Change.KEY:
        way = "a new grading revision uses it"
    else:
        way = "this sitting keeps its paper, and a new grading revision needs its texts and points"
    reason = "KeyChanged" if content.change is Change.KEY else "PaperChanged"
    return Holds("False", reason, f"{frozen}; the exam has changed since: {content.detail}; {way}")


def _capacity_ready(exam: Exam, capacity: SolverCapacity, phase: Phase) -> Holds:
    """Whether the sitting has the pods that its candidates need; a limit that is too low is reported in advance."""
    warm = phase in WARM_PHASES
    text = f"{capacity.steady} of {capacity.floor} solver pods are ready"
    enough = capacity.steady >= capacity.floor
    if warm and not enough and capacity.fault is not None:
        return Holds("False", capacity.fault.reason, f"{text}; {capacity.fault.message}")
    if (warm or phase is Phase.SCHEDULED) and (limited := _limited(exam, capacity, warm=warm)):
        return limited
    if not warm:
        return Holds("False", "NotWarm", "solver pods are reserved from the pre-warming to the end of the sitting")
    return Holds("True", "Ready", text) if enough else Holds("False", "NotReady", text)


def _limited(exam: Exam, capacity: SolverCapacity, *, warm: bool) -> Holds | None:
    """The limit that is below what the candidates need, if there is one."""
    spec, needed = exam.spec.solver, solvers_for_candidates(exam)
    if needed > spec.max_replicas:
        text = f"{exam.spec.candidates} candidates need {needed} solver pods of {spec.candidates_per_replica} each"
        limit = f"spec.solver.maxReplicas allows {spec.max_replicas}"
        way = f"raise spec.solver.maxReplicas to {needed}, or correct candidates or candidatesPerReplica"
        return Holds("False", "MaxReplicasTooLow", f"{text}, but {limit}: {way}")
    # Before it is warm, the pods that other sittings need at that time are not known.
    needed = capacity.needed if warm else capacity.wanted
    if needed <= capacity.limit:
        return None
    text = f"{'all open sittings' if warm else 'the sitting'} need{'' if warm else 's'} {needed} solver pods"
    way = "raise solver.maxReplicas of the platform's chart, or hold fewer sittings at once"
    return Holds("False", "PlatformLimitReached", f"{text}, the platform allows {capacity.limit}: {way}")


def _accepted(exam: Exam, observed: ObservedState, now: int) -> Holds:
    """Whether the spec is applied; a rejected change leaves the sitting as it was."""
    sitting = observed.sitting
    for rejection in observed.rejections:
        if rejection.generation == exam.generation:
            return Holds("False", rejection.reason, rejection.message)
    if sitting is not None and (late := _too_late(exam, sitting)):
        return Holds("False", "Closed", late)
    if sitting is not None and _refreeze_too_late(exam, sitting, now):
        text = f"refreeze {exam.spec.refreeze!r} came too late: the sitting was opened or ended with its frozen paper"
        return Holds("False", "PaperFrozen", text)
    if sitting is not None and _is_fixed(sitting, now) and has_other_scoring(exam, sitting):
        text = f"the scoring policy cannot change any more: {_scoring_text(sitting)} applies, as at the opening"
        return Holds("False", "ScoringFixed", text)
    return Holds("True", "Accepted", "spec applied")


def _refreeze_too_late(exam: Exam, sitting: Sitting, now: int) -> bool:
    """Whether a request to freeze anew can no longer be applied and would have replaced something."""
    due = is_refreeze_due(exam, sitting) and sitting.content.change is not Change.NONE
    return due and _is_fixed(sitting, now)


def _is_fixed(sitting: Sitting, now: int) -> bool:
    """Whether what students answer by can no longer change: the sitting has opened, or it has ended."""
    return sitting.has_opened(now) or sitting.state in (State.CLOSING, State.SEALED)


def _scoring_text(sitting: Sitting) -> str:
    negative = str(sitting.scoring.negative_total).lower()
    return f"multiple {multiple_name(sitting.scoring)}, negativeTotal {negative}"


def _too_late(exam: Exam, sitting: Sitting) -> str:
    """Why the spec can no longer be applied to a sitting that has ended; empty when it asks for no change."""
    spec = exam.spec
    if sitting.state is State.CANCELLED:
        revived = spec.desired_state is not DesiredState.CANCELLED and not exam.deleting
        return "the sitting was cancelled: create another Exam to hold it" if revived else ""
    if sitting.state is State.SCHEDULED:
        return ""
    if spec.desired_state in (DesiredState.PAUSED, DesiredState.CANCELLED):
        return f"the sitting is closed: it can no longer become {spec.desired_state.value}"
    if spec.window != sitting.window:
        return f"the sitting is closed: its window stays {_window_text(sitting)}"
    return ""


def _graded(exam: Exam, sitting: Sitting, observed: ObservedState) -> Holds:
    number = next_revision(exam, sitting)
    if number is None:
        return Holds("True", "Graded", f"revision {sitting.graded_revision}")
    if observed.job is not None and observed.job.state is JobState.SUSPENDED and not observed.job_slot:
        return Holds("False", "Queued", "waiting for a Job slot: the limit of running grading Jobs is reached")
    revision = sitting.revision(number)
    if revision is None:
        return Holds("False", "NotGraded", f"grading of revision {number} has not started")
    return Holds("False", "Grading", f"revision {number}: {revision.graded} of {revision.chunks} chunks")


def _degraded(observed: ObservedState, skew: int) -> Holds:
    job = observed.job
    if job is not None and job.state is JobState.FAILED:
        return Holds("True", "GradingJobFailed", f"Job {job.name} failed and will be replaced; see its pods' logs")
    if job is not None and job.failures:
        return Holds("True", "GradingPodFailed", f"{job.failures} pods of Job {job.name} failed")
    if abs(skew) > SKEW_BOUND:
        direction = "behind" if skew > 0 else "ahead of"
        bound = SKEW_BOUND // SECOND
        text = f"the operator's clock is more than {bound} s {direction} the platform's, which it uses instead"
        return Holds("True", "ClockSkew", text)
    return Holds("False", "AsExpected", "all checks passed")


def _window_text(sitting: Sitting) -> str:
    return f"{format_instant(sitting.window.opens_at)} to {format_instant(sitting.window.closes_at)}"
