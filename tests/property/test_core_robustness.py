"""Whatever arrives and whatever the user does: no exception, no deadline in the past, no association without an end."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import AssociationClosed, AssociationLost
from pysctpstack.testing import Link
from pysctpstack.wire import chunks as c
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import OutOfResource, StaleCookie, UserInitiatedAbort
from pysctpstack.wire.packet import decode, encode
from pysctpstack.wire.params import CookiePreservative, HostName, Ipv4Address, StateCookie, UnknownParameter

SMALL = Config(receive_buffer=5_000, max_gap_blocks=8, association_max_retrans=3, max_init_retransmits=3)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

#: Near what the peer of `Raw` and the endpoint use, and far from it.
TSNS = st.one_of(st.integers(990, 1_030), st.integers(0, 0xFFFFFFFF))
TAGS = st.sampled_from(("right", "peer", "zero", "wrong"))

PARAMETERS = st.lists(
    st.one_of(
        st.builds(StateCookie, st.binary(max_size=40)),
        st.builds(CookiePreservative, st.integers(0, 0xFFFFFFFF)),
        st.builds(HostName, st.binary(max_size=20)),
        st.sampled_from((Ipv4Address(A), Ipv4Address("192.0.2.66"), Ipv4Address("255.255.255.255"))),
        st.builds(
            UnknownParameter, st.integers(0x3000, 0xFFFF).filter(lambda t: t & 0x3FFF > 0x100), st.binary(max_size=20)
        ),
    ),
    max_size=4,
)
CAUSES = st.lists(
    st.one_of(st.just(OutOfResource()), st.builds(StaleCookie, st.integers(0, 0xFFFFFFFF)),
              st.builds(UserInitiatedAbort, st.binary(max_size=10))),
    max_size=2,
)  # fmt: skip
INIT_FIELDS = (
    st.sampled_from((0, 1, 0x22222222)),
    st.sampled_from((0, 1_499, 1_500, 100_000, 0xFFFFFFFF)),
    st.integers(0, 5),
    st.integers(0, 5),
    TSNS,
    PARAMETERS,
)
GAPS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=4).map(tuple)

CHUNKS = st.one_of(
    st.builds(
        c.Data, TSNS, st.integers(0, 5), st.integers(0, 3), st.just(0), st.binary(max_size=1_400), st.integers(0, 15)
    ),
    st.builds(c.Init, *INIT_FIELDS),
    st.builds(c.InitAck, *INIT_FIELDS),
    st.builds(
        c.Sack, TSNS, st.sampled_from((0, 100, 100_000, 0xFFFFFFFF)), GAPS, st.lists(TSNS, max_size=3).map(tuple)
    ),
    st.builds(c.Heartbeat, st.binary(max_size=30)),
    st.builds(c.HeartbeatAck, st.binary(max_size=30)),
    st.builds(c.Abort, CAUSES, st.booleans()),
    st.builds(c.Shutdown, TSNS),
    st.just(c.ShutdownAck()),
    st.builds(c.Error, CAUSES),
    st.builds(c.CookieEcho, st.binary(max_size=60)),
    st.just(c.CookieAck()),
    st.builds(c.ShutdownComplete, st.booleans()),
    st.builds(c.UnknownChunk, st.integers(16, 255), st.integers(0, 255), st.binary(max_size=20)),
)


def check(peer: Raw) -> None:
    """What must hold after any call."""
    due = peer.endpoint.next_timeout()
    assert not math.isnan(due)
    if due <= peer.now:
        peer.endpoint.handle_timeout(peer.now)
        assert peer.endpoint.next_timeout() > peer.now
    for route, packet in peer.endpoint.datagrams_to_send(peer.now):
        assert isinstance(route, Route)
        # What leaves is well-formed, fits the path, and bundles nothing with what travels alone.
        decoded = decode(packet)
        assert len(packet) <= 1_472
        alone = [k for k in decoded.chunks if isinstance(k, (c.Init, c.InitAck, c.ShutdownComplete))]
        assert not alone or len(decoded.chunks) == 1
    for association in peer.endpoint.associations.values():
        receiver = association.tcb.receiver
        assert 0 <= receiver.unread <= 2 * receiver.receive_buffer + 70_000
        assert 0 <= receiver.reassembly.held <= 2 * receiver.receive_buffer + 70_000
        assert association.tcb.sender.rwnd >= 0
        assert association.tcb.sender.in_flight >= 0


def tag_of(peer: Raw, which: str) -> int:
    return {"right": peer.tag, "peer": peer.own_tag, "zero": 0, "wrong": 0x5EED5EED}[which]


@QUICK
@given(
    st.sampled_from(STATES),
    st.lists(st.tuples(TAGS, st.lists(CHUNKS, min_size=1, max_size=3), st.floats(0, 2)), min_size=1, max_size=6),
)
def test_packets_of_valid_chunks_in_every_state(state: State, packets: list[tuple[str, list[c.Chunk], float]]) -> None:
    peer = Raw.in_state(state, SMALL)
    for which, chunks, pause in packets:
        packet = encode(CLIENT_PORT, SERVER_PORT, tag_of(peer, which), [chunk.encode() for chunk in chunks])
        peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), packet)], peer.now)
        check(peer)
        peer.now += pause
        check(peer)


@QUICK
@given(st.sampled_from(STATES), st.lists(st.tuples(TAGS, st.binary(max_size=80)), min_size=1, max_size=5))
def test_packets_of_random_bytes_in_every_state(state: State, packets: list[tuple[str, bytes]]) -> None:
    peer = Raw.in_state(state, SMALL)
    batch = [
        (Route(A, UDP_PORT, B), encode(CLIENT_PORT, SERVER_PORT, tag_of(peer, which), [body]))
        for which, body in packets
    ]
    peer.endpoint.receive_datagrams(batch, peer.now)
    check(peer)


@QUICK
@given(st.sampled_from(STATES), CHUNKS, st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 255)), max_size=4),
       st.integers(0, 40))  # fmt: skip
def test_mutated_chunks_in_every_state(state: State, chunk: c.Chunk, changes: list[tuple[int, int]], cut: int) -> None:
    peer = Raw.in_state(state, SMALL)
    body = bytearray(chunk.encode())
    for place, value in changes:
        body[place % len(body)] = value
    body = body[: len(body) - cut % len(body)]
    peer.endpoint.receive_datagrams(
        [(Route(A, UDP_PORT, B), encode(CLIENT_PORT, SERVER_PORT, peer.tag, [bytes(body)]))], peer.now
    )
    check(peer)


@QUICK
@given(st.binary(max_size=60))
def test_datagrams_of_random_bytes(datagram: bytes) -> None:
    peer = Raw()
    peer.accept()
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), datagram)], peer.now)
    peer.endpoint.handle_unreachable(datagram, peer.now)
    check(peer)


@QUICK
@given(st.data())
def test_a_real_handshake_with_packets_mutated_and_replayed(data: st.DataObject) -> None:
    """Packets of a real association, with bits changed under a right checksum, come at any time and again."""
    pair = Pair(config=SMALL)
    pair.connect()
    pair.send(pair.a, 3_000)
    pair.run(1)
    recorded = [record.data for record in pair.network.trace if record.source == "a"]
    peer = pair.b
    for _ in range(data.draw(st.integers(1, 8))):
        packet = data.draw(st.sampled_from(recorded))
        body = bytearray(packet[12:])
        for _ in range(data.draw(st.integers(0, 2))):
            place = data.draw(st.integers(0, len(body) - 1))
            body[place] ^= 1 << data.draw(st.integers(0, 7))
        source, destination, tag = packet[:2], packet[2:4], packet[4:8]
        number = int.from_bytes
        forged = encode(number(source, "big"), number(destination, "big"), number(tag, "big"), [bytes(body)])
        pair.network.inject((A, UDP_PORT), B, UDP_PORT, forged)
        pair.run(data.draw(st.sampled_from((0.0, 0.1, 3.0))))
    pair.run(300)
    for association in peer.endpoint.associations.values():
        assert association.state in (State.ESTABLISHED, State.SHUTDOWN_PENDING)


@QUICK
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("send", "send", "send", "wait", "wait", "read", "stop", "shutdown", "abort", "heartbeat",
                             "cut", "restore")),
            st.integers(0, 1),
            st.integers(1, 6_000),
        ),
        max_size=25,
    ),
    st.integers(0, 1_000),
)  # fmt: skip
def test_any_verbs_in_any_order(verbs: list[tuple[str, int, int]], seed: int) -> None:
    pair = Pair(seed, config=SMALL, link=Link(0.03, loss=0.05, duplicate=0.05, reorder=0.05), tracing=False)
    pair.associate()
    for verb, which, number in verbs:
        node = pair.nodes[which]
        associations = list(node.endpoint.associations.values())
        if verb == "wait":
            pair.run(number / 2_000)
        elif verb == "stop":
            node.reading = False
        elif verb == "read":
            node.reading = True
        elif verb == "cut":
            pair.network.cut(A)
        elif verb == "restore":
            pair.network.restore(A)
        for association in associations:
            if verb == "send":
                message = Message(
                    number % 12, 1, bytes(number), unordered=number % 3 == 0, expires_at=pair.now + number
                )
                try:
                    association.send(message, pair.now)
                except (ConnectionError, ValueError):
                    # The association closes, or has no such stream.
                    assert association.state not in (State.ESTABLISHED,) or message.stream_id >= 10
            elif verb == "shutdown":
                association.shutdown(pair.now)
            elif verb == "abort":
                association.abort(b"enough", pair.now)
            elif verb == "heartbeat":
                association.heartbeat(pair.nodes[1 - which].address, pair.now)
        pair.drain()
    for node in pair.nodes:
        node.reading = True
        for association in list(node.endpoint.associations.values()):
            association.shutdown(pair.now)
    pair.run(3_000)
    for node in pair.nodes:
        assert not node.endpoint.associations
        assert node.endpoint.next_timeout() == math.inf
        ends = [e for e in node.events if isinstance(e, (AssociationClosed, AssociationLost))]
        assert len(ends) == len({e.association_id for e in ends})


def test_the_walker_of_parameters_is_reached_with_every_length() -> None:
    """INIT and INIT ACK whose parameters have every small length, right and wrong."""
    for length in range(12):
        for state in (State.COOKIE_WAIT, State.ESTABLISHED):
            peer = Raw.in_state(state)
            parameter = b"\x80\x08" + length.to_bytes(2, "big") + bytes(8)
            for kind, tag in ((c.Init, 0), (c.InitAck, peer.tag)):
                fixed = kind(0x22222222, 100_000, 4, 4, 1, []).encode()[4:]
                body = tlv.encode_chunk(kind.type, 0, fixed + parameter)
                peer.endpoint.receive_datagrams(
                    [(Route(A, UDP_PORT, B), encode(CLIENT_PORT, SERVER_PORT, tag, [body]))], peer.now
                )
                check(peer)
