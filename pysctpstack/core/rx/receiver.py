"""DATA chunks in, messages and SACKs out (RFC 9260 sections 6.2, 6.5 to 6.7, 6.9). A hot file.

The usual chunk - next in the TSN sequence, a whole message, next in its stream - passes without an object of its
own other than
the event that hands the message over.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from pysctpstack.core.rx import tsn_map
from pysctpstack.core.rx.ack_policy import AckPolicy
from pysctpstack.core.rx.reassembly import MIN_CHARGE, Reassembly, Run
from pysctpstack.core.rx.tsn_map import TsnMap
from pysctpstack.core.settings import Settings
from pysctpstack.errors import PacketError
from pysctpstack.events import Event, MessageReceived, PartialDeliveryAborted
from pysctpstack.wire import data, sack
from pysctpstack.wire.codepoints import DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_I, DATA_FLAG_U
from pysctpstack.wire.serial import unwrap32

# What became of a chunk.
ACCEPTED: Final = 0
DROPPED: Final = 1
NO_USER_DATA: Final = 2
INVALID_STREAM: Final = 3
BROKEN_FRAGMENTS: Final = 4

_FIELDS_SIZE: Final = data.FIELDS.size
_HEADER_SIZE: Final = data.HEADER_SIZE
_WHOLE: Final = DATA_FLAG_B | DATA_FLAG_E
_unpack = data.FIELDS.unpack_from
_unpack_chunk = data.CHUNK.unpack_from
_new: Final = tuple.__new__
"""Makes a `MessageReceived` in a third of the time that its class takes."""


class Receiver:
    __slots__ = (
        "association_id",
        "events",
        "inbound_streams",
        "tsn_map",
        "reassembly",
        "ack",
        "receive_buffer",
        "max_overhead",
        "unread",
        "unread_padding",
        "largest_chunk",
        "announced",
        "received",
        "promised",
        "partial",
        "partial_delivery_point",
        "unordered_chunks",
        "duplicates",
        "out_of_sequence",
        "sacks",
        "deferred",
        "deferred_size",
        "sack_delay",
        "packet_bytes",
        "packet_new",
        "counters",
    )

    def __init__(
        self,
        association_id: int,
        events: list[Event],
        counters: dict[str, int],
        settings: Settings,
        initial_tsn: int,
        inbound_streams: int,
    ) -> None:
        self.association_id = association_id
        self.events = events
        self.counters = counters
        self.inbound_streams = inbound_streams
        self.tsn_map = TsnMap(initial_tsn, settings.max_gap_blocks, settings.max_duplicates)
        self.reassembly = Reassembly()
        self.ack = AckPolicy(settings)
        self.sack_delay = settings.sack_delay if settings.delays_sacks else 0.0
        self.receive_buffer = settings.receive_buffer
        self.max_overhead = settings.max_overhead
        """What small chunks are charged beyond their data may be so many times the buffer, whatever has been announced:
        a peer learns of the charge only with the next SACK."""
        self.unread = 0
        """Bytes handed over in events that the user has not taken yet."""
        self.unread_padding = 0
        """What unread messages are charged beyond their data."""
        self.largest_chunk = 0
        """User data of the largest DATA chunk so far: what the peer needs room for at least."""
        self.announced = settings.receive_buffer
        """The a_rwnd of the last SACK."""
        self.received = 0
        """Bytes of user data that were taken since the start."""
        self.promised = settings.receive_buffer
        """How many the peer may have sent by now, going by all that was announced: what is under way when the window
        closes still has its room."""
        # For SCTP_GET_ASSOC_STATS: DATA chunks of complete unordered messages, duplicates, chunks that did not come in
        # turn; SACKs that were made.
        self.unordered_chunks = self.duplicates = self.out_of_sequence = self.sacks = 0
        self.partial_delivery_point = settings.partial_delivery_point
        """Bytes of an incomplete message from which on it is delivered in pieces; 0: when the buffer is full."""
        self.partial: Run | None = None
        """The message under partial delivery: until it ends, others wait in ``deferred``."""
        self.deferred: list[MessageReceived] = []
        self.deferred_size = 0
        """What they are charged. The user can't read them yet, so that they must not keep out the end of the message
        that they wait for: they have as much room of their own as the buffer."""
        self.packet_bytes = 0
        self.packet_new = False

    # --- the receive window (RFC 9260 section 6.2) ---

    @property
    def window(self) -> int:
        """Bytes of user data for which there is room."""
        reassembly = self.reassembly
        # Without a gap the next chunk belongs to the message that the deferred ones wait for.
        if self.deferred_size > self.receive_buffer and self.tsn_map.starts:
            return 0
        return max(self.receive_buffer - self.unread - self.unread_padding - reassembly.held - reassembly.padding, 0)

    def advertised_window(self) -> int:
        """The a_rwnd to announce: 0 rather than a sliver that no chunk of the peer's fits into (RFC 1122 section
        4.2.3.3:
        silly window syndrome)."""
        window = self.window
        buffer = self.receive_buffer
        return window if window >= max(min(buffer // 4, 1_452), min(self.largest_chunk, buffer // 2)) else 0

    def consumed(self, size: int, padding: int) -> bool:
        """The user has taken ``size`` bytes, and what was charged beyond them is released.

        True: the window has opened by so much that the peer should be told now.
        """
        self.unread -= size
        self.unread_padding -= padding
        if self.unread == 0 and self.reassembly.held and self.partial is None:
            self.start_partial_delivery()
        # RFC 9260 section 6.2: an update when the window grew by a quarter of the buffer, not for each message read.
        window = self.advertised_window()
        if window - self.announced >= self.receive_buffer // 4:
            return True
        # Or when all has been read and the peer is about to be held back, so that it would wait for the delayed SACK.
        left = self.promised - self.received
        return self.unread == 0 and left < 2 * self.largest_chunk <= window - left

    # --- DATA chunks ---

    def take(self, datagram: bytes, position: int) -> int:
        """Take the usual DATA chunks from ``position`` on: each the next TSN, nothing missing, room in the window, and
        the next message of its stream or the next fragment of one. Where the first other chunk begins.

        All else is `on_data`'s, one chunk at a time; so is what breaks the rules. What is taken here has the same
        effect there.
        """
        map_ = self.tsn_map
        reassembly = self.reassembly
        if (
            map_.starts
            or self.partial is not None
            or self.deferred
            or self.announced == 0
            or self.partial_delivery_point
        ):
            return position
        limit = len(datagram)
        overhead = self.unread_padding + reassembly.padding
        # What a chunk may be charged at most, going by both limits of `on_data`.
        room = min(
            self.receive_buffer - self.unread - reassembly.held, self.max_overhead * self.receive_buffer - overhead
        )
        held = reassembly.held
        streams = reassembly.streams
        inbound_streams = self.inbound_streams
        append = self.events.append
        id_ = self.association_id
        tsn = map_.cumulative + 1
        first = tsn
        expected = tsn & 0xFFFFFFFF
        taken = unread = padding = 0
        run: Run | None = None
        largest = self.largest_chunk
        while position + _HEADER_SIZE < limit:
            type_, flags, length, wire_tsn, stream_id, ssn, ppid = _unpack_chunk(datagram, position)
            size = length - _HEADER_SIZE
            end = position + length
            if (
                type_
                or wire_tsn != expected
                or size <= 0
                or end > limit
                or (size if size > MIN_CHARGE else MIN_CHARGE) > room
                or stream_id >= inbound_streams
            ):
                break
            whole = flags & _WHOLE
            if whole == _WHOLE:
                if held:
                    break
                if flags & DATA_FLAG_U:
                    unordered = True
                    self.unordered_chunks += 1
                else:
                    unordered = False
                    stream = streams.get(stream_id) or reassembly.stream(stream_id)
                    if stream.next_ssn & 0xFFFF != ssn or stream.waiting:
                        break
                    stream.next_ssn += 1
                append(
                    _new(
                        MessageReceived,
                        (
                            id_,
                            stream_id,
                            ssn,
                            ppid,
                            expected,
                            expected,
                            unordered,
                            datagram[position + _HEADER_SIZE : end],
                            True,
                        ),
                    )
                )
                unread += size
                if size < MIN_CHARGE:
                    padding += MIN_CHARGE - size
            elif whole == DATA_FLAG_B:
                if held:
                    break
                run = Run(tsn, flags, stream_id, ssn, ppid, datagram[position + _HEADER_SIZE : end])
                reassembly.by_first[tsn] = run
                held = size
                reassembly.padding += run.padding
            else:
                if run is None:
                    run = reassembly.by_last.pop(tsn - 1, None)
                    if run is None:
                        break
                unordered = run.unordered
                if (
                    run.ends
                    or run.stream_id != stream_id
                    or bool(flags & DATA_FLAG_U) is not unordered
                    or (run.ssn != ssn and not unordered)
                ):
                    break
                if whole:
                    if not run.begins:
                        break
                    if not unordered:
                        stream = streams.get(stream_id) or reassembly.stream(stream_id)
                        if stream.next_ssn & 0xFFFF != ssn or stream.waiting:
                            break
                        stream.next_ssn += 1
                    else:
                        self.unordered_chunks += tsn - run.first + 1
                    pieces = run.pieces
                    pieces.append(datagram[position + _HEADER_SIZE : end])
                    del reassembly.by_first[run.first]
                    reassembly.padding -= run.padding
                    held -= run.size
                    message = b"".join(pieces)
                    append(
                        _new(
                            MessageReceived,
                            (
                                id_,
                                stream_id,
                                run.ssn,
                                run.ppid,
                                run.first & 0xFFFFFFFF,
                                expected,
                                unordered,
                                message,
                                True,
                            ),
                        )
                    )
                    length = len(message)
                    unread += length
                    if length < MIN_CHARGE:
                        padding += MIN_CHARGE - length
                    run = None
                else:
                    run.pieces.append(datagram[position + _HEADER_SIZE : end])
                    run.size += size
                    run.last = tsn
                    held += size
                    if size < MIN_CHARGE:
                        run.padding += MIN_CHARGE - size
                        reassembly.padding += MIN_CHARGE - size
            if flags & DATA_FLAG_I:
                self.ack.immediate = True
            taken += size
            room -= size if size > MIN_CHARGE else MIN_CHARGE
            if size > largest:
                largest = size
            tsn += 1
            expected = (expected + 1) & 0xFFFFFFFF
            position = (end + 3) & ~3
        if run is not None:
            reassembly.by_last[run.last] = run
        if tsn != first:
            map_.cumulative = tsn - 1
            reassembly.held = held
            self.largest_chunk = largest
            self.packet_new = True
            self.packet_bytes += taken
            self.received += taken
            self.unread += unread
            self.unread_padding += padding
        return position

    def on_data(self, datagram: bytes, flags: int, start: int, end: int) -> int:
        """Process the DATA chunk whose value is ``datagram[start:end]``; one of the outcomes above.

        PacketError: it is too short to be one.
        """
        size = end - start - _FIELDS_SIZE
        if size <= 0:
            if size < 0:
                # RFC 9260 section 3.3.1: not even the fixed fields are there.
                raise PacketError("bad_chunk_length", f"{end - start} bytes of DATA, {_FIELDS_SIZE} are fixed")
            return NO_USER_DATA
        tsn, stream_id, ssn, ppid = _unpack(datagram, start)
        map_ = self.tsn_map
        tsn = unwrap32(tsn, map_.cumulative)
        self.packet_bytes += size
        if size > self.largest_chunk:
            self.largest_chunk = size
        if (
            self.unread + self.reassembly.held + size > self.receive_buffer
            or (self.announced == 0 and self.received + size > self.promised)
            or self.deferred_size > self.receive_buffer
            or self.unread_padding + self.reassembly.padding > self.max_overhead * self.receive_buffer
        ) and not self._has_room(tsn, size):
            self.ack.immediate = True
            self._count("data_beyond_window")
            return DROPPED
        if tsn == map_.cumulative + 1 and not map_.starts:
            map_.cumulative = tsn
        else:
            outcome = map_.add(tsn)
            if outcome != tsn_map.NEW:
                if outcome == tsn_map.REFUSED:
                    self.ack.immediate = True
                    self._count("data_too_far_ahead")
                else:
                    self._count("data_duplicate")
                    self.duplicates += 1
                return DROPPED
            self.out_of_sequence += 1
        self.packet_new = True
        self.received += size
        if flags & DATA_FLAG_I:
            self.ack.immediate = True
        if stream_id >= self.inbound_streams:
            # RFC 9260 section 6.5: acknowledged, reported and discarded.
            return INVALID_STREAM
        if flags & _WHOLE == _WHOLE and not self.reassembly.held:
            piece = datagram[start + _FIELDS_SIZE : end]
            if flags & DATA_FLAG_U:
                self.unordered_chunks += 1
                self._hand_over(stream_id, ssn, ppid, tsn, True, piece)
                return ACCEPTED
            stream = self.reassembly.stream(stream_id)
            if stream.next_ssn & 0xFFFF == ssn and not stream.waiting:
                stream.next_ssn += 1
                self._hand_over(stream_id, ssn, ppid, tsn, False, piece)
                return ACCEPTED
        return self._reassemble(tsn, flags, stream_id, ssn, ppid, datagram[start + _FIELDS_SIZE : end])

    def _has_room(self, tsn: int, size: int) -> bool:
        """Whether a chunk may exceed the buffer: the one that closes an open window, and what fills a gap, within
        twice the buffer.

        RFC 9260 section 6.2 drops new data while the announced window is 0; a peer whose fragments are larger than
        what
        is left would never get on otherwise. The same section has a receiver drop the highest TSN it holds in
        favour of
        one that fills a gap. Taking both costs no more than a second buffer and needs no revoked acknowledgement.
        """
        if self.advertised_window() > 0:
            return True
        if tsn >= self.tsn_map.largest:
            return False
        return (
            self.unread + self.reassembly.held + size <= 2 * self.receive_buffer
            and self.deferred_size <= 2 * self.receive_buffer
            and self.unread_padding + self.reassembly.padding <= 2 * self.max_overhead * self.receive_buffer
        )

    def _reassemble(self, tsn: int, flags: int, stream_id: int, ssn: int, ppid: int, piece: bytes) -> int:
        run = self.reassembly.add(tsn, flags, stream_id, ssn, ppid, piece)
        if run is None:
            return BROKEN_FRAGMENTS
        if self.partial is not None and run.first == self.partial.first:
            self.partial = run
            self._continue_partial_delivery(run)
        elif run.begins and run.ends:
            self.reassembly.remove(run)
            return self._deliver_in_order(run)
        elif (
            self.partial is None
            and 0 < self.partial_delivery_point <= run.size
            and self.reassembly.deliverable_head() is run
        ):
            # RFC 6458 section 8.1.21
            self.partial = run
            self._continue_partial_delivery(run)
        return ACCEPTED

    def _deliver_in_order(self, run: Run) -> int:
        """A message is complete: hand it over, and after it those of its stream that waited for it."""
        if run.unordered:
            self.unordered_chunks += run.last - run.first + 1
            self._hand_over_run(run)
            return ACCEPTED
        stream = self.reassembly.stream(run.stream_id)
        ssn = stream.unwrap(run.ssn)
        if ssn != stream.next_ssn:
            if ssn in stream.waiting:
                return BROKEN_FRAGMENTS
            stream.waiting[ssn] = run
            return ACCEPTED
        self._hand_over_run(run)
        self._advance(run.stream_id)
        return ACCEPTED

    def _advance(self, stream_id: int) -> None:
        stream = self.reassembly.stream(stream_id)
        stream.next_ssn += 1
        while stream.waiting:
            waiting = stream.waiting.pop(stream.next_ssn, None)
            if waiting is None:
                return
            self._hand_over_run(waiting)
            stream.next_ssn += 1

    def _hand_over_run(self, run: Run) -> None:
        self.reassembly.release(run)
        self._hand_over(run.stream_id, run.ssn, run.ppid, run.first, run.unordered, b"".join(run.pieces))

    def _hand_over(self, stream_id: int, ssn: int, ppid: int, tsn: int, unordered: bool, message: bytes) -> None:
        event = MessageReceived(
            self.association_id,
            stream_id,
            ssn,
            ppid,
            tsn & 0xFFFFFFFF,
            self.tsn_map.cumulative & 0xFFFFFFFF,
            unordered,
            message,
        )
        if self.partial is None:
            self._charge_unread(len(message))
            self.events.append(event)
        else:
            self.deferred.append(event)
            self.deferred_size += max(len(message), MIN_CHARGE)

    def _charge_unread(self, size: int) -> None:
        self.unread += size
        if size < MIN_CHARGE:
            self.unread_padding += MIN_CHARGE - size

    # --- partial delivery (RFC 9260 section 6.9) ---

    def start_partial_delivery(self) -> None:
        """Nothing can be read and the buffer is full of fragments: hand over the beginning of the oldest message."""
        if self.partial is not None or self.advertised_window() > 0:
            return
        run = self.reassembly.deliverable_head()
        if run is not None:
            self.partial = run
            self._continue_partial_delivery(run)

    def _continue_partial_delivery(self, run: Run) -> None:
        piece = b"".join(run.pieces)
        self.reassembly.release(run)
        self._charge_unread(run.size)
        run.pieces.clear()
        run.size = 0
        self.events.append(
            MessageReceived(
                self.association_id,
                run.stream_id,
                run.ssn,
                run.ppid,
                run.first & 0xFFFFFFFF,
                self.tsn_map.cumulative & 0xFFFFFFFF,
                run.unordered,
                piece,
                run.ends,
            )
        )
        if run.ends:
            self.reassembly.remove(run)
            self.partial = None
            self._release_deferred()
            if not run.unordered:
                self._advance(run.stream_id)

    def abort_partial_delivery(self) -> None:
        """The rest of a message that was begun will not come."""
        if self.partial is not None:
            self.events.append(PartialDeliveryAborted(self.association_id, self.partial.stream_id, self.partial.ssn))
            self.partial = None
            self._release_deferred()

    def _release_deferred(self) -> None:
        for event in self.deferred:
            self._charge_unread(len(event.data))
        self.events.extend(self.deferred)
        self.deferred.clear()
        self.deferred_size = 0

    def abandon(self) -> None:
        """The association ends: nothing more will be delivered."""
        self.abort_partial_delivery()
        self.reassembly = Reassembly()

    # --- FORWARD TSN (RFC 3758 section 3.6) ---

    def on_forward_tsn(self, new_cumulative_tsn: int, streams: Sequence[tuple[int, int]]) -> list[int]:
        """Skip what the peer has abandoned, and hand over what waited for it; the streams listed that do not exist.

        ``streams``: (stream identifier, SSN) of the last message skipped, as on the wire.
        """
        map_ = self.tsn_map
        tsn = unwrap32(new_cumulative_tsn, map_.cumulative)
        if tsn <= map_.cumulative:
            self.ack.immediate = True
            self._count("forward_tsn_old")
            # Of a message that was skipped in two steps the end may have come late, by itself.
            self._discard()
            return []
        if tsn - map_.cumulative > tsn_map.MAX_OFFSET:
            # Further than any DATA would be taken.
            self.ack.immediate = True
            self._count("forward_tsn_too_far_ahead")
            return []
        self.packet_new = True
        map_.skip_to(tsn)
        self._discard()
        invalid: list[int] = []
        for stream_id, ssn in dict(streams).items():
            if stream_id < self.inbound_streams:
                self._skip(stream_id, ssn)
            else:
                self._count("forward_tsn_invalid_stream")
                invalid.append(stream_id)
        return invalid

    def _discard(self) -> None:
        if self.partial in self.reassembly.discard(self.tsn_map.cumulative):
            self.abort_partial_delivery()

    def _skip(self, stream_id: int, ssn: int) -> None:
        """Wait no longer for messages of a stream up to and with ``ssn``."""
        stream = self.reassembly.stream(stream_id)
        last = stream.unwrap(ssn)
        if last - stream.next_ssn >= 0x8000:
            # RFC 1982: it has been passed.
            return
        for waiting in sorted(number for number in stream.waiting if number <= last):
            self._hand_over_run(stream.waiting.pop(waiting))
        stream.next_ssn = last
        self._advance(stream_id)

    # --- acknowledging ---

    def end_of_packet(self, now: float) -> bool:
        """A packet with DATA has been processed. True: a SACK has to leave before the next packet is."""
        if not self.packet_new:
            # RFC 9260 section 6.2: nothing but duplicates is acknowledged at once.
            self.ack.immediate = True
        size = self.packet_bytes
        self.packet_bytes = 0
        self.packet_new = False
        return self.ack.packet_received(size, bool(self.tsn_map.starts), now)

    def sack_deadline(self, now: float) -> float:
        """When a SACK has to leave at the latest: ``now`` if it is due, ``math.inf`` if nothing waits for one."""
        if self.ack.due:
            return now
        return now + self.sack_delay if self.ack.unacknowledged else inf

    def make_sack(self, room: int) -> bytes:
        """The SACK chunk of this moment, in at most ``room`` bytes; counts as sent."""
        map_ = self.tsn_map
        self.announced = self.advertised_window()
        if self.announced:
            self.promised = max(self.promised, self.received + self.announced)
        self.ack.sent()
        self.sacks += 1
        if not map_.starts and not map_.duplicates:
            return sack.encode(map_.cumulative, self.announced, (), ())
        # RFC 9260 section 6.2: as many Gap Ack Blocks as fit; duplicates in what is left.
        entries = max(room - 16, 0) // 4
        gaps = map_.gap_blocks()[:entries]
        duplicates = map_.take_duplicates()[: entries - len(gaps)]
        return sack.encode(map_.cumulative, self.announced, gaps, duplicates)

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1
