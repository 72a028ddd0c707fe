"""RFC 9260 section 3, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, UDP_PORT, A, B, Pair, Raw, state_cookie

from pysctpstack import Stack
from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import MessageReceived
from pysctpstack.sockets.addresses import resolve
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import tlv
from pysctpstack.wire.causes import InvalidMandatoryParameter
from pysctpstack.wire.packet import encode, split
from pysctpstack.wire.params import (
    HostName,
    Ipv4Address,
    Ipv6Address,
    StateCookie,
    SupportedAddressTypes,
    UnrecognizedParameter,
)

NEW_TAG = 0x22222222
WHOLE = cp.DATA_FLAG_B | cp.DATA_FLAG_E


def encoded(packet: bytes) -> list[tuple[int, int, bytes]]:
    """(type, flags, whole chunk without padding) of the chunks of a packet."""
    chunks, complete = split(packet)
    assert complete
    return [(type_, flags, packet[start - 4 : end]) for type_, flags, start, end in chunks]


# --- 3.1, 3.2 ---


@pytest.mark.parametrize("ports", [(0, SERVER_PORT), (CLIENT_PORT, 0), (0, 0)])
def test_port_0_is_neither_used_nor_answered(ports: tuple[int, int]) -> None:
    peer = Raw()
    for chunk, tag in ((peer.init(), 0), (c.ShutdownAck(), 7), (c.Heartbeat(b"x" * 8), 7)):
        assert peer.give(chunk, tag=tag, ports=ports) == []
    assert peer.endpoint.counters == {"port_0": 3}
    with pytest.raises(ValueError, match="1 to 65535"):
        peer.endpoint.associate(*ports, Route(A, UDP_PORT), peer.settings, peer.now)


@pytest.mark.parametrize("filler", [0x00, 0xFF])
def test_padding_may_hold_anything(filler: int) -> None:
    def fill(chunk: bytes, length: int) -> bytes:
        return chunk[:length] + bytes((filler,)) * (-length & 3)

    peer = Raw()
    # A parameter of six bytes at the end of an INIT, and between others.
    name = SupportedAddressTypes([cp.PARAM_IPV4_ADDRESS]).encode()
    parameters = fill(name, 6) + Ipv4Address("192.0.2.2").encode() + fill(name, 6)
    init = tlv.encode_chunk(cp.INIT, 0, peer.init().encode()[4:] + parameters)
    (ack,) = peer.give(init, tag=0)
    assert isinstance(ack, c.InitAck)
    assert [type(p) for p in ack.parameters if not isinstance(p, UnrecognizedParameter)] == [StateCookie]
    peer.tag = ack.initiate_tag
    peer.give(c.CookieEcho(state_cookie(ack)))
    assert "192.0.2.2" in peer.association.tcb.paths.by_address
    first = fill(peer.data(b"abcde").encode(), 21)
    assert [type(k) for k in peer.give(first, peer.data(b"f", ssn=1))] == [c.Sack]
    assert [e.data for e in peer.events(MessageReceived)] == [b"abcde", b"f"]


# --- 3.3.1 ---


def test_data_chunks_on_the_wire() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.settings.no_delay = True
    peer.accept()
    for size in (1, 2, 3, 4, 5, 3_000):
        peer.association.send(Message(2, 0x01020304, b"\xee" * size), peer.now)
    packets = [packet for _, packet in peer.endpoint.datagrams_to_send(peer.now)]
    while len(packets) < 8:
        tsn = int.from_bytes(packets[-1][16:20], "big")
        peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), peer.packet(c.Sack(tsn, 1_000_000)))], peer.now)
        more = [packet for _, packet in peer.endpoint.datagrams_to_send(peer.now)]
        assert more
        packets += more
    chunks = [chunk for packet in packets for chunk in encoded(packet)]
    assert [chunk[0] for chunk in chunks] == [cp.DATA] * 8
    tsns = [int.from_bytes(chunk[4:8], "big") for _, _, chunk in chunks]
    assert tsns == [(peer.local_tsn + number) & 0xFFFFFFFF for number in range(8)]
    assert [flags & WHOLE for _, flags, _ in chunks] == [WHOLE] * 5 + [cp.DATA_FLAG_B, 0, cp.DATA_FLAG_E]
    assert {chunk[12:16] for _, _, chunk in chunks} == {bytes((1, 2, 3, 4))}
    for packet, (_, _, chunk) in zip(packets, chunks, strict=True):
        length = int.from_bytes(chunk[2:4], "big")
        assert length == len(chunk)
        padding = packet[12 + length :]
        assert padding == bytes(-length & 3)


# --- 3.3.2, 3.3.3 ---


def test_init_and_init_ack_as_they_are_sent() -> None:
    several = ("192.0.2.1", "192.0.2.9", "2001:db8::9")
    peer = Raw()
    peer.endpoint.unlisten(SERVER_PORT)
    peer.endpoint.listen(SERVER_PORT, peer.settings, 5, local_addresses=several)
    peer.endpoint.receive_datagrams(
        [(Route(A, UDP_PORT, B), encode(CLIENT_PORT, SERVER_PORT, 0, [peer.init().encode()]))], peer.now
    )
    peer.endpoint.associate(6_000, 7_000, Route(A, UDP_PORT), peer.settings, peer.now, local_addresses=several)
    packets = [encoded(packet) for _, packet in peer.endpoint.datagrams_to_send(peer.now)]
    assert [[(type_, flags) for type_, flags, _ in packet] for packet in packets] == [
        [(cp.INIT_ACK, 0)],
        [(cp.INIT, 0)],
    ]
    for ((type_, _, chunk),) in packets:
        decoded = c.decode_chunk(type_, 0, chunk[4:])
        assert isinstance(decoded, (c.Init, c.InitAck))
        assert decoded.a_rwnd >= 1_500
        kinds = [type(parameter) for parameter in decoded.parameters]
        assert kinds.count(Ipv4Address) >= 2
        assert HostName not in kinds
        assert all(kinds.count(kind) == 1 for kind in kinds if kind not in (Ipv4Address, Ipv6Address))
        for parameter in decoded.parameters:
            if isinstance(parameter, SupportedAddressTypes):
                assert cp.PARAM_HOST_NAME not in parameter.types
            if isinstance(parameter, Ipv6Address):
                assert not parameter.address.startswith("::ffff:")


def test_mapped_addresses_are_ipv4_inside() -> None:
    assert resolve(("::ffff:192.0.2.1", 5, 0, 0), socket.AF_INET6) == ("192.0.2.1", 5)
    assert resolve(("::FFFF:192.0.2.1", 5, 0, 0), socket.AF_INET6, passive=True) == ("192.0.2.1", 5)


def test_flags_of_init_and_init_ack_mean_nothing() -> None:
    peer = Raw()
    (ack,) = peer.give(tlv.encode_chunk(cp.INIT, 0xFF, peer.init().encode()[4:]), tag=0)
    assert isinstance(ack, c.InitAck)
    client = Raw()
    client.associate()
    answers = client.give(tlv.encode_chunk(cp.INIT_ACK, 0xFF, client.init_ack().encode()[4:]))
    assert answers == [c.CookieEcho(b"cookie")]


IMPOSSIBLE = [{"a_rwnd": 1_499}, {"outbound_streams": 0}, {"inbound_streams": 0}]


@pytest.mark.parametrize("fields", IMPOSSIBLE)
@pytest.mark.parametrize("state", STATES[:-1])
def test_an_init_with_impossible_values_changes_no_association(state: State, fields: dict[str, int]) -> None:
    peer = Raw.in_state(state)
    deadline = peer.endpoint.next_timeout()
    packet = encode(CLIENT_PORT, SERVER_PORT, 0, [peer.init(initiate_tag=NEW_TAG, **fields).encode()])
    peer.endpoint.receive_datagrams([(Route(A, UDP_PORT, B), packet)], peer.now)
    ((_, tag, chunks),) = peer.sent()
    assert (tag, chunks) == (NEW_TAG, [c.Abort([InvalidMandatoryParameter()])])
    assert peer.association.state is state
    assert peer.endpoint.next_events() == []
    assert peer.endpoint.next_timeout() == deadline


@pytest.mark.parametrize("fields", [{"initiate_tag": 0}, *IMPOSSIBLE])
@pytest.mark.parametrize("state", STATES[1:])
def test_impossible_init_acks_are_dropped_elsewhere(state: State, fields: dict[str, int]) -> None:
    peer = Raw.in_state(state)
    assert peer.give(peer.init_ack(**fields)) == []
    assert peer.association.state is state
    assert peer.endpoint.next_events() == []


def test_initial_tsns_are_random() -> None:
    pairs = [Pair(seed) for seed in range(12)]
    for pair in pairs:
        pair.connect()
    tsns = [init.initial_tsn for pair in pairs for _, init in pair.sent_chunks("a", c.Init)]
    tsns += [ack.initial_tsn for pair in pairs for _, ack in pair.sent_chunks("b", c.InitAck)]
    assert len(set(tsns)) == 24
    # From the whole range.
    assert min(tsns) < 1 << 30
    assert max(tsns) > 3 << 30


def test_an_init_ack_offers_no_tag_0() -> None:
    class ZerosFirst:
        """Random bytes of which the first few numbers are 0."""

        def __init__(self) -> None:
            self.zeros = 3

        def token(self, size: int) -> bytes:
            if size == 4 and self.zeros:
                self.zeros -= 1
                return bytes(4)
            return b"\x5a" * size

    peer = Raw()
    peer.endpoint.shared.entropy = ZerosFirst()
    (ack,) = peer.give(peer.init(), tag=0)
    assert isinstance(ack, c.InitAck)
    assert ack.initiate_tag == 0x5A5A5A5A


def test_a_supported_host_name_is_ignored() -> None:
    peer = Raw()
    types = SupportedAddressTypes([cp.PARAM_HOST_NAME, cp.PARAM_IPV4_ADDRESS])
    (ack,) = peer.give(peer.init(parameters=[types]), tag=0)
    assert isinstance(ack, c.InitAck)
    assert not [p for p in ack.parameters if isinstance(p, (UnrecognizedParameter, HostName))]


def test_a_large_init_ack() -> None:
    client = Raw()
    client.associate()
    cookie = bytes(range(256)) * 20
    listed = [Ipv6Address(f"2001:db8::{number:x}") for number in range(1, 40)]
    (echo,) = client.give(client.init_ack(parameters=[StateCookie(cookie), *listed]))
    assert echo == c.CookieEcho(cookie)


def test_an_init_ack_without_addresses() -> None:
    client = Raw()
    client.associate()
    client.give(client.init_ack())
    client.give(c.CookieAck())
    assert client.association.state is State.ESTABLISHED
    assert list(client.association.tcb.paths.by_address) == [A]


def test_so_rcvbuf_takes_nothing_from_an_association() -> None:
    with Stack(replace(Config(), udp_port=0)) as server:
        listener = server.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with Stack(replace(Config(), udp_port=0, remote_udp_port=server.udp_ports[0])) as stack:
            client = stack.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.settimeout(20)
            client.connect(listener.getsockname())
            (association,) = client.associations.values()
            before = association.tcb.receiver.window
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 5_000)
            assert association.tcb.receiver.window == before == Config().receive_buffer
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 250_000)
            assert association.tcb.receiver.window == 500_000
            client.close()


def test_an_init_ack_offers_no_more_streams_than_the_init_takes() -> None:
    peer = Raw()
    (ack,) = peer.give(peer.init(inbound_streams=4), tag=0)
    assert isinstance(ack, c.InitAck)
    assert 1 <= ack.outbound_streams <= 4


@pytest.mark.parametrize("fields", [{"receive_buffer": 1_499}, {"outbound_streams": 0}, {"max_inbound_streams": 0}])
def test_a_configuration_that_no_init_can_carry_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        replace(Config(), **fields)  # type: ignore[arg-type]


# --- 3.3.5, 3.3.7 ---


def test_heartbeats_have_a_nonce() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.accept(peer.init(parameters=[Ipv4Address("192.0.2.2")]))
    infos = [k.info for k in peer.wait(300) if isinstance(k, c.Heartbeat)]
    nonces = {info[:8] for info in infos}
    assert len(nonces) == len(infos) >= 5
    assert all(info[8:] == b"192.0.2.2" for info in infos)


def test_an_abort_with_a_format_error_is_dropped() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    peer.give(tlv.encode_chunk(cp.ABORT, 0, b"\0\5\0\1"))
    assert peer.association.state is State.ESTABLISHED
