"""Write docs/sockets-api.md: each item of RFC 6458 sections 5 to 9, what this stack does with it, and what Linux does.

    python tools/sockets_api.py            write the page
    python tools/sockets_api.py --check    only say whether it is up to date (exit status 1: it is not)

What this stack does is asked of the code: the table of socket options, the parser of ancillary data, the notifications
that it builds, the methods of its sockets, the constants that it refers to. What Linux does is written down here, as a
kernel of version 6.1 with its defaults answered: those of `net.sctp`, with AUTH, ASCONF and RECONFIG off.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import socket
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pysctpstack import SctpSocket, constants, structs
from pysctpstack.sockets import ancillary
from pysctpstack.sockets.notifications import SUBSCRIBABLE
from pysctpstack.sockets.options import CALLS, OPTIONS, extensions
from pysctpstack.sockets.transferring import TransferringSocket

ROOT = Path(__file__).resolve().parent.parent
SOCKETS = ROOT / "pysctpstack" / "sockets"
PAGE = ROOT / "docs" / "sockets-api.md"

HEAD = """\
# The sockets API, item by item

RFC 6458 sections 5 to 9 beside this stack and the Linux kernel (6.1, with its defaults; what other settings change
is in the notes). The column for this stack is read from the code: an option can be got or set if the table of options
says so, ancillary data and flags are taken if the parser of what is sent takes them, a notification is there if
something builds it, a value if something refers to it. `-` is for what is not there; an option that is not there gives
ENOPROTOOPT, as one does on Linux. An option of an extension that is not spoken here is *off*: it answers as on a Linux
host where the extension is switched off.

{summary}

`tools/sockets_api.py` writes this page.
"""


class Item(NamedTuple):
    """One row: where it is defined, its name, what Linux does (``""``: nothing), and what else there is to say."""

    section: str
    name: str
    linux: str
    note: str = ""


OFF = " (off)"
AUTH_OFF = "EACCES while net.sctp.auth_enable is 0"
ONE_TO_MANY = "EOPNOTSUPP on one-to-one sockets"
NO_NUMBER = "Linux gives it no number, so there is none here"
DEPRECATED = "deprecated"

ANCILLARY = [
    Item("5.3.1", "SCTP_INIT", "send"),
    Item("5.3.2", "SCTP_SNDRCV", "send, receive", DEPRECATED),
    Item("5.3.3", "SCTP_EXTRCV", "", f"{DEPRECATED}; {NO_NUMBER}"),
    Item("5.3.4", "SCTP_SNDINFO", "send"),
    Item("5.3.5", "SCTP_RCVINFO", "receive", "EINVAL when sent"),
    Item("5.3.6", "SCTP_NXTINFO", "receive", "EINVAL when sent"),
    Item("5.3.7", "SCTP_PRINFO", "send"),
    Item("5.3.8", "SCTP_AUTHINFO", "send", "without effect while AUTH is off"),
    Item("5.3.9", "SCTP_DSTADDRV4", "send", "further addresses of an association that the message sets up"),
    Item("5.3.10", "SCTP_DSTADDRV6", "send", "the same, on IPv6 sockets"),
]

NOTIFICATIONS = [
    Item("6.1.1", "SCTP_ASSOC_CHANGE", "yes"),
    Item("6.1.2", "SCTP_PEER_ADDR_CHANGE", "yes"),
    Item("6.1.3", "SCTP_REMOTE_ERROR", "yes"),
    Item("6.1.4", "SCTP_SEND_FAILED", "yes", DEPRECATED),
    Item("6.1.5", "SCTP_SHUTDOWN_EVENT", "yes"),
    Item("6.1.6", "SCTP_ADAPTATION_INDICATION", "yes"),
    Item("6.1.7", "SCTP_PARTIAL_DELIVERY_EVENT", "yes"),
    Item("6.1.8", "SCTP_AUTHENTICATION_EVENT", "yes", "while AUTH is off: SCTP_AUTH_NO_AUTH after SCTP_COMM_UP"),
    Item("6.1.9", "SCTP_SENDER_DRY_EVENT", "yes"),
    Item("6.1.10", "SCTP_NOTIFICATIONS_STOPPED_EVENT", "", NO_NUMBER),
    Item("6.1.11", "SCTP_SEND_FAILED_EVENT", "yes"),
    Item("RFC 6525, 6.1.1", "SCTP_STREAM_RESET_EVENT", "yes", "needs RECONFIG, which is off"),
    Item("RFC 6525, 6.1.2", "SCTP_ASSOC_RESET_EVENT", "yes", "needs RECONFIG, which is off"),
    Item("RFC 6525, 6.1.3", "SCTP_STREAM_CHANGE_EVENT", "yes", "needs RECONFIG, which is off"),
]

SOCKET_OPTIONS = [
    Item("8.1.1", "SCTP_RTOINFO", "get, set"),
    Item("8.1.2", "SCTP_ASSOCINFO", "get, set"),
    Item("8.1.3", "SCTP_INITMSG", "get, set"),
    Item("8.1.4", "SO_LINGER", "get, set"),
    Item("8.1.5", "SCTP_NODELAY", "get, set"),
    Item("8.1.6", "SO_RCVBUF", "get, set"),
    Item("8.1.7", "SO_SNDBUF", "get, set"),
    Item("8.1.8", "SCTP_AUTOCLOSE", "get, set", ONE_TO_MANY),
    Item("8.1.9", "SCTP_PRIMARY_ADDR", "get, set", "EINVAL without an association"),
    Item("8.1.10", "SCTP_ADAPTATION_LAYER", "get, set"),
    Item("8.1.11", "SCTP_DISABLE_FRAGMENTS", "get, set"),
    Item("8.1.12", "SCTP_PEER_ADDR_PARAMS", "get, set"),
    Item("8.1.13", "SCTP_DEFAULT_SEND_PARAM", "get, set", DEPRECATED),
    Item("6.2.1, 8.1.14", "SCTP_EVENTS", "get, set", f"{DEPRECATED}; a shorter value is taken too"),
    Item("8.1.15", "SCTP_I_WANT_MAPPED_V4_ADDR", "get, set", "on by default"),
    Item("8.1.16", "SCTP_MAXSEG", "get, set"),
    Item("8.1.17", "SCTP_HMAC_IDENT", "get, set", AUTH_OFF),
    Item("8.1.18", "SCTP_AUTH_ACTIVE_KEY", "get, set", AUTH_OFF),
    Item("8.1.19", "SCTP_DELAYED_SACK", "get, set"),
    Item("8.1.20", "SCTP_FRAGMENT_INTERLEAVE", "get, set"),
    Item("8.1.21", "SCTP_PARTIAL_DELIVERY_POINT", "get, set"),
    Item("8.1.22", "SCTP_USE_EXT_RCVINFO", "", f"{DEPRECATED}; {NO_NUMBER}"),
    Item("8.1.23", "SCTP_AUTO_ASCONF", "get, set"),
    Item("8.1.24", "SCTP_MAX_BURST", "get, set"),
    Item("8.1.25", "SCTP_CONTEXT", "get, set"),
    Item("8.1.26", "SCTP_EXPLICIT_EOR", "", NO_NUMBER),
    Item("8.1.27", "SCTP_REUSE_PORT", "get, set", "set on one-to-one sockets alone, before bind"),
    Item("6.2.2, 8.1.28", "SCTP_EVENT", "get, set"),
    Item("8.1.29", "SCTP_RECVRCVINFO", "get, set"),
    Item("8.1.30", "SCTP_RECVNXTINFO", "get, set"),
    Item("8.1.31", "SCTP_DEFAULT_SNDINFO", "get, set"),
    Item("8.1.32", "SCTP_DEFAULT_PRINFO", "get, set"),
    Item("8.2.1", "SCTP_STATUS", "get", "EINVAL without an association"),
    Item("8.2.2", "SCTP_GET_PEER_ADDR_INFO", "get"),
    Item("8.2.3", "SCTP_PEER_AUTH_CHUNKS", "get", AUTH_OFF),
    Item("8.2.4", "SCTP_LOCAL_AUTH_CHUNKS", "get", AUTH_OFF),
    Item("8.2.5", "SCTP_GET_ASSOC_NUMBER", "get", ONE_TO_MANY),
    Item("8.2.6", "SCTP_GET_ASSOC_ID_LIST", "get", ONE_TO_MANY),
    Item("8.3.1", "SCTP_SET_PEER_PRIMARY_ADDR", "set", "EPERM while net.sctp.addip_enable is 0; get: ENOPROTOOPT"),
    Item("8.3.2", "SCTP_AUTH_CHUNK", "set", f"{AUTH_OFF}; get: EOPNOTSUPP"),
    Item("8.3.3", "SCTP_AUTH_KEY", "set", f"{AUTH_OFF}; get: EOPNOTSUPP"),
    Item("8.3.4", "SCTP_AUTH_DEACTIVATE_KEY", "set", f"{AUTH_OFF}; get: EOPNOTSUPP"),
    Item("8.3.5", "SCTP_AUTH_DELETE_KEY", "set", f"{AUTH_OFF}; get: EOPNOTSUPP"),
]

MORE_OPTIONS = [
    Item("RFC 6525, 6.3.1", "SCTP_ENABLE_STREAM_RESET", "get, set"),
    Item("RFC 6525, 6.3.2", "SCTP_RESET_STREAMS", "set", "get: ENOPROTOOPT"),
    Item("RFC 6525, 6.3.3", "SCTP_RESET_ASSOC", "set", "get: ENOPROTOOPT"),
    Item("RFC 6525, 6.3.4", "SCTP_ADD_STREAMS", "set", "get: ENOPROTOOPT"),
    Item("RFC 6951, 6.1", "SCTP_REMOTE_UDP_ENCAPS_PORT", "get, set"),
    Item("RFC 7496, 4.3", "SCTP_PR_STREAM_STATUS", "get", "EINVAL without an association"),
    Item("RFC 7496, 4.4", "SCTP_PR_ASSOC_STATUS", "get", "EINVAL without an association"),
    Item("RFC 7496, 4.5", "SCTP_PR_SUPPORTED", "get, set", "on by default"),
    Item("RFC 7829, 7.2", "SCTP_PEER_ADDR_THLDS", "get, set", "without spt_pathcpthld"),
    Item("RFC 7829, 7.2", "SCTP_PEER_ADDR_THLDS_V2", "get, set", "as the RFC has it"),
    Item("RFC 7829, 7.3", "SCTP_EXPOSE_POTENTIALLY_FAILED_STATE", "get, set"),
    Item("RFC 8260, 4.3.1", "SCTP_INTERLEAVING_SUPPORTED", "get, set", "set: EPERM while net.sctp.intl_enable is 0"),
    Item("RFC 8260, 4.3.2", "SCTP_STREAM_SCHEDULER", "get, set"),
    Item("RFC 8260, 4.3.3", "SCTP_STREAM_SCHEDULER_VALUE", "get, set", "EINVAL without an association"),
    Item("Linux", "SCTP_GET_ASSOC_STATS", "get", "EINVAL without an association"),
    Item("Linux", "SCTP_RECONFIG_SUPPORTED", "get, set", "off by default"),
    Item("Linux", "SCTP_ASCONF_SUPPORTED", "get, set", "off by default"),
    Item("Linux", "SCTP_AUTH_SUPPORTED", "get, set", "off by default"),
    Item("Linux", "SCTP_ECN_SUPPORTED", "get, set", "on by default"),
    Item("Linux", "SCTP_PLPMTUD_PROBE_INTERVAL", "get, set"),
    Item("Linux", "SCTP_SENDMSG_CONNECT", "", "a name within the kernel: ENOPROTOOPT"),
    Item("Linux", "SCTP_SOCKOPT_BINDX_ADD", "set", "what sctp_bindx() calls"),
    Item("Linux", "SCTP_SOCKOPT_BINDX_REM", "set", "what sctp_bindx() calls"),
    Item("Linux", "SCTP_SOCKOPT_PEELOFF", "get", "what sctp_peeloff() calls"),
    Item("Linux", "SCTP_SOCKOPT_PEELOFF_FLAGS", "get", "what sctp_peeloff_flags() calls"),
    Item("Linux", "SCTP_SOCKOPT_CONNECTX", "set", "what sctp_connectx() calls"),
    Item("Linux", "SCTP_SOCKOPT_CONNECTX_OLD", "set", "what an older sctp_connectx() calls"),
    Item("Linux", "SCTP_SOCKOPT_CONNECTX3", "get", "what sctp_connectx() calls for the association's id; by a pointer"),
    Item("Linux", "SCTP_GET_PEER_ADDRS", "get", "what sctp_getpaddrs() calls"),
    Item("Linux", "SCTP_GET_LOCAL_ADDRS", "get", "what sctp_getladdrs() calls"),
]

FREED = "what it would free is Python's to free"
FUNCTIONS = [
    Item("7.1", "send", "yes", "with the standard module's arguments and results, as the next ones"),
    Item("7.1", "sendto", "yes"),
    Item("7.1", "recv", "yes"),
    Item("7.1", "recvfrom", "yes"),
    Item("5.1", "sendmsg", "yes"),
    Item("5.1", "recvmsg", "yes"),
    Item("7.2", "setsockopt", "yes"),
    Item("7.2", "getsockopt", "yes"),
    Item("7.3", "read", "yes", "`os.read(s.fileno(), ...)`: the descriptor here is for waiting alone"),
    Item("7.3", "write", "yes", "`os.write(s.fileno(), ...)`: the same"),
    Item("7.4", "getsockname", "yes"),
    Item("8", "sctp_opt_info", "yes"),
    Item("9.1", "sctp_bindx", "yes"),
    Item("9.2", "sctp_peeloff", "yes"),
    Item("9.3", "sctp_getpaddrs", "yes"),
    Item("9.4", "sctp_freepaddrs", "yes", FREED),
    Item("9.5", "sctp_getladdrs", "yes"),
    Item("9.6", "sctp_freeladdrs", "yes", FREED),
    Item("9.7", "sctp_sendmsg", "yes", DEPRECATED),
    Item("9.8", "sctp_recvmsg", "yes", DEPRECATED),
    Item("9.9", "sctp_connectx", "yes"),
    Item("9.10", "sctp_send", "yes", DEPRECATED),
    Item("9.11", "sctp_sendx", "", f"{DEPRECATED}; not in the C library"),
    Item("9.12", "sctp_sendv", "yes"),
    Item("9.13", "sctp_recvv", "yes"),
    Item("Linux", "sctp_peeloff_flags", "yes", "a socket here has `setblocking()`, and is not inherited"),
    Item("Linux", "sctp_getaddrlen", "yes", "addresses are tuples here"),
]

MESSAGE_FLAGS = [
    Item("5.3.2, 5.3.4", "SCTP_UNORDERED", "yes"),
    Item("5.3.2, 5.3.4", "SCTP_ADDR_OVER", "yes", "EINVAL without an address"),
    Item("5.3.2, 5.3.4", "SCTP_ABORT", "yes", "EINVAL on one-to-one sockets"),
    Item("5.3.2, 5.3.4", "SCTP_EOF", "yes", "EINVAL on one-to-one sockets, and with a message"),
    Item("5.3.2, 5.3.4", "SCTP_SENDALL", "yes"),
    Item("RFC 7053, 7", "SCTP_SACK_IMMEDIATELY", "yes"),
    Item("5.3.7", "SCTP_PR_SCTP_NONE", "yes"),
    Item("5.3.7", "SCTP_PR_SCTP_TTL", "yes"),
    Item("RFC 7496, 4.2", "SCTP_PR_SCTP_RTX", "yes"),
    Item("RFC 7496, 4.2", "SCTP_PR_SCTP_PRIO", "yes"),
]

VALUES = [
    Item("5.1", "MSG_EOR", "yes"),
    Item("5.1", "MSG_NOTIFICATION", "yes"),
    Item("5.3", "MSG_CTRUNC", "yes"),
    Item("9.8", "MSG_PEEK", "yes"),
    Item("5.3.6", "SCTP_COMPLETE", "", NO_NUMBER),
    Item("5.3.6", "SCTP_NOTIFICATION", "yes"),
    Item("6.1.1", "SCTP_COMM_UP", "yes", "sac_info is empty: without features (SCTP_ASSOC_SUPPORTS_*)"),
    Item("6.1.1", "SCTP_COMM_LOST", "yes"),
    Item("6.1.1", "SCTP_RESTART", "yes"),
    Item("6.1.1", "SCTP_SHUTDOWN_COMP", "yes"),
    Item("6.1.1", "SCTP_CANT_STR_ASSOC", "yes"),
    Item("6.1.2", "SCTP_ADDR_AVAILABLE", "yes"),
    Item("6.1.2", "SCTP_ADDR_UNREACHABLE", "yes"),
    Item("6.1.2", "SCTP_ADDR_REMOVED", "yes", "needs ASCONF, which is off"),
    Item("6.1.2", "SCTP_ADDR_ADDED", "yes", "needs ASCONF, which is off"),
    Item("6.1.2", "SCTP_ADDR_MADE_PRIM", "yes"),
    Item("Linux", "SCTP_ADDR_CONFIRMED", "yes"),
    Item("RFC 7829, 7.1", "SCTP_ADDR_POTENTIALLY_FAILED", "yes", "where SCTP_EXPOSE_POTENTIALLY_FAILED_STATE is on"),
    Item("6.1.4, 6.1.11", "SCTP_DATA_UNSENT", "yes"),
    Item("6.1.4, 6.1.11", "SCTP_DATA_SENT", "yes"),
    Item("6.1.4, 6.1.11", "SCTP_DATA_LAST_FRAG", "", NO_NUMBER),
    Item("6.1.4, 6.1.11", "SCTP_DATA_NOT_FRAG", "", NO_NUMBER),
    Item("6.1.7", "SCTP_PARTIAL_DELIVERY_ABORTED", "yes"),
    Item("6.1.8", "SCTP_AUTH_NEW_KEY", "yes", "needs AUTH, which is off"),
    Item("6.1.8", "SCTP_AUTH_FREE_KEY", "yes", "needs AUTH, which is off"),
    Item("6.1.8", "SCTP_AUTH_NO_AUTH", "yes", "after SCTP_COMM_UP, if one of the ends has no AUTH"),
    Item("7.2", "SCTP_FUTURE_ASSOC", "yes"),
    Item("7.2", "SCTP_CURRENT_ASSOC", "yes"),
    Item("7.2", "SCTP_ALL_ASSOC", "yes"),
    Item("8.1.12", "SPP_HB_ENABLE", "yes"),
    Item("8.1.12", "SPP_HB_DISABLE", "yes"),
    Item("8.1.12", "SPP_HB_DEMAND", "yes"),
    Item("8.1.12", "SPP_HB_TIME_IS_ZERO", "yes"),
    Item("8.1.12", "SPP_PMTUD_ENABLE", "yes"),
    Item("8.1.12", "SPP_PMTUD_DISABLE", "yes"),
    Item("Linux", "SPP_SACKDELAY_ENABLE", "yes"),
    Item("Linux", "SPP_SACKDELAY_DISABLE", "yes"),
    Item("8.1.12", "SPP_IPV6_FLOWLABEL", "yes"),
    Item("8.1.12", "SPP_DSCP", "yes"),
    Item("8.1.17", "SCTP_AUTH_HMAC_ID_SHA1", "yes", "needs AUTH, which is off"),
    Item("8.1.17", "SCTP_AUTH_HMAC_ID_SHA256", "yes", "needs AUTH, which is off"),
    Item("8.1.26", "SCTP_EOR", "", NO_NUMBER),
    Item("8.2.1", "SCTP_CLOSED", "yes"),
    Item("8.2.1", "SCTP_BOUND", "", NO_NUMBER),
    Item("8.2.1", "SCTP_LISTEN", "", NO_NUMBER),
    Item("8.2.1", "SCTP_COOKIE_WAIT", "yes"),
    Item("8.2.1", "SCTP_COOKIE_ECHOED", "yes"),
    Item("8.2.1", "SCTP_ESTABLISHED", "yes"),
    Item("8.2.1", "SCTP_SHUTDOWN_PENDING", "yes"),
    Item("8.2.1", "SCTP_SHUTDOWN_SENT", "yes"),
    Item("8.2.1", "SCTP_SHUTDOWN_RECEIVED", "yes"),
    Item("8.2.1", "SCTP_SHUTDOWN_ACK_SENT", "yes"),
    Item("8.2.2", "SCTP_ACTIVE", "yes"),
    Item("8.2.2", "SCTP_INACTIVE", "yes"),
    Item("8.2.2", "SCTP_UNCONFIRMED", "yes"),
    Item("RFC 7829, 7.1", "SCTP_POTENTIALLY_FAILED", "yes"),
    Item("9.1", "SCTP_BINDX_ADD_ADDR", "yes"),
    Item("9.1", "SCTP_BINDX_REM_ADDR", "yes"),
    Item("9.12", "SCTP_SENDV_NOINFO", "yes"),
    Item("9.12", "SCTP_SENDV_SNDINFO", "yes"),
    Item("9.12", "SCTP_SENDV_PRINFO", "yes"),
    Item("9.12", "SCTP_SENDV_AUTHINFO", "yes"),
    Item("9.12", "SCTP_SENDV_SPA", "yes"),
    Item("9.12", "SCTP_SEND_SNDINFO_VALID", "yes"),
    Item("9.12", "SCTP_SEND_PRINFO_VALID", "yes"),
    Item("9.12", "SCTP_SEND_AUTHINFO_VALID", "yes"),
    Item("9.13", "SCTP_RECVV_NOINFO", "yes"),
    Item("9.13", "SCTP_RECVV_RCVINFO", "yes"),
    Item("9.13", "SCTP_RECVV_NXTINFO", "yes"),
    Item("9.13", "SCTP_RECVV_RN", "yes"),
]


# --- what the code says ---

SENT = {
    "SCTP_INIT": structs.InitMsg().pack(),
    "SCTP_SNDRCV": structs.SndRcvInfo().pack(),
    "SCTP_SNDINFO": structs.SndInfo().pack(),
    "SCTP_RCVINFO": structs.RcvInfo().pack(),
    "SCTP_NXTINFO": structs.NxtInfo().pack(),
    "SCTP_PRINFO": structs.PrInfo().pack(),
    "SCTP_AUTHINFO": structs.AuthInfo().pack(),
    "SCTP_DSTADDRV4": bytes([127, 0, 0, 1]),
    "SCTP_DSTADDRV6": bytes([*[0] * 15, 1]),
}
"""Ancillary data of each type, as a program sends it."""

GIVERS = (TransferringSocket.recvmsg.__name__, TransferringSocket._nxtinfo.__name__)
"""The methods that make the ancillary data of a received message."""


class References(ast.NodeVisitor):
    """The names that the modules of the sockets refer to; what only says what can be subscribed to does not count."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        """Of constants, and of structs that are made."""
        self.received: set[str] = set()
        """Those in the methods that make the ancillary data of received messages."""
        self._giving = False
        for path in sorted(SOCKETS.rglob("*.py")):
            self.visit(ast.parse(path.read_text(encoding="utf-8")))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        outer, self._giving = self._giving, self._giving or node.name in GIVERS
        self.generic_visit(node)
        self._giving = outer

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if not (isinstance(node.target, ast.Name) and node.target.id == "SUBSCRIBABLE"):
            self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not (isinstance(node.value, ast.Name) and node.value.id == "structs"):
            self._found(node.attr)
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._found(node.id)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            self._found(node.func.attr)
        self.generic_visit(node)

    def _found(self, name: str) -> None:
        self.names.add(name)
        if self._giving:
            self.received.add(name)


class Code:
    """What this stack does with each kind of item: one method a table."""

    def __init__(self) -> None:
        self._references = References()

    def ancillary(self, name: str) -> str:
        """Taken by ``sendmsg``, given by ``recvmsg``."""
        type_ = getattr(constants, name, None)
        if type_ is None:
            return ""
        try:
            ancillary.parse([(constants.IPPROTO_SCTP, type_, SENT[name])], ancillary.SendInfo())
        except OSError:
            sent = ""
        else:
            sent = "send"
        return ", ".join(filter(None, [sent, "receive" if name in self._references.received else ""]))

    def notification(self, name: str) -> str:
        """Can be subscribed to, and something makes it."""
        made = structs.NOTIFICATIONS.get(getattr(constants, name, 0))
        subscribable = made in [structs.NOTIFICATIONS[type_] for type_ in SUBSCRIBABLE.values()]
        return _yes(made is not None and subscribable and made.__name__ in self._references.names)

    def option(self, name: str) -> str:
        """Got and set; whether that is with the extension off."""
        level = socket.SOL_SOCKET if name.startswith("SO_") else constants.IPPROTO_SCTP
        number = getattr(socket if name.startswith("SO_") else constants, name, None)
        key = level, -1 if number is None else int(number)
        get, set_ = OPTIONS.get(key, (None, None))
        ways = ", ".join(word for word, way in (("get", get), ("set", CALLS.get(key, set_))) if not _refuses(way))
        return f"{ways or 'refused'}{OFF}" if key in extensions.OPTIONS else ways

    def function(self, name: str) -> str:
        """A method of the sockets."""
        return _yes(hasattr(SctpSocket, name))

    def message_flag(self, name: str) -> str:
        """Taken with a message."""
        return _yes(ancillary.valid_flags(getattr(constants, name)))

    def value(self, name: str) -> str:
        """Something refers to it, by this name or a shorter one."""
        return _yes(bool({name, name.replace("POTENTIALLY_FAILED", "PF")} & self._references.names))


def _refuses(way: Callable[..., object] | None) -> bool:
    """Whether a getter or setter is not there, or ends in nothing but an error."""
    if way is None:
        return True
    if way.__name__ == "<lambda>":
        return False
    (function,) = ast.parse(textwrap.dedent(inspect.getsource(way))).body
    return isinstance(function, ast.FunctionDef) and isinstance(function.body[-1], ast.Raise)


def _yes(there: bool) -> str:
    return "yes" if there else ""


# --- the page ---


def tables(code: Code) -> dict[str, list[tuple[Item, str]]]:
    """The items under their titles, each with what this stack does with it."""
    kinds = {
        "Ancillary data": (ANCILLARY, code.ancillary),
        "Notifications": (NOTIFICATIONS, code.notification),
        "Socket options": (SOCKET_OPTIONS, code.option),
        "Socket options of other RFCs, and Linux's own": (MORE_OPTIONS, code.option),
        "Functions": (FUNCTIONS, code.function),
        "Flags of a message, and policies of partial reliability": (MESSAGE_FLAGS, code.message_flag),
        "Other flags and values": (VALUES, code.value),
    }
    return {title: [(item, ours(item.name)) for item in items] for title, (items, ours) in kinds.items()}


def render() -> str:
    """The page."""
    found = tables(Code())
    summary = ["| | of what Linux has | is here | is off |\n|---|---|---|---|\n"]
    parts = []
    for title, rows in found.items():
        linux = [(item, ours) for item, ours in rows if item.linux]
        here = sum(set(item.linux.split(", ")) <= set(ours.split(", ")) for item, ours in linux)
        off = sum(ours.endswith(OFF) for _, ours in linux)
        summary.append(f"| {title} | {len(linux)} | {here} | {off} |\n")
        parts.append(f"\n## {title}\n\n| section | item | here | Linux | notes |\n|---|---|---|---|---|\n")
        for item, ours in rows:
            parts.append(f"| {item.section} | {item.name} | {ours or '-'} | {item.linux or '-'} | {item.note} |\n")
    return HEAD.format(summary="".join(summary).strip()) + "".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """The command; the exit status."""
    parser = argparse.ArgumentParser(description="Write docs/sockets-api.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the page is out of date")
    if parser.parse_args(arguments).check:
        if PAGE.is_file() and PAGE.read_text(encoding="utf-8") == render():
            return 0
        print(f"{PAGE.relative_to(ROOT)} is out of date: run python tools/sockets_api.py", file=sys.stderr)
        return 1
    PAGE.write_text(render(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
