"""Paths that carry less, or more, than the host believes: black holes and the search of RFC 8899."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, Pair

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Message, Route, Settings
from pysctpstack.core.mtu_search import PMTU_RAISE_TIMER, SearchState
from pysctpstack.core.path import Path
from pysctpstack.core.route import Fragmentable, Unfragmented
from pysctpstack.events import AssociationLost, AssociationUp, Event, MessageReceived
from pysctpstack.testing import Link, SeededEntropy, SimulatedNetwork

SILENT = Config(heartbeat_interval=0)
SEARCH = Config(heartbeat_interval=0, plpmtud=True)
SIX = ("2001:db8::1", "2001:db8::2")
B2 = "203.0.113.9"


def path_of(association: Association) -> Path:
    return association.tcb.paths.primary


# --- black holes ---


@pytest.mark.parametrize(("addresses", "base"), [((A, B), 1_200), (SIX, 1_280)])
@pytest.mark.parametrize("size", [1_430, 5_000, 60_000, 450])
def test_a_transfer_into_a_black_hole_completes(addresses: tuple[str, str], base: int, size: int) -> None:
    pair = Pair(config=SILENT, link=Link(0.02, mtu=1_400), addresses=addresses)
    client, server = pair.connect()
    for _ in range(200_000 // size):
        pair.send(pair.a, size)
        pair.send(pair.b, size)
    total = 200_000 // size
    pair.until(lambda: len(pair.a.messages) == total == len(pair.b.messages), 60)
    pair.check_delivery()
    for association in (client, server):
        path = path_of(association)
        assert (path.mtu, path.search.black_holes, path.search.probes) == (base, 1, 0)
        assert path.congestion.pmdcs == path.packet_size - 12
    # Three time-outs, 1 + 2 + 4 s, and what a transfer of this size takes.
    assert pair.now < 7 + 3
    # Afterwards nothing is larger but what had its TSN before.
    settled = len(pair.network.trace)
    pair.send(pair.a, 50_000)
    pair.run(2)
    pair.check_delivery()
    assert all(len(record.data) <= path_of(client).packet_size for record in pair.network.trace[settled:])


@pytest.mark.parametrize("mtu", [1_499, 1_300, 1_200])
def test_a_path_that_shrinks_during_a_transfer(mtu: int) -> None:
    pair = Pair(config=SILENT, link=Link(0.02, rate=10_000_000))
    client, _ = pair.connect()
    for _ in range(200):
        pair.send(pair.a, 5_000)
    pair.run(0.3)
    assert 0 < len(pair.b.messages) < 100
    pair.network.everywhere(mtu=mtu)
    pair.until(lambda: len(pair.b.messages) == 200, 20)
    pair.check_delivery()
    assert (path_of(client).mtu, path_of(client).search.black_holes) == (1_200, 1)


def test_small_messages_that_pass_do_not_hide_a_black_hole() -> None:
    pair = Pair(config=SILENT, link=Link(0.02, mtu=1_400))
    client, _ = pair.connect()
    pair.send(pair.a, 1_440)
    for _ in range(300):
        pair.run(0.05)
        pair.send(pair.a, 100, 1)
    pair.run(30)
    pair.check_delivery()
    assert (path_of(client).mtu, path_of(client).search.black_holes) == (1_200, 1)


def test_a_lossy_black_hole_is_found_too() -> None:
    for seed in range(10):
        pair = Pair(seed, config=SILENT, link=Link(0.02, mtu=1_400, loss=0.1))
        client, _ = pair.connect()
        for _ in range(20):
            pair.send(pair.a, 4_000)
        pair.until(lambda pair=pair: len(pair.b.messages) == 20, 300)
        pair.check_delivery()
        assert path_of(client).search.black_holes == 1, seed


def test_nothing_of_this_happens_on_a_path_that_only_loses() -> None:
    for seed in range(10):
        pair = Pair(seed, config=SILENT, link=Link(0.02, loss=0.1))
        client, _ = pair.connect()
        for _ in range(40):
            pair.send(pair.a, 4_000)
        pair.until(lambda pair=pair: len(pair.b.messages) == 40, 300)
        pair.check_delivery()
        assert (path_of(client).mtu, path_of(client).search.black_holes) == (1_500, 0), seed


@pytest.mark.parametrize("seconds", [5, 30, 100])
def test_an_interruption_is_no_black_hole(seconds: int) -> None:
    pair = Pair(config=SILENT, mtu=65_535)
    client, _ = pair.connect()
    for _ in range(20):
        pair.send(pair.a, 100_000)
    pair.run(0.3)
    pair.network.cut(pair.b.address)
    pair.run(seconds)
    pair.network.restore(pair.b.address)
    pair.run(200)
    pair.check_delivery()
    assert (path_of(client).mtu, path_of(client).search.black_holes) == (65_535, 0)


def test_a_dead_peer_is_given_up_as_soon_as_with_small_messages() -> None:
    pair = Pair(config=SILENT)
    client, _ = pair.connect()
    pair.network.cut(pair.b.address)
    start = pair.now
    client.send(Message(0, 0, bytes(20_000)), start)
    pair.until(lambda: bool(pair.a.of(AssociationLost)), 1_000)
    assert pair.now - start == pytest.approx(sum(min(2**n, 60) for n in range(11)))
    assert "mtu_black_hole" not in pair.a.endpoint.counters


def test_a_reader_that_stops_is_no_black_hole() -> None:
    pair = Pair(config=Config(receive_buffer=20_000, heartbeat_interval=0))
    client, _ = pair.connect()
    pair.b.reading = False
    for _ in range(30):
        pair.send(pair.a, 1_440)
    pair.run(300)
    assert (path_of(client).mtu, path_of(client).search.black_holes) == (1_500, 0)
    pair.b.reading = True
    pair.run(120)
    pair.check_delivery()


def test_where_fragments_are_filtered_too_what_had_its_size_is_lost_with_the_association() -> None:
    pair = Pair(config=SILENT, link=Link(0.02, mtu=1_400, fragments=False))
    pair.connect()
    pair.send(pair.a, 5_000)
    pair.until(lambda: bool(pair.a.of(AssociationLost)), 1_000)
    assert pair.a.endpoint.counters["mtu_black_hole"] == 1


# --- the search ---


@pytest.mark.parametrize(
    ("route", "carries", "found"),
    [(1_500, 1_500, 1_500), (1_500, 1_420, 1_420), (1_500, 1_230, 1_220), (9_000, 9_000, 9_000), (9_000, 1_500, 1_500)],
)
def test_the_search_finds_what_the_path_carries_and_costs_no_transfer_a_time_out(
    route: int, carries: int, found: int
) -> None:
    pair = Pair(config=SEARCH, link=Link(0.02, mtu=carries), mtu=route)
    client, _ = pair.connect()
    for _ in range(50):
        pair.send(pair.a, 5_000)
    pair.until(lambda: len(pair.b.messages) == 50, 2)
    pair.run(PMTU_RAISE_TIMER)
    pair.check_delivery()
    path = path_of(client)
    assert found <= path.mtu <= carries
    assert path.search.state is SearchState.SEARCH_COMPLETE
    assert client.tcb.sender.retransmissions == 0
    assert path.search.black_holes == 0
    big = [record for record in pair.records("a") if len(record.data) + 28 > path.mtu]
    assert all(isinstance(record.data, Unfragmented) for record in big)


def test_a_path_that_grows_is_used_after_the_raise_timer() -> None:
    pair = Pair(config=SEARCH, link=Link(0.02, mtu=1_400))
    client, _ = pair.connect()
    pair.run(200)
    assert path_of(client).mtu == 1_400
    pair.network.everywhere(mtu=1_500)
    pair.send(pair.a, 10)
    pair.run(PMTU_RAISE_TIMER + 1)
    assert path_of(client).mtu == 1_500
    pair.send(pair.a, 50_000)
    pair.run(1)
    assert max(len(record.data) for record in pair.records("a")) == 1_472
    pair.check_delivery()


def test_a_path_that_shrinks_is_searched_again() -> None:
    pair = Pair(config=SEARCH, link=Link(0.02, rate=10_000_000))
    client, _ = pair.connect()
    for _ in range(200):
        pair.send(pair.a, 5_000)
    pair.run(0.5)
    assert path_of(client).mtu == 1_500
    pair.network.everywhere(mtu=1_420)
    pair.until(lambda: len(pair.b.messages) == 200, 20)
    pair.check_delivery()
    pair.run(100)
    assert (path_of(client).mtu, path_of(client).search.black_holes) == (1_420, 1)


@pytest.mark.parametrize("seed", range(3))
def test_lost_probes_delay_the_search_and_nothing_else(seed: int) -> None:
    line = Link(0.02, rate=2_000_000, queue=15_000, mtu=1_420, loss=0.02)
    pair = Pair(seed, config=SEARCH, link=line, tracing=False)
    client, _ = pair.connect()
    for _ in range(150):
        while client.send_buffered < 30_000:
            pair.send(pair.a, 5_000)
        pair.run(1.0)
    path = path_of(client)
    assert path.search.probes > 4
    assert 1_280 <= path.mtu <= 1_420
    assert path.search.black_holes == 0
    pair.run(200)
    pair.check_delivery()


# --- several paths ---


@dataclass
class Multihomed:
    """A client with one address and a server with two."""

    config: Config
    mtu: int = 1_500
    narrow: str = ""
    """An address of the server to which 1,400 bytes get through."""
    received: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = SimulatedNetwork(3, Link(0.02))
        self.client, self.server = (Endpoint(self.config, SeededEntropy(seed), FixedMtu(self.mtu)) for seed in range(2))
        self.network.add_host(self.client, A, name="a")
        self.network.add_host(self.server, B, B2, name="b")
        if self.narrow:
            self.network.link(A, self.narrow).mtu = 1_400
        settings = Settings.from_config(self.config)
        self.server.listen(SERVER_PORT, settings, 10, local_addresses=(B, B2))
        self.association = self.client.associate(CLIENT_PORT, SERVER_PORT, Route(B, UDP_PORT), settings, 0.0)
        self.run(3)
        assert any(isinstance(event, AssociationUp) for event in self.received)
        assert all(path.is_confirmed for path in self.association.tcb.paths)

    def drain(self) -> bool:
        for event in self.server.next_events():
            self.received.append(event)
            if isinstance(event, MessageReceived):
                self.server.associations[event.association_id].consumed(len(event.data), self.network.now)
        return False

    def run(self, seconds: float) -> None:
        self.network.run_until(self.drain, seconds)
        self.drain()

    def send(self, count: int, size: int = 5_000) -> None:
        for _ in range(count):
            self.association.send(Message(0, 0, bytes(size)), self.network.now)

    @property
    def messages(self) -> int:
        return sum(isinstance(event, MessageReceived) and event.complete for event in self.received)

    def mtus(self) -> dict[str, int]:
        return {path.address: path.mtu for path in self.association.tcb.paths}


def test_each_path_is_searched_for_itself_and_fragments_fit_all() -> None:
    pair = Multihomed(SEARCH, narrow=B2)
    pair.run(200)
    assert pair.mtus() == {B: 1_500, B2: 1_400}
    pair.send(10)
    before = len(pair.network.trace)
    pair.run(2)
    assert pair.messages == 10
    sent = [record for record in pair.network.trace[before:] if record.source == "a"]
    assert max(len(record.data) for record in sent) == 1_400 - 28


def test_a_black_hole_on_one_path_leaves_the_other_as_it_is() -> None:
    pair = Multihomed(Config(heartbeat_interval=5.0), narrow=B2)
    pair.send(10)
    pair.run(2)
    assert pair.messages == 10
    pair.network.link(A, B).up = False
    pair.send(20)
    pair.run(60)
    assert pair.messages == 30
    assert pair.mtus() == {B: 1_500, B2: 1_200}


def test_a_black_hole_on_the_primary_path_is_found_although_another_path_helps() -> None:
    pair = Multihomed(Config(heartbeat_interval=5.0), narrow=B)
    for _ in range(40):
        pair.send(5)
        pair.run(2)
    pair.run(20)
    assert pair.messages == 200
    assert pair.mtus() == {B: 1_200, B2: 1_500}


def test_what_a_router_tells_is_believed_of_that_path_only() -> None:
    pair = Multihomed(SILENT)
    tcb = pair.association.tcb
    header = CLIENT_PORT.to_bytes(2, "big") + SERVER_PORT.to_bytes(2, "big") + tcb.peer_tag.to_bytes(4, "big")
    pair.client.shared.route_table = FixedMtu(1_300)
    pair.client.handle_packet_too_big(B2, header, pair.network.now)
    assert pair.mtus() == {B: 1_500, B2: 1_300}


# --- the simulated network ---


def test_a_link_carries_what_may_be_fragmented_unless_fragments_are_filtered() -> None:
    datagram = bytes(572)
    link = Link(mtu=400)
    fates = [link.carry(kind(datagram), 600, 0.0, Random(1))[0].fate for kind in (bytes, Unfragmented, Fragmentable)]
    assert fates == ["dropped_mtu", "dropped_mtu", "delivered"]
    link.change(fragments=False)
    assert link.carry(Fragmentable(datagram), 600, 0.0, Random(1))[0].fate == "dropped_mtu"
