"""A device's way to the platform: slow, uneven, losing responses after requests have arrived."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from exam_harness.students.http import LostError, Request, Response
from exam_harness.students.profile import Traits

WEB = "localhost"
SOLVER = "solver.localhost"
SERVER_ERROR = 500
BUSY = {502, 503, 504}
"""Statuses after which the same request may succeed."""
WAITS = {"sitting-paused", "not-open-yet", "too-many-requests"}
"""Problems that time cures."""
PERHAPS_LATE = "more time may have been granted since this solver last heard"
"""What a solver that has heard nothing for seconds says to who seems late; nobody who is in time may hear it."""
_TRIES = 60
_PAUSE = 0.5
_LONGEST = 1.5
_HANG_UP = 0.05
"""Within so many seconds a connection that fails is gone: sometimes before the platform acted, sometimes after."""


class GaveUpError(Exception):
    """A student could not go on: the platform refused, or did not answer for long, what it should do for anybody."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as far as students look at it."""

    status: int
    body: Any
    retry_after: float | None
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def problem(self) -> str:
        """The slug of the problem it states; empty when it states none."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return str(kind).rpartition("/")[2]

    def __str__(self) -> str:
        """The status and, of a problem, what it says."""
        detail = self.body.get("detail", "") if isinstance(self.body, dict) else ""
        return f"{self.status} {self.problem} {detail}".rstrip()


class Exchange(Protocol):
    """Sends one request and gives its response (`http.Connections.exchange`)."""

    async def __call__(self, request: Request, *, hang_up: float | None = None) -> Response:
        """Raises LostError when no response came."""


class Gateway:
    """The platform's one address; hosts are told apart by name, dialled on loopback."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.seconds: list[float] = []
        """How long each answered call took, for the report."""
        self.failures: list[str] = []
        """Calls that the platform failed, not a student's network: no response, or refused for reasons of its own."""

    async def call(
        self,
        method: str,
        host: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        hang_up: float | None = None,
    ) -> Reply:
        """One request and its response.

        Raises:
            LostError: no response came.
        """
        headers = {"Host": host, "Accept-Encoding": "gzip"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = b"" if body is None else json.dumps(body).encode()
        began = time.monotonic()
        try:
            response = await self._exchange(Request(method, path, headers, content), hang_up=hang_up)
        except LostError as error:
            if hang_up is None:
                self.failures.append(f"{method} {path}: {error!r}")
            raise
        self.seconds.append(time.monotonic() - began)
        reply = _reply(response)
        if reply.status >= SERVER_ERROR:
            self.failures.append(f"{method} {path}: {reply}")
        return reply


class Calls(Protocol):
    """Whoever makes calls: the gateway itself, or a student's network in front of it."""

    async def call(self, method: str, host: str, path: str, *, token: str | None = None, body: object = None) -> Reply:
        """Raises LostError when no response came."""


async def surely(
    calls: Calls, method: str, host: str, path: str, *, token: str | None = None, body: object = None
) -> Reply:
    """A call that is safe to repeat, repeated while responses are lost or the platform asks to come back later.

    Raises:
        GaveUpError: it was not answered for good.
    """
    for _ in range(_TRIES):
        wait = _PAUSE
        try:
            reply = await calls.call(method, host, path, token=token, body=body)
        except LostError:
            pass
        else:
            if reply.status not in BUSY and reply.problem not in WAITS:
                return reply
            wait = _PAUSE if reply.retry_after is None else reply.retry_after
        await asyncio.sleep(wait)
    raise GaveUpError(f"{method} {path} was not answered after {_TRIES} tries")


class Wire:
    """One student's network in front of the gateway."""

    def __init__(self, gateway: Gateway, traits: Traits, chance: Random) -> None:
        self.gateway = gateway
        self._traits = traits
        self._chance = chance

    async def call(self, method: str, host: str, path: str, *, token: str | None = None, body: object = None) -> Reply:
        """A request through this network: late to arrive, late to come back, sometimes without a response.

        Raises:
            LostError: no response came.
        """
        await self._travel()
        lost = self._chance.uniform(0, _HANG_UP) if self._chance.random() < self._traits.loss else None
        reply = await self.gateway.call(method, host, path, token=token, body=body, hang_up=lost)
        await self._travel()
        return reply

    async def _travel(self) -> None:
        delay = self._traits.latency * self._chance.lognormvariate(0, self._traits.jitter)
        await asyncio.sleep(min(delay, _LONGEST))


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
