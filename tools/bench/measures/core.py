"""The sans-IO core alone: both ends in one process and one thread, no sockets."""

from __future__ import annotations

import sys
from functools import partial

from tools.bench.bench import Bench, Sample
from tools.bench.process import run_program

MEASURE = "sans-IO core, both ends in one process"
SEND = "core, sending end"
RECEIVE = "core, receiving end"
UNITS = {MEASURE: "MB/s", SEND: "us/packet", RECEIVE: "us/packet"}
NAME = "ours, core"


def run(bench: Bench) -> None:
    for size in bench.options.sizes:
        bench.alternate(f"{size:,} B", {NAME: partial(core, bench, size, bench.options.mtu or 1_500)}, UNITS)


def core(bench: Bench, size: int, mtu: int) -> Sample:
    seconds = bench.options.seconds
    argv = [sys.executable, "-m", "tools.bench.core_loop", str(size), str(mtu), str(seconds)]
    result = run_program(NAME, argv, seconds + 60.0)
    return {
        MEASURE: result["bytes"] / result["seconds"] / 1e6,
        SEND: result["sender_seconds"] / result["packets"] * 1e6,
        RECEIVE: result["receiver_seconds"] / result["packets"] * 1e6,
    }
