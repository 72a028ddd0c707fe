"""The timers of an association, as deadlines: setting one is an assignment, and nothing runs until it is due.

T3-rtx and the heartbeat timers belong to a path and live there (`path.Path`).
"""

from __future__ import annotations

from math import inf
from typing import Final

T1_INIT: Final = 0
T1_COOKIE: Final = 1
T2_SHUTDOWN: Final = 2
T5_SHUTDOWN_GUARD: Final = 3
DELAYED_SACK: Final = 4
WINDOW_PROBE: Final = 5
LIFETIME: Final = 6
"""The first message that is given up when its life time ends: what is in flight by then is not."""
AUTOCLOSE: Final = 7

NAMES: Final = (
    "T1-init",
    "T1-cookie",
    "T2-shutdown",
    "T5-shutdown-guard",
    "SACK.Delay",
    "window probe",
    "life time",
    "autoclose",
)


class Timers:
    """Deadlines by timer, ``math.inf`` where a timer does not run. Times are seconds of the caller's clock."""

    __slots__ = ("deadlines",)

    def __init__(self) -> None:
        self.deadlines = [inf] * len(NAMES)

    def start(self, timer: int, deadline: float) -> None:
        self.deadlines[timer] = deadline

    def stop(self, timer: int) -> None:
        self.deadlines[timer] = inf

    def stop_all(self) -> None:
        self.deadlines = [inf] * len(NAMES)

    def is_running(self, timer: int) -> bool:
        return self.deadlines[timer] != inf

    def take_expired(self, now: float) -> list[int]:
        """Stop the timers that are due and return them, the earliest first."""
        due = [timer for timer, deadline in enumerate(self.deadlines) if deadline <= now]
        due.sort(key=self.deadlines.__getitem__)
        for timer in due:
            self.deadlines[timer] = inf
        return due
