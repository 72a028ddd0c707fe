"""What waits becomes packets: control chunks, SACK and DATA bundled up to the path MTU (RFC 9260 section 6.10)."""

from __future__ import annotations

from pysctpstack.core.path import COMMON_HEADER, Path
from pysctpstack.core.route import Fragmentable
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.core.timers import DELAYED_SACK
from pysctpstack.wire.packet import HEADER, encode

#: RFC 9260 section 6: user data is transmitted in these states only.
DATA_STATES = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED})
_SACK_SIZE = 16


def send_sack(tcb: Tcb) -> None:
    """A SACK in a packet of its own, now: its answer must not wait for the rest of a batch."""
    path = tcb.sack_path
    tcb.send_now([tcb.receiver.make_sack(path.packet_size - COMMON_HEADER)], path)
    tcb.sack_wanted = False
    tcb.timers.stop(DELAYED_SACK)


def flush(tcb: Tcb, now: float) -> None:
    """Send everything that may leave now. Control chunks come first, then SACK, then DATA."""
    may_send_data = tcb.state in DATA_STATES
    sender = tcb.sender
    ack = tcb.receiver.ack
    if not (
        tcb.control
        or tcb.sack_wanted
        or ack.due
        or sender.queue.messages
        or sender.marked
        or sender.fast_retransmit
        or sender.partial.due
    ):
        if may_send_data:
            sender.end_burst()
        return
    out = tcb.shared.out
    tcb.packets_sent -= len(out)
    tcb.control_sent += len(tcb.control)
    local_port, peer_port = tcb.local_port, tcb.peer_port
    pieces: list[bytes] = []
    size = 0
    path: Path | None = None

    def leave() -> None:
        nonlocal pieces, size
        if pieces and path is not None:
            out.append((path.route, encode(local_port, peer_port, tcb.peer_tag, pieces)))
        pieces = []
        size = 0

    for chunk, wanted in tcb.control:
        destination = wanted or tcb.paths.current()
        if destination is not path or size + len(chunk) > path.packet_size - COMMON_HEADER:
            leave()
            path = destination
        pieces.append(chunk)
        size += len(chunk)
    tcb.control.clear()

    if tcb.sack_wanted or ack.due or (ack.unacknowledged and may_send_data and sender.has_packet()):
        # RFC 9260 section 6.1: a pending acknowledgement goes with the DATA that leaves anyway.
        destination = tcb.sack_path
        if destination is not path or size + _SACK_SIZE > path.packet_size - COMMON_HEADER:
            leave()
            path = destination
        chunk = tcb.receiver.make_sack(path.packet_size - COMMON_HEADER - size)
        pieces.append(chunk)
        size += len(chunk)
        tcb.sack_wanted = False
        tcb.timers.stop(DELAYED_SACK)

    if may_send_data:
        first_of_data = len(out)
        if sender.partial.due:
            # RFC 3758 section 3.5, F2: with DATA in the same packet, if there is any.
            destination = tcb.paths.current()
            room = destination.packet_size - COMMON_HEADER
            chunk = sender.forward_tsn(room, destination, now)
            if destination is not path or size + len(chunk) > room:
                leave()
                path = destination
            pieces.append(chunk)
            size += len(chunk)
        next_packet = sender.next_packet
        header = HEADER.pack(local_port, peer_port, tcb.peer_tag, 0)
        while True:
            if not pieces:
                sender.send_train(now, header, out)
                if not (sender.queue.messages or sender.marked or sender.fast_retransmit):
                    break
            packet = next_packet(now, size, path)
            if packet is None:
                break
            destination, chunks = packet
            if chunks and destination is path and pieces:
                pieces += chunks
                leave()
                continue
            leave()
            if chunks:
                out.append((destination.route, encode(local_port, peer_port, tcb.peer_tag, chunks)))
        sender.end_burst()
        if sender.oversized:
            sender.oversized = False
            _allow_fragments(tcb, first_of_data)
    leave()
    tcb.packets_sent += len(out)


def _allow_fragments(tcb: Tcb, first: int) -> None:
    """Mark what is larger than its path's MTU, from the ``first`` datagram on (RFC 9260 section 6.9)."""
    out = tcb.shared.out
    for index in range(first, len(out)):
        route, datagram = out[index]
        if len(datagram) > tcb.paths.by_address[route.peer].packet_size:
            out[index] = (route, Fragmentable(datagram))
