"""Unwrapping of serial numbers, around the wraps."""

from __future__ import annotations

import pytest

from pysctpstack.wire.serial import unwrap32


@pytest.mark.parametrize(
    ("value", "reference", "expected"),
    [
        (5, 5, 5),
        (6, 5, 6),
        (0, 0xFFFFFFFF, 0x100000000),
        (0xFFFFFFFF, 0x100000000, 0xFFFFFFFF),
        (0xFFFFFFFF, 0, -1),
        (0x7FFFFFFF, 0, 0x7FFFFFFF),
        (0x80000000, 0, -0x80000000),
        (0x80000001, 0, -0x7FFFFFFF),
        (3, 7 * 2**32 + 1, 7 * 2**32 + 3),
        (0xFFFFFFF0, 7 * 2**32 + 1, 7 * 2**32 - 16),
    ],
)
def test_unwrap32_gives_the_nearest_number(value: int, reference: int, expected: int) -> None:
    assert unwrap32(value, reference) == expected
