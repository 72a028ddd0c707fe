"""What holds of an endpoint's books after every call, whatever was received before it."""

from __future__ import annotations

import math
from itertools import pairwise

from pysctpstack.core import Association, Endpoint, State
from pysctpstack.core.rx.receiver import Receiver
from pysctpstack.core.tx.sender import Sender
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import decode

ALONE = (c.Init, c.InitAck, c.ShutdownComplete)
LARGEST_CHUNK = 70_000
"""More than the user data of any DATA chunk."""


class Unsound(Exception):
    """The books of an endpoint contradict one another."""


def require(holds: bool, what: str, *values: object) -> None:
    if not holds:
        raise Unsound(f"{what}: {', '.join(map(str, values))}" if values else what)


def check_datagram(datagram: bytes, largest: int) -> list[c.Chunk]:
    """The chunks of a datagram that leaves: it is well-formed, fits the path and bundles nothing with what travels
    alone."""
    require(len(datagram) <= largest, "a packet is larger than its path's MTU", len(datagram))
    chunks = decode(datagram).chunks
    require(bool(chunks), "a packet without a chunk leaves")
    require(len(chunks) == 1 or not any(isinstance(chunk, ALONE) for chunk in chunks), "a chunk does not travel alone")
    return chunks


def check_endpoint(endpoint: Endpoint) -> None:
    due = endpoint.next_timeout()
    require(not math.isnan(due), "the deadline is no number")
    for id_, association in endpoint.associations.items():
        require(association.association_id == id_, "an association under another's id", id_)
        if association.state is State.CLOSED:
            continue
        tcb = association.tcb
        require(endpoint.by_tag.get(tcb.local_tag) is association, "an association is not found by its tag")
        require(tcb.local_tag != 0, "the tag is 0")
        require(endpoint.local_ports.get(tcb.local_port, 0) > 0, "a port with an association counts none")
        check_association(association)
    for tag, association in endpoint.by_tag.items():
        require(endpoint.associations.get(association.association_id) is association, "a tag of nobody", tag)
    for key, association in endpoint.by_peer.items():
        require(endpoint.associations.get(association.association_id) is association, "an address of nobody", key)


def check_association(association: Association) -> None:
    tcb = association.tcb
    check_sender(tcb.sender)
    check_receiver(tcb.receiver)
    require(len(tcb.errors) == 0, "reports of errors were left behind", len(tcb.errors))
    for path in tcb.paths:
        require(path.congestion.cwnd > 0, "cwnd is not positive", path.congestion.cwnd)
    require(math.isfinite(association.next_timeout()) or tcb.sender.is_idle, "data waits and no timer runs")


def check_sender(sender: Sender) -> None:
    outstanding = sender.outstanding
    require(list(outstanding) == list(range(sender.cumulative + 1, sender.next_tsn)), "outstanding TSNs have a gap")
    require(all(tsn == chunk.tsn for tsn, chunk in outstanding.items()), "a chunk under another's TSN")
    flying = [chunk for chunk in outstanding.values() if not chunk.acked and not chunk.marked]
    in_flight = sum(len(chunk.payload) for chunk in flying)
    require(sender.in_flight == in_flight, "in_flight", sender.in_flight, in_flight)
    for path in sender.paths:
        flight_size = sum(chunk.size for chunk in flying if chunk.path is path)
        require(path.congestion.flight_size == flight_size, "flight_size", path.congestion.flight_size, flight_size)
    marked = {chunk.tsn for chunk in outstanding.values() if chunk.marked}
    require(marked <= set(sender.marked), "a chunk to retransmit will never be", marked)
    queued = sum(len(m.data) - m.offset for m in sender.queue.messages if not m.abandoned)
    require(sender.queue.size == queued, "the queue's size", sender.queue.size, queued)
    buffered = queued + sum(len(chunk.payload) for chunk in outstanding.values())
    require(sender.buffered == buffered, "buffered", sender.buffered, buffered)
    require(sender.rwnd >= 0, "rwnd is negative", sender.rwnd)
    _check_blocks(sender.gap_blocks, sender.cumulative, sender.next_tsn - 1)
    acked = {chunk.tsn for chunk in outstanding.values() if chunk.acked and not chunk.message.abandoned}
    covered = {tsn for start, end in sender.gap_blocks for tsn in range(start, end + 1)}
    require(acked <= covered, "acknowledged by no block", acked - covered)


def _check_blocks(blocks: list[tuple[int, int]], above: int, last: int) -> None:
    for start, end in blocks:
        require(above < start <= end <= last, "a block out of bounds", above, start, end, last)
    for (_, end), (start, _) in pairwise(blocks):
        require(end < start, "blocks out of order", end, start)


def check_receiver(receiver: Receiver) -> None:
    map_ = receiver.tsn_map
    require(len(map_.starts) == len(map_.ends) <= map_.max_blocks, "blocks of received TSNs", len(map_.starts))
    edges = [map_.cumulative, *(edge for block in zip(map_.starts, map_.ends, strict=True) for edge in block)]
    for left, right in pairwise(edges):
        require(left <= right, "blocks of received TSNs out of order", left, right)
    for before, start in zip([map_.cumulative, *map_.ends], map_.starts, strict=False):
        require(start > before + 1, "adjacent blocks", before, start)
    require(len(map_.duplicates) <= map_.max_duplicates, "duplicates", len(map_.duplicates))
    reassembly = receiver.reassembly
    runs = list(reassembly.by_first.values())
    require({run.first for run in runs} == set(reassembly.by_first), "a run under another's first TSN")
    require(
        {run.last: id(run) for run in runs} == {k: id(v) for k, v in reassembly.by_last.items()}, "runs by last TSN"
    )
    waiting = [run for stream in reassembly.streams.values() for run in stream.waiting.values()]
    held = sum(run.size for run in (*runs, *waiting))
    require(reassembly.held == held, "held", reassembly.held, held)
    padding = sum(run.padding for run in (*runs, *waiting))
    require(reassembly.padding == padding, "padding", reassembly.padding, padding)
    for run in runs:
        require(run.size == sum(map(len, run.pieces)), "a run's size", run.size)
        require(not (run.begins and run.ends), "a complete message is held back", run.first)
        require(all(map_.has(tsn) for tsn in (run.first, run.last)), "a fragment whose TSN is not acknowledged")
    for stream in reassembly.streams.values():
        require(all(ssn > stream.next_ssn for ssn in stream.waiting), "a message waits for its own turn")
    require(receiver.partial is None or any(run is receiver.partial for run in runs), "the partial message is lost")
    require(not receiver.deferred or receiver.partial is not None, "messages wait for nothing")
    require(receiver.unread >= 0 and receiver.unread_padding >= 0, "unread", receiver.unread, receiver.unread_padding)
    most = 2 * receiver.receive_buffer + LARGEST_CHUNK
    require(receiver.unread + held <= most, "more is held than the buffer allows", receiver.unread, held)
    require(receiver.deferred_size <= most, "more is deferred than the buffer allows", receiver.deferred_size)
