/*
 * What the C compiler makes of the sockets API's structs and constants, one a line, for tests/unit/test_abi.py:
 *
 *   struct CLASS SIZE TYPE                             sizeof, and what C calls it
 *   integer CLASS MEMBER OFFSET SIZE SIGNED VALUE      a member that is a number, and the number in the bytes below
 *   length, count CLASS MEMBER OFFSET SIZE SIGNED      the same of the bytes with the tail, and of its elements
 *   member CLASS MEMBER OFFSET SIZE INNER              a member that is an address (INNER: -) or a struct
 *   tail CLASS MEMBER OFFSET SIZE VALUES               a flexible array member, the size of its elements, two of them
 *   bytes CLASS HEX                                    the struct with these values, and with its tail
 *   constant NAME VALUE
 *
 * CLASS is the name of the dataclass in pysctpstack.structs. Every address is [2001:db8::1]:0xFEDC with flowinfo
 * 0xABCDE and scope_id 0x01020304, a nested struct has the bytes of its own line, and the tail of addresses is one.
 * Everything comes from <linux/sctp.h> of Linux 5.14 or later; what only the C library has comes from
 * <netinet/sctp.h>, and is left out where that is not installed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/sctp.h>
#include <linux/version.h>

#if __has_include(<netinet/sctp.h>)
#include <netinet/sctp.h>
#define HAVE_NETINET_SCTP 1
#else
#define HAVE_NETINET_SCTP 0
#endif

/* <linux/sctp.h> gives no name to what every notification begins with. */
typedef __typeof__(((union sctp_notification *)0)->sn_header) sn_header;

/* The struct that is being described, and those before it, which it may hold. */
static struct filled {
    const char *class;
    size_t size, length_at, count_at, count_size;
    uint32_t elements;
    _Alignas(8) unsigned char bytes[512];
} filled[100], *current = filled;

static void finish(void)
{
    uint32_t length = current->size;
    uint16_t few = current->elements;

    if (current->length_at)
        memcpy(current->bytes + current->length_at, &length, sizeof(length));
    if (current->count_size == sizeof(few))
        memcpy(current->bytes + current->count_at, &few, sizeof(few));
    else if (current->count_size)
        memcpy(current->bytes + current->count_at, &current->elements, sizeof(current->elements));
    printf("bytes %s ", current->class);
    for (size_t at = 0; at < current->size; at++)
        printf("%02x", current->bytes[at]);
    printf("\n");
}

static void begin(const char *class, size_t size)
{
    if (current->class) {
        finish();
        current++;
    }
    current->class = class;
    current->size = size;
}

/* A number that no other member of the struct has, whatever its size, with the highest bit set. */
static uint64_t next(void)
{
    static const struct filled *of;
    static uint64_t value;

    value = of == current ? value + 0x0101010101010101 : 0x8182838485868788;
    of = current;
    return value;
}

static size_t put_address(size_t offset)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(0xFEDC)};

    address.sin6_flowinfo = htonl(0xABCDE);
    address.sin6_scope_id = 0x01020304;
    if (inet_pton(AF_INET6, "2001:db8::1", &address.sin6_addr) != 1)
        abort();
    memcpy(current->bytes + offset, &address, sizeof(address));
    return sizeof(address);
}

static void put_struct(size_t offset, const char *class)
{
    for (const struct filled *inner = filled; inner < current; inner++)
        if (strcmp(inner->class, class) == 0) {
            memcpy(current->bytes + offset, inner->bytes, inner->size);
            return;
        }
    fprintf(stderr, "%s must come before %s\n", class, current->class);
    abort();
}

#define AT(type, name) (((type *)0)->name)
#define SIGNED(type, name) ((__typeof__(AT(type, name)))-1 < 1)
#define PUT(type, name) (((type *)current->bytes)->name = (__typeof__(AT(type, name)))next())
#define PLACE(kind, class, type, name)                                                          \
    printf("%s %s %s %zu %zu", kind, #class, #name, offsetof(type, name), sizeof(AT(type, name)))
#define STRUCT(class, type)                                                                     \
    begin(#class, sizeof(type));                                                                \
    printf("struct %s %zu %s\n", #class, sizeof(type), #type)
#define INTEGER(class, type, name)                                                              \
    PLACE("integer", class, type, name);                                                        \
    printf(" %d %lld\n", SIGNED(type, name), (long long)PUT(type, name))
#define LENGTH(class, type, name)                                                               \
    PLACE("length", class, type, name);                                                         \
    printf(" %d\n", SIGNED(type, name));                                                        \
    current->length_at = offsetof(type, name)
#define COUNT(class, type, name)                                                                \
    PLACE("count", class, type, name);                                                          \
    printf(" %d\n", SIGNED(type, name));                                                        \
    current->count_at = offsetof(type, name);                                                   \
    current->count_size = sizeof(AT(type, name))
#define ADDRESS(class, type, name)                                                              \
    PLACE("member", class, type, name);                                                         \
    printf(" -\n");                                                                             \
    put_address(offsetof(type, name))
#define NESTED(class, type, name, inner)                                                        \
    PLACE("member", class, type, name);                                                         \
    printf(" %s\n", #inner);                                                                    \
    put_struct(offsetof(type, name), #inner)
#define TAIL(class, type, name)                                                                 \
    printf("tail %s %s %zu %zu", #class, #name, offsetof(type, name), sizeof(AT(type, name)[0])); \
    printf(" %lld", (long long)PUT(type, name[0]));                                             \
    printf(" %lld\n", (long long)PUT(type, name[1]));                                           \
    current->size = offsetof(type, name[2]);                                                    \
    current->elements = 2
#define ADDRESSES(class, type, name)                                                            \
    printf("tail %s %s %zu %zu\n", #class, #name, offsetof(type, name), sizeof(AT(type, name)[0])); \
    current->size += put_address(offsetof(type, name));                                         \
    current->elements = 1
#define CONSTANT(name) printf("constant %s %ld\n", #name, (long)(name))

static void structs(void)
{
    STRUCT(InitMsg, struct sctp_initmsg);
    INTEGER(InitMsg, struct sctp_initmsg, sinit_num_ostreams);
    INTEGER(InitMsg, struct sctp_initmsg, sinit_max_instreams);
    INTEGER(InitMsg, struct sctp_initmsg, sinit_max_attempts);
    INTEGER(InitMsg, struct sctp_initmsg, sinit_max_init_timeo);

    STRUCT(SndRcvInfo, struct sctp_sndrcvinfo);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_stream);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_ssn);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_flags);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_ppid);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_context);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_timetolive);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_tsn);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_cumtsn);
    INTEGER(SndRcvInfo, struct sctp_sndrcvinfo, sinfo_assoc_id);

    STRUCT(SndInfo, struct sctp_sndinfo);
    INTEGER(SndInfo, struct sctp_sndinfo, snd_sid);
    INTEGER(SndInfo, struct sctp_sndinfo, snd_flags);
    INTEGER(SndInfo, struct sctp_sndinfo, snd_ppid);
    INTEGER(SndInfo, struct sctp_sndinfo, snd_context);
    INTEGER(SndInfo, struct sctp_sndinfo, snd_assoc_id);

    STRUCT(RcvInfo, struct sctp_rcvinfo);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_sid);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_ssn);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_flags);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_ppid);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_tsn);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_cumtsn);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_context);
    INTEGER(RcvInfo, struct sctp_rcvinfo, rcv_assoc_id);

    STRUCT(NxtInfo, struct sctp_nxtinfo);
    INTEGER(NxtInfo, struct sctp_nxtinfo, nxt_sid);
    INTEGER(NxtInfo, struct sctp_nxtinfo, nxt_flags);
    INTEGER(NxtInfo, struct sctp_nxtinfo, nxt_ppid);
    INTEGER(NxtInfo, struct sctp_nxtinfo, nxt_length);
    INTEGER(NxtInfo, struct sctp_nxtinfo, nxt_assoc_id);

    STRUCT(PrInfo, struct sctp_prinfo);
    INTEGER(PrInfo, struct sctp_prinfo, pr_policy);
    INTEGER(PrInfo, struct sctp_prinfo, pr_value);

    STRUCT(AuthInfo, struct sctp_authinfo);
    INTEGER(AuthInfo, struct sctp_authinfo, auth_keynumber);

    STRUCT(EventSubscribe, struct sctp_event_subscribe);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_data_io_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_association_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_address_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_send_failure_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_peer_error_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_shutdown_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_partial_delivery_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_adaptation_layer_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_authentication_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_sender_dry_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_stream_reset_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_assoc_reset_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_stream_change_event);
    INTEGER(EventSubscribe, struct sctp_event_subscribe, sctp_send_failure_event_event);

    STRUCT(Event, struct sctp_event);
    INTEGER(Event, struct sctp_event, se_assoc_id);
    INTEGER(Event, struct sctp_event, se_type);
    INTEGER(Event, struct sctp_event, se_on);

    STRUCT(RtoInfo, struct sctp_rtoinfo);
    INTEGER(RtoInfo, struct sctp_rtoinfo, srto_assoc_id);
    INTEGER(RtoInfo, struct sctp_rtoinfo, srto_initial);
    INTEGER(RtoInfo, struct sctp_rtoinfo, srto_max);
    INTEGER(RtoInfo, struct sctp_rtoinfo, srto_min);

    STRUCT(AssocParams, struct sctp_assocparams);
    INTEGER(AssocParams, struct sctp_assocparams, sasoc_assoc_id);
    INTEGER(AssocParams, struct sctp_assocparams, sasoc_asocmaxrxt);
    INTEGER(AssocParams, struct sctp_assocparams, sasoc_number_peer_destinations);
    INTEGER(AssocParams, struct sctp_assocparams, sasoc_peer_rwnd);
    INTEGER(AssocParams, struct sctp_assocparams, sasoc_local_rwnd);
    INTEGER(AssocParams, struct sctp_assocparams, sasoc_cookie_life);

    STRUCT(Prim, struct sctp_prim);
    INTEGER(Prim, struct sctp_prim, ssp_assoc_id);
    ADDRESS(Prim, struct sctp_prim, ssp_addr);

    STRUCT(SetPeerPrim, struct sctp_setpeerprim);
    INTEGER(SetPeerPrim, struct sctp_setpeerprim, sspp_assoc_id);
    ADDRESS(SetPeerPrim, struct sctp_setpeerprim, sspp_addr);

    STRUCT(SetAdaptation, struct sctp_setadaptation);
    INTEGER(SetAdaptation, struct sctp_setadaptation, ssb_adaptation_ind);

    STRUCT(PaddrParams, struct sctp_paddrparams);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_assoc_id);
    ADDRESS(PaddrParams, struct sctp_paddrparams, spp_address);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_hbinterval);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_pathmaxrxt);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_pathmtu);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_sackdelay);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_flags);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_ipv6_flowlabel);
    INTEGER(PaddrParams, struct sctp_paddrparams, spp_dscp);

    STRUCT(HmacAlgo, struct sctp_hmacalgo);
    COUNT(HmacAlgo, struct sctp_hmacalgo, shmac_num_idents);
    TAIL(HmacAlgo, struct sctp_hmacalgo, shmac_idents);

    STRUCT(AuthKeyId, struct sctp_authkeyid);
    INTEGER(AuthKeyId, struct sctp_authkeyid, scact_assoc_id);
    INTEGER(AuthKeyId, struct sctp_authkeyid, scact_keynumber);

    STRUCT(SackInfo, struct sctp_sack_info);
    INTEGER(SackInfo, struct sctp_sack_info, sack_assoc_id);
    INTEGER(SackInfo, struct sctp_sack_info, sack_delay);
    INTEGER(SackInfo, struct sctp_sack_info, sack_freq);

    STRUCT(AssocValue, struct sctp_assoc_value);
    INTEGER(AssocValue, struct sctp_assoc_value, assoc_id);
    INTEGER(AssocValue, struct sctp_assoc_value, assoc_value);

    STRUCT(DefaultPrInfo, struct sctp_default_prinfo);
    INTEGER(DefaultPrInfo, struct sctp_default_prinfo, pr_assoc_id);
    INTEGER(DefaultPrInfo, struct sctp_default_prinfo, pr_value);
    INTEGER(DefaultPrInfo, struct sctp_default_prinfo, pr_policy);

    STRUCT(PaddrInfo, struct sctp_paddrinfo);
    INTEGER(PaddrInfo, struct sctp_paddrinfo, spinfo_assoc_id);
    ADDRESS(PaddrInfo, struct sctp_paddrinfo, spinfo_address);
    INTEGER(PaddrInfo, struct sctp_paddrinfo, spinfo_state);
    INTEGER(PaddrInfo, struct sctp_paddrinfo, spinfo_cwnd);
    INTEGER(PaddrInfo, struct sctp_paddrinfo, spinfo_srtt);
    INTEGER(PaddrInfo, struct sctp_paddrinfo, spinfo_rto);
    INTEGER(PaddrInfo, struct sctp_paddrinfo, spinfo_mtu);

    STRUCT(Status, struct sctp_status);
    INTEGER(Status, struct sctp_status, sstat_assoc_id);
    INTEGER(Status, struct sctp_status, sstat_state);
    INTEGER(Status, struct sctp_status, sstat_rwnd);
    INTEGER(Status, struct sctp_status, sstat_unackdata);
    INTEGER(Status, struct sctp_status, sstat_penddata);
    INTEGER(Status, struct sctp_status, sstat_instrms);
    INTEGER(Status, struct sctp_status, sstat_outstrms);
    INTEGER(Status, struct sctp_status, sstat_fragmentation_point);
    NESTED(Status, struct sctp_status, sstat_primary, PaddrInfo);

    STRUCT(AuthChunks, struct sctp_authchunks);
    INTEGER(AuthChunks, struct sctp_authchunks, gauth_assoc_id);
    COUNT(AuthChunks, struct sctp_authchunks, gauth_number_of_chunks);
    TAIL(AuthChunks, struct sctp_authchunks, gauth_chunks);

    STRUCT(AssocIds, struct sctp_assoc_ids);
    COUNT(AssocIds, struct sctp_assoc_ids, gaids_number_of_ids);
    TAIL(AssocIds, struct sctp_assoc_ids, gaids_assoc_id);

    STRUCT(AuthChunk, struct sctp_authchunk);
    INTEGER(AuthChunk, struct sctp_authchunk, sauth_chunk);

    STRUCT(AuthKey, struct sctp_authkey);
    INTEGER(AuthKey, struct sctp_authkey, sca_assoc_id);
    INTEGER(AuthKey, struct sctp_authkey, sca_keynumber);
    COUNT(AuthKey, struct sctp_authkey, sca_keylength);
    TAIL(AuthKey, struct sctp_authkey, sca_key);

    STRUCT(ResetStreams, struct sctp_reset_streams);
    INTEGER(ResetStreams, struct sctp_reset_streams, srs_assoc_id);
    INTEGER(ResetStreams, struct sctp_reset_streams, srs_flags);
    COUNT(ResetStreams, struct sctp_reset_streams, srs_number_streams);
    TAIL(ResetStreams, struct sctp_reset_streams, srs_stream_list);

    STRUCT(AddStreams, struct sctp_add_streams);
    INTEGER(AddStreams, struct sctp_add_streams, sas_assoc_id);
    INTEGER(AddStreams, struct sctp_add_streams, sas_instrms);
    INTEGER(AddStreams, struct sctp_add_streams, sas_outstrms);

    STRUCT(UdpEncaps, struct sctp_udpencaps);
    INTEGER(UdpEncaps, struct sctp_udpencaps, sue_assoc_id);
    ADDRESS(UdpEncaps, struct sctp_udpencaps, sue_address);
    INTEGER(UdpEncaps, struct sctp_udpencaps, sue_port);

    STRUCT(PaddrThlds, struct sctp_paddrthlds);
    INTEGER(PaddrThlds, struct sctp_paddrthlds, spt_assoc_id);
    ADDRESS(PaddrThlds, struct sctp_paddrthlds, spt_address);
    INTEGER(PaddrThlds, struct sctp_paddrthlds, spt_pathmaxrxt);
    INTEGER(PaddrThlds, struct sctp_paddrthlds, spt_pathpfthld);

    STRUCT(PaddrThldsV2, struct sctp_paddrthlds_v2);
    INTEGER(PaddrThldsV2, struct sctp_paddrthlds_v2, spt_assoc_id);
    ADDRESS(PaddrThldsV2, struct sctp_paddrthlds_v2, spt_address);
    INTEGER(PaddrThldsV2, struct sctp_paddrthlds_v2, spt_pathmaxrxt);
    INTEGER(PaddrThldsV2, struct sctp_paddrthlds_v2, spt_pathpfthld);
    INTEGER(PaddrThldsV2, struct sctp_paddrthlds_v2, spt_pathcpthld);

    STRUCT(PrStatus, struct sctp_prstatus);
    INTEGER(PrStatus, struct sctp_prstatus, sprstat_assoc_id);
    INTEGER(PrStatus, struct sctp_prstatus, sprstat_sid);
    INTEGER(PrStatus, struct sctp_prstatus, sprstat_policy);
    INTEGER(PrStatus, struct sctp_prstatus, sprstat_abandoned_unsent);
    INTEGER(PrStatus, struct sctp_prstatus, sprstat_abandoned_sent);

    STRUCT(StreamValue, struct sctp_stream_value);
    INTEGER(StreamValue, struct sctp_stream_value, assoc_id);
    INTEGER(StreamValue, struct sctp_stream_value, stream_id);
    INTEGER(StreamValue, struct sctp_stream_value, stream_value);

    STRUCT(ProbeInterval, struct sctp_probeinterval);
    INTEGER(ProbeInterval, struct sctp_probeinterval, spi_assoc_id);
    ADDRESS(ProbeInterval, struct sctp_probeinterval, spi_address);
    INTEGER(ProbeInterval, struct sctp_probeinterval, spi_interval);

    STRUCT(AssocStats, struct sctp_assoc_stats);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_assoc_id);
    ADDRESS(AssocStats, struct sctp_assoc_stats, sas_obs_rto_ipaddr);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_maxrto);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_isacks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_osacks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_opackets);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_ipackets);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_rtxchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_outofseqtsns);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_idupchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_gapcnt);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_ouodchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_iuodchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_oodchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_iodchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_octrlchunks);
    INTEGER(AssocStats, struct sctp_assoc_stats, sas_ictrlchunks);

    STRUCT(GetAddrs, struct sctp_getaddrs);
    INTEGER(GetAddrs, struct sctp_getaddrs, assoc_id);
    COUNT(GetAddrs, struct sctp_getaddrs, addr_num);
    ADDRESSES(GetAddrs, struct sctp_getaddrs, addrs);

    STRUCT(PeeloffArg, sctp_peeloff_arg_t);
    INTEGER(PeeloffArg, sctp_peeloff_arg_t, associd);
    INTEGER(PeeloffArg, sctp_peeloff_arg_t, sd);

    STRUCT(PeeloffFlagsArg, sctp_peeloff_flags_arg_t);
    NESTED(PeeloffFlagsArg, sctp_peeloff_flags_arg_t, p_arg, PeeloffArg);
    INTEGER(PeeloffFlagsArg, sctp_peeloff_flags_arg_t, flags);

    STRUCT(Tlv, sn_header);
    INTEGER(Tlv, sn_header, sn_type);
    INTEGER(Tlv, sn_header, sn_flags);
    INTEGER(Tlv, sn_header, sn_length);

    STRUCT(AssocChange, struct sctp_assoc_change);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_type);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_flags);
    LENGTH(AssocChange, struct sctp_assoc_change, sac_length);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_state);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_error);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_outbound_streams);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_inbound_streams);
    INTEGER(AssocChange, struct sctp_assoc_change, sac_assoc_id);
    TAIL(AssocChange, struct sctp_assoc_change, sac_info);

    STRUCT(PaddrChange, struct sctp_paddr_change);
    INTEGER(PaddrChange, struct sctp_paddr_change, spc_type);
    INTEGER(PaddrChange, struct sctp_paddr_change, spc_flags);
    LENGTH(PaddrChange, struct sctp_paddr_change, spc_length);
    ADDRESS(PaddrChange, struct sctp_paddr_change, spc_aaddr);
    INTEGER(PaddrChange, struct sctp_paddr_change, spc_state);
    INTEGER(PaddrChange, struct sctp_paddr_change, spc_error);
    INTEGER(PaddrChange, struct sctp_paddr_change, spc_assoc_id);

    STRUCT(RemoteError, struct sctp_remote_error);
    INTEGER(RemoteError, struct sctp_remote_error, sre_type);
    INTEGER(RemoteError, struct sctp_remote_error, sre_flags);
    LENGTH(RemoteError, struct sctp_remote_error, sre_length);
    INTEGER(RemoteError, struct sctp_remote_error, sre_error);
    INTEGER(RemoteError, struct sctp_remote_error, sre_assoc_id);
    TAIL(RemoteError, struct sctp_remote_error, sre_data);

    STRUCT(SendFailed, struct sctp_send_failed);
    INTEGER(SendFailed, struct sctp_send_failed, ssf_type);
    INTEGER(SendFailed, struct sctp_send_failed, ssf_flags);
    LENGTH(SendFailed, struct sctp_send_failed, ssf_length);
    INTEGER(SendFailed, struct sctp_send_failed, ssf_error);
    NESTED(SendFailed, struct sctp_send_failed, ssf_info, SndRcvInfo);
    INTEGER(SendFailed, struct sctp_send_failed, ssf_assoc_id);
    TAIL(SendFailed, struct sctp_send_failed, ssf_data);

    STRUCT(SendFailedEvent, struct sctp_send_failed_event);
    INTEGER(SendFailedEvent, struct sctp_send_failed_event, ssf_type);
    INTEGER(SendFailedEvent, struct sctp_send_failed_event, ssf_flags);
    LENGTH(SendFailedEvent, struct sctp_send_failed_event, ssf_length);
    INTEGER(SendFailedEvent, struct sctp_send_failed_event, ssf_error);
    NESTED(SendFailedEvent, struct sctp_send_failed_event, ssfe_info, SndInfo);
    INTEGER(SendFailedEvent, struct sctp_send_failed_event, ssf_assoc_id);
    TAIL(SendFailedEvent, struct sctp_send_failed_event, ssf_data);

    STRUCT(ShutdownEvent, struct sctp_shutdown_event);
    INTEGER(ShutdownEvent, struct sctp_shutdown_event, sse_type);
    INTEGER(ShutdownEvent, struct sctp_shutdown_event, sse_flags);
    LENGTH(ShutdownEvent, struct sctp_shutdown_event, sse_length);
    INTEGER(ShutdownEvent, struct sctp_shutdown_event, sse_assoc_id);

    STRUCT(AdaptationEvent, struct sctp_adaptation_event);
    INTEGER(AdaptationEvent, struct sctp_adaptation_event, sai_type);
    INTEGER(AdaptationEvent, struct sctp_adaptation_event, sai_flags);
    LENGTH(AdaptationEvent, struct sctp_adaptation_event, sai_length);
    INTEGER(AdaptationEvent, struct sctp_adaptation_event, sai_adaptation_ind);
    INTEGER(AdaptationEvent, struct sctp_adaptation_event, sai_assoc_id);

    STRUCT(PdapiEvent, struct sctp_pdapi_event);
    INTEGER(PdapiEvent, struct sctp_pdapi_event, pdapi_type);
    INTEGER(PdapiEvent, struct sctp_pdapi_event, pdapi_flags);
    LENGTH(PdapiEvent, struct sctp_pdapi_event, pdapi_length);
    INTEGER(PdapiEvent, struct sctp_pdapi_event, pdapi_indication);
    INTEGER(PdapiEvent, struct sctp_pdapi_event, pdapi_assoc_id);
    INTEGER(PdapiEvent, struct sctp_pdapi_event, pdapi_stream);
    INTEGER(PdapiEvent, struct sctp_pdapi_event, pdapi_seq);

    STRUCT(AuthkeyEvent, struct sctp_authkey_event);
    INTEGER(AuthkeyEvent, struct sctp_authkey_event, auth_type);
    INTEGER(AuthkeyEvent, struct sctp_authkey_event, auth_flags);
    LENGTH(AuthkeyEvent, struct sctp_authkey_event, auth_length);
    INTEGER(AuthkeyEvent, struct sctp_authkey_event, auth_keynumber);
    INTEGER(AuthkeyEvent, struct sctp_authkey_event, auth_altkeynumber);
    INTEGER(AuthkeyEvent, struct sctp_authkey_event, auth_indication);
    INTEGER(AuthkeyEvent, struct sctp_authkey_event, auth_assoc_id);

    STRUCT(SenderDryEvent, struct sctp_sender_dry_event);
    INTEGER(SenderDryEvent, struct sctp_sender_dry_event, sender_dry_type);
    INTEGER(SenderDryEvent, struct sctp_sender_dry_event, sender_dry_flags);
    LENGTH(SenderDryEvent, struct sctp_sender_dry_event, sender_dry_length);
    INTEGER(SenderDryEvent, struct sctp_sender_dry_event, sender_dry_assoc_id);

    STRUCT(StreamResetEvent, struct sctp_stream_reset_event);
    INTEGER(StreamResetEvent, struct sctp_stream_reset_event, strreset_type);
    INTEGER(StreamResetEvent, struct sctp_stream_reset_event, strreset_flags);
    LENGTH(StreamResetEvent, struct sctp_stream_reset_event, strreset_length);
    INTEGER(StreamResetEvent, struct sctp_stream_reset_event, strreset_assoc_id);
    TAIL(StreamResetEvent, struct sctp_stream_reset_event, strreset_stream_list);

    STRUCT(AssocResetEvent, struct sctp_assoc_reset_event);
    INTEGER(AssocResetEvent, struct sctp_assoc_reset_event, assocreset_type);
    INTEGER(AssocResetEvent, struct sctp_assoc_reset_event, assocreset_flags);
    LENGTH(AssocResetEvent, struct sctp_assoc_reset_event, assocreset_length);
    INTEGER(AssocResetEvent, struct sctp_assoc_reset_event, assocreset_assoc_id);
    INTEGER(AssocResetEvent, struct sctp_assoc_reset_event, assocreset_local_tsn);
    INTEGER(AssocResetEvent, struct sctp_assoc_reset_event, assocreset_remote_tsn);

    STRUCT(StreamChangeEvent, struct sctp_stream_change_event);
    INTEGER(StreamChangeEvent, struct sctp_stream_change_event, strchange_type);
    INTEGER(StreamChangeEvent, struct sctp_stream_change_event, strchange_flags);
    LENGTH(StreamChangeEvent, struct sctp_stream_change_event, strchange_length);
    INTEGER(StreamChangeEvent, struct sctp_stream_change_event, strchange_assoc_id);
    INTEGER(StreamChangeEvent, struct sctp_stream_change_event, strchange_instrms);
    INTEGER(StreamChangeEvent, struct sctp_stream_change_event, strchange_outstrms);

#if HAVE_NETINET_SCTP
    STRUCT(SendvSpa, struct sctp_sendv_spa);
    INTEGER(SendvSpa, struct sctp_sendv_spa, sendv_flags);
    NESTED(SendvSpa, struct sctp_sendv_spa, sendv_sndinfo, SndInfo);
    NESTED(SendvSpa, struct sctp_sendv_spa, sendv_prinfo, PrInfo);
    NESTED(SendvSpa, struct sctp_sendv_spa, sendv_authinfo, AuthInfo);

    STRUCT(RecvvRn, struct sctp_recvv_rn);
    NESTED(RecvvRn, struct sctp_recvv_rn, recvv_rcvinfo, RcvInfo);
    NESTED(RecvvRn, struct sctp_recvv_rn, recvv_nxtinfo, NxtInfo);
#endif
    finish();
}

static void constants(void)
{
    CONSTANT(IPPROTO_SCTP);
    CONSTANT(MSG_EOR);
    CONSTANT(MSG_NOTIFICATION);
    CONSTANT(SCTP_FUTURE_ASSOC);
    CONSTANT(SCTP_CURRENT_ASSOC);
    CONSTANT(SCTP_ALL_ASSOC);
    CONSTANT(SCTP_INIT);
    CONSTANT(SCTP_SNDRCV);
    CONSTANT(SCTP_SNDINFO);
    CONSTANT(SCTP_RCVINFO);
    CONSTANT(SCTP_NXTINFO);
    CONSTANT(SCTP_PRINFO);
    CONSTANT(SCTP_AUTHINFO);
    CONSTANT(SCTP_DSTADDRV4);
    CONSTANT(SCTP_DSTADDRV6);
    CONSTANT(SCTP_UNORDERED);
    CONSTANT(SCTP_ADDR_OVER);
    CONSTANT(SCTP_ABORT);
    CONSTANT(SCTP_SACK_IMMEDIATELY);
    CONSTANT(SCTP_SENDALL);
    CONSTANT(SCTP_PR_SCTP_ALL);
    CONSTANT(SCTP_EOF);
    CONSTANT(SCTP_NOTIFICATION);
    CONSTANT(SCTP_PR_SCTP_NONE);
    CONSTANT(SCTP_PR_SCTP_TTL);
    CONSTANT(SCTP_PR_SCTP_RTX);
    CONSTANT(SCTP_PR_SCTP_PRIO);
    CONSTANT(SCTP_PR_SCTP_MAX);
    CONSTANT(SCTP_PR_SCTP_MASK);
    CONSTANT(SCTP_RTOINFO);
    CONSTANT(SCTP_ASSOCINFO);
    CONSTANT(SCTP_INITMSG);
    CONSTANT(SCTP_NODELAY);
    CONSTANT(SCTP_AUTOCLOSE);
    CONSTANT(SCTP_SET_PEER_PRIMARY_ADDR);
    CONSTANT(SCTP_PRIMARY_ADDR);
    CONSTANT(SCTP_ADAPTATION_LAYER);
    CONSTANT(SCTP_DISABLE_FRAGMENTS);
    CONSTANT(SCTP_PEER_ADDR_PARAMS);
    CONSTANT(SCTP_DEFAULT_SEND_PARAM);
    CONSTANT(SCTP_EVENTS);
    CONSTANT(SCTP_I_WANT_MAPPED_V4_ADDR);
    CONSTANT(SCTP_MAXSEG);
    CONSTANT(SCTP_STATUS);
    CONSTANT(SCTP_GET_PEER_ADDR_INFO);
    CONSTANT(SCTP_DELAYED_SACK);
    CONSTANT(SCTP_DELAYED_ACK);
    CONSTANT(SCTP_DELAYED_ACK_TIME);
    CONSTANT(SCTP_CONTEXT);
    CONSTANT(SCTP_FRAGMENT_INTERLEAVE);
    CONSTANT(SCTP_PARTIAL_DELIVERY_POINT);
    CONSTANT(SCTP_MAX_BURST);
    CONSTANT(SCTP_AUTH_CHUNK);
    CONSTANT(SCTP_HMAC_IDENT);
    CONSTANT(SCTP_AUTH_KEY);
    CONSTANT(SCTP_AUTH_ACTIVE_KEY);
    CONSTANT(SCTP_AUTH_DELETE_KEY);
    CONSTANT(SCTP_PEER_AUTH_CHUNKS);
    CONSTANT(SCTP_LOCAL_AUTH_CHUNKS);
    CONSTANT(SCTP_GET_ASSOC_NUMBER);
    CONSTANT(SCTP_GET_ASSOC_ID_LIST);
    CONSTANT(SCTP_AUTO_ASCONF);
    CONSTANT(SCTP_RECVRCVINFO);
    CONSTANT(SCTP_RECVNXTINFO);
    CONSTANT(SCTP_DEFAULT_SNDINFO);
    CONSTANT(SCTP_AUTH_DEACTIVATE_KEY);
    CONSTANT(SCTP_REUSE_PORT);
    CONSTANT(SCTP_DEFAULT_PRINFO);
    CONSTANT(SCTP_EVENT);
    CONSTANT(SCTP_PEER_ADDR_THLDS);
    CONSTANT(SCTP_PEER_ADDR_THLDS_V2);
    CONSTANT(SCTP_EXPOSE_POTENTIALLY_FAILED_STATE);
    CONSTANT(SCTP_EXPOSE_PF_STATE);
    CONSTANT(SCTP_PR_SUPPORTED);
    CONSTANT(SCTP_PR_ASSOC_STATUS);
    CONSTANT(SCTP_PR_STREAM_STATUS);
    CONSTANT(SCTP_RECONFIG_SUPPORTED);
    CONSTANT(SCTP_ENABLE_STREAM_RESET);
    CONSTANT(SCTP_RESET_STREAMS);
    CONSTANT(SCTP_RESET_ASSOC);
    CONSTANT(SCTP_ADD_STREAMS);
    CONSTANT(SCTP_ENABLE_RESET_STREAM_REQ);
    CONSTANT(SCTP_ENABLE_RESET_ASSOC_REQ);
    CONSTANT(SCTP_ENABLE_CHANGE_ASSOC_REQ);
    CONSTANT(SCTP_ENABLE_STRRESET_MASK);
    CONSTANT(SCTP_STREAM_RESET_INCOMING);
    CONSTANT(SCTP_STREAM_RESET_OUTGOING);
    CONSTANT(SCTP_STREAM_SCHEDULER);
    CONSTANT(SCTP_STREAM_SCHEDULER_VALUE);
    CONSTANT(SCTP_INTERLEAVING_SUPPORTED);
    CONSTANT(SCTP_SS_FCFS);
    CONSTANT(SCTP_SS_DEFAULT);
    CONSTANT(SCTP_SS_PRIO);
    CONSTANT(SCTP_SS_RR);
    CONSTANT(SCTP_REMOTE_UDP_ENCAPS_PORT);
    CONSTANT(SCTP_GET_ASSOC_STATS);
    CONSTANT(SCTP_SENDMSG_CONNECT);
    CONSTANT(SCTP_ASCONF_SUPPORTED);
    CONSTANT(SCTP_AUTH_SUPPORTED);
    CONSTANT(SCTP_ECN_SUPPORTED);
    CONSTANT(SCTP_PLPMTUD_PROBE_INTERVAL);
    CONSTANT(SCTP_SOCKOPT_BINDX_ADD);
    CONSTANT(SCTP_SOCKOPT_BINDX_REM);
    CONSTANT(SCTP_SOCKOPT_PEELOFF);
    CONSTANT(SCTP_SOCKOPT_CONNECTX_OLD);
    CONSTANT(SCTP_GET_PEER_ADDRS);
    CONSTANT(SCTP_GET_LOCAL_ADDRS);
    CONSTANT(SCTP_SOCKOPT_CONNECTX);
    CONSTANT(SCTP_SOCKOPT_CONNECTX3);
    CONSTANT(SCTP_SOCKOPT_PEELOFF_FLAGS);
    CONSTANT(SCTP_BINDX_ADD_ADDR);
    CONSTANT(SCTP_BINDX_REM_ADDR);
    CONSTANT(SCTP_SN_TYPE_BASE);
    CONSTANT(SCTP_DATA_IO_EVENT);
    CONSTANT(SCTP_ASSOC_CHANGE);
    CONSTANT(SCTP_PEER_ADDR_CHANGE);
    CONSTANT(SCTP_SEND_FAILED);
    CONSTANT(SCTP_REMOTE_ERROR);
    CONSTANT(SCTP_SHUTDOWN_EVENT);
    CONSTANT(SCTP_PARTIAL_DELIVERY_EVENT);
    CONSTANT(SCTP_ADAPTATION_INDICATION);
    CONSTANT(SCTP_AUTHENTICATION_EVENT);
    CONSTANT(SCTP_AUTHENTICATION_INDICATION);
    CONSTANT(SCTP_SENDER_DRY_EVENT);
    CONSTANT(SCTP_STREAM_RESET_EVENT);
    CONSTANT(SCTP_ASSOC_RESET_EVENT);
    CONSTANT(SCTP_STREAM_CHANGE_EVENT);
    CONSTANT(SCTP_SEND_FAILED_EVENT);
    CONSTANT(SCTP_SN_TYPE_MAX);
    CONSTANT(SCTP_COMM_UP);
    CONSTANT(SCTP_COMM_LOST);
    CONSTANT(SCTP_RESTART);
    CONSTANT(SCTP_SHUTDOWN_COMP);
    CONSTANT(SCTP_CANT_STR_ASSOC);
    CONSTANT(SCTP_ADDR_AVAILABLE);
    CONSTANT(SCTP_ADDR_UNREACHABLE);
    CONSTANT(SCTP_ADDR_REMOVED);
    CONSTANT(SCTP_ADDR_ADDED);
    CONSTANT(SCTP_ADDR_MADE_PRIM);
    CONSTANT(SCTP_ADDR_CONFIRMED);
    CONSTANT(SCTP_ADDR_POTENTIALLY_FAILED);
    CONSTANT(SCTP_ADDR_PF);
    CONSTANT(SCTP_FAILED_THRESHOLD);
    CONSTANT(SCTP_RECEIVED_SACK);
    CONSTANT(SCTP_HEARTBEAT_SUCCESS);
    CONSTANT(SCTP_RESPONSE_TO_USER_REQ);
    CONSTANT(SCTP_INTERNAL_ERROR);
    CONSTANT(SCTP_SHUTDOWN_GUARD_EXPIRES);
    CONSTANT(SCTP_PEER_FAULTY);
    CONSTANT(SCTP_DATA_UNSENT);
    CONSTANT(SCTP_DATA_SENT);
    CONSTANT(SCTP_PARTIAL_DELIVERY_ABORTED);
    CONSTANT(SCTP_AUTH_NEW_KEY);
    CONSTANT(SCTP_AUTH_NEWKEY);
    CONSTANT(SCTP_AUTH_FREE_KEY);
    CONSTANT(SCTP_AUTH_NO_AUTH);
    CONSTANT(SCTP_AUTH_HMAC_ID_SHA1);
    CONSTANT(SCTP_AUTH_HMAC_ID_SHA256);
    CONSTANT(SCTP_STREAM_RESET_INCOMING_SSN);
    CONSTANT(SCTP_STREAM_RESET_OUTGOING_SSN);
    CONSTANT(SCTP_STREAM_RESET_DENIED);
    CONSTANT(SCTP_STREAM_RESET_FAILED);
    CONSTANT(SCTP_ASSOC_RESET_DENIED);
    CONSTANT(SCTP_ASSOC_RESET_FAILED);
    CONSTANT(SCTP_ASSOC_CHANGE_DENIED);
    CONSTANT(SCTP_ASSOC_CHANGE_FAILED);
    CONSTANT(SCTP_STREAM_CHANGE_DENIED);
    CONSTANT(SCTP_STREAM_CHANGE_FAILED);
    CONSTANT(SPP_HB_ENABLE);
    CONSTANT(SPP_HB_DISABLE);
    CONSTANT(SPP_HB);
    CONSTANT(SPP_HB_DEMAND);
    CONSTANT(SPP_PMTUD_ENABLE);
    CONSTANT(SPP_PMTUD_DISABLE);
    CONSTANT(SPP_PMTUD);
    CONSTANT(SPP_SACKDELAY_ENABLE);
    CONSTANT(SPP_SACKDELAY_DISABLE);
    CONSTANT(SPP_SACKDELAY);
    CONSTANT(SPP_HB_TIME_IS_ZERO);
    CONSTANT(SPP_IPV6_FLOWLABEL);
    CONSTANT(SPP_DSCP);
    CONSTANT(SCTP_EMPTY);
    CONSTANT(SCTP_CLOSED);
    CONSTANT(SCTP_COOKIE_WAIT);
    CONSTANT(SCTP_COOKIE_ECHOED);
    CONSTANT(SCTP_ESTABLISHED);
    CONSTANT(SCTP_SHUTDOWN_PENDING);
    CONSTANT(SCTP_SHUTDOWN_SENT);
    CONSTANT(SCTP_SHUTDOWN_RECEIVED);
    CONSTANT(SCTP_SHUTDOWN_ACK_SENT);
    CONSTANT(SCTP_INACTIVE);
    CONSTANT(SCTP_PF);
    CONSTANT(SCTP_POTENTIALLY_FAILED);
    CONSTANT(SCTP_ACTIVE);
    CONSTANT(SCTP_UNCONFIRMED);
    CONSTANT(SCTP_UNKNOWN);

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
    CONSTANT(SCTP_SS_FC);
    CONSTANT(SCTP_SS_WFQ);
#endif

#if HAVE_NETINET_SCTP
    CONSTANT(SOL_SCTP);
    CONSTANT(SCTP_SENDV_NOINFO);
    CONSTANT(SCTP_SENDV_SNDINFO);
    CONSTANT(SCTP_SENDV_PRINFO);
    CONSTANT(SCTP_SENDV_AUTHINFO);
    CONSTANT(SCTP_SENDV_SPA);
    CONSTANT(SCTP_SEND_SNDINFO_VALID);
    CONSTANT(SCTP_SEND_PRINFO_VALID);
    CONSTANT(SCTP_SEND_AUTHINFO_VALID);
    CONSTANT(SCTP_RECVV_NOINFO);
    CONSTANT(SCTP_RECVV_RCVINFO);
    CONSTANT(SCTP_RECVV_NXTINFO);
    CONSTANT(SCTP_RECVV_RN);
#endif
}

int main(void)
{
    structs();
    constants();
    return 0;
}
