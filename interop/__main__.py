"""`python -m interop`: run the matrix of real peers and print a table."""

from __future__ import annotations

import argparse
import fnmatch
import json
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path

from interop import document, known, matrix, network
from interop.lab import ROOT, Lab, Unavailable
from interop.scenarios import Cell, Result

RUN_TIMEOUT = {False: 420.0, True: 1_200.0}  # no cell is begun later, in seconds; by `long`
LANES = ("usrsctp", "linux")
"""Peers whose cells run at the same time, in networks of their own."""


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen cells; return 0 when none failed (and, with --require, none was skipped that is not listed)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parse(arguments)
    cells = matrix.self_test() if options.self_test else matrix.matrix(long=options.long)
    if options.only:
        cells = [cell for cell in cells if fnmatch.fnmatch(cell.name, f"*{options.only}*")]
    if options.lane:
        cells = [cell for cell in cells if _lane(cell) == options.lane]
    if not cells:
        print(f"no cell's name matches {options.only!r}; --list shows them", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(cell.name for cell in cells))
        return 0
    build = network.build_folder()
    if build is not None:
        (build / network.SUMMARY).write_text(json.dumps(_run(cells, options, build)))
        return 0
    begin = time.monotonic()
    reason = network.why_not()
    if reason is None:
        lanes = [lane for lane in LANES if any(_lane(cell) == lane for cell in cells)]
        outcomes = [*chain(*network.reexec([[*arguments, "--lane", lane] for lane in lanes], ROOT))]
    else:
        outcomes = [_tell(cell, "SKIP", 0.0, reason) for cell in cells]
    missing = len(cells) - len(outcomes)
    print(f"took {time.monotonic() - begin:.1f} s")
    if options.document and not missing:
        document.write(outcomes, ROOT)
    return _summary(outcomes, missing, options.require)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m interop", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--only", metavar="PATTERN", help="run the cells whose name contains PATTERN (* and ? match)")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and end")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep each cell's captures and logs in DIR/CELL")
    parser.add_argument(
        "--self-test", action="store_true", help="run the peers against each other, without pysctpstack"
    )
    parser.add_argument("--long", action="store_true", help="load for 30 s, idle for 45 s, instead of 3 s each")
    parser.add_argument(
        "--require", action="store_true", help="a skipped cell is a failure, unless interop/known.py lists it"
    )
    parser.add_argument("--document", action="store_true", help="write the table to docs/interop.md")
    parser.add_argument("--lane", choices=LANES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _lane(cell: Cell) -> str:
    return "linux" if any(party.startswith("linux") for party in (cell.client, cell.server)) else "usrsctp"


def _run(cells: list[Cell], options: argparse.Namespace, build: Path) -> list[dict[str, str]]:
    outcomes = []
    begin = time.monotonic()
    with Lab(build) as lab:
        for cell in cells:
            folder = (options.keep or build / "cells") / cell.slug
            folder.mkdir(parents=True, exist_ok=True)
            try:
                reason = known.why_unable(cell.name)
                if reason is not None:
                    raise Unavailable(reason)
                if time.monotonic() - begin > RUN_TIMEOUT[options.long]:
                    result = Result([f"not run: the run has taken more than {RUN_TIMEOUT[options.long]:.0f} s"])
                else:
                    result = cell.run(lab, folder)
            except Unavailable as unavailable:
                outcomes.append(_tell(cell, "SKIP", 0.0, str(unavailable)))
                continue
            except Exception as error:  # one cell's accident is not the run's
                result = Result([f"{type(error).__name__}: {error}"])
            remark = f"\n{'':47}".join(result.problems) or ", ".join(result.notes)
            outcomes.append(_tell(cell, "FAIL" if result.problems else "PASS", result.seconds, remark))
    return outcomes


def _tell(cell: Cell, verdict: str, seconds: float, remark: str) -> dict[str, str]:
    # One write: two runs share the terminal.
    sys.stdout.write(f"{cell.name:38} {verdict} {seconds:6.2f} s  {remark}".rstrip() + "\n")
    sys.stdout.flush()
    return {"name": cell.name, "verdict": verdict, "remark": remark}


def _summary(outcomes: list[dict[str, str]], missing: int, require: bool) -> int:
    counts = Counter(outcome["verdict"] for outcome in outcomes)
    unlisted = [
        outcome["name"]
        for outcome in outcomes
        if outcome["verdict"] == "SKIP" and known.why_unable(outcome["name"]) is None
    ]
    if missing:
        print(f"{missing} cells have not been run: a run ended early")
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] or missing or (require and unlisted) else 0


if __name__ == "__main__":
    sys.exit(main())
