"""Socket options: each set and read as an int, as bytes and as a struct (RFC 6458 section 8)."""

from __future__ import annotations

import errno
import socket
import struct
import sys
from typing import Any

import pytest
from loopback import Pair, Stacks, connected, expect_errno, listening, subscribe

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c

SCTP = c.IPPROTO_SCTP


@pytest.fixture
def sock(stacks: Stacks) -> SctpSocket:
    return stacks().socket()


# --- SCTP_INITMSG ---


def test_initmsg_as_struct_and_as_bytes(sock: SctpSocket) -> None:
    sock.setsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg(3, 5, 4, 2_000))
    assert sock.getsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg()) == structs.InitMsg(3, 5, 4, 2_000)
    assert sock.getsockopt(SCTP, c.SCTP_INITMSG, 8) == struct.pack("=HHHH", 3, 5, 4, 2_000)
    sock.setsockopt(SCTP, c.SCTP_INITMSG, struct.pack("=HHHH", 7, 8, 9, 1_000))
    assert sock.getsockopt(SCTP, c.SCTP_INITMSG, bytes(8)) == struct.pack("=HHHH", 7, 8, 9, 1_000)
    # An int is four bytes, where the kernel has room for eight.
    expect_errno(errno.EINVAL, sock.getsockopt, SCTP, c.SCTP_INITMSG)


def test_a_zero_in_initmsg_leaves_the_value(sock: SctpSocket) -> None:
    before = sock.getsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg())
    sock.setsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg(sinit_num_ostreams=42))
    after = sock.getsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg())
    assert after.sinit_num_ostreams == 42
    assert after.sinit_max_instreams == before.sinit_max_instreams
    assert after.sinit_max_attempts == before.sinit_max_attempts


@pytest.mark.parametrize("value", [bytes(7), bytes(9), b"", 3])
def test_initmsg_of_another_size_is_refused(sock: SctpSocket, value: Any) -> None:
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_INITMSG, value)
    expect_errno(errno.EINVAL, sock.getsockopt, SCTP, c.SCTP_INITMSG, 7)


def test_initmsg_decides_the_number_of_streams(stacks: Stacks) -> None:
    def prepare(sock: SctpSocket) -> None:
        subscribe(sock, c.SCTP_ASSOC_CHANGE)
        sock.setsockopt(SCTP, c.SCTP_INITMSG, wanted.pop())

    # The client's, and the listener's, which comes first.
    wanted = [structs.InitMsg(20, 50), structs.InitMsg(100, 4)]
    pair = connected(stacks, prepare=prepare)
    # The listener sends on 100 and takes 4, the client sends on 20 and takes 50: the smaller one counts each way.
    for sock, outbound, inbound in ((pair.client, 4, 50), (pair.server, 50, 4)):
        up = structs.parse_notification(sock.recv(1_000))
        assert isinstance(up, structs.AssocChange)
        assert (up.sac_outbound_streams, up.sac_inbound_streams) == (outbound, inbound)
        status = sock.getsockopt(SCTP, c.SCTP_STATUS, structs.Status())
        assert (status.sstat_outstrms, status.sstat_instrms) == (outbound, inbound)
    pair.client.sctp_sendmsg(b"x", stream_no=3)
    expect_errno(errno.EINVAL, pair.client.sctp_sendmsg, b"x", None, 0, 0, 4)


# --- SCTP_EVENTS, SCTP_EVENT ---


@pytest.mark.parametrize("size", [14, 11, 10])
def test_events_of_every_age(sock: SctpSocket, size: int) -> None:
    sock.setsockopt(SCTP, c.SCTP_EVENTS, b"\1" * size)
    assert sock.getsockopt(SCTP, c.SCTP_EVENTS, size) == b"\1" * size
    assert sock.getsockopt(SCTP, c.SCTP_EVENTS, 14) == (b"\1" * size).ljust(14, b"\0")
    found = sock.getsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe())
    assert (found.sctp_data_io_event, found.sctp_sender_dry_event) == (1, 1)
    assert found.sctp_stream_reset_event == int(size > 10)
    assert found.sctp_send_failure_event_event == int(size > 13)


def test_events_as_a_struct(sock: SctpSocket) -> None:
    wanted = structs.EventSubscribe(sctp_association_event=1, sctp_shutdown_event=1)
    sock.setsockopt(SCTP, c.SCTP_EVENTS, wanted)
    assert sock.getsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe()) == wanted
    sock.setsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe())
    assert sock.getsockopt(SCTP, c.SCTP_EVENTS, 14) == bytes(14)


def test_a_short_events_leaves_the_events_that_it_does_not_have(sock: SctpSocket) -> None:
    sock.setsockopt(SCTP, c.SCTP_EVENTS, b"\1" * 14)
    for value, expected in ((b"\0\1\0", "\0\1\0" + "\1" * 11), (b"", "\0\1\0" + "\1" * 11), (0, "\0" * 4 + "\1" * 10)):
        sock.setsockopt(SCTP, c.SCTP_EVENTS, value)
        assert sock.getsockopt(SCTP, c.SCTP_EVENTS, 14) == expected.encode()
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_EVENTS, bytes(15))


def test_event_turns_one_notification_on_and_off(sock: SctpSocket) -> None:
    for value in (structs.Event(0, c.SCTP_SHUTDOWN_EVENT, 1), struct.pack("=iHBx", 0, c.SCTP_ASSOC_CHANGE, 1)):
        sock.setsockopt(SCTP, c.SCTP_EVENT, value)
    events = sock.getsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe())
    assert events == structs.EventSubscribe(sctp_association_event=1, sctp_shutdown_event=1)
    asked = structs.Event(0, c.SCTP_SHUTDOWN_EVENT, 0)
    assert sock.getsockopt(SCTP, c.SCTP_EVENT, asked).se_on == 1
    assert sock.getsockopt(SCTP, c.SCTP_EVENT, asked.pack()) == structs.Event(0, c.SCTP_SHUTDOWN_EVENT, 1).pack()
    sock.setsockopt(SCTP, c.SCTP_EVENT, structs.Event(0, c.SCTP_SHUTDOWN_EVENT, 0))
    assert sock.getsockopt(SCTP, c.SCTP_EVENT, asked).se_on == 0
    assert sock.getsockopt(SCTP, c.SCTP_EVENT, structs.Event(0, c.SCTP_ASSOC_CHANGE)).se_on == 1


def test_event_takes_the_old_subscription_to_ancillary_data(sock: SctpSocket) -> None:
    sock.setsockopt(SCTP, c.SCTP_EVENT, structs.Event(0, c.SCTP_DATA_IO_EVENT, 1))
    assert sock.getsockopt(SCTP, c.SCTP_EVENTS, 1) == b"\1"
    assert sock.getsockopt(SCTP, c.SCTP_EVENT, structs.Event(0, c.SCTP_DATA_IO_EVENT)).se_on == 1


@pytest.mark.parametrize("type_", [0, 1, c.SCTP_SN_TYPE_MAX + 1, 0xFFFF])
def test_event_knows_its_types(sock: SctpSocket, type_: int) -> None:
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_EVENT, structs.Event(0, type_, 1))
    expect_errno(errno.EINVAL, sock.getsockopt, SCTP, c.SCTP_EVENT, structs.Event(0, type_))


def test_children_inherit_subscriptions_and_options(stacks: Stacks) -> None:
    stack = stacks()
    listener = stack.socket()
    listener.setsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe(sctp_data_io_event=1, sctp_shutdown_event=1))
    listener.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
    listener.setsockopt(SCTP, c.SCTP_CONTEXT, structs.AssocValue(0, 5))
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    stacks.towards(stack).socket().connect(listener.getsockname())
    child, _ = listener.accept()
    for option, arg in ((c.SCTP_EVENTS, 14), (c.SCTP_RECVRCVINFO, 4), (c.SCTP_CONTEXT, structs.AssocValue())):
        assert child.getsockopt(SCTP, option, arg) == listener.getsockopt(SCTP, option, arg)
    assert child.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 100_000


# --- SOL_SOCKET ---


def test_what_a_socket_is(stacks: Stacks) -> None:
    stack = stacks()
    many = stack.socket(socket.AF_INET, socket.SOCK_SEQPACKET)
    assert many.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_SEQPACKET
    assert many.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
    many.listen()
    assert many.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    for name, value in (("SO_DOMAIN", socket.AF_INET), ("SO_PROTOCOL", 132)):
        if hasattr(socket, name):
            assert many.getsockopt(socket.SOL_SOCKET, getattr(socket, name)) == value


@pytest.mark.parametrize("option", [socket.SO_SNDBUF, socket.SO_RCVBUF])
def test_buffer_sizes(sock: SctpSocket, option: int) -> None:
    """Linux sets twice what is asked for."""
    assert sock.getsockopt(socket.SOL_SOCKET, option) == 212_992
    sock.setsockopt(socket.SOL_SOCKET, option, 100_000)
    assert sock.getsockopt(socket.SOL_SOCKET, option) == 200_000
    sock.setsockopt(socket.SOL_SOCKET, option, (50_000).to_bytes(4, sys.byteorder))
    assert sock.getsockopt(socket.SOL_SOCKET, option, 4) == (100_000).to_bytes(4, sys.byteorder)
    sock.setsockopt(socket.SOL_SOCKET, option, 1)
    assert sock.getsockopt(socket.SOL_SOCKET, option) == (4_608 if option == socket.SO_SNDBUF else 2_304)
    sock.setsockopt(socket.SOL_SOCKET, option, -1)
    assert sock.getsockopt(socket.SOL_SOCKET, option) > 1 << 20


def test_so_sndbuf_bounds_a_message(pair: Pair) -> None:
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    expect_errno(errno.EMSGSIZE, pair.client.send, bytes(20_001))
    assert pair.client.send(bytes(20_000)) == 20_000


def test_so_rcvbuf_is_the_window_that_is_announced(stacks: Stacks) -> None:
    pair = connected(stacks, prepare=lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 15_000))
    assert pair.client.getsockopt(SCTP, c.SCTP_STATUS, structs.Status()).sstat_rwnd == 30_000


def test_linger(sock: SctpSocket) -> None:
    pack = struct.Struct("ii").pack
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == pack(0, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack(1, 7))
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == pack(1, 7)
    for value in (bytes(7), 8):
        expect_errno(errno.EINVAL, sock.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, value)


@pytest.mark.parametrize("option", [socket.SO_RCVTIMEO, socket.SO_SNDTIMEO])
def test_timeout_options(sock: SctpSocket, option: int) -> None:
    pack = struct.Struct("qq").pack
    assert sock.getsockopt(socket.SOL_SOCKET, option, 16) == pack(0, 0)
    sock.setsockopt(socket.SOL_SOCKET, option, pack(3, 250_000))
    assert sock.getsockopt(socket.SOL_SOCKET, option, 16) == pack(3, 250_000)
    expect_errno(errno.EDOM, sock.setsockopt, socket.SOL_SOCKET, option, pack(0, 1_000_000))
    for value in (bytes(15), 16):
        expect_errno(errno.EINVAL, sock.setsockopt, socket.SOL_SOCKET, option, value)


@pytest.mark.parametrize("name", ["SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE"])
def test_options_that_programs_set_by_habit(sock: SctpSocket, name: str) -> None:
    if hasattr(socket, name):
        option = getattr(socket, name)
        assert sock.getsockopt(socket.SOL_SOCKET, option) == 0
        sock.setsockopt(socket.SOL_SOCKET, option, 1)
        assert sock.getsockopt(socket.SOL_SOCKET, option) == 1


def test_so_error_is_nought_without_one(pair: Pair) -> None:
    assert pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    expect_errno(errno.ENOPROTOOPT, pair.client.setsockopt, socket.SOL_SOCKET, socket.SO_ERROR, 1)


# --- other options of SCTP ---


def test_nodelay(pair: Pair) -> None:
    assert pair.client.getsockopt(SCTP, c.SCTP_NODELAY) == 0
    pair.client.setsockopt(SCTP, c.SCTP_NODELAY, 1)
    assert pair.client.getsockopt(SCTP, c.SCTP_NODELAY) == 1
    assert pair.client.getsockopt(SCTP, c.SCTP_NODELAY, 4) == (1).to_bytes(4, sys.byteorder)
    expect_errno(errno.EINVAL, pair.client.getsockopt, SCTP, c.SCTP_NODELAY, 3)


@pytest.mark.parametrize("when", ["before", "after"])
def test_rtoinfo(stacks: Stacks, when: str) -> None:
    wanted = structs.RtoInfo(0, 300, 900, 200)
    pair = connected(stacks)
    sock = pair.client if when == "after" else pair.client_stack.socket()
    sock.setsockopt(SCTP, c.SCTP_RTOINFO, wanted)
    assert sock.getsockopt(SCTP, c.SCTP_RTOINFO, structs.RtoInfo()) == wanted
    sock.setsockopt(SCTP, c.SCTP_RTOINFO, structs.RtoInfo(srto_max=800).pack())
    assert sock.getsockopt(SCTP, c.SCTP_RTOINFO, 16) == structs.RtoInfo(0, 300, 800, 200).pack()
    for bad in (structs.RtoInfo(0, 300, 100, 200), structs.RtoInfo(0, 0, 0, 900), bytes(15), bytes(17)):
        expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_RTOINFO, bad)


def test_assocparams(pair: Pair) -> None:
    pair.client.setsockopt(SCTP, c.SCTP_ASSOCINFO, structs.AssocParams(0, 4, 0, 0, 0, 5_000))
    found = pair.client.getsockopt(SCTP, c.SCTP_ASSOCINFO, structs.AssocParams())
    assert (found.sasoc_asocmaxrxt, found.sasoc_cookie_life) == (4, 5_000)
    assert (found.sasoc_number_peer_destinations, found.sasoc_local_rwnd) == (1, 212_992)


def test_status(pair: Pair) -> None:
    status = pair.client.getsockopt(SCTP, c.SCTP_STATUS, structs.Status())
    assert status.sstat_state == c.SCTP_ESTABLISHED
    assert status.sstat_primary.spinfo_address == pair.client.getpeername()
    assert status.sstat_primary.spinfo_state == c.SCTP_ACTIVE
    assert structs.Status.unpack(pair.client.getsockopt(SCTP, c.SCTP_STATUS, 176)) == status
    expect_errno(errno.EINVAL, pair.client.getsockopt, SCTP, c.SCTP_STATUS, 175)
    expect_errno(errno.ENOPROTOOPT, pair.client.setsockopt, SCTP, c.SCTP_STATUS, status)
    expect_errno(errno.EINVAL, pair.client_stack.socket().getsockopt, SCTP, c.SCTP_STATUS, structs.Status())


def test_maxseg_and_max_burst_take_an_int_or_a_struct(pair: Pair) -> None:
    for option, value in ((c.SCTP_MAXSEG, 500), (c.SCTP_MAX_BURST, 6)):
        pair.client.setsockopt(SCTP, option, value)
        assert pair.client.getsockopt(SCTP, option) == value
        pair.client.setsockopt(SCTP, option, structs.AssocValue(0, value + 100))
        assert pair.client.getsockopt(SCTP, option, structs.AssocValue()).assoc_value == value + 100
        assert pair.client.getsockopt(SCTP, option, 4) == (value + 100).to_bytes(4, sys.byteorder)
        assert pair.client.getsockopt(SCTP, option, 8) == structs.AssocValue(0, value + 100).pack()
    expect_errno(errno.EINVAL, pair.client.setsockopt, SCTP, c.SCTP_MAXSEG, 70_000)


def test_delayed_sack(pair: Pair) -> None:
    pair.client.setsockopt(SCTP, c.SCTP_DELAYED_SACK, structs.SackInfo(0, 50, 4))
    assert pair.client.getsockopt(SCTP, c.SCTP_DELAYED_SACK, structs.SackInfo()) == structs.SackInfo(0, 50, 4)
    expect_errno(errno.EINVAL, pair.client.setsockopt, SCTP, c.SCTP_DELAYED_SACK, structs.SackInfo(0, 501, 2))


def test_remote_udp_port_of_a_socket(stacks: Stacks) -> None:
    server_stack = stacks()
    listener = listening(server_stack)
    client = stacks(remote_udp_port=9).socket()
    port = socket.htons(server_stack.udp_ports[0])
    client.setsockopt(SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, structs.UdpEncaps(sue_port=port))
    client.connect(listener.getsockname())
    assert client.getsockopt(SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, structs.UdpEncaps()).sue_port == port


def test_association_ids_are_checked(stacks: Stacks) -> None:
    stack = stacks()
    many = listening(stack, type_=socket.SOCK_SEQPACKET)
    for option, value in (
        (c.SCTP_RTOINFO, structs.RtoInfo(99)),
        (c.SCTP_ASSOCINFO, structs.AssocParams(99)),
        (c.SCTP_STATUS, structs.Status(99)),
        (c.SCTP_DELAYED_SACK, structs.SackInfo(99)),
    ):
        expect_errno(errno.EINVAL, many.getsockopt, SCTP, option, value)


@pytest.mark.parametrize("level", [socket.SOL_SOCKET, c.IPPROTO_SCTP, socket.IPPROTO_TCP])
def test_unknown_options(sock: SctpSocket, level: int) -> None:
    known = level in (socket.SOL_SOCKET, c.IPPROTO_SCTP)
    expect_errno(errno.ENOPROTOOPT if known else errno.EOPNOTSUPP, sock.getsockopt, level, 9_999)
    expect_errno(errno.ENOPROTOOPT, sock.setsockopt, level, 9_999, 1)


def test_values_of_the_wrong_shape(sock: SctpSocket) -> None:
    expect_errno(errno.EINVAL, sock.getsockopt, SCTP, c.SCTP_INITMSG, structs.RtoInfo())
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_INITMSG, structs.RtoInfo())
    for size in (-1, 1_025):
        with pytest.raises(OSError, match="buflen out of range"):
            sock.getsockopt(SCTP, c.SCTP_INITMSG, size)
    with pytest.raises(TypeError):
        sock.setsockopt(SCTP, c.SCTP_NODELAY, 1 << 40)
    expect_errno(errno.EINVAL, sock.setsockopt, socket.SOL_SOCKET, socket.SO_SNDBUF, b"\0\0\0")
    for wrong in ("text", None, 1.5):
        with pytest.raises(TypeError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, wrong)


def test_none_and_a_length_are_zeros(sock: SctpSocket) -> None:
    sock.setsockopt(SCTP, c.SCTP_EVENTS, b"\1" * 14)
    sock.setsockopt(SCTP, c.SCTP_EVENTS, None, 14)
    assert sock.getsockopt(SCTP, c.SCTP_EVENTS, 14) == bytes(14)
