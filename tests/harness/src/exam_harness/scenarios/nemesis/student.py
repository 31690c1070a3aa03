"""What a student does in a sitting under faults: answers, changes, repeats, retries, replays, and goes on too long."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final

from exam_harness.oracle.transcript import Call
from exam_harness.scenarios.nemesis.client import Answer, Client, retry_after
from exam_harness.students.clock import SECOND

_ACTIONS: Final = {
    "answer": 50,
    "same content": 9,
    "retry": 9,
    "replay": 8,
    "twice at once": 6,
    "two at once": 6,
    "batch": 5,
    "submit": 2,
    "resume": 3,
    "refresh": 2,
}

_BLANK: Final = 0.1
"""The share of answers that withdraw one."""


class Student:
    """One student in one sitting; all that they do follows from `rng`, except for what responses decide."""

    def __init__(self, client: Client, questions: Sequence[Mapping[str, Any] | None], rng: Random) -> None:
        self._client = client
        self._questions = {number: question for number, question in enumerate(questions) if question is not None}
        self._numbers = list(self._questions)
        self._rng = rng
        self._confirmed: list[Answer] = []
        self._unknown: dict[tuple[int, int], Answer] = {}
        self._last_body: dict[int, Mapping[str, Any]] = {}

    async def act(self) -> None:
        """Perform one action."""
        (action,) = self._rng.choices(list(_ACTIONS), weights=list(_ACTIONS.values()))
        match action:
            case "same content" if self._last_body:
                question = self._rng.choice(list(self._last_body))
                await self._put(self._next(question, self._last_body[question]))
            case "retry" if self._unknown:
                await self._put(self._rng.choice(list(self._unknown.values())))
            case "replay" if self._confirmed:
                await self._put(self._rng.choice(self._confirmed))
            case "twice at once":
                answer = self._new()
                await asyncio.gather(*(self._put(answer, via=via) for via in ("solver-1", "solver-2")))
            case "two at once":
                question = self._question()
                pair = [self._new(question), self._new(question)]
                await asyncio.gather(*(self._put(answer) for answer in pair))
            case "batch":
                answers = [self._new(question) for question in self._rng.sample(self._numbers, 3)]
                self._note(answers, await self._client.post(answers))
            case "submit":
                await self._client.submit()
            case "resume":
                await self._client.start()
            case "refresh":
                await refresh(self._client)
            case _:
                await self._put(self._new())

    async def finish(self) -> None:
        """After the deadline: retry what is unknown, replay what is confirmed, and send something new."""
        answers = [*self._unknown.values(), *self._rng.sample(self._confirmed, min(3, len(self._confirmed)))]
        for answer in (*answers, self._new()):
            await self._put(answer)

    def _question(self) -> int:
        return self._rng.choice(self._numbers)

    def _new(self, question: int | None = None) -> Answer:
        question = self._question() if question is None else question
        return self._next(question, _content(self._questions[question], self._rng))

    def _next(self, question: int, body: Mapping[str, Any]) -> Answer:
        self._client.seq += 1
        self._last_body[question] = body
        return Answer(question, self._client.seq, body)

    async def _put(self, answer: Answer, *, via: str | None = None) -> None:
        call = await self._client.put(answer, via=via)
        self._note([answer], [call])
        if call.unknown:
            await retry_after(call)

    def _note(self, answers: Sequence[Answer], calls: Sequence[Call]) -> None:
        for answer, call in zip(answers, calls, strict=True):
            slot = (answer.question, answer.seq)
            if call.unknown:
                self._unknown[slot] = answer
            else:
                self._unknown.pop(slot, None)
            if call.acknowledged:
                self._confirmed.append(answer)


async def sit(client: Client, rng: Random, *, opens_at: int, ends_at: int, tail: int, now: Callable[[], int]) -> None:
    """Sit: start soon after the opening, act until `tail` after the deadline; `ends_at` bounds all of it. In µs."""
    await asyncio.sleep(max(0, opens_at - now()) / SECOND + rng.uniform(-0.1, 0.5))
    questions = await _start(client, ends_at=ends_at, now=now)
    if questions is None:
        return
    student = Student(client, questions, rng)
    while now() < min(ends_at, client.deadline or ends_at):
        await student.act()
        await asyncio.sleep(rng.uniform(0.05, 0.5))
    while now() < min(ends_at, (client.deadline or ends_at) + tail):
        await student.finish()
        await asyncio.sleep(rng.uniform(0.2, 0.6))


async def refresh(client: Client) -> None:
    """Refresh the login as a client must: the same token again while the outcome is unknown."""
    call = await client.refresh()
    while call.unknown:
        await retry_after(call)
        call = await client.refresh()


async def _start(client: Client, *, ends_at: int, now: Callable[[], int]) -> Sequence[Mapping[str, Any] | None] | None:
    while now() < ends_at:
        call = await client.start()
        if call.acknowledged:
            return client.questions
        if call.problem == "starts-over":
            return None
        await retry_after(call)
    return None


def _content(question: Mapping[str, Any], rng: Random) -> Mapping[str, Any]:
    """A random answer to a question as shown, now and then blank."""
    blank = rng.random() < _BLANK
    match question["kind"]:
        case "numeric" | "text" | "essay":
            return {"value": None if blank else str(rng.randint(1, 9))}
        case "matching":
            stems = () if blank else rng.sample(range(len(question["stems"])), rng.randint(1, len(question["stems"])))
            return {"pairs": {str(stem): rng.randrange(len(question["targets"])) for stem in stems}}
        case "ordering":
            items = range(len(question["items"]))
            return {"order": [] if blank else rng.sample(items, len(items))}
    choices = range(len(question.get("choices", "tf")))
    return {"choices": sorted(rng.sample(choices, rng.randint(0, min(question.get("max_choices", 1), len(choices)))))}
