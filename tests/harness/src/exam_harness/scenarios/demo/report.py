"""What a run came to, and whether it may be called good.

A run in which nothing went wrong proves little unless what could go wrong was tried: a run without late answers, forged
tokens, retries, resumes or answers acknowledged by the killed solver fails too.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exam_harness.oracle.checker import Mismatch

SHOWN = 20
"""How many mismatches a person is shown; the report has all."""


@dataclass(kw_only=True)
class Report:
    """The numbers of a run.

    Attributes:
        students: how many there are, those who stayed away included.
        present: how many sat.
        acknowledged: answers with a receipt, those that were changed later included.
        counted: questions with an acknowledged answer.
        sealed: answers in the seals.
        late_refused: answers refused because the deadline had passed.
        forged_refused: requests refused because of a forged token.
        foreign_refused: requests refused at another exam's sitting.
        retries: answers sent again because their outcome was not known.
        resumes: attempts resumed on a second device.
        killed_acknowledged: answers acknowledged by the solver before it was killed.
        unknown_outcome: answers whose outcome no student ever learned.
        receipts: receipts whose signature was checked.
        degrees: degrees that were compared, by who saw them.
        mismatches: every difference between the platform and the oracle.
        seconds: how long each step took.
        counts: everything else that was counted while the sitting ran.
        latency_ms: of answered requests as students saw them, by quantile.
        about: seed, sizes and digests of this run.
    """

    students: int
    present: int
    acknowledged: int
    counted: int
    sealed: int
    late_refused: int
    forged_refused: int
    foreign_refused: int
    retries: int
    resumes: int
    killed_acknowledged: int
    unknown_outcome: int
    receipts: int
    degrees: Mapping[str, int]
    mismatches: Sequence[Mismatch]
    seconds: Mapping[str, float]
    counts: Mapping[str, int] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def failures(self) -> list[str]:
        """Why the run may not be called good; empty when it may."""
        kinds = Counter(mismatch.kind for mismatch in self.mismatches)
        never = {
            "no late answer was refused": self.late_refused,
            "no forged token was refused": self.forged_refused,
            "no answer was sent again": self.retries,
            "nobody resumed on a second device": self.resumes,
            "the killed solver had acknowledged nothing": self.killed_acknowledged,
            "no answer was sealed": self.sealed,
            "no receipt was checked": self.receipts,
            "no degree was compared": sum(self.degrees.values()),
        }
        return [
            *(f"{count} mismatches of kind {kind!r}" for kind, count in sorted(kinds.items())),
            *(sentence for sentence, count in never.items() if not count),
        ]

    def to_json(self) -> dict[str, Any]:
        """The report as it is written to disk."""
        return {
            "good": not self.failures(),
            "students": self.students,
            "present": self.present,
            "acknowledged": self.acknowledged,
            "counted": self.counted,
            "sealed": self.sealed,
            "late_refused": self.late_refused,
            "forged_refused": self.forged_refused,
            "foreign_refused": self.foreign_refused,
            "retries": self.retries,
            "resumes": self.resumes,
            "killed_acknowledged": self.killed_acknowledged,
            "unknown_outcome": self.unknown_outcome,
            "receipts": self.receipts,
            "degrees": dict(self.degrees),
            "mismatches": len(self.mismatches),
            "failures": self.failures(),
            "details": [vars_of(mismatch) for mismatch in self.mismatches],
            "seconds": {name: round(seconds, 2) for name, seconds in self.seconds.items()},
            "latency_ms": {name: round(value, 1) for name, value in self.latency_ms.items()},
            "counts": dict(sorted(self.counts.items())),
            "about": dict(self.about),
        }


def vars_of(mismatch: Mismatch) -> dict[str, str]:
    """A mismatch's members."""
    return {"kind": mismatch.kind, "sitting": mismatch.sitting, "what": mismatch.what}


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds at the quantiles that people ask for."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 for name, share in places.items()}
