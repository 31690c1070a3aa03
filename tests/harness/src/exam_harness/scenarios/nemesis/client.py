"""A student's client under faults: it calls the platform by several routes and records every call and its response."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final

from exam_harness.oracle.instants import parse_rfc3339
from exam_harness.oracle.paper import PaperMismatchError, drawn_of, merge_papers
from exam_harness.oracle.transcript import ANSWER, LOGIN, START, SUBMIT, Call
from exam_harness.students.http import Connections, NoResponseError, Request, Response

GATEWAY: Final = "gateway"
_SOLVER_HOST: Final = "solver.localhost"
_WEB_HOST: Final = "localhost"
_STARTED: Final = {"started_at", "now", "deadline", "answers", "highest_seq", "submitted_at"}
"""The members of a started attempt that make a statement to the student."""


Clock = Callable[[], int]
"""The platform's time (µs): PostgreSQL runs on this machine, by a clock that the nemesis steps."""


@dataclass
class Login:
    """A student's login: the tokens, which change with each refresh."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment (µs) by the platform's clock, and by this machine's monotonic one, which no fault sets."""

    at: int
    steady: int


@dataclass
class Recorder:
    """What clients record: the calls of one sitting, and the paper that they were shown, by the platform's clock."""

    now: Clock
    calls: list[Call] = field(default_factory=list)
    paper: Mapping[str, Any] | None = None
    remarks: list[str] = field(default_factory=list)

    def moment(self) -> Moment:
        """This moment."""
        return Moment(self.now(), time.monotonic_ns() // 1_000)

    def show(self, paper: Mapping[str, Any]) -> None:
        """Record a paper as shown; all students of a sitting must be shown questions of the same one."""
        try:
            self.paper = merge_papers(self.paper or paper, paper)
        except PaperMismatchError as error:
            self.remarks.append(str(error))


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request's response, or None, and when it was sent and done."""

    response: Response | None
    sent: Moment
    done: Moment


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as a client sends it, once or several times."""

    question: int
    seq: int
    body: Mapping[str, Any]


class Client:
    """One student's client in one sitting.

    Args:
        student: the student's id.
        sitting: the sitting's id.
        login: the student's login.
        routes: the connections to each route: ``gateway``, and each solver by its name.
        recorder: receives every call.
        rng: draws the routes.
    """

    def __init__(
        self,
        student: int,
        sitting: str,
        login: Login,
        routes: Mapping[str, Connections],
        recorder: Recorder,
        rng: Random,
    ) -> None:
        self.student = student
        self.login = login
        self.token = ""
        self.seq = 0
        self.deadline: int | None = None
        self.questions: Sequence[Mapping[str, Any] | None] = ()
        self._path = f"/v1/sittings/{sitting}"
        self._routes = routes
        self._recorder = recorder
        self._rng = rng

    def route(self) -> str:
        """Draw a route: half of all calls pass the gateway, the others reach one solver directly."""
        if self._rng.random() < 0.5:
            return GATEWAY
        return self._rng.choice([name for name in self._routes if name != GATEWAY])

    async def start(self) -> Call:
        """Start or resume the attempt, once."""
        via = self.route()
        exchange = await self._send(via, "POST", f"{self._path}/attempt", self.login.access)
        response, body = exchange.response, _json(exchange.response)
        if response is not None and response.status in {200, 201}:
            self.token = body["attempt_token"]
            self.seq = max(self.seq, body["highest_seq"])
            self.questions = body["paper"]["questions"]
            self._recorder.show(body["paper"])
            self._adopt_deadline(body)
            body = {name: body[name] for name in _STARTED} | {"drawn": drawn_of(body["paper"])}
        return self._record(START, via, exchange, body)

    async def put(self, answer: Answer, *, via: str | None = None) -> Call:
        """Send one answer, once."""
        via = via or self.route()
        path = f"{self._path}/answers/{answer.question}"
        exchange = await self._send(via, "PUT", path, self.token, {"seq": answer.seq, **answer.body})
        body = _json(exchange.response)
        self._adopt_deadline(body)
        return self._record(ANSWER, via, exchange, body, answer)

    async def post(self, answers: list[Answer]) -> list[Call]:
        """Send several answers in one request, once."""
        via = self.route()
        items = [{"question": each.question, "seq": each.seq, **each.body} for each in answers]
        exchange = await self._send(via, "POST", f"{self._path}/answers", self.token, {"answers": items})
        body = _json(exchange.response)
        self._adopt_deadline(body)
        if "results" not in body:
            return [self._record(ANSWER, via, exchange, body, each) for each in answers]
        calls = []
        for answer, result in zip(answers, body["results"], strict=True):
            problem = result.get("problem", {})
            call = Call(
                verb=ANSWER,
                student=self.student,
                via=via,
                sent_at=exchange.sent.at,
                done_at=exchange.done.at,
                began=exchange.sent.steady,
                ended=exchange.done.steady,
                status=result["status"],
                problem=_slug(problem),
                body=problem or result,
                question=answer.question,
                seq=answer.seq,
                answer=answer.body,
            )
            self._recorder.calls.append(call)
            calls.append(call)
        return calls

    async def submit(self) -> Call:
        """Submit, once."""
        via = self.route()
        exchange = await self._send(via, "POST", f"{self._path}/submit", self.token)
        return self._record(SUBMIT, via, exchange, _json(exchange.response))

    async def refresh(self) -> Call:
        """Exchange the refresh token, once."""
        body = {"refresh": self.login.refresh}
        exchange = await self._send(GATEWAY, "POST", "/api/auth/refresh", None, body, host=_WEB_HOST)
        response, received = exchange.response, _json(exchange.response)
        if response is not None and response.status == 200:
            self.login.access, self.login.refresh = received["access"], received["refresh"]
            received = {}
        return self._record(LOGIN, GATEWAY, exchange, received)

    def _adopt_deadline(self, body: Mapping[str, Any]) -> None:
        deadline = body.get("deadline")
        if deadline and deadline["at"] is not None:
            self.deadline = parse_rfc3339(deadline["at"])

    async def _send(
        self, via: str, method: str, path: str, token: str | None, body: object = None, *, host: str = _SOLVER_HOST
    ) -> Exchange:
        headers = {"Host": host, "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = b"" if body is None else json.dumps(body).encode()
        sent = self._recorder.moment()
        try:
            response = await self._routes[via].exchange(Request(method, path, headers, content))
        except NoResponseError:
            return Exchange(None, sent, self._recorder.moment())
        return Exchange(response, sent, self._recorder.moment())

    def _record(
        self,
        verb: str,
        via: str,
        exchange: Exchange,
        body: Mapping[str, Any],
        answer: Answer | None = None,
    ) -> Call:
        call = Call(
            verb=verb,
            student=self.student,
            via=via,
            sent_at=exchange.sent.at,
            done_at=exchange.done.at,
            began=exchange.sent.steady,
            ended=exchange.done.steady,
            status=None if exchange.response is None else exchange.response.status,
            problem=_slug(body),
            body=body,
        )
        if answer is not None:
            call = replace(call, question=answer.question, seq=answer.seq, answer=answer.body)
        self._recorder.calls.append(call)
        return call


async def retry_after(call: Call) -> None:
    """Wait before a call without a definite outcome is sent again; short, because windows are short here."""
    await asyncio.sleep(0.3 if call.status is not None else 0.1)


def _json(response: Response | None) -> dict[str, Any]:
    if response is None or "json" not in response.headers.get("content-type", ""):
        return {}
    body: dict[str, Any] = json.loads(response.body)
    return body


def _slug(body: Mapping[str, Any]) -> str:
    return str(body.get("type", "")).rpartition("/")[2]
