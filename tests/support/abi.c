/*
 * What the C compiler makes of the sockets API's structs and constants, one a line, for tests/unit/test_abi.py:
 *
 *   struct CLASS SIZE                          sizeof
 *   integer CLASS MEMBER OFFSET SIZE SIGNED    a member that is a number
 *   member CLASS MEMBER OFFSET SIZE            a member that is an address or a struct
 *   tail CLASS MEMBER OFFSET SIZE              a flexible array member, and the size of its elements
 *   constant NAME VALUE
 *
 * CLASS is the name of the dataclass in pysctpstack.structs. Everything comes from <linux/sctp.h> of Linux 5.14
 * or later; what only the C library has comes from <netinet/sctp.h>, and is left out where that is not installed.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <linux/sctp.h>
#include <linux/version.h>

#if __has_include(<netinet/sctp.h>)
#include <netinet/sctp.h>
#define HAVE_NETINET_SCTP 1
#else
#define HAVE_NETINET_SCTP 0
#endif

#define AT(type, name) (((struct type *)0)->name)
#define STRUCT(class, type) printf("struct %s %zu\n", #class, sizeof(struct type))
#define INTEGER(class, type, name)                                                              \
    printf("integer %s %s %zu %zu %d\n", #class, #name, offsetof(struct type, name),            \
           sizeof(AT(type, name)), (__typeof__(AT(type, name)))-1 < 1)
#define MEMBER(class, type, name)                                                               \
    printf("member %s %s %zu %zu\n", #class, #name, offsetof(struct type, name), sizeof(AT(type, name)))
#define TAIL(class, type, name)                                                                 \
    printf("tail %s %s %zu %zu\n", #class, #name, offsetof(struct type, name), sizeof(AT(type, name)[0]))
#define CONSTANT(name) printf("constant %s %ld\n", #name, (long)(name))

static void structs(void)
{
    STRUCT(InitMsg, sctp_initmsg);
    INTEGER(InitMsg, sctp_initmsg, sinit_num_ostreams);
    INTEGER(InitMsg, sctp_initmsg, sinit_max_instreams);
    INTEGER(InitMsg, sctp_initmsg, sinit_max_attempts);
    INTEGER(InitMsg, sctp_initmsg, sinit_max_init_timeo);

    STRUCT(SndRcvInfo, sctp_sndrcvinfo);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_stream);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_ssn);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_flags);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_ppid);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_context);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_timetolive);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_tsn);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_cumtsn);
    INTEGER(SndRcvInfo, sctp_sndrcvinfo, sinfo_assoc_id);

    STRUCT(SndInfo, sctp_sndinfo);
    INTEGER(SndInfo, sctp_sndinfo, snd_sid);
    INTEGER(SndInfo, sctp_sndinfo, snd_flags);
    INTEGER(SndInfo, sctp_sndinfo, snd_ppid);
    INTEGER(SndInfo, sctp_sndinfo, snd_context);
    INTEGER(SndInfo, sctp_sndinfo, snd_assoc_id);

    STRUCT(RcvInfo, sctp_rcvinfo);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_sid);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_ssn);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_flags);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_ppid);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_tsn);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_cumtsn);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_context);
    INTEGER(RcvInfo, sctp_rcvinfo, rcv_assoc_id);

    STRUCT(NxtInfo, sctp_nxtinfo);
    INTEGER(NxtInfo, sctp_nxtinfo, nxt_sid);
    INTEGER(NxtInfo, sctp_nxtinfo, nxt_flags);
    INTEGER(NxtInfo, sctp_nxtinfo, nxt_ppid);
    INTEGER(NxtInfo, sctp_nxtinfo, nxt_length);
    INTEGER(NxtInfo, sctp_nxtinfo, nxt_assoc_id);

    STRUCT(PrInfo, sctp_prinfo);
    INTEGER(PrInfo, sctp_prinfo, pr_policy);
    INTEGER(PrInfo, sctp_prinfo, pr_value);

    STRUCT(AuthInfo, sctp_authinfo);
    INTEGER(AuthInfo, sctp_authinfo, auth_keynumber);

    STRUCT(EventSubscribe, sctp_event_subscribe);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_data_io_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_association_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_address_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_send_failure_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_peer_error_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_shutdown_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_partial_delivery_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_adaptation_layer_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_authentication_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_sender_dry_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_stream_reset_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_assoc_reset_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_stream_change_event);
    INTEGER(EventSubscribe, sctp_event_subscribe, sctp_send_failure_event_event);

    STRUCT(Event, sctp_event);
    INTEGER(Event, sctp_event, se_assoc_id);
    INTEGER(Event, sctp_event, se_type);
    INTEGER(Event, sctp_event, se_on);

    STRUCT(RtoInfo, sctp_rtoinfo);
    INTEGER(RtoInfo, sctp_rtoinfo, srto_assoc_id);
    INTEGER(RtoInfo, sctp_rtoinfo, srto_initial);
    INTEGER(RtoInfo, sctp_rtoinfo, srto_max);
    INTEGER(RtoInfo, sctp_rtoinfo, srto_min);

    STRUCT(AssocParams, sctp_assocparams);
    INTEGER(AssocParams, sctp_assocparams, sasoc_assoc_id);
    INTEGER(AssocParams, sctp_assocparams, sasoc_asocmaxrxt);
    INTEGER(AssocParams, sctp_assocparams, sasoc_number_peer_destinations);
    INTEGER(AssocParams, sctp_assocparams, sasoc_peer_rwnd);
    INTEGER(AssocParams, sctp_assocparams, sasoc_local_rwnd);
    INTEGER(AssocParams, sctp_assocparams, sasoc_cookie_life);

    STRUCT(Prim, sctp_prim);
    INTEGER(Prim, sctp_prim, ssp_assoc_id);
    MEMBER(Prim, sctp_prim, ssp_addr);

    STRUCT(SetPeerPrim, sctp_setpeerprim);
    INTEGER(SetPeerPrim, sctp_setpeerprim, sspp_assoc_id);
    MEMBER(SetPeerPrim, sctp_setpeerprim, sspp_addr);

    STRUCT(SetAdaptation, sctp_setadaptation);
    INTEGER(SetAdaptation, sctp_setadaptation, ssb_adaptation_ind);

    STRUCT(PaddrParams, sctp_paddrparams);
    INTEGER(PaddrParams, sctp_paddrparams, spp_assoc_id);
    MEMBER(PaddrParams, sctp_paddrparams, spp_address);
    INTEGER(PaddrParams, sctp_paddrparams, spp_hbinterval);
    INTEGER(PaddrParams, sctp_paddrparams, spp_pathmaxrxt);
    INTEGER(PaddrParams, sctp_paddrparams, spp_pathmtu);
    INTEGER(PaddrParams, sctp_paddrparams, spp_sackdelay);
    INTEGER(PaddrParams, sctp_paddrparams, spp_flags);
    INTEGER(PaddrParams, sctp_paddrparams, spp_ipv6_flowlabel);
    INTEGER(PaddrParams, sctp_paddrparams, spp_dscp);

    STRUCT(HmacAlgo, sctp_hmacalgo);
    INTEGER(HmacAlgo, sctp_hmacalgo, shmac_num_idents);
    TAIL(HmacAlgo, sctp_hmacalgo, shmac_idents);

    STRUCT(AuthKeyId, sctp_authkeyid);
    INTEGER(AuthKeyId, sctp_authkeyid, scact_assoc_id);
    INTEGER(AuthKeyId, sctp_authkeyid, scact_keynumber);

    STRUCT(SackInfo, sctp_sack_info);
    INTEGER(SackInfo, sctp_sack_info, sack_assoc_id);
    INTEGER(SackInfo, sctp_sack_info, sack_delay);
    INTEGER(SackInfo, sctp_sack_info, sack_freq);

    STRUCT(AssocValue, sctp_assoc_value);
    INTEGER(AssocValue, sctp_assoc_value, assoc_id);
    INTEGER(AssocValue, sctp_assoc_value, assoc_value);

    STRUCT(DefaultPrInfo, sctp_default_prinfo);
    INTEGER(DefaultPrInfo, sctp_default_prinfo, pr_assoc_id);
    INTEGER(DefaultPrInfo, sctp_default_prinfo, pr_value);
    INTEGER(DefaultPrInfo, sctp_default_prinfo, pr_policy);

    STRUCT(PaddrInfo, sctp_paddrinfo);
    INTEGER(PaddrInfo, sctp_paddrinfo, spinfo_assoc_id);
    MEMBER(PaddrInfo, sctp_paddrinfo, spinfo_address);
    INTEGER(PaddrInfo, sctp_paddrinfo, spinfo_state);
    INTEGER(PaddrInfo, sctp_paddrinfo, spinfo_cwnd);
    INTEGER(PaddrInfo, sctp_paddrinfo, spinfo_srtt);
    INTEGER(PaddrInfo, sctp_paddrinfo, spinfo_rto);
    INTEGER(PaddrInfo, sctp_paddrinfo, spinfo_mtu);

    STRUCT(Status, sctp_status);
    INTEGER(Status, sctp_status, sstat_assoc_id);
    INTEGER(Status, sctp_status, sstat_state);
    INTEGER(Status, sctp_status, sstat_rwnd);
    INTEGER(Status, sctp_status, sstat_unackdata);
    INTEGER(Status, sctp_status, sstat_penddata);
    INTEGER(Status, sctp_status, sstat_instrms);
    INTEGER(Status, sctp_status, sstat_outstrms);
    INTEGER(Status, sctp_status, sstat_fragmentation_point);
    MEMBER(Status, sctp_status, sstat_primary);

    STRUCT(AuthChunks, sctp_authchunks);
    INTEGER(AuthChunks, sctp_authchunks, gauth_assoc_id);
    INTEGER(AuthChunks, sctp_authchunks, gauth_number_of_chunks);
    TAIL(AuthChunks, sctp_authchunks, gauth_chunks);

    STRUCT(AssocIds, sctp_assoc_ids);
    INTEGER(AssocIds, sctp_assoc_ids, gaids_number_of_ids);
    TAIL(AssocIds, sctp_assoc_ids, gaids_assoc_id);

    STRUCT(AuthChunk, sctp_authchunk);
    INTEGER(AuthChunk, sctp_authchunk, sauth_chunk);

    STRUCT(AuthKey, sctp_authkey);
    INTEGER(AuthKey, sctp_authkey, sca_assoc_id);
    INTEGER(AuthKey, sctp_authkey, sca_keynumber);
    INTEGER(AuthKey, sctp_authkey, sca_keylength);
    TAIL(AuthKey, sctp_authkey, sca_key);

    STRUCT(ResetStreams, sctp_reset_streams);
    INTEGER(ResetStreams, sctp_reset_streams, srs_assoc_id);
    INTEGER(ResetStreams, sctp_reset_streams, srs_flags);
    INTEGER(ResetStreams, sctp_reset_streams, srs_number_streams);
    TAIL(ResetStreams, sctp_reset_streams, srs_stream_list);

    STRUCT(AddStreams, sctp_add_streams);
    INTEGER(AddStreams, sctp_add_streams, sas_assoc_id);
    INTEGER(AddStreams, sctp_add_streams, sas_instrms);
    INTEGER(AddStreams, sctp_add_streams, sas_outstrms);

    STRUCT(UdpEncaps, sctp_udpencaps);
    INTEGER(UdpEncaps, sctp_udpencaps, sue_assoc_id);
    MEMBER(UdpEncaps, sctp_udpencaps, sue_address);
    INTEGER(UdpEncaps, sctp_udpencaps, sue_port);

    STRUCT(PaddrThlds, sctp_paddrthlds);
    INTEGER(PaddrThlds, sctp_paddrthlds, spt_assoc_id);
    MEMBER(PaddrThlds, sctp_paddrthlds, spt_address);
    INTEGER(PaddrThlds, sctp_paddrthlds, spt_pathmaxrxt);
    INTEGER(PaddrThlds, sctp_paddrthlds, spt_pathpfthld);

    STRUCT(PaddrThldsV2, sctp_paddrthlds_v2);
    INTEGER(PaddrThldsV2, sctp_paddrthlds_v2, spt_assoc_id);
    MEMBER(PaddrThldsV2, sctp_paddrthlds_v2, spt_address);
    INTEGER(PaddrThldsV2, sctp_paddrthlds_v2, spt_pathmaxrxt);
    INTEGER(PaddrThldsV2, sctp_paddrthlds_v2, spt_pathpfthld);
    INTEGER(PaddrThldsV2, sctp_paddrthlds_v2, spt_pathcpthld);

    STRUCT(PrStatus, sctp_prstatus);
    INTEGER(PrStatus, sctp_prstatus, sprstat_assoc_id);
    INTEGER(PrStatus, sctp_prstatus, sprstat_sid);
    INTEGER(PrStatus, sctp_prstatus, sprstat_policy);
    INTEGER(PrStatus, sctp_prstatus, sprstat_abandoned_unsent);
    INTEGER(PrStatus, sctp_prstatus, sprstat_abandoned_sent);

    STRUCT(StreamValue, sctp_stream_value);
    INTEGER(StreamValue, sctp_stream_value, assoc_id);
    INTEGER(StreamValue, sctp_stream_value, stream_id);
    INTEGER(StreamValue, sctp_stream_value, stream_value);

    STRUCT(ProbeInterval, sctp_probeinterval);
    INTEGER(ProbeInterval, sctp_probeinterval, spi_assoc_id);
    MEMBER(ProbeInterval, sctp_probeinterval, spi_address);
    INTEGER(ProbeInterval, sctp_probeinterval, spi_interval);

    STRUCT(AssocStats, sctp_assoc_stats);
    INTEGER(AssocStats, sctp_assoc_stats, sas_assoc_id);
    MEMBER(AssocStats, sctp_assoc_stats, sas_obs_rto_ipaddr);
    INTEGER(AssocStats, sctp_assoc_stats, sas_maxrto);
    INTEGER(AssocStats, sctp_assoc_stats, sas_isacks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_osacks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_opackets);
    INTEGER(AssocStats, sctp_assoc_stats, sas_ipackets);
    INTEGER(AssocStats, sctp_assoc_stats, sas_rtxchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_outofseqtsns);
    INTEGER(AssocStats, sctp_assoc_stats, sas_idupchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_gapcnt);
    INTEGER(AssocStats, sctp_assoc_stats, sas_ouodchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_iuodchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_oodchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_iodchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_octrlchunks);
    INTEGER(AssocStats, sctp_assoc_stats, sas_ictrlchunks);

    STRUCT(GetAddrs, sctp_getaddrs);
    INTEGER(GetAddrs, sctp_getaddrs, assoc_id);
    INTEGER(GetAddrs, sctp_getaddrs, addr_num);
    TAIL(GetAddrs, sctp_getaddrs, addrs);

    STRUCT(AssocChange, sctp_assoc_change);
    INTEGER(AssocChange, sctp_assoc_change, sac_type);
    INTEGER(AssocChange, sctp_assoc_change, sac_flags);
    INTEGER(AssocChange, sctp_assoc_change, sac_length);
    INTEGER(AssocChange, sctp_assoc_change, sac_state);
    INTEGER(AssocChange, sctp_assoc_change, sac_error);
    INTEGER(AssocChange, sctp_assoc_change, sac_outbound_streams);
    INTEGER(AssocChange, sctp_assoc_change, sac_inbound_streams);
    INTEGER(AssocChange, sctp_assoc_change, sac_assoc_id);
    TAIL(AssocChange, sctp_assoc_change, sac_info);

    STRUCT(PaddrChange, sctp_paddr_change);
    INTEGER(PaddrChange, sctp_paddr_change, spc_type);
    INTEGER(PaddrChange, sctp_paddr_change, spc_flags);
    INTEGER(PaddrChange, sctp_paddr_change, spc_length);
    MEMBER(PaddrChange, sctp_paddr_change, spc_aaddr);
    INTEGER(PaddrChange, sctp_paddr_change, spc_state);
    INTEGER(PaddrChange, sctp_paddr_change, spc_error);
    INTEGER(PaddrChange, sctp_paddr_change, spc_assoc_id);

    STRUCT(RemoteError, sctp_remote_error);
    INTEGER(RemoteError, sctp_remote_error, sre_type);
    INTEGER(RemoteError, sctp_remote_error, sre_flags);
    INTEGER(RemoteError, sctp_remote_error, sre_length);
    INTEGER(RemoteError, sctp_remote_error, sre_error);
    INTEGER(RemoteError, sctp_remote_error, sre_assoc_id);
    TAIL(RemoteError, sctp_remote_error, sre_data);

    STRUCT(SendFailed, sctp_send_failed);
    INTEGER(SendFailed, sctp_send_failed, ssf_type);
    INTEGER(SendFailed, sctp_send_failed, ssf_flags);
    INTEGER(SendFailed, sctp_send_failed, ssf_length);
    INTEGER(SendFailed, sctp_send_failed, ssf_error);
    MEMBER(SendFailed, sctp_send_failed, ssf_info);
    INTEGER(SendFailed, sctp_send_failed, ssf_assoc_id);
    TAIL(SendFailed, sctp_send_failed, ssf_data);

    STRUCT(SendFailedEvent, sctp_send_failed_event);
    INTEGER(SendFailedEvent, sctp_send_failed_event, ssf_type);
    INTEGER(SendFailedEvent, sctp_send_failed_event, ssf_flags);
    INTEGER(SendFailedEvent, sctp_send_failed_event, ssf_length);
    INTEGER(SendFailedEvent, sctp_send_failed_event, ssf_error);
    MEMBER(SendFailedEvent, sctp_send_failed_event, ssfe_info);
    INTEGER(SendFailedEvent, sctp_send_failed_event, ssf_assoc_id);
    TAIL(SendFailedEvent, sctp_send_failed_event, ssf_data);

    STRUCT(ShutdownEvent, sctp_shutdown_event);
    INTEGER(ShutdownEvent, sctp_shutdown_event, sse_type);
    INTEGER(ShutdownEvent, sctp_shutdown_event, sse_flags);
    INTEGER(ShutdownEvent, sctp_shutdown_event, sse_length);
    INTEGER(ShutdownEvent, sctp_shutdown_event, sse_assoc_id);

    STRUCT(AdaptationEvent, sctp_adaptation_event);
    INTEGER(AdaptationEvent, sctp_adaptation_event, sai_type);
    INTEGER(AdaptationEvent, sctp_adaptation_event, sai_flags);
    INTEGER(AdaptationEvent, sctp_adaptation_event, sai_length);
    INTEGER(AdaptationEvent, sctp_adaptation_event, sai_adaptation_ind);
    INTEGER(AdaptationEvent, sctp_adaptation_event, sai_assoc_id);

    STRUCT(PdapiEvent, sctp_pdapi_event);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_type);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_flags);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_length);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_indication);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_assoc_id);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_stream);
    INTEGER(PdapiEvent, sctp_pdapi_event, pdapi_seq);

    STRUCT(AuthkeyEvent, sctp_authkey_event);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_type);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_flags);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_length);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_keynumber);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_altkeynumber);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_indication);
    INTEGER(AuthkeyEvent, sctp_authkey_event, auth_assoc_id);

    STRUCT(SenderDryEvent, sctp_sender_dry_event);
    INTEGER(SenderDryEvent, sctp_sender_dry_event, sender_dry_type);
    INTEGER(SenderDryEvent, sctp_sender_dry_event, sender_dry_flags);
    INTEGER(SenderDryEvent, sctp_sender_dry_event, sender_dry_length);
    INTEGER(SenderDryEvent, sctp_sender_dry_event, sender_dry_assoc_id);

    STRUCT(StreamResetEvent, sctp_stream_reset_event);
    INTEGER(StreamResetEvent, sctp_stream_reset_event, strreset_type);
    INTEGER(StreamResetEvent, sctp_stream_reset_event, strreset_flags);
    INTEGER(StreamResetEvent, sctp_stream_reset_event, strreset_length);
    INTEGER(StreamResetEvent, sctp_stream_reset_event, strreset_assoc_id);
    TAIL(StreamResetEvent, sctp_stream_reset_event, strreset_stream_list);

    STRUCT(AssocResetEvent, sctp_assoc_reset_event);
    INTEGER(AssocResetEvent, sctp_assoc_reset_event, assocreset_type);
    INTEGER(AssocResetEvent, sctp_assoc_reset_event, assocreset_flags);
    INTEGER(AssocResetEvent, sctp_assoc_reset_event, assocreset_length);
    INTEGER(AssocResetEvent, sctp_assoc_reset_event, assocreset_assoc_id);
    INTEGER(AssocResetEvent, sctp_assoc_reset_event, assocreset_local_tsn);
    INTEGER(AssocResetEvent, sctp_assoc_reset_event, assocreset_remote_tsn);

    STRUCT(StreamChangeEvent, sctp_stream_change_event);
    INTEGER(StreamChangeEvent, sctp_stream_change_event, strchange_type);
    INTEGER(StreamChangeEvent, sctp_stream_change_event, strchange_flags);
    INTEGER(StreamChangeEvent, sctp_stream_change_event, strchange_length);
    INTEGER(StreamChangeEvent, sctp_stream_change_event, strchange_assoc_id);
    INTEGER(StreamChangeEvent, sctp_stream_change_event, strchange_instrms);
    INTEGER(StreamChangeEvent, sctp_stream_change_event, strchange_outstrms);

#if HAVE_NETINET_SCTP
    STRUCT(SendvSpa, sctp_sendv_spa);
    INTEGER(SendvSpa, sctp_sendv_spa, sendv_flags);
    MEMBER(SendvSpa, sctp_sendv_spa, sendv_sndinfo);
    MEMBER(SendvSpa, sctp_sendv_spa, sendv_prinfo);
    MEMBER(SendvSpa, sctp_sendv_spa, sendv_authinfo);

    STRUCT(RecvvRn, sctp_recvv_rn);
    MEMBER(RecvvRn, sctp_recvv_rn, recvv_rcvinfo);
    MEMBER(RecvvRn, sctp_recvv_rn, recvv_nxtinfo);
#endif
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
