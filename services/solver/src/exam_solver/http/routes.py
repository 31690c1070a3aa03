"""The routes: parse the request, call one service, write the response.

Bodies and parameters are declared in `schemas` and `openapi` for the documentation alone, and parsed and written by
hand: FastAPI's validation would cost time in each request, and the paper validates more than a schema can.
"""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from exam_core import receipts
from exam_core.answers import Answer
from exam_core.deadlines import personal_deadline
from exam_core.instants import rfc3339
from exam_core.problems import MEDIA_TYPE, Problem
from exam_core.receipts import Receipt
from exam_core.shuffle import order_of
from exam_core.tokens import Attempt, sign_attempt
from exam_runtime.metrics import CONTENT_TYPE, exposition
from exam_solver.attempts.admission import check_not_cancelled, deadline_of
from exam_solver.attempts.plan import AnswerRequest
from exam_solver.attempts.start import StartedAttempt
from exam_solver.container import Solver
from exam_solver.http import schemas
from exam_solver.http.addresses import client_address
from exam_solver.http.authentication import require_attempt, require_student, require_student_or_attempt
from exam_solver.http.bodies import parse_answers, parse_question_number, read_access_code, read_object
from exam_solver.http.conditional import accepts_gzip, etag_matches
from exam_solver.http.openapi import ACCESS, ATTEMPT, json_body, media_type_of, path_parameters, security

router = APIRouter()
SITTING = "/v1/sittings/{sitting:uuid}"
_PROBLEM = {MEDIA_TYPE: media_type_of(schemas.Problem)}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused; `detail` has the reason", "content": _PROBLEM},
    "5XX": {
        "description": "Unavailable; retry after Retry-After seconds",
        "content": {MEDIA_TYPE: media_type_of(schemas.Problem)},
    },
}


@router.post(
    SITTING + "/attempt",
    responses={200: {"model": schemas.AttemptBody}, 201: {"model": schemas.AttemptBody}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting") | security(ACCESS) | json_body(schemas.StartBody, required=False),
    tags=["student"],
)
async def start(request: Request) -> Response:
    """Start the attempt (201) or resume it (200): the paper, the saved answers, the deadline, the attempt token.

    A start needs the access code of a sitting that has one.
    """
    solver = _solver(request)
    access = require_student(request)
    sitting = request.path_params["sitting"]
    code = await read_access_code(request)
    started = await solver.starts.start_or_resume(access, sitting, address=client_address(request), code=code)
    attempt = Attempt(
        student=access.subject,
        sitting=sitting,
        started_at=started.start.started_at,
        seed=started.start.seed,
        session=access.session,
        issued_at=started.now,
    )
    body = json.dumps(_attempt_body(started, attempt, sign_attempt(attempt, solver.keys)), separators=(",", ":"))
    # The paper is canonical JSON: it is inserted without being parsed. Questions that were not drawn are null.
    content = b'%s,"paper":%s}' % (body[:-1].encode(), started.paper.body(attempt.seed))
    return _bytes_response(content, status=201 if started.created else 200)


@router.get(
    SITTING + "/paper",
    responses={200: {"model": dict[str, Any]}, 304: {}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting") | security(ATTEMPT),
    tags=["student"],
)
async def paper(request: Request) -> Response:
    """Return the paper in its canonical form; without drawn questions, its ETag is its digest."""
    solver = _solver(request)
    attempt = require_attempt(request)
    scheduled = solver.keeper.sitting(attempt.sitting)
    check_not_cancelled(scheduled)
    loaded = await solver.papers.paper(scheduled.paper)
    tag = loaded.tag(attempt.seed)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    if etag_matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    if accepts_gzip(request.headers.get("accept-encoding")):
        content = loaded.gzipped(attempt.seed)
        return Response(content, media_type="application/json", headers={**headers, "Content-Encoding": "gzip"})
    return Response(loaded.body(attempt.seed), media_type="application/json", headers=headers)


@router.get(
    SITTING + "/images/{sha256}",
    responses={200: {"content": {"image/*": {}}}, 304: {}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting", "sha256") | security(ATTEMPT),
    tags=["student"],
)
async def image(request: Request) -> Response:
    """Return an image of the paper; it never changes."""
    solver = _solver(request)
    sha256: str = request.path_params["sha256"]
    attempt = require_attempt(request)
    scheduled = solver.keeper.sitting(attempt.sitting)
    check_not_cancelled(scheduled)
    part = await solver.papers.image(scheduled.paper, sha256, seed=attempt.seed)
    headers = {
        "ETag": f'"{sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
        # An image that is opened as a document (SVG) runs no script.
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if etag_matches(request.headers.get("if-none-match"), sha256):
        return Response(status_code=304, headers=headers)
    return Response(part.data, media_type=part.content_type, headers=headers)


@router.put(
    SITTING + "/answers/{question}",
    responses={200: {"model": schemas.AcknowledgedBody}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting", "question") | security(ATTEMPT) | json_body(schemas.AnswerBody),
    tags=["student"],
)
async def put_answer(request: Request) -> Response:
    """Save one answer and return a receipt for it."""
    solver = _solver(request)
    attempt = require_attempt(request)
    answer = AnswerRequest(parse_question_number(request.path_params["question"]), await read_object(request))
    results = await solver.answers.save(attempt, [answer])
    [outcome] = results.outcomes
    if isinstance(outcome, Problem):
        raise outcome
    return _json_response(_acknowledged(solver, attempt, outcome) | {"deadline": results.deadline.to_json()})


@router.post(
    SITTING + "/answers",
    responses={200: {"model": schemas.ResultsBody}, 207: {"model": schemas.ResultsBody}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting") | security(ATTEMPT) | json_body(schemas.AnswersBody),
    tags=["student"],
)
async def post_answers(request: Request) -> Response:
    """Save a batch of answers: 200 if all are saved, 207 if some are, otherwise the first refusal."""
    solver = _solver(request)
    attempt = require_attempt(request)
    answers = parse_answers(await read_object(request))
    results = await solver.answers.save(attempt, answers)
    refusals = [outcome for outcome in results.outcomes if isinstance(outcome, Problem)]
    if len(refusals) == len(answers):
        raise refusals[0]
    bodies = [
        _refused(answer, outcome, request.url.path)
        if isinstance(outcome, Problem)
        else {"status": 200} | _acknowledged(solver, attempt, outcome)
        for answer, outcome in zip(answers, results.outcomes, strict=True)
    ]
    content = {"results": bodies, "deadline": results.deadline.to_json()}
    return _json_response(content, status=207 if refusals else 200)


@router.post(
    SITTING + "/submit",
    responses={200: {"model": schemas.SubmittedBody}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting") | security(ATTEMPT),
    tags=["student"],
)
async def submit(request: Request) -> Response:
    """Submit the attempt. It is a statement, not a lock: answers in time still count."""
    submitted_at, deadline = await _solver(request).answers.submit(require_attempt(request))
    return _json_response({"submitted_at": rfc3339(submitted_at), "deadline": deadline.to_json()})


@router.get(
    SITTING + "/time",
    responses={200: {"model": schemas.TimeBody}, **PROBLEM_RESPONSES},
    openapi_extra=path_parameters("sitting") | security(ACCESS, ATTEMPT),
    tags=["student"],
)
async def get_time(request: Request) -> Response:
    """Return the platform's time and the window; with an attempt token the personal deadline too."""
    principal = require_student_or_attempt(request)
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
    return _json_response(body)


@router.get("/v1/keys", responses={200: {"model": schemas.KeySet}}, tags=["anyone"])
async def keys(request: Request) -> Response:
    """Return the public keys that verify receipts."""
    return _json_response(_solver(request).keys.public.to_jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.get("/healthz", responses={200: {"model": schemas.HealthBody}, 503: {"model": schemas.HealthBody}})
async def healthz(request: Request) -> Response:
    """Liveness of this process."""
    status, body = _solver(request).health.live()
    return _json_response(body, status=status)


@router.get("/readyz", responses={200: {"model": schemas.HealthBody}, 503: {"model": schemas.HealthBody}})
async def readyz(request: Request) -> Response:
    """Readiness: whether this process can save answers now."""
    status, body = await _solver(request).health.ready()
    return _json_response(body, status=status)


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """The metrics of this process in Prometheus' text format."""
    return Response(exposition(_solver(request).metrics.registry), headers={"Content-Type": CONTENT_TYPE})


def _solver(request: Request) -> Solver:
    solver: Solver = request.app.state.solver
    return solver


def _attempt_body(started: StartedAttempt, attempt: Attempt, token: str) -> dict[str, Any]:
    cached, questions = started.cached, started.paper.paper.questions
    drawn = started.paper.drawn(attempt.seed)
    return {
        "sitting": str(attempt.sitting),
        "student": attempt.student,
        "attempt_token": token,
        "started_at": rfc3339(attempt.started_at),
        "now": rfc3339(started.now),
        "deadline": started.deadline.to_json(),
        "order": order_of(started.paper.paper, attempt.seed).to_json(),
        "paper_digest": started.paper.paper.digest,
        "answers": [
            {"question": question, "seq": answer.seq, **questions[question].half.shown(answer.answer)}
            for question, answer in sorted(cached.saved.items())
            if drawn is None or question in drawn
        ],
        "highest_seq": cached.highest_seq,
        "submitted_at": None if cached.submitted_at is None else rfc3339(cached.submitted_at),
    }


def _acknowledged(solver: Solver, attempt: Attempt, answer: Answer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "seq": answer.seq,
        "received_at": rfc3339(answer.received_at),
        "receipt": receipts.sign(Receipt.of(attempt.sitting, answer), solver.keys),
    }


def _refused(answer: AnswerRequest, problem: Problem, path: str) -> dict[str, Any]:
    return {
        "question": answer.question,
        "seq": answer.body.get("seq"),
        "status": problem.kind.status,
        "problem": problem.body(instance=path),
    }


def _json_response(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return _bytes_response(json.dumps(body, separators=(",", ":")).encode(), status=status, headers=headers)


def _bytes_response(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body,
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **(headers or {})},
    )
