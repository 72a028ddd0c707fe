"""Common header, checksum, and the bounds of the chunks."""

from __future__ import annotations

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import packet
from pysctpstack.wire.chunks import CookieAck, Data, ShutdownComplete
from pysctpstack.wire.packet import Packet

# ports 5001 and 5002, tag 0x01020304, CRC to come
HEADER = bytes.fromhex("1389 138a 01020304 00000000")
COOKIE_ACK = bytes.fromhex("0b000004")


def test_a_packet_as_tshark_knows_it() -> None:
    # A SHUTDOWN COMPLETE whose checksum tshark 4.0.17 calls good and prints as 0xc1046a54.
    datagram = packet.encode(5001, 5001, 0x01020304, [bytes.fromhex("0e000004")])
    assert datagram == bytes.fromhex("1389 1389 01020304 c1046a54 0e000004")
    assert packet.checksum_ok(datagram)


def test_encode_takes_chunks_in_pieces() -> None:
    whole = packet.encode(1, 2, 3, [b"\0\3\0\x11" + bytes(12) + b"x" + bytes(3), COOKIE_ACK])
    assert packet.encode(1, 2, 3, [b"\0\3\0\x11" + bytes(12), b"x", bytes(3), COOKIE_ACK]) == whole
    assert packet.encode(1, 2, 3, (b"\0\3\0\x11" + bytes(12) + b"x" + bytes(3) + COOKIE_ACK,)) == whole
    assert packet.checksum_ok(whole)


def test_encode_without_chunks() -> None:
    datagram = packet.encode(1, 2, 3, [])
    assert len(datagram) == 12
    assert packet.checksum_ok(datagram)


def test_every_single_bit_matters_to_the_checksum() -> None:
    datagram = packet.encode(5001, 5002, 0x01020304, [Data(1, 2, 3, 4, b"payload").encode()])
    for position in range(len(datagram) * 8):
        broken = bytearray(datagram)
        broken[position // 8] ^= 1 << position % 8
        assert not packet.checksum_ok(bytes(broken)), position


def test_decode_header() -> None:
    datagram = bytes.fromhex("1389 138a 01020304 a1b2c3d4")
    assert packet.decode_header(datagram) == (5001, 5002, 0x01020304, 0xA1B2C3D4)


@pytest.mark.parametrize("size", range(12))
def test_less_than_a_header_is_truncated(size: int) -> None:
    for function in (packet.decode_header, packet.split, packet.decode):
        with pytest.raises(PacketError) as caught:
            function(HEADER[:size])
        assert caught.value.reason == "truncated_packet"


def test_split_gives_the_bounds_of_the_values() -> None:
    datagram = HEADER + bytes.fromhex("0a 00 0007 aabbcc 00  0b 01 0004  00 03 0006 1122 0000")
    assert packet.split(datagram) == ([(10, 0, 16, 19), (11, 1, 24, 24), (0, 3, 28, 30)], True)


def test_split_of_no_chunk_at_all() -> None:
    assert packet.split(HEADER) == ([], True)


def test_the_padding_of_the_last_chunk_may_be_missing() -> None:
    for padding in range(4):
        assert packet.split(HEADER + bytes.fromhex("0a 00 0005 aa") + bytes(padding)) == (
            [(10, 0, 16, 17)],
            True,
        )


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_chunk_length_below_its_own_header_ends_the_packet(length: int) -> None:
    tail = bytes([11, 0, 0, length]) + COOKIE_ACK
    assert packet.split(HEADER + tail) == ([], False)
    assert packet.split(HEADER + COOKIE_ACK + tail) == ([(11, 0, 16, 16)], False)


@pytest.mark.parametrize("left", range(1, 8))
def test_a_partial_chunk_at_the_end_leaves_the_complete_ones(left: int) -> None:
    # RFC 9260 section 6.10
    partial = bytes.fromhex("07 00 0008 00000001")[:left]
    assert packet.split(HEADER + COOKIE_ACK + partial) == ([(11, 0, 16, 16)], False)


def test_a_chunk_that_claims_65535_bytes() -> None:
    assert packet.split(HEADER + bytes.fromhex("0a 00 ffff") + bytes(100)) == ([], False)
    assert packet.split(HEADER + bytes.fromhex("0a 00 ffff") + bytes(65_531)) == ([(10, 0, 16, 65_547)], True)


def test_the_most_chunks_a_packet_can_hold() -> None:
    bounds, complete = packet.split(HEADER + COOKIE_ACK * 16_000)
    assert complete
    assert len(bounds) == 16_000


def test_decode_and_encode() -> None:
    original = Packet(5001, 5002, 7, chunks=[CookieAck(), Data(1, 2, 3, 4, b"hello")])
    datagram = original.encode()
    decoded = packet.decode(datagram)
    assert decoded.chunks == original.chunks
    assert (decoded.source_port, decoded.destination_port, decoded.verification_tag) == (5001, 5002, 7)
    assert decoded.checksum == int.from_bytes(datagram[8:12], "big")
    assert decoded.encode() == datagram


def test_decode_refuses_a_wrong_checksum_unless_told_not_to_look() -> None:
    datagram = packet.encode(1, 2, 3, [ShutdownComplete(reflected=True).encode()])
    broken = datagram[:8] + bytes(4) + datagram[12:]
    with pytest.raises(PacketError) as caught:
        packet.decode(broken)
    assert caught.value.reason == "bad_checksum"
    assert packet.decode(broken, verify=False).chunks == [ShutdownComplete(reflected=True)]


def test_decode_is_strict_about_what_split_forgives() -> None:
    datagram = packet.encode(1, 2, 3, [COOKIE_ACK, b"\x0b\0\0\3"])
    assert packet.split(datagram) == ([(11, 0, 16, 16)], False)
    with pytest.raises(PacketError) as caught:
        packet.decode(datagram)
    assert caught.value.reason == "bad_chunk_length"
