"""One SCTP host driven by one event loop: its endpoint and UDP sockets, and whose port and association is whose.

Everything here runs in the loop's thread, except where a comment names another.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import warnings
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from pysctpstack.aio.waiting import Line
from pysctpstack.config import Config
from pysctpstack.core.association import Association
from pysctpstack.drivers.evented import EventedDriver, can_watch, config_for
from pysctpstack.drivers.pump import Pump, clock
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationUp,
    Event,
    MessageReceived,
    SendFailed,
)
from pysctpstack.stack import PortTable, StrongEntropy, discard, train_at

_hosts: weakref.WeakSet[Host] = weakref.WeakSet()


class Owner(Protocol):
    """Who is told of an association's events."""

    def on_messages(self, messages: Sequence[MessageReceived]) -> None:
        """Messages of one association, one or more. In order with `on_event`."""

    def on_event(self, event: Event) -> None:
        """What happened. It must not call the driver, which is at work."""

    def wake(self) -> None:
        """Called once after each batch of events: let tasks go on."""

    def end(self) -> None:
        """Close, without waiting for the end."""


class Host:
    """``own``: it belongs to one association or listener, and ends with what came of that."""

    def __init__(
        self, config: Config, loop: asyncio.AbstractEventLoop, *, add_reader: bool | None = None, own: bool = False
    ) -> None:
        watches = can_watch(loop) if add_reader is None else add_reader
        self.config = config_for(config, watches)
        self.loop = loop
        self.pump = Pump(self.config, StrongEntropy(), self._dispatch)
        self.driver = EventedDriver(self.pump, loop, watches=watches)
        self.endpoint = self.pump.endpoint
        self.ports = PortTable(self.endpoint.local_ports)
        self.closed = False
        self.owners: dict[int, weakref.ref[Owner]] = {}
        """By association id. Weak, so that what nobody holds any more closes; an association without an owner has been
        closed, and what it still receives is discarded."""
        self.listening: dict[int, weakref.ref[Owner]] = {}
        """By SCTP port: who is told of associations that peers set up."""
        self.lost_after_close = 0
        """Messages that failed after their user had closed or dropped the association."""
        self._live: set[int] = set()
        """Associations that have not ended."""
        self._claims: dict[int, tuple[int, tuple[str, ...]]] = {}
        """SCTP port and addresses that an association is bound to, by its id."""
        self._own = own
        self._uses = 0
        self._orphans: deque[tuple[int, bool]] = deque()
        self.waits: set[asyncio.Future[None]] = set()
        """What tasks wait for. The loop holds the driver and that this host, so that none is collected as garbage."""
        self.held: set[object] = set()
        """What is at work although its user may hold it no more."""
        self._ends = self.line()
        self.loop_ends = False
        self._guard = _until_the_loop_ends(self)
        # The loop learns of a generator at its first step, and closes it when `asyncio.run` ends.
        with contextlib.suppress(StopIteration):
            self._guard.asend(None).send(None)
        _hosts.add(self)

    def line(self) -> Line:
        """For tasks to wait in."""
        return Line(self.loop, self.waits)

    def start(self, *, listening: bool = False) -> None:
        """Have UDP sockets; ``listening``: at the configured port. OSError: EADDRINUSE, EBADF."""
        self.check_open()
        self.driver.watch(self.pump.open_configured(listening=listening))

    def check_open(self) -> None:
        if self.closed:
            raise OSError(errno.EBADF, "the stack is closed, or was left behind by a fork")

    # --- who uses it ---

    def use(self) -> None:
        self._uses += 1

    def unuse(self) -> None:
        self._uses -= 1
        if self._own and not self._uses and not self.loop.is_closed():
            # Not at once: the driver may be at work.
            self.loop.call_soon(self._stop_if_unused)

    def _stop_if_unused(self) -> None:
        if not self._uses:
            self.stop()

    # --- SCTP ports ---

    def bind(self, port: int, addresses: tuple[str, ...]) -> int:
        """Reserve an SCTP port (0: an ephemeral one) at these addresses; none: at all. OSError: EADDRINUSE."""
        wanted = addresses or ("",)
        port = self.ports.reserve(port, wanted[0])
        for position, address in enumerate(wanted[1:], 1):
            try:
                self.ports.reserve(port, address)
            except OSError:
                self.unbind(port, wanted[:position])
                raise
        return port

    def unbind(self, port: int, addresses: tuple[str, ...]) -> None:
        for address in addresses or ("",):
            self.ports.release(port, address)

    def adopt(self, association: Association, owner: Owner, claim: tuple[int, tuple[str, ...]] | None = None) -> None:
        """``owner`` is told of the association's events from now on. ``claim``: what `bind` reserved for it alone."""
        id_ = association.association_id
        self.owners[id_] = weakref.ref(owner)
        if claim is not None:
            self._claims[id_] = claim
        self._begin(id_)

    def _begin(self, id_: int) -> None:
        if id_ not in self._live:
            self._live.add(id_)
            self.use()

    # --- events ---

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
            if isinstance(event, AssociationUp):
                self._begin(id_)
                if reference is None and association is not None and event.accepted:
                    reference = self.listening.get(association.tcb.local_port)
            elif isinstance(event, (AssociationClosed, AssociationLost)):
                ended.append(id_)
            owner = reference() if reference is not None else None
            if owner is None:
                if association is not None:
                    discard(event, association)
                if isinstance(event, SendFailed):
                    self.lost_after_close += 1
                continue
            if isinstance(event, MessageReceived):
                train = train_at(events, position, event)
                position += len(train) - 1
                owner.on_messages(train)
            else:
                owner.on_event(event)
            woken[id(owner)] = owner
        for id_ in ended:
            # Not before the whole batch: the messages that failed with the association are reported after it.
            self._end(id_)
        for owner in woken.values():
            owner.wake()

    def _end(self, id_: int) -> None:
        self.owners.pop(id_, None)
        claim = self._claims.pop(id_, None)
        if claim is not None:
            self.unbind(*claim)
        if id_ in self._live:
            self._live.remove(id_)
            self.unuse()
        self._ends.wake()

    # --- the end ---

    def end_later(self, id_: int, unread: bool) -> None:
        """Close the association of an owner that nobody holds any more. For any thread, and at any moment: this is
        what the garbage collector calls."""
        if not self.closed:
            self._orphans.append((id_, unread))
            self.driver.call_soon(self._end_orphans)

    def _end_orphans(self) -> None:
        while self._orphans:
            id_, unread = self._orphans.popleft()
            association = self.endpoint.associations.get(id_)
            if association is not None and not self.closed:
                self.owners.pop(id_, None)
                end(association, unread=unread)
        if self.pump.udp and not self.closed:
            self.driver.flush()

    async def close(self, timeout: float) -> int:
        """Close what is open, wait ``timeout`` seconds at most for the last messages and the SHUTDOWN, and stop.

        How many associations had to be aborted since they were not done by then.
        """
        if self.closed:
            return 0
        for reference in [*self.listening.values(), *self.owners.values()]:
            owner = reference()
            if owner is not None:
                owner.end()
        self._end_orphans()
        try:
            await self._ends.wait(lambda: not self._live, timeout)
        except TimeoutError:
            pass
        finally:
            left = len(self._live)
            self.stop()
        return left

    def stop(self) -> None:
        """Abort what is left and close the UDP sockets. Idempotent."""
        if self.closed:
            return
        self.closed = True
        now = clock()
        if self.loop.is_closed():
            # There is no task any more to be told.
            self.pump.on_events = lambda _: None
        for association in list(self.endpoint.associations.values()):
            association.abort(b"", now)
        if self.pump.udp:
            self.pump.drain(now)
        self.driver.stop()
        for reference in list(self.listening.values()):
            listener = reference()
            if listener is not None:
                listener.end()
        if not self.loop_ends:
            # Its end, `close`, has nothing left to do: the loop may forget it.
            with contextlib.suppress(StopAsyncIteration):
                self._guard.asend(None).send(None)

    def abandon(self) -> None:
        """In a forked child: this host is the parent's."""
        self.closed = True
        self.driver.abandon()


def end(association: Association, *, unread: bool) -> None:
    """Close as a kernel does: in order, unless the peer's messages have not been read (as TCP does)."""
    if unread:
        association.abort(b"", clock())
    else:
        association.shutdown(clock())


async def _until_the_loop_ends(host: Host) -> AsyncGenerator[None, None]:
    """Kept open while the host is: `loop.shutdown_asyncgens`, which `asyncio.run` calls before it closes the loop,
    makes it end. A program that sends, closes and ends loses nothing."""
    try:
        yield
    finally:
        ended = host.closed
        host.loop_ends = True
        left = await host.close(host.config.exit_linger)
        if not ended and (left or host.lost_after_close):
            warnings.warn(
                f"pysctpstack: {left} association(s) did not close within {host.config.exit_linger:g} s of the end "
                f"of the event loop (Config.exit_linger), and {host.lost_after_close} message(s) may be lost",
                RuntimeWarning,
                stacklevel=1,
            )


def _after_fork_in_child() -> None:
    for host in list(_hosts):
        host.abandon()
    _hosts.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
