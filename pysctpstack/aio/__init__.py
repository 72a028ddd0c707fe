"""SCTP for asyncio: associations as objects, no threads.

    async with aio.connect(("192.0.2.1", 5000), streams=3) as association:
        await association.send(b"hello", stream_id=1, ppid=46)
        async for message in association:
            print(message.stream_id, message.data)

`connect`, `listen` and `serve` use one stack for each event loop, made on first use, with the UDP ports of the default
configuration (or of PYSCTPSTACK_UDP_PORT and PYSCTPSTACK_REMOTE_UDP_PORT). With a ``config``, what they open has a
stack of its own. A `Stack` shares one between many. ``ppid`` is the number on the wire, everywhere here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pysctpstack.aio.association import CLOSE_TIMEOUT, AsyncAssociation
from pysctpstack.aio.listener import Listener
from pysctpstack.aio.messages import Message, Notification, Notifications
from pysctpstack.aio.server import Handler, Server
from pysctpstack.aio.stack import ConnectOptions, ListenOptions, Opening, Stack, StackStatistics
from pysctpstack.config import Config, config_of_environment

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "AsyncAssociation",
    "ConnectOptions",
    "Handler",
    "ListenOptions",
    "Listener",
    "Message",
    "Notification",
    "Notifications",
    "Opening",
    "Server",
    "Stack",
    "StackStatistics",
    "connect",
    "listen",
    "serve",
]

_defaults: dict[asyncio.AbstractEventLoop, Stack] = {}


def _stack(config: Config | None) -> Stack:
    """The running loop's stack, or one of its own for what has a configuration."""
    if config is not None:
        return Stack.for_one(config)
    loop = asyncio.get_running_loop()
    for other in list(_defaults):
        if other.is_closed():
            # Closed without `asyncio.run`'s tidying up.
            left = _defaults.pop(other, None)
            if left is not None:
                left.stop()
    stack = _defaults.get(loop)
    if stack is None or stack.is_closed:
        stack = _defaults[loop] = Stack(config_of_environment())
    return stack


def connect(
    address: tuple[str, int], *, config: Config | None = None, **options: Unpack[ConnectOptions]
) -> Opening[AsyncAssociation]:
    """Set up an association with ``(host, port)``. ``options`` and errors: `Stack.connect`."""

    async def opening() -> AsyncAssociation:
        return await _stack(config).connect(address, **options)

    return Opening(opening())


def listen(
    host: str | Sequence[str] | None = None,
    port: int = 0,
    *,
    config: Config | None = None,
    close_timeout: float = CLOSE_TIMEOUT,
    **options: Unpack[ListenOptions],
) -> Opening[Listener]:
    """Accept associations. ``options`` and errors: `Stack.listen`."""

    async def opening() -> Listener:
        return await _stack(config).listen(host, port, close_timeout=close_timeout, **options)

    return Opening(opening())


def serve(
    handler: Handler,
    host: str | Sequence[str] | None = None,
    port: int = 0,
    *,
    config: Config | None = None,
    close_timeout: float = CLOSE_TIMEOUT,
    **options: Unpack[ListenOptions],
) -> Opening[Server]:
    """Run ``handler(association)`` in a task of its own for each association. ``options`` and errors: `Stack.serve`."""

    async def opening() -> Server:
        return await _stack(config).serve(handler, host, port, close_timeout=close_timeout, **options)

    return Opening(opening())
