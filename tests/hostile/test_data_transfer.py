"""Attacks on the transfer of data and on its end, D1 to D9, D12 and D13."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hostile.places import (
    ACKNOWLEDGED,
    EVERYWHERE,
    FROM_PEER,
    OUTSTANDING,
    PLACES,
    RECEIVING,
    WITH_ASSOCIATION,
    Place,
    Victim,
    at,
    in_states,
)
from support.pair import Pair, WrappingEntropy

from pysctpstack.config import Config
from pysctpstack.core import Message, State
from pysctpstack.core.tx.outstanding import Chunk
from pysctpstack.events import Acknowledged, AssociationLost, Loss, MessageReceived, SendFailed
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp

LISTENER = PLACES[1]
ESTABLISHED = PLACES[4]
DATA_OUTSTANDING = PLACES[5]
DATA_HELD = PLACES[6]
WHOLE = cp.DATA_FLAG_B | cp.DATA_FLAG_E
UNORDERED = WHOLE | cp.DATA_FLAG_U


def wire(tsn: int) -> int:
    return tsn & 0xFFFFFFFF


def outstanding(victim: Victim) -> list[Chunk]:
    return list(victim.association.tcb.sender.outstanding.values())


def sack(victim: Victim, acknowledged: int, a_rwnd: int = 100_000, gaps: tuple[tuple[int, int], ...] = ()) -> c.Sack:
    """Of the first so many DATA chunks that the victim sent."""
    return c.Sack(wire(victim.local_tsn - 1 + acknowledged), a_rwnd, gaps)


def fill(victim: Victim, count: int, size: int = 1_000) -> None:
    """The user sends ``count`` messages."""
    for number in range(count):
        victim.association.send(Message(0, number, bytes(size)), victim.now)


# --- D1 to D4: SACK ---


@EVERYWHERE
@pytest.mark.parametrize("beyond", [1, 2, 1_000, 0x7FFFFFF0])
def test_d1_a_sack_for_what_was_never_sent_ends_the_association(place: Place, beyond: int) -> None:
    for with_gap in (False, True):
        victim = Victim.at(place)
        sent = 0 if place.state is State.CLOSED else len(outstanding(victim))
        gaps = ((sent + 1 + beyond % 60_000,) * 2,) if with_gap else ()
        packet = victim.packet_of(sack(victim, 0 if with_gap else sent + beyond, gaps=gaps))
        if place.state in ACKNOWLEDGED:
            victim.check_aborted(packet, cp.CAUSE_PROTOCOL_VIOLATION)
        else:
            victim.check_dropped(packet, "sack_in_wrong_state")


def test_d1_nothing_of_such_a_sack_is_processed() -> None:
    victim = Victim.at(DATA_OUTSTANDING)
    victim.check_aborted(
        victim.packet_of(sack(victim, 1, gaps=((1, 1), (2, OUTSTANDING)))), cp.CAUSE_PROTOCOL_VIOLATION
    )
    events = victim.told()
    assert [event.loss for event in events if isinstance(event, AssociationLost)] == [Loss.PROTOCOL]
    assert not any(isinstance(event, Acknowledged) for event in events)
    assert [event.ppid for event in events if isinstance(event, SendFailed)] == list(range(OUTSTANDING))


@EVERYWHERE
@pytest.mark.parametrize("back", [1, 2, 100, 0x7FFFFFF0])
def test_d2_a_sack_that_goes_back_is_ignored(place: Place, back: int) -> None:
    victim = Victim.at(place)
    for gaps in ((), ((1, 2),), ((1, 65_535),)):
        packet = victim.packet_of(c.Sack(wire(victim.local_tsn - 1 - back), 0, gaps))
        victim.check_dropped(packet, "sack_old", "sack_in_wrong_state")


def test_d2_old_packets_again_while_tsns_wrap_do_no_harm() -> None:
    pair = Pair(entropy=WrappingEntropy)
    pair.connect()
    for _ in range(6):
        for number in range(40):
            pair.send(pair.a, 2_000, stream_id=number % 3)
            pair.send(pair.b, 500)
        pair.run(2)
        for record in list(pair.network.trace)[-300::3]:
            if not record.is_copy and record.source in "ab":
                to, source = (pair.b, pair.a) if record.source == "a" else (pair.a, pair.b)
                pair.network.inject((source.address, 9_899), to.address, 9_899, record.data)
        pair.run(1)
    pair.check_delivery()
    assert pair.a.association.state is pair.b.association.state is State.ESTABLISHED


def test_d2_stream_sequence_numbers_wrap_and_their_first_round_is_not_taken_for_the_second() -> None:
    victim = Victim.at(ESTABLISHED)
    heard = 0
    first: list[bytes] = []
    for start in range(0, 66_000, 60):
        packet = victim.packet_of(*(victim.data(b"%d" % n, ssn=n & 0xFFFF) for n in range(start, start + 60)))
        first = first or [packet]
        victim.inject(packet)
        for event in victim.told():
            if isinstance(event, MessageReceived):
                assert event.data == b"%d" % heard
                heard += 1
                victim.association.consumed(len(event.data), victim.now)
        victim.answers()
    assert heard == 66_000
    _, raised = victim.inject(first[0])
    assert raised == {"data_duplicate"}
    assert victim.told() == []


def test_d3_acknowledging_in_small_steps_gains_nothing() -> None:
    """RFC 9260 section 7.2.1 counts bytes: a SACK for each chunk of a packet is worth no more than one for all."""
    grown = []
    for split in (False, True):
        victim = Victim.at(ESTABLISHED)
        fill(victim, 200, 100)
        victim.answers()
        congestion = victim.association.tcb.paths.primary.congestion
        before, flight = congestion.cwnd, congestion.flight_size
        chunks = len(outstanding(victim))
        for count in range(1, chunks + 1) if split else (chunks,):
            victim.endpoint.receive_datagrams([(FROM_PEER, victim.packet_of(sack(victim, count)))], victim.now)
            victim.endpoint.shared.out.clear()
        grown.append(congestion.cwnd - before)
        assert grown[-1] <= flight
    assert grown[1] <= grown[0]


def test_d3_acknowledging_early_gains_no_more_than_what_was_sent() -> None:
    victim = Victim.at(ESTABLISHED)
    fill(victim, 400)
    victim.answers()
    congestion = victim.association.tcb.paths.primary.congestion
    sent = congestion.cwnd
    for _ in range(8):
        acknowledged = congestion.flight_size
        before = congestion.cwnd
        last = outstanding(victim)[-1].tsn
        # At once, as nobody could who had received it.
        victim.give(c.Sack(wire(last), 10_000_000))
        assert congestion.cwnd - before <= acknowledged
    assert congestion.cwnd <= 256 * sent
    last = outstanding(victim)[-1].tsn
    victim.check_aborted(victim.packet_of(c.Sack(wire(last + 1), 10_000_000)), cp.CAUSE_PROTOCOL_VIOLATION)


def test_d3_the_same_sack_again_gains_nothing() -> None:
    victim = Victim.at(DATA_OUTSTANDING)
    victim.give(sack(victim, 1))
    congestion = victim.association.tcb.paths.primary.congestion
    before = congestion.cwnd, congestion.flight_size, congestion.partial_bytes_acked
    for _ in range(100):
        victim.give(sack(victim, 1))
    assert (congestion.cwnd, congestion.flight_size, congestion.partial_bytes_acked) == before


@at([place for place in PLACES if place.state in ACKNOWLEDGED and place.state is not State.COOKIE_ECHOED])
def test_d4_what_a_gap_block_took_back_is_sent_again(place: Place) -> None:
    victim = Victim.at(place)
    if place.state is State.ESTABLISHED and place.traffic != "outstanding":
        victim.association.tcb.sender.no_delay = True
        fill(victim, OUTSTANDING, 100)
        victim.answers()
    count = len(outstanding(victim))
    if count < 2:
        # One chunk is outstanding at the places of the shutdown: all of it is beyond a gap that is none.
        gap = ((1, 1),)
    else:
        gap = ((2, count),)
    victim.give(sack(victim, 0, gaps=gap))
    assert any(chunk.acked for chunk in outstanding(victim))
    victim.give(sack(victim, 0))
    assert not any(chunk.acked for chunk in outstanding(victim))
    again = [k.tsn for k in victim.wait(70) if isinstance(k, c.Data)]
    assert {wire(victim.local_tsn + n) for n in range(count)} <= set(again)
    victim.give(sack(victim, count))
    assert victim.state is State.CLOSED or outstanding(victim) == []


# --- D5 to D8: DATA ---


@EVERYWHERE
@pytest.mark.parametrize("ahead", [65_537, 100_000, 0x7FFFFF00])
def test_d5_data_far_ahead_is_dropped(place: Place, ahead: int) -> None:
    victim = Victim.at(place)
    packet = victim.packet_of(c.Data(wire(victim.tsn + ahead), 0, 0, 0, b"far"))
    if place.state not in RECEIVING:
        victim.check_dropped(packet, "data_in_wrong_state")
        return
    before = victim.association.tcb.receiver.tsn_map.largest
    _, raised = victim.inject(packet)
    assert raised == {"data_too_far_ahead"}
    assert victim.told() == []
    assert victim.association.tcb.receiver.tsn_map.largest == before
    assert victim.state is place.state


@pytest.mark.parametrize("unordered", [0, cp.DATA_FLAG_U])
def test_d6_fragments_that_never_end_are_held_up_to_the_buffer(unordered: int) -> None:
    config = Config(receive_buffer=50_000)
    victim = Victim.at(LISTENER, config)
    victim.accept(victim.init(outbound_streams=65_535))
    receiver = victim.association.tcb.receiver
    for number in range(1_500):
        # A first fragment on a stream of its own, and a gap, each time.
        chunk = c.Data(1_001 + 2 * number, number * 13 % 65_535, 0, 0, bytes(200), cp.DATA_FLAG_B | unordered)
        victim.give(chunk)
        assert receiver.reassembly.held <= config.receive_buffer
    assert victim.endpoint.counters["data_beyond_window"] > 1_000
    assert len(receiver.tsn_map.starts) <= config.max_gap_blocks
    assert receiver.reassembly.streams == {}
    # A full buffer has the beginning of one message delivered (RFC 9260 section 6.9); of the others nothing.
    assert [event.complete for event in victim.told() if isinstance(event, MessageReceived)] == [False]


def test_d6_fragments_on_every_stream_at_once_make_no_stream() -> None:
    victim = Victim.at(LISTENER)
    victim.accept(victim.init(outbound_streams=65_535))
    assert victim.association.tcb.receiver.inbound_streams == 65_535
    for number in range(0, 65_535, 64):
        victim.give(c.Data(1_002 + number // 32, number, 5, 0, b"x", cp.DATA_FLAG_B))
    assert len(victim.association.tcb.receiver.reassembly.streams) == 0
    assert len(victim.association.tcb.receiver.reassembly.by_first) <= Config().max_gap_blocks


def test_d7_a_buffer_full_of_an_incomplete_message_takes_what_is_missing() -> None:
    victim = Victim.at(ESTABLISHED, Config(receive_buffer=10_000))
    for number in range(1, 20):
        flags = cp.DATA_FLAG_E if number == 9 else 0
        victim.give(victim.data(bytes(1_200), tsn=1_000 + number, flags=flags))
    assert victim.association.tcb.receiver.advertised_window() == 0
    victim.give(victim.data(bytes(1_200), tsn=1_000, flags=cp.DATA_FLAG_B))
    assert victim.association.tcb.receiver.tsn_map.cumulative >= 1_008
    heard = b"".join(event.data for event in victim.told() if isinstance(event, MessageReceived))
    assert len(heard) >= 9 * 1_200


@at(in_states(RECEIVING))
def test_d8_duplicates_are_reported_up_to_a_limit_in_one_sack_a_packet(place: Place) -> None:
    victim = Victim.at(place)
    chunk = victim.data(b"x", tsn=victim.tsn, flags=UNORDERED)
    victim.give(chunk)
    victim.told()
    answers, raised = victim.inject(victim.packet_of(*[chunk] * 60))
    sacks = [k for _, _, chunks in answers for k in chunks if isinstance(k, c.Sack)]
    assert raised == {"data_duplicate"}
    assert len(answers) == 1
    assert [len(k.duplicates) for k in sacks] == [Config().max_duplicates]
    for _ in range(100):
        answers, _ = victim.inject(victim.packet_of(chunk))
        assert len(answers) == 1
    assert victim.told() == []


# --- D9: the peer's window ---


def test_d9_a_window_that_stays_closed_is_probed_at_growing_intervals() -> None:
    victim = Victim.at(ESTABLISHED)
    fill(victim, 20)
    victim.answers()
    sent = len(outstanding(victim))
    victim.give(sack(victim, sent, a_rwnd=0))
    probes: list[float] = []
    end = victim.now + 600
    while victim.now < end:
        for chunk in victim.wait(1):
            if isinstance(chunk, c.Data):
                probes.append(victim.now)
                assert len(outstanding(victim)) <= 1
                victim.give(sack(victim, sent, a_rwnd=0))
            elif isinstance(chunk, c.Heartbeat):
                victim.give(c.HeartbeatAck(chunk.info))
    # Answered HEARTBEATs bring the RTO, and with it the interval, down again.
    assert 10 <= len(probes) <= 60
    assert [after - before for before, after in pairwise(probes[:6])] == [1, 2, 4, 8, 16]
    assert victim.state is State.ESTABLISHED
    # And it opens again.
    (first, *_) = victim.give(sack(victim, sent, a_rwnd=100_000))
    assert isinstance(first, c.Data)


@pytest.mark.parametrize("a_rwnd", [0, 1, 1_499, 0xFFFFFFFF])
def test_d9_whatever_window_is_claimed_no_more_is_in_flight_than_cwnd(a_rwnd: int) -> None:
    victim = Victim.at(ESTABLISHED)
    fill(victim, 1_000)
    victim.answers()
    sender, congestion = victim.association.tcb.sender, victim.association.tcb.paths.primary.congestion
    for count in range(1, 50):
        victim.give(sack(victim, min(count, sender.next_tsn - victim.local_tsn), a_rwnd))
        assert congestion.flight_size <= congestion.cwnd + 1_500
        assert 0 <= sender.rwnd <= a_rwnd
        assert 0 <= sender.in_flight <= 1_000_000
    assert sender.buffered <= 1_000_000


def test_d9_a_window_that_shrinks_below_what_is_in_flight() -> None:
    victim = Victim.at(DATA_OUTSTANDING)
    victim.give(sack(victim, 1, a_rwnd=10))
    sender = victim.association.tcb.sender
    assert sender.rwnd == 0
    assert sender.in_flight == 100 * (OUTSTANDING - 1)
    victim.give(sack(victim, OUTSTANDING, a_rwnd=100_000))
    assert sender.rwnd == 100_000
    assert outstanding(victim) == []


# --- D12, D13: chunks out of place ---


@EVERYWHERE
def test_d12_ecne_and_cwr_are_counted_and_change_nothing(place: Place) -> None:
    victim = Victim.at(place)
    for tsn in (0, victim.local_tsn, 0xFFFFFFFF):
        for chunk in (c.Ecne(tsn), c.Cwr(tsn)):
            victim.check_dropped(victim.packet_of(*[chunk] * 100), "ecn_not_negotiated")
    for type_ in (cp.ECNE, cp.CWR):
        victim.check_dropped(victim.packet_of(c.UnknownChunk(type_, 0xFF, bytes(3))), "ecn_not_negotiated")
    victim.check_dropped(victim.packet_of(c.UnknownChunk(0x3F, 0, b"")), "unknown_chunk")


@EVERYWHERE
@pytest.mark.parametrize("beyond", [1, 0x7FFFFFF0])
def test_d13_a_shutdown_that_acknowledges_what_was_never_sent(place: Place, beyond: int) -> None:
    victim = Victim.at(place)
    sent = 0 if place.state is State.CLOSED else len(outstanding(victim))
    packet = victim.packet_of(c.Shutdown(wire(victim.local_tsn - 1 + sent + beyond)))
    if place.state in (State.CLOSED, State.COOKIE_WAIT, State.COOKIE_ECHOED):
        victim.check_dropped(packet, "shutdown_during_setup")
    else:
        victim.check_aborted(packet, cp.CAUSE_PROTOCOL_VIOLATION)


@at([place for place in PLACES if place.state not in RECEIVING])
def test_d13_data_before_and_after_its_time_is_dropped(place: Place) -> None:
    victim = Victim.at(place)
    for flags in (WHOLE, UNORDERED, cp.DATA_FLAG_B, 0, cp.DATA_FLAG_E, 0xFF):
        victim.check_dropped(victim.packet_of(c.Data(victim.tsn, 0, 0, 0, b"late", flags)), "data_in_wrong_state")


@at(in_states([State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT, State.SHUTDOWN_RECEIVED, State.SHUTDOWN_ACK_SENT]))
@pytest.mark.parametrize("talks", [False, True])
def test_d13_a_shutdown_that_the_peer_never_ends_ends(place: Place, talks: bool) -> None:
    """Whether he is silent (retransmissions run out) or goes on talking (T5-shutdown-guard)."""
    victim = Victim.at(place)
    start = victim.now
    while victim.endpoint.associations and victim.now < start + 2_000:
        victim.wait(0.5)
        if talks and victim.endpoint.associations:
            if victim.state in RECEIVING:
                victim.give(victim.data(b"x", flags=UNORDERED))
            else:
                victim.give(c.Heartbeat(b"x"), c.Sack(wire(victim.local_tsn - 1), 0))
        victim.told()
    assert victim.state is State.CLOSED
    if talks and place.state in RECEIVING:
        assert victim.now - start <= 5 * Config().rto_max + 1


@at(WITH_ASSOCIATION)
def test_d13_shutdown_ack_and_complete_out_of_place(place: Place) -> None:
    victim = Victim.at(place)
    if place.state is not State.SHUTDOWN_ACK_SENT:
        victim.check_dropped(victim.packet_of(c.ShutdownComplete()), "shutdown_complete_unexpected")
    ack = victim.packet_of(*[c.ShutdownAck()] * 100)
    if place.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
        # RFC 9260 section 8.5.1, E: out of the blue, and one answer however many there are.
        before = victim.snapshot()
        answers, _ = victim.inject(ack)
        assert [chunks for _, _, chunks in answers] == [[c.ShutdownComplete(reflected=True)]]
        assert victim.snapshot() == before
    elif place.state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT):
        answers, _ = victim.inject(ack)
        assert [chunks for _, _, chunks in answers] == [[c.ShutdownComplete()]]
        assert victim.state is State.CLOSED
    else:
        victim.check_dropped(ack, "shutdown_ack_unexpected")
