"""One SCTP host: an endpoint, the UDP sockets and the thread that drive it, and whose port and association is whose.

Sockets of one host share its lock. Whatever they do to the endpoint is followed by `Host.kick`.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

from pysctpstack.config import Config
from pysctpstack.core.association import Association
from pysctpstack.core.state import State
from pysctpstack.drivers.pump import Pump, clock
from pysctpstack.drivers.threaded import ThreadedDriver, WaitList
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationRestarted,
    AssociationUp,
    Event,
    Loss,
    MessageReceived,
    SendFailed,
)

EPHEMERAL_PORTS: Final = range(32_768, 61_000)
"""SCTP ports that unbound sockets get: Linux's range, at random (RFC 6951: two hosts behind a NAT must not meet)."""


_LOSS_ERRORS: Final = {
    Loss.ABORTED: errno.ECONNRESET,
    Loss.TIMED_OUT: errno.ETIMEDOUT,
    Loss.REFUSED: errno.ECONNREFUSED,
    Loss.PROTOCOL: errno.ECONNABORTED,
    Loss.LOCAL: errno.ECONNABORTED,
}


class Owner(Protocol):
    """Who is told of an association's events: a socket."""

    def on_messages(self, messages: Sequence[MessageReceived]) -> None:
        """Messages of one association, one or more. Called as `on_event` is."""

    def on_event(self, event: Event) -> None:
        """Called with the lock held, in the order of occurrence."""

    def wake(self) -> None:
        """Called once after each batch of events."""

    def end(self) -> None:
        """Close as the end of the process does. With the lock held."""

    def leave(self, lock: threading.Lock) -> None:
        """The process has forked, and this is the child: nothing but ``lock`` may be waited for."""


class StrongEntropy:
    """The operating system's randomness (RFC 9260 section 5.3.1, RFC 4086)."""

    __slots__ = ()

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)


class PortTable:
    """The SCTP ports of one host, and who has bound to which of its addresses."""

    def __init__(self, busy: Mapping[int, int]) -> None:
        self._busy = busy
        """Ports that have associations: they may outlive the socket that had bound it, and must not get a namesake."""
        self._bound: dict[int, list[tuple[str, bool]]] = {}
        """By port: the address of each socket, "" for the wildcard, and whether it shares."""

    def reserve(self, port: int, address: str, *, shares: bool = False) -> int:
        """Bind to an SCTP port (0: an ephemeral one). ``shares``: with others that do (SO_REUSEADDR). OSError:
        EADDRINUSE."""
        if port == 0:
            port = self._ephemeral()
        bound = self._bound.get(port, [])
        for other, other_shares in bound:
            if (other == address or not other or not address) and not (shares and other_shares):
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self._bound.setdefault(port, bound).append((address, shares))
        return port

    def release(self, port: int, address: str) -> None:
        bound = self._bound[port]
        bound.remove(next(entry for entry in bound if entry[0] == address))
        if not bound:
            del self._bound[port]

    def _ephemeral(self) -> int:
        for _ in range(64):
            port = secrets.choice(EPHEMERAL_PORTS)
            if port not in self._bound and port not in self._busy:
                return port
        for port in EPHEMERAL_PORTS:
            if port not in self._bound and port not in self._busy:
                return port
        raise OSError(errno.EADDRINUSE, "no ephemeral SCTP port is free")


def errno_of(event: AssociationLost) -> int:
    """What the user of a lost association is told, as Linux does."""
    if not event.established and event.loss is Loss.ABORTED:
        return errno.ECONNREFUSED
    return _LOSS_ERRORS[event.loss]


def discard(event: Event, association: Association) -> None:
    """What reaches an association that its user has closed."""
    if isinstance(event, MessageReceived):
        association.consumed(len(event.data), clock())
    elif isinstance(event, AssociationUp) and event.accepted:
        # Whoever listened was dropped a moment ago.
        association.abort(b"", clock())
    elif isinstance(event, AssociationRestarted):
        # RFC 9260 section 5.2.4, A: it is ESTABLISHED again, and nobody is here to close it a second time.
        association.shutdown(clock())


def train_at(events: Sequence[Event], position: int, first: MessageReceived) -> list[MessageReceived]:
    """``first``, which is at ``position``, and the messages of the same association that follow it without a gap: they
    are handed over together."""
    train = [first]
    for event in islice(events, position + 1, None):
        if not isinstance(event, MessageReceived) or event.association_id != first.association_id:
            break
        train.append(event)
    return train


class Host:
    """The part of a stack below its sockets."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.pump = Pump(config, StrongEntropy(), self._dispatch)
        self.driver = ThreadedDriver(self.pump, self._end_orphans)
        self.endpoint = self.pump.endpoint
        self.lock = self.driver.lock
        self.closed = False
        self.sockets: weakref.WeakSet[Owner] = weakref.WeakSet()
        """Every open socket, those that nobody has accepted yet too."""
        self.owners: dict[int, weakref.ref[Owner]] = {}
        """By association id. An association without an owner has been closed: what it still receives is discarded.

        Weak, as `listening` is, so that a socket that nobody holds any more closes.
        """
        self.peeled: dict[int, Owner] = {}
        """Sockets that SCTP_SOCKOPT_PEELOFF made, by descriptor, until somebody asks for them."""
        self.listening: dict[int, weakref.ref[Owner]] = {}
        """By SCTP port: who is told of associations that peers set up."""
        self._orphans: deque[Owner] = deque()
        self._ports = PortTable(self.endpoint.local_ports)
        self._unfinished = WaitList(self.driver)
        self.lost_after_close = 0
        """Messages that failed after their user had closed the association."""

    def waits(self) -> WaitList:
        """A wait list for one more socket."""
        return WaitList(self.driver)

    def check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the stack is closed, or was left behind by a fork")

    # --- UDP ---

    def start(self, *, listening: bool = False) -> None:
        """Have UDP sockets and a thread. ``listening``: the configured UDP port is needed, not just any. OSError:
        EADDRINUSE."""
        self.check_open()
        self.driver.watch(self.pump.open_configured(listening=listening))
        self.driver.start()

    @property
    def udp_ports(self) -> list[int]:
        """Local UDP ports in use, the first one first."""
        return [udp.port for udp in self.pump.udp]

    def source_address(self, peer: str) -> str:
        """The local address that the system would choose towards ``peer``; ``""`` if it has no route."""
        return self.pump.source_address(peer)

    # --- SCTP ports ---

    def reserve_port(self, port: int, address: str, *, shares: bool = False) -> int:
        """Bind to an SCTP port (0: an ephemeral one). ``shares``: with others that do, as long as none of them listens.
        OSError: EADDRINUSE."""
        return self._ports.reserve(port, address, shares=shares and port not in self.listening)

    def release_port(self, port: int, address: str) -> None:
        self._ports.release(port, address)

    # --- events ---

    def kick(self) -> None:
        """After a verb of the endpoint or an association."""
        self.driver.kick()

    def poll(self) -> None:
        """Between calls of a program that does not block: let acknowledgements in."""
        self.driver.poll()

    def _dispatch(self, events: Sequence[Event]) -> None:
        woken: dict[int, Owner] = {}
        ended: list[int] = []
        position, last = -1, len(events) - 1
        while position < last:
            position += 1
            event = events[position]
            id_ = event.association_id
            reference = self.owners.get(id_)
            association = self.endpoint.associations.get(id_)
            if reference is None and association is not None and isinstance(event, AssociationUp) and event.accepted:
                reference = self.listening.get(association.tcb.local_port)
            owner = reference() if reference is not None else None
            if owner is None:
                self._discard(event, association)
                continue
            if isinstance(event, MessageReceived):
                train = train_at(events, position, event)
                position += len(train) - 1
                owner.on_messages(train)
            else:
                owner.on_event(event)
                if isinstance(event, (AssociationClosed, AssociationLost)):
                    ended.append(id_)
            woken[id(owner)] = owner
        for id_ in ended:
            # Not before the whole batch: the messages that failed with the association are reported after it.
            self.owners.pop(id_, None)
        if ended:
            self._unfinished.wake()
        for owner in woken.values():
            owner.wake()

    def _discard(self, event: Event, association: Association | None) -> None:
        if association is not None:
            discard(event, association)
        if isinstance(event, SendFailed):
            self.lost_after_close += 1
        elif isinstance(event, (AssociationClosed, AssociationLost)):
            self._unfinished.wake()

    # --- the end ---

    def end_soon(self, sock: Owner) -> None:
        """Close a socket where the lock can't be waited for: the garbage collector calls anywhere, in any thread."""
        if self.lock.acquire(blocking=False):
            try:
                sock.end()
            finally:
                self.lock.release()
        else:
            # Maybe by this very thread, in the middle of something.
            self._orphans.append(sock)
            self.driver.ring()

    def _end_orphans(self) -> None:
        while self._orphans:
            self._orphans.popleft().end()

    def close_sockets(self) -> None:
        """Close every socket, without waiting for its associations. Called without the lock."""
        with self.lock:
            self._end_orphans()
            for sock in list(self.sockets):
                sock.end()

    def finish(self, deadline: float) -> int:
        """Wait until every association has ended, or the time is ``deadline``; how many have not. With the lock
        held."""

        def finished() -> bool:
            # Asking for the deadline makes the endpoint forget what has ended.
            self.endpoint.next_timeout()
            return not self.endpoint.associations

        self._unfinished.wait(finished, deadline)
        return len(self.endpoint.associations)

    def linger(self, associations: Sequence[Association], seconds: float) -> None:
        """Wait until these have ended, or so long (SO_LINGER). With the lock held."""
        self._unfinished.wait(
            lambda: all(association.state is State.CLOSED for association in associations), clock() + seconds
        )

    def stop(self) -> None:
        """Abort what is left, close the UDP sockets, end the thread. Called without the lock; idempotent."""
        with self.lock:
            if self.closed:
                return
            self.closed = True
            now = clock()
            for association in list(self.endpoint.associations.values()):
                association.abort(b"", now)
            if self.pump.udp:
                self.pump.drain(now)
        self.driver.stop()

    def abandon(self) -> None:
        """In a forked child: this stack is the parent's. Its descriptors are closed here, and every call raises
        EBADF."""
        self.closed = True
        self.driver.abandon()
        self.lock = self.driver.lock
        for sock in list(self.sockets):
            sock.leave(self.lock)
