"""Beside aiortc's SCTP transport, both ends in one process.

aiortc and our core hand packets over in memory, with the same user data in a packet at most. "aiortc" is driven as
directly as can be, "aiortc, data channels" as programs do. "ours, sockets" is two stacks with their threads and real
UDP in one process.
"""

from __future__ import annotations

import sys
from functools import partial

from tools.bench import build
from tools.bench.bench import Bench, Sample
from tools.bench.errors import RunFailed
from tools.bench.measures.core import NAME as CORE
from tools.bench.process import run_program

MEASURE = "both ends in one process"
UNITS = {MEASURE: "MB/s"}
AIORTC = "aiortc"
CHANNELS = "aiortc, data channels"
SOCKETS = "ours, sockets"
PAYLOAD = 1_160
"""The user data that aiortc puts into a packet at most."""
MTU = PAYLOAD + 16 + 12 + 8 + 20
"""With the same: headers of DATA, SCTP, UDP and IPv4."""
SIZES = (1_200, PAYLOAD, 65_536)


def run(bench: Bench) -> None:
    for size in SIZES:
        runs = {
            CORE: partial(core, bench, size),
            AIORTC: partial(aiortc, bench, size, "core"),
            CHANNELS: partial(aiortc, bench, size, "channels"),
            SOCKETS: partial(sockets, bench, size),
        }
        bench.alternate(f"{size:,} B", runs, UNITS, baseline=AIORTC)


def core(bench: Bench, size: int) -> Sample:
    seconds = bench.options.seconds
    argv = [sys.executable, "-m", "tools.bench.core_loop", str(size), str(MTU), str(seconds)]
    result = run_program(CORE, argv, seconds + 60.0)
    return {MEASURE: result["bytes"] / result["seconds"] / 1e6}


def aiortc(bench: Bench, size: int, way: str) -> Sample:
    seconds = bench.options.seconds
    argv = [str(build.aiortc_python()), "-m", "tools.bench.aiortc_peer", way, str(size), str(seconds)]
    result = run_program(AIORTC, argv, seconds + 60.0)
    if result["payload"] != PAYLOAD:
        raise RunFailed(f"aiortc puts {result['payload']} bytes into a packet, {PAYLOAD} were expected")
    return {MEASURE: result["bytes"] / result["seconds"] / 1e6}


def sockets(bench: Bench, size: int) -> Sample:
    seconds = bench.options.seconds
    port = bench.pairs.next_port()
    argv = [sys.executable, "-m", "tools.bench.one_process", str(size), str(MTU), str(seconds), str(port)]
    result = run_program(SOCKETS, argv, seconds + 60.0)
    if result["bytes"] + result["first_bytes"] != result["sent"]:
        raise RunFailed(f"{result['sent']} bytes were sent, {result['bytes'] + result['first_bytes']} arrived")
    return {MEASURE: result["bytes"] / result["seconds"] / 1e6}
