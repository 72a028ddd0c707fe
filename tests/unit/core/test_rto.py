"""RFC 9260 section 6.3.1, rule by rule."""

from __future__ import annotations

import pytest

from pysctpstack.core.rto import CLOCK_GRANULARITY, RtoEstimator


def test_the_first_measurement_sets_srtt_and_half_of_it_as_variance() -> None:
    rto = RtoEstimator(1.0, 0.1, 60.0)
    assert rto.rto == 1.0
    rto.measure(0.4)
    assert (rto.srtt, rto.rttvar) == (0.4, 0.2)
    assert rto.rto == pytest.approx(0.4 + 4 * 0.2)


def test_the_variance_is_updated_with_the_srtt_from_before() -> None:
    rto = RtoEstimator(1.0, 0.1, 60.0)
    rto.measure(0.4)
    rto.measure(0.8)
    # C3: RTTVAR = 3/4 * 0.2 + 1/4 * |0.4 - 0.8|, then SRTT = 7/8 * 0.4 + 1/8 * 0.8
    assert rto.rttvar == pytest.approx(0.25)
    assert rto.srtt == pytest.approx(0.45)
    assert rto.rto == pytest.approx(0.45 + 4 * 0.25)


def test_the_minimum_and_the_maximum_hold() -> None:
    rto = RtoEstimator(1.0, 1.0, 60.0)
    rto.measure(0.05)
    assert rto.rto == 1.0
    rto.measure(500.0)
    assert rto.rto == 60.0


def test_a_constant_round_trip_keeps_the_clock_granularity_as_variance() -> None:
    rto = RtoEstimator(1.0, 0.0, 60.0)
    for _ in range(200):
        rto.measure(0.5)
    assert rto.rttvar == CLOCK_GRANULARITY
    assert rto.rto == pytest.approx(0.5 + 4 * CLOCK_GRANULARITY)


def test_backing_off_doubles_up_to_the_maximum_and_a_measurement_collapses_it() -> None:
    rto = RtoEstimator(1.0, 1.0, 60.0)
    seen = []
    for _ in range(8):
        rto.back_off()
        seen.append(rto.rto)
    assert seen == [2, 4, 8, 16, 32, 60, 60, 60]
    rto.measure(0.1)
    assert rto.rto == 1.0


def test_initial_values_outside_the_bounds_are_brought_inside() -> None:
    assert RtoEstimator(0.5, 1.0, 60.0).rto == 1.0
    assert RtoEstimator(90.0, 1.0, 60.0).rto == 60.0


def test_new_bounds_apply_at_once_and_the_initial_value_only_before_a_measurement() -> None:
    rto = RtoEstimator(1.0, 1.0, 60.0)
    rto.set_bounds(3.0, 2.0, 10.0)
    assert rto.rto == 3.0
    rto.measure(0.1)
    assert rto.rto == 2.0
    rto.set_bounds(7.0, 0.2, 1.5)
    assert rto.rto == 1.5
