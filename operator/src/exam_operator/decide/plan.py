"""What is to be done next for one `Exam`: a pure function of what is wished for, what is there, and the time.

It is asked again after every action and whenever something may have changed, so each answer is one action at most: an
operator that is killed between any two of them goes on where the facts say, not where it remembers.
"""

from dataclasses import dataclass
from enum import StrEnum

from exam_core.instants import SECOND
from exam_core.schedule import State
from exam_operator.model.exam import DesiredState, Exam
from exam_operator.model.observed import JobState, ObservedState, Sitting

RETRY_REJECTED_AFTER = 30 * SECOND
"""What web refused is asked for again after this: an exam may have been written since, another window have moved."""
DRAIN_POLL = SECOND // 2
JOB_POLL = SECOND
JOB_QUEUE_POLL = 3 * SECOND
"""How soon one that waits for its turn looks again: with many that wait, some one of them looks all the time."""
AFTER_END = 1
"""A sitting may be closed when the last deadline has passed, not at it."""


class Verb(StrEnum):
    """Everything the operator does for a sitting."""

    ADD_FINALIZER = "hold"
    PROVISION = "provision"
    DISTRIBUTE = "distribute"
    CHANGE_WINDOW = "change-window"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    CANCEL = "cancel"
    CLOSE = "close"
    CREATE_JOB = "create-job"
    RELEASE_JOB = "release-job"
    DELETE_JOB = "delete-job"
    PUBLISH = "publish"
    REMOVE_FINALIZER = "let-go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do; `revision` for those of grading, `job` the uid of the Job that is meant."""

    verb: Verb
    revision: int = 0
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next action, or None at rest; then when to look again (platform's time, µs), None when nothing is due."""

    action: Action | None = None
    requeue_at: int | None = None


IDLE = Plan()


def plan(resource: Exam, observed: ObservedState, now: int) -> Plan:
    """What to do next; `now` is the platform's time in µs."""
    if observed.namespace_terminating or (resource.deleting and not resource.has_finalizer):
        return _do(Verb.REMOVE_FINALIZER) if resource.has_finalizer else IDLE
    if observed.sitting is None:
        return _without_sitting(resource, observed, now)
    if not resource.has_finalizer:
        return _do(Verb.ADD_FINALIZER)
    if observed.sitting.state is State.CANCELLED:
        return _over(resource)
    if observed.sitting.state is State.SCHEDULED:
        return _scheduled(resource, observed.sitting, observed, now)
    return _closed(resource, observed.sitting, observed, now)


def _without_sitting(resource: Exam, observed: ObservedState, now: int) -> Plan:
    if resource.deleting:
        return _do(Verb.REMOVE_FINALIZER)
    if resource.spec.desired is DesiredState.CANCELLED:
        return IDLE
    if not resource.has_finalizer:
        return _do(Verb.ADD_FINALIZER)
    return _unless_rejected(Verb.PROVISION, resource, observed, now)


def _scheduled(resource: Exam, sitting: Sitting, observed: ObservedState, now: int) -> Plan:
    """Before the end: the wish is carried to PostgreSQL, whose answer holds; nothing waits for a refused wish."""
    rests = _rests(sitting, resource, now)
    for verb in _desired_changes(resource, sitting, now):
        desired = _unless_rejected(verb, resource, observed, now)
        if desired.action is not None:
            return desired
        rests = _sooner(rests, desired)
    return rests


def _desired_changes(resource: Exam, sitting: Sitting, now: int) -> list[Verb]:
    """What has to happen for the sitting to be as wished, the most urgent first."""
    spec = resource.spec
    changes = []
    if sitting.ends_at is not None and now > sitting.ends_at:
        return [Verb.CLOSE]
    if spec.desired is DesiredState.CANCELLED or (resource.deleting and not sitting.opened(now)):
        return [Verb.CANCEL]
    if spec.desired is DesiredState.STOPPED_AND_GRADE:
        return [Verb.STOP]
    if not sitting.distributed:
        # Whoever provisioned it came no further: nobody could read its paper.
        changes.append(Verb.DISTRIBUTE)
    if spec.window != sitting.window:
        changes.append(Verb.CHANGE_WINDOW)
    if spec.desired is DesiredState.PAUSED and not sitting.paused:
        changes.append(Verb.PAUSE)
    if spec.desired is DesiredState.SCHEDULED and sitting.paused:
        changes.append(Verb.RESUME)
    return changes


def _rests(sitting: Sitting, resource: Exam, now: int) -> Plan:
    """The next moment at which the clock alone changes something."""
    opens_at = sitting.window.opens_at
    moments = [opens_at - resource.spec.solver.prewarm, opens_at]
    if sitting.ends_at is not None:
        moments.append(sitting.ends_at + AFTER_END)
    return Plan(requeue_at=min((moment for moment in moments if moment > now), default=None))


def _closed(resource: Exam, sitting: Sitting, observed: ObservedState, now: int) -> Plan:
    """After the end: drained, then one Job a revision, then shown."""
    if sitting.state is State.CLOSING and not sitting.drained:
        return Plan(requeue_at=now + DRAIN_POLL)
    revision = next_revision(resource, sitting)
    if revision is not None:
        return _grade(resource, revision, observed, now)
    if resource.spec.grading.automatic and sitting.published_revision < sitting.graded_revision:
        return _unless_rejected(Verb.PUBLISH, resource, observed, now, revision=sitting.graded_revision)
    return _over(resource)


def next_revision(resource: Exam, sitting: Sitting) -> int | None:
    """The revision to grade next, one after the other; None when all that were wished for are graded."""
    graded = sitting.graded_revision
    return graded + 1 if graded < resource.spec.grading.revision else None


def _grade(resource: Exam, revision: int, observed: ObservedState, now: int) -> Plan:
    job = observed.job
    if job is None:
        return _unless_rejected(Verb.CREATE_JOB, resource, observed, now, revision=revision)
    # The ledger says that this revision is not graded: a Job that has ended, well or not, has not done it.
    if job.state in (JobState.FAILED, JobState.COMPLETE):
        return _do(Verb.DELETE_JOB, revision=revision, job=job.uid)
    # Recorded first (the status that goes with this plan does), so that whoever comes after knows which one it was.
    if job.state is JobState.SUSPENDED and resource.recorded_job_uid == job.uid:
        if not observed.job_slot:
            return Plan(requeue_at=now + JOB_QUEUE_POLL)
        return _do(Verb.RELEASE_JOB, revision=revision, job=job.uid)
    return Plan(requeue_at=now + JOB_POLL)


def _over(resource: Exam) -> Plan:
    """Nothing more is wished for; a resource that is being deleted may go."""
    return _do(Verb.REMOVE_FINALIZER) if resource.deleting and resource.has_finalizer else IDLE


def _do(verb: Verb, *, revision: int = 0, job: str = "") -> Plan:
    return Plan(action=Action(verb=verb, revision=revision, job=job))


def _unless_rejected(verb: Verb, resource: Exam, observed: ObservedState, now: int, *, revision: int = 0) -> Plan:
    """The action, unless web has said no to it lately for the same wish."""
    rejection = observed.rejection(verb.value, resource.generation)
    if rejection is not None and now < rejection.at + RETRY_REJECTED_AFTER:
        return Plan(requeue_at=rejection.at + RETRY_REJECTED_AFTER)
    return _do(verb, revision=revision)


def _sooner(one: Plan, other: Plan) -> Plan:
    moments = [each.requeue_at for each in (one, other) if each.requeue_at is not None]
    return Plan(requeue_at=min(moments, default=None))
