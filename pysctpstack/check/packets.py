"""Rules that one packet can break by itself: checksum, lengths, padding, flags, bundling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from pysctpstack.check.findings import Seen
from pysctpstack.errors import PacketError
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.data import HEADER_SIZE as DATA_HEADER_SIZE
from pysctpstack.wire.extension_chunks import IData
from pysctpstack.wire.packet import HEADER_SIZE, checksum_ok, decode_header, split

Tell = Callable[[str, str], None]
"""Takes a rule and what happened."""

_MEANINGFUL = {cp.DATA: 0x0F, cp.I_DATA: 0x0F, cp.ABORT: cp.FLAG_T, cp.SHUTDOWN_COMPLETE: cp.FLAG_T}
_ALONE = frozenset((cp.INIT, cp.INIT_ACK, cp.SHUTDOWN_COMPLETE))
_USER_DATA = frozenset((cp.DATA, cp.I_DATA))
_PARAMETERS = {cp.INIT: 16, cp.INIT_ACK: 16, cp.ABORT: 0, cp.ERROR: 0, cp.HEARTBEAT: 0, cp.HEARTBEAT_ACK: 0}


@dataclass(slots=True)
class Opened:
    """A packet with its chunks, as far as they decode."""

    seen: Seen
    source_port: int
    destination_port: int
    tag: int
    chunks: list[c.Chunk]
    types: list[int]
    cut: bool
    """Whether chunks are missing because the capture cut the packet."""
    unfilled: bool
    """Whether the checksum field is 0: RFC 9653, or left to the network card."""


def open_packet(seen: Seen, tell: Tell) -> Opened | None:
    """Judge the packet by itself; None when its receiver would drop it as a whole."""
    data = seen.data
    try:
        source_port, destination_port, tag, checksum = decode_header(data)
    except PacketError:
        if not seen.missing:
            tell("chunk-length", f"{len(data)} bytes are no SCTP packet")
        return None
    unfilled = not checksum
    if not seen.missing and not unfilled and not checksum_ok(data):
        tell("checksum", f"the checksum {checksum:#010x} is {_other_checksum(data, checksum)}")
        return None
    bounds, complete = split(data)
    if not seen.missing:
        if not complete:
            tell("chunk-length", f"after {len(bounds)} chunks comes no whole one")
        elif not bounds:
            tell("chunk-length", "the packet has no chunk")
        elif len(data) % 4:
            tell("padding", "the last chunk's padding is missing")
    chunks: list[c.Chunk] = []
    for type_, flags, start, end in bounds:
        name = cp.CHUNK_NAMES.get(type_, f"CHUNK-{type_}")
        if any(data[end : (end + 3) & ~3]):
            tell("padding", f"{name} is padded with {data[end : (end + 3) & ~3].hex()}")
        if type_ in cp.CHUNK_NAMES and flags & ~_MEANINGFUL.get(type_, 0):
            tell("flags", f"{name} has the flags {flags:#04x}")
        try:
            chunk = c.decode_chunk(type_, flags, data[start:end])
        except PacketError as error:
            tell("malformed", f"{name}: {error}")
            continue
        if type_ in _PARAMETERS:
            _inner_padding(name, data[start:end], _PARAMETERS[type_], tell)
        chunks.append(chunk)
    types = [bound[0] for bound in bounds]
    _bundling(types, tell)
    _tsn_order(chunks, tell)
    if seen.missing and (partial := _partial_data(data, bounds)):
        chunks.append(partial)
    return Opened(seen, source_port, destination_port, tag, chunks, types, bool(seen.missing), unfilled)


def _other_checksum(data: bytes, checksum: int) -> str:
    # RFC 2960 had Adler-32 before RFC 3309 replaced it.
    from zlib import adler32

    return "the Adler-32 of RFC 2960" if adler32(data[:8] + b"\0\0\0\0" + data[12:]) == checksum else "wrong"


def _inner_padding(name: str, value: bytes, start: int, tell: Tell) -> None:
    for type_, _, end in tlv.walk(value, start, len(value)):
        padding = value[end : (end + 3) & ~3]
        if any(padding):
            tell("padding", f"parameter or cause {type_:#x} of {name} is padded with {padding.hex()}")


def _bundling(types: list[int], tell: Tell) -> None:
    if len(types) < 2:
        return
    for type_ in types:
        if type_ in _ALONE:
            tell("bundling", f"{cp.CHUNK_NAMES[type_]} shares its packet with {len(types) - 1} other chunks")
    data = [position for position, type_ in enumerate(types) if type_ in _USER_DATA]
    if cp.ABORT in types:
        if data:
            tell("abort-data", "DATA shares its packet with ABORT")
        elif types[-1] != cp.ABORT:
            tell("abort-data", "chunks follow ABORT")
    elif data and any(type_ not in _USER_DATA and type_ != cp.PAD for type_ in types[data[0] :]):
        tell("bundling-order", "a control chunk follows DATA")
    # RFC 4895 section 6.3 has AUTH before what it authenticates.
    first = 1 if types[0] == cp.AUTH else 0
    for type_ in (cp.COOKIE_ECHO, cp.COOKIE_ACK):
        if type_ in types and types.index(type_) > first:
            tell("cookie-first", f"{cp.CHUNK_NAMES[type_]} is not the first chunk")


def _tsn_order(chunks: list[c.Chunk], tell: Tell) -> None:
    tsns = [chunk.tsn for chunk in chunks if isinstance(chunk, c.Data | IData)]
    for earlier, later in pairwise(tsns):
        if not 0 < (later - earlier) & 0xFFFFFFFF < 0x80000000:
            tell("bundling-order", f"TSN {later} follows {earlier}")


class CutData(c.Data):
    """A DATA chunk of which the capture has the header: ``payload`` is what is there, ``size`` what belongs there."""

    size: int = 0


def _partial_data(data: bytes, bounds: list[tuple[int, int, int, int]]) -> CutData | None:
    start = (bounds[-1][3] + 3) & ~3 if bounds else HEADER_SIZE
    if len(data) < start + DATA_HEADER_SIZE or data[start] != cp.DATA:
        return None
    chunk = c.Data.decode(data[start + 1], data[start + 4 :])
    cut = CutData(chunk.tsn, chunk.stream_id, chunk.ssn, chunk.ppid, chunk.payload, chunk.flags)
    cut.size = int.from_bytes(data[start + 2 : start + 4], "big") - DATA_HEADER_SIZE
    return cut
