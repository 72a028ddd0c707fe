"""Options by which C libraries implement the functions of RFC 6458 section 9, and Linux's statistics.

Programs have `SctpSocket.sctp_bindx` and the like; these are for those that call setsockopt and getsockopt themselves.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.core.statistics import totals
from pysctpstack.sockets.options import scope
from pysctpstack.sockets.options.scope import Table
from pysctpstack.sockets.values import failure
from pysctpstack.structs.sockaddr import pack_sockaddr, unpack_sockaddr_list

if TYPE_CHECKING:
    from pysctpstack.sockets.associating import AssociatingSocket
    from pysctpstack.sockets.base import BaseSocket

SCTP: Final = c.IPPROTO_SCTP
_ADDRESSES: Final = structs.GetAddrs.SIZE


def _address_list(sock: AssociatingSocket, value: bytes) -> list[Any]:
    """Packed socket addresses. EINVAL: none, of a family that the socket does not have, or something else."""
    try:
        found = unpack_sockaddr_list(value)
    except ValueError:
        raise failure(errno.EINVAL) from None
    if not found or (sock.family == socket.AF_INET and any(len(address) != 2 for address in found)):
        raise failure(errno.EINVAL)
    return found


def _bind_more(sock: AssociatingSocket, value: bytes) -> None:
    sock.sctp_bindx(_address_list(sock, value), c.SCTP_BINDX_ADD_ADDR)


def _bind_fewer(sock: AssociatingSocket, value: bytes) -> None:
    sock.sctp_bindx(_address_list(sock, value), c.SCTP_BINDX_REM_ADDR)


def _connect(sock: AssociatingSocket, value: bytes) -> None:
    sock.sctp_connectx(_address_list(sock, value))


#: What is set without the lock, since it waits or looks names up.
CALLS: Final[dict[tuple[int, int], Callable[[Any, bytes], None]]] = {
    (SCTP, c.SCTP_SOCKOPT_BINDX_ADD): _bind_more,
    (SCTP, c.SCTP_SOCKOPT_BINDX_REM): _bind_fewer,
    (SCTP, c.SCTP_SOCKOPT_CONNECTX_OLD): _connect,
    (SCTP, c.SCTP_SOCKOPT_CONNECTX): _connect,
}


def _listed(id_: int, addresses: list[Any], room: int) -> bytes:
    """A ``struct sctp_getaddrs`` with its addresses. ENOMEM: they do not fit into ``room`` bytes."""
    octets = b"".join(pack_sockaddr(address) for address in addresses)
    if len(octets) > room - _ADDRESSES:
        raise failure(errno.ENOMEM)
    return structs.GetAddrs.LAYOUT.codec.pack(id_, len(addresses)) + octets


def _asked_id(arg: bytes) -> int:
    if len(arg) < _ADDRESSES:
        raise failure(errno.EINVAL)
    return int(structs.GetAddrs.LAYOUT.codec.unpack_from(arg)[0])


def _get_peer_addrs(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = _asked_id(arg)
    tcb = scope.existing(sock, id_)
    return _listed(id_, [sock.show(path.address, tcb.peer_port) for path in tcb.paths], len(arg))


def _get_local_addrs(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = _asked_id(arg)
    if id_ != c.SCTP_FUTURE_ASSOC:
        scope.existing(sock, id_)
    named = scope.found(sock, id_) if id_ != c.SCTP_FUTURE_ASSOC else None
    return _listed(id_, sock.local_addresses(named.tcb if named else None), len(arg))


def _get_assoc_stats(sock: BaseSocket, arg: bytes) -> bytes:
    id_ = scope.integer(arg)
    tcb = scope.existing(sock, id_)
    primary = tcb.paths.primary
    return structs.AssocStats(
        id_,
        sock.show(primary.address, tcb.peer_port),
        sas_maxrto=max(round(path.rto.rto * 1_000) for path in tcb.paths),
        **totals(tcb),
    ).pack()[: len(arg)]


def _peel_off(sock: Any, arg: bytes) -> bytes:
    if len(arg) < structs.PeeloffArg.SIZE:
        raise failure(errno.EINVAL)
    wanted = scope.parsed(arg[: structs.PeeloffArg.SIZE], structs.PeeloffArg)
    wanted.sd = sock.peel_off(wanted.associd, 0)
    return wanted.pack()


def _peel_off_with_flags(sock: Any, arg: bytes) -> bytes:
    wanted = scope.request(arg, structs.PeeloffFlagsArg)
    wanted.p_arg.sd = sock.peel_off(wanted.p_arg.associd, wanted.flags)
    return wanted.pack()


def _connect_by_pointer(_sock: BaseSocket, _arg: bytes) -> bytes:
    """Its value points at the addresses in the program's memory, where this library does not look: as Linux answers to
    a pointer to nothing."""
    raise failure(errno.EINVAL)


def _only_set(_sock: BaseSocket, _value: bytes) -> None:
    """`BaseSocket.setsockopt` finds it in `CALLS`."""
    raise failure(errno.ENOPROTOOPT)


OPTIONS: Final[Table] = {
    **dict.fromkeys(CALLS, (None, _only_set)),
    (SCTP, c.SCTP_SOCKOPT_CONNECTX3): (_connect_by_pointer, None),
    (SCTP, c.SCTP_GET_PEER_ADDRS): (_get_peer_addrs, None),
    (SCTP, c.SCTP_GET_LOCAL_ADDRS): (_get_local_addrs, None),
    (SCTP, c.SCTP_GET_ASSOC_STATS): (_get_assoc_stats, None),
    (SCTP, c.SCTP_SOCKOPT_PEELOFF): (_peel_off, None),
    (SCTP, c.SCTP_SOCKOPT_PEELOFF_FLAGS): (_peel_off_with_flags, None),
}
