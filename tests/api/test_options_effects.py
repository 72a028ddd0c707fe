"""What options of messages and associations do, over real UDP."""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
import struct

import pytest
from loopback import (
    Pair,
    Stacks,
    assoc_change,
    blocked,
    connected,
    expect_errno,
    fill,
    ipv6,
    listening,
    notification,
    receive_message,
    subscribe,
    until,
    writable,
)

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c
from pysctpstack.structs.sockaddr import pack_sockaddr_list

SCTP = c.IPPROTO_SCTP
MANY = socket.SOCK_SEQPACKET


def many(stacks: Stacks, number: int = 1) -> tuple[SctpSocket, list[SctpSocket]]:
    """A one-to-many server and so many one-to-many clients with an association."""
    server_stack = stacks()
    server = listening(server_stack, type_=MANY)
    clients = []
    for _ in range(number):
        sock = stacks.towards(server_stack).socket(socket.AF_INET, MANY)
        sock.connect(server.getsockname())
        clients.append(sock)
    until(lambda: len(server.associations) == number, "the associations")
    return server, clients


# --- sizes ---


def test_disable_fragments(pair: Pair) -> None:
    pair.client.setsockopt(SCTP, c.SCTP_MAXSEG, 1_000)
    pair.client.setsockopt(SCTP, c.SCTP_DISABLE_FRAGMENTS, 1)
    expect_errno(errno.EMSGSIZE, pair.client.send, bytes(1_001))
    expect_errno(errno.EMSGSIZE, pair.client.sctp_sendmsg, bytes(1_001), None, 0, 0, 1)
    assert pair.client.send(bytes(1_000)) == 1_000
    pair.client.setsockopt(SCTP, c.SCTP_DISABLE_FRAGMENTS, 0)
    assert pair.client.send(bytes(1_001)) == 1_001
    assert [len(receive_message(pair.server)) for _ in range(2)] == [1_000, 1_001]


def test_maxseg_bounds_and_rounding(pair: Pair) -> None:
    for sock in (pair.client, pair.client_stack.socket()):
        for bad in (1, 455, 65_517):
            expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_MAXSEG, bad)
        for good in (456, 511, 65_516, 0):
            sock.setsockopt(SCTP, c.SCTP_MAXSEG, structs.AssocValue(0, good))
    pair.client.setsockopt(SCTP, c.SCTP_MAXSEG, 511)
    assert pair.client.getsockopt(SCTP, c.SCTP_MAXSEG) == 508


# --- defaults of messages ---


def test_default_sndinfo_is_for_messages_that_say_nothing(pair: Pair) -> None:
    client, server = pair.ends
    server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    client.setsockopt(SCTP, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo(5, c.SCTP_UNORDERED, socket.htonl(9), 7))
    client.send(b"default")
    client.sendmsg([b"with"], [(SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_sid=1))])
    client.sendmsg([b"policy"], [(SCTP, c.SCTP_PRINFO, structs.PrInfo())])
    found = {}
    for _ in range(3):
        data, [(_, _, raw)], _, _ = server.recvmsg(100, 200)
        info = structs.RcvInfo.unpack(raw)
        found[data] = (info.rcv_sid, info.rcv_flags, socket.ntohl(info.rcv_ppid))
    assert found == {
        b"default": (5, c.SCTP_UNORDERED, 9),
        b"with": (1, 0, 0),
        # SCTP_PRINFO replaces the flags, and the rest stays.
        b"policy": (5, 0, 9),
    }
    client.setsockopt(SCTP, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo(snd_sid=99))
    expect_errno(errno.EINVAL, client.send, b"no such stream")
    # SCTP_EOF and SCTP_ABORT by default end nothing.
    for flag in (c.SCTP_EOF, c.SCTP_ABORT, c.SCTP_ADDR_OVER):
        client.setsockopt(SCTP, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo(snd_flags=flag))
        assert client.send(b"more") == 4
        assert server.recv(10) == b"more"


def test_defaults_are_one_state_in_three_options(pair: Pair) -> None:
    sock = pair.client
    sock.setsockopt(SCTP, c.SCTP_DEFAULT_SEND_PARAM, structs.SndRcvInfo(1, 9, 1, 2, 3, 4, 5, 6))
    sock.setsockopt(SCTP, c.SCTP_DEFAULT_PRINFO, structs.DefaultPrInfo(0, 50, c.SCTP_PR_SCTP_RTX))
    got = sock.getsockopt(SCTP, c.SCTP_DEFAULT_SEND_PARAM, structs.SndRcvInfo())
    assert got == structs.SndRcvInfo(1, 0, 1 | c.SCTP_PR_SCTP_RTX, 2, 3, 50)
    assert sock.getsockopt(SCTP, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo()).snd_flags == 1 | c.SCTP_PR_SCTP_RTX
    for flags in (c.SCTP_PR_SCTP_TTL, c.SCTP_SENDALL, c.SCTP_SACK_IMMEDIATELY, 0x400):
        expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo(snd_flags=flags))
    for policy in (1, 0x40, c.SCTP_PR_SCTP_TTL | 1):
        wanted = structs.DefaultPrInfo(0, 5, policy)
        expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_DEFAULT_PRINFO, wanted)
    sock.setsockopt(SCTP, c.SCTP_DEFAULT_PRINFO, structs.DefaultPrInfo(0, 50, c.SCTP_PR_SCTP_NONE))
    assert sock.getsockopt(SCTP, c.SCTP_DEFAULT_PRINFO, structs.DefaultPrInfo()) == structs.DefaultPrInfo()


def test_context_comes_with_what_is_received(stacks: Stacks) -> None:
    server, clients = many(stacks, 2)
    server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    expected = {}
    for number, id_ in enumerate(server.associations, 100):
        server.setsockopt(SCTP, c.SCTP_CONTEXT, structs.AssocValue(id_, number))
        expected[id_] = number
    for client in clients:
        client.sendmsg([b"x"], [(SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_assoc_id=next(iter(client.associations))))])
    found = [structs.RcvInfo.unpack(server.recvmsg(10, 100)[1][0][2]) for _ in clients]
    assert {info.rcv_assoc_id: info.rcv_context for info in found} == expected


# --- partial reliability (RFC 7496) ---


def _status(sock: SctpSocket, policy: int, stream: int | None = None) -> tuple[int, int]:
    """Messages given up: unsent, sent."""
    option = c.SCTP_PR_ASSOC_STATUS if stream is None else c.SCTP_PR_STREAM_STATUS
    status = sock.getsockopt(SCTP, option, structs.PrStatus(sprstat_sid=stream or 0, sprstat_policy=policy))
    return status.sprstat_abandoned_unsent, status.sprstat_abandoned_sent


def _prinfo(policy: int, value: int, stream: int = 0) -> list[tuple[int, int, bytes]]:
    return [
        (SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_sid=stream).pack()),
        (SCTP, c.SCTP_PRINFO, structs.PrInfo(policy, value).pack()),
    ]


def send_until_full(sock: SctpSocket, how: list[tuple[int, int, bytes]]) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.sendmsg([bytes(1_000)], how)


def full(stacks: Stacks) -> Pair:
    """A client with a send buffer of 100,000 bytes that a closed window keeps full."""
    pair = connected(stacks, server={"receive_buffer": 20_000})
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
    fill(pair.client, 1_000)
    return pair


def test_a_lapsed_life_time_is_counted(stacks: Stacks) -> None:
    pair = full(stacks)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    subscribe(pair.client, c.SCTP_SEND_FAILED_EVENT)
    pair.client.sendmsg([b"brief"], _prinfo(c.SCTP_PR_SCTP_TTL, 50, 3))
    failed = notification(pair.client)
    assert isinstance(failed, structs.SendFailedEvent)
    assert failed.ssf_data == b"brief"
    for policy in (c.SCTP_PR_SCTP_TTL, c.SCTP_PR_SCTP_ALL):
        assert _status(pair.client, policy) == _status(pair.client, policy, 3) == (1, 0)
    assert _status(pair.client, c.SCTP_PR_SCTP_TTL, 2) == _status(pair.client, c.SCTP_PR_SCTP_RTX) == (0, 0)


def test_priorities_make_room(stacks: Stacks) -> None:
    """RFC 7496 section 4.2: when the send buffer is full, messages of a lower priority go."""
    pair = connected(stacks, server={"receive_buffer": 20_000})
    client = pair.client
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
    client.setblocking(False)
    send_until_full(client, _prinfo(c.SCTP_PR_SCTP_PRIO, 10, 1))
    until(lambda: client.getsockopt(SCTP, c.SCTP_STATUS, structs.Status()).sstat_rwnd < 1_000, "the window to close")
    send_until_full(client, _prinfo(c.SCTP_PR_SCTP_PRIO, 10, 1))
    assert _status(client, c.SCTP_PR_SCTP_PRIO) == (0, 0)
    subscribe(client, c.SCTP_SEND_FAILED_EVENT)
    # Not for one of the same priority; for one of a higher.
    assert client.sendmsg([b"A" * 5_000], _prinfo(c.SCTP_PR_SCTP_PRIO, 9, 2)) == 5_000
    unsent, sent = _status(client, c.SCTP_PR_SCTP_PRIO, 1)
    assert unsent + sent >= 5
    failed = [notification(client) for _ in range(unsent + sent)]
    assert all(isinstance(one, structs.SendFailedEvent) and one.ssf_data == bytes(1_000) for one in failed)
    expect_errno(errno.EAGAIN, client.recv, 10)


def test_a_message_without_a_policy_makes_room_too(stacks: Stacks) -> None:
    pair = full(stacks)
    client = pair.client
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    client.setblocking(False)
    # The last one leaves some room, though not enough.
    client.sendmsg([bytes(99_000)], _prinfo(c.SCTP_PR_SCTP_PRIO, 10, 1))
    assert client.send(b"A" * 5_000) == 5_000
    unsent, sent = _status(client, c.SCTP_PR_SCTP_PRIO, 1)
    assert unsent + sent == 1


def test_what_made_room_is_reported_although_it_was_not_enough(stacks: Stacks) -> None:
    pair = full(stacks)
    client = pair.client
    subscribe(client, c.SCTP_SEND_FAILED_EVENT)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 51_000)
    client.setblocking(False)
    client.sendmsg([b"z" * 1_000], _prinfo(c.SCTP_PR_SCTP_PRIO, 10, 1))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 40_000)
    expect_errno(errno.EAGAIN, client.sendmsg, [b"x"], _prinfo(c.SCTP_PR_SCTP_PRIO, 5, 1))
    failed = notification(client)
    assert isinstance(failed, structs.SendFailedEvent)
    assert failed.ssf_data == b"z" * 1_000


def test_a_larger_send_buffer_lets_the_waiting_go_on(stacks: Stacks) -> None:
    pair = full(stacks)
    client = pair.client
    assert not writable(client, 0)
    waiting = blocked(client.send, b"x")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    assert writable(client, 0)
    assert waiting.outcome() == 1


def test_pr_supported_is_what_both_ends_offer(stacks: Stacks) -> None:
    def prepare(sock: SctpSocket) -> None:
        offers.append(len(offers) == 0)
        sock.setsockopt(SCTP, c.SCTP_PR_SUPPORTED, structs.AssocValue(0, int(offers[-1])))

    offers: list[bool] = []
    pair = connected(stacks, prepare=prepare)
    for sock in pair.ends:
        assert sock.getsockopt(SCTP, c.SCTP_PR_SUPPORTED, structs.AssocValue()).assoc_value == 0
    assert connected(stacks).client.getsockopt(SCTP, c.SCTP_PR_SUPPORTED, structs.AssocValue()).assoc_value == 1


def test_pr_status_refuses(pair: Pair) -> None:
    for policy in (0, 0x40, c.SCTP_PR_SCTP_ALL | c.SCTP_PR_SCTP_TTL):
        for option in (c.SCTP_PR_STREAM_STATUS, c.SCTP_PR_ASSOC_STATUS):
            expect_errno(errno.EINVAL, pair.client.getsockopt, SCTP, option, structs.PrStatus(sprstat_policy=policy))
    beyond = structs.PrStatus(sprstat_sid=10, sprstat_policy=c.SCTP_PR_SCTP_TTL)
    expect_errno(errno.EINVAL, pair.client.getsockopt, SCTP, c.SCTP_PR_STREAM_STATUS, beyond)
    pair.client.getsockopt(SCTP, c.SCTP_PR_ASSOC_STATUS, beyond)


# --- the association as a whole ---


def test_autoclose_ends_idle_associations(stacks: Stacks) -> None:
    server_stack = stacks()
    server = listening(server_stack, type_=MANY)
    sock = stacks.towards(server_stack).socket(socket.AF_INET, MANY)
    subscribe(sock, c.SCTP_ASSOC_CHANGE)
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_AUTOCLOSE, bytes(5))
    sock.setsockopt(SCTP, c.SCTP_AUTOCLOSE, -1)
    assert sock.getsockopt(SCTP, c.SCTP_AUTOCLOSE) == 21_474_836
    sock.setsockopt(SCTP, c.SCTP_AUTOCLOSE, 1)
    sock.sendto(b"x", server.getsockname())
    up = assoc_change(sock, c.SCTP_COMM_UP)
    over = assoc_change(sock, c.SCTP_SHUTDOWN_COMP)
    assert over.sac_assoc_id == up.sac_assoc_id
    assert sock.getsockopt(SCTP, c.SCTP_GET_ASSOC_NUMBER) == 0


def test_assoc_number_and_ids(stacks: Stacks) -> None:
    server, clients = many(stacks, 3)
    ids = sorted(server.associations)
    assert server.getsockopt(SCTP, c.SCTP_GET_ASSOC_NUMBER) == 3
    assert sorted(server.getsockopt(SCTP, c.SCTP_GET_ASSOC_ID_LIST, structs.AssocIds()).gaids_assoc_id) == ids
    expect_errno(errno.EINVAL, server.getsockopt, SCTP, c.SCTP_GET_ASSOC_ID_LIST, bytes(15))
    assert sorted(struct.unpack_from("3i", server.getsockopt(SCTP, c.SCTP_GET_ASSOC_ID_LIST, 16), 4)) == ids
    clients[0].close()
    until(lambda: len(server.associations) == 2, "the end of one")
    assert server.getsockopt(SCTP, c.SCTP_GET_ASSOC_NUMBER) == 2


def test_adaptation_indication(stacks: Stacks) -> None:
    def prepare(sock: SctpSocket) -> None:
        sock.setsockopt(SCTP, c.SCTP_ADAPTATION_LAYER, codes.pop())
        subscribe(sock, c.SCTP_ASSOC_CHANGE, c.SCTP_ADAPTATION_INDICATION)

    codes = [0x7FFF_0002, 0x0000_0001]
    pair = connected(stacks, prepare=prepare)
    # The listening socket came first.
    for sock, expected in ((pair.client, 0x0000_0001), (pair.server, 0x7FFF_0002)):
        up = assoc_change(sock, c.SCTP_COMM_UP)
        told = notification(sock)
        assert isinstance(told, structs.AdaptationEvent)
        assert (told.sai_adaptation_ind, told.sai_assoc_id) == (expected, up.sac_assoc_id)
        assert told.sai_length == 16


def test_no_adaptation_indication_without_one(stacks: Stacks) -> None:
    pair = connected(stacks, prepare=lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE, c.SCTP_ADAPTATION_INDICATION))
    assoc_change(pair.client, c.SCTP_COMM_UP)
    expect_errno(errno.EAGAIN, pair.client.recv, 100, socket.MSG_DONTWAIT)


def test_peers_without_authentication_are_told_of(stacks: Stacks) -> None:
    pair = connected(stacks, prepare=lambda sock: subscribe(sock, c.SCTP_ASSOC_CHANGE, c.SCTP_AUTHENTICATION_EVENT))
    for sock in pair.ends:
        up = assoc_change(sock, c.SCTP_COMM_UP)
        told = notification(sock)
        assert isinstance(told, structs.AuthkeyEvent)
        assert (told.auth_indication, told.auth_assoc_id) == (c.SCTP_AUTH_NO_AUTH, up.sac_assoc_id)


# --- partial delivery ---


def test_partial_delivery_point(stacks: Stacks) -> None:
    def prepare(sock: SctpSocket) -> None:
        sock.setsockopt(SCTP, c.SCTP_PARTIAL_DELIVERY_POINT, 5_000)

    pair = connected(stacks, prepare=prepare, gso=False, gro=False)
    pair.client.setsockopt(SCTP, c.SCTP_MAXSEG, 1_000)
    half = pair.server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    expect_errno(errno.EINVAL, pair.server.setsockopt, SCTP, c.SCTP_PARTIAL_DELIVERY_POINT, half + 1)
    message = bytes(range(256)) * 400
    pair.client.send(message)
    pieces = []
    while True:
        data, _, msg_flags, _ = pair.server.recvmsg(1 << 20)
        pieces.append(data)
        if msg_flags & socket.MSG_EOR:
            break
    assert b"".join(pieces) == message
    assert len(pieces) > 1
    assert len(pieces[0]) >= 5_000


# --- addresses ---


@ipv6
def test_mapped_addresses(stacks: Stacks) -> None:
    server_stack = stacks()
    server = server_stack.socket(socket.AF_INET6)
    server.bind(("::", 0))
    server.listen()
    port = server.getsockname()[1]
    client = stacks.towards(server_stack).socket(socket.AF_INET)
    client.connect(("127.0.0.1", port))
    accepted, address = server.accept()
    mine = client.getsockname()[1]
    assert address == ("::ffff:127.0.0.1", mine, 0, 0)
    accepted.setsockopt(SCTP, c.SCTP_I_WANT_MAPPED_V4_ADDR, 0)
    assert accepted.getpeername() == ("127.0.0.1", mine)
    client.send(b"x")
    assert accepted.recvfrom(10) == (b"x", ("127.0.0.1", mine))
    status = accepted.getsockopt(SCTP, c.SCTP_STATUS, structs.Status())
    assert status.sstat_primary.spinfo_address == ("127.0.0.1", mine)


@ipv6
def test_v6only_leaves_ipv4_alone(stacks: Stacks) -> None:
    server_stack = stacks()
    server = server_stack.socket(socket.AF_INET6)
    assert server.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 0
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind(("::", 0))
    expect_errno(errno.EINVAL, server.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.listen()
    port = server.getsockname()[1]
    client_stack = stacks.towards(server_stack)
    client_stack.socket(socket.AF_INET6).connect(("::1", port))
    expect_errno(errno.ECONNREFUSED, client_stack.socket(socket.AF_INET).connect, ("127.0.0.1", port))
    only = client_stack.socket(socket.AF_INET6)
    only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    expect_errno(errno.EINVAL, only.connect, ("::ffff:127.0.0.1", port))


@pytest.mark.parametrize(
    ("level", "option"),
    [(SCTP, c.SCTP_REUSE_PORT), (socket.SOL_SOCKET, socket.SO_REUSEADDR)],
)
def test_sockets_that_share_a_port(stacks: Stacks, level: int, option: int) -> None:
    stack = stacks()
    socks = [stack.socket() for _ in range(3)]
    for sock in socks[:2]:
        sock.setsockopt(level, option, 1)
    socks[0].bind(("127.0.0.1", 0))
    socks[1].bind(socks[0].getsockname())
    expect_errno(errno.EADDRINUSE, socks[2].bind, socks[0].getsockname())
    socks[0].listen()
    expect_errno(errno.EADDRINUSE, socks[1].listen)
    late = stack.socket()
    late.setsockopt(level, option, 1)
    expect_errno(errno.EADDRINUSE, late.bind, socks[0].getsockname())


@pytest.mark.parametrize("interleaves", [False, True])
def test_fragment_interleave(stacks: Stacks, interleaves: bool) -> None:
    """Without it, a message that is delivered in pieces is not interrupted by those of other associations."""
    server_stack = stacks(receive_buffer=20_000)
    server = listening(server_stack, type_=MANY)
    server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    if interleaves:
        server.setsockopt(SCTP, c.SCTP_FRAGMENT_INTERLEAVE, 1)
    first, second = (stacks.towards(server_stack).socket() for _ in range(2))
    for sock in (first, second):
        sock.connect(server.getsockname())
    long = bytes(100_000)
    first.send(long)
    # It is larger than the buffer, so that its beginning has to be handed over.
    until(lambda: server._can_read(), "the beginning")
    second.send(b"short")
    until(lambda: sum(bool(a.tcb.receiver.received) for a in server.associations.values()) == 2, "the other message")
    order = []
    left = len(long) + len(b"short")
    while left:
        data, [(_, _, raw)], _, _ = server.recvmsg(4_000, 100)
        left -= len(data)
        order.append(structs.RcvInfo.unpack(raw).rcv_assoc_id)
    changes = sum(one != other for one, other in itertools.pairwise(order))
    assert changes == (2 if interleaves else 1)


def test_interleaving_that_is_switched_on_leaves_nobody_behind(stacks: Stacks) -> None:
    server_stack = stacks(receive_buffer=20_000, path_mtu=1_500)
    server = listening(server_stack, type_=MANY)
    one, other = (stacks.towards(server_stack, path_mtu=1_500).socket() for _ in range(2))
    for client in (one, other):
        client.connect(server.getsockname())
    data = bytes(range(250)) * 400
    one.send(data)
    until(lambda: server._can_read(), "the first part")
    other.send(b"from the other")
    until(lambda: bool(server._waiting), "the other message")
    server.setsockopt(SCTP, c.SCTP_FRAGMENT_INTERLEAVE, 1)
    assert receive_message(server) == data
    assert server.recv(100) == b"from the other"


# --- peeling off ---


def test_peeloff(stacks: Stacks) -> None:
    server, (one, other) = many(stacks, 2)
    ids = list(server.associations)
    one_id = next(id_ for id_ in ids if server.sctp_getpaddrs(id_)[0][1] == one.getsockname()[1])
    one.sendto(b"unread", server.getsockname())
    until(lambda: server._can_read(), "the message")
    peeled = server.sctp_peeloff(one_id)
    assert peeled.type == MANY
    assert list(server.associations) == [id_ for id_ in ids if id_ != one_id]
    assert peeled.getpeername() == ("127.0.0.1", one.getsockname()[1])
    assert peeled.recv(100) == b"unread"
    expect_errno(errno.EAGAIN, server.recv, 100, socket.MSG_DONTWAIT)
    peeled.send(b"answer")
    assert one.recv(100) == b"answer"
    other.sendto(b"to the rest", server.getsockname())
    assert server.recv(100) == b"to the rest"
    one.sendto(b"to the new one", server.getsockname())
    assert peeled.recv(100) == b"to the new one"
    # Its own id is ignored, as on one-to-one sockets.
    assert peeled.getsockopt(SCTP, c.SCTP_STATUS, structs.Status(9_999)).sstat_state == c.SCTP_ESTABLISHED
    for refused in (one_id, 9_999, 0):
        expect_errno(errno.EINVAL, server.sctp_peeloff, refused)
    expect_errno(errno.EINVAL, peeled.sctp_peeloff, one_id)
    # The one-to-many socket may go.
    server.close()
    one.sendto(b"still", peeled.getsockname())
    assert peeled.recv(100) == b"still"


def test_peeloff_takes_a_message_that_has_been_begun(stacks: Stacks) -> None:
    server, (sock,) = many(stacks)
    sock.sendto(b"0123456789", server.getsockname())
    assert server.recv(4) == b"0123"
    (id_,) = server.associations
    peeled = server.sctp_peeloff(id_)
    assert peeled.recv(100) == b"456789"


def test_a_peeled_socket_keeps_its_subscriptions_and_may_abort(stacks: Stacks) -> None:
    server, (sock,) = many(stacks)
    subscribe(sock, c.SCTP_ASSOC_CHANGE)
    (id_,) = server.associations
    server.setsockopt(SCTP, c.SCTP_EVENT, structs.Event(id_, c.SCTP_SHUTDOWN_EVENT, 1))
    peeled = server.sctp_peeloff(id_)
    asked = structs.Event(0, c.SCTP_SHUTDOWN_EVENT)
    assert peeled.getsockopt(SCTP, c.SCTP_EVENT, asked).se_on == 1
    assert peeled.sctp_sendmsg(b"reason", flags=c.SCTP_ABORT) == 0
    lost = assoc_change(sock, c.SCTP_COMM_LOST)
    assert lost.sac_info[4:] == b"reason"


@pytest.mark.parametrize("option", [c.SCTP_SOCKOPT_PEELOFF, c.SCTP_SOCKOPT_PEELOFF_FLAGS])
def test_the_option_behind_peeloff(stacks: Stacks, option: int) -> None:
    server, _ = many(stacks)
    (id_,) = server.associations
    asked = structs.PeeloffArg(id_)
    if option == c.SCTP_SOCKOPT_PEELOFF:
        expect_errno(errno.EINVAL, server.getsockopt, SCTP, option, structs.PeeloffArg(99))
        descriptor = server.getsockopt(SCTP, option, asked).sd
    else:
        descriptor = server.getsockopt(SCTP, option, structs.PeeloffFlagsArg(asked, socket.SOCK_NONBLOCK)).p_arg.sd
    assert descriptor >= 0
    assert not server.associations
    peeled = server.peeled(descriptor)
    assert peeled.fileno() == descriptor
    assert peeled.getblocking() == (option == c.SCTP_SOCKOPT_PEELOFF)
    expect_errno(errno.EBADF, server.peeled, descriptor)


# --- options behind functions ---


def test_options_behind_bindx_and_connectx(stacks: Stacks) -> None:
    pack = pack_sockaddr_list
    server_stack = stacks()
    server = server_stack.socket()
    server.setsockopt(SCTP, c.SCTP_SOCKOPT_BINDX_ADD, pack([("127.0.0.1", 0)]))
    port = server.getsockname()[1]
    server.setsockopt(SCTP, c.SCTP_SOCKOPT_BINDX_ADD, pack([("127.0.0.2", port), ("127.0.0.3", port)]))
    server.setsockopt(SCTP, c.SCTP_SOCKOPT_BINDX_REM, pack([("127.0.0.3", port)]))
    listed = server.getsockopt(SCTP, c.SCTP_GET_LOCAL_ADDRS, structs.GetAddrs())
    assert listed.addrs == [("127.0.0.1", port), ("127.0.0.2", port)]
    for bad in (b"", b"\2\0", bytes(16), b"\x63\0" + bytes(14)):
        expect_errno(errno.EINVAL, server.setsockopt, SCTP, c.SCTP_SOCKOPT_BINDX_ADD, bad)
    server.listen()
    for option in (c.SCTP_SOCKOPT_CONNECTX, c.SCTP_SOCKOPT_CONNECTX_OLD):
        client = stacks.towards(server_stack).socket()
        client.setsockopt(SCTP, option, pack([("127.0.0.1", port), ("127.0.0.2", port)]))
        listed = client.getsockopt(SCTP, c.SCTP_GET_PEER_ADDRS, structs.GetAddrs())
        assert listed.addrs == [("127.0.0.1", port), ("127.0.0.2", port)]
        expect_errno(errno.ENOMEM, client.getsockopt, SCTP, c.SCTP_GET_PEER_ADDRS, bytes(39))
        expect_errno(errno.EINVAL, client.getsockopt, SCTP, c.SCTP_GET_PEER_ADDRS, bytes(7))
        expect_errno(errno.ENOPROTOOPT, client.getsockopt, SCTP, option, bytes(16))
        expect_errno(errno.ENOPROTOOPT, client.setsockopt, SCTP, c.SCTP_GET_PEER_ADDRS, bytes(16))


# --- statistics ---


def test_assoc_stats(stacks: Stacks) -> None:
    pair = connected(stacks, gso=False, gro=False)
    client, server = pair.ends
    client.setsockopt(SCTP, c.SCTP_MAXSEG, 1_000)
    client.setsockopt(SCTP, c.SCTP_NODELAY, 1)
    for flags in (0, c.SCTP_UNORDERED):
        client.sctp_sendmsg(bytes(2_500), flags=flags)
        assert len(receive_message(server)) == 2_500
    client.sctp_sendmsg(b"x", flags=c.SCTP_UNORDERED)
    assert server.recv(10) == b"x"
    until(lambda: client.getsockopt(SCTP, c.SCTP_STATUS, structs.Status()).sstat_unackdata == 0, "the last SACK")
    mine = client.getsockopt(SCTP, c.SCTP_GET_ASSOC_STATS, structs.AssocStats())
    theirs = server.getsockopt(SCTP, c.SCTP_GET_ASSOC_STATS, structs.AssocStats())
    assert (mine.sas_oodchunks, mine.sas_ouodchunks) == (theirs.sas_iodchunks, theirs.sas_iuodchunks) == (3, 4)
    assert (theirs.sas_oodchunks, theirs.sas_ouodchunks) == (mine.sas_iodchunks, mine.sas_iuodchunks) == (0, 0)
    assert (mine.sas_rtxchunks, theirs.sas_idupchunks, theirs.sas_outofseqtsns, mine.sas_gapcnt) == (0, 0, 0, 0)
    assert mine.sas_isacks == theirs.sas_osacks >= 1
    assert mine.sas_osacks == 0
    assert mine.sas_opackets >= 4
    assert mine.sas_ipackets >= 1
    assert mine.sas_obs_rto_ipaddr == client.getpeername()
    assert mine.sas_maxrto >= 1_000
    expect_errno(errno.EINVAL, client.getsockopt, SCTP, c.SCTP_GET_ASSOC_STATS, bytes(3))
    assert client.getsockopt(SCTP, c.SCTP_GET_ASSOC_STATS, bytes(4)) == bytes(4)
    expect_errno(errno.EINVAL, pair.client_stack.socket().getsockopt, SCTP, c.SCTP_GET_ASSOC_STATS, bytes(256))


def test_a_peeled_socket_counts_as_one_to_many(stacks: Stacks) -> None:
    server, _ = many(stacks)
    (id_,) = server.associations
    peeled = server.sctp_peeloff(id_)
    assert peeled.getsockopt(SCTP, c.SCTP_AUTOCLOSE) == 0
    assert peeled.getsockopt(SCTP, c.SCTP_GET_ASSOC_NUMBER) == 1
    peeled.shutdown(socket.SHUT_WR)
    assert peeled.send(b"x") == 1
