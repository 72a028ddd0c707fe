"""``python -m tools.bench``: measure, print the tables, write them down."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tools.bench import build, chart, docs, machine, profiling
from tools.bench.bench import DEFAULT_SIZES, Bench, Options
from tools.bench.contenders import PORTS, ours
from tools.bench.errors import RunFailed
from tools.bench.measures import core, goodput, latency, memory, micro, one_process, scale, setup
from tools.bench.results import Results, from_json, to_json
from tools.bench.table import report

MEASURES: dict[str, ModuleType] = {
    "goodput": goodput,
    "ping-pong": latency,
    "setup": setup,
    "memory": memory,
    "scale": scale,
    "core": core,
    "one-process": one_process,
    "micro": micro,
}
CHART_SERIES = ("ours", "usrsctp", "ours, levers off")
PROFILE_LINES = 20
QUICK_SECONDS = 0.5
QUICK_ASSOCIATIONS = 1_000


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="python -m tools.bench",
        description=f"Measure this stack beside usrsctp, aiortc and bare UDP, in turn, on this machine. {build.NEEDS}",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    result.add_argument(
        "--only", nargs="+", choices=list(MEASURES), default=[], metavar="MEASURE", help=f"of {list(MEASURES)}"
    )
    result.add_argument("--contenders", nargs="+", default=[], metavar="NAME", help="as in the tables; none: all")
    result.add_argument(
        "--sizes", nargs="+", type=int, default=list(DEFAULT_SIZES), metavar="BYTES", help="of messages"
    )
    result.add_argument(
        "--quick", action="store_true", help="short runs, once each, fewer associations: a look, no result"
    )
    result.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each contender")
    result.add_argument("--seconds", type=float, default=2.0, metavar="S", help="of one run")
    result.add_argument(
        "--mtu", type=int, default=1_500, metavar="BYTES", help="path MTU of ours; usrsctp knows no other than 1,500"
    )
    result.add_argument("--associations", type=int, default=10_000, metavar="N", help="the most in one process")
    result.add_argument(
        "--first-udp-port", type=int, default=12_000, metavar="PORT", help=f"of {PORTS} that may be used"
    )
    result.add_argument("--json", type=Path, metavar="FILE", help="write every sample")
    result.add_argument(
        "--from", type=Path, metavar="FILE", dest="source", help="measure nothing: take what --json wrote"
    )
    result.add_argument("--chart", type=Path, metavar="FILE", help="draw goodput as SVG")
    result.add_argument(
        "--profile",
        action="store_true",
        help="profile both ends at the first of --sizes instead, by samples and by calls",
    )
    result.add_argument("--docs", action="store_true", help=f"write into {docs.PAGE.name} as well, and its chart")
    return result


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if min(options.repeat, options.associations, *options.sizes) < 1 or options.seconds <= 0:
        parser().error("--repeat, --associations, --sizes and --seconds are above 0")
    if options.quick:
        options.seconds, options.repeat = QUICK_SECONDS, 1
        options.associations = min(options.associations, QUICK_ASSOCIATIONS)
    bench = Bench(
        Options(
            seconds=options.seconds,
            repeat=options.repeat,
            sizes=options.sizes,
            mtu=options.mtu,
            associations=options.associations,
            first_udp_port=options.first_udp_port,
            contenders=frozenset(options.contenders),
        )
    )
    if options.profile:
        return profile(bench, options.sizes[0], write=options.docs)
    if options.source:
        results, facts, run = load(options.source)
    else:
        facts = machine.description()
        started = time.monotonic()
        interrupted = ""
        try:
            for name in options.only or MEASURES:
                MEASURES[name].run(bench)
        except KeyboardInterrupt:
            interrupted = ", interrupted"
        results = bench.results
        run = {"runs": description(options, time.monotonic() - started) + interrupted}
    text = report(results, facts, run)
    if options.json:
        saved = {"machine": facts, "run": run, "rows": to_json(results)}
        options.json.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
    drawing = draw(results)
    if options.chart and not drawing:
        print("python -m tools.bench: no goodput was measured that could be drawn", file=sys.stderr)
    elif options.chart:
        options.chart.write_text(drawing, encoding="utf-8")
    if options.docs:
        docs.write("results", text)
        if drawing:
            docs.CHART.write_text(drawing, encoding="utf-8")
    print(text)  # last: whatever becomes of standard output, what was measured is in the files
    return 1 if any(row.problem.startswith("FAILED") for row in results) else 0


def description(options: argparse.Namespace, seconds: float) -> str:
    quick = "quick, " if options.quick else ""
    return (
        f"{quick}{options.repeat} of {options.seconds:g} s each, in turn, path MTU {options.mtu or 'of the route'}; "
        f"{seconds / 60:.0f} minutes in all"
    )


def load(path: Path) -> tuple[Results, dict[str, str], dict[str, str]]:
    saved = json.loads(path.read_text(encoding="utf-8"))
    return from_json(saved["rows"]), saved["machine"], saved["run"]


def draw(results: Results) -> str:
    """Goodput by size; empty when there is none."""
    rows = [row for row in results.of(goodput.GOODPUT) if row.samples and row.contender in CHART_SERIES]
    if not rows:
        return ""
    cases = list(dict.fromkeys(row.case for row in rows))
    medians = {(row.contender, row.case): row.median for row in rows}
    series = {name: [medians.get((name, case)) for case in cases] for name in CHART_SERIES}
    return chart.bars("Goodput one way by size of message", "MB/s", cases, series)


def profile(bench: Bench, size: int, *, write: bool) -> int:
    """Where the time goes at both ends while messages of this size go one way: samples, then calls."""
    with tempfile.TemporaryDirectory() as directory:
        texts = []
        for counting in (False, True):
            prefix = str(Path(directory) / ("calls" if counting else "samples"))
            contender = ours(bench.options.mtu).with_arguments("--count-calls", int(counting))
            try:
                sample = goodput.goodput(bench, contender, size, goodput.buffers(size), profile=prefix)
            except RunFailed as error:
                print(f"python -m tools.bench: {error}", file=sys.stderr)
                return 1
            parts = [f"Messages of {size:,} B, {sample[goodput.GOODPUT]:.0f} MB/s meanwhile."]
            for role, end in (("client", "sending"), ("server", "receiving")):
                found = (profiling.counted if counting else profiling.sampled)(f"{prefix}-{role}", PROFILE_LINES)
                parts.append(f"### The {end} end\n\n{found}")
            texts.append("\n\n".join(parts))
    print("\n\n".join(("## Samples", texts[0], "## Calls", texts[1])))
    if write:
        docs.write("profile", texts[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
