"""The requests of scaling to the API server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from exam_core.instants import SECOND
from exam_operator.decide.demand import PlatformLimits
from exam_operator.model.exam import Exam
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.scaling import Deployments, Scaling

OPENS = 1_800_000_000 * SECOND
RESYNC_SECONDS = 0.5


class FakeKubernetesClient:
    """An API server with one solver Deployment; it stores what is applied."""

    def __init__(self) -> None:
        self.floors: list[int] = []
        self.pods, self.ready = 1, 1
        self.applied = asyncio.Event()
        self.applications = 0

    async def get_deployment(self, name):
        """A Deployment with its desired and ready replicas."""
        spec = {"replicas": self.pods, "selector": {}}
        metadata = {"name": name, "namespace": "platform", "uid": f"{name}-uid"}
        return {"metadata": metadata, "spec": spec, "status": {"readyReplicas": self.ready}}

    async def list_pods(self, _deployment):
        """No pod."""
        return []

    async def apply_autoscaler(self, body):
        """Record the minimum of the solver's autoscaler."""
        self.applications += 1
        if body["metadata"]["name"] == "solver":
            self.floors.append(body["spec"]["minReplicas"])
            self.applied.set()

    async def apply_disruption_budget(self, _body):
        """Accept a budget."""


def _exam(name: str, candidates: int) -> dict:
    window = {"opensAt": "2027-01-15T08:00:00Z", "closesAt": "2027-01-15T10:00:00Z", "duration": "90m"}
    return {
        "apiVersion": "examplatform.dev/v1alpha1",
        "kind": "Exam",
        "metadata": {"namespace": "exams", "name": name, "uid": f"{name}-uid", "generation": 1, "resourceVersion": "1"},
        "spec": {
            "exam": name,
            "window": window,
            "desiredState": "Scheduled",
            "candidates": candidates,
            "solver": {"minReplicas": 1, "maxReplicas": 20, "candidatesPerReplica": 500, "prewarm": "10m"},
            "grading": {"parallelism": 4, "revision": 1, "publish": "Manual"},
            "deletionPolicy": "Retain",
        },
        "status": {
            "phase": "Open",
            "sittingId": "00000000-0000-0000-0000-000000000001",
            "window": {"opensAt": window["opensAt"], "closesAt": window["closesAt"], "endsAt": window["closesAt"]},
        },
    }


@pytest.fixture
async def kube():
    """A fake API server."""
    return FakeKubernetesClient()


@pytest.fixture
async def cache():
    """The cache that scaling reads."""
    return ExamCache()


@asynccontextmanager
async def _running(kube, cache, *, resync: float) -> AsyncIterator[Scaling]:
    """Scaling that runs inside the block."""
    names = Deployments(namespace="platform", solvers="solver", graders="grader", web="web")
    limits = PlatformLimits(solvers=20, graders=8, jobs=4, web=10, web_baseline=2, candidates_per_web=1000)
    scaling = Scaling(kube, cache, lambda: OPENS + 60 * SECOND, names, limits, resync=resync)
    cache.subscribe(scaling.wake)
    task = asyncio.create_task(scaling.run())
    try:
        yield scaling
        assert not task.done(), task.exception()
    finally:
        task.cancel()


@pytest.fixture
async def scaling(kube, cache):
    """Running scaling."""
    async with _running(kube, cache, resync=RESYNC_SECONDS) as running:
        yield running


@pytest.fixture
def observed(scaling):
    """Completes once scaling has observed the pods."""
    seen = asyncio.Event()
    scaling.subscribe(seen.set)
    return asyncio.wait_for(seen.wait(), timeout=5)


async def test_a_new_operator_does_not_scale_before_the_first_full_list(scaling, kube, cache) -> None:
    """If the operator is restarted during a sitting, the solvers are not scaled until all Exams are listed."""
    bodies = [_exam("algebra", 2000), _exam("geometry", 400)]
    cache.put(bodies[1])
    for _ in range(20):
        await asyncio.sleep(0)
    assert kube.floors == []
    cache.replace_all(bodies)
    async with asyncio.timeout(5):
        await kube.applied.wait()
    assert kube.floors[0] == 5
    assert scaling.capacity(Exam.from_json(bodies[0]), OPENS) is not None


async def test_pods_of_an_earlier_sitting_do_not_count(scaling, observed, kube, cache) -> None:
    """If pods of an earlier sitting are left when mine warms up, they count only once the autoscaler keeps them."""
    kube.pods, kube.ready = 4, 4
    later = _exam("algebra", 2000)
    later["status"]["window"]["opensAt"] = "2027-01-15T09:00:00Z"
    cache.replace_all([later])
    exam = Exam.from_json(later)
    warm = OPENS + 50 * 60 * SECOND
    await observed
    before = scaling.capacity(exam, warm - 1)
    assert (before.floor, before.ready, before.steady) == (1, 4, 1)
    assert scaling.capacity(exam, warm) == replace(before, needed=4)


async def test_pods_that_are_scaled_down_do_not_count(scaling, observed, kube, cache) -> None:
    """If a Deployment is scaled down, pods above its replicas do not count as ready."""
    kube.pods, kube.ready = 2, 4
    body = _exam("algebra", 2000)
    cache.replace_all([body])
    exam = Exam.from_json(body)
    await observed
    assert scaling.capacity(exam, OPENS).ready == 2


async def test_unchanged_objects_are_applied_again_at_the_resync_alone(scaling, observed, kube, cache) -> None:
    """If Exams change all the time but not the demand, nothing is written before the resync; then all of it is."""
    cache.replace_all([_exam("algebra", 2000)])
    await observed
    before = kube.applications
    for _ in range(5):
        scaling.wake()
        await asyncio.sleep(0)
    assert kube.applications == before
    kube.applied.clear()
    async with asyncio.timeout(5):
        await kube.applied.wait()
    assert kube.applications > before


async def test_a_fault_of_the_pods_is_part_of_the_capacity(scaling, observed, kube, cache) -> None:
    """If the solver has no replicas, the capacity of every sitting has the fault; once it has them, it has none."""
    kube.pods, kube.ready = 0, 0
    body = _exam("algebra", 2000)
    cache.replace_all([body])
    exam = Exam.from_json(body)
    await observed
    assert scaling.capacity(exam, OPENS).fault.reason == "ScaledToZero"
    changed = asyncio.Event()
    scaling.subscribe(changed.set)
    kube.pods, kube.ready = 4, 4
    async with asyncio.timeout(5):
        await changed.wait()
    assert scaling.capacity(exam, OPENS).fault is None


async def test_an_autoscaler_that_scales_during_a_change_keeps_its_pods(kube, cache, monkeypatch) -> None:
    """If pods are added while a maximum is being written during a sitting, the maximum is raised to their number."""
    monkeypatch.setattr("exam_operator.runtime.scaling.RETRY_SECONDS", 0.05)
    kube.pods, kube.ready = 4, 4
    small = _exam("algebra", 10)
    small["spec"]["solver"]["maxReplicas"] = 4
    written = asyncio.Event()

    async def apply(body) -> None:
        """Scale up before the first write arrives."""
        if body["metadata"]["name"] == "solver":
            kube.pods, kube.ready = 7, 7
            kube.maxima.append(body["spec"]["maxReplicas"])
            if kube.maxima[-1] == 7:
                written.set()

    kube.maxima = []
    kube.apply_autoscaler = apply
    cache.replace_all([small])
    async with _running(kube, cache, resync=60), asyncio.timeout(5):
        await written.wait()
    assert kube.maxima == [4, 7]
