"""IMH: messages that are wrong in themselves (RFC 9260 sections 3, 5.1.5, 6.8 and 8.5)."""

from __future__ import annotations

from conformance.peer import WRONG_TAG, Peer
from support.pair import CLIENT_PORT, SERVER_PORT

from pysctpstack.config import Config
from pysctpstack.core import State
from pysctpstack.events import AssociationLost, Loss
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import ProtocolViolation, StaleCookie
from pysctpstack.wire.packet import encode


def check_ignored(peer: Peer, counter: str) -> None:
    """Nothing came of the packet: no answer, also later; no association, no report; and the discard was counted."""
    assert peer.wait(10.0) == []
    assert peer.told() == []
    assert peer.is_gone
    assert peer.endpoint.counters == {counter: 1}


def test_sctp_imh_i_3_1() -> None:
    peer = Peer()
    whole = peer.init().encode()
    too_small = tlv.encode_chunk(cp.INIT, 0, whole[4:16])
    # Which tag an ABORT would need can't be relied on: in silence, as for all that is no INIT.
    assert peer.give(too_small, tag=0) == []
    check_ignored(peer, "bad_chunk_length")


def test_sctp_imh_i_3_2() -> None:
    for size in (0, 4, 12):
        peer = Peer.at(State.COOKIE_WAIT)
        too_small = tlv.encode_chunk(cp.INIT_ACK, 0, peer.init_ack().encode()[4 : 4 + size])
        # The peer has proven that it is the one (the tag is right) and broken the protocol: FreeBSD and Linux both
        # abort, under the reflected tag, since no Initiate Tag came.
        assert peer.give(too_small) == [
            c.Abort([ProtocolViolation(b"an INIT ACK that cannot be read")], reflected=True)
        ]
        assert [(event.loss, event.established) for event in peer.events(AssociationLost)] == [(Loss.PROTOCOL, False)]
        assert peer.wait(10.0) == []
        assert peer.is_gone
    # With an Initiate Tag, and broken behind it: under that tag, and not reflected.
    peer = Peer.at(State.COOKIE_WAIT)
    broken = tlv.encode_chunk(cp.INIT_ACK, 0, peer.init_ack().encode()[4:] + b"\x80\x00\x00\x02")
    assert peer.give(broken) == [c.Abort([ProtocolViolation(b"an INIT ACK that cannot be read")])]
    assert peer.log[-1].tag == peer.own_tag
    assert peer.is_gone
    # Where none is expected it is of no account (section 5.2.3).
    peer = Peer.at(State.COOKIE_ECHOED)
    assert peer.give(broken) == []
    assert peer.is_in(State.COOKIE_ECHOED)


def test_sctp_imh_i_3_3() -> None:
    peer = Peer()
    echo = peer.cookie()
    assert peer.give(echo, tag=WRONG_TAG) == []
    check_ignored(peer, "cookie_of_other_ports")
    # The cookie itself is good.
    assert peer.give(echo) == [c.CookieAck()]


def test_sctp_imh_i_3_4() -> None:
    peer = Peer()
    packet = bytearray(encode(CLIENT_PORT, SERVER_PORT, 0, [peer.init().encode()]))
    packet[9] ^= 0x01
    assert peer.give_bytes([bytes(packet)]) == []
    check_ignored(peer, "bad_checksum")


def test_sctp_imh_i_3_5() -> None:
    peer = Peer()
    cookie = bytearray(peer.cookie().cookie)
    for position in (0, len(cookie) // 2, len(cookie) - 1):
        forged = bytearray(cookie)
        forged[position] ^= 0x80
        peer.endpoint.counters.clear()
        assert peer.give(c.CookieEcho(bytes(forged))) == []
        check_ignored(peer, "cookie_forged")


def test_sctp_imh_i_3_6() -> None:
    peer = Peer(Config(valid_cookie_life=10.0))
    echo = peer.cookie()
    peer.now += 12.5
    assert peer.give(echo) == [c.Error([StaleCookie(2_500_000)])]
    assert peer.log[-1].tag == peer.own_tag
    check_ignored(peer, "cookie_stale")


def test_sctp_imh_i_3_7() -> None:
    peer = Peer.at(State.ESTABLISHED)
    assert peer.give(c.Abort([]), tag=WRONG_TAG) == []
    # The T bit asks for the peer's own tag, and its absence for ours.
    assert peer.give(c.Abort([]), tag=peer.own_tag) == []
    assert peer.give(c.Abort([], reflected=True)) == []
    assert peer.wait(10.0) == []
    assert peer.told() == []
    assert peer.is_in(State.ESTABLISHED)
    assert peer.give(c.Heartbeat(b"still there?")) == [c.HeartbeatAck(b"still there?")]
    assert peer.give(c.Abort([], reflected=True), tag=peer.own_tag) == []
    assert [event.loss for event in peer.events(AssociationLost)] == [Loss.ABORTED]


def test_sctp_imh_i_3_8() -> None:
    peer = Peer()
    whole = peer.init().encode()
    # A valid checksum over a packet that ends inside its chunk.
    for size in (4, 16, len(whole) - 4):
        peer.endpoint.counters.clear()
        assert peer.give_bytes([peer.encoded(whole[:size])]) == []
        check_ignored(peer, "init_not_alone")


def test_sctp_imh_i_3_9() -> None:
    peer = Peer.at(State.SHUTDOWN_SENT)
    assert peer.give(c.ShutdownAck(), tag=WRONG_TAG) == []
    assert peer.is_in(State.SHUTDOWN_SENT)
    assert peer.told() == []
    # T2-shutdown goes on as if nothing had come.
    assert peer.wait(1.0) == [c.Shutdown(peer.tsn - 1)]
    assert peer.give(c.ShutdownAck()) == [c.ShutdownComplete()]


def test_sctp_imh_i_3_10() -> None:
    peer = Peer.at(State.SHUTDOWN_ACK_SENT)
    assert peer.give(c.ShutdownComplete(), tag=WRONG_TAG) == []
    assert peer.give(c.ShutdownComplete(reflected=True), tag=WRONG_TAG) == []
    assert peer.give(c.ShutdownComplete(), tag=peer.own_tag) == []
    assert peer.is_in(State.SHUTDOWN_ACK_SENT)
    assert peer.told() == []
    assert peer.wait(1.0) == [c.ShutdownAck()]
    # Under the peer's own tag it counts with the T bit (section 8.5.1, C).
    assert peer.give(c.ShutdownComplete(reflected=True), tag=peer.own_tag) == []
    assert peer.is_gone
