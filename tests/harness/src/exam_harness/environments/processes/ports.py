"""Free ports on the loopback interface."""

import os
import random
import socket
from pathlib import Path

_LOWEST = 10_000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_assigned: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Return ports that are free and were not assigned before, below the kernel's range of ephemeral ports.

    Each worker of pytest has ports of its own: a server that restarts must not find its port taken by another's.

    From within that range, a client's connection could take the port of a server that is restarting, or a client that
    dials a stopped server could be given the very port it dials and connect to itself.
    """
    highest = int(_EPHEMERAL_RANGE.read_text().split()[0])
    own = range(_LOWEST + _worker(), highest, _workers())
    candidates = random.sample(own, len(own))
    ports = [port for port, _ in zip((each for each in candidates if _is_free(each)), range(count), strict=False)]
    if len(ports) < count:
        raise RuntimeError(f"fewer than {count} free ports between {_LOWEST} and {highest}")
    _assigned.update(ports)
    return ports


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    """Return whether a loopback port accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def _worker() -> int:
    """The number of this worker of pytest-xdist, from 0 on; 0 without workers."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def _workers() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def _is_free(port: int) -> bool:
    if port in _assigned:
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
