"""Messages in, DATA chunks out, SACKs in (RFC 9260 sections 6.1, 6.2.1, 6.3.3, 6.9 and 7.2.4). A hot file.

TSNs are unwrapped here: plain ints that never wrap. Sizes in congestion control are bytes of DATA chunks with
header and padding; sizes
in the peer's receive window and in the send buffer are bytes of user data.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from heapq import heappop, heappush
from math import inf
from typing import Final

from pysctpstack.core.path import COMMON_HEADER, Path, Paths, PathState
from pysctpstack.core.route import Route
from pysctpstack.core.settings import Settings
from pysctpstack.core.tx.outstanding import Chunk, Outstanding
from pysctpstack.core.tx.partial_reliability import PartialReliability, is_less_important
from pysctpstack.core.tx.send_queue import Message, SendQueue
from pysctpstack.wire import data
from pysctpstack.wire.codepoints import DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_I, DATA_FLAG_U
from pysctpstack.wire.crc32c import crc32c
from pysctpstack.wire.packet import pack_checksum

MAX_OUTSTANDING: Final = 65_535
"""TSNs in flight: as far as Gap Ack Blocks reach (section 3.3.4), and below the limit on messages of a stream
(section 6.1)."""
MISSES_TO_RETRANSMIT: Final = 3
UNLIMITED: Final = 1 << 30
GATHER_BELOW: Final = 0.002
"""Seconds of round-trip time up to which messages are gathered into trains."""
GATHER_BEYOND: Final = 8
"""Packets in flight beyond which they are."""
GATHER_PACKETS: Final = 16
"""Packets that make a train."""
MIN_PAYLOAD: Final = 512
"""The least that a small window of the peer makes of a fragment."""
MAX_PAYLOAD: Final = 65_532 - data.HEADER_SIZE
"""User data of the largest DATA chunk that ends on a 4-byte boundary."""

_HEADER: Final = data.HEADER_SIZE
_PADDING: Final = data.PADDING
_encode_header = data.encode_header

Block = tuple[int, int]


class SackOutcome(Enum):
    PROCESSED = "processed"
    OLD = "older than what is known"
    INVALID = "its Gap Ack Blocks are no blocks"
    NEVER_SENT = "acknowledges a TSN that was never sent"


def subtract(blocks: Sequence[Block], without: Sequence[Block]) -> list[Block]:
    """What of ``blocks`` is not in ``without``; both sorted and free of overlaps."""
    if not without:
        return list(blocks)
    rest: list[Block] = []
    index = 0
    for start, end in blocks:
        while index < len(without) and without[index][1] < start:
            index += 1
        here = index
        while here < len(without) and without[here][0] <= end:
            if without[here][0] > start:
                rest.append((start, without[here][0] - 1))
            start = without[here][1] + 1
            here += 1
        if start <= end:
            rest.append((start, end))
    return rest


class Sender:
    __slots__ = (
        "paths",
        "queue",
        "outstanding",
        "next_tsn",
        "cumulative",
        "next_ssn",
        "outbound_streams",
        "rwnd",
        "largest_rwnd",
        "in_flight",
        "buffered",
        "gap_blocks",
        "marked",
        "recovery_exit",
        "fast_retransmit",
        "burst",
        "max_burst",
        "no_delay",
        "max_segment",
        "urge_sack",
        "probe_allowed",
        "probing",
        "probe_backoff",
        "sacks_since_probe",
        "retransmissions",
        "unordered_chunks",
        "oversized",
        "partial",
    )

    def __init__(
        self, settings: Settings, paths: Paths, initial_tsn: int, outbound_streams: int, peer_a_rwnd: int
    ) -> None:
        self.paths = paths
        self.queue = SendQueue()
        self.outstanding: Outstanding = {}
        self.next_tsn = initial_tsn
        self.cumulative = initial_tsn - 1
        """Cumulative TSN Ack Point."""
        self.next_ssn: dict[int, int] = {}
        self.outbound_streams = outbound_streams
        self.rwnd = peer_a_rwnd
        self.largest_rwnd = peer_a_rwnd
        """The largest window that the peer has announced."""
        self.in_flight = 0
        """User data sent and neither acknowledged nor marked for retransmission: what counts against rwnd."""
        self.buffered = 0
        """User data queued or not cumulatively acknowledged: what counts against SO_SNDBUF."""
        self.gap_blocks: list[Block] = []
        """Gap Ack Blocks of the last SACK, as TSNs."""
        self.marked: list[int] = []
        """Heap of TSNs marked for retransmission; entries whose chunk is not marked any more are passed over."""
        self.recovery_exit = -1
        """Fast Recovery exit point, -1 outside of it."""
        self.fast_retransmit = False
        """The next packet is a fast retransmission, which cwnd does not hold back."""
        # 0 is no limit, as in SCTP_MAX_BURST (RFC 6458 section 8.1.24).
        self.max_burst = settings.max_burst or UNLIMITED
        self.burst = self.max_burst
        """Packets that may still leave before the next SACK or call of the user."""
        self.no_delay = settings.no_delay
        self.max_segment = settings.max_segment
        self.urge_sack = False
        """Ask for SACKs without delay: the association is SHUTDOWN-PENDING (section 6.1)."""
        self.probe_allowed = False
        self.probing = False
        """The peer's window is closed and a window probe is outstanding."""
        self.probe_backoff = 0
        """Window probes in a row, each after twice the interval of the one before."""
        self.sacks_since_probe = 0
        self.retransmissions = 0
        self.unordered_chunks = 0
        """DATA chunks of unordered messages, without retransmissions."""
        self.oversized = False
        """A packet is leaving that is larger than its path's MTU: a lone chunk from before that became smaller."""
        self.partial = PartialReliability(self.cumulative)

    def use_partial_reliability(self, both_support_it: bool) -> None:
        """Whether FORWARD TSN may be sent (RFC 3758 section 3.3)."""
        self.partial.enabled = self.queue.partial = both_support_it

    # --- the user's side ---

    def push(self, message: Message) -> None:
        self.queue.push(message)
        self.buffered += len(message.data)

    def gathers(self) -> bool:
        """Whether what was just queued may wait for more: packets are on their way, an acknowledgement is due soon, and
        what is queued makes no train yet. Like Nagle's algorithm, SCTP_NODELAY turns it off."""
        path = self.paths.primary
        srtt = path.rto.srtt
        if self.no_delay or srtt is None or srtt > GATHER_BELOW or self.urge_sack:
            return False
        packet = path.packet_size
        return path.congestion.flight_size > GATHER_BEYOND * packet and self.queue.size < GATHER_PACKETS * packet

    @property
    def is_idle(self) -> bool:
        """Nothing queued, nothing outstanding."""
        return not self.outstanding and self.queue.head() is None

    def next_expiry(self) -> float:
        """When the next message is to be given up; ``math.inf`` if none is."""
        expiry = self.queue.next_expiry()
        return min(expiry, self.partial.next_lapse(self.outstanding)) if self.partial.lapsing else expiry

    def take_expired(self, now: float) -> list[Message]:
        """Give up the messages whose life time is over, and return them: those that wait, and with partial reliability
        those that have been sent in part or would have to be sent again."""
        expired = self.queue.take_expired(now)
        begun = False
        for message in expired:
            self.buffered -= len(message.data) - message.offset
            if message.offset:
                self._abandon(message)
                begun = True
        # Now those that wait for nothing but retransmissions: the chunks of the others are not marked any more.
        for message in self.partial.take_lapsed(self.outstanding, now):
            begun = self._give_up(message) or begun
            expired.append(message)
        for message in expired:
            self.partial.count(message)
        if begun:
            self._have_abandoned(now)
        return expired

    def take_less_important(self, priority: int, size: int, now: float) -> list[Message]:
        """Give up messages whose priority is lower, those in flight first, until ``size`` bytes are free, and return
        them (RFC 7496 section 4.2, SCTP_PR_SCTP_PRIO)."""
        given_up: list[Message] = []
        if not self.partial.enabled:
            return given_up
        candidates = [*(chunk.message for chunk in self.outstanding.values()), *self.queue.messages]
        begun = False
        for message in candidates:
            if size <= 0:
                break
            if message.abandoned or not is_less_important(message, priority):
                continue
            size -= len(message.data)
            begun = self._give_up(message) or begun
            self.partial.count(message)
            given_up.append(message)
        if begun:
            self._have_abandoned(now)
        return given_up

    def _give_up(self, message: Message) -> bool:
        """Give up a message wherever it is; whether some of it was sent. Its end may still wait for its first
        transmission."""
        rest = len(message.data) - message.offset
        self.buffered -= rest
        if rest:
            self.queue.give_up(message)
        if message.offset:
            self._abandon(message)
        return message.offset > 0

    def _have_abandoned(self, now: float) -> None:
        for path in self.paths:
            path.restart_t3 = False
        self._advance_peer(now)
        self._set_t3(now)
        # What is left may have nothing in flight any more whose acknowledgement would release it.
        self.replenish_burst()

    def _abandon(self, message: Message) -> None:
        """Give up a message of which some was sent (RFC 3758 section 3.5, A2 and A3)."""
        message.abandoned = True
        if message.offset < len(message.data):
            # The peer may have all that was sent, and its cumulative TSN stand behind it: it would wait for more. A TSN
            # that is never sent stands for the rest, so that a FORWARD TSN can go beyond what was.
            rest = Chunk(self.next_tsn, b"", b"", 0, message, self.paths.current())
            rest.fast_retransmitted = True
            self.outstanding[self.next_tsn] = rest
            self.next_tsn += 1
        for tsn in range(max(message.first_tsn, self.cumulative + 1), self.next_tsn):
            chunk = self.outstanding[tsn]
            if chunk.message is not message:
                break
            length = len(chunk.payload)
            path = chunk.path
            self.buffered -= length
            if chunk.marked:
                # F5: cwnd has been cut for this loss.
                chunk.fast_retransmitted = True
                chunk.marked = False
            elif not chunk.acked:
                self.in_flight -= length
                path.congestion.flight_size -= chunk.size
            if tsn == path.rtt_tsn:
                path.rtt_tsn = -1
            # Finally acknowledged, and nothing that a later acknowledgement could credit to cwnd.
            chunk.acked = True
            chunk.payload = b""
            chunk.size = 0
            self.partial.highest = max(self.partial.highest, tsn)

    def _advance_peer(self, now: float) -> None:
        rto = self.paths.current().rto
        self.partial.advance(self.outstanding, self.cumulative, now, rto.rto if rto.srtt is None else rto.srtt)

    def forward_tsn(self, room: int, path: Path, now: float) -> bytes:
        """The FORWARD TSN chunk that is due, in at most ``room`` bytes, to be sent to ``path`` now."""
        if path.t3_deadline == inf:
            # RFC 3758 section 3.5, C5
            path.t3_deadline = now + path.rto.rto
        return self.partial.forward_tsn(self.outstanding, self.cumulative, room, path, now)

    def take_beyond_streams(self) -> list[Message]:
        """Remove messages on streams that the association turned out not to have."""
        beyond = [
            message
            for message in self.queue.messages
            if message.stream_id >= self.outbound_streams and not message.abandoned
        ]
        for message in beyond:
            self.queue.give_up(message)
            self.buffered -= len(message.data)
        return beyond

    def take_undelivered(self) -> list[tuple[Message, bool]]:
        """Empty the sender: every message that is not wholly acknowledged, and whether some of it was sent."""
        undelivered: dict[int, tuple[Message, bool]] = {}
        for chunk in self.outstanding.values():
            if not chunk.message.abandoned:
                undelivered[id(chunk.message)] = (chunk.message, True)
        for message in self.queue.clear():
            undelivered.setdefault(id(message), (message, message.offset > 0))
        self.outstanding.clear()
        self.marked.clear()
        self.gap_blocks.clear()
        self.in_flight = self.buffered = 0
        for path in self.paths:
            path.congestion.flight_size = 0
            path.t3_deadline = inf
        return list(undelivered.values())

    # --- what may leave ---

    def replenish_burst(self, newly_acked_packets: int = 0) -> None:
        """RFC 9260 section 6.1, D: Max.Burst packets beyond those that just left the network.

        Several SACKs may come before there is a chance to send: what each of them acknowledged counts.
        """
        if self.recovery_exit < 0 or not self.in_flight:
            self.burst = max(self.burst, self.max_burst) + newly_acked_packets
            return
        # What is found lost makes room in cwnd, but the queue in which it was lost is full still: a packet for each
        # that arrived (RFC 6937), or retransmissions are lost too, and only T3-rtx repairs that.
        self.burst += newly_acked_packets
        if not newly_acked_packets and len(self.queue.messages) == 1 and self._first_marked() is None:
            # A message of the user's for which nothing had waited.
            self.burst = max(self.burst, 1)

    def end_burst(self) -> None:
        """All that may leave has left: what was acknowledged does not allow a larger burst later.

        Whether cwnd is fully used (RFC 9260 sections 7.2.1 and 7.2.2) is decided here, for all the SACKs of the next
        batch: between them there is no chance to fill the window again.
        """
        self.burst = min(self.burst, self.max_burst if self.recovery_exit < 0 else 0)
        for path in self.paths.by_address.values():
            path.window_used = not path.congestion.may_send()

    def max_payload(self) -> int:
        """User data of the largest DATA chunk (RFC 9260 sections 6.9 and 7.3)."""
        size = min(self.paths.fragment_size - COMMON_HEADER - _HEADER, MAX_PAYLOAD)
        if 2 * size > self.largest_rwnd:
            # RFC 9260 section 6.1, A and RFC 1122 section 4.2.3.4: half the peer's buffer is worth sending; a chunk
            # that needs all of it, or more, would wait for an empty buffer each time, or for ever.
            size = max(min(size, self.largest_rwnd // 2), MIN_PAYLOAD)
        return min(size, self.max_segment) if self.max_segment else size

    def waits_for_window(self) -> bool:
        """Data waits, nothing is outstanding, and the peer's window has no room for the next chunk."""
        if self.outstanding or self.probe_allowed:
            return False
        message = self.queue.head()
        return message is not None and self.rwnd < self._next_payload(message)

    def allow_probe(self) -> None:
        """Let one chunk go although the peer's window has no room (RFC 9260 section 6.1, A)."""
        self.probe_allowed = True
        self.probe_backoff += 1
        self.replenish_burst()

    def _next_payload(self, message: Message) -> int:
        return min(len(message.data) - message.offset, self.max_payload())

    def has_packet(self) -> bool:
        """Whether `next_packet` would return one: then a pending SACK is bundled with it (section 6.1)."""
        chunk = self._first_marked()
        if chunk is not None:
            return self._may_retransmit(self._retransmission_path(chunk))
        message = self.queue.head()
        return message is not None and self._may_send_new(message, self._path_for(message))

    def next_packet(
        self, now: float, room_used: int = 0, used_path: Path | None = None
    ) -> tuple[Path, list[bytes]] | None:
        """The DATA chunks of the next packet, as pieces of bytes, and where it goes; None when nothing may leave.

        ``room_used``: bytes of the packet that chunks before these take if it goes to ``used_path``. No pieces: the
        chunks
        would not fit behind those, but do in a packet of their own.
        """
        # RFC 9260 section 6.1, C: retransmissions before new data.
        chunk = self._first_marked()
        if chunk is not None:
            return self._retransmission(chunk, now, room_used, used_path)
        self.fast_retransmit = False
        return self._new_data(now, room_used, used_path)

    def send_train(self, now: float, header: bytes, out: list[tuple[Route, bytes]]) -> None:
        """Append the packets of the usual case to ``out``: new data to the current path, nothing marked, and windows
        that stay open beyond it. `next_packet` goes on from there: it decides all else.

        ``header``: the common header with zeros for its checksum.
        """
        queue = self.queue
        messages = queue.messages
        if not messages or self.probe_allowed or self._first_marked() is not None:
            return
        path = self.paths.current()
        congestion = path.congestion
        flight = congestion.flight_size
        if congestion.collapsed or not flight:
            return
        self.fast_retransmit = False
        max_payload = self.max_payload()
        packet_room = path.packet_size - COMMON_HEADER
        enough_rwnd = packet_room + max_payload
        cwnd = congestion.cwnd
        outstanding = self.outstanding
        next_ssn = self.next_ssn
        route = path.route
        ports_and_tag = header[:8]
        header_crc = crc32c(header)
        does_not_wait = self.no_delay or self.urge_sack
        end_flags = DATA_FLAG_E | DATA_FLAG_I if self.urge_sack else DATA_FLAG_E
        burst = self.burst
        rwnd = self.rwnd
        rtt_tsn = path.rtt_tsn
        queued = queue.size
        tsn = first_tsn = self.next_tsn
        message = queue.head()
        while (
            burst > 0
            and flight < cwnd
            and rwnd >= enough_rwnd
            and message is not None
            and (queued >= max_payload or does_not_wait or message.offset or message.sack_immediately)
            and len(outstanding) < MAX_OUTSTANDING - packet_room // (_HEADER + 4)
        ):
            if message.destination:
                break
            pieces: list[bytes] = []
            room = packet_room
            while True:
                payload = message.data
                offset = message.offset
                length = len(payload) - offset
                if length > max_payload:
                    payload = payload[offset : offset + max_payload]
                    length = max_payload
                    flags = 0
                    size = (_HEADER + max_payload + 3) & ~3
                    if size > room:
                        break
                    message.offset = offset + length
                else:
                    size = (_HEADER + length + 3) & ~3
                    if size > room:
                        break
                    if offset:
                        payload = payload[offset:]
                    flags = DATA_FLAG_E | DATA_FLAG_I if message.sack_immediately else end_flags
                    message.offset = offset + length
                    messages.popleft()
                if not offset:
                    flags |= DATA_FLAG_B
                    message.first_tsn = tsn
                    if not message.unordered:
                        stream_id = message.stream_id
                        message.ssn = ssn = next_ssn.get(stream_id, 0)
                        next_ssn[stream_id] = ssn + 1
                if message.unordered:
                    flags |= DATA_FLAG_U
                    self.unordered_chunks += 1
                chunk_header = _encode_header(flags, length, tsn, message.stream_id, message.ssn, message.ppid)
                outstanding[tsn] = Chunk(tsn, chunk_header, payload, size, message, path)
                tsn += 1
                pieces.append(chunk_header)
                pieces.append(payload)
                if length & 3:
                    pieces.append(_PADDING[length & 3])
                room -= size
                rwnd -= length
                queued -= length
                if flags & DATA_FLAG_E:
                    message = messages[0] if messages else None
                    if message is not None and message.abandoned:
                        message = queue.head()
                    if message is None or message.destination:
                        break
            flight += packet_room - room
            burst -= 1
            if rtt_tsn < 0:
                rtt_tsn = tsn - 1
            body = b"".join(pieces)
            out.append((route, b"".join((ports_and_tag, pack_checksum(crc32c(body, header_crc)), body))))
        if tsn == first_tsn:
            return
        self.next_tsn = tsn
        self.in_flight += self.rwnd - rwnd
        self.rwnd = rwnd
        self.burst = burst
        queue.size = queued
        congestion.flight_size = flight
        if path.rtt_tsn < 0:
            path.rtt_tsn = rtt_tsn
            path.rtt_sent_at = now
        if path.t3_deadline == inf:
            path.t3_deadline = now + path.rto.rto
        path.last_sent_at = now

    def _first_marked(self) -> Chunk | None:
        """The marked chunk with the lowest TSN."""
        marked = self.marked
        while marked:
            chunk = self.outstanding.get(marked[0])
            if chunk is not None and chunk.marked:
                return chunk
            heappop(marked)
        return None

    def _retransmission_path(self, chunk: Chunk) -> Path:
        """RFC 9260 section 6.4: a fast retransmission stays; what timed out goes to another active address if there
        is one."""
        path = chunk.path
        if chunk.fast_retransmitted and not path.congestion.collapsed:
            return path
        return self.paths.alternate(path)

    def _may_retransmit(self, path: Path) -> bool:
        return self.fast_retransmit or (self.burst > 0 and path.congestion.may_send())

    def _retransmission(
        self, first: Chunk, now: float, room_used: int, used_path: Path | None
    ) -> tuple[Path, list[bytes]] | None:
        path = self._retransmission_path(first)
        if not self._may_retransmit(path):
            return None
        bundled = room_used if path is used_path else 0
        room = path.packet_size - COMMON_HEADER - bundled
        pieces: list[bytes] = []
        congestion = path.congestion
        chunk: Chunk | None = first
        # A lone chunk may be larger than the path's MTU has become: section 6.9 leaves it to IP fragmentation.
        while chunk is not None and (chunk.size <= room or not (pieces or bundled)):
            heappop(self.marked)
            chunk.marked = False
            chunk.path = path
            congestion.flight_size += chunk.size
            self.in_flight += len(chunk.payload)
            self.rwnd = max(self.rwnd - len(chunk.payload), 0)
            self.retransmissions += 1
            if chunk.tsn == self.cumulative + 1:
                # RFC 9260 section 6.1: restarted when the earliest outstanding chunk is sent again.
                path.t3_deadline = inf
            self._append(pieces, chunk)
            room -= chunk.size
            chunk = self._first_marked()
        if not pieces:
            return path, pieces
        if room < 0:
            self.oversized = True
        # RFC 9260 section 6.3.1, C5: an acknowledgement from here on is ambiguous.
        path.rtt_tsn = -1
        self.fast_retransmit = False
        self.burst -= 1
        if path.t3_deadline == inf:
            path.t3_deadline = now + path.rto.rto
        path.last_sent_at = now
        return path, pieces

    def _new_data(self, now: float, room_used: int, used_path: Path | None) -> tuple[Path, list[bytes]] | None:
        queue = self.queue
        message = queue.head()
        if message is None:
            return None
        path = self._path_for(message)
        congestion = path.congestion
        if not self._may_send_new(message, path):
            return None
        bundled = room_used if path is used_path else 0
        room = path.packet_size - COMMON_HEADER - bundled
        max_payload = self.max_payload()
        pieces: list[bytes] = []
        outstanding = self.outstanding
        tsn = self.next_tsn
        sent = 0
        while True:
            offset = message.offset
            remaining = len(message.data) - offset
            if remaining > max_payload:
                payload = message.data[offset : offset + max_payload]
                length = max_payload
                flags = 0
            else:
                payload = message.data[offset:] if offset else message.data
                length = remaining
                flags = DATA_FLAG_E | DATA_FLAG_I if message.sack_immediately or self.urge_sack else DATA_FLAG_E
            size = (_HEADER + length + 3) & ~3
            if size > room or (length > self.rwnd and not self.probe_allowed):
                break
            if not offset:
                flags |= DATA_FLAG_B
                message.first_tsn = tsn
                if not message.unordered:
                    message.ssn = self.next_ssn.get(message.stream_id, 0)
                    self.next_ssn[message.stream_id] = message.ssn + 1
            if message.unordered:
                flags |= DATA_FLAG_U
                self.unordered_chunks += 1
            chunk = Chunk(
                tsn,
                _encode_header(flags, length, tsn, message.stream_id, message.ssn, message.ppid),
                payload,
                size,
                message,
                path,
            )
            outstanding[tsn] = chunk
            tsn += 1
            header_at = len(pieces)
            self._append(pieces, chunk)
            room -= size
            sent += size
            self.rwnd -= length
            self.in_flight += length
            queue.size -= length
            message.offset = offset + length
            if length == remaining:
                queue.messages.popleft()
                following = queue.head()
                if following is None or following.destination != message.destination:
                    break
                message = following
            if self.probe_allowed or len(outstanding) >= MAX_OUTSTANDING:
                break
        if not pieces:
            return path, pieces
        if self.rwnd < max_payload and not self.probe_allowed and self._next_payload(message) > self.rwnd:
            # RFC 9260 section 6.1: this fills the peer's window, and only its SACK lets us go on.
            header = chunk.header
            chunk.header = pieces[header_at] = header[:1] + bytes((header[1] | DATA_FLAG_I,)) + header[2:]
        if self.rwnd < 0:
            self.probing = True
            self.sacks_since_probe = 0
            self.rwnd = 0
        self.probe_allowed = False
        if path.rtt_tsn < 0:
            path.rtt_tsn = tsn - 1
            path.rtt_sent_at = now
        self.next_tsn = tsn
        if congestion.flight_size == 0 and path.last_sent_at > -inf and now - path.last_sent_at > path.rto.rto:
            # Here, where the idle time ends, so that it counts once.
            congestion.idle(int((now - path.last_sent_at) / path.rto.rto))
        congestion.flight_size += sent
        self.burst -= 1
        if path.t3_deadline == inf:
            path.t3_deadline = now + path.rto.rto
        path.last_sent_at = now
        return path, pieces

    def _path_for(self, message: Message) -> Path:
        if message.destination:
            path = self.paths.by_address.get(message.destination)
            # RFC 9260 section 6.4.1: while the address is inactive another one serves.
            if path is not None and path.state is PathState.ACTIVE:
                return path
        return self.paths.current()

    def _may_send_new(self, message: Message, path: Path) -> bool:
        if self.burst <= 0 or not path.congestion.may_send() or len(self.outstanding) >= MAX_OUTSTANDING:
            return False
        payload = self._next_payload(message)
        if payload > self.rwnd and not self.probe_allowed:
            return False
        if self.no_delay or not self.outstanding or self.urge_sack or message.sack_immediately or message.offset:
            return True
        # Nagle's algorithm (RFC 1122 section 4.2.3.4): while something is outstanding, wait for a full packet.
        return self.queue.size >= self.max_payload()

    def _append(self, pieces: list[bytes], chunk: Chunk) -> None:
        pieces.append(chunk.header)
        pieces.append(chunk.payload)
        padding = _PADDING[len(chunk.payload) & 3]
        if padding:
            pieces.append(padding)

    # --- SACK (RFC 9260 section 6.2.1) ---

    def on_sack(self, cumulative_tsn: int, a_rwnd: int, gaps: Sequence[tuple[int, int]], now: float) -> SackOutcome:
        """Process a SACK's fields as on the wire. Nothing is changed unless it is PROCESSED.

        Afterwards each path's ``newly_acked`` tells what this SACK acknowledged of it.
        """
        before = self.cumulative
        advance = (cumulative_tsn - before) & 0xFFFFFFFF
        if advance >= 0x80000000:
            # D, i: an older SACK that was overtaken.
            return SackOutcome.OLD
        cumulative = before + advance
        if cumulative >= self.next_tsn:
            return SackOutcome.NEVER_SENT
        blocks: list[Block] = []
        if gaps:
            blocks = self._blocks(cumulative, gaps)
            if not blocks:
                return SackOutcome.INVALID
            if blocks[-1][1] >= self.next_tsn:
                return SackOutcome.NEVER_SENT
        self.sacks_since_probe += 1
        for path in self.paths:
            path.newly_acked = 0
            path.newly_acked_packets = 0
            path.restart_t3 = False
        highest_newly_acked = self._acknowledge_cumulatively(before, cumulative, now) if advance else -1
        lost_paths: list[Path] = []
        was_recovering = self.recovery_exit >= 0
        if blocks or self.gap_blocks:
            highest_newly_acked = self._apply_gaps(blocks, highest_newly_acked, now)
            if blocks:
                # RFC 9260 section 7.2.4: HTNA, or in Fast Recovery with progress every TSN reported missing.
                limit = blocks[-1][1] if was_recovering and advance else highest_newly_acked
                lost_paths = self._count_misses(cumulative, blocks, limit)
        newly_acked_packets = self._grow_cwnd(was_recovering)
        if lost_paths and not was_recovering:
            # RFC 9260 section 7.2.4, 2, 3 and 6
            for path in lost_paths:
                path.congestion.lost()
            self.recovery_exit = self.next_tsn - 1
            self.fast_retransmit = True
        if 0 <= self.recovery_exit <= cumulative:
            self.recovery_exit = -1
        if self.probing and a_rwnd >= self.in_flight:
            # The window has opened and the probe was dropped before: it leaves now, not when T3-rtx, backed off with
            # each probe, expires.
            for chunk in self.outstanding.values():
                if not chunk.acked and not chunk.marked:
                    self._mark(chunk)
        # D, ii
        self.rwnd = max(a_rwnd - self.in_flight, 0)
        self.largest_rwnd = max(self.largest_rwnd, a_rwnd)
        if self.rwnd > 0:
            self.probing = False
            self.probe_backoff = 0
        elif not self.outstanding:
            self.probing = False
        if self.partial.highest > before:
            self._advance_peer(now)
        self._set_t3(now)
        if not self.outstanding:
            for path in self.paths:
                # RFC 9260 section 7.2.2: all acknowledged
                path.congestion.partial_bytes_acked = 0
        if self.recovery_exit >= 0 and newly_acked_packets and not lost_paths:
            # No more is lost: cwnd may be filled again as slow start does (RFC 6937's slow start reduction bound).
            newly_acked_packets += 1
        self.replenish_burst(newly_acked_packets)
        return SackOutcome.PROCESSED

    def _set_t3(self, now: float) -> None:
        """T3-rtx of each path after a SACK (RFC 9260 section 6.3.2)."""
        # What a Gap Ack Block acknowledged may still be reneged: if nothing else is outstanding the timer goes on.
        forwarding = self.partial.path
        only_gaps = bool(self.gap_blocks) and forwarding is None and not self.in_flight and self._first_marked() is None
        for path in self.paths:
            if path.congestion.flight_size == 0:
                # R2; RFC 3758 section 3.5, C5: a FORWARD TSN is outstanding as DATA is.
                if path is forwarding:
                    if path.restart_t3:
                        path.t3_deadline = now + path.rto.rto
                elif not only_gaps:
                    path.t3_deadline = inf
                elif path.t3_deadline == inf and path is self.paths.current():
                    path.t3_deadline = now + path.rto.rto
            elif path.restart_t3:
                # R3
                path.t3_deadline = now + path.rto.rto

    def is_beyond(self, tsn: int) -> bool:
        """Whether a TSN as on the wire is one that has not been sent yet."""
        advance = (tsn - self.cumulative) & 0xFFFFFFFF
        return advance < 0x80000000 and self.cumulative + advance >= self.next_tsn

    def on_shutdown(self, cumulative_tsn: int, now: float) -> SackOutcome:
        """Process the Cumulative TSN Ack of a SHUTDOWN.

        RFC 9260 section 3.3.8: that it has no Gap Ack Blocks does not mean that the peer reneged. Nor does it tell
        of the peer's window: what was free stays free, and closed stays closed.
        """
        cumulative = self.cumulative + ((cumulative_tsn - self.cumulative) & 0xFFFFFFFF)
        gaps = [(max(start - cumulative, 1), end - cumulative) for start, end in self.gap_blocks if end > cumulative]
        a_rwnd = 0 if self.probing else self.rwnd + self.in_flight
        return self.on_sack(cumulative_tsn, a_rwnd, gaps, now)

    def _blocks(self, cumulative: int, gaps: Sequence[tuple[int, int]]) -> list[Block]:
        """Gap Ack Blocks as TSNs, sorted and merged; empty if one is no block.

        Offsets of 1 are no gaps but have been seen of peers whose cumulative TSN lags: they are taken as they are.
        """
        blocks: list[Block] = []
        previous = 0
        in_order = True
        for start, end in gaps:
            if start == 0 or start > end:
                return []
            in_order = in_order and start > previous
            previous = end
            blocks.append((cumulative + start, cumulative + end))
        if in_order:
            return blocks
        blocks.sort()
        merged = [blocks[0]]
        for first, last in blocks[1:]:
            if first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return merged

    def _acknowledge_cumulatively(self, before: int, cumulative: int, now: float) -> int:
        """Drop what is acknowledged up to ``cumulative``; the highest TSN that was not known to have arrived, or
        -1."""
        outstanding = self.outstanding
        highest = -1
        freed = 0
        arrived = 0
        for tsn in range(before + 1, cumulative + 1):
            chunk = outstanding.pop(tsn)
            length = len(chunk.payload)
            freed += length
            path = chunk.path
            path.restart_t3 = True
            if chunk.acked:
                continue
            path.newly_acked += chunk.size
            highest = tsn
            if chunk.marked:
                chunk.marked = False
            else:
                path.congestion.flight_size -= chunk.size
                arrived += length
            if tsn == path.rtt_tsn:
                path.rto.measure(now - path.rtt_sent_at)
                path.rtt_tsn = -1
        self.cumulative = cumulative
        self.buffered -= freed
        self.in_flight -= arrived
        return highest

    def _apply_gaps(self, blocks: list[Block], highest_newly_acked: int, now: float) -> int:
        """Take in new Gap Ack Blocks; only what changed since the last SACK costs time."""
        outstanding = self.outstanding
        several = len(self.paths) > 1
        lowest: dict[str, int] = {}
        if several:
            # RFC 9260 section 6.3.2, R3 asks for the earliest outstanding TSN of each address.
            in_use = sum(path.congestion.flight_size > 0 for path in self.paths)
            for chunk in outstanding.values():
                if len(lowest) == in_use:
                    break
                if not chunk.acked and not chunk.marked:
                    lowest.setdefault(chunk.path.address, chunk.tsn)
        cumulative = self.cumulative
        known = [(max(start, cumulative + 1), end) for start, end in self.gap_blocks if end > cumulative]
        for start, end in subtract(blocks, known):
            for tsn in range(start, end + 1):
                chunk = outstanding[tsn]
                chunk.acked = True
                path = chunk.path
                path.newly_acked += chunk.size
                if tsn > highest_newly_acked:
                    highest_newly_acked = tsn
                if chunk.marked:
                    chunk.marked = False
                else:
                    path.congestion.flight_size -= chunk.size
                    self.in_flight -= len(chunk.payload)
                if tsn == path.rtt_tsn:
                    path.rto.measure(now - path.rtt_sent_at)
                    path.rtt_tsn = -1
                if several and lowest.get(path.address) == tsn:
                    path.restart_t3 = True
        for start, end in subtract(known, blocks):
            for tsn in range(start, end + 1):
                # RFC 9260 section 6.2.1, D iii: the peer reneged. One miss indication; T3-rtx has to run.
                chunk = outstanding[tsn]
                if chunk.message.abandoned:
                    continue
                chunk.acked = False
                chunk.missing += 1
                chunk.path.congestion.flight_size += chunk.size
                self.in_flight += len(chunk.payload)
                if chunk.path.t3_deadline == inf:
                    chunk.path.t3_deadline = now + chunk.path.rto.rto
        self.gap_blocks = blocks
        return highest_newly_acked

    def _count_misses(self, cumulative: int, blocks: list[Block], limit: int) -> list[Path]:
        """Count a miss for each TSN below ``limit`` that the blocks leave out; paths on which chunks are now lost."""
        outstanding = self.outstanding
        lost_paths: list[Path] = []
        missing_from = cumulative + 1
        for start, end in blocks:
            if missing_from > limit:
                break
            for tsn in range(missing_from, min(start, limit + 1)):
                chunk = outstanding[tsn]
                if chunk.marked:
                    continue
                chunk.missing += 1
                if chunk.missing >= MISSES_TO_RETRANSMIT and not chunk.fast_retransmitted:
                    chunk.fast_retransmitted = True
                    # RFC 3758 section 3.5, F5: what is abandoned is not sent again, but its loss counts.
                    if not chunk.message.abandoned:
                        self._mark(chunk)
                    if chunk.path not in lost_paths:
                        lost_paths.append(chunk.path)
            missing_from = end + 1
        return lost_paths

    def _mark(self, chunk: Chunk) -> None:
        """Mark a chunk in flight for retransmission (RFC 9260 section 6.2.1, C)."""
        chunk.marked = True
        length = len(chunk.payload)
        self.in_flight -= length
        self.rwnd += length
        chunk.path.congestion.flight_size -= chunk.size
        heappush(self.marked, chunk.tsn)
        self.partial.watch(chunk)

    def _grow_cwnd(self, was_recovering: bool) -> int:
        """Apply what was acknowledged to the congestion windows; how many packets that was, about."""
        packets = 0
        for path in self.paths:
            if path.newly_acked:
                congestion = path.congestion
                path.newly_acked_packets = -(-path.newly_acked // congestion.pmdcs)
                packets += path.newly_acked_packets
                congestion.acknowledged(path.newly_acked, path.window_used, path.newly_acked_packets, was_recovering)
        return packets

    # --- T3-rtx (RFC 9260 section 6.3.3) ---

    def _forget_gaps(self) -> None:
        """Take everything that Gap Ack Blocks acknowledged as outstanding again."""
        for chunk in self.outstanding.values():
            if chunk.acked and not chunk.message.abandoned:
                chunk.acked = False
                chunk.path.congestion.flight_size += chunk.size
                self.in_flight += len(chunk.payload)
        self.gap_blocks = []

    def earliest_in_flight(self, path: Path) -> int:
        """The lowest TSN in flight on ``path``; -1: none is."""
        chunks = self.outstanding.values()
        return next((chunk.tsn for chunk in chunks if chunk.path is path and not (chunk.acked or chunk.marked)), -1)

    def on_t3(self, path: Path) -> None:
        """The timer of ``path`` has expired: mark what is in flight there, the earliest leaves first."""
        path.t3_deadline = inf
        path.rto.back_off()
        path.rtt_tsn = -1
        partial = self.partial
        if partial.path is not None:
            # RFC 3758 section 3.5, A5
            partial.due = True
        elif not self.in_flight and self._first_marked() is None:
            # The peer acknowledges beyond gaps and never what is below: its Gap Ack Blocks are not believed any longer.
            self._forget_gaps()
        for chunk in self.outstanding.values():
            if chunk.path is path and not chunk.acked and not chunk.marked:
                chunk.missing = 0
                self._mark(chunk)
        if not self.probing:
            path.congestion.timed_out()
        # The exit point belongs to a flight that is given up: slow start begins anew.
        self.recovery_exit = -1
        self.fast_retransmit = False
        self.replenish_burst()
