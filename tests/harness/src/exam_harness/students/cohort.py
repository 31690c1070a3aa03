"""All students of a run: logins before the opening, the sitting, and the degrees afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from exam_harness.hosts import LOCAL, Hosts
from exam_harness.oracle.history import History
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.students.clock import ServerClock
from exam_harness.students.http import Connections
from exam_harness.students.network import SOLVER, WEB, Gateway, StudentError, call_with_retries
from exam_harness.students.student import Account, AssignedSitting, Student

_CONCURRENCY = 8
"""Concurrent logins and list requests: there is no hurry before the opening, and password checks are expensive."""

_CLOCK_SAMPLES = 5
"""How often the platform's time is fetched before the opening: the fastest response sets the clock."""


@dataclass(frozen=True, slots=True)
class FetchedProof:
    """A student's proof as the API returned it."""

    username: str
    sitting: str
    statement: str
    proof: Mapping[str, Any]


class Cohort:
    """All students of a run, with their shared gateway, clock and history."""

    def __init__(self, students: Sequence[Student], gateway: Gateway, clock: ServerClock, history: History) -> None:
        self.students = students
        self.gateway = gateway
        self.clock = clock
        self.history = history

    @property
    def attending(self) -> list[Student]:
        """The students who are not absent."""
        return [student for student in self.students if not student.profile.absent]

    async def log_in(self) -> None:
        """Log in all attending students, a few at a time."""

        async def log_in(student: Student) -> None:
            student.access = await student.log_in()
            self.history.counts["logins"] += 1

        await _for_each(self.attending, log_in)

    async def list_sittings(self, level: str, exam: str) -> list[dict[str, Any]]:
        """The sittings of an exam as shown to the students of its level."""
        student = next(student for student in self.attending if student.account.level == level)
        reply = await call_with_retries(self.gateway, "GET", WEB, f"/api/exams/{exam}", token=student.access)
        if reply.status != 200:
            raise StudentError(f"a student of {level} cannot see {exam}: {reply}")
        sittings: list[dict[str, Any]] = reply.body["sittings"]
        return sittings

    async def sync_clock(self, sitting: str) -> None:
        """Synchronise the clock with the platform; waits until the sitting is known to the solvers."""
        student = self.attending[0]

        async def fetch_time() -> int:
            path = f"/v1/sittings/{sitting}/time"
            while True:
                reply = await self.gateway.call("GET", SOLVER, path, token=student.access)
                if reply.status == 200:
                    return parse_rfc3339(reply.body["now"])
                # A solver learns of a new sitting with its next lease renewal.
                await asyncio.sleep(reply.retry_after or 0.2)

        async with asyncio.timeout(10):
            for _ in range(_CLOCK_SAMPLES):
                await self.clock.sync(fetch_time)

    async def sit(self, assigned: Mapping[str, AssignedSitting]) -> None:
        """Let all students sit the exam of their level; returns when the last has finished, and records failures."""

        async def sit(student: Student) -> None:
            try:
                await student.sit(assigned[student.account.level])
            except StudentError as error:
                self.history.record_violation(f"{student.account.username} could not continue: {error}")

        async with asyncio.TaskGroup() as group:
            for student in self.attending:
                group.create_task(sit(student), name=student.account.username)

    async def fetch_degrees(self) -> list[dict[str, Any]]:
        """The degrees that the API shows to the students; each must see only their own."""
        degrees: list[dict[str, Any]] = []

        async def fetch(student: Student) -> None:
            rows = await fetch_all(self.gateway, student.access, "/api/degrees")
            if others := [row for row in rows if row["student"] != student.account.username]:
                self.history.record_violation(f"{student.account.username} is shown degrees of {others[0]['student']}")
            degrees.extend(rows)

        await _for_each(self.attending, fetch)
        return degrees

    async def fetch_proofs(self, sittings: Mapping[str, str], part: str) -> list[FetchedProof]:
        """The proofs that the API gives to the students of the sitting of their level, for its `seal` or `degrees`."""
        proofs: list[FetchedProof] = []

        async def fetch(student: Student) -> None:
            sitting = sittings[student.account.level]
            path = f"/api/sittings/{sitting}/{part}/proof"
            reply = await call_with_retries(self.gateway, "GET", WEB, path, token=student.access)
            if reply.status == 200:
                body = reply.body
                proofs.append(FetchedProof(student.account.username, sitting, body["statement"], body["proof"]))
            elif reply.status != 404:
                raise StudentError(f"GET {path}: {reply}")

        await _for_each(self.attending, fetch)
        return proofs


@asynccontextmanager
async def open_cohort(
    accounts: Sequence[Account], *, port: int, seed: int, history: History, hosts: Hosts = LOCAL
) -> AsyncIterator[Cohort]:
    """A cohort that connects to the platform's port on the loopback interface; closes its connections at the end."""
    connections = Connections("127.0.0.1", port)
    gateway, clock = Gateway(connections.exchange, hosts), ServerClock()
    students = [Student(account, seed, gateway, clock, history) for account in accounts]
    try:
        yield Cohort(students, gateway, clock, history)
    finally:
        await connections.close()


async def fetch_all(gateway: Gateway, token: str, path: str) -> list[dict[str, Any]]:
    """Every entry of a paginated list."""
    entries: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        reply = await call_with_retries(gateway, "GET", WEB, f"{path}?limit=200&offset={offset}", token=token)
        if reply.status != 200:
            raise StudentError(f"GET {path}: {reply}")
        entries += reply.body["results"]
        offset = reply.body["next"]
    return entries


async def log_in_doctor(gateway: Gateway, username: str, password: str) -> str:
    """Log in a doctor and return the access token."""
    body = {"username": username, "password": password}
    reply = await call_with_retries(gateway, "POST", WEB, "/api/auth/doctors/login", body=body)
    if reply.status != 200:
        raise StudentError(f"{username} could not log in: {reply}")
    return str(reply.body["access"])


async def _for_each(students: Iterable[Student], work: Callable[[Student], Awaitable[None]]) -> None:
    """Run work for each student with bounded concurrency; the first failure ends it."""
    pending = iter(list(students))

    async def worker() -> None:
        for student in pending:
            await work(student)

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONCURRENCY):
            group.create_task(worker())
