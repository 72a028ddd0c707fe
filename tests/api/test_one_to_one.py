"""One-to-one sockets: set up, use and close an association over real UDP (RFC 6458 section 4)."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest
from loopback import (
    ALONE,
    Pair,
    Programs,
    Stacks,
    connected,
    expect_errno,
    families,
    ipv6,
    levers,
    listening,
    loopback,
    namespaces,
    readable,
    receive_all,
    receive_message,
    until,
)

from pysctpstack import SctpSocket
from pysctpstack import constants as c

# --- setting up ---


@families
def test_accept_gives_a_socket_and_the_peers_address(stacks: Stacks, family: int) -> None:
    pair = connected(stacks, family=family)
    assert isinstance(pair.server, SctpSocket)
    assert pair.server.getpeername() == pair.client.getsockname()
    assert pair.client.getpeername() == pair.listener.getsockname() == pair.server.getsockname()
    assert pair.client.getsockname()[0] == loopback(family)
    assert (pair.server.family, pair.server.type, pair.server.proto) == (family, socket.SOCK_STREAM, c.IPPROTO_SCTP)


@families
def test_messages_keep_their_boundaries_both_ways(stacks: Stacks, family: int) -> None:
    pair = connected(stacks, family=family)
    for here, there in (pair.ends, pair.ends[::-1]):
        messages = [bytes([65 + size % 26]) * size for size in (1, 2, 3, 1_400, 1_453, 65_536)]
        for message in messages:
            assert here.send(message) == len(message)
        assert [there.recv(100_000) for _ in messages] == messages


def test_connect_binds_to_an_ephemeral_port(pair: Pair) -> None:
    assert 32_768 <= pair.client.getsockname()[1] < 61_000


def test_a_bound_client_connects_from_its_port(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.bind(("127.0.0.1", 41_123))
    client.connect(listener.getsockname())
    assert listener.accept()[1] == ("127.0.0.1", 41_123)


def test_listen_on_an_unbound_socket_takes_an_ephemeral_port(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = server_stack.socket()
    listener.listen()
    address, port = listener.getsockname()
    assert address == "0.0.0.0"
    assert port
    client = stacks.towards(server_stack).socket()
    client.connect(("127.0.0.1", port))
    accepted, peer = listener.accept()
    assert peer == client.getsockname()
    # The wildcard address is resolved for an association.
    assert accepted.getsockname() == ("127.0.0.1", port)


@pytest.mark.parametrize("host", ["0.0.0.0", ""])
def test_the_wildcard_address_reaches_nobody(stacks: Stacks, host: str) -> None:
    # As in Linux, where TCP takes it for this host.
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    expect_errno(errno.EINVAL, client.connect, (host, listener.getsockname()[1]))


def test_connect_takes_a_host_name(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.connect(("localhost", listener.getsockname()[1]))
    assert client.getpeername() == listener.getsockname()


@ipv6
def test_an_ipv6_socket_talks_ipv4_under_mapped_addresses(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = server_stack.socket(socket.AF_INET6)
    listener.bind(("::", 0))
    listener.listen()
    port = listener.getsockname()[1]
    client_stack = stacks.towards(server_stack)
    plain = client_stack.socket()
    plain.connect(("127.0.0.1", port))
    accepted, peer = listener.accept()
    assert peer == ("::ffff:127.0.0.1", plain.getsockname()[1], 0, 0)
    assert accepted.getpeername() == peer
    assert accepted.getsockname() == ("::ffff:127.0.0.1", port, 0, 0)
    mapped = client_stack.socket(socket.AF_INET6)
    mapped.connect(("::ffff:127.0.0.1", port))
    accepted, peer = listener.accept()
    assert peer == mapped.getsockname()
    accepted.send(b"mapped")
    assert mapped.recvfrom(10) == (b"mapped", ("::ffff:127.0.0.1", port, 0, 0))


LINK_LOCAL = """
    import socket, subprocess
    from pysctpstack import Config, Stack
    for command in ("ip link set lo up", "ip -6 address add fe80::5/64 dev lo nodad"):
        subprocess.run(command.split(), check=True)
    server = Stack(Config(udp_port=0))
    listener = server.socket(socket.AF_INET6)
    listener.bind(("fe80::5%lo", 0))
    listener.listen()
    address = listener.getsockname()
    print(address[0], address[2:] == (0, socket.if_nametoindex("lo")))
    client_stack = Stack(Config(udp_port=0, remote_udp_port=server.udp_ports[0]))
    for to in (address, ("fe80::5%lo", address[1])):
        client = client_stack.socket(socket.AF_INET6)
        client.connect(to)
        accepted, peer = listener.accept()
        print(client.getpeername() == address, peer == client.getsockname(), peer[0])
"""


@ipv6
@namespaces
def test_link_local_addresses(programs: Programs) -> None:
    program = programs(LINK_LOCAL, wrapper=ALONE)
    assert program.end() == (0, "fe80::5 True\n" + "True True fe80::5\n" * 2, "")


@pytest.mark.skipif(not levers().pktinfo, reason="without IP_PKTINFO the local address of a packet is not known")
def test_a_socket_bound_to_an_address_listens_there_only(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = server_stack.socket()
    listener.bind(("127.0.0.2", 0))
    listener.listen()
    port = listener.getsockname()[1]
    client_stack = stacks.towards(server_stack)
    with pytest.raises(ConnectionRefusedError):
        client_stack.socket().connect(("127.0.0.1", port))
    client = client_stack.socket()
    client.connect(("127.0.0.2", port))
    accepted, _ = listener.accept()
    assert accepted.getsockname() == client.getpeername() == ("127.0.0.2", port)


def test_the_backlog_bounds_what_waits_for_accept(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack, backlog=1)
    client_stack = stacks.towards(server_stack)
    # One more than the backlog, as in Linux.
    first = [client_stack.socket() for _ in range(2)]
    for client in first:
        client.connect(listener.getsockname())
    with pytest.raises(ConnectionRefusedError):
        client_stack.socket().connect(listener.getsockname())
    assert server_stack.counters["init_without_room"] == 1
    assert listener.accept()[1] == first[0].getsockname()
    client_stack.socket().connect(listener.getsockname())


def test_listen_again_changes_the_backlog(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack, backlog=1)
    client_stack = stacks.towards(server_stack)
    client_stack.socket().connect(listener.getsockname())
    client_stack.socket().connect(listener.getsockname())
    listener.listen(2)
    client_stack.socket().connect(listener.getsockname())
    with pytest.raises(ConnectionRefusedError):
        client_stack.socket().connect(listener.getsockname())


def test_an_association_that_ended_before_accept_is_still_accepted(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.connect(listener.getsockname())
    client.send(b"last words")
    client.close()
    accepted, _ = listener.accept()
    assert receive_all(accepted) == b"last words"


def test_implicit_setup_with_sendto(stacks: Stacks) -> None:
    # RFC 6458 section 4.1.8 leaves it to connect; Linux sets up for sendto as well.
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    assert client.sendto(b"straight away", listener.getsockname()) == 13
    accepted, _ = listener.accept()
    assert accepted.recv(100) == b"straight away"


# --- receiving ---


def test_a_message_larger_than_the_buffer_comes_in_pieces(pair: Pair) -> None:
    pair.client.send(b"0123456789")
    pair.client.send(b"next")
    assert [pair.server.recv(4) for _ in range(4)] == [b"0123", b"4567", b"89", b"next"]


def test_recv_into_and_recvfrom_into(pair: Pair) -> None:
    pair.client.send(b"abcdef")
    pair.client.send(b"ghi")
    buffer = bytearray(b"........")
    assert pair.server.recv_into(buffer, 4) == 4
    assert buffer == b"abcd...."
    assert pair.server.recv_into(memoryview(buffer)[4:]) == 2
    assert buffer == b"abcdef.."
    assert pair.server.recvfrom_into(buffer) == (3, pair.client.getsockname())
    assert buffer == b"ghidef.."


def test_recv_into_refuses_bad_buffers_and_loses_nothing(pair: Pair) -> None:
    pair.client.send(b"kept")
    with pytest.raises(TypeError):
        pair.server.recv_into(b"read-only")
    with pytest.raises(ValueError):
        pair.server.recv_into(bytearray(2), 3)
    with pytest.raises(ValueError):
        pair.server.recv(-1)
    assert pair.server.recv(10) == b"kept"


def test_peeking_takes_nothing(pair: Pair) -> None:
    pair.client.send(b"peek")
    assert pair.server.recv(2, socket.MSG_PEEK) == b"pe"
    assert pair.server.recv(10, socket.MSG_PEEK) == b"peek"
    assert pair.server.recv(10) == b"peek"


def test_recvfrom_names_the_peer(pair: Pair) -> None:
    pair.client.send(b"who?")
    assert pair.server.recvfrom(10) == (b"who?", pair.client.getsockname())


# --- sending ---


@pytest.mark.parametrize(
    "data", [b"bytes", bytearray(b"bytearray"), memoryview(b"memoryview"), memoryview(b"s.t.r.i.d.e.")[::2]]
)
def test_send_takes_any_buffer(pair: Pair, data: Any) -> None:
    assert pair.client.send(data) == len(bytes(data))
    assert pair.server.recv(100) == bytes(data)


def test_what_is_sent_does_not_change_with_the_buffer(pair: Pair) -> None:
    data = bytearray(b"before")
    pair.client.send(data)
    data[:] = b"after!"
    assert pair.server.recv(100) == b"before"


def test_sendall_sendto_and_sendmsg(pair: Pair) -> None:
    assert pair.client.sendall(b"one") is None  # type: ignore[func-returns-value]  # that is what is tested
    assert pair.client.sendto(b"two", pair.listener.getsockname()) == 3
    assert pair.client.sendto(b"three", 0, pair.listener.getsockname()) == 5
    assert pair.client.sendmsg([b"fo", bytearray(b"u"), memoryview(b"r")]) == 4
    assert [pair.server.recv(10) for _ in range(4)] == [b"one", b"two", b"three", b"four"]


def test_wrong_types_are_type_errors(pair: Pair) -> None:
    for method, args in ((pair.client.send, ("text",)), (pair.client.sendto, (b"x",)), (pair.client.send, (None,))):
        with pytest.raises(TypeError):
            method(*args)


def test_ordered_streams_and_unordered_messages(pair: Pair) -> None:
    for number in range(30):
        pair.client.sctp_sendmsg(b"%d" % number, stream_no=number % 3, flags=c.SCTP_UNORDERED * (number % 2))
    found = {int(pair.server.recv(10)) for _ in range(30)}
    assert found == set(range(30))


# --- closing ---


@pytest.mark.parametrize("closer", ["client", "server"])
def test_when_one_side_closes_the_other_reads_end_of_file(pair: Pair, closer: str) -> None:
    here, there = pair.ends if closer == "client" else pair.ends[::-1]
    here.send(b"goodbye")
    here.close()
    assert there.recv(100) == b"goodbye"
    assert [there.recv(100) for _ in range(3)] == [b"", b"", b""]
    assert there.recvfrom(100) == (b"", None)
    expect_errno(errno.EPIPE, there.send, b"too late")


def test_shutdown_for_writing_delivers_what_was_sent(pair: Pair) -> None:
    for number in range(100):
        pair.client.send(b"%03d" % number)
    pair.client.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenPipeError):
        pair.client.send(b"more")
    assert receive_all(pair.server) == b"".join(b"%03d" % number for number in range(100))
    assert receive_all(pair.client) == b""


def test_shutdown_for_reading_throws_away_what_comes(pair: Pair) -> None:
    pair.server.send(b"before")
    assert readable(pair.client)
    pair.client.shutdown(socket.SHUT_RD)
    assert pair.client.recv(100) == b"before"
    # Nobody reads it, and yet the window stays open.
    for _ in range(40):
        pair.server.send(bytes(20_000))
    assert pair.client.recv(100) == b""
    pair.client.send(b"still here")
    assert pair.server.recv(100) == b"still here"


def test_lingering_for_no_time_aborts(pair: Pair) -> None:
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.client.close()
    with pytest.raises(ConnectionResetError):
        pair.server.recv(100)
    # The error is told once; then the association has ended.
    assert pair.server.recv(100) == b""
    expect_errno(errno.EPIPE, pair.server.send, b"x")


def test_lingering_close_returns_when_all_has_arrived(pair: Pair) -> None:
    pair.client.settimeout(None)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 10))
    pair.client.send(b"heard?")
    pair.client.close()
    pair.server.settimeout(0)
    # All that was sent has been acknowledged, so it is here without a wait.
    assert pair.server.recv(100) == b"heard?"


def test_closing_with_unread_messages_aborts(pair: Pair) -> None:
    pair.server.send(b"nobody reads this")
    assert pair.client.recv(1, socket.MSG_PEEK) == b"n"
    pair.client.close()
    with pytest.raises(ConnectionResetError):
        pair.server.recv(100)


def test_a_context_manager_closes(stacks: Stacks) -> None:
    pair = connected(stacks)
    with pair.client as same:
        assert same is pair.client
    assert pair.client.fileno() == -1
    assert pair.server.recv(10) == b""


def test_closing_twice_is_no_error(pair: Pair) -> None:
    pair.client.close()
    pair.client.close()


def test_closing_the_listener_ends_what_nobody_accepted(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    address = listener.getsockname()
    client_stack = stacks.towards(server_stack)
    client = client_stack.socket()
    client.connect(address)
    unread = client_stack.socket()
    unread.connect(address)
    unread.send(b"lost")
    until(lambda: any(a.bytes_unread for a in server_stack.statistics().associations), "the message to arrive")
    listener.close()
    assert client.recv(10) == b""
    with pytest.raises(ConnectionResetError):
        unread.recv(10)
    with pytest.raises(ConnectionRefusedError):
        client_stack.socket().connect(address)


def test_the_listener_may_close_before_its_children(pair: Pair) -> None:
    pair.listener.close()
    pair.client.send(b"on")
    assert pair.server.recv(10) == b"on"


def test_closing_a_socket_that_still_connects_gives_up(stacks: Stacks) -> None:
    client_stack = stacks(remote_udp_port=9)
    client = client_stack.socket()
    client.setblocking(False)
    expect_errno(errno.EINPROGRESS, client.connect, ("127.0.0.1", 5_000))
    client.close()
    # Nothing was left to finish.
    assert client_stack.close(0.0) == 0


# --- refused calls ---


@pytest.mark.parametrize(
    ("number", "method", "args"),
    [
        (errno.EPIPE, "send", (b"x",)),
        (errno.ENOTCONN, "recv", (10,)),
        (errno.ENOTCONN, "getpeername", ()),
        (errno.ENOTCONN, "shutdown", (socket.SHUT_WR,)),
        (errno.EINVAL, "accept", ()),
        (errno.ECONNREFUSED, "connect", (("127.0.0.1", 0),)),
        (errno.EINVAL, "connect", (("224.0.0.1", 5_000),)),
        (errno.EINVAL, "connect", (("255.255.255.255", 5_000),)),
        (errno.EAFNOSUPPORT, "connect", (("::1", 5_000),)),
        (errno.EAFNOSUPPORT, "bind", (("::1", 5_000),)),
        (errno.EADDRNOTAVAIL, "bind", (("192.0.2.1", 5_000),)),
        (errno.EOPNOTSUPP, "detach", ()),
    ],
)
def test_calls_that_a_fresh_socket_refuses(stacks: Stacks, number: int, method: str, args: tuple[Any, ...]) -> None:
    expect_errno(number, getattr(stacks().socket(), method), *args)


@ipv6
@pytest.mark.parametrize("address", ["ff02::1", "ff0e::101"])
def test_no_association_with_a_group(stacks: Stacks, address: str) -> None:
    expect_errno(errno.EINVAL, stacks().socket(socket.AF_INET6).connect, (address, 5_000))


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("bind", (("127.0.0.1", 0),)),
        ("listen", ()),
        ("accept", ()),
        ("connect", (("127.0.0.1", 5_000),)),
        ("send", (b"x",)),
        ("sendall", (b"x",)),
        ("sendto", (b"x", ("127.0.0.1", 5_000))),
        ("sendmsg", ([b"x"],)),
        ("sctp_sendmsg", (b"x",)),
        ("recv", (10,)),
        ("recvfrom", (10,)),
        ("recv_into", (bytearray(10),)),
        ("recvmsg", (10,)),
        ("recvmsg_into", ([bytearray(10)],)),
        ("sctp_recvmsg", (10,)),
        ("getsockname", ()),
        ("getpeername", ()),
        ("shutdown", (socket.SHUT_WR,)),
        ("getsockopt", (socket.SOL_SOCKET, socket.SO_ERROR)),
        ("setsockopt", (socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)),
    ],
)
def test_a_closed_socket_is_a_bad_descriptor(stacks: Stacks, method: str, args: tuple[Any, ...]) -> None:
    sock = stacks().socket()
    sock.close()
    expect_errno(errno.EBADF, getattr(sock, method), *args)


def test_addresses_in_use(stacks: Stacks) -> None:
    stack = stacks()
    first = stack.socket()
    first.bind(("127.0.0.1", 0))
    port = first.getsockname()[1]
    second = stack.socket()
    expect_errno(errno.EADDRINUSE, second.bind, ("127.0.0.1", port))
    expect_errno(errno.EADDRINUSE, second.bind, ("", port))
    first.close()
    second.bind(("", port))
    expect_errno(errno.EINVAL, second.bind, ("127.0.0.1", 0))


def test_calls_that_a_listener_refuses(stacks: Stacks) -> None:
    listener = listening(stacks())
    expect_errno(errno.EISCONN, listener.connect, ("127.0.0.1", 5_000))
    expect_errno(errno.ENOTCONN, listener.recv, 10)
    expect_errno(errno.EPIPE, listener.send, b"x")


def test_calls_that_a_connected_socket_refuses(pair: Pair) -> None:
    expect_errno(errno.EISCONN, pair.client.connect, pair.listener.getsockname())
    expect_errno(errno.EINVAL, pair.client.listen)
    expect_errno(errno.EINVAL, pair.client.accept)
    expect_errno(errno.EINVAL, pair.client.bind, ("127.0.0.1", 0))
    expect_errno(errno.EINVAL, pair.client.shutdown, 7)
    expect_errno(errno.EADDRNOTAVAIL, pair.client.sendto, b"x", ("127.0.0.1", 1))


def test_messages_that_send_refuses(pair: Pair) -> None:
    size = pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    expect_errno(errno.EMSGSIZE, pair.client.send, bytes(size + 1))
    expect_errno(errno.EINVAL, pair.client.send, b"")
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, 0, 10)
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, 0, 70_000)
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, c.SCTP_EOF)
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, c.SCTP_ABORT)
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, c.SCTP_ADDR_OVER)
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, 0x4000)
    # None of that has harmed the association.
    pair.client.send(bytes(size))
    pair.client.send(b"end")
    assert len(receive_message(pair.server)) == size
    assert pair.server.recv(10) == b"end"


@pytest.mark.parametrize("address", ["localhost", ("127.0.0.1",), ("127.0.0.1", "80"), (1, 2), ("127.0.0.1", 1, 2)])
def test_what_is_no_address_is_a_type_error(stacks: Stacks, address: object) -> None:
    with pytest.raises(TypeError):
        stacks().socket().connect(address)


def test_ports_have_sixteen_bits(stacks: Stacks) -> None:
    with pytest.raises(OverflowError):
        stacks().socket().connect(("127.0.0.1", 65_536))


def test_unknown_names_are_the_resolvers_errors(stacks: Stacks) -> None:
    with pytest.raises(socket.gaierror):
        stacks().socket().connect(("no.such.host.invalid", 5_000))


def test_only_sctp_over_ip(stacks: Stacks) -> None:
    stack = stacks()
    with pytest.raises(ValueError):
        stack.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    expect_errno(errno.EAFNOSUPPORT, stack.socket, socket.AF_UNIX)
    expect_errno(errno.ESOCKTNOSUPPORT, stack.socket, socket.AF_INET, socket.SOCK_RAW)


def test_a_closed_stack_refuses_everything(stacks: Stacks) -> None:
    pair = connected(stacks)
    pair.client_stack.close()
    expect_errno(errno.EBADF, pair.client.send, b"x")
    expect_errno(errno.EBADF, pair.client_stack.socket)
    assert pair.client.fileno() == -1
    pair.client.close()
    pair.client_stack.close()


def test_closing_a_stack_closes_what_it_accepted(stacks: Stacks) -> None:
    pair = connected(stacks)
    pair.server.send(b"and then")
    assert pair.server_stack.close(5.0) == 0
    assert receive_all(pair.client) == b"and then"


def test_a_stack_is_a_context_manager(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    with stacks.towards(server_stack) as client_stack:
        client = client_stack.socket()
        client.connect(listener.getsockname())
        client.send(b"inside")
    assert receive_all(listener.accept()[0]) == b"inside"
