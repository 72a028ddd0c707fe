"""What each SCTP option answers to values and buffers of every size, and to every kind of association id.

The tables are what a Linux 6.1 kernel answered, with the extensions that are not spoken here switched off.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest
from loopback import Pair, Stacks, connected, expect_errno, listening

from pysctpstack import SctpSocket, structs
from pysctpstack import constants as c

SCTP = c.IPPROTO_SCTP

EXACT, AT_LEAST = "exact", "at least"
#: option: (bytes of a get, bytes of a set, whether a longer value is refused). None: refused with ENOPROTOOPT.
SIZES: dict[int, tuple[int | None, int | None, str]] = {
    c.SCTP_RTOINFO: (16, 16, EXACT),
    c.SCTP_ASSOCINFO: (20, 20, EXACT),
    c.SCTP_INITMSG: (8, 8, EXACT),
    c.SCTP_NODELAY: (4, 4, AT_LEAST),
    c.SCTP_PRIMARY_ADDR: (132, 132, EXACT),
    c.SCTP_ADAPTATION_LAYER: (4, 4, EXACT),
    c.SCTP_DISABLE_FRAGMENTS: (4, 4, AT_LEAST),
    c.SCTP_PEER_ADDR_PARAMS: (152, 156, EXACT),
    c.SCTP_DEFAULT_SEND_PARAM: (32, 32, EXACT),
    c.SCTP_I_WANT_MAPPED_V4_ADDR: (4, 4, AT_LEAST),
    c.SCTP_STATUS: (176, None, EXACT),
    c.SCTP_GET_PEER_ADDR_INFO: (152, None, EXACT),
    c.SCTP_CONTEXT: (8, 8, EXACT),
    c.SCTP_FRAGMENT_INTERLEAVE: (4, 4, EXACT),
    c.SCTP_PARTIAL_DELIVERY_POINT: (4, 4, EXACT),
    c.SCTP_AUTO_ASCONF: (4, 4, AT_LEAST),
    c.SCTP_PEER_ADDR_THLDS: (144, 144, AT_LEAST),
    c.SCTP_PEER_ADDR_THLDS_V2: (144, 144, AT_LEAST),
    c.SCTP_RECVRCVINFO: (4, 4, AT_LEAST),
    c.SCTP_RECVNXTINFO: (4, 4, AT_LEAST),
    c.SCTP_DEFAULT_SNDINFO: (16, 16, EXACT),
    c.SCTP_PR_SUPPORTED: (8, 8, EXACT),
    c.SCTP_DEFAULT_PRINFO: (12, 12, EXACT),
    c.SCTP_RECONFIG_SUPPORTED: (8, 8, EXACT),
    c.SCTP_ENABLE_STREAM_RESET: (8, 8, EXACT),
    c.SCTP_STREAM_SCHEDULER: (8, 8, AT_LEAST),
    c.SCTP_ASCONF_SUPPORTED: (8, 8, EXACT),
    c.SCTP_AUTH_SUPPORTED: (8, 8, EXACT),
    c.SCTP_ECN_SUPPORTED: (8, 8, EXACT),
    c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE: (8, 8, EXACT),
    c.SCTP_REMOTE_UDP_ENCAPS_PORT: (144, 144, EXACT),
    c.SCTP_PLPMTUD_PROBE_INTERVAL: (144, 144, EXACT),
}
_BY_NUMBER = {getattr(c, name): name for name in c.__all__ if name.startswith("SCTP_")}


def valid(sock: SctpSocket, option: int, size: int) -> bytes:
    """A value of the connected socket's that it takes: what it has."""
    if option == c.SCTP_GET_PEER_ADDR_INFO:
        return structs.PaddrInfo(spinfo_address=sock.getpeername()).pack()
    got = sock.getsockopt(SCTP, option, bytes(size))
    assert isinstance(got, bytes)
    return got


@pytest.mark.parametrize("option", SIZES, ids=lambda option: str(_BY_NUMBER.get(option, option)))
def test_sizes(pair: Pair, option: int) -> None:
    sock = pair.client
    readable, settable, rule = SIZES[option]
    assert readable is not None
    value = valid(sock, option, 256)
    for size in {0, 1, 3, readable - 1}:
        expect_errno(errno.EINVAL, sock.getsockopt, SCTP, option, value[:size].ljust(size, b"\0"))
    got = sock.getsockopt(SCTP, option, value[:readable])
    # More room than the value needs makes no difference.
    assert sock.getsockopt(SCTP, option, value.ljust(300, b"\0"))[: len(got)] == got
    if settable is None:
        for size in (0, readable, 300):
            expect_errno(errno.ENOPROTOOPT, sock.setsockopt, SCTP, option, value.ljust(size, b"\0"))
        return
    for size in {0, 1, 3, settable - 1}:
        expect_errno(errno.EINVAL, sock.setsockopt, SCTP, option, value[:size])
    sock.setsockopt(SCTP, option, value[:settable])
    longer = value[:settable] + bytes(5)
    if rule == EXACT:
        expect_errno(errno.EINVAL, sock.setsockopt, SCTP, option, longer)
    else:
        sock.setsockopt(SCTP, option, longer)
    assert valid(sock, option, 256) == value


#: Options that are on for the socket as a whole and refuse nothing: an int, its default, and what -1 makes of it.
@pytest.mark.parametrize(
    ("option", "default", "of_minus_one"),
    [
        (c.SCTP_NODELAY, 0, 1),
        (c.SCTP_DISABLE_FRAGMENTS, 0, 1),
        (c.SCTP_I_WANT_MAPPED_V4_ADDR, 1, 1),
        (c.SCTP_FRAGMENT_INTERLEAVE, 0, 1),
        (c.SCTP_RECVRCVINFO, 0, 1),
        (c.SCTP_RECVNXTINFO, 0, 1),
        (c.SCTP_ADAPTATION_LAYER, 0, -1),
    ],
)
@pytest.mark.parametrize("type_", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_ints(stacks: Stacks, option: int, default: int, of_minus_one: int, type_: int) -> None:
    sock = stacks().socket(socket.AF_INET, type_)
    assert sock.getsockopt(SCTP, option) == default
    for value, expected in ((-1, of_minus_one), (0, 0), (1, 1)):
        sock.setsockopt(SCTP, option, value)
        assert sock.getsockopt(SCTP, option) == expected


# --- association ids ---

FUTURE_ONLY: list[tuple[int, Any, int]] = [
    # (option, a struct of it, bytes before its id)
    (c.SCTP_RTOINFO, structs.RtoInfo(), 0),
    (c.SCTP_ASSOCINFO, structs.AssocParams(), 0),
    (c.SCTP_PEER_ADDR_PARAMS, structs.PaddrParams(), 0),
    (c.SCTP_MAXSEG, structs.AssocValue(), 0),
    (c.SCTP_PEER_ADDR_THLDS, structs.PaddrThlds(), 0),
    (c.SCTP_PR_SUPPORTED, structs.AssocValue(), 0),
    (c.SCTP_RECONFIG_SUPPORTED, structs.AssocValue(), 0),
    (c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE, structs.AssocValue(), 0),
    (c.SCTP_PLPMTUD_PROBE_INTERVAL, structs.ProbeInterval(), 0),
]
EACH: list[tuple[int, Any, int]] = [
    (c.SCTP_DEFAULT_SEND_PARAM, structs.SndRcvInfo(), 28),
    (c.SCTP_DEFAULT_SNDINFO, structs.SndInfo(), 12),
    (c.SCTP_DEFAULT_PRINFO, structs.DefaultPrInfo(), 0),
    (c.SCTP_DELAYED_SACK, structs.SackInfo(0, 100, 2), 0),
    (c.SCTP_CONTEXT, structs.AssocValue(), 0),
    (c.SCTP_MAX_BURST, structs.AssocValue(0, 4), 0),
    (c.SCTP_EVENT, structs.Event(0, c.SCTP_ASSOC_CHANGE, 1), 0),
    (c.SCTP_ENABLE_STREAM_RESET, structs.AssocValue(), 0),
    (c.SCTP_STREAM_SCHEDULER, structs.AssocValue(), 0),
]


def with_id(value: Any, at: int, id_: int) -> bytes:
    octets = bytearray(value.pack())
    octets[at : at + 4] = structs.AssocValue(id_).pack()[:4]
    return bytes(octets)


def many(stacks: Stacks) -> tuple[SctpSocket, int]:
    """A one-to-many socket with one association, and its id."""
    server_stack = stacks()
    server = listening(server_stack, type_=socket.SOCK_SEQPACKET)
    sock = stacks.towards(server_stack).socket(socket.AF_INET, socket.SOCK_SEQPACKET)
    sock.connect(server.getsockname())
    return sock, next(iter(sock.associations))


@pytest.mark.parametrize(("option", "value", "at"), FUTURE_ONLY + EACH)
def test_ids_of_one_to_many_sockets(stacks: Stacks, option: int, value: Any, at: int) -> None:
    sock, id_ = many(stacks)
    for known in (c.SCTP_FUTURE_ASSOC, id_):
        got = sock.getsockopt(SCTP, option, with_id(value, at, known))
        assert int.from_bytes(got[at : at + 4], "little") == known
        sock.setsockopt(SCTP, option, with_id(value, at, known))
    for unknown in (c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC, 9_999, -1):
        expect_errno(errno.EINVAL, sock.getsockopt, SCTP, option, with_id(value, at, unknown))
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, option, with_id(value, at, 9_999))
    for several in (c.SCTP_CURRENT_ASSOC, c.SCTP_ALL_ASSOC):
        if (option, value, at) in EACH:
            sock.setsockopt(SCTP, option, with_id(value, at, several))
        else:
            expect_errno(errno.EINVAL, sock.setsockopt, SCTP, option, with_id(value, at, several))


@pytest.mark.parametrize(("option", "value", "at"), FUTURE_ONLY + EACH)
def test_one_to_one_sockets_ignore_ids(pair: Pair, option: int, value: Any, at: int) -> None:
    for sock in (pair.client, pair.client_stack.socket()):
        for id_ in (0, 1, 2, 9_999, -1):
            got = sock.getsockopt(SCTP, option, with_id(value, at, id_))
            assert int.from_bytes(got[at : at + 4], "little", signed=True) == id_
            sock.setsockopt(SCTP, option, with_id(value, at, id_))


def test_which_associations_a_value_is_for(stacks: Stacks) -> None:
    """SCTP_FUTURE_ASSOC: those to come; SCTP_CURRENT_ASSOC: those that are there; SCTP_ALL_ASSOC: both."""
    sock, id_ = many(stacks)

    def contexts() -> tuple[int, int]:
        there = sock.getsockopt(SCTP, c.SCTP_CONTEXT, structs.AssocValue(id_))
        to_come = sock.getsockopt(SCTP, c.SCTP_CONTEXT, structs.AssocValue(c.SCTP_FUTURE_ASSOC))
        return there.assoc_value, to_come.assoc_value

    for target, value, expected in (
        (c.SCTP_FUTURE_ASSOC, 1, (0, 1)),
        (c.SCTP_CURRENT_ASSOC, 2, (2, 1)),
        (id_, 3, (3, 1)),
        (c.SCTP_ALL_ASSOC, 4, (4, 4)),
    ):
        sock.setsockopt(SCTP, c.SCTP_CONTEXT, structs.AssocValue(target, value))
        assert contexts() == expected


def test_a_connected_sockets_options_are_its_associations(pair: Pair) -> None:
    """The listening socket's go to those that it accepts, and not on to what they become."""
    listener, first = pair.listener, pair.server
    listener.setsockopt(SCTP, c.SCTP_RTOINFO, structs.RtoInfo(0, 700, 0, 0))
    assert first.getsockopt(SCTP, c.SCTP_RTOINFO, structs.RtoInfo()).srto_initial == 1_000
    sock = pair.client_stack.socket()
    sock.connect(listener.getsockname())
    second, _ = listener.accept()
    assert second.getsockopt(SCTP, c.SCTP_RTOINFO, structs.RtoInfo()).srto_initial == 700


# --- options of extensions that are not spoken here ---


@pytest.mark.parametrize(
    ("option", "size", "get", "set_"),
    [
        (c.SCTP_SET_PEER_PRIMARY_ADDR, 132, errno.ENOPROTOOPT, errno.EPERM),
        (c.SCTP_AUTH_CHUNK, 1, errno.EOPNOTSUPP, errno.EACCES),
        (c.SCTP_HMAC_IDENT, 6, errno.EACCES, errno.EACCES),
        (c.SCTP_AUTH_KEY, 8, errno.EOPNOTSUPP, errno.EINVAL),
        (c.SCTP_AUTH_KEY, 9, errno.EOPNOTSUPP, errno.EACCES),
        (c.SCTP_AUTH_ACTIVE_KEY, 8, errno.EACCES, errno.EACCES),
        (c.SCTP_AUTH_ACTIVE_KEY, 7, errno.EINVAL, errno.EINVAL),
        (c.SCTP_AUTH_DELETE_KEY, 8, errno.EOPNOTSUPP, errno.EACCES),
        (c.SCTP_AUTH_DEACTIVATE_KEY, 8, errno.EOPNOTSUPP, errno.EACCES),
        (c.SCTP_PEER_AUTH_CHUNKS, 8, errno.EACCES, errno.ENOPROTOOPT),
        (c.SCTP_LOCAL_AUTH_CHUNKS, 8, errno.EACCES, errno.ENOPROTOOPT),
        (c.SCTP_RESET_STREAMS, 8, errno.ENOPROTOOPT, errno.ENOPROTOOPT),
        (c.SCTP_RESET_STREAMS, 7, errno.ENOPROTOOPT, errno.EINVAL),
        (c.SCTP_RESET_ASSOC, 4, errno.ENOPROTOOPT, errno.ENOPROTOOPT),
        (c.SCTP_ADD_STREAMS, 8, errno.ENOPROTOOPT, errno.ENOPROTOOPT),
        (c.SCTP_INTERLEAVING_SUPPORTED, 8, None, errno.EPERM),
        (c.SCTP_SENDMSG_CONNECT, 4, errno.ENOPROTOOPT, errno.ENOPROTOOPT),
        (c.SCTP_AUTOCLOSE, 4, errno.EOPNOTSUPP, errno.EOPNOTSUPP),
        (c.SCTP_GET_ASSOC_NUMBER, 4, errno.EOPNOTSUPP, errno.ENOPROTOOPT),
        (c.SCTP_GET_ASSOC_ID_LIST, 16, errno.EOPNOTSUPP, errno.ENOPROTOOPT),
        (c.SCTP_REUSE_PORT, 4, None, errno.EFAULT),
    ],
)
def test_what_a_connected_one_to_one_socket_refuses(
    pair: Pair, option: int, size: int, get: int | None, set_: int
) -> None:
    if get is None:
        assert pair.client.getsockopt(SCTP, option, bytes(size)) == bytes(size)
    else:
        expect_errno(get, pair.client.getsockopt, SCTP, option, bytes(size))
    expect_errno(set_, pair.client.setsockopt, SCTP, option, bytes(size))


def test_keys_of_no_association(stacks: Stacks) -> None:
    """With SCTP_CURRENT_ASSOC and no association there is nothing to refuse."""
    sock = stacks().socket(socket.AF_INET, socket.SOCK_SEQPACKET)
    for id_, expected in ((0, errno.EACCES), (2, errno.EACCES), (99, errno.EINVAL)):
        expect_errno(expected, sock.setsockopt, SCTP, c.SCTP_AUTH_ACTIVE_KEY, structs.AuthKeyId(id_))
    sock.setsockopt(SCTP, c.SCTP_AUTH_ACTIVE_KEY, structs.AuthKeyId(c.SCTP_CURRENT_ASSOC))


@pytest.mark.parametrize(
    "option",
    [c.SCTP_RECONFIG_SUPPORTED, c.SCTP_ASCONF_SUPPORTED, c.SCTP_AUTH_SUPPORTED, c.SCTP_ECN_SUPPORTED],
)
def test_an_extension_can_be_offered_and_is_not_there(stacks: Stacks, option: int) -> None:
    def prepare(sock: SctpSocket) -> None:
        sock.setsockopt(SCTP, option, structs.AssocValue(0, 7))
        assert sock.getsockopt(SCTP, option, structs.AssocValue()).assoc_value == 1

    pair = connected(stacks, prepare=prepare)
    assert pair.client.getsockopt(SCTP, option, structs.AssocValue()).assoc_value == 0


def test_auto_asconf_needs_the_wildcard_address(pair: Pair, stacks: Stacks) -> None:
    fresh = pair.client_stack.socket()
    fresh.setsockopt(SCTP, c.SCTP_AUTO_ASCONF, 0)
    expect_errno(errno.EINVAL, fresh.setsockopt, SCTP, c.SCTP_AUTO_ASCONF, 1)
    pair.client.setsockopt(SCTP, c.SCTP_AUTO_ASCONF, 1)
    assert pair.client.getsockopt(SCTP, c.SCTP_AUTO_ASCONF) == 1
    expect_errno(errno.EINVAL, pair.listener.setsockopt, SCTP, c.SCTP_AUTO_ASCONF, 1)


def test_schedulers_and_their_values(pair: Pair) -> None:
    sock = pair.client
    for scheduler in (c.SCTP_SS_FC, c.SCTP_SS_WFQ, 5):
        expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_STREAM_SCHEDULER, structs.AssocValue(0, scheduler))
    expect_errno(errno.EINVAL, sock.setsockopt, SCTP, c.SCTP_STREAM_SCHEDULER_VALUE, structs.StreamValue(0, 10, 1))
    expect_errno(errno.EINVAL, sock.getsockopt, SCTP, c.SCTP_STREAM_SCHEDULER_VALUE, structs.StreamValue(0, 10))
    for scheduler, expected in ((c.SCTP_SS_FCFS, 0), (c.SCTP_SS_PRIO, 5), (c.SCTP_SS_RR, 0)):
        sock.setsockopt(SCTP, c.SCTP_STREAM_SCHEDULER, structs.AssocValue(0, scheduler))
        sock.setsockopt(SCTP, c.SCTP_STREAM_SCHEDULER_VALUE, structs.StreamValue(0, 9, 5))
        got = sock.getsockopt(SCTP, c.SCTP_STREAM_SCHEDULER_VALUE, structs.StreamValue(0, 9))
        assert got.stream_value == expected
