"""One association: packets, timers and the user's verbs, dispatched to the procedures that handle them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Final

from pysctpstack.core import autoclose, fingerprint, handshake, heartbeat, output, pmtud, shutdown, timers
from pysctpstack.core.path import Path
from pysctpstack.core.rx import receiver as rx
from pysctpstack.core.rx.reassembly import padding_of
from pysctpstack.core.state import State
from pysctpstack.core.statistics import AssociationStatistics, of_association
from pysctpstack.core.tcb import Tcb
from pysctpstack.core.tx.send_queue import Message
from pysctpstack.core.tx.sender import SackOutcome
from pysctpstack.errors import PacketError
from pysctpstack.events import Loss, RemoteError, SenderDry
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import sack, tlv
from pysctpstack.wire.causes import (
    InvalidStreamIdentifier,
    NoUserData,
    ProtocolViolation,
    UnrecognizedChunk,
    UserInitiatedAbort,
)
from pysctpstack.wire.chunks import (
    Abort,
    Error,
    HeartbeatAck,
    InitAck,
    Shutdown,
)
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.packet import HEADER_SIZE, unpack_chunk_header

#: RFC 9260 section 6: DATA is received in these states only; elsewhere it is discarded.
RECEIVING_STATES = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT})
#: The same section on SACK.
ACKNOWLEDGED_STATES = frozenset(
    {State.COOKIE_ECHOED, State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED}
)
#: RFC 9260 section 9.2: the user's new data is rejected once the association closes.
ACCEPTING_STATES = frozenset({State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED})

# In the path of every packet: a global is found faster than an attribute of a module or an Enum.
_CLOSED: Final = State.CLOSED
_SHUTDOWN_SENT: Final = State.SHUTDOWN_SENT
_DATA: Final = cp.DATA
_SACK: Final = cp.SACK
_FORWARD_TSN: Final = cp.FORWARD_TSN
_CHUNK_HEADER: Final = 4


class Association:
    """Sans-IO: every verb takes the time; what it causes to be sent and reported is drained from the endpoint."""

    __slots__ = ("tcb",)

    def __init__(self, tcb: Tcb) -> None:
        self.tcb = tcb

    @property
    def association_id(self) -> int:
        return self.tcb.association_id

    @property
    def state(self) -> State:
        return self.tcb.state

    @property
    def send_buffered(self) -> int:
        """Bytes of user data queued or not acknowledged yet."""
        return self.tcb.sender.buffered

    def fingerprint(self, now: float, names: fingerprint.Names | None = None) -> Hashable:
        """The state as a value: equal for states that differ in times, tags and TSNs only. See `core.fingerprint`."""
        return fingerprint.fingerprint(self.tcb, now, names)

    @property
    def is_progressing(self) -> bool:
        """Something is in flight and the peer's window is open: acknowledgements will come in a row."""
        sender = self.tcb.sender
        return sender.in_flight > 0 and sender.rwnd >= sender.max_payload()

    @property
    def max_payload(self) -> int:
        """Bytes of the largest message that is not fragmented."""
        return self.tcb.sender.max_payload()

    @property
    def is_held_back(self) -> bool:
        """Messages wait for acknowledgements, or for room in the peer's window."""
        return self.tcb.sender.queue.size > 0

    def statistics(self) -> AssociationStatistics:
        """A snapshot of what the association and its paths are at (RFC 9260 section 11.1.8, STATUS)."""
        return of_association(self.tcb)

    # --- the user's verbs (RFC 9260 section 11.1) ---

    def send(self, message: Message, now: float) -> None:
        """Queue a message, and send what may leave. Errors as `offer`."""
        if not self.offer(message):
            self.push_out(now)

    def offer(self, message: Message) -> bool:
        """Queue a message. True: nothing leaves before more messages or an acknowledgement have come; otherwise
        `push_out` has to follow.

        ValueError: no such stream, no data, or no 32-bit ppid. ConnectionError: the association closes.
        """
        tcb = self.tcb
        sender = tcb.sender
        if tcb.state not in ACCEPTING_STATES or tcb.shutdown_wanted:
            raise ConnectionError(f"no new messages in the state {tcb.state.value}")
        if not 0 <= message.stream_id < sender.outbound_streams:
            raise ValueError(f"stream {message.stream_id} of {sender.outbound_streams}")
        if not message.data:
            raise ValueError("a message has at least one byte")
        if not 0 <= message.ppid <= 0xFFFFFFFF:
            raise ValueError(f"payload protocol identifier {message.ppid} is no 32-bit number")
        sender.push(message)
        tcb.dry_reported = False
        return message.expires_at == inf and not message.sack_immediately and sender.gathers()

    def push_out(self, now: float) -> None:
        """After `offer`: send what may leave."""
        self.tcb.sender.replenish_burst()
        self.finish(now)

    def make_room(self, priority: int, size: int, now: float) -> None:
        """Give up messages of a lower priority until ``size`` bytes of the send buffer are free, or there are none
        (RFC 7496 section 4.2)."""
        self._report_expired(self.tcb.sender.take_less_important(priority, size, now))
        self.finish(now)

    def shutdown(self, now: float) -> None:
        """Close in order: what was sent is delivered first."""
        shutdown.request(self.tcb, now)
        self.finish(now)

    def abort(self, reason: bytes, now: float) -> None:
        """End the association at once; ``reason`` travels in the ABORT, as far as a packet holds it."""
        room = self.tcb.paths.current().packet_size - 12 - 8
        if self.tcb.state is not State.CLOSED:
            self.tcb.abort([UserInitiatedAbort(reason[:room])])
        self.finish(now)

    def consumed(self, size: int, now: float, whole: int | None = None) -> None:
        """The user has taken ``size`` bytes out of a `MessageReceived` event: the receive window opens.

        ``whole``: how many bytes the event had, if it is done with; 0: there is more of it; None: it had ``size``.
        """
        self.released(size, padding_of(size if whole is None else whole), now)

    def released(self, size: int, padding: int, now: float) -> None:
        """As `consumed`, for several events at once: their bytes, and the sum of `padding_of` those that are done
        with."""
        tcb = self.tcb
        if tcb.state is State.CLOSED:
            return
        if tcb.receiver.consumed(size, padding) and tcb.state in RECEIVING_STATES:
            tcb.sack_wanted = True
            self.finish(now)
        elif tcb.shared.events:
            # Partial delivery has begun: there is something to hand over although nothing has come.
            tcb.shared.touched.add(tcb.association_id)

    def heartbeat(self, address: str, now: float) -> None:
        """Probe an address now (RFC 9260 section 8.3, D). KeyError: the peer has no such address."""
        path = self.tcb.paths.by_address[address]
        if self.tcb.state in heartbeat.SENDING_STATES:
            heartbeat.send(self.tcb, path, now)
        self.finish(now)

    def discover_path_mtu(self, address: str, wanted: bool, now: float) -> None:
        """Begin or end the search for an address's path MTU (RFC 8899). KeyError: the peer has no such address."""
        pmtud.set_enabled(self.tcb, self.tcb.paths.by_address[address], wanted, now)
        self.finish(now)

    # --- packets ---

    def receive(self, datagram: bytes, path: Path, now: float) -> None:
        """Process a packet whose checksum, verification tag and ports are right. `finish` has to follow the batch."""
        tcb = self.tcb
        tcb.reply_path = path
        tcb.packets_received += 1
        receiver = tcb.receiver
        had_data = False
        position = HEADER_SIZE
        size = len(datagram)
        try:
            while position + _CHUNK_HEADER <= size:
                type_, flags, length = unpack_chunk_header(datagram, position)
                if type_ == _DATA and tcb.state in RECEIVING_STATES:
                    after = receiver.take(datagram, position)
                    if after > position:
                        had_data = True
                        tcb.data_path = path
                        position = after
                        continue
                start = position + _CHUNK_HEADER
                end = position + length
                if length < _CHUNK_HEADER or end > size:
                    # RFC 9260 section 6.10: a partial chunk is dropped, the chunks before it are processed.
                    tcb.shared.count("partial_chunk")
                    break
                position = (end + 3) & ~3
                if type_ == _DATA:
                    if tcb.state not in RECEIVING_STATES:
                        tcb.shared.count("data_in_wrong_state")
                        continue
                    had_data = True
                    tcb.data_path = path
                    outcome = receiver.on_data(datagram, flags, start, end)
                    if outcome > rx.DROPPED and not self._refuse_data(outcome, datagram, start):
                        return
                elif type_ == _SACK:
                    self._on_sack(datagram, start, end, now)
                elif type_ == _FORWARD_TSN and tcb.forward_tsn:
                    # RFC 3758 section 3.6: acknowledged as DATA is.
                    had_data = self._on_forward_tsn(datagram, flags, start, end) or had_data
                else:
                    handler = _HANDLERS.get(type_)
                    if handler is not None:
                        tcb.control_received += 1
                        handler(self, datagram, flags, start, end, now)
                    elif not self._unknown_chunk(type_, datagram, start, end):
                        break
                if tcb.state is _CLOSED:
                    return
            else:
                if position < size:
                    tcb.shared.count("partial_chunk")
        except PacketError as error:
            # The chunk is not what it claims to be: it and what follows are dropped, what came before is done.
            tcb.shared.count(error.reason)
        if tcb.errors:
            tcb.queue_errors()
        closing = tcb.state is _SHUTDOWN_SENT
        if closing:
            # RFC 9260 section 9.2: whatever the peer sends shows that it is at work.
            shutdown.peer_is_alive(tcb, now)
        if had_data:
            if receiver.end_of_packet(now) and not closing:
                if tcb.control:
                    # RFC 9260 section 5.1.5, 6: a COOKIE ACK precedes the SACK; other chunks may share the packet.
                    tcb.sack_wanted = True
                else:
                    output.send_sack(tcb)
            if closing:
                # RFC 9260 section 9.2
                shutdown.on_data_while_sent(tcb, now)

    def _refuse_data(self, outcome: int, datagram: bytes, start: int) -> bool:
        """A DATA chunk that breaks the rules. False: the association ends."""
        tcb = self.tcb
        if outcome == rx.INVALID_STREAM:
            # RFC 9260 section 6.5
            tcb.shared.count("data_invalid_stream")
            stream_id = int.from_bytes(datagram[start + 4 : start + 6], "big")
            tcb.errors[stream_id] = InvalidStreamIdentifier(stream_id).encode()
            tcb.receiver.ack.immediate = True
            return True
        if outcome == rx.NO_USER_DATA:
            # RFC 9260 section 6.2
            tsn = int.from_bytes(datagram[start : start + 4], "big")
            tcb.abort([NoUserData(tsn)], Loss.PROTOCOL)
        else:
            tcb.abort([ProtocolViolation(b"fragments contradict one another")], Loss.PROTOCOL)
        return False

    def _on_sack(self, datagram: bytes, start: int, end: int, now: float) -> None:
        tcb = self.tcb
        if tcb.state not in ACKNOWLEDGED_STATES:
            tcb.shared.count("sack_in_wrong_state")
            return
        cumulative_tsn, a_rwnd, gaps, _duplicates = sack.decode(datagram, start, end)
        tcb.sacks_received += 1
        tcb.gap_blocks_received += len(gaps)
        outcome = tcb.sender.on_sack(cumulative_tsn, a_rwnd, gaps, now)
        if outcome is SackOutcome.PROCESSED:
            tcb.note_acknowledged()
        elif outcome is SackOutcome.NEVER_SENT:
            # RFC 5062 section 5.3: acknowledging what was never sent is an attack on the congestion control.
            tcb.abort([ProtocolViolation(b"SACK acknowledges a TSN that was never sent")], Loss.PROTOCOL)
        else:
            tcb.shared.count("sack_old" if outcome is SackOutcome.OLD else "sack_invalid")

    def _on_forward_tsn(self, datagram: bytes, flags: int, start: int, end: int) -> bool:
        """Whether it is one to be acknowledged."""
        tcb = self.tcb
        if tcb.state not in RECEIVING_STATES:
            tcb.shared.count("forward_tsn_in_wrong_state")
            return False
        chunk = ForwardTsn.decode(flags, datagram[start:end])
        for stream_id in tcb.receiver.on_forward_tsn(chunk.new_cumulative_tsn, chunk.streams):
            tcb.errors[stream_id] = InvalidStreamIdentifier(stream_id).encode()
        return True

    def _unknown_chunk(self, type_: int, datagram: bytes, start: int, end: int) -> bool:
        """RFC 9260 section 3.2: the two highest bits tell what to do. False: skip the rest of the packet."""
        tcb = self.tcb
        tcb.shared.count("unknown_chunk")
        # RFC 9260 section 8.5: in COOKIE-WAIT there is no tag yet to answer under.
        if cp.chunk_reported(type_) and tcb.state is not State.COOKIE_WAIT:
            room = tcb.reply_path.packet_size - 12 - 8
            tcb.errors[-start] = UnrecognizedChunk(datagram[start - 4 : min(end, start - 4 + room)]).encode()
        return not cp.chunk_stops(type_)

    # --- control chunks ---

    def _on_init(self, _datagram: bytes, _flags: int, _start: int, _end: int, _now: float) -> None:
        # RFC 9260 section 8.5.1, A: an INIT travels alone under tag 0; the endpoint handles those.
        raise PacketError("init_with_tag")

    def _on_cookie_echo(self, _datagram: bytes, _flags: int, start: int, _end: int, _now: float) -> None:
        # As the first chunk it belongs to the endpoint, which has seen it; elsewhere it has no place (section 5.1,
        # C).
        if start != 16:
            raise PacketError("cookie_echo_not_first")

    def _on_init_ack(self, datagram: bytes, flags: int, start: int, end: int, now: float) -> None:
        if start != 16 or (end + 3) & ~3 < len(datagram):
            # RFC 9260 section 6.10: an INIT ACK travels alone.
            raise PacketError("init_ack_not_alone")
        try:
            init_ack = InitAck.decode(flags, datagram[start:end])
        except PacketError as error:
            self.tcb.shared.count(error.reason)
            handshake.on_broken_init_ack(self.tcb, datagram[start:end])
            return
        handshake.on_init_ack(self.tcb, init_ack, now)

    def _on_cookie_ack(self, _datagram: bytes, _flags: int, _start: int, _end: int, now: float) -> None:
        handshake.on_cookie_ack(self.tcb, now)

    def _on_heartbeat(self, datagram: bytes, _flags: int, start: int, end: int, _now: float) -> None:
        if end - start > self.tcb.reply_path.packet_size - 16:
            raise PacketError("heartbeat_too_large")
        if not any(type_ == cp.PARAM_HEARTBEAT_INFO for type_, _, _ in tlv.walk(datagram, start, end)):
            raise PacketError("missing_heartbeat_info")
        chunk = datagram[start - 4 : (end + 3) & ~3]
        heartbeat.on_heartbeat(self.tcb, chunk + bytes(-len(chunk) & 3), self.tcb.reply_path)

    def _on_heartbeat_ack(self, datagram: bytes, flags: int, start: int, end: int, now: float) -> None:
        tcb = self.tcb
        info = HeartbeatAck.decode(flags, datagram[start:end]).info
        if tcb.state not in heartbeat.SENDING_STATES:
            tcb.shared.count("heartbeat_ack_unexpected")
            return
        if pmtud.is_probe(info):
            pmtud.on_heartbeat_ack(tcb, info, now)
            return
        heartbeat.on_heartbeat_ack(tcb, info, now)
        if tcb.state is State.ESTABLISHED:
            # The address may have been confirmed by it.
            pmtud.start(tcb, now)

    def _on_abort(self, datagram: bytes, flags: int, start: int, end: int, _now: float) -> None:
        if flags & cp.FLAG_T and self.tcb.local_tag != self.tcb.peer_tag:
            # RFC 9260 section 8.5.1, B: with the T bit the tag has to be the peer's, and this is ours.
            self.tcb.shared.count("abort_with_wrong_tag")
            return
        self.aborted(datagram[start - 4 : end])

    def aborted(self, chunk: bytes) -> None:
        """The peer's ABORT, its tag checked: the association is gone (RFC 9260 section 9.1)."""
        tcb = self.tcb
        if chunk[1] & cp.FLAG_T and tcb.state is State.SHUTDOWN_ACK_SENT:
            # RFC 9260 sections 8.4 and 9.2: the peer has no association any more, and all data was acknowledged both
            # ways. A duplicate that came behind our SHUTDOWN ACK was answered so, and the answer overtook the
            # SHUTDOWN
            # COMPLETE; to a SHUTDOWN ACK that peer would answer SHUTDOWN COMPLETE.
            shutdown.on_shutdown_complete(tcb)
            return
        try:
            causes = Abort.decode(chunk[1], chunk[4:]).causes
        except PacketError as error:
            # RFC 9260 section 3.3.7: one with a format error is dropped.
            tcb.shared.count(error.reason)
            return
        refused = tcb.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED)
        tcb.lose(Loss.REFUSED if refused else Loss.ABORTED, causes[0].code if causes else 0, chunk)

    def shutdown_complete(self) -> None:
        """SHUTDOWN COMPLETE, its tag checked."""
        shutdown.on_shutdown_complete(self.tcb)

    def _on_error(self, datagram: bytes, flags: int, start: int, end: int, now: float) -> None:
        causes = Error.decode(flags, datagram[start:end]).causes
        if not causes:
            return
        for cause in causes:
            if cause.code == cp.CAUSE_STALE_COOKIE:
                handshake.on_stale_cookie(self.tcb, now)
                return
        if self.tcb.was_established:
            self.tcb.report(RemoteError(self.association_id, causes[0].code, datagram[start:end]))

    def _on_shutdown(self, datagram: bytes, flags: int, start: int, end: int, now: float) -> None:
        shutdown.on_shutdown(self.tcb, Shutdown.decode(flags, datagram[start:end]).cumulative_tsn, now)

    def _on_shutdown_ack(self, datagram: bytes, _flags: int, _start: int, _end: int, _now: float) -> None:
        shutdown.on_shutdown_ack(self.tcb, int.from_bytes(datagram[4:8], "big"))
        if self.tcb.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
            # RFC 9260 section 8.5.1, E: the packet is one out of the blue, which gets one answer.
            raise PacketError("shutdown_ack_during_setup")

    def _on_shutdown_complete(self, datagram: bytes, flags: int, start: int, end: int, _now: float) -> None:
        if start != 16 or (end + 3) & ~3 < len(datagram):
            # RFC 9260 section 6.10: a SHUTDOWN COMPLETE travels alone.
            raise PacketError("shutdown_complete_not_alone")
        if flags & cp.FLAG_T and self.tcb.local_tag != self.tcb.peer_tag:
            # RFC 9260 section 8.5.1, C
            self.tcb.shared.count("shutdown_complete_with_wrong_tag")
            return
        self.shutdown_complete()

    def _on_ecn(self, _datagram: bytes, _flags: int, _start: int, _end: int, _now: float) -> None:
        # ECN was not negotiated, so that neither ECNE nor CWR has a meaning (RFC 9260 appendix B).
        self.tcb.shared.count("ecn_not_negotiated")

    def _on_pad(self, _datagram: bytes, _flags: int, _start: int, _end: int, _now: float) -> None:
        """RFC 4820 section 3: a PAD chunk is ignored in silence."""

    # --- timers ---

    def next_timeout(self) -> float:
        tcb = self.tcb
        deadline = min(tcb.timers.deadlines)
        for path in tcb.paths.by_address.values():
            deadline = min(
                deadline, path.t3_deadline, path.heartbeat_deadline, path.heartbeat_timeout, path.probe_deadline
            )
        return deadline

    def handle_timeout(self, now: float) -> None:
        """Run every timer that is due."""
        tcb = self.tcb
        for timer in tcb.timers.take_expired(now):
            if tcb.state is State.CLOSED:
                return
            if timer in (timers.T1_INIT, timers.T1_COOKIE):
                handshake.on_t1(tcb, now)
            elif timer == timers.T2_SHUTDOWN:
                shutdown.on_t2(tcb, now)
            elif timer == timers.T5_SHUTDOWN_GUARD:
                shutdown.on_t5(tcb)
            elif timer == timers.DELAYED_SACK:
                tcb.sack_wanted = tcb.sack_wanted or tcb.receiver.ack.unacknowledged > 0
            elif timer == timers.WINDOW_PROBE:
                tcb.sender.allow_probe()
            elif timer == timers.LIFETIME:
                self._expire(now)
            elif timer == timers.AUTOCLOSE:
                shutdown.request(tcb, now)
        for path in tuple(tcb.paths):
            if path.t3_deadline <= now and tcb.state is not State.CLOSED:
                self._on_t3(path, now)
            if path.heartbeat_timeout <= now and tcb.state is not State.CLOSED:
                heartbeat.on_timeout(tcb, path, now)
            if path.heartbeat_deadline <= now and tcb.state is not State.CLOSED:
                heartbeat.on_timer(tcb, path, now)
            if path.probe_deadline <= now:
                pmtud.on_timer(tcb, path, now)
        self.finish(now)

    def _on_t3(self, path: Path, now: float) -> None:
        tcb = self.tcb
        sender = tcb.sender
        answered_probe = sender.probing and sender.sacks_since_probe > 0
        pmtud.on_t3(tcb, path, now)
        sender.sacks_since_probe = 0
        sender.on_t3(path)
        # RFC 9260 section 6.1, A: a receiver that keeps its window closed but answers is no error.
        if not answered_probe:
            tcb.count_error(path, now)

    def _expire(self, now: float) -> None:
        self._report_expired(self.tcb.sender.take_expired(now))

    def _report_expired(self, expired: list[Message]) -> None:
        for message in expired:
            self.tcb.report_failed(message, sent=message.offset > 0)
            # The event holds it now; the queue passes over the empty message when it gets there.
            message.data = b""

    # --- after everything ---

    def finish(self, now: float) -> None:
        """Send what may leave and set the timers that depend on it: the end of every verb, batch and timeout."""
        tcb = self.tcb
        tcb.shared.touched.add(tcb.association_id)
        if tcb.state is _CLOSED:
            return
        sender = tcb.sender
        if tcb.newly_established:
            tcb.newly_established = False
            heartbeat.start(tcb, now)
            pmtud.on_established(tcb, now)
            if tcb.shutdown_wanted:
                shutdown.request(tcb, now)
        expiry = sender.next_expiry()
        if expiry <= now:
            self._expire(now)
        if sender.is_idle:
            shutdown.advance(tcb, now)
            if not tcb.dry_reported:
                tcb.dry_reported = True
                tcb.report(SenderDry(tcb.association_id))
        output.flush(tcb, now)
        if tcb.settings.autoclose:
            autoclose.watch(tcb, now)
        receiver = tcb.receiver
        deadlines = tcb.timers.deadlines
        if receiver.ack.unacknowledged and deadlines[timers.DELAYED_SACK] == inf:
            deadlines[timers.DELAYED_SACK] = receiver.sack_deadline(now)
        if receiver.reassembly.held and not receiver.unread:
            receiver.start_partial_delivery()
        if not sender.outstanding or deadlines[timers.WINDOW_PROBE] != inf:
            self._watch_window(now)
        if expiry != inf or deadlines[timers.LIFETIME] != inf:
            deadlines[timers.LIFETIME] = sender.next_expiry()

    def _watch_window(self, now: float) -> None:
        """RFC 9260 section 6.1, A: probe a closed window after an RTO, then at doubling intervals."""
        tcb = self.tcb
        if tcb.state in output.DATA_STATES and tcb.sender.waits_for_window():
            if not tcb.timers.is_running(timers.WINDOW_PROBE):
                rto = tcb.paths.current().rto
                interval = min(rto.rto * (1 << min(tcb.sender.probe_backoff, 10)), rto.maximum)
                tcb.timers.start(timers.WINDOW_PROBE, now + interval)
        else:
            tcb.timers.stop(timers.WINDOW_PROBE)


_HANDLERS: dict[int, Callable[[Association, bytes, int, int, int, float], None]] = {
    cp.INIT: Association._on_init,
    cp.INIT_ACK: Association._on_init_ack,
    cp.COOKIE_ECHO: Association._on_cookie_echo,
    cp.COOKIE_ACK: Association._on_cookie_ack,
    cp.HEARTBEAT: Association._on_heartbeat,
    cp.HEARTBEAT_ACK: Association._on_heartbeat_ack,
    cp.ABORT: Association._on_abort,
    cp.ERROR: Association._on_error,
    cp.SHUTDOWN: Association._on_shutdown,
    cp.SHUTDOWN_ACK: Association._on_shutdown_ack,
    cp.SHUTDOWN_COMPLETE: Association._on_shutdown_complete,
    cp.ECNE: Association._on_ecn,
    cp.CWR: Association._on_ecn,
    cp.PAD: Association._on_pad,
}
