"""Datagrams, deadlines and calls in; datagrams and events out: one endpoint between its UDP sockets and its user.

The pump has no thread and no lock. Whoever drives it (`threaded`) holds the stack's lock around every call.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Sequence

from pysctpstack.config import Config
from pysctpstack.core.endpoint import Endpoint
from pysctpstack.core.entropy import Entropy
from pysctpstack.core.route import Route
from pysctpstack.drivers import routes
from pysctpstack.drivers.udp import UdpSockets
from pysctpstack.events import Event

clock = time.monotonic


class Pump:
    """``on_events`` is handed what happened, in order, while the lock is held: it must not block or call the user."""

    def __init__(self, config: Config, entropy: Entropy, on_events: Callable[[Sequence[Event]], None]) -> None:
        self.config = config
        self.on_events = on_events
        self.endpoint = Endpoint(config, entropy, self)
        self.udp: list[UdpSockets] = []
        """The first is that of `Route.local_port` 0."""
        self._readers: dict[socket.socket, UdpSockets] = {}
        self._by_port: dict[int, UdpSockets] = {}
        self._renamed: dict[Route, Route] = {}
        """Routes of the other UDP ports, with the port filled in."""

    def path_mtu(self, route: Route) -> int:
        """As `UdpSockets.path_mtu`: the core's view of the host's routing."""
        return self.udp[0].path_mtu(route) if self.udp else routes.MINIMUM_MTU

    def source_address(self, peer: str) -> str:
        """As `UdpSockets.source_address`; ``""`` before there is a socket."""
        return self.udp[0].source_address(peer) if self.udp else ""

    def controls_fragmentation(self, route: Route) -> bool:
        """As `UdpSockets.controls_fragmentation`; False before there is a socket."""
        return bool(self.udp) and self.udp[0].controls_fragmentation(route)

    # --- UDP ports ---

    def open(self, port: int, addresses: Sequence[str] | None = None) -> list[socket.socket]:
        """Bind to one more UDP port (0: an ephemeral one) and return the sockets to be watched. OSError as
        `UdpSockets`."""
        udp = UdpSockets(port, self.config, addresses=addresses)
        self.udp.append(udp)
        if len(self.udp) > 1:
            self._by_port[udp.port] = udp
        for sock in udp.sockets:
            self._readers[sock] = udp
        return list(udp.sockets)

    def open_configured(self, *, listening: bool) -> list[socket.socket]:
        """Have the UDP port that the configuration names, or, unless it is ``listening`` that needs it, any other when
        that is taken. The sockets that are new; OSError: EADDRINUSE."""
        port = self.config.udp_port
        addresses = self.config.udp_addresses or None
        if not self.udp:
            try:
                return self.open(port, addresses)
            except OSError as error:
                if listening or error.errno != errno.EADDRINUSE:
                    raise
                # Peers learn the port from the packets (RFC 6951 section 5.4), so a client can do with any.
                return self.open(0, addresses)
        if listening and port and not self.has_port(port):
            return self.open(port, addresses)
        return []

    def has_port(self, port: int) -> bool:
        return any(udp.port == port for udp in self.udp)

    def close(self) -> None:
        for udp in self.udp:
            udp.close()
        self._readers.clear()

    # --- driving ---

    def receive(self, sock: socket.socket) -> None:
        """Process what a readable socket has."""
        udp = self._readers.get(sock)
        if udp is None:
            return
        batch = udp.receive(sock)
        now = clock()
        if batch:
            if udp is not self.udp[0]:
                batch = [(self._rename(route, udp), datagram) for route, datagram in batch]
            self.endpoint.receive_datagrams(batch, now)
        if udp.errors_waiting:
            for route, quoted, number in udp.errors():
                # "Port unreachable", of IPv4 and IPv6: the host is there, and nobody listens. All else may pass.
                if number == errno.ECONNREFUSED:
                    self.endpoint.handle_unreachable(quoted, now)
                elif number == errno.EMSGSIZE:
                    self.endpoint.handle_packet_too_big(route.peer, quoted, now)
        self.drain(now)

    def _rename(self, route: Route, udp: UdpSockets) -> Route:
        renamed = self._renamed.get(route)
        if renamed is None or renamed.local_port != udp.port:
            if len(self._renamed) >= 4_096:
                self._renamed.clear()
            renamed = self._renamed[route] = Route(route.peer, route.port, route.local, udp.port)
        return renamed

    def run_timers(self) -> None:
        now = clock()
        if self.endpoint.next_timeout() <= now:
            self.endpoint.handle_timeout(now)
            self.drain(now)

    def drain(self, now: float) -> None:
        """Send what waits and report what happened; ends every call into the endpoint."""
        endpoint = self.endpoint
        shared = endpoint.shared
        # The user's side may answer at once: a closed socket consumes what still comes.
        while shared.out or shared.events:
            datagrams = endpoint.datagrams_to_send(now)
            if datagrams:
                if self._by_port:
                    self._send_by_port(datagrams)
                else:
                    self.udp[0].send(datagrams)
            events = endpoint.next_events()
            if events:
                self.on_events(events)

    def _send_by_port(self, datagrams: list[tuple[Route, bytes]]) -> None:
        groups: dict[int, list[tuple[Route, bytes]]] = {}
        for route, datagram in datagrams:
            plain = Route(route.peer, route.port, route.local) if route.local_port else route
            groups.setdefault(route.local_port, []).append((plain, datagram))
        for port, group in groups.items():
            self._by_port.get(port, self.udp[0]).send(group)

    def next_timeout(self) -> float:
        return self.endpoint.next_timeout()
