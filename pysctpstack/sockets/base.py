"""`SctpSocket`: one-to-one (SOCK_STREAM) and one-to-many (SOCK_SEQPACKET) SCTP sockets (RFC 6458 sections 3 and 4).

A socket's state is changed only with its stack's lock held, by its own methods or by the events of its
associations. A call that has
to wait hands itself to the stack's driver, which lets it receive packets meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from types import TracebackType
from typing import Any, Final

from pysctpstack import constants as c
from pysctpstack import events, structs
from pysctpstack.core import handshake
from pysctpstack.core.association import Association
from pysctpstack.core.endpoint import Listener
from pysctpstack.core.route import Route
from pysctpstack.core.rx.reassembly import padding_of
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tx.send_queue import Message
from pysctpstack.drivers import routes
from pysctpstack.drivers.pump import clock
from pysctpstack.sockets import addresses, ancillary
from pysctpstack.sockets.ancillary import Ancillary, SendInfo
from pysctpstack.sockets.files import make_file
from pysctpstack.sockets.inbox import Arrival, Inbox
from pysctpstack.sockets.notifications import notifications
from pysctpstack.sockets.options import OPTIONS, apply_initmsg
from pysctpstack.sockets.readiness import Readiness
from pysctpstack.sockets.values import as_int, failure, message_of, shaped, writable
from pysctpstack.stack import Host
from pysctpstack.structs.layout import CStruct

MSG_PEEK: Final = int(socket.MSG_PEEK)
MSG_DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0x40))
MSG_TRUNC: Final = int(getattr(socket, "MSG_TRUNC", 0x20))
MSG_CTRUNC: Final = int(getattr(socket, "MSG_CTRUNC", 0x08))
MANY: Final = 1 << 30

_LOSS_ERRORS: Final = {
    events.Loss.ABORTED: errno.ECONNRESET,
    events.Loss.TIMED_OUT: errno.ETIMEDOUT,
    events.Loss.REFUSED: errno.ECONNREFUSED,
    events.Loss.PROTOCOL: errno.ECONNABORTED,
    events.Loss.LOCAL: errno.ECONNABORTED,
}


class SctpSocket:
    """An SCTP socket with the methods of the standard library's and those of RFC 6458 section 9.

    ``family``: AF_INET or AF_INET6. ``type``: SOCK_STREAM, one association, or SOCK_SEQPACKET, many. Errors are
    `OSError` with the
    errno that Linux gives.
    """

    def __init__(self, host: Host, family: int = socket.AF_INET, type: int = socket.SOCK_STREAM) -> None:  # noqa: A002
        does_not_block = bool(type & getattr(socket, "SOCK_NONBLOCK", 0))
        type &= ~(getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0))  # noqa: A001
        if family not in (socket.AF_INET, socket.AF_INET6):
            raise failure(errno.EAFNOSUPPORT)
        if type not in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            raise failure(errno.ESOCKTNOSUPPORT)
        with host.lock:
            host.check_open()
            self._set_up(host, family, type)
        if does_not_block:
            self.settimeout(0.0)

    def _set_up(self, host: Host, family: int, type: int) -> None:  # noqa: A002
        """What the constructor does under the lock."""
        self.family: socket.AddressFamily = socket.AddressFamily(family)
        self.type: socket.SocketKind = socket.SocketKind(type)
        self.proto = c.IPPROTO_SCTP
        self.one_to_one = type == socket.SOCK_STREAM
        self.settings: Settings = Settings.from_config(host.config)
        self.send_buffer: int = host.config.send_buffer
        self.remote_udp_port = host.config.remote_udp_port
        self.subscribed: set[int] = set()
        """Notification types that are wanted (RFC 6458 section 6.2)."""
        self.wants_sndrcvinfo = False
        self.wants_rcvinfo: bool = False
        self.receive_context = 0
        self.linger: int | None = None
        self.receive_timeout: float | None = None
        self.send_timeout: float | None = None
        self.switches: dict[int, bool] = {}
        """Options of SOL_SOCKET that are remembered and change nothing here."""
        self.associations: dict[int, Association] = {}
        """By association id."""
        self._host = host
        self._lock = host.lock
        self._waits = host.waits()
        self._timeout: float | None = socket.getdefaulttimeout()
        self._readiness: Readiness | None = None
        self._bound: list[str] = []
        """Local addresses, if bound to some; empty: all."""
        self._local_port = 0
        self._owns_port = False
        self._peer: tuple[str, int] | None = None
        """Of a one-to-one socket: its peer's address and port, once it has one."""
        self._listener: Listener | None = None
        self._accepted: deque[SctpSocket] = deque()
        self._arrivals = Inbox()
        self._connecting = False
        self._error = 0
        self._ended = False
        """The peer will send nothing more."""
        self._write_closed = False
        self._closed = False
        self._makefile_references = 0
        self._peer_addresses: dict[int, addresses.Address] = {}
        """As shown with messages, by association id."""
        self._taken_of = 0
        self._taken = self._taken_padding = 0
        """What has been read of one association's messages and not been told to it."""
        self._outcomes: dict[int, int] = {}
        """By id of an association that a blocked `connect` waits for: the errno with which it failed, or 0."""
        host.sockets.add(self)

    def __repr__(self) -> str:
        style = "one-to-one" if self.one_to_one else "one-to-many"
        state = "closed" if self._closed else f"port {self._local_port}"
        return f"<{type(self).__name__} {style} family={self.family.name} {state}>"

    def __enter__(self) -> SctpSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # A constructor that raised has left nothing to close.
        if not getattr(self, "_closed", True):
            self._host.end_soon(self)

    # --- events (with the lock held, by the host) ---

    def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.MessageReceived):
            id_ = event.association_id
            address = self._peer_addresses.get(id_)
            if address is None:
                address = self._peer_addresses[id_] = self._address_of(id_)
            self._arrivals.append(Arrival(event.data, event, address))
            return
        id_ = event.association_id
        if isinstance(event, events.AssociationUp):
            if event.accepted and self.one_to_one and id_ not in self.associations:
                self._accept_child(event)
                return
            self._adopt(id_)
            self._connecting = False
            if self._listener is not None:
                # A one-to-many socket takes as many as come: the backlog is for accept().
                self._listener.room = MANY
        elif isinstance(event, events.ShutdownReceived):
            self._ended = self.one_to_one
        elif isinstance(event, (events.AssociationLost, events.AssociationClosed)):
            self._association_ended(event)
        if self.subscribed:
            address = self._address_of(id_)
            for data in notifications(event, self.subscribed, self._show_peer):
                self._arrivals.append(Arrival(data, None, address))
        if isinstance(event, (events.AssociationLost, events.AssociationClosed)):
            self.associations.pop(id_, None)
            self._peer_addresses.pop(id_, None)

    def wake(self) -> None:
        self._waits.wake()
        if self._readiness is not None:
            self._readiness.update(self._can_read(), self._can_write())

    def _accept_child(self, event: events.AssociationUp) -> None:
        child = type(self)._bare(self._host, self.family, self.type)
        child.settings = self.settings.copy()
        child.send_buffer = self.send_buffer
        child.remote_udp_port = self.remote_udp_port
        child.subscribed = set(self.subscribed)
        child.wants_sndrcvinfo = self.wants_sndrcvinfo
        child.wants_rcvinfo = self.wants_rcvinfo
        child.receive_context = self.receive_context
        child.linger = self.linger
        child._bound, child._local_port = list(self._bound), self._local_port
        child.on_event(events.AssociationUp(event.association_id, event.outbound_streams, event.inbound_streams, False))
        self._accepted.append(child)

    @classmethod
    def _bare(cls, host: Host, family: int, type_: int) -> SctpSocket:
        """A new socket of the same class, however its constructor looks."""
        sock = cls.__new__(cls)
        sock._set_up(host, family, type_)
        return sock

    def _adopt(self, id_: int) -> None:
        association = self._host.endpoint.associations[id_]
        self.associations[id_] = association
        self._host.owners[id_] = weakref.ref(self)
        if self.one_to_one:
            self._peer = (association.tcb.paths.primary.address, association.tcb.peer_port)

    def _association_ended(self, event: events.AssociationLost | events.AssociationClosed) -> None:
        error = 0
        if isinstance(event, events.AssociationLost):
            refused = not event.established and event.loss is events.Loss.ABORTED
            error = errno.ECONNREFUSED if refused else _LOSS_ERRORS[event.loss]
        if event.association_id in self._outcomes:
            self._outcomes[event.association_id] = error
        if not self.one_to_one:
            return
        self._ended = self._write_closed = True
        self._error = error
        if self._connecting:
            # The socket may try again (RFC 6458 section 4.1.5).
            self._connecting = self._ended = self._write_closed = False
            self._peer = None

    def _address_of(self, id_: int) -> addresses.Address:
        association = self.associations.get(id_) or self._host.endpoint.associations.get(id_)
        if association is None:
            return self.show("", 0)
        tcb = association.tcb
        return self.show(tcb.paths.primary.address, tcb.peer_port)

    def show(self, ip: str, port: int) -> addresses.Address:
        """An address as this socket's family shows it."""
        return addresses.show(ip, port, self.family)

    def _show_peer(self, ip: str) -> addresses.Address:
        port = next((a.tcb.peer_port for a in self.associations.values() if ip in a.tcb.paths.by_address), 0)
        return self.show(ip, port)

    # --- what is ready (with the lock held) ---

    def _can_read(self) -> bool:
        return bool(self._arrivals or self._accepted or self._ended or self._error or self._closed)

    def _can_write(self) -> bool:
        if self._error or self._closed or self._write_closed:
            return True
        if self.one_to_one:
            return not self._connecting and self._listener is None and bool(self.associations) and self._has_send_room()
        return self._has_send_room()

    def _has_send_room(self) -> bool:
        """Linux: while anything is left of SO_SNDBUF, a whole message may follow."""
        return sum(association.send_buffered for association in self.associations.values()) < self.send_buffer

    def report(self, event: events.Event) -> None:
        """Queue the notification of something that no packet and no timer brought about."""
        for data in notifications(event, self.subscribed, self._show_peer):
            self._arrivals.append(Arrival(data, None, self._address_of(event.association_id)))
        self.wake()

    def _refresh(self) -> None:
        """After a call of the user's that changes what is ready."""
        if self._readiness is not None:
            self._readiness.update(self._can_read(), self._can_write())

    def take_error(self) -> int:
        """SO_ERROR: the pending error, which is cleared."""
        error, self._error = self._error, 0
        self._refresh()
        return error

    def _check_open(self) -> None:
        if self._closed:
            raise failure(errno.EBADF)
        self._host.check_open()

    def _deadline(self, flags: int, limit: float | None) -> float:
        """Until when a call may block; -inf: not at all."""
        if self._timeout == 0.0 or flags & MSG_DONTWAIT:
            return -inf
        if self._timeout is not None:
            return clock() + self._timeout
        return inf if limit is None else clock() + limit

    def _wait(self, ready: Callable[[], bool], deadline: float, *, busy: int = errno.EAGAIN) -> None:
        """Wait until ``ready()``. BlockingIOError if the socket does not block, TimeoutError when its time is up."""

        def ready_or_closed() -> bool:
            return self._closed or self._host.closed or ready()

        if ready():
            return
        if deadline == -inf:
            raise failure(busy)
        if not self._waits.wait(ready_or_closed, deadline):
            if self._timeout is None:
                # SO_RCVTIMEO and SO_SNDTIMEO end a call of a blocking socket like one that does not block.
                raise failure(busy)
            raise TimeoutError("timed out")
        self._check_open()

    # --- names ---

    def bind(self, address: object) -> None:
        """Bind to ``(host, port)``; port 0: an ephemeral one. EADDRINUSE, EADDRNOTAVAIL, EINVAL: it is bound
        already."""
        ip, port = addresses.resolve(address, self.family, passive=True)
        with self._lock:
            self._check_open()
            if self._local_port:
                raise failure(errno.EINVAL)
            if ip:
                _check_local(ip)
            self._bind([ip] if ip else [], port)

    def _bind(self, ips: list[str], port: int) -> None:
        self._local_port = self._host.reserve_port(port, ips[0] if ips else "")
        self._bound = ips[:1]
        self._owns_port = True
        for ip in ips[1:]:
            self._bind_more(ip)

    def _bind_more(self, ip: str) -> None:
        """One more local address for a socket that is bound to some."""
        self._host.reserve_port(self._local_port, ip)
        self._bound.append(ip)

    def _told_addresses(self) -> tuple[str, ...]:
        """Local addresses that peers are told of: several explicit ones, or those that the host has now if it says so
        (`Config.multihome`); otherwise none (RFC 6951 sections 3.2 and 5.7)."""
        if self._bound or not self._host.config.multihome:
            return tuple(self._bound) if len(self._bound) > 1 else ()
        found = self._host.config.udp_addresses or routes.interface_addresses()
        return tuple(ip for ip in found if self.family == socket.AF_INET6 or ":" not in ip)

    def getsockname(self) -> addresses.Address:
        with self._lock:
            self._check_open()
            ip = self._bound[0] if self._bound else ""
            if not ip and self._peer is not None:
                local = next((a.tcb.paths.primary.route.local for a in self.associations.values()), "")
                ip = local or self._host.source_address(self._peer[0])
            return self.show(ip, self._local_port)

    def getpeername(self) -> addresses.Address:
        """The peer's primary address. ENOTCONN: there is none."""
        with self._lock:
            self._check_open()
            if self._peer is None or self._connecting:
                raise failure(errno.ENOTCONN)
            return self.show(*self._peer)

    # --- setting up ---

    def listen(self, backlog: int = 128) -> None:
        """Accept associations. EADDRINUSE: the stack's UDP port is taken, and the message says how to choose
        another."""
        with self._lock:
            self._check_open()
            if self.one_to_one and (self.associations or self._connecting):
                raise failure(errno.EINVAL)
            if backlog <= 0 and not self.one_to_one:
                # RFC 6458 section 3.1.3: 0 turns the acceptance of associations off again.
                self._stop_listening()
                return
            room = min(max(backlog, 1), self._host.config.backlog_limit) if self.one_to_one else MANY
            if self._listener is not None:
                self._listener.room = max(room - len(self._accepted), 0)
                return
            self._host.start(listening=True)
            if not self._local_port:
                self._bind([], 0)
            if self._local_port in self._host.listening:
                raise failure(errno.EADDRINUSE)
            self._listener = self._host.endpoint.listen(
                self._local_port,
                self.settings,
                room,
                frozenset(self._bound),
                self._told_addresses(),
                ipv6=self.family == socket.AF_INET6,
            )
            self._host.listening[self._local_port] = weakref.ref(self)

    @property
    def is_listening(self) -> bool:
        return self._listener is not None

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener = None
            self._host.endpoint.unlisten(self._local_port)
            del self._host.listening[self._local_port]

    def accept(self) -> tuple[SctpSocket, addresses.Address]:
        """The next association of a listening one-to-one socket, and the peer's address and port."""
        with self._lock:
            self._check_open()
            if not self.one_to_one:
                raise failure(errno.EOPNOTSUPP)
            if self._listener is None:
                raise failure(errno.EINVAL)
            self._wait(lambda: bool(self._accepted), self._deadline(0, self.receive_timeout))
            child = self._accepted.popleft()
            if self._listener is not None:
                self._listener.room += 1
            self._refresh()
            assert child._peer is not None
            return child, self.show(*child._peer)

    def connect(self, address: object) -> None:
        """Set up an association with ``(host, port)``.

        ConnectionRefusedError: nobody listens. TimeoutError: no answer, or `settimeout`'s time is up.
        BlockingIOError (EINPROGRESS) on
        a non-blocking socket: wait until it is writable and read SO_ERROR. EISCONN, EALREADY. ENETUNREACH: the host
        has
        no route there.
        """
        ip, port = addresses.resolve(address, self.family)
        self._connect([ip], port)

    def _connect(self, ips: list[str], port: int) -> int:
        """Set up an association and wait, as `connect` says. Its id; an error has it as ``assoc_id`` once there is
        one."""
        with self._lock:
            self._check_open()
            if self.one_to_one:
                if self._connecting:
                    raise failure(errno.EALREADY)
                if self._listener is not None or self.associations or self._ended:
                    raise failure(errno.EISCONN)
            for ip in ips:
                found = self._find(ip, port)
                if found is not None:
                    raise failure(errno.EALREADY if found.state in _SETTING_UP else errno.EISCONN)
            self._error = 0
            association = self._associate(ips, port, self.settings)
            id_ = association.association_id

            def settled() -> bool:
                return id_ not in self.associations or association.state not in _SETTING_UP

            self._outcomes[id_] = 0
            try:
                self._wait(settled, self._deadline(0, self.send_timeout), busy=errno.EINPROGRESS)
            except OSError as error:
                error.assoc_id = id_  # type: ignore[attr-defined]  # for sctp_connectx (RFC 6458 section 9.9)
                raise
            finally:
                outcome = self._outcomes.pop(id_)
            if outcome:
                # Reported here, so not by SO_ERROR once more.
                self.take_error()
                raise failure(outcome)
            return id_

    def connect_ex(self, address: object) -> int:
        """As `connect`, but the errno is returned; 0: connected."""
        try:
            self.connect(address)
        except TimeoutError as error:
            return error.errno or errno.EAGAIN
        except OSError as error:
            if error.errno is None or isinstance(error, socket.gaierror):
                raise
            return error.errno
        return 0

    def _associate(self, ips: list[str], port: int, settings: Settings) -> Association:
        """Begin an association with a peer that has these addresses, the first to be used first."""
        if port == 0:
            raise failure(errno.EINVAL)
        self._host.start()
        if not any(self._host.source_address(ip) for ip in ips):
            raise failure(errno.ENETUNREACH)
        if not self._local_port:
            self._bind([], 0)
        bound = tuple(self._bound)
        pump = self._host.pump
        peer = [
            Route(ip, self.remote_udp_port, handshake.source_for(bound, ip, pump) or "".join(bound[:1])) for ip in ips
        ]
        try:
            association = self._host.endpoint.associate(
                self._local_port,
                port,
                peer[0],
                settings,
                clock(),
                alternates=peer[1:],
                local_addresses=self._told_addresses(),
            )
        except ValueError:
            raise failure(errno.EADDRNOTAVAIL) from None
        self._adopt(association.association_id)
        self._connecting = self.one_to_one
        self._host.kick()
        self._refresh()
        return association

    def _find(self, ip: str, port: int) -> Association | None:
        """The association with a peer address."""
        association = self._host.endpoint.by_peer.get((self._local_port, port, ip))
        if association is None or association.association_id not in self.associations:
            return None
        return association

    # --- several addresses (RFC 6458 sections 9.1, 9.3 to 9.6, 9.9) ---

    def sctp_bindx(self, addrs: Iterable[object], flags: int = c.SCTP_BINDX_ADD_ADDR) -> None:
        """Bind to further local addresses, of one port, or (SCTP_BINDX_REM_ADDR) no longer to some of several.

        Peers of associations set up from then on are told of them. EINVAL: another port than before, or nothing
        would be left;
        EOPNOTSUPP: there is an association already, which can't learn of a change (RFC 5061 is not offered).
        """
        resolved = [addresses.resolve(address, self.family, passive=True) for address in addrs]
        with self._lock:
            self._check_open()
            if not resolved or flags not in (c.SCTP_BINDX_ADD_ADDR, c.SCTP_BINDX_REM_ADDR):
                raise failure(errno.EINVAL)
            if self.associations or self._listener is not None:
                raise failure(errno.EOPNOTSUPP)
            ports = {port for _, port in resolved} | ({self._local_port} if self._local_port else set())
            if len(ports - {0}) > 1:
                raise failure(errno.EINVAL)
            if flags == c.SCTP_BINDX_REM_ADDR:
                self._unbind([ip for ip, _ in resolved])
                return
            for ip, port in resolved:
                if ip:
                    _check_local(ip)
                if not self._local_port:
                    self._bind([ip] if ip else [], port)
                elif not ip or not self._bound or ip in self._bound:
                    raise failure(errno.EINVAL)
                else:
                    self._bind_more(ip)

    def _unbind(self, ips: list[str]) -> None:
        left = [ip for ip in self._bound if ip not in ips]
        if not left or len(left) + len(set(ips)) != len(self._bound):
            raise failure(errno.EINVAL)
        for ip in ips:
            self._host.release_port(self._local_port, ip)
        self._bound = left

    def sctp_connectx(self, addrs: Iterable[object]) -> int:
        """As `connect`, to a peer with several addresses of one port; the association's id.

        On a non-blocking socket the id is the attribute ``assoc_id`` of the BlockingIOError (EINPROGRESS).
        """
        resolved = [addresses.resolve(address, self.family) for address in addrs]
        if not resolved or len({port for _, port in resolved}) != 1:
            raise failure(errno.EINVAL)
        return self._connect([ip for ip, _ in resolved], resolved[0][1])

    def sctp_getpaddrs(self, assoc_id: int = 0) -> list[addresses.Address]:
        """The peer's addresses. One-to-one sockets ignore the id. EINVAL: there is no such association."""
        with self._lock:
            self._check_open()
            tcb = self._association(assoc_id).tcb
            return [self.show(path.address, tcb.peer_port) for path in tcb.paths]

    def sctp_getladdrs(self, assoc_id: int = 0) -> list[addresses.Address]:
        """The local addresses of an association, or (0) those that the socket is bound to."""
        with self._lock:
            self._check_open()
            told: tuple[str, ...] = ()
            if assoc_id or (self.one_to_one and self.associations):
                told = self._association(assoc_id).tcb.local_addresses
            return [self.show(ip, self._local_port) for ip in told or self._bound or [""]]

    def _association(self, id_: int) -> Association:
        if self.one_to_one:
            for association in self.associations.values():
                return association
        elif id_ in self.associations:
            return self.associations[id_]
        raise failure(errno.EINVAL)

    # --- sending ---

    def send(self, data: Any, flags: int = 0) -> int:
        """Send one message on stream 0. Returns its length: a message is sent whole or not at all."""
        return self._send(message_of(data), SendInfo(), None, flags)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """As `send`."""
        self._send(message_of(data), SendInfo(), None, flags)

    def sendto(self, data: Any, *args: Any) -> int:
        """``sendto(data, [flags,] address)``: a one-to-many socket sets up the association if there is none."""
        if not 1 <= len(args) <= 2:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({1 + len(args)} given)")
        flags = as_int(args[0]) if len(args) == 2 else 0
        return self._send(message_of(data), SendInfo(), args[-1], flags)

    def sendmsg(
        self,
        buffers: Iterable[Any],
        ancdata: Iterable[tuple[int, int, Any]] = (),
        flags: int = 0,
        address: object = None,
    ) -> int:
        """Send the buffers as one message, with SCTP_SNDINFO, SCTP_SNDRCV, SCTP_PRINFO or SCTP_INIT (RFC 6458
        section 5.3)."""
        info = ancillary.parse(ancdata, SendInfo())
        return self._send(b"".join(message_of(buffer) for buffer in buffers), info, address, flags)

    def sctp_sendmsg(
        self,
        msg: Any,
        to: object = None,
        ppid: int = 0,
        flags: int = 0,
        stream_no: int = 0,
        timetolive: int = 0,
        context: int = 0,
    ) -> int:
        """RFC 6458 section 9.7. ``ppid``: opaque, as in C: `htonl` of the number on the wire. ``timetolive``:
        milliseconds, 0 for ever."""
        # As C converts them to uint32_t.
        ppid, flags, timetolive, context = (value & 0xFFFFFFFF for value in (ppid, flags, timetolive, context))
        info = SendInfo(stream_no, socket.ntohl(ppid), flags, timetolive, context)
        return self._send(message_of(msg), info, to, 0)

    def sctp_send(self, msg: Any, sinfo: structs.SndRcvInfo | bytes, flags: int = 0) -> int:
        """RFC 6458 section 9.9: send as ``sinfo`` says."""
        info = ancillary.parse([(c.IPPROTO_SCTP, c.SCTP_SNDRCV, sinfo)], SendInfo())
        return self._send(message_of(msg), info, None, flags)

    def _send(self, data: bytes, info: SendInfo, to: object, flags: int) -> int:
        peer = None if to is None else addresses.resolve(to, self.family)
        with self._lock:
            self._check_open()
            if self._error:
                raise failure(self.take_error())
            if len(data) > self.send_buffer:
                raise failure(errno.EMSGSIZE)
            ending = info.flags & (c.SCTP_EOF | c.SCTP_ABORT)
            if (
                (self.one_to_one and ending)
                or (not data and not ending)
                or (info.flags & c.SCTP_ADDR_OVER and peer is None)
                or not ancillary.valid_flags(info.flags)
            ):
                raise failure(errno.EINVAL)
            if info.flags & c.SCTP_SENDALL:
                return self._send_all(data, info, flags)
            return self._send_to(self._destination(info, peer), data, info, peer, flags)

    def _destination(self, info: SendInfo, peer: tuple[str, int] | None) -> Association:
        """The association that a message goes to, set up if need be."""
        if self.one_to_one:
            if self._write_closed or (self._listener is not None):
                raise failure(errno.EPIPE)
            for association in self.associations.values():
                if peer is not None and self._find(*peer) is not association:
                    # Linux: the address has to be one of the peer's.
                    raise failure(errno.EADDRNOTAVAIL)
                return association
            if peer is None:
                raise failure(errno.EPIPE)
        elif peer is None:
            association_ = self.associations.get(info.association_id)
            if association_ is None:
                raise failure(errno.EPIPE)
            return association_
        else:
            found = self._find(*peer)
            if found is not None:
                return found
            if info.flags & (c.SCTP_EOF | c.SCTP_ABORT):
                raise failure(errno.EINVAL)
        settings = self.settings
        if info.init is not None:
            settings = settings.copy()
            apply_initmsg(settings, info.init)
        return self._associate([peer[0]], peer[1], settings)

    def _send_all(self, data: bytes, info: SendInfo, flags: int) -> int:
        """SCTP_SENDALL (RFC 6458 section 5.3.2): to every association of a one-to-many socket."""
        if self.one_to_one:
            raise failure(errno.EINVAL)
        for association in list(self.associations.values()):
            if association.state is State.ESTABLISHED:
                with contextlib.suppress(BrokenPipeError):
                    # It may end while the call waits for it, which is no reason to leave out those that follow.
                    self._send_to(association, data, info, None, flags)
        return len(data)

    def _send_to(
        self, association: Association, data: bytes, info: SendInfo, peer: tuple[str, int] | None, flags: int
    ) -> int:
        if info.flags & c.SCTP_ABORT:
            association.abort(data, clock())
            self._host.kick()
            return len(data)
        if data:
            if association.send_buffered >= self.send_buffer and not self._write_closed:
                self._await_room(association, flags)
            if self._error:
                raise failure(self.take_error())
            now = clock()
            message = Message(
                info.stream_id,
                info.ppid,
                data,
                unordered=bool(info.flags & c.SCTP_UNORDERED),
                sack_immediately=bool(info.flags & c.SCTP_SACK_IMMEDIATELY),
                context=info.context,
                expires_at=now + info.lifetime / 1_000 if info.lifetime else inf,
                destination=peer[0] if peer and info.flags & c.SCTP_ADDR_OVER else "",
            )
            try:
                association.send(message, now)
            except ValueError:
                raise failure(errno.EINVAL) from None
            except ConnectionError:
                raise failure(errno.EPIPE) from None
        if info.flags & c.SCTP_EOF:
            association.shutdown(clock())
        if self._host.endpoint.shared.touched:
            self._host.kick()
        if association.is_held_back:
            self._host.poll()
        self._refresh()
        return len(data)

    def _await_room(self, association: Association, flags: int) -> None:
        """The send buffer is full: wait until a good part of it is free, so that the caller isn't woken for every
        message that
        is acknowledged."""
        enough = self.send_buffer * 3 // 4

        def has_room() -> bool:
            buffered = association.send_buffered
            if buffered <= enough or association.state is State.CLOSED or self._write_closed:
                return True
            return buffered < self.send_buffer and not association.is_progressing

        self._wait(
            has_room,
            self._deadline(flags, self.send_timeout),
        )

    # --- receiving ---

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """The next message, or ``bufsize`` bytes of it; the rest is for the next call. ``b""``: the association has
        ended."""
        return self._receive(bufsize, flags)[0]

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, addresses.Address | None]:
        """As `recv`, with the peer's address; None: the association has ended."""
        data, arrival, _ = self._receive(bufsize, flags)
        return data, arrival.address if arrival else None

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return self.recvfrom_into(buffer, nbytes, flags)[0]

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, addresses.Address | None]:
        view = writable(buffer)
        if nbytes < 0 or nbytes > len(view):
            raise ValueError("nbytes is negative or larger than the buffer")
        data, address = self.recvfrom(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data), address

    def recvmsg(
        self, bufsize: int, ancbufsize: int = 0, flags: int = 0
    ) -> tuple[bytes, list[Ancillary], int, addresses.Address | None]:
        """``(data, ancdata, msg_flags, address)``, with SCTP_RCVINFO and SCTP_SNDRCV as subscribed to (RFC 6458
        section 5.3).

        msg_flags: MSG_EOR ends a message, MSG_NOTIFICATION marks a notification, MSG_CTRUNC: ``ancbufsize`` was too
        small.
        """
        data, arrival, msg_flags = self._receive(bufsize, flags)
        if arrival is None:
            return data, [], msg_flags, None
        found: list[tuple[int, CStruct]] = []
        if arrival.message is not None:
            if self.wants_rcvinfo:
                found.append((c.SCTP_RCVINFO, ancillary.rcvinfo(arrival.message, self.receive_context)))
            if self.wants_sndrcvinfo:
                found.append((c.SCTP_SNDRCV, ancillary.sndrcvinfo(arrival.message, self.receive_context)))
        fitting, truncated = ancillary.fit(found, ancbufsize)
        return data, fitting, msg_flags | (MSG_CTRUNC if truncated else 0), arrival.address

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0
    ) -> tuple[int, list[Ancillary], int, addresses.Address | None]:
        """As `recvmsg`, into the buffers one after the other."""
        views = [writable(buffer) for buffer in buffers]
        data, ancdata, msg_flags, address = self.recvmsg(sum(len(view) for view in views), ancbufsize, flags)
        rest = data
        for view in views:
            here, rest = rest[: len(view)], rest[len(view) :]
            view[: len(here)] = here
        return len(data), ancdata, msg_flags, address

    def sctp_recvmsg(self, bufsize: int) -> tuple[bytes, addresses.Address | None, structs.SndRcvInfo, int]:
        """``(msg, from_addr, sinfo, msg_flags)`` (RFC 6458 section 9.8).

        ``sinfo`` is all zero unless ``sctp_data_io_event`` was subscribed to, and for a notification.
        """
        data, arrival, msg_flags = self._receive(bufsize, 0)
        info = structs.SndRcvInfo()
        if arrival is not None and arrival.message is not None and self.wants_sndrcvinfo:
            info = ancillary.sndrcvinfo(arrival.message, self.receive_context)
        return data, arrival.address if arrival else None, info, msg_flags

    def _receive(self, bufsize: int, flags: int) -> tuple[bytes, Arrival | None, int]:
        """Bytes of the first arrival, that arrival (None: end of file), and msg_flags."""
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        with self._lock:
            self._check_open()
            if not self._arrivals:
                self._await_arrival(flags)
                if not self._arrivals:
                    return b"", None, 0
            peek = bool(flags & MSG_PEEK)
            data, arrival, msg_flags, ends = self._arrivals.read(bufsize, peek=peek)
            if not peek:
                if arrival.message is not None:
                    whole = len(arrival.data) if ends else 0
                    self._consumed(arrival.message.association_id, len(data), whole)
                self._refresh()
            return data, arrival, msg_flags

    def _await_arrival(self, flags: int) -> None:
        """Wait for something to read. Returns without it at the end of file; raises the pending error."""
        if self._listener is not None and self.one_to_one:
            raise failure(errno.ENOTCONN)
        if self.one_to_one and not self.associations and not (self._ended or self._error):
            raise failure(errno.ENOTCONN)
        self._wait(
            lambda: bool(self._arrivals or self._ended or self._error), self._deadline(flags, self.receive_timeout)
        )
        if not self._arrivals and self._error:
            raise failure(self.take_error())

    def _consumed(self, id_: int, size: int, whole: int) -> None:
        """Bytes of an association's message have been read, ``whole`` if that was its last. The association is told
        when
        that may open its window: not for each of many small messages."""
        if id_ != self._taken_of:
            self._release_window()
            self._taken_of = id_
        self._taken += size
        self._taken_padding += padding_of(whole)
        if not self._arrivals or self._taken + self._taken_padding >= self.settings.receive_buffer // 8:
            self._release_window()

    def _release_window(self) -> None:
        association = self.associations.get(self._taken_of)
        if association is not None and (self._taken or self._taken_padding):
            association.released(self._taken, self._taken_padding, clock())
            if self._host.endpoint.shared.touched:
                self._host.kick()
        self._taken = self._taken_padding = 0

    # --- options ---

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """``value``: an int, a struct of `pysctpstack.structs`, or bytes. ENOPROTOOPT: no such option, EINVAL: a
        bad value."""
        if value is None:
            if optlen is None:
                raise TypeError("setsockopt() requires 4 arguments when the third is None")
            value = bytes(optlen)
        with self._lock:
            self._check_open()
            entry = OPTIONS.get((level, optname))
            if entry is None:
                raise failure(errno.ENOPROTOOPT)
            if entry[1] is None:
                raise failure(errno.EINVAL if level == c.IPPROTO_SCTP else errno.ENOPROTOOPT)
            entry[1](self, value)

    def getsockopt(self, level: int, optname: int, arg: Any = 0) -> Any:
        """``arg`` 0: the value as an int. An int: at most so many bytes of it. Bytes or a struct: the in-and-out
        buffer that SCTP
        options read (association id, address) before they fill it; the answer has its type.
        """
        with self._lock:
            self._check_open()
            entry = OPTIONS.get((level, optname))
            if entry is None or entry[0] is None:
                raise failure(errno.ENOPROTOOPT)
            value = entry[0](self, arg)
        return shaped(level, optname, value, arg)

    # --- time ---

    def settimeout(self, timeout: float | None) -> None:
        """Seconds after which a call that blocks raises TimeoutError; None: never; 0: the socket does not block."""
        if timeout is not None and timeout < 0:
            raise ValueError("Timeout value out of range")
        self._timeout = None if timeout is None else float(timeout)

    def gettimeout(self) -> float | None:
        return self._timeout

    @property
    def timeout(self) -> float | None:
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        return self._timeout != 0.0

    # --- readiness ---

    def fileno(self) -> int:
        """A descriptor to wait on with `select`, `poll`, `selectors` or asyncio, made at the first call; -1 once
        closed.

        It is readable and writable when this socket is. Reading from it or writing to it is undefined.
        """
        with self._lock:
            if self._closed or self._host.closed:
                return -1
            if self._readiness is None:
                # Somebody has to read UDP while the program waits outside of this library.
                self._readiness = Readiness()
                self._readiness.update(self._can_read(), self._can_write())
            return self._readiness.fileno()

    # --- ending ---

    def shutdown(self, how: int) -> None:
        """Close in order, keeping the socket for what the peer still sends. SHUT_RD alone does nothing (RFC 6458
        section 4.1.7)."""
        with self._lock:
            self._check_open()
            if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
                raise failure(errno.EINVAL)
            if not self.one_to_one:
                raise failure(errno.EOPNOTSUPP)
            if not self.associations:
                raise failure(errno.ENOTCONN)
            if how != socket.SHUT_RD:
                self._write_closed = True
                for association in list(self.associations.values()):
                    association.shutdown(clock())
                self._host.kick()
                self.wake()

    def close(self) -> None:
        """Close the socket. Its associations shut down in the background: what was sent is delivered.

        SO_LINGER with time 0, or messages that nobody has read, abort them instead (as TCP does).
        """
        if self._makefile_references > 0:
            self._makefile_references = -self._makefile_references
            return
        with self._lock:
            if self._closed:
                return
            ending = list(self.associations.values())
            self._close()
            if self.linger and ending and self._timeout is None and not self._host.closed:
                self._host.linger(ending, self.linger)

    def end(self) -> None:
        """Close as the end of the process does: at once, whatever files there are. With the lock held."""
        if not self._closed:
            self._close()

    def leave(self, lock: threading.Lock) -> None:
        """In a forked child: the parent's lock may be held by a thread that is not here."""
        self._lock = lock

    def _close(self) -> None:
        self._closed = True
        self._host.sockets.discard(self)
        ending = list(self.associations.values())
        if not self._host.closed:
            self._stop_listening()
            for child in self._accepted:
                # Nobody will accept them any more.
                child.linger = 0
                child._close()
            unread = self._arrivals.has_messages
            for association in ending:
                self._host.owners.pop(association.association_id, None)
                # An association that is not up yet and has nothing to bring over is not worth finishing.
                futile = association.state in _SETTING_UP and not association.send_buffered
                if unread or self.linger == 0 or futile:
                    association.abort(b"", clock())
                else:
                    association.shutdown(clock())
            if ending:
                self._host.kick()
            if self._owns_port:
                for ip in self._bound or [""]:
                    self._host.release_port(self._local_port, ip)
        self._accepted.clear()
        self._arrivals.clear()
        self.associations = {}
        self._waits.wake()
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None

    def detach(self) -> int:
        """There is no descriptor to hand over: EOPNOTSUPP."""
        raise failure(errno.EOPNOTSUPP)

    # --- files ---

    def makefile(self, mode: str = "r", buffering: int | None = None, **text: Any) -> Any:
        """A file over the messages, as `socket.socket.makefile`; boundaries of messages are lost in it."""
        return make_file(self, mode, buffering, text)

    def file_opened(self) -> None:
        """A file over this socket: `close` waits for it."""
        self._makefile_references += 1

    def file_closed(self) -> None:
        """The last file of a socket that was closed before it closes the socket."""
        references = self._makefile_references
        if references > 0:
            self._makefile_references = references - 1
        elif references < 0:
            self._makefile_references = references + 1
            if references == -1:
                # Perhaps in the garbage collector.
                self._host.end_soon(self)


_SETTING_UP: Final = frozenset({State.COOKIE_WAIT, State.COOKIE_ECHOED})


def _check_local(ip: str) -> None:
    """EADDRNOTAVAIL unless the address is one of the host's."""
    with socket.socket(routes.family_of(ip), socket.SOCK_DGRAM) as probe:
        probe.bind(routes.sockaddr(ip, 0))
