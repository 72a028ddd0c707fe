"""From frames to SCTP packets: link layers, IPv4 and IPv6, their fragments, UDP encapsulation, trains.

Link types: Ethernet (with VLAN tags), Linux cooked (1 and 2), raw IP, BSD loopback, and SCTP without IP. What looks
like SCTP and cannot be had whole becomes a `Remark`, never silence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from pysctpstack.decode.files import Frame
from pysctpstack.wire.packet import checksum_ok

UDP_PORT = 9899
"""RFC 6951 section 5.1: the UDP port registered for SCTP."""

_SCTP, _UDP = 132, 17
_ETHERTYPES = {0x0800: 4, 0x86DD: 6}
_VLAN = frozenset((0x8100, 0x88A8, 0x9100))
_LINKTYPE_SCTP = 248
# Hop-by-hop, routing, destination options, mobility: all measure their length in units of 8 bytes beyond the first 8.
_IPV6_EXTENSIONS = frozenset((0, 43, 60, 135))
_IPV6_FRAGMENT, _IPV6_AUTHENTICATION = 44, 51
_MAX_PENDING = 1_024
_UDP_HEADER = Struct("!HHHH")


@dataclass(slots=True)
class SctpPacket:
    """One SCTP packet as captured. The UDP ports are 0 when it was not in UDP, addresses "" when there was no IP."""

    number: int
    """The frame's number; the last fragment's when IP had cut the packet."""
    time: float
    source: str
    source_port: int
    destination: str
    destination_port: int
    data: bytes
    """From the common header on."""
    missing: int = 0
    """Bytes at its end that the capture's snap length cut off."""
    notes: tuple[str, ...] = ()
    """What is worth telling about how it was carried."""


@dataclass(slots=True)
class Remark:
    """Something at this frame that belongs to SCTP and could not be decoded."""

    number: int
    time: float
    text: str


@dataclass(slots=True)
class _Datagram:
    """An IP payload and where it came from; ``missing`` bytes of it were not captured."""

    source: str
    destination: str
    protocol: int
    payload: bytes
    missing: int
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Fragments:
    """The pieces of one IP datagram so far, by offset; ``size`` is -1 until the last one came."""

    number: int
    time: float
    pieces: dict[int, bytes]
    size: int = -1


class Network:
    """Turns frames into packets; holds the fragments that wait for their fellows."""

    def __init__(self, udp_ports: Collection[int] = (UDP_PORT,)) -> None:
        self._udp_ports = frozenset(udp_ports)
        self._pending: dict[tuple[str, str, int, int], _Fragments] = {}

    def packets(self, frames: Iterable[Frame]) -> Iterator[SctpPacket | Remark]:
        """The packets and remarks of these frames, in order; at the end, what was left in fragments."""
        for frame in frames:
            yield from self._frame(frame)
        for waiting in self._pending.values():
            yield Remark(waiting.number, waiting.time, f"IP fragments without their fellows ({_have(waiting)})")
        self._pending.clear()

    def _frame(self, frame: Frame) -> Iterator[SctpPacket | Remark]:
        if frame.link_type == _LINKTYPE_SCTP:
            missing = frame.wire_length - len(frame.data)
            yield SctpPacket(frame.number, frame.time, "", 0, "", 0, frame.data, missing, _cut(missing))
            return
        found = _ip(frame)
        if found is None:
            return
        datagram = self._ip_datagram(frame, *found)
        if isinstance(datagram, Remark):
            yield datagram
        elif datagram is not None and datagram.protocol == _SCTP:
            notes = datagram.notes + _cut(datagram.missing)
            yield SctpPacket(
                frame.number,
                frame.time,
                datagram.source,
                0,
                datagram.destination,
                0,
                datagram.payload,
                datagram.missing,
                notes,
            )
        elif datagram is not None and datagram.protocol == _UDP:
            yield from self._udp(frame, datagram)

    def _ip_datagram(self, frame: Frame, version: int, packet: bytes) -> _Datagram | Remark | None:
        """The datagram in this IP packet, or that it completes; None for what waits or is not of interest."""
        head = (_ipv4 if version == 4 else _ipv6)(packet)
        if head is None:
            return None
        source, destination, protocol, start, end, identification, offset, more = head
        payload = packet[start:end]
        missing = end - start - len(payload)
        if not offset and not more:
            return _Datagram(source, destination, protocol, payload, missing)
        if protocol not in (_SCTP, _UDP):
            return None
        if missing:
            return Remark(
                frame.number, frame.time, f"IP fragment at {offset}, {missing} bytes cut off: not reassembled"
            )
        return self._fragment(frame, (source, destination, protocol, identification), offset, more, payload)

    def _fragment(
        self, frame: Frame, key: tuple[str, str, int, int], offset: int, more: bool, payload: bytes
    ) -> _Datagram | Remark | None:
        waiting = self._pending.setdefault(key, _Fragments(frame.number, frame.time, {}))
        waiting.pieces[offset] = payload
        waiting.number = frame.number
        if not more:
            waiting.size = offset + len(payload)
        whole = b""
        for position in sorted(waiting.pieces):
            if position > len(whole):
                break
            whole = whole[:position] + waiting.pieces[position]
        else:
            if waiting.size == len(whole):
                del self._pending[key]
                source, destination, protocol, _ = key
                note = f"reassembled from {len(waiting.pieces)} IP fragments"
                return _Datagram(source, destination, protocol, whole, 0, (note,))
        if len(self._pending) > _MAX_PENDING:
            oldest = self._pending.pop(next(iter(self._pending)))
            return Remark(oldest.number, oldest.time, f"IP fragments without their fellows ({_have(oldest)})")
        return None

    def _udp(self, frame: Frame, datagram: _Datagram) -> Iterator[SctpPacket | Remark]:
        if len(datagram.payload) < 8:
            return
        source_port, destination_port, length, _ = _UDP_HEADER.unpack_from(datagram.payload)
        if source_port not in self._udp_ports and destination_port not in self._udp_ports:
            return
        room = len(datagram.payload) + datagram.missing
        notes = datagram.notes
        if length > room:
            notes += (f"the UDP header says {length} bytes, IP carries {room}",)
        # RFC 2675: a length of 0 stands for one that the field cannot hold.
        end = length if 8 <= length < room else room
        data = datagram.payload[8:end]
        missing = end - 8 - len(data)
        if not data:
            yield Remark(frame.number, frame.time, "UDP datagram without payload on an SCTP port")
            return
        segments = train(data)
        for position, segment in enumerate(segments, 1):
            lacks = missing if position == len(segments) else 0
            more = (
                (f"{position} of {len(segments)} packets seen as one UDP datagram of {end - 8} bytes",)
                if len(segments) > 1
                else ()
            )
            yield SctpPacket(
                frame.number,
                frame.time,
                datagram.source,
                source_port,
                datagram.destination,
                destination_port,
                segment,
                lacks,
                notes + more + _cut(lacks),
            )


def train(payload: bytes) -> list[bytes]:
    """The packets of one size in a UDP payload that was captured before it was segmented (UDP GSO); else itself.

    A payload is a train when it is no packet as a whole, and a first part of it that is followed by the same ports
    and verification tag has a right checksum.
    """
    if len(payload) < 28 or checksum_ok(payload):
        return [payload]
    head = payload[:8]
    size = payload.find(head, 12)
    for _ in range(8):
        if size < 0:
            break
        if size % 4 == 0 and checksum_ok(payload[:size]):
            return [payload[start : start + size] for start in range(0, len(payload), size)]
        size = payload.find(head, size + 1)
    return [payload]


def _cut(missing: int) -> tuple[str, ...]:
    return (f"{missing} bytes cut off by the capture",) if missing else ()


def _have(waiting: _Fragments) -> str:
    size = sum(map(len, waiting.pieces.values()))
    return f"{size} of {waiting.size} bytes" if waiting.size >= 0 else f"{size} bytes, the last one missing"


def _ip(frame: Frame) -> tuple[int, bytes] | None:
    """IP's version and packet, of what was captured; None when the frame holds none or its link type is unknown."""
    data = frame.data
    kind = frame.link_type
    if kind == 1:
        start, ethertype = 14, int.from_bytes(data[12:14], "big")
    elif kind == 113:
        start, ethertype = 16, int.from_bytes(data[14:16], "big")
    elif kind == 276:
        start, ethertype = 20, int.from_bytes(data[0:2], "big")
    elif kind in (0, 108):
        start, ethertype = 4, 0
    elif kind in (12, 14, 101, 228, 229):
        start, ethertype = 0, 0
    else:
        return None
    while ethertype in _VLAN:
        ethertype = int.from_bytes(data[start + 2 : start + 4], "big")
        start += 4
    version = data[start] >> 4 if len(data) > start else 0
    if version not in (4, 6) or (ethertype and _ETHERTYPES.get(ethertype) != version):
        return None
    return version, data[start:]


_Head = tuple[str, str, int, int, int, int, int, bool]
"""Source, destination, protocol, payload's start and end, identification, fragment offset, whether more follow."""


def _ipv4(packet: bytes) -> _Head | None:
    start = (packet[0] & 0x0F) * 4
    if start < 20 or len(packet) < start:
        return None
    # Segmentation offload may leave a total length of 0: what was captured counts.
    end = int.from_bytes(packet[2:4], "big") or len(packet)
    if end < start:
        return None
    flags = int.from_bytes(packet[6:8], "big")
    return (
        str(IPv4Address(packet[12:16])),
        str(IPv4Address(packet[16:20])),
        packet[9],
        start,
        end,
        int.from_bytes(packet[4:6], "big"),
        (flags & 0x1FFF) * 8,
        bool(flags & 0x2000),
    )


def _ipv6(packet: bytes) -> _Head | None:
    if len(packet) < 40:
        return None
    end = 40 + int.from_bytes(packet[4:6], "big")
    if end == 40:
        end = len(packet)
    protocol, start = packet[6], 40
    identification = offset = 0
    more = False
    while len(packet) >= start + 8:
        if protocol == _IPV6_FRAGMENT:
            field = int.from_bytes(packet[start + 2 : start + 4], "big")
            offset, more = field & 0xFFF8, bool(field & 1)
            identification = int.from_bytes(packet[start + 4 : start + 8], "big")
            protocol, start = packet[start], start + 8
            if offset:
                break
        elif protocol in _IPV6_EXTENSIONS:
            protocol, start = packet[start], start + 8 * (packet[start + 1] + 1)
        elif protocol == _IPV6_AUTHENTICATION:
            protocol, start = packet[start], start + 4 * (packet[start + 1] + 2)
        else:
            break
    if start > end:
        return None
    addresses = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
    return *addresses, protocol, start, end, identification, offset, more
