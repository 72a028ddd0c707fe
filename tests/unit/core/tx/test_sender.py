"""The sender: RFC 9260 sections 6.1 to 6.3 and 7.2, rule by rule, one path and two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, Settings
from pysctpstack.core.path import Path, Paths, PathState
from pysctpstack.core.tx.sender import MAX_OUTSTANDING, MIN_PAYLOAD, SackOutcome, Sender, subtract
from pysctpstack.wire import chunks as c
from pysctpstack.wire.packet import decode, encode

TSN = 1_000
MTU = 1_500
PACKET = 1_472
PMDCS = 1_460
PAYLOAD = 1_444


@dataclass
class Bench:
    """A sender, a clock, and what left."""

    sender: Sender
    paths: Paths
    now: float = 10.0
    sent: list[c.Data] = field(default_factory=list)

    def queue(self, count: int = 1, size: int = PAYLOAD, **options: object) -> None:
        for _ in range(count):
            self.sender.push(Message(0, 0, bytes(size), **options))  # type: ignore[arg-type]
        self.sender.replenish_burst()

    def flush(self) -> list[list[int]]:
        """The packets that leave now, as lists of TSNs."""
        return [tsns for _, tsns in self.flush_paths()]

    def flush_paths(self) -> list[tuple[str, list[int]]]:
        packets = []
        while (packet := self.sender.next_packet(self.now)) is not None:
            path, pieces = packet
            raw = encode(1, 2, 3, pieces)
            assert len(raw) <= path.packet_size
            chunks = [chunk for chunk in decode(raw).chunks if isinstance(chunk, c.Data)]
            self.sent += chunks
            packets.append((path.address, [chunk.tsn for chunk in chunks]))
        self.sender.end_burst()
        return packets

    def sack(self, cumulative: int, *gaps: tuple[int, int], a_rwnd: int = 1_000_000, after: float = 0.0) -> SackOutcome:
        """A SACK whose gaps are TSNs."""
        self.now += after
        offsets = [(first - cumulative, last - cumulative) for first, last in gaps]
        return self.sender.on_sack(cumulative & 0xFFFFFFFF, a_rwnd, offsets, self.now)

    @property
    def path(self) -> Path:
        return self.paths.primary

    @property
    def flight(self) -> int:
        return self.path.congestion.flight_size


def bench(
    *,
    addresses: Sequence[str] = ("192.0.2.1",),
    rwnd: int = 1_000_000,
    cwnd: int = 0,
    tsn: int = TSN,
    **settings: object,
) -> Bench:
    made = Settings.from_config(Config())
    made.no_delay = True
    for name, value in settings.items():
        setattr(made, name, value)
    paths = Paths(Path(Route(addresses[0], 9_899), made, MTU, confirmed=True))
    for address in addresses[1:]:
        paths.add(Path(Route(address, 9_899), made, MTU, confirmed=True))
    if cwnd:
        paths.primary.congestion.cwnd = cwnd
    return Bench(Sender(made, paths, tsn, 10, rwnd), paths)


def flying(count: int, **options: object) -> Bench:
    """``count`` full packets in flight, with a window just as large."""
    one = bench(max_burst=1_000, cwnd=count * PMDCS, **options)  # type: ignore[arg-type]
    one.queue(count)
    assert len(one.flush()) == count
    return one


# --- sending (section 6.1) ---


def test_a_message_is_cut_into_fragments_that_fill_packets() -> None:
    one = bench(cwnd=100_000)
    one.queue(1, 2 * PAYLOAD + 1)
    assert one.flush() == [[1_000], [1_001], [1_002]]
    assert [(k.beginning, k.ending, len(k.payload)) for k in one.sent] == [
        (True, False, PAYLOAD),
        (False, False, PAYLOAD),
        (False, True, 1),
    ]
    assert {k.ssn for k in one.sent} == {0}


def test_small_messages_share_a_packet_and_the_ssn_counts_ordered_ones() -> None:
    one = bench()
    for unordered in (False, True, False):
        one.queue(1, 100, unordered=unordered)
    assert one.flush() == [[1_000, 1_001, 1_002]]
    assert [(k.unordered, k.ssn) for k in one.sent if not k.unordered] == [(False, 0), (False, 1)]


def test_max_segment_bounds_a_fragment() -> None:
    one = bench(max_segment=500)
    one.queue(1, 1_600)
    assert one.flush() == [[1_000, 1_001], [1_002, 1_003]]
    assert [len(k.payload) for k in one.sent] == [500, 500, 500, 100]


def test_cwnd_is_exceeded_by_less_than_a_packet() -> None:
    one = bench()
    one.queue(10)
    # 4,404 bytes: at 4,380 in flight a fourth packet may leave.
    assert one.flush() == [[1_000], [1_001], [1_002], [1_003]]
    assert one.flight == 4 * PMDCS


def test_max_burst_limits_what_leaves_at_once() -> None:
    one = bench(cwnd=100_000)
    one.queue(20)
    assert len(one.flush()) == 4
    assert one.flush() == []
    one.sack(1_001)
    # Two that left the network, and Max.Burst more.
    assert len(one.flush()) == 6


def test_several_sacks_of_one_batch_add_up() -> None:
    one = bench(cwnd=100_000)
    one.queue(40)
    one.flush()
    one.sack(1_000)
    one.sack(1_002)
    # A window update that acknowledges nothing takes nothing away.
    one.sack(1_002)
    assert len(one.flush()) == 3 + 4


def test_what_was_acknowledged_while_there_was_nothing_to_send_allows_no_burst_later() -> None:
    one = flying(20)
    one.sender.max_burst = one.sender.burst = 4
    one.sack(1_010)
    one.flush()
    one.sack(1_019)
    one.flush()
    one.queue(20)
    assert len(one.flush()) == 4


def test_a_max_burst_of_0_is_no_limit() -> None:
    one = bench(cwnd=100_000, max_burst=0)
    one.queue(30)
    assert len(one.flush()) == 30


def test_rwnd_holds_new_data_back_and_a_sack_opens_it() -> None:
    one = bench(cwnd=100_000, rwnd=2 * PAYLOAD + 500)
    one.queue(4)
    assert one.flush() == [[1_000], [1_001]]
    assert one.sender.rwnd == 500
    one.sack(1_001, a_rwnd=PAYLOAD)
    assert one.flush() == [[1_002]]


def test_rwnd_is_what_the_peer_announced_less_what_is_in_flight() -> None:
    one = flying(4)
    one.sack(1_000, (1_002, 1_002), a_rwnd=10_000)
    assert one.sender.in_flight == 2 * PAYLOAD
    assert one.sender.rwnd == 10_000 - 2 * PAYLOAD


def test_a_fragment_takes_at_most_half_of_the_peer_s_buffer() -> None:
    one = bench(rwnd=2_000)
    one.queue(1, 1_500)
    assert one.flush() == [[1_000], [1_001]]
    assert [len(k.payload) for k in one.sent] == [1_000, 500]
    small = bench(rwnd=600)
    small.queue(1, 5_000)
    small.flush()
    assert len(small.sent[0].payload) == MIN_PAYLOAD
    # A window that turns out larger than the first one lifts the limit.
    one.sack(1_001, a_rwnd=100_000)
    one.queue(1, 1_500)
    one.flush()
    assert [len(k.payload) for k in one.sent[2:]] == [PAYLOAD, 56]


def test_nagle_waits_while_something_is_outstanding_for_a_full_packet() -> None:
    one = bench(no_delay=False)
    one.queue(1, 10)
    assert one.flush() == [[1_000]]
    one.queue(1, 10)
    assert not one.sender.has_packet()
    assert one.flush() == []
    one.queue(1, PAYLOAD)
    assert one.flush() == [[1_001], [1_002]]
    one.queue(1, 10)
    assert one.flush() == []
    one.sack(1_002)
    assert one.flush() == [[1_003]]


@pytest.mark.parametrize("options", [{"no_delay": True}, {"sack_immediately": True}])
def test_what_turns_nagle_off(options: dict[str, bool]) -> None:
    one = bench(no_delay=options.pop("no_delay", False))
    one.queue(1, 10)
    one.flush()
    one.queue(1, 10, **options)
    assert one.flush() == [[1_001]]


def test_the_end_of_a_message_that_has_begun_does_not_wait() -> None:
    one = bench(no_delay=False)
    one.queue(1, PAYLOAD + 5)
    assert one.flush() == [[1_000], [1_001]]


def test_the_i_bit_is_set_on_the_last_fragment_where_the_user_asks_and_while_closing() -> None:
    one = bench(cwnd=100_000)
    one.queue(1, PAYLOAD + 5, sack_immediately=True)
    one.queue(1, 5)
    one.flush()
    assert [k.immediate for k in one.sent] == [False, True, False]
    one.sender.urge_sack = True
    one.queue(1, 5)
    one.flush()
    assert one.sent[-1].immediate


def test_no_more_than_a_gap_block_reaches_is_outstanding() -> None:
    one = bench(cwnd=1 << 40, rwnd=1 << 40, max_burst=1 << 40)
    one.queue(MAX_OUTSTANDING + 10, 1)
    one.flush()
    assert len(one.sender.outstanding) == MAX_OUTSTANDING
    one.sack(TSN, a_rwnd=1 << 30)
    one.flush()
    assert len(one.sender.outstanding) == MAX_OUTSTANDING


def test_a_packet_that_others_share_leaves_room_for_them() -> None:
    one = bench()
    one.queue(1)
    one.queue(1, 100)
    packet = one.sender.next_packet(one.now, 100, one.path)
    # Too large behind 100 bytes, but not for a packet of its own.
    assert packet == (one.path, [])
    assert one.flush() == [[1_000], [1_001]]


def test_a_message_for_another_address_gets_a_packet_of_its_own() -> None:
    one = bench(addresses=("192.0.2.1", "192.0.2.2"))
    one.queue(1, 10)
    one.queue(1, 10, destination="192.0.2.2")
    one.queue(1, 10, destination="192.0.2.9")
    assert one.flush_paths() == [("192.0.2.1", [1_000]), ("192.0.2.2", [1_001]), ("192.0.2.1", [1_002])]


def test_an_unconfirmed_address_gets_no_data() -> None:
    one = bench(addresses=("192.0.2.1", "192.0.2.2"))
    one.paths.by_address["192.0.2.2"].state = PathState.UNCONFIRMED
    one.queue(1, 10, destination="192.0.2.2")
    assert one.flush_paths() == [("192.0.2.1", [1_000])]


def test_slow_start_counts_every_sack_of_a_batch() -> None:
    """Between them there is no chance to fill the window again, so that it counts as used for all."""
    one = bench(max_burst=100)
    one.queue(20)
    assert len(one.flush()) == 4
    one.sack(1_001)
    one.sack(1_003)
    assert one.path.congestion.cwnd == 4_404 + 4 * PMDCS
    assert len(one.flush()) == 8


def test_a_window_that_was_not_used_does_not_grow() -> None:
    one = bench()
    one.queue(3)
    one.flush()
    one.sack(1_002)
    assert one.path.congestion.cwnd == 4_404


# --- SACK (section 6.2.1) ---


def test_a_cumulative_ack_frees_and_stops_t3() -> None:
    one = flying(3)
    assert one.path.t3_deadline == one.now + 1.0
    assert one.sack(1_002) is SackOutcome.PROCESSED
    assert (one.flight, one.sender.in_flight, one.sender.buffered) == (0, 0, 0)
    assert one.sender.is_idle
    assert one.path.t3_deadline == math.inf


def test_t3_is_restarted_by_the_earliest_tsn_only() -> None:
    one = flying(3)
    first = one.path.t3_deadline
    one.sack(999, (1_001, 1_001), after=0.2)
    assert one.path.t3_deadline == first
    one.sack(1_000, (1_002, 1_002), after=0.2)
    assert one.path.t3_deadline == one.now + one.path.rto.rto
    # RFC 9260 section 6.3.2, R2: all of it has arrived.
    one.sack(1_002, after=0.2)
    assert one.path.t3_deadline == math.inf
    two = flying(3)
    two.sack(1_000, after=0.3)
    assert two.path.t3_deadline == two.now + two.path.rto.rto


def test_an_older_sack_changes_nothing() -> None:
    one = flying(3)
    one.sack(1_001)
    assert one.sack(1_000, (1_002, 1_002), a_rwnd=5) is SackOutcome.OLD
    assert one.sender.rwnd == 1_000_000 - PAYLOAD
    assert one.flight == PMDCS


@pytest.mark.parametrize(("cumulative", "gaps"), [(1_003, []), (999, [(1_002, 1_003)]), (1_000 + (1 << 30), [])])
def test_what_was_never_sent_is_not_acknowledged(cumulative: int, gaps: list[tuple[int, int]]) -> None:
    one = flying(3)
    assert one.sack(cumulative, *gaps) is SackOutcome.NEVER_SENT
    assert one.flight == 3 * PMDCS


@pytest.mark.parametrize("gap", [(0, 2), (2, 1)])
def test_a_gap_block_that_is_none_makes_the_sack_invalid(gap: tuple[int, int]) -> None:
    one = flying(3)
    assert one.sender.on_sack(999, 1_000_000, [gap], one.now) is SackOutcome.INVALID
    assert one.flight == 3 * PMDCS


def test_gap_blocks_in_any_order_and_overlapping_are_taken() -> None:
    one = flying(8)
    assert one.sender.on_sack(999, 1_000_000, [(6, 7), (2, 3), (3, 4)], one.now) is SackOutcome.PROCESSED
    assert [chunk.tsn for chunk in one.sender.outstanding.values() if chunk.acked] == [
        1_001,
        1_002,
        1_003,
        1_005,
        1_006,
    ]


def test_reneging_puts_a_chunk_back_in_flight_and_t3_runs() -> None:
    two = flying(3)
    two.sack(999, (1_001, 1_002))
    assert two.flight == PMDCS
    two.sack(999, (1_002, 1_002), a_rwnd=10_000)
    chunk = two.sender.outstanding[1_001]
    assert (chunk.acked, chunk.missing, two.flight) == (False, 1, 2 * PMDCS)
    assert two.sender.rwnd == 10_000 - 2 * PAYLOAD
    assert two.path.t3_deadline < math.inf


def test_gap_blocks_that_cover_all_keep_t3_running_and_it_stops_believing_them() -> None:
    one = flying(2)
    deadline = one.path.t3_deadline
    one.sack(999, (1_000, 1_001), after=0.5)
    assert (one.flight, one.path.t3_deadline) == (0, deadline)
    expire(one)
    assert one.flush() == [[1_000]]
    assert one.sack(1_001) is SackOutcome.PROCESSED
    assert one.sender.is_idle


def test_reneging_of_what_was_all_acknowledged_in_gaps() -> None:
    one = flying(2)
    one.sack(999, (1_000, 1_001))
    one.sack(999, after=0.5)
    assert one.flight == 2 * PMDCS
    assert one.path.t3_deadline < math.inf


def test_a_shutdown_without_gap_blocks_is_no_reneging_and_says_as_little_of_the_window() -> None:
    one = flying(4, rwnd=50_000)
    one.sack(999, (1_001, 1_001), (1_003, 1_003), a_rwnd=20_000)
    assert one.sender.rwnd == 20_000 - 2 * PAYLOAD
    assert one.sender.on_shutdown(999, one.now) is SackOutcome.PROCESSED
    assert one.flight == 2 * PMDCS
    assert one.sender.on_shutdown(1_000, one.now) is SackOutcome.PROCESSED
    assert [(k.tsn, k.acked) for k in one.sender.outstanding.values()] == [(1_001, True), (1_002, False), (1_003, True)]
    assert one.sender.rwnd == 20_000 - PAYLOAD
    assert one.sender.on_shutdown(998, one.now) is SackOutcome.OLD
    assert one.sender.on_shutdown(1_004, one.now) is SackOutcome.NEVER_SENT
    assert one.sender.on_shutdown(1_003, one.now) is SackOutcome.PROCESSED
    assert one.sender.is_idle


def test_tsns_wrap() -> None:
    one = flying(4, tsn=0xFFFFFFFE)
    assert [k.tsn for k in one.sent] == [0xFFFFFFFE, 0xFFFFFFFF, 0, 1]
    assert one.sack(0xFFFFFFFE, (0x100000001, 0x100000001)) is SackOutcome.PROCESSED
    assert one.flight == 2 * PMDCS
    assert one.sack(0x100000001) is SackOutcome.PROCESSED
    assert one.sender.is_idle


def test_the_ssn_wraps() -> None:
    one = bench()
    one.sender.next_ssn[0] = 65_535
    one.queue(2, 10)
    one.flush()
    assert [k.ssn for k in one.sent] == [65_535, 0]


# --- RTT (section 6.3.1) ---


def test_one_measurement_a_round_trip() -> None:
    one = flying(3)
    one.sack(1_000, after=0.2)
    assert one.path.rto.srtt == pytest.approx(0.2)
    one.sack(1_002, after=0.3)
    # TSN 1,001 and 1,002 left in the round trip that TSN 1,000 measured.
    assert one.path.rto.srtt == pytest.approx(0.2)
    one.queue(1)
    one.flush()
    one.sack(1_003, after=0.4)
    assert one.path.rto.srtt == pytest.approx(0.2 + (0.4 - 0.2) / 8)


def test_a_gap_ack_measures_too() -> None:
    one = bench(cwnd=50_000)
    one.queue(1)
    one.flush()
    one.sack(1_000, after=0.1)
    one.queue(2)
    one.flush()
    assert one.path.rtt_tsn == 1_001
    one.sack(1_000, (1_002, 1_002), after=0.1)
    assert one.path.rtt_tsn == 1_001
    one.sack(1_002, after=0.1)
    assert one.path.rtt_tsn == -1


def test_karn_a_retransmission_spoils_the_measurement_under_way() -> None:
    one = flying(2)
    one.now = one.path.t3_deadline
    one.sender.on_t3(one.path)
    one.sender.replenish_burst()
    one.flush()
    one.sack(1_001, after=0.1)
    assert one.path.rto.srtt is None
    assert one.path.rto.rto == 2.0


# --- Fast Retransmit (section 7.2.4) ---


def lose(count: int, lost: int = 1_000, **options: object) -> Bench:
    """``count`` packets, of which ``lost`` is reported missing three times."""
    one = flying(count, **options)
    for last in (lost + 1, lost + 2, lost + 3):
        assert one.sack(lost - 1, (lost + 1, last)) is SackOutcome.PROCESSED
    return one


def test_three_miss_indications_retransmit_at_once_and_halve_the_window() -> None:
    one = flying(20)
    before = one.path.congestion.cwnd
    one.sack(999, (1_001, 1_001))
    one.sack(999, (1_001, 1_002))
    assert one.flush() == []
    # Slow start, until the window was not full any more.
    assert one.path.congestion.cwnd == before + 2 * PMDCS
    one.sack(999, (1_001, 1_003))
    assert one.path.congestion.cwnd == one.path.congestion.ssthresh == (before + 2 * PMDCS) // 2
    # Although the window is full.
    assert one.flight > one.path.congestion.cwnd
    assert one.flush() == [[1_000]]
    assert one.sender.retransmissions == 1
    assert one.path.t3_deadline == one.now + one.path.rto.rto


def test_the_same_sack_again_is_no_further_indication() -> None:
    one = flying(10)
    for _ in range(5):
        one.sack(999, (1_001, 1_001))
    assert one.sender.outstanding[1_000].missing == 1


def test_htna_only_what_is_below_the_highest_newly_acknowledged_is_missing() -> None:
    one = flying(10)
    one.sack(999, (1_006, 1_006))
    assert [one.sender.outstanding[tsn].missing for tsn in range(1_000, 1_006)] == [1] * 6
    # This SACK newly acknowledges 1,002 only, so that it tells nothing of 1,003 to 1,005.
    one.sack(999, (1_002, 1_002), (1_006, 1_006))
    assert [one.sender.outstanding[tsn].missing for tsn in (1_000, 1_001, 1_003, 1_004, 1_005)] == [2, 2, 1, 1, 1]
    assert one.sender.outstanding[1_007].missing == 0


def test_in_fast_recovery_progress_counts_for_all_that_is_missing() -> None:
    one = lose(20)
    one.flush()
    one.sack(999, (1_001, 1_003), (1_005, 1_005), (1_007, 1_007))
    assert [one.sender.outstanding[tsn].missing for tsn in (1_004, 1_006)] == [1, 1]
    one.sack(1_003, (1_005, 1_005), (1_007, 1_007))
    assert [one.sender.outstanding[tsn].missing for tsn in (1_004, 1_006)] == [2, 2]


def test_in_fast_recovery_the_window_is_not_reduced_again() -> None:
    one = lose(24)
    one.flush()
    cwnd = one.path.congestion.cwnd
    for last in (1_007, 1_008, 1_009):
        one.sack(999, (1_001, 1_004), (1_006, last))
    assert one.path.congestion.cwnd == cwnd
    assert one.sender.outstanding[1_005].marked
    # It waits for cwnd, unlike the first.
    assert one.flight >= cwnd
    assert one.flush() == []


def test_what_was_retransmitted_fast_is_not_again() -> None:
    one = lose(30)
    assert one.flush() == [[1_000]]
    for last in range(1_004, 1_020):
        one.sack(999, (1_001, last))
        assert [1_000] not in one.flush()


def test_fast_recovery_ends_at_its_exit_point() -> None:
    one = lose(6)
    one.flush()
    assert one.sender.recovery_exit == 1_005
    one.sack(1_003)
    assert one.sender.recovery_exit == 1_005
    one.sack(1_005)
    assert one.sender.recovery_exit == -1


def test_the_window_grows_before_it_is_halved_where_the_same_sack_does_both() -> None:
    one = flying(10)
    one.path.congestion.ssthresh = 1
    one.sack(999, (1_002, 1_002))
    one.sack(999, (1_002, 1_003))
    before = one.path.congestion.cwnd
    one.path.congestion.partial_bytes_acked = before
    one.path.congestion.flight_size = before
    one.sack(1_000, (1_002, 1_004))
    assert one.path.congestion.ssthresh == (before + PMDCS) // 2


def test_several_lost_ones_fill_one_packet_first() -> None:
    one = bench(cwnd=100_000, max_burst=100, max_segment=400)
    one.queue(40, 400)
    one.flush()
    for last in (1_010, 1_011, 1_012):
        one.sack(999, (1_005, last))
    # 1,000 to 1,004 are lost; three of 416 bytes fit into a packet.
    assert one.flush()[0] == [1_000, 1_001, 1_002]


# --- T3-rtx (section 6.3.3) ---


def expire(one: Bench) -> None:
    one.now = one.path.t3_deadline
    one.sender.on_t3(one.path)


def test_t3_one_packet_in_flight_until_an_acknowledgement() -> None:
    one = flying(10)
    expire(one)
    assert (one.path.congestion.cwnd, one.path.congestion.ssthresh) == (PMDCS, 5 * PMDCS)
    assert one.path.rto.rto == 2.0
    assert one.flush() == [[1_000]]
    assert one.path.t3_deadline == one.now + 2.0
    one.queue(1)
    assert one.flush() == []
    one.sack(1_000, after=0.1)
    assert one.flush() == [[1_001], [1_002]]


def test_t3_marks_all_that_is_in_flight_and_adds_it_to_rwnd() -> None:
    one = flying(4, rwnd=4 * PAYLOAD)
    one.sack(999, (1_002, 1_002), a_rwnd=3 * PAYLOAD)
    assert one.sender.rwnd == 0
    expire(one)
    assert (one.sender.in_flight, one.sender.rwnd, one.flight) == (0, 3 * PAYLOAD, 0)
    one.flush()
    assert one.sender.rwnd == 2 * PAYLOAD
    # The gap that was acknowledged is not sent again.
    one.sack(1_000, (1_002, 1_002))
    assert one.flush() == [[1_001], [1_003]]


def test_t3_again_and_again_backs_off() -> None:
    one = flying(2)
    deadlines = []
    for _ in range(8):
        deadlines.append(one.path.t3_deadline - one.now)
        expire(one)
        assert one.flush() == [[1_000]]
    assert deadlines == [1, 2, 4, 8, 16, 32, 60, 60]


def test_t3_ends_fast_recovery() -> None:
    one = lose(10)
    one.flush()
    expire(one)
    assert one.sender.recovery_exit == -1
    assert one.flush() == [[1_000]]


def test_late_acknowledgements_of_what_t3_marked_unmark_it() -> None:
    one = flying(4)
    expire(one)
    one.flush()
    one.sack(1_003)
    assert one.sender.is_idle
    assert (one.flight, one.sender.in_flight) == (0, 0)
    assert one.flush() == []
    assert one.sender.retransmissions == 1


def test_what_times_out_goes_to_another_active_address() -> None:
    one = flying(3, addresses=("192.0.2.1", "192.0.2.2"))
    other = one.paths.by_address["192.0.2.2"]
    expire(one)
    assert one.flush_paths()[0] == ("192.0.2.2", [1_000])
    assert other.t3_deadline == one.now + other.rto.rto
    assert one.path.t3_deadline == math.inf
    assert other.congestion.cwnd == 4_404


def test_a_fast_retransmission_stays_on_its_address() -> None:
    one = lose(10, addresses=("192.0.2.1", "192.0.2.2"))
    assert one.flush_paths() == [("192.0.2.1", [1_000])]


def test_each_address_has_its_own_t3_and_window() -> None:
    one = bench(addresses=("192.0.2.1", "192.0.2.2"), max_burst=50)
    other = one.paths.by_address["192.0.2.2"]
    one.queue(2)
    one.queue(2, destination="192.0.2.2")
    one.flush()
    one.sack(999, (1_001, 1_001), (1_003, 1_003), after=0.1)
    # The earliest of neither was acknowledged.
    assert one.path.t3_deadline == other.t3_deadline == 11.0
    one.sack(999, (1_001, 1_003), after=0.1)
    assert other.t3_deadline == math.inf
    assert one.path.t3_deadline == 11.0
    assert (one.flight, other.congestion.flight_size) == (PMDCS, 0)


def test_the_earliest_of_an_address_restarts_its_t3_also_by_a_gap_ack() -> None:
    one = bench(addresses=("192.0.2.1", "192.0.2.2"), max_burst=50)
    other = one.paths.by_address["192.0.2.2"]
    one.queue(1)
    one.queue(2, destination="192.0.2.2")
    one.flush()
    one.sack(999, (1_001, 1_001), after=0.3)
    assert other.t3_deadline == one.now + other.rto.rto
    assert one.path.t3_deadline == 11.0


# --- zero window (section 6.1, A) ---


def closed() -> Bench:
    one = bench(cwnd=50_000)
    one.queue(3)
    one.flush()
    one.queue(2)
    one.sack(1_002, a_rwnd=0)
    assert one.flush() == []
    return one


def test_a_closed_window_is_probed_with_one_chunk() -> None:
    one = closed()
    assert one.sender.waits_for_window()
    one.sender.allow_probe()
    assert one.flush() == [[1_003]]
    assert not one.sender.waits_for_window()
    assert one.sender.probing


def test_nothing_waits_for_a_window_while_something_is_outstanding() -> None:
    one = bench(rwnd=2 * PAYLOAD)
    one.queue(3)
    one.flush()
    assert not one.sender.waits_for_window()


def test_probes_do_not_touch_cwnd() -> None:
    one = closed()
    cwnd = one.path.congestion.cwnd
    one.sender.allow_probe()
    one.flush()
    expire(one)
    assert one.path.congestion.cwnd == cwnd
    assert one.flush() == [[1_003]]


def test_a_dropped_probe_leaves_again_as_soon_as_the_window_opens() -> None:
    one = closed()
    one.sender.allow_probe()
    one.flush()
    one.sack(1_002, a_rwnd=0)
    one.sack(1_002, a_rwnd=PAYLOAD - 1)
    assert one.flush() == []
    one.sack(1_002, a_rwnd=50_000)
    assert one.flush() == [[1_003], [1_004]]
    assert not one.sender.probing


def test_an_accepted_probe_that_left_the_window_closed_is_followed_by_another() -> None:
    one = closed()
    one.sender.allow_probe()
    one.flush()
    one.sack(1_003, a_rwnd=0)
    assert one.sender.waits_for_window()
    assert one.sender.probe_backoff == 1
    one.sack(1_003, a_rwnd=9_000)
    assert one.sender.probe_backoff == 0
    assert one.flush() == [[1_004]]


# --- idle time (section 7.2.1) ---


def test_an_idle_time_counts_once_however_often_there_is_nothing_to_send() -> None:
    one = bench(cwnd=100_000)
    one.queue(1)
    one.flush()
    one.sack(1_000)
    one.now += 1.5
    one.queue(1)
    # A window that is closed at first: asking again and again must not shrink cwnd each time.
    one.sender.rwnd = 0
    for _ in range(5):
        assert one.flush() == []
    one.sender.rwnd = 50_000
    one.flush()
    assert (one.path.congestion.cwnd, one.path.congestion.ssthresh) == (50_000, 100_000)


def test_partial_bytes_acked_begins_anew_when_all_is_acknowledged() -> None:
    one = flying(4)
    one.path.congestion.ssthresh = 1
    one.sack(1_001)
    assert one.path.congestion.partial_bytes_acked == 2 * PMDCS
    one.sack(1_003)
    assert one.path.congestion.partial_bytes_acked == 0


# --- the end ---


def test_what_is_undelivered_is_told_apart_by_whether_it_was_sent() -> None:
    one = bench()
    messages = [Message(0, number, bytes(PAYLOAD + 1)) for number in range(4)]
    for message in messages:
        one.sender.push(message)
    one.sender.replenish_burst()
    one.flush()
    one.sack(1_001)
    undelivered = one.sender.take_undelivered()
    # Four packets: two fragments of each of the first two messages.
    assert [(m.ppid, sent) for m, sent in undelivered] == [(1, True), (2, False), (3, False)]
    assert one.sender.is_idle
    assert (one.sender.buffered, one.sender.in_flight, one.flight) == (0, 0, 0)
    assert one.path.t3_deadline == math.inf


def test_messages_on_streams_that_the_peer_does_not_take() -> None:
    one = bench()
    for stream_id in (0, 5, 1, 7):
        one.sender.push(Message(stream_id, stream_id, b"x"))
    one.sender.outbound_streams = 5
    assert [m.stream_id for m in one.sender.take_beyond_streams()] == [5, 7]
    assert one.sender.buffered == 2
    one.flush()
    assert [k.stream_id for k in one.sent] == [0, 1]


def test_expired_messages_free_the_buffer() -> None:
    one = bench()
    one.queue(1, 10, expires_at=11.0)
    assert [len(m.data) for m in one.sender.take_expired(11.0)] == [10]
    assert (one.sender.buffered, one.sender.is_idle) == (0, True)


# --- models ---

BLOCKS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), max_size=6)


def as_blocks(tsns: set[int]) -> list[tuple[int, int]]:
    blocks: list[tuple[int, int]] = []
    for tsn in sorted(tsns):
        if blocks and blocks[-1][1] == tsn - 1:
            blocks[-1] = (blocks[-1][0], tsn)
        else:
            blocks.append((tsn, tsn))
    return blocks


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)))
def test_subtract_against_sets(left: set[int], right: set[int]) -> None:
    rest = subtract(as_blocks(left), as_blocks(right))
    assert {tsn for start, end in rest for tsn in range(start, end + 1)} == left - right


@given(st.data())
def test_the_accounts_agree_after_any_sacks_and_timeouts(data: st.DataObject) -> None:
    one = bench(cwnd=20_000, rwnd=200_000, max_burst=10)
    for _ in range(data.draw(st.integers(1, 25))):
        action = data.draw(st.sampled_from(("send", "sack", "t3", "wait")))
        if action == "send":
            one.queue(data.draw(st.integers(1, 6)), data.draw(st.integers(1, 3_000)))
        elif action == "sack":
            low, high = one.sender.cumulative, one.sender.next_tsn - 1
            cumulative = data.draw(st.integers(low, high))
            arrived = data.draw(st.sets(st.integers(cumulative + 2, max(high, cumulative + 2)), max_size=10))
            gaps = as_blocks({tsn for tsn in arrived if tsn <= high})
            a_rwnd = data.draw(st.sampled_from((0, 1_000, 100_000)))
            assert one.sack(cumulative, *gaps, a_rwnd=a_rwnd) is SackOutcome.PROCESSED
        elif action == "t3" and one.path.t3_deadline < math.inf:
            expire(one)
        else:
            one.now += data.draw(st.floats(0, 3))
        one.flush()
        flying_now = [k for k in one.sender.outstanding.values() if not k.acked and not k.marked]
        assert one.flight == sum(k.size for k in flying_now)
        assert one.sender.in_flight == sum(len(k.payload) for k in flying_now)
        waiting = sum(len(m.data) - m.offset for m in one.sender.queue.messages)
        assert one.sender.buffered == waiting + sum(len(k.payload) for k in one.sender.outstanding.values())
        assert one.sender.rwnd >= 0
        # Whatever is in flight is watched by T3-rtx.
        assert (one.path.t3_deadline < math.inf) == bool(flying_now)
        assert list(one.sender.outstanding) == list(range(one.sender.cumulative + 1, one.sender.next_tsn))
