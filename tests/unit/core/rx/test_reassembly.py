"""Fragments to messages, in every order of arrival (RFC 9260 section 6.9)."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pysctpstack.core.rx.reassembly import InboundStream, Reassembly, Run
from pysctpstack.wire.codepoints import DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_U

B, E, U = DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_U

#: (TSN, flags, stream, SSN, PPID, bytes)
Fragment = tuple[int, int, int, int, int, bytes]


def fragments(tsn: int, count: int, stream_id: int = 0, ssn: int = 0, flags: int = 0) -> list[Fragment]:
    """A message of ``count`` fragments from ``tsn`` on."""
    return [
        (
            tsn + number,
            flags | (B if number == 0 else 0) | (E if number == count - 1 else 0),
            stream_id,
            ssn,
            42 if number == 0 else 99,
            bytes((tsn + number & 0xFF,)) * (number + 1),
        )
        for number in range(count)
    ]


def whole(message: list[Fragment]) -> bytes:
    return b"".join(fragment[5] for fragment in message)


def feed(reassembly: Reassembly, arrived: list[Fragment]) -> list[Run]:
    """The complete runs, in the order in which they became complete, as the receiver takes them out."""
    complete = []
    for fragment in arrived:
        run = reassembly.add(*fragment)
        assert run is not None
        if run.begins and run.ends:
            reassembly.remove(run)
            complete.append(run)
    return complete


@pytest.mark.parametrize("count", range(1, 7))
def test_every_order_of_the_fragments_of_one_message(count: int) -> None:
    message = fragments(1_000, count, 3, 7)
    for order in permutations(message):
        reassembly = Reassembly()
        (run,) = feed(reassembly, list(order))
        assert b"".join(run.pieces) == whole(message)
        assert (run.first, run.last, run.size) == (1_000, 999 + count, len(whole(message)))
        # The PPID of the first fragment counts.
        assert (run.stream_id, run.ssn, run.ppid, run.unordered) == (3, 7, 42, False)
        assert not reassembly.by_first
        assert not reassembly.by_last


def test_neighbours_are_kept_apart_in_every_order() -> None:
    messages = [fragments(10, 2, 0, 0), fragments(12, 2, 0, 1), fragments(14, 2, 0, 5, U)]
    for order in permutations([fragment for message in messages for fragment in message]):
        runs = feed(Reassembly(), list(order))
        assert {run.first: b"".join(run.pieces) for run in runs} == {m[0][0]: whole(m) for m in messages}


@given(st.data())
def test_many_messages_in_any_order(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    messages = []
    tsn = 500
    for number, size in enumerate(sizes):
        unordered = data.draw(st.booleans())
        messages.append(fragments(tsn, size, number % 3, number, U if unordered else 0))
        tsn += size
    arrived = data.draw(st.permutations([fragment for message in messages for fragment in message]))
    reassembly = Reassembly()
    held = 0
    done: dict[int, bytes] = {}
    for fragment in arrived:
        (*runs,) = feed(reassembly, [fragment])
        held += len(fragment[5])
        assert reassembly.held == held
        done.update({run.first: b"".join(run.pieces) for run in runs})
    assert done == {message[0][0]: whole(message) for message in messages}
    assert not reassembly.by_first
    assert not reassembly.by_last


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Middle after the end, beginning after a middle.
        ((10, B, 0, 0), (11, B, 0, 0)),
        ((10, E, 0, 0), (11, 0, 0, 0)),
        ((10, 0, 0, 0), (11, B | E, 0, 0)),
        # Neighbours of one message that disagree on stream, sequence number or order.
        ((10, B, 0, 0), (11, E, 1, 0)),
        ((10, B, 0, 0), (11, E, 0, 1)),
        ((10, B, 0, 0), (11, E | U, 0, 0)),
    ],
)
def test_contradicting_neighbours_are_found_in_both_orders(
    first: tuple[int, int, int, int], second: tuple[int, int, int, int]
) -> None:
    for one, other in ((first, second), (second, first)):
        reassembly = Reassembly()
        assert reassembly.add(*one, 0, b"x") is not None
        assert reassembly.add(*other, 0, b"x") is None
        # What was refused is not counted.
        assert reassembly.held == 1


def test_a_contradiction_above_a_fragment_that_fits_below() -> None:
    reassembly = Reassembly()
    reassembly.add(10, B, 0, 0, 0, b"x")
    reassembly.add(12, B, 0, 1, 0, b"x")
    assert reassembly.add(11, 0, 0, 0, 0, b"x") is None


def test_the_sequence_number_of_unordered_fragments_means_nothing() -> None:
    reassembly = Reassembly()
    reassembly.add(10, B | U, 0, 5, 0, b"x")
    run = reassembly.add(11, E | U, 0, 77, 0, b"y")
    assert run is not None
    assert b"".join(run.pieces) == b"xy"


def test_what_partial_delivery_may_start_on() -> None:
    reassembly = Reassembly()
    assert reassembly.deliverable_head() is None
    reassembly.add(30, 0, 0, 0, 0, b"no beginning")
    assert reassembly.deliverable_head() is None
    reassembly.add(20, B, 1, 4, 0, b"not its turn")
    assert reassembly.deliverable_head() is None
    reassembly.add(16, B | U, 2, 0, 0, b"unordered")
    assert reassembly.deliverable_head() is reassembly.by_first[16]
    reassembly.add(12, B, 3, 0, 0, b"older")
    assert reassembly.deliverable_head() is reassembly.by_first[12]
    reassembly.stream(3).next_ssn = 1
    assert reassembly.deliverable_head() is reassembly.by_first[16]
    reassembly.stream(1).next_ssn = 0x10004
    reassembly.add(10, 0, 1, 4, 0, b"")
    reassembly.remove(reassembly.by_first[16])
    assert reassembly.deliverable_head() is reassembly.by_first[20]


@pytest.mark.parametrize(
    ("following", "ssn", "unwrapped"),
    [(0, 0, 0), (65_535, 65_535, 65_535), (65_535, 0, 65_536), (65_536, 65_535, 131_071), (70_000, 4_464, 70_000)],
)
def test_stream_sequence_numbers_are_unwrapped_at_or_above_the_next(following: int, ssn: int, unwrapped: int) -> None:
    stream = InboundStream()
    stream.next_ssn = following
    assert stream.unwrap(ssn) == unwrapped
