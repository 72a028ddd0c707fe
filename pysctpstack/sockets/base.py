"""What every socket is: its state, the events of its associations, waiting, names, options, readiness, and its end.

A socket's state is changed only with its stack's lock held, by its own methods or by the events of its associations. A
call that has to wait hands itself to the stack's driver, which lets it receive packets meanwhile. `associating` adds
how associations come about, `transferring` messages; the last is the public `SctpSocket`.
"""

from __future__ import annotations

import errno
import socket
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from pysctpstack import constants as c
from pysctpstack import events
from pysctpstack.core.association import Association
from pysctpstack.core.endpoint import Listener
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.drivers import routes
from pysctpstack.drivers.pump import clock
from pysctpstack.sockets import addresses
from pysctpstack.sockets.inbox import Inbox, Notice
from pysctpstack.sockets.notifications import notifications
from pysctpstack.sockets.options import CALLS, OPTIONS
from pysctpstack.sockets.preferences import Preferences
from pysctpstack.sockets.readiness import Readiness
from pysctpstack.sockets.values import failure, option_buffer, option_bytes, shaped
from pysctpstack.stack import Host, errno_of

if TYPE_CHECKING:
    from typing_extensions import Self

MSG_PEEK: Final = int(socket.MSG_PEEK)
MSG_DONTWAIT: Final = int(getattr(socket, "MSG_DONTWAIT", 0x40))
MSG_CTRUNC: Final = int(getattr(socket, "MSG_CTRUNC", 0x08))
MANY: Final = 1 << 30
_FEW: Final = 16

_LEVELS: Final = (socket.SOL_SOCKET, c.IPPROTO_SCTP, socket.IPPROTO_IP, socket.IPPROTO_IPV6)
SETTING_UP: Final = frozenset({State.COOKIE_WAIT, State.COOKIE_ECHOED})

_ROUTINE: Final = frozenset({events.Acknowledged, events.SenderDry})


class BaseSocket:
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
            # Linux: there are datagram sockets, but not of this protocol.
            raise failure(errno.EPROTONOSUPPORT if type == socket.SOCK_DGRAM else errno.ESOCKTNOSUPPORT)
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
        self.preferences = Preferences()
        """Of associations to come; `preferences_of` has an association's."""
        self.wants_sndrcvinfo = False
        self.wants_rcvinfo: bool = False
        self.wants_nxtinfo: bool = False
        self.disable_fragments: bool = False
        self.fragment_interleave: bool = False
        self.maps_ipv4: bool = True
        """Whether an AF_INET6 socket shows IPv4 addresses as mapped ones (RFC 6458 section 8.1.15)."""
        self.reuses_port: bool = False
        self.ipv6_only: bool = False
        """Whether an AF_INET6 socket leaves IPv4 alone (RFC 3493 section 5.3)."""
        self.is_peeled = False
        """It came of a one-to-many socket (RFC 6458 section 9.2)."""
        self.linger: int | None = None
        self.receive_timeout: float | None = None
        self.send_timeout: float | None = None
        self.switches: dict[int, int] = {}
        """Options that are remembered and change nothing here: SOL_SOCKET's by number, SCTP's by its negative."""
        self.associations: dict[int, Association] = {}
        """By association id."""
        self._direct: Association | None = None
        """Of a one-to-one socket: the association, as long as nothing forbids to send on it."""
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
        self._accepted: list[BaseSocket] = []
        self._arrivals = Inbox()
        self._connecting = False
        self._error = 0
        self._ended = False
        """The peer will send nothing more."""
        self._write_closed = False
        self._read_closed = False
        self._closed = False
        self._makefile_references = 0
        self._preferences: dict[int, Preferences] = {}
        """By association id."""
        self._peer_addresses: dict[int, addresses.Address] = {}
        """As shown with messages, by association id: those of associations that have messages here, or had lately."""
        self._taken_of = 0
        self._taken = self._taken_padding = 0
        """What has been read of one association's messages and not been told to it."""
        self._delivering = 0
        """Of a one-to-many socket without SCTP_FRAGMENT_INTERLEAVE: whose message is under partial delivery."""
        self._waiting: list[Sequence[events.MessageReceived]] = []
        """Messages of other associations that wait for its end."""
        self._buffered = 0
        self._buffered_by: dict[int, int] = {}
        """Of a one-to-many socket with a descriptor: bytes in the send buffer, in all and by association id."""
        self._has_priorities = False
        """Messages with SCTP_PR_SCTP_PRIO have been sent: they may have to make room for others."""
        self._outcomes: dict[int, int] = {}
        """By id of an association that a blocked `connect` waits for: the errno with which it failed, or 0."""
        host.sockets.add(self)

    def __repr__(self) -> str:
        style = "one-to-one" if self.one_to_one else "one-to-many"
        state = "closed" if self._closed else f"port {self._local_port}"
        return f"<{type(self).__name__} {style} family={self.family.name} {state}>"

    def __enter__(self) -> Self:
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

    def on_messages(self, messages: Sequence[events.MessageReceived]) -> None:
        id_ = messages[0].association_id
        if self._read_closed:
            for message in messages:
                self.associations[id_].consumed(len(message.data), clock())
            return
        if id_ not in self._peer_addresses:
            if not self._arrivals and len(self._peer_addresses) > 2 * len(self.associations) + _FEW:
                # All has been read of those that have ended since.
                for gone in self._peer_addresses.keys() - self.associations.keys() - {self._taken_of}:
                    del self._peer_addresses[gone]
            self._peer_addresses[id_] = self._address_of(id_)
        if self.one_to_one or self.fragment_interleave:
            self._arrivals.arrivals.extend(messages)
        else:
            self._keep_together(id_, messages)

    def _keep_together(self, id_: int, messages: Sequence[events.MessageReceived]) -> None:
        """RFC 6458 section 8.1.20: while a message is delivered in pieces, others wait for its end."""
        if self._delivering not in (0, id_):
            self._waiting.append(messages)
            return
        self._arrivals.arrivals.extend(messages)
        self._delivering = 0 if messages[-1].complete else id_
        self._hand_over_waiting()

    def _hand_over_waiting(self) -> None:
        while self._waiting and not self._delivering:
            waiting, self._waiting = self._waiting, []
            held: set[int] = set()
            for messages in waiting:
                id_ = messages[0].association_id
                if id_ in held or self._delivering not in (0, id_):
                    held.add(id_)
                    self._waiting.append(messages)
                else:
                    self._arrivals.arrivals.extend(messages)
                    self._delivering = 0 if messages[-1].complete else id_

    def on_event(self, event: events.Event) -> None:
        if (
            event.__class__ in _ROUTINE
            and not self.preferences_of(event.association_id).subscribed
            and (self.one_to_one or self._readiness is None)
        ):
            # What comes with each acknowledgement, and is for `wake`.
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
        self._notify(event)
        ended = isinstance(event, (events.AssociationLost, events.AssociationClosed))
        if id_ == self._delivering and (ended or isinstance(event, events.PartialDeliveryAborted)):
            self._delivering = 0
            self._hand_over_waiting()
        if ended:
            self._forget(id_)
        if self._readiness is not None and not self.one_to_one:
            self._recount(id_)

    def wake(self) -> None:
        self._waits.wake()
        if self._readiness is not None:
            self._readiness.update(self._can_read(), self._can_write())

    def _accept_child(self, event: events.AssociationUp) -> None:
        child = self._bare(self._host, self.family, self.type)
        self._hand_down(child)
        child._bound, child._local_port = list(self._bound), self._local_port
        child.on_event(replace(event, accepted=False))
        self._accepted.append(child)

    def _hand_down(self, child: BaseSocket) -> None:
        """What a socket that comes of this one begins with."""
        child.settings = self.settings.copy()
        child.send_buffer = self.send_buffer
        child.remote_udp_port = self.remote_udp_port
        child.preferences = self.preferences
        child.wants_sndrcvinfo = self.wants_sndrcvinfo
        child.wants_rcvinfo = self.wants_rcvinfo
        child.wants_nxtinfo = self.wants_nxtinfo
        child.disable_fragments = self.disable_fragments
        child.fragment_interleave = self.fragment_interleave
        child.maps_ipv4 = self.maps_ipv4
        child.reuses_port = self.reuses_port
        child.ipv6_only = self.ipv6_only
        child.switches = dict(self.switches)
        child.linger = self.linger
        child.receive_timeout, child.send_timeout = self.receive_timeout, self.send_timeout

    @classmethod
    def _bare(cls, host: Host, family: int, type_: int) -> Self:
        """A new socket of the same class, however its constructor looks."""
        sock = cls.__new__(cls)
        sock._set_up(host, family, type_)
        return sock

    def _adopt(self, id_: int) -> None:
        association = self._host.endpoint.associations[id_]
        self.associations[id_] = association
        if not self._arrivals and len(self._preferences) > 2 * len(self.associations) + _FEW:
            # Those of the others count until all has been read that came of them.
            self._preferences = {known: self.preferences_of(known) for known in self.associations}
        self._preferences.setdefault(id_, self.preferences)
        self._host.owners[id_] = weakref.ref(self)
        if self.one_to_one:
            self._peer = (association.tcb.paths.primary.address, association.tcb.peer_port)
            self.update_direct()

    def _forget(self, id_: int) -> None:
        """An association is not this socket's any more."""
        self.associations.pop(id_, None)
        self._direct = None

    def update_direct(self) -> None:
        """After something that decides what becomes of a plain message."""
        self._direct = None
        if self.one_to_one and not self._write_closed and not self.disable_fragments:
            for id_, association in self.associations.items():
                if not self.preferences_of(id_).has_send_defaults:
                    self._direct = association

    def _association_ended(self, event: events.AssociationLost | events.AssociationClosed) -> None:
        error = 0
        if isinstance(event, events.AssociationLost):
            error = errno_of(event)
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
        if ip and ":" not in ip and not self.maps_ipv4:
            return (ip, port)
        return addresses.show(ip, port, self.family)

    def _notify(self, event: events.Event) -> None:
        """Queue the notifications of an event, as far as they are wanted."""
        preferences = self.preferences_of(event.association_id)
        if preferences.subscribed:
            address = self._address_of(event.association_id)
            for data in notifications(event, preferences, lambda ip: self.show(ip, address[1])):
                self._arrivals.arrivals.append(Notice(data, address))

    def preferences_of(self, id_: int) -> Preferences:
        """What is wanted of an association; of one that this socket does not have: of those to come."""
        return self._preferences.get(id_, self.preferences)

    def context_of(self, message: events.MessageReceived) -> int:
        """SCTP_CONTEXT of the association that a message came from."""
        return self.preferences_of(message.association_id).receive_context

    def set_preferences_of(self, id_: int, preferences: Preferences) -> None:
        self._preferences[id_] = preferences
        self.update_direct()

    def kick(self) -> None:
        """After an option that lets packets leave or changes a timer."""
        self._host.kick()

    def local_addresses(self, tcb: Tcb | None) -> list[addresses.Address]:
        """Of an association, or (None) those that the socket is bound to: all of the host's for the wildcard one."""
        ips = list(tcb.local_addresses) if tcb is not None else []
        if not ips and self._local_port:
            ips = list(self._bound) or [
                ip
                for ip in self._host.config.udp_addresses or routes.interface_addresses()
                if self.family == socket.AF_INET6 or ":" not in ip
            ]
        return [self.show(ip, self._local_port) for ip in ips]

    @property
    def _shares_port(self) -> bool:
        """SO_REUSEADDR, SO_REUSEPORT and SCTP_REUSE_PORT mean the same here."""
        reuse = (socket.SO_REUSEADDR, getattr(socket, "SO_REUSEPORT", socket.SO_REUSEADDR))
        return self.reuses_port or any(self.switches.get(option) for option in reuse)

    @property
    def is_bound(self) -> bool:
        return bool(self._local_port)

    @property
    def is_bound_to_all(self) -> bool:
        """Bound, and to the wildcard address."""
        return bool(self._local_port) and not self._bound

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
        if self.one_to_one:
            return all(association.send_buffered < self.send_buffer for association in self.associations.values())
        return self._buffered < self.send_buffer

    def _recount(self, id_: int) -> None:
        """Messages of an association of a one-to-many socket have been sent, or were acknowledged or given up."""
        association = self.associations.get(id_)
        size = association.send_buffered if association is not None else 0
        self._buffered += size - self._buffered_by.pop(id_, 0)
        if size:
            self._buffered_by[id_] = size

    def report(self, event: events.Event) -> None:
        """Queue the notification of something that no packet and no timer brought about."""
        self._notify(event)
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
                check_local(ip)
            self._bind([ip] if ip else [], port)

    def _bind(self, ips: list[str], port: int) -> None:
        self._local_port = self._host.reserve_port(port, ips[0] if ips else "", shares=self._shares_port)
        self._bound = ips[:1]
        self._owns_port = True
        for ip in ips[1:]:
            self._bind_more(ip)

    def _bind_more(self, ip: str) -> None:
        """One more local address for a socket that is bound to some."""
        if self._owns_port:
            self._host.reserve_port(self._local_port, ip, shares=self._shares_port)
        self._bound.append(ip)

    def _bind_less(self, ip: str) -> None:
        """Undo `_bind_more`."""
        if self._owns_port:
            self._host.release_port(self._local_port, ip)
        self._bound.remove(ip)

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
            # Linux: of several addresses the one bound last, and for the wildcard where the last association is.
            ip = self._bound[-1] if self._bound else ""
            if not ip:
                for association in self.associations.values():
                    primary = association.tcb.paths.primary
                    ip = primary.route.local or self._host.source_address(primary.address)
            if not ip and self._peer is not None:
                ip = self._host.source_address(self._peer[0])
            return self.show(ip, self._local_port)

    def getpeername(self) -> addresses.Address:
        """The peer's primary address. ENOTCONN: there is none."""
        with self._lock:
            self._check_open()
            if self._peer is None or self._connecting:
                raise failure(errno.ENOTCONN)
            for association in self.associations.values():
                return self.show(association.tcb.paths.primary.address, association.tcb.peer_port)
            return self.show(*self._peer)

    # --- options ---

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """``value``: an int, a struct of `pysctpstack.structs`, or bytes. ENOPROTOOPT: no such option, or it can't be
        set; EINVAL: a bad value."""
        if value is None:
            if optlen is None:
                raise TypeError("setsockopt() requires 4 arguments when the third is None")
            value = bytes(optlen)
        octets = option_bytes(value)
        call = CALLS.get((level, optname))
        if call is not None:
            self._check_open()
            call(self, octets)
            return
        with self._lock:
            self._check_open()
            entry = OPTIONS.get((level, optname))
            if entry is None or entry[1] is None:
                raise failure(errno.ENOPROTOOPT)
            entry[1](self, octets)

    def getsockopt(self, level: int, optname: int, arg: Any = 0) -> Any:
        """``arg`` 0: the value as an int. An int: at most so many bytes of it. Bytes or a struct: the in-and-out
        buffer that SCTP
        options read (association id, address) before they fill it; the answer has its type.
        """
        with self._lock:
            self._check_open()
            entry = OPTIONS.get((level, optname))
            if entry is None or entry[0] is None:
                raise failure(errno.ENOPROTOOPT if level in _LEVELS else errno.EOPNOTSUPP)
            value = entry[0](self, option_buffer(arg))
        return shaped(value, arg)

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
            return -1 if self._closed or self._host.closed else self.make_readiness()

    def make_readiness(self) -> int:
        """`fileno` of an open socket, with the lock held."""
        if self._readiness is None:
            # Somebody has to read UDP while the program waits outside of this library.
            self._readiness = Readiness()
            if not self.one_to_one:
                for id_ in self.associations:
                    self._recount(id_)
            self._readiness.update(self._can_read(), self._can_write())
        return self._readiness.fileno()

    # --- ending ---

    @property
    def is_listening(self) -> bool:
        return self._listener is not None

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener = None
            self._host.endpoint.unlisten(self._local_port)
            del self._host.listening[self._local_port]

    def shutdown(self, how: int) -> None:
        """Close in order, keeping the socket for what the peer still sends. SHUT_RD: what comes from now on is thrown
        away, and the peer does not learn of it (RFC 6458 section 4.1.7). ENOTCONN: there is no association to end."""
        with self._lock:
            self._check_open()
            if how not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
                raise failure(errno.EINVAL)
            if self._listener is not None:
                if how != socket.SHUT_WR:
                    # Linux: to stop listening would be to disconnect, which SCTP does not do.
                    raise failure(errno.EOPNOTSUPP)
                return
            if not self.one_to_one or self._peer is None or self._connecting:
                raise failure(errno.ENOTCONN)
            if self.is_peeled:
                # As in Linux, where SCTP_EOF ends its association.
                return
            if how != socket.SHUT_WR:
                self._ended = self._read_closed = True
                self.wake()
            if how != socket.SHUT_RD:
                self._write_closed = True
                self._direct = None
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
            if self.linger and ending and not self._host.closed:
                self._host.linger(ending, self.linger)

    def end(self) -> None:
        """Close as the end of the process does: at once, whatever files there are. With the lock held."""
        if not self._closed:
            self._close()

    def leave(self, lock: threading.Lock) -> None:
        """In a forked child: the parent's lock may be held by a thread that is not here."""
        self._lock = lock
        self._direct = None

    def _close(self) -> None:
        self._closed = True
        self._direct = None
        self._host.sockets.discard(self)
        ending = list(self.associations.values())
        if not self._host.closed:
            self._stop_listening()
            for child in self._accepted:
                # Nobody will accept them any more: they end as if it had been done at once.
                child._close()
            unread = self._arrivals.has_messages or bool(self._waiting)
            for association in ending:
                self._host.owners.pop(association.association_id, None)
                # An association that is not up yet and has nothing to bring over is not worth finishing.
                futile = association.state in SETTING_UP and not association.send_buffered
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
        self._waiting.clear()
        self.associations = {}
        self._waits.wake()
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None

    def detach(self) -> int:
        """There is no descriptor to hand over: EOPNOTSUPP."""
        raise failure(errno.EOPNOTSUPP)

    # --- files ---

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


def check_local(ip: str) -> None:
    """EADDRNOTAVAIL unless the address is one of the host's."""
    if addresses.is_for_many(ip):
        raise failure(errno.EADDRNOTAVAIL)
    with socket.socket(routes.family_of(ip), socket.SOCK_DGRAM) as probe:
        probe.bind(routes.sockaddr(ip, 0))
