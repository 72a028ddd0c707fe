"""Heartbeats (RFC 9260 sections 5.4, 8.1 to 8.3)."""

from __future__ import annotations

from itertools import pairwise

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.core.path import PathState
from pysctpstack.events import AssociationLost, Loss, PathChange, PathChanged
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.packet import encode
from pysctpstack.wire.params import Ipv4Address

OTHER = "192.0.2.2"


def test_an_idle_path_is_probed_an_interval_and_an_rto_apart_give_or_take_half_an_rto() -> None:
    pair = Pair(config=Config(heartbeat_interval=30.0))
    pair.connect()
    pair.run(3_600)
    for name in "ab":
        times = [time for time, _ in pair.sent_chunks(name, c.Heartbeat)]
        # From the answer, 0.1 s after the probe, to the next one.
        gaps = [later - earlier - 0.1 for earlier, later in pairwise(times)]
        assert all(30.5 <= gap <= 31.5 for gap in gaps)
        # Jitter is there at all.
        assert max(gaps) - min(gaps) > 0.5
        assert 110 < len(times) < 120
    assert len(pair.sent_chunks("b", c.HeartbeatAck)) == len(pair.sent_chunks("a", c.Heartbeat))


def test_a_busy_path_is_not_probed() -> None:
    pair = Pair(config=Config(heartbeat_interval=5.0))
    pair.connect()
    for _ in range(100):
        pair.send(pair.a, 100)
        pair.run(1)
    assert pair.sent_chunks("a", c.Heartbeat) == []
    # The receiver's path is idle.
    assert len(pair.sent_chunks("b", c.Heartbeat)) > 10


def test_no_interval_no_heartbeats() -> None:
    pair = Pair(config=Config(heartbeat_interval=0))
    pair.connect()
    pair.run(10_000)
    assert len(pair.network.trace) == 4
    assert pair.a.endpoint.next_timeout() == float("inf")


def test_the_answer_measures_the_round_trip_and_clears_the_errors() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    tcb = peer.association.tcb
    tcb.error_count = tcb.paths.primary.error_count = 3
    peer.association.heartbeat(A, peer.now)
    (heartbeat,) = peer.answers()
    assert isinstance(heartbeat, c.Heartbeat)
    peer.now += 0.25
    peer.give(c.HeartbeatAck(heartbeat.info))
    assert tcb.paths.primary.rto.srtt == pytest.approx(0.25)
    assert (tcb.error_count, tcb.paths.primary.error_count) == (0, 0)
    # The same answer again is none.
    peer.give(c.HeartbeatAck(heartbeat.info))
    assert peer.endpoint.counters == {"heartbeat_ack_unknown": 1}


@pytest.mark.parametrize(
    "info", [b"", b"12345678", b"12345678" + A.encode(), b"12345678203.0.113.9", b"12345678\xff\xfe"]
)
def test_an_answer_that_was_not_asked_for_proves_nothing(info: bytes) -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.association.heartbeat(A, peer.now)
    peer.answers()
    peer.give(c.HeartbeatAck(info))
    assert peer.endpoint.counters == {"heartbeat_ack_unknown": 1}
    assert peer.association.tcb.paths.primary.rto.srtt is None


def test_an_idle_peer_that_is_gone_is_noticed_by_heartbeats() -> None:
    pair = Pair(config=Config(heartbeat_interval=10.0))
    pair.connect()
    pair.network.cut(B)
    pair.run(2_000)
    # Path.Max.Retrans is 5: the sixth unanswered one makes the path inactive, the eleventh ends the association.
    assert len(pair.sent_chunks("a", c.Heartbeat)) == 11
    assert pair.a.events[1:] == [
        PathChanged(3, B, PathChange.UNREACHABLE),
        AssociationLost(3, Loss.TIMED_OUT, True),
    ]
    assert pair.a.endpoint.next_timeout() == float("inf")


def test_a_path_comes_back() -> None:
    pair = Pair(config=Config(heartbeat_interval=10.0))
    pair.connect()
    pair.network.cut(B)
    pair.until(lambda: bool(pair.a.of(PathChanged)), 1_000)
    pair.network.restore(B)
    pair.until(lambda: len(pair.a.of(PathChanged)) == 2, 200)
    assert [e.change for e in pair.a.of(PathChanged)] == [PathChange.UNREACHABLE, PathChange.AVAILABLE]
    assert pair.a.association.tcb.error_count == 0


def test_the_backed_off_rto_collapses_with_the_next_answer() -> None:
    pair = Pair(config=Config(heartbeat_interval=10.0))
    client, _ = pair.connect()
    pair.network.cut(B)
    # The second probe leaves an interval and the backed-off RTO after the first was given up, and is given up too.
    pair.run(30)
    assert client.tcb.paths.primary.rto.rto == 4.0
    pair.network.restore(B)
    pair.run(20)
    assert client.tcb.paths.primary.rto.rto == 1.0


def test_a_heartbeat_on_demand_is_sent_once_even_if_heartbeats_are_off() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.accept()
    peer.association.heartbeat(A, peer.now)
    assert [type(k) for k in peer.answers()] == [c.Heartbeat]
    assert peer.wait(1_000) == []
    with pytest.raises(KeyError):
        peer.association.heartbeat("203.0.113.1", peer.now)


@pytest.mark.parametrize("state", STATES)
def test_heartbeats_leave_and_are_answered_by_state(state: State) -> None:
    peer = Raw.in_state(state)
    answers = peer.give(c.Heartbeat(b"info of 16 bytes"))
    closing = (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT)
    answered = state is not State.COOKIE_WAIT and state not in closing
    assert answers == ([c.HeartbeatAck(b"info of 16 bytes")] if answered else [])
    peer.association.heartbeat(A, peer.now)
    sent = [k for k in peer.answers() if isinstance(k, c.Heartbeat)]
    assert bool(sent) == (answered and state is not State.COOKIE_ECHOED)


def test_the_answer_holds_every_tlv_unchanged() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    value = tlv.join([tlv.encode(1, b"abc"), tlv.encode(0x8123, b"more"), tlv.encode(0x8124, b"12345")])
    heartbeat = encode(CLIENT_PORT, SERVER_PORT, peer.tag, [tlv.encode_chunk(cp.HEARTBEAT, 0, value)])
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), heartbeat)], peer.now)
    ((_, packet),) = peer.endpoint.datagrams_to_send(peer.now)
    assert packet[12:] == tlv.encode_chunk(cp.HEARTBEAT_ACK, 0, value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "missing_heartbeat_info"),
        (tlv.encode(2, b"abcd"), "missing_heartbeat_info"),
        (b"\0\1\0", "bad_parameter_length"),
        (tlv.encode(1, bytes(1_470)), "heartbeat_too_large"),
    ],
)
def test_a_heartbeat_without_info_or_larger_than_a_packet_is_not_answered(value: bytes, reason: str) -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    assert peer.give(tlv.encode_chunk(cp.HEARTBEAT, 0, value)) == []
    assert peer.endpoint.counters == {reason: 1}


def test_heartbeats_end_with_shutdown() -> None:
    peer = Raw.in_state(State.SHUTDOWN_SENT, Config(heartbeat_interval=1.0, association_max_retrans=100))
    assert {type(k) for k in peer.wait(250)} <= {c.Shutdown, c.Abort}


def test_a_heartbeat_ack_after_the_shutdown_is_ignored() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.association.heartbeat(A, peer.now)
    (heartbeat,) = peer.answers()
    assert isinstance(heartbeat, c.Heartbeat)
    peer.association.shutdown(peer.now)
    peer.answers()
    peer.give(c.HeartbeatAck(heartbeat.info))
    assert peer.association.tcb.paths.primary.rto.srtt is None


# --- two addresses ---


def multihomed() -> Raw:
    peer = Raw(Config(heartbeat_interval=30.0))
    peer.accept(peer.init(parameters=[Ipv4Address(OTHER)]))
    return peer


def probes(peer: Raw, seconds: float) -> list[tuple[str, c.Heartbeat]]:
    """(address, HEARTBEAT) of what leaves within so many seconds."""
    found = []
    end = peer.now + seconds
    while (due := peer.endpoint.next_timeout()) <= end:
        peer.now = max(due, peer.now)
        peer.endpoint.handle_timeout(peer.now)
        found += [(route.peer, k) for route, _, ks in peer.sent() for k in ks if isinstance(k, c.Heartbeat)]
    peer.now = end
    return found


def test_a_listed_address_is_proven_by_its_own_heartbeat_before_use() -> None:
    peer = multihomed()
    other = peer.association.tcb.paths.by_address[OTHER]
    ((address, heartbeat),) = probes(peer, 1.5)
    assert address == OTHER
    # An answer that came by way of the other address counts for the one that was probed.
    peer.give(c.HeartbeatAck(heartbeat.info))
    assert other.state is PathState.ACTIVE
    assert peer.events(PathChanged) == [PathChanged(3, OTHER, PathChange.CONFIRMED)]


def test_an_address_that_is_never_proven_becomes_unreachable_without_harm() -> None:
    peer = multihomed()
    peer.association.tcb.paths.primary.heartbeat_deadline = float("inf")
    assert {address for address, _ in probes(peer, 130)} == {OTHER}
    assert peer.events(PathChanged) == [PathChanged(3, OTHER, PathChange.UNREACHABLE)]
    assert peer.association.tcb.error_count == 0


def test_a_failed_primary_is_left_for_an_address_that_works() -> None:
    peer = multihomed()
    tcb = peer.association.tcb
    tcb.paths.by_address[OTHER].confirm()
    tcb.paths.primary.state = PathState.INACTIVE
    peer.association.send(Message(0, 0, b"x"), peer.now)
    ((route, _, _),) = peer.sent()
    # From the only address of this end that the peer knows.
    assert route == Route(OTHER, UDP_PORT, tcb.paths.primary.route.local)
    assert route.local


def test_replies_go_where_the_packet_came_from() -> None:
    peer = multihomed()
    tcb = peer.association.tcb
    tcb.paths.by_address[OTHER].confirm()
    peer.endpoint.receive_datagrams([(Route(OTHER, UDP_PORT, B), peer.packet(c.Heartbeat(b"x" * 12)))], peer.now)
    assert [route.peer for route, _, _ in peer.sent()] == [OTHER]
    peer.endpoint.receive_datagrams([(Route(OTHER, UDP_PORT, B), peer.packet(peer.data()))], peer.now)
    assert [route.peer for route, _, _ in peer.sent()] == [OTHER]
