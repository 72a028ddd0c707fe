"""The orderly end of an association (RFC 9260 section 9.2)."""

from __future__ import annotations

from math import inf

from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.core.timers import T2_SHUTDOWN, T5_SHUTDOWN_GUARD
from pysctpstack.core.tx.sender import SackOutcome
from pysctpstack.events import AssociationClosed, Loss
from pysctpstack.wire.causes import ProtocolViolation
from pysctpstack.wire.chunks import Shutdown, ShutdownAck, ShutdownComplete
from pysctpstack.wire.packet import encode


def request(tcb: Tcb, now: float) -> None:
    """The user closes. What it sent is still delivered; then SHUTDOWN leaves."""
    if tcb.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
        tcb.shutdown_wanted = True
    elif tcb.state is State.ESTABLISHED:
        tcb.enter(State.SHUTDOWN_PENDING)
        tcb.sender.urge_sack = True
        guard = tcb.settings.shutdown_guard or 5 * tcb.settings.rto_max
        tcb.timers.start(T5_SHUTDOWN_GUARD, now + guard)
        advance(tcb, now)
    # RFC 9260 section 9.2: in SHUTDOWN-RECEIVED and after, the request is ignored: the association closes already.


def advance(tcb: Tcb, now: float) -> None:
    """When all outstanding data has been acknowledged, take the next step."""
    if not tcb.sender.is_idle:
        return
    if tcb.state is State.SHUTDOWN_PENDING:
        tcb.enter(State.SHUTDOWN_SENT)
        _stop_heartbeats(tcb)
        tcb.error_count = 0
        _send_shutdown(tcb, now)
    elif tcb.state is State.SHUTDOWN_RECEIVED:
        tcb.enter(State.SHUTDOWN_ACK_SENT)
        _stop_heartbeats(tcb)
        tcb.error_count = 0
        _send_shutdown_ack(tcb, now)


def _stop_heartbeats(tcb: Tcb) -> None:
    """RFC 9260 section 8.3: discontinued after sending SHUTDOWN or SHUTDOWN ACK."""
    for path in tcb.paths:
        path.heartbeat_deadline = path.heartbeat_timeout = inf


def _send_shutdown(tcb: Tcb, now: float) -> None:
    path = tcb.paths.current()
    tcb.queue(Shutdown(tcb.receiver.tsn_map.cumulative & 0xFFFFFFFF).encode(), path)
    if not tcb.receiver.tsn_map.starts:
        # RFC 9260 section 6.2: it acknowledges as much as a SACK would.
        tcb.receiver.ack.sent()
    tcb.timers.start(T2_SHUTDOWN, now + path.rto.rto)


def _send_shutdown_ack(tcb: Tcb, now: float) -> None:
    path = tcb.answer_path
    tcb.queue(ShutdownAck().encode(), path)
    tcb.timers.start(T2_SHUTDOWN, now + path.rto.rto)


def peer_is_alive(tcb: Tcb, now: float) -> None:
    """In SHUTDOWN-SENT the peer may take its time for what it still has to send."""
    tcb.error_count = 0
    tcb.timers.start(T2_SHUTDOWN, now + tcb.paths.current().rto.rto)


def on_data_while_sent(tcb: Tcb, now: float) -> None:
    """A packet with DATA in SHUTDOWN-SENT: answered with SHUTDOWN at once (RFC 9260 section 9.2), and with SACK.

    The section demands the SACK for gaps and duplicates only; but SHUTDOWN does not tell how large the window is,
    and a peer that has much to send would find it closed for good.
    """
    tcb.sack_wanted = True
    tcb.error_count = 0
    # The last SHUTDOWN of a batch says what the others would.
    tcb.control = [(chunk, path) for chunk, path in tcb.control if chunk[0] != Shutdown.type]
    _send_shutdown(tcb, now)


def on_shutdown(tcb: Tcb, cumulative_tsn: int, now: float) -> None:
    """SHUTDOWN has been received; it acknowledges like a SACK without gaps."""
    state = tcb.state
    if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
        # RFC 9260 section 9.2: silently discarded.
        tcb.shared.count("shutdown_during_setup")
        return
    if state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT) and tcb.sender.is_beyond(cumulative_tsn):
        _refuse(tcb)
        return
    if state is State.SHUTDOWN_SENT:
        # Both close at once.
        tcb.enter(State.SHUTDOWN_ACK_SENT)
        _send_shutdown_ack(tcb, now)
        return
    if state is State.SHUTDOWN_ACK_SENT:
        # Our SHUTDOWN ACK may have been lost; T2-shutdown goes on as it is.
        tcb.queue(ShutdownAck().encode(), tcb.answer_path)
        return
    outcome = tcb.sender.on_shutdown(cumulative_tsn, now)
    if outcome is SackOutcome.NEVER_SENT:
        _refuse(tcb)
        return
    if outcome is SackOutcome.PROCESSED:
        tcb.note_acknowledged()
    if state is not State.SHUTDOWN_RECEIVED:
        tcb.enter(State.SHUTDOWN_RECEIVED)
        tcb.report_shutdown()
    advance(tcb, now)


def _refuse(tcb: Tcb) -> None:
    """RFC 5062 section 5.3, on the Cumulative TSN Ack that a SHUTDOWN has in common with a SACK."""
    tcb.abort([ProtocolViolation(b"SHUTDOWN acknowledges a TSN that was never sent")], Loss.PROTOCOL)


def on_shutdown_ack(tcb: Tcb, tag: int) -> None:
    """The peer has everything and takes its leave. ``tag``: the verification tag that the chunk came under."""
    if tcb.state in (State.SHUTDOWN_SENT, State.SHUTDOWN_ACK_SENT):
        tcb.send_now([ShutdownComplete().encode()], tcb.answer_path)
        _complete(tcb)
    elif tcb.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
        # RFC 9260 section 8.5.1, E: it belongs to an association before this one, and is answered as out of the blue.
        chunk = ShutdownComplete(reflected=True).encode()
        tcb.shared.out.append((tcb.reply_path.route, encode(tcb.local_port, tcb.peer_port, tag, [chunk])))
    else:
        tcb.shared.count("shutdown_ack_unexpected")


def on_shutdown_complete(tcb: Tcb) -> None:
    if tcb.state is State.SHUTDOWN_ACK_SENT:
        _complete(tcb)
    else:
        # RFC 9260 section 8.5.1, C: ignored in every other state.
        tcb.shared.count("shutdown_complete_unexpected")


def _complete(tcb: Tcb) -> None:
    tcb.receiver.abandon()
    tcb.enter(State.CLOSED)
    tcb.report(AssociationClosed(tcb.association_id))


def on_t2(tcb: Tcb, now: float) -> None:
    """T2-shutdown has expired: once more, with the updated cumulative TSN, or the peer is given up."""
    path = tcb.paths.current()
    path.rto.back_off()
    if not tcb.count_error(path, now):
        return
    if tcb.state is State.SHUTDOWN_SENT:
        _send_shutdown(tcb, now)
    elif tcb.state is State.SHUTDOWN_ACK_SENT:
        # RFC 9260 section 6.4: what timed out goes to another address if there is one.
        tcb.reply_path = tcb.paths.alternate(path)
        _send_shutdown_ack(tcb, now)


def on_t5(tcb: Tcb) -> None:
    """The peer keeps the association from ending: abort it."""
    tcb.abort([ProtocolViolation(b"the shutdown takes too long")], Loss.TIMED_OUT)
