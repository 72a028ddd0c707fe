"""Ancillary data of `sendmsg` and `recvmsg` (RFC 6458 section 5.3): what it asks of a message, what it tells of
one."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.events import MessageReceived
from pysctpstack.structs.layout import CStruct

Ancillary = tuple[int, int, bytes]

CMSG_HEADER: Final = 16
"""Bytes of a ``struct cmsghdr`` on 64-bit Linux: what a control message takes of the receiver's buffer beside its
data."""

_SEND_FLAGS: Final = (
    c.SCTP_UNORDERED | c.SCTP_ADDR_OVER | c.SCTP_ABORT | c.SCTP_SACK_IMMEDIATELY | c.SCTP_SENDALL | c.SCTP_EOF
)


@dataclass(slots=True)
class SendInfo:
    """How one message is to be sent. ``ppid``: the number on the wire. ``lifetime``: milliseconds, 0 for ever."""

    stream_id: int = 0
    ppid: int = 0
    flags: int = 0
    lifetime: int = 0
    context: int = 0
    association_id: int = 0
    init: structs.InitMsg | None = None

    @classmethod
    def of_sndrcvinfo(cls, info: structs.SndRcvInfo) -> SendInfo:
        return cls(
            info.sinfo_stream,
            socket.ntohl(info.sinfo_ppid),
            info.sinfo_flags,
            info.sinfo_timetolive,
            info.sinfo_context,
            info.sinfo_assoc_id,
        )

    @classmethod
    def of_sndinfo(cls, info: structs.SndInfo) -> SendInfo:
        return cls(
            info.snd_sid,
            socket.ntohl(info.snd_ppid),
            info.snd_flags,
            0,
            info.snd_context,
            info.snd_assoc_id,
        )


def _invalid() -> OSError:
    return OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def packed(value: Any) -> bytes:
    """The bytes of a struct given as bytes or as one of `pysctpstack.structs`."""
    return value.pack() if isinstance(value, CStruct) else bytes(value)


def parse(ancillary: Iterable[tuple[int, int, Any]], default: SendInfo) -> SendInfo:
    """What the ancillary data of `sendmsg` asks for; ``default`` where it says nothing. EINVAL as Linux has it."""
    info = default
    lifetime: int | None = None
    init: structs.InitMsg | None = None
    for level, type_, value in ancillary:
        if level != c.IPPROTO_SCTP:
            continue
        data = packed(value)
        try:
            if type_ == c.SCTP_SNDRCV:
                info = SendInfo.of_sndrcvinfo(structs.SndRcvInfo.unpack(data))
            elif type_ == c.SCTP_SNDINFO:
                info = SendInfo.of_sndinfo(structs.SndInfo.unpack(data))
            elif type_ == c.SCTP_PRINFO:
                lifetime = _lifetime(structs.PrInfo.unpack(data))
            elif type_ == c.SCTP_INIT:
                init = structs.InitMsg.unpack(data)
            else:
                raise _invalid()
        except ValueError:
            raise _invalid() from None
    if lifetime is not None:
        info.lifetime = lifetime
    info.init = init
    return info


def valid_flags(flags: int) -> bool:
    """Whether ``sinfo_flags`` or ``snd_flags`` are known and mean something here.

    The one policy of partial reliability (RFC 6458 section 5.3.7) that they may name is a life time.
    """
    policy = flags & c.SCTP_PR_SCTP_MASK
    return policy in (c.SCTP_PR_SCTP_NONE, c.SCTP_PR_SCTP_TTL) and not flags & ~(_SEND_FLAGS | c.SCTP_PR_SCTP_MASK)


def _lifetime(info: structs.PrInfo) -> int:
    """Milliseconds of the TTL policy; the other policies of RFC 7496 need PR-SCTP, which is not offered."""
    if info.pr_policy == c.SCTP_PR_SCTP_NONE:
        return 0
    if info.pr_policy == c.SCTP_PR_SCTP_TTL:
        return info.pr_value
    raise _invalid()


def sndrcvinfo(message: MessageReceived, context: int) -> structs.SndRcvInfo:
    """A received message's ``struct sctp_sndrcvinfo`` (RFC 6458 section 5.3.2)."""
    return structs.SndRcvInfo(
        sinfo_stream=message.stream_id,
        sinfo_ssn=0 if message.unordered else message.ssn,
        sinfo_flags=c.SCTP_UNORDERED if message.unordered else 0,
        sinfo_ppid=socket.htonl(message.ppid),
        sinfo_context=context,
        sinfo_tsn=message.tsn,
        sinfo_cumtsn=message.cumulative_tsn if message.unordered else 0,
        sinfo_assoc_id=message.association_id,
    )


def rcvinfo(message: MessageReceived, context: int) -> structs.RcvInfo:
    """A received message's ``struct sctp_rcvinfo`` (RFC 6458 section 5.3.5)."""
    return structs.RcvInfo(
        rcv_sid=message.stream_id,
        rcv_ssn=0 if message.unordered else message.ssn,
        rcv_flags=c.SCTP_UNORDERED if message.unordered else 0,
        rcv_ppid=socket.htonl(message.ppid),
        rcv_tsn=message.tsn,
        rcv_cumtsn=message.cumulative_tsn if message.unordered else 0,
        rcv_context=context,
        rcv_assoc_id=message.association_id,
    )


def fit(found: list[tuple[int, CStruct]], size: int) -> tuple[list[Ancillary], bool]:
    """As many control messages as ``size`` bytes of buffer hold, and whether some did not fit (MSG_CTRUNC)."""
    fitting: list[Ancillary] = []
    for type_, value in found:
        data = value.pack()
        if size < CMSG_HEADER + len(data):
            return fitting, True
        # CMSG_SPACE: the next one is aligned; the last needs no more than CMSG_LEN.
        size -= CMSG_HEADER + (len(data) + 7 & ~7)
        fitting.append((c.IPPROTO_SCTP, type_, data))
    return fitting, False
