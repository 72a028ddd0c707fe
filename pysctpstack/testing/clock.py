"""Virtual time: a clock that moves only when it is told to, and the heap of what is to happen when.

Events due at one instant run in the order in which they were scheduled, so a run is a function of its inputs
alone.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from typing import Any


class VirtualClock:
    """Seconds since an arbitrary start, and the calls scheduled for later."""

    __slots__ = ("_heap", "_now", "_sequence")

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._sequence = 0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []

    @property
    def now(self) -> float:
        """The virtual time in seconds."""
        return self._now

    @property
    def next_event(self) -> float:
        """The time of the earliest scheduled call; ``math.inf`` when there is none."""
        return self._heap[0][0] if self._heap else math.inf

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Have ``callback(*arguments)`` called at the time ``when``; a time that has passed means now.

        Raises ValueError when ``when`` is not a finite number.
        """
        if not math.isfinite(when):
            raise ValueError(f"cannot schedule a call for the time {when}")
        heapq.heappush(self._heap, (max(when, self._now), self._sequence, callback, arguments))
        self._sequence += 1

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Have ``callback(*arguments)`` called ``delay`` seconds from now."""
        self.call_at(self._now + delay, callback, *arguments)

    def advance(self, when: float) -> None:
        """Move the clock to ``when`` without running anything.

        Raises ValueError when that is in the past or not finite.
        """
        if not self._now <= when < math.inf:
            raise ValueError(f"cannot move the clock from {self._now} to {when}")
        self._now = when

    def run_due(self) -> None:
        """Run what is due now, except what these calls themselves schedule: that waits for the next time."""
        horizon = self._sequence
        while self._heap and self._heap[0][0] <= self._now and self._heap[0][1] < horizon:
            _when, _sequence, callback, arguments = heapq.heappop(self._heap)
            callback(*arguments)
