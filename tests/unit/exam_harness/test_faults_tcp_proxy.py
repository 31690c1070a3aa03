"""The TCP proxy forwards bytes unchanged, and injects the configured fault and nothing else."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from exam_harness.environments.processes.ports import free_ports
from exam_harness.faults.tcp_proxy import HOST, LinkFault, ProxyLoop, TcpProxy

SECONDS = 10
"""The timeout of what must happen."""
SILENCE_SECONDS = 0.3
"""How long a test listens for what must not arrive."""


class EchoServer:
    """Sends back what it receives, and records it."""

    def __init__(self, loop: ProxyLoop) -> None:
        self.received = b""
        (self.port,) = free_ports(1)
        loop.listen(self._serve, self.port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while chunk := await reader.read(1024):
                self.received += chunk
                writer.write(chunk)


@pytest.fixture
def loop() -> Iterator[ProxyLoop]:
    """The loop of server and proxy."""
    with ProxyLoop() as loop:
        yield loop


@pytest.fixture
def server(loop: ProxyLoop) -> EchoServer:
    """The server behind the proxy."""
    return EchoServer(loop)


@pytest.fixture
def proxy(loop: ProxyLoop, server: EchoServer) -> TcpProxy:
    """A proxy without faults."""
    (port,) = free_ports(1)
    proxy = TcpProxy(loop, "client→server", port=port, upstream=server.port)
    proxy.start()
    return proxy


@pytest.fixture
def client(proxy: TcpProxy) -> Iterator[socket.socket]:
    """A connection through the proxy that has been used once."""
    with connected(proxy) as client:
        assert exchange(client, b"first") == b"first"
        yield client


def connected(proxy: TcpProxy) -> socket.socket:
    """A new connection to the proxy."""
    return socket.create_connection((HOST, proxy.port), timeout=SECONDS)


def exchange(client: socket.socket, message: bytes) -> bytes:
    """Send a message and receive as many bytes."""
    client.sendall(message)
    received = b""
    while len(received) < len(message):
        chunk = client.recv(1024)
        if not chunk:
            break
        received += chunk
    return received


def assert_silent(client: socket.socket) -> None:
    """Nothing arrives."""
    client.settimeout(SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(SECONDS)


def assert_refused(proxy: TcpProxy) -> None:
    """A new connection is reset, while it is opened or right after."""
    with pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


def test_bytes_are_forwarded_unchanged(client: socket.socket) -> None:
    """Without a fault, a client cannot tell the proxy from the server."""
    message = bytes(range(256)) * 1000
    assert exchange(client, message) == message


def test_a_client_is_reset_when_the_server_is_down(loop: ProxyLoop) -> None:
    """A proxy in front of a server that is down refuses its clients."""
    port, upstream = free_ports(2)
    proxy = TcpProxy(loop, "client→server", port=port, upstream=upstream)
    proxy.start()
    assert_refused(proxy)


def test_a_cut_link_holds_bytes_until_it_heals(proxy: TcpProxy, client: socket.socket, server: EchoServer) -> None:
    """While a link is cut nothing arrives and nothing is lost, as when a network retransmits."""
    proxy.inject(LinkFault.CUT)
    client.sendall(b"held")
    assert_silent(client)
    assert server.received == b"first"
    proxy.heal()
    assert client.recv(1024) == b"held"


def test_a_new_connection_over_a_cut_link_waits(proxy: TcpProxy) -> None:
    """A connection that is opened while the link is cut works once it heals."""
    proxy.inject(LinkFault.CUT)
    with connected(proxy) as client:
        client.sendall(b"held")
        assert_silent(client)
        proxy.heal()
        assert client.recv(1024) == b"held"


def test_a_reset_link_resets_all_connections(proxy: TcpProxy, client: socket.socket) -> None:
    """Connections are reset at once, new ones too, until the link heals."""
    proxy.inject(LinkFault.RESET)
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    assert_refused(proxy)
    proxy.heal()
    with connected(proxy) as other:
        assert exchange(other, b"again") == b"again"


def test_a_muted_link_loses_the_replies(proxy: TcpProxy, client: socket.socket, server: EchoServer) -> None:
    """The server acts on a request whose reply its client never receives."""
    proxy.inject(LinkFault.MUTE)
    client.sendall(b"acted on")
    assert_silent(client)
    assert server.received == b"firstacted on"
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_a_delayed_link_delivers_later(proxy: TcpProxy, client: socket.socket) -> None:
    """A delayed byte is still under way while its delay lasts, and arrives after it."""
    proxy.inject(LinkFault.DELAY, delay=2 * SILENCE_SECONDS)
    client.sendall(b"slow")
    assert_silent(client)
    assert client.recv(1024) == b"slow"


def test_a_proxy_serves_one_address_for_a_server_at_another(loop: ProxyLoop) -> None:
    """Servers that share a port, each at an address of its own, have a proxy each."""
    port, upstream = free_ports(2)

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"node 2")

    loop.listen(greet, upstream, "127.0.1.2")
    TcpProxy(loop, "peers→node-2", port=port, upstream=upstream, host="127.0.0.2", upstream_host="127.0.1.2").start()
    with socket.create_connection(("127.0.0.2", port), SECONDS) as client:
        assert client.recv(1024) == b"node 2"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port), SECONDS)
