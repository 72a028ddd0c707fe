"""SCTP packets (RFC 9260 section 3): the common header, its checksum, and the chunks' bounds.

`decode_header`, `checksum_ok`, `split` and `encode` are the data path's; `Packet` holds a packet whole,
decoded, for tests, tools and everything that is not in a hurry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct

from pysctpstack.errors import PacketError
from pysctpstack.wire.chunks import Chunk, decode_chunk
from pysctpstack.wire.crc32c import crc32c

#: Source port, destination port, verification tag, checksum.
HEADER = Struct("!HHII")
HEADER_SIZE = 12

unpack_chunk_header = Struct("!BBH").unpack_from
unpack_checksum = Struct("<I").unpack_from
#: The checksum field: RFC 9260 Appendix A has the CRC sent least significant byte first.
pack_checksum = Struct("<I").pack


def decode_header(datagram: bytes) -> tuple[int, int, int, int]:
    """Source port, destination port, verification tag, and the checksum field read as a big-endian number.

    PacketError ``truncated_packet`` if there are fewer than 12 bytes.
    """
    if len(datagram) < 12:
        raise PacketError("truncated_packet", f"{len(datagram)} bytes, the common header has 12")
    return HEADER.unpack_from(datagram)


def checksum_ok(datagram: bytes) -> bool:
    """Whether the CRC32c is right (RFC 9260 section 6.8). The packet must have its 12 bytes of header."""
    # RFC 9260 Appendix A: the CRC is sent least significant byte first.
    received: int = unpack_checksum(datagram, 8)[0]
    # RFC 9260 section 6.8: computed with zeros in its place. A slice of 1,440 bytes is cheaper than a view.
    return crc32c(datagram[12:], crc32c(datagram[:8] + b"\0\0\0\0")) == received


def split(datagram: bytes) -> tuple[list[tuple[int, int, int, int]], bool]:
    """The chunks as ``(type, flags, start, end)``, ``datagram[start:end]`` being the value; whether all fit.

    False when the packet ends in a partial chunk, or a chunk's length is below 4, so that nothing after it
    can be found: RFC 9260 section 6.10 has the complete chunks before it processed. The padding of the last
    chunk may be missing. PacketError ``truncated_packet`` if there are fewer than 12 bytes.
    """
    size = len(datagram)
    if size < 12:
        raise PacketError("truncated_packet", f"{size} bytes, the common header has 12")
    chunks: list[tuple[int, int, int, int]] = []
    start = 16
    while start <= size:
        type_, flags, length = unpack_chunk_header(datagram, start - 4)
        end = start - 4 + length
        if length < 4 or end > size:
            return chunks, False
        chunks.append((type_, flags, start, end))
        start = ((end + 3) & ~3) + 4
    return chunks, start - 4 >= size


def encode(source_port: int, destination_port: int, verification_tag: int, chunks: Sequence[bytes]) -> bytes:
    """A packet of these chunks, with its checksum.

    ``chunks`` are pieces of bytes that make up padded chunks one after the other: a whole chunk may be one
    piece, or a header, a payload and its padding three.
    """
    header = HEADER.pack(source_port, destination_port, verification_tag, 0)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    return b"".join((header[:8], pack_checksum(crc32c(body, crc32c(header))), body))


@dataclass(slots=True)
class Packet:
    """A packet and its decoded chunks; ``checksum`` is the field, big-endian, which `encode` ignores."""

    source_port: int
    destination_port: int
    verification_tag: int
    checksum: int = 0
    chunks: list[Chunk] = field(default_factory=list)

    def encode(self) -> bytes:
        """The packet's bytes, the checksum computed."""
        return encode(
            self.source_port,
            self.destination_port,
            self.verification_tag,
            [chunk.encode() for chunk in self.chunks],
        )


def decode(datagram: bytes, verify: bool = True) -> Packet:
    """The whole packet, strictly: every chunk must be complete and decode.

    PacketError: ``truncated_packet``, ``bad_checksum`` (unless ``verify`` is False), ``bad_chunk_length``,
    and what `pysctpstack.wire.chunks.decode_chunk` raises.
    """
    source_port, destination_port, verification_tag, checksum = decode_header(datagram)
    if verify and not checksum_ok(datagram):
        raise PacketError("bad_checksum", f"{checksum:#010x}")
    bounds, complete = split(datagram)
    if not complete:
        raise PacketError("bad_chunk_length", f"after {len(bounds)} chunks")
    chunks = [decode_chunk(type_, flags, datagram[start:end]) for type_, flags, start, end in bounds]
    return Packet(source_port, destination_port, verification_tag, checksum, chunks)
