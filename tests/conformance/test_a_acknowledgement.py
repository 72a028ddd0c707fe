"""A: when DATA is acknowledged (RFC 9260 sections 5.1, 6.2 and 7.2.4)."""

from __future__ import annotations

from conformance.peer import Peer, check_sack

from pysctpstack.core import State
from pysctpstack.events import MessageReceived
from pysctpstack.wire import chunks as c


def test_sctp_a_v_9_1() -> None:
    for peer in (Peer(), Peer()):
        peer.accept()
        (sack,) = peer.give(peer.data(b"first"))
        check_sack(sack, peer.tsn - 1)
        assert (peer.log[-1].time, peer.log[-1].tag) == (peer.now, peer.own_tag)
    # The end that began the association too.
    peer = Peer.at(State.COOKIE_ECHOED)
    peer.give(c.CookieAck())
    (sack,) = peer.give(peer.data(b"first"))
    check_sack(sack, peer.tsn - 1)


def test_sctp_a_v_9_2() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.give(peer.data(b"first"))
    # One packet: the SACK may wait, but for 200 ms at most, and there is one for all three.
    assert peer.give(peer.data(b"a", ssn=1), peer.data(b"b", ssn=2), peer.data(b"c", ssn=3)) == []
    start = peer.now
    (sack,) = peer.wait(1.0)
    check_sack(sack, peer.tsn - 1)
    assert 0 < peer.log[-1].time - start <= 0.200_001
    # Two packets: no waiting.
    assert peer.give(peer.data(b"d", ssn=4), peer.data(b"e", ssn=5)) == []
    (sack,) = peer.give(peer.data(b"f", ssn=6), peer.data(b"g", ssn=7))
    check_sack(sack, peer.tsn - 1)
    assert peer.log[-1].time == peer.now
    assert b"".join(event.data for event in peer.events(MessageReceived)) == b"firstabcdefg"


def test_sctp_a_o_9_3() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.give(peer.data(b"first"))
    missing = peer.data(b"missing", ssn=1)
    last = missing.tsn - 1
    (sack,) = peer.give(peer.data(b"a", ssn=2))
    check_sack(sack, last, gaps=((2, 2),))
    peer.tsn += 1
    (sack,) = peer.give(peer.data(b"c", ssn=4))
    check_sack(sack, last, gaps=((2, 2), (4, 4)))
    # For each packet as long as there is a gap; and for the one that fills it.
    (sack,) = peer.give(peer.data(b"d", ssn=5))
    check_sack(sack, last, gaps=((2, 2), (4, 5)))
    (sack,) = peer.give(missing)
    check_sack(sack, last + 2, gaps=((2, 3),))
    (sack,) = peer.give(c.Data(last + 3, 0, 3, 0, b"b"))
    check_sack(sack, last + 5)
    assert {left.time for left in peer.log} == {peer.now}
    assert [event.data for event in peer.events(MessageReceived)] == [b"first", b"missing", b"a", b"b", b"c", b"d"]
