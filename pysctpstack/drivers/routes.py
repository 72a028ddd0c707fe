"""What the host knows about ways to a peer: addresses as text and as sockaddr, source address, path MTU,
interfaces.

Everything here asks the operating system through throw-away sockets and sends nothing: ``connect`` on a UDP
socket only looks the route up.
"""

from __future__ import annotations

import contextlib
import socket
import sys

from pysctpstack.core.route import Route
from pysctpstack.drivers import platform

SockAddr = tuple[str, int] | tuple[str, int, int, int]
"""An address as ``sendto`` takes it and ``recvfrom`` gives it: (host, port) or (host, port, flow info, scope
id)."""

MINIMUM_MTU = 1_280
"""RFC 8200 section 5: every IPv6 link carries this; the guess where the system tells nothing."""
MAXIMUM_MTU = 65_535
"""Total Length of RFC 791 has 16 bits, whatever the interface says (Linux's loopback: 65,536)."""


# --- text and sockaddr ---


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def scope_id(scope: str) -> int:
    """The interface index of what stands behind ``%``, a name or a number; "": 0. OSError: no such name."""
    if not scope:
        return 0
    return int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)


def scoped(host: str, index: int) -> str:
    """``host`` with the interface's name behind ``%``; its number when it has no name (any more)."""
    if not index:
        return host
    try:
        return f"{host}%{socket.if_indextoname(index)}"
    except OSError:
        return f"{host}%{index}"


def sockaddr(address: str, port: int) -> SockAddr:
    """The sockaddr of a numeric address. OSError for a name: none may reach the resolver from here."""
    if ":" not in address:
        socket.inet_pton(socket.AF_INET, address)
        return (address, port)
    host, _, scope = address.partition("%")
    socket.inet_pton(socket.AF_INET6, host)
    # The scope goes in as a number: with "%" in the host, Python would ask getaddrinfo for every datagram.
    return (host, port, 0, scope_id(scope))


def address_text(address: SockAddr) -> str:
    """The address in a sockaddr as ``Route`` has it."""
    if len(address) == 4 and address[3]:
        return scoped(address[0].partition("%")[0], address[3])
    return address[0]


# --- questions about one route ---


def source_address(peer: str) -> str:
    """The local address that the system would send from to ``peer``; "" when it has no route there."""
    try:
        with _connected(Route(peer, 9)) as probe:
            return address_text(probe.getsockname())
    except OSError:
        return ""


def path_mtu(route: Route) -> int:
    """The largest IP datagram, in bytes with all headers, that the system believes to fit through ``route``.

    IP_MTU of a connected socket where there is one (it knows what ICMP taught the kernel); else the MTU of
    the interface that owns the source address; else 1,280.
    """
    try:
        with _connected(route) as probe:
            if probe.family == socket.AF_INET6:
                level, name = platform.SOL_IPV6, platform.IPV6_MTU
            else:
                level, name = platform.SOL_IP, platform.IP_MTU
            if name is not None:
                return min(probe.getsockopt(level, name), MAXIMUM_MTU)
            return min(_interface_mtu(probe, address_text(probe.getsockname())), MAXIMUM_MTU)
    except OSError:
        return MINIMUM_MTU


def _connected(route: Route) -> socket.socket:
    address = sockaddr(route.peer, route.port)
    probe = socket.socket(family_of(route.peer), socket.SOCK_DGRAM)
    try:
        if route.local:
            # A local address that went away: the route is the system's choice then, as it is for the
            # datagrams.
            with contextlib.suppress(OSError):
                probe.bind(sockaddr(route.local, 0))
        probe.connect(address)
    except BaseException:
        probe.close()
        raise
    return probe


def _interface_mtu(sock: socket.socket, local: str) -> int:
    for name, address in _interfaces():
        if address == local:
            return interface_mtu(sock, name)
    return MINIMUM_MTU


def interface_mtu(sock: socket.socket, name: str) -> int:
    """The MTU of the interface ``name``. ``sock`` is any socket. OSError when the system does not tell."""
    if sys.platform == "win32" or platform.SIOCGIFMTU is None:
        return MINIMUM_MTU
    import fcntl

    # struct ifreq: 16 bytes of name, then a union that begins with the int.
    request = name.encode().ljust(40, b"\0")
    answer = fcntl.ioctl(sock, platform.SIOCGIFMTU, request)
    return int.from_bytes(answer[16:20], sys.byteorder)


# --- the host's addresses ---


def interface_addresses() -> list[str]:
    """The unicast addresses of the host's interfaces that are up, loopback too, in the system's order.

    Link-local IPv6 addresses carry their scope (``"fe80::1%eth0"``). Where interfaces cannot be listed the
    answer is what the host's name resolves to and what the system would send from. Never raises.
    """
    found = [address for _, address in _interfaces()] or _addresses_by_name()
    return list(dict.fromkeys(found))


def _interfaces() -> list[tuple[str, str]]:
    """(interface, address) pairs by ``getifaddrs`` of the C library; [] where there is none."""
    try:
        import ctypes

        libc = ctypes.CDLL(None)
        getifaddrs, freeifaddrs = libc.getifaddrs, libc.freeifaddrs
    except (ImportError, OSError, TypeError, AttributeError):  # no ctypes; Windows; an exotic C library
        return []

    class IfAddrs(ctypes.Structure):
        pass

    # The same on Linux (glibc, musl), Darwin and the BSDs; the three members after ifa_addr are not read.
    IfAddrs._fields_ = [
        ("ifa_next", ctypes.POINTER(IfAddrs)),
        ("ifa_name", ctypes.c_char_p),
        ("ifa_flags", ctypes.c_uint),
        ("ifa_addr", ctypes.c_void_p),
    ]
    first = ctypes.POINTER(IfAddrs)()
    if getifaddrs(ctypes.byref(first)) != 0:
        return []
    found = []
    try:
        entry = first
        while entry:
            interface = entry.contents
            if interface.ifa_addr and interface.ifa_flags & 1:  # IFF_UP
                name = interface.ifa_name.decode(errors="replace")
                raw = ctypes.string_at(interface.ifa_addr, 2)
                # sa_family is 16 bits on Linux; the BSDs have sa_len in the first byte and 8 bits of family.
                family = int.from_bytes(raw, sys.byteorder) if platform.LINUX else raw[1]
                if family == socket.AF_INET:
                    address = ctypes.string_at(interface.ifa_addr + 4, 4)
                    found.append((name, socket.inet_ntop(socket.AF_INET, address)))
                elif family == socket.AF_INET6:
                    found.append((name, _ipv6_text(ctypes.string_at(interface.ifa_addr + 8, 16), name)))
            entry = interface.ifa_next
    finally:
        freeifaddrs(first)
    return found


def _ipv6_text(address: bytes, interface: str) -> str:
    if address[0] == 0xFE and address[1] & 0xC0 == 0x80:
        # The BSDs keep the interface's index inside link-local addresses, in bytes that are zero on the wire.
        address = address[:2] + bytes(2) + address[4:]
        return f"{socket.inet_ntop(socket.AF_INET6, address)}%{interface}"
    return socket.inet_ntop(socket.AF_INET6, address)


def _addresses_by_name() -> list[str]:
    found = []
    with contextlib.suppress(OSError, UnicodeError):
        for family, *_, address in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_DGRAM):
            if family in (socket.AF_INET, socket.AF_INET6) and isinstance(address[1], int):
                found.append(address_text(address))
    # Somewhere outside (RFC 5737, RFC 3849), and the host itself.
    found += [source_address(peer) for peer in ("192.0.2.1", "2001:db8::1", "127.0.0.1", "::1")]
    return [address for address in found if address]
