"""A device's way to the platform: slow, uneven, losing responses after requests have arrived."""

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any, Self

import httpx

from exam_support.students.traits import Traits

WEB = "localhost"
SOLVER = "solver.localhost"
_LOST = httpx.Timeout(30, read=0.001)
"""Hangs up as soon as the request is on its way: it arrives, its response does not."""
_LONGEST = 1.5


class LostError(Exception):
    """No response came: whether the request did anything is not known."""


class GaveUpError(Exception):
    """A student could not go on: the platform refused, or did not answer for long, what it should do for anybody."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as far as students look at it."""

    status: int
    body: Any
    retry_after: float | None
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def problem(self) -> str:
        """The slug of the problem it states; empty when it states none."""
        kind = self.body.get("type", "") if isinstance(self.body, dict) else ""
        return str(kind).rpartition("/")[2]


class Gateway:
    """The platform's one address; hosts are told apart by name, dialled on loopback."""

    def __init__(
        self, address: str, *, connections: int = 100, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=address,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            timeout=30,
            trust_env=False,
            transport=transport,
        )
        self.seconds: list[float] = []
        """How long each answered call took, for the report."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(
        self,
        method: str,
        host: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
        hang_up: bool = False,
    ) -> Reply:
        """One request and its response.

        Raises:
            LostError: no response came.
        """
        sent = {"Host": host, **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        began = time.monotonic()
        try:
            response = await self._http.request(
                method,
                path,
                headers=sent,
                json=body,
                timeout=_LOST if hang_up else httpx.USE_CLIENT_DEFAULT,
            )
        except httpx.TransportError as error:
            raise LostError(f"{method} {path}: {type(error).__name__} {error}") from error
        self.seconds.append(time.monotonic() - began)
        return _reply(response)


class Wire:
    """One student's network in front of the gateway."""

    def __init__(self, gateway: Gateway, traits: Traits, chance: Random) -> None:
        self.gateway = gateway
        self._traits = traits
        self._chance = chance

    async def call(self, method: str, host: str, path: str, **how: Any) -> Reply:
        """A request through this network: late to arrive, late to come back, sometimes without a response.

        Raises:
            LostError: no response came.
        """
        await self._travel()
        lost = self._chance.random() < self._traits.loss
        reply = await self.gateway.call(method, host, path, hang_up=lost, **how)
        await self._travel()
        return reply

    async def _travel(self) -> None:
        delay = self._traits.latency * self._chance.lognormvariate(0, self._traits.jitter)
        await asyncio.sleep(min(delay, _LONGEST))


def _reply(response: httpx.Response) -> Reply:
    kind = response.headers.get("content-type", "")
    after = response.headers.get("retry-after", "")
    return Reply(
        status=response.status_code,
        body=response.json() if "json" in kind else None,
        retry_after=float(after) if after.isdecimal() else None,
        headers=response.headers,
        content=response.content,
    )
