"""Options of sockets that are structs: defaults, what is set, and buffers of other sizes."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from interop.differential import numbers as n
from interop.differential.kit import Filled, Kit, pack


def initmsg(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_INITMSG: zeros leave values as they are."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_INITMSG, "initmsg")]
    for values in ({"ostreams": 5}, {"instreams": 7, "attempts": 3}, {"timeo": 1_234}, {}):
        found += [k.set(sock, n.SCTP_INITMSG, "initmsg", **values), k.get(sock, n.SCTP_INITMSG, "initmsg")]
    return found


def initmsg_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_INITMSG in buffers of other sizes."""
    return k.sizes(n.SCTP_INITMSG, "initmsg", bytes(8))


def initmsg_negotiates(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_INITMSG of both ends, and the streams that SCTP_STATUS tells of."""
    pair = k.pair(
        client=lambda sock: k.set(sock, n.SCTP_INITMSG, "initmsg", ostreams=20, instreams=3),
        server=lambda sock: k.set(sock, n.SCTP_INITMSG, "initmsg", ostreams=9, instreams=4),
    )
    found = [k.get(sock, n.SCTP_STATUS, "status") for sock in (pair.client, pair.server)]
    return [(status["in"], status["out"]) for status in found]


def rtoinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RTOINFO: set; zeros leave values; the order of the three matters."""
    sock = k.one()
    found: list[Any] = []
    for values in (
        {"initial": 500, "max": 2_000, "min": 100},
        {"max": 3_000},
        {"min": 5_000},
        {"initial": 4_000},
        {"initial": 200, "max": 100, "min": 50},
        {},
    ):
        found += [k.set(sock, n.SCTP_RTOINFO, "rtoinfo", **values), k.get(sock, n.SCTP_RTOINFO, "rtoinfo")]
    return found


def rtoinfo_default(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RTOINFO of a new socket."""
    return k.get(k.one(), n.SCTP_RTOINFO, "rtoinfo")


def rtoinfo_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_RTOINFO in buffers of other sizes."""
    return k.sizes(n.SCTP_RTOINFO, "rtoinfo", bytes(16))


def associnfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ASSOCINFO: default, set; zeros leave values."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_ASSOCINFO, "assocparams")]
    for values in ({"maxrxt": 4}, {"cookie_life": 30_000}, {"peer_rwnd": 1, "local_rwnd": 2, "destinations": 3}):
        found += [k.set(sock, n.SCTP_ASSOCINFO, "assocparams", **values), k.get(sock, n.SCTP_ASSOCINFO, "assocparams")]
    return found


def associnfo_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_ASSOCINFO in buffers of other sizes."""
    return k.sizes(n.SCTP_ASSOCINFO, "assocparams", bytes(20))


def delayed_sack(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DELAYED_SACK: default, delay, frequency, off, too long."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_DELAYED_SACK, "sack_info")]
    for values in ({"delay": 100}, {"freq": 4}, {"delay": 300, "freq": 2}, {"delay": 501}, {"freq": 1}, {}):
        found += [
            k.set(sock, n.SCTP_DELAYED_SACK, "sack_info", **values),
            k.get(sock, n.SCTP_DELAYED_SACK, "sack_info"),
        ]
    return found


def delayed_sack_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DELAYED_SACK in buffers of other sizes; the old form has 8 bytes."""
    return k.sizes(n.SCTP_DELAYED_SACK, "sack_info", pack("sack_info", delay=100, freq=2))


def delayed_ack_time_old_form(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DELAYED_ACK_TIME with a struct sctp_assoc_value: 0 turns delay off."""
    sock = k.one()
    found = []
    for value in (0, 150, 600):
        found += [
            k.set(sock, n.SCTP_DELAYED_SACK, "assoc_value", value=value),
            k.get(sock, n.SCTP_DELAYED_SACK, "assoc_value"),
            k.get(sock, n.SCTP_DELAYED_SACK, "sack_info"),
        ]
    return found


def maxseg(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_MAXSEG as a struct: default, set, 0, too small, too large."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_MAXSEG, "assoc_value")]
    for value in (1_000, 0, 7, 8, 100, 70_000, 65_515, 65_516, 65_520):
        found += [k.set(sock, n.SCTP_MAXSEG, "assoc_value", value=value), k.get(sock, n.SCTP_MAXSEG, "assoc_value")]
    return found


def maxseg_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_MAXSEG in buffers of other sizes."""
    return k.sizes(n.SCTP_MAXSEG, "assoc_value", pack("assoc_value", value=1_000))


def max_burst(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_MAX_BURST as a struct and as an int."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_MAX_BURST, "assoc_value"), k.get_int(sock, n.SCTP_MAX_BURST)]
    for value in (8, 0):
        found += [k.set(sock, n.SCTP_MAX_BURST, "assoc_value", value=value), k.get_int(sock, n.SCTP_MAX_BURST)]
    return [*found, k.set_int(sock, n.SCTP_MAX_BURST, 6), k.get(sock, n.SCTP_MAX_BURST, "assoc_value")]


def max_burst_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_MAX_BURST in buffers of other sizes."""
    return k.sizes(n.SCTP_MAX_BURST, "assoc_value", pack("assoc_value", value=4))


def context(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_CONTEXT: default, set, sizes."""
    sock = k.one()
    return [
        k.get(sock, n.SCTP_CONTEXT, "assoc_value"),
        k.set(sock, n.SCTP_CONTEXT, "assoc_value", value=0xABCD1234),
        k.get(sock, n.SCTP_CONTEXT, "assoc_value"),
        k.sizes(n.SCTP_CONTEXT, "assoc_value", bytes(8)),
    ]


def default_send_param(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_SEND_PARAM: default, set, read as SCTP_DEFAULT_SNDINFO, flags that it does not take."""
    sock = k.one()
    option = n.SCTP_DEFAULT_SEND_PARAM
    found = [k.get(sock, option, "sndrcvinfo")]
    for values in (
        {"stream": 3, "flags": n.SCTP_UNORDERED, "ppid": 77, "context": 88, "timetolive": 99, "ssn": 5, "tsn": 6},
        {"flags": n.SCTP_ABORT},
        {"flags": n.SCTP_EOF},
        {"flags": n.SCTP_ADDR_OVER},
        {"flags": n.SCTP_SACK_IMMEDIATELY},
        {"flags": n.SCTP_SENDALL},
        {"flags": 0x4000},
    ):
        found += [k.set(sock, option, "sndrcvinfo", **values), k.get(sock, option, "sndrcvinfo")]
    return [*found, k.get(sock, n.SCTP_DEFAULT_SNDINFO, "sndinfo")]


def default_sndinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_SNDINFO: default, set, read as SCTP_DEFAULT_SEND_PARAM."""
    sock = k.one()
    option = n.SCTP_DEFAULT_SNDINFO
    found = [k.get(sock, option, "sndinfo")]
    for values in (
        {"sid": 4, "flags": n.SCTP_UNORDERED, "ppid": 7, "context": 8},
        {"flags": n.SCTP_EOF},
        {"flags": 0x800},
    ):
        found += [k.set(sock, option, "sndinfo", **values), k.get(sock, option, "sndinfo")]
    return [*found, k.get(sock, n.SCTP_DEFAULT_SEND_PARAM, "sndrcvinfo")]


def default_send_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_SEND_PARAM and SCTP_DEFAULT_SNDINFO in buffers of other sizes."""
    return [
        k.sizes(n.SCTP_DEFAULT_SEND_PARAM, "sndrcvinfo", bytes(32)),
        k.sizes(n.SCTP_DEFAULT_SNDINFO, "sndinfo", bytes(16)),
    ]


def default_prinfo(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_PRINFO: every policy, and one that does not exist."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_DEFAULT_PRINFO, "default_prinfo")]
    for policy, value in ((0x10, 500), (0x20, 3), (0x30, 7), (0, 9), (0x40, 1), (1, 1)):
        found += [
            k.set(sock, n.SCTP_DEFAULT_PRINFO, "default_prinfo", policy=policy, value=value),
            k.get(sock, n.SCTP_DEFAULT_PRINFO, "default_prinfo"),
        ]
    return found


def default_prinfo_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_PRINFO in buffers of other sizes."""
    return k.sizes(n.SCTP_DEFAULT_PRINFO, "default_prinfo", bytes(12))


def default_prinfo_shows_in_default_send_param(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_DEFAULT_PRINFO and the older options that carry flags and a life time."""
    sock = k.one()
    k.set(sock, n.SCTP_DEFAULT_PRINFO, "default_prinfo", policy=n.SCTP_PR_SCTP_TTL, value=500)
    found = [
        k.get(sock, n.SCTP_DEFAULT_SEND_PARAM, "sndrcvinfo"),
        k.get(sock, n.SCTP_DEFAULT_SNDINFO, "sndinfo"),
    ]
    k.set(sock, n.SCTP_DEFAULT_SNDINFO, "sndinfo", sid=1)
    return [*found, k.get(sock, n.SCTP_DEFAULT_PRINFO, "default_prinfo")]


def events(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENTS: default; each member set and read, here and as SCTP_EVENT."""
    sock = k.one()
    found = [k.get(sock, n.SCTP_EVENTS, "events")]
    for member in range(14):
        value = bytes(member) + b"\1" + bytes(13 - member)
        set_ = k.set(sock, n.SCTP_EVENTS, "events", events=value)
        on = k.get(sock, n.SCTP_EVENT, "event", type=n.SCTP_DATA_IO_EVENT + member)
        found.append([set_, k.get(sock, n.SCTP_EVENTS, "events"), on])
    return found


def events_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENTS in buffers of other sizes: older programs know fewer members."""
    sock = k.one()
    found = [
        k.tried(sock.setsockopt, n.SOL_SCTP, n.SCTP_EVENTS, b"\1" * size) for size in (0, 1, 8, 10, 11, 14, 15, 20)
    ]
    for size in (0, 1, 8, 10, 11, 14, 15, 20):
        got = k.tried(k.raw_get, sock, n.SOL_SCTP, n.SCTP_EVENTS, bytes(size))
        found.append(got.data.hex() if isinstance(got, Filled) else got)
    return found


def event(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENT: default, on, off, types that do not exist."""
    sock = k.one()
    found = []
    for type_ in (n.SCTP_ASSOC_CHANGE, n.SCTP_SEND_FAILED_EVENT, n.SCTP_SENDER_DRY_EVENT, 0x800E, 0x7FFF, 0):
        found.append(
            [
                k.get(sock, n.SCTP_EVENT, "event", type=type_),
                k.set(sock, n.SCTP_EVENT, "event", type=type_, on=1),
                k.get(sock, n.SCTP_EVENT, "event", type=type_),
                k.set(sock, n.SCTP_EVENT, "event", type=type_, on=0),
            ]
        )
    return [*found, k.get(sock, n.SCTP_EVENTS, "events")]


def event_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENT in buffers of other sizes."""
    return k.sizes(n.SCTP_EVENT, "event", pack("event", type=n.SCTP_ASSOC_CHANGE, on=1))


def event_data_io(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_EVENT with SCTP_DATA_IO_EVENT."""
    sock = k.one()
    return [
        k.set(sock, n.SCTP_EVENT, "event", type=n.SCTP_DATA_IO_EVENT, on=1),
        k.get(sock, n.SCTP_EVENT, "event", type=n.SCTP_DATA_IO_EVENT),
    ]


def peer_addr_params(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_PARAMS of the socket: set, member by member."""
    sock = k.one()
    option = n.SCTP_PEER_ADDR_PARAMS
    found: list[Any] = []
    for values in (
        {"hbinterval": 5_000, "flags": n.SPP_HB_ENABLE},
        {"maxrxt": 3},
        {"flags": n.SPP_HB_DISABLE},
        {"flags": n.SPP_HB_ENABLE | n.SPP_HB_DISABLE},
        {"flags": n.SPP_PMTUD_DISABLE, "mtu": 1_400},
        {"flags": n.SPP_PMTUD_ENABLE | n.SPP_PMTUD_DISABLE},
        {"sackdelay": 100, "flags": n.SPP_SACKDELAY_ENABLE},
        {"sackdelay": 501, "flags": n.SPP_SACKDELAY_ENABLE},
        {"flags": n.SPP_SACKDELAY_DISABLE},
        {"flags": n.SPP_HB_DEMAND},
        {"flags": n.SPP_HB_TIME_IS_ZERO | n.SPP_HB_ENABLE},
    ):
        found += [k.set(sock, option, "paddrparams", **values), k.get(sock, option, "paddrparams")]
    return found


def peer_addr_params_default(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_PARAMS of a new socket; and for an address, of which there is none."""
    sock = k.one()
    return [
        k.get(sock, n.SCTP_PEER_ADDR_PARAMS, "paddrparams"),
        k.get(sock, n.SCTP_PEER_ADDR_PARAMS, "paddrparams", addr=("127.0.0.1", 9)),
        k.set(sock, n.SCTP_PEER_ADDR_PARAMS, "paddrparams", addr=("127.0.0.1", 9), maxrxt=3),
    ]


def peer_addr_params_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_PARAMS in buffers of other sizes; older headers have 152 bytes."""
    sock = k.one()
    return [
        k.sizes(n.SCTP_PEER_ADDR_PARAMS, "paddrparams", bytes(156)),
        k.set(sock, n.SCTP_PEER_ADDR_PARAMS, "paddrparams", room=152, hbinterval=20_000, flags=n.SPP_HB_ENABLE),
        k.get(sock, n.SCTP_PEER_ADDR_PARAMS, "paddrparams", room=152),
    ]


def peer_addr_thlds(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_THLDS of the socket, and its second version."""
    sock = k.one()
    found = [
        k.get(sock, n.SCTP_PEER_ADDR_THLDS, "paddrthlds"),
        k.get(sock, n.SCTP_PEER_ADDR_THLDS_V2, "paddrthlds_v2"),
    ]
    for values in ({"maxrxt": 7, "pf": 2}, {"maxrxt": 0, "pf": 0}, {"pf": 3}):
        found += [
            k.set(sock, n.SCTP_PEER_ADDR_THLDS, "paddrthlds", **values),
            k.get(sock, n.SCTP_PEER_ADDR_THLDS, "paddrthlds"),
        ]
    for values in ({"maxrxt": 5, "pf": 2, "cp": 9}, {"pf": 5, "cp": 4}):
        found += [
            k.set(sock, n.SCTP_PEER_ADDR_THLDS_V2, "paddrthlds_v2", **values),
            k.get(sock, n.SCTP_PEER_ADDR_THLDS_V2, "paddrthlds_v2"),
        ]
    return found


def peer_addr_thlds_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PEER_ADDR_THLDS in buffers of other sizes."""
    return k.sizes(n.SCTP_PEER_ADDR_THLDS, "paddrthlds", bytes(144))


def remote_udp_encaps_port(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_REMOTE_UDP_ENCAPS_PORT of the socket: with the wildcard address, with another, with none."""
    sock = k.one()
    option = n.SCTP_REMOTE_UDP_ENCAPS_PORT
    found: list[Any] = []
    for addr in (("0.0.0.0", 0), ("127.0.0.1", 0), None):
        values: dict[str, Any] = {"addr": addr} if addr else {}
        found += [
            k.get(sock, option, "udpencaps", **values),
            k.set(sock, option, "udpencaps", port=b"\x30\x39", **values),
            k.get(sock, option, "udpencaps", **values),
        ]
    return found[1:]


def remote_udp_encaps_port_sizes(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_REMOTE_UDP_ENCAPS_PORT in buffers of other sizes."""
    return k.sizes(n.SCTP_REMOTE_UDP_ENCAPS_PORT, "udpencaps", pack("udpencaps", addr=("0.0.0.0", 0)))


def probe_interval(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_PLPMTUD_PROBE_INTERVAL of the socket: default, set, too short, off."""
    sock = k.one()
    option = n.SCTP_PLPMTUD_PROBE_INTERVAL
    found = [k.get(sock, option, "probeinterval")]
    for interval in (10_000, 4_999, 5_000, 0):
        found += [
            k.set(sock, option, "probeinterval", interval=interval, addr=("0.0.0.0", 0)),
            k.get(sock, option, "probeinterval", addr=("0.0.0.0", 0)),
        ]
    return found


def set_peer_primary(_socket: ModuleType, k: Kit) -> Any:
    """SCTP_SET_PEER_PRIMARY_ADDR with ASCONF off, and of wrong size."""
    return [
        k.set(k.pair().client, n.SCTP_SET_PEER_PRIMARY_ADDR, "prim", addr=("127.0.0.1", 0)),
        k.set(k.one(), n.SCTP_SET_PEER_PRIMARY_ADDR, "prim", addr=("127.0.0.1", 0)),
        k.set(k.one(), n.SCTP_SET_PEER_PRIMARY_ADDR, "prim", room=131),
    ]
