"""Drives the pump from an asyncio event loop: no thread, no lock.

Where the loop can watch descriptors (`add_reader`) the UDP sockets are read as by the blocking calls, in batches and
trains. Windows' proactor loop can't: there each socket is a datagram endpoint of the loop, which reads it, and what it
brings in one turn of the loop is one batch. Both send on the sockets themselves, which never block for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from typing import Any, Final

from pysctpstack.config import Config
from pysctpstack.core.route import Route
from pysctpstack.drivers import routes
from pysctpstack.drivers.pump import Pump, clock
from pysctpstack.drivers.udp import RECEIVE_LIMIT, UdpSockets

GRANULARITY: Final = 0.001
"""Seconds of the shortest timer: some loops count in milliseconds and would be early."""
MAX_TIMER: Final = 3600.0
"""Seconds of the longest one; some loops have platform limits."""
IN_A_ROW: Final = 0.0001
"""Seconds up to which one message follows closely on another."""
_KNOWN_ROUTES: Final = 4_096


def can_watch(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop has `add_reader` for sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        try:
            loop.add_reader(ours, lambda: None)
        except NotImplementedError:
            return False
        loop.remove_reader(ours)
        return True


def config_for(config: Config, watches: bool) -> Config:
    """What of the configuration holds for UDP sockets that the loop reads: it knows no control messages, takes a train
    for one datagram and leaves ICMP errors where they keep the socket readable."""
    return config if watches else replace(config, gro=False, pktinfo=False, icmp_errors=False)


class EventedDriver:
    """Drives a `Pump` in the callbacks of one loop. Every method but `call_soon` is for the loop's thread."""

    def __init__(self, pump: Pump, loop: asyncio.AbstractEventLoop, *, watches: bool) -> None:
        self.pump = pump
        self.stopped = False
        self._loop = loop
        self._watches = watches
        self._watched: list[socket.socket] = []
        self._endpoints: list[_Endpoint] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._kicked = False
        """What is queued leaves at the end of this turn of the loop."""
        self._last_kick = -inf

    def watch(self, sockets: Sequence[socket.socket]) -> None:
        """Receive from these, which the pump has just opened."""
        for sock in sockets:
            if self._watches:
                self._loop.add_reader(sock, self._on_readable, sock)
                self._watched.append(sock)
            else:
                udp = next(udp for udp in self.pump.udp if sock in udp.sockets)
                self._endpoints.append(_Endpoint(self, self._loop, udp, sock))

    def _on_readable(self, sock: socket.socket) -> None:
        self.pump.receive(sock)
        self._set_timer()

    def process(self, batch: Sequence[tuple[Route, bytes]]) -> None:
        """What a datagram endpoint has received."""
        now = clock()
        self.pump.endpoint.receive_datagrams(batch, now)
        self.pump.drain(now)
        self._set_timer()

    def kick(self) -> None:
        """A message has been sent or taken: send what that queued. At once, unless it follows closely on another: then
        it leaves at the end of this turn of the loop with all that is queued by then, as a train. Packets that leave
        alone cost more than all else."""
        if self._kicked:
            return
        now = clock()
        if now - self._last_kick < IN_A_ROW:
            self._kicked = True
            self._loop.call_soon(self._end_turn)
        else:
            self._last_kick = now
            self.flush()

    def _end_turn(self) -> None:
        self._kicked = False
        self._last_kick = clock()
        if not self.stopped:
            self.flush()

    def flush(self) -> None:
        """Send what verbs have queued, report what they have brought about, and see to it that timers are heeded."""
        self.pump.drain(clock())
        self._set_timer()

    def _set_timer(self) -> None:
        """A timer that is set too early does no harm: the next one is set when it fires."""
        deadline = self.pump.next_timeout()
        if deadline < self._timer_at and not self.stopped:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self._loop.call_later(min(max(deadline - clock(), GRANULARITY), MAX_TIMER), self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._timer_at = inf
        self.pump.run_timers()
        self._set_timer()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call from the loop; for any thread, such as one that collects garbage."""
        # RuntimeError: the loop is closed, and nobody drives any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def stop(self) -> None:
        """Stop receiving and close the UDP sockets. Also after the loop is closed; idempotent."""
        if self.stopped:
            return
        self.stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if not self._loop.is_closed():
            for sock in self._watched:
                self._loop.remove_reader(sock)
            for endpoint in self._endpoints:
                endpoint.close()
        self.pump.close()

    def abandon(self) -> None:
        """In a forked child: close the inherited descriptors. The loop is the parent's, and its selector, too: what is
        unregistered there would be unregistered for the parent."""
        self.stopped = True
        self.pump.close()


class _Endpoint(asyncio.DatagramProtocol):
    """One UDP socket that the loop reads."""

    def __init__(
        self, driver: EventedDriver, loop: asyncio.AbstractEventLoop, udp: UdpSockets, sock: socket.socket
    ) -> None:
        self._driver = driver
        self._loop = loop
        self._udp = udp
        self._local_port = 0 if udp is driver.pump.udp[0] else udp.port
        local = routes.address_text(sock.getsockname())
        self._local = "" if local in ("0.0.0.0", "::") else local
        self._routes: dict[Any, Route] = {}
        self._batch: list[tuple[Route, bytes]] = []
        ignore_icmp(sock)
        self._transport: asyncio.BaseTransport | None = None
        self._opening = loop.create_task(self._open(sock))

    async def _open(self, sock: socket.socket) -> None:
        self._transport, _ = await self._loop.create_datagram_endpoint(lambda: self, sock=sock)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        route = self._routes.get(addr)
        if route is None:
            if len(self._routes) >= _KNOWN_ROUTES:
                self._routes.clear()
            route = Route(routes.address_text(addr), addr[1], self._local, self._local_port)
            self._routes[addr] = route
        if not self._batch:
            self._loop.call_soon(self._flush)
        self._batch.append((route, data))
        if len(self._batch) >= RECEIVE_LIMIT:
            self._flush()

    def _flush(self) -> None:
        batch, self._batch = self._batch, []
        if batch and not self._driver.stopped:
            self._udp.counters.datagrams_received += len(batch)
            self._driver.process(batch)

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 -- ICMP's word proves nothing
        self._udp.counters.receive_errors += 1

    def close(self) -> None:
        self._opening.cancel()
        if self._transport is not None:
            self._transport.close()


def ignore_icmp(sock: socket.socket) -> None:
    """Windows: keep "port unreachable" and "time exceeded" out of receive calls. The proactor loop of Python before
    3.13 reads no more from a socket after such an error."""
    if sys.platform == "win32":
        off, returned = ctypes.c_ulong(0), ctypes.c_ulong(0)
        for request in (0x9800_000C, 0x9800_000F):  # SIO_UDP_CONNRESET, SIO_UDP_NETRESET
            ctypes.WinDLL("ws2_32").WSAIoctl(
                ctypes.c_size_t(sock.fileno()),
                ctypes.c_ulong(request),
                ctypes.byref(off),
                ctypes.sizeof(off),
                None,
                0,
                ctypes.byref(returned),
                None,
                None,
            )
