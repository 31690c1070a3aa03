"""The gateway routes each path to its service and does not expose internal paths."""

import json
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_core.instants import SECOND
from exam_core.keys import SigningKeys, new_signing_jwk
from exam_core.problems import MEDIA_TYPE, ProblemKind
from exam_core.tokens import Access, Attempt, Role, sign_access, sign_attempt
from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.servers.echo import run_echo
from exam_harness.environments.processes.servers.nginx import Nginx

pytestmark = pytest.mark.integration

WEB = {"Host": "localhost"}
SOLVER = {"Host": "solver.localhost"}
KEYS = SigningKeys.from_jwks({"keys": [new_signing_jwk(Ed25519PrivateKey.generate())]})
ID = UUID(int=1)


@contextmanager
def _gateway(*, web: str, solvers: list[str]) -> Iterator[httpx.Client]:
    """A gateway with these upstreams."""
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
    """An address that refuses connections."""
    return f"127.0.0.1:{free_ports(1)[0]}"


@pytest.fixture(scope="module")
def gateway() -> Iterator[httpx.Client]:
    """A gateway with a web, a solver, and a solver that is down."""
    with ExitStack() as stack:
        web, solver = stack.enter_context(run_echo("web")), stack.enter_context(run_echo("solver"))
        yield stack.enter_context(_gateway(web=web.address, solvers=[solver.address, _down()]))


@pytest.fixture(scope="module")
def all_down() -> Iterator[httpx.Client]:
    """A gateway with all upstreams down."""
    with _gateway(web=_down(), solvers=[_down(), _down()]) as client:
        yield client


def _assert_problem(response: httpx.Response, kind: ProblemKind) -> None:
    """Check that a response is a problem of the catalogue."""
    assert response.status_code == kind.status
    assert response.headers["Content-Type"] == MEDIA_TYPE
    body = response.json()
    assert body.pop("detail")
    assert body == {"type": kind.uri, "title": kind.title, "status": kind.status}


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
def test_each_path_is_routed_to_its_service(gateway: httpx.Client, host: str, path: str, service: str) -> None:
    """The admin and the API are routed to web, /v1/ to a solver on both hosts; paths arrive unchanged."""
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
def test_internal_paths_are_not_exposed(gateway: httpx.Client, host: str, path: str) -> None:
    """If I request the internal API or metrics, however the path is written, the response is 404."""
    # Written to the socket directly, because a client library would normalise the path.
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port or 0), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert json.loads(body)["type"] == ProblemKind.NOT_FOUND.uri


def test_internal_paths_return_404(gateway: httpx.Client) -> None:
    """If I request an internal path, I get the catalogue's NOT_FOUND and no further detail."""
    _assert_problem(gateway.get("/internal/sittings/x", headers=WEB), ProblemKind.NOT_FOUND)


def test_an_unknown_host_returns_421(gateway: httpx.Client) -> None:
    """If the Host header is not configured, nothing is served."""
    for host in ("elsewhere.example", "localhost.elsewhere.example", "127.0.0.1"):
        assert gateway.get("/api/exams", headers={"Host": host}).status_code == 421


def test_a_solver_that_is_down_is_skipped(gateway: httpx.Client) -> None:
    """If one of two solvers is down, every student is served by the other."""
    answers = [_save(gateway, student) for student in range(20)]
    assert {answer.status_code for answer in answers} == {200}


def test_a_student_is_pinned_to_a_solver() -> None:
    """All of a student's requests go to the same process; students are spread over the processes."""
    with (
        run_echo("one") as one,
        run_echo("two") as two,
        _gateway(web=_down(), solvers=[one.address, two.address]) as client,
    ):
        served = {student: {_save(client, student).json()["service"] for _ in range(3)} for student in range(20)}
    assert all(len(services) == 1 for services in served.values())
    assert set().union(*served.values()) == {"one", "two"}


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer  "])
def test_all_tokens_of_a_student_reach_one_solver(scheme: str) -> None:
    """If I refresh my access token, start the attempt and answer, one solver process handles all of my requests."""
    with (
        run_echo("one") as one,
        run_echo("two") as two,
        _gateway(web=_down(), solvers=[one.address, two.address]) as client,
    ):
        served = {
            student: {_service(client, f"{scheme}{token}") for token in _tokens_of(student)} for student in range(40)
        }
    assert [student for student, services in served.items() if len(services) > 1] == []
    solvers = [solver for services in served.values() for solver in services]
    assert min(solvers.count("one"), solvers.count("two")) >= 8


def test_requests_without_a_token_are_spread_over_the_solvers() -> None:
    """If I fetch the public keys, any solver responds: not one solver for everyone."""
    with (
        run_echo("one") as one,
        run_echo("two") as two,
        _gateway(web=_down(), solvers=[one.address, two.address]) as client,
    ):
        services = {client.get("/v1/keys", headers=SOLVER).json()["service"] for _ in range(40)}
    assert services == {"one", "two"}


def test_only_the_students_of_a_failed_solver_move() -> None:
    """If a solver stops responding, its students are served by others, and all other students stay where they were."""
    with ExitStack() as stack:
        echoes = [stack.enter_context(run_echo(name)) for name in ("one", "two", "three")]
        client = stack.enter_context(_gateway(web=_down(), solvers=[each.address for each in echoes]))
        before = {student: _service(client, f"Bearer {_tokens_of(student)[0]}") for student in range(60)}
        echoes[0].hangs_up = True
        after = {student: _service(client, f"Bearer {_tokens_of(student)[1]}") for student in range(60)}
    moved = {student for student in before if before[student] != after[student]}
    assert moved == {student for student, service in before.items() if service == "one"}
    assert {after[student] for student in moved} == {"two", "three"}


def test_a_third_solver_takes_a_third_of_the_students() -> None:
    """If a solver is added, only students who move to it are moved."""
    with ExitStack() as stack:
        echoes = [stack.enter_context(run_echo(name)) for name in ("one", "two", "three")]
        served = [
            {student: _service(client, f"Bearer {_tokens_of(student)[0]}") for student in range(90)}
            for count in (2, 3)
            for client in [stack.enter_context(_gateway(web=_down(), solvers=[e.address for e in echoes[:count]]))]
        ]
    moved = {student for student in served[0] if served[0][student] != served[1][student]}
    assert {served[1][student] for student in moved} == {"three"}
    assert len(moved) < 60, "more than 2/3 of the students: not a consistent hash"


def _tokens_of(student: int) -> tuple[str, ...]:
    """An access token, two that it was refreshed to, and two attempt tokens."""
    access = Access(
        subject=student, role=Role.STUDENT, level="year-1", session=ID, token=ID, issued_at=0, expires_at=600 * SECOND
    )
    attempt = Attempt(student=student, sitting=ID, started_at=1, seed=2**63 - 1, session=ID, issued_at=0)
    return (
        sign_access(access, KEYS),
        sign_access(replace(access, token=UUID(int=2), issued_at=SECOND), KEYS),
        sign_access(replace(access, level=None, session=UUID(int=3)), KEYS),
        sign_attempt(attempt, KEYS),
        sign_attempt(replace(attempt, sitting=UUID(int=4), seed=7), KEYS),
    )


def _service(client: httpx.Client, authorization: str) -> object:
    """The name of the service that handles a request with this header."""
    return client.get("/v1/x", headers=SOLVER | {"Authorization": authorization}).json()["service"]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_an_answer_is_retried_on_the_next_solver(method: str) -> None:
    """If a solver crashes while handling an answer, the gateway retries on another solver, which is always safe."""
    with (
        run_echo("crashing", hangs_up=True) as crashing,
        run_echo("healthy") as healthy,
        _gateway(web=_down(), solvers=[crashing.address, healthy.address]) as client,
    ):
        answers = [_save(client, student, method) for student in range(20)]
    assert crashing.requests
    assert {answer.json()["service"] for answer in answers} == {"healthy"}


def test_a_hanging_solver_is_skipped_after_a_timeout() -> None:
    """If a solver accepts connections and never responds, answers are delayed by seconds and not lost."""
    with (
        socket.create_server(("127.0.0.1", 0)) as hanging,
        run_echo("alive") as alive,
        _gateway(web=_down(), solvers=[f"127.0.0.1:{hanging.getsockname()[1]}", alive.address]) as client,
        ThreadPoolExecutor(30) as students,
    ):
        answers = list(students.map(lambda student: _save(client, student), range(30)))
    assert {answer.json()["service"] for answer in answers} == {"alive"}
    assert max(answer.elapsed.total_seconds() for answer in answers) > 1, "none was sent to the hanging solver"


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
def test_a_service_that_is_down_returns_503_with_retry_after(
    all_down: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    """If no upstream is available, the response is 503 in problem+json with Retry-After."""
    answer = all_down.get(path, headers=headers)
    _assert_problem(answer, ProblemKind.UNAVAILABLE)
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers.get_list("X-Request-ID") == [answer.headers["X-Request-ID"]]


def test_request_ids_are_forwarded(gateway: httpx.Client) -> None:
    """If my request id is valid, it is forwarded and returned once; an invalid one is replaced."""
    for headers in (WEB, SOLVER):
        kept = gateway.get("/v1/x", headers=headers | {"X-Request-ID": "abcdefgh-1234"})
        assert kept.json()["headers"]["X-Request-ID"] == "abcdefgh-1234"
        assert kept.headers.get_list("X-Request-ID") == ["abcdefgh-1234"]
        for invalid in ("bad id\t!", "short", "x" * 65, '"},{"forged":"'):
            made = gateway.get("/v1/x", headers=headers | {"X-Request-ID": invalid})
            assert len(made.json()["headers"]["X-Request-ID"]) == 32
            assert made.headers.get_list("X-Request-ID") == [made.json()["headers"]["X-Request-ID"]]
    assert gateway.get("/metrics", headers=WEB | {"X-Request-ID": "abcdefgh"}).headers["X-Request-ID"] == "abcdefgh"


def test_forwarded_headers_cannot_be_forged(gateway: httpx.Client) -> None:
    """Services receive the real host, port and client address; X-Forwarded headers of the client are replaced."""
    forged = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "elsewhere.example"}
    received = gateway.get("/api/x", headers={"Host": "localhost:8080"} | forged).json()["headers"]
    assert received["Host"] == received["X-Forwarded-Host"] == "localhost:8080"
    assert received["X-Forwarded-For"] == "127.0.0.1"
    assert received["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize(("host", "path"), [("solver.localhost", "/v1/x"), ("localhost", "/v1/x"), ("localhost", "/x")])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_returns_413(gateway: httpx.Client, host: str, path: str, *, chunked: bool) -> None:
    """If I send 10 MB, with or without Content-Length, the response is 413 in problem+json on every host."""
    content = iter([b"x" * 1_000_000] * 10) if chunked else b"x" * 10_000_000
    _assert_problem(gateway.put(path, headers={"Host": host}, content=content), ProblemKind.BODY_TOO_LARGE)


@pytest.mark.parametrize(
    ("host", "path", "size"), [("solver.localhost", "/v1/x", 1_000_000), ("localhost", "/x", 5_000_000)]
)
def test_a_body_within_the_limit_is_forwarded(gateway: httpx.Client, host: str, path: str, size: int) -> None:
    """If I send a large batch of answers or an image of a question, it is forwarded."""
    assert gateway.put(path, headers={"Host": host}, content=b"x" * size).json()["length"] == size


def test_the_access_log_is_json_without_secrets() -> None:
    """Each request is logged as one JSON line with its request id, and without tokens or queries."""
    folder = new_run_folder("gateway-test")
    (folder / "logs").mkdir()
    headers = SOLVER | {"Authorization": "Bearer hush", "X-Request-ID": "find-me-1"}
    with run_echo("solver") as solver, Nginx(folder, web=_down(), solvers=[solver.address]) as nginx:
        httpx.get(f'{nginx.url}/v1/x"?token=hush', headers=headers, trust_env=False)
    log = Path(folder / "logs/nginx-access.log").read_text()
    shutil.rmtree(folder)
    (line,) = (each for each in map(json.loads, log.splitlines()) if each["request_id"] == "find-me-1")
    assert (line["path"], line["status"], line["host"]) == ('/v1/x"', 200, "solver.localhost")
    assert line["upstream"] == solver.address
    assert "hush" not in log


@contextmanager
def _limited_gateway(web: str) -> Iterator[httpx.Client]:
    """A gateway whose limits are those of the configuration, with numbers small enough to reach in a test.

    It takes a client's address from X-Forwarded-For, as behind a proxy that it trusts.
    """
    small = {"rate=30r/s": "rate=1r/s", "burst=600": "burst=2", "requests_of_address 1000": "requests_of_address 4"}
    folder = new_run_folder("gateway-limits")
    (folder / "logs").mkdir()
    nginx = Nginx(folder, web=web, solvers=[_down()])
    prepare = nginx.prepare

    def prepare_limited() -> None:
        prepare()
        file = nginx.folder / "gateway.conf"
        text = file.read_text()
        for number, smaller in small.items():
            assert number in text
            text = text.replace(number, smaller)
        file.write_text(f"set_real_ip_from 127.0.0.1;\nreal_ip_header X-Forwarded-For;\n{text}")

    nginx.prepare = prepare_limited  # type: ignore[method-assign]
    try:
        with nginx, httpx.Client(base_url=nginx.url, timeout=30, trust_env=False) as client:
            yield client
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("path", ["/api/auth/students/login", "/api/auth/doctors/login", "/admin/login/"])
def test_a_flood_of_logins_is_delayed_and_then_refused(path: str) -> None:
    """More logins than the rate wait at the gateway; beyond the burst they are refused, and other paths are served."""
    with run_echo("web") as web, _limited_gateway(web.address) as client, ThreadPoolExecutor(8) as pool:
        logins = list(pool.map(lambda _: client.post(path, headers=WEB, content=b"{}"), range(8)))
        assert client.get("/api/exams", headers=WEB).status_code == 200
    refused = [answer for answer in logins if answer.status_code == 429]
    served = [answer for answer in logins if answer.status_code == 200]
    assert len(served) >= 3, "the burst"
    assert len(served) + len(refused) == 8
    assert refused
    assert max(answer.elapsed.total_seconds() for answer in served) > 1
    if path.startswith("/api/"):
        _assert_problem(refused[0], ProblemKind.TOO_MANY_REQUESTS)
    else:
        assert refused[0].headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<h1>Too many requests</h1>" in refused[0].text
    assert refused[0].headers["Retry-After"] == "5"
    assert refused[0].headers.get_list("X-Request-ID") == [refused[0].headers["X-Request-ID"]]


@pytest.mark.parametrize(
    ("addresses", "limited"),
    [
        ([f"2001:db8:1:2:{number:x}::7" for number in range(8)], True),
        ([f"2001:db8:1:{number:x}::7" for number in range(8)], False),
        ([f"203.0.113.{number}" for number in range(8)], False),
        ([f"::ffff:203.0.113.{number}" for number in range(8)], False),
        (["203.0.113.9", "::ffff:203.0.113.9"] * 4, True),
    ],
    ids=["one network of 64 bits", "several networks", "IPv4", "IPv4 written as IPv6", "one address in both forms"],
)
def test_an_ipv6_client_is_its_network(addresses: list[str], *, limited: bool) -> None:
    """If a client uses many addresses of its IPv6 network, they count as one; other clients are not affected."""

    def log_in(address: str) -> int:
        headers = WEB | {"X-Forwarded-For": address}
        return client.post("/api/auth/students/login", headers=headers, content=b"{}").status_code

    with run_echo("web") as web, _limited_gateway(web.address) as client, ThreadPoolExecutor(8) as pool:
        assert (429 in pool.map(log_in, addresses)) is limited


@pytest.mark.parametrize("path", ["/api/auth/students/login", "/admin/login/"])
def test_a_flood_does_not_keep_a_known_device_out(path: str) -> None:
    """While logins from my address are refused, a request with the cookie of a known device is forwarded."""
    with run_echo("web") as web, _limited_gateway(web.address) as client, ThreadPoolExecutor(8) as pool:
        flood = list(pool.map(lambda _: client.post(path, headers=WEB, content=b"{}").status_code, range(8)))
        cookie = {"Cookie": "exam_device=x"}
        known = list(pool.map(lambda _: client.post(path, headers=WEB | cookie, content=b"{}").status_code, range(4)))
    assert 429 in flood
    assert known == [200] * 4


def test_one_address_cannot_keep_all_of_web(gateway: httpx.Client) -> None:
    """An address with many requests in progress gets 429 for more; without a limit all would be forwarded."""
    with (
        socket.create_server(("127.0.0.1", 0)) as hanging,
        _limited_gateway(f"127.0.0.1:{hanging.getsockname()[1]}") as client,
        ThreadPoolExecutor(6) as pool,
    ):
        work = [pool.submit(client.get, "/api/exams", headers=WEB, timeout=5) for _ in range(6)]
        outcomes = [each.exception() or each.result().status_code for each in work]
    assert outcomes.count(429) == 2
    assert sum(isinstance(each, httpx.ReadTimeout) for each in outcomes) == 4


@pytest.mark.parametrize(
    "part",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
    ],
)
def test_a_slow_request_is_cut_off(gateway: httpx.Client, part: bytes) -> None:
    """A client that stops in the middle of its header or body does not keep a connection."""
    with socket.create_connection((gateway.base_url.host, gateway.base_url.port or 80), timeout=25) as client:
        began = time.monotonic()
        client.sendall(part)
        try:
            rest = client.recv(4096)
        except ConnectionResetError:
            rest = b""
    assert not rest.startswith(b"HTTP/1.1 200")
    assert 5 < time.monotonic() - began < 20
