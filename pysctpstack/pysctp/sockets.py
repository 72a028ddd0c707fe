"""pysctp's sockets, over the sockets of this stack: each holds one, and hands on to it what it has not itself."""

from __future__ import annotations

import datetime
import ipaddress
import itertools
import operator
import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

from pysctpstack import constants as c
from pysctpstack import socket, structs
from pysctpstack.pysctp import arrivals, bottom
from pysctpstack.pysctp.arrivals import notification, notification_factory, sndrcvinfo
from pysctpstack.pysctp.parameters import (
    EVENTS,
    assocparams,
    event_subscribe,
    initparams,
    paddrinfo,
    paddrparams,
    rtoinfo,
    status,
)

BINDX_ADD: Final = bottom.getconstant("BINDX_ADD")
FLAG_NOTIFICATION: Final = bottom.getconstant("MSG_NOTIFICATION")
MSG_EOF: Final = bottom.getconstant("MSG_EOF")
TCP_STYLE: Final = bottom.getconstant("SOCK_STREAM")
UDP_STYLE: Final = bottom.getconstant("SOCK_SEQPACKET")

_SPECIAL: Final = {"": "0.0.0.0", "<broadcast>": "255.255.255.255"}

_module: ModuleType = socket
"""Makes the sockets."""


def use(module: ModuleType) -> None:
    """Make sockets with this module's ``socket``: `pysctpstack.socket`, or the standard one once it makes SCTP
    sockets of this stack (`pysctpstack.run.install`)."""
    global _module
    _module = module


def _address(pair: Any, message: str) -> tuple[str, int]:
    """A numeric address and a port: pysctp does not look names up. ValueError: it is none."""
    host, port = pair
    if not isinstance(host, str):
        raise TypeError(f"an address is a str, not {type(host).__name__}")
    host = _SPECIAL.get(host, host)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(message) from None
    return host, operator.index(port)


def _addresses(pairs: Any) -> list[tuple[str, int]]:
    if not isinstance(pairs, Sequence) or isinstance(pairs, (str, bytes)) or not pairs:
        raise ValueError("the addresses are a sequence of (address, port), not an empty one")
    return [_address(pair, f"Invalid address: {pair[0]}") for pair in pairs]


class sctpsocket:
    """What both styles of sockets have. OSError, with the errno that Linux gives, for what a call can't do."""

    def __init__(self, family: int, style: int, sk: Any) -> None:
        """``sk``: the socket to hold; None: a new one."""
        self._sk: Any = sk or _module.socket(family, style, c.IPPROTO_SCTP)
        self._style = style
        self._family = family
        self._ttl = 0
        self._streamid = 0
        self.unexpected_event_raises_exception = False
        """Whether `sctp_recv` raises OSError for a notification of a type that is not known here."""
        self.initparams = initparams(self)
        self.events = event_subscribe(self)
        self.datalogging = False
        """Whether `sctp_send` writes each message into a file of its own."""

    def sock(self) -> Any:
        """The socket that it holds."""
        return self._sk

    def __getattr__(self, name: str) -> Any:
        if name == "_sk":
            # A constructor that raised has not got that far.
            raise AttributeError(name)
        return getattr(self._sk, name)

    # --- several addresses ---

    def bindx(self, sockaddrs: Sequence[tuple[str, int]], action: int = BINDX_ADD) -> None:
        """Bind to these addresses too, or (BINDX_REMOVE) no longer."""
        self._sk.sctp_bindx(_addresses(sockaddrs), action)

    def connectx(self, sockaddrs: Sequence[tuple[str, int]], assoc_id: dict[str, int] | None = None) -> None:
        """Connect to a peer with these addresses. A dict takes the association's id as its ``"assoc_id"``."""
        found = self._sk.sctp_connectx(_addresses(sockaddrs))
        if isinstance(assoc_id, dict):
            assoc_id["assoc_id"] = found

    def getpaddrs(self, assoc_id: int = 0) -> tuple[tuple[str, int] | None, ...]:
        """The peer's addresses."""
        return tuple(arrivals.two_tuple(address) for address in self._sk.sctp_getpaddrs(assoc_id))

    def getladdrs(self, assoc_id: int = 0) -> tuple[tuple[str, int] | None, ...]:
        """The local addresses."""
        return tuple(arrivals.two_tuple(address) for address in self._sk.sctp_getladdrs(assoc_id))

    def set_peer_primary(self, assoc_id: int, addr: tuple[str, int]) -> None:
        """Ask the peer to send to this address of ours."""
        if self._style == TCP_STYLE:
            self._check_id(assoc_id)
        primary = structs.SetPeerPrim(assoc_id, _address(addr, "Invalid address"))
        self._sk.setsockopt(c.IPPROTO_SCTP, c.SCTP_SET_PEER_PRIMARY_ADDR, primary)

    def set_primary(self, assoc_id: int, addr: tuple[str, int]) -> None:
        """Send to this address of the peer's."""
        self._check_id(assoc_id)
        primary = structs.Prim(assoc_id, _address(addr, "Invalid address"))
        self._sk.setsockopt(c.IPPROTO_SCTP, c.SCTP_PRIMARY_ADDR, primary)

    # --- associations ---

    def accept(self) -> tuple[sctpsocket_tcp, Any]:
        """The next association, as a `sctpsocket_tcp`, and the peer's address."""
        sk, address = self._sk.accept()
        return sctpsocket_tcp(self._family, sk), address

    def peeloff(self, assoc_id: int) -> sctpsocket_tcp:
        """An association, taken out of this socket."""
        return sctpsocket_tcp(self._family, self._sk.sctp_peeloff(assoc_id))

    # --- messages ---

    def sctp_send(
        self,
        msg: str | bytes,
        to: tuple[str, int] = ("", 0),
        ppid: int | None = None,
        flags: int = 0,
        stream: int | None = None,
        timetolive: int | None = None,
        context: int = 0,
        record_file_prefix: str = "RECORD_sctp_traffic",
        datalogging: bool = False,
    ) -> int:
        """Send a message; its length. None: what the properties ``adaptation``, ``streamid`` and ``ttl`` say.

        ``ppid``: the number on the wire. ``flags``: MSG_UNORDERED, MSG_EOF and so on. ``timetolive``: milliseconds.
        ValueError: an empty message without MSG_EOF, or no numeric address.
        """
        ppid = self.adaptation if ppid is None else ppid
        timetolive = self._ttl if timetolive is None else timetolive
        stream = self._streamid if stream is None else stream
        if datalogging or self.datalogging:
            _record(msg, record_file_prefix)
        data = msg.encode() if isinstance(msg, str) else bytes(memoryview(msg))
        if not data and not flags & MSG_EOF:
            raise ValueError("an empty message needs MSG_EOF")
        host, port = to
        peer = _address((host, port), "Invalid Address") if host else None
        ppid = _module.ntohl(ppid)
        return int(self._sk.sctp_sendmsg(data, peer, ppid, flags, stream, timetolive, context))

    def sctp_recv(self, maxlen: int) -> tuple[tuple[str, int] | None, int, bytes | None, notification | sndrcvinfo]:
        """The sender's address, flags, a message and its `sndrcvinfo`; or, with FLAG_NOTIFICATION among the flags,
        None and a `notification`. An empty message: the peer has closed."""
        data, address, info, flags = self._sk.sctp_recvmsg(maxlen)
        if not flags & FLAG_NOTIFICATION:
            return arrivals.two_tuple(address), flags, data, sndrcvinfo(arrivals.of_message(info))
        found = notification_factory(arrivals.of_notification(data))
        if type(found) is notification and self.unexpected_event_raises_exception:
            raise OSError(f"a notification of the unknown type {found.type} has arrived")
        return arrivals.two_tuple(address), flags, None, found

    # --- parameters ---

    def _get(self, option: int, value: Any) -> Any:
        return self._sk.getsockopt(c.IPPROTO_SCTP, option, value)

    def _set(self, option: int, value: Any) -> None:
        self._sk.setsockopt(c.IPPROTO_SCTP, option, value)

    def _get_initparams(self) -> dict[str, int]:
        found = self._get(c.SCTP_INITMSG, structs.InitMsg())
        names = ("num_ostreams", "max_instreams", "max_attempts", "max_init_timeo")
        return {f"_{name}": getattr(found, f"sinit_{name}") for name in names}

    def _set_initparams(self, d: dict[str, Any]) -> None:
        names = ("_num_ostreams", "_max_instreams", "_max_attempts", "_max_init_timeo")
        # As C converts them to the 16 bits that there are.
        self._set(c.SCTP_INITMSG, structs.InitMsg(*(operator.index(d[name]) & 0xFFFF for name in names)))

    def _get_events(self) -> dict[str, bool]:
        found = self._get(c.SCTP_EVENTS, structs.EventSubscribe())
        return {f"_{name}": bool(getattr(found, f"sctp_{name}_event")) for name in EVENTS}

    def _set_events(self, d: dict[str, Any]) -> None:
        wanted = {f"sctp_{name}_event": operator.index(d[f"_{name}"]) & 0xFF for name in EVENTS}
        self._set(c.SCTP_EVENTS, structs.EventSubscribe(**wanted))

    def _check_id(self, assoc_id: int) -> None:
        if self._style == TCP_STYLE and assoc_id != 0:
            raise ValueError("a TCP-style socket has one association only: its id is passed as 0")
        if self._style != TCP_STYLE and assoc_id == 0:
            raise ValueError("which association of the UDP-style socket? Its id is not 0")

    def get_status(self, assoc_id: int = 0) -> status:
        self._check_id(assoc_id)
        found = self._get(c.SCTP_STATUS, structs.Status(assoc_id))
        result = status()
        result.assoc_id = assoc_id
        names = ("state", "rwnd", "unackdata", "penddata", "instrms", "outstrms", "fragmentation_point")
        _take(result, found, "sstat", names)
        primary = found.sstat_primary
        _take(result.primary, primary, "spinfo", ("assoc_id", "state", "cwnd", "srtt", "rto", "mtu"))
        result.primary.sockaddr = arrivals.two_tuple(primary.spinfo_address)
        return result

    def get_paddrinfo(self, assoc_id: int, sockaddr: tuple[str, int]) -> paddrinfo:
        self._check_id(assoc_id)
        asked = structs.PaddrInfo(assoc_id, _address(sockaddr, "address could not be translated"))
        result = paddrinfo()
        result.assoc_id, result.sockaddr = assoc_id, sockaddr
        found = self._get(c.SCTP_GET_PEER_ADDR_INFO, asked)
        _take(result, found, "spinfo", ("state", "cwnd", "srtt", "rto", "mtu"))
        return result

    def get_assocparams(self, assoc_id: int = 0) -> assocparams:
        result = assocparams()
        result.assoc_id = assoc_id
        found = self._get(c.SCTP_ASSOCINFO, structs.AssocParams(assoc_id))
        result.assocmaxrxt = found.sasoc_asocmaxrxt
        _take(result, found, "sasoc", ("number_peer_destinations", "peer_rwnd", "local_rwnd", "cookie_life"))
        return result

    def set_assocparams(self, o: assocparams) -> None:
        rest = (o.number_peer_destinations, o.peer_rwnd, o.local_rwnd, o.cookie_life)
        self._set(c.SCTP_ASSOCINFO, structs.AssocParams(o.assoc_id, o.assocmaxrxt, *rest))

    def get_paddrparams(self, assoc_id: int, sockaddr: tuple[str, int]) -> paddrparams:
        self._check_id(assoc_id)
        asked = structs.PaddrParams(assoc_id, _address(sockaddr, "address could not be translated"))
        result = paddrparams()
        result.assoc_id, result.sockaddr = assoc_id, sockaddr
        _take(result, self._get(c.SCTP_PEER_ADDR_PARAMS, asked), "spp", ("hbinterval", "pathmaxrxt"))
        return result

    def set_paddrparams(self, o: paddrparams) -> None:
        address = _address(o.sockaddr, "address could not be translated")
        self._set(c.SCTP_PEER_ADDR_PARAMS, structs.PaddrParams(o.assoc_id, address, o.hbinterval, o.pathmaxrxt))

    def get_rtoinfo(self, assoc_id: int = 0) -> rtoinfo:
        result = rtoinfo()
        result.assoc_id = assoc_id
        _take(result, self._get(c.SCTP_RTOINFO, structs.RtoInfo(assoc_id)), "srto", ("initial", "max", "min"))
        return result

    def set_rtoinfo(self, o: rtoinfo) -> None:
        self._set(c.SCTP_RTOINFO, structs.RtoInfo(o.assoc_id, o.initial, o.max, o.min))

    # --- properties ---

    def get_nodelay(self) -> bool:
        return bool(self._get(c.SCTP_NODELAY, 0))

    def set_nodelay(self, rvalue: int) -> None:
        self._set(c.SCTP_NODELAY, operator.index(rvalue))

    def get_adaptation(self) -> int:
        return int(self._get(c.SCTP_ADAPTATION_LAYER, structs.SetAdaptation()).ssb_adaptation_ind)

    def set_adaptation(self, rvalue: int) -> None:
        self._set(c.SCTP_ADAPTATION_LAYER, structs.SetAdaptation(operator.index(rvalue) & 0xFFFFFFFF))

    def get_disable_fragments(self) -> bool:
        return bool(self._get(c.SCTP_DISABLE_FRAGMENTS, 0))

    def set_disable_fragments(self, rvalue: int) -> None:
        self._set(c.SCTP_DISABLE_FRAGMENTS, operator.index(rvalue))

    def get_mappedv4(self) -> bool:
        return bool(self._get(c.SCTP_I_WANT_MAPPED_V4_ADDR, 0))

    def set_mappedv4(self, rvalue: int) -> None:
        self._set(c.SCTP_I_WANT_MAPPED_V4_ADDR, operator.index(rvalue))

    def get_maxseg(self) -> int:
        return int(self._get(c.SCTP_MAXSEG, 0))

    def set_maxseg(self, rvalue: int) -> None:
        self._set(c.SCTP_MAXSEG, operator.index(rvalue))

    def get_autoclose(self) -> int:
        """Seconds after which an idle association is closed; 0: never."""
        return int(self._get(c.SCTP_AUTOCLOSE, 0))

    def set_autoclose(self, rvalue: int) -> None:
        self._set(c.SCTP_AUTOCLOSE, operator.index(rvalue))

    def get_sndbuf(self) -> int:
        return int(self._sk.getsockopt(_module.SOL_SOCKET, _module.SO_SNDBUF))

    def set_sndbuf(self, rvalue: int) -> None:
        """Bytes: half of them is what the option gets, which Linux doubles."""
        self._sk.setsockopt(_module.SOL_SOCKET, _module.SO_SNDBUF, rvalue // 2)

    def get_rcvbuf(self) -> int:
        return int(self._sk.getsockopt(_module.SOL_SOCKET, _module.SO_RCVBUF))

    def set_rcvbuf(self, rvalue: int) -> None:
        """As `set_sndbuf`."""
        self._sk.setsockopt(_module.SOL_SOCKET, _module.SO_RCVBUF, rvalue // 2)

    def get_ttl(self) -> int:
        return self._ttl

    def set_ttl(self, newVal: int) -> None:
        """Life time of messages, 0 to 255 ms; 0: for ever."""
        if not isinstance(newVal, int) or not 0 <= newVal <= 255:
            raise ValueError("a default time to live is 0 to 255")
        self._ttl = newVal

    def get_streamid(self) -> int:
        return self._streamid

    def set_streamid(self, newVal: int) -> None:
        """Stream of messages, 0 to 65535."""
        if not isinstance(newVal, int) or not 0 <= newVal <= 65_535:
            raise ValueError("a default stream is 0 to 65535")
        self._streamid = newVal

    nodelay = property(get_nodelay, set_nodelay)
    adaptation = property(get_adaptation, set_adaptation)
    disable_fragments = property(get_disable_fragments, set_disable_fragments)
    mappedv4 = property(get_mappedv4, set_mappedv4)
    maxseg = property(get_maxseg, set_maxseg)
    autoclose = property(get_autoclose, set_autoclose)
    ttl = property(get_ttl, set_ttl)
    streamid = property(get_streamid, set_streamid)


class sctpsocket_tcp(sctpsocket):
    """A TCP-style socket: one association."""

    def __init__(self, family: int, sk: Any = None) -> None:
        super().__init__(family, TCP_STYLE, sk)

    def peeloff(self, *params: Any) -> sctpsocket_tcp:  # noqa: ARG002
        raise OSError("a TCP-style socket has nothing to peel off")

    def get_autoclose(self) -> int:
        raise OSError("a TCP-style socket has no autoclose")

    def set_autoclose(self, rvalue: int) -> None:  # noqa: ARG002
        raise OSError("a TCP-style socket has no autoclose")


class sctpsocket_udp(sctpsocket):
    """A UDP-style socket: any number of associations."""

    def __init__(self, family: int, sk: Any = None) -> None:
        super().__init__(family, UDP_STYLE, sk)

    def accept(self, *params: Any) -> tuple[sctpsocket_tcp, Any]:  # noqa: ARG002
        raise OSError("a UDP-style socket does not accept: associations come with their messages")


def _take(target: Any, found: Any, prefix: str, names: tuple[str, ...]) -> None:
    for name in names:
        setattr(target, name, getattr(found, f"{prefix}_{name}"))


def _record(msg: str | bytes, prefix: str) -> None:
    """Write a message into the next file that is not there yet."""
    now = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
    names = (f"{prefix}-{now}-c2s.{number}" for number in itertools.count(1))
    with open(next(name for name in names if not os.path.exists(name)), "wb") as file:
        file.write(msg.encode() if isinstance(msg, str) else msg)
