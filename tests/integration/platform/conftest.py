"""One whole platform for every end-to-end test, spoken to through its gateway as a browser would."""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from typing import Any, TypeVar

import httpx
import pytest

from exam_harness.environments.processes.paths import new_run_folder
from exam_harness.environments.processes.server import Server
from exam_harness.environments.processes.services import Service
from exam_harness.environments.processes.stack import Stack
from exam_harness.oracle.document import Document, read_document
from exam_harness.oracle.paper import match
from exam_harness.oracle.scoring import Content, Result, score
from exam_harness.oracle.seal import Seal, read_seal
from exam_harness.scenarios.sitting.accounts import People, people_of
from exam_harness.scenarios.sitting.platform_client import PAPERS, Platform
from exam_harness.scenarios.sitting.store_readers import Postgres, raw_seal
from exam_harness.students.student import Account

SECOND = 1_000_000
LEASE_MS = 3_000
PATIENCE = 60
POLL = 0.05
STUDENTS = 80
LEVELS = ("year-1", "year-2")
PROBLEMS = "https://examplatform.dev/problems/"
WEB, SOLVER = "localhost", "solver.localhost"

T = TypeVar("T")


def _eventually(what: str, ask: Callable[[], T], *, seconds: float = PATIENCE) -> T:
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(POLL)
    return found


@dataclass(frozen=True, slots=True)
class Sitting:
    """A sitting as it was provisioned, and its exam as it was written."""

    name: str
    id: str
    document: Document

    @property
    def path(self) -> str:
        """Its address at a solver."""
        return f"/v1/sittings/{self.id}"


@dataclass(slots=True)
class Desk:
    """A student in a sitting; `acknowledged` is what the platform vouched for, by question: seq and content."""

    whole: "Whole"
    account: Account
    sitting: Sitting
    tokens: dict[str, str]
    attempt: dict[str, Any]
    acknowledged: dict[int, tuple[int, Content]] = field(default_factory=dict)
    receipts: list[str] = field(default_factory=list)

    @property
    def token(self) -> str:
        """The attempt token."""
        return str(self.attempt["attempt_token"])

    def question(self, kind: str) -> int:
        """The number of the first question of a kind."""
        return next(number for number, asked in enumerate(self.attempt["paper"]["questions"]) if asked["kind"] == kind)

    def put(self, question: object, body: object, **more: Any) -> httpx.Response:
        """Send an answer once, and give whatever comes back."""
        return self.whole.call(
            "PUT", f"{self.sitting.path}/answers/{question}", **{"token": self.token, "json": body} | more
        )

    def answer(self, question: int, body: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Send an answer until it is acknowledged, as a device does; what was acknowledged."""
        path = f"{self.sitting.path}/answers/{question}"
        reply = self.whole.surely("PUT", path, **{"token": self.token, "json": body} | more)
        assert reply.status_code == httpx.codes.OK, reply.text
        return self.note(question, body, reply.json())

    def note(self, question: int, body: Mapping[str, Any], acknowledged: dict[str, Any]) -> dict[str, Any]:
        """Keep in mind what was acknowledged."""
        assert (acknowledged["question"], acknowledged["seq"]) == (question, body["seq"])
        self.receipts.append(acknowledged["receipt"])
        if body["seq"] >= self.acknowledged.get(question, (0, None))[0]:
            self.acknowledged[question] = (body["seq"], _content(body))
        return acknowledged

    def resume(self) -> dict[str, Any]:
        """What the platform says of this attempt now, as a second device hears it."""
        reply = self.whole.surely("POST", f"{self.sitting.path}/attempt", token=self.tokens["access"])
        assert reply.status_code == httpx.codes.OK, reply.text
        said: dict[str, Any] = reply.json()
        return said

    def expected(self) -> Result:
        """The degree that plain scoring gives to what was acknowledged."""
        return score(
            match(self.sitting.document, self.attempt["paper"]),
            {question: content for question, (_, content) in self.acknowledged.items()},
        )


class Whole:
    """The platform as people outside meet it, and as its operator does."""

    def __init__(self, stack: Stack, people: People) -> None:
        self.stack = stack
        self.people = people
        self.operator = Platform(stack)
        self.postgres = Postgres(stack.postgres.dsn())
        self._http = httpx.Client(timeout=30, trust_env=False)
        self._names = count(1)
        self._free = {
            level: iter([account for account in people.students if account.level == level]) for level in LEVELS
        }

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
        self.operator.close()

    # what goes over the wire

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
        """One request through the gateway, or to a service behind it (`base`)."""
        sent = {"Host": host} | ({} if token is None else {"Authorization": f"Bearer {token}"}) | dict(headers or {})
        return self._http.request(method, f"{base or self.operator.address}{path}", headers=sent, **body)

    def surely(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A call that is safe to repeat, repeated while the platform asks to come back."""

        def ask() -> httpx.Response | None:
            try:
                reply = self.call(method, path, **more)
            except httpx.TransportError:
                return None
            return None if reply.status_code == httpx.codes.SERVICE_UNAVAILABLE else reply

        deadline = time.monotonic() + PATIENCE
        while (reply := ask()) is None:
            if time.monotonic() > deadline:
                pytest.fail(f"{method} {path} was not answered within {PATIENCE} s")
            time.sleep(POLL)
        return reply

    def refused(self, reply: httpx.Response, status: int, slug: str) -> dict[str, Any]:
        """Check that a refusal is one, in full; its body."""
        assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.text
        body: dict[str, Any] = reply.json()
        assert (body["type"], body["status"]) == (f"{PROBLEMS}{slug}", status), body
        assert body["title"]
        assert body["detail"]
        assert len(reply.headers.get_list("X-Request-ID")) == 1
        assert reply.headers["X-Request-ID"]
        return body

    # people

    def student(self, level: str = "year-1") -> Account:
        """A student whom no other test knows."""
        return next(self._free[level])

    def log_in(self, account: Account) -> dict[str, str]:
        """A student's tokens."""
        credentials = {"username": account.username, "password": account.password}
        reply = self.surely("POST", "/api/auth/students/login", host=WEB, json=credentials)
        assert reply.status_code == httpx.codes.OK, reply.text
        tokens: dict[str, str] = reply.json()
        return tokens

    def start(self, sitting: Sitting, account: Account | None = None) -> Desk:
        """A new student's attempt."""
        account = account or self.student(sitting.document.level)
        tokens = self.log_in(account)
        reply = self.surely("POST", f"{sitting.path}/attempt", token=tokens["access"])
        assert reply.status_code in {httpx.codes.CREATED, httpx.codes.OK}, reply.text
        return Desk(self, account, sitting, tokens, reply.json())

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
        """A new sitting of an exam of its own, known to every solver, and open if it opens soon."""
        name = f"platform-{next(self._names)}"
        text = (PAPERS / f"{exam}.yaml").read_text().replace(f"exam: {exam}\n", f"exam: {name}\n")
        reply = self.surely("PUT", "/internal/exams", content=text.encode(), **self._as_operator)
        assert reply.is_success, reply.text
        now = self.postgres.now()
        sitting = self.operator.provision(
            name,
            exam=name,
            opens_at=now + int(opens_in * SECOND),
            closes_at=now + int(closes_in * SECOND),
            duration=int(lasts * SECOND),
            candidates=candidates,
            multiple="all-or-nothing",
        )
        made = Sitting(name, sitting, read_document(text))
        epoch = self.operator.sitting(name)["epoch"]
        for solver in self.stack.solvers:
            _eventually(
                f"{solver.name} hears of {name}",
                lambda solver=solver: self.metric(solver, "exam_solver_lease_epoch") >= epoch,
            )
        if opens_in < 1:
            _eventually(f"{name} opens", lambda: self.postgres.now() > now + int(opens_in * SECOND))
        return made

    def operate(self, sitting: Sitting, what: str) -> dict[str, Any]:
        """Something that the operator does to a sitting."""
        reply = self.surely("POST", f"/internal/sittings/{sitting.name}/{what}", **self._as_operator)
        assert reply.is_success, reply.text
        said: dict[str, Any] = reply.json()
        return said

    def finish(self, sitting: Sitting, *, stop: bool = True) -> dict[str, Any]:
        """End a sitting and wait until it is graded; what is said of it then."""
        if stop:
            self.operate(sitting, "stop")

        def graded() -> dict[str, Any] | None:
            status = self.operator.sitting(sitting.name)
            return status if [r["state"] for r in status["revisions"]] == ["graded"] else None

        return self.eventually(f"{sitting.name} is graded", graded) or {}

    def sealed(self, sitting: Sitting) -> Seal:
        """The seal, from its raw bytes."""
        record = self.postgres.seal(sitting.id)
        with self.stack.cassandra.session() as session:
            rows = raw_seal(session, "exam", sitting.id, record.buckets)
        seal = read_seal(sitting.id, rows, buckets=record.buckets, root=record.root)
        assert not seal.faults
        return seal

    def assert_sealed(self, sitting: Sitting, *desks: Desk) -> None:
        """Check that the seal holds what was acknowledged, and of these students nothing else."""
        seal = self.sealed(sitting)
        for desk in desks:
            found = seal.students[desk.attempt["student"]].answers
            assert {question: (row.seq, row.content) for question, row in found.items()} == desk.acknowledged

    def assert_graded(self, sitting: Sitting, *desks: Desk) -> None:
        """Check that seal and degrees are those of what was acknowledged."""
        self.assert_sealed(sitting, *desks)
        degrees = {degree.student: degree for degree in self.postgres.degrees(sitting.id, 1)}
        assert set(degrees) == {desk.attempt["student"] for desk in desks}
        for desk in desks:
            degree, expected = degrees[desk.attempt["student"]], desk.expected()
            assert (Fraction(degree.total), Fraction(degree.maximum)) == (expected.total, expected.maximum)
            assert degree.answered == expected.answered

    @property
    def _as_operator(self) -> dict[str, Any]:
        return {"host": WEB, "token": self.stack.secrets.service_token, "base": self.stack.web.url}

    # what an operator sees

    def metric(self, service: Service, name: str) -> float:
        """A measurement of a service, all its labels summed; 0 while there is none."""
        try:
            text = self._http.get(f"{service.url}/metrics", timeout=5).text
        except httpx.TransportError:
            return 0.0
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def log(self, service: Service) -> list[dict[str, Any]]:
        """What a service logged; what is no JSON object is left out."""
        lines = service.process.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def holder(self, solver: Service) -> str:
        """The name under which a solver holds its lease."""
        return str([line["holder"] for line in self.log(solver) if line.get("event") == "lease_held"][-1])

    def eventually(self, what: str, ask: Callable[[], T], *, seconds: float = PATIENCE) -> T:
        """The first true value that `ask` gives; none within the time is a failure."""
        return _eventually(what, ask, seconds=seconds)

    @contextmanager
    def frozen(self, server: Server) -> Iterator[None]:
        """Freeze a server; whatever happens, it goes on afterwards."""
        server.pause()
        try:
            yield
        finally:
            server.resume()

    @contextmanager
    def away(self, server: Server) -> Iterator[None]:
        """Kill a server; whatever happens, it serves again afterwards."""
        server.kill()
        try:
            yield
        finally:
            server.start()
            server.await_ready()

    def settle(self) -> None:
        """Wait until everything serves, so that a test's outage is not the next one's."""
        for service in self.stack.services.values():
            _eventually(f"{service.name} serves", service.answers)


@pytest.fixture(scope="session")
def whole_session() -> Iterator[Whole]:
    """The platform, furnished, with short leases."""
    people = people_of(STUDENTS, LEVELS)
    folder = new_run_folder("platform-test")
    try:
        with Stack(folder / "run", lease_ttl_ms=LEASE_MS) as stack:
            whole = Whole(stack, people)
            try:
                whole.operator.load_people(people)
                yield whole
            finally:
                whole.close()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def platform(whole_session: Whole) -> Iterator[Whole]:
    """The platform; it serves again when the test is over."""
    yield whole_session
    whole_session.settle()


def _content(body: Mapping[str, Any]) -> Content:
    if "choices" in body:
        return frozenset(body["choices"])
    return None if body["value"] is None else Fraction(body["value"].strip().replace(",", "."))
