"""The students' HTTP client against a scripted server on the loopback interface."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from exam_harness.students.http import Connections, NoResponseError, Request

GET = Request("GET", "/x", {"Host": "here"})


class Server:
    """Sends a scripted response for each request, and records the requests."""

    def __init__(self) -> None:
        self.responses: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; an empty response closes it."""
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                response = self.responses.pop(0)
                writer.write(response)
                if not response:
                    break
        except asyncio.IncompleteReadError:
            # The client closed the connection.
            return
        finally:
            writer.close()


@pytest.fixture
def server() -> Server:
    """The server that the client connects to."""
    return Server()


@pytest.fixture
async def connections(server: Server) -> AsyncIterator[Connections]:
    """A client of that server."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    client = Connections("127.0.0.1", listening.sockets[0].getsockname()[1], seconds=5)
    yield client
    await client.close()
    listening.close()
    await listening.wait_closed()


async def test_a_connection_is_reused(server: Server, connections: Connections) -> None:
    """Consecutive requests use one connection."""
    server.responses = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"HTTP/1.1 204 No Content\r\n\r\n"]
    first, second = await connections.exchange(GET), await connections.exchange(GET)
    assert (first.status, first.body, second.status, second.body) == (200, b"hi", 204, b"")
    assert server.connections == 1
    assert server.heads[0] == b"GET /x HTTP/1.1\r\nHost: here\r\n\r\n"


async def test_chunked_and_compressed_bodies_are_decoded(server: Server, connections: Connections) -> None:
    """A chunked body is joined, a gzipped one decompressed."""
    packed = gzip.compress(b"paper")
    server.responses = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(packed), packed),
    ]
    assert (await connections.exchange(GET)).body == b"abcde"
    assert (await connections.exchange(GET)).body == b"paper"


async def test_a_closed_connection_is_not_reused(server: Server, connections: Connections) -> None:
    """After `Connection: close` the next request opens a new connection."""
    response = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    server.responses = [response, response]
    await connections.exchange(GET)
    await connections.exchange(GET)
    assert server.connections == 2


async def test_a_broken_connection_raises(server: Server, connections: Connections) -> None:
    """If the connection breaks before the whole response, the outcome of the request is unknown."""
    server.responses = [b""]
    with pytest.raises(NoResponseError):
        await connections.exchange(GET)


async def test_an_aborted_request_is_sent_but_not_answered(server: Server, connections: Connections) -> None:
    """A response can be lost on purpose: the request arrives, and the next one is answered."""
    server.responses = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] * 2
    with pytest.raises(NoResponseError, match="connection aborted"):
        await connections.exchange(GET, abort_after=0.05)
    assert (await connections.exchange(GET)).status == 200
    assert len(server.heads) == 2


def test_an_empty_body_has_a_content_length() -> None:
    """A POST without a body has Content-Length 0, so that the server does not wait for one."""
    assert Request("POST", "/x", {}).encode() == b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    assert Request("PUT", "/x", {}, b"{}").encode() == b"PUT /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
