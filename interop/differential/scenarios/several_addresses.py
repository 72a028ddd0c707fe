"""sctp_bindx(), sctp_connectx(), sctp_getpaddrs(), sctp_getladdrs(), primary addresses, SCTP_ADDR_OVER."""

from __future__ import annotations

import struct
import time
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit, Pair, sockaddr

HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def _multihomed(k: Kit, client: Any = None, server: Any = None) -> Pair:
    """A pair of which each end has several addresses; the further ones are probed soon, since the RTO is short."""
    listener, sock = k.prompt(k.one()), k.prompt(k.one())
    k.bindx(listener, HOSTS)
    listener.listen(5)
    k.bindx(sock, ["127.0.0.11", "127.0.0.12"])
    k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=200, max=400, min=100)
    for one, prepare in ((sock, client), (listener, server)):
        if prepare:
            prepare(one)
    sock.connect(listener.getsockname())
    return Pair(sock, k.keep(listener.accept()[0]), listener)


def bindx(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() of a new socket: all get one port."""
    sock = k.one()
    return [k.bindx(sock, HOSTS), k.addresses(sock, n.SCTP_GET_LOCAL_ADDRS), sock.getsockname()[1] > 0]


def bindx_after_bind(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() adds to what bind() bound; with that port, with 0, with another."""
    sock = k.bound(k.one())
    port = sock.getsockname()[1]
    return [
        k.bindx(sock, ["127.0.0.2"], port),
        k.bindx(sock, ["127.0.0.3"], 0),
        k.bindx(sock, ["127.0.0.4"], port ^ 1),
        k.addresses(sock, n.SCTP_GET_LOCAL_ADDRS),
    ]


def bindx_twice_the_same(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() of an address that is bound already, and of one twice at once."""
    sock, other = k.bound(k.one()), k.one()
    return [
        k.bindx(sock, ["127.0.0.1"], sock.getsockname()[1]),
        k.bindx(other, ["127.0.0.2", "127.0.0.2"]),
        k.addresses(sock, n.SCTP_GET_LOCAL_ADDRS),
    ]


def bindx_to_the_wildcard(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() with and after the wildcard address."""
    first, second, third = k.one(), k.bound(k.one(), "0.0.0.0"), k.bound(k.one())
    return [
        k.bindx(first, ["0.0.0.0"]),
        k.bindx(second, ["127.0.0.1"], second.getsockname()[1]),
        k.bindx(third, ["0.0.0.0"], third.getsockname()[1]),
    ]


def bindx_foreign(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() with an address that the host has not: nothing of the call stays."""
    sock = k.bound(k.one())
    return [
        k.bindx(sock, ["127.0.0.2", "192.0.2.1"], sock.getsockname()[1]),
        k.addresses(sock, n.SCTP_GET_LOCAL_ADDRS),
    ]


def bindx_nothing(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() without addresses, with half of one, with another family's."""
    sock = k.one()
    option = n.SCTP_SOCKOPT_BINDX_ADD
    return [
        k.tried(sock.setsockopt, n.SOL_SCTP, option, b""),
        k.tried(sock.setsockopt, n.SOL_SCTP, option, sockaddr("127.0.0.1", 0)[:8]),
        k.tried(sock.setsockopt, n.SOL_SCTP, option, sockaddr("::1", 0)),
        k.tried(sock.setsockopt, n.SOL_SCTP, option, struct.pack("=H", 77) + bytes(14)),
        k.tried(sock.getsockname)[1],
    ]


def bindx_remove(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_BINDX_REM_ADDR: one of three, one that is not there, the last."""
    sock = k.one()
    k.bindx(sock, HOSTS)
    port = sock.getsockname()[1]
    found = [
        k.bindx(sock, ["127.0.0.2"], port, remove=True),
        k.bindx(sock, ["127.0.0.9"], port, remove=True),
        k.bindx(sock, ["127.0.0.3"], 0, remove=True),
    ]
    return [
        *found,
        k.addresses(sock, n.SCTP_GET_LOCAL_ADDRS),
        k.bindx(sock, ["127.0.0.1"], port, remove=True),
        k.addresses(sock, n.SCTP_GET_LOCAL_ADDRS),
    ]


def bindx_remove_all(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_BINDX_REM_ADDR of all addresses at once, and of an unbound socket."""
    sock = k.one()
    k.bindx(sock, HOSTS)
    return [
        k.bindx(sock, HOSTS, sock.getsockname()[1], remove=True),
        k.bindx(k.one(), ["127.0.0.1"], 0, remove=True),
    ]


def bindx_with_an_association(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() of a socket with an association, and ASCONF off; of a listening one."""
    pair = k.pair()
    port = pair.listener.getsockname()[1]
    return [
        k.bindx(pair.client, ["127.0.0.2"], pair.client.getsockname()[1]),
        k.bindx(pair.listener, ["127.0.0.2"], port),
        k.bindx(pair.listener, ["127.0.0.2"], port, remove=True),
    ]


def bindx_taken(_socket: ModuleType, k: Kit) -> Any:
    """sctp_bindx() with a port that another socket has at one of the addresses."""
    port = k.bound(k.one(), "127.0.0.2").getsockname()[1]
    # Linux keeps the port taken at the first address afterwards, so that is not looked at.
    return k.bindx(k.one(), ["127.0.0.1", "127.0.0.2"], port)


def getsockname_of_several(_socket: ModuleType, k: Kit) -> Any:
    """getsockname() of a socket with several addresses."""
    sock = k.one()
    k.bindx(sock, ["127.0.0.3", "127.0.0.1"])
    return k.masks.address(sock.getsockname())


def peer_addresses(_socket: ModuleType, k: Kit) -> Any:
    """sctp_getpaddrs() and sctp_getladdrs() of both ends."""
    pair = _multihomed(k)
    return [
        k.addresses(sock, option)
        for sock in (pair.client, pair.server)
        for option in (n.SCTP_GET_PEER_ADDRS, n.SCTP_GET_LOCAL_ADDRS)
    ]


def peer_addresses_of_one(_socket: ModuleType, k: Kit) -> Any:
    """The same with one address each."""
    pair = k.pair()
    return [
        k.addresses(pair.client, n.SCTP_GET_PEER_ADDRS),
        k.addresses(pair.client, n.SCTP_GET_LOCAL_ADDRS),
    ]


def addresses_without_association(_socket: ModuleType, k: Kit) -> Any:
    """sctp_getpaddrs() and sctp_getladdrs() of new, bound, one-to-many sockets, and of an unknown id."""
    return [
        k.addresses(k.one(), n.SCTP_GET_PEER_ADDRS),
        k.addresses(k.one(), n.SCTP_GET_LOCAL_ADDRS),
        k.addresses(k.bound(k.one()), n.SCTP_GET_LOCAL_ADDRS),
        k.addresses(k.many(), n.SCTP_GET_PEER_ADDRS, 77),
        k.addresses(k.bound(k.many()), n.SCTP_GET_LOCAL_ADDRS, 77),
    ]


def addresses_into_little_room(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_PEER_ADDRS into a buffer that is too small."""
    pair = _multihomed(k)
    return [
        k.tried(k.raw_get, pair.client, n.SOL_SCTP, n.SCTP_GET_PEER_ADDRS, bytes(room)) if room < 56 else "ok"
        for room in (7, 8, 24, 40, 56)
    ]


def addresses_by_id(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_PEER_ADDRS of a one-to-many socket's association, and of id 0."""
    couple = k.couple()
    return [
        k.addresses(couple.client, n.SCTP_GET_PEER_ADDRS, couple.client_id),
        k.addresses(couple.client, n.SCTP_GET_PEER_ADDRS, 0),
        k.addresses(couple.client, n.SCTP_GET_LOCAL_ADDRS, couple.client_id),
    ]


def connectx(_socket: ModuleType, k: Kit) -> Any:
    """sctp_connectx() with the addresses of a listening socket."""
    listener, sock = k.one(), k.one()
    k.bindx(listener, HOSTS)
    listener.listen(5)
    return [
        k.connectx(sock, HOSTS[:2], listener.getsockname()[1]),
        k.addresses(sock, n.SCTP_GET_PEER_ADDRS),
        k.masks.address(sock.getpeername()),
    ]


def connectx_refused(_socket: ModuleType, k: Kit) -> Any:
    """sctp_connectx() to nobody, without addresses, with half of one, when connected."""
    nobody, pair = k.bound(k.one()), k.pair()
    sock = k.one()
    return [
        k.connectx(sock, ["127.0.0.1"], nobody.getsockname()[1]),
        k.connectx(sock, [], 1),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_SOCKOPT_CONNECTX, sockaddr("127.0.0.1", 9)[:8]),
        k.connectx(pair.client, ["127.0.0.1"], pair.listener.getsockname()[1]),
    ]


def connectx_with_different_ports(_socket: ModuleType, k: Kit) -> Any:
    """sctp_connectx() with addresses of two ports."""
    sock = k.one()
    data = sockaddr("127.0.0.1", 5_001) + sockaddr("127.0.0.2", 5_002)
    return k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_SOCKOPT_CONNECTX, data)


def connectx_not_blocking(_socket: ModuleType, k: Kit) -> Any:
    """sctp_connectx() of a socket that does not block."""
    listener, sock = k.listening(k.one()), k.one()
    sock.setblocking(False)
    began = k.connectx(sock, ["127.0.0.1"], listener.getsockname()[1])
    return [began, k.writable(sock), k.error(sock), k.state(sock)]


def connectx_one_to_many(_socket: ModuleType, k: Kit) -> Any:
    """sctp_connectx() of one-to-many sockets, twice."""
    server, sock = k.listening(k.many()), k.many()
    port = server.getsockname()[1]
    return [k.connectx(sock, ["127.0.0.1"], port), k.connectx(sock, ["127.0.0.1"], port)]


def address_info_of_each(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_PEER_ADDR_INFO of every address of the peer, once each has been confirmed."""
    pair = _multihomed(k)
    port = pair.client.getpeername()[1]
    _confirmed(k, pair.client, port)
    found = [k.get(pair.client, n.SCTP_GET_PEER_ADDR_INFO, "paddrinfo", addr=(host, port)) for host in HOSTS]
    # cwnd of an idle path decays with time; see `congestion_window`.
    return [[one["addr"], one["state"], one["mtu"]] for one in found]


def _confirmed(k: Kit, sock: Any, port: int) -> None:
    """Wait until all paths are active."""
    for _ in range(200):
        found = [k.get(sock, n.SCTP_GET_PEER_ADDR_INFO, "paddrinfo", addr=(host, port)) for host in HOSTS]
        if all(isinstance(one, dict) and one["state"] == 2 for one in found):
            return
        time.sleep(0.02)


def addresses_are_confirmed(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_CHANGE with SCTP_ADDR_CONFIRMED of the further addresses."""
    pair = _multihomed(k, client=lambda sock: k.subscribe(sock, n.SCTP_PEER_ADDR_CHANGE))
    found = [k.next(pair.client, 4.0) for _ in range(2)]
    shown = [one["notification"] if isinstance(one, dict) else one for one in found]
    return [sorted(shown, key=str), k.rest(pair.client)]


def set_primary(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PRIMARY_ADDR to another address: read back, getpeername(), SCTP_STATUS, notification."""
    pair = _multihomed(k)
    name = pair.client.getpeername()
    _confirmed(k, pair.client, name[1])
    k.subscribe(pair.client, n.SCTP_PEER_ADDR_CHANGE)
    return [
        k.set(pair.client, n.SCTP_PRIMARY_ADDR, "prim", addr=("127.0.0.3", name[1])),
        k.get(pair.client, n.SCTP_PRIMARY_ADDR, "prim"),
        k.masks.address(pair.client.getpeername()),
        k.get(pair.client, n.SCTP_STATUS, "status")["p_addr"],
        k.rest(pair.client),
    ]


def set_primary_to_a_foreign_address(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PRIMARY_ADDR to an address that is not the peer's."""
    pair = _multihomed(k)
    return k.set(pair.client, n.SCTP_PRIMARY_ADDR, "prim", addr=("127.0.0.77", pair.client.getpeername()[1]))


def address_over(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ADDR_OVER: a message to another address of the peer, and from where it seems to come."""
    pair = _multihomed(k)
    port = pair.client.getpeername()[1]
    _confirmed(k, pair.client, port)
    sent = [
        k.send(pair.client, b"over", ("127.0.0.3", port), flags=n.SCTP_ADDR_OVER),
        k.send(pair.client, b"not over", ("127.0.0.3", port)),
        k.send(pair.client, b"foreign", ("127.0.0.77", port), flags=n.SCTP_ADDR_OVER),
    ]
    return [sent, k.next(pair.server)["data"], k.next(pair.server)["data"]]


def sendto_another_address_of_the_peer(_socket: ModuleType, k: Kit) -> Any:
    """sendto() of a one-to-many socket to a further address of a peer uses the association."""
    server, sock = k.prompt(k.many()), k.prompt(k.many())
    k.bindx(server, HOSTS)
    server.listen(1)
    port = server.getsockname()[1]
    k.bound(sock)
    found = [[k.tried(sock.sendto, b"x", (host, port)), k.next(server)["data"]] for host in HOSTS]
    return [found, k.get_int(sock, n.SCTP_GET_ASSOC_NUMBER)]


def connect_to_another_address_of_the_peer(_socket: ModuleType, k: Kit) -> Any:
    """connect() to a further address of a peer that there is an association with."""
    server, sock = k.many(), k.bound(k.many())
    k.bindx(server, HOSTS)
    server.listen(1)
    port = server.getsockname()[1]
    return [k.tried(sock.connect, ("127.0.0.1", port)), k.tried(sock.connect, ("127.0.0.2", port))]


def thresholds_per_address(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_PARAMS of one address leaves the other."""
    option = n.SCTP_PEER_ADDR_PARAMS
    pair = _multihomed(k, client=lambda sock: k.set(sock, option, "paddrparams", hbinterval=20_000, flags=1))
    port = pair.client.getpeername()[1]
    found = [k.set(pair.client, option, "paddrparams", addr=("127.0.0.2", port), hbinterval=4_000, flags=1, maxrxt=2)]
    for host in HOSTS:
        one = k.get(pair.client, option, "paddrparams", addr=(host, port))
        found.append([one["hbinterval"], one["maxrxt"]] if isinstance(one, dict) else one)
    return found


def ipv6_pair(socket: ModuleType, k: Kit) -> Any:
    """One-to-one sockets over IPv6: names, messages, addresses."""
    listener, sock = k.one(socket.AF_INET6), k.one(socket.AF_INET6)
    listener.bind(("::1", 0))
    listener.listen(1)
    sock.bind(("::1", 0))
    sock.connect(listener.getsockname())
    accepted, address = listener.accept()
    k.keep(accepted)
    sock.send(b"six")
    return [
        k.masks.address(address),
        k.masks.address(sock.getpeername()),
        k.next(accepted),
        k.addresses(sock, n.SCTP_GET_PEER_ADDRS),
    ]


def mapped_addresses(socket: ModuleType, k: Kit) -> Any:
    """An AF_INET6 socket and a peer with IPv4: its address with and without SCTP_I_WANT_MAPPED_V4_ADDR."""
    listener = k.one(socket.AF_INET6)
    listener.bind(("::ffff:127.0.0.1", 0))
    listener.listen(1)
    sock = k.bound(k.one())
    sock.connect(("127.0.0.1", listener.getsockname()[1]))
    accepted, address = listener.accept()
    k.keep(accepted)
    found = [k.masks.address(address), k.masks.address(accepted.getpeername())]
    k.set_int(accepted, n.SCTP_I_WANT_MAPPED_V4_ADDR, 0)
    return [*found, k.addresses(accepted, n.SCTP_GET_PEER_ADDRS)]
