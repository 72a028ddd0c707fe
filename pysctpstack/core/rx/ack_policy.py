"""When to send a SACK (RFC 9260 sections 6.2 and 7.2.4).

The RFC counts packets; this stack is handed batches of them. At the start, after an idle time and around a gap it
keeps the
RFC's pace: a SACK for every second packet, and for each one while TSNs are missing. In a long transfer without gaps
one SACK a batch
is enough for the peer, which then learns of more bytes at once (a deviation that `Config.strict_sack` takes back).
"""

from __future__ import annotations

from typing import Final

from pysctpstack.core.settings import Settings

IDLE_AFTER: Final = 0.5
"""Seconds without DATA after which the pace of the start applies again: slow start at the peer may have begun
anew."""


class AckPolicy:
    __slots__ = (
        "frequency",
        "train_after",
        "unacknowledged",
        "immediate",
        "due",
        "had_gaps",
        "steady_bytes",
        "last_data_at",
    )

    def __init__(self, settings: Settings) -> None:
        self.frequency = settings.sack_frequency if settings.delays_sacks else 1
        self.train_after = 1 << 62 if settings.strict_sack else settings.sack_train_after
        self.unacknowledged = 0
        """Packets with DATA since the last SACK."""
        # RFC 9260 section 5.1: the first DATA chunk of an association is acknowledged at once.
        self.immediate = True
        self.due = False
        """A SACK has to leave at the end of this batch."""
        self.had_gaps = False
        """TSNs were missing after the packet before."""
        self.steady_bytes = 0
        """Bytes received since the start, an idle time or a gap."""
        self.last_data_at = 0.0

    def packet_received(self, size: int, has_gaps: bool, now: float) -> bool:
        """A packet with DATA has been processed. True: send a SACK now, before the next packet of the batch."""
        if has_gaps or self.had_gaps:
            self.steady_bytes = 0
            # RFC 9260 section 7.2.4: every packet is acknowledged until the hole is filled; and the one that fills it
            # (RFC 5681 section 4.2), which a sender in Fast Recovery may be waiting for.
            self.immediate = True
            self.had_gaps = has_gaps
        elif now - self.last_data_at > IDLE_AFTER:
            self.steady_bytes = 0
        self.last_data_at = now
        self.steady_bytes += size
        self.unacknowledged += 1
        if self.immediate:
            return True
        if self.unacknowledged >= self.frequency:
            if self.steady_bytes < self.train_after:
                return True
            self.due = True
        return False

    def sent(self) -> None:
        """A SACK, or a SHUTDOWN that acknowledges as much, is on its way."""
        self.unacknowledged = 0
        self.immediate = False
        self.due = False
