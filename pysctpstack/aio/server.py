"""`Server`: a listener with a task for each association."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING

from pysctpstack.aio.addresses import Address
from pysctpstack.aio.association import AsyncAssociation
from pysctpstack.aio.listener import Listener

if TYPE_CHECKING:
    from typing_extensions import Self

Handler = Callable[[AsyncAssociation], Awaitable[None]]


class Server:
    """Runs ``handler(association)`` in a task of its own for each association.

    When it returns the association is closed; when it raises, it is aborted, and the loop's exception handler is told.
    As a context manager it closes, and waits for the handlers.
    """

    def __init__(self, handler: Handler, listener: Listener, close_timeout: float) -> None:
        self._handler = handler
        self._listener = listener
        self._close_timeout = close_timeout
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[asyncio.Task[None], AsyncAssociation] = {}
        listener.hold(self)
        self._accepting = self._loop.create_task(self._accept())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} port {self.port}, {len(self._tasks)} association(s)>"

    @property
    def address(self) -> Address:
        """As `Listener.address`."""
        return self._listener.address

    @property
    def port(self) -> int:
        """The SCTP port."""
        return self._listener.port

    @property
    def associations(self) -> list[AsyncAssociation]:
        """Those that handlers are at work on."""
        return list(self._tasks.values())

    async def _accept(self) -> None:
        async for association in self._listener:
            task = self._loop.create_task(self._serve(association))
            self._tasks[task] = association
            task.add_done_callback(self._tasks.pop)

    async def _serve(self, association: AsyncAssociation) -> None:
        try:
            await self._handler(association)
        except asyncio.CancelledError:
            association.abort()
            raise
        except Exception as error:
            association.abort()
            # Without the task: the loop would run its handler in this task's context, in which it runs already.
            self._loop.call_exception_handler({"message": f"the handler of {association!r} failed", "exception": error})
        else:
            # A peer that is lost now, or takes too long, is nobody's business any more.
            with contextlib.suppress(OSError):
                await association.close()

    async def serve_forever(self) -> None:
        """Serve until the server is closed, or this is cancelled, which closes it."""
        try:
            await asyncio.shield(self._accepting)
        finally:
            self.close()
            await self.wait_closed()

    def close(self) -> None:
        """Accept no more, and begin to close every association: handlers receive what their peers have sent by then,
        and no more can be sent."""
        if self._listener.is_closed:
            return
        self._listener.close()
        for association in self._tasks.values():
            with contextlib.suppress(OSError):
                association.shutdown()

    async def wait_closed(self) -> None:
        """Wait until the handlers have ended after `close`; those that take longer than ``close_timeout`` are
        cancelled, which aborts their associations."""
        await asyncio.wait([self._accepting])
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=self._close_timeout)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        await self.wait_closed()
