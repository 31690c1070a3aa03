"""The demand for pods of solver, web and grader: a pure function of all `Exam`s, their status, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from heapq import nlargest
from math import ceil

from exam_operator.model.exam import Exam, ExamKey
from exam_operator.model.status import Phase

BASELINE = 1
_BEFORE_DRAINED = frozenset({Phase.SCHEDULED, Phase.WARMING, Phase.OPEN, Phase.PAUSED, Phase.CLOSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLimits:
    """What the platform allows for all Exams together, whatever their specs request.

    Attributes:
        solvers: the most solver pods.
        graders: the most grader pods.
        jobs: the most grading Jobs that run at once.
        web: the most web pods.
        web_baseline: the web pods without a sitting.
        candidates_per_web: how many students one web pod logs in.
    """

    solvers: int
    graders: int
    jobs: int
    web: int
    web_baseline: int
    candidates_per_web: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRange:
    """How many pods a Deployment has: `needed` by the Exams; `floor` to `ceiling` within the platform's limit."""

    needed: int
    floor: int
    ceiling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The pods that are needed now, and when the clock alone will change that (platform's time, µs).

    `open_sittings` are the Exams from their pre-warming until their drain: meanwhile no pod of theirs is taken away.
    """

    solvers: PodRange
    graders: PodRange
    web: PodRange
    open_sittings: tuple[ExamKey, ...]
    changes_at: int | None


def solvers_for_candidates(exam: Exam) -> int:
    """How many solver pods the candidates of one sitting need, whatever its maximum."""
    return ceil(Fraction(exam.spec.candidates, exam.spec.solver.candidates_per_replica))


def solvers_wanted(exam: Exam) -> int:
    """How many solver pods one sitting requests by itself."""
    return max(ceil(_solver_share(exam)), exam.spec.solver.min_replicas)


def demand(exams: Iterable[Exam], now: int, limits: PlatformLimits) -> Demand:
    """The demand of all sittings together.

    Solvers and web are needed from the pre-warming until the drain. Candidates are added up before they are rounded to
    pods, so that many small sittings share pods. Graders are needed during grading, for as many Jobs as may run at
    once.
    """
    warm, changes, graders = [], [], []
    for exam in exams:
        warm_from = _warm_from(exam)
        if warm_from is not None and warm_from <= now:
            warm.append(exam)
        elif warm_from is not None:
            changes.append(warm_from)
        if exam.status.phase is Phase.GRADING:
            graders.append(exam.spec.grading.parallelism)
    share = sum(map(_solver_share, warm), Fraction(0))
    solvers = max([ceil(share), BASELINE, *(exam.spec.solver.min_replicas for exam in warm)])
    logins = ceil(Fraction(sum(exam.spec.candidates for exam in warm), limits.candidates_per_web))
    grading = max(sum(nlargest(limits.jobs, graders)), BASELINE)
    return Demand(
        solvers=_range(solvers, sum(exam.spec.solver.max_replicas for exam in warm), limits.solvers),
        graders=_range(grading, grading, limits.graders),
        web=_range(max(logins, limits.web_baseline), limits.web, limits.web),
        open_sittings=tuple(sorted(exam.key for exam in warm)),
        changes_at=min(changes, default=None),
    )


def _range(needed: int, ceiling: int, limit: int) -> PodRange:
    """The range for a number of needed pods; a ceiling below it is raised."""
    return PodRange(needed=needed, floor=min(needed, limit), ceiling=min(max(needed, ceiling), limit))


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
