"""Socket addresses between Python's tuples and the bytes of Linux's ``sockaddr_in`` and ``sockaddr_in6``.

SCTP's option values, notifications and the address lists of ``sctp_bindx()`` carry socket addresses in
bytes. They are written with Linux's address families on every host, as the rest of the layouts are, and
read with Linux's or the host's own. Nothing here asks the system: an address is numeric, and so is the zone
of a link-local one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""``(host, port)`` or ``(host, port, flowinfo, scope_id)``, as the standard ``socket`` module has them."""

Octets: TypeAlias = bytes | bytearray | memoryview
"""What the functions that read accept."""

AF_UNSPEC: Final = 0
AF_INET: Final = 2
AF_INET6: Final = 10

_HOST_AF_INET6: Final = {"darwin": 30, "freebsd": 28, "openbsd": 24, "netbsd": 24, "win32": 23}
_AF_INET6_READ: Final = frozenset(
    [AF_INET6] + [family for name, family in _HOST_AF_INET6.items() if sys.platform.startswith(name)]
)

# The family and the scope are in host order, everything between is in network order.
_FAMILY = Struct("=H")
_SCOPE = Struct("=I")
_IN = Struct("!2sH4s8x")
_IN6 = Struct("!2sHI16s4s")

STORAGE_SIZE: Final = 128
"""Bytes of a ``struct sockaddr_storage``."""


def pack_sockaddr(address: Address) -> bytes:
    """The address as Linux lays it out: a ``sockaddr_in`` of 16 bytes or a ``sockaddr_in6`` of 28.

    The host is a numeric IPv4 or IPv6 address (``""``: the wildcard address, of IPv6 in a tuple of four). A
    zone is given by its number, as ``"fe80::1%3"`` or as scope_id. Raises ValueError for a host that is not
    numeric and for numbers out of range, TypeError for what is no address tuple.
    """
    if not isinstance(address, tuple) or not 2 <= len(address) <= 4:
        raise TypeError(f"an address is (host, port) or (host, port, flowinfo, scope_id), not {address!r}")
    host, *numbers = address
    if not isinstance(host, str) or not all(isinstance(number, int) for number in numbers):
        raise TypeError(f"an address is a host name in a str, and ints, not {address!r}")
    port, flowinfo, scope_id = (*numbers, 0, 0)[:3]
    if not 0 <= port <= 0xFFFF:
        raise ValueError(f"port {port} is not within 0 to 65535")
    ip = _parse_host(host, wildcard="0.0.0.0" if len(address) == 2 else "::")
    if isinstance(ip, IPv4Address):
        if flowinfo or scope_id:
            raise ValueError(f"{host} is an IPv4 address, which has no flowinfo and no scope_id")
        return _IN.pack(_FAMILY.pack(AF_INET), port, ip.packed)
    # RFC 3493 section 3.3: the flow label is 20 bits; the standard socket module takes no more either.
    if not 0 <= flowinfo <= 0xFFFFF:
        raise ValueError(f"flowinfo {flowinfo} is not within 0 to 1048575")
    scope = _SCOPE.pack(_merge_scope(ip, scope_id))
    return _IN6.pack(_FAMILY.pack(AF_INET6), port, flowinfo, ip.packed, scope)


def unpack_sockaddr(data: Octets) -> Address | None:
    """The address at the start of ``data``; what follows it is ignored.

    Returns ``(host, port)`` for IPv4, ``(host, port, flowinfo, scope_id)`` for IPv6, and None for
    AF_UNSPEC, which is how C says "no address". Raises ValueError for any other family, and when ``data``
    is too short for its own.
    """
    return _read(bytes(data), 0)[0]


def pack_sockaddr_list(addresses: Iterable[Address]) -> bytes:
    """The addresses one after the other without padding, as ``sctp_bindx()`` takes them.

    RFC 6458 section 9.1.
    """
    return b"".join(map(pack_sockaddr, addresses))


def unpack_sockaddr_list(data: Octets, count: int | None = None) -> list[Address]:
    """The inverse of ``pack_sockaddr_list``: ``count`` addresses, or as many as ``data`` holds.

    Raises ValueError for an unknown family (AF_UNSPEC included) and for an address that is cut short.
    """
    octets = bytes(data)
    addresses: list[Address] = []
    offset = 0
    while len(addresses) != count and (count is not None or offset < len(octets)):
        address, size = _read(octets, offset)
        if address is None:
            raise ValueError(f"the address at byte {offset} has no family")
        addresses.append(address)
        offset += size
    return addresses


def pack_storage(address: Address | None) -> bytes:
    """A ``struct sockaddr_storage`` of 128 bytes; None gives zeros."""
    return (b"" if address is None else pack_sockaddr(address)).ljust(STORAGE_SIZE, b"\0")


def _read(octets: bytes, offset: int) -> tuple[Address | None, int]:
    """The address at ``offset``, and how many bytes it takes."""
    if len(octets) < offset + _FAMILY.size:
        raise ValueError(f"a socket address needs {_FAMILY.size} bytes for its family, not {len(octets) - offset}")
    (family,) = _FAMILY.unpack_from(octets, offset)
    if family == AF_UNSPEC:
        return None, _FAMILY.size
    if family == AF_INET:
        layout = _IN
    elif family in _AF_INET6_READ:
        layout = _IN6
    else:
        raise ValueError(f"address family {family} is neither AF_INET nor AF_INET6")
    if len(octets) < offset + layout.size:
        raise ValueError(f"a socket address of family {family} needs {layout.size} bytes, not {len(octets) - offset}")
    if layout is _IN:
        _, port, packed = _IN.unpack_from(octets, offset)
        return (str(IPv4Address(packed)), port), _IN.size
    _, port, flowinfo, packed, scope = _IN6.unpack_from(octets, offset)
    (scope_id,) = _SCOPE.unpack(scope)
    return (_ipv6_text(IPv6Address(packed)), port, flowinfo, scope_id), _IN6.size


def _parse_host(host: str, wildcard: str) -> IPv4Address | IPv6Address:
    text = host or wildcard
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except ValueError:
        raise ValueError(f"{host!r} is not a numeric IPv4 or IPv6 address") from None


def _merge_scope(ip: IPv6Address, scope_id: int) -> int:
    """The zone of a link-local address, which is given in the host ("%3"), as scope_id, or in both alike."""
    if not 0 <= scope_id <= 0xFFFFFFFF:
        raise ValueError(f"scope_id {scope_id} is not within 0 to 4294967295")
    if ip.scope_id is None:
        return scope_id
    if not (ip.scope_id.isascii() and ip.scope_id.isdigit()) or int(ip.scope_id) > 0xFFFFFFFF:
        raise ValueError(f"the zone of {ip} is not a number: look up the index of the interface first")
    zone = int(ip.scope_id)
    if scope_id not in (0, zone):
        raise ValueError(f"{ip} names zone {zone}, but scope_id is {scope_id}")
    return zone


def _ipv6_text(ip: IPv6Address) -> str:
    """As inet_ntop writes it: mapped addresses in dotted form, which ``str`` has only since Python 3.13."""
    return str(ip) if ip.ipv4_mapped is None else f"::ffff:{ip.ipv4_mapped}"
