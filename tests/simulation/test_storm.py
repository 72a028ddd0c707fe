"""Thousands of storms: loss, reordering, duplicates, damage, narrow lines, dead paths, NATs that forget, crashes.

Each seed is another scenario (`simulation.scenarios`). A part of them runs with the other tests; the whole with

    PYSCTPSTACK_SEEDS=10000 python -m pytest tests/simulation/test_storm.py

and ``PYSCTPSTACK_FIRST_SEED`` begins elsewhere. A failure names its seed; to see it alone, with every packet:

    PYTHONPATH=tests python -m simulation.storm SEED
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections import Counter
from itertools import count

import pytest
from simulation.scenarios import draw
from simulation.storm import Storm

SEEDS = int(os.environ.get("PYSCTPSTACK_SEEDS", "1000"))
FIRST = int(os.environ.get("PYSCTPSTACK_FIRST_SEED", "0"))
CHUNK = 100


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_each_message_once_and_in_order_or_a_report_and_nothing_left(first: int) -> None:
    total: Counter[str] = Counter()
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        try:
            total += Storm(draw(seed)).play()
        except BaseException as error:
            error.args = (f"seed {seed}: {error.args[0] if error.args else ''}", *error.args[1:])
            raise
    if not SEEDS % CHUNK:
        # All of it does occur, and most of what is sent arrives.
        for what in ("closed", "TIMED_OUT", "ABORTED", "LOCAL", "rebound", "client restarted", "server restarted"):
            assert total[what] > 0, total
        assert total["delivered"] > total["not delivered"], total


def objects_of_the_core() -> Counter[str]:
    gc.collect()
    kinds = (type(thing) for thing in gc.get_objects())
    return Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("pysctpstack.core."))


LONG_LIVED = [
    next(
        seed
        for seed in count()
        if (scenario := draw(seed)).merciful
        and (scenario.nat is not None) == nat
        and len(scenario.addresses[1]) == addresses
        and sum(step.what == "send" for step in scenario.steps) > 20
        and scenario.link.loss == 0.1
    )
    for nat, addresses in ((False, 1), (False, 2), (True, 1), (True, 2))
]


@pytest.mark.parametrize("seed", LONG_LIVED)
def test_memory_is_back_to_the_start(seed: int) -> None:
    """The same endpoints live through the same storm again and again."""
    storm = Storm(draw(seed))
    delivered = 0

    def again(times: int) -> None:
        nonlocal delivered
        for _ in range(times):
            delivered += storm.play()["delivered"]
            storm.forget()

    again(5)
    objects = objects_of_the_core()
    tracemalloc.start()
    try:
        again(1)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        again(15)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert objects_of_the_core() == objects
    # Neither a TCB (some 10 kB) for each association, nor a message (1 kB) for each.
    assert after - before < 8_000, (before, after)
    # It is measured at all.
    assert peak - before > 20_000
    assert delivered > 21 * 5
