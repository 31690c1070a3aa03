"""A student's network: delays, jitter, and responses lost after their requests have arrived."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from exam_harness.hosts import LOCAL, Hosts
from exam_harness.students.http import NoResponseError, Request, Response
from exam_harness.students.profile import Profile

WEB = "web"
SOLVER = "solver"
SERVER_ERROR = 500
RETRYABLE_STATUSES = {502, 503, 504}
"""Statuses after which the same request may succeed."""
RETRYABLE_PROBLEMS = {"sitting-paused", "not-open-yet", "too-many-requests"}
"""Problems that resolve themselves with time."""
POSSIBLY_LATE = "this solver's schedule is out of date and more time may have been granted"
"""A solver with a stale lease responds so to an answer that seems late; an answer in time must never receive it."""
DECIDED_BY_SEAL = "may have been saved in time"
"""A solver that finds an answer in the log while the sitting is closing responds so until the sitting is sealed."""
_ATTEMPTS = 60
_RETRY_DELAY = 0.5
_MAX_DELAY = 1.5
_ABORT_WITHIN = 0.05
"""A failing connection closes within so many seconds: sometimes before the platform acted, sometimes after."""


class StudentError(Exception):
    """A student cannot continue: the platform rejected a valid request, or did not respond to its retries."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as far as students use it."""

    status: int
    body: Any
    retry_after: float | None
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def problem(self) -> str:
        """The slug of the response's problem type; empty when it has none."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return str(kind).rpartition("/")[2]

    def __str__(self) -> str:
        """The status and, for a problem, its slug and detail."""
        detail = self.body.get("detail", "") if isinstance(self.body, dict) else ""
        return f"{self.status} {self.problem} {detail}".rstrip()


class Exchange(Protocol):
    """Sends one request and returns its response (`http.Connections.exchange`)."""

    async def __call__(self, request: Request, *, abort_after: float | None = None) -> Response:
        """Raises NoResponseError when no response was received."""


class Gateway:
    """A client of the platform's gateway; one address, where the Host header selects web or solver.

    Args:
        exchange: sends a request.
        hosts: the platform's host names.
    """

    def __init__(self, exchange: Exchange, hosts: Hosts = LOCAL) -> None:
        self._exchange = exchange
        self._hosts = {WEB: hosts.web, SOLVER: hosts.solver}
        self.latencies: list[float] = []
        """Seconds that each answered call took, for the report."""
        self.failures: list[str] = []
        """Calls that failed at the platform, not in a student's network: no response, or a server error."""

    async def call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        abort_after: float | None = None,
    ) -> Reply:
        """Send one request to WEB or SOLVER and return its response.

        Raises:
            NoResponseError: no response was received.
        """
        headers = {"Host": self._hosts[service], "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = b"" if body is None else json.dumps(body).encode()
        started = time.monotonic()
        try:
            response = await self._exchange(Request(method, path, headers, content), abort_after=abort_after)
        except NoResponseError as error:
            if abort_after is None:
                self.failures.append(f"{method} {path}: {error!r}")
            raise
        self.latencies.append(time.monotonic() - started)
        reply = _reply(response)
        if reply.status >= SERVER_ERROR:
            self.failures.append(f"{method} {path}: {reply}")
        return reply


class Caller(Protocol):
    """Sends calls: the gateway itself, or a student's network in front of it."""

    async def call(
        self, method: str, service: str, path: str, *, token: str | None = None, body: object = None
    ) -> Reply:
        """Raises NoResponseError when no response was received."""


async def call_with_retries(
    caller: Caller, method: str, service: str, path: str, *, token: str | None = None, body: object = None
) -> Reply:
    """Send an idempotent call until it has a final response: retry lost responses and honour Retry-After.

    Raises:
        StudentError: no final response was received.
    """
    for _ in range(_ATTEMPTS):
        delay = _RETRY_DELAY
        try:
            reply = await caller.call(method, service, path, token=token, body=body)
        except NoResponseError:
            pass
        else:
            if reply.status not in RETRYABLE_STATUSES and reply.problem not in RETRYABLE_PROBLEMS:
                return reply
            delay = _RETRY_DELAY if reply.retry_after is None else reply.retry_after
        await asyncio.sleep(delay)
    raise StudentError(f"{method} {path} got no final response after {_ATTEMPTS} attempts")


class StudentNetwork:
    """One student's network in front of the gateway."""

    def __init__(self, gateway: Gateway, profile: Profile, rng: Random) -> None:
        self.gateway = gateway
        self._profile = profile
        self._rng = rng

    async def call(
        self, method: str, service: str, path: str, *, token: str | None = None, body: object = None
    ) -> Reply:
        """Send a request with this network's delays and losses.

        Raises:
            NoResponseError: no response was received.
        """
        await self._delay()
        lost = self._rng.random() < self._profile.response_loss
        abort_after = self._rng.uniform(0, _ABORT_WITHIN) if lost else None
        reply = await self.gateway.call(method, service, path, token=token, body=body, abort_after=abort_after)
        await self._delay()
        return reply

    async def _delay(self) -> None:
        delay = self._profile.latency * self._rng.lognormvariate(0, self._profile.jitter)
        await asyncio.sleep(min(delay, _MAX_DELAY))


def _reply(response: Response) -> Reply:
    kind = response.headers.get("content-type", "")
    after = response.headers.get("retry-after", "")
    return Reply(
        status=response.status,
        body=json.loads(response.body) if "json" in kind else None,
        retry_after=float(after) if after.isdecimal() else None,
        headers=response.headers,
        content=response.body,
    )
