"""Whole associations over bad networks: every message exactly once, in order, and nothing left behind.

Each seed is another network, another load and another way to close. ``PYSCTPSTACK_SEEDS`` sets how many are run; the
seed of a failure is in its message, and ``PYSCTPSTACK_FIRST_SEED`` starts there.
"""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import pytest
from support.pair import Pair, WrappingEntropy

from pysctpstack.config import Config
from pysctpstack.events import AssociationClosed, AssociationLost, AssociationUp
from pysctpstack.testing import Link, SeededEntropy

SEEDS = int(os.environ.get("PYSCTPSTACK_SEEDS", "2000"))
FIRST = int(os.environ.get("PYSCTPSTACK_FIRST_SEED", "0"))
CHUNK = 100
#: In 20 % loss each way a handshake and a shutdown need more patience than by default; loss is not what ends them here.
PATIENT = Config(max_init_retransmits=30, association_max_retrans=50, path_max_retrans=50, shutdown_guard=100_000.0)


def network_of(chance: Random) -> Link:
    return Link(
        latency=chance.choice((0.001, 0.02, 0.1)),
        jitter=chance.choice((0.0, 0.005, 0.05)),
        loss=chance.choice((0.0, 0.02, 0.1, 0.2)),
        duplicate=chance.choice((0.0, 0.05, 0.2)),
        reorder=chance.choice((0.0, 0.05, 0.2)),
        corrupt=chance.choice((0.0, 0.0, 0.02)),
        rate=chance.choice((0, 0, 2_000_000)),
    )


def load(pair: Pair, chance: Random) -> None:
    """Queue messages at each end, some while others are under way."""
    for node in pair.nodes:
        for _ in range(chance.randrange(30)):
            size = chance.choice((1, 3, 100, 1_452, 1_453, chance.randrange(1, 3_000), chance.randrange(1, 20_000)))
            unordered = chance.random() < 0.2
            # The streams of the smaller end.
            stream_id = chance.randrange(4)
            if chance.random() < 0.2:
                pair.run(chance.random() * 0.2)
            pair.send(node, size, stream_id, unordered=unordered)


def live(seed: int) -> None:
    chance = Random(seed)
    pair = Pair(
        seed,
        link=network_of(chance),
        config=replace(PATIENT, receive_buffer=chance.choice((212_992, 212_992, 30_000, 8_000, 4_000))),
        mtu=chance.choice((1_500, 1_500, 600, 9_000, 65_535)),
        batching=chance.choice((0.0, 0.0, 0.01)),
        entropy=chance.choice((SeededEntropy, WrappingEntropy)),
        tracing=False,
    )
    pair.settings.outbound_streams = 4
    pair.settings.no_delay = chance.random() < 0.5
    pair.associate()
    both_up = lambda: bool(pair.a.of(AssociationUp)) and bool(pair.b.of(AssociationUp))  # noqa: E731
    pair.until(both_up, 10_000)
    load(pair, chance)
    pair.run(chance.choice((0.0, 0.1, 5.0)))
    closing = chance.choice((pair.nodes, pair.nodes[:1], pair.nodes[1:]))
    for node in closing:
        for association in list(node.endpoint.associations.values()):
            association.shutdown(pair.now)
        if chance.random() < 0.5:
            pair.run(chance.random() * 0.3)
    pair.until(lambda: all(node.of(AssociationClosed) or node.of(AssociationLost) for node in pair.nodes), 10_000)
    # What is still under way, duplicates for instance, finds nobody and leaves nothing.
    pair.run(10)
    pair.check_delivery()
    pair.check_gone()


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_every_message_arrives_once_and_in_order(first: int) -> None:
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        try:
            live(seed)
        except BaseException as error:
            error.args = (f"seed {seed}: {error.args[0] if error.args else ''}", *error.args[1:])
            raise
