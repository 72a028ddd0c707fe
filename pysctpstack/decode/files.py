"""Capture files, pcap and pcapng, as frames: dpkt knows the formats, this module asks it for what it needs.

dpkt's own readers give neither a frame's length on the wire nor, in a pcapng, the interface that each frame came
from; its headers and blocks do. It is the ``pcap`` extra.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, BinaryIO

_PCAPNG_MAGIC = 0x0A0D0D0A
_LARGEST_BLOCK = 1 << 26
_TSRESOL = 9
_TSOFFSET = 14


class CaptureError(OSError):
    """The file is no capture, or is damaged where the message says, or dpkt is not installed."""


@dataclass(slots=True)
class Frame:
    """One captured frame. ``number`` counts all frames of the file from 1, as tshark does."""

    number: int
    time: float
    """Seconds since 1970."""
    link_type: int
    data: bytes
    wire_length: int
    """Bytes that it had on the wire; more than ``data`` has when the capture's snap length cut it."""


def frames(file: BinaryIO) -> Iterator[Frame]:
    """The frames of a capture, read as they come, so that ``file`` may be a pipe. Raises CaptureError."""
    try:
        import dpkt
    except ImportError:
        raise CaptureError("reading captures needs dpkt: pip install 'pysctpstack[pcap]'") from None
    magic = file.read(4)
    if len(magic) < 4:
        raise CaptureError("not a capture: the file is shorter than a magic number")
    if int.from_bytes(magic, "big") == _PCAPNG_MAGIC:
        yield from _pcapng(file, magic, dpkt.pcapng)
    else:
        yield from _pcap(file, magic, dpkt.pcap)


def _read(file: BinaryIO, size: int, number: int, what: str) -> bytes:
    if size > _LARGEST_BLOCK:
        raise CaptureError(f"damaged capture: {what} after frame {number} claims {size} bytes")
    data = b""
    while len(data) < size and (piece := file.read(size - len(data))):  # a pipe may give less than was asked for
        data += piece
    if len(data) < size:
        raise CaptureError(f"the capture ends in the middle of {what} after frame {number}")
    return data


def _pcap(file: BinaryIO, magic: bytes, pcap: ModuleType) -> Iterator[Frame]:
    number = int.from_bytes(magic, "big")
    little = number in (pcap.PMUDPCT_MAGIC, pcap.PMUDPCT_MAGIC_NANO, pcap.PACPDOM_MAGIC)
    header_class: Any = pcap.MAGIC_TO_PKT_HDR.get(number)
    if header_class is None:
        raise CaptureError(f"not a capture: it begins with {magic.hex()}")
    head = magic + _read(file, pcap.FileHdr.__hdr_len__ - 4, 0, "the file header")
    # The upper bits tell about a frame check sequence at the end.
    link_type = (pcap.LEFileHdr if little else pcap.FileHdr)(head).linktype & 0xFFFF
    unit = 1e-9 if number in (pcap.TCPDUMP_MAGIC_NANO, pcap.PMUDPCT_MAGIC_NANO) else 1e-6
    count = 0
    while first := file.read(1):
        header = header_class(first + _read(file, header_class.__hdr_len__ - 1, count, "a frame's header"))
        data = _read(file, header.caplen, count, "a frame")
        count += 1
        yield Frame(count, header.tv_sec + header.tv_usec * unit, link_type, data, max(header.len, len(data)))


def _pcapng(file: BinaryIO, magic: bytes, pcapng: ModuleType) -> Iterator[Frame]:
    little = True
    interfaces: list[tuple[int, float, int]] = []  # link type, seconds in a unit of time, offset in seconds
    count = 0
    start = magic
    while start:
        head = start + _read(file, 8 - len(start), count, "a block's header")
        if int.from_bytes(head[:4], "big") == _PCAPNG_MAGIC:
            order = _read(file, 4, count, "a section's header")
            head += order
            little = int.from_bytes(order, "big") != pcapng.BYTE_ORDER_MAGIC
            interfaces = []
        kind, length = struct.unpack("<II" if little else ">II", head[:8])
        if length < len(head) + 4 or length % 4:
            raise CaptureError(f"damaged capture: a block of {length} bytes after frame {count}")
        block = head + _read(file, length - len(head), count, "a block")
        try:
            if kind == pcapng.PCAPNG_BT_IDB:
                interfaces.append(_interface(pcapng, block, little))
            elif kind in (pcapng.PCAPNG_BT_EPB, pcapng.PCAPNG_BT_PB):
                count += 1
                yield _packet_block(pcapng, block, little, kind, interfaces, count)
            elif kind == pcapng.PCAPNG_BT_SPB:
                count += 1
                wire_length = struct.unpack_from("<I" if little else ">I", block, 8)[0]
                yield Frame(count, 0.0, interfaces[0][0], block[12 : 12 + min(wire_length, length - 16)], wire_length)
        except (pcapng.dpkt.Error, struct.error, IndexError) as error:
            raise CaptureError(f"damaged capture: a block after frame {count} does not decode: {error}") from None
        start = file.read(1)


def _interface(pcapng: ModuleType, block: bytes, little: bool) -> tuple[int, float, int]:
    description = (pcapng.InterfaceDescriptionBlockLE if little else pcapng.InterfaceDescriptionBlock)(block)
    unit, offset = 1e-6, 0
    for option in description.opts:
        if option.code == _TSRESOL:
            resolution = option.data[0]
            unit = float(2 if resolution & 0x80 else 10) ** -(resolution & 0x7F)
        elif option.code == _TSOFFSET:
            offset = int.from_bytes(option.data, "little" if little else "big", signed=True)
    return description.linktype, unit, offset


def _packet_block(
    pcapng: ModuleType,
    block: bytes,
    little: bool,
    kind: int,
    interfaces: list[tuple[int, float, int]],
    number: int,
) -> Frame:
    name = "EnhancedPacketBlock" if kind == pcapng.PCAPNG_BT_EPB else "PacketBlock"
    packet = getattr(pcapng, name + "LE" if little else name)(block)
    link_type, unit, offset = interfaces[packet.iface_id]
    time = offset + ((packet.ts_high << 32) | packet.ts_low) * unit
    return Frame(number, time, link_type, packet.pkt_data, max(packet.pkt_len, len(packet.pkt_data)))
