"""The orderly end of an association: RFC 9260 section 9.2, from every state, with every loss."""

from __future__ import annotations

import math

import pytest
from support.pair import STATES, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, State
from pysctpstack.core.rx.reassembly import MIN_CHARGE
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    Loss,
    MessageReceived,
    SenderDry,
    SendFailed,
    ShutdownReceived,
)
from pysctpstack.testing import Link, drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import ProtocolViolation


def free(messages: int) -> int:
    """a_rwnd with so many small messages unread."""
    return 212_992 - messages * MIN_CHARGE


def closing_pair(**options: object) -> Pair:
    pair = Pair(**options)  # type: ignore[arg-type]
    pair.connect()
    pair.run(0.1)
    return pair


def test_shutdown_shutdown_ack_shutdown_complete() -> None:
    pair = closing_pair()
    mark = pair.mark
    pair.a.association.shutdown(pair.now)
    pair.run(1)
    assert pair.flow(mark) == ["a SHUTDOWN", "b SHUTDOWN-ACK", "a SHUTDOWN-COMPLETE"]
    pair.check_gone()
    assert pair.b.events[-2:] == [ShutdownReceived(3), AssociationClosed(3)]
    assert not pair.a.of(ShutdownReceived)


def test_what_was_sent_before_is_delivered_by_both_ends() -> None:
    pair = closing_pair()
    for number in range(12):
        pair.send(pair.a, 3_000, number % 3)
        pair.send(pair.b, 3_000, number % 3, unordered=number % 2 == 0)
    pair.a.association.shutdown(pair.now)
    pair.run(5)
    pair.check_delivery()
    pair.check_gone()
    assert [len(node.of(SenderDry)) for node in pair.nodes] == [1, 1]


@pytest.mark.parametrize("lost", [cp.SHUTDOWN, cp.SHUTDOWN_ACK, cp.SHUTDOWN_COMPLETE])
@pytest.mark.parametrize("times", [1, 3])
def test_each_chunk_may_be_lost(lost: int, times: int) -> None:
    pair = closing_pair()
    pair.network.rules.append(drop(has_chunk(lost), *range(1, times + 1)))
    pair.a.association.shutdown(pair.now)
    pair.run(60)
    pair.check_gone()


def test_t2_backs_off() -> None:
    pair = closing_pair()
    pair.network.rules.append(drop(has_chunk(cp.SHUTDOWN), 1, 2, 3))
    start = pair.now
    pair.a.association.shutdown(start)
    pair.run(60)
    times = [round(time - start, 6) for time, _ in pair.sent_chunks("a", c.Shutdown)]
    assert times == [0, 1, 3, 7]


@pytest.mark.parametrize("gap", [0.0, 0.02, 0.06])
def test_both_close_at_once(gap: float) -> None:
    pair = closing_pair()
    pair.send(pair.a, 4_000)
    pair.send(pair.b, 4_000)
    pair.a.association.shutdown(pair.now)
    if gap:
        pair.run(gap)
    pair.b.association.shutdown(pair.now)
    pair.run(5)
    pair.check_delivery()
    pair.check_gone()


def test_shutdowns_that_cross() -> None:
    pair = closing_pair()
    mark = pair.mark
    for node in pair.nodes:
        node.association.shutdown(pair.now)
    pair.run(5)
    assert sorted(pair.flow(mark)[:4]) == ["a SHUTDOWN", "a SHUTDOWN-ACK", "b SHUTDOWN", "b SHUTDOWN-ACK"]
    assert pair.flow(mark)[4:] == ["a SHUTDOWN-COMPLETE", "b SHUTDOWN-COMPLETE"]
    pair.check_gone()


def test_the_peer_that_does_not_answer_is_given_up() -> None:
    pair = closing_pair(config=Config(association_max_retrans=3))
    pair.network.cut(pair.b.address)
    pair.a.association.shutdown(pair.now)
    pair.run(100)
    assert len(pair.sent_chunks("a", c.Shutdown)) == 4
    assert [(e.loss, e.established) for e in pair.a.of(AssociationLost)] == [(Loss.TIMED_OUT, True)]
    assert pair.a.endpoint.next_timeout() == math.inf


def test_shutdown_ack_is_repeated_and_given_up() -> None:
    peer = Raw.in_state(State.SHUTDOWN_ACK_SENT, Config(association_max_retrans=2))
    assert peer.wait(100) == [c.ShutdownAck()] * 2
    assert [e.loss for e in peer.events(AssociationLost)] == [Loss.TIMED_OUT]


def test_t5_aborts_a_shutdown_that_takes_too_long() -> None:
    pair = closing_pair(config=Config(shutdown_guard=20.0, receive_buffer=10_000))
    pair.b.reading = False
    for _ in range(5):
        pair.send(pair.a, 5_000)
    pair.a.association.shutdown(pair.now)
    pair.run(19.9)
    assert pair.a.association.state is State.SHUTDOWN_PENDING
    pair.run(1)
    assert [(e.loss, e.cause) for e in pair.a.of(AssociationLost)] == [(Loss.TIMED_OUT, cp.CAUSE_PROTOCOL_VIOLATION)]
    assert pair.a.of(SendFailed)
    assert [e.loss for e in pair.b.of(AssociationLost)] == [Loss.ABORTED]


def test_t5_is_five_times_rto_max() -> None:
    peer = Raw.in_state(State.SHUTDOWN_PENDING, Config(rto_max=2.0, heartbeat_interval=0))
    # The peer acknowledges nothing but answers heartbeats' stead with duplicates, so that it is not given up.
    peer.association.tcb.settings.association_max_retrans = 10_000
    assert not [k for k in peer.wait(9.9) if isinstance(k, c.Abort)]
    assert [type(k) for k in peer.wait(0.2)][-1] is c.Abort


# --- states ---


@pytest.mark.parametrize("state", STATES)
def test_the_user_s_request_in_every_state(state: State) -> None:
    following = {
        State.ESTABLISHED: State.SHUTDOWN_SENT,
    }
    peer = Raw.in_state(state)
    peer.association.shutdown(peer.now)
    assert peer.association.state is following.get(state, state)


@pytest.mark.parametrize("state", STATES)
def test_no_new_messages_are_taken_while_closing(state: State) -> None:
    peer = Raw.in_state(state)
    if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED):
        peer.association.send(Message(0, 0, b"x"), peer.now)
        assert peer.association.send_buffered == 1
    else:
        with pytest.raises(ConnectionError):
            peer.association.send(Message(0, 0, b"x"), peer.now)


@pytest.mark.parametrize(
    ("state", "following", "answers"),
    [
        (State.COOKIE_WAIT, State.COOKIE_WAIT, []),
        (State.COOKIE_ECHOED, State.COOKIE_ECHOED, []),
        (State.ESTABLISHED, State.SHUTDOWN_ACK_SENT, [c.ShutdownAck()]),
        (State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED, []),
        (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT, [c.ShutdownAck()]),
        (State.SHUTDOWN_RECEIVED, State.SHUTDOWN_RECEIVED, []),
        (State.SHUTDOWN_ACK_SENT, State.SHUTDOWN_ACK_SENT, [c.ShutdownAck()]),
    ],
)
def test_shutdown_in_every_state(state: State, following: State, answers: list[c.Chunk]) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.Shutdown(peer.local_tsn - 1)) == answers
    assert peer.association.state is following


@pytest.mark.parametrize("state", [State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED])
def test_a_shutdown_that_acknowledges_all_is_answered(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.Shutdown(peer.local_tsn)) == [c.ShutdownAck()]
    assert peer.give(c.ShutdownComplete()) == []
    assert len(peer.events(AssociationClosed)) == 1


def test_data_that_is_missing_is_sent_again_in_shutdown_received() -> None:
    peer = Raw.in_state(State.SHUTDOWN_RECEIVED)
    (data,) = peer.wait(1.0)
    assert isinstance(data, c.Data)
    assert peer.give(c.Sack(peer.local_tsn, 100_000)) == [c.ShutdownAck()]


def test_a_shutdown_that_acknowledges_what_was_never_sent() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    (abort,) = peer.give(c.Shutdown(peer.local_tsn))
    assert isinstance(abort, c.Abort)
    assert isinstance(abort.causes[0], ProtocolViolation)
    assert [e.loss for e in peer.events(AssociationLost)] == [Loss.PROTOCOL]


@pytest.mark.parametrize("state", STATES)
def test_shutdown_ack_in_every_state(state: State) -> None:
    peer = Raw.in_state(state)
    answers = peer.give(c.ShutdownAck())
    if state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT):
        assert answers == [c.ShutdownComplete()]
        assert len(peer.events(AssociationClosed)) == 1
    else:
        # RFC 9260 section 8.5.1, E: during setup it is answered as out of the blue.
        setup = state in (State.COOKIE_WAIT, State.COOKIE_ECHOED)
        assert answers == ([c.ShutdownComplete(reflected=True)] if setup else [])
        assert peer.association.state is state


@pytest.mark.parametrize("state", STATES)
def test_shutdown_complete_in_every_state(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.ShutdownComplete()) == []
    if state is State.SHUTDOWN_ACK_SENT:
        assert len(peer.events(AssociationClosed)) == 1
    else:
        assert peer.association.state is state
        assert peer.endpoint.counters == {"shutdown_complete_unexpected": 1}


# --- SHUTDOWN-SENT ---


def test_each_packet_with_data_is_answered_with_shutdown_at_once_and_restarts_t2() -> None:
    peer = Raw.in_state(State.SHUTDOWN_SENT)
    for number in range(20):
        assert peer.wait(0.9) == []
        assert peer.give(peer.data(ssn=number)) == [
            c.Shutdown(1_000 + number),
            c.Sack(1_000 + number, free(number + 1)),
        ]
    assert len(peer.events(MessageReceived)) == 20
    # Nor does a delayed SACK follow.
    assert peer.wait(0.9) == []
    assert peer.wait(0.2) == [c.Shutdown(1_019)]


def test_gaps_and_duplicates_bring_a_sack_along() -> None:
    peer = Raw.in_state(State.SHUTDOWN_SENT)
    answers = peer.give(peer.data(tsn=1_001, ssn=1))
    assert answers == [c.Shutdown(999), c.Sack(999, free(1), ((2, 2),))]
    assert peer.give(peer.data(tsn=1_000, ssn=0)) == [c.Shutdown(1_001), c.Sack(1_001, free(2))]
    assert peer.give(peer.data(tsn=1_000, ssn=0)) == [c.Shutdown(1_001), c.Sack(1_001, free(2), (), (1_000,))]


def test_a_batch_is_answered_once() -> None:
    peer = Raw.in_state(State.SHUTDOWN_SENT)
    batch = [peer.packet(peer.data(ssn=number)) for number in range(10)]
    assert peer.give_bytes(batch) == [c.Shutdown(1_009), c.Sack(1_009, free(10))]


def test_much_data_towards_one_that_has_closed_does_not_stall() -> None:
    pair = closing_pair(config=Config(receive_buffer=20_000))
    for _ in range(100):
        pair.send(pair.b, 5_000)
    pair.a.association.shutdown(pair.now)
    start = pair.now
    pair.until(lambda: bool(pair.b.of(AssociationClosed)), 30)
    # 500,000 bytes, at most 20,000 of them in a round trip of 0.1 s.
    assert pair.now - start < 3.5
    pair.check_delivery()


def test_a_closed_window_while_the_peer_closes() -> None:
    pair = closing_pair(config=Config(receive_buffer=20_000))
    pair.a.reading = False
    for _ in range(10):
        pair.send(pair.b, 5_000)
    pair.run(0.08)
    pair.a.association.shutdown(pair.now)
    pair.run(120)
    assert not pair.b.of(AssociationLost)
    pair.a.reading = True
    pair.run(5)
    pair.check_delivery()
    pair.check_gone()


def test_a_pending_sack_is_not_needed_after_the_shutdown() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.give(peer.data())
    peer.give(peer.data(ssn=1))
    peer.association.shutdown(peer.now)
    assert peer.answers() == [c.Shutdown(1_001)]
    assert [k for k in peer.wait(0.9) if isinstance(k, c.Sack)] == []


def test_the_i_bit_asks_for_sacks_while_the_shutdown_is_pending() -> None:
    pair = closing_pair()
    pair.send(pair.a, 30_000)
    pair.a.association.shutdown(pair.now)
    pair.run(5)
    assert [k.immediate for _, k in pair.sent_chunks("a", c.Data)][-1]
    pair.check_gone()
    # The last SACK is not delayed: 0.2 s for 30,000 bytes in slow start, 0.15 s for the shutdown.
    closed = max(record.time for record in pair.network.trace)
    assert closed < 1.2


def test_data_lost_while_closing_in_both_directions() -> None:
    patient = Config(association_max_retrans=60, path_max_retrans=60, shutdown_guard=1e6)
    for seed in range(30):
        pair = closing_pair(seed=seed, link=Link(0.03, jitter=0.02), config=patient)
        pair.network.everywhere(loss=0.3)
        for number in range(10):
            pair.send(pair.a, 2_000, number % 2)
            pair.send(pair.b, 2_000, number % 2)
        pair.b.association.shutdown(pair.now)
        pair.until(lambda pair=pair: all(n.of(AssociationClosed) for n in pair.nodes), 5_000)  # type: ignore[misc]
        pair.check_delivery()


def test_a_late_duplicate_shutdown_does_not_turn_a_close_into_a_loss() -> None:
    """In SHUTDOWN-ACK-SENT the peer, gone already, answers a late chunk of ours with ABORT; all was delivered."""
    peer = Raw.in_state(State.SHUTDOWN_ACK_SENT)
    assert peer.give(c.Abort([], reflected=True), tag=peer.own_tag) == []
    assert len(peer.events(AssociationClosed)) == 1
    peer = Raw.in_state(State.SHUTDOWN_ACK_SENT)
    peer.give(c.Abort([]))
    assert [e.loss for e in peer.events(AssociationLost)] == [Loss.ABORTED]
