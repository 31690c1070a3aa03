"""A TCP proxy between one client and one server that delays, cuts, resets or mutes their connections.

All proxies of a run share one event loop in a thread of its own, so that a blocked main thread delays no byte.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self, TypeVar

HOST: Final = "127.0.0.1"
CHUNK_BYTES: Final = 65_536
START_SECONDS: Final = 10
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with a timeout of zero: closing sends RST instead of FIN."""

T = TypeVar("T")


class LinkFault(StrEnum):
    """How a link misbehaves."""

    DELAY = "delay"
    """Every chunk arrives later, in both directions."""
    CUT = "cut"
    """Nothing arrives until the link heals; connections stay open, as when packets are dropped."""
    RESET = "reset"
    """Connections are reset, new ones too."""
    MUTE = "mute"
    """Requests arrive, responses do not; the connections are reset when the link heals."""


class ProxyLoop:
    """The event loop of all proxies, in a thread of its own; a context manager that stops its servers at the end."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxies", daemon=True)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_SECONDS)

    def listen(
        self,
        serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
        port: int,
        host: str = HOST,
    ) -> None:
        """Serve connections on a port of a loopback address."""

        async def serve_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            finally:
                await _close(writer)

        self._servers.append(self.run(asyncio.start_server(serve_and_close, host, port)))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        # A connection that was accepted just now starts a task of its own in the next iteration.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class TcpProxy:
    """Forwards connections from a port to a server's port until a fault is set.

    Args:
        loop: the loop that it runs in.
        name: its name in messages, such as ``solver-1→postgres``.
        port: the port that it listens on.
        upstream: the server's port.
        host: the address that it listens at.
        upstream_host: the server's address.
    """

    def __init__(
        self,
        loop: ProxyLoop,
        name: str,
        *,
        port: int,
        upstream: int,
        host: str = HOST,
        upstream_host: str = HOST,
    ) -> None:
        self.name = name
        self.port = port
        self._loop = loop
        self._host = host
        self._upstream = (upstream_host, upstream)
        self._connections: set[_Connection] = set()
        self._fault: LinkFault | None = None
        self._delay = 0.0
        self._passing = asyncio.Event()
        self._passing.set()

    def start(self) -> None:
        """Start listening."""
        self._loop.listen(self._serve, self.port, self._host)

    def inject(self, fault: LinkFault, *, delay: float = 0.0) -> None:
        """Let the link misbehave from now on; `delay` is in seconds and belongs to DELAY."""
        self._loop.run(self._inject(fault, delay))

    def heal(self) -> None:
        """Forward again."""
        self._loop.run(self._heal())

    async def _inject(self, fault: LinkFault, delay: float) -> None:
        self._fault, self._delay = fault, delay
        if fault is LinkFault.CUT:
            self._passing.clear()
        else:
            self._passing.set()
        if fault is LinkFault.RESET:
            self._reset_all()

    async def _heal(self) -> None:
        if self._fault is LinkFault.MUTE:
            self._reset_all()
        self._fault, self._delay = None, 0.0
        self._passing.set()

    def _reset_all(self) -> None:
        for connection in list(self._connections):
            connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        self._connections.add(connection)
        try:
            await self._forward_both(connection, reader)
        finally:
            self._connections.discard(connection)

    async def _forward_both(self, connection: "_Connection", reader: asyncio.StreamReader) -> None:
        await self._passing.wait()
        if self._fault is LinkFault.RESET:
            connection.reset()
            return
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            connection.reset()
            return
        connection.writers.append(upstream_writer)
        requests = asyncio.create_task(self._forward(reader, upstream_writer, responses=False))
        responses = asyncio.create_task(self._forward(upstream_reader, connection.writers[0], responses=True))
        try:
            await asyncio.wait({requests, responses}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            upstream_writer.close()
            for task in (requests, responses):
                task.cancel()
            await asyncio.gather(requests, responses, return_exceptions=True)
            await _close(upstream_writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, responses: bool) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._passing.wait()
                if self._delay:
                    await asyncio.sleep(self._delay)
                if responses and self._fault is LinkFault.MUTE:
                    continue
                writer.write(chunk)
                await writer.drain()
            await self._passing.wait()


class _Connection:
    """The sockets of one forwarded connection: the client's, then the server's."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.writers = [client]

    def reset(self) -> None:
        for writer in self.writers:
            if not writer.is_closing():
                endpoint: socket.socket = writer.get_extra_info("socket")
                endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                writer.transport.abort()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
