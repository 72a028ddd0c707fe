"""Options that tune associations: their setup, timers, acknowledgements, sizes, and what they are at (RFC 6458
sections 8.1 and 8.2)."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.core.path import COMMON_HEADER, IPV4_HEADER, IPV6_HEADER, UDP_HEADER
from pysctpstack.core.settings import Settings
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.core.tx.sender import MAX_PAYLOAD, UNLIMITED
from pysctpstack.sockets.options import scope
from pysctpstack.sockets.options.paths import paddr_info
from pysctpstack.sockets.options.scope import INT_SIZE, Table, attribute_switch, int_getter, packed_int
from pysctpstack.sockets.values import failure
from pysctpstack.wire import data

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

SCTP: Final = c.IPPROTO_SCTP
MAX_SACK_DELAY: Final = 500
"""Milliseconds (RFC 9260 section 6.2)."""
MAX_AUTOCLOSE: Final = 21_474_836
"""Seconds: Linux's ``net.sctp.max_autoclose``."""
_MIN_SEGMENT: Final = 512
"""Bytes of the smallest packet that SCTP_MAXSEG may ask for, with all its headers, in Linux."""
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


def milliseconds(seconds: float) -> int:
    return min(round(seconds * 1_000), 0xFFFFFFFF)


# --- setup (sections 8.1.2 and 8.1.3) ---


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


def _set_initmsg(sock: BaseSocket, value: bytes) -> None:
    apply_initmsg(sock.settings, scope.exactly(value, structs.InitMsg))


def _get_initmsg(sock: BaseSocket, arg: bytes) -> bytes:
    scope.request(arg, structs.InitMsg)
    settings = sock.settings
    return structs.InitMsg(
        settings.outbound_streams,
        settings.max_inbound_streams,
        settings.max_init_retransmits,
        min(milliseconds(settings.max_init_timeout), 0xFFFF),
    ).pack()


def _set_assocparams(sock: BaseSocket, value: bytes) -> None:
    info = scope.exactly(value, structs.AssocParams)
    about = scope.one(sock, info.sasoc_assoc_id)
    tcb = about.tcb
    if info.sasoc_asocmaxrxt:
        # RFC 6458 section 8.1.2: no more than all the paths together.
        if tcb and len(tcb.paths) > 1 and info.sasoc_asocmaxrxt > sum(path.path_max_retrans for path in tcb.paths):
            raise failure(errno.EINVAL)
        about.settings.association_max_retrans = info.sasoc_asocmaxrxt
    if info.sasoc_cookie_life:
        about.settings.valid_cookie_life = info.sasoc_cookie_life / 1_000


def _get_assocparams(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.request(arg, structs.AssocParams).sasoc_assoc_id
    about = scope.one(sock, id_)
    settings, tcb = about.settings, about.tcb
    return structs.AssocParams(
        id_,
        settings.association_max_retrans,
        len(tcb.paths) if tcb else 0,
        tcb.sender.rwnd if tcb else 0,
        tcb.receiver.window if tcb else 0,
        milliseconds(settings.valid_cookie_life),
    ).pack()


# --- timers (sections 8.1.1, 8.1.8 and 8.1.19) ---


def _set_rtoinfo(sock: BaseSocket, value: bytes) -> None:
    info = scope.exactly(value, structs.RtoInfo)
    about = scope.one(sock, info.srto_assoc_id)
    settings = about.settings
    # RFC 6458 section 8.1.1: a 0 leaves the value as it is.
    maximum = info.srto_max / 1_000 or settings.rto_max
    minimum = info.srto_min / 1_000 or settings.rto_min
    if minimum > maximum:
        raise failure(errno.EINVAL)
    settings = about.settings
    settings.rto_initial = info.srto_initial / 1_000 or settings.rto_initial
    settings.rto_max, settings.rto_min = maximum, minimum
    if about.tcb:
        for path in about.tcb.paths:
            path.rto.set_bounds(settings.rto_initial, minimum, maximum)


def _get_rtoinfo(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.request(arg, structs.RtoInfo).srto_assoc_id
    settings = scope.one(sock, id_).settings
    return structs.RtoInfo(
        id_, milliseconds(settings.rto_initial), milliseconds(settings.rto_max), milliseconds(settings.rto_min)
    ).pack()


def _set_autoclose(sock: BaseSocket, value: bytes) -> None:
    if sock.one_to_one and not sock.is_peeled:
        raise failure(errno.EOPNOTSUPP)
    sock.settings.autoclose = float(min(scope.unsigned(value), MAX_AUTOCLOSE))


def _get_autoclose(sock: BaseSocket, arg: bytes) -> bytes:
    if sock.one_to_one and not sock.is_peeled:
        raise failure(errno.EOPNOTSUPP)
    return int_getter(lambda sock: int(sock.settings.autoclose))(sock, arg)


def _set_delayed_sack(sock: BaseSocket, value: bytes) -> None:
    if len(value) == structs.AssocValue.SIZE:
        # The form before RFC 6458: a delay alone, 0 for none.
        old = scope.parsed(value, structs.AssocValue)
        info = structs.SackInfo(old.assoc_id, old.assoc_value, 0 if old.assoc_value else 1)
    else:
        info = scope.exactly(value, structs.SackInfo)
    if not info.sack_delay and not info.sack_freq:
        return
    if info.sack_delay > MAX_SACK_DELAY:
        raise failure(errno.EINVAL)
    for about in scope.each(sock, info.sack_assoc_id):
        settings = about.settings
        if info.sack_delay:
            settings.sack_delay = info.sack_delay / 1_000
            settings.delays_sacks = True
        if info.sack_freq == 1:
            settings.delays_sacks = False
        elif info.sack_freq > 1:
            settings.sack_frequency = info.sack_freq
            settings.delays_sacks = True
        if about.tcb:
            apply_sack_delay(about.tcb)


def apply_sack_delay(tcb: Tcb) -> None:
    """Have an association acknowledge as its settings say."""
    settings, receiver = tcb.settings, tcb.receiver
    receiver.sack_delay = settings.sack_delay if settings.delays_sacks else 0.0
    receiver.ack.frequency = settings.sack_frequency if settings.delays_sacks else 1
    for path in tcb.paths:
        path.sack_delay, path.delays_sacks = settings.sack_delay, settings.delays_sacks


def _get_delayed_sack(sock: BaseSocket, arg: bytes) -> bytes:
    if len(arg) == structs.AssocValue.SIZE:
        id_ = scope.parsed(arg, structs.AssocValue).assoc_id
    else:
        id_ = scope.request(arg, structs.SackInfo).sack_assoc_id
    settings = scope.one(sock, id_).settings
    delay = milliseconds(settings.sack_delay) if settings.delays_sacks else 0
    if len(arg) == structs.AssocValue.SIZE:
        return structs.AssocValue(id_, delay).pack()
    return structs.SackInfo(id_, delay, settings.sack_frequency if settings.delays_sacks else 1).pack()


# --- sizes (sections 8.1.16 and 8.1.24) ---


def _assoc_value(value: bytes) -> structs.AssocValue:
    """MAXSEG and MAX_BURST take a plain int too, which is for associations to come."""
    if len(value) == INT_SIZE:
        return structs.AssocValue(c.SCTP_FUTURE_ASSOC, scope.integer(value) & 0xFFFFFFFF)
    return scope.exactly(value, structs.AssocValue)


def _asked_id(arg: bytes) -> int:
    if len(arg) == INT_SIZE:
        return c.SCTP_FUTURE_ASSOC
    return scope.request(arg, structs.AssocValue).assoc_id


def _answer(arg: bytes, id_: int, value: int) -> bytes:
    return packed_int(value) if len(arg) == INT_SIZE else structs.AssocValue(id_, value & 0xFFFFFFFF).pack()


def _set_maxseg(sock: BaseSocket, value: bytes) -> None:
    wanted = _assoc_value(value)
    about = scope.one(sock, wanted.assoc_id)
    size = wanted.assoc_value
    ip_header = IPV6_HEADER if sock.family == socket.AF_INET6 else IPV4_HEADER
    smallest = _MIN_SEGMENT - ip_header - UDP_HEADER - COMMON_HEADER - data.HEADER_SIZE
    if size and not smallest <= size <= MAX_PAYLOAD:
        raise failure(errno.EINVAL)
    about.settings.max_segment = size
    if about.tcb:
        # Chunks end on 4-byte boundaries.
        about.tcb.sender.max_segment = size & ~3


def _get_maxseg(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = _asked_id(arg)
    about = scope.one(sock, id_)
    return _answer(arg, id_, about.tcb.sender.max_payload() if about.tcb else about.settings.max_segment)


def _set_max_burst(sock: BaseSocket, value: bytes) -> None:
    wanted = _assoc_value(value)
    for about in scope.each(sock, wanted.assoc_id):
        about.settings.max_burst = wanted.assoc_value
        if about.tcb:
            about.tcb.sender.max_burst = wanted.assoc_value or UNLIMITED


def _get_max_burst(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = _asked_id(arg)
    # Linux gives back what the buffer has beyond the value, too.
    return _answer(arg, id_, scope.one(sock, id_).settings.max_burst) + arg[structs.AssocValue.SIZE :]


def _set_nodelay(sock: BaseSocket, value: bytes) -> None:
    sock.settings.no_delay = on = scope.integer(value) != 0
    for association in sock.associations.values():
        association.tcb.settings.no_delay = association.tcb.sender.no_delay = on


def _set_adaptation(sock: BaseSocket, value: bytes) -> None:
    sock.settings.adaptation_indication = scope.unsigned(value)


# --- what an association is at (sections 8.2.1, 8.2.5 and 8.2.6) ---


def _get_status(sock: BaseSocket, arg: bytes) -> bytes:
    tcb = scope.existing(sock, scope.request(arg, structs.Status).sstat_assoc_id)
    sender, map_ = tcb.sender, tcb.receiver.tsn_map
    received = sum(end - start + 1 for start, end in zip(map_.starts, map_.ends, strict=True))
    return structs.Status(
        sstat_assoc_id=tcb.association_id,
        sstat_state=_STATES[tcb.state],
        sstat_rwnd=sender.rwnd,
        sstat_unackdata=min(len(sender.outstanding), 0xFFFF),
        # Linux: the TSNs that are missing below the highest that came.
        sstat_penddata=min(map_.largest - map_.cumulative - received, 0xFFFF),
        sstat_instrms=tcb.receiver.inbound_streams,
        sstat_outstrms=sender.outbound_streams,
        sstat_fragmentation_point=sender.max_payload(),
        sstat_primary=paddr_info(sock, tcb, tcb.paths.primary),
    ).pack()


def _get_assoc_number(sock: BaseSocket, arg: bytes) -> bytes:
    if sock.one_to_one and not sock.is_peeled:
        raise failure(errno.EOPNOTSUPP)
    return int_getter(lambda sock: len(sock.associations))(sock, arg)


def _get_assoc_id_list(sock: BaseSocket, arg: bytes) -> bytes:
    if sock.one_to_one and not sock.is_peeled:
        raise failure(errno.EOPNOTSUPP)
    ids = structs.AssocIds(gaids_assoc_id=list(sock.associations)).pack()
    if len(arg) < len(ids):
        raise failure(errno.EINVAL)
    return ids


# --- the socket's own (sections 8.1.15 and 8.1.27) ---


def _set_reuse_port(sock: BaseSocket, value: bytes) -> None:
    if not sock.one_to_one or sock.is_peeled:
        raise failure(errno.EOPNOTSUPP)
    if sock.is_bound:
        raise failure(errno.EFAULT)
    sock.reuses_port = scope.integer(value) != 0


OPTIONS: Final[Table] = {
    (SCTP, c.SCTP_INITMSG): (_get_initmsg, _set_initmsg),
    (SCTP, c.SCTP_ASSOCINFO): (_get_assocparams, _set_assocparams),
    (SCTP, c.SCTP_RTOINFO): (_get_rtoinfo, _set_rtoinfo),
    (SCTP, c.SCTP_AUTOCLOSE): (_get_autoclose, _set_autoclose),
    (SCTP, c.SCTP_DELAYED_SACK): (_get_delayed_sack, _set_delayed_sack),
    (SCTP, c.SCTP_MAXSEG): (_get_maxseg, _set_maxseg),
    (SCTP, c.SCTP_MAX_BURST): (_get_max_burst, _set_max_burst),
    (SCTP, c.SCTP_NODELAY): (int_getter(lambda sock: int(sock.settings.no_delay)), _set_nodelay),
    (SCTP, c.SCTP_DISABLE_FRAGMENTS): attribute_switch("disable_fragments"),
    (SCTP, c.SCTP_ADAPTATION_LAYER): (
        int_getter(lambda sock: sock.settings.adaptation_indication),
        _set_adaptation,
    ),
    (SCTP, c.SCTP_I_WANT_MAPPED_V4_ADDR): attribute_switch("maps_ipv4"),
    (SCTP, c.SCTP_REUSE_PORT): (int_getter(lambda sock: int(sock.reuses_port)), _set_reuse_port),
    (SCTP, c.SCTP_STATUS): (_get_status, None),
    (SCTP, c.SCTP_GET_ASSOC_NUMBER): (_get_assoc_number, None),
    (SCTP, c.SCTP_GET_ASSOC_ID_LIST): (_get_assoc_id_list, None),
}
