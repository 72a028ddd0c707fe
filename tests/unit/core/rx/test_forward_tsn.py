"""FORWARD TSN received (RFC 3758 sections 3.3 and 3.6): what is skipped, dropped, delivered and acknowledged."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.pair import STATES, Raw

from pysctpstack.config import Config
from pysctpstack.core import State
from pysctpstack.core.rx.tsn_map import MAX_OFFSET, TsnMap
from pysctpstack.events import MessageReceived, PartialDeliveryAborted
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import InvalidStreamIdentifier, UnrecognizedChunk
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.params import ForwardTsnSupported

B, E, U = cp.DATA_FLAG_B, cp.DATA_FLAG_E, cp.DATA_FLAG_U
TSN = 1_000


def willing(**config: object) -> Raw:
    """A peer with partial reliability whose first DATA, TSN 999, has been acknowledged and read."""
    peer = Raw(Config(heartbeat_interval=0, **config))  # type: ignore[arg-type]
    peer.tsn = TSN - 1
    peer.accept(peer.init(parameters=[ForwardTsnSupported()]))
    (sack,) = peer.give(peer.data(stream_id=3, ssn=0))
    assert isinstance(sack, c.Sack)
    read(peer)
    return peer


def read(peer: Raw) -> list[bytes]:
    delivered = peer.events(MessageReceived)
    for event in delivered:
        peer.association.consumed(len(event.data), peer.now)
    return [event.data for event in delivered]


def acknowledged(chunks: list[c.Chunk]) -> tuple[int, list[tuple[int, int]]]:
    """Cumulative TSN and gaps of the only chunk, a SACK."""
    (sack,) = chunks
    assert isinstance(sack, c.Sack)
    return sack.cumulative_tsn, list(sack.gaps)


# --- the cumulative TSN ---


def test_the_example_of_section_3_6() -> None:
    peer = willing()
    for tsn, ssn in ((1_001, 1), (1_002, 2), (1_004, 4)):
        peer.give(peer.data(tsn=tsn, ssn=ssn))
    assert acknowledged(peer.give(ForwardTsn(1_000, [(0, 0)]))) == (1_002, [(2, 2)])
    assert len(read(peer)) == 2


@given(
    st.sets(st.integers(1, 60), max_size=40),
    st.integers(1, 70),
)
def test_skipping_is_receiving_everything_below(tsns: set[int], to: int) -> None:
    skipped, received = TsnMap(1, 100, 20), TsnMap(1, 100, 20)
    for tsn in sorted(tsns, reverse=True):
        skipped.add(tsn)
    if to <= skipped.cumulative:
        return
    skipped.skip_to(to)
    for tsn in sorted(tsns | set(range(1, to + 1)), reverse=True):
        received.add(tsn)
    assert (skipped.cumulative, skipped.starts, skipped.ends) == (received.cumulative, received.starts, received.ends)


def test_without_gaps_it_is_acknowledged_as_late_as_data() -> None:
    peer = willing()
    assert peer.give(ForwardTsn(1_000)) == []
    assert acknowledged(peer.give(ForwardTsn(1_001))) == (1_001, [])
    assert peer.give(ForwardTsn(1_002)) == []
    assert acknowledged(peer.wait(0.2)) == (1_002, [])
    assert peer.association.next_timeout() == math.inf


def test_what_was_skipped_and_comes_after_all_is_a_duplicate() -> None:
    peer = willing()
    late = peer.data()
    peer.give(ForwardTsn(1_000, [(0, 0)]))
    (sack,) = peer.give(late)
    assert isinstance(sack, c.Sack)
    assert (sack.cumulative_tsn, list(sack.duplicates)) == (1_000, [1_000])
    assert read(peer) == []
    assert peer.give(peer.data(b"next", ssn=1)) == []
    assert read(peer) == [b"next"]


# --- streams ---


def test_only_the_streams_listed_are_skipped() -> None:
    peer = willing()
    peer.give(peer.data(b"one", tsn=1_002, stream_id=1, ssn=1), peer.data(b"two", tsn=1_003, stream_id=2, ssn=1))
    peer.give(ForwardTsn(1_000, [(1, 0)]))
    assert read(peer) == [b"one"]
    peer.give(ForwardTsn(1_001, [(2, 0)]))
    assert read(peer) == [b"two"]


def test_what_waits_is_handed_over_in_order_with_gaps_and_what_follows_too() -> None:
    peer = willing()
    # SSN 0, 2 and 5 are given up; 7 is under way.
    for tsn, ssn in ((1_001, 1), (1_003, 3), (1_004, 4), (1_006, 6), (1_008, 8)):
        peer.give(peer.data(b"%d" % ssn, tsn=tsn, ssn=ssn))
    peer.give(ForwardTsn(1_005, [(0, 5)]))
    assert read(peer) == [b"1", b"3", b"4", b"6"]
    peer.give(peer.data(b"7", tsn=1_007, ssn=7))
    assert read(peer) == [b"7", b"8"]


def test_a_message_that_was_given_up_but_has_arrived_is_handed_over() -> None:
    """The SACK that told of it was lost."""
    peer = willing()
    peer.give(peer.data(b"1", tsn=1_001, ssn=1), peer.data(b"3", tsn=1_003, ssn=3))
    peer.give(ForwardTsn(1_001, [(0, 1)]))
    assert read(peer) == [b"1"]
    peer.give(peer.data(b"2", tsn=1_002, ssn=2))
    assert read(peer) == [b"2", b"3"]


def test_an_ssn_that_has_been_passed_changes_nothing() -> None:
    peer = willing()
    peer.give(peer.data(ssn=0), peer.data(ssn=1))
    read(peer)
    peer.give(ForwardTsn(1_002, [(0, 0), (1, 0xFFFF)]))
    peer.give(peer.data(b"2", tsn=1_003, ssn=2), peer.data(b"other", stream_id=1, ssn=0))
    assert read(peer) == [b"2", b"other"]


# --- fragments ---


@pytest.mark.parametrize("fragments", [[0], [1], [2], [0, 1], [1, 2], [0, 2]])
@pytest.mark.parametrize("unordered", [0, U])
def test_an_incomplete_message_is_dropped_and_its_room_is_free_again(fragments: list[int], unordered: int) -> None:
    peer = willing()
    flags = [B, 0, E]
    for index in fragments:
        peer.give(peer.data(bytes(1_000), tsn=TSN + index, flags=flags[index] | unordered))
    peer.give(ForwardTsn(TSN + 2, [] if unordered else [(0, 0)]))
    (sack,) = peer.give(ForwardTsn(TSN + 2))
    assert isinstance(sack, c.Sack)
    assert (sack.cumulative_tsn, sack.a_rwnd, list(sack.gaps)) == (TSN + 2, 212_992, [])
    peer.give(peer.data(b"next", tsn=TSN + 3, ssn=0 if unordered else 1))
    assert read(peer) == [b"next"]


def test_a_message_that_misses_nothing_below_is_kept() -> None:
    peer = willing()
    peer.give(peer.data(b"a", tsn=1_001, ssn=1, flags=B), peer.data(b"b", tsn=1_002, ssn=1, flags=0))
    peer.give(ForwardTsn(1_000, [(0, 0)]))
    peer.give(peer.data(b"c", tsn=1_003, ssn=1, flags=E))
    assert read(peer) == [b"abc"]


@pytest.mark.parametrize("steps", [False, True])
def test_a_message_skipped_in_two_steps(steps: bool) -> None:
    """A FORWARD TSN that did not fit into a packet ends in the middle of a message."""
    peer = willing()
    peer.give(peer.data(b"a", tsn=1_000, flags=B), peer.data(b"c", tsn=1_003, flags=E))
    peer.give(ForwardTsn(1_001, [(0, 0)]))
    if steps:
        peer.give(ForwardTsn(1_002, [(0, 0)]))
    else:
        # It comes late, and the cumulative TSN passes the end without another FORWARD TSN.
        peer.give(peer.data(b"b", tsn=1_002, flags=0))
    peer.give(ForwardTsn(1_003, [(0, 0)]))
    peer.give(peer.data(b"next", tsn=1_004, ssn=1))
    assert [event.data for event in peer.events(MessageReceived)] == [b"next"]
    assert peer.association.tcb.receiver.reassembly.held == 0


def test_partial_delivery_under_way_is_aborted() -> None:
    peer = willing(receive_buffer=4_000)
    peer.give(peer.data(bytes(1_400), flags=B), peer.data(bytes(1_400), flags=0), peer.data(bytes(1_000), flags=0))
    peer.wait(0.5)
    delivered = peer.events(MessageReceived)
    assert [event.complete for event in delivered] == [False]
    peer.association.consumed(len(delivered[0].data), peer.now, 0)
    # Others wait until it ends.
    peer.give(peer.data(b"unordered", flags=B | E | U), peer.data(b"next", tsn=1_005, ssn=1))
    assert peer.endpoint.next_events() == []
    peer.give(ForwardTsn(1_004, [(0, 0)]))
    events = peer.endpoint.next_events()
    assert events[0] == PartialDeliveryAborted(peer.association.association_id, 0, 0)
    assert [event.data for event in events[1:] if isinstance(event, MessageReceived)] == [b"unordered", b"next"]


# --- what it must not do (attack class D10) ---


def test_d10_not_negotiated_it_is_an_unknown_chunk() -> None:
    peer = Raw.in_state(State.ESTABLISHED)
    chunk = ForwardTsn(peer.tsn, [(0, 0)])
    answers = peer.give(chunk, peer.data(b"behind"))
    assert [k for k in answers if isinstance(k, c.Error)] == [c.Error([UnrecognizedChunk(chunk.encode())])]
    # Type bits 11: what follows is processed.
    assert [e.data for e in peer.events(MessageReceived)] == [b"behind"]
    assert peer.endpoint.counters["unknown_chunk"] == 1


@pytest.mark.parametrize("behind", [999, 998, 0, 0x80000000 + 999])
def test_d10_behind_the_cumulative_tsn_it_is_answered_at_once_and_ignored(behind: int) -> None:
    peer = willing()
    peer.give(peer.data(b"waits", tsn=1_001, ssn=1))
    assert acknowledged(peer.give(ForwardTsn(behind, [(0, 0)]))) == (999, [(2, 2)])
    assert read(peer) == []
    assert peer.endpoint.counters["forward_tsn_old"] == 1


@pytest.mark.parametrize("ahead", [999 + MAX_OFFSET + 1, 1_000_000, 999 + 0x7FFFFFFF])
def test_d10_beyond_the_window_it_is_dropped(ahead: int) -> None:
    peer = willing()
    peer.give(peer.data(b"waits", tsn=1_001, ssn=1))
    assert acknowledged(peer.give(ForwardTsn(ahead, [(0, 0)]))) == (999, [(2, 2)])
    assert read(peer) == []
    assert peer.endpoint.counters["forward_tsn_too_far_ahead"] == 1
    assert acknowledged(peer.give(ForwardTsn(999 + MAX_OFFSET, [(0, 0)]))) == (999 + MAX_OFFSET, [])
    assert read(peer) == [b"waits"]


def test_d10_streams_that_do_not_exist_are_reported_and_the_rest_holds() -> None:
    peer = willing()
    peer.give(peer.data(b"waits", tsn=1_001, ssn=1))
    answers = peer.give(ForwardTsn(1_000, [(4, 0), (0, 0), (0xFFFF, 9)]))
    errors = [k for k in answers if isinstance(k, c.Error)]
    assert errors == [c.Error([InvalidStreamIdentifier(4), InvalidStreamIdentifier(0xFFFF)])]
    assert read(peer) == [b"waits"]
    assert peer.endpoint.counters["forward_tsn_invalid_stream"] == 2


@pytest.mark.parametrize("streams", [4, 65_535])
def test_d10_a_huge_list_costs_one_answer_and_a_stream_each(streams: int) -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.accept(peer.init(parameters=[ForwardTsnSupported()], outbound_streams=streams))
    listed = [(stream_id, 7) for stream_id in range(16_000)]
    answers = peer.give(ForwardTsn(peer.tsn, listed))
    assert sum(isinstance(k, c.Sack) for k in answers) == 1
    assert sum(len(k.encode()) for k in answers) < 1_500
    assert len(peer.association.tcb.receiver.reassembly.streams) == min(streams, 16_000)


def test_d10_one_stream_listed_again_and_again() -> None:
    peer = willing()
    peer.give(ForwardTsn(1_000, [(0, ssn & 0xFFFF) for ssn in range(0, 16_000 * 0x7FFF, 0x7FFF)]))
    # Each stream once: the last entry counts.
    last = 15_999 * 0x7FFF & 0xFFFF
    expected = [] if last >= 0x8000 else [b"x"]
    peer.give(peer.data(b"x", tsn=1_001, ssn=(last + 1) & 0xFFFF))
    assert read(peer) == expected


@pytest.mark.parametrize("value", [b"", b"\0\0\3", b"\0\0\3\xe8\0", b"\0\0\3\xe8\0\0\0\0\0"])
def test_d10_a_broken_one_is_dropped(value: bytes) -> None:
    peer = willing()
    header = bytes((cp.FORWARD_TSN, 0)) + (4 + len(value)).to_bytes(2, "big")
    assert peer.give(header + value + bytes(-len(value) & 3)) == []
    assert peer.endpoint.counters["bad_chunk_length"] == 1


@pytest.mark.parametrize("state", STATES)
def test_d10_in_any_state(state: State) -> None:
    peer = Raw.in_state(state)
    peer.association.tcb.forward_tsn = True
    before = peer.association.state
    cumulative = peer.association.tcb.receiver.tsn_map.cumulative
    answers = peer.give(ForwardTsn(peer.tsn, [(0, 0)]))
    receiving = state in (State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT)
    assert peer.association.state is before
    assert peer.association.tcb.receiver.tsn_map.cumulative == cumulative + receiving
    assert bool(answers) == receiving
    # RFC 9260 section 9.2: in SHUTDOWN-SENT it is answered as DATA is.
    assert any(isinstance(k, c.Shutdown) for k in answers) == (state is State.SHUTDOWN_SENT)
    assert ("forward_tsn_in_wrong_state" in peer.endpoint.counters) == (not receiving)


CHUNKS = st.one_of(
    st.builds(
        lambda tsn, streams: ForwardTsn((TSN + tsn) & 0xFFFFFFFF, streams),
        st.integers(-5, 40),
        st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=6),
    ),
    st.builds(
        lambda tsn, stream_id, ssn, flags: c.Data(TSN + tsn, stream_id, ssn, 0, b"x", flags),
        st.integers(-2, 40),
        st.integers(0, 4),
        st.integers(0, 40),
        st.integers(0, 7),
    ),
)


@settings(max_examples=60)
@given(st.lists(CHUNKS, max_size=40))
def test_d10_any_mixture_keeps_the_books(chunks: list[c.Chunk]) -> None:
    """No exception, and no bytes counted as held that are not."""
    peer = willing()
    for chunk in chunks:
        association = peer.association
        receiver = association.tcb.receiver
        before = receiver.tsn_map.cumulative
        peer.give(chunk)
        if association.state is State.CLOSED:
            # The fragments contradicted one another.
            return
        cumulative = receiver.tsn_map.cumulative
        assert cumulative >= before
        reassembly = receiver.reassembly
        waiting = [run for stream in reassembly.streams.values() for run in stream.waiting.values()]
        runs = [*reassembly.by_first.values(), *waiting]
        assert reassembly.held == sum(run.size for run in runs)
        assert reassembly.padding == sum(run.padding for run in runs)
        assert set(map(id, reassembly.by_first.values())) == set(map(id, reassembly.by_last.values()))
        assert not [
            run
            for run in reassembly.by_first.values()
            if (not run.begins and run.first <= cumulative + 1) or (not run.ends and run.last < cumulative)
        ] or not isinstance(chunk, ForwardTsn)
