"""One student's sitting, from the opening to late answers after the deadline."""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from random import Random

from exam_harness.oracle.document import Document
from exam_harness.oracle.history import History
from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.students.answer_builder import AnswerBuilder
from exam_harness.students.clock import CLOCK_TOLERANCE, SECOND, ServerClock
from exam_harness.students.device import Device
from exam_harness.students.http import NoResponseError
from exam_harness.students.invalid_requests import (
    send_forged_tokens,
    send_invalid_answers,
    send_to_foreign_sitting,
)
from exam_harness.students.network import SOLVER, WEB, Gateway, StudentError, StudentNetwork, call_with_retries
from exam_harness.students.plan import (
    Intent,
    SendAnswers,
    SendInvalidRequests,
    Submit,
    SwitchDevice,
    plan_actions,
    plan_late_answers,
)
from exam_harness.students.profile import InvalidRequests, Profile, draw_profile, random_stream


@dataclass(frozen=True, slots=True)
class Account:
    """A student's credentials and level."""

    index: int
    username: str
    password: str
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedSitting:
    """The sitting that the students of one level take, and the exam they know."""

    sitting: str
    foreign_sitting: str
    """Another exam's sitting, for invalid requests."""
    document: Document
    opens_at: int


@dataclass
class Student:
    """A simulated student; set `access` to the token from `log_in` before `sit`."""

    account: Account
    seed: int
    gateway: Gateway
    clock: ServerClock
    history: History
    access: str = ""
    profile: Profile = field(init=False)

    def __post_init__(self) -> None:
        self.profile = draw_profile(self.seed, self.account.index)
        self._rng = self._random_stream("acts")
        self._network = StudentNetwork(self.gateway, self.profile, self._random_stream("network"))

    async def log_in(self) -> str:
        """Log in and return the access token."""
        body = {"username": self.account.username, "password": self.account.password}
        reply = await call_with_retries(self._network, "POST", WEB, "/api/auth/students/login", body=body)
        if reply.status != 200:
            raise StudentError(f"{self.account.username} could not log in: {reply}")
        return str(reply.body["access"])

    async def sit(self, assigned: AssignedSitting) -> None:
        """Sit the exam as planned."""
        await self.clock.sleep_until(assigned.opens_at + int(self.profile.start_delay * SECOND))
        device = self._device(assigned)
        await device.start(self.access)
        builder = AnswerBuilder.for_paper(assigned.document, device.paper)
        if self.profile.fetches_images:
            await self._check_paper_and_images(device)
        started_at = self.clock.now()
        duration = device.deadline - started_at
        for action in plan_actions(self.seed, self.account.index, self.profile, len(device.questions)):
            await self.clock.sleep_until(started_at + int(action.at * duration))
            if self.clock.now() > device.deadline:
                break
            match action:
                case SendAnswers():
                    await self._send_answers(device, builder, action.answers)
                case SwitchDevice():
                    device = await self._switch_device(assigned, device, builder)
                case SendInvalidRequests():
                    await self._send_invalid_requests(assigned, device, builder, action.kind)
                case Submit():
                    await device.submit()
        if self.profile.late:
            await self._send_late_answers(device, builder)

    async def _send_answers(
        self, device: Device, builder: AnswerBuilder, answers: tuple[tuple[int, Intent], ...]
    ) -> None:
        """Send planned answers; a plan names questions by their places among those that the student got."""
        planned = [(device.questions[place], intent) for place, intent in answers]
        outgoing = [device.new_answer(number, builder.build(number, intent, self._rng)) for number, intent in planned]
        if self._rng.random() < self.profile.duplicates:
            self.history.counts["duplicates"] += len(outgoing)
            await asyncio.gather(device.send(outgoing), device.send(outgoing))
        else:
            await device.send(outgoing)

    async def _switch_device(self, assigned: AssignedSitting, old: Device, builder: AnswerBuilder) -> Device:
        """Resume on a second device and answer there; then the first one sends an answer with its outdated seq."""
        access = await self.log_in()
        new = self._device(assigned)
        await new.start(access, second_device=True)
        if new.seq < old.seq:
            self.history.counts["resumed_below_old_device"] += 1
        await self._send_answers(new, builder, ((0, Intent.CORRECT),))
        first = old.questions[0]
        stale = old.new_answer(first, builder.build(first, Intent.WRONG, self._rng), seq=max(1, old.seq))
        if stale.answer.seq < new.seq:
            await old.send([stale])
        return new

    async def _send_invalid_requests(
        self, assigned: AssignedSitting, device: Device, builder: AnswerBuilder, kind: InvalidRequests
    ) -> None:
        if kind is InvalidRequests.FORGED:
            await send_forged_tokens(
                self._network,
                self.history,
                sitting=assigned.sitting,
                student=device.student,
                token=device.token,
                answer=builder.build(device.questions[0], Intent.WRONG, self._rng),
                kind=builder.kind(device.questions[0]),
            )
        elif kind is InvalidRequests.INVALID:
            await send_invalid_answers(
                self._network,
                self.history,
                sitting=assigned.sitting,
                student=device.student,
                token=device.token,
                paper=device.paper,
                rng=self._rng,
            )
        else:
            await send_to_foreign_sitting(
                self._network,
                self.history,
                sitting=assigned.foreign_sitting,
                student=device.student,
                token=device.token,
                access=self.access,
            )

    async def _send_late_answers(self, device: Device, builder: AnswerBuilder) -> None:
        """Wait until the platform reports that the deadline has passed, then answer singly and in a batch."""
        await self.clock.wait_until(device.deadline + CLOCK_TOLERANCE, lambda: self._fetch_time(device))
        planned = plan_late_answers(self.seed, self.account.index, len(device.questions))
        numbered = [(device.questions[place], intent) for place, intent in planned]
        answers = [device.new_answer(number, builder.build(number, intent, self._rng)) for number, intent in numbered]
        await device.send_late(answers[:1])
        await device.send_late(answers[1:])

    async def _check_paper_and_images(self, device: Device) -> None:
        """Fetch the paper and its images separately and verify their digests, or that it is what the start showed."""
        questions = [device.paper["questions"][number] for number in device.questions]
        listed = (item for q in questions for name in ("choices", "stems", "items") for item in q.get(name, ()))
        shown = [*questions, *listed]
        for image in (item["image"] for item in shown if "image" in item):
            path = f"{device.path}/images/{image['sha256']}"
            content = await self._fetch(device, path)
            if content is not None and hashlib.sha256(content).hexdigest() != image["sha256"]:
                self.history.record_violation(f"image {image['sha256']} does not match its digest")
        paper = await self._fetch(device, f"{device.path}/paper")
        whole = len(questions) == len(device.paper["questions"])
        if paper is not None and json.loads(paper) != device.paper:
            self.history.record_violation(f"paper {device.paper_digest} is not the one that the start showed")
        if paper is not None and whole and hashlib.sha256(paper).hexdigest() != device.paper_digest:
            self.history.record_violation(f"paper {device.paper_digest} does not match its digest")

    async def _fetch(self, device: Device, path: str) -> bytes | None:
        try:
            reply = await self._network.call("GET", SOLVER, path, token=device.token)
        except NoResponseError:
            return None
        if reply.status != 200:
            self.history.record_violation(f"GET {path}: got {reply}")
            return None
        return reply.content

    async def _fetch_time(self, device: Device) -> int:
        """The platform's time."""
        reply = await call_with_retries(self.gateway, "GET", SOLVER, f"{device.path}/time", token=device.token)
        return parse_rfc3339(reply.body["now"])

    def _device(self, assigned: AssignedSitting) -> Device:
        return Device(self._network, self.history, self.clock, assigned.sitting)

    def _random_stream(self, purpose: str) -> Random:
        return random_stream(self.seed, self.account.index, purpose)
