"""Event loops to run the asyncio API on, and how tests run on them."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from loopback import PATIENCE

from pysctpstack import Config, aio

T = TypeVar("T")


class NoWatching(asyncio.SelectorEventLoop):
    """As Windows' proactor loop, it cannot watch descriptors for others: the stack has to use datagram endpoints."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    remove_reader = asyncio.AbstractEventLoop.remove_reader


def _uvloop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()  # type: ignore[no-any-return]


HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
MAKERS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "endpoints": NoWatching,
    "uvloop": _uvloop,
}
"""``endpoints``: datagram endpoints in place of `add_reader`."""

LOOPS = [
    pytest.param(
        name,
        marks=[pytest.mark.skipif(name == "uvloop" and not HAS_UVLOOP, reason="uvloop is not installed")],
    )
    for name in MAKERS
]


def run(main: Coroutine[Any, Any, T], loop_name: str = "asyncio", *, patience: float = 3 * PATIENCE) -> T:
    """As `asyncio.run`, on a loop of this kind, and not for ever; what the loop reports as an error is one."""
    loop = MAKERS[loop_name]()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    try:
        result = loop.run_until_complete(asyncio.wait_for(main, patience))
    finally:
        _tidy_up(loop)
    assert not reported, reported
    return result


def _tidy_up(loop: asyncio.AbstractEventLoop) -> None:
    """What `asyncio.run` does before it closes the loop."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


class LoopThread:
    """An event loop in a thread of its own, for tests that are written with blocking calls."""

    def __init__(self, loop_name: str) -> None:
        self.loop = MAKERS[loop_name]()
        self.reported: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.reported.append(context))
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def __call__(self, task: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(task, self.loop).result(2 * PATIENCE)

    def soon(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function in the loop's thread."""

        async def task() -> T:
            return function(*args)

        return self(task())

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        _tidy_up(self.loop)
        assert not self.reported, self.reported


class AioStacks:
    """Makes stacks on ephemeral UDP ports, and closes them when the test is over."""

    def __init__(self) -> None:
        self.made: list[aio.Stack] = []

    def __call__(self, **config: Any) -> aio.Stack:
        self.made.append(aio.Stack(replace(Config(), **{"udp_port": 0, **config})))
        return self.made[-1]

    async def close(self) -> None:
        for stack in self.made:
            await stack.close(0.0)
