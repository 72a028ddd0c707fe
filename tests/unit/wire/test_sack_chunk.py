"""SACK chunks, byte for byte, and the counts that lie."""

from __future__ import annotations

import pytest

from pysctpstack.errors import PacketError
from pysctpstack.wire import sack


def test_the_example_of_rfc_9260() -> None:
    # RFC 9260 section 3.3.4: 10 to 12, 14, 15 and 17 arrived
    chunk = sack.encode(12, 4660, [(2, 3), (5, 5)], [])
    assert chunk == bytes.fromhex("03 00 0018 0000000c 00001234 0002 0000  0002 0003 0005 0005")
    assert sack.decode(chunk, 4, len(chunk)) == (12, 4660, ((2, 3), (5, 5)), ())


def test_duplicates_follow_the_gaps() -> None:
    chunk = sack.encode(12, 1, [(2, 65535)], [19, 2**32 + 20])
    assert chunk == bytes.fromhex("03 00 001c 0000000c 00000001 0001 0002  0002 ffff  00000013 00000014")
    assert sack.decode(chunk, 4, len(chunk)) == (12, 1, ((2, 65535),), (19, 20))


def test_nothing_but_the_cumulative_tsn() -> None:
    chunk = sack.encode(2**32 + 12, 0xFFFFFFFF, (), ())
    assert chunk == bytes.fromhex("03 00 0010 0000000c ffffffff 0000 0000")
    assert sack.decode(chunk, 4, 16) == (12, 0xFFFFFFFF, (), ())


def test_decodes_in_place() -> None:
    chunk = sack.encode(1, 2, [(3, 4)], [5])
    assert sack.decode(b"before" + chunk + b"after", 10, 6 + len(chunk)) == (1, 2, ((3, 4),), (5,))


def test_gaps_come_as_the_peer_sent_them() -> None:
    # Start 0, reversed, overlapping, up to 65535: the core bounds its work (facts P6).
    gaps = ((0, 0), (9, 3), (2, 65535), (65535, 65535), (2, 2))
    chunk = sack.encode(1, 2, gaps, ())
    assert sack.decode(chunk, 4, len(chunk))[2] == gaps


def test_as_many_as_fit() -> None:
    gaps = [(i, i) for i in range(2, 32_000, 2)][:10_000]
    duplicates = list(range(6_379))
    chunk = sack.encode(1, 2, gaps, duplicates)
    assert sack.decode(chunk, 4, len(chunk)) == (1, 2, tuple(gaps), tuple(duplicates))
    with pytest.raises(ValueError, match="do not fit"):
        sack.encode(1, 2, gaps, [*duplicates, 0])


@pytest.mark.parametrize("size", range(12))
def test_less_than_the_fixed_fields(size: int) -> None:
    with pytest.raises(PacketError) as caught:
        sack.decode(bytes(100), 4, 4 + size)
    assert caught.value.reason == "bad_sack"


@pytest.mark.parametrize("counts", ["0001 0000", "0000 0001", "ffff 0000", "0000 ffff", "ffff ffff", "0003 0001"])
def test_counts_beyond_the_chunk_are_refused_even_if_the_datagram_has_the_bytes(counts: str) -> None:
    value = bytes.fromhex("00000001 00000002" + counts)
    with pytest.raises(PacketError) as caught:
        sack.decode(value + bytes(600_000), 0, 12)
    assert caught.value.reason == "bad_sack"


@pytest.mark.parametrize("extra", [1, 2, 3, 4, 8])
def test_bytes_that_no_count_explains_are_refused(extra: int) -> None:
    chunk = sack.encode(1, 2, [(3, 4)], [5]) + bytes(extra)
    with pytest.raises(PacketError, match="bad_sack"):
        sack.decode(chunk, 4, len(chunk))
