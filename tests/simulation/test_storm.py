"""Thousands of storms: loss, reordering, duplicates, damage, narrow lines, dead paths, NATs that forget, crashes.

Each seed is another scenario (`simulation.storm`). A part of them runs with the other tests; the whole with

    PYSCTPSTACK_SEEDS=10000 python -m pytest tests/simulation/test_storm.py --timeout 3600

and ``PYSCTPSTACK_FIRST_SEED`` begins elsewhere. A failure names its seed; to see it alone, with every packet:

    PYTHONPATH=tests python -m simulation.storm SEED
"""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections import Counter

import pytest
from simulation.storm import CLIENT, LONGEST, SERVER, Scenario, Storm, draw

SEEDS = int(os.environ.get("PYSCTPSTACK_SEEDS", "300"))
FIRST = int(os.environ.get("PYSCTPSTACK_FIRST_SEED", "0"))
CHUNK = 50


def play(seed: int) -> Counter[str]:
    scenario = draw(seed)
    try:
        return Storm(scenario).play()
    except BaseException as error:
        error.args = (f"seed {seed}: {error.args[0] if error.args else ''}", *error.args[1:])
        raise


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, CHUNK))
def test_each_message_once_and_in_order_or_a_report_and_nothing_left(first: int) -> None:
    total: Counter[str] = Counter()
    for seed in range(first, min(first + CHUNK, FIRST + SEEDS)):
        total += play(seed)
    if not SEEDS % CHUNK:
        # All of it does occur, and most of what is sent arrives.
        for what in ("closed", "TIMED_OUT", "ABORTED", "rebound", "client restarted", "server restarted"):
            assert total[what] > 0, total
        assert total["delivered"] > total["not delivered"]
