"""AT: the end of an association (RFC 9260 sections 9.1 and 9.2)."""

from __future__ import annotations

import pytest
from conformance.peer import Peer, check_sack

from pysctpstack.config import Config
from pysctpstack.core import State
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    Loss,
    MessageReceived,
    SenderDry,
    SendFailed,
    ShutdownReceived,
)
from pysctpstack.wire import chunks as c
from pysctpstack.wire.causes import UserInitiatedAbort

FEW = Config(heartbeat_interval=0.0, association_max_retrans=3)


def kinds(peer: Peer) -> list[type]:
    """What the user was told, in order."""
    return [type(event) for event in peer.told()]


def test_sctp_at_v_2_2() -> None:
    peer = Peer.at(State.ESTABLISHED)
    peer.send(b"never acknowledged")
    assert peer.give(c.Abort([UserInitiatedAbort(b"enough")])) == []
    lost, failed = peer.told()
    assert isinstance(lost, AssociationLost)
    assert (lost.loss, lost.established) == (Loss.ABORTED, True)
    assert lost.abort == c.Abort([UserInitiatedAbort(b"enough")]).encode()[:-2]
    assert isinstance(failed, SendFailed)
    assert failed.data == b"never acknowledged"
    assert peer.wait(100.0) == []
    assert peer.is_gone
    # All is forgotten: what comes now is out of the blue.
    assert peer.give(c.Heartbeat(b"?")) == [c.Abort([], reflected=True)]


def test_sctp_at_i_2_3() -> None:
    peer = Peer.at(State.ESTABLISHED)
    (data,) = peer.send(b"one")
    assert peer.shut_down() == []
    assert peer.is_in(State.SHUTDOWN_PENDING)
    # The data is sent again, as long as it takes; no SHUTDOWN.
    again = peer.wait(3.0)
    assert [type(chunk) for chunk in again] == [c.Data, c.Data]
    assert isinstance(data, c.Data)
    assert {chunk.tsn for chunk in again if isinstance(chunk, c.Data)} == {data.tsn}
    assert peer.give(peer.sack(1)) == [c.Shutdown(peer.tsn - 1)]
    assert peer.is_in(State.SHUTDOWN_SENT)


def test_sctp_at_i_2_4() -> None:
    peer = Peer.at(State.ESTABLISHED)
    assert peer.shut_down() == [c.Shutdown(peer.tsn - 1)]
    assert peer.wait(3.5) == [c.Shutdown(peer.tsn - 1)] * 2
    assert peer.times(c.Shutdown) == [0, 1, 3]
    # The TSN is that of the moment: DATA behind the SHUTDOWN is acknowledged by each that follows.
    peer.give(peer.data(b"late"))
    assert peer.wait(10.0)[-1] == c.Shutdown(peer.tsn - 1)


def test_sctp_at_i_2_5() -> None:
    peer = Peer.at(State.ESTABLISHED, FEW)
    peer.shut_down()
    peer.wait(1 + 2 + 4 + 7.999)
    assert peer.told() == []
    peer.wait(100.0)
    # The first and Association.Max.Retrans repetitions.
    assert peer.times(c.Shutdown) == [0, 1, 3, 7]
    (lost,) = peer.events(AssociationLost)
    assert lost.loss is Loss.TIMED_OUT
    assert peer.is_gone
    # Any packet of the peer sets the count back and restarts T2-shutdown, whose RTO is 8 s by now.
    peer = Peer.at(State.ESTABLISHED, FEW)
    peer.shut_down()
    peer.wait(10.0)
    assert peer.give(peer.sack(0)) == []
    assert peer.wait(7.999) == []
    assert peer.wait(0.002) == [c.Shutdown(peer.tsn - 1)]
    assert peer.is_in(State.SHUTDOWN_SENT)


def test_sctp_at_v_2_6() -> None:
    peer = Peer.at(State.SHUTDOWN_SENT)
    assert peer.give(c.ShutdownAck()) == [c.ShutdownComplete()]
    assert peer.log[-1].tag == peer.own_tag
    assert kinds(peer) == [AssociationClosed]
    assert peer.wait(100.0) == []
    assert peer.is_gone
    assert peer.give(c.Heartbeat(b"?")) == [c.Abort([], reflected=True)]


def check_no_new_data(state: State) -> None:
    """The user's message is refused, and none of it ever leaves."""
    peer = Peer.at(state)
    before = peer.association.send_buffered
    with pytest.raises(ConnectionError):
        peer.send(b"too late")
    assert peer.association.send_buffered == before
    assert peer.is_in(state)
    peer.wait(5.0)
    assert b"too late" not in [chunk.payload for _, chunk in peer.with_chunk(c.Data)]


def test_sctp_at_i_2_7_1() -> None:
    check_no_new_data(State.SHUTDOWN_SENT)


def test_sctp_at_i_2_7_2() -> None:
    check_no_new_data(State.SHUTDOWN_RECEIVED)


def test_sctp_at_i_2_7_3() -> None:
    check_no_new_data(State.SHUTDOWN_PENDING)


def test_sctp_at_i_2_7_4() -> None:
    check_no_new_data(State.SHUTDOWN_ACK_SENT)


def test_sctp_at_i_2_8() -> None:
    peer = Peer.at(State.SHUTDOWN_SENT)
    peer.wait(0.9)
    shutdown, *others = peer.give(peer.data(b"late"))
    # At once, and for each packet; a SACK may tell of the window besides.
    assert shutdown == c.Shutdown(peer.tsn - 1)
    for other in others:
        check_sack(other, peer.tsn - 1)
    assert [event.data for event in peer.events(MessageReceived)] == [b"late"]
    # T2-shutdown starts anew: it would have expired after 0.1 s.
    assert peer.wait(0.999) == []
    assert peer.wait(0.001) == [shutdown]
    # A gap and a duplicate can't be told by SHUTDOWN: then there is a SACK.
    first = peer.tsn
    shutdown, sack = peer.give(peer.data(b"behind a gap", tsn=first + 1, ssn=2))
    assert shutdown == c.Shutdown(first - 1)
    check_sack(sack, first - 1, gaps=((2, 2),))
    shutdown, sack = peer.give(peer.data(b"late", tsn=first - 1))
    check_sack(sack, first - 1, gaps=((2, 2),), duplicates=(first - 1,))
    assert peer.is_in(State.SHUTDOWN_SENT)


def test_sctp_at_i_2_9() -> None:
    peer = Peer.at(State.SHUTDOWN_RECEIVED)
    # Section 6: DATA is received in ESTABLISHED, SHUTDOWN-PENDING and SHUTDOWN-SENT only.
    assert peer.give(peer.data(b"after the end")) == []
    assert peer.wait(0.5) == []
    assert peer.told() == []
    assert peer.is_in(State.SHUTDOWN_RECEIVED)
    # And nothing of it was counted.
    assert peer.give(peer.sack(1)) == [c.ShutdownAck()]


def test_sctp_at_i_2_10() -> None:
    peer = Peer.at(State.ESTABLISHED)
    for number in range(3):
        peer.send(bytes((number,)))
    assert peer.give(c.Shutdown((peer.local_tsn - 1) & 0xFFFFFFFF)) == []
    assert peer.is_in(State.SHUTDOWN_RECEIVED)
    assert kinds(peer) == [ShutdownReceived]
    # All three are sent again, and acknowledged one after the other, by SACK or by SHUTDOWN.
    assert [chunk.payload for chunk in peer.wait(1.0) if isinstance(chunk, c.Data)] == [b"\0", b"\1", b"\2"]
    assert peer.give(peer.sack(1)) == []
    assert peer.give(c.Shutdown((peer.local_tsn + 1) & 0xFFFFFFFF)) == []
    assert peer.is_in(State.SHUTDOWN_RECEIVED)
    assert peer.give(peer.sack(3)) == [c.ShutdownAck()]
    assert peer.is_in(State.SHUTDOWN_ACK_SENT)
    assert not peer.events(SendFailed)


def test_sctp_at_i_2_11() -> None:
    peer = Peer.at(State.ESTABLISHED)
    assert peer.give(c.Shutdown((peer.local_tsn - 1) & 0xFFFFFFFF)) == [c.ShutdownAck()]
    assert peer.wait(7.5) == [c.ShutdownAck()] * 3
    assert peer.times(c.ShutdownAck) == [0, 1, 3, 7]
    assert peer.is_in(State.SHUTDOWN_ACK_SENT)


def test_sctp_at_i_2_12() -> None:
    peer = Peer.at(State.ESTABLISHED, FEW)
    peer.give(c.Shutdown((peer.local_tsn - 1) & 0xFFFFFFFF))
    assert kinds(peer) == [ShutdownReceived]
    peer.wait(1 + 2 + 4 + 7.999)
    assert peer.told() == []
    peer.wait(100.0)
    assert peer.times(c.ShutdownAck) == [0, 1, 3, 7]
    (lost,) = peer.events(AssociationLost)
    assert lost.loss is Loss.TIMED_OUT
    assert peer.is_gone


def test_sctp_at_i_2_13() -> None:
    peer = Peer.at(State.SHUTDOWN_ACK_SENT)
    assert peer.give(c.ShutdownComplete()) == []
    assert kinds(peer) == [AssociationClosed]
    # T2-shutdown has stopped.
    assert peer.wait(100.0) == []
    assert peer.is_gone


def test_sctp_at_v_2_14() -> None:
    peer = Peer.at(State.ESTABLISHED)
    for number in range(3):
        peer.send(bytes((number,)))
    assert peer.give(c.Shutdown((peer.local_tsn + 2) & 0xFFFFFFFF)) == [c.ShutdownAck()]
    assert peer.log[-1].tag == peer.own_tag
    assert peer.is_in(State.SHUTDOWN_ACK_SENT)
    told = kinds(peer)
    assert ShutdownReceived in told
    assert SenderDry in told
    assert SendFailed not in told
    # T3-rtx has stopped: what is repeated is the SHUTDOWN ACK.
    assert peer.wait(3.5) == [c.ShutdownAck()] * 2
