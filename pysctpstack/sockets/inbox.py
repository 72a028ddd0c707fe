"""What a socket has to read: messages, pieces of messages and notifications, in the order of their arrival."""

from __future__ import annotations

import socket
from collections import deque
from typing import Final

from pysctpstack import constants as c
from pysctpstack.events import MessageReceived
from pysctpstack.sockets import addresses

MSG_EOR: Final = int(getattr(socket, "MSG_EOR", c.MSG_EOR))


class Arrival:
    """Something to be read."""

    __slots__ = ("data", "message", "address")

    def __init__(self, data: bytes, message: MessageReceived | None, address: addresses.Address) -> None:
        self.data = data
        self.message = message
        """None: a notification."""
        self.address = address


class Inbox:
    __slots__ = ("_arrivals", "_offset")

    def __init__(self) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._offset = 0
        """Bytes of the first arrival that have been read."""

    def __bool__(self) -> bool:
        return bool(self._arrivals)

    def append(self, arrival: Arrival) -> None:
        self._arrivals.append(arrival)

    @property
    def has_messages(self) -> bool:
        return any(arrival.message is not None for arrival in self._arrivals)

    def read(self, size: int, *, peek: bool) -> tuple[bytes, Arrival, int, bool]:
        """At most ``size`` bytes of the first arrival, that arrival, its msg_flags, and whether this is its end.

        With ``peek`` all of it stays to be read. There must be something.
        """
        arrival = self._arrivals[0]
        message = arrival.message
        data = arrival.data
        if self._offset or len(data) > size:
            data = data[self._offset : self._offset + size]
        end = self._offset + len(data)
        ends = end == len(arrival.data)
        flags = 0 if message is not None else c.MSG_NOTIFICATION
        if ends and (message is None or message.complete):
            flags |= MSG_EOR
        if not peek:
            if ends:
                self._arrivals.popleft()
                end = 0
            self._offset = end
        return data, arrival, flags, ends

    def clear(self) -> None:
        self._arrivals.clear()
        self._offset = 0
