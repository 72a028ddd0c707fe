"""Giving up messages that were sent (RFC 3758 sections 3.5 and 4.1): what is abandoned when, and what is told of it."""

from __future__ import annotations

import math

import pytest
from support.pair import UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, Settings, State
from pysctpstack.core.path import Path, Paths, PathState
from pysctpstack.core.tx.outstanding import Chunk
from pysctpstack.core.tx.partial_reliability import PartialReliability
from pysctpstack.core.tx.sender import Sender
from pysctpstack.events import AssociationLost, Loss, MessageReceived, SendFailed
from pysctpstack.testing import drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.packet import encode
from pysctpstack.wire.params import ForwardTsnSupported

PATIENT = 1.0
"""RTO.Initial: when the first T3-rtx expires."""


def willing(*, mtu: int = 1_500, a_rwnd: int = 100_000, streams: int = 10, **config: object) -> Raw:
    """A peer of an association with partial reliability; the endpoint is the one that sends."""
    peer = Raw(Config(heartbeat_interval=0, outbound_streams=streams, **config), mtu=mtu)  # type: ignore[arg-type]
    peer.accept(peer.init(parameters=[ForwardTsnSupported()], inbound_streams=streams, a_rwnd=a_rwnd))
    peer.endpoint.next_events()
    peer.association.tcb.sender.no_delay = True
    return peer


def send(peer: Raw, size: int = 10, life: float = math.inf, stream_id: int = 0, **options: object) -> list[c.Chunk]:
    """Send a message; the chunks that leave."""
    message = Message(stream_id, 0, bytes(size), expires_at=peer.now + life, **options)  # type: ignore[arg-type]
    peer.association.send(message, peer.now)
    return peer.answers()


def sack(peer: Raw, cumulative: int, *gaps: tuple[int, int], a_rwnd: int = 100_000) -> list[c.Chunk]:
    """A SACK, its cumulative TSN counted from the endpoint's first; what leaves then."""
    return peer.give(c.Sack((peer.local_tsn + cumulative) & 0xFFFFFFFF, a_rwnd, list(gaps)))


def forward(peer: Raw, last: int, *streams: tuple[int, int]) -> ForwardTsn:
    return ForwardTsn((peer.local_tsn + last) & 0xFFFFFFFF, list(streams))


def tsns(peer: Raw, chunks: list[c.Chunk]) -> list[int]:
    """TSNs of the DATA chunks, counted from the endpoint's first."""
    return [(chunk.tsn - peer.local_tsn) & 0xFFFFFFFF for chunk in chunks if isinstance(chunk, c.Data)]


# --- what is abandoned, and when (section 4.1) ---


def test_what_is_lost_and_overdue_is_not_sent_again() -> None:
    peer = willing()
    send(peer, 10, 0.5, 2, context=7)
    assert peer.wait(0.9) == []
    assert peer.events(SendFailed) == []
    assert peer.wait(0.1) == [forward(peer, 0, (2, 0))]
    (failed,) = peer.events(SendFailed)
    assert (failed.context, failed.sent, failed.data, failed.stream_id) == (7, True, bytes(10), 2)
    assert peer.association.send_buffered == 0
    assert sack(peer, 0) == []
    assert peer.association.next_timeout() == math.inf


def test_what_is_in_flight_when_its_life_ends_may_still_arrive() -> None:
    peer = willing()
    send(peer, 10, 0.1)
    assert peer.wait(0.8) == []
    assert sack(peer, 0) == []
    assert peer.events(SendFailed) == []
    assert peer.association.next_timeout() == math.inf


def test_within_its_life_it_is_sent_again() -> None:
    peer = willing()
    send(peer, 10, 1.5)
    assert tsns(peer, peer.wait(1.4)) == [0]
    # The second time-out comes 2 s after the first.
    assert peer.wait(1.6) == [forward(peer, 0, (0, 0))]
    assert [e.sent for e in peer.events(SendFailed)] == [True]


def test_a_retransmission_that_waits_for_the_window_is_given_up_when_its_life_ends() -> None:
    peer = willing()
    for life in (math.inf, 1.5):
        send(peer, 1_400, life)
    # Collapsed: one packet at a time.
    assert tsns(peer, peer.wait(1.4)) == [0]
    assert peer.wait(0.2) == []
    assert [e.sent for e in peer.events(SendFailed)] == [True]
    # Advanced.Peer.Ack.Point stands before what is not abandoned.
    assert sack(peer, 0) == [forward(peer, 1, (0, 1))]


def test_three_misses_of_something_overdue_cut_the_window_and_send_nothing_again() -> None:
    peer = willing()
    send(peer, 10, 0.01)
    for _ in range(4):
        send(peer)
    path = peer.association.tcb.paths.primary
    path.congestion.cwnd = 20_000
    peer.wait(0.02)
    assert sack(peer, -1, (2, 2)) == []
    assert sack(peer, -1, (2, 3)) == []
    assert sack(peer, -1, (2, 4)) == [forward(peer, 0, (0, 0))]
    # Section 3.5, F5
    assert path.congestion.cwnd == 10_000
    assert sack(peer, 4) == []
    assert peer.association.next_timeout() == math.inf


def test_of_a_message_sent_in_part_all_is_given_up() -> None:
    peer = willing(a_rwnd=3_000)
    assert tsns(peer, send(peer, 10_000, 0.5, 3)) == [0, 1]
    # At once when its life ends, and up to the TSN that stands for the rest (A3).
    assert peer.wait(0.5) == [forward(peer, 2, (3, 0))]
    assert [(e.sent, len(e.data)) for e in peer.events(SendFailed)] == [(True, 10_000)]
    assert peer.association.send_buffered == 0
    # It counted for nothing any more.
    assert sack(peer, 1) == []
    # The next message is not taken for the rest of it.
    chunks = sack(peer, 2) + send(peer, 10, math.inf, 3)
    (data,) = [chunk for chunk in chunks if isinstance(chunk, c.Data)]
    assert (tsns(peer, chunks), data.ssn, data.flags) == ([3], 1, cp.DATA_FLAG_B | cp.DATA_FLAG_E)


def test_a_message_whose_sent_part_was_acknowledged_is_skipped_too() -> None:
    peer = willing(a_rwnd=3_000)
    send(peer, 10_000, 0.5)
    assert sack(peer, 1, a_rwnd=0) == []
    # All that was sent has arrived; the peer waits for an end that does not come.
    assert peer.wait(0.5) == [forward(peer, 2, (0, 0))]
    assert sack(peer, 2) == []
    assert peer.association.next_timeout() == math.inf


def test_a_message_that_waits_for_both_a_retransmission_and_its_rest_is_given_up_once() -> None:
    peer = willing(a_rwnd=3_000)
    assert tsns(peer, send(peer, 10_000, 1.5)) == [0, 1]
    assert tsns(peer, peer.wait(1.4)) == [0]
    assert peer.wait(0.2) == [forward(peer, 2, (0, 0))]
    assert [e.sent for e in peer.events(SendFailed)] == [True]
    assert peer.association.send_buffered == 0


def test_an_unsent_message_needs_no_forward_tsn() -> None:
    peer = willing(a_rwnd=1_500)
    assert tsns(peer, send(peer, 1_400)) == [0, 1]
    assert send(peer, 1_000, 0.5) == []
    assert peer.wait(0.5) == []
    assert [e.sent for e in peer.events(SendFailed)] == [False]
    assert sack(peer, 1) == []
    assert peer.association.next_timeout() == math.inf


def test_a_message_is_reported_once_even_if_the_association_ends() -> None:
    peer = willing(a_rwnd=3_000)
    send(peer, 10_000, 0.5)
    peer.wait(0.5)
    peer.give(c.Abort([]))
    events = peer.endpoint.next_events()
    assert [e.sent for e in events if isinstance(e, SendFailed)] == [True]
    assert any(isinstance(e, AssociationLost) for e in events)


# --- what the peer is told (section 3.5) ---


def test_the_highest_ssn_of_each_stream_and_no_unordered_ones() -> None:
    peer = willing()
    for stream_id, unordered in ((1, False), (4, False), (1, False), (5, True), (4, True)):
        send(peer, 10, 0.5, stream_id, unordered=unordered)
    assert peer.wait(PATIENT) == [forward(peer, 4, (1, 1), (4, 0))]


def test_it_goes_no_further_than_what_is_abandoned() -> None:
    peer = willing()
    for life in (0.5, math.inf, 0.5):
        send(peer, 10, life)
    chunks = peer.wait(PATIENT)
    assert (chunks[0], tsns(peer, chunks)) == (forward(peer, 0, (0, 0)), [1])
    # TSN 1 has arrived; the peer is told of the last.
    assert sack(peer, 1) == [forward(peer, 2, (0, 2))]
    assert sack(peer, 2) == []
    assert peer.association.next_timeout() == math.inf


def test_it_leaves_before_data_in_the_same_packet() -> None:
    peer = willing()
    send(peer, 10, 0.5)
    send(peer, 10)
    peer.now += PATIENT
    peer.endpoint.handle_timeout(peer.now)
    ((_, _, chunks),) = peer.sent()
    assert [type(chunk) for chunk in chunks] == [ForwardTsn, c.Data]


def test_more_streams_than_a_packet_holds_are_told_one_after_the_other() -> None:
    peer = willing(mtu=512, streams=200)
    # cwnd grows.
    chunks = send(peer, 12_000)
    while sent := tsns(peer, chunks):
        start = sent[-1] + 1
        chunks = sack(peer, sent[-1])
    for stream_id in range(150):
        peer.association.send(Message(stream_id, 0, b"x", expires_at=peer.now + 0.5), peer.now)
    assert tsns(peer, peer.answers()) == list(range(start, start + 150))
    (first,) = peer.wait(PATIENT)
    assert isinstance(first, ForwardTsn)
    assert len(first.encode()) <= 472
    # C4: Advanced.Peer.Ack.Point is lowered to what fits.
    count = len(first.streams)
    assert first == forward(peer, start + count - 1, (0, 1), *[(stream_id, 0) for stream_id in range(1, count)])
    assert sack(peer, start + count - 1) == [
        forward(peer, start + 149, *[(stream_id, 0) for stream_id in range(count, 150)])
    ]
    assert sack(peer, start + 149) == []
    assert peer.association.next_timeout() == math.inf


def test_a_lost_forward_tsn_is_sent_again_at_growing_intervals_until_the_peer_is_given_up() -> None:
    peer = willing(association_max_retrans=4, path_max_retrans=9)
    send(peer, 10, 0.5)
    start = peer.now
    times = []
    lost: list[AssociationLost] = []
    failed = 0
    while not lost:
        peer.now = peer.endpoint.next_timeout()
        peer.endpoint.handle_timeout(peer.now)
        if forward(peer, 0, (0, 0)) in peer.answers():
            times.append(peer.now - start)
        events = peer.endpoint.next_events()
        lost = [e for e in events if isinstance(e, AssociationLost)]
        failed += sum(isinstance(e, SendFailed) for e in events)
    assert ([e.loss for e in lost], failed) == ([Loss.TIMED_OUT], 1)
    assert times == [1.0, 3.0, 7.0, 15.0]
    assert peer.now - start == 31.0
    assert peer.endpoint.next_timeout() == math.inf


def test_its_answer_shows_that_the_peer_is_alive() -> None:
    peer = willing()
    for number in range(30):
        send(peer, 10, 0.1)
        assert forward(peer, number, (0, number)) in peer.wait(peer.association.tcb.paths.primary.rto.rto)
        assert peer.association.tcb.error_count == 1
        sack(peer, number)
        assert peer.association.tcb.error_count == 0
        assert peer.association.tcb.paths.primary.error_count == 0
    assert len(peer.events(SendFailed)) == 30


def test_an_abandoned_chunk_is_no_gain_for_the_window_and_no_round_trip() -> None:
    peer = willing()
    for _ in range(4):
        send(peer, 1_400, 0.5)
    path = peer.association.tcb.paths.primary
    peer.wait(PATIENT)
    before = path.congestion.cwnd, path.congestion.partial_bytes_acked, path.rto.srtt
    assert path.congestion.flight_size == 0
    sack(peer, 3)
    assert (path.congestion.cwnd, path.congestion.partial_bytes_acked, path.rto.srtt) == before


def test_an_abandoned_chunk_that_the_peer_acknowledges_and_reneges_stays_abandoned() -> None:
    peer = willing()
    for life in (math.inf, 0.5, math.inf):
        send(peer, 1_400, life)
    assert tsns(peer, peer.wait(PATIENT)) == [0]
    assert sack(peer, -1, (2, 2)) == []
    assert tsns(peer, sack(peer, -1)) == []
    # All three are missing now; what is not abandoned is sent again.
    assert set(tsns(peer, peer.wait(10))) == {0}
    assert len(peer.events(SendFailed)) == 1
    chunks = sack(peer, 0)
    assert (chunks[0], tsns(peer, chunks)) == (forward(peer, 1, (0, 1)), [2])


def test_an_abandoned_chunk_stays_so_when_gap_ack_blocks_are_not_believed_any_longer() -> None:
    peer = willing()
    send(peer)
    send(peer, 10, 0.5)
    # The peer has TSN 0, says so with a gap, and never moves its cumulative TSN.
    sack(peer, -1, (1, 1))
    assert peer.wait(PATIENT) == []
    assert len(peer.events(SendFailed)) == 1
    assert tsns(peer, peer.wait(2.0)) == [0]
    assert sack(peer, 0) == [forward(peer, 1, (0, 1))]
    assert peer.events(SendFailed) == []


def test_its_loss_is_charged_to_the_window_once() -> None:
    peer = willing()
    send(peer, 10, 0.5)
    path = peer.association.tcb.paths.primary
    assert peer.wait(PATIENT) == [forward(peer, 0, (0, 0))]
    path.congestion.cwnd = 20_000
    path.congestion.collapsed = False
    for _ in range(4):
        send(peer)
    # Lost by T3-rtx already; the FORWARD TSN is on its way.
    for last in (2, 3, 4, 5):
        sack(peer, -1, (2, last))
    assert path.congestion.cwnd == 20_000


def test_the_tsn_that_stands_for_the_rest_is_no_loss() -> None:
    peer = willing(a_rwnd=3_000)
    send(peer, 10_000, 0.5)
    path = peer.association.tcb.paths.primary
    path.congestion.cwnd = 20_000
    assert sack(peer, 1, a_rwnd=0) == []
    assert peer.wait(0.5) == [forward(peer, 2, (0, 0))]
    sack(peer, 1)
    for _ in range(4):
        send(peer)
    for last in (2, 3, 4, 5):
        sack(peer, 1, (2, last))
    assert path.congestion.cwnd == 20_000


def test_round_trips_are_measured_again_after_a_measured_chunk_was_abandoned() -> None:
    peer = willing(a_rwnd=3_000)
    send(peer, 10_000, 0.5)
    peer.wait(0.5)
    sack(peer, 2)
    rto = peer.association.tcb.paths.primary.rto
    assert rto.srtt is None
    assert tsns(peer, send(peer)) == [3]
    peer.now += 0.25
    sack(peer, 3)
    assert rto.srtt == 0.25


def test_a_sack_that_does_not_answer_it_leaves_the_timer_alone() -> None:
    peer = willing()
    send(peer, 10, 0.5)
    assert peer.wait(PATIENT) == [forward(peer, 0, (0, 0))]
    peer.wait(1.0)
    assert sack(peer, -1) == []
    # T3-rtx has been backed off to 2 s.
    assert peer.wait(0.9) == []
    assert peer.wait(0.1) == [forward(peer, 0, (0, 0))]


def test_a_sack_that_answers_it_in_part_restarts_the_timer() -> None:
    peer = willing()
    for _ in range(2):
        send(peer, 10, 0.5)
    assert peer.wait(PATIENT) == [forward(peer, 1, (0, 1))]
    peer.wait(1.5)
    assert sack(peer, 0) == []
    assert peer.wait(1.9) == []
    assert peer.wait(0.1) == [forward(peer, 1, (0, 1))]


def test_giving_up_a_message_does_not_restart_the_timer_of_another() -> None:
    settings = Settings.from_config(Config())
    settings.no_delay = True
    path = Path(Route("192.0.2.1", 9_899), settings, 1_500, confirmed=True)
    sender = Sender(settings, Paths(path), 1_000, 10, 100_000)
    sender.use_partial_reliability(True)
    for _ in range(2):
        sender.push(Message(0, 0, b"x"))
    sender.next_packet(10.0)
    sender.on_sack(1_000, 2_000, (), 10.5)
    deadline = path.t3_deadline
    # TSN 1,001 is in flight; the window has room for the first part of this one only.
    sender.push(Message(0, 0, bytes(5_000), expires_at=11.0))
    assert sender.next_packet(10.6) is not None
    assert len(sender.take_expired(11.0)) == 1
    assert path.t3_deadline == deadline == 11.5


def test_it_does_not_make_a_packet_too_large() -> None:
    peer = willing()
    for life in (math.inf, 0.5):
        send(peer, 10, life)
    assert tsns(peer, peer.wait(PATIENT)) == [0]
    peer.association.tcb.sender.rwnd = 0
    ack = c.Sack(peer.local_tsn & 0xFFFFFFFF, 0).encode()
    peer.endpoint.receive_datagrams(
        [(Route(A, UDP_PORT, B), encode(5_000, 7, peer.tag, [ack, c.Heartbeat(bytes(1_448)).encode()]))], peer.now
    )
    packets = [chunks for _, _, chunks in peer.sent()]
    assert [[type(chunk) for chunk in chunks] for chunks in packets] == [[c.HeartbeatAck], [ForwardTsn]]
    assert all(12 + sum(len(chunk.encode()) for chunk in chunks) <= 1_472 for chunks in packets)


def test_beyond_gaps_the_timer_of_a_forward_tsn_does_not_cost_what_has_arrived() -> None:
    peer = willing()
    send(peer, 10, 0.5)
    send(peer, 10)
    sack(peer, -1, (2, 2))
    assert peer.wait(PATIENT) == [forward(peer, 0, (0, 0))]
    # Lost, and so is the second: what the peer has is not sent again.
    assert peer.wait(10) == [forward(peer, 0, (0, 0))] * 2
    assert sack(peer, 1) == []
    assert peer.association.next_timeout() == math.inf


def test_a_shutdown_waits_until_the_peer_has_skipped() -> None:
    peer = willing()
    send(peer, 10, 0.5)
    peer.association.shutdown(peer.now)
    assert peer.wait(PATIENT) == [forward(peer, 0, (0, 0))]
    assert peer.association.state is State.SHUTDOWN_PENDING
    assert sack(peer, 0) == [c.Shutdown(peer.tsn - 1)]


@pytest.mark.parametrize("offered", [False, True])
def test_a_forward_tsn_is_only_for_peers_that_offered_to_take_it(offered: bool) -> None:
    peer = Raw(Config(heartbeat_interval=0, pr_sctp=offered))
    peer.accept(peer.init(parameters=[] if offered else [ForwardTsnSupported()]))
    send(peer, 10, 0.5)
    assert tsns(peer, peer.wait(PATIENT)) == [0]
    assert peer.events(SendFailed) == []


def test_over_several_paths_it_goes_where_data_would_and_its_timer_runs_there_alone() -> None:
    settings = Settings.from_config(Config())
    paths = Paths(Path(Route("192.0.2.1", 9_899), settings, 1_500, confirmed=True))
    first, other = paths.primary, Path(Route("192.0.2.2", 9_899), settings, 1_500, confirmed=True)
    paths.add(other)
    sender = Sender(settings, paths, 1_000, 10, 100_000)
    sender.use_partial_reliability(True)
    sender.push(Message(0, 0, b"x", expires_at=10.5))
    sender.next_packet(10.0)
    assert first.t3_deadline == 11.0
    first.state = PathState.POTENTIALLY_FAILED
    sender.on_t3(first)
    assert sender.next_expiry() == 10.5
    assert len(sender.take_expired(11.0)) == 1
    assert paths.current() is other
    assert sender.partial.due
    sender.forward_tsn(1_000, other, 11.0)
    assert (first.t3_deadline, other.t3_deadline) == (math.inf, 12.0)
    sender.on_sack(1_000, 100_000, (), 11.1)
    assert (first.t3_deadline, other.t3_deadline, sender.is_idle) == (math.inf, math.inf, True)
    assert sender.partial.answered is other


def test_over_several_paths_what_arrived_beyond_needs_no_timer_of_its_own() -> None:
    settings = Settings.from_config(Config())
    settings.no_delay = True
    paths = Paths(Path(Route("192.0.2.1", 9_899), settings, 1_500, confirmed=True))
    first, other = paths.primary, Path(Route("192.0.2.2", 9_899), settings, 1_500, confirmed=True)
    paths.add(other)
    sender = Sender(settings, paths, 1_000, 10, 100_000)
    sender.use_partial_reliability(True)
    for life in (10.5, math.inf):
        sender.push(Message(0, 0, b"x", expires_at=life))
    sender.next_packet(10.0)
    sender.on_sack(999, 100_000, [(2, 2)], 10.1)
    first.state = PathState.POTENTIALLY_FAILED
    sender.on_t3(first)
    sender.take_expired(11.0)
    sender.forward_tsn(1_000, other, 11.0)
    # The first path is the current one again; the FORWARD TSN has gone to the other.
    first.state = PathState.ACTIVE
    sender.on_sack(999, 100_000, [(2, 2)], 11.1)
    assert (first.t3_deadline, other.t3_deadline) == (math.inf, 12.0)


def test_it_goes_no_further_than_a_receiver_takes_at_once() -> None:
    message = Message(0, 0, b"")
    message.abandoned = True
    path = Path(Route("192.0.2.1", 9_899), Settings.from_config(Config()), 1_500, confirmed=True)
    outstanding = {tsn: Chunk(tsn, b"", b"", 0, message, path) for tsn in range(1, 70_001)}
    partial = PartialReliability(0)
    partial.advance(outstanding, 0, 0.0, 1.0)
    assert (partial.point, partial.due) == (65_535, True)
    partial.forward_tsn(outstanding, 0, 1_000, path, 0.0)
    partial.advance(outstanding, 65_535, 0.1, 1.0)
    assert (partial.point, partial.due, partial.answered) == (70_000, True, path)


# --- no storms (attack class D11) ---


def test_d11_sacks_that_do_not_move_cause_one_forward_tsn_a_round_trip() -> None:
    peer = willing()
    send(peer)
    peer.now += 0.1
    sack(peer, 0)
    send(peer, 10, 0.5)
    peer.wait(PATIENT)
    assert peer.events(SendFailed)
    storm = [chunk for _ in range(100) for chunk in sack(peer, 0)]
    assert storm == []
    peer.now += 0.2
    storm = [chunk for _ in range(100) for chunk in sack(peer, 0)]
    assert storm == [forward(peer, 1, (0, 1))]


def test_d11_forward_tsn_and_sack_come_to_rest() -> None:
    pair = Pair(config=Config(heartbeat_interval=0))
    client, _ = pair.connect()
    pair.network.rules.append(drop(has_chunk(cp.DATA), 1))
    # The first FORWARD TSN and the first SACKs are lost as well.
    pair.network.rules.append(drop(has_chunk(cp.FORWARD_TSN), 1))
    pair.network.rules.append(drop(has_chunk(cp.SACK), 1, 2))
    client.send(Message(1, 0, b"lost", expires_at=pair.now + 0.1), pair.now)
    pair.run(0.2)
    mark = pair.mark
    pair.run(60)
    assert pair.flow(mark) == [
        "a FORWARD-TSN", "a FORWARD-TSN", "b SACK", "a FORWARD-TSN", "b SACK", "a FORWARD-TSN", "b SACK",
    ]  # fmt: skip
    assert [e.data for e in pair.a.of(SendFailed)] == [b"lost"]
    assert pair.b.of(MessageReceived) == []
    for node in pair.nodes:
        assert node.endpoint.next_timeout() == math.inf
