"""Names and addresses of the asyncio API to and from the plain IP addresses of the layers below."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

from pysctpstack.config import Config
from pysctpstack.core.route import is_unicast_text
from pysctpstack.drivers import routes

Address = tuple[str, int]
"""``(IP address, SCTP port)``."""

_ANY: Final = frozenset({"", "0.0.0.0", "::"})
_THIS_HOST: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
_MAPPED: Final = "::ffff:"


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def check_port(port: object, lowest: int) -> int:
    if not isinstance(port, int):
        raise TypeError(f"an SCTP port is an int, not {port!r}")
    if not lowest <= port <= 65_535:
        raise OverflowError(f"port must be {lowest}-65535.")
    return port


async def look_up(host: str, family: int) -> list[str]:
    """The IP addresses of a host, in the resolver's order; an address is its own. `socket.gaierror`: it has none of
    this family (0: of either)."""
    if not isinstance(host, str):
        raise TypeError(f"a host is a name or an IP address (str), not {host!r}")
    if host not in _ANY:
        try:
            routes.sockaddr(host, 0)
        except OSError:
            pass
        else:
            if family and routes.family_of(host) != family:
                raise failure(errno.EAFNOSUPPORT)
            return [_unmapped(host)]
        loop = asyncio.get_running_loop()
        # SOCK_DGRAM only keeps the answers apart: the addresses are the same for every protocol.
        found = await loop.getaddrinfo(host, None, family=family, type=socket.SOCK_DGRAM)
        ips = [routes.address_text(address) for _, _, _, _, address in found if isinstance(address[1], int)]
        return list(dict.fromkeys(_unmapped(ip) for ip in ips))
    return [host]


def _unmapped(ip: str) -> str:
    return ip[len(_MAPPED) :] if ip.lower().startswith(_MAPPED) and "." in ip else ip


async def peers(host: str, family: int) -> list[str]:
    """Addresses to connect to. EINVAL: not that of one host."""
    found = await look_up(host, family)
    # To the wildcard address is to this host, as for TCP.
    found = [_THIS_HOST.get(ip, ip) for ip in found]
    for ip in found:
        if not is_unicast_text(ip):
            raise failure(errno.EINVAL)
    return found


class Binding:
    """Local addresses to be bound to, ``addresses``; none: all. ``told``: those that peers are told of."""

    __slots__ = ("addresses", "told", "ipv6")

    def __init__(self, addresses: tuple[str, ...], told: tuple[str, ...], ipv6: bool) -> None:
        self.addresses = addresses
        self.told = told
        self.ipv6 = ipv6


async def binding(hosts: str | Sequence[str] | None, family: int, config: Config) -> Binding:
    """``hosts``: None or "", the wildcard address of both families (``"0.0.0.0"``: IPv4 alone); a name or an address;
    or several. EADDRNOTAVAIL: one is not this host's.

    Peers are told of several explicit addresses, or of all that the host has if the configuration says so
    (`Config.multihome`); otherwise of none (RFC 6951 sections 3.2 and 5.7).
    """
    several = [hosts] if isinstance(hosts, str) else list(hosts or [""])
    ipv6 = family != socket.AF_INET and several != ["0.0.0.0"]
    if all(host in _ANY for host in several):
        told: tuple[str, ...] = ()
        if config.multihome:
            found = config.udp_addresses or routes.interface_addresses()
            told = tuple(ip for ip in found if ipv6 or ":" not in ip)
        return Binding((), told, ipv6)
    bound: list[str] = []
    for host in several:
        bound += await look_up(host, family)
    for ip in bound:
        with socket.socket(routes.family_of(ip), socket.SOCK_DGRAM) as probe:
            probe.bind(routes.sockaddr(ip, 0))
    addresses = tuple(dict.fromkeys(bound))
    return Binding(addresses, addresses if len(several) > 1 else (), any(":" in ip for ip in addresses))
