"""The loopback port of the cluster's hosts, chosen before anything is built."""

import errno
import socket

from exam_harness.environments.docker.engine import Engine
from exam_harness.environments.processes.cache import Echo
from exam_harness.environments.processes.process import HarnessError

HTTP = 80
FALLBACK = 8080


def choose_port(engine: Engine, echo: Echo, requested: int | None) -> int:
    """Return the requested port, or the first of 80 and 8080 that is usable.

    Raises:
        HarnessError: the requested port is not usable, or none is.
    """
    if requested is not None:
        check_port(engine, requested)
        return requested
    try:
        check_port(engine, HTTP)
    except HarnessError as error:
        check_port(engine, FALLBACK)
        echo(f"using port {FALLBACK}: {error}")
        return FALLBACK
    return HTTP


def check_port(engine: Engine, port: int) -> None:
    """Check that the engine can publish a port on the loopback interface.

    Raises:
        HarnessError: it cannot; the message says what to do.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            # An engine that runs as root publishes ports that this user may not bind.
            if error.errno == errno.EACCES and not is_rootless(engine) and not _is_listening(port):
                return
            raise HarnessError(
                f"cannot bind 127.0.0.1:{port} ({error.strerror}): stop the process that listens there "
                f"(ss -ltnp 'sport = :{port}'), or choose another port: make {{up,exam}} HTTP_PORT={FALLBACK}"
            ) from None


def is_rootless(engine: Engine) -> bool:
    """Return whether the engine runs without root."""
    return "name=rootless" in engine.docker("info", "--format={{.SecurityOptions}}")


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
