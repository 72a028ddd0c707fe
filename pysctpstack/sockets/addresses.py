"""Socket addresses of the Python API to and from the plain IP addresses of the layers below.

Below, an IPv4 address is IPv4 whatever the socket's family; an AF_INET6 socket shows it as ``::ffff:192.0.2.1``
(RFC 6458 section 8.1.15).
"""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Final

from pysctpstack.drivers import routes

MAPPED: Final = "::ffff:"
ANY: Final = frozenset({"", "0.0.0.0", "::"})

Address = tuple[Any, ...]
"""``(host, port)``, or ``(host, port, flowinfo, scope_id)`` for AF_INET6."""


def resolve(address: object, family: int, *, passive: bool = False) -> tuple[str, int]:
    """``(ip, port)`` of what a user passed to a socket of ``family``; the wildcard address becomes ``""``.

    Names are looked up, so this is not for the event loop's thread. TypeError and OverflowError as the standard
    library has them,
    `socket.gaierror` for unknown names, EAFNOSUPPORT for an address of the other family.
    """
    if not isinstance(address, tuple) or not 2 <= len(address) <= (2 if family == socket.AF_INET else 4):
        wanted = "(host, port)" if family == socket.AF_INET else "(host, port[, flowinfo[, scopeid]])"
        raise TypeError(f"an address is a tuple {wanted}, not {address!r}")
    host, port = address[0], address[1]
    if not isinstance(host, str) or not isinstance(port, int):
        raise TypeError(f"an address is a host name (str) and a port (int), not {address!r}")
    if not 0 <= port <= 65_535:
        raise OverflowError("port must be 0-65535.")
    if passive and host == "":
        return "", port
    if ":" in host and family == socket.AF_INET:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    flags = socket.AI_V4MAPPED if family == socket.AF_INET6 and hasattr(socket, "AI_V4MAPPED") else 0
    # SOCK_DGRAM only keeps the answers apart: the addresses are the same for every protocol.
    found = socket.getaddrinfo(host or None, port, family, socket.SOCK_DGRAM, 0, flags)
    sockaddr: Address = found[0][4]
    ip = str(sockaddr[0]).partition("%")[0]
    if family == socket.AF_INET6:
        # As the driver writes it in the routes of packets that arrive.
        ip = routes.scoped(ip, sockaddr[3] or (address[3] if len(address) == 4 else 0))
    if ip.lower().startswith(MAPPED):
        ip = ip[len(MAPPED) :]
    if not passive and (host == "" or ip in ANY or is_for_many(ip)):
        # Linux: to the wildcard address is to nobody, other than with TCP.
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return ("" if passive and ip in ANY else ip), port


def is_for_many(ip: str) -> bool:
    """RFC 9260 section 8.4, 1: associations are with unicast addresses."""
    if ":" in ip:
        return len(ip.partition(":")[0]) == 4 and ip[:2].lower() == "ff"
    return 224 <= int(ip.partition(".")[0]) <= 239 or ip == "255.255.255.255"


def show(ip: str, port: int, family: int) -> Address:
    """``ip`` and ``port`` as a socket of ``family`` shows them; ``""`` is the wildcard address."""
    if family == socket.AF_INET:
        return (ip or "0.0.0.0", port)
    if not ip:
        return ("::", port, 0, 0)
    if ":" not in ip:
        return (MAPPED + ip, port, 0, 0)
    host, _, scope = ip.partition("%")
    try:
        # The scope is in its own field alone, as the standard library shows it.
        return (host, port, 0, routes.scope_id(scope))
    except OSError:
        # Its interface has gone.
        return (host, port, 0, 0)
