"""The receiver: windows, duplicates, order, partial delivery and SACKs (RFC 9260 sections 6.2, 6.5 to 6.9)."""

from __future__ import annotations

import pytest
from support.pair import Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, State
from pysctpstack.core.rx.reassembly import MIN_CHARGE
from pysctpstack.core.rx.tsn_map import MAX_OFFSET
from pysctpstack.events import AssociationLost, Loss, MessageReceived, PartialDeliveryAborted
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.causes import InvalidStreamIdentifier, NoUserData, ProtocolViolation

#: a_rwnd of a default buffer with so many small messages in it: each takes room for its bookkeeping.
FREE = [212_992 - MIN_CHARGE * count for count in range(8)]

B, E, U, I = cp.DATA_FLAG_B, cp.DATA_FLAG_E, cp.DATA_FLAG_U, cp.DATA_FLAG_I  # noqa: E741
WHOLE = B | E


def accepted(receive_buffer: int = 212_992, **config: object) -> Raw:
    """A peer whose first DATA, TSN 999, has been acknowledged, so that delays apply."""
    peer = Raw(Config(receive_buffer=receive_buffer, heartbeat_interval=0, **config))  # type: ignore[arg-type]
    peer.tsn = 999
    peer.accept()
    (sack,) = peer.give(peer.data(ssn=0))
    assert isinstance(sack, c.Sack)
    for event in peer.events(MessageReceived):
        peer.association.consumed(len(event.data), peer.now)
    return peer


def read(peer: Raw) -> list[bytes]:
    """Take what was delivered and free its room."""
    delivered = peer.events(MessageReceived)
    for event in delivered:
        peer.association.consumed(len(event.data), peer.now)
    return [event.data for event in delivered]


def last_sack(chunks: list[c.Chunk]) -> c.Sack:
    sacks = [chunk for chunk in chunks if isinstance(chunk, c.Sack)]
    assert sacks, chunks
    return sacks[-1]


# --- when a SACK leaves ---


def test_the_first_data_is_acknowledged_at_once_then_every_second_packet() -> None:
    peer = accepted()
    assert peer.give(peer.data(ssn=1)) == []
    assert peer.give(peer.data(ssn=2)) == [c.Sack(1_001, FREE[2])]


def test_a_lone_packet_is_acknowledged_after_the_delay() -> None:
    peer = accepted()
    peer.give(peer.data(ssn=1))
    assert peer.wait(0.19) == []
    assert peer.wait(0.02) == [c.Sack(1_000, FREE[1])]
    assert peer.wait(60) == []


def test_the_i_bit_a_duplicate_and_a_gap_are_acknowledged_at_once() -> None:
    peer = accepted()
    assert peer.give(peer.data(ssn=1, flags=WHOLE | I)) == [c.Sack(1_000, FREE[1])]
    assert peer.give(peer.data(tsn=1_000, ssn=1)) == [c.Sack(1_000, FREE[1], (), (1_000,))]
    assert peer.give(peer.data(tsn=1_002, ssn=3)) == [c.Sack(1_000, FREE[2], ((2, 2),))]
    # The one that fills the hole too.
    assert peer.give(peer.data(tsn=1_001, ssn=2)) == [c.Sack(1_002, FREE[3])]


def test_a_duplicate_bundled_with_new_data_is_not_urgent_but_reported() -> None:
    peer = accepted()
    assert peer.give(peer.data(tsn=999), peer.data(tsn=1_000, ssn=1)) == []
    assert peer.wait(0.2) == [c.Sack(1_000, FREE[1], (), (999,))]


def test_a_batch_of_one_long_transfer_gets_one_sack() -> None:
    peer = accepted(sack_train_after=1_000)
    batch = [peer.packet(peer.data(bytes(700), ssn=ssn)) for ssn in range(1, 11)]
    assert [k.cumulative_tsn for k in peer.give_bytes(batch) if isinstance(k, c.Sack)] == [1_009]


def test_a_batch_at_the_start_gets_a_sack_for_every_second_packet() -> None:
    peer = accepted()
    batch = [peer.packet(peer.data(bytes(700), ssn=ssn)) for ssn in range(1, 7)]
    assert [k.cumulative_tsn for k in peer.give_bytes(batch) if isinstance(k, c.Sack)] == [1_001, 1_003, 1_005]


def test_a_sack_goes_with_data_that_leaves_anyway() -> None:
    peer = accepted()
    peer.give(peer.data(ssn=1))
    peer.association.send(Message(0, 0, b"answer"), peer.now)
    assert [type(k) for k in peer.answers()] == [c.Sack, c.Data]
    assert [k for k in peer.wait(0.5) if isinstance(k, c.Sack)] == []


def test_gap_blocks_and_duplicates_fill_no_more_than_a_packet() -> None:
    peer = Raw(Config(max_gap_blocks=5_000, max_duplicates=1_000), mtu=600)
    peer.accept()
    for _ in range(1_000):
        peer.tsn += 1
        peer.give(peer.data(flags=WHOLE | U))
    sack = last_sack(peer.give(peer.data(tsn=1_001, flags=WHOLE | U)))
    assert len(sack.gaps) == (572 - 12 - 16) // 4
    assert sack.duplicates == ()


# --- order ---


def test_streams_do_not_wait_for_one_another_and_a_stream_does() -> None:
    peer = accepted()
    peer.give(peer.data(b"late", tsn=1_001, ssn=2))
    peer.give(peer.data(b"other", tsn=1_002, stream_id=1, ssn=0))
    peer.give(peer.data(b"loose", tsn=1_003, flags=WHOLE | U, ssn=77))
    assert read(peer) == [b"other", b"loose"]
    peer.give(peer.data(b"early", tsn=1_000, ssn=1))
    assert read(peer) == [b"early", b"late"]


def test_the_event_tells_all_of_the_message() -> None:
    peer = accepted()
    peer.give(peer.data(b"ab", tsn=1_000, stream_id=3, ssn=0, ppid=0x01020304, flags=B))
    peer.give(peer.data(b"c", tsn=1_001, stream_id=3, ssn=0, ppid=9, flags=E))
    peer.give(peer.data(b"d", tsn=1_002, stream_id=3, ssn=0, ppid=5, flags=WHOLE | U))
    association_id = peer.association.association_id
    assert peer.events(MessageReceived) == [
        MessageReceived(association_id, 3, 0, 0x01020304, 1_000, 1_001, False, b"abc"),
        MessageReceived(association_id, 3, 0, 5, 1_002, 1_002, True, b"d"),
    ]


def test_ssns_and_tsns_wrap() -> None:
    peer = Raw(Config(heartbeat_interval=0))
    peer.tsn = 0xFFFFFFFE
    peer.accept()
    peer.association.tcb.receiver.reassembly.stream(0).next_ssn = 65_534
    order = [1, 3, 0, 2]
    for number in order:
        tsn = (0xFFFFFFFE + number) & 0xFFFFFFFF
        peer.give(peer.data(bytes((number,)), tsn=tsn, ssn=(65_534 + number) & 0xFFFF))
    assert read(peer) == [b"\0", b"\1", b"\2", b"\3"]
    assert last_sack(peer.give(peer.data(tsn=2, ssn=2, flags=WHOLE | I))).cumulative_tsn == 2


def test_a_sequence_number_twice_ends_the_association() -> None:
    peer = accepted()
    peer.give(peer.data(tsn=1_001, ssn=3))
    (abort,) = peer.give(peer.data(tsn=1_002, ssn=3))
    assert isinstance(abort, c.Abort)
    assert isinstance(abort.causes[0], ProtocolViolation)


def test_contradicting_fragments_end_the_association() -> None:
    peer = accepted()
    peer.give(peer.data(flags=B, ssn=1))
    (abort,) = peer.give(peer.data(flags=B, ssn=2))
    assert isinstance(abort, c.Abort)
    assert [(e.loss, e.established) for e in peer.events(AssociationLost)] == [(Loss.PROTOCOL, True)]


# --- what is wrong with a chunk ---


def test_no_user_data_ends_the_association() -> None:
    peer = accepted()
    assert peer.give(peer.data(b"", tsn=1_000)) == [c.Abort([NoUserData(1_000)])]
    assert [e.loss for e in peer.events(AssociationLost)] == [Loss.PROTOCOL]


@pytest.mark.parametrize("length", range(4, 16))
def test_a_chunk_too_short_for_its_fields_is_dropped_with_what_follows(length: int) -> None:
    peer = accepted()
    short = bytes((0, WHOLE, 0, length)) + bytes(length - 4)
    peer.give(short + bytes(-length & 3), peer.data(b"after", tsn=1_000, ssn=1))
    assert read(peer) == []
    assert peer.endpoint.counters["bad_chunk_length"] == 1
    assert peer.association.state is State.ESTABLISHED
    peer.give(peer.data(b"before", tsn=1_000, ssn=1), short)
    assert read(peer) == [b"before"]


def test_an_invalid_stream_is_acknowledged_reported_and_discarded() -> None:
    peer = accepted()
    answers = peer.give(peer.data(tsn=1_000, stream_id=4, ssn=0))
    assert c.Error([InvalidStreamIdentifier(4)]) in answers
    assert last_sack(answers).cumulative_tsn == 1_000
    assert read(peer) == []


def test_what_is_too_far_ahead_or_one_gap_too_many_is_not_acknowledged() -> None:
    peer = accepted(max_gap_blocks=2)
    assert last_sack(peer.give(peer.data(tsn=1_000 + MAX_OFFSET, ssn=1))).gaps == ()
    assert peer.endpoint.counters["data_too_far_ahead"] == 1
    for tsn in (1_002, 1_004, 1_006):
        sack = last_sack(peer.give(peer.data(tsn=tsn, flags=WHOLE | U)))
    assert sack.gaps == ((3, 3), (5, 5))


# --- the window ---


def test_the_window_shrinks_by_what_is_unread_and_by_what_is_held() -> None:
    peer = accepted(100_000)
    peer.give(peer.data(bytes(1_000), ssn=1))
    assert last_sack(peer.give(peer.data(bytes(500), tsn=1_002, ssn=3))).a_rwnd == 98_500
    assert read(peer) == [bytes(1_000)]
    assert last_sack(peer.give(peer.data(bytes(500), tsn=1_003, ssn=4))).a_rwnd == 99_000


def test_a_sliver_is_announced_as_nothing() -> None:
    peer = accepted(10_000)
    for ssn in range(1, 7):
        peer.give(peer.data(bytes(1_350), ssn=ssn))
    assert last_sack(peer.give(peer.data(bytes(148), ssn=7, flags=WHOLE | I))).a_rwnd == 10_000 - 8_100 - MIN_CHARGE
    assert last_sack(peer.give(peer.data(bytes(256), ssn=8, flags=WHOLE | I))).a_rwnd == 0


def test_less_than_the_peer_s_largest_chunk_is_a_sliver_too() -> None:
    peer = accepted(20_000)
    peer.give(peer.data(bytes(4_000), ssn=1))
    assert last_sack(peer.give(peer.data(bytes(12_000), ssn=2))).a_rwnd == 0


def test_small_messages_are_charged_what_they_cost() -> None:
    peer = accepted()
    for ssn in range(1, 101):
        peer.give(peer.data(ssn=ssn))
    assert last_sack(peer.give(peer.data(ssn=101, flags=WHOLE | I))).a_rwnd == 212_992 - 101 * MIN_CHARGE
    assert len(read(peer)) == 101
    assert last_sack(peer.give(peer.data(ssn=102, flags=WHOLE | I))).a_rwnd == FREE[1]


def test_new_data_beyond_a_closed_window_is_dropped_and_answered_at_once() -> None:
    peer = accepted(10_000)
    peer.give(peer.data(bytes(9_999), ssn=1))
    answers = peer.give(peer.data(bytes(10), tsn=1_001, ssn=2))
    assert last_sack(answers) == c.Sack(1_000, 0)
    assert peer.endpoint.counters["data_beyond_window"] == 1


def test_what_was_promised_room_is_taken_although_the_window_has_closed_since() -> None:
    peer = accepted(10_000)
    # Beyond a gap, each takes more room than its bytes; the peer learns that only now.
    for tsn in range(1_001, 1_036):
        peer.give(peer.data(bytes(10), tsn=tsn, flags=WHOLE | U))
    assert last_sack(peer.give(peer.data(bytes(10), tsn=1_036, flags=WHOLE | U))).a_rwnd == 0
    answers = peer.give(peer.data(bytes(1_400), tsn=1_037, flags=WHOLE | U))
    assert last_sack(answers).gaps == ((2, 38),)
    assert "data_beyond_window" not in peer.endpoint.counters


def test_a_chunk_larger_than_what_is_left_of_an_open_window_is_taken() -> None:
    peer = accepted(4_000)
    peer.give(peer.data(bytes(5_000), ssn=1, flags=WHOLE | I))
    assert read(peer) == [bytes(5_000)]


def test_what_fills_a_gap_is_taken_up_to_twice_the_buffer() -> None:
    peer = accepted(10_000)
    peer.give(peer.data(bytes(10_000), tsn=1_010, ssn=9))
    for tsn in range(1_000, 1_009):
        peer.give(peer.data(bytes(1_200), tsn=tsn, flags=WHOLE | U))
    assert len(read(peer)) == 8
    assert peer.endpoint.counters["data_beyond_window"] == 1
    # The eight have been read; there is room again.
    peer.give(peer.data(bytes(1_200), tsn=1_008, flags=WHOLE | U))
    assert len(read(peer)) == 1


def test_reading_a_part_of_a_message_frees_its_bytes_and_all_of_it_the_rest() -> None:
    peer = accepted(10_000)
    peer.give(peer.data(bytes(100), ssn=1))
    association = peer.association
    association.consumed(60, peer.now, 0)
    assert last_sack(peer.give(peer.data(bytes(1_000), ssn=2))).a_rwnd == 9_000 - 40 - (MIN_CHARGE - 100)
    association.consumed(40, peer.now, 100)
    assert last_sack(peer.give(peer.data(bytes(1_000), ssn=3, flags=WHOLE | I))).a_rwnd == 8_000


def test_reading_sends_a_window_update_once_it_is_worth_it() -> None:
    peer = accepted(40_000)
    for ssn in range(1, 41):
        peer.give(peer.data(bytes(1_000), ssn=ssn))
    peer.wait(1)
    updates = []
    for event in peer.events(MessageReceived):
        peer.association.consumed(len(event.data), peer.now)
        updates += peer.answers()
    assert updates == [c.Sack(1_039, window) for window in (10_000, 20_000, 30_000, 40_000)]


# --- partial delivery ---


def fragment(peer: Raw, size: int, flags: int = 0, **fields: int) -> list[c.Chunk]:
    return peer.give(peer.data(bytes((peer.tsn & 0xFF,)) * size, flags=flags, **fields))


def test_a_message_larger_than_the_buffer_comes_in_pieces() -> None:
    peer = accepted(10_000)
    sizes = []
    for number in range(30):
        fragment(peer, 1_000, B if number == 0 else E if number == 29 else 0, ssn=1)
        for event in peer.events(MessageReceived):
            sizes.append((len(event.data), event.complete))
            peer.association.consumed(len(event.data), peer.now)
    assert sum(size for size, _ in sizes) == 30_000
    assert [complete for _, complete in sizes] == [False] * (len(sizes) - 1) + [True]
    assert sizes[0][0] >= 8_000


def test_others_wait_while_a_message_is_delivered_in_pieces() -> None:
    peer = accepted(10_000)
    for number in range(9):
        fragment(peer, 1_000, B if number == 0 else 0, stream_id=1, ssn=0)
    assert [len(piece) for piece in read(peer)] == [9_000]
    # Behind a gap in the message: complete, and its turn, but not before the end of the other.
    peer.give(peer.data(b"behind", tsn=1_011, ssn=1))
    assert read(peer) == []
    fragment(peer, 10, E, tsn=1_010, stream_id=1, ssn=0)
    assert read(peer) == []
    peer.give(peer.data(b"next", tsn=1_012, stream_id=1, ssn=1))
    fragment(peer, 10, tsn=1_009, stream_id=1, ssn=0)
    assert [len(piece) for piece in read(peer)] == [20, 6, 4]


def test_messages_that_wait_for_the_end_of_another_do_not_keep_it_out() -> None:
    """They can't be read, so that the window would never open for the fragments that release them."""
    peer = accepted(10_000)
    # A gap at 1,000, and a message that begins behind it and fills the buffer.
    for number in range(9):
        fragment(peer, 1_000, B if number == 0 else 0, tsn=1_001 + number, stream_id=1, ssn=0)
    assert [len(piece) for piece in read(peer)] == [9_000]
    # What was lost turns out to be a message of another stream.
    peer.give(peer.data(bytes(10_500), tsn=1_000, ssn=1))
    for number in range(5):
        fragment(peer, 1_000, tsn=1_010 + number, stream_id=1, ssn=0)
        assert [len(piece) for piece in read(peer)] == [1_000]
    fragment(peer, 10, E, tsn=1_015, stream_id=1, ssn=0)
    assert [len(piece) for piece in read(peer)] == [10, 10_500]


def test_partial_delivery_starts_when_the_reader_has_caught_up() -> None:
    peer = accepted(10_000)
    for _ in range(5):
        peer.give(peer.data(bytes(1_000), flags=WHOLE | U))
    unread = peer.events(MessageReceived)
    for number in range(4):
        fragment(peer, 1_000, B if number == 0 else 0, ssn=1)
    # The window is closed, but there is something to read.
    assert peer.events(MessageReceived) == []
    for event in unread:
        peer.association.consumed(len(event.data), peer.now)
    assert peer.events(MessageReceived) == []
    for _ in range(5):
        fragment(peer, 1_000, ssn=1)
    (piece,) = peer.events(MessageReceived)
    assert (len(piece.data), piece.complete) == (9_000, False)


def test_a_message_whose_turn_has_not_come_is_not_delivered_in_pieces() -> None:
    peer = accepted(10_000)
    for number in range(10):
        fragment(peer, 1_000, B if number == 0 else 0, ssn=2)
    assert peer.events(MessageReceived) == []


def test_the_end_of_the_association_ends_partial_delivery() -> None:
    peer = accepted(10_000)
    for number in range(9):
        fragment(peer, 1_000, B if number == 0 else 0, stream_id=1, ssn=0)
    peer.give(peer.data(b"behind", tsn=1_010, ssn=1))
    peer.give(c.Abort([]))
    events = peer.endpoint.next_events()
    kinds = [type(event) for event in events]
    assert kinds.index(PartialDeliveryAborted) < kinds.index(AssociationLost)
    assert PartialDeliveryAborted(3, 1, 0) in events
    assert b"behind" in [event.data for event in events if isinstance(event, MessageReceived)]


def test_data_is_discarded_in_states_that_receive_none() -> None:
    peer = accepted()
    peer.give(c.Shutdown(peer.local_tsn - 1))
    assert peer.association.state is State.SHUTDOWN_ACK_SENT
    peer.give(peer.data(b"x", tsn=1_000, ssn=1))
    assert read(peer) == []
    assert peer.endpoint.counters["data_in_wrong_state"] == 1
