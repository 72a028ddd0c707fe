"""The DATA of one direction of an association, and what the other end acknowledges of it.

TSNs are unwrapped. A capture shows what passed one place: what was sent may never have arrived, and what was
acknowledged may not have been seen being sent. So a rule speaks only when no packet that was lost, doubled,
overtaken or not captured can explain what it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pysctpstack.check.findings import Limits
from pysctpstack.check.messages import check_messages
from pysctpstack.check.packets import CutData
from pysctpstack.wire import chunks as c
from pysctpstack.wire.extension_chunks import IData
from pysctpstack.wire.serial import unwrap32

Tell = Callable[[str, int, float, str], None]
"""Takes a rule, the frame's number, the time, and what happened."""

_STUCK_TIME = 5.0
_STUCK_REPORTS = 4
_PARTS_OF_RTO = 0.8
"""A retransmission is early before so much of RTO.Min: clocks are coarse, and the first copy may have been held up."""
_BACKOFF = 1.1
"""Doubled intervals, of which those before were lost on their way to where the capture was made, grow by an eighth."""
_PARTS_BEYOND = 4.0
"""Several transmissions in a row may have been lost before they were captured."""
_SURELY_ARRIVED = 8
"""SACKs, of which one will have reached the sender."""


@dataclass(slots=True)
class Sent:
    """One TSN: its content, and when it was seen."""

    tsn: int
    content: tuple[int, ...] | None
    """Stream, SSN, PPID, U, B and E bits, hash of the user data; None when the capture cut it."""
    chunk_flags: int
    stream_id: int
    ssn: int
    ppid: int
    size: int
    number: int
    first: float
    last: float
    path: tuple[str, str]
    count: int = 1
    interval: float = 0.0
    """Between the last two transmissions after time-outs, both being retransmissions or the first silence."""


@dataclass(slots=True)
class Acknowledged:
    """What one SACK said, and when."""

    time: float
    cumulative: int
    gaps: Sequence[tuple[int, int]]
    a_rwnd: int


class Flow:
    """What one side sends, and what the other acknowledges. ``complete``: seen from the handshake on."""

    def __init__(self, limits: Limits, tell_sender: Tell, tell_receiver: Tell) -> None:
        self._limits = limits
        self._tell = tell_sender
        self._paths: set[tuple[str, str]] = set()
        self._tell_receiver = tell_receiver
        self.initial: int | None = None
        self.streams = 0x10000
        self.round_trip = 0.0
        self.sent: dict[int, Sent] = {}
        self.highest: int | None = None
        self.cumulative: int | None = None
        self.forwarded: int | None = None
        self._forward_time = 0.0
        self.shutdown_time: float | None = None
        self.holes = False
        self.interleaved = False
        self.reset = False
        self.last_new = 0.0
        self._cumulative_time = 0.0
        self._history: list[tuple[float, int]] = []
        self._sacks: list[Acknowledged] = []
        self._forgot_sacks = False
        self._bytes: dict[int, int] = {}
        """User data up to each TSN, while none is missing."""
        self._covering: dict[int, int] = {}
        self._covering_time = -1.0
        self._gap_acked: set[int] = set()
        self._last_gap = -1.0
        self._last_retransmission = -1.0
        self._last_sack = -1.0
        self._unsent: dict[int, tuple[int, float]] = {}
        self._stuck: dict[int, tuple[float, float, int, int]] = {}
        self._retransmissions = 0
        self._lossy = False
        self._beyond: list[tuple[int, float, str]] = []
        self._late: list[tuple[int, float, str]] = []
        self._sparse: list[tuple[int, float, str]] = []
        self._acked_bytes = 0

    def begin(self, time: float, initial_tsn: int, a_rwnd: int) -> None:
        """The handshake told the Initial TSN, and the window of the other end."""
        if not self.sent:
            self.initial = initial_tsn
            self.highest = self.cumulative = initial_tsn - 1
            self._bytes[self.highest] = 0
            self._sacks = [Acknowledged(time, self.cumulative, (), a_rwnd)]

    @property
    def complete(self) -> bool:
        """Whether everything from the Initial TSN up to the highest was seen."""
        return self.initial is not None and not self.holes and len(self.sent) == (self.highest or 0) - self.initial + 1

    @property
    def lossy(self) -> bool:
        """Whether anything tells that packets got lost or doubled."""
        return self._lossy or self._retransmissions > 0

    # --- the sender ---

    def data(
        self, number: int, time: float, path: tuple[str, str], chunk: c.Data | IData, copy: bool, quiet: bool
    ) -> None:
        """A DATA or I-DATA chunk. ``copy``: the same packet was just seen; ``quiet``: the peer has been silent since
        the last packet with DATA."""
        tsn = chunk.tsn if self.highest is None else unwrap32(chunk.tsn, self.highest)
        record = _sent(tsn, chunk, number, time, path)
        self.interleaved |= isinstance(chunk, IData)
        self._paths.add(path)
        if not record.size:
            self._tell("no-user-data", number, time, f"DATA with TSN {chunk.tsn} is empty")
        if self.initial is not None and tsn < self.initial:
            self._tell("tsn-start", number, time, f"TSN {chunk.tsn} is before the Initial TSN {_wire(self.initial)}")
            return
        if chunk.stream_id >= self.streams:
            self._tell("stream-id", number, time, f"stream {chunk.stream_id}, of {self.streams} that there are")
        known = self.sent.get(tsn)
        if known:
            if known.content and record.content and known.content != record.content:
                text = f"TSN {chunk.tsn} had another content in frame {known.number}"
                self._tell("tsn-reuse", number, time, text)
            elif not copy:
                self._again(known, record, quiet)
            return
        if self.highest is None or tsn > self.highest:
            self._new(record)
            if tsn - 1 in self._bytes:
                self._bytes[tsn] = self._bytes[tsn - 1] + record.size
            self.highest = tsn
            self.last_new = time
        self.sent[tsn] = record

    def _again(self, known: Sent, record: Sent, quiet: bool) -> None:
        time, tsn = record.first, known.tsn
        elapsed = time - known.last
        if elapsed < self._limits.duplicate:
            # A fast retransmission, or the network's copy in other company: neither tells about timers.
            known.last = time
            return
        cumulative = self.cumulative if self.cumulative is not None else tsn - 1
        settled = self._settled(time)
        if tsn <= settled and self._covering.get(tsn, 0) >= _SURELY_ARRIVED and self.last_new > known.last:
            text = f"TSN {_wire(tsn)} is sent again after it has been acknowledged for {time - known.last:.3f} s"
            self._tell("acked-resent", record.number, time, text)
        # A SACK may open the window again, or report the chunk missing: either has it sent again.
        waited = known.last > max(self._last_gap, self._last_sack) and self._last_retransmission <= known.last
        if (
            tsn == cumulative + 1
            and waited
            and elapsed < min(self._limits.rto_min * _PARTS_OF_RTO, self._limits.rto_min - self._limits.reorder)
            and known.path == record.path
        ):
            text = f"TSN {_wire(tsn)} is sent again after {elapsed:.3f} s without a gap report"
            self._tell("early-retransmission", record.number, time, text)
        if quiet and known.path == record.path and tsn == cumulative + 1:
            if known.count > 1 and known.interval and len(self._paths) == 1:  # each path has an RTO of its own
                self._backoff(known, record, elapsed)
            known.interval = elapsed if known.count > 1 else 0.0
        else:
            known.interval = 0.0
        self._retransmissions += 1
        self._last_retransmission = time
        known.last, known.path = time, record.path
        known.count += 1

    def _backoff(self, known: Sent, record: Sent, elapsed: float) -> None:
        text = f"TSN {_wire(known.tsn)}: time-outs after {known.interval:.3f} s and {elapsed:.3f} s"
        backoff(self._tell, self._limits, record.number, record.first, known.interval, elapsed, text)

    def _settled(self, time: float) -> int:
        """The Cumulative TSN Ack that the sender must know by now."""
        limit = time - max(self._limits.rto_min, 2 * self.round_trip) - self._limits.latency
        known = self.cumulative if self.cumulative is not None and self._cumulative_time <= limit else None
        if known is None:
            known = next((cumulative for when, cumulative in reversed(self._history) if when <= limit), None)
        return known if known is not None else -1

    def _new(self, record: Sent) -> None:
        time = record.first
        if self.shutdown_time is not None and time > self.shutdown_time + self._limits.reorder:
            text = f"TSN {_wire(record.tsn)} is new, {time - self.shutdown_time:.3f} s after the shutdown"
            self._tell("shutdown-data", record.number, time, text)
        if self._window_allows(record):
            return
        best = max(self._sacks, key=lambda sack: sack.cumulative + sack.a_rwnd)
        text = f"TSN {_wire(record.tsn)} of {record.size} bytes does not fit the window of {best.a_rwnd} bytes"
        self._beyond.append((record.number, time, text))

    def _window_allows(self, record: Sent) -> bool:
        """Whether some SACK that the sender may take for the last one allows this new chunk (6.1 A and 6.2.1)."""
        if not self.complete or self._retransmissions or not self._sacks or self.forwarded is not None:
            return True
        since = record.first - max(self._limits.latency, 2 * self.round_trip) - self._limits.reorder
        # What counts is the last SACK that must have reached the sender, one that overtook it, or one since.
        oldest = -1e300
        before = self._bytes.get(record.tsn - 1)
        if before is None:
            return True
        for sack in reversed(self._sacks):
            if sack.time < oldest:
                return False
            if oldest < 0 and sack.time <= since:
                oldest = sack.time - self._limits.reorder
            if sack.cumulative not in self._bytes:
                return True
            count = record.tsn - 1 - sack.cumulative
            outstanding = before - self._bytes[sack.cumulative]
            for start, end in sack.gaps:
                count -= end - start + 1
                first, last = sack.cumulative + start - 1, sack.cumulative + end
                outstanding -= self._bytes.get(last, before) - self._bytes.get(first, before)
            if count <= 0 or outstanding + record.size <= sack.a_rwnd:
                return True
        return self._forgot_sacks

    def forward(self, number: int, time: float, new_cumulative: int, supported: bool | None) -> None:
        """A FORWARD TSN; ``supported`` is None when it was not seen what the peer announced."""
        tsn = unwrap32(new_cumulative, self.highest if self.highest is not None else new_cumulative)
        if supported is False:
            self._tell("forward-unsupported", number, time, "the peer did not announce FORWARD TSN")
        if self.forwarded is not None and tsn < self.forwarded and time > self._forward_time + self._limits.reorder:
            text = f"New Cumulative TSN {new_cumulative} after {_wire(self.forwarded)}"
            self._tell("forward-backwards", number, time, text)
        if self.forwarded is None or tsn > self.forwarded:
            self.forwarded, self._forward_time = tsn, time

    # --- the receiver ---

    def sack(self, number: int, time: float, chunk: c.Sack) -> None:
        """A SACK of the other end."""
        cumulative = unwrap32(chunk.cumulative_tsn, self._reference(chunk.cumulative_tsn))
        self._check_gaps(number, time, chunk)
        top = cumulative + max((end for _, end in chunk.gaps), default=0)
        self._check_sent(number, time, top)
        for duplicate in chunk.duplicates:
            self._check_sent(number, time, unwrap32(duplicate, cumulative))
        self._lossy |= bool(chunk.gaps or chunk.duplicates)
        if chunk.gaps:
            self._last_gap = time
            if cumulative + 1 not in self.sent:
                first, _, reports, _ = self._stuck.get(cumulative + 1, (time, time, 0, number))
                self._stuck[cumulative + 1] = (first, time, reports + 1, number)
        self._newly(number, time, cumulative, chunk.gaps)
        self._advance(number, time, cumulative)
        self._sacks.append(Acknowledged(time, cumulative, chunk.gaps, chunk.a_rwnd))
        if len(self._sacks) > 512:
            del self._sacks[:256]
            self._forgot_sacks = True
        self._last_sack = time

    def shutdown(self, number: int, time: float, cumulative_tsn: int) -> None:
        """A SHUTDOWN of the other end, which acknowledges too (RFC 9260 section 9.2)."""
        cumulative = unwrap32(cumulative_tsn, self._reference(cumulative_tsn))
        self._check_sent(number, time, cumulative)
        if self._sacks and cumulative > self._sacks[-1].cumulative:
            self._sacks.append(Acknowledged(time, cumulative, (), self._sacks[-1].a_rwnd))
        self._advance(number, time, cumulative)

    def _reference(self, default: int) -> int:
        if self.cumulative is not None:
            return self.cumulative
        return self.highest if self.highest is not None else default

    def _advance(self, number: int, time: float, cumulative: int) -> None:
        limit = time - self._limits.reorder
        past = cumulative
        if self._cumulative_time < limit and self._history:
            past = self._history[-1][1]
        elif cumulative < (self.cumulative or 0):
            past = next((known for when, known in reversed(self._history) if when < limit), cumulative)
        if cumulative < past:
            text = f"Cumulative TSN Ack {_wire(cumulative)} after {_wire(past)}"
            self._tell_receiver("sack-backwards", number, time, text)
        if self.cumulative is None or cumulative > self.cumulative:
            for tsn in range(max(cumulative - 64, self.cumulative or 0) + 1, cumulative + 1):
                self._covering[tsn] = 0
            self.cumulative, self._cumulative_time = cumulative, time
            self._history.append((time, cumulative))
            del self._history[:-512]
        if time < self._covering_time + self._limits.latency:
            return  # what is lost is often lost together
        self._covering_time = time
        for tsn in range(cumulative, cumulative - 64, -1):
            if tsn in self._covering:
                self._covering[tsn] += 1

    def _check_gaps(self, number: int, time: float, chunk: c.Sack) -> None:
        last = 1
        for position, (start, end) in enumerate(chunk.gaps):
            # The TSN after the cumulative one, or after a block, has not been received, or it would belong to them.
            if end < start or start < 2 or (position and start <= last + 1):
                blocks = ", ".join(f"{first}-{final}" for first, final in chunk.gaps[:8])
                self._tell_receiver("sack-gaps", number, time, f"Gap Ack Blocks {blocks}")
                return
            last = end

    def _check_sent(self, number: int, time: float, tsn: int) -> None:
        if self.initial is not None and not self.holes and (self.highest is None or tsn > self.highest):
            self._unsent.setdefault(tsn, (number, time))

    def _newly(self, number: int, time: float, cumulative: int, gaps: Sequence[tuple[int, int]]) -> None:
        """What this SACK acknowledges for the first time: how long did it wait, how many packets are they."""
        fresh: list[Sent] = []
        if self.cumulative is not None:
            for tsn in range(max(self.cumulative + 1, cumulative - 65_535), cumulative + 1):
                if tsn in self._gap_acked:
                    self._gap_acked.discard(tsn)
                elif tsn in self.sent:
                    fresh.append(self.sent[tsn])
        for start, end in gaps:
            for tsn in range(cumulative + start, cumulative + end + 1):
                if tsn not in self._gap_acked and tsn in self.sent:
                    self._gap_acked.add(tsn)
                    fresh.append(self.sent[tsn])
        if not fresh:
            return
        oldest = min(record.last for record in fresh)
        waited = time - oldest
        allowed = self._limits.sack_delay + self.round_trip + self._limits.latency
        if self._retransmissions or self._lossy:
            return
        if waited > allowed and self._last_sack < oldest:
            self._late.append((number, time, f"an acknowledgement took {waited:.3f} s"))
        packets = len({record.number for record in fresh})
        if 0 < self._limits.packets_per_sack < packets and self._acked_bytes < self._limits.train_bytes:
            self._sparse.append((number, time, f"one SACK for {packets} packets"))
        self._acked_bytes += sum(record.size for record in fresh)

    # --- the end ---

    def finish(self, note: Callable[[str], None]) -> None:
        """Judge what only the whole capture can tell."""
        for tsn, (number, time) in self._unsent.items():
            seen = self.sent.get(tsn)
            if self.forwarded is not None and tsn <= self.forwarded:
                continue
            beyond = tsn - self.highest if self.highest is not None else 0
            if not self.complete or (seen is None and beyond < self._limits.occurrences):
                note(f"TSN {_wire(tsn)}, acknowledged in frame {number}, was not seen")
            elif seen is None or seen.first > time + self._limits.reorder:
                self._tell_receiver("sack-unsent", number, time, f"TSN {_wire(tsn)} is acknowledged before it is sent")
        for tsn, (first, last, reports, number) in self._stuck.items():
            if tsn in self.sent or (self.forwarded is not None and tsn <= self.forwarded):
                continue
            if reports >= _STUCK_REPORTS and last - first >= _STUCK_TIME and not self.holes:
                self._tell("tsn-gap", number, last, f"TSN {_wire(tsn)} is never sent, though reported missing")
        if self.forwarded is None:  # RFC 3758: what is abandoned leaves the window before FORWARD TSN tells
            for number, time, text in self._beyond:
                self._tell("window", number, time, text)
        for rule, cases in (("sack-delay", self._late), ("sack-frequency", self._sparse)):
            # A lost SACK looks like a late one; several, in a flow that shows no other loss, do not.
            if len(cases) >= self._limits.occurrences and not self._retransmissions and not self._lossy:
                number, time, text = cases[0]
                self._tell_receiver(rule, number, time, f"{text}; {len(cases)} times")
        lowest = min(self.sent, default=0)
        begin = self.initial if self.initial is not None else lowest
        if self.sent and self.highest is not None and self.highest - begin + 1 > len(self.sent):
            note(f"{self.highest - begin + 1 - len(self.sent)} of {self.highest - begin + 1} TSNs were not seen")
        if not self.interleaved and not self.holes:
            check_messages(self.sent, self.initial, self.forwarded, self.reset, self._tell)


def backoff(tell: Tell, limits: Limits, number: int, time: float, before: float, elapsed: float, text: str) -> None:
    """Two intervals between time-outs in a row (RFC 9260 section 6.3.3, E2)."""
    if elapsed < before * _BACKOFF and elapsed < limits.rto_max * 0.9:
        tell("backoff", number, time, text)
    elif elapsed > limits.rto_max * _PARTS_BEYOND:
        tell("backoff", number, time, f"{text}, beyond RTO.Max")


def _sent(tsn: int, chunk: c.Data | IData, number: int, time: float, path: tuple[str, str]) -> Sent:
    flags = chunk.flags & 0x07  # the I bit may change
    if isinstance(chunk, IData):
        ssn, ppid = chunk.mid, chunk.ppid_or_fsn
    else:
        ssn, ppid = chunk.ssn, chunk.ppid
    size = chunk.size if isinstance(chunk, CutData) else len(chunk.payload)
    content = None
    if not isinstance(chunk, CutData):
        content = (chunk.stream_id, ssn, ppid, flags, hash(chunk.payload))
    return Sent(tsn, content, flags, chunk.stream_id, ssn, ppid, size, number, time, time, path)


def _wire(tsn: int) -> int:
    return tsn & 0xFFFFFFFF
