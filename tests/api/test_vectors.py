"""sctp_sendv, sctp_recvv, sctp_opt_info, and the ancillary data that they stand for (RFC 6458 sections 5.3 and 9)."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from loopback import Pair, Stacks, assoc_change, expect_errno, listening, subscribe, until

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c

SCTP = c.IPPROTO_SCTP
MANY = socket.SOCK_SEQPACKET


def switch_on(sock: SctpSocket, *options: int) -> None:
    for option in options:
        sock.setsockopt(SCTP, option, 1)


# --- sctp_sendv and sctp_recvv (sections 9.12 and 9.13) ---


def test_sendv_gathers_and_recvv_tells(pair: Pair) -> None:
    client, server = pair.ends
    switch_on(server, c.SCTP_RECVRCVINFO)
    assert client.sctp_sendv([b"one ", b"mes", bytearray(b"sage")], (), structs.SndInfo(3, 0, socket.htonl(7))) == 11
    data, address, info, msg_flags = server.sctp_recvv(100)
    assert (data, address, msg_flags) == (b"one message", client.getsockname(), socket.MSG_EOR)
    assert isinstance(info, structs.RcvInfo)
    assert (info.rcv_sid, socket.ntohl(info.rcv_ppid)) == (3, 7)


@pytest.mark.parametrize(
    "info",
    [
        None,
        structs.PrInfo(c.SCTP_PR_SCTP_TTL, 60_000),
        structs.AuthInfo(1),
        structs.SendvSpa(c.SCTP_SEND_SNDINFO_VALID | c.SCTP_SEND_PRINFO_VALID, structs.SndInfo(2), structs.PrInfo()),
        # What is not said to be valid is not looked at.
        structs.SendvSpa(0, structs.SndInfo(99), structs.PrInfo(0x40)),
    ],
)
def test_the_infos_of_sendv(pair: Pair, info: Any) -> None:
    switch_on(pair.server, c.SCTP_RECVRCVINFO)
    assert pair.client.sctp_sendv([b"x"], (), info) == 1
    _, _, received, _ = pair.server.sctp_recvv(10)
    assert isinstance(received, structs.RcvInfo)
    assert received.rcv_sid == (2 if isinstance(info, structs.SendvSpa) and info.sendv_flags else 0)


def test_bad_infos_of_sendv(pair: Pair) -> None:
    for info in (structs.SndInfo(99), structs.PrInfo(0x40), structs.SendvSpa(1, structs.SndInfo(99))):
        expect_errno(errno.EINVAL, pair.client.sctp_sendv, [b"x"], (), info)
    with pytest.raises(TypeError):
        pair.client.sctp_sendv([b"x"], (), structs.InitMsg())  # type: ignore[arg-type]


def test_recvv_tells_of_the_next_message(pair: Pair) -> None:
    client, server = pair.ends
    switch_on(server, c.SCTP_RECVRCVINFO, c.SCTP_RECVNXTINFO)
    client.setsockopt(SCTP, c.SCTP_NODELAY, 1)
    client.sctp_sendmsg(b"first", stream_no=1)
    client.sctp_sendmsg(b"second one", ppid=0x0B0A, flags=c.SCTP_UNORDERED, stream_no=2)
    until(lambda: len(server._arrivals.arrivals) == 2, "both messages")
    data, _, info, _ = server.sctp_recvv(3, socket.MSG_PEEK)
    assert data == b"fir"
    # After MSG_PEEK the same message is the next one.
    assert isinstance(info, structs.RecvvRn)
    assert (info.recvv_nxtinfo.nxt_sid, info.recvv_nxtinfo.nxt_length) == (1, 5)
    data, _, info, _ = server.sctp_recvv(3)
    assert isinstance(info, structs.RecvvRn)
    id_ = next(iter(server.associations))
    following = structs.NxtInfo(2, c.SCTP_UNORDERED, 0x0B0A, 10, id_)
    assert (data, info.recvv_rcvinfo.rcv_sid, info.recvv_nxtinfo) == (b"fir", 1, following)
    data, _, info, _ = server.sctp_recvv(100)
    assert isinstance(info, structs.RecvvRn)
    assert (data, info.recvv_nxtinfo) == (b"st", following)
    data, _, info, _ = server.sctp_recvv(100)
    assert data == b"second one"
    assert isinstance(info, structs.RcvInfo)
    server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 0)
    client.send(b"alone")
    assert server.sctp_recvv(100)[2] is None


def test_a_notification_may_be_next(pair: Pair) -> None:
    client, server = pair.ends
    subscribe(server, c.SCTP_SHUTDOWN_EVENT)
    switch_on(server, c.SCTP_RECVNXTINFO)
    client.send(b"last")
    client.shutdown(socket.SHUT_WR)
    until(lambda: len(server._arrivals.arrivals) == 2, "the notification")
    data, _, info, _ = server.sctp_recvv(100)
    assert data == b"last"
    assert isinstance(info, structs.NxtInfo)
    assert (info.nxt_flags, info.nxt_length) == (c.SCTP_NOTIFICATION, structs.ShutdownEvent.SIZE)
    assert info.nxt_assoc_id >= 3


def test_the_order_of_control_messages_is_linuxs(pair: Pair) -> None:
    client, server = pair.ends
    switch_on(server, c.SCTP_RECVRCVINFO, c.SCTP_RECVNXTINFO)
    server.setsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe(sctp_data_io_event=1))
    client.setsockopt(SCTP, c.SCTP_NODELAY, 1)
    client.send(b"x")
    client.send(b"y")
    until(lambda: len(server._arrivals.arrivals) == 2, "both messages")
    _, ancillary, _, _ = server.recvmsg(10, 300)
    assert [type_ for _, type_, _ in ancillary] == [c.SCTP_NXTINFO, c.SCTP_RCVINFO, c.SCTP_SNDRCV]


# --- setting up (sections 5.3.9, 5.3.10 and 9.12) ---


def two_addresses(stacks: Stacks) -> tuple[SctpSocket, SctpSocket, int]:
    """A one-to-many server at two addresses, a client, and the port."""
    server_stack = stacks()
    server = server_stack.socket(socket.AF_INET, MANY)
    server.sctp_bindx([("127.0.0.1", 0), ("127.0.0.2", 0)])
    server.listen()
    return server, stacks.towards(server_stack).socket(socket.AF_INET, MANY), server.getsockname()[1]


def test_sendv_sets_up_with_all_addresses(stacks: Stacks) -> None:
    server, sock, port = two_addresses(stacks)
    assert sock.sctp_sendv([b"hello"], [("127.0.0.1", port), ("127.0.0.2", port)]) == 5
    assert server.recv(10) == b"hello"
    (id_,) = sock.associations
    assert sock.sctp_getpaddrs(id_) == [("127.0.0.1", port), ("127.0.0.2", port)]
    # Once it is there, the further ones mean nothing.
    assert sock.sctp_sendv([b"again"], [("127.0.0.1", port), ("127.0.0.9", port)]) == 5
    expect_errno(errno.EINVAL, sock.sctp_sendv, [b"x"], [("127.0.0.1", port), ("127.0.0.2", port + 1)])


def test_dstaddrv4(stacks: Stacks) -> None:
    server, sock, port = two_addresses(stacks)
    to = ("127.0.0.1", port)
    for bad in (b"abc", b""):
        expect_errno(errno.EINVAL, sock.sendmsg, [b"x"], [(SCTP, c.SCTP_DSTADDRV4, bad)], 0, to)
    again = socket.inet_aton("127.0.0.1")
    expect_errno(errno.EADDRNOTAVAIL, sock.sendmsg, [b"x"], [(SCTP, c.SCTP_DSTADDRV4, again)], 0, to)
    assert not sock.associations
    further = socket.inet_aton("127.0.0.2")
    assert sock.sendmsg([b"x"], [(SCTP, c.SCTP_DSTADDRV4, further)], 0, to) == 1
    assert server.recv(10) == b"x"
    # The length is not looked at where there is nothing to set up.
    assert sock.sendmsg([b"y"], [(SCTP, c.SCTP_DSTADDRV4, b"abc")], 0, to) == 1


def test_a_setup_for_a_stream_that_it_will_not_have(stacks: Stacks) -> None:
    _, sock, port = two_addresses(stacks)
    info = structs.SndInfo(snd_sid=20)
    to = ("127.0.0.1", port)
    expect_errno(errno.EINVAL, sock.sendmsg, [b"x"], [(SCTP, c.SCTP_SNDINFO, info)], 0, to)
    assert not sock.associations
    init = structs.InitMsg(sinit_num_ostreams=21)
    assert sock.sendmsg([b"x"], [(SCTP, c.SCTP_INIT, init), (SCTP, c.SCTP_SNDINFO, info)], 0, to) == 1


# --- flags (section 5.3.4) ---


def test_eof_takes_no_data(stacks: Stacks) -> None:
    _, sock, port = two_addresses(stacks)
    subscribe(sock, c.SCTP_ASSOC_CHANGE)
    to = ("127.0.0.1", port)
    for flags in (c.SCTP_EOF, c.SCTP_ABORT):
        # There is nothing to end.
        expect_errno(errno.EINVAL, sock.sctp_sendmsg, b"", to, 0, flags)
    sock.sendto(b"x", to)
    up = assoc_change(sock, c.SCTP_COMM_UP)
    expect_errno(errno.EINVAL, sock.sctp_sendmsg, b"last", to, 0, c.SCTP_EOF)
    assert sock.sctp_sendmsg(b"", to, flags=c.SCTP_EOF) == 0
    assert assoc_change(sock, c.SCTP_SHUTDOWN_COMP).sac_assoc_id == up.sac_assoc_id


def test_sendall(stacks: Stacks) -> None:
    stack = stacks()
    servers = [listening(stack, type_=MANY) for _ in range(3)]
    sock = stacks.towards(stack).socket(socket.AF_INET, MANY)
    assert sock.sctp_sendmsg(b"nobody", flags=c.SCTP_SENDALL) == 0
    for server in servers:
        sock.connect(server.getsockname())
    assert sock.sctp_sendmsg(b"everybody", flags=c.SCTP_SENDALL) == 9
    assert [server.recv(100) for server in servers] == [b"everybody"] * 3
    assert sock.sctp_sendmsg(b"", flags=c.SCTP_SENDALL | c.SCTP_EOF) == 0
    until(lambda: not sock.associations, "the end of all")


def test_sendall_means_nothing_to_one_association(pair: Pair) -> None:
    assert pair.client.sctp_sendmsg(b"x", flags=c.SCTP_SENDALL) == 1
    assert pair.server.recv(10) == b"x"


def test_what_an_abort_tells_each_end(stacks: Stacks) -> None:
    server, sock, port = two_addresses(stacks)
    subscribe(sock, c.SCTP_ASSOC_CHANGE)
    sock.sendto(b"x", ("127.0.0.1", port))
    assert server.recv(10) == b"x"
    subscribe(server, c.SCTP_ASSOC_CHANGE)
    assoc_change(sock, c.SCTP_COMM_UP)
    (id_,) = sock.associations
    assert sock.sendmsg([b"my reason"], [(SCTP, c.SCTP_SNDINFO, structs.SndInfo(0, c.SCTP_ABORT, 0, 0, id_))]) == 0
    lost = assoc_change(sock, c.SCTP_COMM_LOST)
    assert (socket.ntohs(lost.sac_error), lost.sac_info) == (12, b"")
    lost = assoc_change(server, c.SCTP_COMM_LOST)
    assert (socket.ntohs(lost.sac_error), lost.sac_info) == (12, b"\0\x0c\0\x0dmy reason")


# --- sctp_opt_info (section 8) ---


def test_opt_info(stacks: Stacks) -> None:
    _, sock, port = two_addresses(stacks)
    sock.connect(("127.0.0.1", port))
    (id_,) = sock.associations
    status = sock.sctp_opt_info(id_, c.SCTP_STATUS, structs.Status())
    assert (status.sstat_assoc_id, status.sstat_state) == (id_, c.SCTP_ESTABLISHED)
    asked = structs.PaddrInfo(spinfo_address=("127.0.0.1", port))
    assert sock.sctp_opt_info(id_, c.SCTP_GET_PEER_ADDR_INFO, asked).spinfo_state == c.SCTP_ACTIVE
    assert sock.sctp_opt_info(id_, c.SCTP_DEFAULT_SNDINFO, structs.SndInfo()).snd_assoc_id == id_
    assert sock.sctp_opt_info(id_, c.SCTP_CONTEXT, bytes(8)) == structs.AssocValue(id_).pack()
    expect_errno(errno.EINVAL, sock.sctp_opt_info, 9_999, c.SCTP_STATUS, structs.Status())
    expect_errno(errno.EINVAL, sock.sctp_opt_info, id_, c.SCTP_STATUS, bytes(4))
    for option in (9_999, c.SCTP_SOCKOPT_CONNECTX):
        expect_errno(errno.EOPNOTSUPP, sock.sctp_opt_info, id_, option, bytes(8))
