"""When a SACK is due (RFC 9260 sections 6.2, 6.7 and 7.2.4; RFC 5681 section 4.2)."""

from __future__ import annotations

from pysctpstack.config import Config
from pysctpstack.core import Settings
from pysctpstack.core.rx.ack_policy import IDLE_AFTER, AckPolicy


def policy(**settings: object) -> AckPolicy:
    """One whose first packet has been acknowledged."""
    made = AckPolicy(Settings.from_config(Config(**settings)))  # type: ignore[arg-type]
    assert made.packet_received(100, False, 1.0)
    made.sent()
    return made


def test_the_first_packet_of_an_association_is_acknowledged_at_once() -> None:
    assert AckPolicy(Settings.from_config(Config())).packet_received(1, False, 0.0)


def test_every_second_packet() -> None:
    ack = policy()
    assert not ack.packet_received(100, False, 1.0)
    assert ack.packet_received(100, False, 1.1)
    ack.sent()
    assert not ack.packet_received(100, False, 1.2)
    assert ack.unacknowledged == 1


def test_another_frequency() -> None:
    ack = policy(sack_frequency=4)
    assert [ack.packet_received(100, False, 1.0) for _ in range(4)] == [False, False, False, True]


def test_every_packet_while_tsns_are_missing_and_the_one_that_fills_the_hole() -> None:
    ack = policy()
    for gaps in (True, True, False):
        assert ack.packet_received(100, gaps, 1.0)
        ack.sent()
    assert not ack.packet_received(100, False, 1.0)


def test_asked_for_at_once() -> None:
    ack = policy()
    ack.immediate = True
    assert ack.packet_received(100, False, 1.0)
    ack.sent()
    assert not ack.packet_received(100, False, 1.0)


def test_a_long_transfer_gets_one_sack_a_batch() -> None:
    ack = policy(sack_train_after=1_000)
    assert not ack.packet_received(450, False, 1.0)
    assert ack.packet_received(440, False, 1.0)
    ack.sent()
    assert not ack.packet_received(10, False, 1.0)
    assert not ack.packet_received(10, False, 1.0)
    assert ack.due
    assert not ack.packet_received(10, False, 1.0)
    ack.sent()
    assert not ack.due


def test_an_idle_time_and_a_gap_bring_the_pace_of_the_start_back() -> None:
    ack = policy(sack_train_after=1_000)
    ack.packet_received(2_000, False, 1.0)
    ack.sent()
    ack.packet_received(10, False, 1.0 + IDLE_AFTER + 0.01)
    assert ack.packet_received(10, False, 1.6)
    ack.sent()
    ack.packet_received(2_000, False, 1.6)
    ack.sent()
    assert ack.packet_received(10, True, 1.6)
    ack.sent()
    assert ack.packet_received(10, False, 1.6)
    ack.sent()
    ack.packet_received(10, False, 1.6)
    assert ack.packet_received(10, False, 1.6)


def test_strict_sack_has_no_trains() -> None:
    ack = policy(sack_train_after=0, strict_sack=True)
    ack.packet_received(1_000_000, False, 1.0)
    assert ack.packet_received(1_000_000, False, 1.0)
