"""Type, length, value: the format that parameters, error causes and, with one more field, chunks share.

RFC 9260 section 3.2.1. There is one walker, so that what was checked and what is used cannot differ.
"""

from __future__ import annotations

from struct import Struct

from pysctpstack.errors import PacketError

#: Zero bytes that bring a length to a multiple of 4, indexed by ``length & 3``.
PADDING: tuple[bytes, ...] = (b"", b"\0\0\0", b"\0\0", b"\0")

_TYPE_LENGTH = Struct("!HH")
_CHUNK_HEADER = Struct("!BBH")


def walk(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    """The ``(type, value_start, value_end)`` of each parameter or cause in ``data[start:end]``.

    The padding of the last one may lie inside ``end`` or be missing: RFC 9260 section 3.2 wants a chunk
    accepted whether or not its length counts the final padding. PacketError ``bad_parameter_length`` when a
    length is below 4 or reaches beyond ``end``, or 1 to 3 bytes are left over that are nobody's padding.
    """
    found: list[tuple[int, int, int]] = []
    position = start
    while position < end:
        if end - position < 4:
            raise PacketError("bad_parameter_length", f"{end - position} bytes left, a header has 4")
        type_, length = _TYPE_LENGTH.unpack_from(data, position)
        if length < 4 or length > end - position:
            raise PacketError("bad_parameter_length", f"type {type_:#x}: {length}, {end - position} bytes left")
        found.append((type_, position + 4, position + length))
        position += (length + 3) & ~3
    return found


def encode(type: int, value: bytes) -> bytes:  # noqa: A002
    """One parameter or cause, padded to a multiple of 4 bytes; ValueError beyond 65,535 bytes."""
    length = 4 + len(value)
    if length > 0xFFFF:
        raise ValueError(f"a value of {len(value)} bytes is longer than a length field of 16 bits can say")
    return b"".join((_TYPE_LENGTH.pack(type, length), value, PADDING[length & 3]))


def join(encoded: list[bytes]) -> bytes:
    """Encoded parameters or causes, one after the other, as the end of a chunk's or parameter's value.

    The padding of the last one is left off: RFC 9260 section 3.2 does not count it in the chunk's length.
    """
    if not encoded:
        return b""
    *others, last = encoded
    return b"".join((*others, last[: _TYPE_LENGTH.unpack_from(last)[1]]))


def encode_chunk(type: int, flags: int, value: bytes) -> bytes:  # noqa: A002
    """One whole chunk, padded to a multiple of 4 bytes; ValueError beyond 65,535 bytes."""
    length = 4 + len(value)
    if length > 0xFFFF:
        raise ValueError(f"a chunk value of {len(value)} bytes is longer than a length field of 16 bits can say")
    return b"".join((_CHUNK_HEADER.pack(type, flags, length), value, PADDING[length & 3]))


def unpack_all(layout: Struct, value: bytes, reason: str) -> tuple[int, ...]:
    """The ints of a value of fixed length; PacketError ``reason`` when the length is another."""
    if len(value) != layout.size:
        raise PacketError(reason, f"{len(value)} bytes, not {layout.size}")
    return layout.unpack(value)


def unpack_u16s(value: bytes, reason: str) -> list[int]:
    """The 16-bit numbers that fill a value; PacketError ``reason`` when half a number is left over."""
    if len(value) & 1:
        raise PacketError(reason, f"{len(value)} bytes do not hold 16-bit numbers")
    return list(Struct(f"!{len(value) // 2}H").unpack(value))


def pack_u16s(numbers: list[int]) -> bytes:
    """The 16-bit numbers, one after the other."""
    return Struct(f"!{len(numbers)}H").pack(*numbers)


def require(value: bytes, size: int, reason: str) -> None:
    """PacketError ``reason`` when a value is shorter than its ``size`` bytes of fixed fields."""
    if len(value) < size:
        raise PacketError(reason, f"{len(value)} bytes, at least {size} are needed")


def require_empty(value: bytes, reason: str) -> None:
    """PacketError ``reason`` when there is a value where none may be."""
    if value:
        raise PacketError(reason, f"{len(value)} bytes where none belong")
