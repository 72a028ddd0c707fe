"""A UDP relay on loopback between a client stack and a server stack, which may do to packets what networks do."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable

Mangle = Callable[[bytes], list[bytes]]
"""Makes of one packet those that arrive in its stead."""


def unchanged(packet: bytes) -> list[bytes]:
    return [packet]


class Relay:
    """Clients send to ``port``; what the server answers goes to whoever sent last. Closes with its `with`.

    ``make_mangle`` is called for each direction.
    """

    def __init__(self, server_port: int, make_mangle: Callable[[], Mangle] = lambda: unchanged) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._bell, self._ringer = socket.socketpair()
        self._server = ("127.0.0.1", server_port)
        self._client: tuple[str, int] | None = None
        self._to_server, self._to_client = make_mangle(), make_mangle()
        self.port: int = self._sock.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ringer.send(b"x")
        self._thread.join()
        for sock in (self._sock, self._bell, self._ringer):
            sock.close()

    def _run(self) -> None:
        while self._bell not in (ready := select.select([self._sock, self._bell], [], [])[0]):
            assert ready
            packet, source = self._sock.recvfrom(65_535)
            if source != self._server:
                self._client = source
                for one in self._to_server(packet):
                    self._sock.sendto(one, self._server)
            elif self._client is not None:
                for one in self._to_client(packet):
                    self._sock.sendto(one, self._client)
