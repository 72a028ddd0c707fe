"""Tasks that do everything at random at once, closing, aborting and cancelling in between, and all comes to an end.

PYSCTPSTACK_STRESS_SECONDS makes it longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import random
from collections import Counter
from struct import Struct
from typing import Any

import pytest
from loops import LOOPS, AioStacks, run

from pysctpstack import aio

SECONDS = float(os.environ.get("PYSCTPSTACK_STRESS_SECONDS", "2"))
TASKS = 8
ASSOCIATIONS = 50
"""At a time, all tasks together."""
STREAMS = 5
HEADER = Struct("!IHIB")
"""Association, stream, number of the message in it, and the byte that the rest consists of."""

USUAL = {
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.EPIPE,
    errno.EBADF,
    errno.ETIMEDOUT,
    errno.ECONNREFUSED,
}
"""What the other side's random doings may bring about."""


@contextlib.contextmanager
def usual(counts: Counter[str]) -> Any:
    try:
        yield
    except TimeoutError:
        counts["timed out"] += 1
    except OSError as error:
        if error.errno not in USUAL:
            raise
        counts[errno.errorcode[error.errno]] += 1


def make(association: int, stream: int, number: int, size: int) -> bytes:
    fill = (association + stream + number) % 251
    return HEADER.pack(association, stream, number, fill) + bytes([fill]) * size


class Reader:
    """Checks that each stream's messages are whole, and come in order without a gap."""

    def __init__(self) -> None:
        self.next: Counter[int] = Counter()
        self.association = -1

    def take(self, message: aio.Message) -> None:
        association, stream, number, fill = HEADER.unpack_from(message.data)
        assert message.data[HEADER.size :].count(fill) == len(message.data) - HEADER.size
        assert stream == message.stream_id
        assert self.association in (-1, association)
        self.association = association
        assert number == self.next[stream], (association, stream, number, self.next[stream])
        self.next[stream] += 1


class Storm:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.names = 0

    async def cancelled_or_not(self, task: asyncio.Task[Any]) -> bool:
        """Perhaps cancel a task after some turns of the loop; whether it has done its work."""
        if self.random.random() < 0.3:
            for _ in range(self.random.randrange(6)):
                await asyncio.sleep(0)
            task.cancel()
        with usual(self.counts):
            try:
                await task
            except asyncio.CancelledError:
                self.counts["cancelled"] += 1
                return False
            return True
        return False

    async def serve(self, association: aio.AsyncAssociation) -> None:
        reader = Reader()
        way = self.random.choice(["echo", "echo", "sink", "slow", "abort", "close", "leave"])
        with usual(self.counts):
            async for message in association:
                reader.take(message)
                self.counts["served"] += 1
                if way == "echo":
                    await association.send(message.data, stream_id=message.stream_id, timeout=1.0)
                elif way == "slow":
                    await asyncio.sleep(0.001)
                elif way != "sink" and self.random.random() < 0.2:
                    if way == "abort":
                        association.abort(b"enough")
                    elif way == "close":
                        await association.close(timeout=1.0)
                    return

    async def client(self, stack: aio.Stack, address: tuple[str, int]) -> None:
        self.names += 1
        name = self.names
        connecting = asyncio.ensure_future(stack.connect(address, streams=STREAMS, timeout=5.0, close_timeout=2.0))
        if not await self.cancelled_or_not(connecting):
            return
        association = connecting.result()
        sent: Counter[int] = Counter()
        reader = Reader()
        reading: asyncio.Task[Any] | None = None
        for _ in range(self.random.randrange(1, 60)):
            what = self.random.random()
            if what < 0.6:
                stream = self.random.randrange(STREAMS)
                size = self.random.choice([1, 100, 1_400, 5_000, 60_000])
                data = make(name, stream, sent[stream], size)
                sending = asyncio.ensure_future(association.send(data, stream_id=stream, timeout=0.5))
                if await self.cancelled_or_not(sending):
                    sent[stream] += 1
                    self.counts["sent"] += 1
            elif what < 0.9:
                reading = asyncio.ensure_future(association.recv(timeout=self.random.choice([0.0, 0.001, 0.02])))
                if await self.cancelled_or_not(reading):
                    message = reading.result()
                    if message is None:
                        break
                    self.counts["echoed"] += 1
                    reader.take(message)
            elif what < 0.93:
                with usual(self.counts):
                    await association.drain(timeout=0.05)
            elif what < 0.96:
                association.statistics()
                with usual(self.counts):
                    await association.events.get(timeout=0.0)
            elif what < 0.98:
                with usual(self.counts):
                    association.shutdown()
            else:
                await asyncio.sleep(0.001)
        with usual(self.counts):
            ending = self.random.choice(["close", "close", "abort", "drop", "end", "leave"])
            self.counts[ending] += 1
            if ending == "close":
                await association.close()
            elif ending == "abort":
                association.abort(b"at random")
            elif ending == "end":
                association.end()
            elif ending == "leave":
                async with association:
                    pass


@pytest.mark.timeout(60 + 3 * SECONDS)
@pytest.mark.parametrize("loop_name", LOOPS)
def test_everything_at_once(loop_name: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = asyncio.all_tasks()
        made = AioStacks()
        storm = Storm(int(SECONDS))
        server_stack = made(receive_buffer=50_000)
        server = await server_stack.serve(storm.serve, "127.0.0.1", backlog=1_000, close_timeout=2.0)
        client_stack = made(remote_udp_port=server_stack.udp_ports[0])
        until = loop.time() + SECONDS
        room = asyncio.Semaphore(ASSOCIATIONS)

        async def one() -> None:
            async with room:
                await storm.client(client_stack, server.address)

        async def work() -> None:
            running: set[asyncio.Task[None]] = set()
            while loop.time() < until:
                while len(running) < ASSOCIATIONS // TASKS:
                    running.add(asyncio.ensure_future(one()))
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            for task in running:
                await task

        await asyncio.gather(*(work() for _ in range(TASKS)))
        gc.collect()
        server.close()
        await server.wait_closed()
        assert await client_stack.close(10.0) == 0
        assert await server_stack.close(10.0) == 0
        counts = storm.counts
        assert min(counts[name] for name in ("sent", "served", "echoed", "cancelled", "close", "abort", "drop")) > 0, (
            counts
        )
        assert not client_stack.statistics().associations
        assert not server_stack.statistics().associations
        left = asyncio.all_tasks() - before
        assert not left, left
        if SECONDS > 10:
            print(loop_name, dict(counts))

    run(main(), loop_name, patience=50 + 2 * SECONDS)
