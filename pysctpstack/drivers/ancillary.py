"""Control messages of UDP sockets as values: which local address, which ICMP error.

The kernel hands these over as C structs in the host's byte order. Only what a datagram *arrived with* is read
here, and only what a datagram is to *leave with* is written; sockets are none of this module's business.
"""

from __future__ import annotations

import socket
from struct import Struct

from pysctpstack.drivers import platform
from pysctpstack.drivers.routes import scope_id, scoped

Control = tuple[int, int, bytes]
"""One control message as ``sendmsg`` takes it: level, type, data."""

_IN_PKTINFO = Struct("=I4s4s")  # ipi_ifindex, ipi_spec_dst, ipi_addr
_IN6_PKTINFO = Struct("=16sI")  # ipi6_addr, ipi6_ifindex
_SEGMENT = Struct("=H")
_EXTENDED_ERROR = Struct("=IBBBBII")  # ee_errno, ee_origin, ee_type, ee_code, ee_pad, ee_info, ee_data

# Room for everything that we ask for at once: the segment size, a pktinfo, the overflow counter, an extended
# error.
SPACE = 256


def segment(size: int) -> Control:
    """UDP_SEGMENT: cut what is sent into datagrams of ``size`` bytes, the last one shorter."""
    assert platform.UDP_SEGMENT is not None
    return (platform.SOL_UDP, platform.UDP_SEGMENT, _SEGMENT.pack(size))


def source(local: str) -> Control:
    """IP_PKTINFO or IPV6_PKTINFO: send from the address ``local``. OSError for an unknown scope."""
    if ":" in local:
        assert platform.IPV6_PKTINFO is not None
        host, _, scope = local.partition("%")
        data = _IN6_PKTINFO.pack(socket.inet_pton(socket.AF_INET6, host), scope_id(scope))
        return (platform.SOL_IPV6, platform.IPV6_PKTINFO, data)
    assert platform.IP_PKTINFO is not None
    address = socket.inet_pton(socket.AF_INET, local)
    return (platform.SOL_IP, platform.IP_PKTINFO, _IN_PKTINFO.pack(0, address, bytes(4)))


def local_address(info: bytes) -> str | None:
    """The local address in a received pktinfo, or None when the datagram was not sent to one unicast address.

    IPv4's struct has two addresses: the one the datagram was sent to, and the one to answer from. They differ
    for broadcast and multicast. The second is zero on Darwin and in Linux's error queue.
    """
    if len(info) == _IN6_PKTINFO.size:
        address, index = _IN6_PKTINFO.unpack(info)
        if address[0] == 0xFF:
            return None
        text = socket.inet_ntop(socket.AF_INET6, address)
        return scoped(text, index) if address[0] == 0xFE and address[1] & 0xC0 == 0x80 else text
    _, answer_from, sent_to = _IN_PKTINFO.unpack(info)
    if answer_from not in (sent_to, bytes(4)) or sent_to[0] >= 0xE0:
        return None
    return socket.inet_ntop(socket.AF_INET, sent_to)


def icmp_error(data: bytes) -> int:
    """The errno of a ``sock_extended_err`` that an ICMP or ICMPv6 message caused; 0 for any other origin."""
    if len(data) < _EXTENDED_ERROR.size:
        return 0
    number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
    return number if origin in (platform.SO_EE_ORIGIN_ICMP, platform.SO_EE_ORIGIN_ICMP6) else 0
