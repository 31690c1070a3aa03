"""The sockets that services listen on, for IPv4 and IPv6 alike."""

import socket
from typing import Final

ALL: Final = "::"
"""Every address of this machine, of both families."""


def bind_tcp(host: str, port: int) -> socket.socket:
    """Bind a TCP socket, which does not listen yet; port 0 is any free one.

    On `ALL`, it will accept IPv4 too, whatever the kernel's default is; on a machine without IPv6, IPv4 alone.

    Raises:
        OSError: the address is not this machine's, or the port is in use.
    """
    dual = host == ALL and socket.has_dualstack_ipv6()
    address = "0.0.0.0" if host == ALL and not dual else host  # noqa: S104 - the caller requests it
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if dual:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound
