"""The user's values as bytes and ints, and back: messages, buffers, options."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

from pysctpstack import constants as c
from pysctpstack.structs.layout import CStruct


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


def as_struct(value: Any, type_: type[CStruct], *, exact: bool = False) -> Any:
    """A struct option, given as the struct or as its bytes. EINVAL: too short, or of another size where that
    matters."""
    if isinstance(value, type_):
        return value
    if isinstance(value, (int, CStruct)) or value is None:
        raise failure(errno.EINVAL)
    data = bytes(value)
    if exact and len(data) != type_.SIZE:
        raise failure(errno.EINVAL)
    try:
        return type_.unpack(data)
    except ValueError:
        raise failure(errno.EINVAL) from None


def shaped(level: int, optname: int, value: Any, arg: Any) -> Any:
    """An option's value in the shape that ``arg`` of `getsockopt` asks for."""
    if isinstance(arg, CStruct):
        if not isinstance(value, type(arg)):
            # The struct of another option.
            raise failure(errno.EINVAL)
        return value
    if isinstance(arg, int):
        if arg < 0 or arg > 1 << 16:
            raise failure(errno.EINVAL)
        if arg == 0:
            if isinstance(value, int):
                return value
            return int.from_bytes(bytes_of(value)[:4], sys.byteorder, signed=True)
        room = arg
    else:
        room = len(bytes(arg))
    data = bytes_of(value)
    if room < len(data) and level == c.IPPROTO_SCTP and optname != c.SCTP_EVENTS:
        # SCTP_EVENTS has grown, so that older programs ask for less of it; half of another struct is a mistake.
        raise failure(errno.EINVAL)
    return data[:room]


def bytes_of(value: Any) -> bytes:
    if isinstance(value, CStruct):
        return value.pack()
    if isinstance(value, int):
        return value.to_bytes(4, sys.byteorder, signed=value < 0)
    return bytes(value)
