"""Path MTU discovery (RFC 8899 for SCTP over UDP, section 6.2.2; RFC 9260 section 7.3).

A path's MTU starts as the route's, which the operating system knows. Three things change it:

* **Packet too big**: a router told the operating system, and quoted a packet that is ours.
* **A black hole**: packets of full size vanish while small ones arrive. This is always watched for. When T3-rtx expires
  again and again, a small HEARTBEAT asks whether the peer answers; if it does, the path MTU falls back to BASE_PLPMTU.
  A peer that is silent altogether is not taken for a black hole.
* **The search**, if it is wanted: it starts from BASE_PLPMTU and probes larger sizes, with HEARTBEATs that a PAD chunk
  (RFC 4820) enlarges. Probes are neither retransmitted nor counted by congestion control, and their loss is no error
  of the path.

DATA chunks never change their size once they have a TSN. Those that no longer fit leave in packets of their own, which
IP may fragment (RFC 9260 section 6.9).
"""

from __future__ import annotations

from math import inf

from pysctpstack.core.mtu_search import MAX_PROBES, MIN_PLPMTU, MIN_PROBE_TIMER, PMTU_RAISE_TIMER, SearchState
from pysctpstack.core.path import COMMON_HEADER, Path, PathState
from pysctpstack.core.route import Unfragmented
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.wire.chunks import Heartbeat
from pysctpstack.wire.extension_chunks import Pad
from pysctpstack.wire.packet import encode

_NONCE_SIZE = 8
_MARK = b"\0"
"""What tells the information of a probe from that of other HEARTBEATs: no address begins so."""
_CHUNK_HEADER = 4


def on_established(tcb: Tcb, now: float) -> None:
    """The association is up, or the peer has restarted: nothing that was sent before counts."""
    for path in tcb.paths:
        path.search.forget_expirations()
        path.search.state = SearchState.DISABLED
        # RFC 9260 section 7.2.1: the initial cwnd is counted in packets of the size that the search begins with.
        path.last_sent_at = -inf
    start(tcb, now)


def start(tcb: Tcb, now: float) -> None:
    """Begin to search where that is wanted and possible and has not begun (RFC 8899 section 6.2.2.1)."""
    for path in tcb.paths:
        if path.search.state is SearchState.DISABLED:
            _begin(tcb, path, now)


def _begin(tcb: Tcb, path: Path, now: float, *, failed: bool = False) -> None:
    search = path.search
    routes = tcb.shared.route_table
    # RFC 6951 section 5.6: without control of DF a probe proves nothing.
    if not (search.enabled and path.is_confirmed and routes.controls_fragmentation(path.route)):
        return
    search.begin(max(routes.path_mtu(path.route), MIN_PLPMTU), failed=failed)
    tcb.set_path_mtu(path, search.low)
    if path.last_sent_at == -inf:
        path.reset_congestion()
    # Not now: what is to be sent first (COOKIE ACK) has not left.
    path.probe_deadline = now


def set_enabled(tcb: Tcb, path: Path, enabled: bool, now: float) -> None:
    """Begin or end the search on one path. Ended, the path MTU stays as it is."""
    search = path.search
    search.enabled = enabled
    if not enabled:
        search.state = SearchState.DISABLED
        search.nonce = b""
        path.probe_deadline = inf
    elif search.state is SearchState.DISABLED and tcb.state is State.ESTABLISHED:
        _begin(tcb, path, now)


# --- probes ---


def _probe(tcb: Tcb, path: Path, now: float) -> None:
    """Send the next probe, or end the search for now."""
    search = path.search
    size = search.next_size()
    if not size:
        search.state = SearchState.SEARCH_COMPLETE
        search.completed_at = now
        path.probe_deadline = now + PMTU_RAISE_TIMER
        return
    search.probed = size
    search.sent_at = now
    search.nonce = _send_heartbeat(tcb, path, size)
    search.probes += 1
    tcb.shared.count("mtu_probes")
    path.probe_deadline = now + max(tcb.settings.plpmtud_probe_interval, MIN_PROBE_TIMER)


def _send_heartbeat(tcb: Tcb, path: Path, size: int = 0) -> bytes:
    """A HEARTBEAT in a packet of its own, padded to ``size`` if that is given (RFC 8899 section 6.2.1.2); its nonce."""
    # The nonce belongs to one probe of one size.
    nonce = tcb.shared.entropy.token(_NONCE_SIZE)
    chunks = [Heartbeat(nonce + _MARK + path.address.encode()).encode()]
    if size:
        padding = size - path.header_size - COMMON_HEADER - len(chunks[0]) - _CHUNK_HEADER
        chunks.append(Pad(bytes(padding)).encode())
    packet = encode(tcb.local_port, tcb.peer_port, tcb.peer_tag, chunks)
    # What is no larger than other packets is treated as they are, and shows what becomes of them.
    tcb.shared.out.append((path.route, Unfragmented(packet) if len(packet) > path.packet_size else packet))
    return nonce


def is_probe(info: bytes) -> bool:
    """Whether the Heartbeat Information of a HEARTBEAT ACK is that of a HEARTBEAT sent here."""
    return info[_NONCE_SIZE : _NONCE_SIZE + 1] == _MARK


def on_heartbeat_ack(tcb: Tcb, info: bytes, now: float) -> None:
    """The answer to such a HEARTBEAT."""
    nonce = info[:_NONCE_SIZE]
    path = tcb.paths.by_address.get(info[_NONCE_SIZE + 1 :].decode(errors="replace"))
    if path is None or nonce not in (path.search.nonce, path.search.question):
        tcb.shared.count("heartbeat_ack_unknown")
        return
    search = path.search
    # RFC 8899 section 6.2.1.2: a successful probe updates the counters of the association and the path.
    tcb.path_works(path)
    tcb.error_count = 0
    if nonce == search.question:
        path.rto.measure(now - search.asked_at)
        search.question = b""
        search.answered = True
        return
    path.rto.measure(now - search.sent_at)
    search.passed()
    tcb.set_path_mtu(path, search.low)
    if tcb.state is State.ESTABLISHED:
        _probe(tcb, path, now)


def on_timer(tcb: Tcb, path: Path, now: float) -> None:
    """PROBE_TIMER or PMTU_RAISE_TIMER has expired."""
    path.probe_deadline = inf
    search = path.search
    if tcb.state is not State.ESTABLISHED:
        return
    if path.state is not PathState.ACTIVE:
        # RFC 8899 section 5.2: DISABLED on loss of connectivity. Looked at again after another such time.
        search.state = SearchState.DISABLED
        search.nonce = b""
        path.probe_deadline = now + max(tcb.settings.plpmtud_probe_interval, MIN_PROBE_TIMER)
    elif search.state is SearchState.DISABLED:
        _begin(tcb, path, now)
    elif search.state is SearchState.SEARCH_COMPLETE:
        _raise(tcb, path, now)
    else:
        if search.nonce:
            search.failed()
            if search.state is SearchState.ERROR:
                tcb.set_path_mtu(path, min(search.floor, search.low))
        _probe(tcb, path, now)


def _raise(tcb: Tcb, path: Path, now: float) -> None:
    search = path.search
    if path.last_sent_at < search.completed_at:
        # RFC 8899 section 5.1.1: no probes (a MAY) as long as no data needs to know.
        path.probe_deadline = now + PMTU_RAISE_TIMER
        return
    maximum = tcb.shared.route_table.path_mtu(path.route)
    if maximum < path.mtu:
        _begin(tcb, path, now)
    else:
        search.resume(maximum)
        _probe(tcb, path, now)


# --- black holes (RFC 8899 section 4.3) ---


def on_t3(tcb: Tcb, path: Path, now: float) -> None:
    """T3-rtx of ``path`` has expired, and what is in flight there has not been marked yet."""
    search = path.search
    congestion = path.congestion
    if not path.discovers_mtu or path.mtu <= search.base or congestion.flight_size <= search.base_room:
        return
    # A peer that keeps its window closed drops packets too, but says so (RFC 9260 section 6.2); a SHUTDOWN, which comes
    # by itself as well, does not. And after the first time-out one packet is in flight at a time: a chunk from before
    # the path MTU fell says nothing of packets that have its size.
    sender = tcb.sender
    is_closed = sender.probing and sender.sacks_since_probe > 0 and tcb.state is not State.SHUTDOWN_RECEIVED
    if is_closed or (congestion.collapsed and congestion.flight_size > congestion.pmdcs):
        return
    search.expirations += 1
    search.stuck = tcb.sender.earliest_in_flight(path)
    # RFC 9260 section 8.3: from SHUTDOWN-SENT on the peer answers no HEARTBEAT, though it takes our data.
    if search.expirations >= MAX_PROBES and (search.answered or tcb.state is State.SHUTDOWN_RECEIVED):
        _fall_back(tcb, path, now)
    elif search.expirations >= MAX_PROBES - 1:
        search.asked_at = now
        search.question = _send_heartbeat(tcb, path)


def _fall_back(tcb: Tcb, path: Path, now: float) -> None:
    """Packets of this size vanish: use BASE_PLPMTU, and search from there if that is wanted."""
    search = path.search
    search.forget_expirations()
    search.black_holes += 1
    tcb.shared.count("mtu_black_hole")
    tcb.set_path_mtu(path, search.base)
    if search.state is not SearchState.DISABLED and tcb.state is State.ESTABLISHED:
        _begin(tcb, path, now, failed=True)


# --- packet too big (RFC 8899 section 4.6, RFC 9260 section 10, ICMP7) ---


def on_packet_too_big(tcb: Tcb, path: Path, now: float) -> None:
    """A router dropped a packet of ours, which it quoted, and the operating system knows what it said."""
    search = path.search
    mtu = tcb.shared.route_table.path_mtu(path.route)
    if search.state is SearchState.DISABLED:
        if mtu < path.mtu and path.discovers_mtu:
            tcb.set_path_mtu(path, mtu)
        else:
            tcb.shared.count("icmp_ignored")
    elif mtu < path.mtu:
        # RFC 8899 section 4.6.2: BASE_PLPMTU, and a search whose first step is what the router said.
        _begin(tcb, path, now)
    elif search.probed and mtu < search.probed:
        search.too_big(mtu)
        _probe(tcb, path, now)
    else:
        tcb.shared.count("icmp_ignored")
