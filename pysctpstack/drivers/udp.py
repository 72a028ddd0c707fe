"""The UDP sockets of one stack: SCTP packets in and out of the operating system (RFC 6951).

``UdpSockets`` holds one socket per address family on the wildcard address (IPv6 with V6ONLY), or one per
address when it is told addresses, all on one port number. It never blocks for longer than ``SEND_PATIENCE``
and never raises for what the network does: SCTP repairs loss, so that a datagram which cannot leave is
counted and forgotten.

Speed comes from the number of system calls. Consecutive datagrams of one size for one route leave as a
*train* in one call (UDP_SEGMENT) and arrive as one (UDP_GRO). Every such lever may be absent or turned off
(``platform.levers``); then the same datagrams take the plain calls.

``send`` may run in one thread while ``receive`` runs in another; neither may run twice at a time.

Fragmentation: PMTUDISC_WANT. A datagram that fits the path MTU that the kernel knows leaves with DF, so that
a router with less room tells the kernel (``path_mtu`` then gives the smaller value); one that does not fit is
fragmented by the kernel and arrives. PMTUDISC_DONT would have routers cut up every full-sized IPv4 datagram
of such a path for ever, unnoticed, and IPv6 gains nothing by it. PMTUDISC_DO would lose the datagrams that
are on their way when the MTU shrinks. Where ICMP is filtered (RFC 6951 section 5.6: it cannot be relied on),
the black-hole detection of SCTP's paths steps in. Two kinds of datagrams are exceptions, each by a socket
option that is set around its own sending (``platform.WHOLE``, ``platform.IN_FRAGMENTS``): probes of the path
MTU leave with DF whatever the kernel knows, and chunks from before the path MTU fell leave without it.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pysctpstack.config import Config
from pysctpstack.core.route import Route, Unfragmented
from pysctpstack.drivers import ancillary, platform, routes
from pysctpstack.drivers.binding import Binding, bind_all, configure

MAX_PAYLOAD = 65_507
"""Bytes of UDP payload in the largest IPv4 datagram; trains keep to it over IPv6 too."""
RECEIVE_LIMIT = 256
"""Datagrams after which ``receive`` returns although there may be more."""
RECEIVE_CALLS = 64
"""System calls after which it returns likewise."""
SEND_PATIENCE = 0.010
"""Seconds that one call of ``send`` waits for room in the system's buffers, all its datagrams together."""

_KNOWN_ROUTES = 4_096  # routes remembered, each way; a flood of forged sources evicts, and costs look-ups only
_ERROR_BACKLOG = 256  # ICMP errors kept for `errors`
_PENDING_RETRIES = 2

# A plain int: `&` with the standard library's IntFlag costs a microsecond.
_FLAWED = int(socket.MSG_TRUNC | socket.MSG_CTRUNC) if platform.HAS_MESSAGES else 0

_BUSY = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS, errno.ENOMEM})
_UNREACHABLE = frozenset(
    {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ECONNREFUSED}
    | {number for number in (getattr(errno, "EHOSTDOWN", 0), getattr(errno, "ENONET", 0)) if number}
)
# What ICMP can make of the next call on a socket with IP_RECVERR. That call did nothing: its datagram has not
# left.
_PENDING = _UNREACHABLE | {errno.EMSGSIZE, errno.EACCES, errno.EPROTO, errno.ENOPROTOOPT, errno.EOPNOTSUPP}
_KINDS = {
    **dict.fromkeys(_BUSY, "no_buffer"),
    **dict.fromkeys(_UNREACHABLE, "unreachable"),
    errno.EMSGSIZE: "too_big",
    errno.EPERM: "not_permitted",
    errno.EACCES: "not_permitted",
    errno.EADDRNOTAVAIL: "bad_address",
    errno.EAFNOSUPPORT: "bad_address",
    errno.EINVAL: "bad_address",  # Linux: the source address that was asked for is no longer the host's
    errno.ENODEV: "bad_address",
    errno.ENXIO: "bad_address",
}
# Errors that a train may meet where its datagrams, one by one, would not.
_TRAIN_REFUSED = frozenset({errno.EMSGSIZE, errno.EINVAL, errno.EIO, errno.EOPNOTSUPP})


@dataclass(slots=True)
class UdpCounters:
    """What happened at the border to the operating system, since the sockets were made."""

    datagrams_received: int = 0
    trains_received: int = 0
    datagrams_sent: int = 0
    trains_sent: int = 0
    gso_fallbacks: int = 0
    """Trains that the system refused and that left as single datagrams."""
    receive_overflow: int = 0
    """Datagrams that the kernel dropped because a receive buffer was full (where it tells: Linux)."""
    receive_errors: int = 0
    """Receive calls that gave an error in place of a datagram."""
    truncated: int = 0
    """Received datagrams dropped because they, or the description of their train, came incomplete."""
    non_unicast: int = 0
    """Received datagrams dropped because they were sent to broadcast or multicast (RFC 9260 section 8.4)."""
    icmp_errors: int = 0
    """ICMP errors that quoted a datagram of ours."""
    send_errors_by_kind: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((*dict.fromkeys(_KINDS.values()), "other"), 0)
    )
    """Datagrams that did not leave: no_buffer, unreachable, too_big, not_permitted, bad_address, other."""


@dataclass(slots=True, eq=False)
class _Target:
    """A route, ready for the system call."""

    route: Route
    binding: Binding
    address: routes.SockAddr
    control: list[ancillary.Control]
    segment_limit: int = MAX_PAYLOAD  # larger datagrams go one by one here; 0: the route takes no trains


class UdpSockets:
    """The UDP sockets of one stack.

    ``port``: the local UDP port number. ``sockets``: non-blocking, to be watched for readability.
    ``counters``: see ``UdpCounters``. ``levers``: which of the system's accelerations are in use.
    ``receive_buffer``: the smallest of the sockets' receive buffers in bytes as the system accounts them, its
    own overhead included.
    """

    def __init__(self, port: int, config: Config, *, addresses: Sequence[str] | None = None) -> None:
        """Bind to UDP ``port`` (0: an ephemeral one, the same for every socket).

        ``addresses``: bind to these, one socket each, in place of the wildcard address of both families; a
        family that the host lacks is left out of the wildcard only. OSError when a socket cannot be had:
        EADDRINUSE names the port and the ways to choose another.
        """
        self.counters = UdpCounters()
        self.levers = platform.levers(config)
        self._path_mtu_limit = config.path_mtu or routes.MAXIMUM_MTU
        self._bindings: dict[socket.socket, Binding] = {}
        self._learned: dict[tuple[object, bytes, str], Route | None] = {}
        self._targets: dict[Route, _Target] = {}
        self._errors: deque[tuple[Route, bytes, int]] = deque(maxlen=_ERROR_BACKLOG)
        self._patience = SEND_PATIENCE
        # Received into, and copied out of in one piece: a fresh 64 KiB for every call would cost page faults.
        self._buffer = bytearray(65_535)
        self._view = memoryview(self._buffer)

        for sock in bind_all(port, addresses):
            self._bindings[sock] = configure(sock, self.levers)
        self.sockets = list(self._bindings)
        self.port: int = self.sockets[0].getsockname()[1]
        self.receive_buffer = min(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for sock in self.sockets)

    # --- receiving ---

    def receive(self, sock: socket.socket, limit: int = RECEIVE_LIMIT) -> list[tuple[Route, bytes]]:
        """Drain ``sock`` without blocking: the datagrams in order of arrival, each with its route.

        Returns [] when there is nothing. Stops at ``limit`` datagrams (a train is never split: up to 63 more)
        or ``RECEIVE_CALLS`` system calls. The same peer and local address give the identical ``Route``
        object. Errors in place of datagrams are counted, and what ICMP sent is kept for ``errors``.
        """
        binding = self._bindings.get(sock)
        if binding is None:
            return []
        errors_before = self.counters.receive_errors
        batch = self._receive_messages(binding, limit) if binding.messages else self._receive_plain(binding, limit)
        self.counters.datagrams_received += len(batch)
        if binding.icmp and (not batch or self.counters.receive_errors != errors_before):
            # As long as the error queue holds anything, the system calls the socket readable.
            self._drain_error_queue(binding)
        return batch

    def _receive_plain(self, binding: Binding, limit: int) -> list[tuple[Route, bytes]]:
        batch: list[tuple[Route, bytes]] = []
        receive, learned, local = binding.sock.recvfrom, self._learned, binding.local
        for _ in range(min(limit, RECEIVE_CALLS)):
            try:
                data, address = receive(65_535)
            except BlockingIOError:
                break
            except OSError as error:
                if not self._count_receive_error(error):
                    break
                continue
            try:
                route = learned[address, b"", local]
            except KeyError:
                route = self._learn(address, b"", local)
            if route is not None:
                batch.append((route, data))
        return batch

    def _receive_messages(self, binding: Binding, limit: int) -> list[tuple[Route, bytes]]:
        batch: list[tuple[Route, bytes]] = []
        append, counters = batch.append, self.counters
        receive, learned, local = binding.sock.recvmsg_into, self._learned, binding.local
        buffers, view = [self._buffer], self._view
        space, flawed, udp_level, udp_gro = ancillary.SPACE, _FLAWED, platform.SOL_UDP, platform.UDP_GRO
        ip_level, ip_pktinfo = binding.pktinfo_kind
        for _ in range(RECEIVE_CALLS):
            try:
                size, messages, flags, address = receive(buffers, space)
            except BlockingIOError:
                break
            except OSError as error:
                if not self._count_receive_error(error):
                    break
                continue
            if flags & flawed:
                counters.truncated += 1
                continue
            segment, info = 0, b""
            for level, kind, value in messages:
                if level == ip_level and kind == ip_pktinfo:
                    info = value
                elif level == udp_level and kind == udp_gro:
                    segment = int.from_bytes(value, sys.byteorder)
                elif level == socket.SOL_SOCKET and kind == platform.SO_RXQ_OVFL:
                    self._count_overflow(binding, int.from_bytes(value, sys.byteorder))
            try:
                route = learned[address, info, local]
            except KeyError:
                route = self._learn(address, info, local)
            if route is None:
                counters.non_unicast += 1
                continue
            data = view[:size].tobytes()
            if 0 < segment < size:
                counters.trains_received += 1
                for start in range(0, size, segment):
                    append((route, data[start : start + segment]))
            else:
                append((route, data))
            if len(batch) >= limit:
                break
        return batch

    def _count_receive_error(self, error: OSError) -> bool:
        """Count; whether another try makes sense. Windows tells of a port unreachable as WSAECONNRESET."""
        self.counters.receive_errors += 1
        return error.errno != errno.EBADF

    def _count_overflow(self, binding: Binding, total: int) -> None:
        # The kernel's counter has 32 bits and starts with the socket.
        self.counters.receive_overflow += (total - binding.overflow) & 0xFFFF_FFFF
        binding.overflow = total

    def _learn(self, address: routes.SockAddr, info: bytes, local: str) -> Route | None:
        """The Route of received datagrams, remembered. None: not sent to a unicast address."""
        route = None
        here = ancillary.local_address(info) if info else local
        if here is not None:
            route = Route(routes.address_text(address), address[1], here)
        if len(self._learned) >= _KNOWN_ROUTES:
            del self._learned[next(iter(self._learned))]
        self._learned[address, info, local] = route
        return route

    # --- ICMP ---

    @property
    def errors_waiting(self) -> bool:
        """``receive`` has found ICMP errors, so that ``errors`` is worth its system calls."""
        return bool(self._errors)

    def errors(self) -> list[tuple[Route, bytes, int]]:
        """ICMP errors since the last call, oldest first: (route of our datagram, what was quoted, errno).

        What was quoted is the start of our SCTP packet as somebody sent it back: 8 bytes or more, nothing
        proven (RFC 6951 section 5.5, RFC 9260 section 10). Always [] where the lever is off or the system has
        none.
        """
        for binding in list(self._bindings.values()):
            if binding.icmp:
                self._drain_error_queue(binding)
        found = []
        while self._errors:
            found.append(self._errors.popleft())
        return found

    def _drain_error_queue(self, binding: Binding) -> None:
        assert platform.MSG_ERRQUEUE is not None
        for _ in range(_ERROR_BACKLOG):
            try:
                quoted, messages, _, address = binding.sock.recvmsg(2_048, ancillary.SPACE, platform.MSG_ERRQUEUE)
            except OSError:
                return
            number, here = 0, binding.local
            for level, kind, value in messages:
                if (level, kind) in (
                    (platform.SOL_IP, platform.IP_RECVERR),
                    (platform.SOL_IPV6, platform.IPV6_RECVERR),
                ):
                    number = ancillary.icmp_error(value)
                elif (level, kind) == binding.pktinfo_kind:
                    here = ancillary.local_address(value) or binding.local
            if not number or not address:
                continue
            peer = routes.address_text(address)
            route = Route(peer, address[1], here)
            if route not in self._targets and Route(peer, address[1]) in self._targets:
                route = Route(peer, address[1])  # it was sent with the choice of the source left to the system
            self.counters.icmp_errors += 1
            self._errors.append((route, quoted, number))

    # --- sending ---

    def send(self, datagrams: Sequence[tuple[Route, bytes]]) -> None:
        """Send; the order of one route's datagrams is kept. Raises nothing for what the system or the network
        refuses.

        ``Route.local`` chooses the source address where the system lets us (IP_PKTINFO, or a socket bound to
        it). When the system has no room it is waited for, ``SEND_PATIENCE`` for the whole call; then
        datagrams are dropped.
        """
        self._patience = SEND_PATIENCE
        target: _Target | None = None
        last: Route | None = None
        position, end = 0, len(datagrams)
        while position < end:
            route, data = datagrams[position]
            position += 1
            if route is not last:
                target, last = self._target(route), route
            if target is None:
                self._count_send_error(errno.ENETUNREACH, 1)
                continue
            size = len(data)
            if data.__class__ is not bytes:
                self._send_marked(target, data)
                continue
            if position == end or not self.levers.gso or not 0 < size <= target.segment_limit:
                self._send_single(target, data)
                continue
            train = [data]
            stop = min(end, position - 1 + min(platform.UDP_MAX_SEGMENTS, MAX_PAYLOAD // size))
            while position < stop:
                other, data = datagrams[position]
                length = len(data)
                if (other is not route and other != route) or length > size or not length:
                    break
                train.append(data)
                position += 1
                if length < size:  # a shorter one ends the train
                    break
            if len(train) == 1:
                self._send_single(target, train[0])
            else:
                self._send_train(target, train)

    def _send_single(self, target: _Target, data: bytes) -> int:
        """Send one datagram; 0, or the errno that it was counted under."""
        number = self._transmit(target, [data], target.control)
        if number:
            self._count_send_error(number, 1)
        else:
            self.counters.datagrams_sent += 1
        return number

    def _send_marked(self, target: _Target, data: bytes) -> None:
        """Send a datagram for which the rule about fragments is another."""
        toggle = (platform.WHOLE if isinstance(data, Unfragmented) else platform.IN_FRAGMENTS)[target.binding.family]
        with toggle.exception(target.binding.sock):
            self._send_single(target, data)

    def _send_train(self, target: _Target, train: list[bytes]) -> None:
        size = len(train[0])
        number = self._transmit(target, train, [*target.control, ancillary.segment(size)])
        if not number:
            self.counters.datagrams_sent += len(train)
            self.counters.trains_sent += 1
        elif number not in _TRAIN_REFUSED:
            self._count_send_error(number, len(train))
        else:
            self.counters.gso_fallbacks += 1
            results = [self._send_single(target, data) for data in train]
            if 0 in results:  # so it was the train that was refused
                self._limit_trains(target, size, number)

    def _limit_trains(self, target: _Target, size: int, number: int) -> None:
        """Draw the conclusion from a refused train whose datagrams went out one by one."""
        headers = 48 if target.binding.family == socket.AF_INET6 else 28
        room = routes.path_mtu(target.route) - headers
        if size > room:
            target.segment_limit = room  # the kernel cuts trains, but does not fragment their parts
        elif number == errno.EINVAL or number == errno.EOPNOTSUPP:
            self.levers.gso = False  # the kernel does not know trains after all
        else:
            target.segment_limit = 0  # EIO: the device, or IPsec on this route

    def _transmit(self, target: _Target, pieces: list[bytes], control: list[ancillary.Control]) -> int:
        """One system call, again while that can help; 0 or an errno."""
        sock = target.binding.sock
        pending = _PENDING_RETRIES if target.binding.icmp else 0
        while True:
            try:
                if control:
                    sock.sendmsg(pieces, control, 0, target.address)
                else:
                    sock.sendto(pieces[0], target.address)
                return 0
            except OSError as error:
                number = error.errno or errno.EIO
            if number in _BUSY and self._wait_for_room(sock, number):
                continue
            if pending and number in _PENDING:
                # Maybe an earlier datagram's error, by ICMP, and this one has not been tried.
                pending -= 1
                continue
            return number

    def _wait_for_room(self, sock: socket.socket, number: int) -> bool:
        """Wait until ``sock`` may take a datagram again; False when this call of ``send`` has waited
        enough."""
        if self._patience <= 0:
            return False
        before = time.monotonic()
        if number in (errno.EAGAIN, errno.EWOULDBLOCK):
            _wait_writable(sock, self._patience)
        else:
            time.sleep(0.001)  # the device's queue is full: no readiness tells when that ends
        # At least something, so that a clock that stands still does not make this endless.
        self._patience -= max(time.monotonic() - before, 0.000_1)
        return True

    def _count_send_error(self, number: int, datagrams: int) -> None:
        self.counters.send_errors_by_kind[_KINDS.get(number, "other")] += datagrams

    def _target(self, route: Route) -> _Target | None:
        try:
            return self._targets[route]
        except KeyError:
            pass
        target = self._make_target(route)
        if len(self._targets) >= _KNOWN_ROUTES:
            del self._targets[next(iter(self._targets))]
        if target is not None:  # an interface that is not there yet may come
            self._targets[route] = target
        return target

    def _make_target(self, route: Route) -> _Target | None:
        """None when there is no socket of the peer's family, or its scope names no interface."""
        try:
            address = routes.sockaddr(route.peer, route.port)
            binding = self._binding_for(route)
            if binding is None:
                return None
            source = route.local if binding.pktinfo and route.local else ""
            return _Target(route, binding, address, [ancillary.source(source)] if source else [])
        except OSError:
            return None

    def _binding_for(self, route: Route) -> Binding | None:
        family = routes.family_of(route.peer)
        candidates = [binding for binding in self._bindings.values() if binding.family == family]
        if len(candidates) > 1:
            local = route.local or routes.source_address(route.peer)
            for binding in candidates:
                if binding.local == local:
                    return binding
            candidates.sort(key=lambda binding: binding.local != "")
        return candidates[0] if candidates else None

    # --- the rest ---

    def path_mtu(self, route: Route) -> int:
        """The route's MTU: bytes of the largest IP datagram, all headers counted, within ``Config.path_mtu``.

        At most 65,535, so that over IPv4 the UDP payload is at most 65,507. 1,280 where the system does not
        tell.
        """
        target = self._targets.get(route)
        if target is not None:
            target.segment_limit = MAX_PAYLOAD  # what limited trains may be over
        return min(routes.path_mtu(route), self._path_mtu_limit)

    def controls_fragmentation(self, route: Route) -> bool:
        """Whether this system can send a datagram with DF set whatever it believes of the path MTU."""
        binding = self._binding_for(route)
        return binding is not None and binding.controls_fragmentation

    def source_address(self, peer: str) -> str:
        """The local address that the system would use towards ``peer``; "" when it has no route. Sends
        nothing."""
        return routes.source_address(peer)

    def close(self) -> None:
        """Close the sockets. Afterwards ``receive`` gives nothing and ``send`` counts. May be called
        again."""
        bindings, self._bindings = self._bindings, {}
        self._targets.clear()
        self.sockets.clear()
        for sock in bindings:
            with contextlib.suppress(OSError):
                sock.close()


def _wait_writable(sock: socket.socket, timeout: float) -> None:
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(sock, select.POLLOUT)
        poller.poll(timeout * 1_000)
    else:
        select.select([], [sock], [], timeout)
