"""Packets out of the blue (RFC 9260 section 8.4), row by row, and the verification tag rules (sections 8.5, 8.5.1)."""

from __future__ import annotations

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Raw

from pysctpstack.config import Config
from pysctpstack.core import Route, State
from pysctpstack.events import AssociationClosed, AssociationLost
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import InvalidMandatoryParameter, OutOfResource, StaleCookie
from pysctpstack.wire.packet import encode

TAG = 0x5EED5EED
DATA = c.Data(1, 0, 0, 0, b"x")


def answer_to(*chunks: c.Chunk | bytes, peer: Raw | None = None) -> list[tuple[Route, int, list[c.Chunk]]]:
    """What a packet of no association draws."""
    peer = peer or Raw()
    route = Route(A, 40_000, B)
    encoded = [k if isinstance(k, bytes) else k.encode() for k in chunks]
    peer.endpoint.receive_datagrams([(route, encode(CLIENT_PORT, SERVER_PORT, TAG, encoded))], peer.now)
    return peer.sent()


@pytest.mark.parametrize(
    "chunks",
    [
        # 2
        [c.Abort([])],
        [DATA, c.Abort([], reflected=True)],
        # 6
        [c.ShutdownComplete()],
        [c.ShutdownComplete(reflected=True)],
        # 7
        [c.CookieAck()],
        [c.Error([OutOfResource(), StaleCookie(5)])],
        # Not a packet of SCTP's at all.
        [],
    ],
)
def test_these_are_not_answered(chunks: list[c.Chunk]) -> None:
    assert answer_to(*chunks) == []


def test_shutdown_ack_is_answered_with_shutdown_complete_under_the_same_tag() -> None:
    assert answer_to(c.ShutdownAck()) == [(Route(A, 40_000, B), TAG, [c.ShutdownComplete(reflected=True)])]


@pytest.mark.parametrize(
    "chunks",
    [
        [DATA],
        [c.Sack(1, 2)],
        [c.Heartbeat(b"x")],
        [c.Shutdown(1)],
        [c.InitAck(1, 2_000, 1, 1, 1)],
        [c.Error([OutOfResource()])],
        [c.UnknownChunk(0xC9, 0, b"")],
        # An ERROR that can't be read.
        [tlv.encode_chunk(cp.ERROR, 0, b"\0\1\0\2")],
    ],
)
def test_everything_else_is_answered_with_abort_under_the_same_tag(chunks: list[c.Chunk | bytes]) -> None:
    assert answer_to(*chunks) == [(Route(A, 40_000, B), TAG, [c.Abort([], reflected=True)])]


def test_an_init_nobody_listens_for_is_aborted_under_its_own_tag() -> None:
    peer = Raw()
    assert peer.give(peer.init(), tag=0, ports=(CLIENT_PORT, SERVER_PORT + 1)) == [c.Abort([])]
    peer.endpoint.unlisten(SERVER_PORT)
    packet = encode(CLIENT_PORT, SERVER_PORT, 0, [peer.init().encode()])
    peer.endpoint.receive_datagrams([(Route(A, 40_000, B), packet)], peer.now)
    assert peer.sent() == [(Route(A, 40_000, B), peer.own_tag, [c.Abort([])])]


def test_replies_are_limited_by_the_second() -> None:
    peer = Raw(Config(ootb_replies_per_second=3))
    answers = [len(answer_to(DATA, peer=peer)) for _ in range(5)]
    assert answers == [1, 1, 1, 0, 0]
    assert peer.endpoint.counters == {"ootb_replies": 3, "ootb_reply_limited": 2}
    peer.now += 1.0
    assert len(answer_to(c.ShutdownAck(), peer=peer)) == 1


@pytest.mark.parametrize("ports", [(0, SERVER_PORT), (CLIENT_PORT, 0)])
def test_port_0_is_nobody(ports: tuple[int, int]) -> None:
    peer = Raw()
    assert peer.give(peer.init(), tag=0, ports=ports) == []
    assert peer.give(DATA, tag=TAG, ports=ports) == []
    assert peer.endpoint.counters == {"port_0": 2}


@pytest.mark.parametrize("source", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
def test_a_source_that_is_no_host_is_not_answered(source: str) -> None:
    peer = Raw()
    assert peer.give(DATA, tag=TAG, route=Route(source, UDP_PORT, B)) == []
    assert peer.give(peer.init(), tag=0, route=Route(source, UDP_PORT, B)) == []
    assert peer.endpoint.counters == {"non_unicast_source": 2}


def test_answers_to_inits_are_limited_by_the_second() -> None:
    peer = Raw(Config(setup_replies_per_second=2))
    answers = [len(peer.give(peer.init(), tag=0)) for _ in range(4)]
    assert answers == [1, 1, 0, 0]
    assert peer.endpoint.counters == {"setup_reply_limited": 2}
    # Refusals count as well, and those to a peer that is known.
    peer.now += 1
    assert peer.give(peer.init(a_rwnd=0), tag=0) == [c.Abort([InvalidMandatoryParameter()])]
    peer.accept()
    assert peer.give(peer.init(initiate_tag=7), tag=0) == []
    # An association that exists does not suffer.
    assert len(peer.give(peer.data())) == 1


def test_a_packet_with_an_init_among_others_or_under_a_tag_is_dropped() -> None:
    peer = Raw()
    init = peer.init()
    assert peer.give(init, DATA, tag=0) == []
    assert peer.give(init, tag=TAG) == []
    assert peer.give(DATA, init, tag=TAG) == []
    assert peer.give(DATA, tag=0) == []
    assert peer.endpoint.counters == {"init_not_alone": 4}
    peer.accept()
    assert peer.give(peer.init()) == []
    assert peer.endpoint.counters["init_with_tag"] == 1


# --- verification tags ---


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "chunk",
    [DATA, c.Sack(1, 2), c.Heartbeat(b"x"), c.Shutdown(1), c.CookieAck(), c.Abort([]), c.ShutdownComplete(),
     c.Abort([], reflected=True), c.ShutdownComplete(reflected=True)],
)  # fmt: skip
def test_a_wrong_tag_changes_nothing_in_any_state(state: State, chunk: c.Chunk) -> None:
    peer = Raw.in_state(state)
    assert peer.give(chunk, tag=TAG) == []
    assert peer.association.state is state
    assert peer.endpoint.counters == {"wrong_tag": 1}
    assert peer.endpoint.next_events() == []


@pytest.mark.parametrize("state", STATES)
def test_abort_with_our_tag_counts_without_the_t_bit_only(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.Abort([], reflected=True)) == []
    assert peer.endpoint.counters == {"abort_with_wrong_tag": 1}
    assert peer.association.state is state
    assert peer.give(c.Abort([])) == []
    assert len(peer.events(AssociationLost)) == 1
    assert peer.endpoint.next_timeout() == float("inf")
    assert not peer.endpoint.associations


@pytest.mark.parametrize("state", [s for s in STATES if s is not State.COOKIE_WAIT])
def test_abort_with_the_peer_s_tag_counts_with_the_t_bit_only(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.Abort([]), tag=peer.own_tag) == []
    assert peer.endpoint.counters == {"wrong_tag": 1}
    assert peer.give(c.Abort([], reflected=True), tag=peer.own_tag) == []
    assert peer.endpoint.next_timeout() == float("inf")
    assert not peer.endpoint.associations


def test_shutdown_complete_and_the_t_bit() -> None:
    peer = Raw.in_state(State.SHUTDOWN_ACK_SENT)
    assert peer.give(c.ShutdownComplete(reflected=True)) == []
    assert peer.endpoint.counters == {"shutdown_complete_with_wrong_tag": 1}
    assert peer.give(c.ShutdownComplete(), tag=peer.own_tag) == []
    assert peer.association.state is State.SHUTDOWN_ACK_SENT
    assert peer.give(c.ShutdownComplete(reflected=True), tag=peer.own_tag) == []
    assert len(peer.events(AssociationClosed)) == 1


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.SHUTDOWN_SENT])
def test_shutdown_complete_with_the_peer_s_tag_is_ignored_elsewhere(state: State) -> None:
    peer = Raw.in_state(state)
    assert peer.give(c.ShutdownComplete(reflected=True), tag=peer.own_tag) == []
    assert peer.association.state is state


def test_both_tags_may_be_the_same() -> None:
    peer = Raw.in_state(State.SHUTDOWN_ACK_SENT)
    tcb = peer.association.tcb
    tcb.peer_tag = tcb.local_tag
    assert peer.give(c.ShutdownComplete(reflected=True)) == []
    assert len(peer.events(AssociationClosed)) == 1
    peer = Raw.in_state(State.ESTABLISHED)
    tcb = peer.association.tcb
    tcb.peer_tag = tcb.local_tag
    peer.give(c.Abort([], reflected=True))
    assert len(peer.events(AssociationLost)) == 1


@pytest.mark.parametrize("state", [State.COOKIE_WAIT, State.COOKIE_ECHOED])
def test_a_shutdown_ack_of_the_association_before_is_answered_during_setup(state: State) -> None:
    peer = Raw.in_state(state)
    assert answer_to(c.ShutdownAck(), peer=peer) == [(Route(A, 40_000, B), TAG, [c.ShutdownComplete(reflected=True)])]
    assert peer.association.state is state


def test_the_right_tag_from_other_ports_or_another_address_is_not_the_association_s() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    assert peer.give(c.Abort([]), ports=(CLIENT_PORT + 1, SERVER_PORT)) == []
    assert peer.give(c.Abort([]), ports=(CLIENT_PORT, SERVER_PORT + 1)) == []
    assert peer.give(c.Abort([]), route=Route("192.0.2.66", UDP_PORT, B)) == []
    assert peer.association.state is State.ESTABLISHED
