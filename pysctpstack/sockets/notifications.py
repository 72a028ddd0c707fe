"""Events of the core as the notifications of RFC 6458 section 6, byte for byte as Linux writes them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Collection
from typing import Final

from pysctpstack import constants as c
from pysctpstack import events, structs
from pysctpstack.sockets.preferences import EXPOSE_ENABLED, Preferences
from pysctpstack.structs.layout import CStruct
from pysctpstack.wire.codepoints import DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_U
from pysctpstack.wire.tlv import walk

#: The members of ``struct sctp_event_subscribe`` and the notification each stands for; the first is no notification.
SUBSCRIBABLE: Final = {
    "sctp_association_event": c.SCTP_ASSOC_CHANGE,
    "sctp_address_event": c.SCTP_PEER_ADDR_CHANGE,
    "sctp_send_failure_event": c.SCTP_SEND_FAILED,
    "sctp_peer_error_event": c.SCTP_REMOTE_ERROR,
    "sctp_shutdown_event": c.SCTP_SHUTDOWN_EVENT,
    "sctp_partial_delivery_event": c.SCTP_PARTIAL_DELIVERY_EVENT,
    "sctp_adaptation_layer_event": c.SCTP_ADAPTATION_INDICATION,
    "sctp_authentication_event": c.SCTP_AUTHENTICATION_EVENT,
    "sctp_sender_dry_event": c.SCTP_SENDER_DRY_EVENT,
    "sctp_stream_reset_event": c.SCTP_STREAM_RESET_EVENT,
    "sctp_assoc_reset_event": c.SCTP_ASSOC_RESET_EVENT,
    "sctp_stream_change_event": c.SCTP_STREAM_CHANGE_EVENT,
    "sctp_send_failure_event_event": c.SCTP_SEND_FAILED_EVENT,
}

_PATH_STATES: Final = {
    events.PathChange.AVAILABLE: c.SCTP_ADDR_AVAILABLE,
    events.PathChange.UNREACHABLE: c.SCTP_ADDR_UNREACHABLE,
    events.PathChange.CONFIRMED: c.SCTP_ADDR_CONFIRMED,
    events.PathChange.MADE_PRIMARY: c.SCTP_ADDR_MADE_PRIM,
}
_SHOWN_BY_HEARTBEAT: Final = (events.PathChange.AVAILABLE, events.PathChange.CONFIRMED)
_CHUNK_HEADER: Final = 4

ShowAddress = Callable[[str], structs.Address]
"""How the socket's family shows a peer's IP address."""


def notifications(event: events.Event, preferences: Preferences, show: ShowAddress) -> list[bytes]:
    """What a socket that subscribed to some notification types gets to read of an event."""
    exposes = preferences.expose_potentially_failed == EXPOSE_ENABLED
    if isinstance(event, events.PathPotentiallyFailed) and not exposes:
        # RFC 7829 section 7.1; Linux tells only those who asked for it.
        return []
    return [one.pack() for one in _structs(event, preferences.subscribed, show)]


def _structs(event: events.Event, subscribed: Collection[int], show: ShowAddress) -> list[CStruct]:
    id_ = event.association_id
    if isinstance(event, events.SendFailed):
        return _send_failed(event, subscribed)
    if isinstance(event, events.RemoteError):
        return _remote_errors(event) if c.SCTP_REMOTE_ERROR in subscribed else []
    type_, notification = _struct(event, id_, show)
    found = [notification] if notification is not None and type_ in subscribed else []
    if isinstance(event, (events.AssociationUp, events.AssociationRestarted)):
        found += _about_the_peer(event, subscribed)
    return found


def _about_the_peer(
    event: events.AssociationUp | events.AssociationRestarted, subscribed: Collection[int]
) -> list[CStruct]:
    """What follows the news that an association is up."""
    found: list[CStruct] = []
    id_ = event.association_id
    if event.adaptation and c.SCTP_ADAPTATION_INDICATION in subscribed:
        found.append(structs.AdaptationEvent(sai_adaptation_ind=event.adaptation, sai_assoc_id=id_))
    if c.SCTP_AUTHENTICATION_EVENT in subscribed:
        # RFC 6458 section 6.1.8: authentication is not offered, so that the peer does not have it either.
        found.append(structs.AuthkeyEvent(auth_indication=c.SCTP_AUTH_NO_AUTH, auth_assoc_id=id_))
    return found


def _struct(event: events.Event, id_: int, show: ShowAddress) -> tuple[int, CStruct | None]:
    if isinstance(event, events.AssociationUp):
        return c.SCTP_ASSOC_CHANGE, _assoc_change(
            id_, c.SCTP_COMM_UP, streams=(event.outbound_streams, event.inbound_streams)
        )
    if isinstance(event, events.AssociationRestarted):
        return c.SCTP_ASSOC_CHANGE, _assoc_change(
            id_, c.SCTP_RESTART, streams=(event.outbound_streams, event.inbound_streams)
        )
    if isinstance(event, events.AssociationLost):
        if not event.established:
            # Linux has given it no id yet.
            return c.SCTP_ASSOC_CHANGE, _assoc_change(0, c.SCTP_CANT_STR_ASSOC, cause=event.cause)
        # Linux: the error causes of the peer's ABORT, without the chunk's header.
        info = event.abort[_CHUNK_HEADER:] if event.loss is events.Loss.ABORTED else b""
        return c.SCTP_ASSOC_CHANGE, _assoc_change(id_, c.SCTP_COMM_LOST, cause=event.cause, info=info)
    if isinstance(event, events.AssociationClosed):
        return c.SCTP_ASSOC_CHANGE, _assoc_change(id_, c.SCTP_SHUTDOWN_COMP)
    if isinstance(event, events.ShutdownReceived):
        return c.SCTP_SHUTDOWN_EVENT, structs.ShutdownEvent(sse_assoc_id=id_)
    if isinstance(event, events.SenderDry):
        return c.SCTP_SENDER_DRY_EVENT, structs.SenderDryEvent(sender_dry_assoc_id=id_)
    if isinstance(event, events.PathChanged):
        return c.SCTP_PEER_ADDR_CHANGE, structs.PaddrChange(
            spc_aaddr=show(event.address),
            spc_state=_PATH_STATES[event.change],
            # What has shown it, in Linux.
            spc_error=c.SCTP_HEARTBEAT_SUCCESS if event.change in _SHOWN_BY_HEARTBEAT else 0,
            spc_assoc_id=id_,
        )
    if isinstance(event, events.PathPotentiallyFailed):
        return c.SCTP_PEER_ADDR_CHANGE, structs.PaddrChange(
            spc_aaddr=show(event.address), spc_state=c.SCTP_ADDR_POTENTIALLY_FAILED, spc_assoc_id=id_
        )
    if isinstance(event, events.PartialDeliveryAborted):
        return c.SCTP_PARTIAL_DELIVERY_EVENT, structs.PdapiEvent(
            pdapi_indication=c.SCTP_PARTIAL_DELIVERY_ABORTED,
            pdapi_assoc_id=id_,
            pdapi_stream=event.stream_id,
            pdapi_seq=event.ssn,
        )
    return 0, None


def _assoc_change(
    id_: int, state: int, *, cause: int = 0, streams: tuple[int, int] = (0, 0), info: bytes = b""
) -> structs.AssocChange:
    return structs.AssocChange(
        sac_state=state,
        # Linux leaves the cause code as it is on the wire.
        sac_error=socket.htons(cause),
        sac_outbound_streams=streams[0],
        sac_inbound_streams=streams[1],
        sac_assoc_id=id_,
        sac_info=info,
    )


def _remote_errors(event: events.RemoteError) -> list[CStruct]:
    """One for each error cause, with its value, as Linux has it."""
    found: list[CStruct] = []
    for cause, start, end in walk(event.data, 0, len(event.data)):
        found.append(
            structs.RemoteError(
                sre_error=socket.htons(cause),
                sre_assoc_id=event.association_id,
                sre_data=event.data[start : (end + 3) & ~3],
            )
        )
    return found


def _send_failed(event: events.SendFailed, subscribed: Collection[int]) -> list[CStruct]:
    """Both the old form and the one that replaces it, each if it was asked for (RFC 6458 sections 6.1.4 and
    6.1.11)."""
    sent = c.SCTP_DATA_SENT if event.sent else c.SCTP_DATA_UNSENT
    # Linux: the flags of the DATA chunk, and the cause code as it is on the wire.
    flags = DATA_FLAG_B | DATA_FLAG_E | (DATA_FLAG_U if event.unordered else 0)
    error = socket.htons(event.error)
    id_ = event.association_id if event.established else 0
    ppid = socket.htonl(event.ppid)
    found: list[CStruct] = []
    if c.SCTP_SEND_FAILED in subscribed:
        info = structs.SndRcvInfo(
            sinfo_stream=event.stream_id,
            sinfo_flags=flags,
            sinfo_ppid=ppid,
            sinfo_context=event.context,
            sinfo_assoc_id=id_,
        )
        found.append(
            structs.SendFailed(
                ssf_flags=sent,
                ssf_error=error,
                ssf_info=info,
                ssf_assoc_id=id_,
                ssf_data=event.data,
            )
        )
    if c.SCTP_SEND_FAILED_EVENT in subscribed:
        sndinfo = structs.SndInfo(
            snd_sid=event.stream_id,
            snd_flags=flags,
            snd_ppid=ppid,
            snd_context=event.context,
            snd_assoc_id=id_,
        )
        found.append(
            structs.SendFailedEvent(
                ssf_flags=sent,
                ssf_error=error,
                ssfe_info=sndinfo,
                ssf_assoc_id=id_,
                ssf_data=event.data,
            )
        )
    return found
