"""Calls that do not wait, and what `select` and `poll` say meanwhile."""

from __future__ import annotations

import select
import time
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit, pack


def connect_in_progress(_socket: ModuleType, k: Kit) -> Any:
    """connect() of a socket that does not block: EINPROGRESS, writable, SO_ERROR 0; then connect() again."""
    listener, sock = k.listening(k.one()), k.one()
    sock.setblocking(False)
    began = k.tried(sock.connect, listener.getsockname())
    return [began, k.writable(sock), k.error(sock), k.tried(sock.connect, listener.getsockname()), k.state(sock)]


def connect_ex_in_progress(_socket: ModuleType, k: Kit) -> Any:
    """connect_ex() of a socket that does not block."""
    listener, sock = k.listening(k.one()), k.one()
    sock.setblocking(False)
    return sock.connect_ex(listener.getsockname())


def connect_refused_in_progress(_socket: ModuleType, k: Kit) -> Any:
    """connect() to nobody: what `select` says, SO_ERROR, twice."""
    nobody, sock = k.bound(k.one()), k.one()
    sock.setblocking(False)
    began = k.tried(sock.connect, nobody.getsockname())
    return [began, k.writable(sock), k.error(sock), k.error(sock)]


def connect_refused_in_progress_and_sent(_socket: ModuleType, k: Kit) -> Any:
    """connect() to nobody, then send() and recv() instead of SO_ERROR."""
    nobody, sock = k.bound(k.one()), k.one()
    sock.setblocking(False)
    k.tried(sock.connect, nobody.getsockname())
    k.writable(sock)
    return [k.tried(sock.send, b"x"), k.tried(sock.send, b"x"), k.tried(sock.recv, 9)]


def connect_while_connecting(_socket: ModuleType, k: Kit) -> Any:
    """With a peer that does not answer: connect() again, getpeername(), recv(), SCTP_STATUS, `poll`."""
    silent, sock = k.silent_peer(), k.one()
    k.towards(sock, silent.getsockname()[1])
    sock.setblocking(False)
    return {
        "connect": k.tried(sock.connect, ("127.0.0.1", 5_000)),
        "again": k.tried(sock.connect, ("127.0.0.1", 5_000)),
        "getpeername": k.tried(sock.getpeername),
        "recv": k.tried(sock.recv, 9),
        "state": k.state(sock),
        "poll": k.poll(sock),
        "error": k.error(sock),
    }


def send_while_connecting(_socket: ModuleType, k: Kit) -> Any:
    """send() before the association is up: it is sent later."""
    silent, sock = k.silent_peer(), k.one()
    k.towards(sock, silent.getsockname()[1])
    sock.setblocking(False)
    k.tried(sock.connect, ("127.0.0.1", 5_000))
    return [k.tried(sock.send, b"early"), k.state(sock)]


def connect_given_up(_socket: ModuleType, k: Kit) -> Any:
    """connect() to a peer that does not answer, with one short attempt (SCTP_INITMSG): SO_ERROR."""
    silent, sock = k.silent_peer(), k.one()
    k.towards(sock, silent.getsockname()[1])
    k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=200, max=200, min=100)
    k.set(sock, n.SCTP_INITMSG, "initmsg", attempts=1, timeo=200)
    sock.setblocking(False)
    began = k.tried(sock.connect, ("127.0.0.1", 5_000))
    return [began, k.writable(sock, 4.0), k.error(sock), k.error(sock)]


def connect_given_up_blocking(_socket: ModuleType, k: Kit) -> Any:
    """The same with a socket that blocks."""
    silent, sock = k.silent_peer(), k.one()
    k.towards(sock, silent.getsockname()[1])
    k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=200, max=200, min=100)
    k.set(sock, n.SCTP_INITMSG, "initmsg", attempts=1, timeo=200)
    return [k.tried(sock.connect, ("127.0.0.1", 5_000)), k.error(sock)]


def settimeout_ends_connect(_socket: ModuleType, k: Kit) -> Any:
    """settimeout() and a peer that does not answer."""
    silent, sock = k.silent_peer(), k.one()
    k.towards(sock, silent.getsockname()[1])
    sock.settimeout(0.2)
    return k.tried(sock.connect, ("127.0.0.1", 5_000))


def sndtimeo_ends_connect(socket: ModuleType, k: Kit) -> Any:
    """SO_SNDTIMEO and a peer that does not answer."""
    silent, sock = k.silent_peer(), k.one()
    k.towards(sock, silent.getsockname()[1])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, pack("timeval", microseconds=200_000))
    return [k.tried(sock.connect, ("127.0.0.1", 5_000)), k.tried(sock.connect, ("127.0.0.1", 5_000))]


def accept_nothing(_socket: ModuleType, k: Kit) -> Any:
    """accept() without anybody there, then with somebody."""
    listener = k.listening(k.one())
    listener.setblocking(False)
    before = k.tried(listener.accept), k.readable(listener, 0)
    sock = k.one()
    sock.connect(listener.getsockname())
    ready = k.readable(listener)
    accepted, address = listener.accept()
    k.keep(accepted)
    return [*before, ready, address == sock.getsockname(), accepted.getblocking(), k.tried(listener.accept)]


def recv_nothing(socket: ModuleType, k: Kit) -> Any:
    """recv() without anything there: a socket that does not block, MSG_DONTWAIT, SO_RCVTIMEO, settimeout()."""
    sock = k.pair().client
    found = [k.tried(sock.recv, 9, socket.MSG_DONTWAIT)]
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("timeval", microseconds=50_000))
    found.append(k.tried(sock.recv, 9))
    sock.settimeout(0.05)
    found.append(k.tried(sock.recv, 9))
    sock.setblocking(False)
    return [*found, k.tried(sock.recv, 9), k.tried(sock.recvmsg, 9)]


def recv_nothing_one_to_many(socket: ModuleType, k: Kit) -> Any:
    """The same on one-to-many sockets: new, listening, with an association."""
    found = []
    for sock in (k.many(), k.listening(k.many()), k.couple().client):
        found.append(k.tried(sock.recv, 9, socket.MSG_DONTWAIT))
        sock.setblocking(False)
        found.append(k.tried(sock.recv, 9))
    return found


def send_buffer_full(_socket: ModuleType, k: Kit) -> Any:
    """A peer that does not read: send() in the end answers EAGAIN, and the socket is not writable."""
    pair = k.pair()
    pair.client.setblocking(False)
    answer = _fill(k, pair.client)
    return [answer, k.writable(pair.client, 0), k.readable(pair.client, 0)]


def _fill(k: Kit, sock: Any, size: int = 4_000) -> Any:
    """Send until there is no room for half a second."""
    quiet = 0
    for _ in range(5_000):
        answer = k.tried(sock.send, bytes(size))
        if answer == size:
            quiet = 0
            continue
        if answer != "EAGAIN" or quiet == 10:
            return answer
        quiet += 1
        time.sleep(0.05)
    return "never full"


def send_buffer_empties(_socket: ModuleType, k: Kit) -> Any:
    """Once the peer reads, the socket is writable again."""
    pair = k.pair()
    pair.client.setblocking(False)
    _fill(k, pair.client)
    before = k.writable(pair.client, 0)
    received = 0
    while k.readable(pair.server, 0.3):
        received += len(pair.server.recv(100_000))
    return [before, k.writable(pair.client), received > 100_000, received % 4_000]


def sndtimeo_ends_send(socket: ModuleType, k: Kit) -> Any:
    """SO_SNDTIMEO and a full send buffer; settimeout() and a full one; MSG_DONTWAIT."""
    pair = k.pair()
    pair.client.setblocking(False)
    _fill(k, pair.client)
    pair.client.setblocking(True)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, pack("timeval", microseconds=50_000))
    found = [k.tried(pair.client.send, bytes(4_000)), k.tried(pair.client.send, bytes(4_000), socket.MSG_DONTWAIT)]
    pair.client.settimeout(0.05)
    return [*found, k.tried(pair.client.send, bytes(4_000))]


def blocked_send_goes_on(_socket: ModuleType, k: Kit) -> Any:
    """A send() that waits for room ends when the peer reads."""
    pair = k.pair()
    pair.client.setblocking(False)
    _fill(k, pair.client)
    pair.client.setblocking(True)
    call = k.begin(pair.client.send, bytes(4_000))
    waits = call.result(0.1)
    while k.readable(pair.server, 0.3):
        pair.server.recv(100_000)
    return [waits, call.result()]


def blocked_recv_and_abort(_socket: ModuleType, k: Kit) -> Any:
    """A recv() that waits, and the peer's ABORT."""
    pair = k.pair()
    call = k.begin(pair.server.recv, 100)
    waits = call.result(0.1)
    k.linger(pair.client, 1, 0).close()
    return [waits, call.result()]


def blocked_recv_and_shutdown(socket: ModuleType, k: Kit) -> Any:
    """A recv() that waits, and the peer's shutdown()."""
    pair = k.pair()
    call = k.begin(pair.server.recv, 100)
    waits = call.result(0.1)
    pair.client.shutdown(socket.SHUT_WR)
    return [waits, call.result()]


def blocked_send_and_abort(_socket: ModuleType, k: Kit) -> Any:
    """A send() that waits for room, and the peer's ABORT."""
    pair = k.pair()
    pair.client.setblocking(False)
    _fill(k, pair.client)
    pair.client.setblocking(True)
    call = k.begin(pair.client.send, bytes(4_000))
    waits = call.result(0.1)
    k.linger(pair.server, 1, 0).close()
    # Linux: ESRCH, which is an errno of its own functions that gets out.
    return [waits, call.result() in ("ECONNRESET", "EPIPE", "ESRCH")]


def poll_of_new_sockets(_socket: ModuleType, k: Kit) -> Any:
    """What `poll` says of sockets without associations."""
    return {
        "new": k.poll(k.one()),
        "bound": k.poll(k.bound(k.one())),
        "listening": k.poll(k.listening(k.one())),
        "new, one-to-many": k.poll(k.many()),
        "listening, one-to-many": k.poll(k.listening(k.many())),
    }


def select_of_associations(socket: ModuleType, k: Kit) -> Any:
    """`select` of an association: idle, with a message, after reading it, after the peer's end."""
    pair = k.pair()
    found = [(k.readable(pair.server, 0), k.writable(pair.server, 0))]
    pair.client.send(b"x")
    found.append((k.readable(pair.server), k.writable(pair.server, 0)))
    pair.server.recv(9)
    found.append((k.readable(pair.server, 0), k.writable(pair.server, 0)))
    pair.client.shutdown(socket.SHUT_WR)
    found.append((k.readable(pair.server), k.writable(pair.server, 0)))
    return found


def epoll_of_a_message(_socket: ModuleType, k: Kit) -> Any:
    """`epoll`, level-triggered: told of until it has been read."""
    pair = k.pair()
    with select.epoll() as epoll:
        epoll.register(pair.server.fileno(), select.EPOLLIN)
        found = [len(epoll.poll(0))]
        pair.client.send(b"abc")
        found += [len(epoll.poll(2)), len(epoll.poll(0))]
        pair.server.recv(9)
        return [*found, len(epoll.poll(0.05))]


def nonblocking_flag_is_not_inherited(socket: ModuleType, k: Kit) -> Any:
    """SOCK_NONBLOCK in the type, and what an accepted socket has of it."""
    sock = k.keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK, n.SOL_SCTP))
    return [sock.getblocking(), sock.gettimeout(), sock.type == socket.SOCK_STREAM, k.one().getblocking()]


def implicit_setup_without_waiting(_socket: ModuleType, k: Kit) -> Any:
    """sendto() of a one-to-many socket that does not block."""
    server, sock = k.listening(k.many()), k.many()
    sock.setblocking(False)
    return [k.tried(sock.sendto, b"hello", server.getsockname()), k.next(server)["data"]]


def connect_one_to_many_without_waiting(_socket: ModuleType, k: Kit) -> Any:
    """connect() of a one-to-many socket that does not block, twice."""
    server, sock = k.listening(k.many()), k.many()
    sock.setblocking(False)
    began = k.tried(sock.connect, server.getsockname())
    time.sleep(0.1)
    return [began, k.tried(sock.connect, server.getsockname()), k.error(sock)]


def readable_after_a_notification(_socket: ModuleType, k: Kit) -> Any:
    """A notification makes a socket readable like a message."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    before = k.readable(server, 0)
    k.many().connect(server.getsockname())
    return [before, k.readable(server), k.next(server)["flags"], k.readable(server, 0)]
