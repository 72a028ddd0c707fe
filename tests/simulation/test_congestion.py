"""Congestion control on lines with delay, loss and a bottleneck: how much of them is used, and what is never done.

`tools/congestion` measures the whole grid of `docs/congestion.md`; here is what has to hold on each of its lines.
"""

from __future__ import annotations

import pytest
from simulation.flows import BUFFER, Bottleneck, Flow, Line, Transcript, jain

from pysctpstack.config import Config
from pysctpstack.testing import TraceRecord, has_chunk
from pysctpstack.wire import codepoints as cp

TEN, HUNDRED = 10_000_000, 100_000_000
MAX_BURST = Config().max_burst


def transcript(bottleneck: Bottleneck, batching: float = 0.0) -> Transcript:
    return Transcript(bottleneck.network.trace, "sender 0", "receiver 0", batching)


def only(bottleneck: Bottleneck) -> Flow:
    (flow,) = bottleneck.flows
    return flow


# --- how much of the line is used ---


@pytest.mark.parametrize(
    ("line", "warm_up", "seconds"),
    [
        (Line(0.01, TEN), 2, 5),
        (Line(0.05, TEN), 2, 10),
        (Line(0.2, TEN), 4, 8),
        (Line(0.01, HUNDRED), 1, 2),
        (Line(0.05, HUNDRED), 2.5, 1),
    ],
    ids=str,
)
def test_a_line_without_loss_is_used(line: Line, warm_up: float, seconds: float) -> None:
    bottleneck = Bottleneck(line, 1)
    (goodput,) = bottleneck.goodput(warm_up, seconds)
    assert goodput >= 0.9 * line.capacity, (goodput, line.capacity)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (Line(0.01, TEN, 0.001), 6),
        (Line(0.01, TEN, 0.01), 10),
        (Line(0.01, TEN, 0.03), 20),
        (Line(0.01, HUNDRED, 0.01), 6),
        (Line(0.05, TEN, 0.001), 15),
        (Line(0.05, TEN, 0.01), 30),
        (Line(0.05, HUNDRED, 0.03), 40),
        (Line(0.2, HUNDRED, 0.001), 40),
        (Line(0.2, TEN, 0.01), 60),
        (Line(0.2, TEN, 0.03), 100),
    ],
    ids=str,
)
def test_loss_costs_what_reno_pays(line: Line, seconds: float, seed: int) -> None:
    """Not less than 0.65 of what Mathis et al. have for a flow that never times out, nor much more."""
    (goodput,) = Bottleneck(line, seed).goodput(5, seconds)
    assert 0.65 * line.bound <= goodput <= 1.6 * line.bound, (seed, goodput / line.bound)


# --- no time-out where a fast retransmission would do ---


@pytest.mark.parametrize(
    ("line", "seconds"), [(Line(0.01, TEN), 4), (Line(0.05, TEN), 4), (Line(0.2, TEN), 10)], ids=str
)
@pytest.mark.parametrize("slower", [0, 3, 7])
def test_the_overflow_at_the_end_of_slow_start_is_repaired_without_a_timeout(
    line: Line, seconds: float, slower: int
) -> None:
    """Half a window is lost at once, and the queue is full while it is repaired. ``slower``: other rates by per cent,
    for other phases."""
    line = Line(line.rtt, line.rate * (100 - slower) // 100)
    bottleneck = Bottleneck(line, 1)
    bottleneck.run(seconds)
    flow = only(bottleneck)
    dropped = bottleneck.network.counters["dropped_queue"]
    assert dropped > 10
    assert flow.timeouts == []
    # Each is sent again once, and nothing else is.
    assert dropped - flow.statistics.paths[0].cwnd // 1_000 <= flow.statistics.chunks_retransmitted <= dropped
    assert "data_duplicate" not in flow.server.counters


@pytest.mark.parametrize("line", [Line(0.01, TEN), Line(0.05, TEN), Line(0.05, HUNDRED), Line(0.2, TEN)], ids=str)
def test_an_isolated_loss_never_times_out(line: Line) -> None:
    """Every 200th packet is dropped, from the 11th on, and no retransmission is."""
    bottleneck = Bottleneck(line, 1)
    dropped: set[bytes] = set()
    count = 0

    def every_200th(record: TraceRecord) -> bool | None:
        nonlocal count
        if not has_chunk(cp.DATA)(record) or record.data[12:20] in dropped:
            return None
        count += 1
        if count % 200 != 11:
            return None
        # Type, flags, length and TSN of the DATA chunk.
        dropped.add(record.data[12:20])
        return False

    bottleneck.network.rules.append(every_200th)
    bottleneck.run(10 if line.rtt < 0.2 else 20)
    flow = only(bottleneck)
    assert len(dropped) >= 8
    assert flow.timeouts == []
    assert flow.statistics.chunks_retransmitted <= len(dropped) + bottleneck.network.counters["dropped_queue"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("line", [Line(0.01, TEN, 0.03), Line(0.05, TEN, 0.01), Line(0.2, TEN, 0.03)], ids=str)
def test_t3_expires_for_lost_retransmissions_only(line: Line, seed: int) -> None:
    """RFC 9260 section 7.2.4, 5: a TSN is fast retransmitted once; if that is lost as well, T3-rtx is what is left."""
    bottleneck = Bottleneck(line, seed, tracing=True)
    bottleneck.run(10 + 100 * line.rtt)
    flow = only(bottleneck)
    seen = transcript(bottleneck)
    for time in flow.timeouts:
        (transmissions,) = seen.sent_at(time)
        *before, _ = transmissions
        again = before[-1].time - before[0].time if len(before) > 1 else 0.0
        # Or everything behind it was lost too, so that nobody could report three times that it is missing.
        reported = sum(
            burst.acknowledged > 0 for burst in seen.bursts if before[0].time + line.rtt <= burst.time < time
        )
        assert (len(before) >= 2 and before[-1].fate in ("lost", "dropped_queue") and again > 0) or reported < 3, (
            seed,
            time,
            [(record.time, record.fate) for record in transmissions],
        )


# --- bursts ---


BUSY = [
    (Line(0.05, TEN), 5),
    (Line(0.05, TEN, 0.01), 10),
    (Line(0.01, TEN, 0.03), 4),
    (Line(0.05, HUNDRED, 0.001), 2.5),
]


@pytest.mark.parametrize("batching", [0.002, 0.005])
@pytest.mark.parametrize(("line", "seconds"), BUSY, ids=str)
def test_no_burst_exceeds_what_a_batch_of_sacks_acknowledged_and_max_burst(
    line: Line, seconds: float, batching: float
) -> None:
    """RFC 9260 section 6.1, D. The user is silent: each call of his may send Max.Burst packets too."""
    bottleneck = Bottleneck(line, 1, refills=False, tracing=True, batching=batching)
    bottleneck.run(seconds)
    bursts = transcript(bottleneck, batching).bursts
    assert len(bursts) > 30
    assert [burst for burst in bursts if burst.sent > burst.acknowledged + MAX_BURST] == []


@pytest.mark.parametrize(("line", "seconds"), BUSY, ids=str)
def test_no_burst_exceeds_what_a_sack_acknowledged_and_max_burst(line: Line, seconds: float) -> None:
    """Here the user refills the buffer as soon as there is room."""
    bottleneck = Bottleneck(line, 1, tracing=True)
    bottleneck.run(seconds)
    bursts = transcript(bottleneck).bursts
    assert len(bursts) > 30
    assert [burst for burst in bursts if burst.sent > burst.acknowledged + MAX_BURST] == []


@pytest.mark.parametrize("line", [Line(0.05, TEN), Line(0.01, TEN, 0.03)], ids=str)
def test_a_recovery_sends_a_packet_for_each_that_arrived_and_one(line: Line) -> None:
    """What is found lost makes room in cwnd, but is not sent again all at once: the queue that lost it is full."""
    bottleneck = Bottleneck(line, 1, tracing=True)
    bottleneck.run(5)
    repairs = [burst for burst in transcript(bottleneck).bursts if burst.retransmitted and burst.acknowledged]
    assert len(repairs) > 20
    # T3-rtx aside, whose retransmissions are slow start's: two for each packet that arrived.
    assert [burst for burst in repairs if burst.sent > max(burst.acknowledged + 1, 2 * burst.acknowledged)] == []


# --- fairness ---


@pytest.mark.parametrize("late", [0.0, 0.05, 0.4])
@pytest.mark.parametrize(
    ("line", "seconds"), [(Line(0.01, TEN), 5), (Line(0.05, TEN), 10), (Line(0.2, 2_000_000), 60)], ids=str
)
def test_two_flows_share_a_bottleneck(line: Line, seconds: float, late: float) -> None:
    bottleneck = Bottleneck(line, 1, starts=(0.0, late))
    shares = bottleneck.goodput(5, seconds)
    assert jain(shares) > 0.95, shares
    assert sum(shares) >= 0.9 * line.capacity


def test_a_second_flow_gets_its_share_of_a_full_line() -> None:
    bottleneck = Bottleneck(Line(0.05, TEN), 1, starts=(0.0, 5.0))
    bottleneck.run(4.9)
    assert len(bottleneck.flows) == 1
    shares = bottleneck.goodput(10, 10)
    assert jain(shares) > 0.95, shares


# --- the index ---


def test_jain() -> None:
    assert jain([3, 3]) == pytest.approx(1)
    assert jain([5, 0]) == pytest.approx(0.5)
    assert Line(0.2, HUNDRED, 0.01).bound == pytest.approx(8 * 1_400 / 0.2 * 150**0.5)
    assert 4 * Line(0.2, HUNDRED).queue < BUFFER
