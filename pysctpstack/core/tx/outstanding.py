"""DATA chunks that have TSNs and are not cumulatively acknowledged (RFC 9260 sections 6.2.1 and 7.2.4). A hot file.

A dictionary by unwrapped TSN: constant time by TSN, and in TSN order since TSNs are given in order.
"""

from __future__ import annotations

from pysctpstack.core.path import Path
from pysctpstack.core.tx.send_queue import Message


class Chunk:
    """A transmitted DATA chunk. ``size``: its bytes on the wire, header and padding included."""

    __slots__ = (
        "tsn",
        "header",
        "payload",
        "size",
        "message",
        "path",
        "acked",
        "marked",
        "missing",
        "fast_retransmitted",
    )

    def __init__(self, tsn: int, header: bytes, payload: bytes, size: int, message: Message, path: Path) -> None:
        self.tsn = tsn
        self.header = header
        self.payload = payload
        self.size = size
        self.message = message
        self.path = path
        """Where it was sent last."""
        self.acked = False
        """By a Gap Ack Block: kept, since the peer may still renege."""
        self.marked = False
        """For retransmission; not in flight."""
        self.missing = 0
        """Miss indications towards Fast Retransmit."""
        self.fast_retransmitted = False


Outstanding = dict[int, Chunk]
