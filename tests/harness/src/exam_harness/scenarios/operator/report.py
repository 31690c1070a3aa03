"""What a run came to, and whether it may be called good: it may not when what can go wrong was not tried."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from exam_harness.oracle.checker import Mismatch
from exam_harness.scenarios.demo.report import vars_of

ORDER = ("Pending", "Scheduled", "Warming", "Open", "Closing", "Grading", "Graded", "Published")
"""The way of a sitting. A phase that is over before anybody looks may be missing, but for those of `SHOWN`."""
SHOWN = ("Warming", "Open", "Grading", "Published")
CLOSE_WITHIN_MS = 2_000
"""How long after its last deadline a sitting may stay open in name; nothing late is admitted whenever it closes."""


@dataclass(kw_only=True)
class Report:
    """The numbers of a run.

    Attributes:
        students: how many there are, those who stayed away included.
        present: how many sat.
        acknowledged: answers with a receipt, those that were changed later included.
        sealed: answers in the seals.
        late_refused: answers refused because the deadline had passed.
        phases: of each Exam, the seconds from its opening at which kubectl told each phase.
        close_skew_ms: of each Exam, how long after its last deadline PostgreSQL closed the sitting.
        operator_kills: in which phase the operator was killed.
        graded_by: of each Exam, the grading Jobs there were.
        degrees: degrees that were compared, by who saw them.
        mismatches: every difference between the platform and the oracle.
        seconds: how long each step took.
        about: seed and sizes of this run.
    """

    students: int
    present: int
    acknowledged: int
    sealed: int
    late_refused: int
    phases: Mapping[str, Mapping[str, float]]
    close_skew_ms: Mapping[str, int]
    operator_kills: Sequence[str]
    graded_by: Mapping[str, Sequence[str]]
    degrees: Mapping[str, int]
    mismatches: Sequence[Mismatch]
    seconds: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def failures(self) -> list[str]:
        """Why the run may not be called good; empty when it may."""
        kinds = Counter(mismatch.kind for mismatch in self.mismatches)
        never = {
            "no answer was sealed": self.sealed,
            "no late answer was refused": self.late_refused,
            "no degree was compared": sum(self.degrees.values()),
            "the operator was never killed": len(self.operator_kills),
            "there was no Exam": len(self.phases),
        }
        return [
            *(f"{count} mismatches of kind {kind!r}" for kind, count in sorted(kinds.items())),
            *(sentence for sentence, count in never.items() if not count),
            *(f"{name}: phases {', '.join(told)}" for name, told in self.phases.items() if not _in_order(list(told))),
            *(
                f"{name}: closed {skew} ms after its last deadline"
                for name, skew in self.close_skew_ms.items()
                if not 0 <= skew <= CLOSE_WITHIN_MS
            ),
            *(f"{name}: graded by {len(jobs)} Jobs" for name, jobs in self.graded_by.items() if len(jobs) != 1),
        ]

    def to_json(self) -> dict[str, Any]:
        """The report as it is written to disk."""
        return {
            "good": not self.failures(),
            "students": self.students,
            "present": self.present,
            "acknowledged": self.acknowledged,
            "sealed": self.sealed,
            "late_refused": self.late_refused,
            "phases": {name: dict(told) for name, told in self.phases.items()},
            "close_skew_ms": dict(self.close_skew_ms),
            "operator_kills": list(self.operator_kills),
            "graded_by": {name: list(jobs) for name, jobs in self.graded_by.items()},
            "degrees": dict(self.degrees),
            "mismatches": len(self.mismatches),
            "failures": self.failures(),
            "details": [vars_of(mismatch) for mismatch in self.mismatches],
            "seconds": {name: round(seconds, 2) for name, seconds in self.seconds.items()},
            "about": dict(self.about),
        }


def _in_order(told: Sequence[str]) -> bool:
    """Whether phases were told in their order, every one that must be seen among them."""
    known = all(phase in ORDER for phase in told) and all(phase in told for phase in SHOWN)
    return known and all(ORDER.index(one) < ORDER.index(other) for one, other in pairwise(told))
