"""A minimal HTTP/1.1 client for students' devices: keep-alive connections to one address.

Hundreds of students share this machine with all servers of the platform. A full client library costs about 3 ms of
processor time per request here, this one a tenth of that; and only a raw socket can be closed at a chosen time right
after a request was sent.
"""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field

_BODILESS = {204, 304}


class NoResponseError(Exception):
    """No response was received: the outcome of the request is unknown."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `headers` without Content-Length, which `encode` adds."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    def encode(self) -> bytes:
        """The request's bytes."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        elif self.method in {"POST", "PUT", "PATCH"}:
            lines.append("Content-Length: 0")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, slots=True)
class Response:
    """A response; header names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Connections:
    """A pool of connections to one host and port, each used by one request at a time."""

    def __init__(self, host: str, port: int, *, seconds: float = 30) -> None:
        self._host = host
        self._port = port
        self._seconds = seconds
        self._idle: list[_Connection] = []

    async def exchange(self, request: Request, *, abort_after: float | None = None) -> Response:
        """Send a request and read its response; with `abort_after`, close so many seconds after sending instead.

        Raises:
            NoResponseError: no complete response was received.
        """
        try:
            async with asyncio.timeout(self._seconds):
                connection = await self._connect()
                try:
                    connection.writer.write(request.encode())
                    await connection.writer.drain()
                    response = await _read(connection.reader) if abort_after is None else await _abort(abort_after)
                except BaseException:
                    connection.writer.close()
                    raise
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
            raise NoResponseError(f"{request.method} {request.target}: {type(error).__name__} {error}") from error
        if response.headers.get("connection", "").lower() == "close":
            connection.writer.close()
        else:
            self._idle.append(connection)
        return response

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            connection = self._idle.pop()
            connection.writer.close()
            await connection.writer.wait_closed()

    async def _connect(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.reader.at_eof() and not connection.writer.is_closing():
                return connection
            connection.writer.close()
        return _Connection(*await asyncio.open_connection(self._host, self._port))


async def _abort(seconds: float) -> Response:
    await asyncio.sleep(seconds)
    raise NoResponseError("connection aborted")


async def _read(reader: asyncio.StreamReader) -> Response:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ", 2)[1])
    headers: dict[str, str] = {}
    for line in head[1:-2]:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = b"" if status in _BODILESS else await _read_body(reader, headers)
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Response(status, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks: list[bytes] = []
        while size := int((await reader.readline()).partition(b";")[0], 16):
            chunks.append(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
        return b"".join(chunks)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()
