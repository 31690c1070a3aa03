"""Requests that the platform must reject: forged tokens, answers for another exam, and answers that are not valid."""

import asyncio
import base64
import json
from collections.abc import Collection, Iterator, Mapping
from random import Random
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exam_harness.oracle.content import parse_content
from exam_harness.oracle.history import History, SentAnswer
from exam_harness.students.http import NoResponseError
from exam_harness.students.invalid_answers import invalid_answers
from exam_harness.students.network import RETRYABLE_PROBLEMS, SERVER_ERROR, SOLVER, StudentNetwork

WINNING_SEQ = 1_000_000
"""The seq of answers that must not count: if one were accepted, it would supersede every valid answer."""
_ATTEMPTS = 10
_SAMPLE: Final = 10
"""How many invalid answers one student sends."""
_RETRY_DELAY: Final = 0.5
_NOT_DRAWN: Final = ("not drawn", {"choices": [0]}, "unknown-question")
"""An answer to a question that the student did not get."""


def forged_tokens(token: str, other_student: int) -> Iterator[tuple[str, str]]:
    """(description, token): the ways to forge an attempt token."""
    head, body, signature = token.split(".")
    header, claims = _decode(head), _decode(body)
    own_key = Ed25519PrivateKey.generate()
    yield "own key under the right kid", _sign(header, claims, own_key)
    yield "own key, another student", _sign(header, {**claims, "sub": str(other_student)}, own_key)
    yield "own key, own kid", _sign({**header, "kid": "mine"}, claims, own_key)
    yield "alg none", f"{_encode({**header, 'alg': 'none'})}.{body}."
    yield "payload changed", f"{head}.{_encode({**claims, 'sub': str(other_student)})}.{signature}"
    yield "signature cut", f"{head}.{body}.{signature[:-4]}"


async def send_forged_tokens(
    network: StudentNetwork,
    history: History,
    *,
    sitting: str,
    student: int,
    token: str,
    answer: Mapping[str, Any],
    kind: str,
) -> None:
    """Answer question 0 under forged attempt tokens, both as oneself and as another student."""
    other_student = student + 1
    for offset, (description, forged) in enumerate(forged_tokens(token, other_student)):
        body = {"seq": WINNING_SEQ + offset, **answer}
        for claimed in (student, other_student):
            history.forged.add(SentAnswer(sitting, claimed, 0, WINNING_SEQ + offset, parse_content(answer, kind)))
        path = f"/v1/sittings/{sitting}/answers/0"
        await _expect_rejection(
            network, history, "forged", f"student {student}, {description}", path, forged, body, {401}
        )


async def send_to_foreign_sitting(
    network: StudentNetwork, history: History, *, sitting: str, student: int, token: str, access: str
) -> None:
    """Answer and start another exam's sitting with the tokens of one's own."""
    path = f"/v1/sittings/{sitting}"
    rejections = {401, 403, 404}
    answers: tuple[dict[str, Any], ...] = ({"choices": [0]}, {"value": "1"})
    for offset, answer in enumerate(answers):
        body = {"seq": WINNING_SEQ + offset, **answer}
        history.foreign.add(SentAnswer(sitting, student, 0, WINNING_SEQ + offset, parse_content(answer, "numeric")))
        description = f"student {student}, an answer for another exam"
        await _expect_rejection(network, history, "foreign", description, f"{path}/answers/0", token, body, rejections)
    description = f"student {student}, a start in another level"
    await _expect_rejection(
        network, history, "foreign", description, f"{path}/attempt", access, None, {403}, method="POST"
    )


async def send_invalid_answers(
    network: StudentNetwork,
    history: History,
    *,
    sitting: str,
    student: int,
    token: str,
    paper: Mapping[str, Any],
    rng: Random,
) -> None:
    """Send some answers that their questions do not accept; none of them may be saved."""
    every = [
        (number, invalid)
        for number, shown in enumerate(paper["questions"])
        for invalid in ((_NOT_DRAWN,) if shown is None else invalid_answers(shown))
    ]
    for offset, (number, (reason, answer, problem)) in enumerate(rng.sample(every, min(_SAMPLE, len(every)))):
        description = f"student {student}, question {number}, {reason}"
        path = f"/v1/sittings/{sitting}/answers/{number}"
        body = {"seq": WINNING_SEQ + offset, **answer}
        problems = {problem, "deadline-passed"}
        await _expect_rejection(
            network, history, "invalid", description, path, token, body, {409, 422}, problems=problems
        )


async def _expect_rejection(  # noqa: PLR0913 - a request and its expected outcome
    network: StudentNetwork,
    history: History,
    kind: str,
    description: str,
    path: str,
    token: str,
    body: dict[str, Any] | None,
    statuses: set[int],
    *,
    method: str = "PUT",
    problems: Collection[str] = (),
) -> None:
    """Send a request that must be rejected; retry server errors and lost responses, record anything else.

    With `problems`, the problem must be one of them.
    """
    for _ in range(_ATTEMPTS):
        try:
            reply = await network.call(method, SOLVER, path, token=token, body=body)
        except NoResponseError:
            continue
        if problems and reply.problem in RETRYABLE_PROBLEMS:
            await asyncio.sleep(reply.retry_after or _RETRY_DELAY)
            continue
        if reply.status in statuses and (not problems or reply.problem in problems):
            history.counts[f"{kind}_refused"] += 1
            return
        if reply.status < SERVER_ERROR:
            history.record_violation(f"{description}: got {reply}, expected one of {sorted(statuses)}")
            return
    history.counts[f"{kind}_unanswered"] += 1


def _sign(header: dict[str, Any], claims: dict[str, Any], key: Ed25519PrivateKey) -> str:
    text = f"{_encode(header)}.{_encode(claims)}"
    return f"{text}.{_b64(key.sign(text.encode()))}"


def _decode(part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return content


def _encode(content: dict[str, Any]) -> str:
    return _b64(json.dumps(content, separators=(",", ":")).encode())


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
