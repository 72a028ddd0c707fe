"""RFC 9260 section 9, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

import pytest
from support.pair import STATES, UDP_PORT, A, B, Pair, Raw, chunks_of

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import AssociationLost
from pysctpstack.wire import chunks as c


@pytest.mark.parametrize("state", [state for state in STATES if state is not State.COOKIE_WAIT])
@pytest.mark.parametrize("who", ["user", "peer's mistake"])
def test_an_abort_travels_alone_under_the_peer_s_tag(state: State, who: str) -> None:
    peer = Raw.in_state(state)
    if state in (State.ESTABLISHED, State.COOKIE_ECHOED):
        # DATA waits for its turn.
        for _ in range(20):
            peer.association.send(Message(0, 0, bytes(1_000)), peer.now)
        peer.answers()
    if who == "user":
        peer.association.abort(b"bye", peer.now)
    elif state in (State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT):
        peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), peer.packet(peer.data(b"")))], peer.now)
    else:
        return
    ((_, tag, chunks),) = [packet for packet in peer.sent() if any(isinstance(k, c.Abort) for k in packet[2])]
    assert tag == peer.own_tag
    (abort,) = chunks
    assert isinstance(abort, c.Abort)
    assert not abort.reflected


def test_shutdown_complete_travels_alone() -> None:
    pair = Pair()
    pair.connect()
    for node in pair.nodes:
        pair.send(node, 10_000)
    pair.a.association.shutdown(pair.now)
    pair.b.association.shutdown(pair.now)
    pair.run(5)
    pair.check_gone()
    last = [chunks_of(record) for record in pair.records("a") + pair.records("b")]
    ends = [chunks for chunks in last if any(isinstance(k, c.ShutdownComplete) for k in chunks)]
    assert ends
    assert all(chunks == [c.ShutdownComplete()] for chunks in ends)
    peer = Raw.in_state(State.SHUTDOWN_SENT)
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), peer.packet(c.ShutdownAck()))], peer.now)
    assert [(tag, chunks) for _, tag, chunks in peer.sent()] == [(peer.own_tag, [c.ShutdownComplete()])]


@pytest.mark.parametrize("chunk", [c.Heartbeat(b"x" * 12), c.Sack(1, 1), c.CookieAck(), c.UnknownChunk(0xBF, 0, b"")])
def test_any_packet_of_the_peer_restarts_t2(chunk: c.Chunk) -> None:
    peer = Raw.in_state(State.SHUTDOWN_SENT, Config(association_max_retrans=2))
    for _ in range(20):
        assert peer.wait(0.9) == []
        peer.give(chunk)
    # Two repetitions each, which are one less than ends the association.
    for _ in range(3):
        assert [type(k) for k in peer.wait(1.0)] == [c.Shutdown]
        peer.association.tcb.paths.primary.rto.rto = 1.0
        peer.give(chunk)
    assert peer.events(AssociationLost) == []
    assert peer.association.state is State.SHUTDOWN_SENT


def test_shutdown_waits_for_what_is_outstanding() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    for _ in range(3):
        peer.association.send(Message(0, 0, bytes(1_400)), peer.now)
    peer.association.shutdown(peer.now)
    answers = peer.answers()
    assert {type(k) for k in answers} == {c.Data}
    tsns = [k.tsn for k in answers if isinstance(k, c.Data)]
    for tsn in tsns[:-1]:
        assert not [k for k in peer.give(c.Sack(tsn, 100_000)) if isinstance(k, c.Shutdown)]
        assert peer.association.state is State.SHUTDOWN_PENDING
    assert [type(k) for k in peer.give(c.Sack(tsns[-1], 100_000))] == [c.Shutdown]
    assert peer.association.state is State.SHUTDOWN_SENT


def test_crossing_shutdowns_restart_t2() -> None:
    peer = Raw.in_state(State.SHUTDOWN_SENT)
    assert peer.wait(0.9) == []
    assert peer.give(c.Shutdown(peer.local_tsn - 1)) == [c.ShutdownAck()]
    assert peer.wait(0.9) == []
    assert peer.wait(0.2) == [c.ShutdownAck()]
