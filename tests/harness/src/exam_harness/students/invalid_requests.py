"""What must not work: forged tokens, and answers for another exam."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_harness.oracle.history import Book, Said, content_of
from exam_harness.students.http import LostError
from exam_harness.students.network import SOLVER, Wire

LOUD = 1_000_000
"""The sequence number of answers that must not count: were one taken, it would win over every honest one."""


def forgeries(token: str, other_student: int) -> Iterator[tuple[str, str]]:
    """(how, token): the ways to make a token that one was not given."""
    head, body, signature = token.split(".")
    header, claims = _read(head), _read(body)
    own = Ed25519PrivateKey.generate()
    yield "own key under the right kid", _signed(header, claims, own)
    yield "own key, another student", _signed(header, {**claims, "sub": str(other_student)}, own)
    yield "own key, own kid", _signed({**header, "kid": "mine"}, claims, own)
    yield "alg none", f"{_write({**header, 'alg': 'none'})}.{body}."
    yield "payload changed", f"{head}.{_write({**claims, 'sub': str(other_student)})}.{signature}"
    yield "signature cut", f"{head}.{body}.{signature[:-4]}"


async def try_forged(wire: Wire, book: Book, *, sitting: str, student: int, token: str, answer: dict[str, Any]) -> None:
    """Answer question 0 under forged attempt tokens, for oneself and for a neighbour."""
    neighbour = student + 1
    for place, (how, forged) in enumerate(forgeries(token, neighbour)):
        body = {"seq": LOUD + place, **answer}
        for who in (student, neighbour):
            book.forged.add(Said(sitting, who, 0, LOUD + place, content_of(answer)))
        path = f"/v1/sittings/{sitting}/answers/0"
        await _refused(wire, book, "forged", f"student {student}, {how}", path, forged, body, {401})


async def try_foreign(wire: Wire, book: Book, *, sitting: str, student: int, token: str, access: str) -> None:
    """Answer and start another exam's sitting with what belongs to one's own."""
    path = f"/v1/sittings/{sitting}"
    refusals = {401, 403, 404}
    answers: tuple[dict[str, Any], ...] = ({"choices": [0]}, {"value": "1"})
    for place, answer in enumerate(answers):
        body = {"seq": LOUD + place, **answer}
        book.foreign.add(Said(sitting, student, 0, LOUD + place, content_of(answer)))
        what = f"student {student}, an answer for another exam"
        await _refused(wire, book, "foreign", what, f"{path}/answers/0", token, body, refusals)
    what = f"student {student}, a start in another level"
    await _refused(wire, book, "foreign", what, f"{path}/attempt", access, None, {403}, method="POST")


async def _refused(  # noqa: PLR0913 - what was tried, and what must come of it
    wire: Wire,
    book: Book,
    kind: str,
    what: str,
    path: str,
    token: str,
    body: dict[str, Any] | None,
    statuses: set[int],
    *,
    method: str = "PUT",
) -> None:
    """Try something that must be refused; a lost or busy answer is tried again, anything else is a complaint."""
    for _ in range(10):
        try:
            reply = await wire.call(method, SOLVER, path, token=token, body=body)
        except LostError:
            continue
        if reply.status in statuses:
            book.counts[f"{kind}_refused"] += 1
            return
        if reply.status < 500:
            book.complain(f"{what}: answered {reply}, expected one of {sorted(statuses)}")
            return
    book.counts[f"{kind}_unanswered"] += 1


def _signed(header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey) -> str:
    text = f"{_write(header)}.{_write(claims)}"
    return f"{text}.{_b64(key.sign(text.encode()))}"


def _read(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return content


def _write(content: dict[str, Any]) -> str:
    return _b64(json.dumps(content, separators=(",", ":")).encode())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
