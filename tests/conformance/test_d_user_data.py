"""D: user data in both directions (RFC 9260 sections 6.1 to 6.4, 6.9 and 7.2)."""

from __future__ import annotations

from itertools import pairwise

from conformance.peer import A2, FROM_A2, QUIET, WINDOW, Peer, check_sack
from support.pair import A

from pysctpstack.config import Config
from pysctpstack.core import State
from pysctpstack.events import Acknowledged, AssociationLost, Loss, MessageReceived, SenderDry
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import NoUserData

FIRST, MIDDLE, LAST = cp.DATA_FLAG_B, 0, cp.DATA_FLAG_E
WHOLE = FIRST | LAST
FITS = 1_500 - 20 - 8 - 12 - 16
"""User data of the largest DATA chunk: an MTU of 1,500 without the headers of IPv4, UDP, SCTP and the chunk."""


def data_of(chunks: list[c.Chunk]) -> list[c.Data]:
    """The DATA chunks. There may be nothing else but HEARTBEATs, which look for a black hole when T3-rtx expires."""
    assert {type(chunk) for chunk in chunks} <= {c.Data, c.Heartbeat}, chunks
    return [chunk for chunk in chunks if isinstance(chunk, c.Data)]


def text(size: int) -> bytes:
    """Bytes of which no two neighbourhoods are alike."""
    return b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))[:size]


def receive_all(peer: Peer, last_first: c.Data) -> list[c.Data]:
    """Acknowledge whatever leaves until nothing more does; every DATA chunk in the order of sending."""
    everything = [last_first]
    new = [last_first]
    while new:
        new = data_of(peer.give(c.Sack(everything[-1].tsn, 500_000)))
        everything += new
    return everything


def test_sctp_d_v_8_1() -> None:
    peer = Peer.at(State.ESTABLISHED)
    (data,) = peer.send(b"all of it", 2)
    assert data == c.Data(peer.local_tsn, 2, 0, 0, b"all of it", WHOLE)
    assert (peer.log[-1].tag, peer.log[-1].to.peer) == (peer.own_tag, A)
    (data,) = data_of(peer.send(b"and more", 2))
    assert (data.tsn, data.ssn, data.flags) == ((peer.local_tsn + 1) & 0xFFFFFFFF, 1, WHOLE)


def test_sctp_d_v_8_2() -> None:
    peer = Peer.at(State.ESTABLISHED)
    message = text(3 * FITS)
    fragments = data_of(peer.send(message, 1))
    assert [fragment.flags for fragment in fragments] == [FIRST, MIDDLE, LAST]
    # Consecutive TSNs, one stream and SSN, each in a packet of its own that the path MTU allows (section 6.9).
    assert [(f.tsn - peer.local_tsn) & 0xFFFFFFFF for f in fragments] == [0, 1, 2]
    assert {(f.stream_id, f.ssn) for f in fragments} == {(1, 0)}
    assert b"".join(f.payload for f in fragments) == message
    assert [len(f.payload) for f in fragments] == [FITS] * 3
    assert len(peer.log) == 3


def test_sctp_d_v_8_3() -> None:
    peer = Peer.at(State.ESTABLISHED)
    for number, (flags, piece) in enumerate([(FIRST, b"in "), (MIDDLE, b"three "), (LAST, b"pieces")]):
        assert peer.events(MessageReceived) == []
        peer.give(peer.data(piece, flags=flags, stream_id=1))
        assert peer.tsn == 1_001 + number
    (message,) = peer.events(MessageReceived)
    assert (message.data, message.stream_id, message.ssn, message.complete) == (b"in three pieces", 1, 0, True)
    # In any order.
    pieces = [peer.data(p, flags=f, ssn=1, stream_id=1) for f, p in ((FIRST, b"1"), (MIDDLE, b"2"), (LAST, b"3"))]
    peer.give(pieces[2])
    peer.give(pieces[0])
    assert peer.events(MessageReceived) == []
    peer.give(pieces[1])
    assert [event.data for event in peer.events(MessageReceived)] == [b"123"]


def test_sctp_d_v_8_4() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"one")
    peer.send(b"two")
    assert peer.give(peer.sack(1)) == []
    assert peer.association.send_buffered == 3
    assert peer.give(peer.sack(2)) == []
    assert peer.association.send_buffered == 0
    assert [type(event) for event in peer.told()] == [Acknowledged, Acknowledged, SenderDry]
    # Nothing is sent again.
    assert peer.wait(100.0) == []


def test_sctp_d_i_8_5() -> None:
    peer = Peer.at(State.ESTABLISHED)
    sent = data_of(peer.send(text(4 * FITS)))
    assert len(sent) == 4
    assert peer.wait(0.999) == []
    # Section 6.3.3, E1 to E3 and 7.2.3: cwnd is one packet, and the earliest TSN goes; the RTO doubles.
    assert data_of(peer.wait(0.002)) == sent[:1]
    assert data_of(peer.wait(1.998)) == []
    assert data_of(peer.wait(0.002)) == sent[:1]
    # From there in slow start; the RTO stays backed off until a measurement, which nothing sent twice gives.
    assert data_of(peer.give(peer.sack(1))) == sent[1:3]
    assert data_of(peer.wait(3.999)) == []
    assert data_of(peer.wait(0.002)) == sent[1:2]
    assert data_of(peer.give(peer.sack(4))) == []
    assert data_of(peer.wait(100.0)) == []


def test_sctp_d_o_8_6() -> None:
    peer = Peer.at(State.ESTABLISHED)
    first = peer.data(b"first")
    peer.give(first)
    second = peer.data(b"second", ssn=1)
    assert peer.give(second) == []
    # At once, though a SACK for the second was not due; and reported, once (section 6.2).
    (sack,) = peer.give(second)
    check_sack(sack, second.tsn, duplicates=(second.tsn,))
    (sack,) = peer.give(first, second)
    check_sack(sack, second.tsn, duplicates=(first.tsn, second.tsn))
    # Behind a gap as well.
    peer.tsn += 1
    behind = peer.data(b"behind", ssn=3)
    peer.give(behind)
    (sack,) = peer.give(behind)
    check_sack(sack, second.tsn, gaps=((2, 2),), duplicates=(behind.tsn,))
    assert [event.data for event in peer.events(MessageReceived)] == [b"first", b"second"]


def check_zero_window_probing(peer: Peer, probe: c.Data) -> None:
    """The peer's window is closed, and ``probe`` is what comes next. The peer drops probes and says so."""
    assert peer.wait(0.999) == []
    assert peer.wait(0.002) == [probe]
    # Section 6.1, A: at growing intervals, as long as it takes; what is answered is no error.
    intervals = []
    start = peer.now
    for _ in range(2 * QUIET.association_max_retrans):
        assert peer.give(peer.sack(1, a_rwnd=0)) == []
        before = peer.now
        while not (sent := peer.wait(0.25)):
            assert peer.now - before < 130.0
        assert sent == [probe]
        intervals.append(peer.log[-1].time - start)
        start = peer.log[-1].time
    assert all(later >= earlier - 0.01 for earlier, later in pairwise(intervals))
    assert intervals[-1] <= 60.01
    assert peer.is_in(State.ESTABLISHED)
    assert not peer.events(AssociationLost)


def test_sctp_d_o_8_7() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"fills the window")
    peer.give(peer.sack(1, a_rwnd=0))
    assert peer.send(b"probe") == []
    assert peer.send(b"waits") == []
    probe = c.Data((peer.local_tsn + 1) & 0xFFFFFFFF, 0, 1, 0, b"probe")
    check_zero_window_probing(peer, probe)
    # It opens: the probe, which was dropped, and the rest leave.
    opened = peer.give(peer.sack(1, a_rwnd=WINDOW))
    assert [chunk.payload for chunk in data_of(opened)] == [b"probe", b"waits"]
    assert peer.give(peer.sack(3)) == []
    assert peer.wait(100.0) == []


def test_sctp_d_o_8_8() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"fills the window")
    peer.give(peer.sack(1, a_rwnd=0))
    message = text(3 * FITS)
    assert peer.send(message) == []
    # No more than one fragment probes.
    probe = c.Data((peer.local_tsn + 1) & 0xFFFFFFFF, 0, 1, 0, message[:FITS], FIRST)
    check_zero_window_probing(peer, probe)
    everything = data_of(peer.give(peer.sack(1, a_rwnd=WINDOW)))
    assert everything[0] == probe
    everything = everything[:-1] + receive_all(peer, everything[-1])
    assert [fragment.flags for fragment in everything] == [FIRST, MIDDLE, LAST]
    assert b"".join(fragment.payload for fragment in everything) == message
    assert peer.wait(100.0) == []


def test_sctp_d_v_8_9() -> None:
    peer = Peer.at(State.ESTABLISHED)
    # More than cwnd lets go at the start.
    message = text(8 * FITS)
    sent = data_of(peer.send(message))
    assert 0 < len(sent) < 8
    first = sent[0].tsn
    again = data_of(peer.wait(1.001))
    acknowledged = 0
    while len(again) < 8:
        acknowledged += 1
        again += data_of(peer.give(peer.sack(acknowledged)))
    # After the timeout all leave in the order of their TSNs, the lost ones, the oldest first, before new ones.
    assert [(chunk.tsn - first) & 0xFFFFFFFF for chunk in again] == list(range(8))
    assert again[: len(sent)] == sent
    # The same holds for a fast retransmission (section 7.2.4).
    peer = Peer.at(State.ESTABLISHED)
    sent = data_of(peer.send(message))
    for last in (2, 3, 4):
        left = data_of(peer.give(peer.sack(0, gaps=((2, last),))))
    assert left[0] == sent[0]


def test_sctp_d_v_8_10() -> None:
    peer = Peer.dual_homed()
    peer.send(b"to the primary")
    assert peer.log[-1].to.peer == A
    assert peer.give(peer.sack(1), route=FROM_A2) == []
    assert peer.association.send_buffered == 0
    assert peer.wait(100.0) == []
    # And what the peer asks for there is answered there (section 6.4).
    (sack,) = peer.give(peer.data(b"from there"), route=FROM_A2)
    check_sack(sack, peer.tsn - 1)
    assert peer.log[-1].to.peer == A2


def test_sctp_d_i_8_11() -> None:
    peer = Peer.at(State.ESTABLISHED)
    tsn = peer.tsn
    assert peer.give(peer.data(b"")) == [c.Abort([NoUserData(tsn)])]
    assert peer.log[-1].tag == peer.own_tag
    (lost,) = peer.told()
    assert isinstance(lost, AssociationLost)
    assert (lost.loss, lost.cause) == (Loss.PROTOCOL, cp.CAUSE_NO_USER_DATA)
    assert peer.is_gone


def test_sctp_d_o_8_12() -> None:
    peer = Peer.at(State.ESTABLISHED)
    for number in range(3):
        peer.send(bytes((number,)))
    assert peer.give(peer.sack(2)) == []
    peer.told()
    # Section 6.2.1, D, i: it was overtaken; nor does its window count.
    assert peer.give(peer.sack(1, a_rwnd=0)) == []
    assert peer.told() == []
    assert peer.association.send_buffered == 1
    (data,) = data_of(peer.send(b"there is room"))
    assert data.payload == b"there is room"
    # What the later one acknowledged stays so.
    assert [chunk.payload for chunk in data_of(peer.wait(1.5))] == [b"\2", b"there is room"]


def test_sctp_d_v_8_13() -> None:
    peer = Peer.at(State.ESTABLISHED)
    chunk = peer.data(text(FITS))
    assert len(peer.packet(chunk)) == 1_500 - 20 - 8
    (sack,) = peer.give(chunk)
    check_sack(sack, chunk.tsn)
    (message,) = peer.events(MessageReceived)
    assert (message.data, message.complete) == (text(FITS), True)


def test_sctp_d_v_8_14() -> None:
    peer = Peer.at(State.ESTABLISHED)
    (data,) = data_of(peer.send(text(FITS)))
    assert (data.payload, data.flags) == (text(FITS), WHOLE)
    first, second = data_of(peer.send(text(FITS + 1)))
    assert (len(first.payload), first.flags, len(second.payload), second.flags) == (FITS, FIRST, 1, LAST)
    # As large as the send buffer: in as many fragments as it takes.
    peer = Peer.at(State.ESTABLISHED)
    message = text(QUIET.send_buffer)
    everything = data_of(peer.send(message))
    everything = everything[:-1] + receive_all(peer, everything[-1])
    assert b"".join(chunk.payload for chunk in everything) == message
    assert len(everything) == -(-len(message) // FITS)
    assert (everything[0].flags, everything[-1].flags) == (FIRST, LAST)
    assert {chunk.flags for chunk in everything[1:-1]} == {MIDDLE}


def test_sctp_d_v_8_15() -> None:
    peer = Peer.at(State.ESTABLISHED, Config(heartbeat_interval=0.0, receive_buffer=10_000))
    message = text(50_000)
    pieces = [message[at : at + 1_000] for at in range(0, len(message), 1_000)]
    received = b""
    complete = []
    for number, piece in enumerate(pieces):
        flags = FIRST if number == 0 else LAST if number == len(pieces) - 1 else MIDDLE
        answers = peer.give(peer.data(piece, flags=flags))
        # Section 6.9: rather than closing the window for good, part of the message is handed over.
        for event in peer.events(MessageReceived):
            received += event.data
            complete.append(event.complete)
            peer.association.consumed(len(event.data), peer.now)
        answers += peer.answers()
        for answer in answers:
            check_sack(answer, peer.tsn - 1)
    assert received == message
    assert len(complete) > 1
    assert complete == [False] * (len(complete) - 1) + [True]
    # Whatever comes next is a message of its own.
    peer.give(peer.data(b"next", ssn=1))
    assert [(event.data, event.complete) for event in peer.events(MessageReceived)] == [(b"next", True)]
