"""E: ERROR chunks, and what calls for one (RFC 9260 sections 3.2.1, 3.3.10, 5.2.6 and 6.5)."""

from __future__ import annotations

import pytest
from conformance.peer import Peer, check_sack
from support.pair import STATES

from pysctpstack.core import State
from pysctpstack.events import AssociationLost, AssociationUp, Loss, MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import (
    InvalidStreamIdentifier,
    MissingMandatoryParameter,
    StaleCookie,
    UnrecognizedParameters,
)
from pysctpstack.wire.params import CookiePreservative, StateCookie, SupportedAddressTypes, UnknownParameter


def test_sctp_e_o_6_1() -> None:
    peer = Peer()
    first = peer.associate()
    assert peer.give(peer.init_ack()) == [c.CookieEcho(b"cookie")]
    peer.wait(0.3)
    (init,) = peer.give(c.Error([StaleCookie(200_000)]))
    # Section 5.2.6, 3: a new INIT that asks for more time, which is no more than a second beyond the round trip.
    assert isinstance(init, c.Init)
    (preservative,) = [parameter for parameter in init.parameters if isinstance(parameter, CookiePreservative)]
    assert 300 <= preservative.increment_ms <= 1_300
    assert peer.log[-1].tag == 0
    assert init.initiate_tag == first.initiate_tag
    assert peer.is_in(State.COOKIE_WAIT)
    assert peer.told() == []
    # The setup begins anew, with its timer, and comes to its end.
    assert peer.wait(1.0) == [init]
    assert peer.give(peer.init_ack(parameters=[StateCookie(b"fresh")])) == [c.CookieEcho(b"fresh")]
    assert peer.give(c.CookieAck()) == []
    assert [type(event) for event in peer.told()] == [AssociationUp]


@pytest.mark.parametrize("state", [state for state in STATES if state is not State.COOKIE_ECHOED])
def test_sctp_e_o_6_2(state: State) -> None:
    peer = Peer.at(state)
    before = peer.endpoint.next_timeout()
    assert peer.give(c.Error([StaleCookie(1)])) == []
    assert peer.is_in(state)
    assert peer.told() == []
    if state is not State.SHUTDOWN_SENT:
        # Section 9.2: there, whatever the peer sends restarts T2-shutdown.
        assert peer.endpoint.next_timeout() == before


def test_sctp_e_i_6_3() -> None:
    peer = Peer.at(State.ESTABLISHED)
    # The peer has four streams.
    for stream_id in (4, 0xFFFF):
        first, second = sorted(peer.give(peer.data(b"astray", stream_id=stream_id)), key=lambda chunk: -chunk.type)
        assert first == c.Error([InvalidStreamIdentifier(stream_id)])
        check_sack(second, peer.tsn - 1)
        assert peer.told() == []
    check_sack(
        peer.give(peer.data(b"on the last", stream_id=3), peer.data(b"and again", stream_id=4))[-1], peer.tsn - 1
    )
    assert [event.data for event in peer.events(MessageReceived)] == [b"on the last"]


def test_sctp_e_i_6_4() -> None:
    peer = Peer()
    peer.associate()
    supported = SupportedAddressTypes([cp.PARAM_IPV4_ADDRESS])
    assert peer.give(peer.init_ack(parameters=[supported])) == [
        c.Abort([MissingMandatoryParameter([cp.PARAM_STATE_COOKIE])])
    ]
    assert peer.log[-1].tag == peer.own_tag
    assert [(event.loss, event.established) for event in peer.events(AssociationLost)] == [(Loss.PROTOCOL, False)]
    assert peer.wait(100.0) == []
    assert peer.is_gone


def test_sctp_e_i_6_5() -> None:
    unknown = {bits: UnknownParameter(bits << 14 | 0x3FF0, b"odd") for bits in range(4)}
    cookie = StateCookie(b"cookie")
    for parameters, reported in (
        ([cookie, unknown[0b11]], [0b11]),
        ([unknown[0b11], cookie], [0b11]),
        ([cookie, unknown[0b10]], []),
        ([unknown[0b10], cookie], []),
        ([cookie, unknown[0b01], unknown[0b11]], [0b01]),
        ([cookie, unknown[0b00], unknown[0b11]], []),
        ([unknown[0b11], cookie, unknown[0b01]], [0b11, 0b01]),
    ):
        peer = Peer()
        peer.associate()
        answers = peer.give(peer.init_ack(parameters=parameters))
        expected: list[c.Chunk] = [c.CookieEcho(b"cookie")]
        if reported:
            expected.append(c.Error([UnrecognizedParameters(b"".join(unknown[bits].encode() for bits in reported))]))
        # In one packet, and the COOKIE ECHO comes first (section 3.2.1).
        assert answers == peer.log[-1].chunks == expected
        # Once is enough for the report, as far as the peer is concerned; the COOKIE ECHO leads in any case.
        assert peer.wait(1.0)[0] == expected[0]
        assert peer.give(c.CookieAck()) == []
        assert [type(event) for event in peer.told()] == [AssociationUp]


def test_sctp_e_i_6_6() -> None:
    peer = Peer()
    echo = peer.cookie()
    report = c.Error([UnrecognizedParameters(UnknownParameter(0xC0F0, b"odd").encode())])
    assert peer.give(echo, report) == [c.CookieAck()]
    up, *others = peer.told()
    assert isinstance(up, AssociationUp)
    assert not any(isinstance(event, AssociationLost) for event in others)
    assert peer.is_in(State.ESTABLISHED)
    check_sack(peer.give(peer.data(b"goes on"))[0], peer.tsn - 1)
    assert [event.data for event in peer.events(MessageReceived)] == [b"goes on"]
