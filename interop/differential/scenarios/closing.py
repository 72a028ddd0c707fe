"""close(), shutdown() and SO_LINGER: what each end sees."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit


def _watched(k: Kit) -> Any:
    """A pair whose server is told how associations end."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT))
    k.next(pair.server)
    return pair


def close(_socket: ModuleType, k: Kit) -> Any:
    """close() without anything to read: the peer sees an orderly end."""
    pair = _watched(k)
    pair.client.close()
    k.ended(pair.server)
    return k.rest(pair.server)


def close_without_notifications(_socket: ModuleType, k: Kit) -> Any:
    """close(): a peer without notifications reads the end of file, once and again, and then?"""
    pair = k.pair()
    pair.client.close()
    return [k.readable(pair.server), *(k.recv(pair.server, flags=0x40) for _ in range(3)), k.error(pair.server)]


def close_with_unread_messages(_socket: ModuleType, k: Kit) -> Any:
    """close() with a message that was not read: an ABORT."""
    pair = _watched(k)
    pair.server.send(b"unread")
    k.readable(pair.client)
    pair.client.close()
    return k.rest(pair.server)


def close_with_an_unread_notification(_socket: ModuleType, k: Kit) -> Any:
    """close() with a notification that was not read."""
    pair = k.pair(
        client=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE),
        server=lambda sock: k.subscribe(sock, n.SCTP_SHUTDOWN_EVENT, n.SCTP_ASSOC_CHANGE),
    )
    k.next(pair.server)
    k.readable(pair.client)
    pair.client.close()
    k.ended(pair.server)
    return k.rest(pair.server)


def close_after_partial_read(_socket: ModuleType, k: Kit) -> Any:
    """close() when a message was read in part."""
    pair = _watched(k)
    pair.server.send(b"two parts")
    pair.client.recv(3)
    pair.client.close()
    return k.rest(pair.server)


def close_delivers(_socket: ModuleType, k: Kit) -> Any:
    """What was sent before close() arrives."""
    pair = _watched(k)
    for number in range(20):
        pair.client.send(bytes([65 + number]) * 5_000)
    pair.client.close()
    k.ended(pair.server)
    found = k.rest(pair.server, 40)
    return [len(found), found[-3:]]


def linger_zero(_socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER of zero: ABORT."""
    pair = _watched(k)
    k.linger(pair.client, 1, 0).close()
    return k.rest(pair.server)


def linger_off_with_time_zero(_socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER that is off."""
    pair = _watched(k)
    k.linger(pair.client, 0, 0).close()
    k.ended(pair.server)
    return k.rest(pair.server)


def linger_zero_with_unsent(_socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER of zero with messages under way: what has arrived stays, the rest is lost."""
    pair = _watched(k)
    pair.client.send(b"arrived")
    k.readable(pair.server)
    k.linger(pair.client, 1, 0).close()
    return k.rest(pair.server)


def linger_waits(_socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER of two seconds, with a peer that reads: close() ends before."""
    pair = _watched(k)
    for _ in range(10):
        pair.client.send(bytes(10_000))
    k.linger(pair.client, 1, 2)
    began = time.monotonic()
    call = k.begin(pair.client.close)
    found = k.rest(pair.server, 30)
    return [call.result(), time.monotonic() - began < 1.9, sum("crc" in one.get("data", "") for one in found)]


def linger_gives_up(_socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER of one second, with a peer that does not read: close() ends after a second."""
    pair = k.pair()
    pair.client.setblocking(False)
    for _ in range(200):
        if k.tried(pair.client.send, bytes(4_000)) != 4_000:
            break
    pair.client.setblocking(True)
    k.linger(pair.client, 1, 1)
    began = time.monotonic()
    pair.client.close()
    return 0.8 < time.monotonic() - began < 1.6


def close_of_a_non_blocking_socket(_socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER of a socket that does not block."""
    pair = k.pair()
    pair.client.setblocking(False)
    for _ in range(200):
        if k.tried(pair.client.send, bytes(4_000)) != 4_000:
            break
    k.linger(pair.client, 1, 1)
    began = time.monotonic()
    pair.client.close()
    return time.monotonic() - began > 0.5


def half_close(socket: ModuleType, k: Kit) -> Any:
    """shutdown(SHUT_WR): what the peer sent is still read; then the end."""
    pair = k.pair()
    pair.server.send(b"before")
    k.readable(pair.client)
    pair.client.shutdown(socket.SHUT_WR)
    return [k.next(pair.server), k.next(pair.client), k.next(pair.client, 0.2)]


def peer_sends_after_our_shutdown(socket: ModuleType, k: Kit) -> Any:
    """send() of an end whose peer has called shutdown()."""
    pair = k.pair()
    pair.client.shutdown(socket.SHUT_WR)
    k.readable(pair.server)
    return [k.tried(pair.server.send, b"x"), k.tried(pair.server.send, b"x"), k.tried(pair.server.recv, 9)]


def shutdown_rd(socket: ModuleType, k: Kit) -> Any:
    """shutdown(SHUT_RD) does nothing on the wire: messages are still sent, and read?"""
    pair = k.pair()
    answer = k.tried(pair.server.shutdown, socket.SHUT_RD)
    pair.client.send(b"x")
    return [answer, k.next(pair.server), k.tried(pair.server.send, b"y"), k.next(pair.client)]


def shutdown_rdwr(socket: ModuleType, k: Kit) -> Any:
    """shutdown(SHUT_RDWR): the peer's end; reading and writing afterwards."""
    pair = _watched(k)
    answer = k.tried(pair.client.shutdown, socket.SHUT_RDWR)
    k.ended(pair.server)
    found = k.rest(pair.server)
    return [answer, found, k.tried(pair.client.send, b"x"), k.tried(pair.client.recv, 9, 0x40)]


def shutdown_twice(socket: ModuleType, k: Kit) -> Any:
    """shutdown(SHUT_WR) twice, and at both ends."""
    pair = k.pair()
    found = [k.tried(pair.client.shutdown, socket.SHUT_WR) for _ in range(2)]
    k.readable(pair.server)
    return [*found, k.tried(pair.server.shutdown, socket.SHUT_WR), k.tried(pair.server.shutdown, socket.SHUT_RDWR)]


def read_after_own_shutdown(socket: ModuleType, k: Kit) -> Any:
    """recv() of the end that called shutdown(), once the association is gone."""
    pair = k.pair()
    pair.client.shutdown(socket.SHUT_WR)
    pair.server.recv(9)
    k.readable(pair.client, 0.2)
    return [k.tried(pair.client.recv, 9, 0x40), k.tried(pair.client.recv, 9, 0x40), k.error(pair.client)]


def end_of_file_repeats(_socket: ModuleType, k: Kit) -> Any:
    """recv() at the end of file: blocking, without waiting, recvfrom() and recvmsg()."""
    pair = k.pair()
    pair.client.close()
    found = [k.tried(pair.server.recv, 9), k.tried(pair.server.recv, 9, 0x40)]
    return [*found, k.tried(pair.server.recvfrom, 9)[0].decode(), k.recv(pair.server)]


def names_after_the_end(_socket: ModuleType, k: Kit) -> Any:
    """getpeername() and getsockname() after an orderly end."""
    pair = k.pair()
    pair.client.close()
    pair.server.recv(9)
    return [k.masks.address(k.tried(pair.server.getpeername)), k.masks.address(k.tried(pair.server.getsockname))]


def connect_after_the_end(_socket: ModuleType, k: Kit) -> Any:
    """connect() of a socket whose association has ended."""
    pair, listener = k.pair(), k.listening(k.one())
    pair.server.close()
    pair.client.recv(9)
    return k.tried(pair.client.connect, listener.getsockname())


def close_of_a_listening_socket(_socket: ModuleType, k: Kit) -> Any:
    """close() of a listening socket: associations that nobody accepted, those that were accepted, later ones."""
    pair = k.pair()
    waiting = k.subscribe(k.one(), n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT)
    name = pair.listener.getsockname()
    waiting.connect(name)
    k.next(waiting)
    pair.listener.close()
    k.ended(waiting)
    return [k.rest(waiting), k.tried(pair.client.send, b"x"), k.next(pair.server), k.tried(k.one().connect, name)]


def stop_listening(_socket: ModuleType, k: Kit) -> Any:
    """shutdown() of a listening socket, then connect()."""
    listener = k.listening(k.one())
    name = listener.getsockname()
    return [k.tried(listener.shutdown, 2), k.tried(k.one().connect, name)]


def port_is_free_after_close(_socket: ModuleType, k: Kit) -> Any:
    """bind() to the port of an association that has ended in order, at once."""
    pair = k.pair()
    name, listening = pair.client.getsockname(), pair.listener.getsockname()
    for sock in pair:
        sock.close()
    time.sleep(0.1)
    return [k.tried(k.one().bind, name), k.tried(k.one().bind, listening)]


def backlog_is_full(_socket: ModuleType, k: Kit) -> Any:
    """More associations than the backlog of one has room for."""
    listener = k.bound(k.one())
    listener.listen(1)
    found = []
    for _ in range(4):
        sock = k.one()
        k.set(sock, n.SCTP_INITMSG, "initmsg", attempts=1)
        found.append(k.tried(sock.connect, listener.getsockname()))
    return found


def accept_after_abort(_socket: ModuleType, k: Kit) -> Any:
    """accept() of an association that its client has aborted meanwhile."""
    listener, sock = k.listening(k.one()), k.one()
    sock.connect(listener.getsockname())
    k.readable(listener)
    k.linger(sock, 1, 0).close()
    time.sleep(0.1)
    listener.setblocking(False)
    accepted = k.tried(listener.accept)
    if isinstance(accepted, str):
        return accepted
    k.keep(accepted[0])
    return ["accepted", k.tried(accepted[0].recv, 9), k.error(accepted[0])]


def accept_after_end(_socket: ModuleType, k: Kit) -> Any:
    """accept() of an association that its client has used and closed meanwhile."""
    listener, sock = k.listening(k.one()), k.one()
    sock.connect(listener.getsockname())
    sock.send(b"bye")
    sock.close()
    time.sleep(0.1)
    accepted = k.keep(listener.accept()[0])
    return [k.next(accepted)["data"], k.next(accepted)]


def shutdown_waits_for_unread(socket: ModuleType, k: Kit) -> Any:
    """shutdown() ends an association although its peer has not read everything."""
    pair = k.pair()
    pair.client.send(b"later")
    pair.client.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    return [k.state(pair.client), k.next(pair.server), k.next(pair.server)]


def close_while_another_thread_sends(_socket: ModuleType, k: Kit) -> Any:
    """The peer closes with nothing read while a thread is blocked in recv() here."""
    pair = k.pair()
    call = k.begin(pair.server.recv, 9)
    waits = call.result(0.05)
    pair.client.close()
    return [waits, call.result()]


def both_close(_socket: ModuleType, k: Kit) -> Any:
    """Both ends call shutdown() at once; both read the end."""
    pair = k.pair()
    pair.client.shutdown(1)
    k.tried(pair.server.shutdown, 1)
    ended = [k.ended(pair.client), k.ended(pair.server)]
    return [*ended, k.tried(pair.server.recv, 9, 0x40)]
