"""DM: messages that come twice, or in a state that does not expect them (RFC 9260 sections 5.2, 8.4, 8.5.1, 9.2)."""

from __future__ import annotations

from conformance.peer import OTHER_TAG, WRONG_TAG, Peer, check_sack

from pysctpstack.core import State
from pysctpstack.events import AssociationClosed, AssociationUp, MessageReceived
from pysctpstack.wire import chunks as c


def check_untouched(peer: Peer, state: State) -> None:
    assert peer.is_in(state)
    assert peer.told() == []


def check_setup_goes_on(peer: Peer, init: c.Init) -> None:
    """T1-init was not touched, 0.5 s after the INIT; and the setup comes to its end."""
    check_untouched(peer, State.COOKIE_WAIT)
    assert peer.wait(0.499) == []
    assert peer.wait(0.002) == [init]
    assert peer.give(peer.init_ack()) == [c.CookieEcho(b"cookie")]
    assert peer.give(c.CookieAck()) == []
    assert [type(event) for event in peer.told()] == [AssociationUp]


def in_cookie_wait() -> tuple[Peer, c.Init]:
    """The INIT has been sent 0.5 s ago."""
    peer = Peer()
    init = peer.associate()
    peer.wait(0.5)
    return peer, init


def test_sctp_dm_o_4_1() -> None:
    peer, init = in_cookie_wait()
    (ack,) = peer.give(peer.init(), tag=0)
    assert isinstance(ack, c.InitAck)
    # Section 5.2.1: the parameters of the INIT that is under way, Initiate Tag included.
    assert (ack.initiate_tag, ack.initial_tsn) == (init.initiate_tag, init.initial_tsn)
    assert (ack.a_rwnd, ack.outbound_streams, ack.inbound_streams) == (
        init.a_rwnd,
        init.outbound_streams,
        init.inbound_streams,
    )
    check_setup_goes_on(peer, init)


def test_sctp_dm_o_4_2_1() -> None:
    peer = Peer.at(State.ESTABLISHED)
    (ack,) = peer.give(peer.init(initiate_tag=OTHER_TAG), tag=0)
    assert isinstance(ack, c.InitAck)
    # Section 5.2.2: a new tag, so that an old cookie can't be taken for this one.
    assert ack.initiate_tag not in (0, peer.tag)
    assert peer.log[-1].tag == OTHER_TAG
    check_untouched(peer, State.ESTABLISHED)
    check_sack(peer.give(peer.data(b"goes on"))[0], peer.tsn - 1)
    assert [event.data for event in peer.events(MessageReceived)] == [b"goes on"]
    assert peer.log[-1].tag == peer.own_tag


def test_sctp_dm_o_4_2_2() -> None:
    peer = Peer.at(State.SHUTDOWN_ACK_SENT)
    peer.wait(0.5)
    # The association's own tag: the peer that lost the SHUTDOWN COMPLETE may not know another any more.
    assert peer.give(peer.init(initiate_tag=OTHER_TAG), tag=0) == [c.ShutdownAck()]
    assert peer.log[-1].tag == peer.own_tag
    check_untouched(peer, State.SHUTDOWN_ACK_SENT)
    # T2-shutdown goes on.
    assert peer.wait(0.5) == [c.ShutdownAck()]


def test_sctp_dm_o_4_3() -> None:
    peer = Peer.at(State.COOKIE_ECHOED)
    peer.wait(0.5)
    assert peer.give(peer.init_ack(initiate_tag=OTHER_TAG)) == []
    check_untouched(peer, State.COOKIE_ECHOED)
    # The first INIT ACK counts: its cookie is repeated, under its tag, at its time.
    assert peer.wait(0.499) == []
    assert peer.wait(0.002) == [c.CookieEcho(b"cookie")]
    assert peer.log[-1].tag == peer.own_tag


def test_sctp_dm_o_4_4() -> None:
    peer = Peer.at(State.ESTABLISHED)
    assert peer.give(c.CookieAck()) == []
    assert peer.wait(10.0) == []
    check_untouched(peer, State.ESTABLISHED)
    assert peer.endpoint.counters == {"cookie_ack_unexpected": 1}


def test_sctp_dm_o_4_5() -> None:
    peer = Peer.at(State.SHUTDOWN_SENT)
    assert peer.give(c.Shutdown((peer.local_tsn - 1) & 0xFFFFFFFF)) == [c.ShutdownAck()]
    assert peer.log[-1].tag == peer.own_tag
    check_untouched(peer, State.SHUTDOWN_ACK_SENT)
    # Both ends may be there at once: either's SHUTDOWN ACK ends it.
    assert peer.give(c.ShutdownAck()) == [c.ShutdownComplete()]
    assert [type(event) for event in peer.told()] == [AssociationClosed]


def test_sctp_dm_o_4_6_1() -> None:
    peer, init = in_cookie_wait()
    assert peer.give(c.Shutdown(1)) == []
    check_setup_goes_on(peer, init)


def test_sctp_dm_o_4_6_2() -> None:
    peer = Peer()
    assert peer.give(c.Shutdown(1), tag=WRONG_TAG) == [c.Abort([], reflected=True)]
    assert peer.log[-1].tag == WRONG_TAG
    assert peer.told() == []
    assert peer.is_gone


def test_sctp_dm_o_4_6_3() -> None:
    peer = Peer.at(State.SHUTDOWN_SENT)
    peer.wait(0.9)
    assert peer.give(c.Shutdown((peer.local_tsn - 1) & 0xFFFFFFFF)) == [c.ShutdownAck()]
    # It would have expired after 0.1 s, and with a SHUTDOWN.
    assert peer.wait(0.999) == []
    assert peer.wait(0.002) == [c.ShutdownAck()]
    assert peer.give(c.ShutdownComplete()) == []
    assert peer.is_gone


def test_sctp_dm_o_4_7_1() -> None:
    for tag in (None, WRONG_TAG):
        peer, init = in_cookie_wait()
        assert peer.give(c.ShutdownAck(), tag=tag) == [c.ShutdownComplete(reflected=True)]
        assert peer.log[-1].tag == peer.given_tag
        check_setup_goes_on(peer, init)


def test_sctp_dm_o_4_7_2() -> None:
    peer = Peer.at(State.ESTABLISHED)
    assert peer.give(c.ShutdownAck()) == []
    assert peer.wait(10.0) == []
    check_untouched(peer, State.ESTABLISHED)
    assert peer.give(c.Heartbeat(b"still there?")) == [c.HeartbeatAck(b"still there?")]


def test_sctp_dm_o_4_7_3() -> None:
    peer = Peer.at(State.SHUTDOWN_ACK_SENT)
    assert peer.give(c.ShutdownAck()) == [c.ShutdownComplete()]
    assert peer.log[-1].tag == peer.own_tag
    assert [type(event) for event in peer.told()] == [AssociationClosed]
    assert peer.wait(100.0) == []
    assert peer.is_gone


def test_sctp_dm_o_4_8() -> None:
    peer = Peer()
    echo = peer.cookie()
    peer.give(echo)
    peer.told()
    forged = c.CookieEcho(echo.cookie[:-1] + bytes((echo.cookie[-1] ^ 1,)))
    # What is bundled with it is discarded as well.
    assert peer.give(forged, peer.data(b"bundled")) == []
    assert peer.wait(10.0) == []
    check_untouched(peer, State.ESTABLISHED)
    assert peer.endpoint.counters == {"cookie_forged": 1}
    # The true cookie is a duplicate, and is answered (section 5.2.4, D).
    assert peer.give(echo) == [c.CookieAck()]


def test_sctp_dm_o_4_9() -> None:
    for chunk in (c.ShutdownComplete(), c.ShutdownComplete(reflected=True)):
        peer, init = in_cookie_wait()
        assert peer.give(chunk) == []
        check_setup_goes_on(peer, init)


def test_sctp_dm_o_4_10() -> None:
    peer = Peer.at(State.SHUTDOWN_ACK_SENT)
    assert peer.give(peer.data(b"too late")) == []
    assert peer.wait(0.999) == []
    check_untouched(peer, State.SHUTDOWN_ACK_SENT)
    assert peer.wait(0.002) == [c.ShutdownAck()]
