"""The path MTU of one path as far as it is not the route's: which sizes are known to pass, which is tried next.

This is the state of RFC 8899's search and of black-hole detection; `pmtud` sends the probes and draws the conclusions.
Sizes are bytes of an IP datagram, all headers counted, and multiples of 4, as SCTP packets over UDP are.
"""

from __future__ import annotations

from enum import Enum
from math import inf
from typing import Final

BASE_PLPMTU: Final = 1_200
"""RFC 8899 section 5.1.2: what works on most IPv4 paths."""
BASE_PLPMTU_IPV6: Final = 1_280
"""RFC 8200 section 5: what every IPv6 link carries."""
MIN_PLPMTU: Final = 512
"""No less is believed: RFC 9260 section 7.3 counts on fragments of a sensible size."""
MAX_PROBES: Final = 3
"""Probes of one size, and time-outs of T3-rtx in a row, before a size is held to be too large."""
PMTU_RAISE_TIMER: Final = 600.0
"""Seconds from the end of a search to the next."""
MIN_PROBE_TIMER: Final = 1.0
"""Seconds; RFC 8899 section 5.1.1: an answer is waited for no shorter."""
MIN_GAIN: Final = 32
"""A search ends when no more than this can be won."""
COMMON_SIZES: Final = (1_280, 1_400, 1_420, 1_452, 1_472, 1_492, 1_500, 2_304, 4_352, 8_192, 9_000, 16_384, 32_768)
"""RFC 8899 section 5.3.2: MTUs of tunnels, PPPoE, Ethernet, wireless LAN, FDDI and jumbo frames, then powers of two."""


class SearchState(Enum):
    """RFC 8899 section 5.2."""

    DISABLED = "disabled"
    """No search: it is not wanted, the path does not work at present, or DF can't be controlled."""
    BASE = "base"
    SEARCHING = "searching"
    SEARCH_COMPLETE = "search complete"
    ERROR = "error"
    """Not even BASE_PLPMTU passes."""


class MtuSearch:
    __slots__ = (
        "base",
        "base_room",
        "floor",
        "enabled",
        "state",
        "low",
        "high",
        "maximum",
        "tried_maximum",
        "probed",
        "count",
        "nonce",
        "sent_at",
        "completed_at",
        "expirations",
        "stuck",
        "question",
        "asked_at",
        "answered",
        "probes",
        "black_holes",
    )

    def __init__(self, headers: int, *, ipv6: bool, enabled: bool) -> None:
        """``headers``: bytes of a datagram before its chunks."""
        self.base = BASE_PLPMTU_IPV6 if ipv6 else BASE_PLPMTU
        self.base_room = self.base - headers
        """Bytes of chunks in a packet of the base size."""
        self.floor = BASE_PLPMTU_IPV6 if ipv6 else MIN_PLPMTU
        """MIN_PLPMTU: what is used when not even the base passes."""
        self.enabled = enabled
        """Whether a search is wanted on this path."""
        self.state = SearchState.DISABLED
        self.low = 0
        """PLPMTU: the largest size that is known to pass."""
        self.high = 0
        """The smallest size that is held not to pass."""
        self.maximum = 0
        """MAX_PLPMTU: the route's MTU."""
        self.tried_maximum = False
        self.probed = 0
        """PROBED_SIZE: the size of the probe that is out, or was; 0: none of this search."""
        self.count = 0
        """PROBE_COUNT: probes of this size that were not answered."""
        self.nonce = b""
        """Of the probe that is out; empty: none is."""
        self.sent_at = 0.0
        self.completed_at = -inf
        """When the last search ended."""
        # Black-hole detection
        self.expirations = 0
        """Time-outs of T3-rtx in a row with packets larger than the base in flight."""
        self.stuck = -1
        """The earliest TSN in flight at the last of them."""
        self.question = b""
        """Nonce of the small HEARTBEAT that asks whether the peer answers; empty: none is out."""
        self.asked_at = 0.0
        self.answered = False
        """It does, although what is larger vanishes."""
        self.probes = 0
        """Probes sent, for statistics."""
        self.black_holes = 0
        """Times that the path MTU fell back to the base, for statistics."""

    # --- the search ---

    def begin(self, maximum: int, *, failed: bool = False) -> None:
        """Enter BASE. ``failed``: larger packets have just vanished, so that the maximum is not tried before others."""
        self.state = SearchState.BASE
        self.tried_maximum = failed
        self._range(maximum)
        self.low = min(self.base, self.maximum)
        self._forget_probe()

    def resume(self, maximum: int) -> None:
        """PMTU_RAISE_TIMER has expired: look for more than ``low``."""
        self.state = SearchState.SEARCHING
        self.tried_maximum = False
        self._range(maximum)
        self._forget_probe()

    def _range(self, maximum: int) -> None:
        self.maximum = maximum & ~3
        self.high = self.maximum + 4

    def _forget_probe(self) -> None:
        self.count = 0
        self.probed = 0
        self.nonce = b""

    def next_size(self) -> int:
        """What to probe now; 0: the search is complete.

        A probe that passes takes a round trip, one that does not takes MAX_PROBES time-outs. So the maximum is tried
        once, since it is right most of the time; then sizes go up until one fails, and what is left is halved.
        """
        if self.state in (SearchState.BASE, SearchState.ERROR):
            return min(self.base, self.maximum)
        if not self.tried_maximum and self.low < self.maximum < self.high:
            return self.maximum
        for size in (*COMMON_SIZES, self.maximum):
            if self.low < size < self.high and size <= self.maximum:
                return size
        if self.high - self.low > MIN_GAIN:
            return (self.low + self.high) // 2 & ~3
        return 0

    def passed(self) -> None:
        """The probe was answered."""
        self.low = self.probed
        self.state = SearchState.SEARCHING
        self._forget_probe()

    def failed(self) -> None:
        """The probe was not answered in time (PROBE_TIMER)."""
        self.count += 1
        self.nonce = b""
        if self.state is not SearchState.SEARCHING:
            if self.count >= MAX_PROBES:
                self.state = SearchState.ERROR
                self.count = 0
        elif self.probed == self.maximum and not self.tried_maximum:
            # Not worth more time-outs while smaller sizes may pass; its turn comes again after them.
            self.tried_maximum = True
            self._forget_probe()
        elif self.count >= MAX_PROBES:
            self.high = self.probed
            self._forget_probe()

    def too_big(self, mtu: int) -> None:
        """A router told that it carries ``mtu`` bytes, less than what is probed (RFC 8899 section 4.6.2)."""
        mtu &= ~3
        if self.low <= mtu < self.high:
            self.maximum = min(self.maximum, mtu)
            self.high = self.maximum + 4
            self.tried_maximum = False
            self._forget_probe()

    # --- black holes ---

    def acknowledged(self, size: int, cumulative: int, *, alone: bool) -> None:
        """``size`` bytes of DATA were acknowledged on the path, and all TSNs up to ``cumulative``: does it work again?

        ``alone``: no other path can have delivered what was stuck.
        """
        # Small packets that pass on the way prove nothing, as long as what was stuck is.
        if cumulative >= self.stuck and (alone or size > self.base_room):
            self.forget_expirations()

    def forget_expirations(self) -> None:
        self.expirations = 0
        self.stuck = -1
        self.question = b""
        self.answered = False
