"""What pysctp's part in C, ``_sctp``, offers beside its calls on descriptors: constants, and what the build has."""

from __future__ import annotations

import socket
from typing import Final

from pysctpstack import constants as c

CONSTANTS: Final[dict[str, int]] = {
    "BINDX_ADD": c.SCTP_BINDX_ADD_ADDR,
    "BINDX_REMOVE": c.SCTP_BINDX_REM_ADDR,
    "SOL_SCTP": c.IPPROTO_SCTP,
    "IPPROTO_SCTP": c.IPPROTO_SCTP,
    "SOCK_SEQPACKET": int(socket.SOCK_SEQPACKET),
    "SOCK_STREAM": int(socket.SOCK_STREAM),
    "MSG_UNORDERED": c.SCTP_UNORDERED,
    "MSG_ADDR_OVER": c.SCTP_ADDR_OVER,
    "MSG_ABORT": c.SCTP_ABORT,
    "MSG_EOF": c.SCTP_EOF,
    "MSG_EOR": int(getattr(socket, "MSG_EOR", c.MSG_EOR)),
    "MSG_FIN": 0x200,
    "MSG_DONTROUTE": int(socket.MSG_DONTROUTE),
    "MSG_NOTIFICATION": c.MSG_NOTIFICATION,
    "SCTP_PARTIAL_DELIVERY_ABORTED": c.SCTP_PARTIAL_DELIVERY_ABORTED,
    "SCTP_SN_TYPE_BASE": 0x8000,
    # Of a later draft of RFC 6458 than libsctp says that it implements: pysctp leaves them out.
    "MSG_SENDALL": 0,
    "SPP_HB_DISABLED": 0,
    "SPP_HB_ENABLED": 0,
    "SPP_PMTUD_DISABLED": 0,
    "SPP_PMTUD_ENABLED": 0,
    "SPP_SACKDELAY_DISABLED": 0,
    "SPP_SACKDELAY_ENABLED": 0,
    "SCTP_BOUND": -1,
    "SCTP_LISTEN": -1,
    # pysctp's own numbers; what `assoc_change.error` holds is an error cause (RFC 9260 section 3.3.10).
    "SCTP_FAILED_THRESHOLD": 0x04,
    "SCTP_HEARTBEAT_SUCCESS": 0x08,
    "SCTP_RESPONSE_TO_USER_REQ": 0x0F,
    "SCTP_INTERNAL_ERROR": 0x10,
    "SCTP_SHUTDOWN_GUARD_EXPIRES": 0x20,
    "SCTP_RECEIVED_SACK": 0x40,
    "SCTP_PEER_FAULTY": 0x80,
    **{
        name: int(getattr(c, name))
        for name in (
            *("SCTP_COMM_UP", "SCTP_COMM_LOST", "SCTP_RESTART", "SCTP_SHUTDOWN_COMP", "SCTP_CANT_STR_ASSOC"),
            *("SCTP_DATA_UNSENT", "SCTP_DATA_SENT", "SCTP_INACTIVE", "SCTP_ACTIVE"),
            *("SCTP_ADDR_AVAILABLE", "SCTP_ADDR_UNREACHABLE", "SCTP_ADDR_REMOVED", "SCTP_ADDR_ADDED"),
            *("SCTP_ADDR_MADE_PRIM", "SCTP_EMPTY", "SCTP_CLOSED", "SCTP_COOKIE_WAIT", "SCTP_COOKIE_ECHOED"),
            *("SCTP_ESTABLISHED", "SCTP_SHUTDOWN_PENDING", "SCTP_SHUTDOWN_SENT", "SCTP_SHUTDOWN_RECEIVED"),
            *("SCTP_SHUTDOWN_ACK_SENT", "SCTP_ASSOC_CHANGE", "SCTP_PEER_ADDR_CHANGE", "SCTP_SEND_FAILED"),
            *("SCTP_REMOTE_ERROR", "SCTP_SHUTDOWN_EVENT", "SCTP_PARTIAL_DELIVERY_EVENT"),
            "SCTP_ADAPTATION_INDICATION",
        )
    },
}


def getconstant(name: str) -> int:
    """The number of a constant, by its name in C. SystemError: pysctp does not know it."""
    if name not in CONSTANTS:
        raise SystemError(f"there is no constant {name!r}")
    return CONSTANTS[name]


def have_sctp_multibuf() -> bool:
    return True


def have_sctp_noconnect() -> bool:
    return True


def have_sctp_prsctp() -> bool:
    return True


def have_sctp_addip() -> bool:
    return True


def have_sctp_setprimary() -> bool:
    return True


def have_sctp_sat_network() -> bool:
    return False
