"""What holds for the blocking sockets and for asyncio alike: each scenario runs over both, and over each kind of event
loop."""

from __future__ import annotations

import errno
import hashlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from both_apis import APIS, Acceptor, Api, End, Host
from loopback import PATIENCE, SHORT_TIMERS, call, expect_errno, families, ipv6, loopback, until
from loops import HAS_UVLOOP
from relay import Relay


@pytest.fixture(params=list(APIS))
def api(request: pytest.FixtureRequest) -> Iterator[Api]:
    if request.param == "uvloop" and not HAS_UVLOOP:
        pytest.skip("uvloop is not installed")
    made = APIS[request.param]()
    yield made
    made.close()


@dataclass
class Pair:
    client: End
    server: End
    acceptor: Acceptor
    client_host: Host
    server_host: Host


def pair(
    api: Api,
    *,
    server: dict[str, Any] | None = None,
    client: dict[str, Any] | None = None,
    family: int = socket.AF_INET,
    **both: Any,
) -> Pair:
    """Two stacks and an association; keywords are fields of their `Config`."""
    server_host = api.host(**both, **(server or {}))
    acceptor = server_host.listen(family)
    client_host = api.host(remote_udp_port=acceptor.udp_port, **both, **(client or {}))
    end = client_host.connect(acceptor.address)
    return Pair(end, acceptor.accept(), acceptor, client_host, server_host)


def transfer(sender: End, receiver: End, messages: list[bytes]) -> list[bytes]:
    """What arrives of messages that one thread sends while another receives."""

    def send_all() -> None:
        for message in messages:
            sender.send(message)

    sending = call(send_all)
    found = []
    for _ in messages:
        received = receiver.recv()
        assert received is not None
        found.append(received.data)
    sending.outcome()
    return found


# --- messages ---


@families
def test_a_message_arrives_as_it_was_sent(api: Api, family: int) -> None:
    ends = pair(api, family=family)
    ends.client.send(b"hello", stream_id=2, ppid=0x01020304)
    assert ends.server.recv() == (b"hello", 2, 0x01020304, False)
    ends.server.send(b"answer", stream_id=1, ppid=46)
    assert ends.client.recv() == (b"answer", 1, 46, False)


def test_an_unordered_message_says_so(api: Api) -> None:
    ends = pair(api)
    ends.client.send(b"first of all", unordered=True, ppid=3)
    assert ends.server.recv() == (b"first of all", 0, 3, True)


def test_messages_of_a_stream_keep_their_order_and_their_bounds(api: Api) -> None:
    ends = pair(api)
    messages = [b"%d" % number * (1 + number % 50) for number in range(500)]
    assert transfer(ends.client, ends.server, messages) == messages


def test_every_stream_has_its_own_order(api: Api) -> None:
    ends = pair(api, outbound_streams=5)
    for number in range(50):
        ends.client.send(b"%d" % number, stream_id=number % 5)
    found: dict[int, list[int]] = {}
    for _ in range(50):
        received = ends.server.recv()
        assert received is not None
        found.setdefault(received.stream_id, []).append(int(received.data))
    assert found == {stream: list(range(stream, 50, 5)) for stream in range(5)}


@pytest.mark.parametrize("size", [1, 1_400, 65_536, 200_000])
def test_messages_of_many_packets(api: Api, size: int) -> None:
    ends = pair(api, path_mtu=1_500)
    messages = [bytes([number]) * size for number in range(5)]
    assert transfer(ends.client, ends.server, messages) == messages


def test_a_message_larger_than_the_receive_buffer_arrives_whole(api: Api) -> None:
    ends = pair(api, server={"receive_buffer": 20_000}, client={"send_buffer": 400_000})
    data = hashlib.shake_128(b"seed").digest(300_000)
    assert transfer(ends.client, ends.server, [data, b"after it"]) == [data, b"after it"]


def test_both_ends_send_at_once(api: Api) -> None:
    ends = pair(api)
    messages = [hashlib.shake_128(b"%d" % number).digest(20_000) for number in range(100)]
    backwards = call(transfer, ends.server, ends.client, messages)
    assert transfer(ends.client, ends.server, messages) == messages
    assert backwards.outcome() == messages


# --- what is refused ---


def test_a_message_larger_than_the_send_buffer_is_refused(api: Api) -> None:
    ends = pair(api, client={"send_buffer": 10_000})
    expect_errno(errno.EMSGSIZE, ends.client.send, bytes(10_001))
    ends.client.send(bytes(10_000))
    received = ends.server.recv()
    assert received is not None
    assert received.data == bytes(10_000)


def test_an_empty_message_is_refused(api: Api) -> None:
    ends = pair(api)
    expect_errno(errno.EINVAL, ends.client.send, b"")


def test_a_stream_that_there_is_not_is_refused(api: Api) -> None:
    ends = pair(api, outbound_streams=3)
    with pytest.raises(OSError) as caught:
        ends.client.send(b"x", stream_id=3)
    assert caught.value.errno == errno.EINVAL
    ends.client.send(b"y", stream_id=2)
    assert ends.server.recv() == (b"y", 2, 0, False)


def test_the_ends_agree_on_the_fewer_streams(api: Api) -> None:
    ends = pair(
        api,
        client={"outbound_streams": 7, "max_inbound_streams": 4},
        server={"outbound_streams": 9, "max_inbound_streams": 5},
    )
    assert ends.client.streams() == (5, 4)
    assert ends.server.streams() == (4, 5)


def test_a_port_can_be_listened_on_once(api: Api) -> None:
    host = api.host()
    acceptor = host.listen()
    expect_errno(errno.EADDRINUSE, host.listen, socket.AF_INET, acceptor.address[1])
    acceptor.close()
    assert host.listen(port=acceptor.address[1]).address == acceptor.address


def test_nobody_listens(api: Api) -> None:
    server = api.host()
    acceptor = server.listen()
    client = api.host(remote_udp_port=acceptor.udp_port)
    acceptor.close()
    with pytest.raises(ConnectionRefusedError):
        client.connect(acceptor.address)
    until(lambda: client.associations() == 0, "the association to be forgotten")


def test_nobody_answers(api: Api) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = api.host(remote_udp_port=silent.getsockname()[1], **SHORT_TIMERS)
        expect_errno(errno.ETIMEDOUT, client.connect, ("127.0.0.1", 5_000))


def test_connecting_has_a_time_limit(api: Api) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = api.host(remote_udp_port=silent.getsockname()[1])
        with pytest.raises(TimeoutError):
            client.connect(("127.0.0.1", 5_000), timeout=0.05)
        until(lambda: client.associations() == 0, "the association to be forgotten")


# --- names ---


@pytest.mark.parametrize("family", [socket.AF_INET, pytest.param(socket.AF_INET6, marks=ipv6)])
def test_each_end_knows_the_other_by_name(api: Api, family: int) -> None:
    ends = pair(api, family=family)
    assert ends.client.peer == ends.server.local == ends.acceptor.address
    assert ends.server.peer == ends.client.local
    assert ends.client.local[0] == loopback(family)


# --- waiting ---


def test_a_message_that_comes_after_the_time_limit_is_not_lost(api: Api) -> None:
    ends = pair(api)
    with pytest.raises(TimeoutError):
        ends.server.recv(timeout=0.05)
    ends.client.send(b"late")
    assert ends.server.recv() == (b"late", 0, 0, False)


def test_a_full_send_buffer_holds_the_sender_up(api: Api) -> None:
    ends = pair(api, server={"receive_buffer": 30_000}, client={"send_buffer": 50_000})
    count = 0
    for _ in range(1_000):
        try:
            ends.client.send(b"%d " % count + bytes(5_000), timeout=0.3)
        except TimeoutError:
            break
        count += 1
    # Both buffers and no more: what a peer that does not read can cost is bounded.
    assert 50_000 < count * 5_000 <= 2 * 30_000 + 50_000 + 10_000
    assert ends.server.unread() <= 2 * 30_000
    # The message that was given up has not been sent, not even a part of it.
    reading = call(lambda: [ends.server.recv() for _ in range(count + 1)])
    ends.client.send(b"last")
    found = [received.data.split(b" ")[0] for received in reading.outcome() if received]
    assert found == [*(b"%d" % number for number in range(count)), b"last"]


def test_reading_lets_a_sender_that_waits_go_on(api: Api) -> None:
    ends = pair(api, server={"receive_buffer": 20_000}, client={"send_buffer": 20_000})
    messages = [bytes([number % 256]) * 3_000 for number in range(200)]
    assert transfer(ends.client, ends.server, messages) == messages


def test_an_outlived_message_is_reported_and_does_not_arrive(api: Api) -> None:
    ends = pair(api, server={"receive_buffer": 5_000}, client={"send_buffer": 50_000})
    sent = 0
    for number in range(15):
        ends.client.send(b"%d " % number + bytes(2_000))
        sent += 1
    ends.client.send(b"outlived", lifetime=0.01, context=77)
    assert ends.client.failed() == (b"outlived", 77)
    ends.client.send(b"end")
    found = []
    while (received := ends.server.recv()) is not None and received.data != b"end":
        found.append(int(received.data.split(b" ")[0]))
    assert found == list(range(sent))


# --- the end ---


def test_the_end_of_the_peer_comes_after_its_messages(api: Api) -> None:
    ends = pair(api)
    for number in range(10):
        ends.client.send(b"%d" % number)
    ends.client.close()
    found = []
    while (received := ends.server.recv()) is not None:
        found.append(int(received.data))
    assert found == list(range(10))
    assert ends.server.recv() is None
    until(lambda: ends.client_host.associations() == ends.server_host.associations() == 0, "both ends to be gone")


def test_nothing_can_be_sent_to_a_peer_that_has_closed(api: Api) -> None:
    ends = pair(api)
    ends.client.close()
    assert ends.server.recv() is None
    expect_errno(errno.EPIPE, ends.server.send, b"x")


def test_after_a_half_close_messages_still_come(api: Api) -> None:
    ends = pair(api)
    ends.client.send(b"question")
    ends.server.send(b"answer")
    until(lambda: ends.client.unread() > 0, "the answer to be there")
    ends.client.shutdown()
    expect_errno(errno.EPIPE, ends.client.send, b"x")
    assert ends.server.recv() == (b"question", 0, 0, False)
    assert ends.server.recv() is None
    assert ends.client.recv() == (b"answer", 0, 0, False)
    assert ends.client.recv() is None
    ends.client.close()


def test_what_the_peer_has_queued_comes_after_a_half_close(api: Api) -> None:
    # The server's messages wait for room at the client when the client says that it sends no more.
    ends = pair(api, client={"receive_buffer": 20_000})
    for number in range(30):
        ends.server.send(b"%d " % number + bytes(3_000))
    ends.client.shutdown()
    found = []
    while (received := ends.client.recv()) is not None:
        found.append(int(received.data.split(b" ")[0]))
    assert found == list(range(30))
    assert ends.server.recv() is None


def test_an_abort_ends_the_other_side(api: Api) -> None:
    ends = pair(api)
    waiting = call(ends.server.recv)
    ends.client.abort()
    with pytest.raises(ConnectionResetError):
        waiting.outcome()


def test_messages_before_an_abort_can_be_read(api: Api) -> None:
    ends = pair(api)
    ends.client.send(b"before")
    until(lambda: ends.server.unread() > 0, "the message to be there")
    ends.client.abort()
    until(lambda: ends.server_host.associations() == 0, "the abort to be there")
    assert ends.server.recv() == (b"before", 0, 0, False)
    expect_errno(errno.ECONNRESET, ends.server.recv)


def test_closing_with_messages_unread_resets(api: Api) -> None:
    ends = pair(api)
    ends.client.send(b"never read")
    until(lambda: ends.server.unread() > 0, "the message to be there")
    ends.server.close()
    expect_errno(errno.ECONNRESET, ends.client.recv)


def test_nothing_works_after_close(api: Api) -> None:
    ends = pair(api)
    ends.client.close()
    expect_errno(errno.EBADF, ends.client.send, b"x")
    expect_errno(errno.EBADF, ends.client.recv)
    ends.client.close()


def test_close_ends_a_call_that_waits(api: Api) -> None:
    ends = pair(api)
    waiting = call(ends.client.recv)
    # Whether it waits already or comes too late, the answer is the same.
    ends.client.close()
    with pytest.raises(OSError) as caught:
        waiting.outcome()
    assert caught.value.errno == errno.EBADF


def test_both_ends_close_at_once(api: Api) -> None:
    ends = pair(api)
    closing = [call(end.close) for end in (ends.client, ends.server)]
    for one in closing:
        one.outcome()
    until(lambda: ends.client_host.associations() == ends.server_host.associations() == 0, "both ends to be gone")


def test_closing_the_listener_leaves_its_associations_alone(api: Api) -> None:
    ends = pair(api)
    ends.acceptor.close()
    ends.client.send(b"still here")
    assert ends.server.recv() == (b"still here", 0, 0, False)


def test_closing_the_listener_ends_whom_nobody_accepted(api: Api) -> None:
    ends = pair(api)
    quiet = ends.client_host.connect(ends.acceptor.address)
    unread = ends.client_host.connect(ends.acceptor.address)
    unread.send(b"never read")
    until(lambda: unread.buffered() == 0, "the message to be there")
    ends.acceptor.close()
    assert quiet.recv() is None
    expect_errno(errno.ECONNRESET, unread.recv)


def test_a_peer_that_vanishes_is_given_up(api: Api) -> None:
    server = api.host(**SHORT_TIMERS)
    acceptor = server.listen()
    with Relay(acceptor.udp_port) as relay:
        client = api.host(remote_udp_port=relay.port, **SHORT_TIMERS)
        end = client.connect(acceptor.address)
        end.send(b"hello")
        accepted = acceptor.accept()
        assert accepted.recv() == (b"hello", 0, 0, False)
    end.send(b"is anybody there?")
    expect_errno(errno.ETIMEDOUT, end.recv)


# --- many ---


def test_what_was_sent_before_the_accept_is_there(api: Api) -> None:
    server = api.host()
    acceptor = server.listen()
    client = api.host(remote_udp_port=acceptor.udp_port)
    ends = [client.connect(acceptor.address) for _ in range(5)]
    for number, end in enumerate(ends):
        end.send(b"%d" % number)
    accepted = [acceptor.accept() for _ in ends]
    found = {}
    for one in accepted:
        received = one.recv()
        assert received is not None
        found[one.peer] = int(received.data)
    assert found == {end.local: number for number, end in enumerate(ends)}


def test_many_associations_of_one_stack(api: Api) -> None:
    server = api.host()
    acceptor = server.listen()
    client = api.host(remote_udp_port=acceptor.udp_port)

    def echo() -> None:
        for _ in range(60):
            one = acceptor.accept()
            received = one.recv()
            assert received is not None
            one.send(received.data * 2)
            one.close()

    echoing = call(echo)
    ends = [client.connect(acceptor.address) for _ in range(60)]
    for number, end in enumerate(ends):
        end.send(b"%d" % number)
    for number, end in enumerate(ends):
        assert end.recv() == (b"%d" % number * 2, 0, 0, False)
        assert end.recv(PATIENCE) is None
    echoing.outcome()


def test_the_two_apis_are_on_speaking_terms(api: Api) -> None:
    sockets = APIS["sockets"]()
    try:
        acceptor = sockets.host().listen()
        client = api.host(remote_udp_port=acceptor.udp_port)
        end = client.connect(acceptor.address)
        other = acceptor.accept()
        messages = [bytes([number]) * 50_000 for number in range(20)]
        assert transfer(end, other, messages) == messages
        assert transfer(other, end, messages) == messages
        end.close()
        assert other.recv() is None
    finally:
        sockets.close()
