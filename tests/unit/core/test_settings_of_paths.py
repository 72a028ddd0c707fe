"""Idle associations, and what is set for single addresses, in virtual time (RFC 6458 section 8.1; RFC 7829)."""

from __future__ import annotations

import itertools

import pytest
from support.pair import UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Route, State
from pysctpstack.core.path import PathState
from pysctpstack.events import (
    AssociationClosed,
    AssociationUp,
    PathChange,
    PathChanged,
    PathPotentiallyFailed,
    ShutdownReceived,
)
from pysctpstack.wire import chunks as c
from pysctpstack.wire.params import AdaptationLayerIndication, Ipv4Address

OTHER = "192.0.2.2"


def two_paths(**config: object) -> Raw:
    """An association with two confirmed addresses of the peer, which answers HEARTBEATs until told otherwise."""
    peer = Raw(Config(heartbeat_interval=5.0, **config))  # type: ignore[arg-type]
    peer.accept(peer.init(parameters=[Ipv4Address(OTHER)]))
    live(peer, 10)
    assert all(path.state is PathState.ACTIVE for path in peer.association.tcb.paths)
    peer.endpoint.next_events()
    return peer


def live(peer: Raw, seconds: float, dead: str = "") -> list[tuple[float, str]]:
    """Let time pass while the peer answers HEARTBEATs to all addresses but ``dead``; when they left, and where to."""
    found = []
    end = peer.now + seconds
    while True:
        for route, _, chunks in peer.sent():
            for chunk in chunks:
                if isinstance(chunk, c.Heartbeat):
                    found.append((peer.now, route.peer))
                    if route.peer != dead:
                        back = Route(route.peer, UDP_PORT, B)
                        ack = peer.packet(c.HeartbeatAck(chunk.info))
                        peer.endpoint.receive_datagrams([(back, ack)], peer.now)
        due = peer.endpoint.next_timeout()
        if due > end:
            peer.now = end
            return found
        peer.now = max(due, peer.now)
        peer.endpoint.handle_timeout(peer.now)


def test_a_path_that_fails_is_told_of_before_it_is_given_up() -> None:
    peer = two_paths()
    live(peer, 300, dead=OTHER)
    assert peer.association.tcb.paths.by_address[OTHER].state is PathState.INACTIVE
    events = [e for e in peer.endpoint.next_events() if isinstance(e, (PathChanged, PathPotentiallyFailed))]
    assert events[0] == PathPotentiallyFailed(3, OTHER)
    assert [e for e in events if isinstance(e, PathChanged)] == [PathChanged(3, OTHER, PathChange.UNREACHABLE)]


def test_the_threshold_of_potential_failure_is_an_addresss_own() -> None:
    peer = two_paths()
    path = peer.association.tcb.paths.by_address[OTHER]
    path.potentially_failed_max_retrans = path.path_max_retrans
    live(peer, 300, dead=OTHER)
    assert peer.events(PathPotentiallyFailed) == []
    assert path.state is PathState.INACTIVE


@pytest.mark.parametrize(("threshold", "switches"), [(0xFFFF, False), (1, True)])
def test_primary_path_switchover(threshold: int, switches: bool) -> None:
    """RFC 7829 section 5: after so many errors another path is the primary for good."""
    peer = two_paths()
    tcb = peer.association.tcb
    tcb.paths.by_address[A].primary_switchover_max_retrans = threshold
    live(peer, 60, dead=A)
    told = [e for e in peer.events(PathChanged) if e.change is PathChange.MADE_PRIMARY]
    live(peer, 200)
    assert tcb.paths.by_address[A].state is PathState.ACTIVE
    assert tcb.paths.primary.address == (OTHER if switches else A)
    assert told == ([PathChanged(3, OTHER, PathChange.MADE_PRIMARY)] if switches else [])


def test_heartbeats_without_an_interval_come_each_rto() -> None:
    peer = two_paths()
    path = peer.association.tcb.paths.by_address[OTHER]
    path.heartbeat_interval = 0.0
    live(peer, 10)
    times = [when for when, address in live(peer, 60) if address == OTHER]
    assert all(later - earlier <= 2 * path.rto.rto for earlier, later in itertools.pairwise(times))
    assert len(times) > 30


def test_heartbeats_switched_off() -> None:
    peer = two_paths()
    path = peer.association.tcb.paths.by_address[OTHER]
    path.heartbeats = False
    live(peer, 20)
    assert [address for _, address in live(peer, 60) if address == OTHER] == []


# --- SCTP_AUTOCLOSE ---


def test_an_idle_association_is_shut_down() -> None:
    pair = Pair()
    pair.settings.autoclose = 30.0
    pair.connect()
    began = pair.now
    pair.run(29.5)
    assert pair.a.association.state is State.ESTABLISHED
    pair.until(lambda: bool(pair.a.of(AssociationClosed)))
    assert pair.now == pytest.approx(began + 30, abs=0.5)
    assert len(pair.b.of(ShutdownReceived)) == 1


@pytest.mark.parametrize("sender", ["a", "b"])
def test_data_in_either_direction_begins_the_time_anew(sender: str) -> None:
    pair = Pair()
    pair.settings.autoclose = 30.0
    pair.connect()
    for _ in range(3):
        pair.run(20)
        pair.send(pair.a if sender == "a" else pair.b, 10)
    pair.run(25)
    assert pair.a.association.state is State.ESTABLISHED
    pair.run(10)
    assert len(pair.a.of(AssociationClosed)) == 1


def test_heartbeats_keep_nothing_open() -> None:
    pair = Pair(config=Config(heartbeat_interval=1.0))
    pair.settings.autoclose = 30.0
    pair.connect()
    pair.run(31)
    assert len(pair.a.of(AssociationClosed)) == 1


# --- SCTP_ADAPTATION_LAYER (RFC 5061 section 4.2.6) ---


def test_the_adaptation_indication_travels_in_init_and_init_ack() -> None:
    pair = Pair()
    pair.settings.adaptation_indication = 0x80000001
    pair.server_settings.adaptation_indication = 7
    pair.connect()
    (init,) = [k for _, k in pair.sent_chunks("a", c.Init)]
    (init_ack,) = [k for _, k in pair.sent_chunks("b", c.InitAck)]
    assert AdaptationLayerIndication(0x80000001) in init.parameters
    assert AdaptationLayerIndication(7) in init_ack.parameters
    assert [e.adaptation for e in pair.a.of(AssociationUp)] == [7]
    assert [e.adaptation for e in pair.b.of(AssociationUp)] == [0x80000001]


def test_no_indication_unless_there_is_one() -> None:
    pair = Pair()
    pair.connect()
    for kind in (c.Init, c.InitAck):
        for side in ("a", "b"):
            for _, chunk in pair.sent_chunks(side, kind):
                assert not [p for p in chunk.parameters if isinstance(p, AdaptationLayerIndication)]
    assert [e.adaptation for e in pair.a.of(AssociationUp)] == [0]


# --- SCTP_DELAYED_SACK ---


@pytest.mark.parametrize("delays", [True, False])
def test_acknowledgements_without_delay(delays: bool) -> None:
    peer = Raw(Config(strict_sack=True))
    peer.settings.delays_sacks = delays
    peer.accept()
    # The first is acknowledged at once in any case.
    peer.give(peer.data(b"one"))
    answers = peer.give(peer.data(b"two", ssn=1))
    assert len([chunk for chunk in answers if isinstance(chunk, c.Sack)]) == (0 if delays else 1)
