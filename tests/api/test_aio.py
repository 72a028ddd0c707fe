"""The asyncio API: what it has that the blocking sockets have not. What both have is in `test_both_apis`."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import re
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from loopback import PATIENCE, SHORT_TIMERS, Programs, Stacks, ipv6, levers, listening
from loops import LOOPS, AioStacks, run
from relay import Relay

from pysctpstack import Config, aio
from pysctpstack.drivers.evented import can_watch
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationRestarted,
    Loss,
    PartialDeliveryAborted,
    PathChange,
    PathChanged,
    SendFailed,
    ShutdownReceived,
)


@pytest.fixture(params=LOOPS)
def go(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Runs a coroutine, on each kind of event loop."""
    return lambda main: run(main, request.param)


@dataclass
class Pair:
    client: aio.AsyncAssociation
    server: aio.AsyncAssociation
    listener: aio.Listener
    client_stack: aio.Stack
    server_stack: aio.Stack


@asynccontextmanager
async def several() -> AsyncIterator[AioStacks]:
    made = AioStacks()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def pair(
    *, server: dict[str, Any] | None = None, client: dict[str, Any] | None = None, **both: Any
) -> AsyncIterator[Pair]:
    async with several() as made:
        server_stack = made(**both, **(server or {}))
        listener = await server_stack.listen("127.0.0.1")
        client_stack = made(remote_udp_port=server_stack.udp_ports[0], **both, **(client or {}))
        association = await client_stack.connect(listener.address)
        yield Pair(association, await listener.accept(), listener, client_stack, server_stack)


async def until(condition: Callable[[], bool], what: str) -> None:
    """Poll for what nothing tells."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"in vain: {what}"
        await asyncio.sleep(0.002)


async def waiting(task: Awaitable[Any]) -> asyncio.Task[Any]:
    """The task, once it waits; it must not end at once."""

    async def wrapped() -> Any:
        return await task

    started = asyncio.ensure_future(wrapped())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not started.done(), "it did not wait"
    return started


async def cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def fill(association: aio.AsyncAssociation, size: int = 1_000) -> int:
    """Send until there is no room any more, nor will be before the peer reads: how many messages that took."""
    count = 0
    while True:
        try:
            await association.send(b"%d " % count + bytes(size), timeout=0.2)
        except TimeoutError:
            return count
        count += 1


def number_of(message: aio.Message | None) -> int:
    assert message is not None
    return int(message.data.split(b" ")[0])


def errno_of(caught: pytest.ExceptionInfo[OSError]) -> str:
    return errno.errorcode[caught.value.errno or 0]


# --- opening ---


def test_await_or_async_with(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()
            async with server_stack.listen("127.0.0.1") as listener:
                client_stack = made(remote_udp_port=server_stack.udp_ports[0])
                async with client_stack.connect(listener.address) as client:
                    server = await listener.accept()
                    await client.send(b"hello")
                assert [message.data async for message in server] == [b"hello"]
                assert client.state == "CLOSED"
                await until(lambda: server.state == "CLOSED", "the other end to be closed")
                task = asyncio.create_task(client_stack.connect(listener.address))
                association = await task
                assert association.state == "ESTABLISHED"
            with pytest.raises(OSError) as caught:
                await listener.accept()
            assert errno_of(caught) == "EBADF"

    go(main())


def test_everything_that_a_message_has(go: Any) -> None:
    async def main() -> None:
        async with pair(path_mtu=1_500) as ends:
            await ends.client.send(bytearray(b"a"), stream_id=3, ppid=0xFFFFFFFF)
            await ends.client.send(memoryview(b"bc"), stream_id=3, sack_immediately=True)
            await ends.client.send(bytes(3_000), unordered=True)
            first, second, third = [await ends.server.recv() for _ in range(3)]
            assert first is not None
            assert second is not None
            assert third is not None
            tsn = first.tsn
            assert first == aio.Message(b"a", 3, 0xFFFFFFFF, False, 0, tsn, first.cumulative_tsn)
            assert (second.data, second.ssn, second.tsn) == (b"bc", 1, (tsn + 1) % (1 << 32))
            assert (third.unordered, third.tsn, third.complete) == (True, (tsn + 2) % (1 << 32), True)

    go(main())


def test_wrong_arguments() -> None:
    async def main() -> None:
        async with pair() as ends:
            client, stack = ends.client, ends.client_stack
            for how in (
                {"stream_id": 99},
                {"ppid": -1},
                {"ppid": 1 << 32},
                {"context": -1},
                {"destination": "192.0.2.1"},
            ):
                with pytest.raises(OSError) as caught:
                    await client.send(b"x", **how)  # type: ignore[arg-type]
                assert errno_of(caught) == "EINVAL", how
            with pytest.raises(TypeError):
                await client.send("text")
            for address, error in (
                (("127.0.0.1", 0), OverflowError),
                (("127.0.0.1", 65_536), OverflowError),
                (("127.0.0.1", "http"), TypeError),
                ((b"127.0.0.1", 5_000), TypeError),
                (("no.such.name.invalid", 5_000), socket.gaierror),
            ):
                with pytest.raises(error):
                    await stack.connect(address)
            for multicast in ("224.0.0.1", "ff02::1", "255.255.255.255"):
                with pytest.raises(OSError) as caught:
                    await stack.connect((multicast, 5_000))
                assert errno_of(caught) == "EINVAL"
            with pytest.raises(OSError) as caught:
                await stack.listen("192.0.2.1")
            assert errno_of(caught) == "EADDRNOTAVAIL"
            with pytest.raises(OSError) as caught:
                await stack.connect(("127.0.0.1", 5_000), family=socket.AF_INET6)
            assert errno_of(caught) == "EAFNOSUPPORT"
            with pytest.raises(ValueError):
                stack.connect(("127.0.0.1", 5_000), streams=0)
            with pytest.raises(ValueError):
                stack.connect(("127.0.0.1", 5_000), send_buffer=0)
            # None of this has left an association behind.
            assert len(stack.statistics().associations) == 1

    run(main())


def test_an_association_between_the_same_ports_exists_once() -> None:
    async def main() -> None:
        async with pair() as ends:
            host, port = ends.client.local_address
            with pytest.raises(OSError) as caught:
                await ends.client_stack.connect(ends.listener.address, local_port=port)
            assert errno_of(caught) == "EADDRINUSE"
            await ends.client.close()
            # Its port is free again when the association has ended.
            again = await ends.client_stack.connect(ends.listener.address, local_port=port)
            assert again.local_address == (host, port)

    run(main())


@ipv6
def test_names_and_families(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()
            listener = await server_stack.listen()
            client_stack = made(remote_udp_port=server_stack.udp_ports[0])
            for host, peer in (
                ("localhost", None),
                ("127.0.0.1", "127.0.0.1"),
                ("::1", "::1"),
                ("", "127.0.0.1"),
                ("::", "::1"),
                ("::ffff:127.0.0.1", "127.0.0.1"),
            ):
                association = await client_stack.connect((host, listener.port))
                assert association.peer_address[0] in ((peer,) if peer else ("127.0.0.1", "::1"))
                assert (await listener.accept()).peer_address == association.local_address
            listener.close()
            only_v4 = await server_stack.listen("0.0.0.0")
            with pytest.raises(ConnectionRefusedError):
                await client_stack.connect(("::1", only_v4.port))
            # Each address of the host is tried.
            with pytest.MonkeyPatch.context() as patch:
                loop = asyncio.get_running_loop()

                async def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
                    return [
                        (socket.AF_INET6, socket.SOCK_DGRAM, 0, "", ("::1", 0, 0, 0)),
                        (socket.AF_INET, socket.SOCK_DGRAM, 0, "", ("127.0.0.1", 0)),
                    ]

                if type(loop).__module__.startswith("uvloop"):
                    return
                patch.setattr(loop, "getaddrinfo", getaddrinfo)
                association = await client_stack.connect(("both.example", only_v4.port))
                assert association.peer_address[0] == "127.0.0.1"

    go(main())


def test_several_addresses(go: Any) -> None:
    # Without control messages a socket for each address tells them apart.
    addresses = ("127.0.0.2", "127.0.0.3")

    async def main() -> None:
        async with several() as made:
            server_stack = made(udp_addresses=addresses)
            listener = await server_stack.listen(addresses)
            client_stack = made(remote_udp_port=server_stack.udp_ports[0], udp_addresses=("127.0.0.4", "127.0.0.5"))
            client = await client_stack.connect(
                ("127.0.0.2", listener.port), alternates=["127.0.0.3"], local_hosts=["127.0.0.4", "127.0.0.5"]
            )
            server = await listener.accept()
            assert client.peer_addresses == ["127.0.0.2", "127.0.0.3"]
            assert sorted(server.peer_addresses) == ["127.0.0.4", "127.0.0.5"]
            await client.send(b"to the other one", destination="127.0.0.3")
            message = await server.recv()
            assert message is not None
            assert message.data == b"to the other one"
            event = await server.events.get(timeout=PATIENCE)
            assert isinstance(event, PathChanged)
            assert event.change is PathChange.CONFIRMED

    go(main())


# --- the default stack, and stacks of their own ---


def test_a_configuration_makes_a_stack_of_its_own_that_ends_with_its_use(go: Any) -> None:
    async def main() -> None:
        ended: list[int] = []

        async def handler(association: aio.AsyncAssociation) -> None:
            async for message in association:
                await association.send(message.data)
            ended.append(1)

        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            udp_port = probe.getsockname()[1]
        config = Config(udp_port=udp_port)
        async with aio.serve(handler, "127.0.0.1", 5_000, config=config):
            towards = Config(udp_port=0, remote_udp_port=udp_port)
            async with aio.connect(("127.0.0.1", 5_000), config=towards) as association:
                await association.send(b"hello")
                message = await association.recv()
                assert message is not None
                assert message.data == b"hello"
            with pytest.raises(ConnectionRefusedError):
                await aio.connect(("127.0.0.1", 5_001), config=towards)
        assert ended == [1]

        def is_free() -> bool:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                try:
                    probe.bind(("0.0.0.0", udp_port))
                except OSError:
                    return False
                return True

        await until(is_free, "the UDP port to be given back")

    go(main())


def test_the_default_stack_is_one_for_each_loop(go: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCTPSTACK_UDP_PORT", "0")

    async def main() -> None:
        listener = await aio.listen("127.0.0.1", 5_000)
        with pytest.raises(OSError) as caught:
            await aio.listen("127.0.0.1", 5_000)
        assert errno_of(caught) == "EADDRINUSE"
        listener.close()

    go(main())
    # The first loop's is closed by its end: this one finds the SCTP port free, and nothing is left to be collected.
    go(main())


def test_a_stack_belongs_to_its_loop() -> None:
    stack = aio.Stack(Config(udp_port=0))

    async def listen() -> None:
        (await stack.listen("127.0.0.1")).close()

    async def other() -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await stack.listen("127.0.0.1")

    run(listen())
    run(other())
    assert stack.is_closed


def test_loops_that_nobody_tidies_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSCTPSTACK_UDP_PORT", "0")

    async def main() -> aio.Listener:
        return await aio.listen("127.0.0.1", 5_000)

    first = asyncio.SelectorEventLoop()
    listener = first.run_until_complete(main())
    first.close()
    assert not listener.is_closed
    second = asyncio.SelectorEventLoop()
    other = second.run_until_complete(main())
    assert listener.is_closed
    second.run_until_complete(second.shutdown_asyncgens())
    second.close()
    assert other.is_closed


def test_a_closed_stack_refuses(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            # What the peer does not read keeps the association from ending.
            for _ in range(60):
                await ends.client.send(bytes(1_000))
            receiving = await waiting(ends.client.recv())
            accepting = await waiting(ends.listener.accept())
            assert await ends.client_stack.close(0.0) == 1
            await ends.server_stack.close(0.0)
            for task in (receiving, accepting):
                with pytest.raises(OSError) as caught:
                    await task
                assert errno_of(caught) == "EBADF"
            for call in (lambda: ends.client.send(b"x"), lambda: ends.client_stack.connect(("127.0.0.1", 1))):
                with pytest.raises(OSError) as caught:
                    await call()
                assert errno_of(caught) == "EBADF"
            await ends.client.close()

    go(main())


def test_closing_a_stack_delivers_what_was_sent(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            for number in range(200):
                await ends.client.send(b"%d " % number + bytes(1_000))
            closing = asyncio.ensure_future(ends.client_stack.close(PATIENCE))
            assert [number_of(message) async for message in ends.server] == list(range(200))
            assert await closing == 0

    go(main())


# --- cancelling ---


def test_a_cancelled_connect_leaves_nothing_behind(go: Any) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            async with aio.Stack(Config(udp_port=0, remote_udp_port=silent.getsockname()[1])) as stack:
                for how in ({}, {"local_port": 4_321}):
                    connecting = await waiting(stack.connect(("127.0.0.1", 5_000), **how))  # type: ignore[arg-type]
                    assert len(stack.statistics().associations) == 1
                    await cancelled(connecting)
                    assert not stack.statistics().associations
                # The port is free as well.
                with pytest.raises(TimeoutError):
                    await stack.connect(("127.0.0.1", 5_000), local_port=4_321, timeout=0.01)

    go(main())


def test_a_cancelled_accept_loses_no_association(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            accepting = [await waiting(ends.listener.accept()) for _ in range(3)]
            await cancelled(accepting[0])
            await cancelled(accepting[2])
            client = await ends.client_stack.connect(ends.listener.address)
            assert (await accepting[1]).peer_address == client.local_address
            # Cancelled at the very moment that it is given one.
            late = await waiting(ends.listener.accept())
            other = await ends.client_stack.connect(ends.listener.address)
            late.cancel()
            try:
                server = await late
            except asyncio.CancelledError:
                server = await ends.listener.accept(timeout=PATIENCE)
            assert server.peer_address == other.local_address

    go(main())


def test_a_cancelled_recv_loses_no_message(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            found: list[int] = []

            async def receive() -> None:
                message = await ends.server.recv()
                found.append(number_of(message))

            for number in range(300):
                reading = asyncio.ensure_future(receive())
                await asyncio.sleep(0)
                await ends.client.send(b"%d " % number)
                # Before it comes, when it is there, when the task has been woken: at any moment.
                for _ in range(number % 8):
                    await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
            while len(found) < 300:
                found.append(number_of(await ends.server.recv(timeout=PATIENCE)))
            assert found == list(range(300))

    go(main())


def test_a_cancelled_send_has_sent_all_or_nothing(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}, client={"send_buffer": 20_000}) as ends:
            count = await fill(ends.client)
            sending = [await waiting(ends.client.send(b"%d " % (1_000 + number) + bytes(5_000))) for number in range(5)]
            await cancelled(sending[0])
            await cancelled(sending[3])
            expected = [*range(count), 1_001, 1_002, 1_004]
            assert [number_of(await ends.server.recv(timeout=PATIENCE)) for _ in expected] == expected
            await asyncio.gather(sending[1], sending[2], sending[4])

            # At any moment.
            async def read() -> list[int]:
                found = []
                async for message in ends.server:
                    assert len(message.data) > 3_000
                    found.append(number_of(message))
                    await asyncio.sleep(0)
                return found

            reading = asyncio.ensure_future(read())
            sent = []
            for number in range(300):
                sending_one = asyncio.ensure_future(ends.client.send(b"%d " % number + bytes(3_000)))
                for _ in range(1 + number % 5):
                    await asyncio.sleep(0)
                sending_one.cancel()
                await asyncio.wait([sending_one])
                if not sending_one.cancelled():
                    sent.append(number)
            await ends.client.close()
            assert await reading == sent
            assert sent

    go(main())


def test_a_cancelled_recv_keeps_the_pieces_of_a_large_message(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}, client={"send_buffer": 500_000}) as ends:
            data = bytes(range(250)) * 1_000
            sending = asyncio.ensure_future(ends.client.send(data))
            for rounds in range(1, 60):
                reading = asyncio.ensure_future(ends.server.recv())
                for _ in range(rounds):
                    await asyncio.sleep(0)
                if reading.done():
                    break
                reading.cancel()
                await asyncio.wait([reading])
                if not reading.cancelled():
                    break
            message = reading.result() if not reading.cancelled() else await ends.server.recv(timeout=PATIENCE)
            assert message is not None
            assert message.data == data
            await sending

    go(main())


def test_a_cancelled_close_goes_on_in_the_background(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            for number in range(50):
                await ends.client.send(b"%d " % number + bytes(1_000))
            await cancelled(await waiting(ends.client.close()))
            assert [number_of(message) async for message in ends.server] == list(range(50))
            await ends.client.close(timeout=PATIENCE)
            assert ends.client.state == "CLOSED"

    go(main())


def test_the_standard_ways_to_limit_time(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(ends.server.recv(), 0.01)
            if hasattr(asyncio, "timeout"):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await ends.listener.accept()
            for call in (ends.server.recv, ends.server.recv_piece, ends.server.events.get, ends.listener.accept):
                with pytest.raises(TimeoutError):
                    await call(timeout=0.01)
                with pytest.raises(TimeoutError):
                    await call(timeout=0)
            await ends.client.send(b"there is more time", timeout=inf)
            message = await ends.server.recv(timeout=inf)
            assert message is not None
            assert message.data == b"there is more time"

    go(main())


# --- back pressure ---


def test_send_waits_and_goes_on_in_the_order_of_the_calls(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}, client={"send_buffer": 20_000}) as ends:
            count = await fill(ends.client)
            sending = [await waiting(ends.client.send(b"%d " % (count + number) + bytes(900))) for number in range(50)]
            assert ends.client.statistics().bytes_buffered <= 21_100
            found = [number_of(await ends.server.recv(timeout=PATIENCE)) for _ in range(count + 50)]
            assert found == list(range(count + 50))
            await asyncio.gather(*sending)

    go(main())


def test_a_slow_reader_closes_the_window_and_memory_is_bounded(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 30_000}) as ends:
            count = await fill(ends.client)
            statistics = ends.server.statistics()
            assert statistics.bytes_unread + statistics.bytes_held <= 2 * 30_000
            assert statistics.a_rwnd < 30_000 // 4
            assert ends.client.statistics().bytes_buffered <= ends.client.send_buffer + 1_100
            assert [number_of(await ends.server.recv(timeout=PATIENCE)) for _ in range(count)] == list(range(count))
            await until(lambda: ends.client.statistics().bytes_buffered == 0, "all to be acknowledged")

    go(main())


@pytest.mark.parametrize("no_delay", [False, True])
def test_small_messages_wait_for_one_another_unless_told_not_to(no_delay: bool) -> None:
    async def main() -> None:
        async with pair() as ends:
            client = await ends.client_stack.connect(ends.listener.address, no_delay=no_delay)
            # No turn of the loop in between, so that no acknowledgement comes.
            for _ in range(5):
                await client.send(b"small")
            assert client.statistics().chunks_sent == (5 if no_delay else 1)
            server = await ends.listener.accept()
            assert [(await server.recv(timeout=PATIENCE)) is not None for _ in range(5)] == [True] * 5

    run(main())


def test_drain_waits_for_acknowledgements(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            for number in range(60):
                await ends.client.send(b"%d " % number + bytes(1_000))
            with pytest.raises(TimeoutError):
                await ends.client.drain(timeout=0.05)
            draining = await waiting(ends.client.drain())
            for _ in range(60):
                await ends.server.recv(timeout=PATIENCE)
            await draining
            assert ends.client.statistics().bytes_buffered == 0
            await ends.client.send(b"x")
            ends.server.abort()
            with pytest.raises(ConnectionResetError):
                await ends.client.drain()

    go(main())


def test_the_end_wakes_those_who_wait_to_send(go: Any) -> None:
    async def main() -> None:
        for ending, name in (
            (lambda ends: ends.client.end(), "EBADF"),
            (lambda ends: ends.client.shutdown(), "EPIPE"),
            (lambda ends: ends.server.abort(), "ECONNRESET"),
        ):
            async with pair(server={"receive_buffer": 20_000}, client={"send_buffer": 20_000}) as ends:
                await fill(ends.client)
                sending = [await waiting(ends.client.send(bytes(1_000))) for _ in range(3)]
                ending(ends)
                for task in sending:
                    with pytest.raises(OSError) as caught:
                        await task
                    assert errno_of(caught) == name

    go(main())


# --- large messages ---


def test_a_message_in_pieces(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}, client={"send_buffer": 500_000}) as ends:
            data = bytes(range(250)) * 1_000
            await ends.client.send(data, stream_id=4, ppid=5)
            await ends.client.send(b"next")
            pieces = []
            while not pieces or not pieces[-1].complete:
                piece = await ends.server.recv_piece(timeout=PATIENCE)
                assert piece is not None
                assert (piece.stream_id, piece.ppid) == (4, 5)
                assert len(piece.data) <= 2 * 20_000
                pieces.append(piece)
            assert len(pieces) > 3
            assert b"".join(piece.data for piece in pieces) == data
            whole = await ends.server.recv_piece(timeout=PATIENCE)
            assert whole is not None
            assert (whole.data, whole.complete) == (b"next", True)

    go(main())


def test_a_message_that_is_too_large_to_be_kept_stays_to_be_read(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made(receive_buffer=20_000)
            listener = await server_stack.listen("127.0.0.1", max_message_size=100_000)
            client_stack = made(remote_udp_port=server_stack.udp_ports[0])
            client = await client_stack.connect(listener.address, send_buffer=300_000)
            server = await listener.accept()
            data = bytes(range(250)) * 800
            await client.send(bytes(100_000))
            await client.send(data)
            await client.send(b"next")
            fits = await server.recv(timeout=PATIENCE)
            assert fits is not None
            assert fits.data == bytes(100_000)
            for _ in range(2):
                with pytest.raises(OSError) as caught:
                    await server.recv(timeout=PATIENCE)
                assert errno_of(caught) == "EMSGSIZE"
            pieces: list[aio.Message] = []
            while not pieces or not pieces[-1].complete:
                piece = await server.recv_piece(timeout=PATIENCE)
                assert piece is not None
                pieces.append(piece)
            assert b"".join(piece.data for piece in pieces) == data
            after = await server.recv(timeout=PATIENCE)
            assert after is not None
            assert after.data == b"next"

    go(main())


def test_the_rest_of_a_message_that_does_not_come(go: Any) -> None:
    async def main(in_pieces: bool) -> None:
        async with pair(server={"receive_buffer": 20_000}, client={"send_buffer": 500_000}) as ends:
            await ends.client.send(bytes(250_000), lifetime=0.3, context=9)
            piece = await ends.server.recv_piece(timeout=PATIENCE)
            assert piece is not None
            assert not piece.complete
            # The window is closed until the message has outlived its time.
            failed = await ends.client.events.get(timeout=PATIENCE)
            assert isinstance(failed, SendFailed)
            assert failed.context == 9
            await ends.client.send(b"next")
            if in_pieces:
                with pytest.raises(OSError) as caught:
                    await rest_of_it(ends.server)
                assert errno_of(caught) == "EBADMSG"
            message = await ends.server.recv(timeout=PATIENCE)
            assert message is not None
            assert message.data == b"next"
            found = await ends.server.events.get(timeout=PATIENCE)
            assert isinstance(found, PartialDeliveryAborted)

    async def rest_of_it(association: aio.AsyncAssociation) -> None:
        while (piece := await association.recv_piece(timeout=PATIENCE)) is not None:
            assert not piece.complete

    for in_pieces in (True, False):
        go(main(in_pieces))


# --- notifications ---


def test_notifications_end_with_the_association(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            await ends.client.close()
            assert [type(event) async for event in ends.server.events] == [ShutdownReceived, AssociationClosed]
            assert [type(event) async for event in ends.client.events] == [AssociationClosed]
            assert await ends.client.events.get() is None
        async with pair() as ends:
            ends.client.abort(b"no more")
            reading = [event async for event in ends.server.events]
            assert [type(event) for event in reading] == [AssociationLost]
            lost = reading[0]
            assert isinstance(lost, AssociationLost)
            assert (lost.loss, lost.cause) == (Loss.ABORTED, 12)
            assert b"no more" in lost.abort

    go(main())


def test_what_was_not_delivered_is_handed_back(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            for number in range(60):
                await ends.client.send(b"%d " % number + bytes(1_000), context=number)
            with pytest.raises(TimeoutError):
                await ends.client.drain(timeout=0.1)
            ends.server.abort()
            failed = [event async for event in ends.client.events if isinstance(event, SendFailed)]
            assert 20 < len(failed) < 60
            assert [event.context for event in failed] == list(range(60 - len(failed), 60))
            assert all(int(event.data.split(b" ")[0]) == event.context for event in failed)

    go(main())


def test_notifications_that_nobody_reads_are_bounded(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 5_000}, client={"send_buffer": 100_000}) as ends:
            await ends.client.send(bytes(90_000))
            for size in (1, 8_000):
                for number in range(300):
                    await ends.client.send(bytes(size), lifetime=0.0, context=number)
            events = ends.client.events
            await until(lambda: len(events) + events.dropped >= 600, "all of them to be given up")
            kept = len(events)
            assert kept <= 100_000 // 8_000
            found = []
            for _ in range(kept):
                event = await events.get()
                assert isinstance(event, SendFailed)
                found.append(event.context)
            assert found == list(range(300 - kept, 300))
            assert events.dropped == 600 - kept

    go(main())


def test_an_address_that_fails_is_a_notification(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            timers = {**SHORT_TIMERS, "path_max_retrans": 0}
            server_stack = made(**timers)
            listener = await server_stack.listen("127.0.0.1")
            with Relay(server_stack.udp_ports[0]) as relay:
                client_stack = made(remote_udp_port=relay.port, **timers)
                client = await client_stack.connect(listener.address)
            await client.send(b"into the void", context=5)
            found = [event async for event in client.events]
            assert PathChanged(client.association_id, "127.0.0.1", PathChange.UNREACHABLE) in found
            kinds = [type(event) for event in found]
            assert kinds[-2:] == [AssociationLost, SendFailed]

    go(main())


@pytest.mark.parametrize("half_closed", [False, True])
def test_a_peer_that_restarts(half_closed: bool) -> None:
    async def main() -> None:
        async with pair() as ends:
            udp_port = ends.client_stack.udp_ports[0]
            port = ends.client.local_address[1]
            await ends.client.send(b"before")
            await ends.server.recv()
            host = ends.client_stack._host
            assert host is not None
            # The host is gone without a word: its end is never told.
            host.driver.stop()
            if half_closed:
                ends.server.shutdown()
            again = aio.Stack(Config(udp_port=udp_port, remote_udp_port=ends.server_stack.udp_ports[0]))
            client = await again.connect(ends.listener.address, local_port=port, streams=3)
            event = await ends.server.events.get(timeout=PATIENCE)
            assert isinstance(event, AssociationRestarted)
            if half_closed:
                # It was to end, and does.
                assert await client.recv(timeout=PATIENCE) is None
            else:
                await client.send(b"after")
                message = await ends.server.recv(timeout=PATIENCE)
                assert message is not None
                assert (message.data, message.ssn) == (b"after", 0)
                assert (ends.server.inbound_streams, client.outbound_streams) == (3, 3)
                await ends.server.send(b"welcome back")
                answer = await client.recv(timeout=PATIENCE)
                assert answer is not None
                assert answer.data == b"welcome back"
            await again.close(0.0)

    run(main())


# --- closing ---


def test_close_waits_until_all_is_delivered(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            for number in range(60):
                await ends.client.send(b"%d " % number + bytes(1_000))
            closing = await waiting(ends.client.close())
            assert [number_of(message) async for message in ends.server] == list(range(60))
            await closing
            assert ends.client.state == "CLOSED"
            await ends.client.close()

    go(main())


def test_close_has_a_time_limit(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            for _ in range(60):
                await ends.client.send(bytes(1_000))
            with pytest.raises(TimeoutError):
                await ends.client.close(timeout=0.05)
            assert ends.client.state == "CLOSED"
            with pytest.raises(ConnectionResetError):
                async for _ in ends.server:
                    pass
        async with several() as made:
            server_stack = made(receive_buffer=20_000)
            listener = await server_stack.listen("127.0.0.1")
            client_stack = made(remote_udp_port=server_stack.udp_ports[0])

            async def send_and_close() -> None:
                async with client_stack.connect(listener.address, close_timeout=0.05) as client:
                    for _ in range(60):
                        await client.send(bytes(1_000))

            with pytest.raises(TimeoutError):
                await send_and_close()

    go(main())


def test_close_tells_that_messages_are_lost(go: Any) -> None:
    async def main() -> None:
        async with pair(server={"receive_buffer": 20_000}) as ends:
            for _ in range(60):
                await ends.client.send(bytes(1_000))
            closing = await waiting(ends.client.close())
            ends.server.abort()
            with pytest.raises(ConnectionResetError):
                await closing
            # Told once.
            await ends.client.close()

    go(main())


def test_an_exception_aborts(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            with pytest.raises(LookupError):
                async with ends.client:
                    raise LookupError
            with pytest.raises(ConnectionResetError):
                await ends.server.recv()

    go(main())


def test_an_association_that_nobody_holds_closes(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            client = await ends.client_stack.connect(ends.listener.address)
            server = await ends.listener.accept()
            gone = weakref.ref(client)
            await client.send(b"last words")
            del client
            gc.collect()
            assert gone() is None
            assert [message.data async for message in server] == [b"last words"]
            # Nobody has read: as for a socket.
            client = await ends.client_stack.connect(ends.listener.address)
            server = await ends.listener.accept()
            await server.send(b"unread")
            await server.drain()
            del client
            gc.collect()
            with pytest.raises(ConnectionResetError):
                await server.recv()

    go(main())


def test_a_task_that_waits_keeps_its_association(go: Any) -> None:
    async def main() -> None:
        async with pair() as ends:
            found: list[bytes] = []

            async def receive() -> None:
                association = await ends.client_stack.connect(ends.listener.address)
                message = await association.recv()
                assert message is not None
                found.append(message.data)

            # Nothing but the wait itself refers to the task.
            asyncio.ensure_future(receive())  # noqa: RUF006
            server = await ends.listener.accept()
            for _ in range(3):
                gc.collect()
                await asyncio.sleep(0)
            await server.send(b"found you")
            await until(lambda: found == [b"found you"], "the message to be received")

    go(main())


# --- servers ---


def test_a_server_serves_many_at_once(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()

            async def echo(association: aio.AsyncAssociation) -> None:
                async for message in association:
                    await association.send(message.data * 2, stream_id=message.stream_id, ppid=message.ppid)

            async with server_stack.serve(echo, "127.0.0.1") as server:
                client_stack = made(remote_udp_port=server_stack.udp_ports[0])

                async def client(number: int) -> aio.Message | None:
                    async with client_stack.connect(server.address) as association:
                        await association.send(b"%d" % number, stream_id=number % 10, ppid=number)
                        return await association.recv()

                answers = await asyncio.gather(*map(client, range(100)))
                assert [(m.data, m.stream_id, m.ppid) for m in answers if m] == [
                    (b"%d" % number * 2, number % 10, number) for number in range(100)
                ]
                await until(lambda: not server.associations, "the handlers to end")

    go(main())


def test_a_handler_that_fails() -> None:
    async def main() -> None:
        reported: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        usual = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: reported.append(context))
        async with several() as made:
            server_stack = made()

            async def handler(association: aio.AsyncAssociation) -> None:
                raise LookupError(association.peer_address)

            async with server_stack.serve(handler, "127.0.0.1") as server:
                client_stack = made(remote_udp_port=server_stack.udp_ports[0])
                client = await client_stack.connect(server.address)
                with pytest.raises(ConnectionResetError):
                    await client.recv()
        loop.set_exception_handler(usual)
        assert [type(context["exception"]) for context in reported] == [LookupError]
        assert "handler" in reported[0]["message"]

    run(main())


def test_a_server_closes_in_order_and_in_time(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()
            log: list[str] = []

            async def polite(association: aio.AsyncAssociation) -> None:
                async for message in association:
                    log.append(message.data.decode())
                with pytest.raises(BrokenPipeError):
                    await association.send(b"too late")
                log.append("end")

            server = await server_stack.serve(polite, "127.0.0.1")
            client_stack = made(remote_udp_port=server_stack.udp_ports[0])
            client = await client_stack.connect(server.address)
            await client.send(b"hello")
            await client.drain()
            server.close()
            await server.wait_closed()
            assert log == ["hello", "end"]
            assert await client.recv() is None
            with pytest.raises(ConnectionRefusedError):
                await client_stack.connect(server.address)

            async def stubborn(association: aio.AsyncAssociation) -> None:
                try:
                    await asyncio.sleep(PATIENCE)
                except asyncio.CancelledError:
                    log.append("cancelled")
                    raise

            async with server_stack.serve(stubborn, "127.0.0.1", close_timeout=0.05) as server:
                client = await client_stack.connect(server.address)
                await until(lambda: bool(server.associations), "the handler to begin")
            assert log[-1] == "cancelled"

    go(main())


def test_serve_for_ever_until_cancelled(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()

            async def handler(association: aio.AsyncAssociation) -> None:
                await association.recv()

            server = await server_stack.serve(handler, "127.0.0.1")
            serving = await waiting(server.serve_forever())
            client_stack = made(remote_udp_port=server_stack.udp_ports[0])
            client = await client_stack.connect(server.address)
            await cancelled(serving)
            assert await client.recv() is None
            server = await server_stack.serve(handler, "127.0.0.1")
            serving = await waiting(server.serve_forever())
            server.close()
            await serving

    go(main())


def test_a_server_that_nobody_holds_goes_on(go: Any) -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()

            async def handler(association: aio.AsyncAssociation) -> None:
                await association.send(b"still here")

            address = (await server_stack.serve(handler, "127.0.0.1")).address
            gc.collect()
            client_stack = made(remote_udp_port=server_stack.udp_ports[0])
            client = await client_stack.connect(address)
            message = await client.recv(timeout=PATIENCE)
            assert message is not None
            assert message.data == b"still here"

    go(main())


def test_the_backlog_bounds_who_waits() -> None:
    async def main() -> None:
        async with several() as made:
            server_stack = made()
            listener = await server_stack.listen("127.0.0.1", backlog=3)
            client_stack = made(remote_udp_port=server_stack.udp_ports[0], **SHORT_TIMERS)
            clients = [await client_stack.connect(listener.address) for _ in range(3)]
            with pytest.raises(OSError):
                await client_stack.connect(listener.address)
            accepted = await listener.accept()
            assert accepted.peer_address == clients[0].local_address
            await client_stack.connect(listener.address)

    run(main())


# --- how the loop reads UDP ---


def test_which_loops_can_watch(go: Any, request: pytest.FixtureRequest) -> None:
    async def main() -> bool:
        return can_watch(asyncio.get_running_loop())

    assert go(main()) is ("endpoints" not in request.node.name)


@pytest.mark.parametrize("ways", [(False, False), (False, None), (None, False)])
def test_datagram_endpoints_on_any_loop(go: Any, ways: tuple[bool | None, bool | None]) -> None:
    async def main() -> None:
        config = Config(udp_port=0)
        async with aio.Stack(config, add_reader=ways[0]) as server_stack:
            listener = await server_stack.listen("127.0.0.1", no_delay=True)
            towards = replace(config, remote_udp_port=server_stack.udp_ports[0])
            async with aio.Stack(towards, add_reader=ways[1]) as client_stack:
                client = await client_stack.connect(listener.address, no_delay=True)
                server = await listener.accept()
                for number in range(50):
                    await client.send(b"%d " % number + bytes(20_000))
                    await server.send(b"%d " % number)
                    assert number_of(await server.recv(timeout=PATIENCE)) == number
                    assert number_of(await client.recv(timeout=PATIENCE)) == number
                for stack, add_reader in ((server_stack, ways[0]), (client_stack, ways[1])):
                    udp = stack.statistics().udp[stack.udp_ports[0]]
                    assert udp.datagrams_received >= 50
                    if add_reader is False:
                        assert udp.trains_received == 0
                await client.close()

    go(main())


def test_a_second_udp_port_for_listening(go: Any) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("0.0.0.0", 0))
            udp_port = taken.getsockname()[1]
            async with several() as made:
                server_stack = made()
                listener = await server_stack.listen("127.0.0.1")
                both = aio.Stack(Config(udp_port=udp_port, remote_udp_port=server_stack.udp_ports[0]))
                # The configured port is taken: a client does with any other, and a listener does not.
                first = await both.connect(listener.address)
                with pytest.raises(OSError, match="Config") as caught:
                    await both.listen("127.0.0.1", 5_000)
                assert errno_of(caught) == "EADDRINUSE"
                taken.close()
                second = await both.listen("127.0.0.1", 5_000)
                assert len(both.udp_ports) == 2
                towards = made(remote_udp_port=udp_port)
                third = await towards.connect(second.address)
                fourth = await second.accept()
                for one, other in ((first, await listener.accept()), (third, fourth)):
                    await one.send(b"question")
                    await other.send(b"answer")
                    for end, text in ((one, b"answer"), (other, b"question")):
                        message = await end.recv(timeout=PATIENCE)
                        assert message is not None
                        assert message.data == text
                await both.close(0.0)

    go(main())


def test_nobody_at_all_is_at_the_other_end(go: Any, request: pytest.FixtureRequest) -> None:
    # ICMP says so where there is IP_RECVERR, which an endpoint does not read.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        udp_port = probe.getsockname()[1]

    async def main() -> None:
        config = Config(udp_port=0, remote_udp_port=udp_port, **SHORT_TIMERS)
        async with aio.Stack(config) as stack:
            told = levers().icmp_errors and "endpoints" not in request.node.name
            with pytest.raises(ConnectionRefusedError if told else TimeoutError):
                await stack.connect(("127.0.0.1", 5_000))

    go(main())


# --- what it does to the process ---


def test_a_program_that_sends_and_ends_loses_nothing(programs: Programs) -> None:
    server = programs(
        """
        import asyncio
        from pysctpstack import aio, Config

        async def main():
            async with aio.listen("127.0.0.1", 5_000, config=Config(udp_port=0, receive_buffer=20_000)) as listener:
                print(listener._host.pump.udp[0].port, flush=True)
                association = await listener.accept()
                await asyncio.sleep(0.2)
                print(sum([len(message.data) async for message in association]), flush=True)

        asyncio.run(main())
        """
    )
    client = programs(
        """
        import asyncio, sys
        from pysctpstack import aio, Config

        async def main():
            association = await aio.connect(("127.0.0.1", 5_000))
            for _ in range(100):
                await association.send(bytes(1_000))

        asyncio.run(main())
        """,
        env={"PYSCTPSTACK_UDP_PORT": "0", "PYSCTPSTACK_REMOTE_UDP_PORT": server.line()},
    )
    assert client.end() == (0, "", "")
    assert server.line() == "100000"
    assert server.end() == (0, "", "")


def test_a_program_that_cannot_deliver_says_so(stacks: Stacks, programs: Programs) -> None:
    stack = stacks(receive_buffer=5_000)
    listener = listening(stack)
    program = programs(
        """
        import asyncio, sys, warnings
        from pysctpstack import aio, Config
        warnings.simplefilter("default")

        async def main():
            config = Config(udp_port=0, remote_udp_port=int(sys.argv[1]), exit_linger=0.1)
            association = await aio.Stack(config).connect(("127.0.0.1", int(sys.argv[2])))
            for _ in range(50):
                await association.send(bytes(1_000))

        asyncio.run(main())
        """,
        stack.udp_ports[0],
        listener.getsockname()[1],
    )
    # Nobody reads at the other end.
    status, _, errors = program.end()
    assert status == 0
    assert "1 association(s) did not close within 0.1 s" in errors


def test_after_a_fork_the_child_has_nothing_of_its_parents(programs: Programs) -> None:
    program = programs(
        """
        import asyncio, os, socket, warnings
        from pysctpstack import aio, Config
        warnings.simplefilter("ignore", DeprecationWarning)

        async def main():
            server = aio.Stack(Config(udp_port=0))
            listener = await server.listen("127.0.0.1")
            client = aio.Stack(Config(udp_port=0, remote_udp_port=server.udp_ports[0]))
            association = await client.connect(listener.address)
            accepted = await listener.accept()
            child = os.fork()
            if not child:
                status = 1
                try:
                    association.shutdown()
                except OSError as error:
                    status = error.errno
                # The UDP sockets are closed here, and the parent's port stays the parent's.
                open_sockets = [s for udp in server._host.pump.udp for s in udp.sockets]
                os._exit(status if not open_sockets else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
            await association.send(b"the parent goes on")
            print((await accepted.recv()).data.decode(), flush=True)

        asyncio.run(main())
        """
    )
    assert program.line() == str(errno.EBADF)
    assert program.line() == "the parent goes on"
    assert program.end() == (0, "", "")


def test_no_thread_is_started(programs: Programs) -> None:
    program = programs(
        """
        import asyncio, threading
        from pysctpstack import aio, Config

        async def main():
            server = aio.Stack(Config(udp_port=0))
            listener = await server.listen("127.0.0.1")
            client = aio.Stack(Config(udp_port=0, remote_udp_port=server.udp_ports[0]))
            association = await client.connect(listener.address)
            await association.send(b"x")
            await (await listener.accept()).recv()
            print(threading.active_count())

        asyncio.run(main())
        """
    )
    assert program.end() == (0, "1\n", "")


def test_debug_mode_finds_nothing_slow_or_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_debug(True)
        async with pair() as ends:
            for number in range(50):
                await ends.client.send(b"%d " % number)
            await ends.client.close()
            assert [number_of(message) async for message in ends.server] == list(range(50))

    with caplog.at_level(logging.WARNING, logger="asyncio"):
        run(main())
    assert [record for record in caplog.records if "took" not in record.getMessage()] == []


def test_statistics() -> None:
    async def main() -> None:
        async with pair() as ends:
            await ends.client.send(bytes(100))
            await ends.server.recv()
            await ends.client.drain()
            statistics = ends.client.statistics()
            assert (statistics.state, statistics.chunks_sent, statistics.chunks_acknowledged) == ("ESTABLISHED", 1, 1)
            assert ends.server.statistics().bytes_received == 100
            whole = ends.client_stack.statistics()
            assert whole.associations[0].association_id == ends.client.association_id
            assert whole.udp[ends.client_stack.udp_ports[0]].datagrams_sent > 2
            assert ends.client_stack.counters == whole.counters
            assert repr(ends.client).startswith("<AsyncAssociation 3 ESTABLISHED with 127.0.0.1 port ")
            before = replace(Config(), udp_port=1)
            assert aio.Stack(before).statistics() == aio.StackStatistics({}, {}, ())

    run(main())


# --- what the documentation says ---


def test_the_examples_talk_to_each_other(programs: Programs) -> None:
    examples = Path(__file__).parents[2] / "docs" / "examples"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        udp_port = str(probe.getsockname()[1])
    run_file = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    server = programs(run_file, examples / "aio_echo_server.py", "--once", env={"PYSCTPSTACK_UDP_PORT": udp_port})
    assert server.line() == "Server Running"
    client = programs(
        run_file,
        examples / "aio_echo_client.py",
        "127.0.0.1",
        "one",
        "two",
        env={"PYSCTPSTACK_UDP_PORT": "0", "PYSCTPSTACK_REMOTE_UDP_PORT": udp_port},
    )
    assert client.end() == (0, "one (stream 0, ppid 0)\ntwo (stream 1, ppid 1)\n", "")
    assert server.line().startswith("Association with 127.0.0.1 port ")
    assert server.end() == (0, "", "")


def test_the_code_of_the_how_to_runs(programs: Programs) -> None:
    text = (Path(__file__).parents[2] / "docs" / "asyncio.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 5
    # On a UDP port of this run's own.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("0.0.0.0", 0))
        code = "\n".join(blocks).replace("14_900", str(probe.getsockname()[1]))
    status, out, errors = programs(code).end()
    assert (status, errors) == (0, "")
    assert out.splitlines() == [
        "b'hello' 2 46",
        "[b'one']",
        "nothing yet",
        "b'hello'",
        "AssociationClosed(association_id=3)",
    ]
