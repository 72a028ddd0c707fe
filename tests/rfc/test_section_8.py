"""RFC 9260 section 8, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from support.pair import SERVER_PORT, UDP_PORT, A, B, Pair, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.core.path import PathState
from pysctpstack.events import AssociationLost, Loss, PathChange, PathChanged, SendFailed
from pysctpstack.wire import chunks as c
from pysctpstack.wire.params import Ipv4Address

OTHERS = ("192.0.2.2", "192.0.2.3")


def multihomed(**config: object) -> Raw:
    """An association with three confirmed addresses of the peer."""
    peer = Raw(Config(**config))  # type: ignore[arg-type]
    peer.settings.no_delay = True
    peer.accept(peer.init(parameters=[Ipv4Address(address) for address in OTHERS]))
    end = peer.now + 10
    while (due := peer.endpoint.next_timeout()) <= end:
        peer.now = max(due, peer.now)
        peer.endpoint.handle_timeout(peer.now)
        answer_heartbeats(peer)
    assert all(path.state is PathState.ACTIVE for path in peer.association.tcb.paths)
    peer.endpoint.next_events()
    return peer


def answer_heartbeats(peer: Raw, dead: tuple[str, ...] = ()) -> list[tuple[str, c.Chunk]]:
    """Answer the HEARTBEATs to all addresses but ``dead``; what left, by address."""
    left = [(route.peer, chunk) for route, _, chunks in peer.sent() for chunk in chunks]
    for address, chunk in left:
        if isinstance(chunk, c.Heartbeat) and address not in dead:
            route = Route(address, UDP_PORT, B)
            peer.endpoint.receive_datagrams([(route, peer.packet(c.HeartbeatAck(chunk.info)))], peer.now)
    return left


def live(peer: Raw, seconds: float, dead: tuple[str, ...] = ()) -> list[tuple[float, str, c.Chunk]]:
    """Let time pass while the peer answers HEARTBEATs; (time, address, chunk) of what left."""
    found = [(peer.now, *one) for one in answer_heartbeats(peer, dead)]
    end = peer.now + seconds
    while (due := peer.endpoint.next_timeout()) <= end:
        peer.now = max(due, peer.now)
        peer.endpoint.handle_timeout(peer.now)
        found += [(peer.now, *one) for one in answer_heartbeats(peer, dead)]
    peer.now = end
    return found


# --- 8.1, 8.2 ---


def test_retransmissions_in_a_row_end_the_association() -> None:
    pair = Pair(config=Config(association_max_retrans=4, heartbeat_interval=0))
    client, _ = pair.connect()
    pair.network.cut(B)
    client.send(Message(1, 2, b"first", context=3), pair.now)
    client.send(Message(1, 2, b"second", context=4), pair.now)
    pair.run(1_000)
    # The first transmission, and four more.
    assert len([k for _, k in pair.sent_chunks("a", c.Data) if k.payload == b"first"]) == 5
    assert [(e.loss, e.established) for e in pair.a.of(AssociationLost)] == [(Loss.TIMED_OUT, True)]
    assert [(e.context, e.sent, e.data) for e in pair.a.of(SendFailed)] == [(3, True, b"first"), (4, False, b"second")]
    assert pair.a.endpoint.next_timeout() == math.inf
    assert not pair.a.endpoint.associations


def test_an_acknowledgement_begins_the_count_anew() -> None:
    peer = Raw(Config(association_max_retrans=3, path_max_retrans=100, heartbeat_interval=0))
    peer.accept()
    for number in range(5):
        peer.association.send(Message(0, 0, b"x"), peer.now)
        # Three retransmissions each, one less than ends the association.
        sent: list[c.Chunk] = peer.answers()
        while len(sent) < 4:
            peer.now = peer.endpoint.next_timeout()
            peer.endpoint.handle_timeout(peer.now)
            sent += peer.answers()
        peer.give(c.Sack(peer.local_tsn + number, 100_000))
    assert peer.association.state is State.ESTABLISHED
    assert peer.events(AssociationLost) == []


def test_unanswered_heartbeats_of_an_idle_path_do_not_end_the_association() -> None:
    peer = multihomed(heartbeat_interval=5.0, association_max_retrans=3, path_max_retrans=2)
    probes = live(peer, 600, dead=OTHERS)
    assert len([1 for _, address, _ in probes if address in OTHERS]) > 10
    assert peer.association.state is State.ESTABLISHED
    assert [(e.address, e.change) for e in peer.events(PathChanged)] == [
        (address, PathChange.UNREACHABLE) for address in OTHERS
    ]


def test_each_address_counts_its_own_errors() -> None:
    peer = multihomed(heartbeat_interval=5.0, association_max_retrans=50, path_max_retrans=3)
    live(peer, 300, dead=OTHERS[:1])
    paths = peer.association.tcb.paths.by_address
    assert [paths[address].state for address in (A, *OTHERS)] == [
        PathState.ACTIVE,
        PathState.INACTIVE,
        PathState.ACTIVE,
    ]
    assert [paths[address].error_count for address in (A, OTHERS[1])] == [0, 0]
    assert [(e.address, e.change) for e in peer.events(PathChanged)] == [(OTHERS[0], PathChange.UNREACHABLE)]


def test_acknowledged_data_makes_an_address_active_again() -> None:
    peer = Raw(Config(path_max_retrans=1, heartbeat_interval=0))
    peer.accept()
    peer.association.send(Message(0, 0, b"x"), peer.now)
    peer.wait(4)
    assert [e.change for e in peer.events(PathChanged)] == [PathChange.UNREACHABLE]
    peer.give(c.Sack(peer.local_tsn, 100_000))
    assert [e.change for e in peer.events(PathChanged)] == [PathChange.AVAILABLE]
    assert peer.association.tcb.paths.primary.error_count == 0


def test_one_address_takes_the_place_of_the_primary() -> None:
    peer = multihomed(heartbeat_interval=0)
    peer.association.tcb.paths.primary.state = PathState.INACTIVE
    used = set()
    for number in range(8):
        peer.association.send(Message(0, 0, bytes(1_000)), peer.now)
        used |= {route.peer for route, _, chunks in peer.sent() if any(isinstance(k, c.Data) for k in chunks)}
        peer.give(c.Sack(peer.local_tsn + number, 100_000))
    assert len(used) == 1
    assert used < set(OTHERS)


# --- 8.3 ---


def test_an_inactive_address_is_probed_on_and_its_count_stays() -> None:
    peer = multihomed(heartbeat_interval=5.0, path_max_retrans=2)
    live(peer, 200, dead=OTHERS)
    path = peer.association.tcb.paths.by_address[OTHERS[0]]
    assert path.state is PathState.INACTIVE
    assert path.error_count == 3
    later = live(peer, 600, dead=OTHERS)
    assert len([1 for _, address, k in later if address == OTHERS[0] and isinstance(k, c.Heartbeat)]) >= 3
    assert path.error_count == 3


def test_each_idle_address_is_probed_by_itself() -> None:
    peer = multihomed(heartbeat_interval=10.0)
    probes = [(time, address) for time, address, k in live(peer, 400) if isinstance(k, c.Heartbeat)]
    assert {address for _, address in probes} == {A, *OTHERS}
    assert len({time for time, _ in probes}) == len(probes)
    for wanted in (A, *OTHERS):
        times = [time for time, address in probes if address == wanted]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(10.5 <= gap <= 11.5 for gap in gaps)
        assert len(gaps) > 30


# --- 8.4 ---


@pytest.mark.parametrize("source", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"])
@pytest.mark.parametrize("chunk", [c.Data(1, 0, 0, 0, b"x"), c.ShutdownAck(), c.Init(1, 9_000, 1, 1, 1)])
def test_packets_from_no_single_host_are_dropped(source: str, chunk: c.Chunk) -> None:
    peer = Raw()
    tag = 0 if isinstance(chunk, c.Init) else 7
    assert peer.give(chunk, tag=tag, route=Route(source, UDP_PORT, B)) == []
    assert peer.endpoint.counters == {"non_unicast_source": 1}


def test_nothing_comes_of_a_packet_out_of_the_blue() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    stranger = Route("192.0.2.77", UDP_PORT, B)
    # What is behind the chunk that draws the answer does nothing either.
    answers = peer.give(c.Heartbeat(b"x" * 12), peer.data(), c.Abort([]), tag=9, route=stranger)
    assert answers == []
    answers = peer.give(c.Heartbeat(b"x" * 12), peer.data(), c.Shutdown(1), tag=9, route=stranger)
    assert answers == [c.Abort([], reflected=True)]
    assert peer.endpoint.next_events() == []
    assert len(peer.endpoint.associations) == 1
    assert peer.association.state is State.ESTABLISHED
    assert peer.association.tcb.local_port == SERVER_PORT
