"""How fast a transfer is, compared with what the line and RFC 5681's congestion control allow, and how it behaves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
from support.pair import Pair, chunks_of

from pysctpstack.config import Config
from pysctpstack.core import Message
from pysctpstack.testing import Link, drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp

RATE = 10_000_000
RTT = 0.05


@dataclass
class Transfer:
    pair: Pair
    bits_per_second: float
    longest_pause: float
    retransmissions: int


def transfer(
    seconds: float,
    *,
    seed: int = 1,
    loss: float = 0.0,
    size: int = 1_400,
    batching: float = 0.0,
    rate: int = RATE,
    queue: int = 65_536,
    tracing: bool = False,
    receive_buffer: int = 212_992,
) -> Transfer:
    """One direction at full speed, the sender's buffer never empty, the reader always there."""
    config = Config(heartbeat_interval=0, receive_buffer=receive_buffer)
    link = Link(latency=RTT / 2, rate=rate, queue=queue)
    pair = Pair(seed, config=config, link=link, batching=batching, tracing=tracing)
    pair.network.link(pair.a.address, pair.b.address).loss = loss
    client, _ = pair.connect()
    start = last = pair.now
    payload = bytes(size)
    pause = 0.0
    delivered = 0

    def step() -> bool:
        nonlocal last, pause, delivered
        pair.drain()
        for event in pair.b.events:
            delivered += len(getattr(event, "data", b""))
            pause = max(pause, pair.now - last)
            last = pair.now
        pair.b.events.clear()
        pair.a.events.clear()
        while client.send_buffered < 1_000_000:
            client.send(Message(0, 0, payload), pair.now)
        return False

    pair.network.run_until(step, seconds)
    return Transfer(pair, 8 * delivered / (pair.now - start), pause, client.tcb.sender.retransmissions)


def reno(loss: float) -> float:
    """What Reno reaches at this loss rate (Mathis et al. 1997), in user data bits a second."""
    return 1_400 * 8 / RTT * math.sqrt(1.5 / loss)


def test_without_loss_the_line_is_filled() -> None:
    done = transfer(20)
    # 1,400 of 1,472 + 28 bytes are user data; slow start and the overflow of its first queue take their share.
    assert done.bits_per_second > 0.9 * RATE
    assert done.longest_pause < 3 * RTT
    # Every datagram that the queue dropped was sent again, and nothing else.
    assert done.retransmissions == done.pair.network.counters["dropped_queue"]
    assert "data_duplicate" not in done.pair.b.endpoint.counters


@pytest.mark.parametrize("seed", range(3))
def test_one_per_cent_of_loss(seed: int) -> None:
    done = transfer(40, seed=seed, loss=0.01)
    assert 0.7 * reno(0.01) < done.bits_per_second < 1.6 * reno(0.01)
    lost = done.pair.network.counters["lost"] + done.pair.network.counters["dropped_queue"]
    # Time-outs send again what had arrived, but they are rare.
    assert lost <= done.retransmissions <= 1.2 * lost + 5


@pytest.mark.parametrize("batching", [0.002, 0.01])
def test_batches_of_datagrams_do_not_slow_a_transfer_down(batching: float) -> None:
    """Several SACKs in one batch release as much as one by one would (GRO brings 44 datagrams at once)."""
    plain = transfer(5, rate=100_000_000, queue=600_000, receive_buffer=2_000_000)
    batched = transfer(5, rate=100_000_000, queue=600_000, receive_buffer=2_000_000, batching=batching)
    # The window of 1,000,000 bytes goes round in the delay of the line and of the two batches.
    expected = plain.bits_per_second * min(1, (RTT + 0.03) / (RTT + 2 * batching + 0.03))
    assert batched.bits_per_second > 0.85 * expected


def test_a_window_update_in_the_batch_of_a_sack_takes_nothing_away() -> None:
    """A small buffer: each batch is followed by a window update, and slow start goes on all the same."""
    pair = Pair(config=Config(receive_buffer=20_000, heartbeat_interval=0))
    pair.connect()
    for _ in range(100):
        pair.send(pair.a, 5_000)
    start = pair.now
    pair.until(lambda: len(pair.b.messages) == 100, 60)
    # 500,000 bytes, about 15,000 in each round trip of 0.1 s.
    assert pair.now - start < 4.5


def test_the_pace_of_sacks_and_the_size_of_bursts() -> None:
    done = transfer(3, tracing=True)
    data = done.pair.records("a", cp.DATA)
    sacks = done.pair.records("b", cp.SACK)
    assert len(sacks) <= len(data) / 2 + 2 * done.pair.network.counters["dropped_queue"] + 5
    # RFC 9260 section 6.1, D: a SACK for two packets releases two and Max.Burst, 4, more.
    by_time: dict[float, int] = {}
    for record in data:
        by_time[record.time] = by_time.get(record.time, 0) + 1
    assert max(by_time.values()) <= 6


def test_slow_start_doubles_and_is_not_held_back() -> None:
    done = transfer(0.5, tracing=True, rate=0, receive_buffer=2_000_000)
    rounds: dict[int, int] = {}
    start = done.pair.records("a", cp.DATA)[0].time
    for record in done.pair.records("a", cp.DATA):
        number = int((record.time - start) / RTT + 1e-6)
        rounds[number] = rounds.get(number, 0) + 1
    counts = [rounds[number] for number in range(5)]
    # Each round trip doubles what leaves, but for the packet whose SACK is delayed.
    assert counts[0] == 4
    assert all(later >= 1.5 * earlier for earlier, later in pairwise(counts))


def test_a_single_loss_is_repaired_within_two_round_trips() -> None:
    pair = Pair(config=Config(heartbeat_interval=0))
    client, _ = pair.connect()
    pair.network.rules.append(drop(has_chunk(cp.DATA), 15))
    for _ in range(60):
        pair.send(pair.a, 1_400)
    pair.until(lambda: len(pair.b.messages) == 60, 10)
    assert client.tcb.sender.retransmissions == 1
    (dropped,) = [record for record in pair.network.trace if record.fate == "filtered"]
    (tsn,) = [chunk.tsn for chunk in chunks_of(dropped) if isinstance(chunk, c.Data)]
    first, again = [
        record
        for record in pair.records("a", cp.DATA)
        for k in chunks_of(record)
        if isinstance(k, c.Data) and k.tsn == tsn
    ]
    assert again.time - first.time < 2 * 0.1 + 0.001
    # The SACK for what filled the hole is not delayed.
    assert any(record.time == again.arrival for record in pair.records("b", cp.SACK))
    pair.check_delivery()


def test_both_directions_at_once_share_packets_and_sacks() -> None:
    pair = Pair(config=Config(heartbeat_interval=0), link=Link(RTT / 2, rate=RATE))
    pair.connect()
    for _ in range(150):
        pair.send(pair.a, 4_000)
        pair.send(pair.b, 4_000)
    start = pair.now
    pair.until(lambda: all(len(node.messages) == 150 for node in pair.nodes), 60)
    # 600,000 bytes each way: 0.5 s at this rate, and slow start.
    assert pair.now - start < 1.5
    pair.check_delivery()
