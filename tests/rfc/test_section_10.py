"""RFC 9260 section 10, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, STATES, Raw

from pysctpstack.core import State
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import encode


def test_icmp_for_nobody_is_ignored() -> None:
    peer = Raw()
    peer.endpoint.handle_unreachable(encode(SERVER_PORT, CLIENT_PORT, 0, [peer.init().encode()]), peer.now)
    assert peer.endpoint.counters == {"icmp_ignored": 1}
    assert peer.answers() == []


@pytest.mark.parametrize("state", [state for state in STATES if state is not State.COOKIE_WAIT])
def test_icmp_ends_no_association_that_exists(state: State) -> None:
    peer = Raw.in_state(state)
    quoted = encode(SERVER_PORT, CLIENT_PORT, peer.own_tag, [c.Data(1, 0, 0, 0, b"x").encode()])
    peer.endpoint.handle_unreachable(quoted, peer.now)
    peer.endpoint.handle_unreachable(encode(SERVER_PORT, CLIENT_PORT, 0, [peer.init().encode()]), peer.now)
    assert peer.association.state is state
    assert peer.endpoint.next_events() == []
