"""The client of the API server sends nothing that changes something without the Lease."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from unittest.mock import Mock

import pytest
from aiohttp import web
from kubernetes.aio import client as official

from exam_operator.clients.errors import NotLeadingError
from exam_operator.clients.kubernetes import KubernetesClient
from exam_operator.decide.election import Lease
from exam_operator.model.exam import ExamKey

KEY = ExamKey("finals", "midterm", "0a1b2c3d-0000-4000-8000-000000000000")
BODY = {"metadata": {"namespace": "finals", "name": "midterm", "uid": KEY.uid, "resourceVersion": "1"}, "items": []}
WRITES: dict[str, Callable[[KubernetesClient], Awaitable[object]]] = {
    "set_finalizers": lambda kube: kube.set_finalizers(KEY, [], version="1"),
    "update_status": lambda kube: kube.update_status(BODY, {}),
    "create_event": lambda kube: kube.create_event(BODY),
    "create_job": lambda kube: kube.create_job(BODY),
    "release_job": lambda kube: kube.release_job("grade", "uid"),
    "delete_job": lambda kube: kube.delete_job("grade", "uid"),
    "apply_autoscaler": lambda kube: kube.apply_autoscaler(BODY),
    "apply_disruption_budget": lambda kube: kube.apply_disruption_budget(BODY),
    "evict_pod": lambda kube: kube.evict_pod("cassandra-0", "uid"),
    "write_lease": lambda kube: kube.write_lease("operator", Lease(holder="one", duration=10), now=0),
}
READS: dict[str, Callable[[KubernetesClient], Awaitable[object]]] = {
    "get_exam": lambda kube: kube.get_exam(KEY),
    "list_exams": lambda kube: kube.list_exams(),
    "get_secret": lambda kube: kube.get_secret("finals", "paper"),
    "is_namespace_terminating": lambda kube: kube.is_namespace_terminating("finals"),
    "get_job": lambda kube: kube.get_job("grade"),
    "list_jobs": lambda kube: kube.list_jobs(),
    "get_deployment": lambda kube: kube.get_deployment("solver"),
    "list_pods": lambda kube: kube.list_pods({"spec": {"selector": {"matchLabels": {"app": "solver"}}}}),
    "list_selected_pods": lambda kube: kube.list_selected_pods("app=cassandra"),
    "list_stateful_sets": lambda kube: kube.list_stateful_sets("app=cassandra"),
    "get_lease": lambda kube: kube.get_lease("operator"),
}


@pytest.fixture
def guard() -> Mock:
    """The guard of the client, which allows every request."""
    return Mock(return_value=None)


@pytest.fixture
async def methods() -> list[str]:
    """The methods of the requests that the fake API server has received."""
    return []


@pytest.fixture
async def kube(methods: list[str], guard: Mock) -> AsyncIterator[KubernetesClient]:
    """A client of a fake API server."""

    async def answer(request: web.Request) -> web.Response:
        methods.append(request.method)
        return web.json_response(BODY)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration = official.Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    configuration.retries = 0
    async with official.ApiClient(configuration) as api:
        yield KubernetesClient(api, "exam", guard=guard)
    await runner.cleanup()


def test_every_request_of_the_client_is_listed() -> None:
    """If a request is added to the client, the tests below check it too."""
    found = {name for name, value in vars(KubernetesClient).items() if inspect.iscoroutinefunction(value)}
    assert {name for name in found if not name.startswith("_")} == WRITES.keys() | READS.keys()


@pytest.mark.parametrize("name", WRITES)
async def test_no_write_is_sent_without_the_lease(
    kube: KubernetesClient, methods: list[str], guard: Mock, name: str
) -> None:
    """If the replica does not hold the Lease, no request that changes something reaches the API server."""
    guard.side_effect = NotLeadingError
    with pytest.raises(NotLeadingError):
        await WRITES[name](kube)
    assert methods == []
    guard.side_effect = None
    await WRITES[name](kube)
    assert len(methods) == 1
    assert methods != ["GET"]


@pytest.mark.parametrize("name", READS)
async def test_reading_needs_no_lease(kube: KubernetesClient, methods: list[str], guard: Mock, name: str) -> None:
    """If the replica does not hold the Lease, it still reads, so that it is ready to act."""
    guard.side_effect = NotLeadingError
    await READS[name](kube)
    assert methods == ["GET"]
