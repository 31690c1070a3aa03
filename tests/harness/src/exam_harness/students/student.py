"""One student's sitting, from the opening to what some do after their deadline."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from random import Random

from exam_harness.oracle.document import Document
from exam_harness.oracle.history import Book
from exam_harness.students.answer_builder import Pen
from exam_harness.students.clock import DOUBT, SECOND, ServerClock, instant_of
from exam_harness.students.device import Device, Sheet
from exam_harness.students.http import LostError
from exam_harness.students.invalid_requests import try_foreign, try_forged
from exam_harness.students.network import SOLVER, WEB, Gateway, GaveUpError, Wire, surely
from exam_harness.students.plan import (
    ChangesDevice,
    Misbehaves,
    Submits,
    Wish,
    Writes,
    late_wishes,
    plan_of,
)
from exam_harness.students.profile import Mischief, Traits, chance_of, traits_of


@dataclass(frozen=True, slots=True)
class Account:
    """How a student logs in."""

    index: int
    username: str
    password: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What everyone in a sitting shares: the sitting, the exam they learned for, and what lies next door."""

    sitting: str
    neighbour: str
    """Another exam's sitting."""
    document: Document
    opens_at: int


@dataclass
class Student:
    """A simulated student; `access` is filled by `log_in`."""

    account: Account
    seed: int
    gateway: Gateway
    clock: ServerClock
    book: Book
    access: str = ""
    traits: Traits = field(init=False)

    def __post_init__(self) -> None:
        self.traits = traits_of(self.seed, self.account.index)
        self._chance = self._chance_of("acts")
        self._wire = Wire(self.gateway, self.traits, self._chance_of("network"))

    async def log_in(self) -> str:
        """Log in; gives the access token."""
        body = {"username": self.account.username, "password": self.account.password}
        reply = await surely(self._wire, "POST", WEB, "/api/auth/students/login", body=body)
        if reply.status != 200:
            raise GaveUpError(f"{self.account.username} could not log in: {reply}")
        return str(reply.body["access"])

    async def sit(self, room: Room) -> None:
        """Sit the exam as planned."""
        await self.clock.until(room.opens_at + int(self.traits.starts_after * SECOND))
        device = self._device(room)
        await device.start(self.access)
        pen = Pen.of(room.document, device.paper)
        if self.traits.looks:
            await self._look_around(device)
        began = self.clock.now()
        span = device.deadline - began
        for act in plan_of(self.seed, self.account.index, self.traits, len(pen.shown.questions)):
            await self.clock.until(began + int(act.at * span))
            if self.clock.now() > device.deadline:
                break
            match act:
                case Writes():
                    await self._write(device, pen, act.answers)
                case ChangesDevice():
                    device = await self._change_device(room, device, pen)
                case Misbehaves():
                    await self._misbehave(room, device, pen, act.mischief)
                case Submits():
                    await device.submit()
        if self.traits.late:
            await self._answer_late(device, pen)

    async def _write(self, device: Device, pen: Pen, answers: tuple[tuple[int, Wish], ...]) -> None:
        sheets = [device.sheet(number, pen.write(number, wish, self._chance)) for number, wish in answers]
        if self._chance.random() < self.traits.duplicates:
            self.book.counts["duplicates"] += len(sheets)
            await asyncio.gather(device.send(sheets), device.send(sheets))
        else:
            await device.send(sheets)

    async def _change_device(self, room: Room, old: Device, pen: Pen) -> Device:
        """Go on elsewhere; then the old device, which knows nothing of it, speaks once more with its old count."""
        access = await self.log_in()
        new = self._device(room)
        await new.start(access, elsewhere=True)
        if new.seq < old.seq:
            self.book.counts["resumed_below_old_device"] += 1
        await self._write(new, pen, ((0, Wish.RIGHT),))
        stale: Sheet = old.sheet(0, pen.write(0, Wish.WRONG, self._chance), seq=max(1, old.seq))
        if stale.said.seq < new.seq:
            await old.send([stale])
        return new

    async def _misbehave(self, room: Room, device: Device, pen: Pen, mischief: Mischief) -> None:
        if mischief is Mischief.FORGED:
            answer = pen.write(0, Wish.WRONG, self._chance)
            await try_forged(
                self._wire,
                self.book,
                sitting=room.sitting,
                student=device.student,
                token=device.token,
                answer=answer,
            )
        else:
            await try_foreign(
                self._wire,
                self.book,
                sitting=room.neighbour,
                student=device.student,
                token=device.token,
                access=self.access,
            )

    async def _answer_late(self, device: Device, pen: Pen) -> None:
        """Wait until the platform itself says that the deadline has passed, then answer singly and in a batch."""
        await self.clock.until_said(device.deadline + DOUBT, lambda: self._ask_time(device))
        wishes = late_wishes(self.seed, self.account.index, len(pen.shown.questions))
        sheets = [device.sheet(number, pen.write(number, wish, self._chance)) for number, wish in wishes]
        await device.send_late(sheets[:1])
        await device.send_late(sheets[1:])

    async def _look_around(self, device: Device) -> None:
        """Fetch the paper and its images on their own: what comes is what its digest names."""
        shown = [*device.paper["questions"], *(c for q in device.paper["questions"] for c in q.get("choices", ()))]
        for image in (item["image"] for item in shown if "image" in item):
            path = f"{device.path}/images/{image['sha256']}"
            content = await self._fetch(device, path)
            if content is not None and hashlib.sha256(content).hexdigest() != image["sha256"]:
                self.book.complain(f"image {image['sha256']} came with other bytes")
        paper = await self._fetch(device, f"{device.path}/paper")
        if paper is not None and hashlib.sha256(paper).hexdigest() != device.paper_digest:
            self.book.complain(f"paper {device.paper_digest} came with other bytes")

    async def _fetch(self, device: Device, path: str) -> bytes | None:
        try:
            reply = await self._wire.call("GET", SOLVER, path, token=device.token)
        except LostError:
            return None
        if reply.status != 200:
            self.book.complain(f"{path}: answered {reply}")
            return None
        return reply.content

    async def _ask_time(self, device: Device) -> int:
        """The platform's time."""
        reply = await surely(self.gateway, "GET", SOLVER, f"{device.path}/time", token=device.token)
        return instant_of(reply.body["now"])

    def _device(self, room: Room) -> Device:
        return Device(self._wire, self.book, self.clock, room.sitting)

    def _chance_of(self, what: str) -> Random:
        return chance_of(self.seed, self.account.index, what)
