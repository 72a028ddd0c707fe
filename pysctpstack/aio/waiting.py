"""How tasks wait: in line, for one thing each, cancelled or timed out at any moment without a trace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf


class Line:
    """Tasks that wait, first come first served.

    `wake` after every change that may end a wait. Whoever returns from `wait` has the turn until he awaits something
    else; who comes meanwhile has to queue, as long as the line is true. ``held``: where the loop's own structures keep
    what is waited for alive, and so the tasks.
    """

    __slots__ = ("_loop", "_held", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, held: set[asyncio.Future[None]]) -> None:
        self._loop = loop
        self._held = held
        # The condition is kept with the wait, not here: what is waited for should not refer to itself for ever.
        self._waiting: list[tuple[asyncio.Future[None], Callable[[], bool]]] = []

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def wake(self) -> None:
        """Let the first go if it is ready; the next is asked when the first has used its turn."""
        if self._waiting:
            turn, ready = self._waiting[0]
            if not turn.done() and ready():
                turn.set_result(None)

    async def wait(self, ready: Callable[[], bool], timeout: float | None = None) -> None:
        """Wait for the turn and for ``ready()``, ``timeout`` seconds at most: TimeoutError. None, inf: no limit."""
        if not self._waiting and ready():
            return
        turn: asyncio.Future[None] = self._loop.create_future()
        entry = (turn, ready)
        self._waiting.append(entry)
        self._held.add(turn)
        timer = None
        if timeout is not None and timeout != inf:
            timer = self._loop.call_later(max(timeout, 0.0), _time_out, turn)
        try:
            await turn
        finally:
            if timer is not None:
                timer.cancel()
            self._held.discard(turn)
            self._waiting.remove(entry)
            if self._waiting:
                self._loop.call_soon(self.wake)


def _time_out(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError("timed out"))
