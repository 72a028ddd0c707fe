"""Socket options (RFC 6458 section 8): a table of what each is called, and how to get and to set it.

Values are structs of `pysctpstack.structs`, or ints; `SctpSocket.setsockopt` and `getsockopt` turn them into bytes
and back.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.core.path import COMMON_HEADER, PathState
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.events import SenderDry
from pysctpstack.sockets.notifications import SUBSCRIBABLE
from pysctpstack.sockets.values import as_int, as_struct, failure
from pysctpstack.structs.layout import CStruct

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

MIN_BUFFER: Final = 4_096
MAX_BUFFER: Final = 1 << 30
_LINGER: Final = struct.Struct("=ii")
_TIMEVAL: Final = struct.Struct("=qq")
_ASSOC_ID: Final = struct.Struct("=i")

_STATES: Final = {
    State.CLOSED: c.SCTP_CLOSED,
    State.COOKIE_WAIT: c.SCTP_COOKIE_WAIT,
    State.COOKIE_ECHOED: c.SCTP_COOKIE_ECHOED,
    State.ESTABLISHED: c.SCTP_ESTABLISHED,
    State.SHUTDOWN_PENDING: c.SCTP_SHUTDOWN_PENDING,
    State.SHUTDOWN_SENT: c.SCTP_SHUTDOWN_SENT,
    State.SHUTDOWN_RECEIVED: c.SCTP_SHUTDOWN_RECEIVED,
    State.SHUTDOWN_ACK_SENT: c.SCTP_SHUTDOWN_ACK_SENT,
}
_PATH_STATES: Final = {
    PathState.UNCONFIRMED: c.SCTP_UNCONFIRMED,
    PathState.ACTIVE: c.SCTP_ACTIVE,
    PathState.POTENTIALLY_FAILED: c.SCTP_PF,
    PathState.INACTIVE: c.SCTP_INACTIVE,
}


Getter = Callable[["BaseSocket", Any], Any]
Setter = Callable[["BaseSocket", Any], None]


# --- SOL_SOCKET ---


def _buffer_size(value: Any) -> int:
    size = as_int(value)
    if size < 0:
        raise failure(errno.EINVAL)
    return min(max(size, MIN_BUFFER), MAX_BUFFER)


def _set_sndbuf(sock: BaseSocket, value: Any) -> None:
    sock.send_buffer = _buffer_size(value)


def _set_rcvbuf(sock: BaseSocket, value: Any) -> None:
    # What has been announced to a peer can't be taken back, so a smaller buffer is for new associations.
    sock.settings.receive_buffer = size = _buffer_size(value)
    for association in sock.associations.values():
        receiver = association.tcb.receiver
        receiver.receive_buffer = max(receiver.receive_buffer, size)


def _octets(value: Any) -> bytes:
    """A struct that is given as bytes. EINVAL: an int, of which `bytes` would make so many zeros."""
    if isinstance(value, int):
        raise failure(errno.EINVAL)
    return bytes(value)


def _set_linger(sock: BaseSocket, value: Any) -> None:
    data = _octets(value)
    if len(data) < _LINGER.size:
        raise failure(errno.EINVAL)
    on, seconds = _LINGER.unpack_from(data)
    sock.linger = max(seconds, 0) if on else None


def _get_linger(sock: BaseSocket, _arg: Any) -> bytes:
    return _LINGER.pack(0, 0) if sock.linger is None else _LINGER.pack(1, sock.linger)


def _seconds(value: Any) -> float | None:
    data = _octets(value)
    if len(data) < _TIMEVAL.size:
        raise failure(errno.EINVAL)
    seconds, microseconds = _TIMEVAL.unpack_from(data)
    if not 0 <= microseconds < 1_000_000:
        raise failure(errno.EDOM)
    return seconds + microseconds / 1_000_000 or None


def _timeval(seconds: float | None) -> bytes:
    whole = int(seconds or 0)
    return _TIMEVAL.pack(whole, round(((seconds or 0) - whole) * 1_000_000))


def _set_rcvtimeo(sock: BaseSocket, value: Any) -> None:
    sock.receive_timeout = _seconds(value)


def _set_sndtimeo(sock: BaseSocket, value: Any) -> None:
    sock.send_timeout = _seconds(value)


def _switch(option: int) -> tuple[Getter, Setter]:
    """An option that programs set by habit: remembered, and of no effect on sockets whose UDP port is the stack's."""

    def set_(sock: BaseSocket, value: Any) -> None:
        sock.switches[option] = bool(as_int(value))

    return (lambda sock, _: int(sock.switches.get(option, False))), set_


# --- IPPROTO_SCTP ---


def _set_initmsg(sock: BaseSocket, value: Any) -> None:
    apply_initmsg(sock.settings, as_struct(value, structs.InitMsg, exact=True))


def apply_initmsg(settings: Settings, init: structs.InitMsg) -> None:
    """RFC 6458 section 5.3.1: a 0 leaves the value as it is."""
    if init.sinit_num_ostreams:
        settings.outbound_streams = init.sinit_num_ostreams
    if init.sinit_max_instreams:
        settings.max_inbound_streams = init.sinit_max_instreams
    if init.sinit_max_attempts:
        settings.max_init_retransmits = init.sinit_max_attempts
    if init.sinit_max_init_timeo:
        settings.max_init_timeout = init.sinit_max_init_timeo / 1_000


def _get_initmsg(sock: BaseSocket, _arg: Any) -> CStruct:
    settings = sock.settings
    return structs.InitMsg(
        settings.outbound_streams,
        settings.max_inbound_streams,
        settings.max_init_retransmits,
        min(round(settings.max_init_timeout * 1_000), 0xFFFF),
    )


def _set_events(sock: BaseSocket, value: Any) -> None:
    if not isinstance(value, (int, CStruct)) and len(bytes(value)) > structs.EventSubscribe.SIZE:
        raise failure(errno.EINVAL)
    wanted = as_struct(value, structs.EventSubscribe)
    sock.wants_sndrcvinfo = bool(wanted.sctp_data_io_event)
    _subscribe(sock, {type_ for field, type_ in SUBSCRIBABLE.items() if getattr(wanted, field)})


def _get_events(sock: BaseSocket, _arg: Any) -> CStruct:
    fields = {field: 1 for field, type_ in SUBSCRIBABLE.items() if type_ in sock.subscribed}
    return structs.EventSubscribe(sctp_data_io_event=int(sock.wants_sndrcvinfo), **fields)


def _set_event(sock: BaseSocket, value: Any) -> None:
    event = as_struct(value, structs.Event, exact=True)
    if event.se_type == c.SCTP_DATA_IO_EVENT:
        sock.wants_sndrcvinfo = bool(event.se_on)
    elif event.se_type not in SUBSCRIBABLE.values():
        raise failure(errno.EINVAL)
    elif event.se_on:
        _subscribe(sock, sock.subscribed | {event.se_type})
    else:
        sock.subscribed.discard(event.se_type)


def _get_event(sock: BaseSocket, arg: Any) -> CStruct:
    event = as_struct(arg, structs.Event)
    if event.se_type == c.SCTP_DATA_IO_EVENT:
        on = sock.wants_sndrcvinfo
    elif event.se_type in SUBSCRIBABLE.values():
        on = event.se_type in sock.subscribed
    else:
        raise failure(errno.EINVAL)
    return structs.Event(event.se_assoc_id, event.se_type, int(on))


def _subscribe(sock: BaseSocket, types: set[int]) -> None:
    newly_dry = c.SCTP_SENDER_DRY_EVENT in types - sock.subscribed
    sock.subscribed = types
    if newly_dry:
        # RFC 6458 section 6.1.9: at once, if there is nothing to send when the subscription is made.
        for association in sock.associations.values():
            if association.state is State.ESTABLISHED and association.tcb.sender.is_idle:
                sock.report(SenderDry(association.association_id))


def _set_nodelay(sock: BaseSocket, value: Any) -> None:
    sock.settings.no_delay = on = bool(as_int(value))
    for association in sock.associations.values():
        association.tcb.sender.no_delay = on


def _set_rtoinfo(sock: BaseSocket, value: Any) -> None:
    info = as_struct(value, structs.RtoInfo, exact=True)
    tcb = _tcb(sock, info.srto_assoc_id)
    settings = tcb.settings if tcb else sock.settings
    # RFC 6458 section 8.1.1: a 0 leaves the value as it is.
    initial = info.srto_initial / 1_000 or settings.rto_initial
    maximum = info.srto_max / 1_000 or settings.rto_max
    minimum = info.srto_min / 1_000 or settings.rto_min
    if minimum > maximum or not minimum <= initial <= maximum:
        raise failure(errno.EINVAL)
    settings.rto_initial, settings.rto_max, settings.rto_min = initial, maximum, minimum
    if tcb:
        for path in tcb.paths:
            path.rto.set_bounds(initial, minimum, maximum)


def _get_rtoinfo(sock: BaseSocket, arg: Any) -> CStruct:
    id_ = _id_of(arg)
    tcb = _tcb(sock, id_)
    settings = tcb.settings if tcb else sock.settings
    return structs.RtoInfo(
        id_, round(settings.rto_initial * 1_000), round(settings.rto_max * 1_000), round(settings.rto_min * 1_000)
    )


def _set_associnfo(sock: BaseSocket, value: Any) -> None:
    info = as_struct(value, structs.AssocParams, exact=True)
    tcb = _tcb(sock, info.sasoc_assoc_id)
    settings = tcb.settings if tcb else sock.settings
    if info.sasoc_asocmaxrxt:
        settings.association_max_retrans = info.sasoc_asocmaxrxt
    if info.sasoc_cookie_life:
        settings.valid_cookie_life = info.sasoc_cookie_life / 1_000


def _get_associnfo(sock: BaseSocket, arg: Any) -> CStruct:
    id_ = _id_of(arg)
    tcb = _tcb(sock, id_)
    settings = tcb.settings if tcb else sock.settings
    return structs.AssocParams(
        id_,
        settings.association_max_retrans,
        len(tcb.paths) if tcb else 0,
        tcb.sender.rwnd if tcb else 0,
        tcb.receiver.window if tcb else settings.receive_buffer,
        round(settings.valid_cookie_life * 1_000),
    )


def _set_maxseg(sock: BaseSocket, value: Any) -> None:
    size, id_ = _assoc_value(value)
    tcb = _tcb(sock, id_)
    if size and not 8 <= size <= 65_516:
        raise failure(errno.EINVAL)
    if tcb:
        tcb.settings.max_segment = tcb.sender.max_segment = size
    else:
        sock.settings.max_segment = size


def _get_maxseg(sock: BaseSocket, arg: Any) -> Any:
    id_ = _id_of(arg)
    tcb = _tcb(sock, id_)
    size = tcb.sender.max_payload() if tcb else sock.settings.max_segment
    return structs.AssocValue(id_, size) if _is_buffer_of(arg, structs.AssocValue.SIZE) else size


def _set_max_burst(sock: BaseSocket, value: Any) -> None:
    burst, id_ = _assoc_value(value)
    tcb = _tcb(sock, id_)
    if tcb:
        tcb.sender.max_burst = burst or 1 << 30
    else:
        sock.settings.max_burst = burst or 1 << 30


def _get_max_burst(sock: BaseSocket, arg: Any) -> Any:
    id_ = _id_of(arg)
    tcb = _tcb(sock, id_)
    burst = tcb.sender.max_burst if tcb else sock.settings.max_burst
    burst = 0 if burst == 1 << 30 else burst
    return structs.AssocValue(id_, burst) if _is_buffer_of(arg, structs.AssocValue.SIZE) else burst


def _set_delayed_sack(sock: BaseSocket, value: Any) -> None:
    info = as_struct(value, structs.SackInfo, exact=True)
    if info.sack_delay > 500:
        # RFC 9260 section 6.2: never more than 500 ms.
        raise failure(errno.EINVAL)
    tcb = _tcb(sock, info.sack_assoc_id)
    settings = tcb.settings if tcb else sock.settings
    if info.sack_delay:
        settings.sack_delay = info.sack_delay / 1_000
    if info.sack_freq:
        settings.sack_frequency = info.sack_freq
    if tcb:
        tcb.receiver.sack_delay = settings.sack_delay
        tcb.receiver.ack.frequency = settings.sack_frequency


def _get_delayed_sack(sock: BaseSocket, arg: Any) -> CStruct:
    id_ = _id_of(arg)
    tcb = _tcb(sock, id_)
    settings = tcb.settings if tcb else sock.settings
    return structs.SackInfo(id_, round(settings.sack_delay * 1_000), settings.sack_frequency)


def _set_recvrcvinfo(sock: BaseSocket, value: Any) -> None:
    sock.wants_rcvinfo = bool(as_int(value))


def _set_context(sock: BaseSocket, value: Any) -> None:
    sock.receive_context = as_struct(value, structs.AssocValue, exact=True).assoc_value


def _get_context(sock: BaseSocket, arg: Any) -> CStruct:
    return structs.AssocValue(_id_of(arg), sock.receive_context)


def _get_status(sock: BaseSocket, arg: Any) -> CStruct:
    tcb = _tcb(sock, _id_of(arg))
    if tcb is None:
        raise failure(errno.EINVAL)
    sender = tcb.sender
    primary = tcb.paths.primary
    return structs.Status(
        sstat_assoc_id=tcb.association_id,
        sstat_state=_STATES[tcb.state],
        sstat_rwnd=sender.rwnd,
        sstat_unackdata=min(len(sender.outstanding), 0xFFFF),
        sstat_penddata=min(len(sender.queue.messages), 0xFFFF),
        sstat_instrms=tcb.receiver.inbound_streams,
        sstat_outstrms=sender.outbound_streams,
        sstat_fragmentation_point=sender.max_payload(),
        sstat_primary=structs.PaddrInfo(
            tcb.association_id,
            sock.show(primary.address, tcb.peer_port),
            _PATH_STATES[primary.state],
            primary.congestion.cwnd,
            round((primary.rto.srtt or 0) * 1_000),
            round(primary.rto.rto * 1_000),
            primary.packet_size - COMMON_HEADER,
        ),
    )


def _set_encaps_port(sock: BaseSocket, value: Any) -> None:
    """RFC 6951 section 6.1: the UDP port of peers to come, or of an association's."""
    encaps = as_struct(value, structs.UdpEncaps)
    port = socket.ntohs(encaps.sue_port)
    tcb = _tcb(sock, encaps.sue_assoc_id)
    if tcb:
        for path in tcb.paths:
            path.route = path.route._replace(port=port)
    else:
        sock.remote_udp_port = port


def _get_encaps_port(sock: BaseSocket, arg: Any) -> CStruct:
    id_ = _id_of(arg)
    tcb = _tcb(sock, id_)
    port = tcb.paths.primary.route.port if tcb else sock.remote_udp_port
    return structs.UdpEncaps(id_, None, socket.htons(port))


# --- helpers of the above ---


def _id_of(arg: Any) -> int:
    """The association id at the start of an option's in-and-out buffer; a buffer too short for one has none."""
    data = arg.pack() if isinstance(arg, CStruct) else b"" if arg is None or isinstance(arg, int) else bytes(arg)
    return int(_ASSOC_ID.unpack_from(data)[0]) if len(data) >= _ASSOC_ID.size else 0


def _is_buffer_of(arg: Any, size: int) -> bool:
    if isinstance(arg, CStruct):
        return True
    return (arg if isinstance(arg, int) else len(arg) if arg is not None else 0) >= size


def _assoc_value(value: Any) -> tuple[int, int]:
    """MAXSEG and MAX_BURST take a plain int too (RFC 6458 sections 8.1.16 and 8.1.24)."""
    if isinstance(value, int) or (not isinstance(value, CStruct) and len(bytes(value)) == 4):
        return as_int(value), 0
    both = as_struct(value, structs.AssocValue, exact=True)
    return both.assoc_value, both.assoc_id


def _tcb(sock: BaseSocket, id_: int) -> Tcb | None:
    """The association an option is about: one-to-one sockets ignore the id. None: future ones. EINVAL: there is
    none."""
    if sock.one_to_one:
        return next((association.tcb for association in sock.associations.values()), None)
    if id_ in (c.SCTP_FUTURE_ASSOC, c.SCTP_ALL_ASSOC, c.SCTP_CURRENT_ASSOC):
        return None
    association = sock.associations.get(id_)
    if association is None:
        raise failure(errno.EINVAL)
    return association.tcb


#: (level, option): (get, set); None where that direction is refused.
OPTIONS: Final[dict[tuple[int, int], tuple[Getter | None, Setter | None]]] = {
    (socket.SOL_SOCKET, socket.SO_TYPE): (lambda sock, _: int(sock.type), None),
    (socket.SOL_SOCKET, socket.SO_ERROR): (lambda sock, _: sock.take_error(), None),
    (socket.SOL_SOCKET, socket.SO_ACCEPTCONN): (lambda sock, _: int(sock.is_listening), None),
    (socket.SOL_SOCKET, socket.SO_SNDBUF): (lambda sock, _: sock.send_buffer, _set_sndbuf),
    (socket.SOL_SOCKET, socket.SO_RCVBUF): (lambda sock, _: sock.settings.receive_buffer, _set_rcvbuf),
    (socket.SOL_SOCKET, socket.SO_LINGER): (_get_linger, _set_linger),
    (socket.SOL_SOCKET, socket.SO_RCVTIMEO): (lambda sock, _: _timeval(sock.receive_timeout), _set_rcvtimeo),
    (socket.SOL_SOCKET, socket.SO_SNDTIMEO): (lambda sock, _: _timeval(sock.send_timeout), _set_sndtimeo),
    (c.IPPROTO_SCTP, c.SCTP_INITMSG): (_get_initmsg, _set_initmsg),
    (c.IPPROTO_SCTP, c.SCTP_EVENTS): (_get_events, _set_events),
    (c.IPPROTO_SCTP, c.SCTP_EVENT): (_get_event, _set_event),
    (c.IPPROTO_SCTP, c.SCTP_NODELAY): (lambda sock, _: int(sock.settings.no_delay), _set_nodelay),
    (c.IPPROTO_SCTP, c.SCTP_RTOINFO): (_get_rtoinfo, _set_rtoinfo),
    (c.IPPROTO_SCTP, c.SCTP_ASSOCINFO): (_get_associnfo, _set_associnfo),
    (c.IPPROTO_SCTP, c.SCTP_MAXSEG): (_get_maxseg, _set_maxseg),
    (c.IPPROTO_SCTP, c.SCTP_MAX_BURST): (_get_max_burst, _set_max_burst),
    (c.IPPROTO_SCTP, c.SCTP_DELAYED_SACK): (_get_delayed_sack, _set_delayed_sack),
    (c.IPPROTO_SCTP, c.SCTP_RECVRCVINFO): (lambda sock, _: int(sock.wants_rcvinfo), _set_recvrcvinfo),
    (c.IPPROTO_SCTP, c.SCTP_CONTEXT): (_get_context, _set_context),
    (c.IPPROTO_SCTP, c.SCTP_STATUS): (_get_status, None),
    (c.IPPROTO_SCTP, c.SCTP_REMOTE_UDP_ENCAPS_PORT): (_get_encaps_port, _set_encaps_port),
}
for _option in ("SO_REUSEADDR", "SO_REUSEPORT", "SO_KEEPALIVE", "SO_BROADCAST"):
    if hasattr(socket, _option):
        OPTIONS[socket.SOL_SOCKET, getattr(socket, _option)] = _switch(getattr(socket, _option))
# Only where the host's `socket` module has them.
for _name, _value in (
    ("SO_DOMAIN", lambda sock, _: int(sock.family)),
    ("SO_PROTOCOL", lambda _sock, _: c.IPPROTO_SCTP),
):
    if hasattr(socket, _name):
        OPTIONS[socket.SOL_SOCKET, getattr(socket, _name)] = (_value, None)
