"""Notifications: events of the association in the stream of messages (RFC 6458 section 6)."""

from __future__ import annotations

import contextlib
import errno
import socket

import pytest
from loopback import (
    Pair,
    Stacks,
    assoc_change,
    connected,
    expect_errno,
    fill,
    listening,
    notification,
    receive_message,
    subscribe,
    until,
)

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c


def all_associations(sock: SctpSocket) -> None:
    subscribe(sock, c.SCTP_ASSOC_CHANGE)


def test_comm_up_at_both_ends(stacks: Stacks) -> None:
    pair = connected(stacks, prepare=all_associations)
    for sock in pair.ends:
        data, address, info, msg_flags = sock.sctp_recvmsg(1_000)
        assert msg_flags == c.MSG_NOTIFICATION | socket.MSG_EOR
        assert address == sock.getpeername()
        assert info == structs.SndRcvInfo()
        up = structs.AssocChange.unpack(data)
        assert (up.sac_type, up.sac_state, up.sac_error) == (c.SCTP_ASSOC_CHANGE, c.SCTP_COMM_UP, 0)
        assert up.sac_length == len(data) == 20
        assert (up.sac_outbound_streams, up.sac_inbound_streams) == (10, 10)
        assert up.sac_assoc_id >= 3


def test_nothing_unless_subscribed(pair: Pair) -> None:
    pair.client.send(b"x")
    assert pair.server.sctp_recvmsg(100)[3] == socket.MSG_EOR
    pair.client.close()
    assert pair.server.recv(100) == b""


def test_a_notification_may_be_read_in_pieces(stacks: Stacks) -> None:
    pair = connected(stacks, prepare=all_associations)
    found = [pair.client.sctp_recvmsg(8) for _ in range(3)]
    assert [len(data) for data, *_ in found] == [8, 8, 4]
    assert [flags for *_, flags in found] == [c.MSG_NOTIFICATION] * 2 + [c.MSG_NOTIFICATION | socket.MSG_EOR]
    assert structs.AssocChange.unpack(b"".join(data for data, *_ in found)).sac_state == c.SCTP_COMM_UP


def test_recvmsg_gives_notifications_without_ancillary_data(stacks: Stacks) -> None:
    pair = connected(stacks, prepare=all_associations)
    pair.client.setsockopt(c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO, 1)
    data, ancillary, msg_flags, address = pair.client.recvmsg(100, 256)
    assert structs.AssocChange.unpack(data).sac_state == c.SCTP_COMM_UP
    assert (ancillary, msg_flags) == ([], c.MSG_NOTIFICATION | socket.MSG_EOR)
    assert address == pair.client.getpeername()


def completed(sock: SctpSocket) -> structs.AssocChange:
    """SCTP_SHUTDOWN_COMP, which as on Linux may come after the first end of file: that is there with the SHUTDOWN."""
    until(lambda: bool(sock.recv(1, socket.MSG_PEEK)), "SCTP_SHUTDOWN_COMP")
    over = structs.AssocChange.unpack(sock.recv(100))
    assert over.sac_state == c.SCTP_SHUTDOWN_COMP
    return over


def test_an_orderly_end(pair: Pair) -> None:
    for sock in pair.ends:
        subscribe(sock, c.SCTP_ASSOC_CHANGE, c.SCTP_SHUTDOWN_EVENT)
    pair.client.send(b"last")
    pair.client.shutdown(socket.SHUT_WR)
    assert pair.server.recv(10) == b"last"
    shutdown = notification(pair.server)
    assert isinstance(shutdown, structs.ShutdownEvent)
    assert completed(pair.server).sac_assoc_id == shutdown.sse_assoc_id
    assert pair.server.recv(10) == b""
    completed(pair.client)
    assert pair.client.recv(10) == b""


def test_an_abort_is_comm_lost_and_then_the_error(pair: Pair) -> None:
    all_associations(pair.server)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair.client.close()
    lost = assoc_change(pair.server, c.SCTP_COMM_LOST)
    assert socket.ntohs(lost.sac_error) == 12  # User-Initiated Abort
    with pytest.raises(ConnectionResetError):
        pair.server.recv(10)
    assert pair.server.recv(10) == b""


def test_a_failed_setup_is_cant_str_assoc(stacks: Stacks) -> None:
    server_stack = stacks()
    listening(server_stack)
    client = stacks.towards(server_stack).socket()
    all_associations(client)
    with pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", 5_000))
    failed = assoc_change(client, c.SCTP_CANT_STR_ASSOC)
    # As in Linux: it never had one.
    assert failed.sac_assoc_id == 0
    # And may try again.
    with pytest.raises(ConnectionRefusedError):
        client.connect(("127.0.0.1", 5_000))


def full(stacks: Stacks) -> tuple[Pair, int]:
    """A pair whose client cannot send: the window of the server, which does not read, is closed. How many bytes fill
    it."""
    pair = connected(stacks, server={"receive_buffer": 20_000})
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
    return pair, fill(pair.client, 1_000) * 1_000


@pytest.mark.parametrize("kind", [c.SCTP_SEND_FAILED, c.SCTP_SEND_FAILED_EVENT])
def test_a_message_that_outlives_its_time_unsent_is_dropped_and_reported(stacks: Stacks, kind: int) -> None:
    pair, filled = full(stacks)
    subscribe(pair.client, kind)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)
    pair.client.sctp_sendmsg(
        b"perishable", None, socket.htonl(46), c.SCTP_UNORDERED, 3, timetolive=50, context=0xC0FFEE
    )
    pair.client.send(b"durable")
    failed = notification(pair.client)
    if isinstance(failed, structs.SendFailed):
        info = failed.ssf_info
        told = (info.sinfo_stream, info.sinfo_flags, info.sinfo_ppid, info.sinfo_context, info.sinfo_assoc_id)
    else:
        assert isinstance(failed, structs.SendFailedEvent)
        sndinfo = failed.ssfe_info
        told = (sndinfo.snd_sid, sndinfo.snd_flags, sndinfo.snd_ppid, sndinfo.snd_context, sndinfo.snd_assoc_id)
    # Linux has the flags of the DATA chunk here: U, B and E.
    assert told == (3, 7, socket.htonl(46), 0xC0FFEE, failed.ssf_assoc_id)
    assert (failed.ssf_flags, failed.ssf_error, failed.ssf_data) == (c.SCTP_DATA_UNSENT, 0, b"perishable")
    # The peer gets all the others, in order, and not this one.
    pair.client.shutdown(socket.SHUT_WR)
    received = []
    while message := pair.server.recv(2_000):
        received.append(message)
    assert received[-1] == b"durable"
    assert received[:-1] == [bytes(1_000)] * (filled // 1_000)


def test_a_message_within_its_time_is_delivered(pair: Pair) -> None:
    subscribe(pair.client, c.SCTP_SEND_FAILED_EVENT)
    pair.client.sctp_sendmsg(b"quick", timetolive=30_000, context=1)
    assert pair.server.recv(10) == b"quick"
    expect_errno(errno.EAGAIN, pair.client.recv, 10, socket.MSG_DONTWAIT)


def test_room_of_a_dropped_message_is_free_again(stacks: Stacks) -> None:
    pair, _ = full(stacks)
    subscribe(pair.client, c.SCTP_SEND_FAILED_EVENT)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 101_000)
    pair.client.sctp_sendmsg(bytes(1_000), timetolive=50)
    assert isinstance(notification(pair.client), structs.SendFailedEvent)
    pair.client.settimeout(0)
    pair.client.send(bytes(1_000))


def test_messages_of_a_lost_association_are_reported(stacks: Stacks) -> None:
    pair, filled = full(stacks)
    subscribe(pair.client, c.SCTP_ASSOC_CHANGE, c.SCTP_SEND_FAILED_EVENT)
    pair.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair.server.close()
    lost = assoc_change(pair.client, c.SCTP_COMM_LOST)
    failed = []
    pair.client.settimeout(0)
    with contextlib.suppress(ConnectionResetError):
        while True:
            one = notification(pair.client)
            assert isinstance(one, structs.SendFailedEvent)
            failed.append(one)
    assert {one.ssf_assoc_id for one in failed} == {lost.sac_assoc_id}
    flags = [one.ssf_flags for one in failed]
    # Most of what was queued had not left; no message is reported twice, and none that was acknowledged.
    assert flags.count(c.SCTP_DATA_UNSENT) > 0
    assert filled // 1_000 - 20_000 // 1_000 - 1 <= len(failed) <= filled // 1_000


def test_sender_dry_when_all_is_acknowledged(pair: Pair) -> None:
    subscribe(pair.client, c.SCTP_SENDER_DRY_EVENT)
    # At once, since there is nothing to send (RFC 6458 section 6.1.9).
    dry = notification(pair.client)
    assert isinstance(dry, structs.SenderDryEvent)
    assert dry.sender_dry_assoc_id >= 3
    for _ in range(10):
        pair.client.send(bytes(10_000))
    assert isinstance(notification(pair.client), structs.SenderDryEvent)
    assert sum(len(receive_message(pair.server)) for _ in range(10)) == 100_000
