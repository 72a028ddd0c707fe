"""Options about messages: notifications and ancillary data that come with them, defaults of those that are sent,
partial delivery and partial reliability (RFC 6458 sections 6.2 and 8.1; RFC 7496 section 4)."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.events import SenderDry
from pysctpstack.sockets.options import scope
from pysctpstack.sockets.options.scope import Table, attribute_switch, int_getter
from pysctpstack.sockets.values import failure

if TYPE_CHECKING:
    from pysctpstack.sockets.base import BaseSocket

SCTP: Final = c.IPPROTO_SCTP
_FIRST_EVENT: Final = c.SCTP_SN_TYPE_BASE
_EVENTS: Final = range(_FIRST_EVENT, c.SCTP_SN_TYPE_MAX + 1)
_DEFAULT_FLAGS: Final = c.SCTP_UNORDERED | c.SCTP_ADDR_OVER | c.SCTP_ABORT | c.SCTP_EOF
"""Flags that a default may have, in Linux."""
POLICIES: Final = (c.SCTP_PR_SCTP_TTL, c.SCTP_PR_SCTP_RTX, c.SCTP_PR_SCTP_PRIO)


# --- notifications (section 6.2) ---


def _set_events(sock: BaseSocket, value: bytes) -> None:
    if len(value) > structs.EventSubscribe.SIZE:
        raise failure(errno.EINVAL)
    subscribed = set(sock.preferences.subscribed)
    # The struct has grown with the notifications: what a shorter one does not have stays as it is.
    for type_, on in enumerate(value, _FIRST_EVENT):
        (subscribed.add if on else subscribed.discard)(type_)
    wanted = frozenset(subscribed)
    sock.preferences = replace(sock.preferences, subscribed=wanted)
    sock.wants_sndrcvinfo = c.SCTP_DATA_IO_EVENT in subscribed
    for id_ in sock.associations:
        sock.set_preferences_of(id_, replace(sock.preferences_of(id_), subscribed=wanted))
        if sock.one_to_one:
            _report_if_dry(sock, id_)


def _get_events(sock: BaseSocket, arg: bytes) -> bytes:
    if not arg:
        raise failure(errno.EINVAL)
    return bytes(type_ in sock.preferences.subscribed for type_ in _EVENTS)[: len(arg)]


def _set_event(sock: BaseSocket, value: bytes) -> None:
    event = scope.at_least(value, structs.Event)
    if event.se_type not in _EVENTS:
        raise failure(errno.EINVAL)
    for about in scope.each(sock, event.se_assoc_id):
        subscribed = about.preferences.subscribed
        type_ = {event.se_type}
        about.prefer(subscribed=subscribed | type_ if event.se_on else subscribed - type_)
        if about.tcb is None:
            # As in Linux, what comes with every message is not a matter of one association.
            sock.wants_sndrcvinfo = c.SCTP_DATA_IO_EVENT in about.preferences.subscribed
        elif event.se_type == c.SCTP_SENDER_DRY_EVENT:
            _report_if_dry(sock, about.tcb.association_id)


def _get_event(sock: BaseSocket, arg: bytes) -> bytes:
    event = scope.request(arg, structs.Event)
    if event.se_type not in _EVENTS:
        raise failure(errno.EINVAL)
    event.se_on = int(event.se_type in scope.one(sock, event.se_assoc_id).preferences.subscribed)
    return event.pack()


def _report_if_dry(sock: BaseSocket, id_: int) -> None:
    """RFC 6458 section 6.1.9: at once, if there is nothing to send when the subscription is made."""
    if c.SCTP_SENDER_DRY_EVENT in sock.preferences_of(id_).subscribed and sock.associations[id_].tcb.sender.is_idle:
        sock.report(SenderDry(id_))


# --- what comes with received messages (sections 8.1.20 to 8.1.25) ---


def _set_context(sock: BaseSocket, value: bytes) -> None:
    wanted = scope.exactly(value, structs.AssocValue)
    for about in scope.each(sock, wanted.assoc_id):
        about.prefer(receive_context=wanted.assoc_value)


def _get_context(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.AssocValue)
    asked.assoc_value = scope.one(sock, asked.assoc_id).preferences.receive_context
    return asked.pack()


def _set_partial_delivery_point(sock: BaseSocket, value: bytes) -> None:
    point = scope.unsigned(value)
    # Linux: half of the buffer is there for what comes before the point.
    if point > sock.settings.receive_buffer >> 1:
        raise failure(errno.EINVAL)
    sock.settings.partial_delivery_point = point
    for association in sock.associations.values():
        association.tcb.settings.partial_delivery_point = point
        association.tcb.receiver.partial_delivery_point = point


# --- defaults of messages that are sent (sections 8.1.13, 8.1.31 and 8.1.32) ---


def _set_default_send_param(sock: BaseSocket, value: bytes) -> None:
    info = scope.exactly(value, structs.SndRcvInfo)
    _check_flags(info.sinfo_flags)
    for about in scope.each(sock, info.sinfo_assoc_id):
        about.prefer(
            stream=info.sinfo_stream,
            flags=info.sinfo_flags,
            ppid=info.sinfo_ppid,
            context=info.sinfo_context,
            timetolive=info.sinfo_timetolive,
        )


def _get_default_send_param(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.request(arg, structs.SndRcvInfo).sinfo_assoc_id
    preferences = scope.one(sock, id_).preferences
    return structs.SndRcvInfo(
        sinfo_stream=preferences.stream,
        sinfo_flags=preferences.flags,
        sinfo_ppid=preferences.ppid,
        sinfo_context=preferences.context,
        sinfo_timetolive=preferences.timetolive,
        sinfo_assoc_id=id_,
    ).pack()


def _set_default_sndinfo(sock: BaseSocket, value: bytes) -> None:
    info = scope.exactly(value, structs.SndInfo)
    _check_flags(info.snd_flags)
    for about in scope.each(sock, info.snd_assoc_id):
        about.prefer(stream=info.snd_sid, flags=info.snd_flags, ppid=info.snd_ppid, context=info.snd_context)


def _get_default_sndinfo(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.request(arg, structs.SndInfo).snd_assoc_id
    preferences = scope.one(sock, id_).preferences
    return structs.SndInfo(preferences.stream, preferences.flags, preferences.ppid, preferences.context, id_).pack()


def _check_flags(flags: int) -> None:
    if flags & ~_DEFAULT_FLAGS:
        raise failure(errno.EINVAL)


def _set_default_prinfo(sock: BaseSocket, value: bytes) -> None:
    info = scope.exactly(value, structs.DefaultPrInfo)
    if info.pr_policy & ~c.SCTP_PR_SCTP_MASK:
        raise failure(errno.EINVAL)
    for about in scope.each(sock, info.pr_assoc_id):
        about.prefer(
            flags=about.preferences.flags & ~c.SCTP_PR_SCTP_MASK | info.pr_policy,
            timetolive=info.pr_value if info.pr_policy else 0,
        )


def _get_default_prinfo(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.request(arg, structs.DefaultPrInfo).pr_assoc_id
    preferences = scope.one(sock, id_).preferences
    policy = preferences.flags & c.SCTP_PR_SCTP_MASK
    return structs.DefaultPrInfo(id_, preferences.timetolive, policy).pack()


# --- partial reliability (RFC 7496 sections 4.3 to 4.5) ---


def _set_pr_supported(sock: BaseSocket, value: bytes) -> None:
    """For associations to come, whatever the id: those that are there have agreed already."""
    wanted = scope.exactly(value, structs.AssocValue)
    scope.one(sock, wanted.assoc_id)
    sock.settings.pr_sctp = wanted.assoc_value != 0


def _get_pr_supported(sock: BaseSocket, arg: bytes) -> bytes:
    asked = scope.request(arg, structs.AssocValue)
    about = scope.one(sock, asked.assoc_id)
    asked.assoc_value = int(about.tcb.forward_tsn if about.tcb else about.settings.pr_sctp)
    return asked.pack()


def _get_pr_status(sock: BaseSocket, arg: bytes, *, of_stream: bool) -> bytes:
    asked = scope.request(arg, structs.PrStatus)
    policy = asked.sprstat_policy
    if policy != c.SCTP_PR_SCTP_ALL and policy not in POLICIES:
        raise failure(errno.EINVAL)
    tcb = scope.existing(sock, asked.sprstat_assoc_id)
    if of_stream and asked.sprstat_sid >= tcb.sender.outbound_streams:
        raise failure(errno.EINVAL)
    abandoned = tcb.sender.partial.abandoned
    asked.sprstat_abandoned_unsent = asked.sprstat_abandoned_sent = 0
    for (stream, which), (unsent, sent) in abandoned.items():
        if (which == policy or policy == c.SCTP_PR_SCTP_ALL) and (not of_stream or stream == asked.sprstat_sid):
            asked.sprstat_abandoned_unsent += unsent
            asked.sprstat_abandoned_sent += sent
    return asked.pack()


OPTIONS: Final[Table] = {
    (SCTP, c.SCTP_EVENTS): (_get_events, _set_events),
    (SCTP, c.SCTP_EVENT): (_get_event, _set_event),
    (SCTP, c.SCTP_RECVRCVINFO): attribute_switch("wants_rcvinfo"),
    (SCTP, c.SCTP_RECVNXTINFO): attribute_switch("wants_nxtinfo"),
    (SCTP, c.SCTP_CONTEXT): (_get_context, _set_context),
    (SCTP, c.SCTP_FRAGMENT_INTERLEAVE): attribute_switch("fragment_interleave", exact=True),
    (SCTP, c.SCTP_PARTIAL_DELIVERY_POINT): (
        int_getter(lambda sock: sock.settings.partial_delivery_point),
        _set_partial_delivery_point,
    ),
    (SCTP, c.SCTP_DEFAULT_SEND_PARAM): (_get_default_send_param, _set_default_send_param),
    (SCTP, c.SCTP_DEFAULT_SNDINFO): (_get_default_sndinfo, _set_default_sndinfo),
    (SCTP, c.SCTP_DEFAULT_PRINFO): (_get_default_prinfo, _set_default_prinfo),
    (SCTP, c.SCTP_PR_SUPPORTED): (_get_pr_supported, _set_pr_supported),
    (SCTP, c.SCTP_PR_STREAM_STATUS): (lambda sock, arg: _get_pr_status(sock, arg, of_stream=True), None),
    (SCTP, c.SCTP_PR_ASSOC_STATUS): (lambda sock, arg: _get_pr_status(sock, arg, of_stream=False), None),
}
