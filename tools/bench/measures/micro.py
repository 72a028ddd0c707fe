"""Micro-benchmarks of the hot files; `tools.bench.micro` runs them in a process of its own."""

from __future__ import annotations

import sys

from tools.bench.bench import Bench
from tools.bench.errors import RunFailed
from tools.bench.process import run_program

MEASURE = "hot files"
NAME = "ours"
UNIT = "ns"
REPEAT = 3


def run(bench: Bench) -> None:
    for _ in range(min(REPEAT, bench.options.repeat)):
        try:
            cases = run_program("micro-benchmarks", [sys.executable, "-m", "tools.bench.micro"], 120.0)
        except RunFailed as error:
            bench.results.row(MEASURE, "all", NAME, UNIT).problem = f"FAILED: {error}"
            return
        for case, outcome in cases.items():
            row = bench.results.row(MEASURE, case, NAME, UNIT)
            if "ns" in outcome:
                row.samples.append(outcome["ns"])
                bench.say(f"{case}: {outcome['ns']:.0f} ns")
            else:
                row.problem = f"FAILED: {outcome['problem']}"
                bench.say(f"{case}: {row.problem}")
