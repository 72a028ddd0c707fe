"""RFC 9260 section 7, where no other test shows what one of its sentences demands. `rfc9260.json` has them all."""

from __future__ import annotations

from itertools import pairwise

from support.pair import UDP_PORT, A, Pair

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, Settings
from pysctpstack.core.path import Path, Paths
from pysctpstack.core.tx.sender import Sender
from pysctpstack.testing import Link
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import decode, encode

OTHER = "192.0.2.2"
PMDCS = 1_460
PAYLOAD = 1_444


def two_paths(mtu: int = 1_500) -> tuple[Sender, Path, Path]:
    """A sender with two active paths, the second of another MTU if one is given."""
    settings = Settings.from_config(Config(max_burst=100))
    settings.no_delay = True
    first = Path(Route(A, UDP_PORT), settings, 1_500, confirmed=True)
    second = Path(Route(OTHER, UDP_PORT), settings, mtu, confirmed=True)
    paths = Paths(first)
    paths.add(second)
    return Sender(settings, paths, 1_000, 10, 1_000_000), first, second


def fill(sender: Sender, count: int, destination: str = "", size: int = PAYLOAD) -> int:
    """Send so many messages; how many packets left."""
    for _ in range(count):
        sender.push(Message(0, 0, bytes(size), destination=destination))
    sender.replenish_burst()
    packets = 0
    while sender.next_packet(0.0) is not None:
        packets += 1
    sender.end_burst()
    return packets


def test_chunks_count_with_header_and_padding() -> None:
    sender, first, _ = two_paths()
    fill(sender, 1, size=1)
    assert first.congestion.flight_size == 20
    fill(sender, 1, size=5)
    assert first.congestion.flight_size == 44
    first.congestion.ssthresh = 1
    sender.on_sack(1_000, 1_000_000, (), 0.1)
    assert (first.congestion.flight_size, first.congestion.partial_bytes_acked) == (24, 20)


def test_each_address_s_window_grows_by_what_was_sent_there() -> None:
    sender, first, second = two_paths()
    assert fill(sender, 6) == 4
    for message in sender.queue.messages:
        message.destination = OTHER
    assert fill(sender, 4, OTHER) == 4
    sizes = (first.congestion.cwnd, second.congestion.cwnd)
    # Three of the first address, one of the second.
    sender.on_sack(1_002, 1_000_000, ((2, 2),), 0.1)
    assert (first.congestion.cwnd - sizes[0], second.congestion.cwnd - sizes[1]) == (3 * PMDCS, PMDCS)


def test_a_timeout_on_one_address_leaves_the_window_of_another() -> None:
    sender, first, second = two_paths()
    fill(sender, 4)
    fill(sender, 2, OTHER)
    second.congestion.ssthresh = 77_777
    second.congestion.partial_bytes_acked = 5
    sender.on_t3(first)
    assert first.congestion.cwnd == PMDCS
    other = second.congestion
    assert (other.cwnd, other.ssthresh, other.partial_bytes_acked) == (4_404, 77_777, 5)
    assert other.flight_size == 2 * PMDCS


def test_a_window_that_is_not_used_does_not_grow() -> None:
    pair = Pair()
    pair.settings.no_delay = True
    client, _ = pair.connect()
    # One packet each round trip never fills the initial window.
    for _ in range(50):
        pair.send(pair.a, 1_000)
        pair.run(0.3)
    assert client.tcb.paths.primary.congestion.cwnd <= 4_404


def test_congestion_avoidance_grows_by_at_most_a_packet_a_round_trip() -> None:
    pair = Pair(link=Link(latency=0.05), config=Config(receive_buffer=10_000_000))
    client, _ = pair.connect()
    congestion = client.tcb.paths.primary.congestion
    congestion.ssthresh = congestion.cwnd = 20_000
    congestion.ssthresh -= 1
    pair.send(pair.a, 3_000_000)
    grown_at = []
    before = congestion.cwnd
    for _ in range(800):
        pair.run(0.005)
        assert congestion.cwnd - before in (0, PMDCS)
        if congestion.cwnd != before:
            grown_at.append(pair.now)
        before = congestion.cwnd
    # The round trip is 0.1 s.
    gaps = [later - earlier for earlier, later in pairwise(grown_at)]
    assert len(gaps) > 20
    assert min(gaps) > 0.09


def test_each_address_has_its_path_mtu() -> None:
    sender, first, second = two_paths(mtu=1_000)
    assert (first.packet_size, second.packet_size) == (1_472, 972)
    sender.push(Message(0, 0, bytes(3_000), destination=OTHER))
    sender.push(Message(0, 0, bytes(3_000)))
    sender.replenish_burst()
    largest = {A: 0, OTHER: 0}
    while (packet := sender.next_packet(0.0)) is not None:
        path, pieces = packet
        largest[path.address] = max(largest[path.address], 12 + sum(map(len, pieces)))
    assert largest[A] <= 1_472
    assert 900 < largest[OTHER] <= 972


def test_a_fragment_fits_every_address_of_the_peer() -> None:
    sender, _, _ = two_paths(mtu=1_000)
    sender.push(Message(0, 0, bytes(3_000)))
    sender.replenish_burst()
    sizes = []
    while (packet := sender.next_packet(0.0)) is not None:
        path, pieces = packet
        assert path.address == A
        sizes += [len(k.payload) for k in decode(encode(1, 2, 3, pieces)).chunks if isinstance(k, c.Data)]
    # 1,000 bytes less the headers of IP, UDP, SCTP and DATA.
    assert max(sizes) == 1_000 - 20 - 8 - 12 - 16
    assert sum(sizes) == 3_000
