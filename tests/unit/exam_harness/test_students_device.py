"""A student's device against a scripted solver: what it retries, and what it records in the history."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from exam_core.instants import rfc3339
from exam_harness.oracle.history import History
from exam_harness.students.clock import ServerClock
from exam_harness.students.device import Device
from exam_harness.students.http import NoResponseError, Request, Response
from exam_harness.students.network import POSSIBLY_LATE, Gateway, StudentNetwork
from exam_harness.students.profile import draw_profile, random_stream

SITTING = "6ab1e5a4-0c53-4f6f-9d8b-4f7d3f9f7a10"
DEADLINE = 1_000_000_000
Handler = Callable[[Request], Response]


class FakeSolver:
    """Responds with a list of handlers, then acknowledges everything; records the request bodies."""

    def __init__(self) -> None:
        self.first: list[Handler] = []
        self.bodies: list[Any] = []

    async def __call__(self, request: Request, *, abort_after: float | None = None) -> Response:
        """Respond to one request."""
        assert abort_after is None
        self.bodies.append(json.loads(request.body))
        return self.first.pop(0)(request) if self.first else acknowledge(request)


def respond(status: int, *, json: object, headers: Mapping[str, str] | None = None) -> Response:
    """A response with a JSON body."""
    return Response(status, {"content-type": "application/json", **(headers or {})}, _bytes(json))


def acknowledge(request: Request) -> Response:
    """A handler that acknowledges all answers of a request."""
    body = json.loads(request.body)
    deadline = {"at": rfc3339(DEADLINE)}
    if "answers" not in body:
        result = {"question": 0, "seq": body["seq"], "received_at": rfc3339(5), "receipt": "r"}
        return respond(200, json={**result, "deadline": deadline})
    results = [_result(answer) for answer in body["answers"]]
    return respond(200, json={"results": results, "deadline": deadline})


def problem(status: int, slug: str, **headers: str) -> Handler:
    """A handler that responds with a problem."""
    body = {"type": f"https://examplatform.dev/problems/{slug}", "status": status}
    return lambda _: respond(status, json=body, headers=headers)


def lose(request: Request) -> Response:
    """A handler that loses the response."""
    raise NoResponseError(request.target)


def _bytes(content: object) -> bytes:
    return json.dumps(content).encode()


def _result(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "status": 200, "received_at": rfc3339(5), "receipt": "r"}


@pytest.fixture
def solver() -> FakeSolver:
    """The solver that the device connects to."""
    return FakeSolver()


@pytest.fixture
async def device(solver: FakeSolver) -> tuple[Device, History]:
    """A device of student 3 on a network without delay or loss, and its history."""
    profile = dataclasses.replace(draw_profile(1, 0), latency=0, response_loss=0)
    history, clock = History(), ServerClock(local_time=lambda: 0.0)
    await clock.sync(_one_second)
    device = Device(StudentNetwork(Gateway(solver), profile, random_stream(1, 0, "test")), history, clock, SITTING)
    device.student, device.token, device.deadline = 3, "token", DEADLINE
    device.paper = {"questions": [{"kind": "single"}] * 8}
    return device, history


async def _one_second() -> int:
    return 1_000_000


async def _send(device: Device, answers: Sequence[tuple[int, list[int]]]) -> None:
    await device.send([device.new_answer(question, {"choices": choices}) for question, choices in answers])


async def test_an_acknowledged_answer_is_recorded(device: tuple[Device, History]) -> None:
    """An answer with a receipt is recorded once."""
    student_device, history = device
    await _send(student_device, [(0, [1])])
    (entry,) = history.acknowledgements()
    assert (entry.answer.seq, entry.answer.content, entry.received_at) == (1, frozenset({1}), 5)
    assert history.counts["retries"] == 0


@pytest.mark.parametrize("fault", [lose, problem(503, "not-known-saved", **{"retry-after": "0"}), problem(502, "")])
async def test_an_answer_of_unknown_outcome_is_retried_unchanged(
    device: tuple[Device, History], solver: FakeSolver, fault: Handler
) -> None:
    """While the outcome of my answer is unknown, my device sends the same answer again."""
    student_device, history = device
    solver.first = [fault]
    await _send(student_device, [(0, [1])])
    assert solver.bodies[0] == solver.bodies[1]
    assert len(list(history.acknowledgements())) == 1
    assert history.counts["retries"] == 1
    assert history.unresolved() == set()


@pytest.mark.parametrize(("deadline", "violations"), [(DEADLINE, 1), (999_999, 0)])
async def test_a_student_in_time_must_not_be_called_late(
    device: tuple[Device, History], solver: FakeSolver, deadline: int, violations: int
) -> None:
    """A solver with a stale lease accepts my answer while I am in time; only afterwards may it ask me to retry."""
    student_device, history = device
    student_device.deadline = deadline
    stale = {
        "type": "https://examplatform.dev/problems/unavailable",
        "detail": f"the deadline was …, but {POSSIBLY_LATE}",
    }
    solver.first = [lambda _: respond(503, json=stale, headers={"retry-after": "0"})]
    await _send(student_device, [(0, [1])])
    assert len(history.violations) == violations


async def test_an_unknown_outcome_is_recorded_as_indeterminate(
    device: tuple[Device, History], solver: FakeSolver
) -> None:
    """An answer that was lost first and refused as late when retried may have been counted."""
    student_device, history = device
    solver.first = [lose, problem(409, "deadline-passed")]
    await _send(student_device, [(0, [1])])
    assert len(history.unresolved()) == 1
    assert list(history.acknowledgements()) == []


async def test_a_late_answer_is_not_retried(device: tuple[Device, History], solver: FakeSolver) -> None:
    """An answer that is refused as late is not sent again."""
    student_device, history = device
    solver.first = [problem(409, "deadline-passed")]
    await _send(student_device, [(0, [1])])
    assert len(solver.bodies) == 1
    assert len(history.late) == 1
    assert history.violations == []


async def test_an_answer_sent_after_the_deadline_must_not_be_acknowledged(
    device: tuple[Device, History], solver: FakeSolver
) -> None:
    """Sent too late by the platform's own time, an answer is late even without a response."""
    student_device, history = device
    solver.first = [lose, problem(409, "deadline-passed")]
    await student_device.send_late([student_device.new_answer(0, {"choices": [1]})])
    assert (len(history.late), history.unresolved(), history.violations) == (1, set(), [])
    await student_device.send_late([student_device.new_answer(0, {"choices": [0]})])
    assert "after the deadline" in history.violations[0]


async def test_an_unexpected_refusal_is_a_violation(device: tuple[Device, History], solver: FakeSolver) -> None:
    """A valid answer that is refused for another reason than its time is recorded as a violation."""
    student_device, history = device
    solver.first = [problem(422, "unknown-choice")]
    await _send(student_device, [(0, [1])])
    assert len(history.violations) == 1


async def test_only_the_unavailable_answers_of_a_batch_are_retried(
    device: tuple[Device, History], solver: FakeSolver
) -> None:
    """Of a batch with different outcomes, only the answers of unknown outcome are sent again."""
    student_device, history = device

    def partial(request: Request) -> Response:
        first, second, third = json.loads(request.body)["answers"]
        fault = {**second, "status": 503, "problem": {"type": "x/not-known-saved"}}
        late = {**third, "status": 409, "problem": {"type": "x/deadline-passed"}}
        results = [_result(first), fault, late]
        return respond(207, json={"results": results, "deadline": {"at": None}})

    solver.first = [partial]
    await _send(student_device, [(0, [1]), (1, [0]), (2, [0])])
    assert [entry.answer.question for entry in history.acknowledgements()] == [0, 1]
    assert solver.bodies[1] == {"seq": 2, "choices": [0]}
    assert {answer.question for answer in history.late} == {2}


async def test_a_refused_batch_is_retried_answer_by_answer(device: tuple[Device, History], solver: FakeSolver) -> None:
    """When a whole batch is refused with a problem of its first answer, each answer is sent by itself."""
    student_device, history = device
    solver.first = [problem(409, "seq-too-low"), problem(409, "seq-too-low")]
    await _send(student_device, [(0, [1]), (0, [0])])
    assert [body["seq"] for body in solver.bodies[1:]] == [1, 2]
    assert [entry.answer.seq for entry in history.acknowledgements()] == [2]
    assert history.counts["refused_seq-too-low"] == 1


async def test_retries_end_some_time_after_the_deadline(device: tuple[Device, History], solver: FakeSolver) -> None:
    """If the platform stays unavailable, the device gives up after the deadline; the outcome stays unknown."""
    student_device, history = device
    student_device.deadline = -30_000_000
    solver.first = [lose]
    await _send(student_device, [(0, [1])])
    assert history.counts["gave_up"] == 1
    assert len(history.unresolved()) == 1
