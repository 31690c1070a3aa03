"""The demand for solver pods and graders: a pure function of all `Exam`s, their status, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from heapq import nlargest
from math import ceil

from exam_operator.model.exam import Exam
from exam_operator.model.status import Phase

BASELINE = 1
_BEFORE_DRAINED = frozenset({Phase.SCHEDULED, Phase.WARMING, Phase.OPEN, Phase.PAUSED, Phase.CLOSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The pods that are needed now, and when the clock alone will change that (platform's time, µs)."""

    solvers: int
    solver_ceiling: int
    graders: int
    changes_at: int | None


def solvers_wanted(exam: Exam) -> int:
    """How many solver pods one sitting needs by itself."""
    return max(ceil(_solver_share(exam)), exam.spec.solver.min_replicas)


def demand(exams: Iterable[Exam], now: int, *, max_jobs: int) -> Demand:
    """The demand of all sittings together.

    Solvers are needed from the pre-warming until the drain. Candidates are added up before they are rounded to pods, so
    that many small sittings share pods. Graders are needed during grading, for as many Jobs as may run at once.
    """
    share, least, ceiling = Fraction(0), BASELINE, 0
    graders = []
    changes = []
    for exam in exams:
        warm_from = _warm_from(exam)
        if warm_from is not None and warm_from <= now:
            share += _solver_share(exam)
            least = max(least, exam.spec.solver.min_replicas)
            ceiling += exam.spec.solver.max_replicas
        elif warm_from is not None:
            changes.append(warm_from)
        if exam.status.phase is Phase.GRADING:
            graders.append(exam.spec.grading.parallelism)
    floor = max(ceil(share), least)
    return Demand(
        solvers=floor,
        solver_ceiling=max(ceiling, floor),
        graders=max(sum(nlargest(max_jobs, graders)), BASELINE),
        changes_at=min(changes, default=None),
    )


def _solver_share(exam: Exam) -> Fraction:
    """The solver pods that its candidates need, not rounded."""
    solver = exam.spec.solver
    return min(Fraction(exam.spec.candidates, solver.candidates_per_replica), Fraction(solver.max_replicas))


def _warm_from(exam: Exam) -> int | None:
    """When the sitting's solver pods have to be ready; None before it is provisioned and after it is drained."""
    status = exam.status
    # PostgreSQL's window, not the spec's: a rejected edit has no effect.
    if status.sitting_id is None or status.phase not in _BEFORE_DRAINED or status.window is None:
        return None
    opens_at = status.window.opens_at
    return None if opens_at is None else opens_at - exam.spec.solver.prewarm
