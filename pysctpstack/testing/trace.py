"""What was sent and what became of it, and rules by which a test picks datagrams out.

A rule is a function of a `TraceRecord` that is asked when a datagram is sent: False drops it, True lets it
pass and asks no further rule, None has no opinion. `drop` makes the common ones::

    network.rules.append(drop(has_chunk(0), 3))              # the third packet with DATA
    network.rules.append(drop(has_chunk(1, 2), 1, 2))        # the first two packets with INIT or INIT ACK
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pysctpstack.core.route import Route
from pysctpstack.testing.link import Fate
from pysctpstack.testing.nat import Transport
from pysctpstack.testing.pcap import Captured


@dataclass(slots=True)
class TraceRecord:
    """One datagram. ``fate`` and ``arrival`` are final once it is no longer ``"in_flight"``."""

    time: float
    """When it was sent."""
    source: str
    """Name of the sending host; ``"injected"`` for `SimulatedNetwork.inject`."""
    destination: str
    """Name of the host that it is for; ``""`` when there is none."""
    route: Route
    """As the sender gave it, with the local address that was chosen."""
    data: bytes
    """The UDP payload as it was sent."""
    fate: Fate
    arrival: float
    """When it reached its destination, or was found unreachable; ``math.inf`` when it never got that far."""
    source_port: int
    """UDP port that it was sent from."""
    seen_source: Transport
    """Address and UDP port that the destination sees: a NAT's, if one is in between."""
    reached: Transport
    """Address and UDP port that it arrived at (behind a NAT: the inside ones); before, those of ``route``."""
    received_data: bytes
    """The UDP payload as it arrives: ``data`` itself, or with a bit flipped."""
    is_copy: bool = False
    """Whether the network made it, as a duplicate of the record before it."""

    @property
    def sent(self) -> Captured:
        """The datagram as it looked where it was sent."""
        return Captured(self.time, self.route.local, self.source_port, self.route.peer, self.route.port, self.data)

    @property
    def on_the_way(self) -> Captured:
        """The datagram as it looked between the NATs of both ends."""
        return Captured(self.time, *self.seen_source, self.route.peer, self.route.port, self.data)

    @property
    def received(self) -> Captured:
        """The datagram as it looked where it arrived."""
        return Captured(self.arrival, *self.seen_source, *self.reached, self.received_data)

    @property
    def left(self) -> bool:
        """Whether the sender could send it at all: it needs the local address, of the peer's family."""
        return self.fate != "unreachable" or not math.isinf(self.arrival)

    @property
    def arrived(self) -> bool:
        """Whether a host got it, damaged or not."""
        return self.fate in ("delivered", "duplicated", "corrupted")


Rule = Callable[[TraceRecord], "bool | None"]


def chunk_types(data: bytes) -> list[int]:
    """The types of the chunks in an SCTP packet, in order, as far as they can be walked; no CRC check."""
    types = []
    # RFC 9260 section 3: the common header of 12 bytes, then chunks, each padded to a multiple of 4.
    offset = 12
    while offset + 4 <= len(data):
        types.append(data[offset])
        length = int.from_bytes(data[offset + 2 : offset + 4], "big")
        if length < 4:
            break
        offset += (length + 3) & ~3
    return types


def has_chunk(*types: int) -> Callable[[TraceRecord], bool]:
    """A condition: the packet holds a chunk of one of these types."""
    wanted = frozenset(types)
    return lambda record: not wanted.isdisjoint(chunk_types(record.data))


def drop(condition: Callable[[TraceRecord], bool], *ordinals: int) -> Rule:
    """A rule that drops datagrams that meet ``condition``: all of them, or those with these ordinals only.

    The first datagram that meets the condition after the making of the rule has the ordinal 1.
    """
    if any(ordinal < 1 for ordinal in ordinals):
        raise ValueError("ordinals count from 1")
    wanted: Collection[int] = frozenset(ordinals)
    met = 0

    def rule(record: TraceRecord) -> bool | None:
        nonlocal met
        if not condition(record):
            return None
        met += 1
        return False if not wanted or met in wanted else None

    return rule


def trace_line(record: TraceRecord) -> str:
    """One record as text: when, who, from where, to where, what became of it, and the packet decoded."""
    # Only here, so that the simulation runs datagrams of any kind without the SCTP decoder.
    from pysctpstack.wire.dump import dump

    seen = record.on_the_way
    travel = "" if math.isinf(record.arrival) else f" after {record.arrival - record.time:.6f}"
    return (
        f"{record.time:.6f} {record.source} {_join(seen.source, seen.source_port)} > "
        f"{record.destination or 'nobody'} {_join(seen.destination, seen.destination_port)} "
        f"{record.fate}{travel}: {dump(record.data)}"
    )


def _join(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
