"""Which TSNs are here (RFC 9260 section 6.7), against a set as the model."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysctpstack.core.rx.tsn_map import DUPLICATE, MAX_OFFSET, NEW, REFUSED, TsnMap
from pysctpstack.wire.serial import unwrap32


def tsn_map(initial: int = 100, blocks: int = 300, duplicates: int = 20) -> TsnMap:
    return TsnMap(initial, blocks, duplicates)


def test_in_order_moves_the_cumulative_tsn() -> None:
    map_ = tsn_map()
    assert [map_.add(tsn) for tsn in (100, 101, 102)] == [NEW] * 3
    assert (map_.cumulative, map_.gap_blocks(), map_.largest) == (102, [], 102)


def test_blocks_grow_on_both_sides_and_join() -> None:
    map_ = tsn_map()
    for tsn, blocks in (
        (103, [(4, 4)]),
        (104, [(4, 5)]),
        (102, [(3, 5)]),
        (107, [(3, 5), (8, 8)]),
        (106, [(3, 5), (7, 8)]),
        (105, [(3, 8)]),
    ):
        assert map_.add(tsn) == NEW
        assert map_.gap_blocks() == blocks
    assert map_.largest == 107
    assert map_.add(100) == NEW
    assert map_.gap_blocks() == [(2, 7)]
    assert map_.add(101) == NEW
    assert (map_.cumulative, map_.gap_blocks()) == (107, [])


def test_duplicates_are_reported_once_and_up_to_the_limit() -> None:
    map_ = tsn_map(duplicates=3)
    map_.add(100)
    map_.add(102)
    assert [map_.add(tsn) for tsn in (100, 99, 102, 100)] == [DUPLICATE] * 4
    assert map_.take_duplicates() == [100, 99, 102]
    assert map_.take_duplicates() == []
    assert map_.cumulative == 100


def test_what_no_gap_block_could_report_is_refused() -> None:
    map_ = tsn_map()
    assert map_.add(99 + MAX_OFFSET) == NEW
    assert map_.add(100 + MAX_OFFSET) == REFUSED
    assert map_.gap_blocks() == [(MAX_OFFSET, MAX_OFFSET)]


def test_a_block_too_many_is_refused_but_the_others_may_grow() -> None:
    map_ = tsn_map(blocks=2)
    assert [map_.add(tsn) for tsn in (102, 104, 106, 103)] == [NEW, NEW, REFUSED, NEW]
    assert map_.gap_blocks() == [(3, 5)]
    assert not map_.has(106)


@pytest.mark.parametrize(
    ("cumulative", "tsn", "unwrapped"),
    [
        (0xFFFFFFFF, 0, 0x100000000),
        (0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF),
        (0x100000005, 0xFFFFFFF0, 0xFFFFFFF0),
        (0x100000005, 6, 0x100000006),
        (-1, 0, 0),
        (10, 0x80000009, 0x80000009),
        (10, 0x8000000A, -0x7FFFFFF6),
    ],
)
def test_unwrapping_takes_the_nearest(cumulative: int, tsn: int, unwrapped: int) -> None:
    assert unwrap32(tsn, cumulative) == unwrapped


@given(st.lists(st.integers(90, 160), max_size=150), st.integers(1, 6))
def test_against_a_set(tsns: list[int], max_blocks: int) -> None:
    map_ = tsn_map(blocks=max_blocks)
    model: set[int] = set()
    for tsn in tsns:
        before = map_.cumulative
        outcome = map_.add(tsn)
        if tsn < 100 or tsn in model:
            assert outcome == DUPLICATE
        elif outcome == NEW:
            model.add(tsn)
        else:
            assert outcome == REFUSED
            assert len(map_.starts) == max_blocks
            assert not {tsn - 1, tsn + 1} & (model | {before})
        cumulative = 99
        while cumulative + 1 in model:
            cumulative += 1
        assert map_.cumulative == cumulative
        beyond = {tsn for tsn in model if tsn > cumulative}
        blocks = map_.gap_blocks()
        assert {cumulative + offset for start, end in blocks for offset in range(start, end + 1)} == beyond
        assert all(end + 1 < start for (_, end), (start, _) in pairwise(blocks))
        assert map_.largest == max(model, default=99)
        assert all(map_.has(tsn) == (tsn < 100 or tsn in model) for tsn in range(90, 165))
