"""A descriptor that `select`, `poll`, `selectors` and asyncio can wait on, for a socket that has none.

One end of a socketpair: a byte written into its peer makes it readable; its own full send buffer makes it not
writable. Both are
levels, independent of each other, and change only when the SCTP socket's do.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

_FILL: Final = bytes(65_536)
_SMALL_BUFFER: Final = 4_096


class Readiness:
    def __init__(self) -> None:
        self._watched, self._peer = socket.socketpair()
        for sock in (self._watched, self._peer):
            sock.setblocking(False)
        # Little to write until it is full.
        self._watched.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL_BUFFER)
        self._peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        self._readable = False
        self._writable = True

    def fileno(self) -> int:
        return self._watched.fileno()

    def update(self, readable: bool, writable: bool) -> None:
        """Show these levels."""
        if readable != self._readable:
            self._readable = readable
            if readable:
                self._peer.send(b"\0")
            else:
                self._watched.recv(1)
        if writable != self._writable:
            self._writable = writable
            with contextlib.suppress(BlockingIOError):
                while True:
                    if writable:
                        self._peer.recv(len(_FILL))
                    else:
                        self._watched.send(_FILL)

    def close(self) -> None:
        self._watched.close()
        self._peer.close()
