"""Messages that wait for transmission, first come first served, and their life times.

RFC 9260 leaves the choice between streams to the sender (section 6.6); RFC 6458's default is the order of the calls.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf
from typing import Final

_FEW: Final = 64


class Message:
    """A user message from ``send`` to the last acknowledgement. ``ppid``: the number on the wire."""

    __slots__ = (
        "stream_id",
        "ppid",
        "data",
        "unordered",
        "sack_immediately",
        "context",
        "expires_at",
        "destination",
        "ssn",
        "first_tsn",
        "offset",
        "abandoned",
    )

    def __init__(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        context: int = 0,
        *,
        unordered: bool = False,
        sack_immediately: bool = False,
        expires_at: float = inf,
        destination: str = "",
    ) -> None:
        self.stream_id = stream_id
        self.ppid = ppid
        self.data = data
        self.unordered = unordered
        self.sack_immediately = sack_immediately
        self.context = context
        self.expires_at = expires_at
        """When its life time ends (RFC 6458 section 5.3.7, timetolive)."""
        self.destination = destination
        """A peer address that overrides the primary path (SCTP_ADDR_OVER), or ``""``."""
        self.ssn = 0
        self.first_tsn = -1
        """TSN of its first fragment; the others follow without a gap. -1: none of it has been sent."""
        self.offset = 0
        """Bytes that have been given TSNs."""
        self.abandoned = False


class LimitedMessage(Message):
    """A message with a policy of partial reliability (RFC 7496 section 4.2): SCTP_PR_SCTP_TTL, _RTX or _PRIO."""

    __slots__ = ("policy", "limit", "losses")

    policy: int
    limit: int
    """Retransmissions, or the priority: 0 is the highest."""
    losses: dict[int, int]
    """By TSN: how often its chunks were lost."""

    def limit_to(self, policy: int, limit: int) -> None:
        """Completes the construction, which is that of any message."""
        self.policy, self.limit, self.losses = policy, limit, {}


class SendQueue:
    """``size``: bytes of user data that have no TSN yet. ``partial``: whether a message may still be dropped when some
    of it has been sent (RFC 3758); otherwise only those wholly unsent expire (RFC 9260 section 11.1.5)."""

    __slots__ = ("messages", "size", "partial", "_expiries", "_sequence", "_given_up")

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.size = 0
        self.partial = False
        self._expiries: list[tuple[float, int, Message]] = []
        self._sequence = 0
        self._given_up = 0
        """How many of the messages were, about."""

    def push(self, message: Message) -> None:
        self.messages.append(message)
        self.size += len(message.data)
        if message.expires_at != inf:
            self._sequence += 1
            heappush(self._expiries, (message.expires_at, self._sequence, message))

    def head(self) -> Message | None:
        """The message to send from, or None. Messages that expired before are passed over."""
        messages = self.messages
        while messages:
            message = messages[0]
            if not message.abandoned:
                return message
            messages.popleft()
            self._given_up -= 1
        self._given_up = 0
        return None

    def next_expiry(self) -> float:
        """When the first message that can be dropped here expires; ``math.inf`` if none does."""
        expiries = self._expiries
        while expiries:
            message = expiries[0][2]
            if not message.abandoned and (not message.offset or (self.partial and message.offset < len(message.data))):
                return expiries[0][0]
            heappop(expiries)
        return inf

    def take_expired(self, now: float) -> list[Message]:
        """Remove the messages that wait, or whose rest does, and whose life time is over; return them."""
        expired: list[Message] = []
        while self.next_expiry() <= now:
            message = heappop(self._expiries)[2]
            self.give_up(message)
            expired.append(message)
        return expired

    def give_up(self, message: Message) -> None:
        """Neither the message nor what is left of it will be sent. It stays where it is until it is passed over, or
        until more have been given up than wait: behind a message that can't leave they must not pile up."""
        message.abandoned = True
        self.size -= len(message.data) - message.offset
        self._given_up += 1
        if self._given_up > max(_FEW, len(self.messages) // 2):
            waiting = [other for other in self.messages if not other.abandoned]
            self.messages.clear()
            self.messages.extend(waiting)
            self._given_up = 0

    def clear(self) -> list[Message]:
        """Empty the queue and return what was in it."""
        messages = [message for message in self.messages if not message.abandoned]
        self.messages.clear()
        self._expiries.clear()
        self.size = self._given_up = 0
        return messages
