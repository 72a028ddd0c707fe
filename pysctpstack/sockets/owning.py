"""What a socket holds, what the events of its associations make of it, what is ready, and its end.

A socket's state is changed only with its stack's lock held, by its own methods or by the events of its associations.
`base` adds what programs do with every socket, `associating` how associations come about, `transferring` messages;
the end of that chain is the public `SctpSocket`.
"""

from __future__ import annotations

import errno
import socket
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pysctpstack import constants as c
from pysctpstack import events
from pysctpstack.core.association import Association
from pysctpstack.core.endpoint import Listener
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.drivers.pump import clock
from pysctpstack.sockets import addresses
from pysctpstack.sockets.inbox import Inbox, Notice
from pysctpstack.sockets.notifications import notifications
from pysctpstack.sockets.preferences import Preferences
from pysctpstack.sockets.readiness import Readiness
from pysctpstack.sockets.values import failure
from pysctpstack.stack import Host, errno_of

if TYPE_CHECKING:
    from typing_extensions import Self

MANY: Final = 1 << 30
_FEW: Final = 16
SETTING_UP: Final = frozenset({State.COOKIE_WAIT, State.COOKIE_ECHOED})
_ROUTINE: Final = frozenset({events.Acknowledged, events.SenderDry})


class OwningSocket:
    """An `Owner` of associations: of one (SOCK_STREAM), or of many (SOCK_SEQPACKET)."""

    _timeout: float | None

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
            self._timeout = 0.0

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
        self._timeout = socket.getdefaulttimeout()
        self._readiness: Readiness | None = None
        self._bound: list[str] = []
        """Local addresses, if bound to some; empty: all."""
        self._local_port = 0
        self._owns_port = False
        self._peer: tuple[str, int] | None = None
        """Of a one-to-one socket: its peer's address and port, once it has one."""
        self._listener: Listener | None = None
        self._accepted: list[OwningSocket] = []
        self._arrivals = Inbox()
        self._connecting = False
        self._error = 0
        self._ended = False
        """The peer will send nothing more."""
        self._write_closed = False
        self._read_closed = False
        self._closed = False
        self._close_wanted = False
        self._files: list[None] = []
        """One for each file over it. Changed without the lock, which is why it is no count: `append` and `pop` are
        atomic."""
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
        if self.one_to_one or (self.fragment_interleave and not self._delivering):
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

    def _hand_down(self, child: OwningSocket) -> None:
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
        if self.one_to_one and not (self._write_closed or self.disable_fragments or self._has_priorities):
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

    def _release_window(self) -> None:
        """Tell an association what has been read of its messages."""
        association = self.associations.get(self._taken_of)
        if association is not None and (self._taken or self._taken_padding):
            association.released(self._taken, self._taken_padding, clock())
            if self._host.endpoint.shared.touched:
                self._host.kick()
        self._taken = self._taken_padding = 0

    def take_error(self) -> int:
        """SO_ERROR: the pending error, which is cleared."""
        error, self._error = self._error, 0
        self._refresh()
        return error

    # --- ending ---

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._listener = None
            self._host.endpoint.unlisten(self._local_port)
            del self._host.listening[self._local_port]

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
            # What still comes needs the room, and may come at once.
            self._release_window()
            for association in ending:
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
