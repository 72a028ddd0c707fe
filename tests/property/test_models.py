"""The parts that keep books, against models too plain to be wrong: a set, a list, a dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pysctpstack.core.rx.reassembly import MIN_CHARGE, Reassembly
from pysctpstack.core.rx.tsn_map import DUPLICATE, MAX_OFFSET, NEW, REFUSED, TsnMap
from pysctpstack.core.tx.send_queue import Message, SendQueue
from pysctpstack.wire.codepoints import DATA_FLAG_B, DATA_FLAG_E, DATA_FLAG_U

UNHURRIED = settings(max_examples=60, stateful_step_count=50, deadline=None)
FIRST = 0xFFFF_FFF0
MAX_BLOCKS = 5
MAX_DUPLICATES = 4


def blocks_of(numbers: set[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers, first and last of each."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


class TsnMapIsASet(RuleBasedStateMachine):
    """What has been received is a set of numbers; everything else follows from it."""

    def __init__(self) -> None:
        super().__init__()
        self.map = TsnMap(FIRST, MAX_BLOCKS, MAX_DUPLICATES)
        self.received = {FIRST - 1}
        """All numbers below are received too."""
        self.duplicates: list[int] = []

    @property
    def cumulative(self) -> int:
        return blocks_of(self.received)[0][1]

    @rule(offset=st.integers(-5, 30) | st.sampled_from((MAX_OFFSET - 1, MAX_OFFSET, MAX_OFFSET + 1, 1 << 31)))
    def add(self, offset: int) -> None:
        tsn = self.cumulative + offset
        outcome = self.map.add(tsn)
        if tsn <= self.cumulative or tsn in self.received:
            assert outcome == DUPLICATE
            if len(self.duplicates) < MAX_DUPLICATES:
                self.duplicates.append(tsn)
            return
        beyond = len(blocks_of(self.received | {tsn})) - 1
        if offset > MAX_OFFSET or (beyond > MAX_BLOCKS and offset != 1):
            assert outcome == REFUSED
        else:
            assert outcome == NEW
            self.received.add(tsn)

    @rule(offset=st.integers(1, 40))
    def skip(self, offset: int) -> None:
        tsn = self.cumulative + offset
        self.map.skip_to(tsn)
        self.received.update(range(self.cumulative, tsn + 1))

    @rule()
    def report(self) -> None:
        assert self.map.take_duplicates() == self.duplicates
        self.duplicates = []

    @invariant()
    def same(self) -> None:
        cumulative = self.cumulative
        assert self.map.cumulative == cumulative
        assert self.map.largest == max(self.received)
        above = {tsn for tsn in self.received if tsn > cumulative}
        expected = [(start - cumulative, end - cumulative) for start, end in blocks_of(above)]
        assert self.map.gap_blocks() == expected
        for tsn in range(cumulative - 3, cumulative + 45):
            assert self.map.has(tsn) == (tsn <= cumulative or tsn in self.received)


@dataclass(frozen=True)
class Parcel:
    """A message in fragments, the first of which has the TSN ``first``."""

    first: int
    sizes: tuple[int, ...]
    stream_id: int
    ssn: int
    unordered: bool

    @property
    def last(self) -> int:
        return self.first + len(self.sizes) - 1

    def piece(self, tsn: int) -> bytes:
        return bytes((tsn & 0xFF,)) * self.sizes[tsn - self.first]

    def flags(self, tsn: int) -> int:
        flags = DATA_FLAG_U if self.unordered else 0
        return flags | DATA_FLAG_B * (tsn == self.first) | DATA_FLAG_E * (tsn == self.last)


class ReassemblyIsADictionary(RuleBasedStateMachine):
    """What waits is a dictionary from TSN to fragment; a message is complete when all of its fragments are in there."""

    def __init__(self) -> None:
        super().__init__()
        self.reassembly = Reassembly()
        self.next_tsn = FIRST
        self.under_way: dict[int, Parcel] = {}
        """Fragments that have not arrived, by TSN."""
        self.here: dict[int, Parcel] = {}

    @rule(
        sizes=st.lists(st.sampled_from((1, 100, 256, 1_000)), min_size=1, max_size=6),
        stream_id=st.integers(0, 2),
        unordered=st.booleans(),
    )
    def send(self, sizes: list[int], stream_id: int, unordered: bool) -> None:
        parcel = Parcel(self.next_tsn, tuple(sizes), stream_id, self.next_tsn & 0xFFFF, unordered)
        self.under_way.update(dict.fromkeys(range(parcel.first, parcel.last + 1), parcel))
        self.next_tsn = parcel.last + 1

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        tsn = data.draw(st.sampled_from(sorted(self.under_way)), "which TSN arrives")
        parcel = self.under_way.pop(tsn)
        self.here[tsn] = parcel
        ppid = 42 if tsn == parcel.first else 99
        run = self.reassembly.add(tsn, parcel.flags(tsn), parcel.stream_id, parcel.ssn, ppid, parcel.piece(tsn))
        assert run is not None
        complete = all(self.here.get(other) is parcel for other in range(parcel.first, parcel.last + 1))
        assert (run.begins and run.ends) is complete
        if complete:
            assert b"".join(run.pieces) == b"".join(parcel.piece(t) for t in range(parcel.first, parcel.last + 1))
            assert (run.stream_id, run.ssn, run.ppid) == (parcel.stream_id, parcel.ssn, 42)
            assert (run.first, run.last, run.unordered) == (parcel.first, parcel.last, parcel.unordered)
            self.reassembly.remove(run)
            self.reassembly.release(run)
            for other in range(parcel.first, parcel.last + 1):
                del self.here[other]

    def runs(self) -> Iterator[list[int]]:
        """Neighbouring TSNs of one message that are here."""
        run: list[int] = []
        for tsn in sorted(self.here):
            if run and (tsn != run[-1] + 1 or self.here[tsn] is not self.here[run[-1]]):
                yield run
                run = []
            run.append(tsn)
        if run:
            yield run

    @precondition(lambda self: self.here or self.under_way)
    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        """The peer gives up everything up to some TSN."""
        tsns = [*self.here, *self.under_way]
        cumulative = data.draw(st.integers(min(tsns) - 1, self.next_tsn - 1), "cumulative TSN")
        broken = []
        for run in self.runs():
            parcel = self.here[run[0]]
            if (run[0] > parcel.first and run[0] <= cumulative) or (run[-1] < parcel.last and run[-1] < cumulative):
                broken.append(run[0])
                for tsn in run:
                    del self.here[tsn]
        assert sorted(run.first for run in self.reassembly.discard(cumulative)) == broken
        for tsn in [tsn for tsn in self.under_way if tsn <= cumulative]:
            del self.under_way[tsn]

    @invariant()
    def same(self) -> None:
        sizes = [len(parcel.piece(tsn)) for tsn, parcel in self.here.items()]
        assert self.reassembly.held == sum(sizes)
        assert self.reassembly.padding == sum(max(MIN_CHARGE - size, 0) for size in sizes)
        runs = list(self.runs())
        assert sorted(self.reassembly.by_first) == [run[0] for run in runs]
        assert sorted(self.reassembly.by_last) == [run[-1] for run in runs]
        head = self.reassembly.deliverable_head()
        unordered = [run[0] for run in runs if self.here[run[0]].unordered and self.here[run[0]].first == run[0]]
        assert not unordered or (head is not None and head.first <= unordered[0])


class SendQueueIsAList(RuleBasedStateMachine):
    """Messages wait in a list; each has a rest that has not been sent, and may have an end of life."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SendQueue()
        self.waiting: list[Message] = []
        self.now = 0.0

    @initialize(partial=st.booleans())
    def begin(self, partial: bool) -> None:
        self.queue.partial = partial

    @rule(size=st.integers(1, 5_000), life=st.just(inf) | st.sampled_from((0.5, 1.0, 2.0, 2.0, 5.0)))
    def push(self, size: int, life: float) -> None:
        message = Message(0, 0, bytes(size), expires_at=self.now + life)
        self.queue.push(message)
        self.waiting.append(message)

    @precondition(lambda self: self.waiting)
    @rule(size=st.integers(1, 3_000))
    def transmit(self, size: int) -> None:
        """As the sender does: a fragment of the first message gets a TSN."""
        message = self.queue.head()
        assert message is self.waiting[0]
        size = min(size, len(message.data) - message.offset)
        message.offset += size
        self.queue.size -= size
        if message.offset == len(message.data):
            assert self.queue.messages.popleft() is message
            del self.waiting[0]

    def mortal(self) -> list[Message]:
        """Those that can still be dropped here: by end of life, then by age."""
        found = [m for m in self.waiting if m.expires_at != inf and (not m.offset or self.queue.partial)]
        return sorted(found, key=lambda message: message.expires_at)

    @rule(seconds=st.sampled_from((0.0, 0.1, 0.5, 1.0, 3.0)))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        expired = [message for message in self.mortal() if message.expires_at <= self.now]
        assert self.queue.take_expired(self.now) == expired
        assert all(message.abandoned for message in expired)
        self.waiting = [message for message in self.waiting if message not in expired]

    @rule()
    def clear(self) -> None:
        assert self.queue.clear() == self.waiting
        self.waiting = []

    @invariant()
    def same(self) -> None:
        assert self.queue.size == sum(len(message.data) - message.offset for message in self.waiting)
        assert self.queue.head() is (self.waiting[0] if self.waiting else None)
        mortal = self.mortal()
        assert self.queue.next_expiry() == (mortal[0].expires_at if mortal else inf)


def test_blocks_of() -> None:
    assert blocks_of({1, 2, 3, 5, 8, 9}) == [(1, 3), (5, 5), (8, 9)]
    assert all(left[1] + 1 < right[0] for left, right in pairwise(blocks_of(set(range(0, 50, 3)) | {1, 2})))


TestTsnMapIsASet = TsnMapIsASet.TestCase
TestTsnMapIsASet.settings = UNHURRIED
TestReassemblyIsADictionary = ReassemblyIsADictionary.TestCase
TestReassemblyIsADictionary.settings = UNHURRIED
TestSendQueueIsAList = SendQueueIsAList.TestCase
TestSendQueueIsAList.settings = UNHURRIED
