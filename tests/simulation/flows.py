"""Bulk transfers that share one line, and what can be said of their congestion control.

Each flow has two hosts of its own and sends at full speed in one direction; all cross the same bottleneck. What a
line does to packets is a `Line`, which `tools/congestion` uses in real time too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from support.pair import SERVER_PORT, UDP_PORT, A, B

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Message, Route, Settings
from pysctpstack.core.statistics import AssociationStatistics
from pysctpstack.events import MessageReceived
from pysctpstack.testing import Host, Link, SeededEntropy, SimulatedNetwork, TraceRecord
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import decode

PAYLOAD = 1_400
"""User data of a message, which fills a packet."""
PACKET = 20 + 8 + 12 + 16 + PAYLOAD
"""The IP datagram that it leaves in."""
LEAST_QUEUE = 20 * 1_500
BUFFER = 16_000_000
"""Send and receive buffer, in bytes: never what holds a flow back on the lines used here."""


@dataclass(frozen=True)
class Line:
    """A bottleneck. ``rtt``: seconds without queueing; ``rate``: bits a second, IP headers counted; ``loss``: the
    probability that a packet with DATA is lost at random; acknowledgements are not lost."""

    rtt: float
    rate: int
    loss: float = 0.0

    @property
    def queue(self) -> int:
        """Bytes that may wait before the bottleneck: what the line holds in one round trip."""
        return max(int(self.rate * self.rtt / 8), LEAST_QUEUE)

    @property
    def capacity(self) -> float:
        """Bits of user data that it can carry in a second."""
        return self.rate * PAYLOAD / PACKET

    @property
    def bound(self) -> float:
        """What Mathis et al. 1997 give for Reno, MSS / RTT * sqrt(3 / 2) / sqrt(p), as far as the rate allows; in bits
        of user data a second."""
        if not self.loss:
            return self.capacity
        return min(8 * PAYLOAD / self.rtt * math.sqrt(1.5 / self.loss), self.capacity)

    def links(self) -> tuple[Link, Link]:
        """There, and back."""
        there = Link(latency=self.rtt / 2, rate=self.rate, queue=self.queue, loss=self.loss)
        return there, Link(latency=self.rtt / 2, rate=self.rate, queue=self.queue)


@dataclass
class Flow:
    """One association, its sender's buffer never empty, its receiver always there."""

    sender: Host
    client: Endpoint
    association: Association
    server: Endpoint
    delivered: int = 0
    """Bytes of user data."""
    timeouts: list[float] = field(default_factory=list)
    """When T3-rtx expired."""
    _errors: int = 0

    @property
    def statistics(self) -> AssociationStatistics:
        return self.association.statistics()


class Bottleneck:
    """The hosts of ``starts`` flows on one line; a flow begins to connect at its start, in seconds.

    ``refills``: the user fills the send buffer again whenever there is room; if not, there is what it held at first.
    ``batching``: see `pysctpstack.testing.Host.batching`.
    """

    def __init__(
        self,
        line: Line,
        seed: int,
        *,
        starts: Sequence[float] = (0.0,),
        refills: bool = True,
        batching: float = 0.0,
        tracing: bool = False,
    ) -> None:
        self.line = line
        self.seed = seed
        self.refills = refills
        self.config = Config(heartbeat_interval=0, receive_buffer=BUFFER)
        self.network = SimulatedNetwork(seed, batching=batching, tracing=tracing)
        there, back = line.links()
        self.network.link(A, B).change(latency=there.latency, rate=there.rate, queue=there.queue, loss=there.loss)
        self.network.link(B, A).change(latency=back.latency, rate=back.rate, queue=back.queue)
        self.flows: list[Flow] = []
        self._payload = bytes(PAYLOAD)
        for number, start in enumerate(starts):
            self.network.call_at(start, self._begin, number)

    def _begin(self, number: int) -> None:
        settings = Settings.from_config(self.config)
        client, server = (
            Endpoint(self.config, SeededEntropy(1_000 * self.seed + 2 * number + end), FixedMtu(1_500))
            for end in (0, 1)
        )
        port = UDP_PORT + number
        host = self.network.add_host(client, A, udp_port=port, name=f"sender {number}")
        self.network.add_host(server, B, udp_port=port, name=f"receiver {number}")
        server.listen(SERVER_PORT, settings, 1)
        association = client.associate(5_000, SERVER_PORT, Route(B, port), settings, self.network.now)
        self._fill(association)
        self.flows.append(Flow(host, client, association, server))

    def run(self, seconds: float) -> None:
        self.network.run_until(self._step, seconds)

    def goodput(self, warm_up: float, seconds: float) -> list[float]:
        """Let ``warm_up`` seconds pass, and return what each flow then delivers in so many more: user data, in bits a
        second."""
        self.run(warm_up)
        before = [flow.delivered for flow in self.flows]
        self.run(seconds)
        return [8 * (flow.delivered - start) / seconds for flow, start in zip(self.flows, before, strict=True)]

    def _step(self) -> bool:
        """What the users of both ends do after each step of the network."""
        now = self.network.now
        for flow in self.flows:
            for event in flow.server.next_events():
                if isinstance(event, MessageReceived):
                    flow.delivered += len(event.data)
                    flow.server.associations[event.association_id].consumed(len(event.data), now)
            flow.client.next_events()
            # A path's error count goes up with nothing but T3-rtx here (no heartbeats), and down with a SACK only.
            errors = flow.association.tcb.paths.primary.error_count
            if errors > flow._errors:
                flow.timeouts.append(now)
            flow._errors = errors
            if self.refills:
                self._fill(flow.association)
        return False

    def _fill(self, association: Association) -> None:
        while association.send_buffered < BUFFER:
            association.send(Message(0, 0, self._payload), self.network.now)


def jain(shares: Sequence[float]) -> float:
    """Jain's fairness index: 1 when all have the same, 1 / n when one has everything."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


@dataclass
class Burst:
    """The DATA packets that left at one instant, and how many packets the SACKs of that instant newly acknowledged."""

    time: float
    sent: int
    acknowledged: int
    retransmitted: int


class Transcript:
    """The trace of one flow, read packet by packet and independent of the stack's own bookkeeping.

    ``batching``: of the network, so that what arrives counts when the sender is given it.
    """

    def __init__(self, records: Sequence[TraceRecord], sender: str, receiver: str, batching: float = 0.0) -> None:
        self.sent: dict[int, list[TraceRecord]] = {}
        """Every transmission of each TSN, in order."""
        self.bursts: list[Burst] = []
        sent = [(record.time, record) for record in records if record.source == sender]
        arrived = sorted(
            ((record.arrival, record) for record in records if record.source == receiver and record.arrived),
            key=lambda event: event[0],
        )
        handed_over = -math.inf
        events = []
        for time, record in arrived:
            if time > handed_over:
                handed_over = time + batching
            events.append((handed_over, record))
        # What arrives at an instant is processed before what leaves at it.
        events = sorted(events + sent, key=lambda event: (event[0], event[1].source == sender))
        waiting: set[int] = set()
        burst = Burst(-math.inf, 0, 0, 0)
        for time, record in events:
            if time != burst.time:
                burst = Burst(time, 0, 0, 0)
                self.bursts.append(burst)
            for chunk in decode(record.data, verify=False).chunks:
                if isinstance(chunk, c.Data) and record.source == sender:
                    again = self.sent.setdefault(chunk.tsn, [])
                    burst.sent += 1
                    burst.retransmitted += bool(again)
                    again.append(record)
                    waiting.add(chunk.tsn)
                elif isinstance(chunk, c.Sack) and record.source == receiver:
                    newly = {tsn for tsn in waiting if _acknowledges(chunk, tsn)}
                    waiting -= newly
                    burst.acknowledged += len(newly)

    def sent_at(self, time: float) -> list[list[TraceRecord]]:
        """For each TSN that was sent at ``time``, all its transmissions until then."""
        return [
            [record for record in transmissions if record.time <= time]
            for transmissions in self.sent.values()
            if any(record.time == time for record in transmissions)
        ]


def _acknowledges(sack: c.Sack, tsn: int) -> bool:
    beyond = (tsn - sack.cumulative_tsn) & 0xFFFFFFFF
    return beyond == 0 or beyond >= 0x80000000 or any(start <= beyond <= end for start, end in sack.gaps)
