"""One UDP socket: how it is made, and what is switched on for it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from pysctpstack.drivers import platform, routes

_PORT_ATTEMPTS = 32  # ephemeral ports tried until every socket gets the same one
_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})


@dataclass(slots=True, eq=False)
class Binding:
    """One UDP socket and what is on for it."""

    sock: socket.socket
    family: socket.AddressFamily
    pktinfo_kind: tuple[int, int | None]  # level and type of the control message with the local address
    local: str  # "": the wildcard
    pktinfo: bool = False
    gro: bool = False
    icmp: bool = False
    controls_fragmentation: bool = False
    overflow: int = 0  # the kernel's counter when we last saw it

    @property
    def messages(self) -> bool:
        return self.pktinfo or self.gro


def configure(sock: socket.socket, levers: platform.Levers) -> Binding:
    """Turn on what ``levers`` allow for a bound socket; turn off in ``levers`` what the kernel lacks."""
    option = platform.option
    if sock.family == socket.AF_INET6:
        level, told_by = platform.SOL_IPV6, platform.IPV6_PKTINFO
        pktinfo, recverr = platform.IPV6_RECVPKTINFO, platform.IPV6_RECVERR
    else:
        level, told_by = platform.SOL_IP, platform.IP_PKTINFO
        pktinfo, recverr = platform.IP_PKTINFO, platform.IP_RECVERR
    local = routes.address_text(sock.getsockname())
    if local in ("0.0.0.0", "::"):
        local = ""
    binding = Binding(sock, socket.AddressFamily(sock.family), (level, told_by), local)
    platform.enlarge_buffers(sock)
    binding.controls_fragmentation = platform.WHOLE[binding.family].set_usual(sock)
    # A socket on one address knows the local address of all that it receives.
    binding.pktinfo = levers.pktinfo and not binding.local and option(sock, level, pktinfo, 1)
    binding.icmp = levers.icmp_errors and option(sock, level, recverr, 1)
    binding.gro = levers.gro = levers.gro and option(sock, platform.SOL_UDP, platform.UDP_GRO, 1)
    # Zero: no train unless a call asks for one. The answer tells whether the kernel knows the option.
    levers.gso = levers.gso and option(sock, platform.SOL_UDP, platform.UDP_SEGMENT, 0)
    # The overflow counter comes as a control message, for which alone the dearer receive call would not pay.
    if binding.messages:
        option(sock, socket.SOL_SOCKET, platform.SO_RXQ_OVFL, 1)
    return binding


def bind_all(port: int, addresses: Sequence[str] | None) -> list[socket.socket]:
    """A non-blocking UDP socket for each address, all on one port; 0: one that is free for all of them.

    None: the wildcard address of each family that the host has. OSError when a socket cannot be had, with a
    text that says which and, when its port is taken, what to do.
    """
    wildcard = addresses is None
    if addresses is None:
        addresses = ("0.0.0.0", "::")
    if not addresses:
        raise ValueError("no address to bind UDP sockets to")
    attempts = 1 if port else _PORT_ATTEMPTS
    while True:
        attempts -= 1
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        number = port
        try:
            for address in dict.fromkeys(addresses):
                try:
                    sockets.append(_bind(address, number))
                except OSError as error:
                    if not wildcard or error.errno not in _NO_SUCH_FAMILY:
                        raise
                    missing = error
                    continue
                number = sockets[-1].getsockname()[1]
            if not sockets and missing is not None:
                raise missing
            return sockets
        except OSError as error:
            for sock in sockets:
                sock.close()
            # Port 0: the number that one socket was given may be taken for another.
            if error.errno != errno.EADDRINUSE or not attempts:
                raise


def _bind(address: str, port: int) -> socket.socket:
    family = routes.family_of(address)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Windows lets a later socket take over a port unless its owner forbids it. SO_REUSEADDR and
        # SO_REUSEPORT would share packets out between two stacks at random, so that they are never set.
        platform.option(sock, socket.SOL_SOCKET, platform.SO_EXCLUSIVEADDRUSE, 1)
        sock.bind(routes.sockaddr(address, port))
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _bind_error(error, address, port) from error
    return sock


def _bind_error(error: OSError, address: str, port: int) -> OSError:
    taken = error.errno == errno.EADDRINUSE or (platform.WINDOWS and error.errno == errno.EACCES)
    if taken:
        text = (
            f"UDP port {port} of {address} is taken, maybe by another SCTP stack. To choose another: the"
            " environment variable PYSCTPSTACK_UDP_PORT, Config(udp_port=...) or --udp-port; 0 takes any"
        )
        return OSError(errno.EADDRINUSE, text)
    if error.errno is None:
        return OSError(errno.EINVAL, f"{address!r} is not an IP address to bind UDP port {port} to")
    return OSError(error.errno, f"UDP port {port} of {address}: {error.strerror}")
