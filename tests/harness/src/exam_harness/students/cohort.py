"""Everyone at once: logins before the opening, the sitting, and the degrees afterwards."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from exam_harness.oracle.history import Book
from exam_harness.students.clock import ServerClock, instant_of
from exam_harness.students.http import Connections
from exam_harness.students.network import SOLVER, WEB, Gateway, GaveUpError, surely
from exam_harness.students.student import Account, Room, Student

_AT_ONCE = 8
"""Logins and lists in flight: before the opening nobody is in a hurry, and passwords are costly to check."""


_TIMES = 5
"""How often the time is asked for before the opening: the quickest answer sets the clock."""


class Crowd:
    """All students of a run and what they go through."""

    def __init__(self, students: Sequence[Student], gateway: Gateway, clock: ServerClock, book: Book) -> None:
        self.students = students
        self.gateway = gateway
        self.clock = clock
        self.book = book

    @property
    def present(self) -> list[Student]:
        """Those who come at all."""
        return [student for student in self.students if not student.traits.absent]

    async def log_in(self) -> None:
        """Everyone logs in, a few at a time."""

        async def one(student: Student) -> None:
            student.access = await student.log_in()
            self.book.counts["logins"] += 1

        await _few_at_once(self.present, one)

    async def sittings(self, level: str, exam: str) -> list[dict[str, Any]]:
        """The sittings of an exam as the students of its level are shown them."""
        student = next(student for student in self.present if student.account.level == level)
        reply = await surely(self.gateway, "GET", WEB, f"/api/exams/{exam}", token=student.access)
        if reply.status != 200:
            raise GaveUpError(f"a student of {level} cannot see {exam}: {reply}")
        sittings: list[dict[str, Any]] = reply.body["sittings"]
        return sittings

    async def set_clock(self, sitting: str) -> None:
        """Ask the platform for its time, as anyone may who is logged in."""
        student = self.present[0]

        async def ask() -> int:
            path = f"/v1/sittings/{sitting}/time"
            while True:
                reply = await self.gateway.call("GET", SOLVER, path, token=student.access)
                if reply.status == 200:
                    return instant_of(reply.body["now"])
                # A solver hears of a new sitting with its next renewal.
                await asyncio.sleep(reply.retry_after or 0.2)

        async with asyncio.timeout(10):
            for _ in range(_TIMES):
                await self.clock.ask(ask)

    async def sit(self, rooms: Mapping[str, Room]) -> None:
        """Everyone sits the exam of their level; returns when the last has finished. Who had to give up complains."""

        async def one(student: Student) -> None:
            try:
                await student.sit(rooms[student.account.level])
            except GaveUpError as error:
                self.book.complain(f"{student.account.username} gave up: {error}")

        async with asyncio.TaskGroup() as group:
            for student in self.present:
                group.create_task(one(student), name=student.account.username)

    async def degrees(self) -> list[dict[str, Any]]:
        """The degrees that students are shown, each their own, as the API gives them."""
        seen: list[dict[str, Any]] = []

        async def one(student: Student) -> None:
            rows = await pages(self.gateway, student.access, "/api/degrees")
            if others := [row for row in rows if row["student"] != student.account.username]:
                self.book.complain(f"{student.account.username} is shown degrees of {others[0]['student']}")
            seen.extend(rows)

        await _few_at_once(self.present, one)
        return seen


@asynccontextmanager
async def crowd_of(accounts: Sequence[Account], *, port: int, seed: int, book: Book) -> AsyncIterator[Crowd]:
    """A crowd dialling the platform's port on the loopback; its connections are closed at the end."""
    connections = Connections("127.0.0.1", port)
    gateway, clock = Gateway(connections.exchange), ServerClock()
    try:
        yield Crowd([Student(account, seed, gateway, clock, book) for account in accounts], gateway, clock, book)
    finally:
        await connections.close()


async def pages(gateway: Gateway, token: str, path: str) -> list[dict[str, Any]]:
    """Every entry of a paginated list."""
    entries: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        reply = await surely(gateway, "GET", WEB, f"{path}?limit=200&offset={offset}", token=token)
        if reply.status != 200:
            raise GaveUpError(f"{path}: {reply}")
        entries += reply.body["results"]
        offset = reply.body["next"]
    return entries


async def log_in_doctor(gateway: Gateway, username: str, password: str) -> str:
    """A doctor's access token."""
    body = {"username": username, "password": password}
    reply = await surely(gateway, "POST", WEB, "/api/auth/doctors/login", body=body)
    if reply.status != 200:
        raise GaveUpError(f"{username} could not log in: {reply}")
    return str(reply.body["access"])


async def _few_at_once(students: Iterable[Student], work: Callable[[Student], Awaitable[None]]) -> None:
    """Work through students, a bounded number at a time; the first failure ends it."""
    waiting = iter(list(students))

    async def worker() -> None:
        for student in waiting:
            await work(student)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())
