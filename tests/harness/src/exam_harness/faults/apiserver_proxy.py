"""A way to the API server on which things go wrong as a test wishes: kills, error_responses, delays, watches gone bad.

It stands between one client and the API server, with a certificate that the cluster's authority signed, and passes
everything on as it is but for the faults it was asked for.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from threading import Event, Thread
from typing import Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from exam_harness.environments.control_plane.api_request import ApiRequest
from exam_harness.environments.control_plane.control_plane import ControlPlane
from exam_harness.environments.processes.ports import free_ports
from exam_harness.environments.processes.process import HarnessError

START_SECONDS = 10
HOP_BY_HOP = frozenset({"host", "connection", "content-length", "transfer-encoding", "date"})
LARGEST = 64 * 1024 * 1024

Which = Callable[[ApiRequest], bool]


class When(StrEnum):
    """On which side of a request something happens."""

    BEFORE = "before"
    AFTER = "after"


class WatchMode(StrEnum):
    """How watches behave."""

    NORMAL = "normal"
    SILENT = "silent"
    DUPLICATED = "duplicated"


@dataclass(kw_only=True)
class MutationHook:
    """Something that happens at a mutating request, counted from 1; who sent it never gets an answer."""

    number: int
    when: When
    act: Callable[[], object]
    caught: ApiRequest | None = None


@dataclass(kw_only=True)
class ErrorResponse:
    """An answer that is given instead of the API server's, so many times."""

    which: Which
    code: int
    times: int
    retry_after: int | None = None


@dataclass(kw_only=True)
class Delay:
    """How long a request waits before it is passed on."""

    which: Which
    seconds: float


@dataclass(kw_only=True)
class RecordedRequest:
    """A request that came by and the status that it got; None when it got no answer."""

    request: ApiRequest
    status: int | None = None


@dataclass(eq=False)
class _Watch:
    transport: asyncio.WriteTransport
    expire: asyncio.Event = field(default_factory=asyncio.Event)


class FaultProxy:
    """The proxy; use as a context manager, and its members from any thread.

    Args:
        control_plane: where requests go.
    """

    def __init__(self, control_plane: ControlPlane) -> None:
        self._upstream = control_plane.url
        self._trusts = ssl.create_default_context(cafile=str(control_plane.authority))
        pair = control_plane.serving_certificate("fault-proxy")
        self._serves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._serves.load_cert_chain(pair.certificate, pair.key)
        self._port, *_ = free_ports(1)
        self.url = f"https://127.0.0.1:{self._port}"
        self.requests: list[RecordedRequest] = []
        self.mutations = 0
        self.error_responses: list[ErrorResponse] = []
        self.delays: list[Delay] = []
        self.watch_mode = WatchMode.NORMAL
        self.trap: MutationHook | None = None
        self._open: set[_Watch] = set()
        self._started, self._stop = Event(), asyncio.Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise HarnessError("the fault proxy does not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    def on_mutation(self, number: int, when: When, act: Callable[[], object]) -> MutationHook:
        """Do something before or after the so-manieth mutating request from now; what becomes of it is in the trap."""
        self.mutations = 0
        self.trap = MutationHook(number=number, when=when, act=act)
        return self.trap

    @property
    def watching(self) -> int:
        """How many watches last: those that can be dropped or expire."""
        return len(self._open)

    def drop_watches(self) -> None:
        """Cut every watch that lasts, without a word."""
        for watch in set(self._open):
            self._loop.call_soon_threadsafe(watch.transport.abort)

    def expire_watches(self) -> None:
        """End every watch that lasts with the word that its version is too old (410)."""
        for watch in set(self._open):
            self._loop.call_soon_threadsafe(watch.expire.set)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(auto_decompress=False, trust_env=False) as self._session:
            app = web.Application(client_max_size=LARGEST)
            app.router.add_route("*", "/{path:.*}", self._handle)
            # A client that is killed takes its request with it.
            runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._serves).start()
                self._started.set()
                await self._stop.wait()
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = ApiRequest.read(request.method, request.path, request.query, request.headers.get("Content-Type", ""))
        passed = RecordedRequest(request=asked)
        self.requests.append(passed)
        body = await request.read()
        for slow in self.delays:
            if slow.which(asked):
                await asyncio.sleep(slow.seconds)
        if (refused := self._refused(asked)) is not None:
            passed.status = refused.status
            return refused
        caught = self._caught(asked)
        if caught is not None and caught.when is When.BEFORE:
            return await self._spring(caught, asked, request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = self._upstream + request.raw_path
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=body or None,
            ssl=self._trusts,
            timeout=aiohttp.ClientTimeout(),
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
        ) as answer:
            passed.status = answer.status
            if "watch" in asked.verbs and answer.status == HTTPStatus.OK:
                return await self._pass_watch(request, answer)
            content = await answer.read()
            if caught is not None:
                return await self._spring(caught, asked, request)
            return web.Response(status=answer.status, body=content, headers=_end_to_end(answer))

    def _refused(self, asked: ApiRequest) -> web.Response | None:
        for refusal in self.error_responses:
            if refusal.times > 0 and refusal.which(asked):
                refusal.times -= 1
                after = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
                return web.json_response(_status(refusal.code), status=refusal.code, headers=after)
        return None

    def _caught(self, asked: ApiRequest) -> MutationHook | None:
        if not asked.mutating:
            return None
        self.mutations += 1
        trap = self.trap
        return trap if trap is not None and trap.caught is None and trap.number == self.mutations else None

    async def _spring(self, trap: MutationHook, asked: ApiRequest, request: web.Request) -> web.Response:
        trap.caught = asked
        await asyncio.to_thread(trap.act)
        _transport(request).abort()
        return web.Response()

    async def _pass_watch(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_end_to_end(answer))
        await response.prepare(request)
        watch = _Watch(_transport(request))
        self._open.add(watch)
        try:
            # Whoever watches may be gone at any line.
            with suppress(ConnectionError):
                async for line in _lines(answer, watch.expire):
                    if self.watch_mode is WatchMode.SILENT:
                        continue
                    await response.write(line * (2 if self.watch_mode is WatchMode.DUPLICATED else 1))
                if watch.expire.is_set():
                    gone = {"type": "ERROR", "object": _status(HTTPStatus.GONE)}
                    await response.write(json.dumps(gone).encode() + b"\n")
                await response.write_eof()
        finally:
            self._open.discard(watch)
        return response


def _transport(request: web.Request) -> asyncio.WriteTransport:
    if request.transport is None:
        raise ConnectionError("whoever asked is gone")
    return request.transport


async def _lines(answer: aiohttp.ClientResponse, until: asyncio.Event) -> AsyncIterator[bytes]:
    """The lines of an answer as they come, to its end or until something happens."""
    rest = b""
    over = asyncio.create_task(until.wait())
    try:
        while True:
            read = asyncio.create_task(answer.content.readany())
            try:
                await asyncio.wait({read, over}, return_when=asyncio.FIRST_COMPLETED)
                if not read.done():
                    return
            finally:
                # Also when whoever watches is gone: nobody else asks for what becomes of it.
                read.cancel()
            if not (chunk := read.result()):
                return
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line + b"\n"
    finally:
        over.cancel()


def _end_to_end(answer: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP)


def _status(code: int) -> dict[str, object]:
    """What the API server says when it refuses."""
    reasons = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"a fault that was asked for ({code})",
        "reason": reasons[code],
        "code": code,
    }
