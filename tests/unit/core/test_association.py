"""One association: aborts, errors, unknown chunks, life times, Nagle, path MTU, window probes."""

from __future__ import annotations

import math

import pytest
from support.pair import STATES, A, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, State
from pysctpstack.events import (
    Acknowledged,
    AssociationLost,
    Loss,
    MessageReceived,
    RemoteError,
    SenderDry,
    SendFailed,
)
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import (
    InvalidStreamIdentifier,
    OutOfResource,
    ProtocolViolation,
    UnrecognizedChunk,
    UserInitiatedAbort,
)

# --- abort (section 9.1) ---


@pytest.mark.parametrize("state", STATES)
def test_the_user_aborts_in_every_state(state: State) -> None:
    peer = Raw.in_state(state)
    if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED):
        peer.association.send(Message(1, 7, b"lost", context=5), peer.now)
        peer.answers()
    association = peer.association
    association.abort(b"enough", peer.now)
    # In COOKIE-WAIT there is nobody to tell: the tag is not known.
    assert peer.answers() == ([] if state is State.COOKIE_WAIT else [c.Abort([UserInitiatedAbort(b"enough")])])
    events = peer.endpoint.next_events()
    (lost,) = [e for e in events if isinstance(e, AssociationLost)]
    established = state not in (State.COOKIE_WAIT, State.COOKIE_ECHOED)
    assert (lost.loss, lost.established, lost.cause) == (Loss.LOCAL, established, cp.CAUSE_USER_INITIATED_ABORT)
    failed = [(e.context, e.sent, e.data) for e in events if isinstance(e, SendFailed)]
    if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED):
        assert failed == [(0, True, b"unacknowledged")]
    elif state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT):
        assert failed == []
    else:
        assert failed == [(5, established, b"lost")]
    assert peer.endpoint.next_timeout() == math.inf
    # Once more does nothing.
    association.abort(b"again", peer.now)
    association.shutdown(peer.now)
    assert (peer.answers(), peer.endpoint.next_events()) == ([], [])
    with pytest.raises(ConnectionError):
        association.send(Message(0, 0, b"x"), peer.now)


def test_the_reason_of_an_abort_is_cut_to_a_packet() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.association.abort(bytes(5_000), peer.now)
    ((_, _, [abort]),) = peer.sent()
    assert isinstance(abort, c.Abort)
    assert len(abort.encode()) == 1_460


@pytest.mark.parametrize("state", STATES)
def test_the_peer_aborts_in_every_state(state: State) -> None:
    peer = Raw.in_state(state)
    chunk = c.Abort([UserInitiatedAbort(b"because")])
    assert peer.give(chunk) == []
    (lost,) = peer.events(AssociationLost)
    setup = state in (State.COOKIE_WAIT, State.COOKIE_ECHOED)
    assert lost.loss is (Loss.REFUSED if setup else Loss.ABORTED)
    assert (lost.cause, lost.established) == (cp.CAUSE_USER_INITIATED_ABORT, not setup)
    assert c.Abort.decode(0, lost.abort[4:]) == chunk
    assert peer.endpoint.next_timeout() == math.inf


def test_an_abort_whose_causes_can_t_be_read_is_dropped() -> None:
    # RFC 9260 section 3.3.7
    peer = Raw.in_state(State.ESTABLISHED)
    assert peer.give(tlv.encode_chunk(cp.ABORT, 0, b"\0\5\0\1")) == []
    assert peer.events(AssociationLost) == []
    assert peer.endpoint.counters == {"bad_parameter_length": 1}


def test_what_is_behind_an_abort_is_not_processed() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    assert peer.give(c.Abort([]), peer.data(), c.Heartbeat(b"x")) == []
    assert peer.events(MessageReceived) == []


# --- errors and unknown chunks (sections 3.2 and 3.3.10) ---


def test_an_error_is_reported_with_its_causes() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    error = c.Error([OutOfResource(), ProtocolViolation(b"hm")])
    assert peer.give(error) == []
    (reported,) = peer.events(RemoteError)
    assert (reported.cause, c.Error.decode(0, reported.data)) == (cp.CAUSE_OUT_OF_RESOURCE, error)
    assert peer.give(c.Error([])) == []
    assert peer.events(RemoteError) == []


def test_an_error_during_setup_is_not_reported() -> None:
    peer = Raw.in_state(State.COOKIE_ECHOED)
    peer.give(c.Error([OutOfResource()]))
    assert peer.endpoint.next_events() == []


@pytest.mark.parametrize("bits", range(4))
def test_unknown_chunks_by_the_two_highest_bits(bits: int) -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    unknown = c.UnknownChunk(bits << 6 | 0x2A, 0, b"abc")
    answers = peer.give(unknown, peer.data(b"behind"))
    assert [e.data for e in peer.events(MessageReceived)] == ([b"behind"] if bits & 2 else [])
    errors = [k for k in answers if isinstance(k, c.Error)]
    expected = c.Error([UnrecognizedChunk(unknown.encode()[:7])])
    assert errors == ([expected] if bits & 1 else [])
    assert peer.endpoint.counters["unknown_chunk"] == 1


def test_an_unknown_chunk_is_reported_as_far_as_it_fits_and_never_under_tag_0() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    (error,) = peer.give(c.UnknownChunk(0xEA, 0, bytes(3_000)))
    assert len(error.encode()) <= 1_460
    waiting = Raw.in_state(State.COOKIE_WAIT)
    assert waiting.give(c.UnknownChunk(0xEA, 0, b"abc")) == []


def test_the_errors_of_a_packet_share_one_chunk_that_fits_a_packet() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    unknown = [c.UnknownChunk(0xEA, number, bytes(20)) for number in range(3)]
    streams = [peer.data(stream_id=9, ssn=number) for number in range(2)]
    errors = [k for k in peer.give(*unknown, *streams) if isinstance(k, c.Error)]
    (error,) = errors
    # The same invalid stream is reported once.
    assert [type(cause) for cause in error.causes] == [UnrecognizedChunk] * 3 + [InvalidStreamIdentifier]
    many = [c.UnknownChunk(0xEA, 0, bytes(40)) for _ in range(60)]
    (answer,) = peer.give(*many)
    assert 1_000 < len(answer.encode()) <= 1_460


@pytest.mark.parametrize("chunk", [c.Ecne(1), c.Cwr(1)])
def test_ecn_has_no_meaning(chunk: c.Chunk) -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    assert peer.give(chunk) == []
    assert peer.endpoint.counters == {"ecn_not_negotiated": 1}


@pytest.mark.parametrize("type_", range(16))
@pytest.mark.parametrize("state", STATES)
def test_a_chunk_with_too_few_bytes_never_does_harm(type_: int, state: State) -> None:
    peer = Raw.in_state(state)
    for length in range(4, 13):
        packet = bytes((type_, 0, 0, length)) + bytes(length - 4) + bytes(-length & 3)
        peer.give(packet)
        if not peer.endpoint.associations:
            return
        assert peer.endpoint.next_timeout() > peer.now


# --- SACK ---


@pytest.mark.parametrize("state", STATES)
def test_sacks_by_state(state: State) -> None:
    peer = Raw.in_state(state)
    unacknowledged = state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED)
    peer.give(c.Sack(peer.local_tsn - (not unacknowledged), 100_000))
    assert len(peer.events(Acknowledged)) == unacknowledged
    ignored = state in (State.COOKIE_WAIT, State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT)
    assert ("sack_in_wrong_state" in peer.endpoint.counters) == ignored


def test_a_sack_of_what_was_never_sent_ends_the_association() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    (abort,) = peer.give(c.Sack(peer.local_tsn, 100_000))
    assert isinstance(abort, c.Abort)
    assert isinstance(abort.causes[0], ProtocolViolation)


def test_old_and_invalid_sacks_are_counted() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.give(c.Sack(peer.local_tsn - 2, 100_000))
    peer.give(c.Sack(peer.local_tsn - 1, 100_000, ((2, 1),)))
    peer.give(tlv.encode_chunk(cp.SACK, 0, bytes(8)))
    assert peer.endpoint.counters == {"sack_old": 1, "sack_invalid": 1, "bad_sack": 1}


# --- life times (RFC 6458 section 5.3.7) ---


def test_a_message_whose_life_time_ends_before_it_is_sent_fails_with_its_context() -> None:
    pair = Pair(config=Config(receive_buffer=10_000))
    client, _ = pair.connect()
    pair.b.reading = False
    for _ in range(8):
        pair.send(pair.a, 1_400)
    client.send(Message(3, 9, b"too late", context=77, unordered=True, expires_at=pair.now + 2.5), pair.now)
    client.send(Message(3, 10, b"in time", expires_at=pair.now + 100), pair.now)
    pair.run(2.4)
    assert pair.a.of(SendFailed) == []
    pair.run(0.2)
    assert pair.a.of(SendFailed) == [SendFailed(3, 3, 9, 77, True, False, 0, b"too late")]
    pair.b.reading = True
    pair.run(10)
    assert [m.data for m in pair.b.messages if m.stream_id == 3] == [b"in time"]
    assert client.send_buffered == 0


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_message_that_was_sent_does_not_expire_unless_both_ends_have_partial_reliability(who: str) -> None:
    pair = Pair()
    (pair.settings if who == "client" else pair.server_settings).pr_sctp = False
    client, _ = pair.connect()
    pair.network.cut(pair.b.address)
    client.send(Message(0, 0, b"lost at first", expires_at=pair.now + 0.5), pair.now)
    pair.run(1.5)
    pair.network.restore(pair.b.address)
    pair.run(5)
    assert [m.data for m in pair.b.messages] == [b"lost at first"]
    assert pair.a.of(SendFailed) == []


def test_a_message_may_expire_before_the_association_is_up() -> None:
    pair = Pair()
    pair.network.cut(pair.b.address)
    association = pair.associate()
    association.send(Message(0, 0, b"x", context=4, expires_at=pair.now + 0.25), pair.now)
    pair.run(0.3)
    assert [e.context for e in pair.a.of(SendFailed)] == [4]


# --- events ---


def test_sender_dry_is_told_once_when_all_is_acknowledged() -> None:
    pair = Pair()
    client, _ = pair.connect()
    pair.run(1)
    assert pair.a.of(SenderDry) == []
    for _ in range(20):
        pair.send(pair.a, 1_000)
    pair.run(3)
    assert len(pair.a.of(SenderDry)) == 1
    pair.send(pair.a, 10)
    pair.run(1)
    assert len(pair.a.of(SenderDry)) == 2
    assert client.send_buffered == 0


def test_nagle_holds_small_messages_back_for_a_round_trip() -> None:
    for no_delay, packets in ((False, 2), (True, 4)):
        pair = Pair()
        pair.settings.no_delay = no_delay
        pair.connect()
        for _ in range(4):
            pair.send(pair.a, 100)
        pair.run(1)
        assert len(pair.records("a", cp.DATA)) == packets
        pair.check_delivery()


@pytest.mark.parametrize("mtu", [512, 600, 1_280, 1_500, 9_000, 65_535])
def test_packets_fill_the_path_mtu_and_never_exceed_it(mtu: int) -> None:
    pair = Pair(mtu=mtu)
    pair.connect()
    for size in (1, 100_000, 3_000, 70_000):
        pair.send(pair.a, size)
    pair.run(20)
    pair.check_delivery()
    sizes = [len(record.data) + 28 for record in pair.records("a")]
    assert max(sizes) <= mtu
    assert max(sizes) >= min(mtu - 4, 65_532)


def test_ipv6() -> None:
    pair = Pair(addresses=("2001:db8::1", "2001:db8::2"))
    pair.connect()
    pair.send(pair.a, 100_000)
    pair.send(pair.b, 100_000)
    pair.run(5)
    pair.check_delivery()
    assert max(len(record.data) for record in pair.records("a", cp.DATA)) == 1_452


def test_the_route_s_address_is_a_path() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    assert list(peer.association.tcb.paths.by_address) == [A]
