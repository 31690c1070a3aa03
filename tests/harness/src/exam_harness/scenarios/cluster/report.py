"""The report and timeline of a run in a cluster."""

from dataclasses import dataclass
from typing import Any

from exam_harness.scenarios.cluster.scenario import ClusterResult
from exam_harness.scenarios.exam_resources import ExamReport
from exam_harness.scenarios.reporting.timeline import timeline

TIMELINE_PHASES = ("Warming", "Open", "Closing", "Graded", "Published")
"""The phases in the timeline; the marks of the others would overlap these."""


@dataclass(kw_only=True)
class ClusterReport(ExamReport):
    """The numbers of a run in a cluster.

    Attributes:
        solver_replicas_wanted: the solver pods that the candidates require.
        solver_replicas_at_opening: the solver pods that were ready at the opening.
        solver_replicas_peak: the most that were ready at once.
        solver_replicas_after: how many were ready after the run; None when that was not checked.
    """

    solver_replicas_wanted: int
    solver_replicas_at_opening: int
    solver_replicas_peak: int
    solver_replicas_after: int | None = None

    def failures(self) -> list[str]:
        """Those of every Exam report, and too few solver pods at the opening."""
        ready, wanted = self.solver_replicas_at_opening, self.solver_replicas_wanted
        missing = [f"{ready} solver pods were ready at the opening, not {wanted}"] if ready < wanted else []
        return [*super().failures(), *missing]

    def numbers(self) -> dict[str, Any]:
        """Those of every Exam report, and the numbers of solver pods."""
        return super().numbers() | {
            "solver_replicas_wanted": self.solver_replicas_wanted,
            "solver_replicas_at_opening": self.solver_replicas_at_opening,
            "solver_replicas_peak": self.solver_replicas_peak,
            "solver_replicas_after": self.solver_replicas_after,
        }

    def rows(self) -> list[tuple[str, object]]:
        """The rows of every Exam report, and the numbers of solver pods."""
        return [
            *super().rows(),
            ("solver pods required", self.solver_replicas_wanted),
            ("solver pods at the opening", self.solver_replicas_at_opening),
            ("solver pods at the peak", self.solver_replicas_peak),
            ("solver pods afterwards", self.solver_replicas_after),
        ]


def report_of(result: ClusterResult) -> ClusterReport:
    """The report of a finished run; the caller sets `seconds` and `solver_replicas_after`."""
    sitting, exams = result.sitting, result.exams
    opens_at = sitting.scheduled[0].opens_at
    return ClusterReport(
        **sitting.numbers(result.students),
        phases=exams.seconds_after(opens_at),
        close_skew_ms=exams.close_skew_ms,
        graded_by=exams.graded_by,
        solver_replicas_wanted=result.floor,
        solver_replicas_at_opening=result.replicas.at(opens_at),
        solver_replicas_peak=result.replicas.peak,
    )


def timeline_of(result: ClusterResult) -> str:
    """The timeline: acknowledged answers per second, ready solver pods, and the phases of the first Exam."""
    name, phases = next(iter(result.exams.phases.items()))
    return timeline(
        f"{result.sitting.acknowledged} acknowledged answers and solver pods ready; phases of {name}",
        (entry.received_at for entry in result.sitting.history.acknowledgements()),
        {phase: at for phase, at in phases.items() if phase in TIMELINE_PHASES},
        opens_at=result.sitting.scheduled[0].opens_at,
        pods=result.replicas.samples,
    )
