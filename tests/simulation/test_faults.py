"""Peers that die, readers that stop, lines of every width and delay, and long silences."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from support.pair import Pair, WrappingEntropy, chunks_of

from pysctpstack.config import Config
from pysctpstack.core import Message, State
from pysctpstack.events import AssociationLost, Loss, MessageReceived, PathChange, PathChanged, SendFailed
from pysctpstack.testing import Link, drop, has_chunk
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp

SILENT = Config(heartbeat_interval=0)


# --- a peer that dies ---


def test_a_dead_peer_is_noticed_by_t3_after_the_sum_of_its_back_offs() -> None:
    pair = Pair(config=SILENT)
    client, _ = pair.connect()
    pair.network.cut(pair.b.address)
    start = pair.now
    client.send(Message(0, 0, b"anybody there?", context=3), start)
    pair.until(lambda: bool(pair.a.of(AssociationLost)), 1_000)
    # Association.Max.Retrans is 10: the eleventh time-out ends it. 1, 2, 4, ... up to RTO.Max.
    assert pair.now - start == pytest.approx(sum(min(2**n, 60) for n in range(11)))
    assert len(pair.sent_chunks("a", c.Data)) == 11
    assert pair.a.of(AssociationLost) == [AssociationLost(3, Loss.TIMED_OUT, True)]
    assert [(e.context, e.sent) for e in pair.a.of(SendFailed)] == [(3, True)]
    assert [e.change for e in pair.a.of(PathChanged)] == [PathChange.UNREACHABLE]
    assert pair.a.endpoint.next_timeout() == math.inf


@pytest.mark.parametrize("retransmissions", [0, 1, 3])
def test_the_limit_is_association_max_retrans(retransmissions: int) -> None:
    pair = Pair(config=Config(heartbeat_interval=0, association_max_retrans=retransmissions))
    pair.connect()
    pair.network.cut(pair.b.address)
    pair.send(pair.a, 10)
    pair.run(200)
    assert len(pair.sent_chunks("a", c.Data)) == 1 + retransmissions
    assert len(pair.a.of(AssociationLost)) == 1


def test_an_interruption_shorter_than_that_is_survived() -> None:
    pair = Pair(config=SILENT)
    pair.connect()
    for _ in range(20):
        pair.send(pair.a, 3_000)
        pair.send(pair.b, 3_000, 2)
    pair.run(0.2)
    pair.network.cut(pair.b.address)
    pair.run(100)
    pair.network.restore(pair.b.address)
    pair.run(120)
    pair.check_delivery()


def test_a_peer_that_restarted_without_memory_aborts_what_it_does_not_know() -> None:
    pair = Pair()
    pair.connect()
    fresh = Pair(seed=7)
    pair.b.host.endpoint = pair.b.endpoint = fresh.b.endpoint
    pair.a.association.send(Message(0, 0, b"hello?"), pair.now)
    pair.run(1)
    assert [e.loss for e in pair.a.of(AssociationLost)] == [Loss.ABORTED]


# --- windows ---


@pytest.mark.parametrize("messages", [21, 22, 40])
def test_a_reader_that_stops_for_a_minute_and_goes_on(messages: int) -> None:
    pair = Pair(config=Config(receive_buffer=20_000, heartbeat_interval=0))
    client, _ = pair.connect()
    pair.b.reading = False
    for _ in range(messages):
        pair.send(pair.a, 1_000)
    pair.run(60)
    # Closed: probed after an RTO, then at growing intervals, and never an error.
    probes = [time for time, chunk in pair.sent_chunks("a", c.Data) if chunk.ppid == 20]
    gaps = [round(later - earlier, 3) for earlier, later in pairwise(probes)]
    assert gaps == [1, 2, 4, 8, 16]
    assert client.tcb.error_count == 0
    assert not pair.a.of(PathChanged)
    cwnd = client.tcb.paths.primary.congestion.cwnd
    assert cwnd > 4_404
    resumed = pair.now
    pair.b.reading = True
    pair.until(lambda: len(pair.b.messages) == messages, 60)
    # At once, and not when the backed-off timer would have expired, 4.6 s later.
    assert pair.now - resumed < 1.0
    pair.run(1)
    pair.check_delivery()


def test_a_lost_window_update_is_made_up_for_by_a_probe() -> None:
    pair = Pair(config=Config(receive_buffer=20_000, heartbeat_interval=0))
    pair.connect()
    pair.b.reading = False
    for _ in range(30):
        pair.send(pair.a, 1_000)
    pair.run(1)
    pair.network.rules.append(drop(has_chunk(cp.SACK), 1, 2, 3, 4))
    pair.b.reading = True
    pair.run(30)
    pair.check_delivery()


def test_a_reader_that_takes_one_message_at_a_time() -> None:
    pair = Pair(config=Config(receive_buffer=20_000, heartbeat_interval=0))
    pair.connect()
    pair.b.reading = False
    for _ in range(200):
        pair.send(pair.a, 1_000)
    for _ in range(200):
        pair.run(0.1)
        pair.read(pair.b, 1)
    pair.b.reading = True
    pair.run(5)
    pair.check_delivery()
    # Updates are for a quarter of the buffer, not for each message (RFC 9260 section 6.2).
    updates = [
        record for record in pair.records("b", cp.SACK) if record.time * 10 % 1 < 1e-6 and len(chunks_of(record)) == 1
    ]
    assert len(updates) < 100


@pytest.mark.parametrize("receive_buffer", [2_000, 4_000, 10_000, 70_000])
@pytest.mark.parametrize("mtu", [600, 1_500, 9_000, 65_535])
def test_messages_larger_than_the_buffer_over_any_mtu(receive_buffer: int, mtu: int) -> None:
    pair = Pair(config=Config(receive_buffer=receive_buffer, heartbeat_interval=0), mtu=mtu)
    pair.connect()
    sizes = (1, 3 * receive_buffer, 10, receive_buffer, 40_000)
    for stream_id, size in enumerate(sizes):
        pair.send(pair.a, size, stream_id % 2)
    pair.until(lambda: len(pair.b.messages) == len(sizes), 200)
    pair.check_delivery()
    # No more than what a round trip of 0.1 s for half a buffer each, and slow start, explain.
    assert pair.now < 3 + 0.1 * 4 * sum(sizes) / receive_buffer


# --- silence ---


def test_hours_of_silence_and_then_a_message() -> None:
    pair = Pair(config=Config(heartbeat_interval=30.0))
    client, server = pair.connect()
    pair.send(pair.a, 10)
    pair.run(6 * 3_600)
    assert (client.state, server.state) == (State.ESTABLISHED, State.ESTABLISHED)
    pair.send(pair.a, 100_000)
    start = pair.now
    pair.until(lambda: len(pair.b.messages) == 2, 10)
    assert pair.now - start < 1.0
    assert not pair.a.of(PathChanged)
    # Nothing but heartbeats and their answers in all that time.
    quiet = [record for record in pair.network.trace if 10 < record.time < start]
    assert {type(chunk) for record in quiet for chunk in chunks_of(record)} == {c.Heartbeat, c.HeartbeatAck}


def test_a_lossy_line_that_is_idle_for_a_day_keeps_the_association() -> None:
    pair = Pair(3, config=Config(heartbeat_interval=30.0), link=Link(0.1, loss=0.1), tracing=False)
    pair.connect()
    pair.run(24 * 3_600)
    for node in pair.nodes:
        assert not node.of(AssociationLost)
    pair.send(pair.b, 5_000)
    pair.run(300)
    pair.check_delivery()


# --- numbers that wrap ---


def test_70_000_messages_on_one_stream() -> None:
    """The stream sequence number wraps at 65,536, the TSN at the start."""
    pair = Pair(
        config=Config(heartbeat_interval=0, receive_buffer=2_000_000),
        entropy=WrappingEntropy,
        link=Link(latency=0.001),
        tracing=False,
    )
    client, _ = pair.connect()
    sent = 0

    def more() -> bool:
        nonlocal sent
        while sent < 70_000 and client.send_buffered < 20_000:
            client.send(Message(0, sent, b"%d" % sent), pair.now)
            sent += 1
        pair.drain()
        return len(pair.b.events) > 70_000

    assert pair.network.run_until(more, 600)
    got = pair.b.of(MessageReceived)
    assert [event.ppid for event in got] == list(range(70_000))
    assert all(event.data == b"%d" % event.ppid for event in got)
    assert [got[index].ssn for index in (65_535, 65_536)] == [65_535, 0]


# --- lines ---


@pytest.mark.parametrize("latency", [0.0, 0.001, 0.3, 2.0])
def test_round_trips_of_every_length_cause_no_spurious_retransmission(latency: float) -> None:
    pair = Pair(config=Config(heartbeat_interval=0), link=Link(latency=latency))
    pair.settings.rto_initial = pair.server_settings.rto_initial = 10.0
    client, _ = pair.connect()
    for _ in range(60):
        pair.send(pair.a, 5_000)
    pair.run(200)
    pair.check_delivery()
    assert client.tcb.sender.retransmissions == 0
    assert "data_duplicate" not in pair.b.endpoint.counters


def test_a_line_that_becomes_ten_times_slower_recovers_from_its_time_outs() -> None:
    pair = Pair(config=Config(heartbeat_interval=0))
    client, _ = pair.connect()
    for _ in range(10):
        pair.send(pair.a, 3_000)
    pair.run(2)
    pair.network.everywhere(latency=1.0)
    for _ in range(60):
        pair.send(pair.a, 3_000)
        pair.run(0.5)
    pair.run(60)
    pair.check_delivery()
    # The RTO has learned of it: what follows is not sent twice.
    before = client.tcb.sender.retransmissions
    for _ in range(20):
        pair.send(pair.a, 3_000)
        pair.run(0.5)
    pair.run(20)
    assert client.tcb.sender.retransmissions == before


def test_reordering_alone_within_two_packets_is_no_loss() -> None:
    line = Link(0.05, rate=10_000_000, queue=10_000_000, reorder=0.1, reorder_delay=0.002)
    pair = Pair(5, config=Config(heartbeat_interval=0), link=line)
    client, _ = pair.connect()
    for _ in range(100):
        pair.send(pair.a, 4_000)
    pair.run(30)
    pair.check_delivery()
    assert client.tcb.sender.retransmissions == 0
    assert client.tcb.paths.primary.congestion.ssthresh > 1 << 30


def test_a_corrupted_line_delivers_nothing_wrong() -> None:
    pair = Pair(11, config=Config(heartbeat_interval=0, association_max_retrans=30), link=Link(0.02, corrupt=0.2))
    pair.connect()
    for _ in range(40):
        pair.send(pair.a, 2_000)
    pair.run(300)
    pair.check_delivery()
    assert pair.b.endpoint.counters["bad_checksum"] > 5
