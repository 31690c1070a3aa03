"""The gateway sends each address to the service it belongs to and keeps the inner ones in."""

import json
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from exam_core.problems import MEDIA_TYPE, ProblemKind
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.servers.nginx import Nginx

pytestmark = pytest.mark.integration

WEB = {"Host": "localhost"}
SOLVER = {"Host": "solver.localhost"}


class Echo(ThreadingHTTPServer):
    """Answers every request with its own name, the path and the headers it got."""

    daemon_threads = True

    def __init__(self, name: str, *, rude: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.name = name
        self.rude = rude
        """Whether it takes requests and hangs up."""
        self.asked = 0

    @property
    def address(self) -> str:
        """Its host:port."""
        return f"127.0.0.1:{self.server_port}"


class EchoHandler(BaseHTTPRequestHandler):
    """See `Echo`."""

    server: Echo
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        self.server.asked += 1
        if self.server.rude:
            self.close_connection = True
            return
        said = {"service": self.server.name, "path": self.path, "headers": dict(self.headers), "length": length}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-ID", self.headers["X-Request-ID"])
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def _echo(name: str, *, rude: bool = False) -> Iterator[Echo]:
    with Echo(name, rude=rude) as echo:
        Thread(target=echo.serve_forever, daemon=True).start()
        yield echo
        echo.shutdown()


@contextmanager
def _gateway(*, web: str, solvers: list[str]) -> Iterator[httpx.Client]:
    """A gateway before these."""
    folder = new_run_folder("gateway-test")
    (folder / "logs").mkdir()
    try:
        with (
            Nginx(folder, web=web, solvers=solvers) as nginx,
            httpx.Client(base_url=nginx.url, timeout=30, trust_env=False) as client,
        ):
            yield client
    finally:
        shutil.rmtree(folder)


def _down() -> str:
    """The address of nobody."""
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def gateway() -> Iterator[httpx.Client]:
    """A gateway before a web, a solver, and a solver that is down."""
    with ExitStack() as ends:
        web, solver = ends.enter_context(_echo("web")), ends.enter_context(_echo("solver"))
        yield ends.enter_context(_gateway(web=web.address, solvers=[solver.address, _down()]))


@pytest.fixture(scope="module")
def nothing_behind() -> Iterator[httpx.Client]:
    """A gateway whose services are all down."""
    with _gateway(web=_down(), solvers=[_down(), _down()]) as client:
        yield client


def _assert_problem(answer: httpx.Response, kind: ProblemKind) -> None:
    """The answer is what the services' catalogue says."""
    assert answer.status_code == kind.status
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    said = answer.json()
    assert said.pop("detail")
    assert said == {"type": kind.uri, "title": kind.title, "status": kind.status}


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("localhost", "/admin/login/", "web"),
        ("localhost", "/api/exams?page=2", "web"),
        ("localhost", "/static/x.css", "web"),
        ("localhost", "/media/x.png", "web"),
        ("localhost", "/.well-known/jwks.json", "web"),
        ("localhost", "/", "web"),
        ("localhost", "/internals", "web"),
        ("localhost:8080", "/", "web"),
        ("localhost", "/v1/keys", "solver"),
        ("solver.localhost", "/v1/keys", "solver"),
        ("solver.localhost", "/docs", "solver"),
    ],
)
def test_each_address_reaches_its_service(gateway: httpx.Client, host: str, path: str, service: str) -> None:
    """The admin and the API are web's, /v1/ is the solver's on both hosts; paths arrive as they were sent."""
    answer = gateway.get(path, headers={"Host": host}).json()
    assert (answer["service"], answer["path"]) == (service, path)


@pytest.mark.parametrize("host", ["localhost", "solver.localhost"])
@pytest.mark.parametrize(
    "path",
    [
        "/internal/sittings/x",
        "/internal",
        "//internal/sittings/x",
        "/%69nternal/sittings/x",
        "/internal%2Fsittings/x",
        "/api/../internal/sittings/x",
        "/v1/..//internal/sittings/x",
        "/v1/%2e%2e/metrics",
        "/metrics",
        "/metrics/",
    ],
)
def test_inner_addresses_stay_inside(gateway: httpx.Client, host: str, path: str) -> None:
    """Nobody outside reaches internal calls or metrics, however the path is written."""
    # Written to the socket as it is: a client library would tidy the path up.
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port or 0), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert json.loads(body)["type"] == ProblemKind.NOT_FOUND.uri


def test_an_inner_address_is_nothing_here(gateway: httpx.Client) -> None:
    """The refusal is the catalogue's, and says no more than that nothing is here."""
    _assert_problem(gateway.get("/internal/sittings/x", headers=WEB), ProblemKind.NOT_FOUND)


def test_a_strange_host_is_misdirected(gateway: httpx.Client) -> None:
    """Nothing is served under a name that nobody configured."""
    for host in ("elsewhere.example", "localhost.elsewhere.example", "127.0.0.1"):
        assert gateway.get("/api/exams", headers={"Host": host}).status_code == 421


def test_a_dead_solver_is_passed_over(gateway: httpx.Client) -> None:
    """With one of two solvers down every student is served by the other."""
    answers = [_save(gateway, student) for student in range(20)]
    assert {answer.status_code for answer in answers} == {200}


def test_a_student_stays_with_one_solver() -> None:
    """All of a student's requests go to the same process; students are spread over the processes."""
    with (
        _echo("one") as one,
        _echo("two") as two,
        _gateway(web=_down(), solvers=[one.address, two.address]) as client,
    ):
        served = {student: {_save(client, student).json()["service"] for _ in range(3)} for student in range(20)}
    assert all(len(services) == 1 for services in served.values())
    assert set().union(*served.values()) == {"one", "two"}


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_answer_whose_solver_hangs_up_is_given_to_the_next(method: str) -> None:
    """A solver dies with the answer in its hands: the same answer goes to another, for that is always safe."""
    with (
        _echo("rude", rude=True) as rude,
        _echo("kind") as kind,
        _gateway(web=_down(), solvers=[rude.address, kind.address]) as client,
    ):
        answers = [_save(client, student, method) for student in range(20)]
    assert rude.asked
    assert {answer.json()["service"] for answer in answers} == {"kind"}


def test_a_frozen_solver_is_passed_over() -> None:
    """A solver that takes connections and says nothing costs seconds, not the answer."""
    with (
        socket.create_server(("127.0.0.1", 0)) as frozen,
        _echo("alive") as alive,
        _gateway(web=_down(), solvers=[f"127.0.0.1:{frozen.getsockname()[1]}", alive.address]) as client,
        ThreadPoolExecutor(30) as students,
    ):
        answers = list(students.map(lambda student: _save(client, student), range(30)))
    assert {answer.json()["service"] for answer in answers} == {"alive"}
    assert max(answer.elapsed.total_seconds() for answer in answers) > 1, "none was sent to the frozen solver"


def _save(client: httpx.Client, student: int, method: str = "PUT") -> httpx.Response:
    return client.request(
        method,
        "/v1/sittings/x/answers/0",
        headers=SOLVER | {"Authorization": f"Bearer {student}"},
        content=b"{}",
    )


@pytest.mark.parametrize(
    ("path", "headers"), [("/api/exams", WEB), ("/admin/", WEB), ("/v1/keys", WEB), ("/v1/keys", SOLVER)]
)
def test_a_service_that_is_down_is_a_problem_to_come_back_from(
    nothing_behind: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    """Without a service behind it the gateway says so in problem+json, and when to come back."""
    answer = nothing_behind.get(path, headers=headers)
    _assert_problem(answer, ProblemKind.UNAVAILABLE)
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers.get_list("X-Request-ID") == [answer.headers["X-Request-ID"]]


def test_request_ids_travel(gateway: httpx.Client) -> None:
    """A sane request id is passed on and comes back once; a strange one is replaced."""
    for headers in (WEB, SOLVER):
        kept = gateway.get("/v1/x", headers=headers | {"X-Request-ID": "abcdefgh-1234"})
        assert kept.json()["headers"]["X-Request-ID"] == "abcdefgh-1234"
        assert kept.headers.get_list("X-Request-ID") == ["abcdefgh-1234"]
        for strange in ("bad id\t!", "short", "x" * 65, '"},{"forged":"'):
            made = gateway.get("/v1/x", headers=headers | {"X-Request-ID": strange})
            assert len(made.json()["headers"]["X-Request-ID"]) == 32
            assert made.headers.get_list("X-Request-ID") == [made.json()["headers"]["X-Request-ID"]]
    assert gateway.get("/metrics", headers=WEB | {"X-Request-ID": "abcdefgh"}).headers["X-Request-ID"] == "abcdefgh"


def test_services_hear_who_dialled_what(gateway: httpx.Client) -> None:
    """The host with its port and the client's address arrive; what a client claims about itself does not."""
    forged = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "elsewhere.example"}
    heard = gateway.get("/api/x", headers={"Host": "localhost:8080"} | forged).json()["headers"]
    assert heard["Host"] == heard["X-Forwarded-Host"] == "localhost:8080"
    assert heard["X-Forwarded-For"] == "127.0.0.1"
    assert heard["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize(("host", "path"), [("solver.localhost", "/v1/x"), ("localhost", "/v1/x"), ("localhost", "/x")])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_as_a_problem(
    gateway: httpx.Client, host: str, path: str, *, chunked: bool
) -> None:
    """10 MB is 413 in problem+json on every host, whether its length was announced or not."""
    content = iter([b"x" * 1_000_000] * 10) if chunked else b"x" * 10_000_000
    _assert_problem(gateway.put(path, headers={"Host": host}, content=content), ProblemKind.BODY_TOO_LARGE)


@pytest.mark.parametrize(
    ("host", "path", "size"), [("solver.localhost", "/v1/x", 1_000_000), ("localhost", "/x", 5_000_000)]
)
def test_a_body_within_the_limit_arrives(gateway: httpx.Client, host: str, path: str, size: int) -> None:
    """A large batch of answers and an image of a question pass."""
    assert gateway.put(path, headers={"Host": host}, content=b"x" * size).json()["length"] == size


def test_the_access_log_is_json_without_secrets() -> None:
    """Each request is one JSON line that a request id finds; neither tokens nor queries are in it."""
    folder = new_run_folder("gateway-test")
    (folder / "logs").mkdir()
    headers = SOLVER | {"Authorization": "Bearer hush", "X-Request-ID": "find-me-1"}
    with _echo("solver") as solver, Nginx(folder, web=_down(), solvers=[solver.address]) as nginx:
        httpx.get(f'{nginx.url}/v1/x"?token=hush', headers=headers, trust_env=False)
    log = Path(folder / "logs/nginx-access.log").read_text()
    shutil.rmtree(folder)
    (line,) = (each for each in map(json.loads, log.splitlines()) if each["request_id"] == "find-me-1")
    assert (line["path"], line["status"], line["host"]) == ('/v1/x"', 200, "solver.localhost")
    assert line["upstream"] == solver.address
    assert "hush" not in log
