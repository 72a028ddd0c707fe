"""Values of the socket options at level IPPROTO_SCTP.

RFC 6458 sections 6.2 and 8, and the RFCs that extend it. Times are in milliseconds and sizes in bytes,
unless a class says otherwise. Where an option is set, 0 usually means "leave as it is". An association
identifier is ignored on one-to-one sockets; on one-to-many sockets many options also take
SCTP_FUTURE_ASSOC, SCTP_CURRENT_ASSOC and SCTP_ALL_ASSOC. An address of None is all zeros, which C programs
use for "every address", as they do the wildcard address. SCTP_INITMSG, SCTP_DEFAULT_SNDINFO and
SCTP_DEFAULT_SEND_PARAM take structs of ``ancillary``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .layout import (
    I32,
    U8,
    U16,
    U32,
    U64,
    AssocId,
    CountU16,
    CountU32,
    CStruct,
    Storage,
    TailAddresses,
    TailBytes,
    TailI32,
    TailU16,
)


@dataclass(slots=True)
class EventSubscribe(CStruct):
    """SCTP_EVENTS: which notifications and ancillary data to receive.

    RFC 6458 section 6.2.1, deprecated there. Every member is a flag. The struct has grown with every
    notification, so a shorter one is read as well: what is missing is off.
    """

    sctp_data_io_event: U8 = 0
    sctp_association_event: U8 = 0
    sctp_address_event: U8 = 0
    sctp_send_failure_event: U8 = 0
    sctp_peer_error_event: U8 = 0
    sctp_shutdown_event: U8 = 0
    sctp_partial_delivery_event: U8 = 0
    sctp_adaptation_layer_event: U8 = 0
    sctp_authentication_event: U8 = 0
    sctp_sender_dry_event: U8 = 0
    sctp_stream_reset_event: U8 = 0
    sctp_assoc_reset_event: U8 = 0
    sctp_stream_change_event: U8 = 0
    sctp_send_failure_event_event: U8 = 0

    @classmethod
    def _complete(cls, octets: bytes) -> bytes:
        return octets.ljust(cls.SIZE, b"\0") if octets else octets


@dataclass(slots=True)
class Event(CStruct):
    """SCTP_EVENT: whether to receive one type of notification (RFC 6458 section 6.2.2)."""

    se_assoc_id: AssocId = 0
    se_type: U16 = 0
    se_on: U8 = 0


@dataclass(slots=True)
class RtoInfo(CStruct):
    """SCTP_RTOINFO: RTO.Initial, RTO.Max, RTO.Min (RFC 6458 section 8.1.1)."""

    srto_assoc_id: AssocId = 0
    srto_initial: U32 = 0
    srto_max: U32 = 0
    srto_min: U32 = 0


@dataclass(slots=True)
class AssocParams(CStruct):
    """SCTP_ASSOCINFO: Association.Max.Retrans, Valid.Cookie.Life, and the windows to read.

    RFC 6458 section 8.1.2.
    """

    sasoc_assoc_id: AssocId = 0
    sasoc_asocmaxrxt: U16 = 0
    sasoc_number_peer_destinations: U16 = 0
    sasoc_peer_rwnd: U32 = 0
    sasoc_local_rwnd: U32 = 0
    sasoc_cookie_life: U32 = 0


@dataclass(slots=True)
class Prim(CStruct):
    """SCTP_PRIMARY_ADDR: which peer address is the primary (RFC 6458 section 8.1.9)."""

    PACKED = True

    ssp_assoc_id: AssocId = 0
    ssp_addr: Storage = None


SetPrim = Prim
"""The RFC's name; Linux has both."""


@dataclass(slots=True)
class SetPeerPrim(CStruct):
    """SCTP_SET_PEER_PRIMARY_ADDR: which of our addresses the peer is asked to use.

    RFC 6458 section 8.3.1.
    """

    PACKED = True

    sspp_assoc_id: AssocId = 0
    sspp_addr: Storage = None


@dataclass(slots=True)
class SetAdaptation(CStruct):
    """SCTP_ADAPTATION_LAYER: the indication for INIT and INIT ACK (RFC 6458 section 8.1.10)."""

    ssb_adaptation_ind: U32 = 0


@dataclass(slots=True)
class PaddrParams(CStruct):
    """SCTP_PEER_ADDR_PARAMS: heartbeats, Path.Max.Retrans and path MTU of an address.

    RFC 6458 section 8.1.12. ``spp_flags`` says which members count (SPP_*). ``spp_pathmaxrxt`` is a number
    of retransmissions, ``spp_sackdelay`` is Linux's own. The 152 bytes of older headers, which end after
    ``spp_flags``, are read too.
    """

    PACKED = True

    spp_assoc_id: AssocId = 0
    spp_address: Storage = None
    spp_hbinterval: U32 = 0
    spp_pathmaxrxt: U16 = 0
    spp_pathmtu: U32 = 0
    spp_sackdelay: U32 = 0
    spp_flags: U32 = 0
    spp_ipv6_flowlabel: U32 = 0
    spp_dscp: U8 = 0

    @classmethod
    def _complete(cls, octets: bytes) -> bytes:
        if len(octets) != 152:
            return octets
        # Its last two bytes are padding of any content, where today's struct has spp_ipv6_flowlabel.
        return octets[:150].ljust(cls.SIZE, b"\0")


@dataclass(slots=True)
class HmacAlgo(CStruct):
    """SCTP_HMAC_IDENT: the algorithms that the peer may use, the best first (RFC 6458 section 8.1.17)."""

    shmac_num_idents: CountU32 = 0
    shmac_idents: TailU16 = field(default_factory=list)


@dataclass(slots=True)
class AuthKeyId(CStruct):
    """SCTP_AUTH_ACTIVE_KEY, _DEACTIVATE_KEY, _DELETE_KEY: which key.

    RFC 6458 sections 8.1.18, 8.3.4, 8.3.5.
    """

    scact_assoc_id: AssocId = 0
    scact_keynumber: U16 = 0


@dataclass(slots=True)
class SackInfo(CStruct):
    """SCTP_DELAYED_SACK: the delay, and the packets for one SACK; 1: no delay (RFC 6458 section 8.1.19)."""

    sack_assoc_id: AssocId = 0
    sack_delay: U32 = 0
    sack_freq: U32 = 0


@dataclass(slots=True)
class AssocValue(CStruct):
    """SCTP_MAXSEG, SCTP_MAX_BURST, SCTP_CONTEXT and every option that is one number of an association.

    RFC 6458 sections 8.1.16, 8.1.24, 8.1.25; RFC 6525 section 6.3.1; RFC 7496 section 4.5; RFC 7829 section
    7.3; RFC 8260 sections 4.3.1, 4.3.2.
    """

    assoc_id: AssocId = 0
    assoc_value: U32 = 0


@dataclass(slots=True)
class DefaultPrInfo(CStruct):
    """SCTP_DEFAULT_PRINFO: the PR-SCTP policy of messages that name none (RFC 6458 section 8.1.32).

    ``pr_value`` as in ``PrInfo``.
    """

    pr_assoc_id: AssocId = 0
    pr_value: U32 = 0
    pr_policy: U16 = 0


@dataclass(slots=True)
class PaddrInfo(CStruct):
    """SCTP_GET_PEER_ADDR_INFO: state, congestion window, SRTT, RTO and path MTU (RFC 6458 section 8.2.2)."""

    PACKED = True

    spinfo_assoc_id: AssocId = 0
    spinfo_address: Storage = None
    spinfo_state: I32 = 0
    spinfo_cwnd: U32 = 0
    spinfo_srtt: U32 = 0
    spinfo_rto: U32 = 0
    spinfo_mtu: U32 = 0


@dataclass(slots=True)
class Status(CStruct):
    """SCTP_STATUS: an association at a glance (RFC 6458 section 8.2.1).

    ``sstat_unackdata`` and ``sstat_penddata`` are numbers of DATA chunks: sent and not acknowledged,
    received and not read.
    """

    sstat_assoc_id: AssocId = 0
    sstat_state: I32 = 0
    sstat_rwnd: U32 = 0
    sstat_unackdata: U16 = 0
    sstat_penddata: U16 = 0
    sstat_instrms: U16 = 0
    sstat_outstrms: U16 = 0
    sstat_fragmentation_point: U32 = 0
    sstat_primary: PaddrInfo = field(default_factory=PaddrInfo)


@dataclass(slots=True)
class AuthChunks(CStruct):
    """SCTP_PEER_AUTH_CHUNKS and SCTP_LOCAL_AUTH_CHUNKS: chunk types, a byte each.

    RFC 6458 sections 8.2.3, 8.2.4.
    """

    gauth_assoc_id: AssocId = 0
    gauth_number_of_chunks: CountU32 = 0
    gauth_chunks: TailBytes = b""


@dataclass(slots=True)
class AssocIds(CStruct):
    """SCTP_GET_ASSOC_ID_LIST: the associations of a one-to-many socket (RFC 6458 section 8.2.6)."""

    gaids_number_of_ids: CountU32 = 0
    gaids_assoc_id: TailI32 = field(default_factory=list)


@dataclass(slots=True)
class AuthChunk(CStruct):
    """SCTP_AUTH_CHUNK: a chunk type to accept only when authenticated (RFC 6458 section 8.3.2)."""

    sauth_chunk: U8 = 0


@dataclass(slots=True)
class AuthKey(CStruct):
    """SCTP_AUTH_KEY: a shared key (RFC 6458 section 8.3.3)."""

    sca_assoc_id: AssocId = 0
    sca_keynumber: U16 = 0
    sca_keylength: CountU16 = 0
    sca_key: TailBytes = b""


@dataclass(slots=True)
class ResetStreams(CStruct):
    """SCTP_RESET_STREAMS: the streams to reset, in which direction; none listed: all.

    RFC 6525 section 6.3.2.
    """

    srs_assoc_id: AssocId = 0
    srs_flags: U16 = 0
    srs_number_streams: CountU16 = 0
    srs_stream_list: TailU16 = field(default_factory=list)


@dataclass(slots=True)
class AddStreams(CStruct):
    """SCTP_ADD_STREAMS: how many streams to add in each direction (RFC 6525 section 6.3.4)."""

    sas_assoc_id: AssocId = 0
    sas_instrms: U16 = 0
    sas_outstrms: U16 = 0


@dataclass(slots=True)
class UdpEncaps(CStruct):
    """SCTP_REMOTE_UDP_ENCAPS_PORT: the UDP port of a peer address (RFC 6951 section 6.1).

    ``sue_port`` is in network byte order, as the RFC has it: ``htons(9899)``. 0: no UDP encapsulation.
    """

    sue_assoc_id: AssocId = 0
    sue_address: Storage = None
    sue_port: U16 = 0


@dataclass(slots=True)
class PaddrThlds(CStruct):
    """SCTP_PEER_ADDR_THLDS: timeouts until a path is inactive, and until it is PF (RFC 7829 section 7.2)."""

    spt_assoc_id: AssocId = 0
    spt_address: Storage = None
    spt_pathmaxrxt: U16 = 0
    spt_pathpfthld: U16 = 0


@dataclass(slots=True)
class PaddrThldsV2(CStruct):
    """SCTP_PEER_ADDR_THLDS_V2: with the threshold of Primary Path Switchover; 0xFFFF: never.

    RFC 7829 section 7.2.
    """

    spt_assoc_id: AssocId = 0
    spt_address: Storage = None
    spt_pathmaxrxt: U16 = 0
    spt_pathpfthld: U16 = 0
    spt_pathcpthld: U16 = 0


@dataclass(slots=True)
class PrStatus(CStruct):
    """SCTP_PR_STREAM_STATUS, SCTP_PR_ASSOC_STATUS: messages abandoned under a policy.

    RFC 7496 sections 4.3, 4.4.
    """

    sprstat_assoc_id: AssocId = 0
    sprstat_sid: U16 = 0
    sprstat_policy: U16 = 0
    sprstat_abandoned_unsent: U64 = 0
    sprstat_abandoned_sent: U64 = 0


@dataclass(slots=True)
class StreamValue(CStruct):
    """SCTP_STREAM_SCHEDULER_VALUE: the priority or weight of a stream (RFC 8260 section 4.3.3)."""

    assoc_id: AssocId = 0
    stream_id: U16 = 0
    stream_value: U16 = 0


@dataclass(slots=True)
class ProbeInterval(CStruct):
    """SCTP_PLPMTUD_PROBE_INTERVAL: between probes of the path MTU (RFC 8899); 0: none. Linux's own option."""

    spi_assoc_id: AssocId = 0
    spi_address: Storage = None
    spi_interval: U32 = 0


@dataclass(slots=True)
class AssocStats(CStruct):
    """SCTP_GET_ASSOC_STATS, Linux's own: counters, and the largest RTO since they were last read."""

    sas_assoc_id: AssocId = 0
    sas_obs_rto_ipaddr: Storage = None
    sas_maxrto: U64 = 0
    sas_isacks: U64 = 0
    sas_osacks: U64 = 0
    sas_opackets: U64 = 0
    sas_ipackets: U64 = 0
    sas_rtxchunks: U64 = 0
    sas_outofseqtsns: U64 = 0
    sas_idupchunks: U64 = 0
    sas_gapcnt: U64 = 0
    sas_ouodchunks: U64 = 0
    sas_iuodchunks: U64 = 0
    sas_oodchunks: U64 = 0
    sas_iodchunks: U64 = 0
    sas_octrlchunks: U64 = 0
    sas_ictrlchunks: U64 = 0


@dataclass(slots=True)
class GetAddrs(CStruct):
    """SCTP_GET_PEER_ADDRS, SCTP_GET_LOCAL_ADDRS: what is behind ``sctp_getpaddrs()`` in Linux.

    RFC 6458 section 9.3.
    """

    assoc_id: AssocId = 0
    addr_num: CountU32 = 0
    addrs: TailAddresses = field(default_factory=list)


@dataclass(slots=True)
class PeeloffArg(CStruct):
    """SCTP_SOCKOPT_PEELOFF: what is behind ``sctp_peeloff()`` in Linux (RFC 6458 section 9.2).

    ``associd`` names the association, ``sd`` is the descriptor of its new socket.
    """

    associd: AssocId = 0
    sd: I32 = 0


@dataclass(slots=True)
class PeeloffFlagsArg(CStruct):
    """SCTP_SOCKOPT_PEELOFF_FLAGS, Linux's own: the same with SOCK_NONBLOCK and SOCK_CLOEXEC in ``flags``."""

    p_arg: PeeloffArg = field(default_factory=PeeloffArg)
    flags: U32 = 0
