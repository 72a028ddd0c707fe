"""One-to-many sockets over real UDP: many associations, none of them set up by hand (RFC 6458 section 3)."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

import pytest
from loopback import (
    SHORT_TIMERS,
    Stacks,
    assoc_change,
    blocked,
    expect_errno,
    families,
    fill,
    ipv6,
    listening,
    loopback,
    notification,
    readable,
    subscribe,
)

from pysctpstack import SctpSocket, Stack, structs
from pysctpstack import constants as c


@dataclass
class Hub:
    """A one-to-many socket that listens, and the stack of its clients."""

    sock: SctpSocket
    stack: Stack
    clients: Stack

    @property
    def address(self) -> tuple[object, ...]:
        return self.sock.getsockname()

    def client(self, type_: int = socket.SOCK_SEQPACKET, family: int = socket.AF_INET) -> SctpSocket:
        return self.clients.socket(family, type_)


@pytest.fixture
def hub(stacks: Stacks) -> Hub:
    stack = stacks()
    sock = listening(stack, type_=socket.SOCK_SEQPACKET)
    return Hub(sock, stack, stacks.towards(stack))


def send_to_association(sock: SctpSocket, data: bytes, id_: int, flags: int = 0) -> int:
    return sock.sendmsg([data], [(c.IPPROTO_SCTP, c.SCTP_SNDINFO, structs.SndInfo(0, flags, 0, 0, id_))])


@families
def test_sending_sets_up_the_association(stacks: Stacks, family: int) -> None:
    stack = stacks()
    server = listening(stack, family, socket.SOCK_SEQPACKET)
    client = stacks.towards(stack).socket(family, socket.SOCK_SEQPACKET)
    assert client.sendto(b"hello", server.getsockname()) == 5
    data, peer = server.recvfrom(100)
    assert data == b"hello"
    assert peer == (loopback(family), *client.getsockname()[1:])
    assert server.sendto(b"welcome", peer) == 7
    assert client.recvfrom(100) == (b"welcome", server.getsockname())


@ipv6
def test_peers_of_both_families_on_one_ipv6_socket(stacks: Stacks) -> None:
    stack = stacks()
    server = stack.socket(socket.AF_INET6, socket.SOCK_SEQPACKET)
    server.listen()
    port = server.getsockname()[1]
    clients = stacks.towards(stack)
    for family, shown in ((socket.AF_INET, "::ffff:127.0.0.1"), (socket.AF_INET6, "::1")):
        client = clients.socket(family, socket.SOCK_SEQPACKET)
        client.sendto(shown.encode(), (loopback(family), port))
        data, peer = server.recvfrom(100)
        assert peer is not None
        assert data.decode() == peer[0] == shown
        server.sendto(b"back", peer)
        assert client.recv(100) == b"back"


def test_one_socket_serves_several_peers(hub: Hub) -> None:
    clients = [hub.client() for _ in range(5)]
    for number, client in enumerate(clients):
        client.sctp_sendmsg(b"%d" % number, hub.address)
    for _ in clients:
        data, peer = hub.sock.recvfrom(10)
        assert peer is not None
        assert peer[1] == clients[int(data)].getsockname()[1]
        hub.sock.sendto(data * 2, peer)
    assert [client.recv(10) for client in clients] == [b"%d" % number * 2 for number in range(5)]


def test_one_to_one_clients_of_a_one_to_many_server(hub: Hub) -> None:
    client = hub.client(socket.SOCK_STREAM)
    client.connect(hub.address)
    client.send(b"mixed")
    data, peer = hub.sock.recvfrom(10)
    assert (data, peer) == (b"mixed", client.getsockname())


def test_connect_then_send_to_the_association(hub: Hub) -> None:
    client = hub.client()
    subscribe(client, c.SCTP_ASSOC_CHANGE)
    client.connect(hub.address)
    id_ = assoc_change(client, c.SCTP_COMM_UP).sac_assoc_id
    assert send_to_association(client, b"by id", id_) == 5
    assert hub.sock.recv(10) == b"by id"


def test_sctp_eof_ends_one_association_and_leaves_the_others(hub: Hub) -> None:
    first, second = hub.client(), hub.client()
    for client in (first, second):
        client.sendto(b"x", hub.address)
        hub.sock.recv(10)
    subscribe(hub.sock, c.SCTP_ASSOC_CHANGE, c.SCTP_SHUTDOWN_EVENT)
    subscribe(first, c.SCTP_ASSOC_CHANGE)
    first.sendto(b"last", hub.address)
    assert first.sctp_sendmsg(b"", hub.address, flags=c.SCTP_EOF) == 0
    assert hub.sock.recv(10) == b"last"
    shutdown = notification(hub.sock)
    assert isinstance(shutdown, structs.ShutdownEvent)
    assert assoc_change(hub.sock, c.SCTP_SHUTDOWN_COMP).sac_assoc_id == shutdown.sse_assoc_id
    assoc_change(first, c.SCTP_SHUTDOWN_COMP)
    second.sendto(b"still", hub.address)
    assert hub.sock.recv(10) == b"still"
    # And the first may begin anew.
    first.sendto(b"again", hub.address)
    assoc_change(hub.sock, c.SCTP_COMM_UP)
    assert hub.sock.recv(10) == b"again"


def test_sctp_eof_without_data(hub: Hub) -> None:
    client = hub.client()
    client.sendto(b"x", hub.address)
    hub.sock.recv(10)
    subscribe(hub.sock, c.SCTP_ASSOC_CHANGE)
    assert client.sctp_sendmsg(b"", hub.address, flags=c.SCTP_EOF) == 0
    assoc_change(hub.sock, c.SCTP_SHUTDOWN_COMP)


def test_sctp_abort_carries_its_reason(hub: Hub) -> None:
    client = hub.client()
    client.sendto(b"x", hub.address)
    hub.sock.recv(10)
    subscribe(hub.sock, c.SCTP_ASSOC_CHANGE)
    subscribe(client, c.SCTP_ASSOC_CHANGE)
    client.sctp_sendmsg(b"enough", hub.address, flags=c.SCTP_ABORT)
    lost = assoc_change(hub.sock, c.SCTP_COMM_LOST)
    # User-Initiated Abort (RFC 9260 section 3.3.10.12), in network byte order as on Linux.
    assert socket.ntohs(lost.sac_error) == 12
    assert lost.sac_info.endswith(b"enough")
    assoc_change(client, c.SCTP_COMM_LOST)


def test_sendall_reaches_every_association(hub: Hub) -> None:
    clients = [hub.client() for _ in range(3)]
    for client in clients:
        client.sendto(b"x", hub.address)
        hub.sock.recv(10)
    assert hub.sock.sctp_sendmsg(b"to all", flags=c.SCTP_SENDALL) == 6
    assert [client.recv(10) for client in clients] == [b"to all"] * 3


def test_listen_0_refuses_new_peers_and_keeps_the_old(hub: Hub) -> None:
    old = hub.client()
    old.sendto(b"early", hub.address)
    assert hub.sock.recv(10) == b"early"
    address = hub.address
    hub.sock.listen(0)
    assert hub.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
    with pytest.raises(ConnectionRefusedError):
        hub.client(socket.SOCK_STREAM).connect(address)
    old.sendto(b"kept", address)
    assert hub.sock.recv(10) == b"kept"
    hub.sock.listen(1)
    new = hub.client(socket.SOCK_STREAM)
    new.connect(address)


def test_closing_the_socket_closes_every_association(hub: Hub) -> None:
    clients = [hub.client(socket.SOCK_STREAM) for _ in range(3)]
    for client in clients:
        client.connect(hub.address)
    hub.sock.close()
    assert [client.recv(10) for client in clients] == [b""] * 3


def test_send_and_close_at_once_loses_nothing(hub: Hub) -> None:
    # Nothing is up yet when the socket closes.
    client = hub.client()
    client.sendto(b"in time", hub.address)
    client.close()
    assert hub.sock.recv(10) == b"in time"


def test_refused_calls(hub: Hub) -> None:
    client = hub.client()
    expect_errno(errno.EPIPE, client.send, b"to whom?")
    expect_errno(errno.EPIPE, send_to_association, client, b"to whom?", 99)
    expect_errno(errno.EOPNOTSUPP, client.accept)
    expect_errno(errno.ENOTCONN, client.shutdown, socket.SHUT_WR)
    expect_errno(errno.ENOTCONN, client.getpeername)
    expect_errno(errno.EINVAL, client.sctp_sendmsg, b"", hub.address, 0, c.SCTP_EOF)
    expect_errno(errno.EINVAL, client.sctp_sendmsg, b"x", hub.address, 0, c.SCTP_ABORT)
    client.connect(hub.address)
    expect_errno(errno.EISCONN, client.connect, hub.address)
    expect_errno(errno.EINVAL, client.sctp_sendmsg, b"", hub.address)


def test_a_peer_that_refuses_is_reported_by_a_notification(hub: Hub) -> None:
    client = hub.client()
    subscribe(client, c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT)
    hub.sock.listen(0)
    client.sctp_sendmsg(b"unheard", hub.address, context=77)
    failed = assoc_change(client, c.SCTP_CANT_STR_ASSOC)
    lost = notification(client)
    assert isinstance(lost, structs.SendFailedEvent)
    assert (lost.ssf_flags, lost.ssf_data) == (c.SCTP_DATA_UNSENT, b"unheard")
    assert (lost.ssfe_info.snd_context, lost.ssf_assoc_id) == (77, failed.sac_assoc_id)


def test_connect_tells_why_it_failed(stacks: Stacks, hub: Hub) -> None:
    hub.sock.listen(0)
    with pytest.raises(ConnectionRefusedError):
        hub.client().connect(hub.address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        stack = stacks(remote_udp_port=silent.getsockname()[1], **SHORT_TIMERS)
        expect_errno(errno.ETIMEDOUT, stack.socket(socket.AF_INET, socket.SOCK_SEQPACKET).connect, ("127.0.0.1", 5_000))


def test_several_connects_at_once(stacks: Stacks, hub: Hub) -> None:
    other = listening(hub.stack, type_=socket.SOCK_SEQPACKET)
    client = hub.client()
    client.setblocking(False)
    subscribe(client, c.SCTP_ASSOC_CHANGE)
    expect_errno(errno.EINPROGRESS, client.connect, hub.address)
    expect_errno(errno.EINPROGRESS, client.connect, other.getsockname())
    client.settimeout(10)
    assoc_change(client, c.SCTP_COMM_UP)
    assoc_change(client, c.SCTP_COMM_UP)
    expect_errno(errno.EISCONN, client.connect, hub.address)


def test_a_second_connect_to_a_silent_peer_is_already_under_way(stacks: Stacks) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        client = stacks(remote_udp_port=silent.getsockname()[1]).socket(socket.AF_INET, socket.SOCK_SEQPACKET)
        client.setblocking(False)
        expect_errno(errno.EINPROGRESS, client.connect, ("127.0.0.1", 5_000))
        expect_errno(errno.EALREADY, client.connect, ("127.0.0.1", 5_000))
        client.close()


def test_a_send_that_waits_for_room_ends_with_its_association(hub: Hub) -> None:
    client = hub.client(socket.SOCK_STREAM)
    client.connect(hub.address)
    client.send(b"hello")
    _, peer = hub.sock.recvfrom(10)
    fill(hub.sock, to=peer)
    waiting = blocked(hub.sock.sendto, b"x", peer)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    with pytest.raises(BrokenPipeError):
        waiting.outcome()


def test_readable_for_any_of_its_associations(hub: Hub) -> None:
    assert not readable(hub.sock, 0)
    clients = [hub.client(), hub.client()]
    for client in clients:
        client.sendto(b"x", hub.address)
        assert readable(hub.sock)
        hub.sock.recv(10)
        assert not readable(hub.sock, 0)
