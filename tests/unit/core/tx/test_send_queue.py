"""Messages that wait, and their life times (RFC 6458 section 5.3.7, timetolive)."""

from __future__ import annotations

import math

from pysctpstack.core import Message
from pysctpstack.core.tx.send_queue import SendQueue


def message(number: int = 0, size: int = 10, expires_at: float = math.inf) -> Message:
    return Message(0, number, bytes(size), expires_at=expires_at)


def test_first_come_first_served() -> None:
    queue = SendQueue()
    assert queue.head() is None
    one, two = message(1), message(2, 20)
    queue.push(one)
    queue.push(two)
    assert queue.head() is one
    assert queue.size == 30
    assert queue.next_expiry() == math.inf


def test_expired_messages_are_taken_earliest_first_and_passed_over() -> None:
    queue = SendQueue()
    late, soon, forever = message(1, expires_at=5.0), message(2, expires_at=3.0), message(3)
    for one in (late, soon, forever):
        queue.push(one)
    assert queue.next_expiry() == 3.0
    assert queue.take_expired(2.9) == []
    assert queue.take_expired(3.0) == [soon]
    assert queue.head() is late
    assert queue.take_expired(9.0) == [late]
    assert queue.head() is forever
    assert (queue.size, queue.next_expiry()) == (10, math.inf)


def test_two_that_expire_together_keep_their_order() -> None:
    queue = SendQueue()
    both = [message(1, expires_at=3.0), message(2, expires_at=3.0)]
    for one in both:
        queue.push(one)
    assert queue.take_expired(3.0) == both


def test_what_has_begun_to_leave_does_not_expire() -> None:
    queue = SendQueue()
    begun = message(1, expires_at=3.0)
    queue.push(begun)
    begun.offset = 1
    assert queue.next_expiry() == math.inf
    assert queue.take_expired(4.0) == []


def test_with_partial_reliability_it_does_until_all_of_it_has_left() -> None:
    queue = SendQueue()
    queue.partial = True
    begun, left = message(1, expires_at=3.0), message(2, expires_at=2.0)
    for one, sent in ((left, 10), (begun, 4)):
        queue.push(one)
        one.offset = sent
        queue.size -= sent
    assert queue.next_expiry() == 3.0
    assert queue.take_expired(4.0) == [begun]
    assert (queue.size, queue.next_expiry()) == (0, math.inf)


def test_clear_returns_what_was_waiting() -> None:
    queue = SendQueue()
    gone, waits = message(1, expires_at=1.0), message(2, expires_at=9.0)
    queue.push(gone)
    queue.push(waits)
    queue.take_expired(1.0)
    assert queue.clear() == [waits]
    assert (queue.head(), queue.size, queue.next_expiry()) == (None, 0, math.inf)


def test_what_was_given_up_does_not_pile_up_behind_a_message_that_stays() -> None:
    queue = SendQueue()
    forever = message(0)
    queue.push(forever)
    for number in range(1_000):
        queue.push(message(number, expires_at=float(number)))
        assert len(queue.take_expired(float(number))) == 1
        assert len(queue.messages) < 150
    last = message(1_000)
    queue.push(last)
    assert queue.size == 20
    assert [one for one in queue.messages if not one.abandoned] == [forever, last]
    queue.messages.popleft()
    assert queue.head() is last
