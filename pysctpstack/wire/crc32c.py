"""CRC32c (RFC 9260 Appendix A), from the fastest implementation that is installed.

In order: the ``crc32c`` wheel (the ``fast`` extra), ``google_crc32c``, crcmod's C extension, crcmod's Python
loop. The environment variable ``PYSCTPSTACK_CRC32C`` forces one of `IMPLEMENTATION`'s names. ``crc32c`` and
``google_crc32c`` use the processor's instruction: 0.2 us for a packet, against 4 us and 160 us for crcmod.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol


class Crc32c(Protocol):
    """``crc32c(data, value=0)``; chainable: ``crc32c(b, crc32c(a)) == crc32c(a + b)``."""

    def __call__(self, data: bytes | bytearray | memoryview, value: int = 0, /) -> int: ...


def _crc32c_wheel() -> Crc32c:
    from crc32c import crc32c as function

    wheel: Crc32c = function
    return wheel


def _google_crc32c() -> Crc32c:
    from google_crc32c import extend

    def google(data: bytes | bytearray | memoryview, value: int = 0, /) -> int:
        result: int = extend(value, data if type(data) is bytes else bytes(data))  # it takes bytes only
        return result

    return google


def _crcmod_c() -> Crc32c:
    import crcmod._crcfunext  # noqa: F401  (mkPredefinedCrcFun falls back to Python where this is missing)
    from crcmod.predefined import mkPredefinedCrcFun

    extension: Crc32c = mkPredefinedCrcFun("crc-32c")
    return extension


def _crcmod_python() -> Crc32c:
    from crcmod import Crc
    from crcmod._crcfunpy import _crc32r

    table = Crc(0x11EDC6F41, initCrc=0, xorOut=0xFFFFFFFF).table

    def python(data: bytes | bytearray | memoryview, value: int = 0, /) -> int:
        result: int = _crc32r(data, value ^ 0xFFFFFFFF, table) ^ 0xFFFFFFFF
        return result

    return python


_FACTORIES: dict[str, Callable[[], Crc32c]] = {
    "crc32c": _crc32c_wheel,
    "google_crc32c": _google_crc32c,
    "crcmod-c": _crcmod_c,
    "crcmod-python": _crcmod_python,
}


def choose(forced: str = "") -> tuple[str, Crc32c]:
    """The name and function of the first implementation there is, or of the ``forced`` one.

    ImportError when the forced one is not installed; ValueError when there is none of that name.
    """
    if forced:
        if forced not in _FACTORIES:
            names = ", ".join(_FACTORIES)
            raise ValueError(f"PYSCTPSTACK_CRC32C={forced}: no such implementation, choose one of {names}")
        try:
            return forced, _FACTORIES[forced]()
        except ImportError as error:
            raise ImportError(f"PYSCTPSTACK_CRC32C={forced}: not installed ({error})") from error
    for name, factory in _FACTORIES.items():
        try:
            return name, factory()
        except ImportError:
            continue
    raise ImportError("no implementation of CRC32c: install crcmod or crc32c")


IMPLEMENTATION: str
crc32c: Crc32c
IMPLEMENTATION, crc32c = choose(os.environ.get("PYSCTPSTACK_CRC32C", ""))
