"""Who waits, how long, and on what: time-outs, non-blocking calls, select, poll, selectors and asyncio."""

from __future__ import annotations

import asyncio
import errno
import select
import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest
from loopback import (
    PATIENCE,
    SHORT_TIMERS,
    Pair,
    Stacks,
    blocked,
    call,
    connected,
    expect_errno,
    fill,
    listening,
    readable,
    subscribe,
    until,
    writable,
)

from pysctpstack import SctpSocket, Stack, structs
from pysctpstack import constants as c


def soon(seconds: float) -> bytes:
    return struct.pack("qq", 0, int(seconds * 1_000_000))


def silent_stack(stacks: Stacks, wire: socket.socket) -> Stack:
    """A stack whose peers' packets all go to a UDP socket that never answers."""
    wire.bind(("127.0.0.1", 0))
    return stacks(remote_udp_port=wire.getsockname()[1], **SHORT_TIMERS)


# --- time-outs ---


def test_settimeout_bounds_recv_accept_and_send(pair: Pair) -> None:
    for sock, method, args in (
        (pair.server, "recv", (10,)),
        (pair.server, "recvmsg", (10,)),
        (pair.server, "sctp_recvmsg", (10,)),
        (pair.listener, "accept", ()),
    ):
        sock.settimeout(0.05)
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            getattr(sock, method)(*args)
        assert 0.05 <= time.monotonic() - before < PATIENCE
    fill(pair.client)
    pair.client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        pair.client.send(b"x")


def test_settimeout_bounds_connect(stacks: Stacks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        client = silent_stack(stacks, wire).socket()
        client.settimeout(0.02)
        with pytest.raises(TimeoutError) as caught:
            client.connect(("127.0.0.1", 5_000))
        # Not the one of a peer that was given up: the association is still being set up.
        assert caught.value.errno is None
        expect_errno(errno.EALREADY, client.connect, ("127.0.0.1", 5_000))
        client.settimeout(PATIENCE)
        assert client.connect_ex(("127.0.0.1", 5_000)) in (errno.EALREADY, 0)


def test_timeouts_are_as_the_standard_library_has_them(stacks: Stacks) -> None:
    sock = stacks().socket()
    assert sock.gettimeout() == sock.timeout == PATIENCE  # setdefaulttimeout
    sock.settimeout(None)
    assert (sock.gettimeout(), sock.getblocking()) == (None, True)
    sock.settimeout(0)
    assert (sock.gettimeout(), sock.getblocking()) == (0.0, False)
    sock.setblocking(True)
    assert sock.gettimeout() is None
    sock.setblocking(False)
    assert sock.gettimeout() == 0.0
    with pytest.raises(ValueError):
        sock.settimeout(-1)
    if hasattr(socket, "SOCK_NONBLOCK"):
        assert sock.gettimeout() == stacks().socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK).gettimeout()


def test_so_rcvtimeo_and_so_sndtimeo(pair: Pair) -> None:
    for sock in (pair.server, pair.client, pair.listener):
        sock.settimeout(None)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, soon(0.03))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, soon(0.03))
    expect_errno(errno.EAGAIN, pair.server.recv, 10)
    expect_errno(errno.EAGAIN, pair.listener.accept)
    fill(pair.client)
    expect_errno(errno.EAGAIN, pair.client.send, b"x")


def test_so_sndtimeo_bounds_connect(stacks: Stacks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        client = silent_stack(stacks, wire).socket()
        client.settimeout(None)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, soon(0.02))
        expect_errno(errno.EINPROGRESS, client.connect, ("127.0.0.1", 5_000))


# --- calls that do not block ---


def test_calls_that_would_block(pair: Pair) -> None:
    for sock in (pair.client, pair.listener):
        sock.setblocking(False)
    expect_errno(errno.EAGAIN, pair.client.recv, 10)
    expect_errno(errno.EAGAIN, pair.client.recvmsg, 10)
    expect_errno(errno.EAGAIN, pair.client.sctp_recvmsg, 10)
    expect_errno(errno.EAGAIN, pair.listener.accept)
    fill(pair.client)
    expect_errno(errno.EAGAIN, pair.client.send, b"x")
    with pytest.raises(BlockingIOError):
        pair.client.send(b"x")


def test_msg_dontwait_is_for_one_call(pair: Pair) -> None:
    expect_errno(errno.EAGAIN, pair.server.recv, 10, socket.MSG_DONTWAIT)
    fill(pair.client)
    expect_errno(errno.EAGAIN, pair.client.send, b"x", socket.MSG_DONTWAIT)


@pytest.mark.parametrize("how", ["connect", "connect_ex"])
def test_a_connect_that_does_not_block(stacks: Stacks, how: str) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.setblocking(False)
    if how == "connect":
        expect_errno(errno.EINPROGRESS, client.connect, listener.getsockname())
    else:
        assert client.connect_ex(listener.getsockname()) == errno.EINPROGRESS
    assert writable(client)
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    expect_errno(errno.EISCONN, client.connect, listener.getsockname())
    assert client.connect_ex(listener.getsockname()) == errno.EISCONN
    client.send(b"up")
    assert listener.accept()[0].recv(10) == b"up"


def test_a_connect_that_is_refused_later(stacks: Stacks) -> None:
    server_stack = stacks()
    listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.setblocking(False)
    for _ in range(2):
        expect_errno(errno.EINPROGRESS, client.connect, ("127.0.0.1", 5_000))
        assert writable(client)
        assert readable(client)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED
        # It was told, so it is over; the socket may try again.
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        assert not readable(client, 0)


def test_a_connect_that_nobody_answers(stacks: Stacks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        client = silent_stack(stacks, wire).socket()
        client.setblocking(False)
        expect_errno(errno.EINPROGRESS, client.connect, ("127.0.0.1", 5_000))
        assert not writable(client, 0)
        expect_errno(errno.EALREADY, client.connect, ("127.0.0.1", 5_000))
        assert client.connect_ex(("127.0.0.1", 5_000)) == errno.EALREADY
        assert writable(client)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ETIMEDOUT


def test_connect_ex_gives_the_errno_or_nought(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client_stack = stacks.towards(server_stack)
    assert client_stack.socket().connect_ex(listener.getsockname()) == 0
    assert client_stack.socket().connect_ex(("127.0.0.1", 5_000)) == errno.ECONNREFUSED
    assert client_stack.socket().connect_ex(("127.0.0.1", 0)) == errno.ECONNREFUSED
    with pytest.raises(socket.gaierror):
        client_stack.socket().connect_ex(("no.such.host.invalid", 5_000))
    with pytest.raises(TypeError):
        client_stack.socket().connect_ex("127.0.0.1")


def test_messages_sent_while_connecting_are_delivered(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.setblocking(False)
    expect_errno(errno.EINPROGRESS, client.connect, listener.getsockname())
    client.send(b"eager")
    assert listener.accept()[0].recv(10) == b"eager"


# --- descriptors ---


def test_fileno_is_a_descriptor_of_its_own_until_close(pair: Pair) -> None:
    numbers = {sock.fileno() for sock in (pair.client, pair.server, pair.listener)}
    assert len(numbers) == 3
    assert min(numbers) >= 0
    assert pair.client.fileno() in numbers
    pair.client.close()
    assert pair.client.fileno() == -1


def test_readable_when_there_is_something_to_read(pair: Pair) -> None:
    assert not readable(pair.server, 0)
    pair.client.send(b"abc")
    assert readable(pair.server)
    pair.server.recv(2)
    # A piece of the message is left.
    assert readable(pair.server, 0)
    pair.server.recv(2)
    assert not readable(pair.server, 0)


def test_readable_when_asked_after_the_message_came(pair: Pair) -> None:
    pair.client.send(b"before fileno")
    assert pair.server.recv(1, socket.MSG_PEEK)
    assert readable(pair.server, 0)


def test_readable_at_the_end_of_file_for_ever(pair: Pair) -> None:
    assert not readable(pair.server, 0)
    pair.client.close()
    for _ in range(3):
        assert readable(pair.server)
        assert pair.server.recv(10) == b""


def test_readable_and_writable_with_an_error(pair: Pair) -> None:
    fill(pair.server)
    assert not writable(pair.server, 0)
    assert not readable(pair.server, 0)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.client.close()
    assert readable(pair.server)
    assert writable(pair.server)
    assert pair.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET
    assert pair.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert pair.server.recv(10) == b""


def test_readable_for_accept(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    assert not readable(listener, 0)
    assert not writable(listener, 0)
    client_stack = stacks.towards(server_stack)
    for _ in range(2):
        client_stack.socket().connect(listener.getsockname())
    for _ in range(2):
        assert readable(listener)
        listener.accept()
    assert not readable(listener, 0)


def test_readable_for_a_notification(pair: Pair) -> None:
    subscribe(pair.server, c.SCTP_SHUTDOWN_EVENT)
    assert not readable(pair.server, 0)
    pair.client.shutdown(socket.SHUT_WR)
    assert readable(pair.server)
    assert isinstance(structs.parse_notification(pair.server.recv(100)), structs.ShutdownEvent)
    subscribe(pair.listener, c.SCTP_SENDER_DRY_EVENT)
    assert not readable(pair.listener, 0)


def test_a_full_send_buffer_is_not_writable_and_a_drained_one_is(pair: Pair) -> None:
    assert writable(pair.client, 0)
    for _ in range(2):
        count = fill(pair.client)
        assert not writable(pair.client, 0)
        assert not readable(pair.client, 0)
        for _ in range(count):
            pair.server.recv(2_000)
        assert writable(pair.client)
        assert pair.client.send(b"x") == 1
        pair.server.recv(10)
        assert writable(pair.client, 0)


def test_writable_again_means_that_send_does_not_block(pair: Pair) -> None:
    pair.client.setblocking(False)
    sent = fill(pair.client)
    received = 0
    while received < 3 * sent:
        if select.select([], [pair.client], [], 0)[1]:
            pair.client.send(bytes(1_400))
        if select.select([pair.server], [], [], 0)[0]:
            assert len(pair.server.recv(2_000)) == 1_400
            received += 1


def test_readable_and_writable_are_independent(pair: Pair) -> None:
    fill(pair.client)
    pair.server.send(b"x")
    assert readable(pair.client)
    assert not writable(pair.client, 0)
    pair.client.recv(10)
    assert not readable(pair.client, 0)
    assert not writable(pair.client, 0)


def test_after_shutdown_a_send_fails_at_once_so_it_is_writable(pair: Pair) -> None:
    fill(pair.client)
    assert not writable(pair.client, 0)
    pair.client.shutdown(socket.SHUT_WR)
    assert writable(pair.client, 0)
    expect_errno(errno.EPIPE, pair.client.send, b"x")


def test_an_unconnected_socket_is_neither(stacks: Stacks) -> None:
    sock = stacks().socket()
    assert not readable(sock, 0)
    assert not writable(sock, 0)


def test_a_one_to_many_socket_is_writable_until_its_buffer_is_full(stacks: Stacks) -> None:
    server_stack = stacks()
    server = listening(server_stack, type_=socket.SOCK_SEQPACKET)
    client = stacks.towards(server_stack).socket(socket.AF_INET, socket.SOCK_SEQPACKET)
    assert writable(client, 0)
    count = fill(client, to=server.getsockname())
    assert not writable(client, 0)
    for _ in range(count):
        server.recv(2_000)
    assert writable(client)


@pytest.mark.skipif(not hasattr(select, "poll"), reason="no poll here")
def test_poll(pair: Pair) -> None:
    poller = select.poll()
    poller.register(pair.server, select.POLLIN | select.POLLOUT)
    assert poller.poll(0) == [(pair.server.fileno(), select.POLLOUT)]
    pair.client.send(b"x")
    until(lambda: poller.poll(0) == [(pair.server.fileno(), select.POLLIN | select.POLLOUT)], "POLLIN")
    pair.server.recv(10)
    fill(pair.server)
    assert poller.poll(0) == []


@pytest.mark.parametrize(
    "kind",
    [
        getattr(selectors, name)
        for name in ("SelectSelector", "PollSelector", "EpollSelector")
        if hasattr(selectors, name)
    ],
)
def test_selectors_serve_several_sockets(stacks: Stacks, kind: Callable[[], selectors.BaseSelector]) -> None:
    pairs = [connected(stacks) for _ in range(3)]
    with kind() as selector:
        for number, pair in enumerate(pairs):
            selector.register(pair.server, selectors.EVENT_READ, number)
        assert selector.select(0) == []
        for number in (2, 0, 1):
            pairs[number].client.send(b"%d" % number)
            [(key, events)] = selector.select(PATIENCE)
            assert (key.data, events) == (number, selectors.EVENT_READ)
            assert pairs[number].server.recv(10) == b"%d" % number


# --- asyncio ---


def test_asyncio_reader_and_writer_callbacks(pair: Pair) -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        done = asyncio.Event()
        count = fill(pair.client)
        for sock in pair.ends:
            sock.setblocking(False)

        def saw(what: str) -> None:
            seen.append(what)
            if seen.count("read") == count and "write" in seen:
                done.set()

        def on_readable() -> None:
            pair.server.recv(2_000)
            saw("read")

        def on_writable() -> None:
            loop.remove_writer(pair.client)
            saw("write")

        loop.add_writer(pair.client, on_writable)
        await asyncio.sleep(0)
        assert seen == []
        loop.add_reader(pair.server, on_readable)
        await asyncio.wait_for(done.wait(), PATIENCE)
        loop.remove_reader(pair.server)
        return seen

    seen = asyncio.run(main())
    assert seen.count("write") == 1


def test_asyncio_socket_calls(stacks: Stacks) -> None:
    # The event loop's own sock_* methods take whatever behaves like a socket.
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    for sock in (listener, client):
        sock.setblocking(False)

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        accepting = asyncio.ensure_future(loop.sock_accept(as_standard(listener)))
        await loop.sock_connect(as_standard(client), listener.getsockname())
        accepted, _ = await accepting
        await loop.sock_sendall(as_standard(client), b"ping")
        data = await loop.sock_recv(accepted, 100)
        await loop.sock_sendall(accepted, data * 2)
        accepted.close()
        return await loop.sock_recv(as_standard(client), 100) + await loop.sock_recv(as_standard(client), 100)

    assert asyncio.run(asyncio.wait_for(main(), PATIENCE)) == b"pingping"


def as_standard(sock: SctpSocket) -> Any:
    """For type checkers."""
    return sock


# --- blocked calls and other threads ---


@pytest.mark.parametrize("method", ["recv", "sctp_recvmsg"])
def test_a_blocked_read_ends_with_what_comes(pair: Pair, method: str) -> None:
    waiting = blocked(getattr(pair.server, method), 100)
    pair.client.send(b"wake up")
    found = waiting.outcome()
    assert (found if method == "recv" else found[0]) == b"wake up"


def test_a_blocked_read_ends_with_the_association(pair: Pair) -> None:
    waiting = blocked(pair.server.recv, 100)
    pair.client.close()
    assert waiting.outcome() == b""


def test_a_blocked_send_ends_when_there_is_room(pair: Pair) -> None:
    count = fill(pair.client)
    waiting = blocked(pair.client.send, b"at last")
    for _ in range(count):
        pair.server.recv(2_000)
    assert waiting.outcome() == 7
    assert pair.server.recv(10) == b"at last"


def test_a_blocked_send_ends_with_shutdown(pair: Pair) -> None:
    fill(pair.client)
    waiting = blocked(pair.client.send, b"x")
    pair.client.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        waiting.outcome()


def test_a_blocked_send_ends_with_the_peers_abort(pair: Pair) -> None:
    fill(pair.client)
    waiting = blocked(pair.client.send, b"x")
    pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.server.close()
    with pytest.raises(ConnectionResetError):
        waiting.outcome()


def test_accept_in_one_thread_and_connect_in_another(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    waiting = blocked(listener.accept)
    client = stacks.towards(server_stack).socket()
    call(client.connect, listener.getsockname()).outcome()
    assert waiting.outcome()[1] == client.getsockname()
