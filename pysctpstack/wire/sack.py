"""SACK chunks (RFC 9260 section 3.3.4) for the data path: functions over ints and tuples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from struct import Struct

from pysctpstack.errors import PacketError

_EMPTY = Struct("!BBHIIHH")
_FIXED = Struct("!IIHH")


@lru_cache(maxsize=256)
def _blocks(gaps: int, duplicates: int) -> Struct:
    return Struct(f"!{2 * gaps}H{duplicates}I")


def encode(cumulative_tsn: int, a_rwnd: int, gaps: Sequence[tuple[int, int]], duplicates: Sequence[int]) -> bytes:
    """The whole chunk.

    ``gaps``: (start, end), both inclusive, as offsets from the cumulative TSN, 1 to 65,535.
    ``cumulative_tsn`` and ``duplicates`` may be unwrapped. ValueError for more than 16,379 gaps and
    duplicates together.
    """
    if not gaps and not duplicates:
        return _EMPTY.pack(3, 0, 16, cumulative_tsn & 0xFFFFFFFF, a_rwnd, 0, 0)
    count_of_gaps = len(gaps)
    count_of_duplicates = len(duplicates)
    length = 16 + 4 * (count_of_gaps + count_of_duplicates)
    if length > 0xFFFF:
        raise ValueError(f"{count_of_gaps} gaps and {count_of_duplicates} duplicates do not fit into a SACK")
    return _EMPTY.pack(3, 0, length, cumulative_tsn & 0xFFFFFFFF, a_rwnd, count_of_gaps, count_of_duplicates) + _blocks(
        count_of_gaps, count_of_duplicates
    ).pack(*chain.from_iterable(gaps), *[tsn & 0xFFFFFFFF for tsn in duplicates])


def decode(datagram: bytes, start: int, end: int) -> tuple[int, int, tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Cumulative TSN, a_rwnd, gaps and duplicate TSNs of the chunk whose value is ``datagram[start:end]``.

    Shapes as in `encode`, TSNs as on the wire. Gaps are as the peer sent them: unordered, overlapping or
    reversed ones are for the caller to judge. PacketError ``bad_sack`` when the counts do not fit the length:
    a SACK is a multiple of 4 bytes long and has no padding, so they must fit exactly.
    """
    if end - start < 12:
        raise PacketError("bad_sack", f"{end - start} bytes, 12 are fixed")
    cumulative_tsn, a_rwnd, gaps, duplicates = _FIXED.unpack_from(datagram, start)
    if end - start != 12 + 4 * (gaps + duplicates):
        raise PacketError("bad_sack", f"{gaps} gaps and {duplicates} duplicates in {end - start} bytes")
    if not gaps and not duplicates:
        return cumulative_tsn, a_rwnd, (), ()
    values = _blocks(gaps, duplicates).unpack_from(datagram, start + 12)
    offsets = values[: 2 * gaps]
    return cumulative_tsn, a_rwnd, tuple(zip(offsets[::2], offsets[1::2])), values[2 * gaps :]  # noqa: B905
