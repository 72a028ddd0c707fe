"""What this operating system can do for UDP, and the numbers under which it does it.

Python's ``socket`` lacks many of these constants (IP_PKTINFO came with 3.12; UDP_SEGMENT, UDP_GRO, IP_RECVERR
and IP_MTU are not there at all), so they are written down here, per system, from its headers. ``None`` says
that the system has no such thing. Everything made of them is a *lever*: it saves time or tells more, and its
absence changes nothing else.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pysctpstack.config import Config

LINUX = sys.platform.startswith(("linux", "android"))
DARWIN = sys.platform == "darwin"
WINDOWS = sys.platform == "win32"

LEVERS_VARIABLE = "PYSCTPSTACK_LEVERS"
"""Environment variable: ``off`` turns every lever off, whatever the ``Config`` says."""


def _constant(
    name: str, *, linux: int | None = None, darwin: int | None = None, windows: int | None = None
) -> int | None:
    """The number of ``name``: Python's where it has one, else this system's, else None."""
    known = getattr(socket, name, None)
    if isinstance(known, int):
        return int(known)
    return linux if LINUX else darwin if DARWIN else windows if WINDOWS else None


# Levels of setsockopt and of control messages. SOL_IP is 0 and SOL_UDP 17 on every system: they are protocol
# numbers.
SOL_IP = 0
SOL_IPV6 = 41
SOL_UDP = 17

# The local address of a datagram. Darwin takes IP_RECVPKTINFO and IP_PKTINFO as one number.
IP_PKTINFO = _constant("IP_PKTINFO", linux=8, darwin=26)
IPV6_RECVPKTINFO = _constant("IPV6_RECVPKTINFO", linux=49, darwin=61)
IPV6_PKTINFO = _constant("IPV6_PKTINFO", linux=50, darwin=46)

# Trains of equal datagrams in one call.
UDP_SEGMENT = _constant("UDP_SEGMENT", linux=103)
UDP_GRO = _constant("UDP_GRO", linux=104)
UDP_MAX_SEGMENTS = 64
"""Datagrams of one train: the limit of Linux until 6.8, 128 since; the smaller one is right everywhere."""

# ICMP errors, each with the datagram that it quotes.
IP_RECVERR = _constant("IP_RECVERR", linux=11)
IPV6_RECVERR = _constant("IPV6_RECVERR", linux=25)
MSG_ERRQUEUE = _constant("MSG_ERRQUEUE", linux=0x2000)
SO_EE_ORIGIN_ICMP = 2
SO_EE_ORIGIN_ICMP6 = 3

# The MTU of the path to a connected socket's peer, and who may fragment.
IP_MTU = _constant("IP_MTU", linux=14, windows=73)
IPV6_MTU = _constant("IPV6_MTU", linux=24, windows=72)
IP_MTU_DISCOVER = _constant("IP_MTU_DISCOVER", linux=10)
IPV6_MTU_DISCOVER = _constant("IPV6_MTU_DISCOVER", linux=23)
IP_DONTFRAG = _constant("IP_DONTFRAG", darwin=28, windows=14)
IPV6_DONTFRAG = _constant("IPV6_DONTFRAG", darwin=62, windows=14)
IPV6_USE_MIN_MTU = _constant("IPV6_USE_MIN_MTU", darwin=42)
PMTUDISC_DONT, PMTUDISC_WANT, PMTUDISC_PROBE = 0, 1, 3
SIOCGIFMTU = 0x8921 if LINUX else None if WINDOWS else 0xC020_6933

SO_RXQ_OVFL = _constant("SO_RXQ_OVFL", linux=40)
SO_RCVBUFFORCE = _constant("SO_RCVBUFFORCE", linux=33)
SO_SNDBUFFORCE = _constant("SO_SNDBUFFORCE", linux=32)
SO_EXCLUSIVEADDRUSE = _constant("SO_EXCLUSIVEADDRUSE")

HAS_MESSAGES = hasattr(socket.socket, "recvmsg") and hasattr(socket.socket, "sendmsg")
"""Control messages can be sent and received. Not on Windows, whose Python has neither call."""


@dataclass(slots=True)
class Levers:
    """The levers in use. One that turns out not to work at run time is turned off here."""

    gso: bool
    gro: bool
    pktinfo: bool
    icmp_errors: bool


def levers(config: Config) -> Levers:
    """The levers that ``config``, the environment variable PYSCTPSTACK_LEVERS and this system allow."""
    if not HAS_MESSAGES or os.environ.get(LEVERS_VARIABLE, "").strip().lower() == "off":
        return Levers(gso=False, gro=False, pktinfo=False, icmp_errors=False)
    return Levers(
        gso=config.gso and UDP_SEGMENT is not None,
        gro=config.gro and UDP_GRO is not None,
        # FreeBSD has IPv6's half only. Half a lever would make two kinds of stack on one host.
        pktinfo=config.pktinfo and None not in (IP_PKTINFO, IPV6_PKTINFO, IPV6_RECVPKTINFO),
        icmp_errors=config.icmp_errors and None not in (IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE),
    )


def option(sock: socket.socket, level: int, name: int | None, value: int) -> bool:
    """Set a socket option that may not exist here; whether it took."""
    if name is None:
        return False
    try:
        sock.setsockopt(level, name, value)
    except OSError:
        return False
    return True


class Toggle(NamedTuple):
    """A socket option that is ``exceptional`` for one datagram and ``usual`` for all others."""

    level: int
    name: int | None
    usual: int
    exceptional: int

    def set_usual(self, sock: socket.socket) -> bool:
        """Whether the system has the option."""
        return option(sock, self.level, self.name, self.usual)

    @contextlib.contextmanager
    def exception(self, sock: socket.socket) -> Iterator[None]:
        """For what is sent meanwhile."""
        option(sock, self.level, self.name, self.exceptional)
        try:
            yield
        finally:
            option(sock, self.level, self.name, self.usual)


# Linux. WANT: DF set on what fits the path MTU that the kernel knows, and the rest in fragments. PROBE: DF set whatever
# it knows. DONT: DF clear. Over IPv6, where only the sender cuts, it can't be made to cut to less than it knows.
# Elsewhere DF is clear unless it is asked for, and IPV6_USE_MIN_MTU cuts to what every link carries. Where the number
# of an option is not known, datagrams leave as all others do, and there is no search.
WHOLE = {
    socket.AF_INET: Toggle(SOL_IP, IP_MTU_DISCOVER, PMTUDISC_WANT, PMTUDISC_PROBE)
    if LINUX
    else Toggle(SOL_IP, IP_DONTFRAG, 0, 1),
    socket.AF_INET6: Toggle(SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_WANT, PMTUDISC_PROBE)
    if LINUX
    else Toggle(SOL_IPV6, IPV6_DONTFRAG, 0, 1),
}
"""How a datagram is sent in one piece or not at all."""
IN_FRAGMENTS = {
    socket.AF_INET: Toggle(SOL_IP, IP_MTU_DISCOVER if LINUX else None, PMTUDISC_WANT, PMTUDISC_DONT),
    socket.AF_INET6: Toggle(SOL_IPV6, IPV6_USE_MIN_MTU, -1, 1),
}
"""How a datagram is sent that may be fragmented on its way, where that is not so by itself."""

_BUFFER_SIZES = (8 << 20, 4 << 20, 2 << 20, 1 << 20, 512 << 10, 256 << 10)


def enlarge_buffers(sock: socket.socket) -> None:
    """Make the socket's buffers as large as the system lets us.

    Linux's default of 212,992 bytes holds three trains. The FORCE options pass the limit of sysctl rmem_max
    and need CAP_NET_ADMIN. Without it Linux trims the plain request silently, and the BSDs refuse it until it
    is small enough.
    """
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        if option(sock, socket.SOL_SOCKET, force, _BUFFER_SIZES[0]):
            continue
        for size in _BUFFER_SIZES:
            if option(sock, socket.SOL_SOCKET, plain, size):
                break
