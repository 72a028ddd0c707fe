"""FH: a peer that does not answer, and packets out of the blue (RFC 9260 sections 8.1, 8.3 and 8.4)."""

from __future__ import annotations

import pytest
from conformance.peer import A2, FROM_A2, WRONG_TAG, Peer
from support.pair import UDP_PORT, B

from pysctpstack.config import Config
from pysctpstack.core import Route, State
from pysctpstack.events import AssociationLost, AssociationUp, Loss, SendFailed
from pysctpstack.wire import chunks as c

FEW = Config(heartbeat_interval=0.0, association_max_retrans=3)
DATA = c.Data(1, 0, 0, 0, b"x")


def test_sctp_fh_i_5_1_1() -> None:
    peer = Peer.at(State.ESTABLISHED, FEW)
    peer.send(b"unheard")
    peer.wait(1 + 2 + 4 + 7.999)
    assert peer.told() == []
    assert peer.is_in(State.ESTABLISHED)
    peer.wait(0.002)
    assert peer.times(c.Data) == [0, 1, 3, 7]
    lost, failed = peer.told()
    assert isinstance(lost, AssociationLost)
    assert (lost.loss, lost.established) == (Loss.TIMED_OUT, True)
    assert isinstance(failed, SendFailed)
    assert (failed.data, failed.sent) == (b"unheard", True)
    assert peer.wait(100.0) == []
    assert peer.is_gone


def test_sctp_fh_i_5_1_2() -> None:
    peer = Peer.at(State.ESTABLISHED, FEW)
    for number in range(1, 5):
        # Three timeouts each, as many as there may be in a row; a SACK; and so on.
        peer.log.clear()
        peer.send(b"heard late")
        peer.wait_for_packets(4)
        assert {type(chunk) for left in peer.log for chunk in left.chunks} == {c.Data}
        assert peer.give(peer.sack(number)) == []
    assert peer.is_in(State.ESTABLISHED)
    assert not peer.events(AssociationLost)
    # Without one the fourth is the last.
    peer.send(b"unheard")
    peer.wait(300.0)
    assert [event.loss for event in peer.events(AssociationLost)] == [Loss.TIMED_OUT]


def test_sctp_fh_v_5_2() -> None:
    peer = Peer.at(State.ESTABLISHED)
    for info in (b"", b"1", b"opaque to all but its sender", bytes(1_000)):
        assert peer.give(c.Heartbeat(info)) == [c.HeartbeatAck(info)]
        assert (peer.log[-1].tag, peer.log[-1].time) == (peer.own_tag, peer.now)
    # Section 8.3: to where it came from.
    peer = Peer.dual_homed()
    assert peer.give(c.Heartbeat(b"from there"), route=FROM_A2) == [c.HeartbeatAck(b"from there")]
    assert peer.log[-1].to.peer == A2


def test_sctp_fh_o_5_3_1() -> None:
    peer = Peer()
    assert peer.give(DATA, tag=WRONG_TAG) == [c.Abort([], reflected=True)]
    assert peer.log[-1].tag == WRONG_TAG
    assert peer.is_gone
    assert peer.told() == []


def test_sctp_fh_o_5_3_2() -> None:
    peer = Peer()
    for chunks in ([c.Abort([])], [c.Abort([], reflected=True)], [c.ShutdownAck(), c.Abort([])], [DATA, c.Abort([])]):
        assert peer.give(*chunks, tag=WRONG_TAG) == []
    assert peer.is_gone
    assert peer.endpoint.counters == {"ootb_abort": 4}


def test_sctp_fh_o_5_3_3() -> None:
    peer = Peer()
    assert peer.give(c.ShutdownAck(), tag=WRONG_TAG) == [c.ShutdownComplete(reflected=True)]
    assert peer.log[-1].tag == WRONG_TAG
    assert peer.is_gone


def test_sctp_fh_o_5_3_4() -> None:
    peer = Peer()
    assert peer.give(c.ShutdownComplete(), tag=WRONG_TAG) == []
    assert peer.give(c.ShutdownComplete(reflected=True), tag=WRONG_TAG) == []
    assert peer.is_gone
    assert peer.endpoint.counters == {"ootb_shutdown_complete": 2}


@pytest.mark.parametrize("source", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
def test_sctp_fh_o_5_3_5(source: str) -> None:
    peer = Peer()
    echo = peer.cookie()
    assert peer.give(echo, route=Route(source, UDP_PORT, B)) == []
    assert peer.told() == []
    assert peer.is_gone
    assert peer.endpoint.counters == {"non_unicast_source": 1}
    # From where the INIT came it is good.
    assert peer.give(echo) == [c.CookieAck()]
    assert [type(event) for event in peer.told()] == [AssociationUp]
