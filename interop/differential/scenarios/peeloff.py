"""sctp_peeloff(): an association of a one-to-many socket becomes a one-to-one socket."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit, pack


def peeled(_socket: ModuleType, k: Kit) -> Any:
    """The new socket: messages both ways, names, state."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    k.send(couple.client, b"there", id=couple.client_id)
    return [
        k.next(sock),
        k.tried(sock.send, b"back"),
        k.next(couple.client),
        k.masks.address(sock.getpeername()),
        sock.getsockname() == couple.server.getsockname(),
        k.state(sock),
    ]


def kind(socket: ModuleType, k: Kit) -> Any:
    """The new socket is one-to-one in everything but SO_TYPE."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    return [
        k.get_int(sock, socket.SO_TYPE, socket.SOL_SOCKET),
        k.get_int(sock, socket.SO_PROTOCOL, socket.SOL_SOCKET),
        k.get_int(sock, n.SCTP_AUTOCLOSE),
        k.get_int(sock, n.SCTP_GET_ASSOC_NUMBER),
        sock.getblocking(),
    ]


def old_socket_has_it_no_more(_socket: ModuleType, k: Kit) -> Any:
    """The one-to-many socket does not know the association any more."""
    couple = k.couple()
    k.peeloff(couple.server, couple.server_id)
    return [
        k.get_int(couple.server, n.SCTP_GET_ASSOC_NUMBER),
        k.state(couple.server, couple.server_id),
        k.send(couple.server, b"x", id=couple.server_id),
    ]


def unknown_ids(_socket: ModuleType, k: Kit) -> Any:
    """sctp_peeloff() of ids that are not there, and of a one-to-one socket."""
    couple, pair = k.couple(), k.pair()
    return [
        k.tried(k.peeloff, couple.server, 9_999),
        k.tried(k.peeloff, couple.server, 0),
        k.tried(k.peeloff, couple.server, -1),
        k.tried(k.peeloff, k.many(), 5),
        k.tried(k.peeloff, pair.client, 0),
    ]


def twice(_socket: ModuleType, k: Kit) -> Any:
    """sctp_peeloff() of an association that has been peeled off, from the old and from the new socket."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    return [k.tried(k.peeloff, couple.server, couple.server_id), k.tried(k.peeloff, sock, couple.server_id)]


def waiting_messages_move(_socket: ModuleType, k: Kit) -> Any:
    """Messages that have arrived before are read from the new socket; those of others stay."""
    couple = k.couple()
    other = k.many()
    other.sendto(b"other's", couple.server.getsockname())
    for data in (b"one", b"two"):
        k.send(couple.client, data, id=couple.client_id)
    time.sleep(0.1)
    sock = k.peeloff(couple.server, couple.server_id)
    return [k.rest(sock), k.rest(couple.server)]


def waiting_notifications_move(_socket: ModuleType, k: Kit) -> Any:
    """Notifications that have not been read."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    k.set_int(server, n.SCTP_RECVRCVINFO, 1)
    sock = k.many()
    sock.sendto(b"x", server.getsockname())
    id_ = _first_id(k, server)
    peeled_ = k.peeloff(server, id_)
    return [k.rest(server), k.rest(peeled_)]


def _first_id(k: Kit, server: Any) -> int:
    """The id of the one association, out of a notification that is left to be read."""
    k.readable(server)
    return int.from_bytes(server.recv(1_000, 2)[16:20], "little")


def part_of_a_message(_socket: ModuleType, k: Kit) -> Any:
    """A message of which a part has been read before."""
    couple = k.couple()
    k.send(couple.client, b"abcdef", id=couple.client_id)
    first = k.next(couple.server, size=2)
    sock = k.peeloff(couple.server, couple.server_id)
    return [first, k.next(sock, 0.2), k.next(couple.server, 0.1)]


def options_are_inherited(socket: ModuleType, k: Kit) -> Any:
    """Options of the one-to-many socket that the new one has."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_RECVRCVINFO, 1)
        k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=1_500, max=9_000, min=800)
        k.set(sock, n.SCTP_DEFAULT_SNDINFO, "sndinfo", sid=2)
        k.linger(sock, 1, 7)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("timeval", seconds=2))

    couple = k.couple(server=prepare)
    sock = k.peeloff(couple.server, couple.server_id)
    return {
        "recvrcvinfo": k.get_int(sock, n.SCTP_RECVRCVINFO),
        "nodelay": k.get_int(sock, n.SCTP_NODELAY),
        "rto": k.get(sock, n.SCTP_RTOINFO, "rtoinfo"),
        "sndinfo": k.get(sock, n.SCTP_DEFAULT_SNDINFO, "sndinfo"),
        "linger": k.masks.show("linger", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)),
        "timeout": k.masks.show("timeval", sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)),
        "events": k.get(sock, n.SCTP_EVENTS, "events"),
    }


def subscriptions_are_the_associations(_socket: ModuleType, k: Kit) -> Any:
    """Notifications on the new socket are those that the association was subscribed to."""
    couple = k.couple()
    k.subscribe(couple.server, n.SCTP_SHUTDOWN_EVENT, id_=couple.server_id)
    sock = k.peeloff(couple.server, couple.server_id)
    couple.client.close()
    return k.next(sock)


def end_of_file(_socket: ModuleType, k: Kit) -> Any:
    """The peer closes: the new socket reads the end of file."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    couple.client.close()
    return [k.next(sock), k.next(sock, 0.1), k.tried(sock.send, b"x")]


def abort(_socket: ModuleType, k: Kit) -> Any:
    """The peer aborts: ECONNRESET on the new socket."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    k.linger(couple.client, 1, 0).close()
    k.readable(sock)
    return [k.error(sock), k.tried(sock.recv, 9, 0x40)]


def shutdown(_socket: ModuleType, k: Kit) -> Any:
    """shutdown() of the new socket."""
    couple = k.couple()
    k.subscribe(couple.client, n.SCTP_SHUTDOWN_EVENT, n.SCTP_ASSOC_CHANGE, id_=couple.client_id)
    sock = k.peeloff(couple.server, couple.server_id)
    return [k.tried(sock.shutdown, 1), k.rest(couple.client), k.tried(sock.send, b"x")]


def close_of_the_old_socket(_socket: ModuleType, k: Kit) -> Any:
    """close() of the one-to-many socket leaves what was peeled off."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    couple.server.close()
    k.send(couple.client, b"still", id=couple.client_id)
    return [k.next(sock), k.tried(sock.send, b"here"), k.next(couple.client)["data"]]


def close_of_the_new_socket(_socket: ModuleType, k: Kit) -> Any:
    """close() of the new socket ends the association; the old one goes on."""
    couple = k.couple()
    k.subscribe(couple.client, n.SCTP_SHUTDOWN_EVENT, id_=couple.client_id)
    k.peeloff(couple.server, couple.server_id).close()
    ended = k.rest(couple.client)
    return [ended, k.tried(couple.client.sendto, b"anew", couple.server.getsockname()), k.next(couple.server)]


def calls_that_do_not_fit(_socket: ModuleType, k: Kit) -> Any:
    """bind(), listen(), connect(), accept() of the new socket."""
    couple, other = k.couple(), k.listening(k.one())
    sock = k.peeloff(couple.server, couple.server_id)
    return [
        k.tried(sock.bind, ("127.0.0.1", 0)),
        k.tried(sock.listen, 1),
        k.tried(sock.accept),
        k.tried(sock.connect, other.getsockname()),
        k.tried(sock.connect, couple.client.getsockname()),
    ]


def messages_with_an_address(_socket: ModuleType, k: Kit) -> Any:
    """sendto() on the new socket: to its peer, and to another."""
    couple, other = k.couple(), k.listening(k.many())
    sock = k.peeloff(couple.server, couple.server_id)
    return [
        k.tried(sock.sendto, b"x", couple.client.getsockname()),
        k.next(couple.client)["data"],
        k.tried(sock.sendto, b"x", other.getsockname()),
    ]


def ids_are_ignored(_socket: ModuleType, k: Kit) -> Any:
    """Options and messages of the new socket with any id."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    return [
        k.state(sock),
        k.state(sock, couple.server_id),
        k.state(sock, 9_999),
        k.send(sock, b"a", id=9_999),
        k.send(sock, b"b", id=couple.server_id),
        k.send(sock, b"c"),
    ]


def eof_and_abort_flags(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EOF and SCTP_ABORT on the new socket."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    return [k.send(sock, b"x", flags=n.SCTP_EOF), k.send(sock, b"x", flags=n.SCTP_ABORT), k.tried(sock.send, b"x")]


def from_the_client(_socket: ModuleType, k: Kit) -> Any:
    """The connecting end peels off as well."""
    couple = k.couple()
    sock = k.peeloff(couple.client, couple.client_id)
    return [
        k.tried(sock.send, b"from here"),
        k.next(couple.server)["data"],
        sock.getpeername() == couple.server.getsockname(),
    ]


def readiness(_socket: ModuleType, k: Kit) -> Any:
    """`select` of the new socket and of the old."""
    couple = k.couple()
    sock = k.peeloff(couple.server, couple.server_id)
    before = k.readable(sock, 0), k.writable(sock, 0)
    k.send(couple.client, b"x", id=couple.client_id)
    return [*before, k.readable(sock), k.readable(couple.server, 0), k.writable(couple.server, 0)]


def blocked_reader_keeps_the_old_socket(_socket: ModuleType, k: Kit) -> Any:
    """A thread that waits in recv() of the one-to-many socket, and sctp_peeloff() meanwhile."""
    couple = k.couple()
    call = k.begin(couple.server.recv, 9)
    waits = call.result(0.05)
    sock = k.peeloff(couple.server, couple.server_id)
    k.send(couple.client, b"new", id=couple.client_id)
    found = k.next(sock)
    k.many().sendto(b"old", couple.server.getsockname())
    return [waits, found, call.result()]
