"""Shutting down associations that nobody uses (RFC 6458 section 8.1.8, SCTP_AUTOCLOSE)."""

from __future__ import annotations

from pysctpstack.core.state import State
from pysctpstack.core.tcb import Tcb
from pysctpstack.core.timers import AUTOCLOSE


def watch(tcb: Tcb, now: float) -> None:
    """At the end of every verb, batch and timeout: DATA that has been sent or received since begins the time anew."""
    if tcb.state is not State.ESTABLISHED:
        tcb.timers.stop(AUTOCLOSE)
        return
    sender = tcb.sender
    activity = sender.next_tsn + sender.retransmissions + tcb.receiver.received
    if activity != tcb.activity:
        tcb.activity = activity
        tcb.timers.start(AUTOCLOSE, now + tcb.settings.autoclose)
