"""Messages of every size, whole and exactly once, however they are sent and read."""

from __future__ import annotations

import random
import socket
import time
from collections import defaultdict

import pytest
from loopback import Pair, Stacks, call, connected, listening, receive_message, subscribe, until

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c


def pattern(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def test_every_size_around_the_limits_of_packets(pair: Pair) -> None:
    sizes = [1, 2, 3, 4, 5, 1_452, 1_453, 65_451, 65_452, 65_453, 65_507, 65_508, 65_535, 65_536, 131_072, 200_000]
    sending = call(lambda: [pair.client.send(pattern(size, size)) for size in sizes])
    for size in sizes:
        assert receive_message(pair.server) == pattern(size, size)
    assert sending.outcome() == sizes


def numbered(number: int, seed: int) -> bytes:
    return number.to_bytes(4, "big") + pattern(number * 997 % 20_000, seed + number)


def send_on_three_streams(sock: SctpSocket, count: int, seed: int) -> None:
    for number in range(count):
        sock.sctp_sendmsg(numbered(number, seed), stream_no=number % 3, ppid=socket.htonl(number))


def receive_by_stream(sock: SctpSocket, count: int) -> dict[int, list[bytes]]:
    sock.setsockopt(c.IPPROTO_SCTP, c.SCTP_EVENTS, structs.EventSubscribe(sctp_data_io_event=1))
    found = defaultdict(list)
    for _ in range(count):
        data, _, info, msg_flags = sock.sctp_recvmsg(30_000)
        assert msg_flags == socket.MSG_EOR
        assert socket.ntohl(info.sinfo_ppid) == int.from_bytes(data[:4], "big")
        found[info.sinfo_stream].append(data)
    return found


@pytest.mark.parametrize("path_mtu", [0, 1_500, 600])
def test_three_streams_both_ways_at_once(stacks: Stacks, path_mtu: int) -> None:
    # The size that a fragment may have decides how the messages are cut up.
    pair = connected(stacks, path_mtu=path_mtu)
    count = 30
    receiving = [call(receive_by_stream, sock, count) for sock in pair.ends]
    sending = [call(send_on_three_streams, sock, count, seed) for seed, sock in enumerate(pair.ends)]
    for one in sending:
        one.outcome()
    for seed, one in enumerate(reversed(receiving)):
        expected = {stream: [numbered(n, seed) for n in range(stream, count, 3)] for stream in range(3)}
        assert one.outcome() == expected


@pytest.mark.parametrize("unordered", [False, True])
def test_a_message_larger_than_the_receive_buffer_comes_in_parts(stacks: Stacks, unordered: bool) -> None:
    pair = connected(stacks, server={"receive_buffer": 20_000}, path_mtu=1_500)
    pair.server.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
    data = pattern(200_000, 1)
    flags = c.SCTP_UNORDERED if unordered else 0
    sending = call(lambda: pair.client.sctp_sendmsg(data, stream_no=4, flags=flags))
    pieces = []
    while True:
        piece, [(_, _, raw)], msg_flags, address = pair.server.recvmsg(100_000, 100)
        pieces.append(piece)
        info = structs.RcvInfo.unpack(raw)
        assert (info.rcv_sid, info.rcv_flags, address) == (4, flags, pair.client.getsockname())
        if msg_flags & socket.MSG_EOR:
            break
        assert msg_flags == 0
    assert sending.outcome() == len(data)
    assert len(pieces) > 1
    assert b"".join(pieces) == data
    # The next one is not mixed up with it.
    pair.client.send(b"next")
    assert pair.server.recv(10) == b"next"


def test_messages_of_other_streams_wait_for_the_end_of_a_partial_one(stacks: Stacks) -> None:
    pair = connected(stacks, server={"receive_buffer": 20_000}, path_mtu=1_500)
    data = pattern(100_000, 2)
    pair.client.sctp_sendmsg(data, stream_no=0)
    pair.client.sctp_sendmsg(b"other", stream_no=1)
    assert receive_message(pair.server, 7_000) == data
    assert receive_message(pair.server) == b"other"


def test_a_slow_reader_slows_the_sender_down(stacks: Stacks) -> None:
    pair = connected(stacks, server={"receive_buffer": 30_000}, client={"send_buffer": 30_000}, path_mtu=1_500)
    count = 300

    def send() -> None:
        for number in range(count):
            pair.client.send(pattern(1_000, number))
        pair.client.shutdown(socket.SHUT_WR)

    sending = call(send)
    for number in range(count):
        assert pair.server.recv(2_000) == pattern(1_000, number)
    assert pair.server.recv(1) == b""
    sending.outcome()


def test_many_small_messages_stay_apart(pair: Pair) -> None:
    for number in range(2_000):
        pair.client.send(b"%d" % number)
    assert [int(pair.server.recv(10)) for _ in range(2_000)] == list(range(2_000))


def test_tiny_buffers_still_transfer(stacks: Stacks) -> None:
    pair = connected(stacks, send_buffer=4_096, receive_buffer=4_096)
    sending = call(lambda: [pair.client.send(pattern(3_000, number)) for number in range(4)])
    assert [receive_message(pair.server) for _ in range(4)] == [pattern(3_000, number) for number in range(4)]
    sending.outcome()


def test_messages_as_large_as_the_receive_buffer_do_not_stall(stacks: Stacks) -> None:
    # When the buffer fills with fragments while something else waits to be read, reading that begins partial delivery.
    size = 212_992
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack, rto_min=5.0, rto_initial=5.0).socket()
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    sending = call(lambda: [client.send(bytes(size)) for _ in range(10)])
    before = time.monotonic()
    left = 10 * size
    while left:
        left -= len(server.recv(1 << 20))
    sending.outcome()
    # A wait for the window probe would take 5 s.
    assert time.monotonic() - before < 5.0


@pytest.mark.parametrize("fragment", [0, 600])
def test_closing_with_a_notification_unread_still_takes_a_large_message(stacks: Stacks, fragment: int) -> None:
    pair = connected(stacks, server={"receive_buffer": 50_000})
    pair.client.setsockopt(c.IPPROTO_SCTP, c.SCTP_MAXSEG, fragment)
    pair.client.send(bytes(100))
    until(lambda: pair.server._can_read(), "the first message")
    # Reported at once, so that something is left to read after that message.
    subscribe(pair.server, c.SCTP_SENDER_DRY_EVENT)
    assert pair.server.recv(1_000) == bytes(100)
    pair.client.send(bytes(60_000))
    until(lambda: pair.server_stack.statistics().associations[0].a_rwnd == 0, "the window to close")
    pair.server.close()
    pair.client.close()
    pair.listener.close()
    assert pair.client_stack.close(5.0) == 0
    assert pair.server_stack.close(5.0) == 0
