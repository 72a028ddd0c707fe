"""What a peer may cost: each limit of `Config`, and what happens beyond it. Never an exception, always a counter."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from inspect import getsource

import pytest
from hostile.places import PLACES, Victim
from support.pair import UDP_PORT, B

from pysctpstack.config import Config
from pysctpstack.core import Route
from pysctpstack.core.rx.reassembly import MIN_CHARGE
from pysctpstack.events import MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import OutOfResource, UnrecognizedParameters
from pysctpstack.wire.params import Ipv4Address, StateCookie, UnknownParameter, UnrecognizedParameter

NOBODY, LISTENER, COOKIE_WAIT = PLACES[:3]
ESTABLISHED = PLACES[4]
WHOLE = cp.DATA_FLAG_B | cp.DATA_FLAG_E
UNORDERED = WHOLE | cp.DATA_FLAG_U
DEFAULTS = Config()


def accepted(config: Config, streams: int = 65_535) -> Victim:
    victim = Victim.at(LISTENER, config)
    victim.accept(victim.init(outbound_streams=streams))
    victim.told()
    return victim


def grown(work: Callable[[], None]) -> int:
    """Bytes that are held after ``work`` and were not before."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    work()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


# --- the receive buffer ---


def test_bytes_held_stay_within_twice_the_receive_buffer() -> None:
    config = Config(receive_buffer=30_000)
    victim = accepted(config)
    receiver = victim.association.tcb.receiver
    for number in range(1, 400):
        for tsn in (1_000 + 2 * number, 1_400 - number):
            victim.give(c.Data(tsn, 0, 5, 0, bytes(1_400), 0))
            assert receiver.reassembly.held + receiver.unread <= 2 * config.receive_buffer
    assert victim.endpoint.counters["data_beyond_window"] > 400


def test_bytes_that_nobody_reads_stay_within_the_receive_buffer() -> None:
    config = Config(receive_buffer=30_000)
    victim = accepted(config)
    for _ in range(200):
        victim.give(victim.data(bytes(1_400), flags=UNORDERED))
    heard = [event for event in victim.told() if isinstance(event, MessageReceived)]
    assert sum(len(event.data) for event in heard) <= config.receive_buffer + 1_400
    assert victim.endpoint.counters["data_beyond_window"] > 150


@pytest.mark.parametrize("factor", [1, 8])
@pytest.mark.parametrize("kind", ["unread", "out of turn"])
def test_small_messages_stay_within_the_overhead_that_they_may_cost(kind: str, factor: int) -> None:
    config = Config(receive_buffer=20_000, max_overhead=factor)
    victim = accepted(config)
    receiver = victim.association.tcb.receiver
    limit = factor * config.receive_buffer

    def flood() -> None:
        for start in range(0, 2_000, 50):
            flags = UNORDERED if kind == "unread" else WHOLE
            chunks = [victim.data(b"x", ssn=start + number + 1, flags=flags) for number in range(50)]
            victim.give(*chunks)

    size = grown(flood)
    charged = receiver.unread_padding + receiver.reassembly.padding
    # Dropped, and not acknowledged: the peer has to send them again.
    assert charged <= limit + MIN_CHARGE
    kept = receiver.unread + receiver.reassembly.held
    assert kept * (MIN_CHARGE - 1) <= limit + MIN_CHARGE
    assert victim.endpoint.counters["data_beyond_window"] == 2_000 - kept
    # What a message is charged is within a factor of what it takes: at most twice that.
    assert size <= 100_000 + 2.5 * limit


def test_a_message_out_of_turn_costs_little_more_than_it_is_charged() -> None:
    victim = accepted(Config(receive_buffer=10_000_000))

    def fill() -> None:
        for start in range(0, 3_000, 60):
            victim.give(*(victim.data(b"x", ssn=start + number + 1) for number in range(60)))

    size = grown(fill)
    assert victim.association.tcb.receiver.reassembly.held == 3_000
    assert size / 3_000 < 2.5 * MIN_CHARGE


# --- streams, gaps, duplicates ---


def test_inbound_streams_are_made_when_used_and_no_more_than_announced() -> None:
    config = Config(max_inbound_streams=100)
    victim = accepted(config)
    receiver = victim.association.tcb.receiver
    assert receiver.inbound_streams == 100
    assert receiver.reassembly.streams == {}
    for stream_id in (0, 7, 99, 100, 65_535):
        victim.give(victim.data(b"x", stream_id=stream_id))
    assert sorted(receiver.reassembly.streams) == [0, 7, 99]
    assert victim.endpoint.counters["data_invalid_stream"] == 2


def test_all_streams_of_an_association_take_a_bounded_room() -> None:
    victim = accepted(DEFAULTS)

    def use_all() -> None:
        for start in range(0, 4_000, 50):
            victim.give(*(victim.data(b"x", stream_id=number) for number in range(start, start + 50)))
            for event in victim.told():
                if isinstance(event, MessageReceived):
                    victim.association.consumed(1, victim.now)

    assert grown(use_all) < 400 * 4_000
    assert len(victim.association.tcb.receiver.reassembly.streams) == 4_000


@pytest.mark.parametrize("limit", [0, 1, 8, 300])
def test_gap_blocks(limit: int) -> None:
    victim = accepted(Config(max_gap_blocks=limit))
    for number in range(1, 600):
        victim.give(victim.data(b"x", tsn=1_000 + 2 * number, flags=UNORDERED))
    assert len(victim.association.tcb.receiver.tsn_map.starts) == limit
    assert victim.endpoint.counters["data_too_far_ahead"] == 599 - limit
    # What closes a gap is taken.
    victim.give(victim.data(b"x", tsn=1_000, flags=UNORDERED))
    assert victim.association.tcb.receiver.tsn_map.cumulative == 1_000


@pytest.mark.parametrize("limit", [0, 1, 20])
def test_duplicates(limit: int) -> None:
    victim = accepted(Config(max_duplicates=limit))
    chunk = victim.data(b"x")
    (sack,) = victim.give(*[chunk] * 50)
    assert isinstance(sack, c.Sack)
    assert sack.duplicates == (chunk.tsn,) * limit
    assert victim.endpoint.counters["data_duplicate"] == 49


# --- setting up ---


@pytest.mark.parametrize("limit", [0, 40, 512])
def test_unknown_parameters_echoed(limit: int) -> None:
    victim = Victim.at(LISTENER, Config(max_echo=limit))
    unknown = [UnknownParameter(0xFE00 + number, bytes(4)) for number in range(100)]
    (ack,) = victim.give(victim.init(parameters=unknown), tag=0)
    assert isinstance(ack, c.InitAck)
    echoed = [p.encode() for p in ack.parameters if isinstance(p, UnrecognizedParameter)]
    assert len(echoed) == limit // 12
    assert victim.endpoint.counters == {"unknown_parameters_not_reported": 1}
    asking = Victim.at(COOKIE_WAIT, Config(max_echo=limit))
    answers = asking.give(asking.init_ack(parameters=[StateCookie(b"x"), *unknown]))
    reported = [cause for k in answers if isinstance(k, c.Error) for cause in k.causes]
    assert sum(len(k.parameters) for k in reported if isinstance(k, UnrecognizedParameters)) == min(limit, 368) // 8 * 8
    assert asking.endpoint.counters == {"unknown_parameters_not_reported": 1}


@pytest.mark.parametrize("limit", [0, 1, 16, 40])
def test_peer_addresses(limit: int) -> None:
    victim = Victim.at(LISTENER, Config(max_peer_addresses=limit))
    listed = [Ipv4Address(f"192.0.2.{number}") for number in range(10, 40)]
    association = victim.accept(victim.init(parameters=listed))
    assert len(association.tcb.paths) == min(limit, 30) + 1
    assert victim.endpoint.counters.get("peer_address_beyond_limit", 0) == max(30 - limit, 0)
    assert len(victim.endpoint.by_peer) == len(association.tcb.paths)


def test_half_open_associations_take_no_room() -> None:
    victim = Victim.at(LISTENER)
    packets = [
        (Route(f"203.0.{n % 250}.{n // 250 + 1}", n + 1, B), victim.packet_of(victim.init(initiate_tag=n + 1), tag=0))
        for n in range(1_000)
    ]

    def flood() -> None:
        for route, packet in packets:
            victim.endpoint.receive_datagrams([(route, packet)], victim.now)
            victim.endpoint.datagrams_to_send(victim.now)

    flood()
    assert grown(flood) < 20_000
    assert not victim.endpoint.associations
    assert not victim.endpoint.by_peer


@pytest.mark.parametrize("limit", [0, 1, 25])
def test_setup_replies_a_second(limit: int) -> None:
    victim = Victim.at(LISTENER, Config(setup_replies_per_second=limit))
    for second in range(3):
        answers = [k for _ in range(100) for k in victim.give(victim.init(), tag=0)]
        assert len(answers) == limit
        assert victim.endpoint.counters["setup_reply_limited"] == (second + 1) * (100 - limit)
        victim.now += 1


@pytest.mark.parametrize("limit", [0, 1, 25])
def test_out_of_the_blue_replies_a_second(limit: int) -> None:
    for place in (NOBODY, LISTENER):
        victim = Victim.at(place, Config(ootb_replies_per_second=limit))
        drawn: list[c.Chunk] = [c.Heartbeat(b"x"), c.ShutdownAck(), victim.data()]
        for second in range(3):
            answers = [k for n in range(100) for k in victim.give(drawn[n % 3])]
            assert len(answers) == limit
            assert victim.endpoint.counters.get("ootb_replies", 0) == (second + 1) * limit
            assert victim.endpoint.counters["ootb_reply_limited"] == (second + 1) * (100 - limit)
            victim.now += 1


def test_associations_of_a_stack() -> None:
    victim = Victim.at(LISTENER, Config(max_associations=3))
    waiting = []
    for number in range(6):
        route = Route(f"203.0.113.{number + 1}", UDP_PORT, B)
        ((_, _, (ack,)),), _ = victim.inject(victim.packet_of(victim.init(), tag=0), route)
        assert isinstance(ack, c.InitAck)
        waiting.append((route, ack))
    for number, (route, ack) in enumerate(waiting):
        (cookie,) = [p.cookie for p in ack.parameters if isinstance(p, StateCookie)]
        answers, _ = victim.inject(victim.packet_of(c.CookieEcho(cookie), tag=ack.initiate_tag), route)
        assert [k for _, _, chunks in answers for k in chunks] == [
            c.CookieAck() if number < 3 else c.Abort([OutOfResource()])
        ]
    assert victim.endpoint.counters == {"cookie_without_room": 3}
    assert victim.give(victim.init(), tag=0) == [c.Abort([OutOfResource()])]
    assert victim.endpoint.counters["init_without_room"] == 1
    assert len(victim.endpoint.associations) == 3


def test_every_limit_is_described() -> None:
    source = getsource(Config)
    part = source[source.index("what a peer may cost") : source.index("the process")]
    fields = [line.split(":")[0].strip() for line in part.splitlines() if ": int =" in line]
    assert set(fields) >= {
        "max_associations", "max_peer_addresses", "max_overhead", "max_echo", "max_gap_blocks", "max_duplicates",
        "setup_replies_per_second", "ootb_replies_per_second",
    }  # fmt: skip
    for name in fields:
        assert f'{name}: int = {getattr(DEFAULTS, name):_}\n    """' in part
