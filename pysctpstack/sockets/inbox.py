"""What a socket has to read: messages, pieces of messages and notifications, in the order of their arrival."""

from __future__ import annotations

import socket
from collections import deque
from typing import Final

from pysctpstack import constants as c
from pysctpstack.events import MessageReceived
from pysctpstack.sockets import addresses

MSG_EOR: Final = int(getattr(socket, "MSG_EOR", c.MSG_EOR))


class Notice:
    """A notification to be read: its bytes, and the address of the association's peer."""

    __slots__ = ("data", "address")

    def __init__(self, data: bytes, address: addresses.Address) -> None:
        self.data = data
        self.address = address


class Inbox:
    """``arrivals``: what is to be read, a message as the core reported it. ``offset``: bytes of the first that have
    been read."""

    __slots__ = ("arrivals", "offset")

    def __init__(self) -> None:
        self.arrivals: deque[MessageReceived | Notice] = deque()
        self.offset = 0

    def __bool__(self) -> bool:
        return bool(self.arrivals)

    @property
    def has_messages(self) -> bool:
        return any(type(arrival) is MessageReceived for arrival in self.arrivals)

    def read(self, size: int, *, peek: bool) -> tuple[bytes, MessageReceived | Notice, int, bool]:
        """At most ``size`` bytes of the first arrival, that arrival, its msg_flags, and whether this is its end.

        With ``peek`` all of it stays to be read. There must be something.
        """
        arrival = self.arrivals[0]
        data = arrival.data
        if self.offset or len(data) > size:
            data = data[self.offset : self.offset + size]
        end = self.offset + len(data)
        ends = end == len(arrival.data)
        flags = 0
        if isinstance(arrival, Notice):
            flags = c.MSG_NOTIFICATION | (MSG_EOR if ends else 0)
        elif ends and arrival.complete:
            flags = MSG_EOR
        if not peek:
            if ends:
                self.arrivals.popleft()
                end = 0
            self.offset = end
        return data, arrival, flags, ends

    def clear(self) -> None:
        self.arrivals.clear()
        self.offset = 0
