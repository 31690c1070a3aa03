"""The operator demo's report and timeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from exam_harness.scenarios.exam_resources import ExamReport
from exam_harness.scenarios.operator.scenario import OperatorDemo
from exam_harness.scenarios.reporting.timeline import timeline
from exam_harness.scenarios.runner import SittingResult


@dataclass(kw_only=True)
class OperatorReport(ExamReport):
    """The numbers of an operator demo run.

    Attributes:
        operator_kills: the phases in which the operator was killed.
    """

    operator_kills: Sequence[str]

    required_phases: ClassVar[tuple[str, ...]] = ("Warming", "Open", "Grading", "Published")

    def coverage(self) -> dict[str, int]:
        """Those of every report, and the operator's own."""
        return super().coverage() | {
            "the operator was never killed": len(self.operator_kills),
            "there was no Exam": len(self.phases),
        }

    def numbers(self) -> dict[str, Any]:
        """Those of every Exam report, and when the operator was killed."""
        return super().numbers() | {"operator_kills": list(self.operator_kills)}

    def rows(self) -> list[tuple[str, object]]:
        """The rows of every Exam report, and when the operator was killed."""
        return [*super().rows(), ("operator killed while", ", ".join(self.operator_kills))]


def report_of(demo: OperatorDemo, result: SittingResult) -> OperatorReport:
    """The report of a finished run; the caller sets `seconds`."""
    outcome = demo.outcome
    return OperatorReport(
        **result.numbers(len(demo.accounts.students)),
        phases=outcome.seconds_after(result.scheduled[0].opens_at),
        close_skew_ms=outcome.close_skew_ms,
        graded_by=outcome.graded_by,
        operator_kills=demo.kills,
        about={
            "seed": demo.settings.seed,
            "window_seconds": demo.settings.seconds,
            "sittings": {sample.name: each.name for sample, each in zip(demo.samples, result.scheduled, strict=True)},
        },
    )


def timeline_of(report: OperatorReport, result: SittingResult, demo: OperatorDemo) -> str:
    """The timeline: acknowledged answers per second over all sittings, and the phases of the first."""
    first = result.scheduled[0]
    name, phases = next(iter(demo.outcome.phases.items()))
    marks = {phase: at for phase, at in phases.items() if at >= first.opens_at}
    title = f"{report.present} students, {report.acknowledged} acknowledged answers; phases of {name}"
    received_at = (entry.received_at for entry in result.history.acknowledgements())
    return timeline(title, received_at, marks | {"close": first.closes_at}, opens_at=first.opens_at)
