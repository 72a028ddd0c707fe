"""Options of sockets that are ints, those of extensions that are off, and those of SOL_SOCKET."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Kit, pack


def _int_sizes(k: Kit, option: int) -> Any:
    """The same for an option that is an int."""
    return k.sizes(option, "int", pack("int", value=1))


def _int(k: Kit, option: int, *values: int) -> Any:
    """An int option: its default on both kinds of socket; each value set and read."""
    sock, many = k.one(), k.many()
    found: dict[str, Any] = {"default": k.get_int(sock, option), "one-to-many": k.get_int(many, option)}
    for value in values:
        found[str(value)] = [k.set_int(sock, option, value), k.get_int(sock, option)]
        found[f"{value}, one-to-many"] = [k.set_int(many, option, value), k.get_int(many, option)]
    return found


# --- ints ---


def nodelay(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_NODELAY."""
    return _int(k, n.SCTP_NODELAY, 1, 0, 5, -1)


def maxseg_as_int(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_MAXSEG as an int."""
    return _int(k, n.SCTP_MAXSEG, 1_200, 0)


def nodelay_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_NODELAY in buffers of other sizes."""
    return _int_sizes(k, n.SCTP_NODELAY)


def autoclose(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_AUTOCLOSE, which is for one-to-many sockets."""
    return _int(k, n.SCTP_AUTOCLOSE, 5, 0)


def disable_fragments(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DISABLE_FRAGMENTS."""
    return _int(k, n.SCTP_DISABLE_FRAGMENTS, 1, 0, 7)


def i_want_mapped_v4_addr(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_I_WANT_MAPPED_V4_ADDR."""
    return _int(k, n.SCTP_I_WANT_MAPPED_V4_ADDR, 0, 1, 3)


def fragment_interleave(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_FRAGMENT_INTERLEAVE and its levels."""
    return _int(k, n.SCTP_FRAGMENT_INTERLEAVE, 1, 2, 0, 3)


def fragment_interleave_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_FRAGMENT_INTERLEAVE in buffers of other sizes."""
    return _int_sizes(k, n.SCTP_FRAGMENT_INTERLEAVE)


def partial_delivery_point(socket: ModuleType, k: Kit) -> Any:
    """SCTP_PARTIAL_DELIVERY_POINT, up to and beyond half of SO_RCVBUF."""
    found = _int(k, n.SCTP_PARTIAL_DELIVERY_POINT, 1, 4_096, 0)
    sock = k.one()
    half = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2
    found["half"] = k.set_int(sock, n.SCTP_PARTIAL_DELIVERY_POINT, half)
    found["more"] = k.set_int(sock, n.SCTP_PARTIAL_DELIVERY_POINT, half + 1)
    return found


def recvrcvinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RECVRCVINFO."""
    return _int(k, n.SCTP_RECVRCVINFO, 1, 0, 9)


def recvnxtinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RECVNXTINFO."""
    return _int(k, n.SCTP_RECVNXTINFO, 1, 0, 9)


def recvinfo_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RECVRCVINFO and SCTP_RECVNXTINFO in buffers of other sizes."""
    return [_int_sizes(k, n.SCTP_RECVRCVINFO), _int_sizes(k, n.SCTP_RECVNXTINFO)]


def reuse_port(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_REUSE_PORT: not for one-to-many sockets, and only before bind()."""
    bound = k.bound(k.one())
    return [
        _int(k, n.SCTP_REUSE_PORT, 1, 0, 2),
        k.set_int(bound, n.SCTP_REUSE_PORT, 1),
        _int_sizes(k, n.SCTP_REUSE_PORT),
    ]


def reuse_port_shares_a_port(_socket: ModuleType, k: Kit) -> Any:
    """Two sockets with SCTP_REUSE_PORT can have one port; with one that has not, neither."""
    first, second, third = k.one(), k.one(), k.one()
    for sock in (first, second):
        k.set_int(sock, n.SCTP_REUSE_PORT, 1)
    k.bound(first)
    return [k.tried(second.bind, first.getsockname()), k.tried(third.bind, first.getsockname())]


def auto_asconf(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_AUTO_ASCONF, with ASCONF off."""
    sock, bound = k.one(), k.bound(k.one())
    return [
        k.get_int(sock, n.SCTP_AUTO_ASCONF),
        k.set_int(sock, n.SCTP_AUTO_ASCONF, 0),
        k.set_int(bound, n.SCTP_AUTO_ASCONF, 1),
    ]


def adaptation_layer(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ADAPTATION_LAYER: default, set, sizes."""
    sock = k.one()
    return [
        k.get(sock, n.SCTP_ADAPTATION_LAYER, "setadaptation"),
        k.set(sock, n.SCTP_ADAPTATION_LAYER, "setadaptation", ind=0xDEADBEEF),
        k.get(sock, n.SCTP_ADAPTATION_LAYER, "setadaptation"),
        k.sizes(n.SCTP_ADAPTATION_LAYER, "setadaptation", bytes(4)),
    ]


def sendmsg_connect(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SENDMSG_CONNECT is for setting only, and not a plain int."""
    return [k.get_int(k.many(), n.SCTP_SENDMSG_CONNECT), k.set_int(k.many(), n.SCTP_SENDMSG_CONNECT, 1)]


# --- extensions that are off ---


def supported_extensions(_socket: ModuleType, k: Kit) -> Any:
    """What the options named ..._SUPPORTED say of a new socket."""
    names = ("PR", "RECONFIG", "INTERLEAVING", "ASCONF", "AUTH", "ECN")
    sock = k.one()
    return {name: k.get(sock, getattr(n, f"SCTP_{name}_SUPPORTED"), "assoc_value") for name in names}


def pr_supported(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PR_SUPPORTED: off and on, for the socket and for an association."""
    sock, pair = k.one(), k.pair()
    return [
        k.set(sock, n.SCTP_PR_SUPPORTED, "assoc_value", value=0),
        k.get(sock, n.SCTP_PR_SUPPORTED, "assoc_value"),
        k.set(sock, n.SCTP_PR_SUPPORTED, "assoc_value", value=5),
        k.get(sock, n.SCTP_PR_SUPPORTED, "assoc_value"),
        k.get(pair.client, n.SCTP_PR_SUPPORTED, "assoc_value"),
        k.set(pair.client, n.SCTP_PR_SUPPORTED, "assoc_value", value=0),
        k.get(pair.client, n.SCTP_PR_SUPPORTED, "assoc_value"),
    ]


def pr_supported_negotiates(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PR_SUPPORTED off at one end: what both say of the association."""
    pair = k.pair(server=lambda sock: k.set(sock, n.SCTP_PR_SUPPORTED, "assoc_value", value=0))
    return [k.get(sock, n.SCTP_PR_SUPPORTED, "assoc_value")["value"] for sock in (pair.client, pair.server)]


def expose_pf_state(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EXPOSE_POTENTIALLY_FAILED_STATE: default, each value, one too large."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_EXPOSE_PF_STATE, "assoc_value")]
    for value in (1, 2, 3, 0):
        found += [
            k.set(sock, n.SCTP_EXPOSE_PF_STATE, "assoc_value", value=value),
            k.get(sock, n.SCTP_EXPOSE_PF_STATE, "assoc_value"),
        ]
    return found


def authentication_is_off(_socket: ModuleType, k: Kit) -> Any:
    """The options of RFC 4895, with AUTH off."""
    sock = k.one()
    key = pack("assoc_value")
    return {
        "chunk": k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_AUTH_CHUNK, b"\0"),
        "hmacs": k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_HMAC_IDENT, pack("assoc_value", value=1)),
        "get hmacs": k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_HMAC_IDENT, 64),
        "key": k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_AUTH_KEY, key + b"k"),
        "active key": k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_AUTH_ACTIVE_KEY, key),
        "get active key": k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_AUTH_ACTIVE_KEY, 8),
        "delete key": k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_AUTH_DELETE_KEY, key),
        "deactivate key": k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_AUTH_DEACTIVATE_KEY, key),
        "peer's chunks": k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_PEER_AUTH_CHUNKS, 64),
        "local chunks": k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_LOCAL_AUTH_CHUNKS, 64),
    }


def reconfiguration_is_off(_socket: ModuleType, k: Kit) -> Any:
    """The options of RFC 6525 for an association that has not agreed on it."""
    sock = k.pair().client
    return {
        "enabled": k.get(sock, n.SCTP_ENABLE_STREAM_RESET, "assoc_value"),
        "enable": k.set(sock, n.SCTP_ENABLE_STREAM_RESET, "assoc_value", value=7),
        "enable more": k.set(sock, n.SCTP_ENABLE_STREAM_RESET, "assoc_value", value=8),
        "reset": k.set(sock, n.SCTP_RESET_STREAMS, "assoc_value", value=2),
        "reset association": k.set(sock, n.SCTP_RESET_ASSOC, "int", value=0),
        "add": k.set(sock, n.SCTP_ADD_STREAMS, "stream_value", value=1),
    }


def stream_scheduler(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_STREAM_SCHEDULER: default, each, one that does not exist; SCTP_STREAM_SCHEDULER_VALUE."""
    sock, pair = k.one(), k.pair()
    found = [k.get(sock, n.SCTP_STREAM_SCHEDULER, "assoc_value")]
    for value in (1, 2, 3, 5, 0):
        found.append(k.set(sock, n.SCTP_STREAM_SCHEDULER, "assoc_value", value=value))
        found.append(k.get(sock, n.SCTP_STREAM_SCHEDULER, "assoc_value"))
    return [
        *found,
        k.get(sock, n.SCTP_STREAM_SCHEDULER_VALUE, "stream_value"),
        k.get(pair.client, n.SCTP_STREAM_SCHEDULER_VALUE, "stream_value"),
    ]


def interleaving_supported(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_INTERLEAVING_SUPPORTED with I-DATA off."""
    sock = k.one()
    return [
        k.get(sock, n.SCTP_INTERLEAVING_SUPPORTED, "assoc_value"),
        k.set(sock, n.SCTP_INTERLEAVING_SUPPORTED, "assoc_value", value=1),
        k.get(sock, n.SCTP_INTERLEAVING_SUPPORTED, "assoc_value"),
    ]


# --- SOL_SOCKET ---


def sol_socket_defaults(socket: ModuleType, k: Kit) -> Any:
    """Options of SOL_SOCKET that a new socket has values for."""
    names = ["TYPE", "PROTOCOL", "DOMAIN", "ERROR", "ACCEPTCONN", "SNDBUF", "RCVBUF"]
    names += ["REUSEADDR", "REUSEPORT", "KEEPALIVE", "BROADCAST"]
    return {
        kind: {name: k.get_int(sock, getattr(socket, f"SO_{name}"), socket.SOL_SOCKET) for name in names}
        for kind, sock in (("one-to-one", k.one()), ("one-to-many", k.listening(k.many())))
    }


def so_linger(socket: ModuleType, k: Kit) -> Any:
    """SO_LINGER: default, on, off, short."""
    sock = k.one()

    def now() -> Any:
        return k.masks.show("linger", sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))

    found = [now()]
    for on, seconds in ((1, 0), (1, 30), (5, 7), (0, 9)):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("linger", on=on, seconds=seconds))
        found.append(now())
    return [*found, k.tried(sock.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, 1)]


def so_timeouts(socket: ModuleType, k: Kit) -> Any:
    """SO_RCVTIMEO and SO_SNDTIMEO: default and set, to a multiple of the kernel's tick."""
    found = []
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock = k.one()
        found.append(k.masks.show("timeval", sock.getsockopt(socket.SOL_SOCKET, option, 16)))
        sock.setsockopt(socket.SOL_SOCKET, option, pack("timeval", seconds=3, microseconds=500_000))
        found.append(k.masks.show("timeval", sock.getsockopt(socket.SOL_SOCKET, option, 16)))
    return found


def so_buffers(socket: ModuleType, k: Kit) -> Any:
    """SO_SNDBUF and SO_RCVBUF set: the kernel doubles them, and has a least value."""
    found = []
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        for value in (50_000, 1, 0):
            sock = k.one()
            found.append(
                [k.set_int(sock, option, value, socket.SOL_SOCKET), k.get_int(sock, option, socket.SOL_SOCKET)]
            )
    return found


def so_reuse(socket: ModuleType, k: Kit) -> Any:
    """SO_REUSEADDR and SO_REUSEPORT are 1 once set, whatever to."""
    sock = k.one()
    return [
        [k.set_int(sock, option, value, socket.SOL_SOCKET), k.get_int(sock, option, socket.SOL_SOCKET)]
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT)
        for value in (5, 0)
    ]


def getsockopt_shapes(socket: ModuleType, k: Kit) -> Any:
    """getsockopt() as an int, and into buffers of several sizes, as Python has it."""
    sock = k.one()
    return [
        k.tried(sock.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE),
        k.tried(sock.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE, 2),
        k.tried(sock.getsockopt, socket.SOL_SOCKET, socket.SO_TYPE, 8),
        k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_INITMSG),
        k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_INITMSG, 8),
        k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_INITMSG, 100),
        k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_INITMSG, -1),
        k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_INITMSG, 2_000),
        k.tried(sock.getsockopt, n.SOL_SCTP, n.SCTP_NODELAY, 4),
    ]


def setsockopt_shapes(_socket: ModuleType, k: Kit) -> Any:
    """setsockopt() with values of several Python types."""
    sock = k.one()
    return [
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, True),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, bytearray(4)),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, memoryview(bytes(4))),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, "text"),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, 1.5),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, 1 << 40),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_NODELAY, b""),
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_INITMSG, 1),
    ]
