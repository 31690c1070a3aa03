"""The fault proxy of the API server injects the configured faults and nothing else."""

import json
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.faults.apiserver_proxy import Delay, ErrorResponse, FaultProxy, WatchMode, When

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

READ_SECONDS = 20
SILENCE_SECONDS = 1
RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch", "create", "delete"]}]
REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


class Maps:
    """A client of one namespace's ConfigMaps without retries, through the proxy or directly."""

    def __init__(self, http: httpx.Client, namespace: str) -> None:
        self.http = http
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"

    def create(self, name: str) -> httpx.Response:
        """Create one."""
        return self.http.post(self.path, json={"metadata": {"name": name}})

    def get(self, name: str) -> httpx.Response:
        """Read one."""
        return self.http.get(f"{self.path}/{name}")

    def delete(self, name: str) -> httpx.Response:
        """Delete one."""
        return self.http.delete(f"{self.path}/{name}")

    @contextmanager
    def watching(self) -> Iterator[Iterator[dict[str, Any]]]:
        """Watch from now on; yields the events."""
        version = self.http.get(self.path).raise_for_status().json()["metadata"]["resourceVersion"]
        query = {"watch": "true", "resourceVersion": version}
        with self.http.stream("GET", self.path, params=query) as response:
            yield map(json.loads, response.iter_lines())


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    """A proxy without faults."""
    with FaultProxy(control_plane) as running:
        yield running


@pytest.fixture
def token(control_plane: ControlPlane, kube_namespace: str) -> str:
    """The token of a service account that may use ConfigMaps, except patch."""
    kubeconfig = control_plane.service_account_kubeconfig("mapper", namespace=kube_namespace, rules=RULES)
    return str(json.loads(kubeconfig.read_text())["users"][0]["user"]["token"])


@contextmanager
def client(control_plane: ControlPlane, url: str, token: str) -> Iterator[httpx.Client]:
    """A client that verifies the server certificate."""
    context = ssl.create_default_context(cafile=str(control_plane.authority))
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, verify=context, headers=headers, trust_env=False, timeout=READ_SECONDS) as running:
        yield running


@pytest.fixture
def maps(control_plane: ControlPlane, proxy: FaultProxy, kube_namespace: str, token: str) -> Iterator[Maps]:
    """ConfigMaps through the proxy."""
    with client(control_plane, proxy.url, token) as http:
        yield Maps(http, kube_namespace)


@pytest.fixture
def direct(control_plane: ControlPlane, kube_namespace: str, token: str) -> Iterator[Maps]:
    """The same ConfigMaps, directly from the API server."""
    with client(control_plane, control_plane.url, token) as http:
        yield Maps(http, kube_namespace)


def test_without_faults_requests_are_forwarded_unchanged(proxy: FaultProxy, maps: Maps, direct: Maps) -> None:
    """If no fault is configured, responses are the API server's, errors too, and each request is recorded."""
    assert maps.create("one").status_code == 201
    assert maps.get("one").json() == direct.get("one").json()
    assert "one" in {each["metadata"]["name"] for each in maps.http.get(maps.path).json()["items"]}
    patch = maps.http.patch(f"{maps.path}/one", content=b"{}", headers={"Content-Type": "application/merge-patch+json"})
    assert patch.json()["message"] == (
        f'configmaps "one" is forbidden: User "system:serviceaccount:{maps.path.split("/")[4]}:mapper" cannot patch '
        f'resource "configmaps" in API group "" in the namespace "{maps.path.split("/")[4]}"'
    )
    assert maps.delete("one").status_code == 200
    record = [(each.request.verbs, each.request.resource, each.request.name, each.status) for each in proxy.requests]
    assert record == [
        (("create",), "configmaps", "", 201),
        (("get",), "configmaps", "one", 200),
        (("list",), "configmaps", "", 200),
        (("patch",), "configmaps", "one", 403),
        (("delete",), "configmaps", "one", 200),
    ]
    assert proxy.mutations == 3


@pytest.mark.parametrize("when", When)
def test_a_hook_runs_once_before_or_after_its_request(proxy: FaultProxy, maps: Maps, direct: Maps, when: When) -> None:
    """If I hook the second mutation, only that one is not forwarded, or is forwarded and not answered."""
    statuses: list[int] = []
    hook = proxy.on_mutation(2, when, lambda: statuses.append(direct.get("two").status_code))
    assert maps.create("one").status_code == 201
    assert maps.get("two").status_code == 404
    before = hook.triggered_by
    assert before is None
    with pytest.raises(httpx.TransportError):
        maps.create("two")
    expected = 200 if when is When.AFTER else 404
    assert statuses == [expected]
    assert hook.triggered_by is not None
    assert (hook.triggered_by.verbs, hook.triggered_by.resource) == (("create",), "configmaps")
    assert direct.get("two").status_code == expected
    assert maps.create("three").status_code == 201
    assert statuses == [expected]


def test_a_hook_that_is_not_reached_is_not_triggered(proxy: FaultProxy, maps: Maps) -> None:
    """If there are fewer mutations than a hook's number, it is not triggered, which a test can check."""
    hook = proxy.on_mutation(2, When.BEFORE, lambda: pytest.fail("the hook ran"))
    assert maps.create("one").status_code == 201
    assert maps.get("one").status_code == 200
    assert hook.triggered_by is None


@pytest.mark.parametrize("code", REASONS)
def test_an_error_response_looks_like_the_api_servers(proxy: FaultProxy, maps: Maps, direct: Maps, code: int) -> None:
    """If I configure error responses, that many requests get one and are not forwarded to the API server."""
    after = 3 if code == 429 else None
    proxy.error_responses = [
        ErrorResponse(matches=lambda request: "create" in request.verbs, code=code, times=2, retry_after=after),
    ]
    for _ in range(2):
        response = maps.create("one")
        body = response.json()
        assert (response.status_code, body["kind"], body["status"]) == (code, "Status", "Failure")
        assert (body["code"], body["reason"]) == (code, REASONS[code])
        assert response.headers.get("Retry-After") == (None if after is None else "3")
        assert direct.get("one").status_code == 404
        assert maps.get("one").status_code == 404
    assert maps.create("one").status_code == 201
    assert [each.status for each in proxy.requests if each.request.mutating] == [code, code, 201]


def test_a_delay_applies_to_matching_requests_only(proxy: FaultProxy, maps: Maps) -> None:
    """If I configure a delay, matching requests are delayed and succeed; others are not delayed."""
    proxy.delays = [Delay(matches=lambda request: "create" in request.verbs, seconds=0.5)]
    started = time.monotonic()
    assert maps.create("one").status_code == 201
    assert time.monotonic() - started >= 0.5
    proxy.delays = [Delay(matches=lambda request: "create" in request.verbs, seconds=10 * READ_SECONDS)]
    assert maps.get("one").status_code == 200


def test_watch_events_are_forwarded_and_can_be_duplicated(proxy: FaultProxy, maps: Maps, direct: Maps) -> None:
    """If an object changes, a watch through the proxy gets the event, and twice if events are duplicated."""
    with maps.watching() as events:
        direct.create("one")
        assert _summary(next(events)) == ("ADDED", "one")
        proxy.watch_mode = WatchMode.DUPLICATED
        direct.delete("one")
        assert [_summary(next(events)), _summary(next(events))] == [("DELETED", "one")] * 2
        proxy.watch_mode = WatchMode.NORMAL
        direct.create("two")
        assert _summary(next(events)) == ("ADDED", "two")


def test_a_silent_watch_stays_open_without_events(proxy: FaultProxy, maps: Maps, direct: Maps) -> None:
    """If watches are silent, a watch through the proxy gets no event, and a direct one does."""
    proxy.watch_mode = WatchMode.SILENT
    maps.http.timeout = httpx.Timeout(SILENCE_SECONDS)
    with maps.watching() as events, direct.watching() as direct_events:
        direct.create("one")
        assert _summary(next(direct_events)) == ("ADDED", "one")
        with pytest.raises(httpx.ReadTimeout):
            next(events)


def test_a_dropped_watch_can_be_restarted(proxy: FaultProxy, maps: Maps, direct: Maps) -> None:
    """If I drop the watches, their connections are aborted; a new watch gets events again."""
    with maps.watching() as events:
        direct.create("one")
        assert _summary(next(events)) == ("ADDED", "one")
        proxy.drop_watches()
        with pytest.raises(httpx.TransportError):
            next(events)
    with maps.watching() as events:
        direct.create("two")
        assert _summary(next(events)) == ("ADDED", "two")


def test_an_expired_watch_ends_with_410(proxy: FaultProxy, maps: Maps, direct: Maps) -> None:
    """If I expire the watches, the last event is 410 Expired, as after a compaction, and the stream ends."""
    with maps.watching() as events:
        direct.create("one")
        assert _summary(next(events)) == ("ADDED", "one")
        proxy.expire_watches()
        [last] = events
        assert (last["type"], last["object"]["code"], last["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_stopped_proxy_refuses_connections(control_plane: ControlPlane, token: str) -> None:
    """If the proxy has stopped, its port refuses connections."""
    with FaultProxy(control_plane) as proxy, client(control_plane, proxy.url, token) as http:
        assert http.get("/version").status_code == 200
    with client(control_plane, proxy.url, token) as http, pytest.raises(httpx.ConnectError):
        http.get("/version")


def _summary(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]
