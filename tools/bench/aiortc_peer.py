"""Both ends of aiortc's SCTP transport in one process, packets handed over in memory. Needs a Python with aiortc.

``aiortc_peer.py core|channels SIZE SECONDS`` prints a line of JSON. ``core`` drives the transports as directly as can
be: no data channels, and nothing of the event loop but its timers. ``channels`` is what a program would do: data
channels, and a task at each end that waits for packets. DTLS and UDP are in neither.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from typing import Any

from aiortc import RTCDataChannel, RTCDataChannelParameters  # type: ignore[import-not-found]  # it is in a venv of its own
from aiortc import rtcsctptransport as sctp
from aiortc.rtcsctptransport import RTCSctpTransport  # type: ignore[import-not-found]

PORT = 5_000
PPID_BINARY = 53
QUEUED_MESSAGES = 64
"""That wait in the sender, ``core``."""
QUEUED_BYTES = 1 << 20
"""That wait in the sender, ``channels``."""
SETUP_PATIENCE = 5.0


class MemoryLink:
    """What an SCTP transport needs of DTLS."""

    state = "connected"

    def __init__(self, role: str) -> None:
        self._role = role
        self.out: deque[bytes] = deque()
        self.filled = asyncio.Event()

    def _register_data_receiver(self, receiver: RTCSctpTransport) -> None:
        pass

    def _unregister_data_receiver(self, receiver: RTCSctpTransport) -> None:
        pass

    async def _send_data(self, data: bytes) -> None:
        self.out.append(data)
        self.filled.set()

    async def carry_to(self, peer: RTCSctpTransport) -> None:
        """Hand over what comes, for ever."""
        while True:
            await self.filled.wait()
            self.filled.clear()
            while self.out:
                await peer._handle_data(self.out.popleft())


class Counting(RTCSctpTransport):  # type: ignore[misc]
    """Counts the messages instead of handing them to a data channel."""

    received = 0

    async def _receive(self, stream_id: int, pp_id: int, data: bytes) -> None:  # noqa: ARG002 -- aiortc's
        self.received += len(data)


class Window:
    """The time in which bytes count, after a tenth of it to warm up."""

    def __init__(self, seconds: float) -> None:
        self.begin = time.perf_counter() + seconds / 10
        self.end = self.begin + seconds
        self.started = 0.0
        self.before = 0

    def is_open(self, received: int) -> bool:
        now = time.perf_counter()
        if not self.started and now >= self.begin:
            self.started, self.before = now, received
        return now < self.end

    def result(self, received: int) -> dict[str, Any]:
        elapsed = time.perf_counter() - self.started
        return {"bytes": received - self.before, "seconds": elapsed, "payload": sctp.USERDATA_MAX_LENGTH}


async def core(size: int, seconds: float) -> dict[str, Any]:
    from_client, from_server = MemoryLink("client"), MemoryLink("server")
    client, server = Counting(from_client), Counting(from_server)

    async def exchange() -> None:
        while from_client.out or from_server.out:
            while from_client.out:
                await server._handle_data(from_client.out.popleft())
            while from_server.out:
                await client._handle_data(from_server.out.popleft())
        await asyncio.sleep(0)  # timers

    for end in (client, server):
        await end.start(end.getCapabilities(), PORT)
    for _ in range(100):
        await exchange()
    if not client.state == server.state == "connected":
        raise SystemExit(f"aiortc: the ends are {client.state} and {server.state}")
    message = bytes(size)
    window = Window(seconds)
    while window.is_open(server.received):
        while len(client._outbound_queue) < QUEUED_MESSAGES:
            await client._send(0, PPID_BINARY, message)
        await exchange()
    result = window.result(server.received)
    for end in (client, server):
        await end.stop()
    return result


async def channels(size: int, seconds: float) -> dict[str, Any]:
    from_client, from_server = MemoryLink("client"), MemoryLink("server")
    client, server = RTCSctpTransport(from_client), RTCSctpTransport(from_server)
    tasks = [
        asyncio.create_task(from_client.carry_to(server)),
        asyncio.create_task(from_server.carry_to(client)),
    ]
    parameters = RTCDataChannelParameters(label="bench", negotiated=True, id=0)
    sending, receiving = RTCDataChannel(client, parameters), RTCDataChannel(server, parameters)
    received = 0

    @receiving.on("message")  # type: ignore[untyped-decorator]
    def on_message(message: bytes) -> None:
        nonlocal received
        received += len(message)

    for end in (client, server):
        await end.start(end.getCapabilities(), PORT)
    patience = time.perf_counter() + SETUP_PATIENCE
    while sending.readyState != "open" or receiving.readyState != "open":
        if time.perf_counter() > patience:
            raise SystemExit(f"aiortc: the data channels are {sending.readyState} and {receiving.readyState}")
        await asyncio.sleep(0.01)
    message = bytes(size)
    window = Window(seconds)
    while window.is_open(received):
        while sending.bufferedAmount < QUEUED_BYTES:
            sending.send(message)
        await asyncio.sleep(0)
    result = window.result(received)
    for task in tasks:
        task.cancel()
    for end in (client, server):
        await end.stop()
    return result


if __name__ == "__main__":
    measure = {"core": core, "channels": channels}[sys.argv[1]]
    print(json.dumps(asyncio.run(measure(int(sys.argv[2]), float(sys.argv[3])))), flush=True)
