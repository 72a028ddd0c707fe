"""UDP ports, ICMP, verbs at the wrong time and what packets give away: X4 to X6, X8, X10 to X12."""

from __future__ import annotations

import ast
import secrets
from math import inf
from pathlib import Path

import pytest
from hostile.places import (
    CLOSED,
    EVERYWHERE,
    FROM_PEER,
    PLACES,
    WITH_ASSOCIATION,
    Place,
    Victim,
    at,
)
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, Pair, Raw

import pysctpstack
from pysctpstack.config import Config
from pysctpstack.core import Endpoint, FixedMtu, Message, Route, State
from pysctpstack.core.heartbeat import SENDING_STATES
from pysctpstack.events import AssociationLost, Loss
from pysctpstack.stack import StrongEntropy
from pysctpstack.testing import SeededEntropy
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import RestartNewEncapsulationPort
from pysctpstack.wire.packet import encode, split
from pysctpstack.wire.params import Ipv4Address, StateCookie, UnknownParameter

ESTABLISHED = PLACES[4]
FIXED_FIELDS = {cp.INIT: 16, cp.INIT_ACK: 16, cp.HEARTBEAT: 0, cp.HEARTBEAT_ACK: 0, cp.ABORT: 0, cp.ERROR: 0}
"""Bytes before the parameters or causes, of chunks that have such."""
MOVED = Route(A, 40_000, B)


def port_of(victim: Victim) -> int:
    return victim.association.tcb.paths.primary.route.port


# --- X4 to X6: UDP ports ---


@at(WITH_ASSOCIATION)
def test_x4_a_spoofed_udp_port_is_not_learned(place: Place) -> None:
    victim = Victim.at(place)
    genuine = victim.packet_of(c.Heartbeat(b"x"))
    spoofed = [
        victim.packet_of(c.Heartbeat(b"x"), tag=victim.tag ^ 1),
        victim.packet_of(c.Heartbeat(b"x"), tag=0),
        genuine[:-1] + bytes((genuine[-1] ^ 1,)),
        genuine[:8] + bytes(4) + genuine[12:],
        victim.packet_of(c.Abort([]), tag=victim.tag ^ 1),
        victim.packet_of(c.CookieEcho(bytes(90))),
        genuine[:11],
    ]
    for packet in spoofed:
        victim.check_dropped(packet, route=MOVED)
        assert port_of(victim) == UDP_PORT
    # Other SCTP ports, another address: out of the blue, and answered there.
    for route, ports in ((MOVED, (CLIENT_PORT + 1, SERVER_PORT)), (Route("192.0.2.99", 40_000, B), None)):
        before = victim.snapshot()
        victim.inject(victim.packet_of(c.Heartbeat(b"x"), ports=ports or (CLIENT_PORT, SERVER_PORT)), route)
        assert victim.snapshot() == before


@at(WITH_ASSOCIATION)
def test_x4_the_right_tag_moves_the_port_and_the_new_one_is_probed_once(place: Place) -> None:
    victim = Victim.at(place)
    answers, raised = victim.inject(victim.packet_of(c.UnknownChunk(0xBF, 0, b"")), MOVED)
    assert "udp_port_changed" in raised
    assert port_of(victim) == MOVED.port
    probes = [k for _, _, chunks in answers for k in chunks if isinstance(k, c.Heartbeat)]
    assert len(probes) == (place.state in SENDING_STATES)
    assert {route for route, _, _ in answers} <= {MOVED}
    # To and fro: still one question under way.
    for port in range(50_000, 50_050):
        answers, _ = victim.inject(victim.packet_of(c.UnknownChunk(0xBF, 0, b"")), Route(A, port, B))
        assert not any(isinstance(k, c.Heartbeat) for _, _, chunks in answers for k in chunks)
    if probes:
        victim.give(c.HeartbeatAck(probes[0].info), route=Route(A, 50_049, B))
        assert victim.association.tcb.paths.primary.heartbeat_timeout == inf


def test_x4_a_copy_of_a_packet_from_elsewhere_diverts_the_peer_until_it_speaks_again() -> None:
    pair = Pair()
    pair.connect()
    pair.send(pair.a, 1_000)
    pair.run(1)
    copy = pair.records("a")[-1].data
    pair.network.inject((A, 40_000), B, UDP_PORT, copy)
    pair.run(0.01)
    assert pair.b.association.tcb.paths.primary.route.port == 40_000
    pair.send(pair.a, 1_000)
    pair.run(1)
    assert pair.b.association.tcb.paths.primary.route.port == UDP_PORT
    pair.send(pair.b, 1_000)
    pair.run(1)
    pair.check_delivery()


@EVERYWHERE
def test_x5_an_init_from_another_udp_port(place: Place) -> None:
    victim = Victim.at(place)
    before = victim.snapshot()
    answers, _ = victim.inject(victim.packet_of(victim.init(initiate_tag=0x99), tag=0), MOVED)
    ((route, tag, (chunk,)),) = answers
    assert (route, tag) == (MOVED, 0x99)
    assert victim.snapshot() == before
    if place.state is not State.CLOSED:
        assert chunk == c.Abort([RestartNewEncapsulationPort(UDP_PORT, MOVED.port)])
    else:
        assert isinstance(chunk, c.InitAck if place.listening else c.Abort)


def test_x6_a_second_client_behind_the_nat_is_refused_and_the_first_untouched() -> None:
    pair = Pair()
    pair.connect()
    before = pair.b.endpoint.counters.copy()
    second = Endpoint(Config(), SeededEntropy(99), FixedMtu(1_500))
    pair.network.add_host(second, A, udp_port=50_000, name="c")
    for attempt in range(3):
        second.associate(CLIENT_PORT, SERVER_PORT, Route(B, UDP_PORT), pair.settings, pair.now)
        pair.send(pair.a, 3_000)
        pair.send(pair.b, 3_000)
        pair.run(1)
        lost = [event for event in second.next_events() if isinstance(event, AssociationLost)]
        assert [(e.loss, e.cause) for e in lost] == [(Loss.REFUSED, cp.CAUSE_RESTART_NEW_ENCAPSULATION_PORT)]
        assert pair.b.endpoint.counters["init_from_new_udp_port"] == attempt + 1
    assert pair.b.association.tcb.paths.primary.route.port == UDP_PORT
    assert pair.b.endpoint.counters.get("udp_port_changed", 0) == before.get("udp_port_changed", 0)
    pair.check_delivery()


# --- X8: ICMP ---


@EVERYWHERE
def test_x8_port_unreachable_is_ignored_unless_it_quotes_our_init(place: Place) -> None:
    victim = Victim.at(place)
    tag = victim.tag.to_bytes(4, "big")
    init = c.Init(victim.tag, 1, 1, 1, 1).encode()
    quoted = [
        b"",
        bytes(11),
        bytes(64),
        encode(SERVER_PORT, CLIENT_PORT, victim.own_tag, [c.Heartbeat(b"x").encode()]),
        encode(SERVER_PORT, CLIENT_PORT, 0, [c.Init(victim.tag ^ 1, 1, 1, 1, 1).encode()]),
        encode(SERVER_PORT, CLIENT_PORT + 1, 0, [init]),
        encode(SERVER_PORT, CLIENT_PORT, 0, [init])[:19],
    ]
    if place.state is not State.COOKIE_WAIT:
        quoted.append(encode(SERVER_PORT, CLIENT_PORT, 0, [init]))
    before = victim.snapshot()
    for count, packet in enumerate(quoted, 1):
        victim.endpoint.handle_unreachable(packet, victim.now)
        assert victim.snapshot() == before
        assert victim.endpoint.counters["icmp_ignored"] == count
    assert victim.told() == []
    assert tag not in quoted[2]


# --- X10: verbs at the wrong time ---


@at(WITH_ASSOCIATION)
def test_x10_verbs_after_the_end_do_nothing(place: Place) -> None:
    victim = Victim.at(place)
    association = victim.association
    association.abort(b"enough", victim.now)
    victim.answers()
    victim.told()
    for _ in range(2):
        association.abort(b"again", victim.now)
        association.shutdown(victim.now)
        association.consumed(10, victim.now)
        association.heartbeat(A, victim.now)
        with pytest.raises(ConnectionError):
            association.send(Message(0, 0, b"too late"), victim.now)
    victim.endpoint.handle_timeout(victim.now + 1_000)
    assert victim.answers() == []
    assert victim.told() == []
    assert victim.endpoint.next_timeout() == inf
    assert victim.serves()


@at(WITH_ASSOCIATION)
def test_x10_a_batch_that_goes_on_behind_the_end(place: Place) -> None:
    """Packets behind an ABORT in one batch are out of the blue, and the user is told once."""
    victim = Victim.at(place)
    after = [victim.packet_of(chunk) for chunk in (c.Heartbeat(b"x"), victim.data(), c.Abort([]), c.CookieAck())]
    batch = [victim.packet_of(c.Abort([])), *after]
    victim.endpoint.receive_datagrams([(FROM_PEER, packet) for packet in batch], victim.now)
    answers = [chunk for _, _, chunks in victim.sent() for chunk in chunks]
    assert answers == [c.Abort([], reflected=True)] * 2
    assert len([event for event in victim.told() if isinstance(event, AssociationLost)]) == 1
    assert victim.endpoint.next_timeout() == inf
    assert not victim.endpoint.associations


@pytest.mark.parametrize("verb", ["abort", "shutdown", "send"])
def test_x10_verbs_between_a_packet_and_the_drain_of_what_it_caused(verb: str) -> None:
    for place in WITH_ASSOCIATION:
        for chunk in (
            c.Abort([]),
            c.Shutdown(0),
            c.ShutdownAck(),
            c.Sack(0, 0),
            c.CookieAck(),
            c.Data(1_000, 0, 0, 0, b"x"),
        ):
            victim = Victim.at(place)
            association = victim.association
            victim.endpoint.receive_datagrams([(FROM_PEER, victim.packet_of(chunk))], victim.now)
            if verb == "send":
                try:
                    association.send(Message(0, 0, b"now"), victim.now)
                except ConnectionError:
                    assert association.state not in (State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED)
            elif verb == "abort":
                association.abort(b"", victim.now)
            else:
                association.shutdown(victim.now)
            victim.wait(2_000)
            ends = [event for event in victim.told() if isinstance(event, AssociationLost)]
            assert len(ends) <= 1
            if verb == "abort":
                assert not victim.endpoint.associations


# --- X11, X12: what packets give away ---


def script(junk: int) -> list[bytes]:
    """All that leaves an endpoint whose peer makes it say as much as it can, on a heap that differs with ``junk``."""
    ballast = [object() for _ in range(junk)]
    packets: list[bytes] = []
    for place in PLACES:
        victim = Victim.at(place)
        parameters = [Ipv4Address("192.0.2.2"), *(UnknownParameter(0xFE00 + n, bytes(n)) for n in range(9))]
        routes = (FROM_PEER, Route("203.0.113.5", 5, B))
        for chunk, tag, route in (
            (victim.init(parameters=parameters), 0, routes[0]),
            (victim.init(parameters=parameters), 0, routes[1]),
            (c.Heartbeat(b"12345"), None, routes[0]),
            (c.UnknownChunk(0xFE, 0, b"1"), None, routes[0]),
            (victim.data(b"12345", stream_id=9, tsn=1_004), None, routes[0]),
            (victim.data(b"", tsn=1_005), None, routes[0]),
        ):
            packet = victim.packet_of(chunk, tag=tag)
            victim.endpoint.receive_datagrams([(route, packet)], victim.now)
            packets += [datagram for _, datagram in victim.endpoint.datagrams_to_send(victim.now)]
        while victim.endpoint.next_timeout() < victim.now + 100:
            victim.now = max(victim.now, victim.endpoint.next_timeout())
            victim.endpoint.handle_timeout(victim.now)
            packets += [datagram for _, datagram in victim.endpoint.datagrams_to_send(victim.now)]
    assert len(ballast) == junk
    return packets


def test_x11_packets_depend_on_nothing_but_what_came_in_and_the_random_numbers() -> None:
    first = script(junk=0)
    assert len(first) > 50
    assert script(junk=12_345) == first


def test_x11_padding_is_zeros() -> None:
    padded = 0
    for packet in script(junk=0):
        for type_, _, start, end in split(packet)[0]:
            bounds = [(start, end)]
            if type_ in FIXED_FIELDS:
                bounds += [(first, last) for _, first, last in tlv.walk(packet, start + FIXED_FIELDS[type_], end)]
            for _, last in bounds:
                padding = packet[last : (last + 3) & ~3]
                padded += len(padding)
                assert not any(padding)
    assert padded


def test_x11_heartbeat_info_is_a_nonce_and_the_peer_s_address() -> None:
    victim = Victim.at(ESTABLISHED)
    victim.association.heartbeat(A, victim.now)
    (heartbeat,) = victim.answers()
    assert isinstance(heartbeat, c.Heartbeat)
    assert heartbeat.info[8:] == A.encode()


def test_x12_a_stack_s_randomness_is_the_operating_system_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    genuine = secrets.token_bytes

    def token_bytes(size: int) -> bytes:
        asked.append(size)
        return genuine(size)

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    entropy = StrongEntropy()
    drawn = {entropy.token(8) for _ in range(1_000)}
    assert len(drawn) == 1_000
    assert asked == [8] * 1_000


def test_x12_nothing_but_the_simulation_and_the_fuzzer_uses_weak_randomness() -> None:
    package = Path(pysctpstack.__file__).parent
    for path in package.rglob("*.py"):
        if {"testing", "fuzz"} & set(path.relative_to(package).parts):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "random" not in names, path


def test_x12_tags_tsns_and_keys_are_drawn_whole() -> None:
    """Tags and TSNs of 32 random bits, nonces of 64 and keys of 256, none derived from another."""

    class Recorder(SeededEntropy):
        __slots__ = ("log",)

        def __init__(self) -> None:
            super().__init__(0)
            self.log: list[bytes] = []

        def token(self, size: int) -> bytes:
            self.log.append(super().token(size))
            return self.log[-1]

    entropy = Recorder()
    endpoint = Endpoint(Config(), entropy, FixedMtu())
    assert [len(token) for token in entropy.log] == [32]
    peer = Raw()
    peer.endpoint = endpoint
    endpoint.listen(SERVER_PORT, peer.settings, 10)
    (ack,) = peer.give(peer.init(), tag=0)
    assert isinstance(ack, c.InitAck)
    numbers = {int.from_bytes(token, "big") for token in entropy.log if len(token) == 4}
    assert {ack.initiate_tag, ack.initial_tsn} <= numbers
    tags = set()
    for number in range(500):
        ((_, _, (again,)),) = [
            (None, None, peer.give(peer.init(), tag=0, route=Route(f"203.0.113.{number % 250}", 1 + number, B)))
        ]
        assert isinstance(again, c.InitAck)
        tags.add((again.initiate_tag, again.initial_tsn))
        assert any(isinstance(p, StateCookie) for p in again.parameters)
    assert len(tags) == 500


@at(CLOSED)
def test_x8_an_icmp_error_of_nobody_s_packet(place: Place) -> None:
    victim = Victim.at(place)
    for size in range(40):
        victim.endpoint.handle_unreachable(bytes((cp.INIT,)) * size, victim.now)
    assert victim.endpoint.counters == {"icmp_ignored": 40}
