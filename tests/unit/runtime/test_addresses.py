"""Sockets that services listen on."""

import errno
import socket

import pytest

from exam_runtime.addresses import ALL, bind_tcp

LOOPBACKS = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


def _accepts(port: int, address: str) -> bool:
    with socket.socket(LOOPBACKS[address]) as client:
        return client.connect_ex((address, port)) == 0


@pytest.mark.parametrize(
    ("host", "accepted"),
    [(ALL, {"127.0.0.1", "::1"}), ("127.0.0.1", {"127.0.0.1"}), ("0.0.0.0", {"127.0.0.1"}), ("::1", {"::1"})],  # noqa: S104
)
def test_a_host_accepts_its_families(host, accepted) -> None:
    """If a service listens on `::`, it accepts IPv4 and IPv6; on any other address, that one's family alone."""
    with bind_tcp(host, 0) as bound:
        bound.listen()
        port = bound.getsockname()[1]
        assert {address for address in LOOPBACKS if _accepts(port, address)} == accepted


def test_a_machine_without_ipv6_serves_ipv4(monkeypatch) -> None:
    """If the kernel has no IPv6, `::` is every address of IPv4."""
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with bind_tcp(ALL, 0) as bound:
        assert bound.family == socket.AF_INET
        assert bound.getsockname()[0] == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("host", [ALL, "127.0.0.1"])
def test_a_port_in_use_is_an_error(host) -> None:
    """If the port is in use, the service ends with that error and does not share the port."""
    with bind_tcp(host, 0) as taken:
        taken.listen()
        with pytest.raises(OSError, match="in use") as failed:
            bind_tcp(host, taken.getsockname()[1])
    assert failed.value.errno == errno.EADDRINUSE
