"""`Listener`: associations that peers set up, one after the other."""

from __future__ import annotations

import errno
import weakref
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from pysctpstack import events
from pysctpstack.aio.addresses import Address, Binding, failure
from pysctpstack.aio.association import AsyncAssociation, Terms
from pysctpstack.aio.host import Host
from pysctpstack.core.settings import Settings

if TYPE_CHECKING:
    from typing_extensions import Self


class Listener:
    """Accepts associations at one SCTP port. As an asynchronous iterator it gives them, until it is closed; as a
    context manager it closes. Associations that were accepted are independent of it."""

    def __init__(self, host: Host, port: int, binding: Binding, settings: Settings, terms: Terms, backlog: int) -> None:
        host.start(listening=True)
        self._host = host
        self._terms = terms
        self._addresses = binding.addresses
        self._accepted: deque[AsyncAssociation] = deque()
        self._users: list[object] = []
        self._closed = True
        self._port = host.bind(port, binding.addresses)
        try:
            if self._port in host.endpoint.listeners:
                raise failure(errno.EADDRINUSE)
            self._room = host.endpoint.listen(
                self._port,
                settings,
                min(max(backlog, 1), host.config.backlog_limit),
                frozenset(binding.addresses),
                binding.told,
                ipv6=binding.ipv6,
            )
        except OSError:
            host.unbind(self._port, self._addresses)
            raise
        self._closed = False
        self._waiting = host.line()
        host.listening[self._port] = weakref.ref(self)
        host.use()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} port {self._port}{' closed' if self._closed else ''}>"

    @property
    def address(self) -> Address:
        """The local address, the first if there are several, and the SCTP port; ``""``: the wildcard."""
        return (self._addresses[0] if self._addresses else ""), self._port

    @property
    def port(self) -> int:
        """The SCTP port."""
        return self._port

    @property
    def is_closed(self) -> bool:
        return self._closed

    def hold(self, user: object) -> None:
        """Keep ``user``, and with it this, alive until it is closed."""
        self._host.held.add(user)
        self._users.append(user)

    # --- what happens (called by the host) ---

    def on_event(self, event: events.Event) -> None:
        """A peer has set up an association: what follows is told to that."""
        core = self._host.endpoint.associations[event.association_id]
        association = AsyncAssociation(self._host, core, self._terms)
        self._host.adopt(core, association)
        self._accepted.append(association)

    def on_messages(self, messages: Sequence[events.MessageReceived]) -> None:  # noqa: ARG002 -- there are none
        raise AssertionError("messages belong to associations")

    def wake(self) -> None:
        self._waiting.wake()

    # --- the user's side ---

    async def accept(self, *, timeout: float | None = None) -> AsyncAssociation:
        """The next association. EBADF: the listener is closed. TimeoutError after ``timeout`` seconds; cancelled or
        not, none is lost."""
        if not self._accepted or self._waiting:
            await self._waiting.wait(lambda: bool(self._accepted) or self._closed, timeout)
        if not self._accepted:
            raise failure(errno.EBADF)
        self._room.room += 1
        return self._accepted.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AsyncAssociation:
        try:
            return await self.accept()
        except OSError:
            if self._closed:
                raise StopAsyncIteration from None
            raise

    def close(self) -> None:
        """Accept no more; associations that nobody has taken are closed. May be called again."""
        if self._closed:
            return
        self._closed = True
        host = self._host
        del host.listening[self._port]
        host.endpoint.unlisten(self._port)
        host.unbind(self._port, self._addresses)
        for association in self._accepted:
            association.end()
        self._accepted.clear()
        for user in self._users:
            host.held.discard(user)
        self._users.clear()
        host.unuse()
        self._waiting.wake()

    end = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
