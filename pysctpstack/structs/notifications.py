"""Notifications: what ``recvmsg()`` yields with MSG_NOTIFICATION set.

RFC 6458 section 6.1, RFC 6525 section 6.1. Every class starts with its type, flags and length. The type
defaults to the class's own; a length of 0 is computed by ``pack()``, tail included. ``parse_notification``
finds the class by the type that the bytes begin with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..constants import (
    SCTP_ADAPTATION_INDICATION,
    SCTP_ASSOC_CHANGE,
    SCTP_ASSOC_RESET_EVENT,
    SCTP_AUTHENTICATION_EVENT,
    SCTP_PARTIAL_DELIVERY_EVENT,
    SCTP_PEER_ADDR_CHANGE,
    SCTP_REMOTE_ERROR,
    SCTP_SEND_FAILED,
    SCTP_SEND_FAILED_EVENT,
    SCTP_SENDER_DRY_EVENT,
    SCTP_SHUTDOWN_EVENT,
    SCTP_STREAM_CHANGE_EVENT,
    SCTP_STREAM_RESET_EVENT,
)
from .ancillary import SndInfo, SndRcvInfo
from .layout import I32, U16, U32, AssocId, CStruct, Length, Storage, TailBytes, TailU16
from .sockaddr import Octets


@dataclass(slots=True)
class Tlv(CStruct):
    """What every notification begins with: its type, flags and length (RFC 6458 section 6.1, ``sn_header``)."""

    sn_type: U16 = 0
    sn_flags: U16 = 0
    sn_length: U32 = 0


@dataclass(slots=True)
class AssocChange(CStruct):
    """An association has come up, ended or restarted, or could not start (RFC 6458 section 6.1.1).

    ``sac_info``: the peer's ABORT chunk, where there was one.
    """

    sac_type: U16 = SCTP_ASSOC_CHANGE
    sac_flags: U16 = 0
    sac_length: Length = 0
    sac_state: U16 = 0
    sac_error: U16 = 0
    sac_outbound_streams: U16 = 0
    sac_inbound_streams: U16 = 0
    sac_assoc_id: AssocId = 0
    sac_info: TailBytes = b""


@dataclass(slots=True)
class PaddrChange(CStruct):
    """A peer address has changed its state (RFC 6458 section 6.1.2, RFC 7829 section 7.1)."""

    PACKED = True

    spc_type: U16 = SCTP_PEER_ADDR_CHANGE
    spc_flags: U16 = 0
    spc_length: Length = 0
    spc_aaddr: Storage = None
    spc_state: I32 = 0
    spc_error: I32 = 0
    spc_assoc_id: AssocId = 0


@dataclass(slots=True)
class RemoteError(CStruct):
    """The peer has sent an ERROR chunk (RFC 6458 section 6.1.3).

    ``sre_error`` is the cause code in network byte order, as the RFC has it: ``ntohs`` gives the number.
    ``sre_data``: the error as it was on the wire.
    """

    sre_type: U16 = SCTP_REMOTE_ERROR
    sre_flags: U16 = 0
    sre_length: Length = 0
    sre_error: U16 = 0
    sre_assoc_id: AssocId = 0
    sre_data: TailBytes = b""


@dataclass(slots=True)
class SendFailed(CStruct):
    """A message could not be delivered.

    RFC 6458 section 6.1.4, deprecated there in favour of SendFailedEvent. ``ssf_data``: the message that
    was to be sent.
    """

    ssf_type: U16 = SCTP_SEND_FAILED
    ssf_flags: U16 = 0
    ssf_length: Length = 0
    ssf_error: U32 = 0
    ssf_info: SndRcvInfo = field(default_factory=SndRcvInfo)
    ssf_assoc_id: AssocId = 0
    ssf_data: TailBytes = b""


@dataclass(slots=True)
class SendFailedEvent(CStruct):
    """A message could not be delivered (RFC 6458 section 6.1.11). ``ssf_data``: the message."""

    ssf_type: U16 = SCTP_SEND_FAILED_EVENT
    ssf_flags: U16 = 0
    ssf_length: Length = 0
    ssf_error: U32 = 0
    ssfe_info: SndInfo = field(default_factory=SndInfo)
    ssf_assoc_id: AssocId = 0
    ssf_data: TailBytes = b""


@dataclass(slots=True)
class ShutdownEvent(CStruct):
    """The peer has sent SHUTDOWN: send no more (RFC 6458 section 6.1.5)."""

    sse_type: U16 = SCTP_SHUTDOWN_EVENT
    sse_flags: U16 = 0
    sse_length: Length = 0
    sse_assoc_id: AssocId = 0


@dataclass(slots=True)
class AdaptationEvent(CStruct):
    """The peer has told its Adaptation Layer Indication (RFC 6458 section 6.1.6)."""

    sai_type: U16 = SCTP_ADAPTATION_INDICATION
    sai_flags: U16 = 0
    sai_length: Length = 0
    sai_adaptation_ind: U32 = 0
    sai_assoc_id: AssocId = 0


@dataclass(slots=True)
class PdapiEvent(CStruct):
    """The partial delivery of a message was given up (RFC 6458 section 6.1.7)."""

    pdapi_type: U16 = SCTP_PARTIAL_DELIVERY_EVENT
    pdapi_flags: U16 = 0
    pdapi_length: Length = 0
    pdapi_indication: U32 = 0
    pdapi_assoc_id: AssocId = 0
    pdapi_stream: U32 = 0
    pdapi_seq: U32 = 0


@dataclass(slots=True)
class AuthkeyEvent(CStruct):
    """A shared key came into use or went out of it, or the peer does without (RFC 6458 section 6.1.8).

    ``auth_altkeynumber`` is Linux's own, and unused.
    """

    auth_type: U16 = SCTP_AUTHENTICATION_EVENT
    auth_flags: U16 = 0
    auth_length: Length = 0
    auth_keynumber: U16 = 0
    auth_altkeynumber: U16 = 0
    auth_indication: U32 = 0
    auth_assoc_id: AssocId = 0


@dataclass(slots=True)
class SenderDryEvent(CStruct):
    """All that was sent has been acknowledged, and nothing waits (RFC 6458 section 6.1.9)."""

    sender_dry_type: U16 = SCTP_SENDER_DRY_EVENT
    sender_dry_flags: U16 = 0
    sender_dry_length: Length = 0
    sender_dry_assoc_id: AssocId = 0


@dataclass(slots=True)
class StreamResetEvent(CStruct):
    """Streams have been reset, or could not be (RFC 6525 section 6.1.1). An empty list: all streams."""

    strreset_type: U16 = SCTP_STREAM_RESET_EVENT
    strreset_flags: U16 = 0
    strreset_length: Length = 0
    strreset_assoc_id: AssocId = 0
    strreset_stream_list: TailU16 = field(default_factory=list)


@dataclass(slots=True)
class AssocResetEvent(CStruct):
    """All streams and the TSNs have been reset, or could not be.

    RFC 6525 section 6.1.2. The TSNs are the next.
    """

    assocreset_type: U16 = SCTP_ASSOC_RESET_EVENT
    assocreset_flags: U16 = 0
    assocreset_length: Length = 0
    assocreset_assoc_id: AssocId = 0
    assocreset_local_tsn: U32 = 0
    assocreset_remote_tsn: U32 = 0


@dataclass(slots=True)
class StreamChangeEvent(CStruct):
    """Streams have been added, or could not be (RFC 6525 section 6.1.3)."""

    strchange_type: U16 = SCTP_STREAM_CHANGE_EVENT
    strchange_flags: U16 = 0
    strchange_length: Length = 0
    strchange_assoc_id: AssocId = 0
    strchange_instrms: U16 = 0
    strchange_outstrms: U16 = 0


Notification: TypeAlias = (
    AssocChange
    | PaddrChange
    | RemoteError
    | SendFailed
    | SendFailedEvent
    | ShutdownEvent
    | AdaptationEvent
    | PdapiEvent
    | AuthkeyEvent
    | SenderDryEvent
    | StreamResetEvent
    | AssocResetEvent
    | StreamChangeEvent
)
"""Any of the notifications: what C calls ``union sctp_notification``."""

NOTIFICATIONS: Final[dict[int, type[Notification]]] = {
    SCTP_ASSOC_CHANGE: AssocChange,
    SCTP_PEER_ADDR_CHANGE: PaddrChange,
    SCTP_SEND_FAILED: SendFailed,
    SCTP_REMOTE_ERROR: RemoteError,
    SCTP_SHUTDOWN_EVENT: ShutdownEvent,
    SCTP_PARTIAL_DELIVERY_EVENT: PdapiEvent,
    SCTP_ADAPTATION_INDICATION: AdaptationEvent,
    SCTP_AUTHENTICATION_EVENT: AuthkeyEvent,
    SCTP_SENDER_DRY_EVENT: SenderDryEvent,
    SCTP_STREAM_RESET_EVENT: StreamResetEvent,
    SCTP_ASSOC_RESET_EVENT: AssocResetEvent,
    SCTP_STREAM_CHANGE_EVENT: StreamChangeEvent,
    SCTP_SEND_FAILED_EVENT: SendFailedEvent,
}
"""The class of each sn_type."""


def parse_notification(data: Octets) -> Notification:
    """The notification in ``data``, which ``recvmsg()`` has returned with MSG_NOTIFICATION.

    Raises ValueError for a type that is unknown, and when ``data`` is shorter than the notification, which a
    receive buffer too small for it can cause.
    """
    if len(data) < Tlv.SIZE:
        raise ValueError(f"a notification needs at least {Tlv.SIZE} bytes, not {len(data)}")
    sn_type = Tlv.unpack(data[: Tlv.SIZE]).sn_type
    if sn_type not in NOTIFICATIONS:
        raise ValueError(f"notification type {sn_type:#06x} is unknown")
    return NOTIFICATIONS[sn_type].unpack(data)
