"""Many associations behind sockets: what one of them costs, in calls of functions and bytes, with others beside it."""

from __future__ import annotations

import gc
import socket
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest
from loopback import SHORT_TIMERS, Programs, Stacks, fill, listening, notification, readable, subscribe, until, writable

from pysctpstack import SctpSocket, Stack, structs
from pysctpstack import constants as c

MANY = 150
SOCKET_BYTES = 16_384
"""Bound of what an idle association takes, socket and all."""


def crowd(stacks: Stacks, count: int, **config: Any) -> tuple[SctpSocket, list[SctpSocket], Stack, Stack]:
    """A one-to-many socket with a descriptor, its peers, one-to-one sockets, and the stacks of both."""
    server_stack = stacks(heartbeat_interval=0, **config)
    server = listening(server_stack, type_=socket.SOCK_SEQPACKET)
    server.fileno()
    stack = stacks.towards(server_stack, heartbeat_interval=0, **config)
    peers = []
    for _ in range(count):
        peer = stack.socket()
        peer.connect(server.getsockname())
        peers.append(peer)
    until(lambda: len(server.associations) == count, "every association to be up at the server")
    return server, peers, server_stack, stack


def fewest_calls(work: Callable[[], object], times: int = 30) -> int:
    """Functions that this thread calls for some work, at the least: what else there is to do comes now and then."""
    fewest = sys.maxsize
    for _ in range(times):
        count = 0

        def note(_frame: FrameType, event: str, _arg: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(note)
        try:
            work()
        finally:
            sys.setprofile(None)
        fewest = min(fewest, count)
    return fewest


def test_sending_and_receiving_cost_the_same_calls_beside_many_associations(stacks: Stacks) -> None:
    costs = []
    for count in (2, MANY):
        server, peers, *_ = crowd(stacks, count)
        peer = peers[-1]
        peer.setsockopt(c.IPPROTO_SCTP, c.SCTP_NODELAY, 1)

        def receive(server: SctpSocket = server, peer: SctpSocket = peer) -> None:
            peer.send(b"to the server")
            assert readable(server)

        sending = fewest_calls(partial(server.sendto, b"x", peer.getsockname()))
        receiving = []
        for _ in range(20):
            receive()
            receiving.append(fewest_calls(partial(server.recv, 100), 1))
        costs.append((sending, min(receiving)))
    few, many = costs
    assert abs(few[0] - many[0]) <= 10, costs
    assert abs(few[1] - many[1]) <= 10, costs


def test_a_one_to_many_socket_is_writable_while_its_send_buffer_has_room(stacks: Stacks) -> None:
    """SO_SNDBUF holds for all its associations together; what one of them frees, and what ends with one, is room."""
    server, peers, *_ = crowd(stacks, 3, receive_buffer=20_000)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 60_000)
    limit = server.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    assert writable(server, 0)
    server.setblocking(False)
    sent = 0
    # Nobody reads.
    for peer in peers:
        for _ in range(int(limit * 0.45) // 1_000 + 20):
            server.sendto(bytes(1_000), peer.getsockname())
            sent += 1

    def buffered() -> int:
        return sum(association.send_buffered for association in server.associations.values())

    assert not writable(server, 0)
    assert buffered() >= limit
    peers[0].settimeout(5.0)
    read = 0
    while not writable(server, 0.05):
        read += len(peers[0].recv(10_000))
    assert buffered() < limit
    # And full again, until one of the associations is gone with all that it had.
    while writable(server, 0):
        server.sendto(bytes(1_000), peers[1].getsockname())
    peers[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peers[1].close()
    assert writable(server)
    assert len(server.associations) == 2
    assert buffered() < limit


TWO_PEERS = """
    import sys
    from pysctpstack import Config, Stack
    stack = Stack(Config(udp_port=0, remote_udp_port=int(sys.argv[1])))
    sockets = [stack.socket() for _ in range(2)]
    for sock in sockets:
        sock.connect(("127.0.0.1", int(sys.argv[2])))
    print(*(sock.getsockname()[1] for sock in sockets), flush=True)
    sys.stdin.read()
"""


def test_notifications_of_paths_tell_the_port_of_their_own_association(stacks: Stacks, programs: Programs) -> None:
    """Peers on one host differ in their ports only."""
    server_stack = stacks(**SHORT_TIMERS)
    server = listening(server_stack, type_=socket.SOCK_SEQPACKET)
    subscribe(server, c.SCTP_PEER_ADDR_CHANGE)
    program = programs(TWO_PEERS, server_stack.udp_ports[0], server.getsockname()[1])
    ports = set(map(int, program.line().split()))
    program.kill()
    changes = [notification(server), notification(server)]
    assert all(isinstance(change, structs.PaddrChange) for change in changes)
    assert {change.spc_state for change in changes} == {c.SCTP_ADDR_UNREACHABLE}  # type: ignore[attr-defined]
    assert {change.spc_aaddr[1] for change in changes} == ports  # type: ignore[attr-defined]


def test_a_reader_that_does_not_read_holds_every_sender_back(stacks: Stacks) -> None:
    """By a_rwnd, which closes, and then by SO_SNDBUF: memory stays within the buffers at both ends."""
    buffer = 30_000
    server, peers, server_stack, client_stack = crowd(stacks, 10, receive_buffer=buffer, send_buffer=buffer)
    offered = 0
    for peer in peers:
        offered += fill(peer) * 1_400
    at_server = server_stack.statistics().associations
    for association in at_server:
        assert association.bytes_unread + association.bytes_held <= buffer + 1_400
        assert association.a_rwnd < 1_400
    queued = [association.bytes_buffered for association in client_stack.statistics().associations]
    assert all(buffer <= size < buffer + 1_400 for size in queued)
    assert offered == sum(queued) + sum(association.bytes_received for association in at_server)
    # And all of it arrives when it is read.
    received = 0
    while received < offered:
        received += len(server.recv(10_000))
    assert received == offered


@pytest.mark.parametrize("type_", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET], ids=["one-to-one", "one-to-many"])
def test_an_idle_association_with_its_socket_is_small(stacks: Stacks, type_: int) -> None:
    server_stack = stacks(heartbeat_interval=0)
    server = listening(server_stack, type_=type_)
    client_stack = stacks.towards(server_stack, heartbeat_interval=0)
    held: list[SctpSocket] = []

    def connect(count: int) -> None:
        for _ in range(count):
            client = client_stack.socket()
            client.connect(server.getsockname())
            held.append(client)
            if type_ == socket.SOCK_STREAM:
                held.append(server.accept()[0])

    connect(10)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        connect(MANY)
        until(lambda: len(server_stack.statistics().associations) == 10 + MANY, "every association to be up")
        gc.collect()
        size = (tracemalloc.get_traced_memory()[0] - before) / (2 * MANY)
    finally:
        tracemalloc.stop()
    assert size < SOCKET_BYTES


def test_associations_that_end_leave_nothing_behind_in_a_one_to_many_socket(stacks: Stacks) -> None:
    server, _, _, client_stack = crowd(stacks, 0)

    def visit(count: int) -> None:
        for _ in range(count):
            with client_stack.socket() as client:
                client.connect(server.getsockname())
                client.send(b"x")
                assert server.recv(10) == b"x"
        until(lambda: not server.associations, "the associations to end")

    visit(60)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        visit(300)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 300 * 256


def test_an_ephemeral_port_whose_association_still_closes_is_not_taken(
    stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pysctpstack.stack.EPHEMERAL_PORTS", range(40_000, 40_008))
    server, _, _, client_stack = crowd(stacks, 0)
    for _ in range(4):
        # Nobody reads what it has sent, so that it can't end.
        with client_stack.socket() as client:
            client.connect(server.getsockname())
            fill(client)
    for _ in range(20):
        with client_stack.socket() as client:
            client.connect(server.getsockname())
        until(lambda: len(client_stack.statistics().associations) == 4, "it to end")
