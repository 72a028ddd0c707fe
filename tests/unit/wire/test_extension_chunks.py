"""The chunks of the extensions, byte for byte against the figures of their RFCs."""

from __future__ import annotations

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import extension_chunks as e
from pysctpstack.wire import params
from pysctpstack.wire.chunks import Chunk, decode_chunk
from pysctpstack.wire.packet import split

LAYOUTS: list[tuple[Chunk, str]] = [
    (e.Auth(1, 3, b"\xaa" * 6), "0f 00 000e 0001 0003 aaaaaaaaaaaa 0000"),
    (e.IData(1, 2, 3, 4, b"x", flags=3), "40 03 0015 00000001 0002 0000 00000003 00000004 78000000"),
    (e.AsconfAck(9), "80 00 0008 00000009"),
    (e.AsconfAck(9, [params.SuccessIndication(8)]), "80 00 0010 00000009 c005 0008 00000008"),
    (e.ReConfig([params.SsnTsnResetRequest(5)]), "82 00 000c 000f 0008 00000005"),
    (e.ReConfig([params.IncomingSsnResetRequest(5, [6])]), "82 00 000e 000e 000a 00000005 0006 0000"),
    (e.Pad(bytes(3)), "84 00 0007 00000000"),
    (e.ForwardTsn(7), "c0 00 0008 00000007"),
    (e.ForwardTsn(7, [(1, 2), (3, 4)]), "c0 00 0010 00000007 0001 0002 0003 0004"),
    (
        e.Asconf(9, params.Ipv4Address("192.0.2.9"), [params.AddIpAddress(8, params.Ipv4Address("192.0.2.1"))]),
        "c1 00 0020 00000009 0005 0008 c0000209  c001 0010 00000008 0005 0008 c0000201",
    ),
    (e.Asconf(9, params.Ipv4Address("0.0.0.0")), "c1 00 0010 00000009 0005 0008 00000000"),
    (e.IForwardTsn(7), "c2 00 0008 00000007"),
    (
        e.IForwardTsn(7, [(1, True, 2), (3, False, 4)]),
        "c2 00 0018 00000007 0001 0001 00000002 0003 0000 00000004",
    ),
]


@pytest.mark.parametrize(("chunk", "layout"), LAYOUTS, ids=lambda item: type(item).__name__)
def test_layout(chunk: Chunk, layout: str) -> None:
    encoded = bytes.fromhex(layout)
    assert chunk.encode() == encoded
    ((type_, flags, start, end),), _ = split(bytes(12) + encoded)
    assert decode_chunk(type_, flags, (bytes(12) + encoded)[start:end]) == chunk
    assert chunk.type == encoded[0]


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        (15, bytes(3), "bad_chunk_length"),
        (64, bytes(15), "bad_chunk_length"),
        (128, bytes(3), "bad_chunk_length"),
        (128, bytes(4) + bytes.fromhex("c005 0002"), "bad_parameter_length"),
        (130, bytes.fromhex("000d 0003"), "bad_parameter_length"),
        (192, bytes(3), "bad_chunk_length"),
        (192, bytes(6), "bad_chunk_length"),
        (193, bytes(3), "bad_chunk_length"),
        (193, bytes(4), "missing_address"),
        (193, bytes(4) + bytes.fromhex("0005 0009 01020304 05"), "bad_parameter_length"),
        (194, bytes(3), "bad_chunk_length"),
        (194, bytes(8), "bad_chunk_length"),
    ],
)
def test_broken_structure_has_a_reason(type_: int, value: bytes, reason: str) -> None:
    with pytest.raises(PacketError) as caught:
        decode_chunk(type_, 0, value)
    assert caught.value.reason == reason


def test_ppid_and_fsn_share_a_field() -> None:
    # RFC 8260 section 2.1: the B bit tells which
    first = e.IData(1, 2, 3, 46, b"x", flags=2)
    later = e.IData(1, 2, 3, 5, b"x", flags=1)
    assert (first.ppid, first.fsn) == (46, 0)
    assert (later.ppid, later.fsn) == (None, 5)


def test_an_asconf_without_an_address_in_front_keeps_what_is_there() -> None:
    value = (
        bytes(4)
        + params.AdaptationLayerIndication(1).encode()
        + params.DeleteIpAddress(2, params.Ipv6Address("2001:db8::1")).encode()
    )
    assert decode_chunk(193, 0, value) == e.Asconf(
        0,
        params.UnknownParameter(0xC006, bytes.fromhex("00000001")),
        [params.DeleteIpAddress(2, params.Ipv6Address("2001:db8::1"))],
    )


def test_unwrapped_numbers_go_out_wrapped() -> None:
    far = 3 * 2**32
    assert e.ForwardTsn(far + 1, [(1, 2**16 + 5)]).encode() == e.ForwardTsn(1, [(1, 5)]).encode()
    assert e.IForwardTsn(far + 1, [(1, True, far + 5)]).encode() == e.IForwardTsn(1, [(1, True, 5)]).encode()
    assert e.IData(far + 1, 2, far + 3, 4, b"x").encode() == e.IData(1, 2, 3, 4, b"x").encode()


def test_reserved_bits_are_ignored() -> None:
    # RFC 8260 section 2.3.1: of the 16 bits before the MID only the last one, U, means something
    value = bytes.fromhex("00000007  0001 fffe 00000002  0003 ffff 00000004")
    assert decode_chunk(194, 0xFF, value) == e.IForwardTsn(7, [(1, False, 2), (3, True, 4)])
    assert decode_chunk(64, 3, bytes.fromhex("00000001 0002 beef 00000003 00000004 78")) == e.IData(1, 2, 3, 4, b"x")


def test_parameters_of_an_asconf_begin_after_the_padding_of_the_first() -> None:
    value = bytes.fromhex("00000009  0007 0005 aa000000  c005 0008 00000001")
    assert decode_chunk(193, 0, value) == e.Asconf(
        9, params.UnknownParameter(7, b"\xaa"), [params.SuccessIndication(1)]
    )
