"""Fragments to messages, messages to the order of their streams (RFC 9260 sections 6.5, 6.6 and 6.9).

Fragments of one message have consecutive TSNs, so a message grows as a *run* of TSNs: a new fragment joins the run
that ends just below
it, the run that starts just above it, or both. Two dictionaries, by first and by last TSN, find them in constant
time.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from pysctpstack.wire.codepoints import DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_U

MIN_CHARGE: Final = 256
"""Bytes of the window that a message or fragment takes at least: about what the smallest costs in memory."""


def padding_of(size: int) -> int:
    """What a message or fragment of ``size`` bytes is charged beyond its data; 0 for nothing at all."""
    return MIN_CHARGE - size if 0 < size < MIN_CHARGE else 0


class Run:
    """Consecutive fragments of one message. ``complete`` once it has the first and the last."""

    __slots__ = (
        "first",
        "last",
        "begins",
        "ends",
        "stream_id",
        "ssn",
        "unordered",
        "ppid",
        "pieces",
        "size",
        "padding",
    )

    def __init__(self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, piece: bytes) -> None:
        self.first = tsn
        self.last = tsn
        self.begins = bool(flags & DATA_FLAG_B)
        self.ends = bool(flags & DATA_FLAG_E)
        self.stream_id = stream_id
        self.ssn = ssn
        self.unordered = bool(flags & DATA_FLAG_U)
        self.ppid = ppid
        self.pieces: list[bytes] | deque[bytes] = [piece]
        """A deque once the run grows downwards: most never do, and an empty deque takes 600 bytes."""
        self.size = len(piece)
        self.padding = max(MIN_CHARGE - self.size, 0)

    def is_of_one_message_with(self, other: Run) -> bool:
        return (
            self.stream_id == other.stream_id
            and self.unordered == other.unordered
            and (self.unordered or self.ssn == other.ssn)
        )


def _as_deque(run: Run) -> deque[bytes]:
    pieces = run.pieces
    if not isinstance(pieces, deque):
        pieces = run.pieces = deque(pieces)
    return pieces


class InboundStream:
    """One inbound stream, made when its first ordered message arrives. ``next_ssn`` is unwrapped."""

    __slots__ = ("next_ssn", "waiting")

    def __init__(self) -> None:
        self.next_ssn = 0
        self.waiting: dict[int, Run] = {}
        """Complete messages that came before their turn, by unwrapped stream sequence number."""

    def unwrap(self, ssn: int) -> int:
        """The next stream sequence number at or above ``next_ssn`` that has these 16 bits."""
        return self.next_ssn + ((ssn - self.next_ssn) & 0xFFFF)


class Reassembly:
    """Holds what can't be delivered yet. ``held``: its bytes of user data; ``padding``: what small pieces are charged
    beyond that."""

    __slots__ = ("by_first", "by_last", "streams", "held", "padding")

    def __init__(self) -> None:
        self.by_first: dict[int, Run] = {}
        self.by_last: dict[int, Run] = {}
        self.streams: dict[int, InboundStream] = {}
        self.held = 0
        self.padding = 0

    def stream(self, stream_id: int) -> InboundStream:
        stream = self.streams.get(stream_id)
        if stream is None:
            stream = self.streams[stream_id] = InboundStream()
        return stream

    def add(self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, piece: bytes) -> Run | None:
        """Add a fragment and return the run it is now part of, complete or not.

        None: its flags, stream or sequence number contradict its neighbours': the peer broke the protocol.
        """
        run = Run(tsn, flags, stream_id, ssn, ppid, piece)
        below = self.by_last.get(tsn - 1)
        above = self.by_first.get(tsn + 1)
        # RFC 9260 section 6.9, 3: B on the first fragment only, E on the last only, and none of another message
        # between them.
        if below is not None:
            if below.ends != run.begins or not (run.begins or below.is_of_one_message_with(run)):
                return None
            if run.begins:
                below = None
        if above is not None:
            if run.ends != above.begins or not (run.ends or run.is_of_one_message_with(above)):
                return None
            if run.ends:
                above = None
        self.held += len(piece)
        self.padding += run.padding
        if below is not None:
            self._grow_up(below, run)
            run = below
            if above is not None:
                run = self._merge(below, above)
        elif above is not None:
            self._grow_down(above, run)
            run = above
        else:
            self.by_first[tsn] = self.by_last[tsn] = run
        return run

    def _grow_up(self, run: Run, fragment: Run) -> None:
        del self.by_last[run.last]
        run.last = fragment.last
        run.ends = fragment.ends
        run.pieces.append(fragment.pieces[0])
        run.size += fragment.size
        run.padding += fragment.padding
        self.by_last[run.last] = run

    def _grow_down(self, run: Run, fragment: Run) -> None:
        del self.by_first[run.first]
        run.first = fragment.first
        run.begins = fragment.begins
        run.ppid = fragment.ppid
        _as_deque(run).appendleft(fragment.pieces[0])
        run.size += fragment.size
        run.padding += fragment.padding
        self.by_first[run.first] = run

    def _merge(self, below: Run, above: Run) -> Run:
        """Two runs become one; the shorter moves, so that no order of arrival costs more than n log n."""
        del self.by_last[below.last]
        del self.by_first[above.first]
        if len(above.pieces) <= len(below.pieces):
            below.last, below.ends = above.last, above.ends
            below.pieces.extend(above.pieces)
            merged = below
        else:
            above.first, above.begins, above.ppid = below.first, below.begins, below.ppid
            _as_deque(above).extendleft(reversed(below.pieces))
            merged = above
        merged.size = below.size + above.size
        merged.padding = below.padding + above.padding
        self.by_first[merged.first] = self.by_last[merged.last] = merged
        return merged

    def release(self, run: Run) -> None:
        """A run's pieces are handed over: they are not held any more."""
        self.held -= run.size
        self.padding -= run.padding
        run.padding = 0

    def remove(self, run: Run) -> None:
        """Take a run out; it stays counted until it is released."""
        del self.by_first[run.first]
        del self.by_last[run.last]

    def discard(self, cumulative: int) -> list[Run]:
        """Drop the incomplete messages that miss a fragment at or below the cumulative TSN: it will not come (RFC 3758
        section 3.6)."""
        # What is not here and not above the cumulative TSN has been skipped.
        broken = [
            run
            for run in self.by_first.values()
            if (not run.begins and run.first <= cumulative) or (not run.ends and run.last < cumulative)
        ]
        for run in broken:
            self.remove(run)
            self.release(run)
        return broken

    def deliverable_head(self) -> Run | None:
        """The oldest incomplete message whose turn it is and whose beginning is here: what partial delivery may
        start on."""
        head: Run | None = None
        for run in self.by_first.values():
            if run.begins and (head is None or run.first < head.first):
                stream = self.streams.get(run.stream_id)
                if run.unordered or (stream.next_ssn if stream else 0) & 0xFFFF == run.ssn:
                    head = run
        return head
