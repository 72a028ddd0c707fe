"""The chunks of RFC 9260, byte for byte against the figures of its section 3.3."""

from __future__ import annotations

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import causes, params
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import split

LAYOUTS: list[tuple[c.Chunk, str]] = [
    (c.Data(1, 2, 3, 4, b"hello"), "00 03 0015 00000001 0002 0003 00000004 68656c6c 6f000000"),
    (c.Data(1, 2, 3, 4, b"", flags=0x0C), "00 0c 0010 00000001 0002 0003 00000004"),
    (c.Init(0x0A0B0C0D, 131072, 10, 65535, 7), "01 00 0014 0a0b0c0d 00020000 000a ffff 00000007"),
    (
        c.Init(1, 2, 3, 4, 5, [params.SupportedAddressTypes([5]), params.Ipv4Address("192.0.2.1")]),
        "01 00 0024 00000001 00000002 0003 0004 00000005  000c 0006 0005 0000  0005 0008 c0000201",
    ),
    (
        c.Init(1, 2, 3, 4, 5, [params.Ipv4Address("192.0.2.1"), params.SupportedAddressTypes([5])]),
        "01 00 0022 00000001 00000002 0003 0004 00000005  0005 0008 c0000201  000c 0006 0005 0000",
    ),
    (
        c.InitAck(1, 2, 3, 4, 5, [params.StateCookie(b"cookie!!")]),
        "02 00 0020 00000001 00000002 0003 0004 00000005  0007 000c 636f6f6b69652121",
    ),
    (
        c.Sack(12, 4660, ((2, 3), (5, 5)), (19,)),
        "03 00 001c 0000000c 00001234 0002 0001 00020003 00050005 00000013",
    ),
    (c.Heartbeat(b"12345678"), "04 00 0010 0001 000c 3132333435363738"),
    (c.HeartbeatAck(b"1234"), "05 00 000c 0001 0008 31323334"),
    (c.Heartbeat(b"12345"), "04 00 000d 0001 0009 3132333435 000000"),
    (c.HeartbeatAck(b"12345"), "05 00 000d 0001 0009 3132333435 000000"),
    (c.Abort(), "06 00 0004"),
    (
        c.Abort([causes.ProtocolViolation(b"x"), causes.ProtocolViolation(b"y")]),
        "06 00 0011 000d 0005 78000000 000d 0005 79000000",
    ),
    (c.Abort([causes.UserInitiatedAbort(b"bye!")], reflected=True), "06 01 000c 000c 0008 62796521"),
    (c.Shutdown(0x01020304), "07 00 0008 01020304"),
    (c.ShutdownAck(), "08 00 0004"),
    (c.Error([causes.StaleCookie(9)]), "09 00 000c 0003 0008 00000009"),
    (c.Error([]), "09 00 0004"),
    (c.CookieEcho(b"cookies"), "0a 00 000b 636f6f6b69657300"),
    (c.CookieAck(), "0b 00 0004"),
    (c.Ecne(7), "0c 00 0008 00000007"),
    (c.Cwr(7), "0d 00 0008 00000007"),
    (c.ShutdownComplete(), "0e 00 0004"),
    (c.ShutdownComplete(reflected=True), "0e 01 0004"),
    (c.UnknownChunk(0x3F, 0xA5, b"x"), "3f a5 0005 78000000"),
]


@pytest.mark.parametrize(("chunk", "layout"), LAYOUTS, ids=lambda item: type(item).__name__)
def test_layout(chunk: c.Chunk, layout: str) -> None:
    encoded = bytes.fromhex(layout)
    # RFC 9260 section 3.2: the chunk's length counts the padding of its parameters, but not of the last one.
    assert chunk.encode() == encoded
    ((type_, flags, start, end),), complete = split(bytes(12) + encoded)
    assert complete
    assert c.decode_chunk(type_, flags, (bytes(12) + encoded)[start:end]) == chunk
    assert chunk.type == encoded[0]


def test_the_flags_of_data() -> None:
    flags = [
        (name, bit)
        for bit in (1, 2, 4, 8)
        for name in ("ending", "beginning", "unordered", "immediate")
        if getattr(c.Data(0, 0, 0, 0, b"x", flags=bit), name)
    ]
    assert flags == [("ending", 1), ("beginning", 2), ("unordered", 4), ("immediate", 8)]


def test_flags_that_mean_nothing_are_ignored() -> None:
    # RFC 9260 section 3.2: unless specified otherwise, ignored on receipt
    assert c.decode_chunk(8, 0xFF, b"") == c.ShutdownAck()
    assert c.decode_chunk(6, 0xFE, b"") == c.Abort(reflected=False)
    assert c.decode_chunk(14, 0xFF, b"") == c.ShutdownComplete(reflected=True)


def test_unwrapped_tsns_go_out_wrapped() -> None:
    far = 5 * 2**32
    assert c.Shutdown(far + 1).encode() == c.Shutdown(1).encode()
    assert c.Data(far + 1, 0, 3 * 2**16 + 2, 0, b"x").encode() == c.Data(1, 0, 2, 0, b"x").encode()
    assert c.Init(1, 2, 3, 4, far + 1).encode() == c.Init(1, 2, 3, 4, 1).encode()
    assert c.Sack(far + 1, 0, (), (far + 2,)).encode() == c.Sack(1, 0, (), (2,)).encode()
    assert c.Ecne(far + 1).encode() == c.Ecne(1).encode()
    assert c.Cwr(far + 1).encode() == c.Cwr(1).encode()


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        (0, bytes(11), "bad_chunk_length"),
        (1, bytes(15), "bad_chunk_length"),
        (1, bytes(16) + bytes.fromhex("0005 0003"), "bad_parameter_length"),
        (1, bytes(16) + bytes.fromhex("0005 0009 01020304"), "bad_parameter_length"),
        (1, bytes(16) + bytes.fromhex("0005 0007 010203 00"), "bad_parameter_length"),
        (2, bytes(15), "bad_chunk_length"),
        (2, bytes(16) + b"\0", "bad_parameter_length"),
        (3, bytes(11), "bad_sack"),
        (3, bytes(16), "bad_sack"),
        (4, b"", "missing_heartbeat_info"),
        (4, bytes.fromhex("0002 0004"), "missing_heartbeat_info"),
        (4, bytes.fromhex("0001 0009 01020304"), "bad_parameter_length"),
        (5, b"", "missing_heartbeat_info"),
        (5, bytes.fromhex("0001 0000"), "bad_parameter_length"),
        (6, bytes.fromhex("000c 0003"), "bad_parameter_length"),
        (6, bytes.fromhex("0003 0006 0000 0000"), "bad_cause_length"),
        (7, bytes(3), "bad_chunk_length"),
        (7, bytes(5), "bad_chunk_length"),
        (8, b"\0", "bad_chunk_length"),
        (9, bytes.fromhex("0001 0008 0000"), "bad_parameter_length"),
        (11, b"\0", "bad_chunk_length"),
        (12, bytes(8), "bad_chunk_length"),
        (13, b"", "bad_chunk_length"),
        (14, bytes(4), "bad_chunk_length"),
    ],
)
def test_broken_structure_has_a_reason(type_: int, value: bytes, reason: str) -> None:
    with pytest.raises(PacketError) as caught:
        c.decode_chunk(type_, 0, value)
    assert caught.value.reason == reason


def test_values_are_the_cores_to_judge() -> None:
    # RFC 9260 sections 3.3.2 and 6.2: answered with silence, ABORT or ERROR by the core, so they must decode.
    assert c.decode_chunk(1, 0, bytes(16)) == c.Init(0, 0, 0, 0, 0)
    assert c.decode_chunk(0, 3, bytes(12)) == c.Data(0, 0, 0, 0, b"")
    assert c.decode_chunk(10, 0, b"") == c.CookieEcho(b"")


def test_the_info_of_a_heartbeat_is_found_behind_others() -> None:
    value = bytes.fromhex("8001 0008 00000000 0001 0006 abcd 0000")
    assert c.decode_chunk(4, 0, value) == c.Heartbeat(b"\xab\xcd")


def test_an_init_whose_length_counts_the_final_padding() -> None:
    value = bytes(16) + bytes.fromhex("000c 0006 0005 0000")
    expected = c.Init(0, 0, 0, 0, 0, [params.SupportedAddressTypes([5])])
    assert c.decode_chunk(1, 0, value) == expected
    assert c.decode_chunk(1, 0, value[:-2]) == expected


@pytest.mark.parametrize(
    "chunk",
    [
        c.Data(1, 2, 3, 4, bytes(65_520)),
        c.CookieEcho(bytes(65_532)),
        c.Heartbeat(bytes(65_528)),
        c.Abort([causes.ProtocolViolation(bytes(65_528))]),
        c.Init(1, 2, 3, 4, 5, [params.Padding(bytes(60_000)), params.Padding(bytes(6_000))]),
        c.Sack(1, 2, ((2, 2),) * 16_380),
    ],
    ids=lambda chunk: type(chunk).__name__,
)
def test_what_no_length_field_can_say_is_refused(chunk: c.Chunk) -> None:
    with pytest.raises(ValueError, match=r"16 bits|do not fit"):
        chunk.encode()


def test_the_largest_data_chunk() -> None:
    encoded = c.Data(1, 2, 3, 4, bytes(65_519)).encode()
    assert encoded[2:4] == b"\xff\xff"
    assert len(encoded) == 65_536
