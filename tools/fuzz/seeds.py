"""Inputs to begin with: packets of this stack's own associations, and of captures where there are any.

``PYSCTPSTACK_CAPTURES`` names a directory of pcap and pcapng files; dpkt, from the ``test`` extra, reads them.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from support.pair import Pair

from pysctpstack.config import Config

CAPTURES = Path(os.environ.get("PYSCTPSTACK_CAPTURES", Path(__file__).parents[3] / "shared" / "captures"))
MOST_OF_A_KIND = 40
"""Packets with the same chunk types and about the same size that are taken from the captures."""

_LINK_HEADERS = {1: 14, 113: 16, 101: 0, 12: 0}


@cache
def genuine_packets() -> list[bytes]:
    """What an association of this stack sends: set-up, data both ways with loss, heartbeats, shutdown; and an abort."""
    pair = Pair(config=Config(heartbeat_interval=0.5))
    pair.connect()
    for number in range(6):
        pair.send(pair.a, 100 + 900 * number, stream_id=number)
        pair.send(pair.b, 2_000, unordered=bool(number % 2))
    pair.run(3)
    pair.a.association.shutdown(pair.now)
    pair.run(5)
    packets = [record.data for record in pair.network.trace]
    pair = Pair(seed=1)
    pair.connect()
    pair.b.association.abort(b"over", pair.now)
    pair.run(1)
    return packets + [record.data for record in pair.network.trace]


@cache
def captured_packets() -> list[bytes]:
    """SCTP packets of the captures, a few of each kind; none where there are no captures or no dpkt."""
    try:
        from dpkt.pcap import UniversalReader
    except ImportError:
        return []
    kinds: dict[tuple[bytes, int], int] = {}
    packets = []
    for path in sorted((*CAPTURES.glob("*.pcap"), *CAPTURES.glob("*.pcapng"), *CAPTURES.glob("*.cap"))):
        with path.open("rb") as file:
            reader = UniversalReader(file)
            link_type = reader.datalink()
            for _, frame in reader:
                packet = frame if link_type == 248 else _sctp(frame, _LINK_HEADERS.get(link_type, 14))
                if not 12 <= len(packet) <= 1_600:
                    continue
                kind = (packet[12:14], len(packet) // 64)
                kinds[kind] = kinds.get(kind, 0) + 1
                if kinds[kind] <= MOST_OF_A_KIND:
                    packets.append(packet)
    return packets


def _sctp(frame: bytes, link_header: int) -> bytes:
    """The SCTP packet in a frame; b"" if there is none, or only a part of one."""
    ether_type, at = frame[link_header - 2 : link_header], link_header
    while ether_type in (b"\x81\x00", b"\x88\xa8"):
        ether_type, at = frame[at + 2 : at + 4], at + 4
    network = frame[at:]
    if len(network) >= 20 and network[0] >> 4 == 4 and network[9] == 132:
        if int.from_bytes(network[6:8], "big") & 0x3FFF:
            return b""
        return network[(network[0] & 15) * 4 : int.from_bytes(network[2:4], "big")]
    if len(network) >= 40 and network[0] >> 4 == 6 and network[6] == 132:
        return network[40 : 40 + int.from_bytes(network[4:6], "big")]
    return b""
