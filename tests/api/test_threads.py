"""Several threads: on one socket, on many, and one that closes what another waits for."""

from __future__ import annotations

import errno
import gc
import socket
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from loopback import (
    Call,
    Pair,
    Stacks,
    blocked,
    call,
    connected,
    expect_errno,
    families,
    fill,
    listening,
    loopback,
    receive_all,
    until,
)

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c


def ended_with_ebadf(waiting: Call) -> bool:
    with pytest.raises(OSError) as caught:
        waiting.outcome()
    return caught.value.errno == errno.EBADF


# --- close ---


@pytest.mark.parametrize(
    ("method", "args"), [("recv", (10,)), ("recvmsg", (10,)), ("sctp_recvmsg", (10,)), ("recv_into", (bytearray(9),))]
)
def test_close_ends_a_blocked_read(pair: Pair, method: str, args: tuple[Any, ...]) -> None:
    waiting = blocked(getattr(pair.server, method), *args)
    pair.server.close()
    assert ended_with_ebadf(waiting)


def test_close_ends_a_blocked_accept(stacks: Stacks) -> None:
    listener = listening(stacks())
    waiting = blocked(listener.accept)
    listener.close()
    assert ended_with_ebadf(waiting)


def test_close_ends_a_blocked_send(pair: Pair) -> None:
    fill(pair.client)
    waiting = blocked(pair.client.send, b"x")
    pair.client.close()
    assert ended_with_ebadf(waiting)


@pytest.mark.parametrize("type_", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_close_ends_a_blocked_connect(stacks: Stacks, type_: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = stacks(remote_udp_port=silent.getsockname()[1]).socket(socket.AF_INET, type_)
        waiting = blocked(client.connect, ("127.0.0.1", 5_000))
        client.close()
        assert ended_with_ebadf(waiting)


def test_close_ends_every_call_that_waits(pair: Pair) -> None:
    waiting = [blocked(pair.server.recv, 10) for _ in range(5)]
    pair.server.close()
    assert all(ended_with_ebadf(one) for one in waiting)


def test_closing_the_stack_ends_every_call_that_waits(pair: Pair) -> None:
    fill(pair.client)
    waiting = [
        blocked(pair.listener.accept),
        blocked(pair.listener.accept),
        blocked(pair.client.send, b"x"),
        blocked(pair.client.recv, 10),
    ]
    pair.client_stack.close()
    pair.server_stack.close()
    assert all(ended_with_ebadf(one) for one in waiting)
    for stack in (pair.client_stack, pair.server_stack):
        expect_errno(errno.EBADF, stack.socket)


# --- one socket, several threads ---


def test_several_readers_share_the_messages(pair: Pair) -> None:
    def read() -> list[bytes]:
        found = []
        while message := pair.server.recv(100):
            found.append(message)
        return found

    readers = [call(read) for _ in range(4)]
    for number in range(400):
        pair.client.send(b"%d" % number)
    pair.client.close()
    found = [message for reader in readers for message in reader.outcome()]
    assert sorted(map(int, found)) == list(range(400))


def test_several_writers_interleave_whole_messages(pair: Pair) -> None:
    def write(name: int) -> None:
        for number in range(100):
            pair.client.sctp_sendmsg(b"%d %d " % (name, number) + bytes(3_000), stream_no=name)

    writers = [call(write, name) for name in range(4)]
    next_number: Counter[int] = Counter()
    for _ in range(400):
        message = pair.server.recv(10_000)
        name, number = map(int, message[:20].split(b" ")[:2])
        assert len(message) == len(b"%d %d " % (name, number)) + 3_000
        assert number == next_number[name]
        next_number[name] += 1
    for writer in writers:
        writer.outcome()


def test_several_threads_accept(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    accepting = [blocked(listener.accept) for _ in range(6)]
    client_stack = stacks.towards(server_stack)
    clients = [client_stack.socket() for _ in range(6)]
    connecting = [call(client.connect, listener.getsockname()) for client in clients]
    for one in connecting:
        one.outcome()
    found = {one.outcome()[1] for one in accepting}
    assert found == {client.getsockname() for client in clients}


def test_busy_polling_hears_packets_timers_and_other_threads(stacks: Stacks) -> None:
    pair = connected(stacks, server={"busy_poll": 0.3}, client={"busy_poll": 0.3})
    for _ in range(20):
        pair.client.send(b"there")
        assert pair.server.recv(10) == b"there"
        pair.server.send(b"back")
        assert pair.client.recv(10) == b"back"
    pair.server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        pair.server.recv(10)
    waiting = blocked(pair.client.recv, 10)
    pair.client.close()
    assert ended_with_ebadf(waiting)


def test_ping_pong_while_another_thread_waits_on_the_same_stack(pair: Pair) -> None:
    # Whoever waits receives for all: neither starves the other, and nobody is forgotten.
    other = pair.client_stack.socket()
    other.connect(pair.listener.getsockname())
    quiet, _ = pair.listener.accept()
    waiting = blocked(other.recv, 10)

    def echo() -> None:
        while data := pair.server.recv(100):
            pair.server.send(data)

    echoing = call(echo)
    for number in range(300):
        pair.client.send(b"%d" % number)
        assert pair.client.recv(100) == b"%d" % number
    assert not waiting.done
    quiet.send(b"at last")
    assert waiting.outcome() == b"at last"
    pair.client.close()
    echoing.outcome()


def test_short_waits_do_not_hold_up_long_ones(pair: Pair) -> None:
    # The one that leads ends its wait; another of those that wait goes on receiving at once.
    pair.client.settimeout(0.05)
    leading = blocked(pair.client.recv, 10)
    others = []
    for _ in range(3):
        sock = pair.client_stack.socket()
        sock.connect(pair.listener.getsockname())
        accepted, _ = pair.listener.accept()
        others.append((blocked(sock.recv, 10), accepted))
    with pytest.raises(TimeoutError):
        leading.outcome()
    for waiting, accepted in others:
        accepted.send(b"go")
        assert waiting.outcome() == b"go"


# --- many ---


@families
def test_many_associations_of_one_stack(stacks: Stacks, family: int) -> None:
    server_stack = stacks()
    listener = listening(server_stack, family, backlog=200)
    client_stack = stacks.towards(server_stack)
    clients = []
    for number in range(100):
        client = client_stack.socket(family)
        client.connect(listener.getsockname())
        client.send(b"%d" % number)
        clients.append(client)
    for _ in clients:
        accepted, _ = listener.accept()
        accepted.send(accepted.recv(10) * 2)
        accepted.close()
    assert [receive_all(client) for client in clients] == [b"%d" % number * 2 for number in range(100)]


def test_many_stacks_in_one_process(stacks: Stacks) -> None:
    pairs = [connected(stacks) for _ in range(10)]
    ports = {stack.udp_ports[0] for pair in pairs for stack in (pair.client_stack, pair.server_stack)}
    assert len(ports) == 20
    for number, pair in enumerate(pairs):
        pair.client.send(b"%d" % number)
    assert [pair.server.recv(10) for pair in pairs] == [b"%d" % number for number in range(10)]


@families
def test_an_association_of_a_stack_with_itself(stacks: Stacks, family: int) -> None:
    # Both ends have the same UDP port, so that packets are told apart by their tags alone.
    stack = stacks()
    listener = listening(stack, family)
    client = stack.socket(family)
    client.setsockopt(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, udp_encaps(stack.udp_ports[0]))
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    server.send(b"to the client")
    client.send(b"to the server")
    assert (client.recv(100), server.recv(100)) == (b"to the client", b"to the server")
    data = bytes(150_000)
    sending = call(client.send, data)
    received = b""
    while len(received) < len(data):
        received += server.recv(len(data))
    assert sending.outcome() == len(data)
    client.close()
    assert server.recv(10) == b""
    other = stack.socket(family)
    other.setsockopt(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, udp_encaps(stack.udp_ports[0]))
    other.connect(listener.getsockname())
    aborted, _ = listener.accept()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    other.close()
    with pytest.raises(ConnectionResetError):
        aborted.recv(10)
    refused = stack.socket(family)
    refused.setsockopt(c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, udp_encaps(stack.udp_ports[0]))
    with pytest.raises(ConnectionRefusedError):
        refused.connect((loopback(family), 5_000))


def udp_encaps(port: int) -> bytes:
    return structs.UdpEncaps(sue_port=socket.htons(port)).pack()


# --- sockets that nobody holds any more ---


def test_a_dropped_socket_closes(pair: Pair) -> None:
    pair.client.send(b"farewell")
    forget(pair, "client")
    assert receive_all(pair.server) == b"farewell"


def test_a_dropped_listener_stops_listening(pair: Pair) -> None:
    address = pair.listener.getsockname()
    forget(pair, "listener")
    with pytest.raises(ConnectionRefusedError):
        pair.client_stack.socket().connect(address)
    # And frees its port.
    pair.server_stack.socket().bind(address)


def test_a_socket_dropped_while_its_stack_is_busy_closes_soon(pair: Pair) -> None:
    # The garbage collector may run in a thread that holds the stack's lock already.
    lock_held, dropped = threading.Event(), threading.Event()

    class Slow(int):
        """A number that takes its time to be read: setsockopt reads it under the lock."""

        def __int__(self) -> int:
            lock_held.set()
            dropped.wait(10)
            return 1

    setting = call(pair.client_stack.socket().setsockopt, socket.SOL_SOCKET, socket.SO_KEEPALIVE, Slow())
    assert lock_held.wait(10)
    forget(pair, "client")
    dropped.set()
    setting.outcome()
    assert pair.server.recv(10) == b""


def test_dropped_sockets_leave_no_descriptors(stacks: Stacks) -> None:
    stack = stacks()

    def use() -> int:
        sock = stack.socket()
        return sock.fileno()

    numbers = {use() for _ in range(50)}
    gc.collect()
    assert len(numbers) < 50


def forget(pair: Pair, name: str) -> None:
    setattr(pair, name, None)
    gc.collect()


def test_threads_end_with_their_stacks(stacks: Stacks) -> None:
    before = threading.active_count()
    pairs = [connected(stacks) for _ in range(3)]
    assert threading.active_count() > before
    for pair in pairs:
        pair.client_stack.close()
        pair.server_stack.close()
    until(lambda: threading.active_count() == before, "the threads to end")


def test_an_address_is_known_even_if_its_association_is_forgotten_meanwhile(stacks: Stacks) -> None:
    class Interrupted(SctpSocket):
        """Much happens between a call's look at what has arrived and its end."""

        pause: Callable[[], None] | None = None

        def _receive(self, bufsize: int, flags: int) -> Any:
            found = super()._receive(bufsize, flags)
            pause, self.pause = self.pause, None
            if pause is not None:
                pause()
            return found

    def connect() -> SctpSocket:
        clients.append(client_stack.socket())
        clients[-1].connect(server.getsockname())
        clients[-1].send(b"x")
        until(lambda: server._can_read(), "the message")
        return clients[-1]

    def many_come_and_go() -> None:
        for _ in range(25):
            connect()
            assert server.recv(10) == b"x"
        for client in clients:
            client.close()
        until(lambda: not server.associations, "the end of all")
        connect()

    server_stack = stacks()
    server = Interrupted(server_stack._host, socket.AF_INET, socket.SOCK_SEQPACKET)
    server.bind(("127.0.0.1", 0))
    server.listen()
    client_stack = stacks.towards(server_stack)
    clients: list[SctpSocket] = []
    address = connect().getsockname()
    server.pause = many_come_and_go
    assert server.recvfrom(10) == (b"x", address)


def test_to_listen_no_longer_ends_a_blocked_accept(stacks: Stacks) -> None:
    listener = listening(stacks())
    waiting = blocked(listener.accept)
    listener.listen(0)
    expect_errno(errno.EINVAL, waiting.outcome)
