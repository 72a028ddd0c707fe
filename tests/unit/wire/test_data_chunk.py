"""DATA chunks of the data path, byte for byte."""

from __future__ import annotations

from struct import error as struct_error

import pytest

from pysctpstack.wire import data


def test_the_header_of_rfc_9260() -> None:
    header = data.encode_header(3, 5, 0x01020304, 0x0506, 0x0708, 0x090A0B0C)
    assert header == bytes.fromhex("00 03 0015 01020304 0506 0708 090a0b0c")
    assert len(header) == data.HEADER_SIZE


def test_unwrapped_numbers_go_out_wrapped() -> None:
    assert data.encode_header(0, 1, 2**32 + 7, 0, 3 * 2**16 + 9, 0) == data.encode_header(0, 1, 7, 0, 9, 0)
    assert data.encode_header(0, 1, -1, 0, -1, 0) == data.encode_header(0, 1, 0xFFFFFFFF, 0, 0xFFFF, 0)


def test_fields_read_what_the_header_wrote() -> None:
    header = data.encode_header(3, 5, 1, 2, 3, 4)
    assert data.FIELDS.unpack_from(header, 4) == (1, 2, 3, 4)


def test_padding_by_the_low_bits_of_the_length() -> None:
    for length in range(20, 30):
        assert (length + len(data.PADDING[length & 3])) % 4 == 0
        assert not any(data.PADDING[length & 3])


def test_the_largest_payload() -> None:
    assert data.encode_header(0, 65_519, 0, 0, 0, 0)[2:4] == b"\xff\xff"
    with pytest.raises(struct_error):
        data.encode_header(0, 65_520, 0, 0, 0, 0)
