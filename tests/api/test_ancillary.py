"""What goes with a message: the parameters of sctp_sendmsg, and ancillary data (RFC 6458 sections 5.3, 9.7, 9.8)."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import pytest
from loopback import Pair, Stacks, connected, expect_errno, listening

from pysctpstack import constants as c
from pysctpstack import structs

SCTP = c.IPPROTO_SCTP
SPACE = 256


def data_io(sock: Any) -> None:
    sock.setsockopt(SCTP, c.SCTP_EVENTS, structs.EventSubscribe(sctp_data_io_event=1))


# --- sctp_sendmsg, sctp_recvmsg ---


def test_sctp_sendmsg_and_sctp_recvmsg(pair: Pair) -> None:
    data_io(pair.server)
    pair.server.setsockopt(SCTP, c.SCTP_CONTEXT, structs.AssocValue(0, 7))
    assert pair.client.sctp_sendmsg(b"zero", ppid=socket.htonl(1)) == 4
    assert pair.client.sctp_sendmsg(b"one", pair.listener.getsockname(), socket.htonl(0x01020304), 0, 5, 0, 99) == 3
    assert pair.client.sctp_sendmsg(b"two", stream_no=5, flags=c.SCTP_UNORDERED) == 3
    assert pair.client.sctp_sendmsg(b"three", stream_no=5) == 5
    found = [pair.server.sctp_recvmsg(100) for _ in range(4)]
    assert [data for data, *_ in found] == [b"zero", b"one", b"two", b"three"]
    assert {address for _, address, _, _ in found} == {pair.client.getsockname()}
    assert {msg_flags for *_, msg_flags in found} == {socket.MSG_EOR}
    zero, one, two, three = (info for _, _, info, _ in found)
    assert (zero.sinfo_stream, zero.sinfo_ssn, socket.ntohl(zero.sinfo_ppid)) == (0, 0, 1)
    assert (one.sinfo_stream, one.sinfo_ssn, socket.ntohl(one.sinfo_ppid)) == (5, 0, 0x01020304)
    assert (two.sinfo_flags, three.sinfo_flags) == (c.SCTP_UNORDERED, 0)
    assert (three.sinfo_ssn, three.sinfo_ppid) == (1, 0)
    assert [info.sinfo_tsn for info in (zero, one, two, three)] == [zero.sinfo_tsn + i & 0xFFFFFFFF for i in range(4)]
    # The context is the receiver's own, not the one of the sender.
    assert {info.sinfo_context for info in (zero, one, two, three)} == {7}
    assert len({info.sinfo_assoc_id for info in (zero, one, two, three)}) == 1
    assert zero.sinfo_assoc_id >= 3


def test_sinfo_is_zero_unless_subscribed(pair: Pair) -> None:
    pair.client.sctp_sendmsg(b"x", ppid=5, stream_no=5)
    data, address, info, msg_flags = pair.server.sctp_recvmsg(100)
    assert (data, address, info) == (b"x", pair.client.getsockname(), structs.SndRcvInfo())
    assert msg_flags == socket.MSG_EOR


def test_sctp_recvmsg_at_the_end(pair: Pair) -> None:
    data_io(pair.server)
    pair.client.close()
    assert pair.server.sctp_recvmsg(100) == (b"", None, structs.SndRcvInfo(), 0)


def test_msg_eor_comes_with_the_last_piece_of_a_message(pair: Pair) -> None:
    data_io(pair.server)
    pair.client.sctp_sendmsg(b"0123456789", stream_no=2)
    found = [pair.server.sctp_recvmsg(4) for _ in range(3)]
    assert [(data, msg_flags) for data, _, _, msg_flags in found] == [
        (b"0123", 0),
        (b"4567", 0),
        (b"89", socket.MSG_EOR),
    ]
    assert {info.sinfo_stream for _, _, info, _ in found} == {2}


def test_the_ppid_is_on_the_wire_as_it_is_in_memory(stacks: Stacks) -> None:
    # RFC 6458 section 5.3.2: opaque to the stack, so that htonl is the caller's, and this is big-endian on the wire.
    pair = connected(stacks)
    client_port = pair.client.getsockname()[1]
    status = pair.client.getsockopt(SCTP, c.SCTP_STATUS, structs.Status())
    assert status.sstat_state == c.SCTP_ESTABLISHED
    # From now on the client's packets go to a UDP socket of the test's.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(10)
        port = socket.htons(wire.getsockname()[1])
        pair.client.setsockopt(SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT, structs.UdpEncaps(sue_port=port))
        pair.client.sctp_sendmsg(b"payload", ppid=socket.htonl(0xA1B2C3D4), stream_no=6)
        packet = wire.recv(2_000)
    source, _, _, _ = struct.unpack_from(">HHII", packet)
    type_, _, length, _, stream, _, ppid = struct.unpack_from(">BBHIHHI", packet, 12)
    assert (source, type_, length) == (client_port, 0, 16 + 7)
    assert (stream, ppid) == (6, 0xA1B2C3D4)
    assert packet[28:35] == b"payload"


def test_parameters_are_converted_as_c_does(pair: Pair) -> None:
    data_io(pair.server)
    pair.client.sctp_sendmsg(b"x", ppid=-1, context=-1, timetolive=-1)
    assert pair.server.sctp_recvmsg(10)[2].sinfo_ppid == 0xFFFFFFFF


def test_sctp_send(pair: Pair) -> None:
    data_io(pair.server)
    info = structs.SndRcvInfo(sinfo_stream=4, sinfo_ppid=socket.htonl(9))
    assert pair.client.sctp_send(b"struct", info) == 6
    assert pair.client.sctp_send(b"bytes", info.pack()) == 5
    for expected in (b"struct", b"bytes"):
        data, _, found, _ = pair.server.sctp_recvmsg(10)
        assert (data, found.sinfo_stream, found.sinfo_ppid) == (expected, 4, socket.htonl(9))


# --- sendmsg ---


@pytest.mark.parametrize("as_bytes", [False, True])
@pytest.mark.parametrize(
    ("type_", "info"),
    [
        (c.SCTP_SNDINFO, structs.SndInfo(snd_sid=3, snd_flags=c.SCTP_UNORDERED, snd_ppid=socket.htonl(8))),
        (c.SCTP_SNDRCV, structs.SndRcvInfo(sinfo_stream=3, sinfo_flags=c.SCTP_UNORDERED, sinfo_ppid=socket.htonl(8))),
    ],
)
def test_sendmsg_with_parameters(pair: Pair, type_: int, info: Any, as_bytes: bool) -> None:
    data_io(pair.server)
    assert pair.client.sendmsg([b"a", b"bc"], [(SCTP, type_, info.pack() if as_bytes else info)]) == 3
    data, _, found, _ = pair.server.sctp_recvmsg(10)
    assert data == b"abc"
    assert (found.sinfo_stream, found.sinfo_flags, socket.ntohl(found.sinfo_ppid)) == (3, c.SCTP_UNORDERED, 8)


def test_sendmsg_with_a_life_time(pair: Pair) -> None:
    life = structs.PrInfo(pr_policy=c.SCTP_PR_SCTP_TTL, pr_value=60_000)
    pair.client.sendmsg([b"x"], [(SCTP, c.SCTP_PRINFO, life), (SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_sid=1))])
    pair.client.sendmsg([b"y"], [(SCTP, c.SCTP_PRINFO, structs.PrInfo())])
    assert [pair.server.recv(10) for _ in range(2)] == [b"x", b"y"]


def test_sendmsg_with_init_parameters_sets_up_by_them(stacks: Stacks) -> None:
    stack = stacks()
    server = listening(stack, type_=socket.SOCK_SEQPACKET)
    client = stacks.towards(stack).socket(socket.AF_INET, socket.SOCK_SEQPACKET)
    client.setsockopt(SCTP, c.SCTP_EVENT, structs.Event(0, c.SCTP_ASSOC_CHANGE, 1))
    init = structs.InitMsg(sinit_num_ostreams=17)
    assert client.sendmsg([b"x"], [(SCTP, c.SCTP_INIT, init)], 0, server.getsockname()) == 1
    up = structs.parse_notification(client.recv(100))
    assert isinstance(up, structs.AssocChange)
    assert up.sac_outbound_streams == 17
    # For that association only.
    assert client.getsockopt(SCTP, c.SCTP_INITMSG, structs.InitMsg()).sinit_num_ostreams == 10


@pytest.mark.parametrize(
    "message",
    [
        (SCTP, c.SCTP_SNDINFO, b"short"),
        (SCTP, c.SCTP_SNDRCV, bytes(31)),
        (SCTP, c.SCTP_PRINFO, structs.PrInfo(pr_policy=0x40, pr_value=1)),
        (SCTP, c.SCTP_PRINFO, bytes(9)),
        (SCTP, c.SCTP_AUTHINFO, bytes(1)),
        (SCTP, c.SCTP_RCVINFO, bytes(28)),
        (SCTP, 99, b""),
        (SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_flags=0x4000)),
        (SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_flags=c.SCTP_PR_SCTP_ALL)),
        (SCTP, c.SCTP_SNDINFO, structs.SndInfo(snd_sid=10)),
    ],
)
def test_ancillary_data_that_sendmsg_refuses(pair: Pair, message: tuple[int, int, Any]) -> None:
    expect_errno(errno.EINVAL, pair.client.sendmsg, [b"x"], [message])
    pair.client.send(b"fine")
    assert pair.server.recv(10) == b"fine"


def test_ancillary_data_of_other_protocols_is_left_alone(pair: Pair) -> None:
    pair.client.sendmsg([b"x"], [(socket.SOL_SOCKET, 1, b"ignored")])
    assert pair.server.recv(10) == b"x"


# --- recvmsg ---


def test_recvmsg_without_subscription_gives_no_ancillary_data(pair: Pair) -> None:
    pair.client.send(b"bare")
    assert pair.server.recvmsg(100, SPACE) == (b"bare", [], socket.MSG_EOR, pair.client.getsockname())


def test_recvmsg_with_rcvinfo(pair: Pair) -> None:
    pair.server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    pair.client.sctp_sendmsg(b"first", stream_no=2, ppid=socket.htonl(3))
    pair.client.sctp_sendmsg(b"second", stream_no=2, flags=c.SCTP_UNORDERED)
    _, [(level, type_, raw)], msg_flags, address = pair.server.recvmsg(100, SPACE)
    assert (level, type_, msg_flags, address) == (SCTP, c.SCTP_RCVINFO, socket.MSG_EOR, pair.client.getsockname())
    info = structs.RcvInfo.unpack(raw)
    assert (info.rcv_sid, info.rcv_ssn, info.rcv_flags, socket.ntohl(info.rcv_ppid)) == (2, 0, 0, 3)
    _, [(_, _, raw)], _, _ = pair.server.recvmsg(100, SPACE)
    second = structs.RcvInfo.unpack(raw)
    assert (second.rcv_flags, second.rcv_tsn) == (c.SCTP_UNORDERED, info.rcv_tsn + 1 & 0xFFFFFFFF)
    assert second.rcv_assoc_id == info.rcv_assoc_id >= 3


def test_recvmsg_with_both_forms(pair: Pair) -> None:
    data_io(pair.server)
    pair.server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    pair.client.sctp_sendmsg(b"x", stream_no=7)
    _, messages, _, _ = pair.server.recvmsg(10, SPACE)
    found = {type_: raw for _, type_, raw in messages}
    assert structs.SndRcvInfo.unpack(found[c.SCTP_SNDRCV]).sinfo_stream == 7
    assert structs.RcvInfo.unpack(found[c.SCTP_RCVINFO]).rcv_sid == 7


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (0, []),
        (15, []),
        # The last one is cut short.
        (16, [(c.SCTP_RCVINFO, 0)]),
        (socket.CMSG_LEN(28) - 1, [(c.SCTP_RCVINFO, 27)]),
        (socket.CMSG_LEN(28), [(c.SCTP_RCVINFO, 28)]),
        (socket.CMSG_SPACE(28) + socket.CMSG_LEN(32) - 1, [(c.SCTP_RCVINFO, 28), (c.SCTP_SNDRCV, 31)]),
        (socket.CMSG_SPACE(28) + socket.CMSG_LEN(32), [(c.SCTP_RCVINFO, 28), (c.SCTP_SNDRCV, 32)]),
    ],
)
def test_msg_ctrunc_tells_of_ancillary_data_without_room(pair: Pair, space: int, expected: list[Any]) -> None:
    data_io(pair.server)
    pair.server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    pair.client.send(b"x")
    data, messages, msg_flags, _ = pair.server.recvmsg(10, space)
    assert data == b"x"
    assert [(type_, len(value)) for _, type_, value in messages] == expected
    assert bool(msg_flags & socket.MSG_CTRUNC) == (expected[-1:] != [(c.SCTP_SNDRCV, 32)])
    assert msg_flags & socket.MSG_EOR


def test_recvmsg_into_fills_one_buffer_after_the_other(pair: Pair) -> None:
    pair.server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    pair.client.sctp_sendmsg(b"0123456789", stream_no=1)
    first, second, third = bytearray(3), bytearray(4), bytearray(b"??")
    size, [(_, type_, _)], msg_flags, address = pair.server.recvmsg_into([first, second], SPACE)
    assert (size, bytes(first), bytes(second)) == (7, b"012", b"3456")
    assert (type_, msg_flags, address) == (c.SCTP_RCVINFO, 0, pair.client.getsockname())
    assert pair.server.recvmsg_into([third, bytearray(5)], SPACE)[0] == 3
    assert third == b"78"
    with pytest.raises(TypeError):
        pair.server.recvmsg_into([bytearray(1), b"read-only"])


def test_recvmsg_at_the_end(pair: Pair) -> None:
    pair.server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    pair.client.close()
    assert pair.server.recvmsg(100, SPACE) == (b"", [], 0, None)


def test_peeking_gives_the_ancillary_data_too(pair: Pair) -> None:
    pair.server.setsockopt(SCTP, c.SCTP_RECVRCVINFO, 1)
    pair.client.sctp_sendmsg(b"abc", stream_no=3)
    peeked = pair.server.recvmsg(10, SPACE, socket.MSG_PEEK)
    assert peeked == pair.server.recvmsg(10, SPACE)
    assert structs.RcvInfo.unpack(peeked[1][0][2]).rcv_sid == 3
