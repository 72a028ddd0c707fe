"""BDC: DATA in one packet with control chunks (RFC 9260 sections 5.1, 6.10, 8.5.1, 9.2 and 12.3)."""

from __future__ import annotations

from conformance.peer import OTHER_TAG, Peer, check_sack

from pysctpstack.core import State
from pysctpstack.events import AssociationClosed, AssociationUp, MessageReceived, ShutdownReceived
from pysctpstack.wire import chunks as c


def test_sctp_bdc_i_7_1() -> None:
    peer = Peer()
    init, data = peer.init(), peer.data()
    for chunks in ([init, data], [data, init], [init, init]):
        assert peer.give(*chunks, tag=0) == []
    assert peer.told() == []
    assert peer.is_gone
    # Nor does it do harm to an association.
    peer = Peer.at(State.ESTABLISHED)
    for tag in (0, peer.tag):
        assert peer.give(peer.init(initiate_tag=OTHER_TAG), c.Data(peer.tsn, 0, 0, 0, b"x"), tag=tag) == []
    assert peer.wait(1.0) == []
    assert peer.told() == []
    assert peer.is_in(State.ESTABLISHED)


def test_sctp_bdc_i_7_2() -> None:
    peer = Peer()
    init = peer.associate()
    data = peer.data()
    assert peer.give(peer.init_ack(), data) == []
    assert peer.give(data, peer.init_ack()) == []
    assert peer.is_in(State.COOKIE_WAIT)
    assert peer.told() == []
    # T1-init goes on, and an INIT ACK of its own is good.
    assert peer.wait(1.0) == [init]
    assert peer.give(peer.init_ack()) == [c.CookieEcho(b"cookie")]


def test_sctp_bdc_i_7_3() -> None:
    peer = Peer.at(State.SHUTDOWN_ACK_SENT)
    data = peer.data(b"x")
    for chunk, tag in ((c.ShutdownComplete(), peer.tag), (c.ShutdownComplete(reflected=True), peer.own_tag)):
        assert peer.give(chunk, data, tag=tag) == []
        assert peer.give(data, chunk, tag=tag) == []
    assert peer.is_in(State.SHUTDOWN_ACK_SENT)
    assert peer.told() == []
    # T2-shutdown goes on, and a SHUTDOWN COMPLETE of its own is good.
    assert peer.wait(1.0) == [c.ShutdownAck()]
    assert peer.give(c.ShutdownComplete()) == []
    assert peer.is_gone


def test_sctp_bdc_v_7_4() -> None:
    peer = Peer()
    ack, sack = peer.give(peer.cookie(), peer.data(b"one"), peer.data(b"two", ssn=1))
    # Section 5.1.5, 6 and 7: COOKIE ACK first, and the DATA is acknowledged at once.
    assert ack == c.CookieAck()
    check_sack(sack, peer.tsn - 1)
    up, *messages = peer.told()
    assert isinstance(up, AssociationUp)
    assert [event.data for event in messages if isinstance(event, MessageReceived)] == [b"one", b"two"]
    assert len(messages) == 2


def test_sctp_bdc_v_7_5() -> None:
    peer = Peer()
    peer.associate()
    peer.give(peer.init_ack())
    (sack,) = peer.give(c.CookieAck(), peer.data(b"at once"))
    check_sack(sack, peer.tsn - 1)
    up, message = peer.told()
    assert isinstance(up, AssociationUp)
    assert isinstance(message, MessageReceived)
    assert message.data == b"at once"
    assert peer.is_in(State.ESTABLISHED)


def test_sctp_bdc_v_7_6() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"one")
    peer.send(b"two")
    # The SACK acknowledges what the SHUTDOWN, which is older, does not.
    answers = peer.give(peer.sack(2), c.Shutdown((peer.local_tsn - 1) & 0xFFFFFFFF))
    assert answers == [c.ShutdownAck()]
    assert peer.is_in(State.SHUTDOWN_ACK_SENT)
    assert [event for event in peer.told() if isinstance(event, ShutdownReceived)]
    # And the other way round, with some left to be acknowledged.
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"one")
    peer.send(b"two")
    assert peer.give(peer.sack(1), c.Shutdown(peer.local_tsn)) == []
    assert peer.is_in(State.SHUTDOWN_RECEIVED)
    again = peer.wait(1.0)
    assert [chunk.payload for chunk in again if isinstance(chunk, c.Data)] == [b"two"]
    assert peer.give(peer.sack(2)) == [c.ShutdownAck()]


def test_sctp_bdc_v_7_7() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"mine")
    (sack,) = peer.give(peer.sack(1), peer.data(b"yours"))
    check_sack(sack, peer.tsn - 1)
    assert [event.data for event in peer.events(MessageReceived)] == [b"yours"]
    # T3-rtx has stopped.
    assert peer.wait(100.0) == []
    assert peer.association.send_buffered == 0


def test_sctp_bdc_v_7_8() -> None:
    peer = Peer.at(State.SHUTDOWN_SENT)
    # Section 6.10: chunks count in their order, and what is behind the SHUTDOWN ACK finds no association any more.
    assert peer.give(c.ShutdownAck(), peer.data(b"too late")) == [c.ShutdownComplete()]
    assert [type(event) for event in peer.told()] == [AssociationClosed]
    assert peer.wait(100.0) == []
    assert peer.is_gone
