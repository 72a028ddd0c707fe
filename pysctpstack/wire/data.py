"""DATA chunks (RFC 9260 section 3.3.1) for the data path: functions over ints.

A DATA chunk on the wire is ``encode_header(...)``, the payload, and ``PADDING[length & 3]``.
"""

from __future__ import annotations

from struct import Struct

from pysctpstack.wire.tlv import PADDING

__all__ = ["CHUNK", "FIELDS", "HEADER_SIZE", "PADDING", "encode_header"]

#: Bytes before the user data, the chunk header included.
HEADER_SIZE = 16

#: TSN, stream identifier, SSN, PPID at the start of the chunk's value; the user data follows.
FIELDS = Struct("!IHHI")

#: A whole chunk up to the user data: type, flags, length, and the fields above.
CHUNK = Struct("!BBHIHHI")

_pack = CHUNK.pack


def encode_header(flags: int, payload_length: int, tsn: int, stream_id: int, ssn: int, ppid: int) -> bytes:
    """The 16 bytes before ``payload_length`` bytes of user data.

    ``tsn`` and ``ssn`` may be unwrapped; ``ppid`` is the number on the wire. The payload has 65,519 bytes at
    most.
    """
    return _pack(0, flags, 16 + payload_length, tsn & 0xFFFFFFFF, stream_id, ssn & 0xFFFF, ppid)
