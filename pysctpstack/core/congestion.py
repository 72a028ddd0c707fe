"""Congestion control of a path (RFC 9260 section 7.2). All figures are bytes of DATA chunks, headers and padding
included."""

from __future__ import annotations

from typing import Final

MAX_L: Final = 8
"""The most that L of section 7.2.1 becomes: one SACK may stand for a whole train of packets (RFC 3465)."""
SSTHRESH_INITIAL: Final = 1 << 40


class CongestionControl:
    __slots__ = ("pmdcs", "cwnd", "ssthresh", "partial_bytes_acked", "flight_size", "collapsed")

    def __init__(self, pmdcs: int, *, ipv6: bool) -> None:
        self.pmdcs = pmdcs
        """Path Maximum DATA Chunk Size."""
        # RFC 9260 section 7.2.1: the initial cwnd
        self.cwnd = min(4 * pmdcs, max(2 * pmdcs, 4344 if ipv6 else 4404))
        self.ssthresh = SSTHRESH_INITIAL
        self.partial_bytes_acked = 0
        self.flight_size = 0
        """Bytes sent to this address and neither acknowledged nor marked for retransmission."""
        self.collapsed = False
        """T3-rtx has expired and nothing has been acknowledged since: one packet at a time."""

    def resize(self, pmdcs: int) -> None:
        """The path MTU has changed. A window below one packet would be none."""
        self.pmdcs = pmdcs
        self.cwnd = max(self.cwnd, pmdcs)

    def may_send(self) -> bool:
        """RFC 9260 section 6.1, B: below cwnd a whole packet may leave, even if it ends above."""
        if self.collapsed:
            return self.flight_size == 0
        return self.flight_size < self.cwnd

    def acknowledged(self, size: int, fully_used: bool, packets: int, in_fast_recovery: bool) -> None:
        """A SACK newly acknowledged ``size`` bytes that were sent here.

        ``fully_used``: whether cwnd was what held more back before. ``packets``: how many packets the bytes came in,
        about.
        """
        self.collapsed = False
        if self.cwnd <= self.ssthresh:
            # RFC 9260 section 7.2.1: slow start, only while the window is fully used and not in Fast Recovery.
            if fully_used and not in_fast_recovery:
                self.cwnd += min(size, min(max(packets, 1), MAX_L) * self.pmdcs)
            return
        # RFC 9260 section 7.2.2: congestion avoidance
        self.partial_bytes_acked += size
        if self.partial_bytes_acked >= self.cwnd:
            if fully_used:
                self.partial_bytes_acked -= self.cwnd
                self.cwnd += self.pmdcs
            else:
                self.partial_bytes_acked = self.cwnd

    def lost(self) -> None:
        """RFC 9260 section 7.2.3: a loss that SACKs told of."""
        self.ssthresh = max(self.cwnd // 2, 4 * self.pmdcs)
        self.cwnd = self.ssthresh
        self.partial_bytes_acked = 0

    def timed_out(self) -> None:
        """RFC 9260 section 7.2.3: T3-rtx expired."""
        self.ssthresh = max(self.cwnd // 2, 4 * self.pmdcs)
        self.cwnd = self.pmdcs
        self.partial_bytes_acked = 0
        self.flight_size = 0
        self.collapsed = True

    def idle(self, rtos: int) -> None:
        """RFC 9260 section 7.2.1: nothing was sent to the address for ``rtos`` RTOs."""
        floor = 4 * self.pmdcs
        if self.cwnd <= floor:
            return
        self.ssthresh = self.cwnd
        self.cwnd = max(self.cwnd >> min(rtos, 64), floor)
