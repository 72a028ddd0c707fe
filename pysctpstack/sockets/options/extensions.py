"""Options of extensions that are not spoken here: they answer as Linux does with the extension switched off.

Authentication (RFC 4895), address changes (RFC 5061), stream reconfiguration (RFC 6525), interleaving and schedulers
(RFC 8260), ECN (RFC 9260 appendix B).
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.sockets.options import scope
from pysctpstack.sockets.options.scope import Entry, Table, packed_int
from pysctpstack.sockets.preferences import EXPOSE_ENABLED
from pysctpstack.sockets.values import failure

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

SCTP: Final = c.IPPROTO_SCTP


def _refuse(number: int) -> Entry:
    def get(_sock: BaseSocket, _arg: bytes) -> bytes:
        raise failure(number)

    def set_(_sock: BaseSocket, _value: bytes) -> None:
        raise failure(number)

    return get, set_


_UNSUPPORTED: Final = _refuse(errno.EOPNOTSUPP)
_DENIED: Final = _refuse(errno.EACCES)


def _offer(option: int) -> Entry:
    """Whether associations to come should offer an extension: remembered. Those that are there do not have it."""

    def set_(sock: BaseSocket, value: bytes) -> None:
        wanted = scope.exactly(value, structs.AssocValue)
        scope.one(sock, wanted.assoc_id)
        sock.switches[-option] = int(wanted.assoc_value != 0)

    def get(sock: BaseSocket, arg: bytes) -> bytes:
        asked = scope.request(arg, structs.AssocValue)
        tcb = scope.one(sock, asked.assoc_id).tcb
        asked.assoc_value = 0 if tcb else sock.switches.get(-option, 0)
        return asked.pack()

    return get, set_


# --- authentication ---


def _set_key(sock: BaseSocket, value: bytes) -> None:
    if len(value) <= structs.AuthKey.SIZE:
        raise failure(errno.EINVAL)
    id_, _, length = structs.AuthKey.LAYOUT.codec.unpack_from(value)
    if length > len(value) - structs.AuthKey.SIZE:
        raise failure(errno.EINVAL)
    if scope.each(sock, id_):
        raise failure(errno.EACCES)


def _set_key_id(sock: BaseSocket, value: bytes) -> None:
    if scope.each(sock, scope.exactly(value, structs.AuthKeyId).scact_assoc_id):
        raise failure(errno.EACCES)


def _get_active_key(sock: BaseSocket, arg: bytes) -> bytes:
    scope.one(sock, scope.request(arg, structs.AuthKeyId).scact_assoc_id)
    raise failure(errno.EACCES)


def _chunks_id(arg: bytes) -> int:
    if len(arg) < structs.AuthChunks.SIZE:
        raise failure(errno.EINVAL)
    return int(structs.AuthChunks.LAYOUT.codec.unpack_from(arg)[0])


def _get_peer_chunks(sock: BaseSocket, arg: bytes) -> bytes:
    scope.existing(sock, _chunks_id(arg))
    raise failure(errno.EACCES)


def _get_local_chunks(sock: BaseSocket, arg: bytes) -> bytes:
    scope.one(sock, _chunks_id(arg))
    raise failure(errno.EACCES)


# --- stream reconfiguration ---


def _set_stream_resets(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.exactly(value, structs.AssocValue)
    if wanted.assoc_value & ~c.SCTP_ENABLE_STRRESET_MASK:
        raise failure(errno.EINVAL)
    for about in scope.each(sock, wanted.assoc_id):
        about.prefer(stream_resets=wanted.assoc_value)


def _get_stream_resets(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.AssocValue)
    asked.assoc_value = scope.one(sock, asked.assoc_id).preferences.stream_resets
    return asked.pack()


def _reset_streams(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.at_least(value, structs.ResetStreams)
    scope.existing(sock, wanted.srs_assoc_id)
    raise failure(errno.ENOPROTOOPT)


def _reset_association(sock: BaseSocket, value: bytes) -> None:
    scope.existing(sock, scope.integer(value, exact=True))
    raise failure(errno.ENOPROTOOPT)


def _add_streams(sock: BaseSocket, value: bytes) -> None:
    scope.existing(sock, scope.exactly(value, structs.AddStreams).sas_assoc_id)
    raise failure(errno.ENOPROTOOPT)


# --- schedulers and interleaving ---


def _set_scheduler(sock: BaseSocket, value: bytes) -> None:
    """Remembered: messages leave in the order of the calls, as SCTP_SS_FCFS has it."""
    wanted = scope.at_least(value, structs.AssocValue)
    if wanted.assoc_value > c.SCTP_SS_RR:
        raise failure(errno.EINVAL)
    for about in scope.each(sock, wanted.assoc_id):
        about.prefer(scheduler=wanted.assoc_value)


def _get_scheduler(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.AssocValue)
    asked.assoc_value = scope.one(sock, asked.assoc_id).preferences.scheduler
    return asked.pack()


def _set_stream_value(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.at_least(value, structs.StreamValue)
    named = scope.found(sock, wanted.assoc_id)
    if named is not None:
        scopes = [named]
    elif sock.one_to_one:
        return
    elif wanted.assoc_id == c.SCTP_CURRENT_ASSOC:
        scopes = scope.each(sock, wanted.assoc_id)
    else:
        raise failure(errno.EINVAL)
    for about in scopes:
        if about.tcb is not None and wanted.stream_id >= about.tcb.sender.outbound_streams:
            raise failure(errno.EINVAL)
        if about.preferences.scheduler == c.SCTP_SS_PRIO:
            values = {**dict(about.preferences.stream_values), wanted.stream_id: wanted.stream_value}
            about.prefer(stream_values=tuple(values.items()))


def _get_stream_value(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.StreamValue)
    tcb = scope.existing(sock, asked.assoc_id)
    if asked.stream_id >= tcb.sender.outbound_streams:
        raise failure(errno.EINVAL)
    preferences = sock.preferences_of(tcb.association_id)
    has_values = preferences.scheduler == c.SCTP_SS_PRIO
    asked.stream_value = dict(preferences.stream_values).get(asked.stream_id, 0) if has_values else 0
    return asked.pack()


def _set_interleaving(sock: BaseSocket, value: bytes) -> None:
    scope.one(sock, scope.at_least(value, structs.AssocValue).assoc_id)
    raise failure(errno.EPERM)


def _get_interleaving(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.AssocValue)
    scope.one(sock, asked.assoc_id)
    asked.assoc_value = 0
    return asked.pack()


# --- address changes, potentially failed paths ---


def _set_auto_asconf(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.integer(value) != 0
    if wanted and not sock.is_bound_to_all:
        raise failure(errno.EINVAL)
    sock.switches[-c.SCTP_AUTO_ASCONF] = int(wanted)


def _get_auto_asconf(sock: BaseSocket, arg: bytes) -> bytes:
    scope.integer(arg)
    return packed_int(sock.switches.get(-c.SCTP_AUTO_ASCONF, 0))


def _set_expose(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.exactly(value, structs.AssocValue)
    about = scope.one(sock, wanted.assoc_id)
    if wanted.assoc_value > EXPOSE_ENABLED:
        raise failure(errno.EINVAL)
    about.prefer(expose_potentially_failed=wanted.assoc_value)


def _get_expose(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.AssocValue)
    asked.assoc_value = scope.one(sock, asked.assoc_id).preferences.expose_potentially_failed
    return asked.pack()


OPTIONS: Final[Table] = {
    (SCTP, c.SCTP_AUTH_CHUNK): (_UNSUPPORTED[0], _DENIED[1]),
    (SCTP, c.SCTP_HMAC_IDENT): _DENIED,
    (SCTP, c.SCTP_AUTH_KEY): (_UNSUPPORTED[0], _set_key),
    (SCTP, c.SCTP_AUTH_ACTIVE_KEY): (_get_active_key, _set_key_id),
    (SCTP, c.SCTP_AUTH_DELETE_KEY): (_UNSUPPORTED[0], _set_key_id),
    (SCTP, c.SCTP_AUTH_DEACTIVATE_KEY): (_UNSUPPORTED[0], _set_key_id),
    (SCTP, c.SCTP_PEER_AUTH_CHUNKS): (_get_peer_chunks, None),
    (SCTP, c.SCTP_LOCAL_AUTH_CHUNKS): (_get_local_chunks, None),
    (SCTP, c.SCTP_AUTO_ASCONF): (_get_auto_asconf, _set_auto_asconf),
    (SCTP, c.SCTP_RECONFIG_SUPPORTED): _offer(c.SCTP_RECONFIG_SUPPORTED),
    (SCTP, c.SCTP_ASCONF_SUPPORTED): _offer(c.SCTP_ASCONF_SUPPORTED),
    (SCTP, c.SCTP_AUTH_SUPPORTED): _offer(c.SCTP_AUTH_SUPPORTED),
    (SCTP, c.SCTP_ECN_SUPPORTED): _offer(c.SCTP_ECN_SUPPORTED),
    (SCTP, c.SCTP_ENABLE_STREAM_RESET): (_get_stream_resets, _set_stream_resets),
    (SCTP, c.SCTP_RESET_STREAMS): (None, _reset_streams),
    (SCTP, c.SCTP_RESET_ASSOC): (None, _reset_association),
    (SCTP, c.SCTP_ADD_STREAMS): (None, _add_streams),
    (SCTP, c.SCTP_STREAM_SCHEDULER): (_get_scheduler, _set_scheduler),
    (SCTP, c.SCTP_STREAM_SCHEDULER_VALUE): (_get_stream_value, _set_stream_value),
    (SCTP, c.SCTP_INTERLEAVING_SUPPORTED): (_get_interleaving, _set_interleaving),
    (SCTP, c.SCTP_EXPOSE_POTENTIALLY_FAILED_STATE): (_get_expose, _set_expose),
}
