"""The routes: parse, call one function, answer.

Bodies and parameters are described by `schemas` and `openapi`, and read and written by hand: what FastAPI would do for
each request to check them is done better by the paper.
"""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from exam_core import receipts
from exam_core.answers import Answer
from exam_core.deadlines import personal_deadline
from exam_core.instants import rfc3339
from exam_core.problems import MEDIA_TYPE, Problem
from exam_core.receipts import Receipt
from exam_core.shuffle import order_of
from exam_core.tokens import Attempt, sign_attempt
from exam_solver.attempts.admission import check_not_cancelled, deadline_of
from exam_solver.attempts.plan import Asked
from exam_solver.attempts.start import Begun
from exam_solver.container import Solver
from exam_solver.http import authentication, schemas
from exam_solver.http.bodies import question_number, read_object, several
from exam_solver.http.conditional import accepts_gzip, matches
from exam_solver.http.openapi import ACCESS, ATTEMPT, addressed, needs, ref, takes

router = APIRouter()
SITTING = "/v1/sittings/{sitting:uuid}"
REFUSED: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; the problem says why", "content": {MEDIA_TYPE: ref(schemas.Problem)}},
    "5XX": {"description": "Not now; Retry-After says when", "content": {MEDIA_TYPE: ref(schemas.Problem)}},
}


@router.post(
    SITTING + "/attempt",
    responses={200: {"model": schemas.AttemptBody}, 201: {"model": schemas.AttemptBody}, **REFUSED},
    openapi_extra=addressed("sitting") | needs(ACCESS),
    tags=["student"],
)
async def start(request: Request) -> Response:
    """Start the attempt (201) or resume it (200): the paper, the saved answers, the deadline, the attempt token."""
    solver = _solver(request)
    access = authentication.student(request)
    sitting = request.path_params["sitting"]
    begun = await solver.starts.begin(access, sitting)
    attempt = Attempt(
        student=access.subject,
        sitting=sitting,
        started_at=begun.start.started_at,
        seed=begun.start.seed,
        session=access.session,
        issued_at=begun.now,
    )
    body = json.dumps(_attempt(begun, attempt, sign_attempt(attempt, solver.keys)), separators=(",", ":"))
    # The paper is canonical JSON already: it is set in as it is.
    whole = b'%s,"paper":%s}' % (body[:-1].encode(), begun.paper.paper.body)
    return _json_bytes(whole, status=201 if begun.created else 200)


@router.get(
    SITTING + "/paper",
    responses={200: {"model": dict[str, Any]}, 304: {}, **REFUSED},
    openapi_extra=addressed("sitting") | needs(ATTEMPT),
    tags=["student"],
)
async def paper(request: Request) -> Response:
    """The paper in its canonical form, named by its digest."""
    solver = _solver(request)
    scheduled = solver.keeper.sitting(authentication.attempt(request).sitting)
    check_not_cancelled(scheduled)
    shelved = await solver.papers.paper(scheduled.paper)
    headers = {"ETag": f'"{scheduled.paper}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if matches(request.headers.get("if-none-match"), scheduled.paper):
        return Response(status_code=304, headers=headers)
    if accepts_gzip(request.headers.get("accept-encoding")):
        return Response(shelved.gzipped, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})
    return Response(shelved.paper.body, media_type="application/json", headers=headers)


@router.get(
    SITTING + "/images/{sha256}",
    responses={200: {"content": {"image/*": {}}}, 304: {}, **REFUSED},
    openapi_extra=addressed("sitting", "sha256") | needs(ATTEMPT),
    tags=["student"],
)
async def image(request: Request) -> Response:
    """An image of the paper; it never changes."""
    solver = _solver(request)
    sha256: str = request.path_params["sha256"]
    scheduled = solver.keeper.sitting(authentication.attempt(request).sitting)
    check_not_cancelled(scheduled)
    part = await solver.papers.image(scheduled.paper, sha256)
    headers = {
        "ETag": f'"{sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        # An image opened by its address runs nothing, whatever its author put into it.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if matches(request.headers.get("if-none-match"), sha256):
        return Response(status_code=304, headers=headers)
    return Response(part.data, media_type=part.content_type, headers=headers)


@router.put(
    SITTING + "/answers/{question}",
    responses={200: {"model": schemas.AcknowledgedBody}, **REFUSED},
    openapi_extra=addressed("sitting", "question") | needs(ATTEMPT) | takes(schemas.AnswerBody),
    tags=["student"],
)
async def put_answer(request: Request) -> Response:
    """Save one answer; a receipt says that it counts."""
    solver = _solver(request)
    attempt = authentication.attempt(request)
    asked = Asked(question_number(request.path_params["question"]), await read_object(request))
    answered = await solver.answers.answer(attempt, [asked])
    [outcome] = answered.outcomes
    if isinstance(outcome, Problem):
        raise outcome
    return _json(_acknowledged(solver, attempt, outcome) | {"deadline": answered.deadline.to_json()})


@router.post(
    SITTING + "/answers",
    responses={200: {"model": schemas.ResultsBody}, 207: {"model": schemas.ResultsBody}, **REFUSED},
    openapi_extra=addressed("sitting") | needs(ATTEMPT) | takes(schemas.AnswersBody),
    tags=["student"],
)
async def post_answers(request: Request) -> Response:
    """Save several answers: 200 when all count, 207 when some do, otherwise the first refusal."""
    solver = _solver(request)
    attempt = authentication.attempt(request)
    asked = several(await read_object(request))
    answered = await solver.answers.answer(attempt, asked)
    refused = [outcome for outcome in answered.outcomes if isinstance(outcome, Problem)]
    if len(refused) == len(asked):
        raise refused[0]
    results = [
        _refused(one, outcome, request.url.path)
        if isinstance(outcome, Problem)
        else {"status": 200} | _acknowledged(solver, attempt, outcome)
        for one, outcome in zip(asked, answered.outcomes, strict=True)
    ]
    return _json({"results": results, "deadline": answered.deadline.to_json()}, status=207 if refused else 200)


@router.post(
    SITTING + "/submit",
    responses={200: {"model": schemas.SubmittedBody}, **REFUSED},
    openapi_extra=addressed("sitting") | needs(ATTEMPT),
    tags=["student"],
)
async def submit(request: Request) -> Response:
    """Say that one is done. It is a statement, not a lock: answers in time still count."""
    submitted_at, deadline = await _solver(request).answers.submit(authentication.attempt(request))
    return _json({"submitted_at": rfc3339(submitted_at), "deadline": deadline.to_json()})


@router.get(
    SITTING + "/time",
    responses={200: {"model": schemas.TimeBody}, **REFUSED},
    openapi_extra=addressed("sitting") | needs(ACCESS, ATTEMPT),
    tags=["student"],
)
async def tell_time(request: Request) -> Response:
    """The platform's time beside the window; with an attempt token the personal deadline too."""
    principal = authentication.student_or_attempt(request)
    admitted = _solver(request).keeper.admit()
    scheduled = admitted.sitting(request.path_params["sitting"])
    closes_at = personal_deadline(scheduled.window, started_at=admitted.now).closes_at
    body: dict[str, Any] = {
        "now": rfc3339(admitted.now),
        "opens_at": rfc3339(scheduled.window.opens_at),
        "closes_at": rfc3339(closes_at),
    }
    if isinstance(principal, Attempt):
        deadline = deadline_of(scheduled, student=principal.student, started_at=principal.started_at)
        body["deadline"] = deadline.to_json()
    return _json(body)


@router.get("/v1/keys", responses={200: {"model": schemas.KeySet}}, tags=["anyone"])
async def keys(request: Request) -> Response:
    """The public keys that check receipts."""
    return _json(_solver(request).keys.public.to_jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.get("/healthz", responses={200: {"model": schemas.HealthBody}, 503: {"model": schemas.HealthBody}})
async def healthz(request: Request) -> Response:
    """Whether this process lives."""
    status, body = _solver(request).health.live()
    return _json(body, status=status)


@router.get("/readyz", responses={200: {"model": schemas.HealthBody}, 503: {"model": schemas.HealthBody}})
async def readyz(request: Request) -> Response:
    """Whether this process can save answers now."""
    status, body = await _solver(request).health.ready()
    return _json(body, status=status)


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Prometheus' view of this process."""
    return Response(generate_latest(_solver(request).metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _solver(request: Request) -> Solver:
    solver: Solver = request.app.state.solver
    return solver


def _attempt(begun: Begun, attempt: Attempt, token: str) -> dict[str, Any]:
    remembered = begun.remembered
    return {
        "sitting": str(attempt.sitting),
        "student": attempt.student,
        "attempt_token": token,
        "started_at": rfc3339(attempt.started_at),
        "now": rfc3339(begun.now),
        "deadline": begun.deadline.to_json(),
        "order": order_of(begun.paper.paper, attempt.seed).to_json(),
        "paper_digest": begun.paper.paper.digest,
        "answers": [
            {"question": question, "seq": answer.seq, **answer.answer.to_json()}
            for question, answer in sorted(remembered.saved.items())
        ],
        "highest_seq": remembered.highest_seq,
        "submitted_at": None if remembered.submitted_at is None else rfc3339(remembered.submitted_at),
    }


def _acknowledged(solver: Solver, attempt: Attempt, answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "seq": answer.seq,
        "received_at": rfc3339(answer.received_at),
        "receipt": receipts.sign(Receipt.of(attempt.sitting, answer), solver.keys),
    }


def _refused(asked: Asked, problem: Problem, path: str) -> dict[str, Any]:
    return {
        "question": asked.question,
        "seq": asked.body.get("seq"),
        "status": problem.kind.status,
        "problem": problem.body(instance=path),
    }


def _json(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _json_bytes(json.dumps(body, separators=(",", ":")).encode(), status=status, headers=headers)


def _json_bytes(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body,
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
