"""Paths: sizes of packets, and which one is used (RFC 9260 sections 6.4 and 6.4.1)."""

from __future__ import annotations

import math

import pytest

from pysctpstack.config import Config
from pysctpstack.core import Route, Settings
from pysctpstack.core.path import Path, Paths, PathState

SETTINGS = Settings.from_config(Config())


def path(address: str = "192.0.2.1", mtu: int = 1_500, *, confirmed: bool = True) -> Path:
    return Path(Route(address, 9_899), SETTINGS, mtu, confirmed=confirmed)


def paths(*states: PathState) -> Paths:
    made = [path(f"192.0.2.{number}") for number in range(1, len(states) + 1)]
    together = Paths(made[0])
    for one in made[1:]:
        together.add(one)
    for one, state in zip(made, states, strict=True):
        one.state = state
        one.is_confirmed = state is not UNCONFIRMED
    return together


ACTIVE, INACTIVE, UNCONFIRMED = PathState.ACTIVE, PathState.INACTIVE, PathState.UNCONFIRMED


@pytest.mark.parametrize(
    ("address", "mtu", "packet"),
    [
        ("192.0.2.1", 1_500, 1_472),
        ("2001:db8::1", 1_500, 1_452),
        ("192.0.2.1", 1_499, 1_468),
        ("192.0.2.1", 70_000, 65_504),
        ("192.0.2.1", 100, 484),
    ],
)
def test_a_packet_leaves_room_for_ip_and_udp_and_ends_on_four_bytes(address: str, mtu: int, packet: int) -> None:
    assert path(address, mtu).packet_size == packet


def test_a_new_path_has_no_timer() -> None:
    new = path()
    assert {new.t3_deadline, new.heartbeat_deadline, new.heartbeat_timeout, new.probe_deadline} == {math.inf}


def test_the_initial_window_counts_the_family_s_headers() -> None:
    assert path().congestion.cwnd == 4_404
    assert path("2001:db8::1").congestion.cwnd == 4_344


def test_reset_congestion_goes_back_to_the_start() -> None:
    one = path()
    one.congestion.cwnd = 1
    one.rtt_tsn = 5
    one.reset_congestion()
    assert (one.congestion.cwnd, one.rtt_tsn) == (4_404, -1)


@pytest.mark.parametrize(
    ("states", "current"),
    [
        ((ACTIVE, ACTIVE), 1),
        ((INACTIVE, ACTIVE), 2),
        ((INACTIVE, UNCONFIRMED), 1),
        ((INACTIVE, INACTIVE), 2),
        ((INACTIVE,), 1),
        ((INACTIVE, UNCONFIRMED, ACTIVE), 3),
    ],
)
def test_the_current_path_is_the_primary_or_an_active_one(states: tuple[PathState, ...], current: int) -> None:
    assert paths(*states).current().address == f"192.0.2.{current}"


@pytest.mark.parametrize(
    ("states", "failed", "alternate"),
    [
        ((ACTIVE, ACTIVE, ACTIVE), 1, 2),
        ((ACTIVE, ACTIVE, ACTIVE), 3, 1),
        ((ACTIVE, INACTIVE, ACTIVE), 1, 3),
        ((ACTIVE, INACTIVE, INACTIVE), 1, 1),
        ((INACTIVE, INACTIVE, INACTIVE), 2, 3),
        ((ACTIVE, UNCONFIRMED), 1, 1),
        ((UNCONFIRMED, UNCONFIRMED), 1, 1),
        ((ACTIVE,), 1, 1),
    ],
)
def test_the_alternate_is_another_active_path_in_turn(
    states: tuple[PathState, ...], failed: int, alternate: int
) -> None:
    together = paths(*states)
    chosen = together.alternate(together.by_address[f"192.0.2.{failed}"])
    assert chosen.address == f"192.0.2.{alternate}"


def test_paths_are_iterated_in_the_order_in_which_they_became_known() -> None:
    together = paths(ACTIVE, ACTIVE, ACTIVE)
    assert [one.address for one in together] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert len(together) == 3
