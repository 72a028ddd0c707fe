"""errno: what refused calls answer."""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit, pack


def bind_twice(_socket: ModuleType, k: Kit) -> Any:
    """A second bind()."""
    return k.tried(k.bound(k.one()).bind, ("127.0.0.1", 0))


def bind_taken_port(_socket: ModuleType, k: Kit) -> Any:
    """bind() to the address and port of another socket, of a listening one, and to the wildcard with that port."""
    first, listener = k.bound(k.one()), k.listening(k.one())
    return [
        k.tried(k.one().bind, first.getsockname()),
        k.tried(k.one().bind, listener.getsockname()),
        k.tried(k.one().bind, ("0.0.0.0", first.getsockname()[1])),
        k.tried(k.one().bind, ("127.0.0.2", first.getsockname()[1])),
        k.tried(k.many().bind, first.getsockname()),
    ]


def bind_taken_port_with_reuseaddr(socket: ModuleType, k: Kit) -> Any:
    """SO_REUSEADDR lets two sockets that do not listen have one port, and none have a listening one's."""

    def reusing() -> Any:
        sock = k.one()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock

    first, listener = k.bound(reusing()), k.listening(reusing())
    return [
        k.tried(reusing().bind, first.getsockname()),
        k.tried(reusing().bind, listener.getsockname()),
        k.tried(k.one().bind, first.getsockname()),
    ]


def bind_foreign_address(_socket: ModuleType, k: Kit) -> Any:
    """bind() to an address that the host does not have."""
    return k.tried(k.one().bind, ("192.0.2.1", 0))


def bind_multicast_and_broadcast(_socket: ModuleType, k: Kit) -> Any:
    """bind() to addresses that are for many."""
    return [k.tried(k.one().bind, (host, 0)) for host in ("224.0.0.1", "255.255.255.255")]


def bind_after_connect(_socket: ModuleType, k: Kit) -> Any:
    """bind() of a socket that connect() has bound."""
    listener, sock = k.listening(k.one()), k.one()
    sock.connect(listener.getsockname())
    return k.tried(sock.bind, ("127.0.0.1", 0))


def listen_when_connected(_socket: ModuleType, k: Kit) -> Any:
    """listen() of both ends of an association."""
    pair = k.pair()
    return [k.tried(pair.client.listen, 1), k.tried(pair.server.listen, 1)]


def listen_twice(_socket: ModuleType, k: Kit) -> Any:
    """listen() again, with other backlogs."""
    sock = k.listening(k.one())
    return [k.tried(sock.listen, 3), k.tried(sock.listen, 0), k.tried(sock.listen, -1), k.tried(sock.listen, 1 << 20)]


def listen_unbound(_socket: ModuleType, k: Kit) -> Any:
    """listen() without bind() takes a port."""
    sock = k.one()
    before = k.tried(sock.getsockname)
    done = k.tried(sock.listen, 1)
    host, port = sock.getsockname()
    return [before, done, host, port > 0]


def accept_without_listen(_socket: ModuleType, k: Kit) -> Any:
    """accept() of sockets that do not listen, or are one-to-many."""
    return [
        k.tried(k.one().accept),
        k.tried(k.bound(k.one()).accept),
        k.tried(k.many().accept),
        k.tried(k.listening(k.many()).accept),
        k.tried(k.pair().client.accept),
    ]


def connect_refused(_socket: ModuleType, k: Kit) -> Any:
    """connect() to a port where nobody listens; SO_ERROR afterwards; and once more."""
    sock, nobody = k.one(), k.bound(k.one())
    return [
        k.tried(sock.connect, nobody.getsockname()),
        k.error(sock),
        k.tried(sock.connect, nobody.getsockname()),
        k.tried(sock.getpeername),
    ]


def connect_ex_returns_the_errno(_socket: ModuleType, k: Kit) -> Any:
    """connect_ex() of a refused and of an accepted connect."""
    listener, nobody = k.listening(k.one()), k.bound(k.one())
    return [k.one().connect_ex(nobody.getsockname()), k.one().connect_ex(listener.getsockname())]


def connect_after_refusal(_socket: ModuleType, k: Kit) -> Any:
    """A socket whose connect() was refused can connect elsewhere."""
    listener, nobody, sock = k.listening(k.one()), k.bound(k.one()), k.one()
    return [k.tried(sock.connect, nobody.getsockname()), k.tried(sock.connect, listener.getsockname())]


def connect_twice(_socket: ModuleType, k: Kit) -> Any:
    """connect() of both ends of an association, to its peer and to another."""
    pair = k.pair()
    other = k.listening(k.one())
    return [
        k.tried(pair.client.connect, pair.listener.getsockname()),
        k.tried(pair.client.connect, other.getsockname()),
        k.tried(pair.server.connect, other.getsockname()),
    ]


def connect_of_a_listening_socket(_socket: ModuleType, k: Kit) -> Any:
    """connect() of a socket that listens."""
    return k.tried(k.listening(k.one()).connect, k.listening(k.one()).getsockname())


def connect_to_port_0(_socket: ModuleType, k: Kit) -> Any:
    """connect() to port 0, of both kinds of socket."""
    return [k.tried(k.one().connect, ("127.0.0.1", 0)), k.tried(k.many().connect, ("127.0.0.1", 0))]


def connect_to_many(_socket: ModuleType, k: Kit) -> Any:
    """connect() to multicast and broadcast addresses."""
    return [k.tried(k.one().connect, (host, 7)) for host in ("224.0.0.1", "255.255.255.255")]


def connect_to_the_wildcard(_socket: ModuleType, k: Kit) -> Any:
    """connect() to the wildcard address is to this host."""
    listener, sock = k.one(), k.one()
    k.listening(listener, "0.0.0.0")
    return [k.tried(sock.connect, ("0.0.0.0", listener.getsockname()[1])), k.tried(sock.getpeername) != "ENOTCONN"]


def not_connected(socket: ModuleType, k: Kit) -> Any:
    """What needs an association, on a new one-to-one socket."""
    sock = k.one()
    return {
        "send": k.tried(sock.send, b"x"),
        "recv": k.tried(sock.recv, 10),
        "recv, not blocking": k.tried(sock.recv, 10, socket.MSG_DONTWAIT),
        "shutdown": k.tried(sock.shutdown, socket.SHUT_WR),
        "getpeername": k.tried(sock.getpeername),
        "status": k.state(sock),
    }


def not_connected_but_bound(socket: ModuleType, k: Kit) -> Any:
    """The same on a bound one."""
    sock = k.bound(k.one())
    return {
        "send": k.tried(sock.send, b"x"),
        "recv": k.tried(sock.recv, 10, socket.MSG_DONTWAIT),
        "shutdown": k.tried(sock.shutdown, socket.SHUT_RDWR),
    }


def on_a_listening_socket(socket: ModuleType, k: Kit) -> Any:
    """Messages on a listening one-to-one socket."""
    sock = k.listening(k.one())
    return {
        "send": k.tried(sock.send, b"x"),
        "sendto": k.tried(sock.sendto, b"x", k.listening(k.one()).getsockname()),
        "recv": k.tried(sock.recv, 10, socket.MSG_DONTWAIT),
        "getpeername": k.tried(sock.getpeername),
        "shutdown of reading": k.tried(sock.shutdown, socket.SHUT_RD),
    }


def empty_message(_socket: ModuleType, k: Kit) -> Any:
    """Messages of no bytes cannot be sent."""
    pair = k.pair()
    return [
        k.tried(pair.client.send, b""),
        k.tried(pair.client.sendmsg, [b"", b""]),
        k.send(pair.client, b"", sid=1),
        k.tried(pair.client.sendmsg, []),
    ]


def message_larger_than_the_send_buffer(socket: ModuleType, k: Kit) -> Any:
    """SO_SNDBUF limits a message."""
    pair = k.pair()
    size = pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    return [size, k.tried(pair.client.send, bytes(size + 1)), k.tried(pair.client.send, bytes(size // 4))]


def message_that_may_not_be_fragmented(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DISABLE_FRAGMENTS, with a message above and at SCTP_MAXSEG."""
    pair = k.pair()
    return [
        k.set_int(pair.client, n.SCTP_MAXSEG, 1_000),
        k.set_int(pair.client, n.SCTP_DISABLE_FRAGMENTS, 1),
        k.tried(pair.client.send, bytes(1_001)),
        k.tried(pair.client.send, bytes(1_000)),
        len(pair.server.recv(2_000)),
    ]


def stream_that_is_not_there(_socket: ModuleType, k: Kit) -> Any:
    """A stream beyond those that were agreed on: with SCTP_SNDINFO and with SCTP_SNDRCV."""
    pair = k.pair(client=lambda sock: k.set(sock, n.SCTP_INITMSG, "initmsg", ostreams=3))
    return [k.send(pair.client, b"x", sid=number) for number in (2, 3, 65_535)] + [
        k.send_old(pair.client, b"x", stream=3)
    ]


def unknown_send_flags(_socket: ModuleType, k: Kit) -> Any:
    """Bits of snd_flags and sinfo_flags that mean nothing."""
    pair = k.pair()
    return {
        hex(flag): _with(k, pair.client, flag)
        for flag in (0x10, 0x20, 0x30, 0x100, 0x400, 0x800, 0x1000, 0x4000, 0x8000)
    }


def _with(k: Kit, sock: Any, flag: int) -> Any:
    sndinfo = [(n.SOL_SCTP, n.SCTP_SNDINFO, pack("sndinfo", flags=flag))]
    sndrcv = [(n.SOL_SCTP, n.SCTP_SNDRCV, pack("sndrcvinfo", flags=flag))]
    return [k.tried(sock.sendmsg, [b"x"], sndinfo), k.tried(sock.sendmsg, [b"x"], sndrcv)]


def eof_and_abort_on_one_to_one(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EOF and SCTP_ABORT are for one-to-many sockets."""
    pair = k.pair()
    return [_with(k, pair.client, n.SCTP_EOF), _with(k, pair.client, n.SCTP_ABORT), k.tried(pair.client.send, b"x")]


def address_over_without_address(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ADDR_OVER needs an address, of the peer's."""
    pair = k.pair()
    address = pair.client.getpeername()
    control = [(n.SOL_SCTP, n.SCTP_SNDINFO, pack("sndinfo", flags=n.SCTP_ADDR_OVER))]
    return [
        k.tried(pair.client.sendmsg, [b"x"], control),
        k.tried(pair.client.sendmsg, [b"x"], control, 0, address),
        k.tried(pair.client.sendmsg, [b"x"], control, 0, ("127.0.0.9", address[1])),
    ]


def sendto_on_a_connected_socket(_socket: ModuleType, k: Kit) -> Any:
    """sendto() with the peer's address, another address, and another port."""
    pair = k.pair()
    host, port = pair.client.getpeername()
    return [
        k.tried(pair.client.sendto, b"x", (host, port)),
        k.tried(pair.client.sendto, b"x", ("127.0.0.9", port)),
        k.tried(pair.client.sendto, b"x", (host, k.bound(k.one()).getsockname()[1])),
    ]


def sendto_sets_up_an_association(_socket: ModuleType, k: Kit) -> Any:
    """sendto() on a one-to-one socket that has not connected."""
    listener, sock = k.listening(k.one()), k.one()
    done = k.tried(sock.sendto, b"hello", listener.getsockname())
    if done != 5:
        return done
    accepted = k.keep(listener.accept()[0])
    return [done, k.next(accepted)["data"], k.state(sock)]


def unknown_association_id(_socket: ModuleType, k: Kit) -> Any:
    """Options and messages for an association that is not there, on a one-to-many socket."""
    sock = k.listening(k.many())
    options = {
        "rtoinfo": n.SCTP_RTOINFO,
        "assocparams": n.SCTP_ASSOCINFO,
        "status": n.SCTP_STATUS,
        "sack_info": n.SCTP_DELAYED_SACK,
        "sndinfo": n.SCTP_DEFAULT_SNDINFO,
        "assoc_value": n.SCTP_CONTEXT,
        "paddrparams": n.SCTP_PEER_ADDR_PARAMS,
        "prstatus": n.SCTP_PR_ASSOC_STATUS,
    }
    return {name: k.get(sock, option, name, id=9_999) for name, option in options.items()} | {
        "send": k.send(sock, b"x", id=9_999),
        "send to nobody": k.tried(sock.send, b"x"),
        "negative id": k.get(sock, n.SCTP_STATUS, "status", id=-1),
    }


def unknown_options(socket: ModuleType, k: Kit) -> Any:
    """Options that do not exist."""
    sock = k.one()
    return {
        "get 99": k.tried(sock.getsockopt, n.SOL_SCTP, 99),
        "set 99": k.tried(sock.setsockopt, n.SOL_SCTP, 99, 1),
        "get 1000": k.tried(sock.getsockopt, n.SOL_SCTP, 1_000, 8),
        "get of SOL_SOCKET": k.tried(sock.getsockopt, socket.SOL_SOCKET, 999),
        "set of SOL_SOCKET": k.tried(sock.setsockopt, socket.SOL_SOCKET, 999, 1),
        "get of another level": k.tried(sock.getsockopt, socket.IPPROTO_TCP, 1),
        "set of another level": k.tried(sock.setsockopt, socket.IPPROTO_TCP, 1, 1),
    }


def options_of_one_direction(_socket: ModuleType, k: Kit) -> Any:
    """Setting what can only be read, reading what can only be set."""
    sock = k.pair().client
    return {
        "set status": k.set(sock, n.SCTP_STATUS, "status"),
        "set address info": k.set(sock, n.SCTP_GET_PEER_ADDR_INFO, "paddrinfo"),
        "set number": k.set_int(sock, n.SCTP_GET_ASSOC_NUMBER, 1),
        "set id list": k.set_int(sock, n.SCTP_GET_ASSOC_ID_LIST, 1),
        "set stream status": k.set(sock, n.SCTP_PR_STREAM_STATUS, "prstatus"),
        "get bindx": k.get_int(sock, n.SCTP_SOCKOPT_BINDX_ADD),
        "get connectx": k.get_int(sock, n.SCTP_SOCKOPT_CONNECTX),
        "get reset": k.get_int(sock, n.SCTP_RESET_STREAMS),
    }


def shutdown_how(_socket: ModuleType, k: Kit) -> Any:
    """shutdown() with a `how` that does not exist, and of a one-to-many socket."""
    return [
        k.tried(k.pair().client.shutdown, 3),
        k.tried(k.pair().client.shutdown, -1),
        k.tried(k.couple().client.shutdown, 1),
        k.tried(k.many().shutdown, 1),
    ]


def send_after_shutdown(socket: ModuleType, k: Kit) -> Any:
    """send() after shutdown(SHUT_WR), once the association has ended."""
    pair = k.pair()
    pair.client.shutdown(socket.SHUT_WR)
    k.ended(pair.client)  # Linux has ESHUTDOWN before.
    return [k.tried(pair.client.send, b"x"), k.tried(pair.client.sendmsg, [b"x"]), k.tried(pair.client.sendall, b"x")]


def after_abort(_socket: ModuleType, k: Kit) -> Any:
    """SO_ERROR after the peer's ABORT, read twice; then send() and recv()."""
    pair = k.pair()
    k.linger(pair.client, 1, 0).close()
    k.readable(pair.server)
    return [k.error(pair.server), k.error(pair.server), k.tried(pair.server.send, b"x"), k.tried(pair.server.recv, 9)]


def read_after_abort(_socket: ModuleType, k: Kit) -> Any:
    """recv() after the peer's ABORT, twice; then SO_ERROR."""
    pair = k.pair()
    k.linger(pair.client, 1, 0).close()
    k.readable(pair.server)
    return [k.tried(pair.server.recv, 9), k.tried(pair.server.recv, 9), k.error(pair.server)]


def write_after_abort(_socket: ModuleType, k: Kit) -> Any:
    """send() after the peer's ABORT, twice; then SO_ERROR."""
    pair = k.pair()
    k.linger(pair.client, 1, 0).close()
    k.readable(pair.server)
    return [k.tried(pair.server.send, b"x"), k.tried(pair.server.send, b"x"), k.error(pair.server)]


def getpeername_after_abort(socket: ModuleType, k: Kit) -> Any:
    """getpeername(), getsockname() and shutdown() after the peer's ABORT."""
    pair = k.pair()
    k.linger(pair.client, 1, 0).close()
    k.readable(pair.server)
    return [
        k.masks.address(k.tried(pair.server.getpeername)),
        k.masks.address(k.tried(pair.server.getsockname)),
        k.tried(pair.server.shutdown, socket.SHUT_WR),
    ]


def closed_socket(socket: ModuleType, k: Kit) -> Any:
    """Every call of a closed socket."""
    sock = k.pair().client
    sock.close()
    calls = {
        "send": (sock.send, b"x"),
        "recv": (sock.recv, 1),
        "bind": (sock.bind, ("127.0.0.1", 0)),
        "listen": (sock.listen, 1),
        "accept": (sock.accept,),
        "connect": (sock.connect, ("127.0.0.1", 1)),
        "getsockname": (sock.getsockname,),
        "getpeername": (sock.getpeername,),
        "shutdown": (sock.shutdown, socket.SHUT_WR),
        "getsockopt": (sock.getsockopt, n.SOL_SCTP, n.SCTP_NODELAY),
        "setsockopt": (sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, 1),
        "fileno": (sock.fileno,),
        "close": (sock.close,),
    }
    return {name: k.tried(*call) for name, call in calls.items()}


def socket_types(socket: ModuleType, k: Kit) -> Any:
    """socket() with types that SCTP does not have."""
    return [k.tried(socket.socket, socket.AF_INET, kind, n.SOL_SCTP) for kind in (socket.SOCK_DGRAM, socket.SOCK_RDM)]


def timeouts_as_values(socket: ModuleType, k: Kit) -> Any:
    """SO_RCVTIMEO and SO_SNDTIMEO of impossible values."""
    sock = k.one()
    microseconds = struct.pack("qq", 1, 1_000_000)
    negative = struct.pack("qq", -1, 0)
    return [
        k.tried(sock.setsockopt, socket.SOL_SOCKET, option, value)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
        for value in (microseconds, negative, b"short", 1)
    ]


def addresses_of_the_other_family(socket: ModuleType, k: Kit) -> Any:
    """An AF_INET6 socket that speaks IPv6 only, and addresses of IPv4."""
    sock = k.one(socket.AF_INET6)
    only = k.tried(sock.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return [only, k.tried(sock.connect, ("::ffff:127.0.0.1", k.listening(k.one()).getsockname()[1]))]
