"""The students' own HTTP client against a server made of a few lines on the loopback."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest

from exam_harness.students.http import Connections, LostError, Request

GET = Request("GET", "/x", {"Host": "here"})


class Server:
    """Sends what it was told to for each request; keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: an empty answer closes it."""
        self.connections += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                answer = self.answers.pop(0)
                writer.write(answer)
                if not answer:
                    break
        except asyncio.IncompleteReadError:
            # The client hung up, as clients may.
            return
        finally:
            writer.close()


@pytest.fixture
def server() -> Server:
    """What is at the other end."""
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


async def test_a_connection_is_kept_for_the_next_request(server: Server, connections: Connections) -> None:
    """Requests one after another go over one connection."""
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"HTTP/1.1 204 No Content\r\n\r\n"]
    first, second = await connections.exchange(GET), await connections.exchange(GET)
    assert (first.status, first.body, second.status, second.body) == (200, b"hi", 204, b"")
    assert server.connections == 1
    assert server.heads[0] == b"GET /x HTTP/1.1\r\nHost: here\r\n\r\n"


async def test_bodies_come_in_chunks_or_packed(server: Server, connections: Connections) -> None:
    """A chunked body is put together, a gzipped one unpacked."""
    packed = gzip.compress(b"paper")
    server.answers = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(packed), packed),
    ]
    assert (await connections.exchange(GET)).body == b"abcde"
    assert (await connections.exchange(GET)).body == b"paper"


async def test_a_closed_connection_is_not_used_again(server: Server, connections: Connections) -> None:
    """When the server says that it closes, the next request opens a connection of its own."""
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    server.answers = [answer, answer]
    await connections.exchange(GET)
    await connections.exchange(GET)
    assert server.connections == 2


async def test_no_response_is_a_loss(server: Server, connections: Connections) -> None:
    """When the connection breaks before a whole response came, nobody knows what the request did."""
    server.answers = [b""]
    with pytest.raises(LostError):
        await connections.exchange(GET)


async def test_hanging_up_sends_the_request_and_reads_nothing(server: Server, connections: Connections) -> None:
    """A response can be lost on purpose: the request arrives all the same, and the next one is answered."""
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] * 2
    with pytest.raises(LostError, match="hung up"):
        await connections.exchange(GET, hang_up=0.05)
    assert (await connections.exchange(GET)).status == 200
    assert len(server.heads) == 2


def test_an_empty_body_says_so() -> None:
    """A POST without a body has length nought, so that nobody waits for one."""
    assert Request("POST", "/x", {}).encode() == b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    assert Request("PUT", "/x", {}, b"{}").encode() == b"PUT /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
