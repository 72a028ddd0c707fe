"""HEARTBEAT and HEARTBEAT ACK (RFC 9260 sections 5.4 and 8.3): which paths work, and how long they take."""

from __future__ import annotations

from math import inf
from typing import Final

from pysctpstack.core.path import Path, PathState
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.events import PathChange, PathChanged
from pysctpstack.wire.chunks import Heartbeat, HeartbeatAck

_NONCE_SIZE = 8
EARLY: Final = 1 / 16
"""The part of an RTO by which a HEARTBEAT may be early; taken off its jitter, which is half an RTO either way."""
MAX_EARLY: Final = 1 / 16
"""Seconds that this is at most."""

#: RFC 9260 section 8.3: heartbeats begin with ESTABLISHED and end with SHUTDOWN or SHUTDOWN ACK.
SENDING_STATES = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED})
#: The same section on the answer: from COOKIE-ECHOED or ESTABLISHED on, up to the same end.
_PROBED = frozenset({PathState.UNCONFIRMED, PathState.POTENTIALLY_FAILED})
ANSWERING_STATES = SENDING_STATES | {State.COOKIE_ECHOED}


def start(tcb: Tcb, now: float) -> None:
    """The association is ESTABLISHED: watch its idle paths, probe the unconfirmed ones."""
    for path in tcb.paths:
        schedule(tcb, path, now)


def schedule(tcb: Tcb, path: Path, now: float) -> None:
    """Set when the next HEARTBEAT to ``path`` is due."""
    if path.state in _PROBED:
        # RFC 9260 section 5.4 and RFC 7829 section 4.2, 4: one probe an RTO.
        path.heartbeat_deadline = now + path.rto.rto
    elif path.heartbeats:
        # RFC 9260 section 8.3: HB.interval plus the RTO, give or take half an RTO.
        jitter = (tcb.shared.random32() / 0x100000000 * (1.0 - EARLY) - (0.5 - EARLY)) * path.rto.rto
        path.heartbeat_deadline = now + path.heartbeat_interval + path.rto.rto + jitter
    else:
        path.heartbeat_deadline = inf


def bring_forward(tcb: Tcb, now: float) -> bool:
    """Have the next HEARTBEAT be due now if it soon will be. False: it will not."""
    path = tcb.paths.primary
    # Several addresses are probed each in its turn.
    if len(tcb.paths) > 1 or path.state in _PROBED:
        return False
    if path.heartbeat_deadline - now > min(path.rto.rto * EARLY, MAX_EARLY):
        return False
    path.heartbeat_deadline = min(path.heartbeat_deadline, now)
    return True


def on_timer(tcb: Tcb, path: Path, now: float) -> None:
    """The heartbeat timer of ``path`` has expired: probe it if it was idle."""
    path.heartbeat_deadline = inf
    if tcb.state not in SENDING_STATES:
        return
    idle_since = max(path.last_sent_at, path.heartbeat_sent_at)
    busy_until = idle_since + path.heartbeat_interval
    if path.state not in _PROBED and busy_until > now:
        # RFC 9260 section 8.3: DATA has been sent within this period, so the path is not idle.
        path.heartbeat_deadline = busy_until + path.rto.rto
        return
    if path.heartbeat_timeout != inf:
        return
    if not path.is_confirmed and not _may_probe(tcb, now):
        path.heartbeat_deadline = tcb.probes_until
        return
    send(tcb, path, now)


def _may_probe(tcb: Tcb, now: float) -> bool:
    """RFC 9260 section 5.4: HB.Max.Burst probes of unconfirmed addresses in each RTO."""
    if now >= tcb.probes_until:
        tcb.probes_until = now + tcb.paths.primary.rto.rto
        tcb.probes = 0
    tcb.probes += 1
    return tcb.probes <= max(tcb.settings.heartbeat_max_burst, 1)


def send(tcb: Tcb, path: Path, now: float) -> None:
    """Send a HEARTBEAT to ``path`` now, idle or not (RFC 9260 section 8.3, D)."""
    path.heartbeat_nonce = tcb.shared.entropy.token(_NONCE_SIZE)
    path.heartbeat_sent_at = now
    path.heartbeat_timeout = now + path.rto.rto
    # The address tells which path, the nonce that the answer is to this very HEARTBEAT.
    info = path.heartbeat_nonce + path.address.encode()
    tcb.queue(Heartbeat(info).encode(), path)


def on_timeout(tcb: Tcb, path: Path, now: float) -> None:
    """No answer within an RTO: an error of the path, and of the association if its data goes there (section 8.1)."""
    path.heartbeat_timeout = inf
    path.heartbeat_nonce = b""
    if tcb.state not in SENDING_STATES:
        return
    path.rto.back_off()
    if path.is_confirmed and path is tcb.paths.current():
        if not tcb.count_error(path, now):
            return
    else:
        # RFC 9260 sections 5.4 and 8.1: other paths can't end an association that works.
        tcb.count_path_error(path, now)
    schedule(tcb, path, now)
    if path.state is PathState.POTENTIALLY_FAILED:
        path.heartbeat_deadline = now


def on_heartbeat(tcb: Tcb, whole_chunk: bytes, path: Path | None) -> None:
    """Answer with the same TLVs, unchanged, to where it came from (RFC 9260 sections 6.4 and 8.3)."""
    if tcb.state in ANSWERING_STATES:
        # Type and padding apart, HEARTBEAT ACK is the HEARTBEAT again: further TLVs are returned too.
        tcb.queue(bytes((HeartbeatAck.type,)) + whole_chunk[1:], path)
    else:
        tcb.shared.count("heartbeat_unexpected")


def on_heartbeat_ack(tcb: Tcb, info: bytes, now: float) -> None:
    try:
        address = info[_NONCE_SIZE:].decode()
    except UnicodeDecodeError:
        tcb.shared.count("heartbeat_ack_unknown")
        return
    path = tcb.paths.by_address.get(address)
    if path is None or not path.heartbeat_nonce or info[:_NONCE_SIZE] != path.heartbeat_nonce:
        # RFC 9260 section 5.4: only the nonce that was sent to that address proves it.
        tcb.shared.count("heartbeat_ack_unknown")
        return
    path.heartbeat_nonce = b""
    path.heartbeat_timeout = inf
    path.rto.measure(now - path.heartbeat_sent_at)
    if not path.is_confirmed:
        path.confirm()
        tcb.report(PathChanged(tcb.association_id, path.address, PathChange.CONFIRMED))
    tcb.path_works(path)
    tcb.error_count = 0
    schedule(tcb, path, now)
