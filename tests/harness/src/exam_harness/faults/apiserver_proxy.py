"""A proxy of the API server that injects faults: crashes at a request, error responses, delays, broken watches.

It sits between one client and the API server, serves a certificate signed by the cluster's CA, and forwards every
request and response unchanged except for the faults that a test configures.
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
MAX_BODY_BYTES = 64 * 1024 * 1024

LEASES = "leases"
REPEATED = frozenset({LEASES, "horizontalpodautoscalers", "poddisruptionbudgets"})
"""Resources whose changes are not counted unless asked for, because their number depends on the time alone: a Lease is
renewed, and each resync applies autoscalers and budgets whole."""

Matcher = Callable[[ApiRequest], bool]


class When(StrEnum):
    """Whether a hook runs before or after a request is forwarded."""

    BEFORE = "before"
    AFTER = "after"


class WatchMode(StrEnum):
    """How events of watches are forwarded."""

    NORMAL = "normal"
    SILENT = "silent"
    DUPLICATED = "duplicated"


@dataclass(kw_only=True)
class MutationHook:
    """An action at the n-th mutating request, counted from 1; its connection is aborted without a response."""

    number: int
    when: When
    action: Callable[[], object]
    counted: Matcher
    triggered_by: ApiRequest | None = None


def _is_not_repeated(request: ApiRequest) -> bool:
    return request.resource not in REPEATED


@dataclass(kw_only=True)
class ErrorResponse:
    """An error response that replaces the API server's, a number of times."""

    matches: Matcher
    code: int
    times: int
    retry_after: int | None = None


@dataclass(kw_only=True)
class Delay:
    """A delay before a matching request is forwarded."""

    matches: Matcher
    seconds: float


@dataclass(kw_only=True)
class RecordedRequest:
    """A request and the status of its response; None if there was no response."""

    request: ApiRequest
    status: int | None = None


@dataclass(eq=False)
class _Watch:
    transport: asyncio.WriteTransport
    expire: asyncio.Event = field(default_factory=asyncio.Event)


class FaultProxy:
    """The proxy; a context manager, with members that any thread may use.

    Args:
        control_plane: the control plane to which requests are forwarded.
    """

    def __init__(self, control_plane: ControlPlane) -> None:
        self._upstream = control_plane.url
        self._upstream_tls = ssl.create_default_context(cafile=str(control_plane.authority))
        pair = control_plane.serving_certificate("fault-proxy")
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server_tls.load_cert_chain(pair.certificate, pair.key)
        self._port, *_ = free_ports(1)
        self.url = f"https://127.0.0.1:{self._port}"
        self.requests: list[RecordedRequest] = []
        self.mutations = 0
        self.error_responses: list[ErrorResponse] = []
        self.delays: list[Delay] = []
        self.watch_mode = WatchMode.NORMAL
        self.hook: MutationHook | None = None
        self._open: set[_Watch] = set()
        self._started, self._stop = Event(), asyncio.Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), name="fault-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._started.wait(START_SECONDS):
            raise HarnessError("the fault proxy did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)

    def on_mutation(
        self, number: int, when: When, action: Callable[[], object], *, counted: Matcher | None = None
    ) -> MutationHook:
        """Run an action before or after the n-th mutating request from now; the hook records the request.

        Without `counted`, all are counted but those of `REPEATED`.
        """
        self.mutations = 0
        self.hook = MutationHook(number=number, when=when, action=action, counted=counted or _is_not_repeated)
        return self.hook

    @property
    def watching(self) -> int:
        """The number of open watches."""
        return len(self._open)

    def drop_watches(self) -> None:
        """Abort the connection of every open watch."""
        for watch in set(self._open):
            self._loop.call_soon_threadsafe(watch.transport.abort)

    def expire_watches(self) -> None:
        """End every open watch with an ERROR event: its resource version is too old (410)."""
        for watch in set(self._open):
            self._loop.call_soon_threadsafe(watch.expire.set)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession(auto_decompress=False, trust_env=False) as self._session:
            app = web.Application(client_max_size=MAX_BODY_BYTES)
            app.router.add_route("*", "/{path:.*}", self._handle)
            # Cancel the handler of a client that was killed.
            runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=self._server_tls).start()
                self._started.set()
                await self._stop.wait()
            finally:
                await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        api_request = ApiRequest.parse(
            request.method, request.path, request.query, request.headers.get("Content-Type", "")
        )
        record = RecordedRequest(request=api_request)
        self.requests.append(record)
        body = await request.read()
        for delay in self.delays:
            if delay.matches(api_request):
                await asyncio.sleep(delay.seconds)
        if (error := self._error_response(api_request)) is not None:
            record.status = error.status
            return error
        hook = self._triggered_hook(api_request)
        if hook is not None and hook.when is When.BEFORE:
            return await self._run_hook(hook, api_request, request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        url = self._upstream + request.raw_path
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=body or None,
            ssl=self._upstream_tls,
            timeout=aiohttp.ClientTimeout(),
            skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
        ) as upstream:
            record.status = upstream.status
            if "watch" in api_request.verbs and upstream.status == HTTPStatus.OK:
                return await self._forward_watch(request, upstream)
            content = await upstream.read()
            if hook is not None:
                return await self._run_hook(hook, api_request, request)
            return web.Response(status=upstream.status, body=content, headers=_end_to_end(upstream))

    def _error_response(self, api_request: ApiRequest) -> web.Response | None:
        for error in self.error_responses:
            if error.times > 0 and error.matches(api_request):
                error.times -= 1
                headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
                return web.json_response(_status(error.code), status=error.code, headers=headers)
        return None

    def _triggered_hook(self, api_request: ApiRequest) -> MutationHook | None:
        hook = self.hook
        counted = _is_not_repeated if hook is None else hook.counted
        if not api_request.mutating or not counted(api_request):
            return None
        self.mutations += 1
        return hook if hook is not None and hook.triggered_by is None and hook.number == self.mutations else None

    async def _run_hook(self, hook: MutationHook, api_request: ApiRequest, request: web.Request) -> web.Response:
        hook.triggered_by = api_request
        await asyncio.to_thread(hook.action)
        _transport(request).abort()
        return web.Response()

    async def _forward_watch(self, request: web.Request, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status, headers=_end_to_end(upstream))
        await response.prepare(request)
        watch = _Watch(_transport(request))
        self._open.add(watch)
        try:
            # The client may disconnect at any line.
            with suppress(ConnectionError):
                async for line in _lines(upstream, watch.expire):
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
        raise ConnectionError("the client has disconnected")
    return request.transport


async def _lines(upstream: aiohttp.ClientResponse, until: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield the lines of a response as they arrive, until its end or until an event is set."""
    rest = b""
    stopped = asyncio.create_task(until.wait())
    try:
        while True:
            read = asyncio.create_task(upstream.content.readany())
            try:
                await asyncio.wait({read, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not read.done():
                    return
            finally:
                # Also when this generator is closed because the client has disconnected.
                read.cancel()
            if not (chunk := read.result()):
                return
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line + b"\n"
    finally:
        stopped.cancel()


def _end_to_end(upstream: aiohttp.ClientResponse) -> CIMultiDict[str]:
    return CIMultiDict((name, value) for name, value in upstream.headers.items() if name.lower() not in HOP_BY_HOP)


def _status(code: int) -> dict[str, object]:
    """Return a Status object as the API server's error responses have it."""
    reasons = {
        401: "Unauthorized",
        403: "Forbidden",
        404: "NotFound",
        409: "Conflict",
        410: "Expired",
        429: "TooManyRequests",
        500: "InternalError",
        503: "ServiceUnavailable",
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"injected fault ({code})",
        "reason": reasons[code],
        "code": code,
    }
