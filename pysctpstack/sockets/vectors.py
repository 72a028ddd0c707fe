"""`SctpSocket`: one-to-one (SOCK_STREAM) and one-to-many (SOCK_SEQPACKET) SCTP sockets (RFC 6458 sections 3 and 4).

What is here are the functions of RFC 6458 section 9 that gather several calls or several kinds of information.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Any, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.sockets import addresses
from pysctpstack.sockets.ancillary import Ancillary, packed
from pysctpstack.sockets.options import CALLS, OPTIONS
from pysctpstack.sockets.peeling import PeelingSocket
from pysctpstack.sockets.values import failure
from pysctpstack.structs.layout import CStruct

SCTP: Final = c.IPPROTO_SCTP
_ALL_INFO: Final = 256
"""Bytes of ancillary data: SCTP_RCVINFO and SCTP_NXTINFO with their headers, and some more."""

SendInfo = structs.SndInfo | structs.PrInfo | structs.AuthInfo | structs.SendvSpa
ReceiveInfo = structs.RcvInfo | structs.NxtInfo | structs.RecvvRn


class SctpSocket(PeelingSocket):
    """An SCTP socket with the methods of the standard library's and those of RFC 6458 section 9.

    ``family``: AF_INET or AF_INET6. ``type``: SOCK_STREAM, one association, or SOCK_SEQPACKET, many. Errors are
    `OSError` with the errno that Linux gives.
    """

    def sctp_sendv(
        self, buffers: Iterable[Any], addrs: Iterable[object] = (), info: SendInfo | None = None, flags: int = 0
    ) -> int:
        """Send the buffers as one message (RFC 6458 section 9.12).

        ``addrs``: the peer's addresses, of one port; several set up an association with all of them if there is none.
        ``info``: what the info types SCTP_SENDV_SNDINFO, _PRINFO, _AUTHINFO and _SPA stand for. EINVAL: addresses of
        several ports, or bad information.
        """
        listed = list(addrs)
        ancillary = [(SCTP, type_, value.pack()) for type_, value in _parts(info)]
        if len(listed) > 1:
            ancillary += self._further(listed)
        return self.sendmsg(buffers, ancillary, flags, listed[0] if listed else None)

    def _further(self, listed: list[object]) -> list[Ancillary]:
        """All addresses but the first, as SCTP_DSTADDRV4 and SCTP_DSTADDRV6 (RFC 6458 sections 5.3.9 and 5.3.10)."""
        resolved = [addresses.resolve(address, self.family) for address in listed]
        if len({port for _, port in resolved}) != 1:
            raise failure(errno.EINVAL)
        return [
            (
                SCTP,
                c.SCTP_DSTADDRV6 if ":" in ip else c.SCTP_DSTADDRV4,
                socket.inet_pton(socket.AF_INET6 if ":" in ip else socket.AF_INET, ip.partition("%")[0]),
            )
            for ip, _ in resolved[1:]
        ]

    def sctp_recvv(
        self, bufsize: int, flags: int = 0
    ) -> tuple[bytes, addresses.Address | None, ReceiveInfo | None, int]:
        """``(data, from_addr, info, msg_flags)`` (RFC 6458 section 9.13).

        ``info``: a RcvInfo, a NxtInfo, a RecvvRn with both, or None, as SCTP_RECVRCVINFO and SCTP_RECVNXTINFO have
        been switched on and there is a next message.
        """
        data, ancillary, msg_flags, address = self.recvmsg(bufsize, _ALL_INFO, flags)
        found: dict[int, Any] = {type_: value for level, type_, value in ancillary if level == SCTP}
        received = structs.RcvInfo.unpack(found[c.SCTP_RCVINFO]) if c.SCTP_RCVINFO in found else None
        following = structs.NxtInfo.unpack(found[c.SCTP_NXTINFO]) if c.SCTP_NXTINFO in found else None
        info: ReceiveInfo | None = received or following
        if received is not None and following is not None:
            info = structs.RecvvRn(received, following)
        return data, address, info, msg_flags

    def sctp_opt_info(self, assoc_id: int, opt: int, arg: Any) -> Any:
        """An option of an association that needs an in-and-out buffer (RFC 6458 section 8).

        ``arg``: a struct, whose association id (and address) say what is asked for; ``assoc_id`` replaces a zero one.
        Returns a new struct; bytes for bytes. EINVAL: no such association, or too few bytes.
        """
        if (SCTP, opt) not in OPTIONS or (SCTP, opt) in CALLS:
            raise failure(errno.EOPNOTSUPP)
        octets = bytearray(packed(arg))
        at = _ID_OFFSETS.get(opt, 0)
        if assoc_id and len(octets) >= at + _ID_SIZE:
            octets[at : at + _ID_SIZE] = structs.AssocValue(assoc_id).pack()[:_ID_SIZE]
        if isinstance(arg, CStruct):
            return self.getsockopt(SCTP, opt, type(arg).unpack(bytes(octets)))
        return self.getsockopt(SCTP, opt, bytes(octets))


_ID_SIZE: Final = 4
_ID_OFFSETS: Final = {
    # All others begin with it.
    c.SCTP_DEFAULT_SEND_PARAM: 28,
    c.SCTP_DEFAULT_SNDINFO: 12,
}


def _parts(info: SendInfo | None) -> list[tuple[int, CStruct]]:
    """What of the ancillary data an info of sctp_sendv() stands for."""
    if info is None:
        return []
    if isinstance(info, structs.SndInfo):
        return [(c.SCTP_SNDINFO, info)]
    if isinstance(info, structs.PrInfo):
        return [(c.SCTP_PRINFO, info)]
    if isinstance(info, structs.AuthInfo):
        return [(c.SCTP_AUTHINFO, info)]
    if not isinstance(info, structs.SendvSpa):
        raise TypeError(f"info is a SndInfo, PrInfo, AuthInfo or SendvSpa, not {info!r}")
    parts: list[tuple[int, CStruct]] = []
    if info.sendv_flags & c.SCTP_SEND_SNDINFO_VALID:
        parts.append((c.SCTP_SNDINFO, info.sendv_sndinfo))
    if info.sendv_flags & c.SCTP_SEND_PRINFO_VALID:
        parts.append((c.SCTP_PRINFO, info.sendv_prinfo))
    if info.sendv_flags & c.SCTP_SEND_AUTHINFO_VALID:
        parts.append((c.SCTP_AUTHINFO, info.sendv_authinfo))
    return parts
