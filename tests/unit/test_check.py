"""Every rule of the checker: an exchange that keeps them all gives nothing, and one that breaks one gives that one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from support.pair import Pair

from pysctpstack.check import RULES, Finding, Limits, check, report
from pysctpstack.config import Config
from pysctpstack.decode import SctpPacket, document, line
from pysctpstack.testing import Link, TraceRecord
from pysctpstack.wire import chunks as c
from pysctpstack.wire import params
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.packet import Packet, encode

A, B = "192.0.2.1", "198.51.100.1"
TAG_A, TAG_B = 0xA0A0A0A0, 0xB0B0B0B0
TSN_A, TSN_B = 0xFFFFFFFE, 5_000
COOKIE = b"the State Cookie"
B_BIT, E_BIT, U_BIT = 2, 1, 4


class Exchange:
    """Packets by hand between A (5001, the client) and B (5002), 1 ms apart unless told otherwise."""

    def __init__(self) -> None:
        self.packets: list[SctpPacket] = []
        self.time = 10.0

    def raw(self, end: str, data: bytes, after: float = 0.001) -> None:
        self.time += after
        source, destination = (A, B) if end == "a" else (B, A)
        self.packets.append(SctpPacket(len(self.packets) + 1, self.time, source, 9899, destination, 9899, data))

    def encoded(self, end: str, *chunks: c.Chunk | bytes, tag: int | None = None) -> bytes:
        ports = (5001, 5002) if end == "a" else (5002, 5001)
        if tag is None:
            tag = TAG_B if end == "a" else TAG_A
            tag = 0 if isinstance(chunks[0], c.Init) else tag
        return encode(*ports, tag, [chunk if isinstance(chunk, bytes) else chunk.encode() for chunk in chunks])

    def say(self, end: str, *chunks: c.Chunk | bytes, after: float = 0.001, tag: int | None = None) -> None:
        self.raw(end, self.encoded(end, *chunks, tag=tag), after)

    def init(self, **fields: object) -> c.Init:
        values: dict[str, object] = {
            "initiate_tag": TAG_A,
            "a_rwnd": 100_000,
            "outbound_streams": 10,
            "inbound_streams": 10,
            "initial_tsn": TSN_A,
            "parameters": [params.ForwardTsnSupported()],
        }
        return c.Init(**(values | fields))  # type: ignore[arg-type]

    def init_ack(self, **fields: object) -> c.InitAck:
        values: dict[str, object] = {
            "initiate_tag": TAG_B,
            "a_rwnd": 100_000,
            "outbound_streams": 5,
            "inbound_streams": 5,
            "initial_tsn": TSN_B,
            "parameters": [params.StateCookie(COOKIE), params.ForwardTsnSupported()],
        }
        return c.InitAck(**(values | fields))  # type: ignore[arg-type]

    def connect(self, **ack: object) -> None:
        self.say("a", self.init())
        self.say("b", self.init_ack(**ack))
        self.say("a", c.CookieEcho(COOKIE))
        self.say("b", c.CookieAck())

    def data(self, offset: int = 0, size: int = 100, ssn: int | None = None, flags: int = 3, **fields: int) -> c.Data:
        """A's DATA number ``offset``."""
        ssn = offset if ssn is None else ssn
        tsn = (TSN_A + offset) & 0xFFFFFFFF
        return c.Data(tsn, fields.get("stream_id", 0), ssn, fields.get("ppid", 0), bytes(size), flags)

    def sack(self, offset: int = 0, a_rwnd: int = 100_000, gaps: tuple[tuple[int, int], ...] = ()) -> c.Sack:
        """B's SACK up to A's DATA number ``offset``."""
        return c.Sack((TSN_A + offset) & 0xFFFFFFFF, a_rwnd, gaps)

    def close(self, acknowledged: int = TSN_B - 1) -> None:
        self.say("a", c.Shutdown(acknowledged))
        self.say("b", c.ShutdownAck())
        self.say("a", c.ShutdownComplete())


Breach = Callable[[Exchange], object]
BREACHES: list[tuple[str, Breach]] = []


def breaks(rule: str) -> Callable[[Breach], Breach]:
    def add(breach: Breach) -> Breach:
        BREACHES.append((rule, breach))
        return breach

    return add


def found(exchange: Exchange, limits: Limits | None = None) -> list[str]:
    return [finding.rule for finding in check(exchange.packets, limits)]


def clean(exchange: Exchange) -> None:
    """A whole life: handshake, messages in fragments, a loss, heartbeats, FORWARD TSN, shutdown."""
    exchange.connect()
    for number in range(4):
        exchange.say("a", exchange.data(number, ssn=number))
        if number % 2:
            exchange.say("b", exchange.sack(number))
    exchange.say("a", exchange.data(4, ssn=4, flags=B_BIT), exchange.data(5, ssn=4, flags=0))
    exchange.say("a", exchange.data(6, ssn=4, flags=E_BIT))
    exchange.say("b", exchange.sack(5))
    exchange.say("b", c.Data(TSN_B, 0, 0, 0, b"an answer"))
    exchange.say("a", c.Sack(TSN_B, 100_000))
    exchange.say("b", exchange.sack(6), after=0.2)
    exchange.say("a", exchange.data(8, ssn=6))
    exchange.say("b", exchange.sack(6, gaps=((2, 2),)))
    exchange.say("a", exchange.data(7, ssn=5))
    exchange.say("b", exchange.sack(8))
    exchange.say("a", c.Heartbeat(b"are you there"), after=30)
    exchange.say("b", c.HeartbeatAck(b"are you there"))
    exchange.say("a", ForwardTsn((TSN_A + 9) & 0xFFFFFFFF, [(0, 7)]))
    exchange.say("b", exchange.sack(9))
    exchange.close(TSN_B)


def test_an_exchange_that_keeps_the_rules_gives_nothing() -> None:
    exchange = Exchange()
    clean(exchange)
    result = report(exchange.packets)
    assert result.findings == []
    assert len(result.associations) == 1
    assert f"{TAG_A:#010x}" in result.associations[0]


@breaks("checksum")
def _(x: Exchange) -> None:
    x.connect()
    x.raw("a", x.encoded("a", c.Heartbeat(b"x"))[:-1] + b"\1")


@breaks("chunk-length")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Sack(TSN_B - 1, 1000).encode() + b"\x04\0\0\2")


@breaks("chunk-length")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Sack(TSN_B - 1, 1000).encode() + b"\x04\0\0\x40")


@breaks("malformed")
def _(x: Exchange) -> None:
    x.connect()
    x.say("b", b"\3\0\0\x10" + bytes(4) + bytes(4) + b"\0\1\0\0")


@breaks("padding")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(size=1).encode()[:-1] + b"!")


@breaks("padding")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(size=1).encode()[:-3])


@breaks("padding")
def _(x: Exchange) -> None:
    x.connect(parameters=[params.StateCookie(COOKIE), params.ForwardTsnSupported()])
    inner = params.HeartbeatInfo(b"12345").encode()[:-1] + b"!" + params.Padding(b"").encode()
    x.say("a", b"\4\0" + (4 + len(inner)).to_bytes(2, "big") + inner)
    x.say("b", c.HeartbeatAck(b"12345"))


@breaks("flags")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", b"\3\1" + c.Sack(TSN_B - 1, 1000).encode()[2:])


@breaks("bundling")
def _(x: Exchange) -> None:
    x.say("a", x.init(), c.UnknownChunk(0xFE, 0, b""))


@breaks("bundling-order")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(), c.Sack(TSN_B - 1, 1000))


@breaks("bundling-order")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(1), x.data(0))


@breaks("abort-data")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(), c.Abort())


@breaks("abort-data")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Abort(), c.Heartbeat(b"x"))


@breaks("cookie-first")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack())
    x.say("a", c.Error(), c.CookieEcho(COOKIE))


@breaks("tag")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Heartbeat(b"x"), tag=0x12345678)


@breaks("tag")
def _(x: Exchange) -> None:
    x.say("a", x.init(), tag=7)


@breaks("tag")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(), tag=0)


@breaks("tag")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack(), tag=0x12345678)


@breaks("t-bit")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Abort(), tag=TAG_A)


@breaks("t-bit")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Abort(reflected=True), tag=TAG_B)


@breaks("init-values")
def _(x: Exchange) -> None:
    x.say("a", x.init(outbound_streams=0))


@breaks("init-values")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack(a_rwnd=1_499))


@breaks("init-ack-cookie")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack(parameters=[]))


@breaks("handshake")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack())
    x.say("b", c.CookieAck())
    x.say("a", c.CookieEcho(COOKIE), after=1)


@breaks("handshake")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack())
    x.say("a", x.data())
    x.say("a", c.CookieEcho(COOKIE), after=1)


@breaks("cookie")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("b", x.init_ack())
    x.say("a", c.CookieEcho(b"another"))


@breaks("tsn-start")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(-1, ssn=0))


@breaks("tsn-reuse")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    x.say("a", x.data(0, size=101), after=1)


@breaks("tsn-gap")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    for number in range(6):
        x.say("a", x.data(number + 2))
        x.say("b", x.sack(0, gaps=((2, number + 2),)), after=1.5)


@breaks("acked-resent")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    for number in range(1, 12):
        x.say("b", x.sack(number - 1), after=0.2)
        x.say("a", x.data(number))
    x.say("a", x.data(0), after=0.1)


@breaks("early-retransmission")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    x.say("a", x.data(0), after=0.5)


@breaks("early-retransmission")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("a", x.init(), after=0.5)


@breaks("backoff")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    for _ in range(3):
        x.say("a", x.data(0), after=2)


@breaks("backoff")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("a", x.init(), after=3)
    x.say("a", x.init(), after=3)


@breaks("backoff")
def _(x: Exchange) -> None:
    x.say("a", x.init())
    x.say("a", x.init(), after=50)
    x.say("a", x.init(), after=300)


@breaks("sack-backwards")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0), x.data(1))
    x.say("b", x.sack(1))
    x.say("b", x.sack(0), after=1)


@breaks("sack-gaps")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0), x.data(1))
    x.say("b", x.sack(0, gaps=((1, 1),)))


@breaks("sack-gaps")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", *[x.data(n) for n in range(6)])
    x.say("b", x.sack(0, gaps=((4, 5), (2, 2))))


@breaks("sack-gaps")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", *[x.data(n) for n in range(6)])
    x.say("b", x.sack(0, gaps=((3, 2),)))


@breaks("sack-unsent")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    x.say("b", x.sack(3))


@breaks("sack-unsent")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    x.say("b", x.sack(0, gaps=((2, 2),)))
    x.say("a", x.data(1), after=1)
    x.say("a", x.data(2))


@breaks("sack-delay")
def _(x: Exchange) -> None:
    x.connect()
    for number in range(3):
        x.say("a", x.data(number))
        x.say("b", x.sack(number), after=0.7)


@breaks("sack-frequency")
def _(x: Exchange) -> None:
    x.connect()
    for number in range(9):
        x.say("a", x.data(number))
        if number % 3 == 2:
            x.say("b", x.sack(number))


@breaks("window")
def _(x: Exchange) -> None:
    x.connect(a_rwnd=1_500)
    x.say("a", x.data(0, size=1_000))
    x.say("a", x.data(1, size=1_000))


@breaks("window")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    x.say("b", x.sack(0, a_rwnd=0), after=0.4)
    x.say("a", x.data(1), after=2)
    x.say("a", x.data(2))


@breaks("no-user-data")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, size=0))


@breaks("stream-id")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, stream_id=5))


@breaks("ssn")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0), x.data(1, ssn=2))


@breaks("ssn")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, ssn=1))


@breaks("fragments")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, flags=B_BIT), x.data(1, ssn=1))


@breaks("fragments")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0), x.data(1, flags=E_BIT))


@breaks("fragments")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, flags=B_BIT), x.data(1, ssn=0, flags=E_BIT, stream_id=1))


@breaks("fragments")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, flags=B_BIT), x.data(1, ssn=0, flags=E_BIT | U_BIT))


@breaks("ppid")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0, flags=B_BIT), x.data(1, ssn=0, flags=E_BIT, ppid=46))


@breaks("heartbeat")
def _(x: Exchange) -> None:
    x.connect()
    for number in range(6):
        x.say("a", c.Heartbeat(bytes([number])))
        x.say("b", c.Data(TSN_B + number, 0, number, 0, b"alive"), after=1)
        x.say("a", c.Sack(TSN_B + number, 1_000))


@breaks("heartbeat-ack")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Heartbeat(b"one"))
    x.say("b", c.HeartbeatAck(b"two"))


@breaks("shutdown-outstanding")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0))
    x.say("a", c.Shutdown(TSN_B - 1))


@breaks("shutdown-data")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Shutdown(TSN_B - 1))
    x.say("a", x.data(0), after=1)


@breaks("shutdown-data")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Shutdown(TSN_B - 1))
    x.say("b", c.ShutdownAck())
    x.say("b", c.Data(TSN_B, 0, 0, 0, b"late"), after=1)


@breaks("shutdown-order")
def _(x: Exchange) -> None:
    x.connect()
    x.say("b", c.ShutdownAck())
    x.say("a", c.Shutdown(TSN_B - 1), after=1)


@breaks("after-end")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", c.Abort())
    x.say("a", x.data(0), after=1)


@breaks("after-end")
def _(x: Exchange) -> None:
    x.connect()
    x.close()
    x.say("a", c.Heartbeat(b"x"), after=1)


@breaks("forward-unsupported")
def _(x: Exchange) -> None:
    x.connect(parameters=[params.StateCookie(COOKIE)])
    x.say("a", x.data(0))
    x.say("a", ForwardTsn(TSN_A))


@breaks("forward-backwards")
def _(x: Exchange) -> None:
    x.connect()
    x.say("a", x.data(0), x.data(1))
    x.say("a", ForwardTsn((TSN_A + 1) & 0xFFFFFFFF))
    x.say("a", ForwardTsn(TSN_A), after=1)


def _names() -> Iterator[str]:
    seen: dict[str, int] = {}
    for rule, _ in BREACHES:
        seen[rule] = seen.get(rule, 0) + 1
        yield f"{rule}-{seen[rule]}"


@pytest.mark.parametrize(("rule", "breach"), BREACHES, ids=list(_names()))
def test_a_breach_is_found_and_nothing_else(rule: str, breach: Breach) -> None:
    exchange = Exchange()
    breach(exchange)
    findings = check(exchange.packets)
    assert {finding.rule for finding in findings} == {rule}
    assert findings[0].section
    assert findings[0].level in ("MUST", "SHOULD")
    assert findings[0].section in str(findings[0])
    assert rule in str(findings[0])


def test_every_rule_has_a_breach() -> None:
    assert {rule for rule, _ in BREACHES} == set(RULES)


# --- what must not alarm ---


def test_an_association_whose_beginning_was_not_seen() -> None:
    exchange = Exchange()
    clean(exchange)
    for start in range(len(exchange.packets)):
        result = report(exchange.packets[start:])
        assert result.findings == [], start
        if start >= 1:
            assert result.notes


@pytest.mark.parametrize("lost", range(22))
def test_a_packet_that_was_not_captured(lost: int) -> None:
    exchange = Exchange()
    clean(exchange)
    assert check(exchange.packets[:lost] + exchange.packets[lost + 1 :]) == []


def test_every_packet_twice() -> None:
    exchange = Exchange()
    clean(exchange)
    assert check([copy for packet in exchange.packets for copy in (packet, packet)]) == []


@pytest.mark.parametrize("first", range(3, 26))
def test_packets_that_overtook_each_other(first: int) -> None:
    exchange = Exchange()
    clean(exchange)
    packets = exchange.packets
    if first + 1 < len(packets) and packets[first + 1].time - packets[first].time < 0.1:
        packets[first], packets[first + 1] = packets[first + 1], packets[first]
    assert check(packets) == []


def test_both_sides_of_a_relay() -> None:
    exchange = Exchange()
    clean(exchange)
    both: list[SctpPacket] = []
    for packet in exchange.packets:
        there = packet.source == A
        near = (A, "10.0.0.5") if there else ("10.0.0.5", A)
        far = ("10.0.0.5", B) if there else (B, "10.0.0.5")
        for number, (source, destination) in enumerate((near, far) if there else (far, near)):
            time = packet.time + number * 0.0002
            both.append(SctpPacket(len(both) + 1, time, source, 9899, destination, 9899, packet.data))
    result = report(both)
    assert result.findings == []
    assert len(result.associations) == 2


def test_checksums_that_were_left_to_the_card_are_a_note() -> None:
    exchange = Exchange()
    clean(exchange)
    for packet in exchange.packets:
        if packet.source == A:
            packet.data = packet.data[:8] + bytes(4) + packet.data[12:]
    result = report(exchange.packets)
    assert result.findings == []
    assert any("no checksum" in note for note in result.notes)


def test_a_snap_length_that_cuts_the_data() -> None:
    exchange = Exchange()
    clean(exchange)
    for packet in exchange.packets:
        packet.missing = max(len(packet.data) - 60, 0)
        packet.data = packet.data[:60]
    assert check(exchange.packets) == []


def test_a_restart_is_another_association() -> None:
    exchange = Exchange()
    exchange.connect()
    exchange.say("a", exchange.data(0))
    exchange.say("b", exchange.sack(0))
    exchange.say("a", exchange.init(initiate_tag=0xC0C0C0C0, initial_tsn=77), after=5)
    exchange.say("b", exchange.init_ack(initiate_tag=0xD0D0D0D0, initial_tsn=88), tag=0xC0C0C0C0)
    exchange.say("a", c.CookieEcho(COOKIE), tag=0xD0D0D0D0)
    exchange.say("b", c.CookieAck(), tag=0xC0C0C0C0)
    exchange.say("a", c.Data(77, 0, 0, 0, b"new"), tag=0xD0D0D0D0)
    exchange.say("b", c.Sack(77, 1_000), tag=0xC0C0C0C0)
    result = report(exchange.packets)
    assert result.findings == []
    assert len(result.associations) == 2


def test_a_stateless_answer_from_out_of_the_blue() -> None:
    exchange = Exchange()
    clean(exchange)
    exchange.say("b", c.ShutdownAck(), after=1)
    exchange.say("a", c.ShutdownComplete(True), tag=TAG_A)
    exchange.say("b", c.Abort(reflected=True), tag=TAG_B)
    assert check(exchange.packets) == []


def test_limits_are_the_caller_s() -> None:
    exchange = Exchange()
    exchange.connect()
    exchange.say("a", exchange.data(0))
    exchange.say("a", exchange.data(0), after=0.5)
    assert found(exchange) == ["early-retransmission"]
    assert found(exchange, Limits(rto_min=0.2)) == []


def test_a_finding_as_a_document() -> None:
    finding = Finding("ssn", 7, 1.5, A, "a - b", "what happened")
    assert finding.document() == {
        "rule": "ssn",
        "number": 7,
        "time": 1.5,
        "source": A,
        "association": "a - b",
        "text": "what happened",
        "section": "6.5",
        "level": "MUST",
    }


# --- traces of the stack itself ---


def at(pair: Pair, name: str) -> list[SctpPacket]:
    """What a capture on that host shows."""

    def packet(time: float, record: TraceRecord, data: bytes) -> SctpPacket:
        route = record.on_the_way
        return SctpPacket(0, time, route.source, route.source_port, route.destination, route.destination_port, data)

    trace = pair.network.trace
    arrived = [packet(r.arrival, r, r.received_data) for r in trace if r.destination == name and r.arrived]
    sent = [packet(r.time, r, r.data) for r in trace if r.source == name and r.left and not r.is_copy]
    return sorted(arrived + sent, key=lambda item: item.time)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_the_stack_s_own_exchanges_are_clean(seed: int, loss: float) -> None:
    link = Link(latency=0.02, jitter=0.01, loss=loss, duplicate=loss, reorder=loss, reorder_delay=0.05)
    pair = Pair(seed, link=link, config=Config(receive_buffer=20_000 if seed % 2 else 212_992, strict_sack=True))
    pair.connect()
    for size in (1, 1_000, 5_000, 30_000):
        for node in pair.nodes:
            for stream in range(3):
                pair.send(node, size, stream, unordered=stream == 2)
    pair.run(40)
    pair.a.association.shutdown(pair.now)
    pair.run(60)
    for name in ("a", "b"):
        packets = at(pair, name)
        assert len(packets) > 50
        assert check(packets) == []


def test_a_lie_in_a_trace_of_the_stack_is_found() -> None:
    pair = Pair(5)
    pair.connect()
    pair.send(pair.a, 20_000)
    pair.run(5)
    packets = at(pair, "b")
    assert check(packets) == []
    sack = next(packet for packet in reversed(packets) if packet.data[12] == c.Sack.type)
    ports = int.from_bytes(sack.data[:2], "big"), int.from_bytes(sack.data[2:4], "big")
    tag = int.from_bytes(sack.data[4:8], "big")
    true = c.Sack.decode(0, sack.data[16:])
    sack.data = Packet(*ports, tag, chunks=[c.Sack(true.cumulative_tsn + 9, true.a_rwnd)]).encode()
    assert {finding.rule for finding in check(packets)} == {"sack-unsent"}


def test_the_page_lists_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "check.md").read_text()
    for rule, (section, level, text) in RULES.items():
        assert f"| `{rule}` | {section} | {level} | {text} |" in page


@pytest.mark.parametrize("seed", range(40))
def test_no_bytes_make_it_fail(seed: int) -> None:
    chance = Random(seed)
    exchange = Exchange()
    clean(exchange)
    for packet in exchange.packets:
        data = bytearray(packet.data)
        for _ in range(chance.choice((0, 1, 1, 5))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        del data[chance.choice((len(data), chance.randrange(len(data)))) :]
        if len(data) >= 12 and chance.random() < 0.8:
            data[8:12] = bytes(4)  # goes on as a checksum that was left to the card
        packet.data = bytes(data)
        assert line(packet)
        assert json.dumps(document(packet))
    chance.shuffle(exchange.packets)
    report(exchange.packets)
