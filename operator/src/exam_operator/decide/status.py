"""The status of an `Exam`: a pure function of the same state as the plan.

Fields about the sitting mirror PostgreSQL; while web is unavailable they keep their last values.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from exam_core.instants import SECOND
from exam_core.schedule import State
from exam_operator.decide.conditions import Holds, conditions_of, is_adverse
from exam_operator.decide.manifests import job_name
from exam_operator.decide.phase import phase_of
from exam_operator.decide.plan import next_revision
from exam_operator.model.exam import Exam
from exam_operator.model.observed import ObservedState, Sitting, SolverCapacity
from exam_operator.model.scoring import multiple_name
from exam_operator.model.status import (
    WARM_PHASES,
    CapacityStatus,
    Condition,
    ExamStatus,
    GradingStatus,
    Phase,
    ScoringStatus,
    SealStatus,
    WindowStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an Exam cannot be reconciled now: one CamelCase word and a sentence."""

    reason: str
    message: str


def status_of(exam: Exam, observed: ObservedState, capacity: SolverCapacity | None, skew: int, now: int) -> ExamStatus:
    """The status for an observed state; `skew` is the platform's clock minus the operator's, in µs."""
    sitting = observed.sitting
    phase = phase_of(exam, observed, now)
    status = ExamStatus(phase=phase)
    if sitting is not None:
        status = replace(
            status,
            sitting=exam.key.sitting,
            sitting_id=sitting.id,
            epoch=sitting.epoch,
            paper_digest=sitting.paper,
            paper_frozen_at=sitting.frozen_at // SECOND * SECOND,
            refreeze=sitting.refreeze or None,
            window=WindowStatus(
                opens_at=sitting.window.opens_at, closes_at=sitting.window.closes_at, ends_at=sitting.ends_at
            ),
            scoring=ScoringStatus(
                multiple=multiple_name(sitting.scoring), negative_total=sitting.scoring.negative_total
            ),
            seal=_seal(exam, sitting),
            grading=_grading(exam, sitting, observed),
            published_revision=sitting.published_revision or None,
            published_at=sitting.published_at,
        )
    if capacity is not None:
        ready = capacity.ready if phase in WARM_PHASES else None
        status = replace(status, capacity=CapacityStatus(wanted=capacity.wanted, ready=ready))
    conditions = conditions_of(exam, observed, capacity, skew, now)
    return _with_conditions(exam.status, exam.generation, status, conditions, now)


def degraded_status(last: ExamStatus, generation: int, fault: Fault, now: int) -> ExamStatus:
    """The last status of an Exam, degraded by a fault that keeps it from being reconciled."""
    conditions = {each.type: Holds(each.status, each.reason, each.message) for each in last.conditions}
    conditions["Degraded"] = Holds("True", fault.reason, fault.message)
    status = replace(last, phase=last.phase or Phase.PENDING)
    return _with_conditions(last, generation, status, conditions, now)


def _seal(exam: Exam, sitting: Sitting) -> SealStatus | None:
    """The seal with the first statement about it: a later one would hide that the database was changed."""
    seal = sitting.seal
    if seal is None:
        return None
    last = exam.status.seal
    return SealStatus(
        at=seal.at,
        answers=seal.answers,
        students=seal.students,
        digest=seal.digest,
        statement=(None if last is None else last.statement) or seal.statement,
    )


def _grading(exam: Exam, sitting: Sitting, observed: ObservedState) -> GradingStatus | None:
    """The revision that is being graded, or the last one that was."""
    if sitting.state not in (State.CLOSING, State.SEALED) or not sitting.drained:
        return None
    number = next_revision(exam, sitting) or sitting.graded_revision
    status = GradingStatus(revision=number, job_name=job_name(sitting.id, number))
    last = exam.status.grading
    if observed.job is not None:
        status = replace(status, job_uid=observed.job.uid, failed=observed.job.failures)
    elif last is not None and last.revision == number:
        # The Job is deleted some time after it has finished; the status still names it.
        status = replace(status, job_uid=last.job_uid, failed=last.failed)
    revision = sitting.revision(number)
    if revision is None:
        return status
    return replace(
        status,
        chunks=revision.chunks,
        graded=revision.graded,
        started_at=revision.started_at,
        finished_at=revision.finished_at,
    )


def _with_conditions(
    last: ExamStatus, generation: int, status: ExamStatus, conditions: Mapping[str, Holds], now: int
) -> ExamStatus:
    found = ((name, conditions[name]) for name in ("Accepted", "CapacityReady", "Degraded") if name in conditions)
    reasons = [holds.reason for name, holds in found if is_adverse(name, holds.status, holds.reason)]
    return replace(
        status,
        observed_generation=generation,
        conditions=tuple(_stamped(last, generation, conditions, now)),
        reason=reasons[0] if reasons else None,
    )


def _stamped(last: ExamStatus, generation: int, conditions: Mapping[str, Holds], now: int) -> Iterator[Condition]:
    """Conditions with the time of the last change of their status, in whole seconds."""
    for name, (status, reason, message) in conditions.items():
        before = last.conditions_by_type.get(name)
        since = before.last_transition_time if before is not None and before.status == status else None
        yield Condition(
            type=name,
            status=status,
            reason=reason,
            message=message,
            observed_generation=generation,
            last_transition_time=now // SECOND * SECOND if since is None else since,
        )
