"""The gateway sends each address to the service it belongs to and keeps the inner ones in."""

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from exam_support.stack.nginx import Nginx
from exam_support.stack.places import new_folder
from exam_support.stack.ports import free_ports

pytestmark = pytest.mark.integration


class Echo(ThreadingHTTPServer):
    """Answers every request with its own name, the path and the headers it got."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), EchoHandler)
        self.name = name

    @property
    def address(self) -> str:
        """Its host:port."""
        return f"127.0.0.1:{self.server_port}"


class EchoHandler(BaseHTTPRequestHandler):
    """See `Echo`."""

    server: Echo

    def do_GET(self) -> None:
        """Answer."""
        said = {"service": self.server.name, "path": self.path, "request_id": self.headers["X-Request-ID"]}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_PUT(self) -> None:
        """Answer as to GET, having read the body."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[httpx.Client]:
    """A gateway before a web, a solver, and a solver that is down."""
    folder = new_folder("gateway-test")
    (folder / "logs").mkdir()
    web, solver = Echo("web"), Echo("solver")
    (down,) = free_ports(1)
    for each in (web, solver):
        Thread(target=each.serve_forever, daemon=True).start()
    nginx = Nginx(folder, web=web.address, solvers=[solver.address, f"127.0.0.1:{down}"])
    nginx.start()
    try:
        nginx.await_ready()
        with httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}") as client:
            yield client
    finally:
        nginx.stop()
        for each in (web, solver):
            each.shutdown()
            each.server_close()
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("host", "path", "service"),
    [
        ("localhost", "/admin/login/", "web"),
        ("localhost", "/api/exams", "web"),
        ("localhost", "/static/x.css", "web"),
        ("localhost", "/media/x.png", "web"),
        ("localhost", "/.well-known/jwks.json", "web"),
        ("localhost", "/", "web"),
        ("localhost", "/v1/keys", "solver"),
        ("solver.localhost", "/v1/keys", "solver"),
        ("solver.localhost", "/readyz", "solver"),
    ],
)
def test_each_address_reaches_its_service(gateway: httpx.Client, host: str, path: str, service: str) -> None:
    """The admin and the API are web's, /v1/ is the solver's on both hosts."""
    answer = gateway.get(path, headers={"Host": host}).json()
    assert (answer["service"], answer["path"]) == (service, path)


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("localhost", "/internal/sittings/x", 404),
        ("localhost", "/metrics", 404),
        ("solver.localhost", "/metrics", 404),
        ("elsewhere.example", "/api/exams", 421),
    ],
)
def test_inner_addresses_and_strange_hosts_stay_out(gateway: httpx.Client, host: str, path: str, status: int) -> None:
    """Nobody outside reaches internal calls or metrics, and an unknown host is told so."""
    assert gateway.get(path, headers={"Host": host}).status_code == status


def test_a_dead_solver_is_passed_over(gateway: httpx.Client) -> None:
    """With one of two solvers down every student is served by the other."""
    answers = [
        gateway.put(
            "/v1/sittings/x/answers/0",
            headers={"Host": "solver.localhost", "Authorization": f"Bearer {student}"},
            content=b"{}",
        )
        for student in range(20)
    ]
    assert {answer.status_code for answer in answers} == {200}


def test_request_ids_travel(gateway: httpx.Client) -> None:
    """A sane request id is passed on; a strange one is replaced."""
    kept = gateway.get("/api/x", headers={"Host": "localhost", "X-Request-ID": "abcdefgh-1234"}).json()
    made = gateway.get("/api/x", headers={"Host": "localhost", "X-Request-ID": "bad id\t!"}).json()
    assert kept["request_id"] == "abcdefgh-1234"
    assert len(made["request_id"]) == 32


def test_a_body_that_is_too_large_is_refused_as_a_problem(gateway: httpx.Client) -> None:
    """10 MB to the solver is 413 in problem+json, and never reaches it."""
    answer = gateway.put("/v1/sittings/x/answers/0", headers={"Host": "solver.localhost"}, content=b"x" * 10_000_000)
    assert answer.status_code == 413
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["type"].endswith("/body-too-large")
