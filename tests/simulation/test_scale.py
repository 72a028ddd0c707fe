"""Many associations, streams and messages in one endpoint: what a packet, a timer and an idle association cost.

Costs are calls of functions and bytes of memory, which are the same on every machine; none is a time.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import pytest
from support.pair import SERVER_PORT, UDP_PORT, A, B

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Message, Route, Settings, State
from pysctpstack.events import AssociationClosed, Event, MessageReceived
from pysctpstack.testing import SeededEntropy

FIRST_PORT = 1_000
IDLE_BYTES = 8_192
"""Bound of what an idle association takes in an endpoint; the whole of it, with sockets, is to stay below 16 KiB."""


class Crowd:
    """Two endpoints without a network between them; all their associations are between these two."""

    def __init__(self, count: int = 0, config: Config | None = None) -> None:
        config = config or Config()
        self.settings = Settings.from_config(config)
        self.client = Endpoint(config, SeededEntropy(1), FixedMtu())
        self.server = Endpoint(config, SeededEntropy(2), FixedMtu())
        self.server.listen(SERVER_PORT, self.settings, 1 << 30)
        self.now = 100.0
        self.events: list[Event] = []
        self.associations = [self.associate() for _ in range(count)]

    def associate(self) -> Association:
        port = FIRST_PORT + len(self.client.associations)
        association = self.client.associate(port, SERVER_PORT, Route(B, UDP_PORT), self.settings, self.now)
        self.exchange()
        assert association.state is State.ESTABLISHED
        return association

    def exchange(self) -> int:
        """Hand datagrams over until there are none; how many there were."""
        count = 0
        while True:
            there = [(FROM_CLIENT, datagram) for _, datagram in self.client.datagrams_to_send(self.now)]
            back = [(FROM_SERVER, datagram) for _, datagram in self.server.datagrams_to_send(self.now)]
            if not there and not back:
                break
            count += len(there) + len(back)
            self.server.receive_datagrams(there, self.now)
            self.client.receive_datagrams(back, self.now)
        self.events += self.client.next_events() + self.server.next_events()
        return count

    def next_timeout(self) -> float:
        return min(self.client.next_timeout(), self.server.next_timeout())

    def run_until(self, end: float) -> int:
        """Let time pass; how often somebody had to be woken."""
        wakes = 0
        while (due := self.next_timeout()) <= end:
            self.now = max(due, self.now)
            for endpoint in (self.client, self.server):
                if endpoint.next_timeout() <= self.now:
                    wakes += 1
                    endpoint.handle_timeout(self.now)
            self.exchange()
        self.now = end
        return wakes

    def ping(self, association: Association) -> None:
        """A message, its delivery, its acknowledgement, and its being read."""
        association.send(Message(0, 0, bytes(100), sack_immediately=True), self.now)
        self.exchange()
        (message,) = [event for event in self.events if isinstance(event, MessageReceived)]
        self.events.clear()
        assert association.send_buffered == 0
        self.server.associations[message.association_id].consumed(len(message.data), self.now)
        self.exchange()
        self.next_timeout()


FROM_CLIENT = Route(A, UDP_PORT, B)
FROM_SERVER = Route(B, UDP_PORT, A)


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, those written in C included."""
    count = 0

    def note(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.fixture
def grown() -> Iterator[Callable[[Callable[[], object]], int]]:
    """Bytes that are held after some work and were not before."""

    def measure(work: Callable[[], object]) -> int:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    tracemalloc.start()
    yield measure
    tracemalloc.stop()


# --- the path of a packet ---


def test_a_message_costs_the_same_calls_with_a_thousand_associations() -> None:
    costs = []
    for count in (1, 1_000):
        crowd = Crowd(count)
        first = crowd.associations[0]
        crowd.ping(first)
        costs.append(calls_of(partial(crowd.ping, first)))
    assert costs[0] == costs[1]


def test_a_message_costs_the_same_whoever_sent_the_one_before() -> None:
    crowd = Crowd(200)
    for association in crowd.associations:
        crowd.ping(association)
    costs = {calls_of(partial(crowd.ping, association)) for association in crowd.associations}
    # Heaps are pushed to in C. What differs is whether a timer comes before the association's others.
    assert max(costs) - min(costs) <= 20, costs


def test_a_message_costs_the_same_calls_on_any_of_65_535_streams(
    grown: Callable[[Callable[[], object]], int],
) -> None:
    config = Config(outbound_streams=65_535)
    crowd = Crowd(1, config)
    association = crowd.associations[0]
    assert association.tcb.sender.outbound_streams == 65_535

    def send(stream_id: int) -> None:
        association.send(Message(stream_id, 0, b"x", sack_immediately=True), crowd.now)
        crowd.exchange()
        (message,) = [event for event in crowd.events if isinstance(event, MessageReceived)]
        crowd.events.clear()
        crowd.server.associations[message.association_id].consumed(1, crowd.now)
        crowd.exchange()

    few = range(0, 300, 3)
    for stream_id in few:
        send(stream_id)
    expected = calls_of(partial(send, 0))
    # Nothing is allocated for a stream before it is used, and then a number at one end, a place to wait at the other.
    assert grown(lambda: [send(stream_id) for stream_id in range(60_000, 62_000)]) < 2_000 * 512
    assert calls_of(partial(send, 61_999)) == expected


def test_a_message_costs_the_same_calls_whatever_is_queued() -> None:
    queueing, receiving = set(), set()
    for waiting in (1, 2_000):
        crowd = Crowd(1)
        association = crowd.associations[0]
        crowd.ping(association)
        # Nobody reads, until the window is closed.
        while not (association.is_held_back and not association.tcb.sender.in_flight):
            association.send(Message(0, 0, bytes(1_200)), crowd.now)
            crowd.exchange()
            crowd.run_until(crowd.now + 0.3)
        for _ in range(waiting):
            association.send(Message(0, 0, bytes(1_200)), crowd.now)
        queueing.add(calls_of(partial(association.send, Message(0, 0, bytes(1_200)), crowd.now)))
        (accepted,) = crowd.server.associations.values()
        for _ in range(2):
            accepted.send(Message(0, 0, b"x", sack_immediately=True), crowd.now)
            cost = calls_of(crowd.exchange)
        receiving.add(cost)
    assert len(queueing) == len(receiving) == 1, (queueing, receiving)


# --- timers ---


def test_the_heap_of_alarms_stays_as_small_as_the_crowd() -> None:
    """Each message starts T3-rtx and stops it again, and the heap must not remember them all."""
    crowd = Crowd(50)
    for _ in range(400):
        for association in crowd.associations:
            association.send(Message(0, 0, b"x"), crowd.now)
        crowd.exchange()
        crowd.next_timeout()
        for endpoint in (crowd.client, crowd.server):
            # One for each timer that may come before the association's others.
            assert len(endpoint.deadlines) <= 4 * len(crowd.associations)
        crowd.run_until(crowd.now + 0.05)


def test_what_has_ended_leaves_nothing() -> None:
    crowd = Crowd(50)
    for association in crowd.associations:
        crowd.ping(association)
    for association in crowd.associations:
        association.shutdown(crowd.now)
        crowd.exchange()
    assert sum(isinstance(event, AssociationClosed) for event in crowd.events) == 100
    for endpoint in (crowd.client, crowd.server):
        assert endpoint.next_timeout() == float("inf")
        held = (endpoint.associations, endpoint.by_tag, endpoint.by_peer, endpoint.scheduled, endpoint.deadlines)
        assert not any(held), held


def test_idle_associations_send_their_heartbeats_together() -> None:
    crowd = Crowd(2_000)
    crowd.run_until(crowd.now + 20)
    sent = crowd.client.associations.values()
    before = {a.association_id: a.tcb.paths.primary.heartbeat_sent_at for a in sent}
    wakes = crowd.run_until(crowd.now + 32)
    # Two each at both ends, in as many trains as the seconds have sixteenths, about; not 8,000 wake-ups.
    assert all(a.tcb.paths.primary.heartbeat_sent_at > before[a.association_id] for a in sent)
    assert wakes < 32 * 16 * 3
    assert all(a.state is State.ESTABLISHED for a in sent)


def test_a_heartbeat_is_never_earlier_than_its_jitter_allows() -> None:
    """RFC 9260 section 8.3: HB.interval plus the RTO, give or take half of it, for those that leave together too."""
    crowd = Crowd(300)
    last: dict[int, float] = {}
    gaps: list[float] = []
    end = crowd.now + 120
    while crowd.next_timeout() < end:
        crowd.run_until(crowd.next_timeout())
        for association in crowd.associations:
            path = association.tcb.paths.primary
            sent_at = path.heartbeat_sent_at
            if sent_at > last.get(association.association_id, 0.0):
                if association.association_id in last:
                    gaps.append(sent_at - last[association.association_id])
                last[association.association_id] = sent_at
    assert len(gaps) > 300 * 5
    assert 15.5 <= min(gaps) < 15.7
    assert 16.3 < max(gaps) <= 16.5


# --- memory ---


def test_an_idle_association_is_small(grown: Callable[[Callable[[], object]], int]) -> None:
    crowd = Crowd(100)
    count = 500

    def work() -> None:
        crowd.associations += [crowd.associate() for _ in range(count)]
        crowd.events.clear()
        crowd.run_until(crowd.now + 60)

    size = grown(work) / (2 * count)
    assert size < IDLE_BYTES


def test_what_was_busy_is_small_again(grown: Callable[[Callable[[], object]], int]) -> None:
    crowd = Crowd(100)

    def work() -> None:
        for _ in range(50):
            for association in crowd.associations:
                crowd.ping(association)
        crowd.events.clear()
        crowd.run_until(crowd.now + 60)

    work()
    assert grown(work) < 100 * 512


# --- slow readers, slow networks ---


def test_a_reader_that_does_not_read_holds_the_sender_back(grown: Callable[[Callable[[], object]], int]) -> None:
    """Through a_rwnd: what is not read stays within the receive buffer, what can't leave within the send buffer."""
    config = Config(receive_buffer=50_000, heartbeat_interval=0)
    crowd = Crowd(20, config)
    payload = bytes(1_000)
    send_buffer = 80_000
    offered = 0

    def work() -> None:
        nonlocal offered
        for _ in range(60):
            for association in crowd.associations:
                while association.send_buffered < send_buffer:
                    association.send(Message(0, 0, payload), crowd.now)
                    offered += len(payload)
            crowd.exchange()
            crowd.run_until(crowd.now + 5)

    held = grown(work)
    unread = 0
    for accepted in crowd.server.associations.values():
        receiver = accepted.tcb.receiver
        assert receiver.unread + receiver.reassembly.held <= config.receive_buffer + len(payload)
        assert receiver.advertised_window() < len(payload)
        unread += receiver.unread
    queued = sum(association.send_buffered for association in crowd.associations)
    # Every byte is at one end or at the other.
    assert offered == unread + queued
    assert queued <= 20 * (send_buffer + len(payload))
    assert held < 2 * (unread + queued) + 1_000_000

    # And it goes on when it is read.
    for _ in range(200):
        for event in crowd.events:
            if isinstance(event, MessageReceived):
                crowd.server.associations[event.association_id].consumed(len(event.data), crowd.now)
                unread -= len(event.data)
        crowd.events.clear()
        crowd.exchange()
        crowd.run_until(crowd.now + 5)
        if not any(association.send_buffered for association in crowd.associations):
            break
    assert all(association.send_buffered == 0 for association in crowd.associations)


def test_a_network_that_takes_nothing_holds_the_sender_back() -> None:
    """Through SO_SNDBUF: a sender that stops at the limit has all that it sent in ``send_buffered``, and no more than
    the congestion window is out."""
    crowd = Crowd(1, Config(heartbeat_interval=0, association_max_retrans=100))
    association = crowd.associations[0]
    send_buffer = 212_992
    offered = 0
    for _ in range(100):
        while association.send_buffered < send_buffer:
            association.send(Message(0, 0, bytes(1_400)), crowd.now)
            offered += 1_400
        lost = crowd.client.datagrams_to_send(crowd.now)
        path = association.tcb.paths.primary
        assert sum(len(datagram) for _, datagram in lost) <= path.congestion.cwnd + 2 * path.packet_size
        crowd.now = crowd.client.next_timeout()
        crowd.client.handle_timeout(crowd.now)
    assert association.state is State.ESTABLISHED
    assert offered == association.send_buffered < send_buffer + 1_400
    sender = association.tcb.sender
    assert sum(len(chunk.payload) for chunk in sender.outstanding.values()) + sender.queue.size == offered
