"""Messages that are given up after some of them was sent (RFC 3758): what the peer has to skip, and when it is told.

The chunks of an abandoned message stay among the outstanding ones, empty and counted as acknowledged, until the peer's
cumulative TSN has passed them. FORWARD TSN makes it do so, up to ``point``: Advanced.Peer.Ack.Point.

The services are timed reliability (section 4.1), in the form of its rule TR4: what is in flight when its life time ends
may still arrive, and is given up no earlier than it would have to be sent again; and limited retransmissions and
priorities (RFC 7496 section 3).
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Final

from pysctpstack.core.path import Path
from pysctpstack.core.tx.outstanding import Chunk, Outstanding
from pysctpstack.core.tx.send_queue import LimitedMessage, Message
from pysctpstack.wire.extension_chunks import ForwardTsn

# Policies of RFC 7496 section 4.2, as the sockets API numbers them.
TTL: Final = 0x10
RTX: Final = 0x20
PRIO: Final = 0x30
MAX_ADVANCE: Final = 65_535
"""How far a FORWARD TSN moves the peer on at most: as far as a Gap Ack Block reaches (RFC 9260 section 3.3.4)."""


def is_less_important(message: Message, priority: int) -> bool:
    """Whether a message may make room for one of this priority: a larger number is a lower one."""
    return isinstance(message, LimitedMessage) and message.policy == PRIO and message.limit > priority


class PartialReliability:
    __slots__ = ("enabled", "highest", "point", "due", "told", "told_at", "path", "answered", "lapsing", "abandoned")

    def __init__(self, cumulative: int) -> None:
        self.enabled = False
        """Both ends have said that they support it (section 3.3)."""
        self.highest = cumulative
        """The highest abandoned TSN; at or below the cumulative TSN Ack Point: there is nothing to skip."""
        self.point = cumulative
        """Advanced.Peer.Ack.Point (section 3.5, A1)."""
        self.due = False
        """A FORWARD TSN has to leave with the next packet."""
        self.told = cumulative
        """The New Cumulative TSN of the last FORWARD TSN."""
        self.told_at = -inf
        self.path: Path | None = None
        """Where it went; None: none is unanswered. Its T3-rtx is the one that runs (section 3.5, C5)."""
        self.answered: Path | None = None
        """A SACK has answered the FORWARD TSN that went there, which shows that the path works."""
        self.lapsing: list[tuple[float, int]] = []
        """Heap of (end of life time, TSN) of chunks that were marked for retransmission, while that lasts."""
        self.abandoned: dict[tuple[int, int], tuple[int, int]] = {}
        """By stream and policy: messages given up before any of it was sent, and after (RFC 7496 section 4.3)."""

    # --- life times (section 4.1) and retransmissions (RFC 7496 section 3.1) ---

    def watch(self, chunk: Chunk) -> None:
        """A chunk has been marked for retransmission: it must not leave after its life time, nor too often."""
        if not self.enabled:
            return
        message = chunk.message
        if message.expires_at != inf:
            heappush(self.lapsing, (message.expires_at, chunk.tsn))
        elif isinstance(message, LimitedMessage) and message.policy == RTX:
            losses = message.losses[chunk.tsn] = message.losses.get(chunk.tsn, 0) + 1
            if losses > message.limit:
                heappush(self.lapsing, (-inf, chunk.tsn))

    def count(self, message: Message) -> None:
        """A message has been given up."""
        if isinstance(message, LimitedMessage):
            key = (message.stream_id, message.policy)
            unsent, sent = self.abandoned.get(key, (0, 0))
            self.abandoned[key] = (unsent, sent + 1) if message.offset else (unsent + 1, sent)

    def next_lapse(self, outstanding: Outstanding) -> float:
        """When the first message that waits for a retransmission expires; ``math.inf`` if none does."""
        lapsing = self.lapsing
        while lapsing:
            chunk = outstanding.get(lapsing[0][1])
            if chunk is not None and chunk.marked:
                return lapsing[0][0]
            heappop(lapsing)
        return inf

    # --- what the peer is told (section 3.5) ---

    def advance(self, outstanding: Outstanding, cumulative: int, now: float, patience: float) -> None:
        """Move Advanced.Peer.Ack.Point up after a SACK or when something was abandoned (C1 to C3).

        ``patience``: seconds until the same is told again.
        """
        if cumulative >= self.told:
            self.answered = self.path
            self.path = None
        point = max(self.point, cumulative)
        limit = cumulative + MAX_ADVANCE
        while point < limit:
            chunk = outstanding.get(point + 1)
            if chunk is None or not chunk.message.abandoned:
                break
            point += 1
        self.point = point
        # F2: a SACK that was on its way when the FORWARD TSN left is no reason for another.
        self.due = point > cumulative and (point > self.told or now - self.told_at >= patience)

    def forward_tsn(self, outstanding: Outstanding, cumulative: int, room: int, path: Path, now: float) -> bytes:
        """The FORWARD TSN chunk of this moment, in at most ``room`` bytes; counts as sent to ``path``."""
        entries = (room - 8) // 4
        streams: dict[int, int] = {}
        for tsn in range(cumulative + 1, self.point + 1):
            message = outstanding[tsn].message
            if message.unordered:
                continue
            if len(streams) == entries and message.stream_id not in streams:
                # C4: what does not fit into a packet is for the next one.
                self.point = tsn - 1
                break
            streams[message.stream_id] = message.ssn
        self.due = False
        self.told = self.point
        self.told_at = now
        self.path = path
        return ForwardTsn(self.point, list(streams.items())).encode()

    def take_lapsed(self, outstanding: Outstanding, now: float) -> list[Message]:
        """The messages whose life time is over and which would have to be sent again, once each."""
        lapsed: dict[int, Message] = {}
        while self.next_lapse(outstanding) <= now:
            message = outstanding[heappop(self.lapsing)[1]].message
            lapsed[id(message)] = message
        return list(lapsed.values())
