"""How much of a line a transfer uses: this stack, usrsctp, and what Mathis et al. have for Reno.

    python -m tools.congestion                     measure everything, and write docs/congestion.json and the page
    python -m tools.congestion --only simulated    only this stack in virtual time (usrsctp, ours: over the relay)
    python -m tools.congestion --page              only write the table of docs/congestion.md from docs/congestion.json
    python -m tools.congestion --check             only say whether the page is up to date (exit status 1: it is not)

One association in one direction over a bottleneck with a queue of one bandwidth-delay product. usrsctp is built as for
`python -m tools.bench`, which says what that needs. Runs over the relay take their full time; those with loss leave the
machine nearly idle and go several at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from itertools import repeat
from pathlib import Path
from typing import Any

from tools.bench.build import usrsctp_program
from tools.bench.errors import Unavailable
from tools.bench.machine import description
from tools.bench.process import Process
from tools.congestion.lines import BUFFER, GRID, PAYLOAD, ROOT, Bottleneck, Line

RESULTS = ROOT / "docs" / "congestion.json"
PAGE = ROOT / "docs" / "congestion.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->\n"
KINDS = ("simulated", "usrsctp", "ours")
CROSS_CHECK = {
    Line(0.01, 10_000_000),
    Line(0.01, 100_000_000, 0.001),
    Line(0.05, 10_000_000, 0.01),
    Line(0.05, 100_000_000, 0.001),
    Line(0.05, 10_000_000, 0.03),
    Line(0.2, 10_000_000),
    Line(0.2, 100_000_000, 0.01),
}
"""Where this stack runs over the relay too."""
LATE = 0.2
"""RTTs by which the relay may be late at the 99th percentile."""
MOST_AGAIN = 1.2
"""Retransmissions for each packet that the line lost."""
PORTS = 4
"""UDP ports of a run."""
CONNECTS_IN = 2.0

Result = dict[str, Any]


def key(line: Line) -> str:
    return f"{1_000 * line.rtt:g} ms, {line.rate / 1e6:g} Mbit/s, {100 * line.loss:g} %"


def warm_up(line: Line) -> float:
    """Seconds after which slow start and the repair of what it overflowed are over."""
    return 5 + 20 * line.rtt


def simulate(line: Line, seed: int, seconds: float) -> Result:
    bottleneck = Bottleneck(line, seed)
    (goodput,) = bottleneck.goodput(warm_up(line), seconds)
    (flow,) = bottleneck.flows
    return {
        "bits_per_second": goodput,
        "timeouts": len(flow.timeouts),
        "retransmissions": flow.statistics.chunks_retransmitted,
    }


def relay(line: Line, seed: int, seconds: float, first_port: int, program: list[str]) -> Result:
    """A transfer in real time between two processes of ``program``, over the relay."""
    client, near, far, server = range(first_port, first_port + PORTS)
    shape = [str(value) for value in (near, far, server, line.rtt, line.rate, line.loss, seed)]
    until = warm_up(line) + seconds
    patience = until + 30
    with Process("relay", [sys.executable, "-m", "tools.congestion.relay", *shape], {}) as between:
        between.result(10)
        told = [str(value) for value in (server, far, BUFFER, warm_up(line), seconds)]
        with Process("receiver", [*program, "receive", *told], {}) as receiver:
            receiver.result(10)
            told = [str(value) for value in (client, near, BUFFER, PAYLOAD, until + CONNECTS_IN)]
            with Process("sender", [*program, "send", *told], {}) as sender:
                result = receiver.result(patience)
                result.update(sender.result(patience))
    # Leaving it has closed the relay's standard input, which ends it.
    result["relay"] = between.result(10)
    return result


def measure(options: argparse.Namespace, results: Result) -> None:
    lines = [line for line in GRID if not options.line or key(line) in options.line]
    if "simulated" in options.only:
        jobs = [(line, seed) for line in lines for seed in range(1, 1 + options.seeds)]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            done = list(pool.map(simulate, *zip(*jobs, strict=True), repeat(options.seconds)))
        for line in lines:
            mine = [result for (of, _), result in zip(jobs, done, strict=True) if of == line]
            results["lines"].setdefault(key(line), {})["simulated"] = mine
    programs: dict[str, list[str]] = {"ours": [sys.executable, "-m", "tools.congestion.flow"]}
    if "usrsctp" in options.only:
        programs["usrsctp"] = [str(usrsctp_program(Path(__file__).with_name("usrsctp_flow.c")))]
    for kind in ("usrsctp", "ours"):
        if kind not in options.only:
            continue
        chosen = [line for line in lines if kind == "usrsctp" or line in CROSS_CHECK]
        runs = [(line, seed) for line in chosen for seed in range(1, 1 + options.runs)]
        # A line that is filled at 100 Mbit/s takes a good part of a core: those go one by one.
        for together in (1, options.parallel):
            now = [run for run in runs if (run[0].bound < 20e6) == (together > 1)]
            ports = [options.first_udp_port + PORTS * (number % 100) for number in range(len(now))]
            with ThreadPoolExecutor(together) as threads:
                done = list(
                    threads.map(
                        relay,
                        [line for line, _ in now],
                        [seed for _, seed in now],
                        repeat(options.seconds),
                        ports,
                        repeat(programs[kind]),
                    )
                )
            for line in {line for line, _ in now}:
                mine = [result for (of, _), result in zip(now, done, strict=True) if of == line]
                results["lines"].setdefault(key(line), {})[kind] = mine


def median(runs: list[Result]) -> float:
    return float(statistics.median(run["bits_per_second"] for run in runs))


def megabits(runs: list[Result] | None) -> str:
    return f"{median(runs) / 1e6:.2f}" if runs else "-"


def disturbed(line: Line, runs: list[Result] | None) -> bool:
    """Whether a transfer must have felt more than the line: a late relay, or packets lost elsewhere."""
    for run in runs or []:
        packets = run["relay"]["packets"]
        lost = packets.get("there lost", 0) + packets.get("there dropped_queue", 0)
        if run["relay"]["late_p99"] > LATE * line.rtt or run["retransmissions"] > MOST_AGAIN * lost + 5:
            return True
    return False


def timeouts(runs: list[Result] | None) -> str:
    return f"{statistics.mean(run['timeouts'] for run in runs):.1f}" if runs else "-"


def ratio(runs: list[Result] | None, to: float) -> str:
    if not runs or not to:
        return "-"
    return f"{median(runs) / to:.2f}"


def table(results: Result) -> str:
    head = (
        "RTT",
        "rate",
        "loss",
        "bound",
        "this stack",
        "of the bound",
        "usrsctp",
        "this stack to usrsctp",
        "T3, this stack",
        "T3, usrsctp",
        "this stack over the relay",
    )
    rows = [head, ("---:",) * len(head)]
    late: list[Result] = []
    for line in GRID:
        of = results["lines"].get(key(line), {})
        ours, theirs, real = (of.get(kind) for kind in KINDS)
        late += [run["relay"] for run in [*(theirs or []), *(real or [])]]
        rows.append(
            (
                *key(line).split(", "),
                f"{line.bound / 1e6:.2f}",
                megabits(ours),
                ratio(ours, line.bound),
                megabits(theirs) + "\\*" * disturbed(line, theirs),
                "-" if disturbed(line, theirs) else ratio(ours, median(theirs) if theirs else 0.0),
                timeouts(ours),
                timeouts(theirs),
                megabits(real) + "\\*" * disturbed(line, real),
            )
        )
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    if late:
        ninety_nine = sorted(run["late_p99"] for run in late)
        text += (
            f"\n\\*: in one run at least the relay was late by more than {LATE:g} RTTs at the 99th percentile, the "
            f"machine being busy, or more than {MOST_AGAIN:g} packets were sent again for each that the line lost, so "
            "that some were lost elsewhere or sent again without need. No ratio is given for those.\n"
            f"\nMeasured on {results['date']}: {results['machine']}. The relay sent what was due "
            f"{1e6 * statistics.median(run['late_median'] for run in late):.0f} µs late in the median. The 99th "
            f"percentile was {1e3 * statistics.median(ninety_nine):.2f} ms in the median run and "
            f"{1e3 * ninety_nine[-1]:.2f} ms in the worst one.\n"
        )
    return text


def page(results: Result) -> str:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.congestion", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--line", nargs="+", choices=[key(line) for line in GRID], metavar="LINE", help="default: all")
    parser.add_argument("--seeds", type=int, default=3, help="runs of the simulation (%(default)s)")
    parser.add_argument("--runs", type=int, default=2, help="runs over the relay (%(default)s)")
    parser.add_argument("--seconds", type=float, default=20.0, help="measured after the warm-up (%(default)s)")
    parser.add_argument("--parallel", type=int, default=4, help="runs with loss at a time (%(default)s)")
    parser.add_argument("--first-udp-port", type=int, default=12_500, help="of 400 (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON to add to (%(default)s)")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--check", action="store_true", help="measure nothing, compare the page")
    options = parser.parse_args()
    if options.parallel < 2:
        parser.error("--parallel: 2 at least")
    results: Result = {"lines": {}}
    if options.results.exists():
        results = json.loads(options.results.read_text(encoding="utf-8"))
    if options.check:
        return int(PAGE.read_text(encoding="utf-8") != page(results))
    if not options.page:
        try:
            measure(options, results)
        except Unavailable as error:
            print(f"usrsctp: {error}", file=sys.stderr)
            return 1
        results["date"] = date.today().isoformat()
        machine = description()
        results["machine"] = "; ".join(
            machine[name] for name in ("processor", "system", "Python", "pysctpstack", "usrsctp")
        )
        options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if options.results == RESULTS:
        PAGE.write_text(page(results), encoding="utf-8")
    print(table(results), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
