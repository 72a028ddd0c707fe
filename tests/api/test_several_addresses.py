"""Several local and peer addresses through the sockets: binding, telling, choosing (RFC 6458 sections 9.1 to 9.9)."""

from __future__ import annotations

import errno
import socket
from dataclasses import replace

import pytest
from loopback import Stacks, expect_errno, levers, listening, receive_message, until

from pysctpstack import Config, Stack, constants

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "AF_UNIX") or __import__("sys").platform == "darwin",
    reason="this system has 127.0.0.1 only",
)
HERE, THERE = "127.0.0.1", "127.0.0.2"


def test_peers_are_told_of_addresses_that_were_bound_explicitly(stacks: Stacks) -> None:
    server_stack = stacks()
    server = server_stack.socket()
    server.sctp_bindx([(HERE, 0), (THERE, 0)])
    port = server.getsockname()[1]
    server.listen()
    client = stacks.towards(server_stack).socket()
    client.connect((HERE, port))
    accepted, _ = server.accept()
    assert client.sctp_getpaddrs() == [(HERE, port), (THERE, port)]
    assert accepted.sctp_getladdrs() == [(HERE, port), (THERE, port)]
    # The second is proven by a HEARTBEAT before anything else goes there.
    statistics = client_statistics(client)
    until(lambda: all(path.is_confirmed for path in statistics().paths), "both addresses are confirmed")


def client_statistics(client: object):  # type: ignore[no-untyped-def]
    return lambda: next(iter(client.associations.values())).statistics()  # type: ignore[attr-defined]


def test_a_single_address_is_not_told(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.bind((HERE, 0))
    client.connect(listener.getsockname())
    accepted, _ = listener.accept()
    assert accepted.sctp_getpaddrs() == [client.getsockname()]


def test_a_multihomed_stack_tells_the_host_s_addresses(stacks: Stacks) -> None:
    server_stack = stacks(multihome=True, udp_addresses=(HERE, THERE))
    listener = server_stack.socket()
    listener.listen()
    port = listener.getsockname()[1]
    client = stacks.towards(server_stack).socket()
    client.connect((THERE, port))
    assert sorted(client.sctp_getpaddrs()) == [(HERE, port), (THERE, port)]
    # What answered comes first.
    assert client.getpeername() == (THERE, port)


def test_two_stacks_share_a_udp_port_at_two_addresses(stacks: Stacks) -> None:
    one = stacks(udp_addresses=(HERE,))
    first = listening(one)
    two = Stack(replace(Config(), udp_port=one.udp_ports[0], udp_addresses=(THERE,)))
    with two:
        second = two.socket()
        second.bind((THERE, first.getsockname()[1]))
        second.listen()
        client_stack = stacks.towards(one)
        for host, listener in ((HERE, first), (THERE, second)):
            client = client_stack.socket()
            client.connect((host, first.getsockname()[1]))
            accepted, _ = listener.accept()
            client.send(host.encode())
            assert receive_message(accepted) == host.encode()
            client.close()
            assert accepted.recv(1) == b""
            accepted.close()


def test_connectx_tries_every_address(stacks: Stacks) -> None:
    server_stack = stacks(udp_addresses=(HERE,))
    listener = listening(server_stack)
    port = listener.getsockname()[1]
    client = stacks.towards(server_stack, icmp_errors=False, rto_initial=0.05, rto_min=0.05).socket()
    # Nobody is at the first one.
    id_ = client.sctp_connectx([(THERE, port), (HERE, port)])
    assert id_ in client.associations
    assert client.getpeername() == (HERE, port)
    client.send(b"x")
    accepted, _ = listener.accept()
    assert accepted.recv(10) == b"x"


def test_connectx_without_blocking_tells_the_id(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks.towards(server_stack).socket()
    client.setblocking(False)
    error = expect_errno(errno.EINPROGRESS, client.sctp_connectx, [listener.getsockname()])
    assert error.assoc_id in client.associations  # type: ignore[attr-defined]


def test_bad_calls_of_bindx_and_connectx(stacks: Stacks) -> None:
    stack = stacks()
    sock = stack.socket()
    expect_errno(errno.EINVAL, sock.sctp_bindx, [])
    expect_errno(errno.EINVAL, sock.sctp_bindx, [(HERE, 5_000), (THERE, 5_001)])
    expect_errno(errno.EADDRNOTAVAIL, sock.sctp_bindx, [("192.0.2.1", 0)])
    expect_errno(errno.EINVAL, sock.sctp_connectx, [])
    expect_errno(errno.EINVAL, sock.sctp_connectx, [(HERE, 1), (THERE, 2)])
    expect_errno(errno.EINVAL, sock.sctp_getpaddrs)
    sock.sctp_bindx([(HERE, 0)])
    port = sock.getsockname()[1]
    expect_errno(errno.EINVAL, sock.sctp_bindx, [(HERE, port)])
    expect_errno(errno.EBUSY, sock.sctp_bindx, [(HERE, port)], constants.SCTP_BINDX_REM_ADDR)
    sock.sctp_bindx([(THERE, port)])
    assert sock.sctp_getladdrs() == [(HERE, port), (THERE, port)]
    sock.sctp_bindx([(HERE, port)], constants.SCTP_BINDX_REM_ADDR)
    assert sock.sctp_getladdrs() == [(THERE, port)]


def test_bindx_takes_all_addresses_or_none(stacks: Stacks) -> None:
    stack = stacks()
    taken, sock = stack.socket(), stack.socket()
    taken.bind((THERE, 0))
    port = taken.getsockname()[1]
    expect_errno(errno.EADDRINUSE, sock.sctp_bindx, [(HERE, port), (THERE, port)])
    assert sock.getsockname() == ("0.0.0.0", 0)
    sock.sctp_bindx([(HERE, port)])
    expect_errno(errno.EADDRINUSE, sock.sctp_bindx, [("127.0.0.3", port), (THERE, port)])
    assert sock.sctp_getladdrs() == [(HERE, port)]


@pytest.mark.skipif(not levers().pktinfo, reason="without IP_PKTINFO the local address of a packet is not known")
def test_bindx_of_a_listening_socket_is_for_associations_to_come(stacks: Stacks) -> None:
    stack = stacks()
    listener = stack.socket()
    listener.bind((HERE, 0))
    listener.listen()
    port = listener.getsockname()[1]
    client = stacks.towards(stack).socket()
    expect_errno(errno.ECONNREFUSED, client.connect, (THERE, port))
    listener.sctp_bindx([(THERE, port)])
    client.connect((THERE, port))
    assert sorted(client.sctp_getpaddrs()) == [(HERE, port), (THERE, port)]
    accepted, _ = listener.accept()
    # Nor does an association that is there learn of one that is bound by it.
    accepted.sctp_bindx([("127.0.0.3", port)])
    assert sorted(client.sctp_getpaddrs()) == [(HERE, port), (THERE, port)]
