"""The user's values as bytes and ints, and back: messages, buffers, options."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any, Final

from pysctpstack.structs.layout import CStruct

_MAX_BUFFER: Final = 1_024
_TAIL_ROOM: Final = 1 << 16
"""Bytes for the addresses or numbers at the end of a struct."""


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def message_of(data: Any) -> bytes:
    """A message of the user's as bytes of our own."""
    return data if isinstance(data, bytes) else bytes(memoryview(data))


def writable(buffer: Any) -> memoryview:
    """A buffer of the user's as bytes to be written into."""
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError("a read-write bytes-like object is required")
    return view


# --- options ---


def as_int(value: Any) -> int:
    """An int option, given as an int or as the bytes of a C int."""
    if isinstance(value, int):
        return int(value)
    data = bytes(value)
    if len(data) < 4:
        raise failure(errno.EINVAL)
    return int.from_bytes(data[:4], sys.byteorder, signed=True)


def option_bytes(value: Any) -> bytes:
    """An option's value as the bytes that C has there. TypeError: a number that no C int holds, as the standard library
    has it; EINVAL: a struct with values that its members can't hold."""
    if isinstance(value, CStruct):
        try:
            return value.pack()
        except ValueError:
            raise failure(errno.EINVAL) from None
    if isinstance(value, int):
        if not -(1 << 31) <= value < 1 << 31:
            raise TypeError(f"{value} is no C int")
        return int(value).to_bytes(4, sys.byteorder, signed=True)
    if isinstance(value, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    return bytes(memoryview(value))


def option_buffer(arg: Any) -> bytes:
    """The in-and-out buffer that ``arg`` of `getsockopt` stands for."""
    if isinstance(arg, CStruct):
        # A struct of variable length says how much it has, not how much it could have.
        return arg.pack() + bytes(_TAIL_ROOM if arg.LAYOUT.tail is not None else 0)
    if isinstance(arg, int):
        if not 0 <= arg <= _MAX_BUFFER:
            # As the standard library has it, without an errno.
            raise OSError("getsockopt buflen out of range")
        return bytes(arg or 4)
    return bytes(memoryview(arg))


def shaped(octets: bytes, arg: Any) -> Any:
    """An option's value in the shape that ``arg`` of `getsockopt` asks for. EINVAL: the struct of another option."""
    if isinstance(arg, CStruct):
        try:
            return type(arg).unpack(octets)
        except ValueError:
            raise failure(errno.EINVAL) from None
    if isinstance(arg, int):
        return octets[:arg] if arg else int.from_bytes(octets[:4], sys.byteorder, signed=True)
    return octets[: len(memoryview(arg))]
