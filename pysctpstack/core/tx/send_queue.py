"""Messages that wait for transmission, first come first served, and their life times.

RFC 9260 leaves the choice between streams to the sender (section 6.6); RFC 6458's default is the order of the calls.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf


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
        "offset",
        "abandoned",
    )

    def __init__(
        self,
        stream_id: int,
        ppid: int,
        data: bytes,
        *,
        unordered: bool = False,
        sack_immediately: bool = False,
        context: int = 0,
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
        """When the message is dropped if none of it has been sent (RFC 6458 section 5.3.7, timetolive)."""
        self.destination = destination
        """A peer address that overrides the primary path (SCTP_ADDR_OVER), or ``""``."""
        self.ssn = 0
        self.offset = 0
        """Bytes that have been given TSNs."""
        self.abandoned = False


class SendQueue:
    """``size``: bytes of user data that have no TSN yet."""

    __slots__ = ("messages", "size", "_expiries", "_sequence")

    def __init__(self) -> None:
        self.messages: deque[Message] = deque()
        self.size = 0
        self._expiries: list[tuple[float, int, Message]] = []
        self._sequence = 0

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
        return None

    def next_expiry(self) -> float:
        """When the first message that is still wholly unsent expires; ``math.inf`` if none does."""
        expiries = self._expiries
        while expiries and (expiries[0][2].offset or expiries[0][2].abandoned):
            heappop(expiries)
        return expiries[0][0] if expiries else inf

    def take_expired(self, now: float) -> list[Message]:
        """Remove the wholly unsent messages whose life time is over, and return them."""
        expired: list[Message] = []
        while self.next_expiry() <= now:
            message = heappop(self._expiries)[2]
            message.abandoned = True
            self.size -= len(message.data)
            expired.append(message)
        return expired

    def clear(self) -> list[Message]:
        """Empty the queue and return what was in it."""
        messages = [message for message in self.messages if not message.abandoned]
        self.messages.clear()
        self._expiries.clear()
        self.size = 0
        return messages
