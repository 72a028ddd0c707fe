"""What a program can see of its stack, its associations and their paths."""

from __future__ import annotations

import socket

from loopback import Stacks, listening, until


def test_statistics_of_a_transfer(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client_stack = stacks.towards(server_stack)
    client = client_stack.socket()
    assert client_stack.statistics().associations == ()
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    for _ in range(3):
        client.send(bytes(1_000))
    server.send(b"answer")
    assert client.recv(100) == b"answer"

    until(lambda: client_stack.statistics().associations[0].chunks_acknowledged == 3, "all is acknowledged")
    (seen,) = client_stack.statistics().associations
    assert (seen.state, seen.local_port, seen.peer_port) == (
        "ESTABLISHED",
        client.getsockname()[1],
        listener.getsockname()[1],
    )
    assert (seen.chunks_sent, seen.chunks_retransmitted, seen.bytes_received, seen.bytes_unread) == (3, 0, 6, 0)
    (path,) = seen.paths
    assert (path.address, path.state, path.is_primary, path.is_confirmed) == ("127.0.0.1", "active", True, True)
    assert path.udp_port == server_stack.udp_ports[0]
    assert path.rto >= 1.0
    assert path.srtt is not None

    # The server has not read yet.
    (seen,) = server_stack.statistics().associations
    assert (seen.chunks_received, seen.bytes_received, seen.bytes_unread) == (3, 3_000, 3_000)
    udp = server_stack.statistics().udp[server_stack.udp_ports[0]]
    assert udp.datagrams_received >= 4


def test_discards_are_counted_by_reason(stacks: Stacks) -> None:
    stack = stacks()
    listening(stack)
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"short", ("127.0.0.1", stack.udp_ports[0]))
        stranger.sendto(bytes(12), ("127.0.0.1", stack.udp_ports[0]))
        until(lambda: stack.statistics().counters == {"truncated_packet": 1, "bad_checksum": 1}, "both are counted")
