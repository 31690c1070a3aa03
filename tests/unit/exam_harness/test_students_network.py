"""Retries, paginated lists, and the message of a solver with a stale lease."""

import json
from typing import Any

import pytest

from exam_harness.environments.processes.paths import REPOSITORY
from exam_harness.students import network
from exam_harness.students.cohort import fetch_all
from exam_harness.students.http import NoResponseError, Request, Response
from exam_harness.students.network import DECIDED_BY_SEAL, POSSIBLY_LATE, WEB, Gateway, StudentError, call_with_retries


class Script:
    """Responds to calls in order: with a loss, or with (status, body, headers)."""

    def __init__(self, *responses: tuple[int, Any, dict[str, str]] | None) -> None:
        self.responses = list(responses)
        self.targets: list[str] = []

    async def __call__(self, request: Request, *, abort_after: float | None = None) -> Response:
        """Respond to one request."""
        del abort_after
        self.targets.append(request.target)
        response = self.responses.pop(0)
        if response is None:
            raise NoResponseError(request.target)
        status, body, headers = response
        return Response(status, {"content-type": "application/json", **headers}, json.dumps(body).encode())


async def test_a_call_is_retried_until_a_final_response() -> None:
    """A lost response and a 503 are retried; the final response is returned."""
    script = Script(None, (503, {}, {"retry-after": "0"}), (200, {"ok": True}, {}))
    reply = await call_with_retries(Gateway(script), "GET", WEB, "/api/me")
    assert reply.body == {"ok": True}
    assert len(script.targets) == 3


async def test_a_rejection_is_not_retried() -> None:
    """A rejection is a final response."""
    script = Script((401, {"type": "x/bad-credentials", "detail": "no"}, {}))
    reply = await call_with_retries(Gateway(script), "POST", WEB, "/api/auth/students/login", body={})
    assert str(reply) == "401 bad-credentials no"


async def test_retries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the platform never responds, the call fails after its last attempt."""
    monkeypatch.setattr(network, "_ATTEMPTS", 2)
    with pytest.raises(StudentError, match="after 2 attempts"):
        await call_with_retries(Gateway(Script(None, None)), "GET", WEB, "/api/me")


async def test_all_pages_of_a_list_are_fetched() -> None:
    """A paginated list is read to its end."""
    one, two, three = ({"id": number} for number in (1, 2, 3))
    script = Script((200, {"results": [one, two], "next": 200}, {}), (200, {"results": [three], "next": None}, {}))
    assert await fetch_all(Gateway(script), "token", "/api/degrees") == [one, two, three]
    assert script.targets == ["/api/degrees?limit=200&offset=0", "/api/degrees?limit=200&offset=200"]


def test_the_solver_sends_the_message_that_students_look_for() -> None:
    """If the solver changed its message, students in time who are called late would go unnoticed."""
    sources = (REPOSITORY / "services/solver/src").rglob("*.py")
    for text in (POSSIBLY_LATE, DECIDED_BY_SEAL):
        assert any(text in path.read_text() for path in sources), text
