"""Messages with and without a life time over bad networks (RFC 3758): what is not given up arrives once and in order.

Each seed is another network and another load. ``PYSCTPSTACK_SEEDS`` sets how many are run; the seed of a failure is in
its message, and ``PYSCTPSTACK_FIRST_SEED`` starts there.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from support.pair import Node, Pair, WrappingEntropy

from pysctpstack.config import Config
from pysctpstack.core import Message
from pysctpstack.events import AssociationClosed, AssociationLost, AssociationUp, SendFailed
from pysctpstack.testing import Link, SeededEntropy

SEEDS = min(int(os.environ.get("PYSCTPSTACK_SEEDS", "200")), 10_000)
FIRST = int(os.environ.get("PYSCTPSTACK_FIRST_SEED", "0"))
CHUNK = 20
PATIENT = Config(max_init_retransmits=30, association_max_retrans=50, path_max_retrans=50, shutdown_guard=100_000.0)
STREAMS = 4


def network_of(chance: Random) -> Link:
    return Link(
        latency=chance.choice((0.001, 0.02, 0.1)),
        jitter=chance.choice((0.0, 0.005, 0.05)),
        loss=chance.choice((0.0, 0.05, 0.1, 0.2)),
        duplicate=chance.choice((0.0, 0.05)),
        reorder=chance.choice((0.0, 0.05, 0.2)),
        rate=chance.choice((0, 0, 2_000_000, 200_000)),
    )


class Load:
    """The messages of one end; ``ppid`` numbers them."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.messages: list[tuple[int, bool, bytes]] = []
        """Stream, unordered, data."""
        self.mortal: set[int] = set()

    def send(self, pair: Pair, chance: Random) -> None:
        number = len(self.messages)
        size = chance.choice((1, 100, 1_452, chance.randrange(1, 3_000), chance.randrange(1, 30_000)))
        data = (number.to_bytes(4, "big") * (size // 4 + 1))[:size]
        stream_id, unordered = chance.randrange(STREAMS), chance.random() < 0.3
        self.messages.append((stream_id, unordered, data))
        life = math.inf
        if chance.random() < 0.6:
            self.mortal.add(number)
            life = chance.choice((0.0, 0.05, 0.3, 2.0, 100.0))
        message = Message(stream_id, number, data, unordered=unordered, context=number, expires_at=pair.now + life)
        self.node.association.send(message, pair.now)

    def check(self, receiver: Node, where: str) -> Counter[str]:
        """What arrived against what was sent and reported; how often what happened."""
        failed = self.node.of(SendFailed)
        contexts = [event.context for event in failed]
        assert len(set(contexts)) == len(contexts), f"{where}: reported twice"
        assert set(contexts) <= self.mortal, f"{where}: without a life time, and given up"
        assert all(event.data == self.messages[event.context][2] for event in failed), where
        arrived = [event.ppid for event in receiver.messages]
        assert len(set(arrived)) == len(arrived), f"{where}: delivered twice"
        for event in receiver.messages:
            assert (event.stream_id, event.unordered, event.data) == self.messages[event.ppid], where
        missing = set(range(len(self.messages))) - set(arrived)
        assert missing <= set(contexts), f"{where}: neither delivered nor reported: {missing - set(contexts)}"
        unsent = {event.context for event in failed if not event.sent}
        assert not unsent & set(arrived), f"{where}: delivered though reported unsent"
        for stream_id in range(STREAMS):
            order = [e.ppid for e in receiver.messages if e.stream_id == stream_id and not e.unordered]
            assert order == sorted(order), f"{where}: stream {stream_id} out of order"
        return Counter(
            unsent=len(unsent),
            given_up=len(contexts) - len(unsent),
            arrived_nevertheless=len(set(contexts) & set(arrived)),
            in_time=len(self.mortal - set(contexts)),
        )


def live(seed: int) -> Counter[str]:
    chance = Random(seed)
    pair = Pair(
        seed,
        link=network_of(chance),
        config=replace(PATIENT, receive_buffer=chance.choice((212_992, 30_000, 8_000, 4_000))),
        mtu=chance.choice((1_500, 600, 9_000)),
        batching=chance.choice((0.0, 0.01)),
        entropy=chance.choice((SeededEntropy, WrappingEntropy)),
        tracing=False,
    )
    pair.settings.outbound_streams = STREAMS
    pair.settings.no_delay = chance.random() < 0.5
    pair.associate()
    pair.until(lambda: bool(pair.a.of(AssociationUp)) and bool(pair.b.of(AssociationUp)), 10_000)
    loads = [Load(node) for node in pair.nodes]
    pair.b.reading = chance.random() < 0.8
    for _ in range(chance.randrange(60)):
        chance.choice(loads).send(pair, chance)
        if chance.random() < 0.3:
            pair.run(chance.random() * 0.3)
    pair.b.reading = True
    pair.run(chance.choice((0.0, 0.5, 20.0)))
    for node in chance.choice((pair.nodes, pair.nodes[:1], pair.nodes[1:])):
        for association in list(node.endpoint.associations.values()):
            association.shutdown(pair.now)
    pair.until(lambda: all(node.of(AssociationClosed) or node.of(AssociationLost) for node in pair.nodes), 10_000)
    pair.run(10)
    pair.check_gone()
    total: Counter[str] = Counter()
    for load, receiver in zip(loads, reversed(pair.nodes), strict=True):
        total += load.check(receiver, f"{load.node.name} to {receiver.name}")
    return total


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_each_message_arrives_once_or_is_reported(first: int) -> None:
    total: Counter[str] = Counter()
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        try:
            total += live(seed)
        except BaseException as error:
            error.args = (f"seed {seed}: {error.args[0] if error.args else ''}", *error.args[1:])
            raise
    # All of it does occur.
    assert SEEDS % CHUNK or min(total["unsent"], total["given_up"], total["in_time"]) > 0, total
