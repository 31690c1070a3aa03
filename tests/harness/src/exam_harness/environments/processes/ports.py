"""Free ports on the loopback interface."""

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_assigned: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Return ports that are free and were not assigned before, below the kernel's range of ephemeral ports.

    From within that range, a client's connection could take the port of a server that is restarting, or a client that
    dials a stopped server could be given the very port it dials and connect to itself.
    """
    highest = int(_EPHEMERAL_RANGE.read_text().split()[0])
    candidates = random.sample(range(_LOWEST, highest), highest - _LOWEST)
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


def _is_free(port: int) -> bool:
    if port in _assigned:
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
