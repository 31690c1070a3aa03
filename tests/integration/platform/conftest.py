"""One platform for all tests of this folder, accessed through its gateway as a browser would."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import count
from typing import Any, TypeVar

import httpx
import pytest

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.services import Service
from exam_harness.environments.processes.stack import Stack
from exam_harness.oracle.content import Content, parse_content
from exam_harness.oracle.document import Document, read_document
from exam_harness.oracle.paper import drawn_of, match_paper
from exam_harness.oracle.scoring import Score, score
from exam_harness.oracle.seal import Seal, parse_seal
from exam_harness.scenarios.sitting.accounts import Accounts, new_accounts
from exam_harness.scenarios.sitting.platform_client import PAPERS, PlatformClient
from exam_harness.scenarios.sitting.store_readers import PostgresReader, read_raw_buckets
from exam_harness.students.student import Account
from exam_harness.waiting import eventually

SECOND = 1_000_000
LEASE_MS = 3_000
TIMEOUT = 60
POLL = 0.05
STUDENTS = 80
LEVELS = ("year-1", "year-2")
PROBLEMS = "https://examplatform.dev/problems/"
WEB, SOLVER = "localhost", "solver.localhost"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sitting:
    """A provisioned sitting and its authored exam."""

    name: str
    id: str
    document: Document

    @property
    def path(self) -> str:
        """Its path at a solver."""
        return f"/v1/sittings/{self.id}"


@dataclass(slots=True)
class Attempt:
    """A student's attempt; `body` is the response to its start, `acknowledged` has seq and content by question."""

    platform: "Platform"
    account: Account
    sitting: Sitting
    tokens: dict[str, str]
    body: dict[str, Any]
    acknowledged: dict[int, tuple[int, Content]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """The attempt token."""
        return str(self.body["attempt_token"])

    @property
    def student(self) -> int:
        """The student's id."""
        return int(self.body["student"])

    def question(self, kind: str) -> int:
        """The number of the first question of a kind."""
        questions = self.body["paper"]["questions"]
        return next(number for number, question in enumerate(questions) if question["kind"] == kind)

    def put(self, question: object, body: object, **options: Any) -> httpx.Response:
        """Send an answer once and return the response."""
        path = f"{self.sitting.path}/answers/{question}"
        sent: dict[str, Any] = {"token": self.token, "json": body} | options
        return self.platform.call("PUT", path, **sent)

    def answer(self, question: int, body: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Send an answer until it is acknowledged, as a device does; returns the acknowledgement."""
        path = f"{self.sitting.path}/answers/{question}"
        reply = self.platform.request("PUT", path, **{"token": self.token, "json": body} | options)
        assert reply.status_code == httpx.codes.OK, reply.text
        return self.record(question, body, reply.json())

    def record(self, question: int, body: Mapping[str, Any], acknowledged: dict[str, Any]) -> dict[str, Any]:
        """Record an acknowledgement, of this answer or of the saved one with the same content."""
        kind = self.body["paper"]["questions"][question]["kind"]
        seq, content = acknowledged["seq"], parse_content(body, kind)
        assert acknowledged["question"] == question
        assert seq == body["seq"] or self.acknowledged[question] == (seq, content), (body, acknowledged)
        self.receipts.append(acknowledged["receipt"])
        if seq >= self.acknowledged.get(question, (0, None))[0]:
            self.acknowledged[question] = (seq, content)
        return acknowledged

    def resume(self) -> dict[str, Any]:
        """The attempt as a second device gets it."""
        reply = self.platform.request("POST", f"{self.sitting.path}/attempt", token=self.tokens["access"])
        assert reply.status_code == httpx.codes.OK, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def expected(self) -> Score:
        """The degree that plain scoring gives to the acknowledged answers."""
        return score(
            match_paper(self.sitting.document, self.body["paper"]),
            {question: content for question, (_, content) in self.acknowledged.items()},
            drawn=drawn_of(self.body["paper"]),
        )


class Platform:
    """The platform as its users access it through the gateway, and as an administrator operates it."""

    def __init__(self, stack: Stack, accounts: Accounts) -> None:
        self.stack = stack
        self.accounts = accounts
        self.client = PlatformClient(stack)
        self.postgres = PostgresReader(stack.postgres.dsn())
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._names = count(1)
        self._unused = {
            level: iter([account for account in accounts.students if account.level == level]) for level in LEVELS
        }

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self.client.close()

    # requests

    def call(
        self,
        method: str,
        path: str,
        *,
        host: str = SOLVER,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        base: str | None = None,
        **body: Any,
    ) -> httpx.Response:
        """Send one request through the gateway, or to a service behind it (`base`)."""
        sent = {"Host": host} | ({} if token is None else {"Authorization": f"Bearer {token}"}) | dict(headers or {})
        return self._http.request(method, f"{base or self.client.address}{path}", headers=sent, **body)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send an idempotent request; retry it while the platform responds 503 or not at all."""

        def attempt() -> httpx.Response | None:
            try:
                reply = self.call(method, path, **options)
            except httpx.TransportError:
                return None
            return None if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE else reply

        deadline = time.monotonic() + TIMEOUT
        while (reply := attempt()) is None:
            if time.monotonic() > deadline:
                pytest.fail(f"{method} {path} got no response within {TIMEOUT} s")
            time.sleep(POLL)
        return reply

    def assert_problem(self, reply: httpx.Response, status: int, slug: str) -> dict[str, Any]:
        """Check that a response is a complete problem document; returns its body."""
        assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.text
        body: dict[str, Any] = reply.json()
        assert (body["type"], body["status"]) == (f"{PROBLEMS}{slug}", status), body
        assert body["title"]
        assert body["detail"]
        assert len(reply.headers.get_list("X-Request-ID")) == 1
        assert reply.headers["X-Request-ID"]
        return body

    # accounts

    def student(self, level: str = "year-1") -> Account:
        """A student that no other test uses."""
        return next(self._unused[level])

    def log_in(self, account: Account) -> dict[str, str]:
        """Log a student in; returns the tokens."""
        credentials = {"username": account.username, "password": account.password}
        reply = self.request("POST", "/api/auth/students/login", host=WEB, json=credentials)
        assert reply.status_code == httpx.codes.OK, reply.text
        tokens: dict[str, str] = reply.json()
        return tokens

    def start(self, sitting: Sitting, account: Account | None = None) -> Attempt:
        """Start the attempt of a new student, or resume that of an account."""
        account = account or self.student(sitting.document.level)
        tokens = self.log_in(account)
        reply = self.request("POST", f"{sitting.path}/attempt", token=tokens["access"])
        assert reply.status_code in {httpx.codes.CREATED, httpx.codes.OK}, reply.text
        return Attempt(self, account, sitting, tokens, reply.json())

    # sittings

    def sitting(
        self,
        *,
        exam: str = "algebra-101",
        opens_in: float = 0.3,
        closes_in: float = 900,
        lasts: float = 900,
        candidates: int = 100,
    ) -> Sitting:
        """Provision a sitting of a new exam; returns when every solver knows it and, if it opens soon, it is open."""
        name = f"platform-{next(self._names)}"
        text = (PAPERS / f"{exam}.yaml").read_text().replace(f"exam: {exam}\n", f"exam: {name}\n")
        reply = self.request("PUT", "/internal/exams", content=text.encode(), **self._internal)
        assert reply.is_success, reply.text
        now = self.postgres.now()
        sitting_id = self.client.provision(
            name,
            exam=name,
            opens_at=now + int(opens_in * SECOND),
            closes_at=now + int(closes_in * SECOND),
            duration=int(lasts * SECOND),
            candidates=candidates,
            multiple="all-or-nothing",
        )
        epoch = self.client.sitting(name)["epoch"]
        for solver in self.stack.solvers:
            self.eventually(
                f"{solver.name} knows {name}",
                partial(self._knows, solver, epoch),
            )
        if opens_in < 1:
            self.eventually(f"{name} opens", lambda: self.postgres.now() > now + int(opens_in * SECOND))
        return Sitting(name, sitting_id, read_document(text))

    def operate(self, sitting: Sitting, verb: str) -> dict[str, Any]:
        """Send a command to a sitting through the internal API, such as `stop`."""
        reply = self.request("POST", f"/internal/sittings/{sitting.name}/{verb}", **self._internal)
        assert reply.is_success, reply.text
        status: dict[str, Any] = reply.json()
        return status

    def finish(self, sitting: Sitting, *, stop: bool = True) -> dict[str, Any]:
        """Stop a sitting and wait until it is graded; returns its status then."""
        if stop:
            self.operate(sitting, "stop")

        def graded() -> dict[str, Any] | None:
            status = self.client.sitting(sitting.name)
            return status if [revision["state"] for revision in status["revisions"]] == ["graded"] else None

        return self.eventually(f"{sitting.name} is graded", graded) or {}

    def sealed(self, sitting: Sitting) -> Seal:
        """The seal, parsed from its raw bytes."""
        record = self.postgres.seal(sitting.id)
        with self.stack.cassandra.session() as session:
            rows = read_raw_buckets(session, "exam", sitting.id, record.buckets)
        seal = parse_seal(sitting.id, rows, buckets=record.buckets, root=record.root)
        assert not seal.integrity_errors
        return seal

    def assert_sealed(self, sitting: Sitting, *attempts: Attempt) -> None:
        """Check that the seal holds exactly the acknowledged answers of these attempts."""
        seal = self.sealed(sitting)
        for attempt in attempts:
            sealed = seal.students[attempt.student].answers
            assert {question: (row.seq, row.content) for question, row in sealed.items()} == attempt.acknowledged

    def assert_graded(self, sitting: Sitting, *attempts: Attempt) -> None:
        """Check that seal and degrees are those of the acknowledged answers."""
        self.assert_sealed(sitting, *attempts)
        degrees = {degree.student: degree for degree in self.postgres.degrees(sitting.id, 1)}
        assert set(degrees) == {attempt.student for attempt in attempts}
        for attempt in attempts:
            degree, expected = degrees[attempt.student], attempt.expected()
            assert (Fraction(degree.total), Fraction(degree.maximum)) == (expected.total, expected.maximum)
            assert degree.answered == expected.answered

    @property
    def _internal(self) -> dict[str, Any]:
        return {"host": WEB, "token": self.stack.service_token, "base": self.stack.internal_url}

    # metrics and logs

    def _knows(self, solver: Service, epoch: int) -> bool:
        return self.metric(solver, "exam_solver_lease_epoch") >= epoch

    def metric(self, service: Service, name: str) -> float:
        """A metric of a service, summed over its labels; 0 if it does not exist yet."""
        try:
            text = self._http.get(f"{service.url}/metrics", timeout=5).text
        except httpx.TransportError:
            return 0.0
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def log(self, service: Service) -> list[dict[str, Any]]:
        """The JSON lines of a service's log; other lines are skipped."""
        lines = service.process.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def holder(self, solver: Service) -> str:
        """The holder id of a solver's current lease."""
        return str([line["holder"] for line in self.log(solver) if line.get("event") == "lease_acquired"][-1])

    def eventually(self, condition: str, check: Callable[[], T | None], *, seconds: float = TIMEOUT) -> T:
        """Wait until `check` returns a true value; fails when the time is up."""
        return eventually(check, condition, seconds=seconds)

    @contextmanager
    def frozen(self, server: Server) -> Iterator[None]:
        """Freeze a server (SIGSTOP), and resume it afterwards."""
        server.pause()
        try:
            yield
        finally:
            server.resume()

    @contextmanager
    def down(self, server: Server) -> Iterator[None]:
        """Kill a server, and start it again afterwards."""
        server.kill()
        try:
            yield
        finally:
            server.start()
            server.await_ready()

    def await_recovery(self) -> None:
        """Wait until every service is ready, so that the next test does not start during an outage."""
        for service in self.stack.services.values():
            self.eventually(f"{service.name} is ready", service.is_ready)


@pytest.fixture(scope="session")
def platform_session() -> Iterator[Platform]:
    """The platform with accounts and short leases."""
    accounts = new_accounts(STUDENTS, LEVELS)
    folder = new_run_folder("platform-test")
    try:
        with Stack(folder / "run", lease_ttl_ms=LEASE_MS) as stack:
            platform = Platform(stack, accounts)
            try:
                platform.client.load_accounts(accounts)
                yield platform
            finally:
                platform.close()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def platform(platform_session: Platform) -> Iterator[Platform]:
    """The platform; waits for its recovery after the test."""
    yield platform_session
    platform_session.await_recovery()
