"""The demo's report and timeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exam_harness.faults.solver_crash import Killed
from exam_harness.scenarios.demo.scenario import Demo
from exam_harness.scenarios.reporting.report import Report, quantiles
from exam_harness.scenarios.reporting.timeline import timeline
from exam_harness.scenarios.runner import SittingResult
from exam_harness.scenarios.sitting.checks import SittingEvidence, count_acknowledged_by
from exam_harness.students.clock import SECOND


@dataclass(kw_only=True)
class DemoReport(Report):
    """The numbers of a demo run.

    Attributes:
        counted: questions with an acknowledged answer.
        forged_refused: requests with a forged token that were refused.
        foreign_refused: requests refused at another exam's sitting.
        invalid_refused: answers refused because their question does not accept them.
        retries: answers sent again because their outcome was unknown.
        resumes: attempts resumed on a second device.
        killed_acknowledged: answers acknowledged by the solver before it was killed.
        unknown_outcome: answers whose outcome remained unknown to the student.
        receipts: verified receipts.
        counts: all other event counts.
        latency_ms: latency of answered requests as seen by students, by quantile.
    """

    counted: int
    forged_refused: int
    foreign_refused: int
    invalid_refused: int
    retries: int
    resumes: int
    killed_acknowledged: int
    unknown_outcome: int
    receipts: int
    counts: Mapping[str, int] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)

    def coverage(self) -> dict[str, int]:
        """Those of every report, and the demo's own faults."""
        return super().coverage() | {
            "no forged token was refused": self.forged_refused,
            "no answer was sent again": self.retries,
            "no attempt was resumed on a second device": self.resumes,
            "the killed solver had acknowledged nothing": self.killed_acknowledged,
            "no receipt was checked": self.receipts,
        }

    def numbers(self) -> dict[str, Any]:
        """The demo's own counts."""
        return {
            "counted": self.counted,
            "forged_refused": self.forged_refused,
            "foreign_refused": self.foreign_refused,
            "invalid_refused": self.invalid_refused,
            "retries": self.retries,
            "resumes": self.resumes,
            "killed_acknowledged": self.killed_acknowledged,
            "unknown_outcome": self.unknown_outcome,
            "receipts": self.receipts,
            "latency_ms": {name: round(value, 1) for name, value in self.latency_ms.items()},
            "counts": dict(sorted(self.counts.items())),
        }

    def rows(self) -> list[tuple[str, object]]:
        """The rows of every report, then the demo's own."""
        return [
            *super().rows(),
            ("questions with an acknowledged answer", self.counted),
            ("receipts verified", self.receipts),
            ("forged tokens refused", self.forged_refused),
            ("refused at another exam's sitting", self.foreign_refused),
            ("invalid answers refused", self.invalid_refused),
            ("answers sent again", self.retries),
            ("resumed on a second device", self.resumes),
            ("acknowledged by the killed solver", self.killed_acknowledged),
            ("answers of unknown outcome", self.unknown_outcome),
            ("latency seen by students", ", ".join(f"{name} {ms:.0f} ms" for name, ms in self.latency_ms.items())),
        ]


def report_of(demo: Demo, result: SittingResult) -> DemoReport:
    """The report of a finished run; the caller sets `seconds`."""
    history, counts = result.history, result.history.counts
    answers = {entry.answer for entry in history.acknowledgements()}
    return DemoReport(
        **result.numbers(len(demo.accounts.students)),
        counted=len({answer.key for answer in answers}),
        forged_refused=counts["forged_refused"],
        foreign_refused=counts["foreign_refused"],
        invalid_refused=counts["invalid_refused"],
        retries=counts["retries"],
        resumes=counts["resumed"],
        killed_acknowledged=count_acknowledged_by(history, result.evidence, demo.killed),
        unknown_outcome=len(history.unresolved()),
        receipts=sum(1 for _ in history.acknowledgements()),
        counts=counts,
        latency_ms=quantiles(result.latencies),
        about={
            "seed": demo.settings.seed,
            "solvers": demo.settings.solvers,
            "window_seconds": demo.settings.seconds,
            "accommodations": sum(len(each.extra) for each in result.scheduled),
            "killed_seconds": (demo.killed.back_at - demo.killed.killed_at) / SECOND,
            "sittings": [_about(each) for each in result.evidence],
        },
    )


def timeline_of(report: DemoReport, result: SittingResult, killed: Killed) -> str:
    """The timeline: acknowledged answers per second over both sittings, and the events of the first."""
    first = result.evidence[0]
    marks = {
        "first deadline": first.scheduled.opens_at + first.scheduled.duration,
        "close": first.scheduled.closes_at,
        "solver killed": killed.killed_at,
        "solver back": killed.back_at,
        **first.record.events,
    }
    return timeline(
        f"{report.present} students, {report.acknowledged} acknowledged answers",
        (entry.received_at for entry in result.history.acknowledgements()),
        marks,
        opens_at=first.scheduled.opens_at,
    )


def _about(evidence: SittingEvidence) -> dict[str, object]:
    """Digests, sizes and times of one sitting."""
    record, scheduled = evidence.record, evidence.scheduled
    totals = sorted(float(degree.total) for degree in evidence.degrees if degree.source == "database")
    return {
        "name": scheduled.name,
        "id": scheduled.id,
        "root": record.root,
        "buckets": record.buckets,
        "sealed": evidence.seal.answer_count,
        "logged": len(evidence.log),
        "students": len(evidence.seal.students),
        "totals": {"lowest": totals[0], "median": totals[len(totals) // 2], "highest": totals[-1]} if totals else {},
        "seconds_after_close": {
            name: round((at - scheduled.closes_at) / SECOND, 2) for name, at in record.events.items()
        },
    }
