"""Writes datagrams as a capture file that Wireshark, tshark and tcpdump open.

The file is a classic libpcap one of link type 101 (LINKTYPE_RAW): a record starts with its IPv4 or IPv6
header, which is built here together with the UDP header.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

_LINKTYPE_RAW = 101
_IPPROTO_UDP = 17
_MAX_IP_DATAGRAM = 65_535
_FILE_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _MAX_IP_DATAGRAM, _LINKTYPE_RAW)


class Captured(NamedTuple):
    """One UDP datagram with the time at which it was seen and the addresses that it bore there."""

    time: float
    source: str
    source_port: int
    destination: str
    destination_port: int
    data: bytes


def ip_overhead(address: str) -> int:
    """Bytes of the IP and UDP headers in front of a datagram to ``address``."""
    return 48 if ":" in address else 28


def write(path: str | Path, datagrams: Iterable[Captured]) -> int:
    """Write a capture file and return the number of its records.

    Datagrams that no IP packet can hold are left out: no wire ever saw them. Times are seconds from 0 up and
    become seconds since 1970.
    """
    count = 0
    with open(path, "wb") as file:
        file.write(_FILE_HEADER)
        for seen in datagrams:
            if len(seen.data) + ip_overhead(seen.destination) > _MAX_IP_DATAGRAM:
                continue
            packet = _ip_packet(seen, count & 0xFFFF)
            seconds, microseconds = divmod(round(seen.time * 1_000_000), 1_000_000)
            file.write(struct.pack("<IIII", seconds, microseconds, len(packet), len(packet)))
            file.write(packet)
            count += 1
    return count


def _ip_packet(seen: Captured, identification: int) -> bytes:
    source = _packed(seen.source)
    destination = _packed(seen.destination)
    length = 8 + len(seen.data)
    # RFC 768 and RFC 8200 section 8.1: the pseudo-headers differ in layout, not in their sum below 65,536
    # bytes.
    pseudo = source + destination + struct.pack(">HH", _IPPROTO_UDP, length)
    head = struct.pack(">HHH", seen.source_port, seen.destination_port, length)
    # RFC 768: a computed checksum of zero is sent as all ones.
    checksum = internet_checksum(pseudo + head + b"\0\0" + seen.data) or 0xFFFF
    udp = head + checksum.to_bytes(2, "big") + seen.data
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, length, _IPPROTO_UDP, 64) + source + destination + udp
    # Version and header length, DSCP, total length, identification, don't fragment, TTL, protocol.
    fixed = struct.pack(">BBHHHBB", 0x45, 0, 20 + length, identification, 0x4000, 64, _IPPROTO_UDP)
    checksum = internet_checksum(fixed + source + destination)
    return fixed + checksum.to_bytes(2, "big") + source + destination + udp


def internet_checksum(data: bytes) -> int:
    """The ones' complement checksum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    # 65,536 is 1 modulo 65,535, so the remainder of the number as a whole is the ones' complement sum of its
    # words.
    total = int.from_bytes(data, "big")
    remainder = total % 0xFFFF
    # Ones' complement has two zeros; the sum of words that are not all zero is never the positive one.
    return 0xFFFF - (remainder or (0xFFFF if total else 0))


def _packed(address: str) -> bytes:
    return ip_address(address.partition("%")[0]).packed
