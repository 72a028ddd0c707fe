"""Deadlines, and the table of state transitions (RFC 9260 section 4)."""

from __future__ import annotations

import math

import pytest
from support.pair import Raw

from pysctpstack.core import State, timers
from pysctpstack.core.state import TRANSITIONS
from pysctpstack.core.timers import Timers


def test_timers_run_until_they_are_stopped_or_taken() -> None:
    running = Timers()
    assert min(running.deadlines) == math.inf
    running.start(timers.T2_SHUTDOWN, 5.0)
    running.start(timers.DELAYED_SACK, 3.0)
    running.start(timers.T1_INIT, 4.0)
    assert min(running.deadlines) == 3.0
    assert running.is_running(timers.T2_SHUTDOWN)
    running.start(timers.T2_SHUTDOWN, 9.0)
    assert running.take_expired(2.9) == []
    assert running.take_expired(4.0) == [timers.DELAYED_SACK, timers.T1_INIT]
    assert min(running.deadlines) == 9.0
    running.stop(timers.T2_SHUTDOWN)
    assert not running.is_running(timers.T2_SHUTDOWN)
    running.start(timers.T1_COOKIE, 1.0)
    running.stop_all()
    assert min(running.deadlines) == math.inf


def test_every_timer_has_a_name() -> None:
    assert len(set(timers.NAMES)) == len(timers.NAMES) == len(Timers().deadlines)


def test_every_state_has_a_row_and_closed_can_be_reached_from_all() -> None:
    assert set(TRANSITIONS) == set(State)
    for state, following in TRANSITIONS.items():
        assert state is State.CLOSED or State.CLOSED in following
        assert state not in following


@pytest.mark.parametrize(
    ("state", "wrong"),
    [
        (State.ESTABLISHED, State.SHUTDOWN_SENT),
        (State.ESTABLISHED, State.COOKIE_WAIT),
        (State.SHUTDOWN_ACK_SENT, State.ESTABLISHED),
        (State.CLOSED, State.SHUTDOWN_SENT),
    ],
)
def test_what_the_diagram_does_not_have_is_refused(state: State, wrong: State) -> None:
    peer = Raw()
    tcb = peer.accept().tcb
    tcb.state = state
    with pytest.raises(AssertionError, match="no transition"):
        tcb.enter(wrong)
