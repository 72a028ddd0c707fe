"""`python -m interop`: run the matrix of real peers and print a table."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import time
from pathlib import Path

from interop import matrix, network
from interop.lab import ROOT, Lab, Unavailable
from interop.scenarios import Cell, Result

RUN_TIMEOUT = 210.0  # no cell is begun later than this many seconds into the run


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen cells; return 0 when none failed (and, with --require, none was skipped)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parse(arguments)
    cells = matrix.self_test() if options.self_test else matrix.matrix()
    if options.only:
        cells = [cell for cell in cells if fnmatch.fnmatch(cell.name, f"*{options.only}*")]
    if not cells:
        print(f"no cell's name matches {options.only!r}; --list shows them", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join(cell.name for cell in cells))
        return 0
    build = network.build_folder()
    if build is not None:
        return _run(cells, options, build)
    reason = network.why_not()
    if reason is None:
        return network.reexec(arguments, ROOT)
    for cell in cells:
        _print(cell, "SKIP", 0.0, reason)
    return _summary(0, 0, len(cells), options.require)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m interop", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("--only", metavar="PATTERN", help="run the cells whose name contains PATTERN (* and ? match)")
    parser.add_argument("--list", action="store_true", help="print the names of the cells and end")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep each cell's captures and logs in DIR/CELL")
    parser.add_argument(
        "--self-test", action="store_true", help="run the peers against each other, without pysctpstack"
    )
    parser.add_argument("--require", action="store_true", help="a skipped cell is a failure")
    return parser.parse_args(arguments)


def _run(cells: list[Cell], options: argparse.Namespace, build: Path) -> int:
    passed = failed = skipped = 0
    begin = time.monotonic()
    with Lab(build) as lab:
        for cell in cells:
            folder = (options.keep or build / "cells") / cell.slug
            folder.mkdir(parents=True, exist_ok=True)
            try:
                if time.monotonic() - begin > RUN_TIMEOUT:
                    result = Result([f"not run: the run has taken more than {RUN_TIMEOUT:.0f} s"])
                else:
                    result = cell.run(lab, folder)
            except Unavailable as reason:
                skipped += 1
                _print(cell, "SKIP", 0.0, str(reason))
                continue
            except Exception as error:  # one cell's accident is not the run's
                result = Result([f"{type(error).__name__}: {error}"])
            if result.problems:
                failed += 1
                _print(cell, "FAIL", result.seconds, result.problems[0])
                for problem in result.problems[1:]:
                    print(f"{'':47}{problem}")
            else:
                passed += 1
                _print(cell, "PASS", result.seconds, ", ".join(result.notes))
    print(f"took {time.monotonic() - begin:.1f} s")
    return _summary(passed, failed, skipped, options.require)


def _print(cell: Cell, verdict: str, seconds: float, remark: str) -> None:
    print(f"{cell.name:32} {verdict} {seconds:6.2f} s  {remark}".rstrip(), flush=True)


def _summary(passed: int, failed: int, skipped: int, require: bool) -> int:
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or (require and skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
