"""Two endpoints, a network between them that does its worst, and users that do as they like: whatever happens in
whatever order, each message arrives once, unharmed, in the order of its stream, or its sender is told that it failed.
"""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.pair import A, B, Node, Pair, Sent, WrappingEntropy

from pysctpstack.config import Config
from pysctpstack.constants import SCTP_PR_SCTP_RTX
from pysctpstack.core import Association, Message, State
from pysctpstack.core.tx.send_queue import LimitedMessage
from pysctpstack.events import AssociationClosed, AssociationLost, Loss, SendFailed
from pysctpstack.testing import Link
from tools.fuzz.soundness import check_endpoint

BUFFERS = (3_000, 20_000, 212_992)
PROBABILITIES = st.sampled_from((0.0, 0.0, 0.05, 0.2))
SIZES = st.sampled_from((1, 2, 100, 300, 1_444, 1_445, 4_000, 15_000))
STREAMS = 3
ENDS = st.sampled_from((0, 1))
MOST_BUFFERED = 100_000
LONG = 3_000.0
"""Seconds in which everything comes to an end once nobody hinders it."""


class TwoEnds(RuleBasedStateMachine):
    """One association from beginning to end."""

    pair: Pair
    aborted = False
    mortal: set[tuple[int, int]]
    """(end, number) of messages that may be given up."""

    @initialize(
        seed=st.integers(0, 1 << 16),
        buffers=st.tuples(st.sampled_from(BUFFERS), st.sampled_from(BUFFERS)),
        mtu=st.sampled_from((576, 1_280, 1_500, 9_000)),
        batching=st.sampled_from((0.0, 0.002)),
        wraps=st.booleans(),
        early=st.booleans(),
    )
    def meet(
        self, seed: int, buffers: tuple[int, int], mtu: int, batching: float, wraps: bool, early: bool
    ) -> None:  # fmt: skip
        client, server = (Config(receive_buffer=size, send_buffer=1 << 20) for size in buffers)
        extra = {"entropy": WrappingEntropy} if wraps else {}
        self.pair = Pair(
            seed, config=client, server=server, link=Link(0.02), mtu=mtu, batching=batching, tracing=False, **extra
        )
        self.mortal = set()
        if early:
            # What follows happens while the association is being set up.
            self.pair.associate()
        else:
            self.pair.connect()

    def live(self, which: int) -> Association | None:
        node = self.pair.nodes[which]
        return next((a for a in node.endpoint.associations.values() if a.state is not State.CLOSED), None)

    def sends(self, which: int) -> Association | None:
        """The association of an end that may send."""
        association = self.live(which)
        if association is None or association.tcb.shutdown_wanted or association.send_buffered > MOST_BUFFERED:
            return None
        open_ = association.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED)
        return association if open_ else None

    # --- users ---

    @rule(which=ENDS, size=SIZES, stream_id=st.integers(0, STREAMS - 1), unordered=st.booleans())
    def send(self, which: int, size: int, stream_id: int, unordered: bool) -> None:
        if self.sends(which) is not None:
            self.pair.send(self.pair.nodes[which], size, stream_id, unordered=unordered)

    @rule(which=ENDS, size=SIZES, stream_id=st.integers(0, STREAMS - 1), life=st.sampled_from((0.01, 0.3, 2.0, -1.0)))
    def send_mortal(self, which: int, size: int, stream_id: int, life: float) -> None:
        """With an end of life, or (-1) no more than one retransmission."""
        association = self.sends(which)
        if association is None:
            return
        node = self.pair.nodes[which]
        sent = node.sent.setdefault(association.association_id, [])
        number = len(sent)
        data = (number.to_bytes(4, "big") * (size // 4 + 1))[:size]
        message: Message
        if life < 0:
            limited = LimitedMessage(stream_id, number, data)
            limited.limit_to(SCTP_PR_SCTP_RTX, 1)
            message = limited
        else:
            message = Message(stream_id, number, data, expires_at=self.pair.now + life)
        self.mortal.add((which, number))
        sent.append(Sent(stream_id, number, False, data))
        association.send(message, self.pair.now)

    @rule(which=ENDS, reading=st.booleans())
    def read(self, which: int, reading: bool) -> None:
        self.pair.nodes[which].reading = reading
        self.pair.drain()

    @rule(which=ENDS)
    def read_one(self, which: int) -> None:
        self.pair.read(self.pair.nodes[which], 1)

    @rule(which=ENDS)
    def heartbeat(self, which: int) -> None:
        association = self.live(which)
        if association is not None:
            association.heartbeat(self.pair.nodes[1 - which].address, self.pair.now)

    @rule(which=ENDS)
    def shut_down(self, which: int) -> None:
        association = self.live(which)
        if association is not None:
            association.shutdown(self.pair.now)

    @precondition(lambda self: self.pair.now > 5)
    @rule(which=ENDS, chance=st.integers(0, 4))
    def abort(self, which: int, chance: int) -> None:
        association = self.live(which)
        if association is not None and not chance:
            self.aborted = True
            association.abort(b"enough", self.pair.now)

    # --- network and clock ---

    @rule(seconds=st.sampled_from((0.0, 0.01, 0.03, 0.1, 0.5, 2.0, 10.0)))
    def pass_time(self, seconds: float) -> None:
        self.pair.run(seconds)

    @rule(loss=PROBABILITIES, duplicate=PROBABILITIES, reorder=PROBABILITIES, corrupt=PROBABILITIES)
    def weather(self, loss: float, duplicate: float, reorder: float, corrupt: float) -> None:
        self.pair.network.both(A, B, loss=loss, duplicate=duplicate, reorder=reorder, corrupt=corrupt)

    @rule(seconds=st.sampled_from((0.05, 1.0, 5.0)))
    def outage(self, seconds: float) -> None:
        self.pair.network.cut(A)
        self.pair.run(seconds)
        self.pair.network.restore(A)

    # --- what holds ---

    def numbers_failed(self, node: Node) -> set[int]:
        return {event.ppid for event in node.of(SendFailed)}

    def check_direction(self, which: int) -> None:
        sender, receiver = self.pair.nodes[which], self.pair.nodes[1 - which]
        sent = [message for messages in sender.sent.values() for message in messages]
        failed = self.numbers_failed(sender)
        got = receiver.messages
        assert max(Counter(event.ppid for event in got).values(), default=1) == 1, "a message came twice"
        latest: dict[int, int] = {}
        for event in got:
            message = sent[event.ppid]
            assert event.data == message.data
            assert (event.stream_id, event.unordered) == (message.stream_id, message.unordered)
            if event.unordered:
                continue
            before = latest.get(event.stream_id, -1)
            assert event.ppid > before, "messages of one stream changed places"
            for number in range(before + 1, event.ppid):
                skipped = sent[number]
                if skipped.stream_id == event.stream_id and not skipped.unordered:
                    assert number in failed, "a message is missing and nobody was told"
                    assert (which, number) in self.mortal
            latest[event.stream_id] = event.ppid

    @invariant()
    def delivered_once_in_order_or_reported(self) -> None:
        if hasattr(self, "pair"):
            self.pair.drain()
            self.check_direction(0)
            self.check_direction(1)

    @invariant()
    def the_books_are_right(self) -> None:
        if hasattr(self, "pair"):
            for node in self.pair.nodes:
                check_endpoint(node.endpoint)

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        pair = self.pair
        pair.network.restore(A)
        pair.network.both(A, B, loss=0.0, duplicate=0.0, reorder=0.0, corrupt=0.0)
        for node in pair.nodes:
            node.reading = True
        pair.run(120)
        for which in (0, 1):
            self.shut_down(which)
        pair.run(LONG)
        for which, node in enumerate(pair.nodes):
            self.check_direction(which)
            assert not node.endpoint.associations
            assert node.endpoint.next_timeout() == math.inf
            arrived = {event.ppid for event in pair.nodes[1 - which].messages}
            sent = [message for messages in node.sent.values() for message in messages]
            missing = set(range(len(sent))) - arrived - self.numbers_failed(node)
            assert not missing, f"neither delivered nor reported: {sorted(missing)}"
            lost = [event for n in pair.nodes for event in n.of(AssociationLost)]
            if not self.aborted and not lost:
                assert len(node.of(AssociationClosed)) == (1 if sent or node.events else 0)
                undelivered = set(range(len(sent))) - arrived
                assert undelivered <= {number for end, number in self.mortal if end == which}
            for event in lost:
                # Nobody breaks the rules here, and no outage is long enough to give up for.
                assert self.aborted or event.loss is not Loss.PROTOCOL


TestTwoEnds = TwoEnds.TestCase
TestTwoEnds.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
