"""Which TSNs have been received (RFC 9260 section 6.7): the cumulative TSN, and the blocks beyond the gaps.

TSNs are unwrapped here: plain ints that never wrap, so that they compare with ``<``.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

NEW: Final = 0
DUPLICATE: Final = 1
REFUSED: Final = 2
"""Too far ahead to be reported in a Gap Ack Block, or one block too many."""

MAX_OFFSET: Final = 65_535
"""A Gap Ack Block holds 16-bit offsets from the cumulative TSN (RFC 9260 section 3.3.4)."""


class TsnMap:
    __slots__ = ("initial_tsn", "cumulative", "starts", "ends", "duplicates", "max_blocks", "max_duplicates")

    def __init__(self, initial_tsn: int, max_blocks: int, max_duplicates: int) -> None:
        self.initial_tsn = initial_tsn
        self.cumulative = initial_tsn - 1
        self.starts: list[int] = []
        self.ends: list[int] = []
        """``starts[i]`` to ``ends[i]``, inclusive: blocks above the cumulative TSN, sorted, never adjacent."""
        self.duplicates: list[int] = []
        self.max_blocks = max_blocks
        self.max_duplicates = max_duplicates

    @property
    def largest(self) -> int:
        """The highest TSN received."""
        return self.ends[-1] if self.ends else self.cumulative

    def add(self, tsn: int) -> int:
        """Record an unwrapped TSN. NEW, DUPLICATE or REFUSED; only NEW changes the map."""
        if tsn <= self.cumulative:
            return self._duplicate(tsn)
        starts, ends = self.starts, self.ends
        if tsn == self.cumulative + 1:
            self.cumulative = tsn
            if starts and starts[0] == tsn + 1:
                self.cumulative = ends.pop(0)
                del starts[0]
            return NEW
        if tsn - self.cumulative > MAX_OFFSET:
            return REFUSED
        after = bisect_right(starts, tsn)
        if after and tsn <= ends[after - 1]:
            return self._duplicate(tsn)
        joins_left = after > 0 and ends[after - 1] == tsn - 1
        joins_right = after < len(starts) and starts[after] == tsn + 1
        if joins_left and joins_right:
            ends[after - 1] = ends.pop(after)
            del starts[after]
        elif joins_left:
            ends[after - 1] = tsn
        elif joins_right:
            starts[after] = tsn
        else:
            if len(starts) >= self.max_blocks:
                return REFUSED
            starts.insert(after, tsn)
            ends.insert(after, tsn)
        return NEW

    def skip_to(self, tsn: int) -> None:
        """Take everything up to ``tsn``, above the cumulative TSN, as received (RFC 3758 section 3.6)."""
        after = bisect_right(self.starts, tsn + 1)
        if after:
            # The block that reaches furthest of those that begin at the next TSN at the latest.
            tsn = max(tsn, self.ends[after - 1])
            del self.starts[:after], self.ends[:after]
        self.cumulative = tsn

    def has(self, tsn: int) -> bool:
        """Whether an unwrapped TSN has been received."""
        if tsn <= self.cumulative:
            return True
        after = bisect_right(self.starts, tsn)
        return after > 0 and tsn <= self.ends[after - 1]

    def _duplicate(self, tsn: int) -> int:
        if len(self.duplicates) < self.max_duplicates:
            self.duplicates.append(tsn)
        return DUPLICATE

    def gap_blocks(self) -> list[tuple[int, int]]:
        """Gap Ack Blocks as offsets from the cumulative TSN, both ends inclusive."""
        cumulative = self.cumulative
        return [(start - cumulative, end - cumulative) for start, end in zip(self.starts, self.ends, strict=True)]

    def take_duplicates(self) -> list[int]:
        """The duplicates since the last SACK: each is reported once (RFC 9260 section 3.3.4)."""
        duplicates, self.duplicates = self.duplicates, []
        return duplicates
