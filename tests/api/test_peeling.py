"""What becomes of the others, and of calls that wait, when an association is peeled off (RFC 6458 section 9.2)."""

from __future__ import annotations

import errno
import socket

from loopback import Stacks, blocked, expect_errno, fill, listening, readable, receive_message, until, writable

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c

MANY = socket.SOCK_SEQPACKET


def two_associations(stacks: Stacks, **server: int) -> tuple[SctpSocket, list[SctpSocket], list[int]]:
    """A one-to-many server, two one-to-one clients, and the ids of their associations at the server."""
    stack = stacks(path_mtu=1_500, **server)
    sock = listening(stack, type_=MANY)
    clients, ids = [], []
    for _ in range(2):
        clients.append(stacks.towards(stack, path_mtu=1_500).socket())
        clients[-1].connect(sock.getsockname())
        until(lambda: len(sock.associations) == len(clients), "the association")
        ids.append(list(sock.associations)[-1])
    return sock, clients, ids


def test_the_others_do_not_wait_for_the_rest_of_a_message_that_has_left(stacks: Stacks) -> None:
    server, (one, other), (id_, _) = two_associations(stacks, receive_buffer=20_000)
    data = bytes(range(250)) * 400
    one.send(data)
    # It has begun, and no more of it can come until it is read.
    assert readable(server)
    other.send(b"from the other")
    until(lambda: bool(server._waiting), "the other message")
    peeled = server.sctp_peeloff(id_)
    assert server.recv(100) == b"from the other"
    assert receive_message(peeled) == data
    other.send(b"again")
    assert server.recv(100) == b"again"


def test_what_has_been_held_back_for_another_goes_too(stacks: Stacks) -> None:
    server, (one, other), (_, other_id) = two_associations(stacks, receive_buffer=20_000)
    data = bytes(range(250)) * 400
    one.send(data)
    assert readable(server)
    other.send(b"held back")
    until(lambda: bool(server._waiting), "the other message")
    peeled = server.sctp_peeloff(other_id)
    assert peeled.recv(100) == b"held back"
    assert receive_message(server) == data


def test_what_it_had_in_the_send_buffer_is_no_burden_any_more(stacks: Stacks) -> None:
    server, clients, (id_, other_id) = two_associations(stacks)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    assert writable(server)
    fill(server, 1_000, to=clients[0].getsockname())
    assert not writable(server, 0)
    server.sctp_peeloff(id_)
    assert writable(server, 0)
    assert list(server.associations) == [other_id]
    assert clients[0].recv(1_000) == bytes(1_000)


def test_a_call_that_waits_for_its_send_buffer_ends(stacks: Stacks) -> None:
    server, clients, (id_, _) = two_associations(stacks)
    info = structs.SndRcvInfo(sinfo_assoc_id=id_)
    fill(server, 1_000, to=clients[0].getsockname())
    waiting = blocked(server.sctp_send, b"x", info)
    server.sctp_peeloff(id_)
    expect_errno(errno.EPIPE, waiting.outcome)
    assert clients[0].recv(1_000) == bytes(1_000)


def test_priorities_go_on(stacks: Stacks) -> None:
    server, (client, _), (id_, _) = two_associations(stacks)
    low = [
        (c.IPPROTO_SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_assoc_id=id_)),
        (c.IPPROTO_SCTP, c.SCTP_PRINFO, structs.PrInfo(c.SCTP_PR_SCTP_PRIO, 9)),
    ]
    server.setblocking(False)
    full_at = 0
    while full_at < 2:
        try:
            server.sendmsg([bytes(1_000)], low)
        except BlockingIOError:
            full_at += 1
            until(lambda: not server.associations[id_].is_progressing, "the window to close")
    peeled = server.sctp_peeloff(id_)
    peeled.setblocking(False)
    assert peeled.send(b"important") == 9
    assert client.recv(1_000) == bytes(1_000)
