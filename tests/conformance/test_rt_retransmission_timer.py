"""RT: how long to wait for a SACK (RFC 9260 sections 6.3 and 6.4)."""

from __future__ import annotations

from itertools import pairwise

from conformance.peer import A2, FROM_A2, Peer
from support.pair import A

from pysctpstack.config import Config
from pysctpstack.core import State
from pysctpstack.wire import chunks as c


def timeouts(peer: Peer, count: int) -> list[float]:
    """Seconds from each transmission of what the user sends now to the next, none of them acknowledged."""
    peer.log.clear()
    peer.send(b"unheard")
    peer.wait_for_packets(count + 1)
    times = peer.times(c.Data)
    return [round(later - earlier, 3) for earlier, later in pairwise(times)]


def round_trip(peer: Peer, number: int, seconds: float) -> None:
    """The user sends message ``number``, and the SACK comes after so many seconds."""
    peer.send(b"measures")
    assert peer.wait(seconds) == []
    assert peer.give(peer.sack(number)) == []


def test_sctp_rt_i_11_1() -> None:
    peer = Peer.at(State.ESTABLISHED, Config(heartbeat_interval=0.0, rto_initial=1.5, rto_max=10.0))
    # Section 6.3.1, C1 and 6.3.3, E2.
    assert timeouts(peer, 5) == [1.5, 3, 6, 10, 10]


def test_sctp_rt_i_11_2() -> None:
    peer = Peer.at(State.ESTABLISHED, Config(heartbeat_interval=0.0, rto_initial=5.0))
    # C2: SRTT 1.2 s, RTTVAR 0.6 s.
    round_trip(peer, 1, 1.2)
    # C3: RTTVAR falls to 0.45 s.
    round_trip(peer, 2, 1.2)
    assert timeouts(peer, 2) == [3, 6]
    # C5: a SACK for what was sent twice or more measures nothing; the RTO is still that of the backoff.
    assert peer.give(peer.sack(3)) == []
    assert timeouts(peer, 1) == [12]
    assert peer.give(peer.sack(4)) == []
    # A new measurement ends that: RTTVAR 0.3375 s, SRTT 1.2 s.
    round_trip(peer, 5, 1.2)
    assert timeouts(peer, 1) == [2.55]
    # C6: no less than RTO.Min, however fast the peer is.
    peer = Peer.at(State.ESTABLISHED, Config(heartbeat_interval=0.0, rto_initial=5.0))
    round_trip(peer, 1, 0.001)
    assert timeouts(peer, 1) == [1]


def test_sctp_rt_i_11_3() -> None:
    # Without the quick failover of RFC 7829, whose probes double the RTO as well.
    peer = Peer.dual_homed(Config(heartbeat_interval=0.0, potentially_failed_max_retrans=10))
    peer.send(b"unheard")
    peer.wait(6.5)
    sent = [(round(left.time - peer.log[0].time, 3), left.to.peer) for left, _ in peer.with_chunk(c.Data)]
    # Section 6.4.1: what timed out goes to the other address; each has its own RTO, doubled by its own timeouts.
    assert sent == [(0, A), (1, A2), (2, A), (4, A2), (6, A)]
    # Both fail alike; the association goes on wherever an answer comes from.
    assert peer.give(peer.sack(1), route=FROM_A2) == []
    assert peer.association.send_buffered == 0
    assert peer.is_in(State.ESTABLISHED)
