"""Files over a socket, as `socket.socket.makefile` makes them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pysctpstack.sockets.transferring import TransferringSocket


def make_file(sock: TransferringSocket, mode: str, buffering: int | None, text: dict[str, Any]) -> Any:
    """A file over the messages; ``text``: what `io.TextIOWrapper` takes."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writing, binary = "w" in mode, "b" in mode
    reading = "r" in mode or not writing
    raw = SocketFile(sock, reading=reading, writing=writing)
    if buffering == 0:
        if not binary:
            raise ValueError("unbuffered streams must be binary")
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    file: Any
    if reading and writing:
        file = io.BufferedRWPair(raw, raw, size)
    elif reading:
        file = io.BufferedReader(raw, size)
    else:
        file = io.BufferedWriter(raw, size)
    return file if binary else io.TextIOWrapper(file, **text)


class SocketFile(io.RawIOBase):
    """The raw stream under `SctpSocket.makefile`."""

    def __init__(self, sock: TransferringSocket, *, reading: bool, writing: bool) -> None:
        self._sock = sock
        self._reading = reading
        self._writing = writing
        self._timed_out = False
        sock.file_opened()

    def readable(self) -> bool:
        return self._reading

    def writable(self) -> bool:
        return self._writing

    def readinto(self, buffer: Any) -> int | None:
        if self._timed_out:
            # What a buffered reader had gathered before the time-out is lost.
            raise OSError("cannot read from timed out object")
        try:
            return self._sock.recv_into(buffer)
        except BlockingIOError:
            return None
        except TimeoutError:
            self._timed_out = True
            raise

    def write(self, data: Any) -> int | None:
        # Buffered writers pass on what is larger than their buffer, and come again with the rest.
        piece = bytes(memoryview(data).cast("B")[: self._sock.send_buffer])
        try:
            return self._sock.send(piece) if piece else 0
        except BlockingIOError:
            return None

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._sock.file_closed()
