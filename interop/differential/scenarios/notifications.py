"""Notifications, byte for byte."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit

ALL = (
    n.SCTP_ASSOC_CHANGE,
    n.SCTP_PEER_ADDR_CHANGE,
    n.SCTP_SEND_FAILED_EVENT,
    n.SCTP_REMOTE_ERROR,
    n.SCTP_SHUTDOWN_EVENT,
    n.SCTP_PARTIAL_DELIVERY_EVENT,
    n.SCTP_ADAPTATION_INDICATION,
    n.SCTP_SENDER_DRY_EVENT,
)


def comm_up(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_COMM_UP at both ends of one-to-one sockets."""
    pair = k.pair(
        client=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE),
        server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE),
    )
    return [k.rest(pair.client), k.rest(pair.server), k.rest(pair.listener)]


def comm_up_tells_streams(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_COMM_UP tells the streams that were agreed on."""
    pair = k.pair(
        client=lambda sock: k.set(k.subscribe(sock, n.SCTP_ASSOC_CHANGE), n.SCTP_INITMSG, "initmsg", ostreams=17),
        server=lambda sock: k.set(k.subscribe(sock, n.SCTP_ASSOC_CHANGE), n.SCTP_INITMSG, "initmsg", instreams=5),
    )
    return [k.next(pair.client), k.next(pair.server)]


def everything_of_a_short_life(socket: ModuleType, k: Kit) -> Any:
    """All notifications, in order, of an association that is set up, used, and shut down by the client."""
    pair = k.pair(client=lambda sock: k.subscribe(sock, *ALL), server=lambda sock: k.subscribe(sock, *ALL))
    pair.client.send(b"x")
    found = [k.rest(pair.server)]
    pair.server.send(b"y")
    found.append(k.rest(pair.client))
    pair.client.shutdown(socket.SHUT_WR)
    k.ended(pair.server)
    return [*found, k.rest(pair.server), k.next(pair.client)]


def everything_of_an_abort(_socket: ModuleType, k: Kit) -> Any:
    """All notifications of an association that its client aborts."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, *ALL))
    found = [k.rest(pair.server)]
    k.linger(pair.client, 1, 0).close()
    return [*found, k.rest(pair.server)]


def shutdown_event(socket: ModuleType, k: Kit) -> Any:
    """SCTP_SHUTDOWN_EVENT comes behind the messages."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_SHUTDOWN_EVENT))
    pair.client.send(b"last")
    pair.client.shutdown(socket.SHUT_WR)
    return k.rest(pair.server)


def shutdown_complete(socket: ModuleType, k: Kit) -> Any:
    """SCTP_SHUTDOWN_COMP at the end that called shutdown(), and at the other."""
    pair = k.pair(
        client=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE),
        server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE),
    )
    k.next(pair.client)
    k.next(pair.server)
    pair.client.shutdown(socket.SHUT_WR)
    return [k.next(pair.client), k.next(pair.server)]


def comm_lost_by_abort(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_COMM_LOST after the peer's ABORT, on a one-to-one socket, and what recv() says then."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE))
    k.next(pair.server)
    k.linger(pair.client, 1, 0).close()
    return [k.next(pair.server), k.next(pair.server)]


def comm_lost_with_a_reason(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ABORT with a reason: the peer's SCTP_COMM_LOST has it, the sender's has not."""
    couple = k.couple()
    k.subscribe(couple.client, n.SCTP_ASSOC_CHANGE, id_=couple.client_id)
    k.subscribe(couple.server, n.SCTP_ASSOC_CHANGE, id_=couple.server_id)
    sent = k.send(couple.client, b"because", flags=n.SCTP_ABORT, id=couple.client_id)
    return [sent, k.rest(couple.client), k.rest(couple.server)]


def comm_lost_without_a_reason(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ABORT without a reason."""
    couple = k.couple()
    k.subscribe(couple.client, n.SCTP_ASSOC_CHANGE, id_=couple.client_id)
    k.subscribe(couple.server, n.SCTP_ASSOC_CHANGE, n.SCTP_REMOTE_ERROR, id_=couple.server_id)
    sent = k.send(couple.client, b"", flags=n.SCTP_ABORT, id=couple.client_id)
    return [sent, k.rest(couple.client), k.rest(couple.server)]


def cannot_start_refused(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_CANT_STR_ASSOC when nobody listens, one-to-many."""
    sock, nobody = k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE), k.bound(k.one())
    return [k.tried(sock.sendto, b"x", nobody.getsockname()), k.rest(sock)]


def cannot_start_timed_out(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_CANT_STR_ASSOC when nobody answers, one-to-many."""
    silent, sock = k.silent_peer(), k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE)
    k.towards(sock, silent.getsockname()[1])
    k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=100, max=100, min=50)
    k.set(sock, n.SCTP_INITMSG, "initmsg", attempts=1, timeo=100)
    return [k.tried(sock.sendto, b"x", ("127.0.0.1", 5_000)), k.next(sock, 3.0), k.rest(sock)]


def cannot_start_one_to_one(_socket: ModuleType, k: Kit) -> Any:
    """What a one-to-one socket whose connect() is refused gets to read."""
    sock, nobody = k.subscribe(k.one(), n.SCTP_ASSOC_CHANGE), k.bound(k.one())
    return [k.tried(sock.connect, nobody.getsockname()), k.recv(sock, flags=0x40)]


def send_failed_of_a_failed_setup(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SEND_FAILED_EVENT with the message of an implicit set-up that is refused."""
    sock, nobody = k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE, n.SCTP_SEND_FAILED_EVENT), k.bound(k.one())
    sent = k.send(sock, b"undelivered", nobody.getsockname(), sid=3, ppid=44, context=55)
    return [sent, k.rest(sock)]


def send_failed_in_its_old_form(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SEND_FAILED of the same, and both forms at once."""
    nobody = k.bound(k.one())
    sock = k.subscribe(k.many(), n.SCTP_SEND_FAILED)
    both = k.subscribe(k.many(), n.SCTP_SEND_FAILED, n.SCTP_SEND_FAILED_EVENT)
    found = []
    for one in (sock, both):
        k.send(one, b"undelivered", nobody.getsockname(), sid=3, ppid=44, context=55, flags=n.SCTP_UNORDERED)
        found.append(k.rest(one))
    return found


def send_failed_of_a_time_limit(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SEND_FAILED_EVENT of a message whose life time ends before there is an association."""
    silent, sock = k.silent_peer(), k.subscribe(k.many(), n.SCTP_SEND_FAILED_EVENT)
    k.towards(sock, silent.getsockname()[1])
    k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=300, max=300, min=50)
    k.set(sock, n.SCTP_INITMSG, "initmsg", attempts=1, timeo=300)
    k.send_old(sock, b"short life", ("127.0.0.1", 5_000), timetolive=20, context=7)
    return [k.next(sock, 3.0), k.rest(sock)]


def send_failed_of_an_abort(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SEND_FAILED_EVENT of what a full window kept back, at the peer's ABORT: how many, and of the first."""
    couple = k.couple()
    k.subscribe(couple.client, n.SCTP_SEND_FAILED_EVENT, n.SCTP_ASSOC_CHANGE, id_=couple.client_id)
    couple.client.setblocking(False)
    k.send(couple.client, b"read", id=couple.client_id)
    for _ in range(400):
        if k.send(couple.client, b"z" * 3_000, id=couple.client_id, context=5) != 3_000:
            break
    k.linger(couple.server, 1, 0).close()
    found = k.rest(couple.client, 400)
    kinds = [one["notification"]["type"] for one in found if isinstance(one, dict) and "notification" in one]
    failed = [one for one in found if isinstance(one, dict) and one["notification"]["type"] == "send_failed_event"]
    last = failed[-1]["notification"] if failed else None
    return [kinds[:1], sorted(set(kinds)), last]


def adaptation(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ADAPTATION_INDICATION of both ends: the value, and its place among the others."""

    def prepare(value: int) -> Any:
        def set_(sock: Any) -> None:
            k.subscribe(sock, n.SCTP_ADAPTATION_INDICATION, n.SCTP_ASSOC_CHANGE)
            k.set(sock, n.SCTP_ADAPTATION_LAYER, "setadaptation", ind=value)

        return set_

    pair = k.pair(client=prepare(0x11223344), server=prepare(0x55667788))
    return [k.rest(pair.client), k.rest(pair.server)]


def adaptation_that_was_not_set(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ADAPTATION_INDICATION of a peer that has not set SCTP_ADAPTATION_LAYER."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_ADAPTATION_INDICATION))
    return k.rest(pair.server)


def sender_dry(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDER_DRY_EVENT once all that was sent has been acknowledged."""
    pair = k.pair()
    pair.client.send(b"x")
    k.next(pair.server)
    k.subscribe(pair.client, n.SCTP_SENDER_DRY_EVENT)
    return [k.next(pair.client), k.rest(pair.client)]


def sender_dry_at_once(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDER_DRY_EVENT when nothing waits as it is subscribed to."""
    pair = k.pair()
    k.subscribe(pair.client, n.SCTP_SENDER_DRY_EVENT)
    found = [k.next(pair.client)]
    k.subscribe(pair.client, n.SCTP_SENDER_DRY_EVENT)
    return [*found, k.rest(pair.client)]


def sender_dry_before_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDER_DRY_EVENT subscribed to before connect()."""
    pair = k.pair(client=lambda sock: k.subscribe(sock, n.SCTP_SENDER_DRY_EVENT))
    found = [k.rest(pair.client)]
    pair.client.send(b"x")
    k.next(pair.server)
    return [*found, k.next(pair.client), k.rest(pair.client)]


def peer_address_confirmed(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_CHANGE of an association over one address."""
    pair = k.pair(
        client=lambda sock: k.subscribe(sock, n.SCTP_PEER_ADDR_CHANGE),
        server=lambda sock: k.subscribe(sock, n.SCTP_PEER_ADDR_CHANGE),
    )
    return [k.rest(pair.client), k.rest(pair.server)]


def restart(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RESTART: the peer begins anew from the same port, after an end of which nothing was heard."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    first = k.bound(k.one())
    name = first.getsockname()
    first.connect(server.getsockname())
    found = [k.next(server)]
    # Its ABORT goes to a UDP port where nobody listens.
    silent = k.silent_peer()
    value = {"addr": server.getsockname(), "port": silent.getsockname()[1].to_bytes(2, "big")}
    moved = k.set(first, n.SCTP_REMOTE_UDP_ENCAPS_PORT, "udpencaps", **value)
    k.linger(first, 1, 0).close()
    again = k.bound(k.one(), port=name[1])
    return [*found, moved, k.tried(again.connect, server.getsockname()), k.rest(server)]


def read_in_pieces(_socket: ModuleType, k: Kit) -> Any:
    """A notification read into a buffer that is too small."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE))
    k.readable(pair.server)
    found = []
    for size in (8, 8, 8):
        data, _, flags, _ = pair.server.recvmsg(size, 0, 0x40)
        found.append([len(data), k.flags(flags)])
    return found


def peeked_at(socket: ModuleType, k: Kit) -> Any:
    """A notification and MSG_PEEK."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE))
    k.readable(pair.server)
    return [k.recv(pair.server, flags=socket.MSG_PEEK), k.recv(pair.server), k.rest(pair.server)]


def not_subscribed_to_any_more(_socket: ModuleType, k: Kit) -> Any:
    """A subscription that is taken back."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    k.subscribe(server, n.SCTP_ASSOC_CHANGE, on=0)
    k.many().connect(server.getsockname())
    return k.rest(server)


def events_by_the_old_option(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENTS with everything on: what an association of a one-to-many server brings."""
    server, sock = k.listening(k.many()), k.many()
    k.set(server, n.SCTP_EVENTS, "events", events=b"\1" * 14)
    k.bound(sock)
    sock.sendto(b"hello", server.getsockname())
    found = k.rest(server)
    k.send(sock, b"", server.getsockname(), flags=n.SCTP_EOF)
    return [found, k.rest(server)]


def order_with_messages(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_COMM_UP comes before the first message, SCTP_COMM_LOST behind what has arrived."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)
    sock = k.many()
    for data in (b"one", b"two"):
        sock.sendto(data, server.getsockname())
    found = [k.next(server), k.next(server)]
    k.linger(sock, 1, 0).close()
    return [*found, k.rest(server)]


def remote_error_is_not_raised_by_abort(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_REMOTE_ERROR and the peer's ABORT."""
    couple = k.couple()
    k.subscribe(couple.server, n.SCTP_REMOTE_ERROR, id_=couple.server_id)
    k.send(couple.client, b"reason", flags=n.SCTP_ABORT, id=couple.client_id)
    return k.rest(couple.server)


def after_peer_closed_with_unread(_socket: ModuleType, k: Kit) -> Any:
    """The peer closes with messages that it has not read: SCTP_COMM_LOST."""
    pair = k.pair(server=lambda sock: k.subscribe(sock, n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT))
    k.next(pair.server)
    pair.server.send(b"never read")
    k.readable(pair.client)
    pair.client.close()
    return k.rest(pair.server)
