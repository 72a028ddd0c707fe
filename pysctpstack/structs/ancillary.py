"""Ancillary data of ``sendmsg()`` and ``recvmsg()``, and the infos of ``sctp_sendv()`` and ``sctp_recvv()``.

RFC 6458 section 5.3. The level of each is IPPROTO_SCTP, its type is named in the class. ``ppid`` members
hold the payload protocol identifier as the memory that C has there: SCTP passes it on unchanged, so
programs that agree on a number with other machines use ``htonl`` and ``ntohl`` (RFC 6458 section 5.3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .layout import U16, U32, AssocId, CStruct


@dataclass(slots=True)
class InitMsg(CStruct):
    """How to set up an association: SCTP_INIT, and the option SCTP_INITMSG (RFC 6458 sections 5.3.1, 8.1.3).

    ``sinit_max_init_timeo`` is the largest RTO for INIT and COOKIE ECHO, in milliseconds. 0: the default.
    """

    sinit_num_ostreams: U16 = 0
    sinit_max_instreams: U16 = 0
    sinit_max_attempts: U16 = 0
    sinit_max_init_timeo: U16 = 0


@dataclass(slots=True)
class SndRcvInfo(CStruct):
    """What goes, or came, with a message: SCTP_SNDRCV (RFC 6458 section 5.3.2, deprecated there).

    ``sinfo_timetolive`` is in milliseconds, 0: for ever. With a PR-SCTP policy in ``sinfo_flags`` it is the
    value of that policy. ``sinfo_ssn``, ``sinfo_tsn`` and ``sinfo_cumtsn`` are set on receipt only.
    """

    sinfo_stream: U16 = 0
    sinfo_ssn: U16 = 0
    sinfo_flags: U16 = 0
    sinfo_ppid: U32 = 0
    sinfo_context: U32 = 0
    sinfo_timetolive: U32 = 0
    sinfo_tsn: U32 = 0
    sinfo_cumtsn: U32 = 0
    sinfo_assoc_id: AssocId = 0


@dataclass(slots=True)
class SndInfo(CStruct):
    """What goes with a message: SCTP_SNDINFO, and the option SCTP_DEFAULT_SNDINFO.

    RFC 6458 section 5.3.4.
    """

    snd_sid: U16 = 0
    snd_flags: U16 = 0
    snd_ppid: U32 = 0
    snd_context: U32 = 0
    snd_assoc_id: AssocId = 0


@dataclass(slots=True)
class RcvInfo(CStruct):
    """What came with a message: SCTP_RCVINFO (RFC 6458 section 5.3.5)."""

    rcv_sid: U16 = 0
    rcv_ssn: U16 = 0
    rcv_flags: U16 = 0
    rcv_ppid: U32 = 0
    rcv_tsn: U32 = 0
    rcv_cumtsn: U32 = 0
    rcv_context: U32 = 0
    rcv_assoc_id: AssocId = 0


@dataclass(slots=True)
class NxtInfo(CStruct):
    """What the next message will be like: SCTP_NXTINFO (RFC 6458 section 5.3.6).

    ``nxt_length`` is the bytes that have arrived of it.
    """

    nxt_sid: U16 = 0
    nxt_flags: U16 = 0
    nxt_ppid: U32 = 0
    nxt_length: U32 = 0
    nxt_assoc_id: AssocId = 0


@dataclass(slots=True)
class PrInfo(CStruct):
    """When to give up on a message: SCTP_PRINFO (RFC 6458 section 5.3.7, RFC 7496 section 4.2).

    ``pr_value`` is milliseconds, retransmissions or a priority (0 the highest), as ``pr_policy`` says.
    """

    pr_policy: U16 = 0
    pr_value: U32 = 0


@dataclass(slots=True)
class AuthInfo(CStruct):
    """Which shared key authenticates a message: SCTP_AUTHINFO (RFC 6458 section 5.3.8)."""

    auth_keynumber: U16 = 0


@dataclass(slots=True)
class SendvSpa(CStruct):
    """Info type SCTP_SENDV_SPA of ``sctp_sendv()`` (RFC 6458 section 9.12).

    ``sendv_flags`` says which of the three are meant: SCTP_SEND_SNDINFO_VALID and the like.
    """

    sendv_flags: U32 = 0
    sendv_sndinfo: SndInfo = field(default_factory=SndInfo)
    sendv_prinfo: PrInfo = field(default_factory=PrInfo)
    sendv_authinfo: AuthInfo = field(default_factory=AuthInfo)


@dataclass(slots=True)
class RecvvRn(CStruct):
    """Info type SCTP_RECVV_RN of ``sctp_recvv()`` (RFC 6458 section 9.13)."""

    recvv_rcvinfo: RcvInfo = field(default_factory=RcvInfo)
    recvv_nxtinfo: NxtInfo = field(default_factory=NxtInfo)
