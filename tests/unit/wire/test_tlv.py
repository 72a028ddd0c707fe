"""The one walker over parameters and causes."""

from __future__ import annotations

from struct import Struct

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import tlv


def test_walks_from_value_to_value() -> None:
    data = bytes.fromhex("0001 0004  0002 0007 aabbcc 00  8003 0008 01020304")
    assert tlv.walk(data, 0, len(data)) == [(1, 4, 4), (2, 8, 11), (0x8003, 16, 20)]


def test_walks_only_between_the_bounds() -> None:
    data = bytes.fromhex("ffff 0001  0002 0004 0000 0000")
    assert tlv.walk(data, 4, 8) == [(2, 8, 8)]
    assert tlv.walk(data, 4, 4) == []


@pytest.mark.parametrize("padding", [0, 1, 2, 3])
def test_the_padding_of_the_last_one_may_be_there_or_not(padding: int) -> None:
    # RFC 9260 section 3.2: the chunk's length may count the final padding.
    data = bytes.fromhex("0002 0005 aa") + bytes(padding)
    assert tlv.walk(data, 0, len(data)) == [(2, 4, 5)]


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_a_length_below_its_own_header_is_refused(length: int) -> None:
    data = bytes.fromhex("0001 0004  0002") + length.to_bytes(2, "big") + bytes(8)
    with pytest.raises(PacketError) as caught:
        tlv.walk(data, 0, len(data))
    assert caught.value.reason == "bad_parameter_length"


def test_one_that_runs_out_of_its_bounds_is_refused() -> None:
    data = bytes.fromhex("0002 0009 01020304 05")
    assert tlv.walk(data, 0, 9) == [(2, 4, 9)]
    with pytest.raises(PacketError, match="bad_parameter_length"):
        tlv.walk(data, 0, 8)


@pytest.mark.parametrize("left_over", [1, 2, 3])
def test_bytes_that_are_nobodys_padding_are_refused(left_over: int) -> None:
    data = bytes.fromhex("0002 0008 01020304") + bytes(left_over)
    with pytest.raises(PacketError, match="bad_parameter_length"):
        tlv.walk(data, 0, len(data))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", "00050004"),
        (b"a", "0005000561000000"),
        (b"ab", "0005000661620000"),
        (b"abc", "0005000761626300"),
        (b"abcd", "0005000861626364"),
    ],
)
def test_encode_pads_and_does_not_count_the_padding(value: bytes, expected: str) -> None:
    assert tlv.encode(5, value).hex() == expected
    assert tlv.encode_chunk(0, 5, value).hex() == expected  # the first two bytes are type and flags


def test_the_longest_value_and_one_more() -> None:
    assert len(tlv.encode(5, bytes(65_531))) == 65_536
    assert len(tlv.encode_chunk(5, 0, bytes(65_531))) == 65_536
    with pytest.raises(ValueError, match="65532 bytes"):
        tlv.encode(5, bytes(65_532))
    with pytest.raises(ValueError, match="65532 bytes"):
        tlv.encode_chunk(5, 0, bytes(65_532))


def test_helpers_name_the_callers_reason() -> None:
    assert tlv.unpack_all(Struct("!HH"), b"\0\1\0\2", "why") == (1, 2)
    assert tlv.unpack_u16s(b"\0\1\0\2", "why") == [1, 2]
    assert tlv.pack_u16s([1, 0x203]) == b"\0\1\2\3"
    tlv.require(b"ab", 2, "why")
    tlv.require_empty(b"", "why")
    for call in (
        lambda: tlv.unpack_all(Struct("!HH"), b"\0\1\0", "why"),
        lambda: tlv.unpack_u16s(b"\0\1\0", "why"),
        lambda: tlv.require(b"a", 2, "why"),
        lambda: tlv.require_empty(b"a", "why"),
    ):
        with pytest.raises(PacketError) as caught:
            call()
        assert caught.value.reason == "why"
