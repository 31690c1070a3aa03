"""The report of a run, and the reasons for which the run fails.

A run without mismatches proves little unless the faults it is meant to cover occurred: a report also fails when one of
its `coverage` counts is zero.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.reporting.run_context import relative

PRINTED_MISMATCHES = 20
"""How many mismatches are printed; the report has all."""


@dataclass(kw_only=True)
class Report:
    """The numbers of a run that every scenario has.

    Attributes:
        students: number of students, absent ones included.
        present: students who started.
        acknowledged: answers with a receipt, superseded ones included.
        sealed: answers in the seals.
        late_refused: answers refused after the deadline.
        degrees: compared degrees by source.
        mismatches: every difference between the platform and the oracle.
        seconds: duration of each step.
        about: seed and size of the run.
    """

    students: int
    present: int
    acknowledged: int
    sealed: int
    late_refused: int
    degrees: Mapping[str, int]
    mismatches: Sequence[Mismatch]
    seconds: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def coverage(self) -> dict[str, int]:
        """Counts that must not be zero, by the failure that zero means."""
        return {
            "no answer was sealed": self.sealed,
            "no late answer was refused": self.late_refused,
            "no degree was compared": sum(self.degrees.values()),
        }

    def failures(self) -> list[str]:
        """The reasons for which the run fails; empty when it passes."""
        kinds = Counter(mismatch.kind for mismatch in self.mismatches)
        return [
            *(f"{count} mismatches of kind {kind!r}" for kind, count in sorted(kinds.items())),
            *(failure for failure, count in self.coverage().items() if not count),
        ]

    def numbers(self) -> dict[str, Any]:
        """The scenario's own members of the JSON report."""
        return {}

    def rows(self) -> list[tuple[str, object]]:
        """The rows of the summary table."""
        return [
            ("students", f"{self.students} in two levels, {self.present} started"),
            ("answers acknowledged", f"{self.acknowledged} (superseded ones included)"),
            ("answers sealed", self.sealed),
            ("late answers refused", self.late_refused),
            ("degrees compared", ", ".join(f"{count} ({source})" for source, count in sorted(self.degrees.items()))),
            ("mismatches", len(self.mismatches)),
        ]

    def to_json(self) -> dict[str, Any]:
        """The report as written to disk."""
        failures = self.failures()
        return {
            "good": not failures,
            "students": self.students,
            "present": self.present,
            "acknowledged": self.acknowledged,
            "sealed": self.sealed,
            "late_refused": self.late_refused,
            **self.numbers(),
            "degrees": dict(self.degrees),
            "mismatches": len(self.mismatches),
            "failures": failures,
            "details": [
                {"kind": mismatch.kind, "sitting": mismatch.sitting, "detail": mismatch.detail}
                for mismatch in self.mismatches
            ],
            "seconds": {name: round(seconds, 2) for name, seconds in self.seconds.items()},
            "about": dict(self.about),
        }

    def write(self, folder: Path, timeline: str) -> None:
        """Write `report.json` and `timeline.svg`."""
        (folder / "report.json").write_text(json.dumps(self.to_json(), indent=2) + "\n")
        (folder / "timeline.svg").write_text(timeline)

    def print(self, console: Console, folder: Path) -> int:
        """Print the summary, the failures and where the report is; returns the exit code."""
        failures = self.failures()
        console.print(self._summary(failures), highlight=False)
        print_failures(console, self.mismatches, failures)
        console.print(f"Report, timeline and logs: {relative(folder)}", highlight=False, soft_wrap=True)
        return 1 if failures else 0

    def _summary(self, failures: Sequence[str]) -> RenderableType:
        table = Table(show_header=False, title="Summary", title_justify="left")
        for name, value in self.rows():
            table.add_row(name, str(value))
        result = Text("FAILED", style="bold red") if failures else Text("ALL CHECKS PASSED", style="bold green")
        return Group(Text(""), table, result)


def print_failures(console: Console, mismatches: Sequence[Mismatch], failures: Sequence[str]) -> None:
    """Print the first mismatches and all failures."""
    for mismatch in mismatches[:PRINTED_MISMATCHES]:
        line = f"  {mismatch.kind}: {mismatch.sitting} {mismatch.detail}"
        console.print(line, style="red", markup=False, soft_wrap=True)
    if len(mismatches) > PRINTED_MISMATCHES:
        console.print(f"  … and {len(mismatches) - PRINTED_MISMATCHES} more in the report", style="red")
    for failure in failures:
        console.print(f"FAILED: {failure}", style="red", markup=False)


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """The median, 95th and 99th percentile and maximum, in milliseconds."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 for name, share in shares.items()}
