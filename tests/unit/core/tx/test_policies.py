"""Policies of partial reliability beside life times: limited retransmissions and priorities (RFC 7496 section 3)."""

from __future__ import annotations

import math

import pytest
from support.pair import Raw

from pysctpstack.config import Config
from pysctpstack.core.tx.partial_reliability import PRIO, RTX, TTL
from pysctpstack.core.tx.send_queue import LimitedMessage, Message
from pysctpstack.events import SendFailed
from pysctpstack.wire import chunks as c
from pysctpstack.wire.extension_chunks import ForwardTsn
from pysctpstack.wire.params import ForwardTsnSupported


def willing(*, a_rwnd: int = 100_000, mtu: int = 1_500, supported: bool = True) -> Raw:
    """A peer of an association, with partial reliability if it is ``supported``; the endpoint is the one that sends."""
    peer = Raw(Config(heartbeat_interval=0), mtu=mtu)
    peer.accept(peer.init(parameters=[ForwardTsnSupported()] if supported else [], a_rwnd=a_rwnd))
    peer.endpoint.next_events()
    peer.association.tcb.sender.no_delay = True
    return peer


def send(peer: Raw, policy: int, limit: int, size: int = 10, stream_id: int = 0, context: int = 0) -> list[c.Chunk]:
    message = LimitedMessage(
        stream_id,
        0,
        bytes(size),
        context,
        expires_at=peer.now + limit / 1_000 if policy == TTL else math.inf,
    )
    message.limit_to(policy, limit)
    peer.association.send(message, peer.now)
    return peer.answers()


def transmissions(peer: Raw, chunks: list[c.Chunk]) -> int:
    return len([chunk for chunk in chunks if isinstance(chunk, c.Data)])


def abandoned(peer: Raw) -> dict[tuple[int, int], tuple[int, int]]:
    return peer.association.tcb.sender.partial.abandoned


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_retransmissions_are_limited(limit: int) -> None:
    peer = willing()
    left = send(peer, RTX, limit, context=5, stream_id=2)
    for _ in range(6):
        peer.now = max(peer.now, min(peer.endpoint.next_timeout(), peer.now + 100))
        peer.endpoint.handle_timeout(peer.now)
        left += peer.answers()
    # Once, and again as often as it may be.
    assert transmissions(peer, left) == 1 + limit
    assert any(isinstance(chunk, ForwardTsn) for chunk in left)
    assert [(e.context, e.sent) for e in peer.events(SendFailed)] == [(5, True)]
    assert abandoned(peer) == {(2, RTX): (0, 1)}
    assert peer.association.send_buffered == 0


def test_every_fragment_counts_for_itself() -> None:
    peer = willing()
    # Two fragments, the second of which is lost once, and then the first.
    send(peer, RTX, 1, 2_000)
    first = peer.local_tsn
    peer.give(c.Sack(first, 100_000, []))
    assert transmissions(peer, peer.wait(1.1)) == 1
    peer.give(c.Sack((first + 1) & 0xFFFFFFFF, 100_000, []))
    assert peer.events(SendFailed) == []
    assert abandoned(peer) == {}


def test_without_the_peers_support_nothing_is_given_up() -> None:
    peer = willing(supported=False)
    left = send(peer, RTX, 0)
    assert transmissions(peer, left + peer.wait(10)) > 2
    assert peer.events(SendFailed) == []


def test_life_times_are_counted_by_what_was_sent() -> None:
    peer = willing(a_rwnd=1_500)
    send(peer, TTL, 2_500, 1_400, stream_id=1)
    # There is no room for it: it never leaves.
    assert transmissions(peer, send(peer, TTL, 500, 1_000, stream_id=1)) == 0
    peer.wait(10)
    assert abandoned(peer) == {(1, TTL): (1, 1)}


def test_a_life_time_without_a_policy_is_not_counted() -> None:
    peer = willing()
    peer.association.send(Message(0, 0, b"x", expires_at=peer.now + 0.5), peer.now)
    peer.wait(5)
    assert len(peer.events(SendFailed)) == 1
    assert abandoned(peer) == {}


def test_lower_priorities_make_room_those_in_flight_first() -> None:
    peer = willing(a_rwnd=1_500)
    for context, priority in enumerate((7, 3, 5, 7)):
        send(peer, PRIO, priority, 1_000, context=context)
    assert peer.association.send_buffered == 4_000
    peer.association.make_room(4, 2_500, peer.now)
    # The first is in flight, the last two wait; the second is more important.
    assert [(e.context, e.sent) for e in peer.events(SendFailed)] == [(0, True), (2, False), (3, False)]
    assert peer.association.send_buffered == 1_000
    assert abandoned(peer) == {(0, PRIO): (2, 1)}
    # It was in flight in two fragments.
    last = (peer.local_tsn + 1) & 0xFFFFFFFF
    left = peer.answers()
    assert [chunk.new_cumulative_tsn for chunk in left if isinstance(chunk, ForwardTsn)] == [last]
    # No more than is needed, and never what is as important.
    peer.association.make_room(3, 1_000, peer.now)
    assert peer.events(SendFailed) == []


def test_room_is_made_for_what_is_needed_and_not_more() -> None:
    peer = willing(a_rwnd=1_500)
    for context in range(5):
        send(peer, PRIO, 9, 1_000, context=context)
    peer.association.make_room(0, 1, peer.now)
    assert [e.context for e in peer.events(SendFailed)] == [0]


def test_messages_without_a_policy_never_make_room() -> None:
    peer = willing(a_rwnd=1_500)
    for _ in range(3):
        peer.association.send(Message(0, 0, bytes(1_000)), peer.now)
    peer.association.make_room(0, 10_000, peer.now)
    assert peer.events(SendFailed) == []
    assert peer.association.send_buffered == 3_000
