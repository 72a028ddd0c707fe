"""AS: setting up an association (RFC 9260 sections 3.3.2, 3.3.3, 5.1, 5.2 and 5.4)."""

from __future__ import annotations

import pickle

import pytest
from conformance.peer import A2, A3, OTHER_TAG, QUIET, Peer, check_sack
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, state_cookie

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import AssociationLost, AssociationUp, Loss, MessageReceived, PathChange, PathChanged
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import InvalidMandatoryParameter, RestartWithNewAddresses, UnresolvableAddress
from pysctpstack.wire.params import (
    AdaptationLayerIndication,
    CookiePreservative,
    EcnCapable,
    ForwardTsnSupported,
    HostName,
    Ipv4Address,
    Ipv6Address,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    UnknownParameter,
    UnrecognizedParameter,
)

COOKIE = StateCookie(b"cookie")
HOST_NAME = HostName(b"peer.example\0")


def up(peer: Peer) -> AssociationUp:
    """The one thing that the user was told: the association is there."""
    (event,) = peer.told()
    assert isinstance(event, AssociationUp)
    return event


def lost(peer: Peer) -> AssociationLost:
    """The one thing that the user was told: the association did not come up; and nothing is left of it."""
    (event,) = peer.told()
    assert isinstance(event, AssociationLost)
    assert not event.established
    assert peer.is_gone
    return event


def answer_to_init(peer: Peer, *parameters: Parameter, **fields: int) -> c.InitAck:
    (ack,) = peer.give(peer.init(parameters=list(parameters), **fields), tag=0)
    assert isinstance(ack, c.InitAck)
    return ack


def reported(ack: c.InitAck) -> list[bytes]:
    """The parameters of the INIT that the INIT ACK calls unrecognized."""
    return [parameter.parameter for parameter in ack.parameters if isinstance(parameter, UnrecognizedParameter)]


def finish(peer: Peer, ack: c.InitAck) -> AssociationUp:
    """The peer answers an INIT ACK with COOKIE ECHO, and the association comes up."""
    peer.tag, peer.local_tsn = ack.initiate_tag, ack.initial_tsn
    assert peer.give(c.CookieEcho(state_cookie(ack))) == [c.CookieAck()]
    return up(peer)


def probed(peer: Peer) -> list[str]:
    """Addresses to which HEARTBEATs leave within two seconds of an association that has just come up."""
    peer.wait(2.0)
    return [left.to.peer for left, _ in peer.with_chunk(c.Heartbeat)]


# --- the setup, its repetitions and its end (section 5.1) ---


def test_sctp_as_v_1_1_1() -> None:
    peer = Peer()
    init = peer.associate()
    assert init.initiate_tag
    assert init.a_rwnd >= 1_500
    assert init.outbound_streams >= 1
    assert init.inbound_streams >= 1
    assert (peer.log[-1].tag, peer.log[-1].to, peer.association.state) == (0, Route(A, UDP_PORT), State.COOKIE_WAIT)
    assert peer.give(peer.init_ack()) == [c.CookieEcho(b"cookie")]
    assert (peer.log[-1].tag, peer.association.state) == (peer.own_tag, State.COOKIE_ECHOED)
    assert peer.told() == []
    assert peer.give(c.CookieAck()) == []
    assert peer.is_in(State.ESTABLISHED)
    assert not up(peer).accepted
    # T1-cookie has stopped.
    assert peer.wait(100.0) == []


def test_sctp_as_v_1_1_2() -> None:
    peer = Peer()
    ack = answer_to_init(peer)
    assert (peer.log[-1].tag, peer.log[-1].to.peer) == (peer.own_tag, A)
    assert ack.initiate_tag
    assert ack.a_rwnd >= 1_500
    assert peer.told() == []
    assert finish(peer, ack).accepted
    assert (peer.log[-1].tag, peer.association.state) == (peer.own_tag, State.ESTABLISHED)
    assert peer.wait(100.0) == []


def test_sctp_as_i_1_2_1() -> None:
    peer = Peer()
    init = peer.associate()
    # Section 5.1 with 6.3: after RTO.Initial, then twice as much.
    assert peer.wait(0.999) == []
    assert peer.wait(2.001) == [init, init]
    assert peer.times(c.Init) == [0, 1, 3]
    assert peer.is_in(State.COOKIE_WAIT)
    # An answer stops it.
    assert peer.give(peer.init_ack()) == [c.CookieEcho(b"cookie")]
    assert peer.give(c.CookieAck()) == []
    assert peer.wait(100.0) == []


def test_sctp_as_i_1_2_2() -> None:
    peer = Peer()
    peer.associate()
    (echo,) = peer.give(peer.init_ack())
    assert peer.wait(0.999) == []
    assert peer.wait(2.001) == [echo, echo]
    assert peer.times(c.CookieEcho) == [0, 1, 3]
    assert peer.is_in(State.COOKIE_ECHOED)
    assert peer.give(c.CookieAck()) == []
    assert up(peer)
    assert peer.wait(100.0) == []


def test_sctp_as_i_1_3_1() -> None:
    peer = Peer(Config(max_init_retransmits=3))
    peer.associate()
    peer.wait(7.0 + 7.999)
    assert peer.told() == []
    peer.wait(100.0)
    assert peer.times(c.Init) == [0, 1, 3, 7]
    assert lost(peer).loss is Loss.TIMED_OUT


def test_sctp_as_i_1_3_2() -> None:
    peer = Peer(Config(max_init_retransmits=3))
    peer.associate()
    peer.give(peer.init_ack())
    peer.wait(7.0 + 7.999)
    assert peer.told() == []
    peer.wait(100.0)
    assert peer.times(c.CookieEcho) == [0, 1, 3, 7]
    # Section 4, note 3: the process is aborted; there may be an ABORT, and no other chunk.
    assert {type(k) for left in peer.log[5:] for k in left.chunks} <= {c.Abort}
    assert lost(peer).loss is Loss.TIMED_OUT


def test_sctp_as_i_1_4() -> None:
    peer = Peer()
    peer.give(peer.init(), tag=0)
    size = len(pickle.dumps(peer.endpoint))
    for number in range(500):
        route = Route(f"203.0.113.{number % 250}", UDP_PORT, B)
        (answer,) = peer.give(peer.init(initiate_tag=number + 1), tag=0, route=route)
    # The endpoint, all that it refers to included, has not grown by as much as the tags of these INITs.
    assert abs(len(pickle.dumps(peer.endpoint)) - size) < 500
    assert peer.told() == []
    assert peer.is_gone
    # What is needed is in the cookie: the last of the 500 comes back and is good.
    assert isinstance(answer, c.InitAck)
    peer.tag = answer.initiate_tag
    assert peer.give(c.CookieEcho(state_cookie(answer)), route=route) == [c.CookieAck()]


def test_sctp_as_v_1_5_1() -> None:
    peer = Peer()
    tags = set()
    for number in range(1, 101):
        peer.ports.add((number, CLIENT_PORT))
        peer.endpoint.associate(number, CLIENT_PORT, Route(A, UDP_PORT), peer.settings, peer.now)
        (init,) = peer.answers()
        assert isinstance(init, c.Init)
        tags.add(init.initiate_tag)
    assert len(tags) == 100
    assert 0 not in tags
    # All 32 bits vary.
    assert [bit for bit in range(32) if len({tag >> bit & 1 for tag in tags}) == 1] == []


def test_sctp_as_v_1_5_2() -> None:
    peer = Peer()
    tags = {answer_to_init(peer).initiate_tag for _ in range(100)}
    assert len(tags) == 100
    assert 0 not in tags
    assert [bit for bit in range(32) if len({tag >> bit & 1 for tag in tags}) == 1] == []


# --- parameters (sections 3.3.2 and 3.3.3) ---


def test_sctp_as_v_1_6_1() -> None:
    known: list[Parameter] = [
        Ipv4Address(A),
        Ipv6Address("2001:db8::1"),
        CookiePreservative(500),
        SupportedAddressTypes([cp.PARAM_IPV4_ADDRESS, cp.PARAM_IPV6_ADDRESS]),
    ]
    for parameter in known:
        peer = Peer()
        ack = answer_to_init(peer, parameter)
        assert reported(ack) == []
        assert finish(peer, ack)
    # Of extensions, each is used, or ignored and reported as the two highest bits of its type ask.
    for parameter in (EcnCapable(), ForwardTsnSupported(), AdaptationLayerIndication(7)):
        peer = Peer()
        ack = answer_to_init(peer, *known, parameter)
        assert reported(ack) in ([], [parameter.encode()] if cp.parameter_reported(parameter.type) else [])
        assert finish(peer, ack)


def test_sctp_as_v_1_6_2() -> None:
    parameters: list[Parameter] = [
        Ipv4Address(A),
        Ipv6Address("2001:db8::1"),
        UnrecognizedParameter(UnknownParameter(0xFF00, b"").encode()),
        EcnCapable(),
        ForwardTsnSupported(),
        AdaptationLayerIndication(7),
    ]
    for parameter in parameters:
        for order in ([COOKIE, parameter], [parameter, COOKIE]):
            peer = Peer()
            peer.associate()
            assert peer.give(peer.init_ack(parameters=order))[0] == c.CookieEcho(b"cookie")
            assert peer.give(c.CookieAck()) == []
            assert up(peer)


# --- streams (sections 3.3.2, 3.3.3 and 5.1.1) ---


def test_sctp_as_v_1_7_1() -> None:
    peer = Peer()
    assert peer.settings.outbound_streams > 3
    assert finish(peer, answer_to_init(peer, inbound_streams=3)).outbound_streams == 3
    (data,) = peer.send(b"on the last stream", 2)
    assert isinstance(data, c.Data)
    assert data.stream_id == 2
    with pytest.raises(ValueError, match="stream 3 of 3"):
        peer.send(b"on a stream too many", 3)


def test_sctp_as_i_1_7_2() -> None:
    peer = Peer()
    assert peer.give(peer.init(outbound_streams=0, initiate_tag=OTHER_TAG), tag=0) == [
        c.Abort([InvalidMandatoryParameter()])
    ]
    # Under the Initiate Tag, and so not reflected.
    assert peer.log[-1].tag == OTHER_TAG
    assert peer.is_gone
    assert peer.told() == []


def test_sctp_as_v_1_7_3() -> None:
    peer = Peer()
    assert peer.associate().outbound_streams > 3
    peer.give(peer.init_ack(inbound_streams=3))
    peer.give(c.CookieAck())
    assert up(peer).outbound_streams == 3
    (data,) = peer.send(b"on the last stream", 2)
    assert isinstance(data, c.Data)
    with pytest.raises(ValueError, match="stream 3 of 3"):
        peer.send(b"on a stream too many", 3)


def test_sctp_as_i_1_7_4() -> None:
    peer = Peer()
    peer.associate()
    assert peer.give(peer.init_ack(outbound_streams=0)) == [c.Abort([InvalidMandatoryParameter()])]
    assert peer.log[-1].tag == peer.own_tag
    assert lost(peer).loss is Loss.PROTOCOL


def test_sctp_as_v_1_7_5() -> None:
    peer = Peer()
    finish(peer, answer_to_init(peer, outbound_streams=2, inbound_streams=2))
    assert [k for s in (0, 1) for k in peer.send(bytes((65 + s,)), s)] == [
        c.Data(peer.local_tsn, 0, 0, 0, b"A"),
        # Section 6.5: each stream counts for itself.
        c.Data((peer.local_tsn + 1) & 0xFFFFFFFF, 1, 0, 0, b"B"),
    ]
    for stream_id in (0, 1):
        peer.give(peer.data(b"x", stream_id=stream_id))
    assert [(e.stream_id, e.ssn, e.data) for e in peer.events(MessageReceived)] == [(0, 0, b"x"), (1, 0, b"x")]


# --- unknown parameters (section 3.2.1) ---


def check_unknown_parameter(highest_bits: int, *, skipped: bool, is_reported: bool) -> None:
    """An INIT with a parameter of a type with these two bits in front, and an address behind it."""
    unknown = UnknownParameter(highest_bits << 14 | 0x3FF0, b"unknown")
    peer = Peer()
    ack = answer_to_init(peer, unknown, Ipv4Address(A2))
    assert reported(ack) == ([unknown.encode()] if is_reported else [])
    finish(peer, ack)
    # Whether what follows was read shows in the paths that are probed (section 5.4).
    assert (A2 in probed(peer)) == skipped


def test_sctp_as_i_1_8_1() -> None:
    check_unknown_parameter(0b11, skipped=True, is_reported=True)


def test_sctp_as_i_1_8_2() -> None:
    check_unknown_parameter(0b00, skipped=False, is_reported=False)


def test_sctp_as_i_1_8_3() -> None:
    check_unknown_parameter(0b01, skipped=False, is_reported=True)


def test_sctp_as_i_1_8_4() -> None:
    check_unknown_parameter(0b10, skipped=True, is_reported=False)


# --- INIT for an association that exists (section 5.2.2) ---


def check_association_works(peer: Peer) -> None:
    """Under the old tags, as if nothing had happened."""
    assert peer.is_in(State.ESTABLISHED)
    assert peer.told() == []
    check_sack(peer.give(peer.data(b"goes on"))[0], peer.tsn - 1)
    assert peer.log[-1].tag == peer.own_tag
    assert [event.data for event in peer.events(MessageReceived)] == [b"goes on"]


def test_sctp_as_o_1_9_1() -> None:
    peer = Peer.at(State.ESTABLISHED)
    ack = answer_to_init(peer, Ipv4Address(A), initiate_tag=OTHER_TAG)
    assert peer.log[-1].tag == OTHER_TAG
    assert ack.initiate_tag != peer.tag
    check_association_works(peer)


def test_sctp_as_o_1_9_2() -> None:
    peer = Peer.at(State.ESTABLISHED)
    new = [Ipv4Address(A2), Ipv4Address(A3)]
    assert peer.give(peer.init(parameters=[Ipv4Address(A), *new], initiate_tag=OTHER_TAG), tag=0) == [
        c.Abort([RestartWithNewAddresses(new[0].encode() + new[1].encode())])
    ]
    assert peer.log[-1].tag == OTHER_TAG
    check_association_works(peer)


# --- addresses (section 5.1.2) ---


def test_sctp_as_v_1_10_1() -> None:
    peer = Peer()
    finish(peer, answer_to_init(peer))
    assert probed(peer) == []
    peer.send(b"to the source")
    peer.wait(20.0)
    # Neither data nor any repetition goes elsewhere.
    assert {left.to.peer for left in peer.log} == {A}
    assert len(peer.with_chunk(c.Data)) == 5


def test_sctp_as_v_1_10_2() -> None:
    peer = Peer()
    peer.associate()
    peer.give(peer.init_ack())
    peer.give(c.CookieAck())
    up(peer)
    assert probed(peer) == []
    peer.send(b"to the source")
    peer.wait(20.0)
    assert {left.to.peer for left in peer.log} == {A}
    assert len(peer.with_chunk(c.Data)) == 5


def check_listed_addresses(peer: Peer) -> None:
    """All that were listed are probed (section 5.4); once proven, data goes on when the source falls silent."""
    for _ in range(30):
        for chunk in peer.wait(0.1):
            assert isinstance(chunk, c.Heartbeat)
            assert peer.give(c.HeartbeatAck(chunk.info), route=Route(peer.log[-1].to.peer, UDP_PORT, B)) == []
    assert [left.to.peer for left, _ in peer.with_chunk(c.Heartbeat)] == [A2, A3]
    confirmed = [(event.address, event.change) for event in peer.events(PathChanged)]
    assert confirmed == [(A2, PathChange.CONFIRMED), (A3, PathChange.CONFIRMED)]
    peer.log.clear()
    peer.send(b"to whom it may reach")
    peer.wait(20.0)
    destinations = [left.to.peer for left, _ in peer.with_chunk(c.Data)]
    assert destinations[0] == A
    assert set(destinations[1:]) >= {A2, A3}


def test_sctp_as_v_1_11_1() -> None:
    peer = Peer()
    # The source is an address of the peer whether it is listed or not.
    finish(peer, answer_to_init(peer, Ipv4Address(A2), Ipv4Address(A3)))
    check_listed_addresses(peer)


def test_sctp_as_v_1_11_2() -> None:
    peer = Peer()
    peer.associate()
    peer.give(peer.init_ack(parameters=[COOKIE, Ipv4Address(A2), Ipv4Address(A3)]))
    peer.give(c.CookieAck())
    up(peer)
    check_listed_addresses(peer)


def test_sctp_as_v_1_12_1() -> None:
    peer = Peer()
    # Section 5.1.2, B: RFC 4960 had the name resolved.
    assert peer.give(peer.init(parameters=[HOST_NAME]), tag=0) == [c.Abort([UnresolvableAddress(HOST_NAME.encode())])]
    assert (peer.log[-1].tag, peer.log[-1].to.peer) == (peer.own_tag, A)
    assert peer.is_gone
    assert peer.told() == []


def test_sctp_as_i_1_12_2() -> None:
    peer = Peer()
    peer.associate()
    assert peer.give(peer.init_ack(parameters=[COOKIE, HOST_NAME])) == [
        c.Abort([UnresolvableAddress(HOST_NAME.encode())])
    ]
    assert (peer.log[-1].tag, peer.log[-1].to.peer) == (peer.own_tag, A)
    assert lost(peer).loss is Loss.PROTOCOL


def no_error_and_no_other_family(ack: c.InitAck) -> bool:
    return not any(isinstance(parameter, (UnrecognizedParameter, Ipv6Address)) for parameter in ack.parameters)


def test_sctp_as_v_1_13_1() -> None:
    peer = Peer()
    ack = answer_to_init(peer, SupportedAddressTypes([cp.PARAM_IPV4_ADDRESS]))
    assert no_error_and_no_other_family(ack)
    assert finish(peer, ack)


def test_sctp_as_i_1_13_2() -> None:
    peer = Peer()
    # The INIT itself shows that the peer speaks IPv4: no error of any kind.
    ack = answer_to_init(peer, SupportedAddressTypes([cp.PARAM_IPV6_ADDRESS]))
    assert no_error_and_no_other_family(ack)
    assert finish(peer, ack)
    peer.send(b"to an IPv4 address")
    assert peer.log[-1].to.peer == A


# --- tag 0 (sections 3.3.2 and 3.3.3) ---


def test_sctp_as_i_1_14_1() -> None:
    peer = Peer()
    assert peer.give(peer.init(initiate_tag=0), tag=0) == []
    assert peer.wait(10.0) == []
    assert peer.is_gone
    assert peer.endpoint.counters == {"init_with_initiate_tag_0": 1}


def test_sctp_as_i_1_14_2() -> None:
    peer = Peer()
    peer.associate()
    answers = peer.give(peer.init_ack(initiate_tag=0))
    # Section 3.3.3: the TCB is destroyed; an ABORT may be sent, and there is no tag for it but the reflected one.
    assert answers == [c.Abort([], reflected=True)]
    assert peer.wait(10.0) == []
    assert lost(peer).loss is Loss.PROTOCOL


def test_sctp_as_i_1_15() -> None:
    peer = Peer(QUIET)
    alternates = [Route(A2, UDP_PORT), Route(A3, UDP_PORT)]
    association = peer.endpoint.associate(
        SERVER_PORT, CLIENT_PORT, Route(A, UDP_PORT), peer.settings, peer.now, alternates=alternates
    )
    association.send(Message(0, 0, b"hello"), peer.now)
    peer.wait(15.0)
    assert [left.to.peer for left, _ in peer.with_chunk(c.Init)][:4] == [A, A2, A3, A]
    # Whichever of them answers: the association is with the peer that is there.
    peer.tag = association.tcb.local_tag
    assert peer.give(peer.init_ack(), route=Route(A3, UDP_PORT, B)) == [c.CookieEcho(b"cookie")]
    assert peer.log[-1].to.peer == A3
    assert peer.give(c.CookieAck(), route=Route(A3, UDP_PORT, B)) == [
        c.Data(association.tcb.initial_tsn, 0, 0, 0, b"hello")
    ]
    assert up(peer)
