"""UDP ports and network address translators (RFC 6951, and draft-tuexen-tsvwg-sctp-udp-encaps-cons)."""

from __future__ import annotations

import math

import pytest
from simulation.hosts import Multihomed
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, B, Node, Pair, chunks_of

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Route, State
from pysctpstack.core.path import PathState
from pysctpstack.events import AssociationClosed, AssociationLost, AssociationRestarted, AssociationUp, Loss
from pysctpstack.testing import Link, Nat, SeededEntropy
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import RestartNewEncapsulationPort
from pysctpstack.wire.packet import encode

INSIDE, NEIGHBOUR, PUBLIC = "10.0.0.1", "10.0.0.2", "192.0.2.9"
FIRST = 40_000
"""The first public port that a `Nat` gives."""


def behind_nat(config: Config | None = None, kind: str = "", **nat: float) -> tuple[Pair, Nat]:
    """The client is behind a NAT, and connected. ``kind``: a setting of the NAT that is on."""
    if kind:
        nat[kind] = True
    pair = Pair(addresses=(INSIDE, B), config=config, link=Link(0.02))
    translator = pair.network.nat(pair.a.host, PUBLIC, **nat)  # type: ignore[arg-type]
    pair.connect()
    return pair, translator


def port_of(pair: Pair) -> int:
    """Where the server sends."""
    return pair.b.association.tcb.paths.primary.route.port


def add(pair: Pair, nat: Nat, address: str, udp_port: int, seed: int) -> Node:
    """Another host behind the NAT; it is one of the pair's, so that its events are taken."""
    endpoint = Endpoint(Config(), SeededEntropy(seed), FixedMtu(1_500))
    host = pair.network.add_host(endpoint, address, udp_port=udp_port, name=f"node{seed}")
    pair.network.put_behind(host, nat)
    node = Node(host.name, address, endpoint, host)
    pair.nodes.append(node)
    return node


def connect(pair: Pair, node: Node, sctp_port: int) -> Association:
    return node.endpoint.associate(sctp_port, SERVER_PORT, Route(B, UDP_PORT), pair.settings, pair.now)


def reply(pair: Pair, tag: int, chunk: c.Chunk) -> bytes:
    return encode(CLIENT_PORT, SERVER_PORT, tag, [chunk.encode()])


# --- what a NAT must not have to rewrite ---


@pytest.mark.parametrize("nat", [True, False])
def test_a_single_homed_end_lists_no_address(nat: bool) -> None:
    """RFC 6951 section 3.2: the source address of the packet is the one, whatever it was before."""
    pair = behind_nat()[0] if nat else Pair()
    if not nat:
        pair.connect()
    (init,) = pair.sent_chunks("a", c.Init)
    (init_ack,) = pair.sent_chunks("b", c.InitAck)
    for chunk in (init[1], init_ack[1]):
        assert not {parameter.type for parameter in chunk.parameters} & {cp.PARAM_IPV4_ADDRESS, cp.PARAM_IPV6_ADDRESS}
    ((address, path),) = pair.b.association.tcb.paths.by_address.items()
    assert (address, path.route.port) == ((PUBLIC, FIRST) if nat else (pair.a.address, UDP_PORT))


@pytest.mark.parametrize("kind", ["", "strict", "symmetric"])
def test_a_life_behind_a_nat(kind: str) -> None:
    pair, _ = behind_nat(kind=kind)
    for _ in range(20):
        pair.send(pair.a, 5_000)
        pair.send(pair.b, 5_000)
    pair.run(60)
    pair.check_delivery()
    assert "udp_port_changed" not in pair.b.endpoint.counters
    pair.b.association.shutdown(pair.now)
    pair.run(5)
    pair.check_gone()


def test_heartbeats_keep_a_binding_that_would_be_forgotten() -> None:
    """RFC 6951 section 5.7: an interval below what NATs keep a binding for."""
    pair, _ = behind_nat(strict=True, idle_timeout=30.0)
    pair.run(3_600)
    assert pair.b.association.tcb.paths.primary.error_count == 0
    pair.send(pair.b, 1_000)
    start = pair.now
    pair.until(lambda: len(pair.a.messages) == 1)
    assert pair.now - start < 0.1


# --- learning ports (RFC 6951 section 5.4) ---


def test_a_port_is_learned_only_behind_the_right_tag() -> None:
    pair, _ = behind_nat()
    server = pair.b.association
    wrong = [
        reply(pair, server.tcb.local_tag ^ 1, c.Heartbeat(b"x")),
        reply(pair, 0, c.Heartbeat(b"x")),
        reply(pair, server.tcb.peer_tag, c.Heartbeat(b"x")),
        reply(pair, server.tcb.local_tag ^ 1, c.Data(1, 0, 0, 0, b"x")),
    ]
    genuine = reply(pair, server.tcb.local_tag, c.Heartbeat(b"x"))
    wrong.append(genuine[:-1] + bytes((genuine[-1] ^ 1,)))
    for packet in wrong:
        pair.network.inject((PUBLIC, 50_000), B, UDP_PORT, packet)
        pair.run(0.1)
        assert port_of(pair) == FIRST
        assert "udp_port_changed" not in pair.b.endpoint.counters
    pair.network.inject((PUBLIC, 50_000), B, UDP_PORT, genuine)
    pair.run(0.0)
    assert port_of(pair) == 50_000
    # Nobody is there; what the client sends next says where it is.
    pair.send(pair.a, 100)
    pair.send(pair.b, 100)
    pair.run(10)
    assert port_of(pair) == FIRST
    pair.check_delivery()


@pytest.mark.parametrize("talker", ["client", "server", "both"])
@pytest.mark.parametrize("kind", ["", "strict", "symmetric"])
def test_a_nat_that_rebinds_in_mid_association(talker: str, kind: str) -> None:
    pair, nat = behind_nat(kind=kind)
    talkers = {"client": [pair.a], "server": [pair.b], "both": pair.nodes}[talker]
    for turn in range(1, 4):
        for node in talkers:
            for _ in range(20):
                pair.send(node, 4_000)
        pair.run(0.07)
        nat.rebind()
        # The client speaks with its next SACK or DATA; if all is still, with a HEARTBEAT.
        pair.run(60)
        assert port_of(pair) == FIRST + turn
        pair.check_delivery()
    pair.a.association.shutdown(pair.now)
    pair.run(5)
    pair.check_gone()


def test_what_a_server_sends_to_a_dead_port_arrives_once_the_client_has_spoken() -> None:
    pair, nat = behind_nat(Config(heartbeat_interval=20.0))
    pair.run(1)
    nat.rebind()
    pair.send(pair.b, 1_000)
    pair.run(5)
    assert not pair.a.messages
    assert port_of(pair) == FIRST
    pair.send(pair.a, 10)
    pair.run(0.03)
    assert port_of(pair) == FIRST + 1
    pair.run(10)
    pair.check_delivery()


@pytest.mark.parametrize("closer", [0, 1])
def test_a_nat_that_rebinds_while_the_association_closes(closer: int) -> None:
    pair, nat = behind_nat()
    pair.run(1)
    nat.rebind()
    pair.nodes[closer].association.shutdown(pair.now)
    pair.run(400)
    pair.check_gone()


def test_the_server_may_have_any_port_and_the_client_too() -> None:
    pair = Pair()
    pair.a.host.udp_port = 33_333
    pair.b.host.udp_port = 44_444
    client = pair.a.endpoint.associate(CLIENT_PORT, SERVER_PORT, Route(B, 44_444), pair.settings, pair.now)
    pair.until(lambda: client.state is State.ESTABLISHED)
    pair.send(pair.a, 5_000)
    pair.send(pair.b, 5_000)
    pair.run(1)
    pair.check_delivery()
    assert port_of(pair) == 33_333
    assert client.tcb.paths.primary.route.port == 44_444


# --- restarts and doubles ---


def test_a_restart_from_the_same_port_restarts_the_association() -> None:
    pair, _ = behind_nat()
    pair.a.host.endpoint = pair.a.endpoint = Endpoint(Config(), SeededEntropy(77), FixedMtu(1_500))
    pair.a.events.clear()
    connect(pair, pair.a, CLIENT_PORT)
    pair.until(lambda: bool(pair.a.of(AssociationUp)) and bool(pair.b.of(AssociationRestarted)))
    pair.send(pair.a, 3_000)
    pair.run(1)
    pair.check_delivery()


def test_a_restart_from_a_new_port_is_refused_and_nothing_changes() -> None:
    pair, nat = behind_nat(Config(heartbeat_interval=0))
    server = pair.b.association
    before = server.fingerprint(pair.now), server.tcb.local_tag, server.tcb.peer_tag
    nat.rebind()
    pair.a.host.endpoint = pair.a.endpoint = Endpoint(Config(), SeededEntropy(77), FixedMtu(1_500))
    since = pair.mark
    connect(pair, pair.a, CLIENT_PORT)
    pair.run(1)
    assert [(event.loss, event.cause) for event in pair.a.of(AssociationLost)] == [
        (Loss.REFUSED, cp.CAUSE_RESTART_NEW_ENCAPSULATION_PORT)
    ]
    assert pair.flow(since) == ["a INIT", "b ABORT"]
    ((_, abort),) = pair.sent_chunks("b", c.Abort)
    # The current port, then the new one.
    assert abort.causes == [RestartNewEncapsulationPort(FIRST, FIRST + 1)]
    assert (server.fingerprint(pair.now), server.tcb.local_tag, server.tcb.peer_tag) == before
    assert port_of(pair) == FIRST
    assert pair.b.endpoint.counters["init_from_new_udp_port"] == 1


def test_after_the_old_association_has_died_the_restarted_client_is_let_in() -> None:
    pair, nat = behind_nat(Config(association_max_retrans=3))
    nat.rebind()
    pair.a.host.endpoint = pair.a.endpoint = Endpoint(Config(), SeededEntropy(77), FixedMtu(1_500))
    pair.until(lambda: bool(pair.b.of(AssociationLost)), 600)
    client = connect(pair, pair.a, CLIENT_PORT)
    pair.until(lambda: client.state is State.ESTABLISHED)
    assert port_of(pair) == FIRST + 1


def test_a_second_client_behind_the_nat_with_the_same_sctp_port() -> None:
    pair, nat = behind_nat()
    neighbour = add(pair, nat, NEIGHBOUR, UDP_PORT, 5)
    for _ in range(3):
        pair.send(pair.a, 20_000)
        pair.send(pair.b, 20_000)
        connect(pair, neighbour, CLIENT_PORT)
        pair.run(1)
    assert [(event.loss, event.cause) for event in neighbour.of(AssociationLost)] == [
        (Loss.REFUSED, cp.CAUSE_RESTART_NEW_ENCAPSULATION_PORT)
    ] * 3
    # The first one has noticed nothing.
    pair.check_delivery()
    assert port_of(pair) == FIRST
    assert not pair.a.of(AssociationLost)
    assert neighbour.endpoint.next_timeout() == math.inf
    # With another SCTP port they share the NAT.
    other = connect(pair, neighbour, CLIENT_PORT + 1)
    pair.until(lambda: other.state is State.ESTABLISHED)
    assert len(pair.b.endpoint.associations) == 2
    assert {a.tcb.paths.primary.route.port for a in pair.b.endpoint.associations.values()} == {FIRST, FIRST + 1}
    other.shutdown(pair.now)
    pair.run(1)
    assert len(neighbour.of(AssociationClosed)) == 1
    pair.check_delivery()


# --- several addresses ---


def test_addresses_of_one_peer_with_different_udp_ports() -> None:
    """The client's IPv4 address is translated and its IPv6 address is not (RFC 6951 section 5.4: a port for each)."""
    own, theirs = (INSIDE, "2001:db8:a::1"), (B, "2001:db8:b::1")
    pair = Multihomed(own=own, theirs=theirs, link=Link(0.02))
    nat = pair.network.nat(pair.a.host, PUBLIC)
    pair.connect()
    pair.run(60)
    ports = {path.address: path.route.port for path in pair.b.association.tcb.paths if path.is_confirmed}
    assert ports == {PUBLIC: FIRST, "2001:db8:a::1": UDP_PORT}
    # The inside address was listed too. Nobody is there, so it is never used.
    assert pair.path(pair.b, INSIDE).state is not PathState.ACTIVE
    pair.network.cut(B)
    for _ in range(10):
        pair.send(pair.a, 5_000)
        pair.send(pair.b, 5_000)
    pair.run(60)
    pair.check_delivery()
    pair.network.restore(B)
    nat.rebind()
    pair.run(200)
    ports = {path.address: path.route.port for path in pair.b.association.tcb.paths if path.is_confirmed}
    assert ports == {PUBLIC: FIRST + 1, "2001:db8:a::1": UDP_PORT}
    there = [record for record in pair.records("b") if record.route.peer == INSIDE]
    assert {type(chunk) for record in there for chunk in chunks_of(record)} == {c.Heartbeat}


def test_a_symmetric_nat_before_a_server_with_two_addresses() -> None:
    """Each sees the client at another port, where only who was sent to may answer (RFC 4787 section 4.1)."""
    pair = Multihomed(own=(INSIDE,), theirs=(B, "203.0.113.129"), link=Link(0.02))
    pair.network.nat(pair.a.host, PUBLIC, symmetric=True)
    client, server = pair.connect()
    for _ in range(20):
        pair.send(pair.b, 2_000)
        pair.run(10)
    pair.check_delivery()
    assert all(path.is_confirmed for path in client.tcb.paths)
    # The port that was last learned is that of the address from which is sent: nothing was lost.
    assert {record.fate for record in pair.network.trace} == {"delivered"}
    assert server.tcb.sender.retransmissions == 0
    pair.network.cut(B)
    pair.send(pair.a, 2_000)
    pair.send(pair.b, 2_000)
    pair.run(60)
    pair.check_delivery()
