"""The arithmetic of RFC 9260 section 7.2."""

from __future__ import annotations

import pytest

from pysctpstack.core.congestion import MAX_L, SSTHRESH_INITIAL, CongestionControl

PMDCS = 1_460


def control(cwnd: int | None = None, ssthresh: int | None = None) -> CongestionControl:
    congestion = CongestionControl(PMDCS, ipv6=False)
    if cwnd is not None:
        congestion.cwnd = cwnd
    if ssthresh is not None:
        congestion.ssthresh = ssthresh
    return congestion


@pytest.mark.parametrize(
    ("pmdcs", "ipv6", "cwnd"),
    [(500, False, 2_000), (1_460, False, 4_404), (3_000, False, 6_000), (1_440, True, 4_344), (500, True, 2_000)],
)
def test_the_initial_window(pmdcs: int, ipv6: bool, cwnd: int) -> None:
    congestion = CongestionControl(pmdcs, ipv6=ipv6)
    assert congestion.cwnd == cwnd
    assert congestion.ssthresh == SSTHRESH_INITIAL


def test_a_packet_may_leave_below_cwnd_even_if_it_ends_above() -> None:
    congestion = control(cwnd=4_404)
    congestion.flight_size = 4_403
    assert congestion.may_send()
    congestion.flight_size = 4_404
    assert not congestion.may_send()


def test_slow_start_grows_by_what_was_acknowledged_up_to_l_packets() -> None:
    congestion = control(cwnd=4_404)
    congestion.acknowledged(1_000, fully_used=True, packets=1, in_fast_recovery=False)
    assert congestion.cwnd == 5_404
    congestion.acknowledged(2 * PMDCS, True, 1, False)
    assert congestion.cwnd == 5_404 + PMDCS
    congestion.acknowledged(20 * PMDCS, True, 20, False)
    assert congestion.cwnd == 5_404 + PMDCS + MAX_L * PMDCS


@pytest.mark.parametrize(("fully_used", "recovering"), [(False, False), (True, True)])
def test_slow_start_does_not_grow_unused_or_in_fast_recovery(fully_used: bool, recovering: bool) -> None:
    congestion = control(cwnd=4_404)
    congestion.acknowledged(1_000, fully_used, 1, recovering)
    assert congestion.cwnd == 4_404


def test_cwnd_equal_to_ssthresh_is_slow_start() -> None:
    congestion = control(cwnd=8_000, ssthresh=8_000)
    congestion.acknowledged(1_000, True, 1, False)
    assert (congestion.cwnd, congestion.partial_bytes_acked) == (9_000, 0)


def test_congestion_avoidance_grows_by_one_packet_for_each_window_acknowledged() -> None:
    congestion = control(cwnd=10_000, ssthresh=5_000)
    for _ in range(3):
        congestion.acknowledged(3_000, True, 2, False)
    assert (congestion.cwnd, congestion.partial_bytes_acked) == (10_000, 9_000)
    congestion.acknowledged(3_000, True, 2, False)
    assert (congestion.cwnd, congestion.partial_bytes_acked) == (10_000 + PMDCS, 2_000)


def test_congestion_avoidance_keeps_its_credit_while_the_window_is_not_used() -> None:
    congestion = control(cwnd=10_000, ssthresh=5_000)
    congestion.acknowledged(12_000, False, 8, False)
    assert (congestion.cwnd, congestion.partial_bytes_acked) == (10_000, 10_000)
    congestion.acknowledged(1_000, True, 1, False)
    assert (congestion.cwnd, congestion.partial_bytes_acked) == (10_000 + PMDCS, 1_000)


@pytest.mark.parametrize(("cwnd", "half"), [(40_000, 20_000), (6_000, 4 * PMDCS)])
def test_a_loss_halves_the_window_down_to_four_packets(cwnd: int, half: int) -> None:
    congestion = control(cwnd=cwnd)
    congestion.partial_bytes_acked = 7
    congestion.lost()
    assert (congestion.ssthresh, congestion.cwnd, congestion.partial_bytes_acked) == (half, half, 0)


def test_after_a_timeout_one_packet_is_in_flight_until_something_is_acknowledged() -> None:
    congestion = control(cwnd=40_000)
    congestion.flight_size = 30_000
    congestion.timed_out()
    assert (congestion.ssthresh, congestion.cwnd) == (20_000, PMDCS)
    assert congestion.may_send()
    congestion.flight_size = 100
    assert not congestion.may_send()
    congestion.acknowledged(100, True, 1, False)
    assert congestion.may_send()


def test_an_idle_time_halves_the_window_once_an_rto_down_to_four_packets() -> None:
    congestion = control(cwnd=80_000)
    congestion.idle(1)
    assert (congestion.cwnd, congestion.ssthresh) == (40_000, 80_000)
    congestion.idle(2)
    assert (congestion.cwnd, congestion.ssthresh) == (10_000, 40_000)
    congestion.idle(1_000_000)
    assert congestion.cwnd == 4 * PMDCS
    congestion.idle(5)
    assert (congestion.cwnd, congestion.ssthresh) == (4 * PMDCS, 10_000)
