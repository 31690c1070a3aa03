"""The Events of an `Exam`, for ``kubectl describe``: one for each new phase and each new fault."""

from collections.abc import Iterator
from dataclasses import dataclass

from exam_operator.decide.conditions import is_adverse
from exam_operator.model.instants import format_instant
from exam_operator.model.status import ExamStatus, GradingStatus, Phase, SealStatus, WindowStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An Event before it has a name and a time."""

    warning: bool
    reason: str
    message: str


def events_for(last: ExamStatus, status: ExamStatus) -> Iterator[EventRecord]:
    """The Events for the change from an Exam's last status to a new one."""
    if status.phase is not None and status.phase != last.phase:
        yield EventRecord(warning=False, reason=status.phase.value, message=_phase_message(status.phase, status))
    for each in status.conditions:
        before = last.conditions_by_type.get(each.type)
        same = before is not None and (before.status, before.reason) == (each.status, each.reason)
        outdated = each.type == "PaperCurrent" and each.status == "False"
        if (outdated or is_adverse(each.type, each.status, each.reason)) and not same:
            yield EventRecord(warning=True, reason=each.reason, message=each.message)


def _phase_message(phase: Phase, status: ExamStatus) -> str:
    window = status.window or WindowStatus()
    seal = status.seal or SealStatus()
    grading = status.grading or GradingStatus()
    return {
        Phase.PENDING: "waiting for the sitting to be provisioned",
        Phase.SCHEDULED: f"paper frozen; opens at {_time(window.opens_at)}",
        Phase.WARMING: f"scaling up solver pods; opens at {_time(window.opens_at)}",
        Phase.OPEN: f"students may start until {_time(window.closes_at)}",
        Phase.PAUSED: "all deadlines are suspended until the sitting is resumed",
        Phase.CLOSING: "no more answers are admitted; waiting until all acknowledged answers are recorded",
        Phase.GRADING: f"grading revision {grading.revision}",
        Phase.GRADED: f"{seal.answers} answers graded; degrees are not published yet",
        Phase.PUBLISHED: f"published the degrees of revision {status.published_revision}",
        Phase.CANCELLED: "the sitting is cancelled; its answers are not graded",
    }[phase]


def _time(instant: int | None) -> str:
    return "an unknown time" if instant is None else format_instant(instant)
