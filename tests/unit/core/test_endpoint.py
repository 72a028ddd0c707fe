"""The endpoint: demultiplexing, listeners, UDP ports, ICMP, deadlines; and an association of it with itself."""

from __future__ import annotations

import copy
import math

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Endpoint, FixedMtu, Message, Route, Settings, State
from pysctpstack.core.endpoint import FIRST_ASSOCIATION_ID
from pysctpstack.events import AssociationClosed, AssociationLost, AssociationUp, Loss, MessageReceived
from pysctpstack.testing import SeededEntropy, SimulatedNetwork
from pysctpstack.wire import chunks as c
from pysctpstack.wire.causes import RestartNewEncapsulationPort
from pysctpstack.wire.packet import encode

# --- what is no packet ---


@pytest.mark.parametrize("size", range(12))
def test_fewer_bytes_than_a_header_has(size: int) -> None:
    peer = Raw()
    assert peer.give_bytes([bytes(size)]) == []
    assert peer.endpoint.counters == {"truncated_packet": 1}


def test_a_wrong_checksum() -> None:
    peer = Raw()
    packet = bytearray(encode(CLIENT_PORT, SERVER_PORT, 0, [peer.init().encode()]))
    packet[20] ^= 1
    assert peer.give_bytes([bytes(packet)]) == []
    assert peer.endpoint.counters == {"bad_checksum": 1}


def test_a_partial_chunk_at_the_end_is_dropped_and_what_is_before_it_processed() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.give(peer.data(b"whole"), b"\0\3\1\0cut off ")
    assert [e.data for e in peer.events(MessageReceived)] == [b"whole"]
    assert peer.endpoint.counters == {"partial_chunk": 1}


# --- listeners and verbs ---


def test_listening_twice_and_associating_twice_is_refused() -> None:
    peer = Raw()
    with pytest.raises(ValueError, match="listened"):
        peer.endpoint.listen(SERVER_PORT, peer.settings, 1)
    peer.endpoint.unlisten(SERVER_PORT)
    peer.endpoint.listen(SERVER_PORT, peer.settings, 1)
    peer.associate()
    with pytest.raises(ValueError, match="association"):
        peer.associate()


def test_between_the_same_ports_again_as_soon_as_the_association_has_ended() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.association.abort(b"", peer.now)
    peer.answers()
    # Before the endpoint was asked for its deadline.
    peer.associate()
    peer.give(peer.init_ack())
    peer.give(c.CookieAck())
    assert peer.association.state is State.ESTABLISHED
    # The one that ended does not take the new one's entries with it.
    peer.endpoint.next_timeout()
    assert list(peer.endpoint.by_peer.values()) == [peer.association]
    assert list(peer.endpoint.by_tag.values()) == [peer.association]


def test_a_listener_for_certain_addresses() -> None:
    peer = Raw()
    peer.endpoint.unlisten(SERVER_PORT)
    peer.endpoint.listen(SERVER_PORT, peer.settings, 5, frozenset({"203.0.113.1"}))
    assert peer.give(peer.init(), tag=0) == [c.Abort([])]
    (ack,) = peer.give(peer.init(), tag=0, route=Route(A, UDP_PORT, "203.0.113.1"))
    assert isinstance(ack, c.InitAck)
    # Where the local address can't be told, the listener takes it.
    (ack,) = peer.give(peer.init(), tag=0, route=Route(A, UDP_PORT, ""))
    assert isinstance(ack, c.InitAck)


def test_association_ids_begin_at_3_and_wrap_around_those_in_use() -> None:
    peer = Raw()
    peer.accept()
    assert peer.association.association_id == FIRST_ASSOCIATION_ID == 3
    peer.endpoint.next_id = 0x7FFFFFFF
    ids = [
        peer.endpoint.associate(6_000 + number, 9, Route(A, UDP_PORT), peer.settings, peer.now).association_id
        for number in range(2)
    ]
    assert ids == [0x7FFFFFFF, 4]


@pytest.mark.parametrize("ports", [(0, 9), (9, 0), (65_536, 9), (9, -1)])
def test_ports_have_16_bits_and_are_not_0(ports: tuple[int, int]) -> None:
    peer = Raw()
    with pytest.raises(ValueError, match="65535"):
        peer.endpoint.associate(*ports, Route(A, UDP_PORT), peer.settings, peer.now)
    assert not peer.endpoint.associations


def test_a_message_needs_a_stream_and_a_byte() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    for message in (
        Message(4, 0, b"x"),
        Message(-1, 0, b"x"),
        Message(0, 0, b""),
        Message(0, 1 << 32, b"x"),
        Message(0, -1, b"x"),
    ):
        with pytest.raises(ValueError):
            peer.association.send(message, peer.now)
    assert peer.association.send_buffered == 0
    assert peer.answers() == []


# --- UDP ports (RFC 6951 section 5.4) ---


def test_the_peer_s_udp_port_is_learned_from_a_packet_with_the_right_tag() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    moved = Route(A, 40_000, B)
    peer.endpoint.receive_datagrams([(moved, peer.packet(peer.data()))], peer.now)
    assert [route.port for route, _, _ in peer.sent()] == [40_000]
    assert peer.endpoint.counters == {"udp_port_changed": 1}
    peer.association.send(Message(0, 0, b"x"), peer.now)
    assert [route for route, _, _ in peer.sent()] == [moved]


@pytest.mark.parametrize(("reached", "local"), [("198.51.100.2", "198.51.100.2"), ("198.51.100.3", B)])
def test_a_new_port_belongs_to_the_address_of_ours_that_it_was_seen_from(reached: str, local: str) -> None:
    """RFC 4787 section 4.1: a NAT may have another port for each. An address that was not listed is none of ours."""
    peer = Raw()
    peer.listener.local_addresses = (B, "198.51.100.2")
    peer.accept()
    peer.association.heartbeat(A, peer.now)
    peer.sent()
    peer.endpoint.receive_datagrams([(Route(A, 40_000, reached), peer.packet(peer.data()))], peer.now)
    assert [route for route, _, _ in peer.sent()] == [Route(A, 40_000, local)]


@pytest.mark.parametrize("what", ["tag", "ports", "address", "checksum"])
def test_and_from_no_other(what: str) -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    tag = peer.tag ^ (what == "tag")
    ports = (CLIENT_PORT + (what == "ports"), SERVER_PORT)
    packet = encode(*ports, tag, [peer.data().encode()])
    if what == "checksum":
        packet = packet[:-1] + bytes((packet[-1] ^ 1,))
    thief = Route("192.0.2.66" if what == "address" else A, 40_000, B)
    peer.endpoint.receive_datagrams([(thief, packet)], peer.now)
    peer.sent()
    peer.association.send(Message(0, 0, b"x"), peer.now)
    assert [route.port for route, _, _ in peer.sent()] == [UDP_PORT]


@pytest.mark.parametrize("state", STATES)
def test_an_init_from_another_udp_port_is_refused_and_nothing_changes(state: State) -> None:
    peer = Raw.in_state(state)
    association = peer.association
    before = (association.tcb.local_tag, association.tcb.peer_tag, list(association.tcb.timers.deadlines))
    other = Route(A, 40_000, B)
    packet = encode(CLIENT_PORT, SERVER_PORT, 0, [peer.init(initiate_tag=7).encode()])
    peer.endpoint.receive_datagrams([(other, packet)], peer.now)
    cause = RestartNewEncapsulationPort(UDP_PORT, 40_000)
    assert peer.sent() == [(other, 7, [c.Abort([cause])])]
    assert peer.endpoint.counters == {"init_from_new_udp_port": 1}
    assert association.state is state
    assert (association.tcb.local_tag, association.tcb.peer_tag, list(association.tcb.timers.deadlines)) == before
    assert association.tcb.paths.primary.route.port == UDP_PORT


def test_two_clients_behind_one_nat_with_the_same_sctp_port() -> None:
    pair = Pair()
    pair.connect()
    second = Endpoint(Config(), SeededEntropy(99), FixedMtu(1_500))
    pair.network.add_host(second, A, udp_port=50_000, name="c")
    second.associate(CLIENT_PORT, SERVER_PORT, Route(B, UDP_PORT), pair.settings, pair.now)
    pair.run(1)
    assert [(e.loss, e.cause) for e in second.next_events() if isinstance(e, AssociationLost)] == [(Loss.REFUSED, 14)]
    pair.send(pair.a, 10)
    pair.run(1)
    pair.check_delivery()


# --- ICMP (RFC 9260 section 10) ---


def test_port_unreachable_for_our_init_ends_the_attempt() -> None:
    peer = Raw()
    init = peer.associate()
    association = peer.association
    quoted = encode(SERVER_PORT, CLIENT_PORT, 0, [init.encode()])
    peer.endpoint.handle_unreachable(quoted[:20], peer.now)
    assert peer.events(AssociationLost) == [AssociationLost(association.association_id, Loss.REFUSED, False)]
    assert peer.endpoint.next_timeout() == math.inf


@pytest.mark.parametrize("what", ["short", "chunk", "tag", "ports", "state", "empty"])
def test_anything_else_that_is_quoted_is_ignored(what: str) -> None:
    peer = Raw()
    init = peer.associate()
    if what == "state":
        peer.give(peer.init_ack())
    if what == "tag":
        init.initiate_tag ^= 1
    ports = (SERVER_PORT, CLIENT_PORT + 1) if what == "ports" else (SERVER_PORT, CLIENT_PORT)
    quoted = encode(*ports, 0, [c.Heartbeat(bytes(30)).encode() if what == "chunk" else init.encode()])
    if what == "short":
        quoted = quoted[:19]
    peer.endpoint.handle_unreachable(b"" if what == "empty" else quoted, peer.now)
    assert peer.events(AssociationLost) == []
    assert peer.association.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED)


# --- deadlines ---


def test_the_earliest_deadline_of_many_associations() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    associations = []
    for number in range(5):
        peer.now = 100.0 + number / 10
        associations.append(peer.endpoint.associate(6_000 + number, 9, Route(A, UDP_PORT), peer.settings, peer.now))
    peer.answers()
    assert peer.endpoint.next_timeout() == 101.0
    peer.endpoint.handle_timeout(101.15)
    assert len(peer.answers()) == 2
    assert peer.endpoint.next_timeout() == pytest.approx(101.2)
    for association in associations[2:]:
        association.abort(b"", 101.15)
    # The first two have doubled their T1.
    assert peer.endpoint.next_timeout() == pytest.approx(103.15)
    # Called too early, it does nothing.
    peer.endpoint.handle_timeout(101.2)
    assert peer.answers() == []


def test_nothing_to_do_is_no_deadline_and_no_packets() -> None:
    peer = Raw()
    assert peer.endpoint.next_timeout() == math.inf
    peer.endpoint.handle_timeout(1e9)
    assert (peer.endpoint.datagrams_to_send(0.0), peer.endpoint.next_events()) == ([], [])


def test_an_endpoint_can_be_copied_with_all_its_state() -> None:
    pair = Pair()
    pair.connect()
    pair.send(pair.a, 50_000)
    pair.run(0.12)
    twin = copy.deepcopy(pair)
    for one in (pair, twin):
        one.run(5)
        one.a.association.shutdown(one.now)
        one.run(5)
        one.check_delivery()
        one.check_gone()
    assert [record.data for record in pair.network.trace] == [record.data for record in twin.network.trace]


# --- an endpoint and itself ---


def own_network() -> tuple[SimulatedNetwork, Endpoint, Settings]:
    network = SimulatedNetwork()
    endpoint = Endpoint(Config(), SeededEntropy(5), FixedMtu(1_500))
    network.add_host(endpoint, A)
    return network, endpoint, Settings.from_config(Config())


def test_an_association_of_an_endpoint_with_itself() -> None:
    network, endpoint, settings = own_network()
    endpoint.listen(SERVER_PORT, settings, 1)
    client = endpoint.associate(CLIENT_PORT, SERVER_PORT, Route(A, UDP_PORT), settings, network.now)
    network.run_for(1)
    ups = [event for event in endpoint.next_events() if isinstance(event, AssociationUp)]
    assert sorted(event.accepted for event in ups) == [False, True]
    (server,) = [a for a in endpoint.associations.values() if a is not client]
    client.send(Message(0, 0, bytes(5_000)), network.now)
    server.send(Message(1, 0, b"back"), network.now)
    network.run_for(2)
    got = {e.association_id: e.data for e in endpoint.next_events() if isinstance(e, MessageReceived)}
    assert got == {client.association_id: b"back", server.association_id: bytes(5_000)}
    server.shutdown(network.now)
    network.run_for(2)
    closed = [event for event in endpoint.next_events() if isinstance(event, AssociationClosed)]
    assert len(closed) == 2
    assert not endpoint.associations


def test_an_abort_with_the_t_bit_finds_the_right_one_of_the_two() -> None:
    network, endpoint, settings = own_network()
    endpoint.listen(SERVER_PORT, settings, 1)
    client = endpoint.associate(CLIENT_PORT, SERVER_PORT, Route(A, UDP_PORT), settings, network.now)
    network.run_for(1)
    (server,) = [a for a in endpoint.associations.values() if a is not client]
    endpoint.next_events()
    # To the client, under the server's tag, which by itself names the server's association.
    abort = encode(SERVER_PORT, CLIENT_PORT, server.tcb.local_tag, [c.Abort([], reflected=True).encode()])
    endpoint.receive_datagrams([(Route(A, UDP_PORT, A), abort)], network.now)
    lost = [event.association_id for event in endpoint.next_events() if isinstance(event, AssociationLost)]
    assert lost == [client.association_id]
    assert server.state is State.ESTABLISHED


def test_one_port_connected_to_itself() -> None:
    network, endpoint, settings = own_network()
    association = endpoint.associate(SERVER_PORT, SERVER_PORT, Route(A, UDP_PORT), settings, network.now)
    network.run_for(2)
    assert association.state is State.ESTABLISHED
    association.send(Message(0, 0, b"echo"), network.now)
    network.run_for(2)
    assert [e.data for e in endpoint.next_events() if isinstance(e, MessageReceived)] == [b"echo"]
    association.shutdown(network.now)
    network.run_for(5)
    assert not endpoint.associations
    assert endpoint.next_timeout() == math.inf
