"""The way to the API server on which things go wrong: what is asked for goes wrong, and nothing else."""

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
    """ConfigMaps of one namespace, asked for without a second try, through the proxy or past it."""

    def __init__(self, http: httpx.Client, namespace: str) -> None:
        self.http = http
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"

    def create(self, name: str) -> httpx.Response:
        """Make one."""
        return self.http.post(self.path, json={"metadata": {"name": name}})

    def get(self, name: str) -> httpx.Response:
        """Read one."""
        return self.http.get(f"{self.path}/{name}")

    def delete(self, name: str) -> httpx.Response:
        """Delete one."""
        return self.http.delete(f"{self.path}/{name}")

    @contextmanager
    def watching(self) -> Iterator[Iterator[dict[str, Any]]]:
        """What a watch tells from now on."""
        version = self.http.get(self.path).raise_for_status().json()["metadata"]["resourceVersion"]
        asked = {"watch": "true", "resourceVersion": version}
        with self.http.stream("GET", self.path, params=asked) as answer:
            yield map(json.loads, answer.iter_lines())


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    """A proxy on which nothing goes wrong yet."""
    with FaultProxy(control_plane) as made:
        yield made


@pytest.fixture
def token(control_plane: ControlPlane, kube_namespace: str) -> str:
    """Of somebody who may do things with ConfigMaps alone, patching excepted."""
    kubeconfig = control_plane.service_account_kubeconfig("mapper", namespace=kube_namespace, rules=RULES)
    return str(json.loads(kubeconfig.read_text())["users"][0]["user"]["token"])


@contextmanager
def client(control_plane: ControlPlane, url: str, token: str) -> Iterator[httpx.Client]:
    """Somebody who checks whom they speak with."""
    trusts = ssl.create_default_context(cafile=str(control_plane.authority))
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, verify=trusts, headers=headers, trust_env=False, timeout=READ_SECONDS) as made:
        yield made


@pytest.fixture
def maps(control_plane: ControlPlane, proxy: FaultProxy, kube_namespace: str, token: str) -> Iterator[Maps]:
    """ConfigMaps through the proxy."""
    with client(control_plane, proxy.url, token) as http:
        yield Maps(http, kube_namespace)


@pytest.fixture
def truth(control_plane: ControlPlane, kube_namespace: str, token: str) -> Iterator[Maps]:
    """The same ConfigMaps, straight from the API server."""
    with client(control_plane, control_plane.url, token) as http:
        yield Maps(http, kube_namespace)


def test_without_a_fault_everything_goes_through_as_it_is(proxy: FaultProxy, maps: Maps, truth: Maps) -> None:
    """If I ask for no fault, answers are the API server's, refusals too, and each request is on record."""
    assert maps.create("one").status_code == 201
    assert maps.get("one").json() == truth.get("one").json()
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
def test_a_trap_springs_once_on_its_side_of_its_request(proxy: FaultProxy, maps: Maps, truth: Maps, when: When) -> None:
    """If I set a hook before or after the second change, just that one is never made, or made and never answered."""
    sprung: list[int] = []
    hook = proxy.on_mutation(2, when, lambda: sprung.append(truth.get("two").status_code))
    assert maps.create("one").status_code == 201
    assert maps.get("two").status_code == 404
    assert hook.triggered_by is None
    with pytest.raises(httpx.TransportError):
        maps.create("two")
    there = 200 if when is When.AFTER else 404
    assert sprung == [there]
    assert hook.triggered_by is not None
    assert (hook.triggered_by.verbs, hook.triggered_by.resource) == (("create",), "configmaps")
    assert truth.get("two").status_code == there
    assert maps.create("three").status_code == 201
    assert sprung == [there]


def test_a_trap_that_is_never_reached_says_so(proxy: FaultProxy, maps: Maps) -> None:
    """If there are fewer changes than a hook waits for, it has caught nothing, so that a test can see it."""
    hook = proxy.on_mutation(2, When.BEFORE, lambda: pytest.fail("it sprang"))
    assert maps.create("one").status_code == 201
    assert maps.get("one").status_code == 200
    assert hook.triggered_by is None


@pytest.mark.parametrize("code", REASONS)
def test_a_refusal_reads_like_the_api_servers(proxy: FaultProxy, maps: Maps, truth: Maps, code: int) -> None:
    """If I have requests refused, they are so many times, as the API server would, which does not hear of them."""
    after = 3 if code == 429 else None
    proxy.error_responses = [
        ErrorResponse(matches=lambda asked: "create" in asked.verbs, code=code, times=2, retry_after=after),
    ]
    for _ in range(2):
        refused = maps.create("one")
        body = refused.json()
        assert (refused.status_code, body["kind"], body["status"]) == (code, "Status", "Failure")
        assert (body["code"], body["reason"]) == (code, REASONS[code])
        assert refused.headers.get("Retry-After") == (None if after is None else "3")
        assert truth.get("one").status_code == 404
        assert maps.get("one").status_code == 404
    assert maps.create("one").status_code == 201
    assert [each.status for each in proxy.requests if each.request.mutating] == [code, code, 201]


def test_a_slow_way_delays_only_what_it_is_meant_for(proxy: FaultProxy, maps: Maps) -> None:
    """If I make some requests slow, they are late and done all the same."""
    proxy.delays = [Delay(matches=lambda asked: "create" in asked.verbs, seconds=0.5)]
    began = time.monotonic()
    assert maps.create("one").status_code == 201
    assert time.monotonic() - began >= 0.5
    proxy.delays = [Delay(matches=lambda asked: "create" in asked.verbs, seconds=10 * READ_SECONDS)]
    assert maps.get("one").status_code == 200


def test_a_watch_tells_at_once_and_may_tell_twice(proxy: FaultProxy, maps: Maps, truth: Maps) -> None:
    """If something changes, a watch through the proxy tells of it while it lasts; twice, if I wish so."""
    with maps.watching() as told:
        truth.create("one")
        assert _what(next(told)) == ("ADDED", "one")
        proxy.watch_mode = WatchMode.DUPLICATED
        truth.delete("one")
        assert [_what(next(told)), _what(next(told))] == [("DELETED", "one")] * 2
        proxy.watch_mode = WatchMode.NORMAL
        truth.create("two")
        assert _what(next(told)) == ("ADDED", "two")


def test_a_silent_watch_stays_open_and_tells_nothing(proxy: FaultProxy, maps: Maps, truth: Maps) -> None:
    """If I make watches silent, whoever watches waits in vain, while the API server has long told of the change."""
    proxy.watch_mode = WatchMode.SILENT
    maps.http.timeout = httpx.Timeout(SILENCE_SECONDS)
    with maps.watching() as told, truth.watching() as told_in_truth:
        truth.create("one")
        assert _what(next(told_in_truth)) == ("ADDED", "one")
        with pytest.raises(httpx.ReadTimeout):
            next(told)


def test_a_watch_is_dropped_without_a_word(proxy: FaultProxy, maps: Maps, truth: Maps) -> None:
    """If I drop the watches, they break off; one that is begun anew tells again."""
    with maps.watching() as told:
        truth.create("one")
        assert _what(next(told)) == ("ADDED", "one")
        proxy.drop_watches()
        with pytest.raises(httpx.TransportError):
            next(told)
    with maps.watching() as told:
        truth.create("two")
        assert _what(next(told)) == ("ADDED", "two")


def test_a_watch_expires_with_its_reason(proxy: FaultProxy, maps: Maps, truth: Maps) -> None:
    """If I expire the watches, their last word is 410, as after a compaction, and then they end well."""
    with maps.watching() as told:
        truth.create("one")
        assert _what(next(told)) == ("ADDED", "one")
        proxy.expire_watches()
        [last] = told
        assert (last["type"], last["object"]["code"], last["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_proxy_that_is_gone_refuses_connections(control_plane: ControlPlane, token: str) -> None:
    """If the proxy has ended, nobody is answered any more: its port refuses connections."""
    with FaultProxy(control_plane) as proxy, client(control_plane, proxy.url, token) as http:
        assert http.get("/version").status_code == 200
    with client(control_plane, proxy.url, token) as http, pytest.raises(httpx.ConnectError):
        http.get("/version")


def _what(event: dict[str, Any]) -> tuple[str, str]:
    return event["type"], event["object"]["metadata"]["name"]
