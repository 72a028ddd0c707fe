"""What arrives with a message or instead of one: `sndrcvinfo` and the notifications."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pysctpstack import structs
from pysctpstack.pysctp.bottom import getconstant


class sndrcvinfo:
    """What is known of a message besides its bytes; zeros unless ``events.data_io`` is on.

    ``ppid`` is as it lies in memory, in network byte order: ``ntohl`` gives the number.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.stream = self.ssn = self.flags = self.context = self.timetolive = 0
        self.tsn = self.cumtsn = self.assoc_id = 0
        vars(self).update(values or {})


class notification:
    """What all notifications have; one of this very class is of a type that is not known here."""

    type_SN_TYPE_BASE = getconstant("SCTP_SN_TYPE_BASE")
    type_ASSOC_CHANGE = getconstant("SCTP_ASSOC_CHANGE")
    type_PEER_ADDR_CHANGE = getconstant("SCTP_PEER_ADDR_CHANGE")
    type_SEND_FAILED = getconstant("SCTP_SEND_FAILED")
    type_REMOTE_ERROR = getconstant("SCTP_REMOTE_ERROR")
    type_SHUTDOWN_EVENT = getconstant("SCTP_SHUTDOWN_EVENT")
    type_PARTIAL_DELIVERY_EVENT = getconstant("SCTP_PARTIAL_DELIVERY_EVENT")
    type_ADAPTATION_INDICATION = getconstant("SCTP_ADAPTATION_INDICATION")

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        self.type = self.flags = 0
        vars(self).update(values or {})


class _Causes:
    """The ``error_*`` numbers."""

    error_FAILED_THRESHOLD = getconstant("SCTP_FAILED_THRESHOLD")
    error_RECEIVED_SACK = getconstant("SCTP_RECEIVED_SACK")
    error_HEARTBEAT_SUCCESS = getconstant("SCTP_HEARTBEAT_SUCCESS")
    error_RESPONSE_TO_USER_REQ = getconstant("SCTP_RESPONSE_TO_USER_REQ")
    error_INTERNAL_ERROR = getconstant("SCTP_INTERNAL_ERROR")
    error_SHUTDOWN_GUARD_EXPIRES = getconstant("SCTP_SHUTDOWN_GUARD_EXPIRES")
    error_PEER_FAULTY = getconstant("SCTP_PEER_FAULTY")


class assoc_change(notification, _Causes):
    """An association has begun, or has ended (SCTP_ASSOC_CHANGE)."""

    state_COMM_UP = getconstant("SCTP_COMM_UP")
    state_COMM_LOST = getconstant("SCTP_COMM_LOST")
    state_RESTART = getconstant("SCTP_RESTART")
    state_SHUTDOWN_COMP = getconstant("SCTP_SHUTDOWN_COMP")
    state_CANT_STR_ASSOC = state_CANT_START_ASSOCIATION = getconstant("SCTP_CANT_STR_ASSOC")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.state = self.error = 0
        self.outbound_streams = self.inbound_streams = 0
        self.assoc_id = 0
        super().__init__(values)


class paddr_change(notification, _Causes):
    """An address of a peer's has changed its state (SCTP_PEER_ADDR_CHANGE)."""

    state_ADDR_AVAILABLE = getconstant("SCTP_ADDR_AVAILABLE")
    state_ADDR_UNREACHABLE = getconstant("SCTP_ADDR_UNREACHABLE")
    state_ADDR_REMOVED = getconstant("SCTP_ADDR_REMOVED")
    state_ADDR_ADDED = getconstant("SCTP_ADDR_ADDED")
    state_ADDR_MADE_PRIM = getconstant("SCTP_ADDR_MADE_PRIM")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.addr: tuple[str, int] | None = ("", 0)
        self.state = self.error = self.assoc_id = 0
        super().__init__(values)


class remote_error(notification):
    """The peer has sent an ERROR chunk (SCTP_REMOTE_ERROR); ``error`` is its cause in network byte order."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.error = self.assoc_id = 0
        self.data = ""
        super().__init__(values)


class send_failed(notification):
    """A message could not be sent (SCTP_SEND_FAILED); ``info`` is the `sndrcvinfo` that it was sent with."""

    flag_DATA_UNSENT = getconstant("SCTP_DATA_UNSENT")
    flag_DATA_SENT = getconstant("SCTP_DATA_SENT")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.error = self.assoc_id = 0
        self.data = ""
        values = dict(values or {})
        self.info = sndrcvinfo(values.pop("_info", None))
        super().__init__(values)


class shutdown_event(notification):
    """The peer closes the association (SCTP_SHUTDOWN_EVENT)."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.assoc_id = 0
        super().__init__(values)


class adaptation_event(notification):
    """What the peer has set as its adaptation layer (SCTP_ADAPTATION_INDICATION)."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.adaptation_ind = self.assoc_id = 0
        super().__init__(values)


class pdapi_event(notification):
    """The rest of a message will not come (SCTP_PARTIAL_DELIVERY_EVENT)."""

    indication_PD_ABORTED = indication_PARTIAL_DELIVERY_ABORTED = getconstant("SCTP_PARTIAL_DELIVERY_ABORTED")

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.indication = self.assoc_id = 0
        super().__init__(values)


notification_table: dict[int, type[notification]] = {
    notification.type_ASSOC_CHANGE: assoc_change,
    notification.type_PEER_ADDR_CHANGE: paddr_change,
    notification.type_SEND_FAILED: send_failed,
    notification.type_REMOTE_ERROR: remote_error,
    notification.type_SHUTDOWN_EVENT: shutdown_event,
    notification.type_PARTIAL_DELIVERY_EVENT: pdapi_event,
    notification.type_ADAPTATION_INDICATION: adaptation_event,
}


def notification_factory(raw_notification: Mapping[str, Any]) -> notification:
    """A notification with these values, of the class that ``raw_notification["type"]`` says.

    Says so on stderr where it says none. ValueError: there is no type.
    """
    if "type" not in raw_notification:
        raise ValueError("a notification has a 'type'")
    type_ = raw_notification["type"]
    if type_ not in notification_table:
        print(f"Warning: a notification of the unknown type {type_} has arrived", file=sys.stderr)
    return notification_table.get(type_, notification)(raw_notification)


# --- from RFC 6458's structs ---


def two_tuple(address: Any) -> tuple[str, int] | None:
    """An address as pysctp gives it, whatever the family."""
    return None if address is None else (address[0], address[1])


def of_message(info: structs.SndRcvInfo) -> dict[str, Any]:
    """The values of a `sndrcvinfo`."""
    names = ("stream", "ssn", "flags", "ppid", "context", "timetolive", "tsn", "cumtsn", "assoc_id")
    return {name: getattr(info, f"sinfo_{name}") for name in names}


def of_notification(data: bytes) -> dict[str, Any]:
    """The values of a notification, as `notification_factory` takes them."""
    header = structs.Tlv.unpack(data)
    values: dict[str, Any] = {"type": header.sn_type, "flags": header.sn_flags, "length": header.sn_length}
    if header.sn_type not in notification_table:
        return values
    found: Any = structs.parse_notification(data)
    names, prefix = _MEMBERS[header.sn_type]
    values.update((name, getattr(found, f"{prefix}_{name}")) for name in names)
    if header.sn_type == notification.type_PEER_ADDR_CHANGE:
        values["addr"] = two_tuple(found.spc_aaddr)
    elif header.sn_type == notification.type_SEND_FAILED:
        values["_info"] = of_message(found.ssf_info)
    if isinstance(values.get("data"), bytes):
        values["data"] = values["data"].decode("utf-8", "surrogateescape")
    return values


_MEMBERS: dict[int, tuple[tuple[str, ...], str]] = {
    notification.type_ASSOC_CHANGE: (("state", "error", "outbound_streams", "inbound_streams", "assoc_id"), "sac"),
    notification.type_PEER_ADDR_CHANGE: (("state", "error", "assoc_id"), "spc"),
    notification.type_SEND_FAILED: (("error", "assoc_id", "data"), "ssf"),
    notification.type_REMOTE_ERROR: (("error", "assoc_id", "data"), "sre"),
    notification.type_SHUTDOWN_EVENT: (("assoc_id",), "sse"),
    notification.type_PARTIAL_DELIVERY_EVENT: (("indication", "assoc_id"), "pdapi"),
    notification.type_ADAPTATION_INDICATION: (("adaptation_ind", "assoc_id"), "sai"),
}
