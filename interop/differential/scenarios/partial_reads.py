"""Messages read in parts, MSG_EOR, MSG_PEEK, MSG_TRUNC, partial delivery."""

from __future__ import annotations

import zlib
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit

DONTWAIT = 0x40


def in_three_parts(_socket: ModuleType, k: Kit) -> Any:
    """A message read into a buffer that is too small: MSG_EOR comes with the last part only."""
    pair = k.pair()
    pair.client.send(b"abcdefgh")
    return [k.next(pair.server, size=3) for _ in range(3)]


def exact_size(_socket: ModuleType, k: Kit) -> Any:
    """A buffer of the message's own size."""
    pair = k.pair()
    pair.client.send(b"abcd")
    return [k.next(pair.server, size=4), k.next(pair.server, 0.05)]


def recv_in_parts(_socket: ModuleType, k: Kit) -> Any:
    """recv() in parts never goes beyond a message."""
    pair = k.pair()
    pair.client.send(b"abcdefgh")
    pair.client.send(b"second")
    return [pair.server.recv(5).decode() for _ in range(4)]


def boundaries(_socket: ModuleType, k: Kit) -> Any:
    """Several messages are never read at once."""
    pair = k.pair()
    for data in (b"one", b"two", b"three"):
        pair.client.send(data)
    return [k.next(pair.server) for _ in range(3)]


def buffer_of_nothing(_socket: ModuleType, k: Kit) -> Any:
    """A buffer of no bytes."""
    pair = k.pair()
    pair.client.send(b"abc")
    k.readable(pair.server)
    return [k.recv(pair.server, size=0), k.next(pair.server)]


def buffer_of_nothing_and_no_message(_socket: ModuleType, k: Kit) -> Any:
    """A buffer of no bytes when nothing is there."""
    pair = k.pair()
    return [k.recv(pair.server, size=0, flags=DONTWAIT), k.tried(pair.server.recv, 0, DONTWAIT)]


def peek(socket: ModuleType, k: Kit) -> Any:
    """MSG_PEEK leaves the message."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    k.readable(pair.server)
    return [k.recv(pair.server, flags=socket.MSG_PEEK), k.recv(pair.server), k.rest(pair.server)]


def peek_at_a_part(socket: ModuleType, k: Kit) -> Any:
    """MSG_PEEK into a buffer that is too small, then reads."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    k.readable(pair.server)
    return [k.recv(pair.server, size=2, flags=socket.MSG_PEEK), k.recv(pair.server, size=4), k.recv(pair.server)]


def peek_after_a_part(socket: ModuleType, k: Kit) -> Any:
    """MSG_PEEK once a part has been read."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    k.readable(pair.server)
    return [k.recv(pair.server, size=2), k.recv(pair.server, flags=socket.MSG_PEEK), k.recv(pair.server)]


def peek_with_ancillary_data(socket: ModuleType, k: Kit) -> Any:
    """MSG_PEEK gives ancillary data too, and again."""
    pair = k.pair(server=lambda sock: k.set_int(sock, n.SCTP_RECVRCVINFO, 1))
    k.send(pair.client, b"abc", sid=2)
    k.readable(pair.server)
    return [k.recv(pair.server, flags=socket.MSG_PEEK), k.recv(pair.server)]


def rcvinfo_with_each_part(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RCVINFO comes with each part."""
    pair = k.pair(server=lambda sock: k.set_int(sock, n.SCTP_RECVRCVINFO, 1))
    k.send(pair.client, b"abcdef", sid=2, ppid=3)
    return [k.next(pair.server, size=4), k.next(pair.server, size=4)]


def truncation(socket: ModuleType, k: Kit) -> Any:
    """MSG_TRUNC given to recvmsg(), with a buffer that is too small: nothing is cut off."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    k.readable(pair.server)
    return [k.recv(pair.server, size=4, flags=socket.MSG_TRUNC), k.next(pair.server, 0.05)]


def wait_for_all(socket: ModuleType, k: Kit) -> Any:
    """MSG_WAITALL does not wait for more than a message."""
    pair = k.pair()
    pair.client.send(b"abc")
    pair.client.send(b"def")
    return [k.tried(pair.server.recv, 6, socket.MSG_WAITALL), k.tried(pair.server.recv, 6, socket.MSG_WAITALL)]


def large_message_at_once(_socket: ModuleType, k: Kit) -> Any:
    """A message of many fragments is read at once."""
    pair = k.pair()
    data = bytes(range(256)) * 200
    k.set_int(pair.client, n.SCTP_MAXSEG, 1_000)
    pair.client.send(data)
    k.readable(pair.server)
    return [k.next(pair.server), zlib.crc32(data)]


def large_message_in_parts(_socket: ModuleType, k: Kit) -> Any:
    """A message of many fragments in parts of another size."""
    pair = k.pair()
    data = bytes(range(256)) * 200
    k.set_int(pair.client, n.SCTP_MAXSEG, 1_000)
    pair.client.send(data)
    found = [k.next(pair.server, size=7_777) for _ in range(7)]
    return [[_len_of(one), one["flags"]] for one in found]


def _len_of(one: Any) -> Any:
    """The bytes of a result."""
    return one["data"].partition(" ")[0].lstrip("<") if "<" in one["data"] else len(one["data"])


def message_larger_than_the_receive_buffer(socket: ModuleType, k: Kit) -> Any:
    """Partial delivery: a message that SO_RCVBUF has no room for comes in parts, MSG_EOR with the last."""
    pair = k.pair(server=lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000))
    data = bytes(range(256)) * 300
    k.set_int(pair.client, n.SCTP_MAXSEG, 1_400)
    call = k.begin(pair.client.send, data)
    found, flags = b"", []
    while k.readable(pair.server, 1.5) and len(found) < len(data):
        part, _, flag, _ = pair.server.recvmsg(100_000)
        found += part
        flags.append(k.flags(flag))
    return [call.result(), found == data, len(flags) > 1, sorted(set(flags[:-1])), flags[-1]]


def partial_delivery_point(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PARTIAL_DELIVERY_POINT: what is read first when all has arrived."""
    pair = k.pair(server=lambda sock: k.set_int(sock, n.SCTP_PARTIAL_DELIVERY_POINT, 2_000))
    data = bytes(range(256)) * 40
    k.set_int(pair.client, n.SCTP_MAXSEG, 1_000)
    pair.client.send(data)
    found, flags = b"", []
    while len(found) < len(data) and k.readable(pair.server, 0.5):
        part, _, flag, _ = pair.server.recvmsg(100_000)
        found += part
        flags.append(k.flags(flag))
    return [found == data, flags[-1]]


def notification_between_parts(_socket: ModuleType, k: Kit) -> Any:
    """A notification that comes when a part of a message has been read comes after the message."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_SHUTDOWN_EVENT))
    pair.client.send(b"abcdef")
    first = k.next(pair.server, size=2)
    pair.client.shutdown(1)
    return [first, *k.rest(pair.server)]


def select_between_parts(_socket: ModuleType, k: Kit) -> Any:
    """A socket is readable until the last part has been read."""
    pair = k.pair()
    pair.client.send(b"abcd")
    found = []
    for _ in range(2):
        found.append(k.readable(pair.server))
        pair.server.recv(2)
    return [*found, k.readable(pair.server, 0)]


def two_associations_in_parts(_socket: ModuleType, k: Kit) -> Any:
    """A one-to-many socket with messages of two peers: a message is finished before the next begins."""
    server = k.listening(k.many())
    first, second = k.many(), k.many()
    first.sendto(b"aaaa", server.getsockname())
    k.readable(server)
    second.sendto(b"bbbb", server.getsockname())
    return [k.next(server, size=3) for _ in range(4)]


def two_streams_in_parts(_socket: ModuleType, k: Kit) -> Any:
    """Messages of two streams, read in parts."""
    pair = k.pair(server=lambda sock: k.set_int(sock, n.SCTP_RECVRCVINFO, 1))
    k.send(pair.client, b"aaaa", sid=1)
    k.send(pair.client, b"bbbb", sid=2)
    found = [k.next(pair.server, size=3) for _ in range(4)]
    return [[one["data"], one["flags"], one["rcvinfo"]["sid"]] for one in found]


def end_of_file_after_a_part(_socket: ModuleType, k: Kit) -> Any:
    """The peer closes when a part has been read: the rest, then the end."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    first = k.next(pair.server, size=4)
    pair.client.close()
    return [first, k.next(pair.server, size=4), k.next(pair.server, size=4)]


def abort_after_a_part(_socket: ModuleType, k: Kit) -> Any:
    """The peer aborts when a part has been read."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    first = k.next(pair.server, size=4)
    k.linger(pair.client, 1, 0).close()
    return [first, *k.rest(pair.server)]


def recv_into_a_part(_socket: ModuleType, k: Kit) -> Any:
    """recv_into() and recvfrom_into() with a number of bytes."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    buffer = bytearray(10)
    first = pair.server.recv_into(buffer, 2)
    size, address = pair.server.recvfrom_into(memoryview(buffer)[2:], 3)
    return [first, size, bytes(buffer).decode("latin1"), k.masks.address(address), pair.server.recv(9).decode()]


def recvmsg_into_small_buffers(_socket: ModuleType, k: Kit) -> Any:
    """recvmsg_into() buffers that are too small together."""
    pair = k.pair()
    pair.client.send(b"abcdef")
    k.readable(pair.server)
    buffers = [bytearray(2), bytearray(2)]
    size, _, flags, _ = pair.server.recvmsg_into(buffers)
    return [size, [bytes(buffer).decode() for buffer in buffers], k.flags(flags), k.next(pair.server)]
