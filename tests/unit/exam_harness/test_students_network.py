"""Calls that are safe to repeat, and lists in pages."""

import json
from typing import Any

import pytest

from exam_harness.students import network
from exam_harness.students.cohort import pages
from exam_harness.students.http import LostError, Request, Response
from exam_harness.students.network import WEB, Gateway, GaveUpError, surely


class Script:
    """Answers calls one after the other: a loss, or (status, body, headers)."""

    def __init__(self, *answers: tuple[int, Any, dict[str, str]] | None) -> None:
        self.answers = list(answers)
        self.targets: list[str] = []

    async def __call__(self, request: Request, *, hang_up: float | None = None) -> Response:
        """Take one request."""
        del hang_up
        self.targets.append(request.target)
        answer = self.answers.pop(0)
        if answer is None:
            raise LostError(request.target)
        status, body, headers = answer
        return Response(status, {"content-type": "application/json", **headers}, json.dumps(body).encode())


async def test_a_call_is_repeated_until_it_is_answered_for_good() -> None:
    """A lost response and a busy platform are waited out; the answer that counts is given."""
    script = Script(None, (503, {}, {"retry-after": "0"}), (200, {"ok": True}, {}))
    reply = await surely(Gateway(script), "GET", WEB, "/api/me")
    assert reply.body == {"ok": True}
    assert len(script.targets) == 3


async def test_a_refusal_is_an_answer() -> None:
    """What is refused is not asked for again."""
    script = Script((401, {"type": "x/bad-credentials", "detail": "no"}, {}))
    reply = await surely(Gateway(script), "POST", WEB, "/api/auth/students/login", body={})
    assert str(reply) == "401 bad-credentials no"


async def test_nobody_asks_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that never answers is given up, and who waited says so."""
    monkeypatch.setattr(network, "_TRIES", 2)
    with pytest.raises(GaveUpError, match="after 2 tries"):
        await surely(Gateway(Script(None, None)), "GET", WEB, "/api/me")


async def test_every_page_of_a_list_is_read() -> None:
    """A list in pages is read to its end."""
    script = Script((200, {"results": [1, 2], "next": 200}, {}), (200, {"results": [3], "next": None}, {}))
    assert await pages(Gateway(script), "token", "/api/degrees") == [1, 2, 3]
    assert script.targets == ["/api/degrees?limit=200&offset=0", "/api/degrees?limit=200&offset=200"]
