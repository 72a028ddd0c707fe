"""One direction of a network path: what it does to a datagram, decided by a seeded generator.

A datagram meets the parts of a link in the order in which a real one does: is the link up, does the datagram
fit the MTU, is there room in the buffer before the bottleneck, how long does it take to serialise, does it
survive the line, is it damaged, how long does it travel, is it overtaken, is it doubled.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

from pysctpstack.core.route import Fragmentable

Fate = Literal[
    "in_flight",
    "delivered",
    "duplicated",
    "corrupted",
    "lost",
    "dropped_queue",
    "dropped_mtu",
    "cut",
    "filtered",
    "unreachable",
]
"""What became of a datagram.

``in_flight``: still under way. ``delivered``: arrived as it was sent. ``duplicated``: a copy that the network
made, and that arrived. ``corrupted``: arrived with one bit flipped. ``lost``: random or burst loss.
``dropped_queue``: no room in the buffer of a link with a rate. ``dropped_mtu``: larger than the link's MTU.
``cut``: the link or an address is down. ``filtered``: a rule of the test dropped it. ``unreachable``: nobody
has this address and UDP port, a NAT has no binding for it, or the sender has no such local address.
"""

DEFAULT_QUEUE = 65_536
"""Bytes that wait before a link with a rate, when ``Link.queue`` is 0."""

_LARGEST = sys.float_info.max
_BOUNDS = {
    **dict.fromkeys(("loss", "duplicate", "reorder", "corrupt", "burst_enter", "burst_leave"), 1.0),
    **dict.fromkeys(("latency", "jitter", "reorder_delay", "rate", "queue", "mtu"), _LARGEST),
}


class Passage(NamedTuple):
    """One datagram as it leaves a link: ``arrival`` is ``math.inf`` for one that the link swallowed."""

    arrival: float
    data: bytes
    fate: Fate


@dataclass(slots=True)
class Link:
    """One direction between two addresses. Every setting may be changed while datagrams are under way.

    A change meets the datagrams sent after it. Raises ValueError for a probability outside 0 to 1 and for a
    quantity that is negative or infinite.
    """

    latency: float = 0.01
    """Seconds from the end of serialisation to arrival."""
    jitter: float = 0.0
    """Up to so many seconds more. No datagram overtakes another by it: one that would waits for the other."""
    loss: float = 0.0
    """Probability that a datagram is lost, each independently."""
    duplicate: float = 0.0
    """Probability that a second copy arrives, with a jitter of its own."""
    reorder: float = 0.0
    """Probability that a datagram is held back by ``reorder_delay``, so that later ones overtake it."""
    corrupt: float = 0.0
    """Probability that one bit of the UDP payload is flipped."""
    rate: float = 0
    """Bits a second, IP and UDP headers counted. 0: no serialisation time and no queue."""
    queue: int = 0
    """Bytes of IP datagrams that may wait their turn; what is beyond is dropped. 0: `DEFAULT_QUEUE`."""
    mtu: int = 65_535
    """The largest IP datagram, headers counted, that passes. A larger one is dropped without an answer, unless it is
    `pysctpstack.core.route.Fragmentable`."""
    fragments: bool = True
    """False: fragments of such datagrams do not pass either, as with many a firewall."""
    up: bool = True
    """False: everything sent is dropped (``cut``)."""
    reorder_delay: float = 0.02
    """Seconds for which a datagram that is to be overtaken is held back."""
    burst_enter: float = 0.0
    """Gilbert-Elliott loss: probability that a datagram begins a burst, in which everything is lost."""
    burst_leave: float = 0.25
    """Probability that a datagram in a burst ends it; a burst loses 1 / ``burst_leave`` on average."""

    _free_at: float = field(default=-math.inf, init=False, repr=False, compare=False)
    _waiting: deque[tuple[float, int]] = field(default_factory=deque, init=False, repr=False, compare=False)
    _waiting_bytes: int = field(default=0, init=False, repr=False, compare=False)
    _last_arrival: float = field(default=-math.inf, init=False, repr=False, compare=False)
    _in_burst: bool = field(default=False, init=False, repr=False, compare=False)

    if not TYPE_CHECKING:  # A type checker that saw it would take any attribute for a setting.

        def __setattr__(self, name: str, value: object) -> None:
            if name in _BOUNDS and not (isinstance(value, (int, float)) and 0 <= value <= _BOUNDS[name]):
                raise ValueError(f"Link.{name} is a number from 0 to {_BOUNDS[name]:g}, not {value!r}")
            object.__setattr__(self, name, value)

    def change(self, **settings: float) -> None:
        """Change several settings at once: ``link.change(loss=0.1, rate=1_000_000)``. All or nothing.

        Raises TypeError for a setting that does not exist and ValueError for a bad value.
        """
        # The copy is made for its complaints, before anything is changed here.
        replace(self, **settings)  # type: ignore[arg-type]
        for name, value in settings.items():
            setattr(self, name, value)

    def carry(self, data: bytes, size: int, now: float, chance: Random) -> list[Passage]:
        """Send one datagram: its payload and the size of its IP datagram. Gives what arrives, when, and how.

        The first entry is the datagram itself, a second one its copy.
        """
        if not self.up:
            return [Passage(math.inf, data, "cut")]
        # What is received is put together again: one datagram, which a link carries or loses as a whole.
        if size > self.mtu and not (self.fragments and isinstance(data, Fragmentable)):
            return [Passage(math.inf, data, "dropped_mtu")]
        departure = now
        if self.rate:
            start = max(now, self._free_at)
            if not self._enqueue(size, start, now):
                return [Passage(math.inf, data, "dropped_queue")]
            departure = self._free_at = start + size * 8 / self.rate
        if self._loses(chance):
            return [Passage(math.inf, data, "lost")]
        fate: Fate = "delivered"
        if self.corrupt and data and chance.random() < self.corrupt:
            data, fate = _flip_bit(data, chance), "corrupted"
        passages = [Passage(self._arrival(departure, chance), data, fate)]
        if self.duplicate and chance.random() < self.duplicate:
            passages.append(Passage(self._arrival(departure, chance), data, "duplicated"))
        return passages

    def _enqueue(self, size: int, start: float, now: float) -> bool:
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting_bytes -= self._waiting.popleft()[1]
        if start <= now:
            return True
        if self._waiting_bytes + size > (self.queue or DEFAULT_QUEUE):
            return False
        self._waiting.append((start, size))
        self._waiting_bytes += size
        return True

    def _loses(self, chance: Random) -> bool:
        if self._in_burst:
            self._in_burst = chance.random() >= self.burst_leave
        elif self.burst_enter:
            self._in_burst = chance.random() < self.burst_enter
        return self._in_burst or (self.loss > 0 and chance.random() < self.loss)

    def _arrival(self, departure: float, chance: Random) -> float:
        earliest = departure + self.latency
        if self.reorder and chance.random() < self.reorder:
            # Not noted in _last_arrival: those behind are to overtake it.
            return earliest + self.reorder_delay + self.jitter * chance.random()
        if not self.jitter:
            arrival = earliest
        else:
            # First in, first out; but a latency that was lowered since lets datagrams overtake, as a new
            # route does.
            latest = earliest + self.jitter
            arrival = max(earliest + self.jitter * chance.random(), min(self._last_arrival, latest))
        self._last_arrival = arrival
        return arrival


def _flip_bit(data: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(data) * 8)
    damaged = bytearray(data)
    damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)
