"""What is small on the wire: the negotiation of FORWARD TSN (RFC 3758 section 3.3), the I bit (RFC 7053), padding (RFC
4820)."""

from __future__ import annotations

import math

import pytest
from support.pair import UDP_PORT, A, B, Pair, Raw, state_cookie

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import AssociationRestarted, MessageReceived, SendFailed
from pysctpstack.testing import drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import UnrecognizedParameters
from pysctpstack.wire.extension_chunks import ForwardTsn, Pad
from pysctpstack.wire.params import ForwardTsnSupported, Padding, StateCookie, UnknownParameter, UnrecognizedParameter

SUPPORTED = ForwardTsnSupported()

# --- Forward-TSN-Supported ---


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("server", [False, True])
def test_both_ends_have_to_offer_it(client: bool, server: bool) -> None:
    pair = Pair(config=Config(pr_sctp=client), server=Config(pr_sctp=server))
    ends = pair.connect()
    (init,) = [chunk for _, chunk in pair.sent_chunks("a", c.Init)]
    (ack,) = [chunk for _, chunk in pair.sent_chunks("b", c.InitAck)]
    assert (SUPPORTED in init.parameters, SUPPORTED in ack.parameters) == (client, client and server)
    reported = UnrecognizedParameter(SUPPORTED.encode()) in ack.parameters
    assert reported == (client and not server)
    for end in ends:
        assert end.tcb.forward_tsn == (client and server)
    assert not pair.sent_chunks("a", c.Error)


def test_an_init_ack_may_offer_it_unasked_and_a_client_without_it_reports_that() -> None:
    client = Raw(Config(pr_sctp=False))
    client.associate()
    _, error = client.give(client.init_ack(parameters=[StateCookie(b"x"), SUPPORTED]))
    assert error == c.Error([UnrecognizedParameters(SUPPORTED.encode())])
    assert not client.association.tcb.forward_tsn


def test_a_restarted_peer_may_have_lost_it_or_gained_it() -> None:
    peer = Raw()
    peer.accept(peer.init(parameters=[SUPPORTED]))
    for offered in (False, True):
        peer.own_tag += 1
        (ack,) = peer.give(peer.init(parameters=[SUPPORTED] if offered else []), tag=0)
        assert isinstance(ack, c.InitAck)
        peer.give(c.CookieEcho(state_cookie(ack)), tag=ack.initiate_tag)
        assert peer.events(AssociationRestarted)
        tcb = peer.association.tcb
        assert (tcb.forward_tsn, tcb.sender.partial.enabled, tcb.sender.queue.partial) == (offered,) * 3


def test_a_collision_of_inits_keeps_it() -> None:
    pair = Pair()
    pair.a.endpoint.listen(5_000, pair.settings, 10)
    ends = [pair.associate()]
    ends.append(pair.b.endpoint.associate(7, 5_000, Route(A, UDP_PORT), pair.server_settings, pair.now))
    pair.run(5)
    assert [(end.state, end.tcb.forward_tsn) for end in ends] == [(State.ESTABLISHED, True)] * 2


@pytest.mark.parametrize("size", [100, 5_000])
@pytest.mark.parametrize("unordered", [False, True])
def test_a_life_that_ends_holds_nothing_up(size: int, unordered: bool) -> None:
    """A message is lost, overdue, and skipped; the next ones of its stream and of others arrive."""
    pair = Pair(config=Config(heartbeat_interval=0))
    pair.settings.no_delay = True
    client, server = pair.connect()
    pair.network.rules.append(drop(has_chunk(cp.DATA), 1))
    # Shorter than a round trip, so that no retransmission comes in time.
    client.send(Message(1, 0, bytes(size), unordered=unordered, context=5, expires_at=pair.now + 0.05), pair.now)
    for number in range(5):
        client.send(Message(number % 2, number, b"%d" % number), pair.now)
    pair.run(5)
    got = pair.b.of(MessageReceived)
    assert [e.data for e in got if not e.stream_id] == [b"0", b"2", b"4"]
    assert [e.data for e in got if e.stream_id] == [b"1", b"3"]
    assert [(event.context, event.sent) for event in pair.a.of(SendFailed)] == [(5, True)]
    assert pair.sent_chunks("a", ForwardTsn)
    assert server.tcb.receiver.reassembly.held == 0
    for end in (client, server):
        assert end.next_timeout() == math.inf
    client.shutdown(pair.now)
    pair.run(5)
    pair.check_gone()


# --- the I bit ---


def test_a_chunk_with_the_i_bit_is_acknowledged_at_once() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.accept()
    peer.give(peer.data())
    assert peer.give(peer.data(ssn=1)) == []
    peer.wait(0.2)
    (sack,) = peer.give(peer.data(ssn=2, flags=cp.DATA_FLAG_B | cp.DATA_FLAG_E | cp.DATA_FLAG_I))
    assert isinstance(sack, c.Sack)
    assert sack.cumulative_tsn == peer.tsn - 1
    assert peer.give(peer.data(ssn=3)) == []


def test_the_i_bit_is_on_the_last_chunk_of_a_message_for_which_it_was_asked() -> None:
    pair = Pair(config=Config(heartbeat_interval=0))
    client, _ = pair.connect()
    client.send(Message(0, 1, bytes(3_000), sack_immediately=True), pair.now)
    client.send(Message(0, 2, bytes(3_000)), pair.now)
    pair.run(2)
    flags = [(chunk.ppid, chunk.flags & cp.DATA_FLAG_I != 0) for _, chunk in pair.sent_chunks("a", c.Data)]
    assert flags == [(1, False), (1, False), (1, True), (2, False), (2, False), (2, False)]


def test_the_i_bit_hurries_the_last_messages_of_a_shutdown() -> None:
    pair = Pair(config=Config(heartbeat_interval=0))
    client, _ = pair.connect()
    client.send(Message(0, 0, b"sets the delay going"), pair.now)
    pair.run(1)
    # The window, not the shutdown, is what holds them back.
    for number in range(1, 12):
        client.send(Message(0, number, bytes(1_400)), pair.now)
    client.shutdown(pair.now)
    pair.run(2)
    flags = [chunk.flags & cp.DATA_FLAG_I != 0 for _, chunk in pair.sent_chunks("a", c.Data)]
    assert flags[0] is False
    assert flags[-1] is True
    pair.check_gone()


# --- padding ---


def test_a_pad_chunk_is_ignored_in_silence_wherever_it_stands() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.accept()
    answers = peer.give(Pad(bytes(100)), peer.data(b"x"), Pad(b"abc"), peer.data(b"y", ssn=1), Pad(b""))
    assert [type(chunk) for chunk in answers] == [c.Sack]
    assert [event.data for event in peer.events(MessageReceived)] == [b"x", b"y"]
    assert peer.give(Pad(bytes(1_000))) == []
    assert peer.endpoint.counters == {}


def test_pad_parameters_of_init_and_init_ack_are_ignored_in_silence() -> None:
    padded = [Padding(bytes(60)), SUPPORTED, Padding(b"")]
    server = Raw()
    (ack,) = server.give(server.init(parameters=padded), tag=0)
    assert isinstance(ack, c.InitAck)
    assert [type(parameter) for parameter in ack.parameters] == [StateCookie, ForwardTsnSupported]
    client = Raw()
    client.associate()
    answers = client.give(client.init_ack(parameters=[Padding(bytes(9)), StateCookie(b"x"), *padded]))
    assert answers == [c.CookieEcho(b"x")]
    assert client.association.tcb.forward_tsn
    assert (server.endpoint.counters, client.endpoint.counters) == ({}, {})


def test_what_pads_is_told_from_what_is_unknown() -> None:
    """The parameter next to it in number is unknown, and its type asks for silence too."""
    peer = Raw()
    other = UnknownParameter(0x8FFF, b"")
    (ack,) = peer.give(peer.init(parameters=[other]), tag=0, route=Route(A, UDP_PORT, B))
    assert isinstance(ack, c.InitAck)
    assert [type(parameter) for parameter in ack.parameters] == [StateCookie]
