"""Free ports on the loopback."""

import random
import socket
from pathlib import Path

_LOWEST = 10_000
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Some ports that are free now and were not given before, below those that the kernel gives to clients.

    A client's connection could otherwise take a port while its server is being restarted, or, dialling a server that
    is down, be given the very port it dials and meet itself.
    """
    highest = int(_OUTGOING.read_text().split()[0])
    candidates = random.sample(range(_LOWEST, highest), highest - _LOWEST)
    ports = [port for port, _ in zip((each for each in candidates if _is_free(each)), range(count), strict=False)]
    if len(ports) < count:
        raise RuntimeError(f"fewer than {count} free ports between {_LOWEST} and {highest}")
    _given.update(ports)
    return ports


def listening(port: int) -> bool:
    """Whether somebody accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    if port in _given:
        return False
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
