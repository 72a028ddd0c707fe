"""What an association and its paths are at: snapshots for programs, tools and tests. Taking one changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from pysctpstack.core.path import Path
from pysctpstack.core.tcb import Tcb


@dataclass(frozen=True, slots=True)
class PathStatistics:
    """One address of the peer. Times are seconds, sizes are bytes; ``srtt`` is None before the first measurement."""

    address: str
    udp_port: int
    state: str
    is_confirmed: bool
    is_primary: bool
    mtu: int
    srtt: float | None
    rto: float
    cwnd: int
    ssthresh: int
    flight_size: int
    partial_bytes_acked: int
    error_count: int


@dataclass(frozen=True, slots=True)
class AssociationStatistics:
    """One association. Chunks are DATA chunks; sizes are bytes of user data."""

    association_id: int
    state: str
    local_port: int
    peer_port: int
    outbound_streams: int
    inbound_streams: int
    messages_queued: int
    bytes_queued: int
    """Not sent yet."""
    bytes_buffered: int
    """Queued or not acknowledged: what counts against SO_SNDBUF."""
    chunks_sent: int
    """Without retransmissions."""
    chunks_acknowledged: int
    chunks_retransmitted: int
    bytes_in_flight: int
    peer_rwnd: int
    in_fast_recovery: bool
    chunks_received: int
    """In sequence, up to the cumulative TSN."""
    bytes_received: int
    bytes_unread: int
    bytes_held: int
    """Received, and not deliverable yet."""
    gaps: int
    a_rwnd: int
    error_count: int
    paths: tuple[PathStatistics, ...]


def totals(tcb: Tcb) -> dict[str, int]:
    """What Linux counts of an association, by its names (``struct sctp_assoc_stats``); DATA sent: without
    retransmissions."""
    sender, receiver = tcb.sender, tcb.receiver
    map_ = receiver.tsn_map
    sent = sender.next_tsn - tcb.initial_tsn
    received = map_.cumulative - map_.initial_tsn + 1
    received += sum(end - start + 1 for start, end in zip(map_.starts, map_.ends, strict=True))
    return {
        "sas_isacks": tcb.sacks_received,
        "sas_osacks": receiver.sacks,
        "sas_opackets": tcb.packets_sent,
        "sas_ipackets": tcb.packets_received,
        "sas_rtxchunks": sender.retransmissions,
        "sas_outofseqtsns": receiver.out_of_sequence,
        "sas_idupchunks": receiver.duplicates,
        "sas_gapcnt": tcb.gap_blocks_received,
        "sas_ouodchunks": sender.unordered_chunks,
        "sas_iuodchunks": receiver.unordered_chunks,
        "sas_oodchunks": sent - sender.unordered_chunks,
        "sas_iodchunks": received - receiver.unordered_chunks,
        "sas_octrlchunks": tcb.control_sent,
        "sas_ictrlchunks": tcb.control_received + tcb.sacks_received,
    }


def of_path(path: Path, primary: Path) -> PathStatistics:
    congestion = path.congestion
    return PathStatistics(
        address=path.address,
        udp_port=path.route.port,
        state=path.state.value,
        is_confirmed=path.is_confirmed,
        is_primary=path is primary,
        mtu=path.mtu,
        srtt=path.rto.srtt,
        rto=path.rto.rto,
        cwnd=congestion.cwnd,
        ssthresh=congestion.ssthresh,
        flight_size=congestion.flight_size,
        partial_bytes_acked=congestion.partial_bytes_acked,
        error_count=path.error_count,
    )


def of_association(tcb: Tcb) -> AssociationStatistics:
    sender, receiver = tcb.sender, tcb.receiver
    return AssociationStatistics(
        association_id=tcb.association_id,
        state=tcb.state.value,
        local_port=tcb.local_port,
        peer_port=tcb.peer_port,
        outbound_streams=sender.outbound_streams,
        inbound_streams=receiver.inbound_streams,
        messages_queued=sum(not message.abandoned for message in sender.queue.messages),
        bytes_queued=sender.queue.size,
        bytes_buffered=sender.buffered,
        chunks_sent=sender.next_tsn - tcb.initial_tsn,
        chunks_acknowledged=sender.cumulative - tcb.initial_tsn + 1,
        chunks_retransmitted=sender.retransmissions,
        bytes_in_flight=sender.in_flight,
        peer_rwnd=sender.rwnd,
        in_fast_recovery=sender.recovery_exit >= 0,
        chunks_received=receiver.tsn_map.cumulative - receiver.tsn_map.initial_tsn + 1,
        bytes_received=receiver.received,
        bytes_unread=receiver.unread,
        bytes_held=receiver.reassembly.held,
        gaps=len(receiver.tsn_map.starts),
        a_rwnd=receiver.advertised_window(),
        error_count=tcb.error_count,
        paths=tuple(of_path(path, tcb.paths.primary) for path in tcb.paths),
    )
