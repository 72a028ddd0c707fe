"""One-to-many sockets: implicit set-up, SCTP_EOF, SCTP_ABORT, SCTP_SENDALL, and many associations."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit


def implicit_setup(_socket: ModuleType, k: Kit) -> Any:
    """sendto() sets up an association; a second one uses it."""
    server, sock = k.listening(k.many()), k.prompt(k.many())
    sent = [sock.sendto(data, server.getsockname()) for data in (b"one", b"two")]
    return [sent, k.next(server), k.next(server), k.get_int(sock, n.SCTP_GET_ASSOC_NUMBER)]


def implicit_setup_binds(_socket: ModuleType, k: Kit) -> Any:
    """The port of a socket that has not been bound."""
    server, sock = k.listening(k.many()), k.many()
    before = sock.getsockname()
    sock.sendto(b"x", server.getsockname())
    host, port = sock.getsockname()
    return [before, host, port > 0]


def answer(_socket: ModuleType, k: Kit) -> Any:
    """The server answers to the address that recvfrom() gave."""
    server, sock = k.listening(k.many()), k.bound(k.many())
    sock.sendto(b"question", server.getsockname())
    data, address = server.recvfrom(100)
    sent = server.sendto(b"answer", address)
    return [data.decode(), address == sock.getsockname(), sent, k.next(sock)]


def send_without_address(_socket: ModuleType, k: Kit) -> Any:
    """send() with one association, but no address and no id."""
    couple = k.couple()
    return [k.tried(couple.client.send, b"x"), k.tried(couple.server.send, b"x")]


def getpeername(_socket: ModuleType, k: Kit) -> Any:
    """getpeername() with an association, and without."""
    couple = k.couple()
    return [k.tried(couple.client.getpeername), k.tried(k.many().getpeername)]


def connect_explicitly(_socket: ModuleType, k: Kit) -> Any:
    """connect() of one-to-many sockets: once, again to the same, to another."""
    server, other, sock = k.listening(k.many()), k.listening(k.many()), k.many()
    return [
        k.tried(sock.connect, server.getsockname()),
        k.tried(sock.connect, server.getsockname()),
        k.tried(sock.connect, other.getsockname()),
        k.get_int(sock, n.SCTP_GET_ASSOC_NUMBER),
    ]


def connect_refused(_socket: ModuleType, k: Kit) -> Any:
    """connect() and sendto() to a port where nobody listens, and SO_ERROR."""
    nobody, sock, other = k.bound(k.one()), k.many(), k.many()
    return [
        k.tried(sock.connect, nobody.getsockname()),
        k.error(sock),
        k.tried(other.sendto, b"x", nobody.getsockname()),
        k.error(other),
    ]


def not_listening(_socket: ModuleType, k: Kit) -> Any:
    """A one-to-many socket that does not listen refuses associations."""
    server, sock = k.bound(k.many()), k.many()
    return k.tried(sock.connect, server.getsockname())


def stop_listening(_socket: ModuleType, k: Kit) -> Any:
    """listen(0) turns the acceptance of associations off; those that are there stay."""
    couple = k.couple()
    answer = k.tried(couple.server.listen, 0)
    refused = k.tried(k.many().connect, couple.server.getsockname())
    return [answer, refused, k.send(couple.client, b"still", id=couple.client_id), k.next(couple.server)["data"]]


def eof(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EOF with a message: it arrives, then the association ends in order."""
    couple = k.couple()
    k.subscribe(couple.server, n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT, id_=couple.server_id)
    k.subscribe(couple.client, n.SCTP_ASSOC_CHANGE, id_=couple.client_id)
    sent = k.send(couple.client, b"last", id=couple.client_id, flags=n.SCTP_EOF)
    return [sent, k.rest(couple.server), k.rest(couple.client)]


def eof_without_message(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EOF without a message; then a send to the same association."""
    couple = k.couple()
    k.subscribe(couple.server, n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT, id_=couple.server_id)
    sent = k.send(couple.client, b"", id=couple.client_id, flags=n.SCTP_EOF)
    found = k.rest(couple.server)
    return [sent, found, k.send(couple.client, b"x", id=couple.client_id)]


def eof_without_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EOF and SCTP_ABORT to a peer without an association."""
    server, sock = k.listening(k.many()), k.many()
    return [
        k.send(sock, b"", server.getsockname(), flags=n.SCTP_EOF),
        k.send(sock, b"x", server.getsockname(), flags=n.SCTP_EOF),
        k.send(sock, b"", server.getsockname(), flags=n.SCTP_ABORT),
        k.send(sock, b"x", server.getsockname(), flags=n.SCTP_ABORT),
    ]


def abort_by_address(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ABORT with the peer's address instead of an id, and a reason."""
    couple = k.couple()
    k.subscribe(couple.server, n.SCTP_ASSOC_CHANGE, id_=couple.server_id)
    k.subscribe(couple.client, n.SCTP_ASSOC_CHANGE, id_=couple.client_id)
    sent = k.send(couple.client, b"why", couple.server.getsockname(), flags=n.SCTP_ABORT)
    return [sent, k.rest(couple.server), k.rest(couple.client), k.get_int(couple.client, n.SCTP_GET_ASSOC_NUMBER)]


def abort_and_eof(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ABORT and SCTP_EOF at once."""
    couple = k.couple()
    return k.send(couple.client, b"", id=couple.client_id, flags=n.SCTP_EOF | n.SCTP_ABORT)


def sendall(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDALL: every association gets the message."""
    server = k.subscribe(k.listening(k.prompt(k.many())), n.SCTP_ASSOC_CHANGE)
    peers = [k.many() for _ in range(3)]
    for peer in peers:
        peer.connect(server.getsockname())
        k.next(server)
    sent = k.send(server, b"to all", flags=n.SCTP_SENDALL, ppid=4, sid=1)
    return [sent, [k.next(peer)["data"] for peer in peers], [k.rest(peer) for peer in peers]]


def sendall_without_associations(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDALL with nobody there, on both kinds of socket, and with an association on a one-to-one socket."""
    return [
        k.send(k.listening(k.many()), b"x", flags=n.SCTP_SENDALL),
        k.send(k.many(), b"x", flags=n.SCTP_SENDALL),
        k.send(k.one(), b"x", flags=n.SCTP_SENDALL),
        k.send(k.pair().client, b"x", flags=n.SCTP_SENDALL),
    ]


def sendall_and_eof(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDALL with SCTP_EOF: every association ends in order."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    peers = [k.subscribe(k.many(), n.SCTP_SHUTDOWN_EVENT) for _ in range(2)]
    for peer in peers:
        peer.connect(server.getsockname())
        k.next(server)
    sent = k.send(server, b"", flags=n.SCTP_SENDALL | n.SCTP_EOF)
    return [sent, [k.note(peer, n.SCTP_SHUTDOWN_EVENT) for peer in peers], len(k.rest(server))]


def sendall_and_abort(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDALL with SCTP_ABORT and a reason."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    peers = [k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE) for _ in range(2)]
    for peer in peers:
        peer.connect(server.getsockname())
        k.next(server)
        k.next(peer)
    sent = k.send(server, b"all", flags=n.SCTP_SENDALL | n.SCTP_ABORT)
    return [sent, [k.next(peer) for peer in peers]]


def association_by_id_after_its_end(_socket: ModuleType, k: Kit) -> Any:
    """Messages and options of an association that the peer has aborted."""
    couple = k.couple()
    k.send(couple.client, b"", id=couple.client_id, flags=n.SCTP_ABORT)
    time.sleep(0.1)
    return [
        k.send(couple.server, b"x", id=couple.server_id),
        k.get(couple.server, n.SCTP_STATUS, "status", id=couple.server_id),
        k.get_int(couple.server, n.SCTP_GET_ASSOC_NUMBER),
        k.next(couple.server, 0.1),
        k.error(couple.server),
    ]


def recv_after_the_last_association(_socket: ModuleType, k: Kit) -> Any:
    """A one-to-many socket has no end of file."""
    couple = k.couple()
    couple.client.close()
    time.sleep(0.1)
    return [k.tried(couple.server.recv, 9, 0x40), k.readable(couple.server, 0), k.error(couple.server)]


def peer_is_one_to_one(_socket: ModuleType, k: Kit) -> Any:
    """A one-to-one socket as client of a one-to-many one, both ways."""
    server, client = k.listening(k.many()), k.one()
    client.connect(server.getsockname())
    client.send(b"hello")
    data, address = server.recvfrom(100)
    server.sendto(b"back", address)
    return [data.decode(), address == client.getsockname() or address[1] == client.getsockname()[1], k.next(client)]


def streams_of_many(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RCVINFO tells associations apart."""
    server = k.listening(k.many())
    k.set_int(server, n.SCTP_RECVRCVINFO, 1)
    first, second = k.prompt(k.many()), k.prompt(k.many())
    found = []
    for sock in (first, second, first):
        k.send(sock, b"x", server.getsockname(), sid=1)
        found.append(k.next(server))
    return [[one["rcvinfo"]["id"], one["rcvinfo"]["ssn"], one["from"][1]] for one in found]


def close_ends_all(_socket: ModuleType, k: Kit) -> Any:
    """close() of a one-to-many socket ends its associations in order."""
    server = k.listening(k.many())
    peers = [k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT) for _ in range(2)]
    for peer in peers:
        peer.connect(server.getsockname())
        k.next(peer)
    server.close()
    return [k.rest(peer) for peer in peers]


def close_with_unread(_socket: ModuleType, k: Kit) -> Any:
    """close() of a one-to-many socket with an unread message of one of two peers."""
    server = k.listening(k.many())
    peers = [k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT) for _ in range(2)]
    for peer in peers:
        peer.connect(server.getsockname())
        k.next(peer)
    peers[0].sendto(b"unread", server.getsockname())
    k.readable(server)
    server.close()
    return [k.rest(peer) for peer in peers]


def linger_zero(_socket: ModuleType, k: Kit) -> Any:
    """close() of a one-to-many socket with SO_LINGER of zero."""
    server, peer = k.listening(k.many()), k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE)
    peer.connect(server.getsockname())
    k.next(peer)
    k.linger(server, 1, 0).close()
    return k.rest(peer)


def association_with_itself(_socket: ModuleType, k: Kit) -> Any:
    """sendto() to one's own port."""
    sock = k.listening(k.many())
    return [k.tried(sock.sendto, b"me", sock.getsockname()), k.rest(sock)]


def both_connect(_socket: ModuleType, k: Kit) -> Any:
    """Two listening sockets that connect to each other one after the other have one association."""
    first, second = k.listening(k.many()), k.listening(k.many())
    found = [k.tried(first.connect, second.getsockname()), k.tried(second.connect, first.getsockname())]
    return [*found, k.get_int(first, n.SCTP_GET_ASSOC_NUMBER), k.get_int(second, n.SCTP_GET_ASSOC_NUMBER)]


def id_wins_over_address(_socket: ModuleType, k: Kit) -> Any:
    """An id and an address of another association together."""
    couple = k.couple()
    other = k.listening(k.many())
    return [
        k.send(couple.client, b"x", other.getsockname(), id=couple.client_id),
        k.next(couple.server, 0.1),
        k.next(other, 0.1),
        k.get_int(couple.client, n.SCTP_GET_ASSOC_NUMBER),
    ]
