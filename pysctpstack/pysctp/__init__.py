"""The module ``sctp`` of pysctp 0.7, name for name, over the sockets of this stack.

    from pysctpstack import pysctp as sctp

is a one-line port of a program that says ``import sctp``; ``python -m pysctpstack run`` runs it as it is. What
differs is listed in the documentation ("Port a program that uses pysctp").
"""

# ruff: noqa: F401 -- `from sctp import *` gives these too, and programs have come to use them.

from __future__ import annotations

import datetime
import os
import sys
import time
from types import ModuleType as _ModuleType
from typing import Final

from pysctpstack import socket as socket
from pysctpstack.pysctp import bottom as _sctp
from pysctpstack.pysctp import sockets as _sockets
from pysctpstack.pysctp.arrivals import (
    adaptation_event,
    assoc_change,
    notification,
    notification_factory,
    notification_table,
    paddr_change,
    pdapi_event,
    remote_error,
    send_failed,
    shutdown_event,
    sndrcvinfo,
)
from pysctpstack.pysctp.parameters import (
    assocparams,
    event_subscribe,
    initmsg,
    initparams,
    paddrinfo,
    paddrparams,
    rtoinfo,
    status,
)
from pysctpstack.pysctp.sockets import (
    BINDX_ADD,
    FLAG_NOTIFICATION,
    MSG_EOF,
    TCP_STYLE,
    UDP_STYLE,
    sctpsocket,
    sctpsocket_tcp,
    sctpsocket_udp,
)
from pysctpstack.pysctp.sockets import use as _use_sockets

BINDX_REMOVE: Final = _sctp.getconstant("BINDX_REMOVE")
BINDX_REM: Final = BINDX_REMOVE
MSG_UNORDERED: Final = _sctp.getconstant("MSG_UNORDERED")
MSG_ADDR_OVER: Final = _sctp.getconstant("MSG_ADDR_OVER")
MSG_ADDR_OVERRIDE: Final = MSG_ADDR_OVER
MSG_ABORT: Final = _sctp.getconstant("MSG_ABORT")
MSG_FIN: Final = _sctp.getconstant("MSG_FIN")
MSG_SENDALL: Final = _sctp.getconstant("MSG_SENDALL")
FLAG_EOR: Final = _sctp.getconstant("MSG_EOR")
FLAG_DONTROUTE: Final = _sctp.getconstant("MSG_DONTROUTE")
SOL_SCTP: Final = _sctp.getconstant("SOL_SCTP")
IPPROTO_SCTP: Final = _sctp.getconstant("IPPROTO_SCTP")
SOCK_STREAM: Final = _sctp.getconstant("SOCK_STREAM")
SOCK_SEQPACKET: Final = _sctp.getconstant("SOCK_SEQPACKET")
STYLE_TCP: Final = TCP_STYLE
STYLE_UDP: Final = UDP_STYLE
HAVE_SCTP: Final = 1
HAVE_KERNEL_SCTP: Final = 2
HAVE_SCTP_MULTIBUF: Final = 4
HAVE_SCTP_NOCONNECT: Final = 8
HAVE_SCTP_PRSCTP: Final = 16
HAVE_SCTP_ADDIP: Final = 32
HAVE_SCTP_CANSET_PRIMARY: Final = 64
HAVE_SCTP_SAT_NETWORK_CAPABILITY: Final = 128


def features() -> int:
    """What there is, as a sum of ``HAVE_*``; what pysctp built with libsctp says."""
    found = HAVE_SCTP | HAVE_KERNEL_SCTP
    for bit, have in (
        (HAVE_SCTP_MULTIBUF, _sctp.have_sctp_multibuf),
        (HAVE_SCTP_NOCONNECT, _sctp.have_sctp_noconnect),
        (HAVE_SCTP_PRSCTP, _sctp.have_sctp_prsctp),
        (HAVE_SCTP_ADDIP, _sctp.have_sctp_addip),
        (HAVE_SCTP_CANSET_PRIMARY, _sctp.have_sctp_setprimary),
        (HAVE_SCTP_SAT_NETWORK_CAPABILITY, _sctp.have_sctp_sat_network),
    ):
        found |= bit if have() else 0
    return found


def use(module: _ModuleType) -> None:
    """Make sockets with this module's ``socket``, and have it as ``socket`` here: `pysctpstack.socket`, or the
    standard one once it makes SCTP sockets of this stack (`pysctpstack.run.install`)."""
    _use_sockets(module)
    _take_names(module)


def _take_names(module: _ModuleType) -> None:
    """The names of the `socket` module, which pysctp has among its own."""
    own = set(globals()) - _taken
    listed = getattr(module, "__all__", None) or [name for name in dir(module) if not name.startswith("_")]
    for name in set(listed) - own:
        globals()[name] = getattr(module, name)
        _taken.add(name)
    globals()["socket"] = module


_taken: set[str] = set()
_take_names(socket)
