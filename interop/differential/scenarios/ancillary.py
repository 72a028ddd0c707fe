"""Ancillary data: what sendmsg() takes and recvmsg() gives."""

from __future__ import annotations

import socket as standard
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit, Pair, pack


def _rcvinfo(k: Kit, **how: Any) -> Pair:
    """A pair whose server wants SCTP_RCVINFO."""
    return k.pair(server=lambda sock: k.set_int(sock, n.SCTP_RECVRCVINFO, 1), **how)


def _sndrcv(k: Kit) -> Pair:
    """A pair whose server wants SCTP_SNDRCV."""
    return k.pair(server=lambda sock: k.set(sock, n.SCTP_EVENTS, "events", events=b"\1" + bytes(13)))


def none_without_subscription(_socket: ModuleType, k: Kit) -> Any:
    """Without options recvmsg() gives no ancillary data."""
    pair = k.pair()
    pair.client.send(b"plain")
    return k.next(pair.server)


def rcvinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RCVINFO of messages on two streams: SSNs per stream, TSNs in order."""
    pair = _rcvinfo(k)
    for sid, data in ((0, b"a"), (1, b"b"), (0, b"c"), (1, b"d")):
        k.send(pair.client, data, sid=sid, ppid=standard.htonl(40 + sid))
    return [k.next(pair.server) for _ in range(4)]


def rcvinfo_unordered(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RCVINFO of unordered messages."""
    pair = _rcvinfo(k)
    k.send(pair.client, b"first", sid=3)
    k.send(pair.client, b"u", sid=3, flags=n.SCTP_UNORDERED, ppid=9)
    k.send(pair.client, b"o", sid=3)
    return [k.next(pair.server) for _ in range(3)]


def rcvinfo_context(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_CONTEXT of the receiver shows in SCTP_RCVINFO, the sender's context does not."""
    pair = _rcvinfo(k)
    k.set(pair.server, n.SCTP_CONTEXT, "assoc_value", value=0x1234)
    k.send(pair.client, b"x", context=0x9999)
    return k.next(pair.server)


def sndrcv(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SNDRCV of received messages, ordered and not."""
    pair = _sndrcv(k)
    k.set(pair.server, n.SCTP_CONTEXT, "assoc_value", value=77)
    k.send(pair.client, b"one", sid=2, ppid=5)
    k.send(pair.client, b"two", sid=2, flags=n.SCTP_UNORDERED)
    return [k.next(pair.server), k.next(pair.server)]


def sndrcv_and_rcvinfo(_socket: ModuleType, k: Kit) -> Any:
    """Both at once."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_RECVRCVINFO, 1)
        k.set(sock, n.SCTP_EVENTS, "events", events=b"\1" + bytes(13))

    pair = k.pair(server=prepare)
    k.send(pair.client, b"both", sid=1, ppid=6)
    return k.next(pair.server)


def order_of_control_messages(_socket: ModuleType, k: Kit) -> Any:
    """The order in which recvmsg() gives what was asked for."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_RECVRCVINFO, 1)
        k.set_int(sock, n.SCTP_RECVNXTINFO, 1)
        k.set(sock, n.SCTP_EVENTS, "events", events=b"\1" + bytes(13))

    pair = k.pair(server=prepare)
    pair.client.send(b"one")
    pair.client.send(b"two")
    k.readable(pair.server)
    k.state(pair.server)
    _wait_for_two(k, pair)
    return [cmsg[:2] for cmsg in pair.server.recvmsg(100, 256)[1]]


def _wait_for_two(k: Kit, pair: Pair) -> None:
    """Let what has been sent arrive: an answer that was sent after it has."""
    pair.server.send(b"ping")
    k.readable(pair.client)
    pair.client.recv(9)
    k.readable(pair.server, 0.05)


def nxtinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_NXTINFO tells of the next message, if there is one."""
    pair = k.pair(server=lambda sock: k.set_int(sock, n.SCTP_RECVNXTINFO, 1))
    k.send(pair.client, b"one", sid=1, ppid=1)
    k.send(pair.client, b"twotwo", sid=2, ppid=2, flags=n.SCTP_UNORDERED)
    _wait_for_two(k, pair)
    return [k.next(pair.server), k.next(pair.server)]


def nxtinfo_of_a_notification(socket: ModuleType, k: Kit) -> Any:
    """SCTP_NXTINFO when a notification is next, and with a notification."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_RECVNXTINFO, 1)
        k.subscribe(sock, n.SCTP_SHUTDOWN_EVENT, n.SCTP_ASSOC_CHANGE)

    pair = k.pair(server=prepare)
    k.send(pair.client, b"one", sid=1, ppid=1)
    _wait_for_two(k, pair)
    found = [k.next(pair.server)]
    pair.client.shutdown(socket.SHUT_WR)
    k.ended(pair.server)
    return [*found, *k.rest(pair.server)]


def room_too_small(_socket: ModuleType, k: Kit) -> Any:
    """Too little room for ancillary data: MSG_CTRUNC, and what fits."""
    pair = _rcvinfo(k)
    found = []
    for room in (0, 1, 16, 20, 43, 44, 48):
        pair.client.send(b"x")
        k.readable(pair.server)
        _, control, flags, _ = pair.server.recvmsg(9, room)
        found.append([room, [len(value) for _, _, value in control], k.flags(flags)])
    return found


def room_for_one_of_two(_socket: ModuleType, k: Kit) -> Any:
    """Room for the first of two only."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_RECVRCVINFO, 1)
        k.set(sock, n.SCTP_EVENTS, "events", events=b"\1" + bytes(13))

    pair = k.pair(server=prepare)
    pair.client.send(b"x")
    k.readable(pair.server)
    _, control, flags, _ = pair.server.recvmsg(9, 48)
    return [[cmsg[:2] for cmsg in control], k.flags(flags)]


def no_room_asked_for(_socket: ModuleType, k: Kit) -> Any:
    """recv() and recvfrom() of a socket that wants ancillary data."""
    pair = _rcvinfo(k)
    pair.client.send(b"a")
    pair.client.send(b"b")
    return [k.tried(pair.server.recv, 9), k.masks.address(pair.server.recvfrom(9)[1])]


def notifications_have_none(_socket: ModuleType, k: Kit) -> Any:
    """Notifications come without SCTP_RCVINFO and SCTP_SNDRCV."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_RECVRCVINFO, 1)
        k.set(sock, n.SCTP_EVENTS, "events", events=b"\1\1" + bytes(12))

    return k.next(k.pair(server=prepare).server)


def send_sndrcv(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SNDRCV for sending: stream, PPID, flags."""
    pair = _rcvinfo(k)
    sent = [
        k.send_old(pair.client, b"a", stream=4, ppid=0x01020304),
        k.send_old(pair.client, b"b", stream=4, flags=n.SCTP_UNORDERED),
        k.send_old(pair.client, b"c", timetolive=5_000),
    ]
    return [sent, *(k.next(pair.server) for _ in range(3))]


def send_two_infos(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SNDRCV and SCTP_SNDINFO together, both orders; the same one twice."""
    pair = _rcvinfo(k)
    old = (n.SOL_SCTP, n.SCTP_SNDRCV, pack("sndrcvinfo", stream=1, ppid=1))
    new = (n.SOL_SCTP, n.SCTP_SNDINFO, pack("sndinfo", sid=2, ppid=2))
    found = [k.tried(pair.client.sendmsg, [b"x"], control) for control in ([old, new], [new, old], [new, new])]
    return [found, *k.rest(pair.server)]


def send_wrong_sizes(_socket: ModuleType, k: Kit) -> Any:
    """Control messages that are too short or too long."""
    client = _rcvinfo(k).client
    sizes = {n.SCTP_INIT: 8, n.SCTP_SNDRCV: 32, n.SCTP_SNDINFO: 16, n.SCTP_PRINFO: 8, n.SCTP_DSTADDRV4: 4}
    return {
        f"type {type_}, {size + more} bytes": k.tried(client.sendmsg, [b"x"], [(n.SOL_SCTP, type_, bytes(size + more))])
        for type_, size in sizes.items()
        for more in (-1, 1, 8)
    }


def send_unknown_types(socket: ModuleType, k: Kit) -> Any:
    """Control messages that are only received, are unknown, or of another level."""
    client = k.pair().client
    return {
        "rcvinfo": k.tried(client.sendmsg, [b"x"], [(n.SOL_SCTP, n.SCTP_RCVINFO, bytes(28))]),
        "nxtinfo": k.tried(client.sendmsg, [b"x"], [(n.SOL_SCTP, n.SCTP_NXTINFO, bytes(16))]),
        "authinfo": k.tried(client.sendmsg, [b"x"], [(n.SOL_SCTP, n.SCTP_AUTHINFO, bytes(2))]),
        "99": k.tried(client.sendmsg, [b"x"], [(n.SOL_SCTP, 99, bytes(8))]),
        "level IP": k.tried(client.sendmsg, [b"x"], [(socket.IPPROTO_IP, 1, bytes(8))]),
        "level 77": k.tried(client.sendmsg, [b"x"], [(77, 1, bytes(8))]),
    }


def prinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PRINFO with each policy, one that does not exist, and with SCTP_SNDINFO."""
    pair = _rcvinfo(k)
    found: dict[str, Any] = {}
    for policy, value in ((0, 0), (0x10, 5_000), (0x20, 3), (0x30, 1), (0x40, 1), (0x11, 1), (0x10, 6_000)):
        control = [(n.SOL_SCTP, n.SCTP_PRINFO, pack("prinfo", policy=policy, value=value))]
        found[f"{policy:#x} {value}"] = k.tried(pair.client.sendmsg, [b"x"], control)
    control.append((n.SOL_SCTP, n.SCTP_SNDINFO, pack("sndinfo", sid=5, ppid=8)))
    found["with sndinfo"] = k.tried(pair.client.sendmsg, [b"last"], control)
    return [found, k.next(pair.server)["data"], k.rest(pair.server)[-1]]


def init(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_INIT of an implicit set-up: streams; then a zero of it."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    found = []
    for value in (pack("initmsg", ostreams=3, instreams=2), pack("initmsg", ostreams=5), bytes(8)):
        control = [(n.SOL_SCTP, n.SCTP_INIT, value)]
        found.append(k.tried(k.many().sendmsg, [b"x"], control, 0, server.getsockname()))
        change = k.next(server)["notification"]
        found += [change["in"], change["out"], k.next(server)["data"]]
    return found


def init_of_an_association_that_is_there(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_INIT once the association is up."""
    couple = k.couple()
    control = [(n.SOL_SCTP, n.SCTP_INIT, pack("initmsg", ostreams=3))]
    return [
        k.tried(couple.client.sendmsg, [b"x"], control, 0, couple.server.getsockname()),
        k.tried(k.pair().client.sendmsg, [b"x"], control),
    ]


def default_sndinfo_applies(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_SNDINFO for a send() without ancillary data, which overrides it."""
    pair = _rcvinfo(k)
    answer = k.set(pair.client, n.SCTP_DEFAULT_SNDINFO, "sndinfo", sid=6, ppid=66, flags=n.SCTP_UNORDERED)
    pair.client.send(b"default")
    k.send(pair.client, b"given", sid=1)
    return [answer, k.next(pair.server), k.next(pair.server)]


def default_sndinfo_of_a_bad_stream(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_SNDINFO with a stream that is not there."""
    pair = k.pair()
    return [k.set(pair.client, n.SCTP_DEFAULT_SNDINFO, "sndinfo", sid=60_000), k.tried(pair.client.send, b"x")]


def sndinfo_by_association_id(_socket: ModuleType, k: Kit) -> Any:
    """snd_assoc_id picks the association of a one-to-many socket."""
    couple = k.couple(server=lambda sock: k.set_int(sock, n.SCTP_RECVRCVINFO, 1))
    k.masks.id(couple.client_id)
    return [k.send(couple.client, b"by id", id=couple.client_id, sid=2), k.next(couple.server)]


def dstaddr(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DSTADDRV4: a further address for a set-up, and for an association that is there."""
    server, sock = k.many(), k.bound(k.many())
    k.bindx(server, ["127.0.0.2", "127.0.0.1"])
    server.listen(1)
    control = [(n.SOL_SCTP, n.SCTP_DSTADDRV4, standard.inet_aton("127.0.0.2"))]
    return [
        k.tried(sock.sendmsg, [b"x"], control, 0, ("127.0.0.1", server.getsockname()[1])),
        k.next(server),
        k.tried(k.pair().client.sendmsg, [b"y"], control),
    ]


def sack_immediately(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SACK_IMMEDIATELY shows in what is received, or not."""
    pair = _rcvinfo(k)
    k.send(pair.client, b"now", flags=n.SCTP_SACK_IMMEDIATELY)
    return k.next(pair.server)


def several_buffers(_socket: ModuleType, k: Kit) -> Any:
    """sendmsg() of several buffers is one message; recvmsg_into() several."""
    pair = _rcvinfo(k)
    pair.client.sendmsg([b"ab", b"", bytearray(b"cd"), memoryview(b"efg")])
    k.readable(pair.server)
    buffers = [bytearray(3), bytearray(10)]
    size, control, flags, _ = pair.server.recvmsg_into(buffers, 128)
    return [size, [bytes(buffer).hex() for buffer in buffers], len(control), k.flags(flags)]


def large_ppid_and_context(_socket: ModuleType, k: Kit) -> Any:
    """PPID is opaque: all 32 bits come over as they are in memory."""
    pair = _rcvinfo(k)
    k.send(pair.client, b"x", ppid=0xFFFFFFFE, sid=9)
    k.send(pair.client, b"y", ppid=0x00000001, sid=9)
    return [k.next(pair.server)["rcvinfo"], k.next(pair.server)["rcvinfo"]]


def flags_of_sendmsg(socket: ModuleType, k: Kit) -> Any:
    """MSG_EOR, MSG_NOSIGNAL, MSG_MORE, MSG_OOB, MSG_DONTROUTE on sendmsg()."""
    pair = k.pair()
    names = ("MSG_EOR", "MSG_NOSIGNAL", "MSG_MORE", "MSG_OOB", "MSG_DONTROUTE", "MSG_CONFIRM", "MSG_DONTWAIT")
    found = {name: k.tried(pair.client.sendmsg, [b"x"], [], getattr(socket, name)) for name in names}
    pair.client.send(b"end")
    return [found, [one["data"] for one in k.rest(pair.server)]]
