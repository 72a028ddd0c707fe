"""Peers with several addresses, over networks that fail (RFC 9260 sections 5.4, 6.4 and 8, RFC 7829)."""

from __future__ import annotations

import math

import pytest
from simulation.hosts import Multihomed, is_second
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, chunks_of

from pysctpstack.config import Config
from pysctpstack.core import Route, State
from pysctpstack.core.path import PathState
from pysctpstack.events import AssociationLost, Loss, PathChange, PathChanged, SendFailed
from pysctpstack.testing import Link, TraceRecord
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp

A1, A2, A6 = "192.0.2.1", "203.0.113.1", "2001:db8:a::1"
B1, B2, B6 = "198.51.100.1", "203.0.113.129", "2001:db8:b::1"
LATENCY = 0.02
RTT = 2 * LATENCY


def two_networks(config: Config | None = None, **settings: dict[str, int]) -> Multihomed:
    """Each end in both networks, connected, every address proven; half a minute has passed."""
    pair = Multihomed(own=(A1, A2), theirs=(B1, B2), config=config, link=Link(LATENCY), **settings)  # type: ignore[arg-type]
    pair.settings.no_delay = pair.server_settings.no_delay = True
    pair.connect()
    pair.run(30)
    for node in pair.nodes:
        assert {path.state for path in node.association.tcb.paths} == {PathState.ACTIVE}
    return pair


def changes(pair: Multihomed, name: str = "a") -> list[tuple[str, PathChange]]:
    node = pair.a if name == "a" else pair.b
    return [(event.address, event.change) for event in node.of(PathChanged)]


# --- proving addresses (RFC 9260 section 5.4) ---


def test_listed_addresses_are_proven_before_anything_else_goes_there() -> None:
    pair = Multihomed(own=(A1, A2), theirs=(B1, B2), link=Link(LATENCY))
    pair.connect()
    for node, other in ((pair.a, B2), (pair.b, A2)):
        assert pair.path(node, other).state is PathState.UNCONFIRMED
    for number in range(40):
        pair.send(pair.a, 2_000, number % 4)
        pair.send(pair.b, 2_000, number % 4)
    pair.run(30)
    pair.check_delivery()
    for name, other in (("a", B2), ("b", A2)):
        assert changes(pair, name) == [(other, PathChange.CONFIRMED)]
        there = [record for record in pair.records(name) if record.route.peer == other]
        assert {type(chunk) for record in there for chunk in chunks_of(record)} == {c.Heartbeat, c.HeartbeatAck}
    assert pair.path(pair.a, B2).rto.srtt == pytest.approx(RTT)


def test_an_address_that_nobody_answers_at_is_never_used() -> None:
    pair = Multihomed(own=(A1,), theirs=(B1, B2), config=Config(heartbeat_interval=5.0, path_max_retrans=2))
    pair.network.cut(B2)
    pair.connect()
    pair.run(60)
    assert not pair.path(pair.a, B2).is_confirmed
    # The only proven address fails too: still nothing but probes to the other.
    pair.network.cut(B1)
    pair.send(pair.a, 3_000)
    pair.run(300)
    there = [record for record in pair.records("a") if record.route.peer == B2]
    assert {type(chunk) for record in there for chunk in chunks_of(record)} == {c.Heartbeat}
    assert len(there) > 3


def test_an_address_that_the_user_names_needs_no_proof() -> None:
    pair = Multihomed(own=(A1, A2), theirs=(B1, B2), link=Link(LATENCY))
    pair.network.cut(B1)
    client = pair.associate(B2)
    pair.until(lambda: client.state is State.ESTABLISHED)
    # The first INIT was lost, the second went to the other address after T1, and its answer made that the primary one.
    assert [(record.time, record.route.peer) for record in pair.records("a", cp.INIT)] == [(0.0, B1), (1.0, B2)]
    assert client.tcb.paths.primary.address == B2
    pair.send(pair.a, 3_000)
    pair.run(1)
    pair.check_delivery()


# --- failing over ---


def test_the_second_path_takes_over_after_one_rto() -> None:
    """RFC 7829 section 4.2: potentially failed after the first time-out, with PFMR = 0."""
    pair = two_networks()
    pair.network.cut(B1)
    cut_at = pair.now
    pair.send(pair.a, 1_000)
    pair.until(lambda: len(pair.b.messages) == 1, 5)
    # RTO.Min is 1 s.
    assert pair.now - cut_at == pytest.approx(1.0 + LATENCY)
    assert pair.path(pair.a, B1).state is PathState.POTENTIALLY_FAILED
    # From here on everything goes there at once.
    for _ in range(20):
        sent_at = pair.now
        pair.send(pair.a, 1_000)
        count = len(pair.b.messages)
        pair.until(lambda: len(pair.b.messages) == count + 1, 5)  # noqa: B023 -- asked before it changes
        assert pair.now - sent_at == pytest.approx(LATENCY)
    assert changes(pair)[1:] == []
    pair.check_delivery()


def test_a_potentially_failed_path_is_probed_every_rto_and_comes_back_with_the_first_answer() -> None:
    pair = two_networks()
    pair.network.cut(B1)
    cut_at = pair.now
    pair.send(pair.a, 1_000)
    pair.run(1.01)
    assert pair.path(pair.a, B1).state is PathState.POTENTIALLY_FAILED
    pair.run(6)
    probes = [
        record.time - cut_at
        for record in pair.records("a", cp.HEARTBEAT)
        if record.route.peer == B1 and record.time > cut_at
    ]
    # RFC 7829 section 4.2, 4: at once, then an RTO apart, which doubles with each that is not answered.
    assert probes == pytest.approx([1.0, 3.0, 7.0], abs=0.01)
    pair.network.restore(B1)
    pair.until(lambda: pair.path(pair.a, B1).state is PathState.ACTIVE, 10)
    back_at = pair.now
    pair.send(pair.a, 1_000)
    pair.run(1)
    assert pair.destinations(pair.a, cp.DATA, since=back_at) == [B1]
    # The user was not troubled with it.
    assert changes(pair) == [(B2, PathChange.CONFIRMED)]
    pair.check_delivery()


def test_failover_and_return_with_the_figures_of_both_paths() -> None:
    pair = two_networks(Config(path_max_retrans=3))
    for _ in range(10):
        pair.send(pair.a, 5_000)
    pair.run(5)
    first, second = pair.path(pair.a, B1), pair.path(pair.a, B2)
    assert set(pair.destinations(pair.a, cp.DATA)) == {B1}
    grown = first.congestion.cwnd
    assert (first.error_count, second.error_count) == (0, 0)
    assert grown > second.congestion.cwnd
    pair.network.cut(B1)
    cut_at = pair.now
    for _ in range(10):
        pair.send(pair.a, 5_000)
    pair.run(60)
    assert (first.state, first.error_count) == (PathState.INACTIVE, 4)
    assert (second.state, second.error_count) == (PathState.ACTIVE, 0)
    assert first.rto.rto > 4
    assert second.rto.rto == 1.0
    assert first.congestion.cwnd == first.congestion.pmdcs
    assert (first.congestion.flight_size, second.congestion.flight_size) == (0, 0)
    assert changes(pair) == [(B2, PathChange.CONFIRMED), (B1, PathChange.UNREACHABLE)]
    later = [record for record in pair.records("a", cp.DATA) if record.time > cut_at + 1.0 + RTT]
    assert {record.route.peer for record in later} == {B2}
    pair.network.restore(B1)
    pair.run(70)
    assert (first.state, first.error_count) == (PathState.ACTIVE, 0)
    assert changes(pair)[2:] == [(B1, PathChange.AVAILABLE)]
    back_at = pair.now
    for _ in range(10):
        pair.send(pair.a, 5_000)
    pair.run(5)
    # RFC 9260 section 6.4.1: the primary path again.
    assert set(pair.destinations(pair.a, cp.DATA, since=back_at)) == {B1}
    assert first.rto.rto == 1.0
    pair.check_delivery()


@pytest.mark.parametrize("quick", [True, False])
def test_what_timed_out_is_sent_again_to_the_other_address(quick: bool) -> None:
    """RFC 9260 section 6.4, with and without the early switch of RFC 7829."""
    pair = two_networks(Config(potentially_failed_max_retrans=0 if quick else 100))
    start = pair.now

    def lose_the_first(record: TraceRecord) -> bool | None:
        is_first = record.time == start and record.source == "a"
        return False if is_first else None

    pair.network.rules.append(lose_the_first)
    pair.send(pair.a, 1_000)
    pair.run(10)
    assert pair.destinations(pair.a, cp.DATA, since=start) == [B1, B2]
    pair.check_delivery()
    before = pair.now
    pair.send(pair.a, 1_000)
    pair.run(1)
    # A single loss does not move new data elsewhere for long.
    assert pair.destinations(pair.a, cp.DATA, since=before) == [B1]


def test_a_transfer_goes_on_while_paths_come_and_go() -> None:
    pair = two_networks(Config(heartbeat_interval=2.0, path_max_retrans=2))
    for number in range(12):
        dead = (B1, B2)[number % 2]
        pair.network.cut(dead)
        for _ in range(5):
            pair.send(pair.a, 4_000, number % 4)
            pair.send(pair.b, 4_000, number % 4)
        pair.run(15)
        pair.network.restore(dead)
        pair.run(15)
    pair.check_delivery()
    assert not pair.a.of(AssociationLost)


def test_a_primary_path_that_is_cut_for_an_hour() -> None:
    pair = two_networks()
    pair.network.cut(B1)
    for _ in range(60):
        pair.send(pair.a, 2_000)
        pair.send(pair.b, 2_000)
        pair.run(60)
    pair.check_delivery()
    assert changes(pair)[1:] == [(B1, PathChange.UNREACHABLE)]
    pair.network.restore(B1)
    restored = pair.now
    pair.until(lambda: pair.path(pair.a, B1).state is PathState.ACTIVE, 200)
    # An inactive path is probed at HB.interval + RTO, which has grown to RTO.Max.
    assert pair.now - restored <= 15 + 1.5 * 60
    before = pair.now
    pair.send(pair.a, 2_000)
    pair.run(1)
    assert set(pair.destinations(pair.a, cp.DATA, since=before)) == {B1}
    pair.check_delivery()


@pytest.mark.parametrize("busy", [True, False])
def test_when_all_paths_are_cut_the_association_is_lost(busy: bool) -> None:
    pair = two_networks()
    pair.network.cut(B1)
    pair.network.cut(B2)
    if busy:
        pair.send(pair.a, 1_000)
    pair.until(lambda: all(node.of(AssociationLost) for node in pair.nodes), 3_600)
    for node in pair.nodes:
        assert [(event.loss, event.established) for event in node.of(AssociationLost)] == [(Loss.TIMED_OUT, True)]
        assert node.endpoint.next_timeout() == math.inf
        assert not node.endpoint.by_peer
    assert [event.sent for event in pair.a.of(SendFailed)] == [True] * busy


def test_one_path_that_is_cut_never_ends_an_association() -> None:
    pair = two_networks(Config(association_max_retrans=4))
    pair.network.cut(B2)
    pair.run(3_600)
    assert not pair.a.of(AssociationLost)
    assert changes(pair)[1:] == [(B2, PathChange.UNREACHABLE)]
    pair.send(pair.a, 1_000)
    pair.run(1)
    pair.check_delivery()


# --- shutting down ---


@pytest.mark.parametrize("closer", [0, 1])
def test_a_shutdown_whose_path_fails_completes_over_the_other(closer: int) -> None:
    pair = two_networks()
    pair.network.cut(B1)
    pair.nodes[closer].association.shutdown(pair.now)
    pair.run(60)
    pair.check_gone()


# --- addresses ---


def test_packets_leave_from_the_address_of_their_network() -> None:
    pair = two_networks()
    pair.network.cut(B1)
    for node in pair.nodes:
        for _ in range(5):
            pair.send(node, 3_000)
    pair.run(60)
    pair.network.restore(B1)
    pair.run(60)
    pair.check_delivery()
    for record in pair.network.trace:
        assert is_second(record.route.local) == is_second(record.route.peer), record
    assert {record.route.local for record in pair.network.trace} == {A1, A2, B1, B2}


def test_ipv4_and_ipv6_mixed() -> None:
    pair = Multihomed(own=(A1, A6), theirs=(B1, B6), link=Link(LATENCY))
    client, _ = pair.connect()
    pair.run(30)
    assert changes(pair) == [(B6, PathChange.CONFIRMED)]
    assert changes(pair, "b") == [(A6, PathChange.CONFIRMED)]
    # 1,500 bytes less IP, UDP: a fragment fits both families.
    assert [path.packet_size for path in client.tcb.paths] == [1_472, 1_452]
    pair.network.cut(B1)
    for _ in range(10):
        pair.send(pair.a, 5_000)
        pair.send(pair.b, 5_000)
    pair.run(30)
    pair.check_delivery()
    assert {is_second(record.route.local) for record in pair.records("a") if record.route.peer == B6} == {True}
    assert max(len(record.data) for record in pair.records("a") if record.route.peer == B6) <= 1_452
    pair.a.association.shutdown(pair.now)
    pair.run(30)
    pair.check_gone()


def test_an_ipv6_host_with_one_address_and_a_peer_with_both_families() -> None:
    pair = Multihomed(own=(A6,), theirs=(B6, B1), link=Link(LATENCY))
    client, server = pair.connect()
    pair.run(100)
    # What it has no address for is left out.
    assert [path.address for path in client.tcb.paths] == [B6]
    assert pair.a.endpoint.counters["peer_address_without_source"] == 1
    assert [path.address for path in server.tcb.paths] == [A6]
    pair.send(pair.a, 5_000)
    pair.run(1)
    pair.check_delivery()


@pytest.mark.parametrize("alternates", [(), (B1,)])
def test_a_host_that_tells_no_addresses_keeps_to_the_one_that_the_peer_knows(alternates: tuple[str, ...]) -> None:
    """RFC 9260 sections 5.1.2, A, and 8.4: what comes from another of its addresses is out of the blue to the peer,
    whose ABORT would end the association. ``alternates``: what the user has named of the peer's addresses."""
    pair = Multihomed(own=(A1, A2), theirs=(B1, B2), link=Link(LATENCY))
    # Bound to its second address, while the network would choose the first.
    first, *others = [Route(B2, UDP_PORT, A2), *(Route(address, UDP_PORT) for address in alternates)]
    client = pair.a.endpoint.associate(
        CLIENT_PORT, SERVER_PORT, first, pair.settings, pair.now, alternates=others, local_addresses=()
    )
    pair.run(30)
    assert client.state is State.ESTABLISHED
    assert {path.address: path.state for path in client.tcb.paths} == {B2: PathState.ACTIVE, B1: PathState.ACTIVE}
    assert [path.address for path in pair.b.association.tcb.paths] == [A2]
    assert {record.route.local for record in pair.records("a") if record.route.peer == B1} == {A2}
    # That path is as good as any.
    pair.network.cut(B2)
    pair.send(pair.a, 5_000)
    pair.run(10)
    pair.check_delivery()


def test_each_path_has_its_own_mtu() -> None:
    pair = two_networks(mtus={B1: 9_000, A1: 9_000})
    paths = pair.a.association.tcb.paths
    assert [(path.address, path.mtu) for path in paths] == [(B1, 9_000), (B2, 1_500)]
    start = pair.now
    pair.send(pair.a, 50_000)
    pair.run(2)
    wide = [record for record in pair.records("a", cp.DATA) if record.time >= start]
    # Chunks that fit both paths (RFC 9260 section 7.3), bundled to what this one takes.
    assert max(len(record.data) for record in wide) > 1_500
    assert max(len(k.payload) for record in wide for k in chunks_of(record) if isinstance(k, c.Data)) == 1_444
    pair.network.cut(B1)
    cut_at = pair.now
    pair.send(pair.a, 50_000)
    pair.run(30)
    narrow = [record for record in pair.records("a") if record.time > cut_at and record.route.peer == B2]
    assert max(len(record.data) for record in narrow) == 1_472
    pair.check_delivery()


def test_a_late_copy_of_the_init_that_lists_what_was_left_out_is_harmless() -> None:
    # RFC 9260 section 5.2.2: the address was in the INIT that the association came of, so that it is not new.
    pair = Multihomed(own=(A1, A6), theirs=(B1,), link=Link(LATENCY))
    client, server = pair.connect()
    init = pair.records("a")[0]
    assert [chunk.type for chunk in chunks_of(init)] == [cp.INIT]
    assert [path.address for path in server.tcb.paths] == [A1]
    pair.network.inject((A1, init.source_port), B1, UDP_PORT, init.data)
    pair.run(5)
    assert (client.state, server.state) == (State.ESTABLISHED, State.ESTABLISHED)
    assert pair.records("b", cp.ABORT) == []
    pair.send(pair.a, 5_000)
    pair.run(1)
    pair.check_delivery()
