"""A student's device against a solver made of a few lines: what it sends again, and what it writes into the book."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from exam_core.instants import rfc3339
from exam_harness.oracle.history import Book
from exam_harness.students.clock import ServerClock
from exam_harness.students.device import Device
from exam_harness.students.http import LostError, Request, Response
from exam_harness.students.network import PERHAPS_LATE, Gateway, Wire
from exam_harness.students.profile import chance_of, traits_of

SITTING = "6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10"
DEADLINE = 1_000_000_000
Handler = Callable[[Request], Response]


class FakeSolver:
    """Answers from a list of handlers, then acknowledges everything; keeps what it was sent."""

    def __init__(self) -> None:
        self.first: list[Handler] = []
        self.bodies: list[Any] = []

    async def __call__(self, request: Request, *, hang_up: float | None = None) -> Response:
        """Take one request."""
        assert hang_up is None
        self.bodies.append(json.loads(request.body))
        return self.first.pop(0)(request) if self.first else acknowledge(request)


def respond(status: int, *, json: object, headers: Mapping[str, str] | None = None) -> Response:
    """A response with a JSON body."""
    return Response(status, {"content-type": "application/json", **(headers or {})}, _bytes(json))


def acknowledge(request: Request) -> Response:
    """Acknowledge all of a request's answers."""
    body = json.loads(request.body)
    deadline = {"at": rfc3339(DEADLINE)}
    if "answers" not in body:
        ours = {"question": 0, "seq": body["seq"], "received_at": rfc3339(5), "receipt": "r"}
        return respond(200, json={**ours, "deadline": deadline})
    results = [_result(answer) for answer in body["answers"]]
    return respond(200, json={"results": results, "deadline": deadline})


def problem(status: int, slug: str, **headers: str) -> Handler:
    """Refuse."""
    body = {"type": f"https://examplatform.dev/problems/{slug}", "status": status}
    return lambda _: respond(status, json=body, headers=headers)


def lose(request: Request) -> Response:
    """Take a request and never answer."""
    raise LostError(request.target)


def _bytes(content: object) -> bytes:
    return json.dumps(content).encode()


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "status": 200, "received_at": rfc3339(5), "receipt": "r"}


@pytest.fixture
def solver() -> FakeSolver:
    """The solver at the other end."""
    return FakeSolver()


@pytest.fixture
async def device(solver: FakeSolver) -> tuple[Device, Book]:
    """A device of student 3 on a perfect network, and the book."""
    traits = dataclasses.replace(traits_of(1, 0), latency=0, loss=0)
    book, clock = Book(), ServerClock(here=lambda: 0.0)
    await clock.ask(_one_second)
    device = Device(Wire(Gateway(solver), traits, chance_of(1, 0, "test")), book, clock, SITTING)
    device.student, device.token, device.deadline = 3, "token", DEADLINE
    return device, book


async def _one_second() -> int:
    return 1_000_000


async def _send(device: Device, answers: Sequence[tuple[int, list[int]]]) -> None:
    await device.send([device.sheet(question, {"choices": choices}) for question, choices in answers])


async def test_an_acknowledged_answer_is_in_the_book(device: tuple[Device, Book]) -> None:
    """What I was given a receipt for is written down once."""
    student, book = device
    await _send(student, [(0, [1])])
    (entry,) = book.every()
    assert (entry.said.seq, entry.said.content, entry.received_at) == (1, frozenset({1}), 5)
    assert book.counts["retries"] == 0


@pytest.mark.parametrize("trouble", [lose, problem(503, "not-known-saved", **{"retry-after": "0"}), problem(502, "")])
async def test_an_answer_of_unknown_outcome_is_sent_again_unchanged(
    device: tuple[Device, Book], solver: FakeSolver, trouble: Handler
) -> None:
    """When my answer's fate is unknown, my device sends the very same answer again until it is known."""
    student, book = device
    solver.first = [trouble]
    await _send(student, [(0, [1])])
    assert solver.bodies[0] == solver.bodies[1]
    assert len(list(book.every())) == 1
    assert book.counts["retries"] == 1
    assert book.doubtful() == set()


@pytest.mark.parametrize(("deadline", "complaints"), [(DEADLINE, 1), (999_999, 0)])
async def test_who_is_in_time_may_not_be_told_that_they_may_be_late(
    device: tuple[Device, Book], solver: FakeSolver, deadline: int, complaints: int
) -> None:
    """A solver that has heard nothing for long takes my answer while I am in time; afterwards it may ask me back."""
    student, book = device
    student.deadline = deadline
    doubt = {
        "type": "https://examplatform.dev/problems/unavailable",
        "detail": f"the deadline was …, but {PERHAPS_LATE}",
    }
    solver.first = [lambda _: respond(503, json=doubt, headers={"retry-after": "0"})]
    await _send(student, [(0, [1])])
    assert len(book.complaints) == complaints


async def test_an_answer_whose_fate_stays_unknown_is_kept_as_a_doubt(
    device: tuple[Device, Book], solver: FakeSolver
) -> None:
    """An answer lost first and refused as late when sent again may have been counted: nobody knows."""
    student, book = device
    solver.first = [lose, problem(409, "deadline-passed")]
    await _send(student, [(0, [1])])
    assert len(book.doubtful()) == 1
    assert list(book.every()) == []


async def test_a_late_answer_is_not_sent_again(device: tuple[Device, Book], solver: FakeSolver) -> None:
    """Told that I am late, I am late."""
    student, book = device
    solver.first = [problem(409, "deadline-passed")]
    await _send(student, [(0, [1])])
    assert len(solver.bodies) == 1
    assert len(book.late) == 1
    assert book.complaints == []


async def test_what_is_sent_after_the_deadline_may_never_count(device: tuple[Device, Book], solver: FakeSolver) -> None:
    """Sent too late by the platform's own time, an answer is late even if no response came; taking it is a fault."""
    student, book = device
    solver.first = [lose, problem(409, "deadline-passed")]
    await student.send_late([student.sheet(0, {"choices": [1]})])
    assert (len(book.late), book.doubtful(), book.complaints) == (1, set(), [])
    await student.send_late([student.sheet(0, {"choices": [0]})])
    assert "after the deadline" in book.complaints[0]


async def test_a_refusal_without_reason_is_a_complaint(device: tuple[Device, Book], solver: FakeSolver) -> None:
    """An honest answer that is refused for another reason than its time is something to look into."""
    student, book = device
    solver.first = [problem(422, "unknown-choice")]
    await _send(student, [(0, [1])])
    assert len(book.complaints) == 1


async def test_of_several_answers_only_the_unknown_are_sent_again(
    device: tuple[Device, Book], solver: FakeSolver
) -> None:
    """Of a batch answered in parts, what was acknowledged stays so and only the rest is sent again."""
    student, book = device

    def some(request: Request) -> Response:
        first, second, third = json.loads(request.body)["answers"]
        trouble = {**second, "status": 503, "problem": {"type": "x/not-known-saved"}}
        late = {**third, "status": 409, "problem": {"type": "x/deadline-passed"}}
        results = [_result(first), trouble, late]
        return respond(207, json={"results": results, "deadline": {"at": None}})

    solver.first = [some]
    await _send(student, [(0, [1]), (1, [0]), (2, [0])])
    assert [entry.said.question for entry in book.every()] == [0, 1]
    assert solver.bodies[1] == {"seq": 2, "choices": [0]}
    assert {said.question for said in book.late} == {2}


async def test_a_refusal_of_one_answer_is_not_taken_for_all(device: tuple[Device, Book], solver: FakeSolver) -> None:
    """When a whole batch fails with the first answer's problem, each is asked for by itself."""
    student, book = device
    solver.first = [problem(409, "seq-too-low"), problem(409, "seq-too-low")]
    await _send(student, [(0, [1]), (0, [0])])
    assert [body["seq"] for body in solver.bodies[1:]] == [1, 2]
    assert [entry.said.seq for entry in book.every()] == [2]
    assert book.counts["refused_seq-too-low"] == 1


async def test_a_device_stops_asking_long_after_the_deadline(device: tuple[Device, Book], solver: FakeSolver) -> None:
    """With the platform gone for good, a student gives up some time after the deadline, and the doubt is kept."""
    student, book = device
    student.deadline = -30_000_000
    solver.first = [lose]
    await _send(student, [(0, [1])])
    assert book.counts["gave_up"] == 1
    assert len(book.doubtful()) == 1
