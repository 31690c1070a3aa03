"""What scaling asks of the API server, and when."""

import asyncio
from dataclasses import replace

import pytest

from exam_core.instants import SECOND
from exam_operator.model.exam import Exam
from exam_operator.runtime.cache import ExamCache
from exam_operator.runtime.scaling import Scaling

OPENS = 1_800_000_000 * SECOND


class KubernetesClient:
    """An API server that has one solver Deployment and keeps what is applied."""

    def __init__(self) -> None:
        self.floors: list[int] = []
        self.pods, self.ready = 1, 1
        self.asked = asyncio.Event()
        self._autoscalers: dict[str, dict] = {}

    async def deployment(self, name):
        """A Deployment with its pods, as many as it should have and as are ready."""
        spec = {"replicas": self.pods, "selector": {}}
        return {"metadata": {"name": name}, "spec": spec, "status": {"readyReplicas": self.ready}}

    async def autoscaler(self, name):
        """What was applied."""
        return self._autoscalers.get(name)

    async def apply_autoscaler(self, body):
        """Keep it."""
        self._autoscalers[body["metadata"]["name"]] = body
        if body["metadata"]["name"] == "solver":
            self.floors.append(body["spec"]["minReplicas"])
            self.asked.set()

    async def budget(self, _name):
        """One that needs no change."""
        return {}


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
    """The API server."""
    return KubernetesClient()


@pytest.fixture
async def cache():
    """All Exams that scaling counts."""
    return ExamCache()


@pytest.fixture
async def scaling(kube, cache):
    """Scaling that runs."""
    names = {"namespace": "platform", "solvers": "solver", "graders": "grader", "max_jobs": 4}
    scaling = Scaling(kube, cache, lambda: OPENS + 60 * SECOND, **names)
    cache.subscribe(scaling.wake)
    task = asyncio.create_task(scaling.run(resync=0.01))
    yield scaling
    assert not task.done(), task.exception()
    task.cancel()


@pytest.fixture
def known(scaling):
    """Is over once scaling has seen how many pods there are."""
    seen = asyncio.Event()
    scaling.subscribe(seen.set)
    return asyncio.wait_for(seen.wait(), timeout=5)


async def test_a_new_operator_lowers_nothing_before_it_knows_every_exam(scaling, kube, cache) -> None:
    """If the operator is started anew in a sitting, its solvers keep their number while it finds out what is wanted."""
    bodies = [_exam("algebra", 2000), _exam("geometry", 400)]
    cache.keep(bodies[1])
    for _ in range(20):
        await asyncio.sleep(0)
    assert kube.floors == []
    cache.listed(bodies)
    async with asyncio.timeout(5):
        await kube.asked.wait()
    assert kube.floors == [5]
    assert scaling.capacity(Exam.from_json(bodies[0]), OPENS) is not None


async def test_pods_of_a_sitting_before_are_not_this_ones_capacity(scaling, known, kube, cache) -> None:
    """If pods of an earlier sitting are left when mine begins to warm up, they are not mine until they are kept."""
    kube.pods, kube.ready = 4, 4
    later = _exam("algebra", 2000)
    later["status"]["window"]["opensAt"] = "2027-01-15T09:00:00Z"
    cache.listed([later])
    resource = Exam.from_json(later)
    warm = OPENS + 50 * 60 * SECOND
    await known
    before = scaling.capacity(resource, warm - 1)
    assert (before.floor, before.ready, before.steady) == (1, 4, 1)
    assert scaling.capacity(resource, warm) == replace(before, floor=4)


async def test_pods_on_their_way_out_are_not_counted(scaling, known, kube, cache) -> None:
    """If a Deployment is going down, pods of it that still answer are not told as ready."""
    kube.pods, kube.ready = 2, 4
    body = _exam("algebra", 2000)
    cache.listed([body])
    resource = Exam.from_json(body)
    await known
    assert scaling.capacity(resource, OPENS).ready == 2
