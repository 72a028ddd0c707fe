"""Options of associations: by id, by address, by the ids with a meaning of their own, and what is inherited."""

from __future__ import annotations

import struct
from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Filled, Kit, pack


def inherited_by_accept(socket: ModuleType, k: Kit) -> Any:
    """What an accepted socket has of the options of the listening one."""

    def prepare(sock: Any) -> None:
        k.set_int(sock, n.SCTP_NODELAY, 1)
        k.set_int(sock, n.SCTP_RECVRCVINFO, 1)
        k.set_int(sock, n.SCTP_RECVNXTINFO, 1)
        k.set_int(sock, n.SCTP_DISABLE_FRAGMENTS, 1)
        k.set_int(sock, n.SCTP_FRAGMENT_INTERLEAVE, 1)
        k.set_int(sock, n.SCTP_PARTIAL_DELIVERY_POINT, 5_000)
        k.set(sock, n.SCTP_ADAPTATION_LAYER, "setadaptation", ind=7)
        k.set(sock, n.SCTP_CONTEXT, "assoc_value", value=9)
        k.set(sock, n.SCTP_MAXSEG, "assoc_value", value=1_100)
        k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=1_500, max=9_000, min=800)
        k.set(sock, n.SCTP_ASSOCINFO, "assocparams", maxrxt=6, cookie_life=20_000)
        k.set(sock, n.SCTP_DEFAULT_SNDINFO, "sndinfo", sid=2, ppid=3)
        k.set(sock, n.SCTP_DEFAULT_PRINFO, "default_prinfo", policy=n.SCTP_PR_SCTP_TTL, value=700)
        k.set(sock, n.SCTP_DELAYED_SACK, "sack_info", delay=150, freq=3)
        k.set(sock, n.SCTP_EVENTS, "events", events=b"\1" + bytes(4) + b"\1" + bytes(8))
        k.set(sock, n.SCTP_INITMSG, "initmsg", ostreams=12)
        k.linger(sock, 1, 5)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("timeval", seconds=2))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    server = k.pair(server=prepare).server
    return {
        "nodelay": k.get_int(server, n.SCTP_NODELAY),
        "recvrcvinfo": k.get_int(server, n.SCTP_RECVRCVINFO),
        "recvnxtinfo": k.get_int(server, n.SCTP_RECVNXTINFO),
        "disable fragments": k.get_int(server, n.SCTP_DISABLE_FRAGMENTS),
        "interleave": k.get_int(server, n.SCTP_FRAGMENT_INTERLEAVE),
        "partial delivery point": k.get_int(server, n.SCTP_PARTIAL_DELIVERY_POINT),
        "adaptation": k.get(server, n.SCTP_ADAPTATION_LAYER, "setadaptation"),
        "context": k.get(server, n.SCTP_CONTEXT, "assoc_value"),
        "maxseg": k.get(server, n.SCTP_MAXSEG, "assoc_value"),
        "rto": k.get(server, n.SCTP_RTOINFO, "rtoinfo"),
        "sndinfo": k.get(server, n.SCTP_DEFAULT_SNDINFO, "sndinfo"),
        "prinfo": k.get(server, n.SCTP_DEFAULT_PRINFO, "default_prinfo"),
        "sack": k.get(server, n.SCTP_DELAYED_SACK, "sack_info"),
        "events": k.get(server, n.SCTP_EVENTS, "events"),
        "initmsg": k.get(server, n.SCTP_INITMSG, "initmsg")["ostreams"],
        "linger": k.masks.show("linger", server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)),
        "timeout": k.masks.show("timeval", server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)),
        "keepalive": k.get_int(server, socket.SO_KEEPALIVE, socket.SOL_SOCKET),
    }


def status_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_STATUS of both ends, without what depends on buffers and time."""
    pair = k.pair()
    found = [k.get(sock, n.SCTP_STATUS, "status") for sock in (pair.client, pair.server)]
    # p_cwnd and rwnd: see `congestion_window` and `windows`.
    return [{name: value for name, value in one.items() if name not in ("p_cwnd", "rwnd")} for one in found]


def status_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_STATUS into buffers of other sizes."""
    sock = k.pair().client
    found = []
    for size in (4, 175, 176, 200):
        got = k.tried(k.raw_get, sock, n.SOL_SCTP, n.SCTP_STATUS, bytes(size))
        found.append(len(got.data) if isinstance(got, Filled) else got)
    return found


def status_after_shutdown(socket: ModuleType, k: Kit) -> Any:
    """SCTP_STATUS once an association has ended in order, at both ends."""
    pair = k.pair()
    pair.client.shutdown(socket.SHUT_WR)
    return [k.ended(pair.client), k.ended(pair.server)]


def windows(_socket: ModuleType, k: Kit) -> Any:
    """The receive window that is announced is half of Linux's SO_RCVBUF, which counts twice what it holds."""
    pair = k.pair()
    found = k.get(pair.client, n.SCTP_ASSOCINFO, "assocparams")
    return [found["destinations"], found["peer_rwnd"] == found["local_rwnd"], found["peer_rwnd"]]


def congestion_window(_socket: ModuleType, k: Kit) -> Any:
    """The first congestion window: RFC 9260 section 7.2.1."""
    return k.get(k.pair().client, n.SCTP_STATUS, "status")["p_cwnd"]


def peer_addr_info(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_PEER_ADDR_INFO: of the peer's address, of another, without one, too short."""
    pair = k.pair()
    address = pair.client.getpeername()
    option = n.SCTP_GET_PEER_ADDR_INFO
    found = k.get(pair.client, option, "paddrinfo", addr=address)
    if isinstance(found, dict):
        del found["cwnd"]  # See `congestion_window`.
    return [
        found,
        k.get(pair.client, option, "paddrinfo", addr=("127.0.0.9", address[1])),
        k.get(pair.client, option, "paddrinfo", addr=(address[0], address[1] ^ 1)),
        k.get(pair.client, option, "paddrinfo"),
        k.get(pair.client, option, "paddrinfo", room=151, addr=address),
        k.get(k.one(), option, "paddrinfo", addr=address),
    ]


def primary_addr(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PRIMARY_ADDR: read; set to the peer's address, to another; without an association."""
    pair = k.pair()
    address = pair.client.getpeername()
    option = n.SCTP_PRIMARY_ADDR
    return [
        k.get(pair.client, option, "prim"),
        k.set(pair.client, option, "prim", addr=address),
        k.set(pair.client, option, "prim", addr=("127.0.0.9", address[1])),
        k.set(pair.client, option, "prim", room=131, addr=address),
        k.get(k.one(), option, "prim"),
        k.set(k.one(), option, "prim", addr=address),
    ]


def peer_addr_params_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_PARAMS: set for the association, read for its address, and the other way round."""
    pair = k.pair()
    address = pair.client.getpeername()
    option = n.SCTP_PEER_ADDR_PARAMS
    return [
        k.set(pair.client, option, "paddrparams", hbinterval=7_000, maxrxt=4, flags=n.SPP_HB_ENABLE),
        k.get(pair.client, option, "paddrparams"),
        k.get(pair.client, option, "paddrparams", addr=address),
        k.set(pair.client, option, "paddrparams", addr=address, hbinterval=9_000, flags=n.SPP_HB_ENABLE),
        k.get(pair.client, option, "paddrparams", addr=address),
        k.get(pair.client, option, "paddrparams"),
        k.set(pair.client, option, "paddrparams", addr=address, flags=n.SPP_HB_DEMAND),
        k.set(pair.client, option, "paddrparams", addr=("127.0.0.9", address[1]), maxrxt=2),
    ]


def peer_addr_params_mtu(_socket: ModuleType, k: Kit) -> Any:
    """A path MTU that is set: SCTP_STATUS and SCTP_GET_PEER_ADDR_INFO afterwards."""
    pair = k.pair()
    option = n.SCTP_PEER_ADDR_PARAMS
    answer = k.set(pair.client, option, "paddrparams", flags=n.SPP_PMTUD_DISABLE, mtu=1_400)
    status = k.get(pair.client, n.SCTP_STATUS, "status")
    return [answer, status["p_mtu"], status["frag"], k.get(pair.client, option, "paddrparams")["mtu"]]


def peer_addr_thlds_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_THLDS of an association and of an address."""
    pair = k.pair()
    address = pair.client.getpeername()
    option = n.SCTP_PEER_ADDR_THLDS
    return [
        k.get(pair.client, option, "paddrthlds"),
        k.set(pair.client, option, "paddrthlds", maxrxt=6, pf=1),
        k.get(pair.client, option, "paddrthlds", addr=address),
        k.set(pair.client, option, "paddrthlds", addr=address, maxrxt=8, pf=2),
        k.get(pair.client, option, "paddrthlds", addr=address),
        k.get(pair.client, option, "paddrthlds"),
        k.get(pair.client, option, "paddrthlds", addr=("127.0.0.9", address[1])),
    ]


def remote_udp_encaps_port_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_REMOTE_UDP_ENCAPS_PORT of an association: that of an address is what was learned."""
    pair = k.pair()
    address = pair.client.getpeername()
    option = n.SCTP_REMOTE_UDP_ENCAPS_PORT
    learned = k.get(pair.client, option, "udpencaps", addr=address)
    if isinstance(learned, dict):
        learned["port"] = "some" if int(learned["port"], 16) else 0  # The stack's own UDP port: a matter of set-up.
    return [learned, k.get(pair.client, option, "udpencaps", addr=("127.0.0.9", address[1]))]


def rtoinfo_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RTOINFO of an association is its own."""
    pair = k.pair(server=lambda sock: k.set(sock, n.SCTP_RTOINFO, "rtoinfo", initial=2_000, max=8_000, min=500))
    answer = k.set(pair.server, n.SCTP_RTOINFO, "rtoinfo", initial=1_000, max=4_000, min=300)
    return [answer, k.get(pair.server, n.SCTP_RTOINFO, "rtoinfo"), k.get(pair.listener, n.SCTP_RTOINFO, "rtoinfo")]


def ids_are_ignored_one_to_one(_socket: ModuleType, k: Kit) -> Any:
    """One-to-one sockets take any association id."""
    pair = k.pair()
    return [
        k.get(pair.client, n.SCTP_RTOINFO, "rtoinfo", id=9_999)["id"] == 9_999,
        k.set(pair.client, n.SCTP_CONTEXT, "assoc_value", id=9_999, value=3),
        k.get(pair.client, n.SCTP_CONTEXT, "assoc_value", id=8_888)["value"],
        k.state(pair.client, 9_999),
        k.set(k.one(), n.SCTP_DEFAULT_SNDINFO, "sndinfo", id=9_999, sid=1),
    ]


def future_and_current(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC, SCTP_ALL_ASSOC with SCTP_CONTEXT on a one-to-many socket."""
    couple = k.couple()
    sock, id_ = couple.client, couple.client_id
    found: list[Any] = []
    for number, which in enumerate((n.SCTP_FUTURE_ASSOC, n.SCTP_CURRENT_ASSOC, n.SCTP_ALL_ASSOC, id_)):
        found.append(k.set(sock, n.SCTP_CONTEXT, "assoc_value", id=which, value=10 + number))
        found.append([k.get(sock, n.SCTP_CONTEXT, "assoc_value", id=which) for which in (0, id_)])
    return [*found, k.get(sock, n.SCTP_CONTEXT, "assoc_value", id=1), k.get(sock, n.SCTP_CONTEXT, "assoc_value", id=2)]


def current_and_all_per_option(_socket: ModuleType, k: Kit) -> Any:
    """Which options take SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC, to set and to get."""
    sock = k.couple().client
    options = {
        n.SCTP_RTOINFO: ("rtoinfo", {}),
        n.SCTP_ASSOCINFO: ("assocparams", {}),
        n.SCTP_DELAYED_SACK: ("sack_info", {"delay": 100, "freq": 2}),
        n.SCTP_MAXSEG: ("assoc_value", {"value": 1_000}),
        n.SCTP_MAX_BURST: ("assoc_value", {"value": 4}),
        n.SCTP_CONTEXT: ("assoc_value", {"value": 4}),
        n.SCTP_DEFAULT_SEND_PARAM: ("sndrcvinfo", {}),
        n.SCTP_DEFAULT_SNDINFO: ("sndinfo", {}),
        n.SCTP_DEFAULT_PRINFO: ("default_prinfo", {}),
        n.SCTP_EVENT: ("event", {"type": n.SCTP_ASSOC_CHANGE, "on": 0}),
        n.SCTP_PEER_ADDR_PARAMS: ("paddrparams", {}),
        n.SCTP_PEER_ADDR_THLDS: ("paddrthlds", {"maxrxt": 5, "pf": 1}),
        n.SCTP_PR_SUPPORTED: ("assoc_value", {"value": 1}),
        n.SCTP_STREAM_SCHEDULER: ("assoc_value", {"value": 0}),
        n.SCTP_EXPOSE_PF_STATE: ("assoc_value", {"value": 1}),
        n.SCTP_PLPMTUD_PROBE_INTERVAL: ("probeinterval", {"interval": 9_000}),
        n.SCTP_STATUS: ("status", {}),
    }
    found: dict[str, Any] = {}
    for option, (layout, values) in options.items():
        for id_ in (1, 2):
            got = k.get(sock, option, layout, id=id_, **values)
            set_ = k.set(sock, option, layout, id=id_, **values) if option != n.SCTP_STATUS else ""
            found[f"{option}, {layout}, {id_}"] = ["got" if isinstance(got, dict) else got, set_]
    return found


def events_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENT of an association is its own; SCTP_EVENTS shows those to come."""
    couple = k.couple()
    sock, id_ = couple.client, couple.client_id
    answer = k.set(sock, n.SCTP_EVENT, "event", id=id_, type=n.SCTP_SHUTDOWN_EVENT, on=1)
    return [
        answer,
        k.get(sock, n.SCTP_EVENT, "event", id=id_, type=n.SCTP_SHUTDOWN_EVENT),
        k.get(sock, n.SCTP_EVENT, "event", type=n.SCTP_SHUTDOWN_EVENT),
        k.get(sock, n.SCTP_EVENTS, "events"),
    ]


def events_do_not_reach_associations_that_are_there(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENTS on a one-to-many socket with an association."""
    couple = k.couple()
    answer = k.set(couple.client, n.SCTP_EVENTS, "events", events=b"\0\1" + bytes(12))
    return [
        answer,
        k.get(couple.client, n.SCTP_EVENT, "event", id=couple.client_id, type=n.SCTP_ASSOC_CHANGE)["on"],
        k.get(couple.client, n.SCTP_EVENT, "event", type=n.SCTP_ASSOC_CHANGE)["on"],
    ]


def assoc_number(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_ASSOC_NUMBER without, with one, with two associations; on a one-to-one socket."""
    server = k.listening(k.many())
    found = [k.get_int(server, n.SCTP_GET_ASSOC_NUMBER)]
    for _ in range(2):
        k.many().connect(server.getsockname())
        found.append(k.get_int(server, n.SCTP_GET_ASSOC_NUMBER))
    return [*found, k.get_int(k.one(), n.SCTP_GET_ASSOC_NUMBER), k.get_int(k.pair().client, n.SCTP_GET_ASSOC_NUMBER)]


def assoc_id_list(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_ASSOC_ID_LIST: none, two, too little room, on a one-to-one socket."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE)

    def listed(sock: Any, room: int) -> Any:
        got = k.tried(k.raw_get, sock, n.SOL_SCTP, n.SCTP_GET_ASSOC_ID_LIST, bytes(room))
        if not isinstance(got, Filled):
            return got
        number = struct.unpack_from("=I", got.data)[0]
        return [number, sorted(map(str, map(k.masks.id, struct.unpack_from(f"={number}i", got.data, 4))))]

    found = [listed(server, 64)]
    for _ in range(2):
        k.many().connect(server.getsockname())
        k.note(server, n.SCTP_ASSOC_CHANGE)  # so that ids get their names in order
    return [*found, listed(server, 64), listed(server, 12), listed(server, 8), listed(server, 3), listed(k.one(), 64)]


def pr_status(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PR_STREAM_STATUS and SCTP_PR_ASSOC_STATUS of an association that abandoned nothing; wrong policies."""
    sock = k.pair().client
    found = []
    for option in (n.SCTP_PR_STREAM_STATUS, n.SCTP_PR_ASSOC_STATUS):
        for policy in (0x10, 0x20, 0x30, 0x80, 0, 0x90, 0x40, 1):
            found.append(k.get(sock, option, "prstatus", policy=policy))
    return [*found, k.get(sock, n.SCTP_PR_STREAM_STATUS, "prstatus", policy=0x10, sid=60_000)]


def pr_status_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PR_ASSOC_STATUS into buffers of other sizes, and without an association."""
    sock = k.pair().client
    option = n.SCTP_PR_ASSOC_STATUS
    return [k.get(sock, option, "prstatus", room=room, policy=0x10) for room in (8, 23, 24, 30)] + [
        k.get(k.one(), option, "prstatus", policy=0x10)
    ]


def maxseg_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_MAXSEG of an association: what it is, and what SCTP_STATUS says once it is set."""
    sock = k.pair().client
    return [
        k.get(sock, n.SCTP_MAXSEG, "assoc_value"),
        k.set(sock, n.SCTP_MAXSEG, "assoc_value", value=1_000),
        k.get(sock, n.SCTP_MAXSEG, "assoc_value"),
        k.get(sock, n.SCTP_STATUS, "status")["frag"],
        k.set(sock, n.SCTP_MAXSEG, "assoc_value", value=0),
        k.get(sock, n.SCTP_STATUS, "status")["frag"],
    ]


def autoclose_closes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_AUTOCLOSE: an idle association ends after a second."""
    server = k.subscribe(k.listening(k.many()), n.SCTP_ASSOC_CHANGE, n.SCTP_SHUTDOWN_EVENT)
    sock = k.subscribe(k.many(), n.SCTP_ASSOC_CHANGE)
    k.set_int(sock, n.SCTP_AUTOCLOSE, 1)
    sock.connect(server.getsockname())
    return [k.next(sock)["notification"]["state"], k.next(sock, 4.0), k.next(server), k.next(server), k.next(server)]


def assoc_stats(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_GET_ASSOC_STATS: its size, and the chunks of an exchange."""
    pair = k.pair()
    for _ in range(3):
        pair.client.send(b"x")
        pair.server.recv(9)
    got = k.tried(k.raw_get, pair.client, n.SOL_SCTP, n.SCTP_GET_ASSOC_STATS, bytes(256))
    if not isinstance(got, Filled):
        return got
    # Behind the id and an address: largest RTO, SACKs in and out, packets, then DATA by kind.
    counts = struct.unpack_from("=15Q", got.data, 136)
    return {"size": len(got.data), "ordered out": counts[11], "unordered out": counts[9], "retransmitted": counts[5]}


def parameters_of_an_association(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ASSOCINFO and SCTP_PEER_ADDR_PARAMS of an association, with all but the HEARTBEAT interval's default."""
    option = n.SCTP_PEER_ADDR_PARAMS
    sock = k.pair(client=lambda sock: k.set(sock, option, "paddrparams", hbinterval=20_000, flags=1)).client
    found = k.get(sock, n.SCTP_ASSOCINFO, "assocparams")
    del found["peer_rwnd"], found["local_rwnd"]  # See `windows`.
    return [found, k.get(sock, option, "paddrparams")]
