"""Where a datagram goes to or came from: the vocabulary that core and drivers share."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple, Protocol


class Route(NamedTuple):
    """One peer address as seen from one local address.

    ``peer``, ``local``: IP addresses as the operating system writes them (``"192.0.2.1"``, ``"2001:db8::1"``,
    ``"fe80::1%eth0"``); ``local`` is ``""`` where the system is to choose. ``port``: the peer's UDP port.
    The same shape serves both directions, so that the reverse of a received datagram is its own ``Route``.
    """

    peer: str
    port: int
    local: str = ""
    local_port: int = 0
    """The local UDP port, where a stack has several; 0: its first."""


class Unfragmented(bytes):
    """A datagram that has to arrive in one piece or not at all: a probe of the path MTU. It leaves with DF set, even
    if the operating system believes that it is too large. Larger than any unmarked datagram of its route."""

    __slots__ = ()


class Fragmentable(bytes):
    """A datagram that is larger than the path MTU and cannot be cut again (RFC 9260 section 6.9): it leaves with DF
    clear or in fragments."""

    __slots__ = ()


_BROADCAST = IPv4Address("255.255.255.255")


def is_unicast(ip: IPv4Address | IPv6Address) -> bool:
    """Whether an address can be that of one host."""
    return not (ip.is_multicast or ip.is_unspecified or ip == _BROADCAST)


@lru_cache(maxsize=4_096)
def is_unicast_text(address: str) -> bool:
    """As `is_unicast`, of an address as routes have it. Each set-up asks twice, mostly of hosts that it knows."""
    return is_unicast(ip_address(address.partition("%")[0]))


class RouteTable(Protocol):
    """What the core asks of the host's routing."""

    def path_mtu(self, route: Route) -> int:
        """Bytes of the largest IP datagram that the route takes, all headers counted."""

    def source_address(self, peer: str) -> str:
        """The local address that the system would choose towards ``peer``; ``""`` if it can't tell."""

    def controls_fragmentation(self, route: Route) -> bool:
        """Whether an `Unfragmented` datagram will be that, so that the path MTU can be searched for."""


class FixedMtu:
    """A `RouteTable` that gives every route the same MTU."""

    __slots__ = ("mtu",)

    def __init__(self, mtu: int = 1_500) -> None:
        self.mtu = mtu

    def path_mtu(self, route: Route) -> int:  # noqa: ARG002 -- every route is the same
        return self.mtu

    def source_address(self, peer: str) -> str:  # noqa: ARG002 -- the network chooses
        return ""

    def controls_fragmentation(self, route: Route) -> bool:  # noqa: ARG002 -- every route is the same
        return True
