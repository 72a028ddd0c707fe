"""The states of an association, and which of them may follow which (RFC 9260 section 4).

`TRANSITIONS` is the state diagram: the code changes a state through `Tcb.enter`, which knows no other way.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    # Members are singletons: `in` a frozenset of states at the speed of identity, where Enum's own hash costs 100 ns.
    __hash__ = object.__hash__

    CLOSED = "CLOSED"
    COOKIE_WAIT = "COOKIE-WAIT"
    COOKIE_ECHOED = "COOKIE-ECHOED"
    ESTABLISHED = "ESTABLISHED"
    SHUTDOWN_PENDING = "SHUTDOWN-PENDING"
    SHUTDOWN_SENT = "SHUTDOWN-SENT"
    SHUTDOWN_RECEIVED = "SHUTDOWN-RECEIVED"
    SHUTDOWN_ACK_SENT = "SHUTDOWN-ACK-SENT"


TRANSITIONS: dict[State, frozenset[State]] = {
    # COOKIE ECHO makes a Tcb that is ESTABLISHED at once: the server keeps no state before (section 5.1.5).
    State.CLOSED: frozenset({State.COOKIE_WAIT, State.ESTABLISHED}),
    State.COOKIE_WAIT: frozenset(
        # ESTABLISHED: the peer's INIT overtook ours and its COOKIE ECHO came first (section 5.2.4, B and D).
        {State.COOKIE_ECHOED, State.ESTABLISHED, State.CLOSED}
    ),
    State.COOKIE_ECHOED: frozenset(
        # COOKIE_WAIT: a Stale Cookie error restarts the handshake (section 5.2.6).
        {State.ESTABLISHED, State.COOKIE_WAIT, State.CLOSED}
    ),
    State.ESTABLISHED: frozenset({State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED, State.CLOSED}),
    # From the three below back to ESTABLISHED: the peer has restarted (section 5.2.4, A).
    State.SHUTDOWN_PENDING: frozenset({State.SHUTDOWN_SENT, State.SHUTDOWN_RECEIVED, State.ESTABLISHED, State.CLOSED}),
    State.SHUTDOWN_SENT: frozenset({State.SHUTDOWN_ACK_SENT, State.ESTABLISHED, State.CLOSED}),
    State.SHUTDOWN_RECEIVED: frozenset({State.SHUTDOWN_ACK_SENT, State.ESTABLISHED, State.CLOSED}),
    State.SHUTDOWN_ACK_SENT: frozenset({State.CLOSED}),
}
