"""An HTTP server that returns what it received, in place of a service behind the gateway."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Echo(ThreadingHTTPServer):
    """A server that answers every request with its own name, the path and the headers received.

    Args:
        name: its name in responses.
        host: the address to listen on.
        port: the port to listen on; by default a free one.
        hangs_up: whether it closes the connection instead of responding.
    """

    daemon_threads = True
    request_queue_size = 128
    """Connections that wait to be accepted. With the library's 5, requests in parallel time out at the gateway."""

    def __init__(self, name: str, *, host: str = "127.0.0.1", port: int = 0, hangs_up: bool = False) -> None:
        super().__init__((host, port), EchoHandler)
        self.name = name
        self.host = host
        self.hangs_up = hangs_up
        self.requests = 0

    @property
    def address(self) -> str:
        """Its host:port."""
        return f"{self.host}:{self.server_port}"


class EchoHandler(BaseHTTPRequestHandler):
    """The handler of `Echo`."""

    server: Echo
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Respond."""
        length = int(self.headers.get("Content-Length", 0))
        self.rfile.read(length)
        self.server.requests += 1
        if self.server.hangs_up:
            self.close_connection = True
            return
        echo = {"service": self.server.name, "path": self.path, "headers": dict(self.headers), "length": length}
        body = json.dumps(echo).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-ID", self.headers["X-Request-ID"])
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_POST = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def run_echo(name: str, *, host: str = "127.0.0.1", port: int = 0, hangs_up: bool = False) -> Iterator[Echo]:
    """Run a server while the context is open; the arguments are those of `Echo`."""
    with Echo(name, host=host, port=port, hangs_up=hangs_up) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
