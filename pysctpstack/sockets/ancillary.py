"""Ancillary data of `sendmsg` and `recvmsg` (RFC 6458 section 5.3): what it asks of a message, what it tells of
one."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from pysctpstack import constants as c
from pysctpstack import structs
from pysctpstack.core.tx.send_queue import LimitedMessage, Message
from pysctpstack.events import MessageReceived
from pysctpstack.sockets.inbox import Notice
from pysctpstack.sockets.preferences import Preferences
from pysctpstack.structs.layout import CStruct

Ancillary = tuple[int, int, bytes]

CMSG_HEADER: Final = 16
"""Bytes of a ``struct cmsghdr`` on 64-bit Linux: what a control message takes of the receiver's buffer beside its
data."""

_SNDINFO_FLAGS: Final = (
    c.SCTP_UNORDERED
    | c.SCTP_ADDR_OVER
    | c.SCTP_ABORT
    | c.SCTP_SACK_IMMEDIATELY
    | c.SCTP_SENDALL
    | c.SCTP_EOF
    | c.SCTP_PR_SCTP_MASK
)
_ENDING: Final = c.SCTP_EOF | c.SCTP_ABORT
_DESTINATIONS: Final = {c.SCTP_DSTADDRV4: socket.AF_INET, c.SCTP_DSTADDRV6: socket.AF_INET6}
_ADDRESS_SIZES: Final = {c.SCTP_DSTADDRV4: 4, c.SCTP_DSTADDRV6: 16}


@dataclass(slots=True)
class SendInfo:
    """How one message is to be sent. ``ppid``: the number on the wire. ``lifetime``: milliseconds, 0 for ever; with a
    policy of partial reliability in ``flags``, what that counts (RFC 7496 section 4.2)."""

    stream_id: int = 0
    ppid: int = 0
    flags: int = 0
    lifetime: int = 0
    context: int = 0
    association_id: int = 0
    init: structs.InitMsg | None = None
    destinations: tuple[tuple[int, bytes], ...] = ()
    """Further addresses of the peer, for an association that has to be set up: type and bytes of each."""
    # Who says nothing of these gets the association's defaults.
    says_stream: bool = False
    says_policy: bool = False
    says_lifetime: bool = False

    @classmethod
    def of_sndrcvinfo(cls, info: structs.SndRcvInfo) -> SendInfo:
        return cls(
            info.sinfo_stream,
            socket.ntohl(info.sinfo_ppid),
            info.sinfo_flags,
            info.sinfo_timetolive,
            info.sinfo_context,
            info.sinfo_assoc_id,
            says_stream=True,
            says_lifetime=True,
        )

    @classmethod
    def of_sndinfo(cls, info: structs.SndInfo, lifetime: int = 0) -> SendInfo:
        return cls(
            info.snd_sid,
            socket.ntohl(info.snd_ppid),
            info.snd_flags,
            lifetime,
            info.snd_context,
            info.snd_assoc_id,
            says_stream=True,
        )

    def completed(self, preferences: Preferences) -> SendInfo:
        """With an association's defaults where it says nothing (RFC 6458 sections 8.1.13, 8.1.31 and 8.1.32)."""
        if not preferences.has_send_defaults or (self.says_stream and (self.says_lifetime or self.says_policy)):
            return self
        full = replace(self)
        if not self.says_stream:
            full.stream_id = preferences.stream
            full.ppid = socket.ntohl(preferences.ppid)
            full.context = preferences.context
            if not self.says_policy:
                # Nothing ends by default.
                full.flags = preferences.flags & ~_ENDING
        if not (self.says_lifetime or self.says_policy):
            full.lifetime = preferences.timetolive
        return full

    def message(self, data: bytes, now: float, destination: str) -> Message:
        """The message that this tells how to send."""
        policy = self.flags & c.SCTP_PR_SCTP_MASK
        kind = LimitedMessage if policy else Message
        expires = self.lifetime and policy in (c.SCTP_PR_SCTP_NONE, c.SCTP_PR_SCTP_TTL)
        message = kind(
            self.stream_id,
            self.ppid,
            data,
            self.context,
            unordered=bool(self.flags & c.SCTP_UNORDERED),
            sack_immediately=bool(self.flags & c.SCTP_SACK_IMMEDIATELY),
            expires_at=now + self.lifetime / 1_000 if expires else inf,
            destination=destination,
        )
        if isinstance(message, LimitedMessage):
            message.limit_to(policy, self.lifetime)
        return message


def _invalid() -> OSError:
    return OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def packed(value: Any) -> bytes:
    """The bytes of a struct given as bytes or as one of `pysctpstack.structs`."""
    return value.pack() if isinstance(value, CStruct) else bytes(value)


def parse(ancillary: Iterable[tuple[int, int, Any]], default: SendInfo) -> SendInfo:
    """What the ancillary data of `sendmsg` asks for; ``default`` where it says nothing. EINVAL as Linux has it: of
    another size, of no use when sending, unknown."""
    given: dict[int, Any] = {}
    destinations: list[tuple[int, bytes]] = []
    for level, type_, value in ancillary:
        if level != c.IPPROTO_SCTP:
            continue
        data = packed(value)
        if type_ in _DESTINATIONS:
            destinations.append((type_, data))
            continue
        struct_ = _SENT.get(type_)
        if struct_ is None or len(data) != struct_.SIZE:
            raise _invalid()
        given[type_] = struct_.unpack(data)
    return _combined(given, default, tuple(destinations))


_SENT: Final[dict[int, type[CStruct]]] = {
    c.SCTP_INIT: structs.InitMsg,
    c.SCTP_SNDRCV: structs.SndRcvInfo,
    c.SCTP_SNDINFO: structs.SndInfo,
    c.SCTP_PRINFO: structs.PrInfo,
    # Without authentication (RFC 4895), which is not offered, Linux does not look at the key.
    c.SCTP_AUTHINFO: structs.AuthInfo,
}


def _combined(given: dict[int, Any], default: SendInfo, destinations: tuple[tuple[int, bytes], ...]) -> SendInfo:
    """SCTP_SNDINFO goes before SCTP_SNDRCV, and SCTP_PRINFO before the policy of either, as in Linux."""
    info = default
    if c.SCTP_SNDRCV in given:
        info = SendInfo.of_sndrcvinfo(given[c.SCTP_SNDRCV])
        _check_flags(info.flags)
    if c.SCTP_SNDINFO in given:
        info = SendInfo.of_sndinfo(given[c.SCTP_SNDINFO], info.lifetime)
        info.says_lifetime = c.SCTP_SNDRCV in given
        _check_flags(info.flags)
    if c.SCTP_PRINFO in given:
        prinfo = given[c.SCTP_PRINFO]
        if prinfo.pr_policy & ~c.SCTP_PR_SCTP_MASK:
            raise _invalid()
        info = replace(info, says_policy=True, lifetime=prinfo.pr_value if prinfo.pr_policy else 0)
        info.flags = info.flags & ~c.SCTP_PR_SCTP_MASK | prinfo.pr_policy
    if c.SCTP_INIT in given or destinations:
        info = replace(info, init=given.get(c.SCTP_INIT), destinations=destinations)
    return info


def _check_flags(flags: int) -> None:
    if not valid_flags(flags):
        raise _invalid()


def valid_flags(flags: int) -> bool:
    """Whether ``sinfo_flags`` or ``snd_flags`` are known ones."""
    return not flags & ~_SNDINFO_FLAGS


def destination_ips(info: SendInfo) -> list[str]:
    """The addresses of SCTP_DSTADDRV4 and SCTP_DSTADDRV6 (RFC 6458 sections 5.3.9 and 5.3.10). EINVAL: too short."""
    found = []
    for type_, data in info.destinations:
        if len(data) < _ADDRESS_SIZES[type_]:
            raise _invalid()
        found.append(socket.inet_ntop(_DESTINATIONS[type_], data[: _ADDRESS_SIZES[type_]]))
    return found


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


def nxtinfo(following: MessageReceived | Notice, length: int) -> structs.NxtInfo:
    """What is to be read next (RFC 6458 section 5.3.6): ``length`` bytes of it are there."""
    if not isinstance(following, MessageReceived):
        notification = structs.parse_notification(following.data)
        id_ = next(getattr(notification, name) for name in notification.LAYOUT.names if name.endswith("assoc_id"))
        return structs.NxtInfo(nxt_flags=c.SCTP_NOTIFICATION, nxt_length=length, nxt_assoc_id=id_)
    return structs.NxtInfo(
        nxt_sid=following.stream_id,
        nxt_flags=c.SCTP_UNORDERED if following.unordered else 0,
        nxt_ppid=socket.htonl(following.ppid),
        nxt_length=length,
        nxt_assoc_id=following.association_id,
    )


def fit(found: list[tuple[int, CStruct]], size: int) -> tuple[list[Ancillary], bool]:
    """The control messages that ``size`` bytes of buffer hold, the last one cut short if need be as Linux does, and
    whether something did not fit (MSG_CTRUNC)."""
    fitting: list[Ancillary] = []
    truncated = False
    for type_, value in found:
        data = value.pack()
        if size < CMSG_HEADER:
            truncated = True
            continue
        if size < CMSG_HEADER + len(data):
            truncated = True
            data = data[: size - CMSG_HEADER]
        # CMSG_SPACE: the next one is aligned.
        size -= min(CMSG_HEADER + (len(data) + 7 & ~7), size)
        fitting.append((c.IPPROTO_SCTP, type_, data))
    return fitting, truncated
