"""The next action for one `Exam`: a pure function of the resource, the observed state and the time.

It is called again after every action and whenever something may have changed, so a plan has one action at most. An
operator that is killed between two actions resumes from the observed state, not from memory.
"""

from dataclasses import dataclass
from enum import StrEnum

from exam_core.instants import SECOND
from exam_core.schedule import State
from exam_operator.model.exam import DesiredState, Exam
from exam_operator.model.observed import Change, JobState, ObservedState, Sitting

RETRY_REJECTED_AFTER = 30 * SECOND
"""An action that web rejected is retried after this: the exam may exist by then, or another window have moved."""
DRAIN_POLL = SECOND // 2
JOB_POLL = SECOND
JOB_QUEUE_POLL = 3 * SECOND
"""Poll interval while waiting for a Job slot. With many waiting sittings, one of them polls nearly all the time."""
AFTER_END = 1
"""A sitting may be closed once the last deadline has passed, not at the deadline."""


class Verb(StrEnum):
    """The actions of the operator."""

    ADD_FINALIZER = "add-finalizer"
    PROVISION = "provision"
    DISTRIBUTE = "distribute"
    CHANGE_WINDOW = "change-window"
    CHANGE_CANDIDATES = "change-candidates"
    CHANGE_SCORING = "change-scoring"
    REFREEZE = "refreeze"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    CANCEL = "cancel"
    CLOSE = "close"
    DRAIN = "drain"
    CREATE_JOB = "create-job"
    RELEASE_JOB = "release-job"
    DELETE_JOB = "delete-job"
    PUBLISH = "publish"
    REMOVE_FINALIZER = "remove-finalizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action; `revision` is set for grading and publishing, `job` is the uid of the Job to release or delete."""

    verb: Verb
    revision: int = 0
    job: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The next action, or None; then when to reconcile again (platform's time, µs), None when nothing is due."""

    action: Action | None = None
    requeue_at: int | None = None


IDLE = Plan()


def plan(exam: Exam, observed: ObservedState, now: int) -> Plan:
    """Decide the next action; `now` is the platform's time in µs."""
    if observed.namespace_terminating or (exam.deleting and not exam.has_finalizer):
        return _do(Verb.REMOVE_FINALIZER) if exam.has_finalizer else IDLE
    if observed.sitting is None:
        return _without_sitting(exam, observed, now)
    if not exam.has_finalizer:
        return _do(Verb.ADD_FINALIZER)
    if observed.sitting.state is State.CANCELLED:
        return _finished(exam)
    if observed.sitting.state is State.SCHEDULED:
        return _scheduled(exam, observed.sitting, observed, now)
    return _closed(exam, observed.sitting, observed, now)


def next_revision(exam: Exam, sitting: Sitting) -> int | None:
    """The revision to grade next, in order; None when every desired revision is graded."""
    graded = sitting.graded_revision
    return graded + 1 if graded < exam.spec.grading.revision else None


def is_refreeze_due(exam: Exam, sitting: Sitting) -> bool:
    """Whether the spec has a request to freeze anew that was not applied to the sitting."""
    return bool(exam.spec.refreeze) and exam.spec.refreeze != sitting.refreeze


def has_other_scoring(exam: Exam, sitting: Sitting) -> bool:
    """Whether the spec names a scoring policy that the sitting does not have."""
    return exam.spec.scoring is not None and exam.spec.scoring != sitting.scoring


def _without_sitting(exam: Exam, observed: ObservedState, now: int) -> Plan:
    if exam.deleting:
        return _do(Verb.REMOVE_FINALIZER)
    if exam.spec.desired_state is DesiredState.CANCELLED:
        return IDLE
    if not exam.has_finalizer:
        return _do(Verb.ADD_FINALIZER)
    return _unless_rejected(Verb.PROVISION, exam, observed, now)


def _scheduled(exam: Exam, sitting: Sitting, observed: ObservedState, now: int) -> Plan:
    """Before the end: apply the spec to PostgreSQL, which decides. A rejected change does not block the others."""
    waiting = _next_transition(sitting, exam, now)
    for verb in _desired_changes(exam, sitting, now):
        step = _unless_rejected(verb, exam, observed, now)
        if step.action is not None:
            return step
        waiting = _sooner(waiting, step)
    return waiting


def _desired_changes(exam: Exam, sitting: Sitting, now: int) -> list[Verb]:
    """The actions that bring the sitting to the spec, the most urgent first."""
    spec = exam.spec
    changes = []
    if sitting.ends_at is not None and now > sitting.ends_at:
        return [Verb.CLOSE]
    if spec.desired_state is DesiredState.CANCELLED or (exam.deleting and not sitting.has_opened(now)):
        return [Verb.CANCEL]
    if spec.desired_state is DesiredState.STOPPED_AND_GRADE:
        return [Verb.STOP]
    if not sitting.distributed:
        # Provisioning was interrupted: without this, no student could read the paper.
        changes.append(Verb.DISTRIBUTE)
    changes += _changes_before_opening(exam, sitting, now)
    if spec.desired_state is DesiredState.PAUSED and not sitting.paused:
        changes.append(Verb.PAUSE)
    if spec.desired_state is DesiredState.SCHEDULED and sitting.paused:
        changes.append(Verb.RESUME)
    return changes


def _changes_before_opening(exam: Exam, sitting: Sitting, now: int) -> list[Verb]:
    """Changes of the window, and of paper, candidates and scoring policy, which are possible only before the opening.

    So the window is changed after them if it opens earlier, and before them if it opens later. A request that finds
    nothing to replace is recorded at any time.
    """
    spec, window = exam.spec, sitting.window
    moved = [Verb.CHANGE_WINDOW] if spec.window != window else []
    content = []
    if is_refreeze_due(exam, sitting) and (not sitting.has_opened(now) or sitting.content.change is Change.NONE):
        content.append(Verb.REFREEZE)
    if spec.candidates != sitting.candidates and not sitting.has_opened(now):
        content.append(Verb.CHANGE_CANDIDATES)
    if has_other_scoring(exam, sitting) and not sitting.has_opened(now):
        content.append(Verb.CHANGE_SCORING)
    return content + moved if spec.window.opens_at < window.opens_at else moved + content


def _next_transition(sitting: Sitting, exam: Exam, now: int) -> Plan:
    """Wait until the next moment at which the clock alone changes something."""
    opens_at = sitting.window.opens_at
    moments = [opens_at - exam.spec.solver.prewarm, opens_at]
    if sitting.ends_at is not None:
        moments.append(sitting.ends_at + AFTER_END)
    return Plan(requeue_at=min((moment for moment in moments if moment > now), default=None))


def _closed(exam: Exam, sitting: Sitting, observed: ObservedState, now: int) -> Plan:
    """After the end: drain, then one Job per revision, then publish."""
    if sitting.state is State.CLOSING and not sitting.drained:
        return Plan(requeue_at=now + DRAIN_POLL) if observed.drain_requested else _do(Verb.DRAIN)
    revision = next_revision(exam, sitting)
    if revision is not None:
        return _grade(exam, revision, observed, now)
    # The desired revision, not the last graded one, which may have been opened elsewhere.
    if exam.spec.grading.automatic and sitting.published_revision < exam.spec.grading.revision:
        return _unless_rejected(Verb.PUBLISH, exam, observed, now, revision=exam.spec.grading.revision)
    return _finished(exam)


def _grade(exam: Exam, revision: int, observed: ObservedState, now: int) -> Plan:
    job = observed.job
    if job is None:
        return _unless_rejected(Verb.CREATE_JOB, exam, observed, now, revision=revision)
    # The ledger says that this revision is not graded, so a Job that has ended has not done it, even if it succeeded.
    if job.state in (JobState.FAILED, JobState.COMPLETE):
        return _do(Verb.DELETE_JOB, revision=revision, job=job.uid)
    # The status that goes with this plan records the uid before the Job is released, so that the Job can be identified
    # after a restart.
    if job.state is JobState.SUSPENDED and exam.recorded_job_uid == job.uid:
        if not observed.job_slot:
            return Plan(requeue_at=now + JOB_QUEUE_POLL)
        return _do(Verb.RELEASE_JOB, revision=revision, job=job.uid)
    return Plan(requeue_at=now + JOB_POLL)


def _finished(exam: Exam) -> Plan:
    """No action is left; release the resource if it is being deleted."""
    return _do(Verb.REMOVE_FINALIZER) if exam.deleting and exam.has_finalizer else IDLE


def _do(verb: Verb, *, revision: int = 0, job: str = "") -> Plan:
    return Plan(action=Action(verb=verb, revision=revision, job=job))


def _unless_rejected(verb: Verb, exam: Exam, observed: ObservedState, now: int, *, revision: int = 0) -> Plan:
    """The action, unless web has recently rejected it for the same generation."""
    rejection = observed.rejection(verb.value, exam.generation)
    if rejection is not None and now < rejection.at + RETRY_REJECTED_AFTER:
        return Plan(requeue_at=rejection.at + RETRY_REJECTED_AFTER)
    return _do(verb, revision=revision)


def _sooner(one: Plan, other: Plan) -> Plan:
    moments = [each.requeue_at for each in (one, other) if each.requeue_at is not None]
    return Plan(requeue_at=min(moments, default=None))
