"""The demand for solver pods and graders of all sittings together."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exam_core.instants import MINUTE
from exam_operator.decide.demand import BASELINE, PlatformLimits, PodRange, demand, solvers_wanted
from exam_operator.model.exam import Exam, SolverSpec
from exam_operator.model.status import ExamStatus, Phase, WindowStatus
from exam_operator.testing.world import EPOCH_2027, make_exam

NOW = EPOCH_2027
OPENS_AT = NOW + 10 * MINUTE
LIMITS = PlatformLimits(solvers=1000, graders=100, jobs=4, web=10, web_baseline=2, candidates_per_web=1000)


def sitting(candidates: int = 100, phase: Phase = Phase.OPEN, **solver: Any) -> Exam:
    """An Exam with a sitting in some phase."""
    exam = make_exam(NOW)
    spec = replace(exam.spec, candidates=candidates, solver=replace(exam.spec.solver, **solver))
    status = ExamStatus(phase=phase, sitting_id="x", window=WindowStatus(opens_at=OPENS_AT))
    return replace(exam, spec=spec, status=status)


def in_phase(exam: Exam, phase: Phase) -> Exam:
    """The Exam in another phase."""
    return replace(exam, status=replace(exam.status, phase=phase))


SOLVERS = st.builds(
    lambda least, more, per: SolverSpec(
        min_replicas=least, max_replicas=least + more, candidates_per_replica=per, prewarm=0
    ),
    st.integers(1, 9),
    st.integers(0, 20),
    st.integers(1, 1000),
)
SITTINGS = st.builds(
    lambda candidates, solver: replace(sitting(candidates), spec=replace(sitting(candidates).spec, solver=solver)),
    st.integers(1, 10_000),
    SOLVERS,
)


def solvers(*exams: Exam, now: int = NOW + 20 * MINUTE) -> int:
    """How many solver pods some sittings need together."""
    return demand(exams, now, LIMITS).solvers.floor


@given(exam=SITTINGS)
def test_one_sitting_gets_its_pods(exam: Exam) -> None:
    """If there is one sitting, there are as many pods as its candidates need, within its bounds."""
    solver = exam.spec.solver
    wanted = solvers_wanted(exam)
    assert solvers(exam) == wanted
    assert solver.min_replicas <= wanted <= solver.max_replicas
    enough = wanted * solver.candidates_per_replica >= exam.spec.candidates
    assert enough or wanted == solver.max_replicas
    assert (wanted - 1) * solver.candidates_per_replica < exam.spec.candidates or wanted == solver.min_replicas


@given(exams=st.lists(SITTINGS, max_size=6), another=SITTINGS)
def test_another_sitting_takes_no_pods_away(exams: list[Exam], another: Exam) -> None:
    """If another sitting is held at the same time, there are as many pods or more, never more than each needs alone."""
    before, after = solvers(*exams), solvers(*exams, another)
    assert before <= after <= before + solvers_wanted(another)
    assert after >= solvers_wanted(another)


def test_small_sittings_share_pods() -> None:
    """If two hundred sittings of ten are held at once, four pods of five hundred suffice, not two hundred pods."""
    assert solvers(*[sitting(10, candidates_per_replica=500) for _ in range(200)]) == 4


def test_pods_are_wanted_from_the_pre_warming_to_the_drain() -> None:
    """If the pre-warming has begun, the pods are wanted; before it and after the drain they are not."""
    exam = sitting(1000, candidates_per_replica=100, prewarm=5 * MINUTE)
    assert [solvers(exam, now=OPENS_AT - 5 * MINUTE - 1), solvers(exam, now=OPENS_AT - 5 * MINUTE)] == [BASELINE, 10]
    assert demand([exam], NOW, LIMITS).changes_at == OPENS_AT - 5 * MINUTE
    before_drained = (Phase.SCHEDULED, Phase.WARMING, Phase.OPEN, Phase.PAUSED, Phase.CLOSING)
    assert [solvers(in_phase(exam, phase)) for phase in before_drained] == [10] * 5
    others = set(Phase) - set(before_drained)
    assert [solvers(in_phase(exam, phase)) for phase in others] == [BASELINE] * 5


@pytest.mark.parametrize(
    "status",
    [
        ExamStatus(phase=Phase.PENDING),
        ExamStatus(phase=Phase.OPEN, sitting_id="x"),
        ExamStatus(phase=Phase.OPEN, sitting_id="x", window=WindowStatus()),
    ],
)
def test_an_exam_without_a_sitting_or_window_needs_no_pods(status: ExamStatus) -> None:
    """If there is no sitting yet, or its window was removed from the status by hand, no pods are reserved for it."""
    assert solvers(replace(sitting(10_000), status=status)) == BASELINE


@pytest.mark.parametrize(("gradings", "graders"), [([], 1), ([4], 4), ([4, 2], 6), ([1, 9, 2, 8, 3], 22)])
def test_graders_are_for_the_jobs_that_may_run(gradings: list[int], graders: int) -> None:
    """If more sittings wait for grading than Jobs may run at once, there are graders for the largest that may run."""
    exam = sitting(phase=Phase.GRADING)
    exams = [
        replace(exam, spec=replace(exam.spec, grading=replace(exam.spec.grading, parallelism=parallelism)))
        for parallelism in gradings
    ]
    assert demand(exams, NOW, LIMITS).graders == PodRange(needed=graders, floor=graders, ceiling=graders)


@given(exams=st.lists(SITTINGS, max_size=6), limit=st.integers(1, 50))
def test_no_number_of_exams_gets_more_than_the_platform_allows(exams: list[Exam], limit: int) -> None:
    """If Exams request more pods than the platform allows, there are as many as it allows; what they need is known."""
    limits = replace(LIMITS, solvers=limit, graders=limit)
    now = NOW + 20 * MINUTE
    free, limited = demand(exams, now, LIMITS).solvers, demand(exams, now, limits).solvers
    assert limited.needed == free.needed
    assert limited.floor == min(free.floor, limit)
    assert limited.floor <= limited.ceiling <= limit
    grading = replace(exams[0], status=ExamStatus(phase=Phase.GRADING)) if exams else sitting(phase=Phase.GRADING)
    greedy = replace(grading, spec=replace(grading.spec, grading=replace(grading.spec.grading, parallelism=100)))
    assert demand([greedy], now, limits).graders.ceiling == limit


@pytest.mark.parametrize(
    ("candidates", "pods"), [((), 2), ((900,), 2), ((2000,), 2), ((2001,), 3), ((1500, 1500), 3), ((20_000,), 10)]
)
def test_web_has_pods_for_the_logins_of_all_open_sittings(candidates: tuple[int, ...], pods: int) -> None:
    """If sittings bring logins, web has the pods for their candidates, within its limit, and more when it is busy."""
    exams = [sitting(number, prewarm=5 * MINUTE) for number in candidates]
    web = demand(exams, OPENS_AT - 5 * MINUTE, LIMITS).web
    assert (web.floor, web.ceiling) == (pods, LIMITS.web)
    assert demand(exams, OPENS_AT - 5 * MINUTE - 1, LIMITS).web.floor == LIMITS.web_baseline


def test_a_sitting_keeps_its_pods_from_the_pre_warming_to_the_drain() -> None:
    """If a sitting is warming, open, paused or closing, it is one of those whose pods are not taken away."""
    exam = sitting(prewarm=5 * MINUTE)

    def is_open(phase: Phase, now: int) -> bool:
        return demand([in_phase(exam, phase)], now, LIMITS).open_sittings == (exam.key,)

    kept = {phase for phase in Phase if is_open(phase, OPENS_AT)}
    assert kept == {Phase.SCHEDULED, Phase.WARMING, Phase.OPEN, Phase.PAUSED, Phase.CLOSING}
    assert [is_open(Phase.SCHEDULED, OPENS_AT - 5 * MINUTE - ahead) for ahead in (0, 1)] == [True, False]
