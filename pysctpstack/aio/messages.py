"""What an association hands to its user: messages, and what happened besides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from pysctpstack.aio.waiting import Line
from pysctpstack.events import (
    Acknowledged,
    AssociationUp,
    Event,
    MessageReceived,
    RemoteError,
    SenderDry,
    SendFailed,
)

Notification = Event
"""What `Notifications` gives: the records of `pysctpstack.events` other than `_NONE`."""

_NONE = (AssociationUp, MessageReceived, Acknowledged, SenderDry)
"""What the user learns otherwise: `connect` and `recv` return, `send` and `drain` go on."""


@dataclass(slots=True)
class Message:
    """A user message as it was received (RFC 6458 section 5.3.5).

    ``ppid``: the payload protocol identifier, the number on the wire. ``ssn``: stream sequence number, 16 bits.
    ``tsn``, ``cumulative_tsn``: 32 bits, of the first fragment, and of the association when the message was complete.
    ``complete``: False for a piece of a message that is followed by more of it.
    """

    data: bytes
    stream_id: int
    ppid: int
    unordered: bool
    ssn: int
    tsn: int
    cumulative_tsn: int
    complete: bool = True


class Notifications:
    """What happened to an association besides messages, oldest first: an asynchronous iterator that ends with it.

    At most `limit` are kept, and of the data in them (messages that could not be delivered) as much as
    `limit_bytes`; then the oldest are forgotten and counted in `dropped`. So nobody has to read them.
    """

    limit = 256

    def __init__(self, readers: Line, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.dropped = 0
        self._queue: deque[Notification] = deque()
        self._bytes = 0
        self._ended = False
        self._readers = readers

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, event: Event) -> None:
        """Called by the association."""
        if isinstance(event, _NONE):
            return
        self._queue.append(event)
        self._bytes += _size(event)
        while len(self._queue) > self.limit or (self._bytes > self.limit_bytes and len(self._queue) > 1):
            self._take()
            self.dropped += 1

    def end(self) -> None:
        """There will be no more."""
        self._ended = True

    def wake(self) -> None:
        self._readers.wake()

    def _ready(self) -> bool:
        return bool(self._queue) or self._ended

    def _take(self) -> Notification:
        event = self._queue.popleft()
        self._bytes -= _size(event)
        return event

    async def get(self, *, timeout: float | None = None) -> Notification | None:
        """The next one; None: the association has ended and there will be none. TimeoutError after ``timeout``
        seconds."""
        if not self._queue or self._readers:
            await self._readers.wait(self._ready, timeout)
        return self._take() if self._queue else None

    def __aiter__(self) -> Notifications:
        return self

    async def __anext__(self) -> Notification:
        event = await self.get()
        if event is None:
            raise StopAsyncIteration
        return event


def _size(event: Notification) -> int:
    return len(event.data) if isinstance(event, (SendFailed, RemoteError)) else 0
