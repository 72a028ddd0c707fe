"""The simulated network: what it does to datagrams, when, and that it does the same again."""

from __future__ import annotations

import copy
import math
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import dpkt  # type: ignore[import-untyped]
import pytest

from pysctpstack.core.route import Route
from pysctpstack.testing import (
    DEFAULT_QUEUE,
    Host,
    Link,
    SansIOEndpoint,
    SimulatedNetwork,
    SimulationError,
    TraceRecord,
    VirtualClock,
    chunk_types,
    drop,
    has_chunk,
    seeded_bytes,
)

A = "192.0.2.1"
B = "198.51.100.1"
A6 = "2001:db8::1"
B6 = "2001:db8::2"


class Peer:
    """A dummy endpoint: sends what it is told to, may echo, and may have a deadline."""

    def __init__(self, *, echo: bool = False, interval: float = math.inf) -> None:
        self.echo = echo
        self.interval = interval
        self.deadline = interval
        self.outbox: list[tuple[Route, bytes]] = []
        self.batches: list[tuple[float, list[tuple[Route, bytes]]]] = []
        self.timeouts: list[float] = []

    def send(self, data: bytes, peer: str = B, port: int = 9899, local: str = "") -> None:
        self.outbox.append((Route(peer, port, local), data))

    def receive_datagrams(self, batch: Sequence[tuple[Route, bytes]], now: float) -> None:
        self.batches.append((now, list(batch)))
        if self.echo:
            self.outbox += batch

    def handle_timeout(self, now: float) -> None:
        self.timeouts.append(now)
        self.deadline = now + self.interval

    def datagrams_to_send(self, _now: float) -> list[tuple[Route, bytes]]:
        sent, self.outbox = self.outbox, []
        return sent

    def next_timeout(self) -> float:
        return self.deadline

    @property
    def received(self) -> list[bytes]:
        return [data for _now, batch in self.batches for _route, data in batch]

    @property
    def arrivals(self) -> list[float]:
        return [now for now, batch in self.batches for _datagram in batch]


class Pair:
    """Two hosts on a network."""

    def __init__(self, network: SimulatedNetwork | None = None, *, echo: bool = False) -> None:
        self.network = network or SimulatedNetwork()
        self.a, self.b = Peer(), Peer(echo=echo)
        self.host_a = self.network.add_host(self.a, A, name="a")
        self.host_b = self.network.add_host(self.b, B, name="b")


def numbered(count: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(count)]


def fates(network: SimulatedNetwork) -> list[str]:
    return [record.fate for record in network.trace]


# --- time ---


def test_a_datagram_takes_the_latency_and_its_answer_the_other_link_s() -> None:
    pair = Pair(echo=True)
    pair.network.link(A, B).latency = 0.25
    pair.network.link(B, A).latency = 0.5
    pair.a.send(b"ping")
    assert pair.network.run_until(lambda: bool(pair.a.batches), timeout=10)
    assert pair.network.now == 0.75
    assert pair.b.batches == [(0.25, [(Route(A, 9899, B), b"ping")])]
    assert pair.a.batches == [(0.75, [(Route(B, 9899, A), b"ping")])]


def test_run_until_gives_up_at_the_timeout_and_the_clock_is_there() -> None:
    pair = Pair(SimulatedNetwork(start=100.0))
    assert not pair.network.run_until(lambda: bool(pair.b.batches), timeout=3)
    assert pair.network.now == 103.0
    assert pair.network.run_until(lambda: True, timeout=3)
    assert pair.network.now == 103.0
    pair.a.send(b"x")
    assert pair.network.run_until(lambda: pair.network.now > 103, timeout=3)
    assert pair.b.arrivals == [103.01]


def test_what_a_predicate_does_to_an_endpoint_is_sent_at_once() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=1.0)))

    def predicate() -> bool:
        if pair.network.now == 2.0 and not pair.a.batches:
            pair.b.send(b"back", A)
        return bool(pair.a.batches)

    pair.network.call_at(2.0, lambda: None)
    assert pair.network.run_until(predicate, timeout=10)
    assert pair.network.now == 3.0


def test_run_for_does_what_is_due_at_its_very_end_and_nothing_later() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=1.0)), echo=True)
    pair.a.send(b"x")
    pair.network.run_for(1.0)
    assert pair.b.arrivals == [1.0]
    pair.network.run_for(0.5)
    assert pair.network.now == 1.5
    assert pair.network.in_flight == 1
    assert not pair.a.batches


def test_deadlines_are_met_to_the_instant_and_only_then() -> None:
    network = SimulatedNetwork()
    fast, slow = Peer(interval=0.25), Peer(interval=1.0)
    network.add_host(fast, A)
    network.add_host(slow, B)
    network.run_for(2.0)
    assert fast.timeouts == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0]
    assert slow.timeouts == [1.0, 2.0]


def test_a_deadline_that_has_passed_is_met_now() -> None:
    network = SimulatedNetwork(start=50.0)
    late = Peer(interval=10.0)
    network.add_host(late, A)
    network.run_for(0)
    assert late.timeouts == [50.0]


def test_arrivals_come_before_deadlines_of_the_same_instant() -> None:
    class Waits(Peer):
        def receive_datagrams(self, batch: Sequence[tuple[Route, bytes]], now: float) -> None:
            super().receive_datagrams(batch, now)
            self.deadline = math.inf

    pair = Pair(SimulatedNetwork(link=Link(latency=0.5)))
    pair.host_b.endpoint = waits = Waits(interval=0.5)
    pair.a.send(b"just in time")
    pair.network.run_for(2)
    assert waits.received == [b"just in time"]
    assert waits.timeouts == []


def test_a_virtual_day_of_heartbeats_is_short() -> None:
    class Heart(Peer):
        def handle_timeout(self, now: float) -> None:
            super().handle_timeout(now)
            self.send(b"beat")

    network = SimulatedNetwork(tracing=False)
    network.add_host(Heart(interval=15.0), A)
    network.add_host(Peer(echo=True), B)
    began = time.process_time()
    network.run_for(86_400)
    assert time.process_time() - began < 10
    assert network.counters["delivered"] == 2 * 86_400 // 15 - 2
    assert network.in_flight == 1
    assert network.trace == []


def test_scheduled_calls_run_in_order_of_time_then_of_scheduling() -> None:
    network = SimulatedNetwork()
    done: list[str] = []
    network.call_at(2.0, done.append, "third")
    network.call_later(1.0, done.append, "first")
    network.call_at(1.0, done.append, "second")
    network.call_at(-5.0, done.append, "at once")
    network.run_for(5)
    assert done == ["at once", "first", "second", "third"]


def test_a_clock_goes_only_forward() -> None:
    clock = VirtualClock(5.0)
    with pytest.raises(ValueError, match="cannot move the clock"):
        clock.advance(4.0)
    with pytest.raises(ValueError, match="cannot move the clock"):
        clock.advance(math.inf)
    with pytest.raises(ValueError, match="cannot schedule"):
        clock.call_at(math.nan, print)
    assert clock.next_event == math.inf


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan])
def test_a_run_has_an_end(seconds: float) -> None:
    with pytest.raises(ValueError, match="cannot run for"):
        SimulatedNetwork().run_for(seconds)


# --- idleness ---


def test_idle_is_when_nothing_flies_and_no_deadline_is_near() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=2.0)), echo=True)
    pair.b.deadline = 30.0
    pair.a.send(b"x")
    assert pair.network.run_until_idle()
    assert pair.network.now == 4.0
    assert pair.a.received == [b"x"]
    assert pair.b.timeouts == []


def test_a_near_deadline_or_a_scheduled_call_is_waited_for() -> None:
    pair = Pair()
    pair.b.deadline = 3.0
    done: list[int] = []
    pair.network.call_at(7.0, done.append, 1)
    assert pair.network.run_until_idle()
    assert pair.b.timeouts == [3.0]
    assert done == [1]
    assert pair.network.now == 7.0


def test_a_network_that_never_rests_is_not_idle() -> None:
    network = SimulatedNetwork()
    network.add_host(Peer(interval=1.0), A)
    assert not network.run_until_idle(limit=20.0)
    assert network.now == 20.0
    assert network.run_until_idle(limit=20.0, quiet=0.5)


# --- batches ---


def test_what_arrives_at_one_instant_is_one_batch() -> None:
    pair = Pair()
    for data in numbered(3):
        pair.a.send(data)
    pair.network.run_for(1)
    assert pair.b.batches == [(0.01, [(Route(A, 9899, B), data) for data in numbered(3)])]


def test_datagrams_of_several_senders_are_one_batch() -> None:
    pair = Pair()
    third = Peer()
    pair.network.add_host(third, "203.0.113.7", udp_port=500)
    pair.a.send(b"one")
    third.send(b"two")
    pair.network.run_for(1)
    assert pair.b.batches == [
        (0.01, [(Route(A, 9899, B), b"one"), (Route("203.0.113.7", 500, B), b"two")]),
    ]


def test_batching_collects_for_an_interval_from_the_first_arrival() -> None:
    pair = Pair(SimulatedNetwork(batching=0.5))
    for when, data in ((0.0, b"1"), (0.25, b"2"), (0.75, b"3")):
        pair.network.call_at(when, pair.a.send, data)
    pair.network.run_for(0.5)
    assert pair.network.in_flight == 2
    assert pair.network.run_until_idle()
    assert [(now, [data for _route, data in batch]) for now, batch in pair.b.batches] == [
        (0.51, [b"1", b"2"]),
        (1.26, [b"3"]),
    ]


def test_a_host_may_have_a_batching_of_its_own() -> None:
    network = SimulatedNetwork(batching=0.5)
    sender, receiver = Peer(), Peer()
    network.add_host(sender, A)
    network.add_host(receiver, B, batching=0.0)
    sender.send(b"x")
    network.run_for(1)
    assert receiver.arrivals == [0.01]
    with pytest.raises(ValueError, match="not a time to collect"):
        network.add_host(Peer(), "192.0.2.9", batching=-1.0)


# --- links ---


def test_a_rate_serialises_ip_datagrams_one_after_the_other() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=0.5, rate=8_000)))  # 1,000 bytes a second
    for _ in range(3):
        pair.a.send(bytes(1_000 - 28))
    pair.network.call_at(10.0, pair.a.send, bytes(500 - 28))
    pair.network.run_for(20)
    assert pair.b.arrivals == [1.5, 2.5, 3.5, 11.0]


def test_ipv6_headers_count_too() -> None:
    network = SimulatedNetwork(link=Link(latency=0.0, rate=8_000))
    sender, receiver = Peer(), Peer()
    network.add_host(sender, A, A6)
    network.add_host(receiver, B6)
    sender.send(bytes(1_000 - 48), B6)
    network.run_for(2)
    assert receiver.batches == [(1.0, [(Route(A6, 9899, B6), bytes(952))])]


def test_a_full_queue_drops_the_newest() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=0.0, rate=8_000, queue=2_000)))
    packets = [bytes([number]) * 972 for number in range(5)]
    for data in packets:
        pair.a.send(data)
    # One is on the line and two wait: the rest is dropped. After a second, one of the two has left the queue.
    pair.network.call_at(1.0, pair.a.send, bytes([9]) * 972)
    pair.network.run_for(10)
    assert fates(pair.network) == ["delivered"] * 3 + ["dropped_queue"] * 2 + ["delivered"]
    assert pair.b.received == [*packets[:3], bytes([9]) * 972]
    assert pair.b.arrivals == [1.0, 2.0, 3.0, 4.0]
    assert pair.network.counters == {"delivered": 4, "dropped_queue": 2}


def test_an_idle_line_takes_a_datagram_larger_than_the_queue() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=0.0, rate=8_000, queue=500)))
    pair.a.send(bytes(972))
    pair.network.run_for(5)
    assert pair.b.arrivals == [1.0]


def test_the_queue_of_a_link_with_a_rate_has_a_default() -> None:
    pair = Pair(SimulatedNetwork(link=Link(rate=1_000_000)))
    for _ in range(DEFAULT_QUEUE // 1_024 + 10):
        pair.a.send(bytes(1_024 - 28))
    pair.network.run_for(10)
    assert pair.network.counters == {"delivered": DEFAULT_QUEUE // 1_024 + 1, "dropped_queue": 9}


def test_loss_has_its_probability() -> None:
    pair = Pair(SimulatedNetwork(seed=3, link=Link(loss=0.2)))
    for data in numbered(10_000):
        pair.a.send(data)
    pair.network.run_for(1)
    # Five standard deviations (40) on either side.
    assert 1_800 < pair.network.counters["lost"] < 2_200
    assert pair.network.counters["lost"] + len(pair.b.received) == 10_000


def test_burst_loss_comes_in_bursts() -> None:
    pair = Pair(SimulatedNetwork(seed=3, link=Link(burst_enter=0.01, burst_leave=0.1)))
    for data in numbered(20_000):
        pair.a.send(data)
    pair.network.run_for(1)
    lost = [record.fate == "lost" for record in pair.network.trace]
    bursts = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert 7 < sum(lost) / bursts < 13
    assert 0.06 < sum(lost) / 20_000 < 0.12  # enter / (enter + leave) is 0.09


def test_duplicates_arrive_and_are_marked() -> None:
    pair = Pair(SimulatedNetwork(link=Link(duplicate=1.0)))
    pair.a.send(b"x")
    pair.network.run_for(1)
    assert pair.b.received == [b"x", b"x"]
    assert fates(pair.network) == ["delivered", "duplicated"]
    assert [record.is_copy for record in pair.network.trace] == [False, True]


def test_a_held_back_datagram_is_overtaken() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=1.0, reorder_delay=0.5)))
    link = pair.network.link(A, B)
    link.reorder = 1.0
    pair.a.send(b"first")
    pair.network.flush(pair.host_a)
    link.reorder = 0.0
    pair.network.call_at(0.25, pair.a.send, b"second")
    pair.network.call_at(0.75, pair.a.send, b"third")
    pair.network.run_for(5)
    assert pair.b.received == [b"second", b"first", b"third"]
    assert pair.b.arrivals == [1.25, 1.5, 1.75]


def test_reordering_has_its_probability() -> None:
    pair = Pair(SimulatedNetwork(seed=5, link=Link(latency=1.0, reorder=0.1, reorder_delay=3.0)))
    for data in numbered(5_000):
        pair.a.send(data)
    pair.network.run_for(10)
    held_back = [now for now in pair.b.arrivals if now == 4.0]
    assert 400 < len(held_back) < 600
    assert len(pair.b.received) == 5_000


def test_jitter_spreads_but_does_not_reorder() -> None:
    pair = Pair(SimulatedNetwork(seed=2, link=Link(latency=1.0, jitter=0.5)))
    for number, data in enumerate(numbered(1_000)):
        pair.network.call_at(number / 100, pair.a.send, data)
    pair.network.run_for(20)
    assert pair.b.received == numbered(1_000)
    travels = [record.arrival - record.time for record in pair.network.trace]
    assert 1.0 <= min(travels) < 1.2
    assert 1.4 < max(travels) <= 1.5 + 1e-9
    assert len(set(travels)) > 100


def test_a_lowered_latency_lets_datagrams_overtake() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=10.0, jitter=0.5)))
    pair.a.send(b"slow")
    pair.network.flush(pair.host_a)
    pair.network.link(A, B).latency = 1.0
    pair.a.send(b"fast")
    pair.network.run_for(20)
    assert pair.b.received == [b"fast", b"slow"]
    assert pair.b.arrivals[0] <= 1.5


def test_corruption_flips_one_bit() -> None:
    pair = Pair(SimulatedNetwork(link=Link(corrupt=1.0)))
    pair.a.send(bytes(100))
    pair.a.send(b"")
    pair.network.run_for(1)
    damaged, empty = pair.b.received
    assert len(damaged) == 100
    assert int.from_bytes(damaged, "big").bit_count() == 1
    assert empty == b""
    assert fates(pair.network) == ["corrupted", "delivered"]
    assert pair.network.trace[0].data == bytes(100)
    assert pair.network.trace[0].received_data == damaged


@pytest.mark.parametrize(("sender", "receiver", "headers"), [(A, B, 28), (A6, B6, 48)])
def test_the_mtu_counts_ip_and_udp_headers(sender: str, receiver: str, headers: int) -> None:
    network = SimulatedNetwork(link=Link(mtu=1_280))
    source, sink = Peer(), Peer()
    network.add_host(source, sender)
    network.add_host(sink, receiver)
    source.send(bytes(1_280 - headers), receiver)
    source.send(bytes(1_280 - headers + 1), receiver)
    network.run_for(1)
    assert fates(network) == ["delivered", "dropped_mtu"]
    assert sink.received == [bytes(1_280 - headers)]


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": 1.5},
        {"corrupt": -0.1},
        {"latency": -1},
        {"rate": math.inf},
        {"jitter": math.nan},
        {"loss": "a"},
    ],
)
def test_a_link_refuses_impossible_settings(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"Link\.\w+ is a number from 0 to"):
        Link(**settings)  # type: ignore[arg-type]
    link = Link()
    with pytest.raises(ValueError, match=r"Link\.\w+ is a number from 0 to"):
        link.change(mtu=500, **settings)
    assert link == Link()
    (name, value), *_rest = settings.items()
    with pytest.raises(ValueError, match=r"Link\.\w+ is a number from 0 to"):
        setattr(link, name, value)


def test_a_link_has_no_unknown_settings() -> None:
    link = Link()
    with pytest.raises(TypeError):
        link.change(lose=0.1)
    with pytest.raises(AttributeError):
        link.lose = 0.1  # type: ignore[attr-defined]


def test_links_are_one_way_and_start_from_a_copy_of_the_default() -> None:
    default = Link(latency=0.5)
    network = SimulatedNetwork(link=default)
    network.link(A, B).loss = 1.0
    assert network.link(B, A).loss == 0.0
    assert network.link(A, B) is network.link(A, B)
    there, back = network.both(A, B, loss=0.25)
    assert (there.loss, back.loss) == (0.25, 0.25)
    network.everywhere(latency=0.75)
    assert (there.latency, network.link(A6, B6).latency) == (0.75, 0.75)
    assert default == Link(latency=0.5)


def test_traffic_on_one_link_does_not_change_the_luck_of_another() -> None:
    def lost_on_the_way_there(answers: bool) -> list[int]:
        pair = Pair(SimulatedNetwork(seed=1, link=Link(loss=0.5)), echo=answers)
        for data in numbered(50):
            pair.a.send(data)
        pair.network.run_for(1)
        there = [record for record in pair.network.trace if record.source == "a"]
        return [number for number, record in enumerate(there) if record.fate == "lost"]

    assert lost_on_the_way_there(True) == lost_on_the_way_there(False)


# --- addresses and routing ---


def test_what_nobody_has_is_unreachable() -> None:
    pair = Pair()
    pair.a.send(b"no such port", port=1)
    pair.a.send(b"no such address", peer="203.0.113.200")
    pair.a.send(b"no address of this family", peer=B6)
    pair.a.send(b"not my address", local="192.0.2.77")
    pair.network.run_for(1)
    assert fates(pair.network) == ["unreachable"] * 4
    assert [record.arrival for record in pair.network.trace] == [0.01, 0.01, math.inf, math.inf]
    assert pair.network.in_flight == 0
    assert not pair.b.batches


def test_the_local_address_is_the_first_of_the_family_or_the_chosen_one() -> None:
    network = SimulatedNetwork()
    sender, receiver = Peer(), Peer(echo=True)
    network.add_host(sender, A, "192.0.2.2", A6, udp_port=1_000)
    network.add_host(receiver, B, "198.51.100.2", "2001:DB8:0::2", udp_port=2_000)
    sender.send(b"1", B, 2_000)
    sender.send(b"2", "198.51.100.2", 2_000, local="192.0.2.2")
    sender.send(b"3", "2001:db8:0:0::2", 2_000)
    network.run_for(1)
    assert [route for _now, batch in receiver.batches for route, _data in batch] == [
        Route(A, 1_000, B),
        Route("192.0.2.2", 1_000, "198.51.100.2"),
        Route(A6, 1_000, B6),
    ]
    assert [route for _now, batch in sender.batches for route, _data in batch] == [
        Route(B, 2_000, A),
        Route("198.51.100.2", 2_000, "192.0.2.2"),
        Route(B6, 2_000, A6),
    ]


def test_hosts_share_an_address_by_their_udp_ports() -> None:
    pair = Pair()
    other = Peer()
    pair.network.add_host(other, B, udp_port=9_900)
    pair.a.send(b"x", port=9_900)
    pair.network.run_for(1)
    assert other.received == [b"x"]
    assert not pair.b.batches


def test_a_host_talks_to_itself() -> None:
    pair = Pair()
    pair.a.send(b"me", A)
    pair.network.run_for(1)
    assert pair.a.batches == [(0.01, [(Route(A, 9899, A), b"me")])]


def test_addresses_come_and_go() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=1.0)))
    pair.network.add_address(pair.host_b, "198.51.100.9")
    pair.a.send(b"new", "198.51.100.9")
    pair.network.run_for(2)
    pair.a.send(b"too late", "198.51.100.9")
    pair.network.run_for(0.5)
    pair.network.remove_address(pair.host_b, "198.51.100.9")
    pair.network.run_for(2)
    assert pair.b.received == [b"new"]
    assert fates(pair.network) == ["delivered", "unreachable"]
    assert pair.host_b.addresses == [B]
    with pytest.raises(ValueError, match="has no address"):
        pair.network.remove_address(pair.host_b, "198.51.100.9")


def test_a_restarted_host_and_a_moved_port() -> None:
    pair = Pair()
    pair.host_b.endpoint = reborn = Peer(echo=True)
    pair.host_b.udp_port = 4_000
    pair.a.send(b"old port")
    pair.a.send(b"new port", port=4_000)
    pair.network.run_for(1)
    assert reborn.received == [b"new port"]
    assert not pair.b.batches
    assert pair.a.batches[0][1] == [(Route(B, 4_000, A), b"new port")]


@pytest.mark.parametrize(
    ("addresses", "udp_port", "name", "message"),
    [
        ((), 9899, "", "needs an address"),
        (("somewhere",), 9899, "", "does not appear to be an IPv4 or IPv6 address"),
        ((B,), 9899, "", "b has 198.51.100.1 with UDP port 9899 already"),
        (("192.0.2.50",), 0, "", "not a UDP port"),
        (("192.0.2.50",), 9899, "a", "there is a host a already"),
        (("203.0.113.1",), 9899, "", "public address of a NAT"),
    ],
)
def test_impossible_hosts(addresses: tuple[str, ...], udp_port: int, name: str, message: str) -> None:
    pair = Pair()
    pair.network.nat(pair.host_a, "203.0.113.1")
    with pytest.raises(ValueError, match=message):
        pair.network.add_host(Peer(), *addresses, udp_port=udp_port, name=name)
    assert pair.network.hosts == [pair.host_a, pair.host_b]


def test_an_endpoint_that_sends_to_no_port_is_found_out() -> None:
    pair = Pair(SimulatedNetwork(seed=77))
    pair.a.send(b"x", port=0)
    with pytest.raises(SimulationError, match=r"UDP port 0 \(seed 77"):
        pair.network.run_for(1)


# --- cuts and rules ---


def test_a_cut_stops_both_directions_until_it_is_restored() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=1.0)), echo=True)
    pair.a.send(b"under way")
    pair.network.call_at(0.5, pair.network.cut, A, B)
    pair.network.call_at(0.75, pair.a.send, b"cut")
    pair.network.run_for(5)
    assert pair.b.received == [b"under way"]
    assert not pair.a.batches
    pair.network.restore(A, B)
    pair.a.send(b"again")
    pair.network.run_for(5)
    assert pair.a.received == [b"again"]
    assert pair.network.counters == {"cut": 2, "delivered": 3}


def test_an_address_can_be_cut_off_from_everybody() -> None:
    network = SimulatedNetwork()
    sender, receiver = Peer(), Peer()
    network.add_host(sender, A, "192.0.2.2")
    network.add_host(receiver, B, "198.51.100.2")
    network.cut("198.51.100.2")
    network.cut("192.0.2.2")
    sender.send(b"1", B)
    sender.send(b"2", "198.51.100.2")
    sender.send(b"3", B, local="192.0.2.2")
    network.run_for(1)
    assert receiver.received == [b"1"]
    assert network.counters == {"delivered": 1, "cut": 2}
    network.restore("198.51.100.2")
    sender.send(b"4", "198.51.100.2")
    network.run_for(1)
    assert receiver.received == [b"1", b"4"]


def packet(*chunks: tuple[int, bytes]) -> bytes:
    body = b""
    for kind, value in chunks:
        body += bytes([kind, 0]) + (len(value) + 4).to_bytes(2, "big") + value + bytes(-len(value) % 4)
    return bytes(12) + body


def test_chunk_types_walks_what_can_be_walked() -> None:
    assert chunk_types(packet((3, b"12345"), (0, b"x"), (0, b""))) == [3, 0, 0]
    assert chunk_types(packet((3, b""))[:-1]) == []
    assert chunk_types(bytes(12) + b"\x07\x00\x00\x00" + packet((1, b""))) == [7]
    assert chunk_types(b"short") == []


def test_a_rule_drops_the_third_data_chunk_only() -> None:
    pair = Pair()
    pair.network.rules.append(drop(has_chunk(0), 3))
    packets = [packet((3, b"")), *(packet((0, bytes([number]))) for number in range(4)), packet((3, b""))]
    for data in packets:
        pair.a.send(data)
    pair.network.run_for(1)
    assert fates(pair.network) == ["delivered"] * 3 + ["filtered"] + ["delivered"] * 2
    assert pair.b.received == packets[:3] + packets[4:]


def test_the_first_rule_with_an_opinion_decides() -> None:
    pair = Pair()

    def spare_x(record: TraceRecord) -> bool | None:
        return True if record.data == b"x" and record.destination == "b" else None

    pair.network.rules += [spare_x, drop(lambda record: record.source == "a")]
    for data in (b"x", b"y", b"x"):
        pair.a.send(data)
    pair.b.send(b"z", A)
    pair.network.run_for(1)
    assert pair.b.received == [b"x", b"x"]
    assert pair.a.received == [b"z"]
    with pytest.raises(ValueError, match="count from 1"):
        drop(has_chunk(0), 0)


# --- NAT ---


class BehindNat:
    """Two hosts behind one NAT, and an echoing server outside."""

    PUBLIC = "203.0.113.1"
    INSIDE = ("10.0.0.1", "10.0.0.2")

    def __init__(self, **settings: float) -> None:
        self.network = SimulatedNetwork()
        self.first, self.second, self.server = Peer(), Peer(), Peer(echo=True)
        hosts = [
            self.network.add_host(peer, address)
            for peer, address in zip((self.first, self.second), self.INSIDE, strict=True)
        ]
        self.network.add_host(self.server, B, name="server")
        self.nat = self.network.nat(hosts[0], self.PUBLIC, **settings)  # type: ignore[arg-type]
        self.network.put_behind(hosts[1], self.nat)

    def sources(self) -> list[Route]:
        return [route for _now, batch in self.server.batches for route, _data in batch]


def test_a_nat_gives_every_inside_host_a_port_and_brings_answers_back() -> None:
    world = BehindNat()
    world.first.send(b"one")
    world.second.send(b"two")
    world.first.send(b"three")
    world.network.run_for(1)
    ports = [route.port for route in world.sources()]
    assert {route.peer for route in world.sources()} == {world.PUBLIC}
    # What a host has to send leaves together: one, three, two.
    assert ports[0] == ports[1] != ports[2]
    assert world.first.batches == [
        (0.02, [(Route(B, 9899, "10.0.0.1"), b"one"), (Route(B, 9899, "10.0.0.1"), b"three")])
    ]
    assert world.second.received == [b"two"]
    assert [(binding.inside, binding.public_port) for binding in world.nat.bindings] == [
        (("10.0.0.1", 9899), ports[0]),
        (("10.0.0.2", 9899), ports[2]),
    ]


def test_the_links_of_a_nat_are_those_of_its_public_address() -> None:
    world = BehindNat()
    world.network.link(world.PUBLIC, B).latency = 0.5
    world.network.link(B, world.PUBLIC).latency = 0.25
    world.first.send(b"x")
    world.network.run_for(1)
    assert world.first.arrivals == [0.75]


def test_after_rebinding_the_old_ports_are_dead_and_the_next_are_new() -> None:
    world = BehindNat()
    world.first.send(b"before")
    world.network.run_for(1)
    old = world.sources()[0]
    world.nat.rebind()
    world.server.send(b"to the old port", old.peer, old.port)
    world.network.run_for(1)
    assert world.network.trace[-1].fate == "unreachable"
    world.first.send(b"after")
    world.network.run_for(1)
    assert world.sources()[1].port != old.port
    assert world.first.received == [b"before", b"after"]


def test_an_answer_under_way_when_the_nat_rebinds_is_lost() -> None:
    world = BehindNat()
    world.first.send(b"x")
    world.network.call_at(0.015, world.nat.rebind)
    world.network.run_for(1)
    assert fates(world.network) == ["delivered", "unreachable"]
    assert not world.first.batches


def test_inside_addresses_are_hidden_from_outside_but_not_from_each_other() -> None:
    world = BehindNat()
    world.server.send(b"intrusion", "10.0.0.1")
    world.second.send(b"neighbour", "10.0.0.1")
    world.network.run_for(1)
    assert world.first.batches == [(0.01, [(Route("10.0.0.2", 9899, "10.0.0.1"), b"neighbour")])]
    assert world.network.counters["unreachable"] == 1
    assert world.nat.bindings == []


def test_neighbours_reach_each_other_by_the_public_address_too() -> None:
    world = BehindNat()
    world.first.send(b"open the binding")
    world.network.run_for(1)
    world.second.send(b"hairpin", world.PUBLIC, world.sources()[0].port)
    world.network.run_for(1)
    assert world.first.batches[-1][1] == [
        (Route(world.PUBLIC, world.nat.bindings[1].public_port, "10.0.0.1"), b"hairpin")
    ]


@pytest.mark.parametrize("strict", [False, True])
def test_a_strict_nat_lets_only_those_in_that_were_sent_to(strict: bool) -> None:
    world = BehindNat(strict=strict)
    stranger = Peer()
    world.network.add_host(stranger, "198.51.100.66")
    world.first.send(b"x")
    world.network.run_for(1)
    stranger.send(b"hello", world.PUBLIC, world.sources()[0].port)
    world.network.run_for(1)
    assert world.first.received == ([b"x"] if strict else [b"x", b"hello"])


def test_a_symmetric_nat_has_a_port_for_every_destination() -> None:
    world = BehindNat(symmetric=True)
    other = Peer(echo=True)
    world.network.add_host(other, "198.51.100.66")
    world.first.send(b"1")
    world.first.send(b"2", "198.51.100.66")
    world.network.run_for(1)
    assert world.sources()[0].port != other.batches[0][1][0][0].port
    assert world.first.received == [b"1", b"2"]
    other.send(b"3", world.PUBLIC, world.sources()[0].port)
    world.network.run_for(1)
    assert world.first.received == [b"1", b"2"]


def test_an_idle_binding_is_forgotten_and_what_leaves_keeps_it() -> None:
    world = BehindNat(idle_timeout=30)
    for when in (0, 25, 50):
        world.network.call_at(when, world.first.send, b"keep")
    world.network.run_for(79)
    port = world.sources()[0].port
    world.server.send(b"in time", world.PUBLIC, port)
    world.network.run_for(2)
    world.server.send(b"late", world.PUBLIC, port)
    world.network.run_for(1)
    assert world.first.received == [b"keep"] * 3 + [b"in time"]
    world.first.send(b"again")
    world.network.run_for(1)
    assert [route.port == port for route in world.sources()] == [True] * 3 + [False]
    assert [binding.public_port for binding in world.nat.bindings] == [world.sources()[-1].port]


def test_the_public_ports_of_a_nat_go_round_and_run_out() -> None:
    world = BehindNat(symmetric=True, idle_timeout=30)
    nat, inside = world.nat, ("10.0.0.1", 9899)
    first = nat.outgoing(inside, (B, 1), now=0.0)
    others = [nat.outgoing(inside, (B, number), now=20.0)[1] for number in range(2, 65_536 - first[1] + 1)]
    assert len({first[1], *others}) == 65_536 - first[1]
    with pytest.raises(RuntimeError, match=r"203\.0\.113\.1 has no public port left"):
        nat.outgoing(inside, (A, 1), now=25.0)
    # The first has been idle for long enough by now: its port serves another, and the rest is untouched.
    assert nat.outgoing(inside, (A, 1), now=40.0) == first
    assert nat.incoming(first[1], (B, 1), now=40.0) is None
    assert nat.incoming(first[1], (A, 1), now=40.0) == inside
    assert nat.incoming(others[0], (B, 2), now=40.0) == inside
    nat.rebind()
    assert nat.outgoing(inside, (B, 1), now=40.0) != first


def test_a_nat_translates_one_family_only() -> None:
    network = SimulatedNetwork()
    inside, server = Peer(), Peer()
    host = network.add_host(inside, "10.0.0.1", A6)
    network.add_host(server, B, B6)
    network.nat(host, "203.0.113.1")
    inside.send(b"4", B)
    inside.send(b"6", B6)
    network.run_for(1)
    assert [route.peer for _now, batch in server.batches for route, _data in batch] == ["203.0.113.1", A6]


def test_impossible_nats() -> None:
    pair = Pair()
    with pytest.raises(ValueError, match="is taken"):
        pair.network.nat(pair.host_a, B)
    with pytest.raises(ValueError, match="no address that"):
        pair.network.nat(pair.host_a, B6)
    pair.network.nat(pair.host_a, "203.0.113.1")
    with pytest.raises(ValueError, match=r"behind 203\.0\.113\.1 already"):
        pair.network.nat(pair.host_a, "203.0.113.2")
    with pytest.raises(ValueError, match="is taken"):
        pair.network.nat(pair.host_b, "203.0.113.1")
    # What was refused has left nothing behind.
    pair.network.add_host(Peer(), "203.0.113.2", B6)


def test_a_cut_meets_the_public_and_the_inside_address() -> None:
    world = BehindNat()
    for address in (world.PUBLIC, "10.0.0.1", B):
        world.network.cut(address)
        world.first.send(b"x")
        world.network.run_for(1)
        world.network.restore(address)
    assert fates(world.network) == ["cut"] * 3
    world.first.send(b"x")
    world.network.call_later(0.005, world.network.cut, "10.0.0.1")
    world.network.run_for(1)
    assert fates(world.network)[3:] == ["delivered", "cut"]


# --- forged datagrams ---


def test_an_injected_datagram_comes_from_anywhere_when_it_is_due() -> None:
    pair = Pair(SimulatedNetwork(link=Link(loss=1.0)))
    pair.network.inject((A, 9899), B, 9899, b"forged", delay=0.5)
    pair.network.inject(Route("203.0.113.66", 7), B, 9899, b"from nowhere")
    pair.network.inject(("203.0.113.66", 7), B, 1, b"to nowhere")
    pair.network.run_for(1)
    assert pair.b.batches == [
        (0.0, [(Route("203.0.113.66", 7, B), b"from nowhere")]),
        (0.5, [(Route(A, 9899, B), b"forged")]),
    ]
    assert [(record.source, record.destination, record.fate) for record in pair.network.trace] == [
        ("injected", "b", "delivered"),
        ("injected", "b", "delivered"),
        ("injected", "", "unreachable"),
    ]


def test_an_attacker_meets_the_nat_or_stands_behind_it() -> None:
    world = BehindNat(strict=True)
    world.first.send(b"x")
    world.network.run_for(1)
    port = world.sources()[0].port
    world.network.inject(("198.51.100.66", 9899), world.PUBLIC, port, b"kept out")
    world.network.inject((B, 9899), world.PUBLIC, port, b"spoofed")
    world.network.inject((B, 9899), "10.0.0.1", 9899, b"from the inside")
    world.network.run_for(1)
    assert world.first.received == [b"x", b"spoofed", b"from the inside"]


def test_impossible_injections() -> None:
    pair = Pair()
    with pytest.raises(ValueError, match="a delay cannot be"):
        pair.network.inject((A, 1), B, 1, b"", delay=-1)
    with pytest.raises(ValueError, match="no datagram goes from"):
        pair.network.inject((A6, 1), B, 1, b"")
    with pytest.raises(SimulationError, match="UDP port 65536"):
        pair.network.inject((A, 65_536), B, 1, b"")


# --- livelock ---


def test_a_deadline_that_stays_in_the_past_is_found_out() -> None:
    network = SimulatedNetwork(seed=1234)
    network.add_host(Peer(interval=0.0), A, name="stuck")
    with pytest.raises(SimulationError, match=r"next_timeout\(\) of stuck .*seed 1234, time 0"):
        network.run_for(1)


def test_a_deadline_that_is_no_number_is_found_out() -> None:
    network = SimulatedNetwork()
    network.add_host(Peer(interval=math.nan), A)
    with pytest.raises(SimulationError, match="is not a number"):
        network.run_for(1)


def test_a_ping_pong_that_takes_no_time_is_found_out() -> None:
    pair = Pair(SimulatedNetwork(seed=9, link=Link(latency=0.0), max_steps_at_once=50), echo=True)
    pair.a.echo = True
    pair.a.send(b"ball")
    with pytest.raises(SimulationError, match=r"more than 50 steps.*seed 9"):
        pair.network.run_for(1)
    assert len(pair.network.trace) == 51


def test_calls_that_schedule_calls_for_now_are_found_out() -> None:
    network = SimulatedNetwork(max_steps_at_once=50)
    calls: list[float] = []

    def again() -> None:
        calls.append(network.now)
        if len(calls) < 100:
            network.call_later(0.0, again)

    network.call_at(1.0, again)
    with pytest.raises(SimulationError, match="more than 50 steps"):
        network.run_for(5)
    assert calls == [1.0] * 50


def test_many_short_runs_are_no_livelock() -> None:
    pair = Pair(SimulatedNetwork(link=Link(latency=0.0), max_steps_at_once=5))
    for _ in range(50):
        pair.a.send(b"x")
        pair.network.run_for(0.1)
    assert len(pair.b.received) == 50


def test_a_scheduled_call_may_not_run_the_network() -> None:
    network = SimulatedNetwork()
    network.call_later(1.0, network.run_for, 1.0)
    with pytest.raises(SimulationError, match="started to run the network"):
        network.run_for(2)


# --- determinism ---


def wild_run(seed: int) -> SimulatedNetwork:
    link = Link(
        jitter=0.005,
        loss=0.1,
        duplicate=0.1,
        reorder=0.1,
        corrupt=0.1,
        burst_enter=0.02,
        rate=1e6,
        queue=5_000,
    )
    pair = Pair(SimulatedNetwork(seed, link, batching=0.001), echo=True)
    pair.network.nat(pair.host_a, "203.0.113.1")
    entropy = seeded_bytes(seed)
    for number in range(300):
        pair.network.call_at(number / 1_000, pair.a.send, entropy(100 + number))
    pair.network.run_for(2)
    return pair.network


def test_the_same_seed_gives_the_same_trace_and_another_seed_another() -> None:
    first, again, other = wild_run(1), wild_run(1), wild_run(2)
    assert first.trace == again.trace
    assert first.counters == again.counters
    assert fates(first) != fates(other)
    # The run is a mixture: every fate that a link can give is in it.
    assert first.counters.keys() == {
        "delivered", "duplicated", "corrupted", "lost", "dropped_queue",
    }  # fmt: skip
    assert sum(first.counters.values()) == len(first.trace)


def test_a_copied_network_goes_on_as_the_original_does() -> None:
    pair = Pair(SimulatedNetwork(seed=4, link=Link(loss=0.3, jitter=0.1)))
    for data in numbered(50):
        pair.a.send(data)
    pair.network.run_for(0.05)
    pair.a.outbox = [(Route(B, 9899), data) for data in numbered(50)]
    twin = copy.deepcopy(pair.network)
    pair.network.run_for(1)
    assert len(twin.trace) == 50
    twin.run_for(1)
    assert twin.trace == pair.network.trace
    assert len(twin.trace) == 100


def test_seeded_bytes_repeat_and_survive_a_copy() -> None:
    source, same, other = seeded_bytes(1), seeded_bytes(1), seeded_bytes(2)
    assert source(16) == same(16) != other(16)
    twin = copy.deepcopy(source)
    assert source(8) == twin(8) == same(8)


def test_the_dummy_endpoint_meets_the_contract() -> None:
    endpoint: SansIOEndpoint = Peer()
    assert isinstance(SimulatedNetwork().add_host(endpoint, A), Host)


# --- evidence ---


def read_pcap(path: Path) -> list[tuple[float, dpkt.ip.IP | dpkt.ip6.IP6]]:
    with open(path, "rb") as file:
        reader = dpkt.pcap.Reader(file)
        assert reader.datalink() == 101
        return [(stamp, dpkt.ip.IP(data) if data[0] >> 4 == 4 else dpkt.ip6.IP6(data)) for stamp, data in reader]


@pytest.mark.parametrize(("sender", "receiver"), [(A, B), (A6, B6)])
@pytest.mark.parametrize("payload", [b"", b"odd", b"even", b"\xff" * 1_000, bytes(60_000)])
def test_the_capture_has_right_headers(tmp_path: Path, sender: str, receiver: str, payload: bytes) -> None:
    network = SimulatedNetwork(start=12.25)
    source = Peer()
    network.add_host(source, sender, udp_port=1_111)
    network.add_host(Peer(), receiver, udp_port=2_222)
    source.send(payload, receiver, 2_222)
    network.run_for(1)
    assert network.write_pcap(tmp_path / "x.pcap") == 1
    ((stamp, ip),) = read_pcap(tmp_path / "x.pcap")
    assert stamp == 12.25
    udp = ip.data
    assert isinstance(udp, dpkt.udp.UDP)
    assert (udp.sport, udp.dport, udp.ulen, bytes(udp.data)) == (1_111, 2_222, 8 + len(payload), payload)
    assert dpkt.utils.inet_to_str(ip.src) == sender
    assert dpkt.utils.inet_to_str(ip.dst) == receiver
    assert len(ip) == len(payload) + (48 if ":" in sender else 28)
    # dpkt computes a checksum that is 0.
    sums = (udp.sum, getattr(ip, "sum", None))
    udp.sum = 0
    if isinstance(ip, dpkt.ip.IP):
        ip.sum = 0
    rebuilt = type(ip)(bytes(ip))
    assert (rebuilt.data.sum, getattr(rebuilt, "sum", None)) == sums


def test_a_checksum_of_zero_is_written_as_all_ones(tmp_path: Path) -> None:
    # The payload is the complement of the sum of the rest, so that the checksum over everything is zero.
    pair = Pair()
    pair.a.send(b"\0\0")
    pair.network.run_for(1)
    pair.network.write_pcap(tmp_path / "probe.pcap")
    ((_stamp, probe),) = read_pcap(tmp_path / "probe.pcap")
    pair.network.trace.clear()
    pair.a.send(probe.data.sum.to_bytes(2, "big"))
    pair.network.run_for(1)
    pair.network.write_pcap(tmp_path / "x.pcap")
    ((_stamp, ip),) = read_pcap(tmp_path / "x.pcap")
    assert ip.data.sum == 0xFFFF


def test_captures_on_the_network_and_on_a_host(tmp_path: Path) -> None:
    world = BehindNat()
    world.network.link(world.PUBLIC, B).duplicate = 1.0
    world.network.link(B, world.PUBLIC).mtu = 40
    world.first.send(b"x")
    world.first.send(b"can not leave", B6)
    world.network.run_for(1)
    world.server.outbox = [
        (Route(world.PUBLIC, 40_000), bytes(70_000)),
        (Route(world.PUBLIC, 40_000), bytes(20)),
    ]
    world.network.run_for(1)

    def ends(host: Host | None = None) -> list[tuple[float, str, str, bytes]]:
        count = world.network.write_pcap(tmp_path / "x.pcap", host)
        packets = read_pcap(tmp_path / "x.pcap")
        assert len(packets) == count
        return [
            (
                float(stamp),
                dpkt.utils.inet_to_str(ip.src),
                dpkt.utils.inet_to_str(ip.dst),
                bytes(ip.data.data),
            )
            for stamp, ip in packets
        ]

    # On the network: all that was sent, copies and those that did not fit the MTU of 40 bytes, but no packet
    # that IP cannot hold.
    assert ends() == [
        (0.0, world.PUBLIC, B, b"x"),
        (0.0, world.PUBLIC, B, b"x"),
        (0.01, B, world.PUBLIC, b"x"),
        (0.01, B, world.PUBLIC, b"x"),
        (1.0, B, world.PUBLIC, bytes(20)),
    ]
    # On the inside host: one datagram sent, from the inside address, and the answers as they arrived.
    assert ends(world.network.hosts[0]) == [
        (0.0, "10.0.0.1", B, b"x"),
        (0.02, B, "10.0.0.1", b"x"),
        (0.02, B, "10.0.0.1", b"x"),
    ]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_no_fault_in_a_capture(tmp_path: Path) -> None:
    network = SimulatedNetwork()
    sender = Peer()
    network.add_host(sender, A, A6, udp_port=9_000)
    sender.send(b"four")
    sender.send(b"sixth", B6)
    network.run_for(1)
    network.write_pcap(tmp_path / "x.pcap")
    fields = ["ip.checksum.status", "udp.checksum.status", "udp.dstport", "udp.length", "_ws.malformed"]
    result = subprocess.run(
        ["tshark", "-r", str(tmp_path / "x.pcap"), "-o", "ip.check_checksum:TRUE", "-o",
        "udp.check_checksum:TRUE",
         "-d", "udp.port==9899,data", "-T", "fields", *(part for name in fields for part in ("-e", name))],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert result.stdout.splitlines() == ["1\t1\t9899\t12\t", "\t1\t9899\t13\t"]


def test_trace_records_tell_the_whole_story() -> None:
    pair = Pair()
    pair.network.link(A, B).mtu = 100
    pair.a.send(b"x")
    pair.a.send(bytes(100))
    pair.network.flush(pair.host_a)
    assert fates(pair.network) == ["in_flight", "dropped_mtu"]
    pair.network.run_for(1)
    delivered, dropped = pair.network.trace
    assert (delivered.time, delivered.arrival, delivered.source, delivered.destination) == (
        0.0,
        0.01,
        "a",
        "b",
    )
    assert delivered.route == Route(B, 9899, A)
    assert delivered.arrived
    assert (dropped.arrival, dropped.data, dropped.arrived) == (math.inf, bytes(100), False)


def test_trace_lines_name_hosts_fates_and_chunks() -> None:
    network = SimulatedNetwork(link=Link(latency=0.25))
    sender = Peer()
    network.add_host(sender, A, A6, name="client")
    network.add_host(Peer(), B, name="server")
    sender.send(packet((14, b"")))
    sender.send(b"not SCTP", B6)
    network.run_for(1)
    first, second = network.trace_lines()
    assert first.startswith(f"0.000000 client {A}:9899 > server {B}:9899 delivered after 0.250000: ")
    assert "SHUTDOWN" in first
    assert second.startswith(f"0.000000 client [{A6}]:9899 > nobody [{B6}]:9899 unreachable after 0.250000: ")
