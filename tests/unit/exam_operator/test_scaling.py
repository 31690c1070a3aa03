"""What scaling asks of the API server, and when."""

import asyncio

import pytest

from exam_core.instants import SECOND
from exam_operator.inventory import Inventory
from exam_operator.scaling import Scaling

OPENS = 1_800_000_000 * SECOND


class Kube:
    """An API server that has one solver Deployment and keeps what is applied."""

    def __init__(self) -> None:
        self.floors: list[int] = []
        self.asked = asyncio.Event()
        self._autoscalers: dict[str, dict] = {}

    async def deployment(self, name):
        """A Deployment with one pod."""
        return {"metadata": {"name": name}, "spec": {"selector": {}}, "status": {"readyReplicas": 1}}

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
async def scaled():
    """Scaling that runs, the inventory that it counts, and the API server it asks."""
    kube, inventory = Kube(), Inventory()
    names = {"namespace": "platform", "solvers": "solver", "graders": "grader", "max_jobs": 4}
    scaling = Scaling(kube, inventory, lambda: OPENS + 60 * SECOND, **names)
    inventory.subscribe(scaling.wake)
    task = asyncio.create_task(scaling.run(resync=0.01))
    yield inventory, kube
    assert not task.done(), task.exception()
    task.cancel()


async def test_a_new_operator_lowers_nothing_before_it_knows_every_exam(scaled) -> None:
    """If the operator is started anew in a sitting, its solvers keep their number while it finds out what is wanted."""
    inventory, kube = scaled
    bodies = [_exam("algebra", 2000), _exam("geometry", 400)]
    inventory.keep(bodies[1])
    for _ in range(20):
        await asyncio.sleep(0)
    assert kube.floors == []
    inventory.listed(bodies)
    async with asyncio.timeout(5):
        await kube.asked.wait()
    assert kube.floors == [5]
