"""Captures of every kind, made here, and what the decoder makes of them."""

from __future__ import annotations

import io
import json
import struct
import sys
from ipaddress import ip_address
from random import Random

import pytest
from dpkt import pcap, pcapng
from support.pair import Pair

from pysctpstack.decode import CaptureError, Remark, SctpPacket, document, line, read, train
from pysctpstack.testing import pcap as captures
from pysctpstack.wire import causes, params
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import Packet

A, B = "192.0.2.1", "198.51.100.1"
A6, B6 = "2001:db8::1", "2001:db8::2"
PACKET = Packet(5001, 5002, 0x1234ABCD, chunks=[c.Data(7, 1, 2, 46, b"hello")]).encode()


def udp(payload: bytes, source: int = 9899, destination: int = 9899, length: int | None = None) -> bytes:
    return struct.pack("!HHHH", source, destination, 8 + len(payload) if length is None else length, 0) + payload


def ipv4(
    payload: bytes, protocol: int = 132, *, offset: int = 0, more: bool = False, length: int | None = None
) -> bytes:
    total = 20 + len(payload) if length is None else length
    flags = offset // 8 | (0x2000 if more else 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, total, 77, flags, 64, protocol, 0)
    return head + ip_address(A).packed + ip_address(B).packed + payload


def ipv6(payload: bytes, next_header: int = 132) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64)
    return head + ip_address(A6).packed + ip_address(B6).packed + payload


def ethernet(packet: bytes, ethertype: int = 0x0800, tags: bytes = b"") -> bytes:
    return bytes(12) + tags + ethertype.to_bytes(2, "big") + packet


def capture(*frames: bytes, link_type: int = 101, nano: bool = False) -> io.BytesIO:
    file = io.BytesIO()
    writer = pcap.Writer(file, linktype=link_type, nano=nano)
    for number, frame in enumerate(frames):
        writer.writepkt(frame, ts=100 + number)
    return io.BytesIO(file.getvalue())


def only(file: io.BytesIO, *udp_ports: int) -> SctpPacket:
    (packet,) = read(file, {9899, *udp_ports})
    assert isinstance(packet, SctpPacket)
    return packet


@pytest.mark.parametrize(
    ("link_type", "frame"),
    [
        (101, ipv4(PACKET)),
        (12, ipv4(PACKET)),
        (228, ipv4(PACKET)),
        (1, ethernet(ipv4(PACKET))),
        (1, ethernet(ipv4(PACKET), tags=bytes.fromhex("88a8000581000007"))),
        (1, ethernet(ipv4(PACKET) + bytes(7))),
        (113, bytes(14) + b"\x08\x00" + ipv4(PACKET)),
        (276, b"\x08\x00" + bytes(18) + ipv4(PACKET)),
        (0, struct.pack("<I", 2) + ipv4(PACKET)),
        (108, struct.pack("!I", 2) + ipv4(PACKET)),
        (101, ipv4(udp(PACKET), 17)),
        (1, ethernet(ipv4(udp(PACKET), 17))),
    ],
)
def test_a_packet_is_found_in_every_link_type(link_type: int, frame: bytes) -> None:
    packet = only(capture(frame, link_type=link_type))
    assert packet.data == PACKET
    assert (packet.source, packet.destination, packet.time, packet.missing) == (A, B, 100.0, 0)
    assert (packet.source_port == 9899) is (17 in (frame[9], frame[23]))


def test_sctp_without_ip() -> None:
    assert only(capture(PACKET, link_type=248)).source == ""


@pytest.mark.parametrize(
    "packet",
    [
        ipv6(PACKET),
        ipv6(udp(PACKET), 17),
        ipv6(bytes((60, 0)) + bytes(6) + bytes((132, 1)) + bytes(14) + PACKET, 0),
        ipv6(bytes((132, 4)) + bytes(22) + PACKET, 51),
    ],
)
def test_ipv6_with_extension_headers(packet: bytes) -> None:
    found = only(capture(ethernet(packet, 0x86DD), link_type=1))
    assert (found.source, found.destination, found.data) == (A6, B6, PACKET)


def test_other_udp_ports_are_left_alone_unless_named() -> None:
    frame = ipv4(udp(PACKET, 4000, 5000), 17)
    assert list(read(capture(frame))) == []
    assert only(capture(frame), 5000).data == PACKET


def test_nanoseconds_and_big_endian() -> None:
    packet = ipv4(PACKET)
    file = struct.pack(">IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65_535, 101)
    file += struct.pack(">IIII", 5, 250_000_000, len(packet), len(packet)) + packet
    assert only(io.BytesIO(file)).time == 5.25


def test_pcapng_with_two_interfaces_of_different_kinds() -> None:
    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)

    def packet(interface: int, time: int, data: bytes, wire: int | None = None) -> bytes:
        head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(data), wire or len(data))
        return block(6, head + data)

    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    raw = block(1, struct.pack("<HHI", 101, 0, 0))
    # if_tsresol: 10^-9.
    wired = block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0))
    other = block(5, bytes(12))
    file = section + raw + wired + other + packet(1, 3_500_000_000, ethernet(ipv4(PACKET)))
    file += packet(0, 4_500_000, ipv4(PACKET)[:40], len(ipv4(PACKET)))
    first, second = read(io.BytesIO(file))
    assert isinstance(first, SctpPacket)
    assert isinstance(second, SctpPacket)
    assert (first.number, first.time, first.data) == (1, 3.5, PACKET)
    assert (second.number, second.time, second.missing) == (2, 4.5, len(PACKET) - 20)


def test_pcapng_of_dpkt() -> None:
    file = io.BytesIO()
    writer = pcapng.Writer(file)
    writer.writepkt(ethernet(ipv4(PACKET)), ts=12.5)
    assert only(io.BytesIO(file.getvalue())).data == PACKET


def test_fragments_come_together_in_any_order() -> None:
    payload = Packet(1, 2, 3, chunks=[c.Data(1, 0, 0, 0, bytes(range(256)) * 8)]).encode()
    pieces = [payload[:800], payload[800:1600], payload[1600:]]
    frames = [ipv4(piece, offset=800 * n, more=n < 2) for n, piece in enumerate(pieces)]
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 0, 1, 2)):
        packet = only(capture(*[frames[n] for n in order]))
        assert packet.data == payload
        assert packet.number == len(order)
        assert packet.notes == ("reassembled from 3 IP fragments",)


def test_ipv6_fragments() -> None:
    def fragment(offset: int, more: bool, piece: bytes) -> bytes:
        return ipv6(struct.pack("!BBHI", 17, 0, offset | more, 99) + piece, 44)

    payload = udp(Packet(1, 2, 3, chunks=[c.Data(1, 0, 0, 0, bytes(900))]).encode())
    packet = only(capture(fragment(0, True, payload[:480]), fragment(480, False, payload[480:])))
    assert packet.data == payload[8:]


def test_fragments_that_lack_a_fellow_are_told() -> None:
    (remark,) = read(capture(ipv4(PACKET[:16], more=True)))
    assert isinstance(remark, Remark)
    assert "16 bytes, the last one missing" in remark.text
    (cut,) = read(capture(ipv4(PACKET[:8], more=True, length=36)))
    assert isinstance(cut, Remark)
    assert "8 bytes cut off" in cut.text


def test_what_the_snap_length_cut_is_told_and_not_called_wrong() -> None:
    packet = only(capture(ipv4(udp(PACKET), 17)[:-6]))
    assert packet.missing == 6
    assert packet.notes == ("6 bytes cut off by the capture",)
    decoded = document(packet)
    assert decoded["checksum_status"] == "unknown"
    assert decoded["error"] == "partial_chunk"
    assert decoded["partial_chunk"] == {"type": 0, "name": "DATA", "flags": 3, "length": 21}
    assert "!checksum" not in line(packet)


def test_a_train_is_taken_apart() -> None:
    packets = [Packet(9, 8, 5, chunks=[c.Data(n, 0, n, 0, bytes([n]) * 100)]).encode() for n in range(3)]
    packets.append(Packet(9, 8, 5, chunks=[c.Data(3, 0, 3, 0, b"last")]).encode())
    whole = b"".join(packets)
    found = list(read(capture(ipv4(udp(whole), 17))))
    assert [packet.data for packet in found if isinstance(packet, SctpPacket)] == packets
    assert isinstance(found[1], SctpPacket)
    assert found[1].notes == (f"2 of 4 packets seen as one UDP datagram of {len(whole)} bytes",)
    assert {document(packet)["checksum_status"] for packet in found if isinstance(packet, SctpPacket)} == {"good"}
    # A packet with a wrong checksum is no train.
    assert train(packets[0][:-1] + b"!") == [packets[0][:-1] + b"!"]


def test_a_udp_header_that_promises_more_than_ip_carries() -> None:
    packet = only(capture(ipv4(udp(PACKET, length=900), 17)))
    assert packet.data == PACKET
    assert packet.notes == (f"the UDP header says 900 bytes, IP carries {8 + len(PACKET)}",)


def test_everything_of_a_packet_is_in_the_document() -> None:
    init = c.Init(0xAABBCCDD, 1500, 10, 20, 30, [params.Ipv4Address(A), params.SupportedExtensions([192, 130])])
    error = c.Error([causes.MissingMandatoryParameter([7]), causes.UnknownCause(999, b"abc")])
    unknown = c.UnknownChunk(0xFE, 5, b"what")
    data = Packet(5001, 5002, 0x1234ABCD, chunks=[init, error, unknown, c.Sack(9, 100, ((2, 3),), (8,))]).encode()
    decoded = json.loads(json.dumps(document(SctpPacket(1, 2.5, A, 9899, B, 9900, data))))
    assert decoded["encapsulation"] == {"source_port": 9899, "destination_port": 9900}
    assert (decoded["source_port"], decoded["destination_port"], decoded["verification_tag"]) == (
        5001,
        5002,
        0x1234ABCD,
    )
    assert decoded["checksum_status"] == "good"
    first, second, third, fourth = decoded["chunks"]
    assert first["initiate_tag"] == 0xAABBCCDD
    assert first["parameters"] == [
        {"type": 5, "name": "ipv4", "length": 8, "address": A},
        {"type": 0x8008, "name": "supported-extensions", "length": 6, "chunk_types": [192, 130]},
    ]
    assert second["causes"][0] == {"code": 2, "name": "missing-mandatory-parameter", "length": 10, "types": [7]}
    assert second["causes"][1] == {"code": 999, "name": "cause-999", "length": 7, "value": "616263"}
    assert (third["name"], third["flags"], third["value"]) == ("CHUNK-254", 5, b"what".hex())
    assert (fourth["gaps"], fourth["duplicates"]) == ([[2, 3]], [8])


def test_what_does_not_decode_is_shown_as_bytes() -> None:
    broken = Packet(1, 2, 3, chunks=[c.UnknownChunk(3, 0, b"short")]).encode()
    (chunk,) = document(SctpPacket(1, 0.0, A, 0, B, 0, broken))["chunks"]
    assert (chunk["name"], chunk["error"], chunk["value"], chunk["chunk_padding"]) == (
        "SACK",
        "bad_sack",
        b"short".hex(),
        "000000",
    )
    assert document(SctpPacket(1, 0.0, A, 0, B, 0, b"tiny"))["error"] == "truncated_packet"


def test_the_checksum_s_state() -> None:
    zero = PACKET[:8] + bytes(4) + PACKET[12:]
    assert document(SctpPacket(1, 0.0, A, 0, B, 0, zero))["checksum_status"] == "zero"
    assert line(SctpPacket(1, 0.0, A, 0, B, 0, zero)).endswith("!checksum-zero")
    bad = SctpPacket(1, 0.0, A, 0, B, 0, PACKET[:-1] + b"!")
    assert document(bad)["checksum_status"] == "bad"
    assert line(bad).endswith("!checksum")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "shorter than"),
        (b"text, no capture", "begins with 74657874"),
        (capture(ipv4(PACKET)).getvalue()[:-3], "ends in the middle of a frame after frame 0"),
        (capture(ipv4(PACKET)).getvalue()[:30], "ends in the middle of a frame's header"),
        (bytes.fromhex("0a0d0d0a00000001"), "ends in the middle"),
        (struct.pack("<IIIHHq", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1) + bytes(4) + struct.pack("<II", 6, 5), "5 bytes"),
    ],
)
def test_a_damaged_capture_says_where(file: bytes, message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        list(read(io.BytesIO(file)))


def test_without_dpkt_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dpkt", None)
    with pytest.raises(CaptureError, match=r"pysctpstack\[pcap\]"):
        list(read(capture(ipv4(PACKET))))


def test_a_trace_of_the_simulated_network_decodes_to_what_was_sent(tmp_path: object) -> None:
    pair = Pair(1)
    pair.connect()
    pair.send(pair.a, 5000)
    pair.run(2)
    path = f"{tmp_path}/trace.pcap"
    count = pair.network.write_pcap(path)
    found = list(read(path))
    assert len(found) == count > 5
    sent = [record.data for record in pair.network.trace]
    assert [packet.data for packet in found if isinstance(packet, SctpPacket)] == sent
    assert isinstance(found[0], SctpPacket)
    assert found[0].source_port == 9899
    assert captures.ip_overhead(found[0].source) == 28


@pytest.mark.parametrize("seed", range(30))
def test_a_spoilt_file_gives_packets_or_a_capture_error(seed: int) -> None:
    chance = Random(seed)
    file = io.BytesIO()
    if seed % 2:
        writer = pcapng.Writer(file)
        for _ in range(5):
            writer.writepkt(ethernet(ipv4(udp(PACKET), 17)), ts=1)
    else:
        file = capture(*[ipv6(PACKET), ipv4(PACKET, more=True), ipv4(udp(PACKET), 17)] * 3)
    for _ in range(60):
        data = bytearray(file.getvalue())
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(4, len(data))] = chance.choice((0, 1, 0xFF, chance.randrange(256)))
        try:
            for item in read(io.BytesIO(bytes(data))):
                if isinstance(item, SctpPacket):
                    assert line(item)
        except CaptureError:
            continue
