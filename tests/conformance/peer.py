"""The scripted peer of the conformance tests: a `Raw` that remembers each packet that leaves, and when.

Every packet is checked as it leaves: its CRC, its ports (SCTP's and UDP's), that INIT, INIT ACK and SHUTDOWN COMPLETE
travel alone and control chunks before DATA (RFC 9260 section 6.10), and that its verification tag is one that the
rules of RFC 9260 sections 8.4, 8.5 and 8.5.1 allow. Tests whose purpose is the tag assert on which one it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import Event
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import decode, encode
from pysctpstack.wire.params import Ipv4Address

QUIET = Config(heartbeat_interval=0.0)
"""No heartbeats on confirmed paths: what leaves is what the test provokes."""
A2 = "192.0.2.2"
"""A second address of the peer, and a third."""
A3 = "192.0.2.3"
FROM_A2 = Route(A2, UDP_PORT, B)
OTHER_TAG = 0x22222222
WRONG_TAG = 0x0BADF00D
WINDOW = 100_000
"""The peer's a_rwnd."""
ALONE = (c.Init, c.InitAck, c.ShutdownComplete)

T = TypeVar("T")


@dataclass(slots=True)
class Left:
    """A packet that left: when, to where, under which tag, with which chunks."""

    time: float
    to: Route
    ports: tuple[int, int]
    """SCTP source and destination."""
    tag: int
    chunks: list[c.Chunk]


class Peer(Raw):
    """See the module; `Raw` has the verbs."""

    def __init__(self, config: Config | None = None, seed: int = 0, *, mtu: int = 1_500) -> None:
        super().__init__(config or QUIET, seed, mtu=mtu)
        self.log: list[Left] = []
        """All packets that left, in order."""
        self.ports = {(SERVER_PORT, CLIENT_PORT)}
        """SCTP source and destination ports that a packet may have."""
        self.given_tag = 0
        """The verification tag of the packet that arrived last."""
        self.init_tag = self.own_tag
        """The Initiate Tag of the INIT that arrived last."""

    @classmethod
    def at(cls, state: State, config: Config | None = None) -> Peer:
        """As `Raw.in_state`, the log empty."""
        peer = cls.in_state(state, config or QUIET)
        assert isinstance(peer, Peer)
        peer.log.clear()
        return peer

    @classmethod
    def dual_homed(cls, config: Config | None = None) -> Peer:
        """An association of a peer that has listed and proven `A` and `A2`, nothing waiting."""
        peer = cls(config)
        peer.accept(peer.init(parameters=[Ipv4Address(A), Ipv4Address(A2)]))
        (probe,) = [chunk for chunk in peer.wait(1.0) if isinstance(chunk, c.Heartbeat)]
        assert peer.log[-1].to.peer == A2
        assert peer.give(c.HeartbeatAck(probe.info), route=FROM_A2) == []
        peer.told()
        peer.log.clear()
        return peer

    # --- what arrives ---

    def give(
        self,
        *chunks: c.Chunk | bytes,
        tag: int | None = None,
        route: Route | None = None,
        ports: tuple[int, int] = (CLIENT_PORT, SERVER_PORT),
    ) -> list[c.Chunk]:
        self.given_tag = self.tag if tag is None else tag
        for chunk in chunks:
            if isinstance(chunk, c.Init):
                self.init_tag = chunk.initiate_tag
        return super().give(*chunks, tag=tag, route=route, ports=ports)

    def encoded(self, *chunks: bytes, tag: int = 0) -> bytes:
        """A packet of raw chunks, for those that are to be damaged before `Raw.give_bytes` has them arrive."""
        self.given_tag = tag
        return encode(CLIENT_PORT, SERVER_PORT, tag, chunks)

    def sack(self, count: int, a_rwnd: int = WINDOW, gaps: tuple[tuple[int, int], ...] = ()) -> c.Sack:
        """A SACK that acknowledges the first ``count`` DATA chunks of the endpoint cumulatively."""
        return c.Sack((self.local_tsn - 1 + count) & 0xFFFFFFFF, a_rwnd, gaps)

    # --- what leaves ---

    def sent(self) -> list[tuple[Route, int, list[c.Chunk]]]:
        packets = []
        for route, datagram in self.endpoint.datagrams_to_send(self.now):
            packet = decode(datagram)
            ports = (packet.source_port, packet.destination_port)
            left = Left(self.now, route, ports, packet.verification_tag, packet.chunks)
            self._check(left)
            self.log.append(left)
            packets.append((route, left.tag, left.chunks))
        return packets

    def _check(self, left: Left) -> None:
        assert left.ports in self.ports, left
        assert left.to.port == UDP_PORT, left
        assert left.chunks, left
        if isinstance(left.chunks[0], c.Init):
            allowed = {0}
        elif isinstance(left.chunks[0], c.InitAck):
            allowed = {self.init_tag}
        elif any(isinstance(k, (c.Abort, c.ShutdownComplete)) and k.reflected for k in left.chunks):
            allowed = {self.given_tag}
        else:
            allowed = {self.own_tag, self.init_tag}
        assert left.tag in allowed, left
        if any(isinstance(chunk, ALONE) for chunk in left.chunks):
            assert len(left.chunks) == 1, left
        kinds = [chunk.type == cp.DATA for chunk in left.chunks]
        assert kinds == sorted(kinds), left
        assert not (any(kinds) and any(isinstance(chunk, c.Abort) for chunk in left.chunks)), left

    def with_chunk(self, kind: type[T]) -> list[tuple[Left, T]]:
        """The packets that left with a chunk of this kind, and that chunk; one entry for each such chunk."""
        return [(left, chunk) for left in self.log for chunk in left.chunks if isinstance(chunk, kind)]

    def times(self, kind: type[c.Chunk]) -> list[float]:
        """Seconds from the first packet with a chunk of this kind to each of them."""
        all_times = [left.time for left, _ in self.with_chunk(kind)]
        return [round(time - all_times[0], 6) for time in all_times]

    def wait_for_packets(self, count: int) -> None:
        """Let time pass until the log has so many packets, some minutes at most."""
        for _ in range(3_000):
            if len(self.log) >= count:
                return
            self.wait(0.1)
        raise AssertionError(f"{len(self.log)} packets, not {count}: {self.log}")

    # --- the user's side ---

    def told(self) -> list[Event]:
        """Take what the user was told since the last time."""
        return self.endpoint.next_events()

    def send(self, data: bytes, stream_id: int = 0, *, no_delay: bool = True) -> list[c.Chunk]:
        """The user sends a message; the chunks that leave at once. ``no_delay``: without Nagle's algorithm."""
        association = self.association
        association.tcb.sender.no_delay = no_delay
        association.send(Message(stream_id, 0, data), self.now)
        return self.answers()

    def shut_down(self) -> list[c.Chunk]:
        """The user closes in order; the chunks that leave at once."""
        self.association.shutdown(self.now)
        return self.answers()

    def is_in(self, state: State) -> bool:
        """The association is in this state."""
        return self.association.state is state

    @property
    def is_gone(self) -> bool:
        """The endpoint has no association, and nothing scheduled."""
        scheduled = self.endpoint.next_timeout()
        return not self.endpoint.associations and scheduled == float("inf")


def check_sack(
    chunk: c.Chunk,
    last_tsn: int,
    gaps: tuple[tuple[int, int], ...] = (),
    duplicates: tuple[int, ...] = (),
) -> None:
    """The chunk is a SACK that acknowledges up to ``last_tsn`` and shows these gaps and duplicates."""
    assert isinstance(chunk, c.Sack), chunk
    assert (chunk.cumulative_tsn, chunk.gaps, chunk.duplicates) == (last_tsn & 0xFFFFFFFF, gaps, duplicates)
