"""The retransmission timeout of a path (RFC 9260 section 6.3.1). Times are seconds."""

from __future__ import annotations

from typing import Final

ALPHA: Final = 1 / 8
BETA: Final = 1 / 4
CLOCK_GRANULARITY: Final = 0.001


class RtoEstimator:
    __slots__ = ("srtt", "rttvar", "rto", "minimum", "maximum")

    def __init__(self, initial: float, minimum: float, maximum: float) -> None:
        self.srtt: float | None = None
        self.rttvar = 0.0
        self.minimum = minimum
        self.maximum = maximum
        self.rto = min(max(initial, minimum), maximum)

    def measure(self, rtt: float) -> None:
        """Take in one measurement of the round-trip time."""
        if self.srtt is None:
            # RFC 9260 section 6.3.1, C2
            self.srtt = rtt
            self.rttvar = rtt / 2
        else:
            # C3: RTTVAR first, it needs the SRTT from before this measurement.
            self.rttvar += BETA * (abs(self.srtt - rtt) - self.rttvar)
            self.srtt += ALPHA * (rtt - self.srtt)
        # G1
        self.rttvar = max(self.rttvar, CLOCK_GRANULARITY)
        # C6, C7
        self.rto = min(max(self.srtt + 4 * self.rttvar, self.minimum), self.maximum)

    def back_off(self) -> None:
        """RFC 9260 section 6.3.3, E2: double the RTO up to its maximum."""
        self.rto = min(self.rto * 2, self.maximum)

    def set_bounds(self, initial: float, minimum: float, maximum: float) -> None:
        """New bounds from the user; ``initial`` holds only until the first measurement."""
        self.minimum = minimum
        self.maximum = maximum
        self.rto = min(max(initial if self.srtt is None else self.rto, minimum), maximum)
