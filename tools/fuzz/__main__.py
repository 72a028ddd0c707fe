"""``python -m tools.fuzz TARGET --seconds N``: run a target, all, or a family; see docs/fuzzing.md."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tools.fuzz import atheris_engine, random_engine
from tools.fuzz.coverage import Coverage
from tools.fuzz.random_engine import Outcome
from tools.fuzz.target import Findings, Target, minimised, reproducer
from tools.fuzz.targets import all_targets, matching

BUILD = Path("build/fuzz")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tools.fuzz", description="Fuzz this stack.")
    made.add_argument("target", nargs="?", help="a target, a family (association, options ...), or all")
    made.add_argument("--list", action="store_true", help="list the targets")
    made.add_argument("--seconds", type=float, default=10.0, help="for each target (default: %(default)g)")
    made.add_argument("--executions", type=int, help="for each target, at most; the random engine only")
    made.add_argument(
        "--engine", choices=("auto", "atheris", "random"), default="auto", help="default: atheris if here"
    )
    made.add_argument("--unguided", action="store_true", help="the random engine does not look at coverage")
    made.add_argument("--seed", type=int, default=1, help="where chance comes from (default: %(default)s)")
    made.add_argument(
        "--corpus", type=Path, default=BUILD / "corpus", help="where inputs are kept (default: %(default)s)"
    )
    made.add_argument("--findings", type=Path, default=BUILD / "findings", help="likewise (default: %(default)s)")
    made.add_argument("--reproduce", type=Path, metavar="FILE", help="run one input of the target and do nothing else")
    made.add_argument("--minimise", type=Path, metavar="FILE", help="make an input that fails smaller: FILE.min")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the outcome there too")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """0: nothing found. 1: something was, or an input still fails. 2: bad usage."""
    options = parser().parse_args(arguments)
    if options.list:
        for target in all_targets().values():
            print(f"{target.name:42} {target.about}")
        return 0
    if not options.target:
        parser().error("which target? (--list shows them)")
    try:
        targets = matching(options.target)
    except KeyError:
        parser().error(f"no target {options.target!r} (--list shows them)")
    if options.reproduce or options.minimise:
        if len(targets) != 1:
            parser().error("one target, please")
        return reproduce(targets[0], options)
    if options.engine == "atheris" and not atheris_engine.is_available():
        parser().error("atheris is not installed (pip install atheris)")
    guided = options.engine == "atheris" or (options.engine == "auto" and atheris_engine.is_available())
    if not guided:
        print("atheris is not used: the engine is this project's own, random and seeded", flush=True)
    outcomes = {}
    coverage = Coverage()
    for target in targets:
        outcome = with_atheris(target, options) if guided else at_random(target, options)
        outcomes[target.name] = outcome
        print(line(target.name, outcome), flush=True)
        for found in outcome.findings:
            print(f"    FOUND {found}\n    {reproducer(target, Path(found))}", flush=True)
        # What all targets reach together is what the kept inputs of each do.
        random_engine.measure(target, kept_inputs(target, options.corpus), coverage)
    total = sum(outcome.executions for outcome in outcomes.values())
    print(f"{total:,} executions; reached together: {percentages(coverage.reached())}")
    if options.json:
        report = {name: asdict(outcome) for name, outcome in outcomes.items()}
        report["together"] = {"executions": total, "reached": coverage.reached()}
        options.json.write_text(json.dumps(report, indent=1))
    return 1 if any(outcome.findings for outcome in outcomes.values()) else 0


def line(name: str, outcome: Outcome) -> str:
    rate = outcome.executions / outcome.seconds if outcome.seconds else 0.0
    return (
        f"{name:42} {outcome.executions:>12,} executions in {outcome.seconds:6.1f} s ({rate:>9,.0f}/s),"
        f" {outcome.corpus:>5} inputs kept, {percentages(outcome.reached)}, {len(outcome.findings)} findings"
        f" [{outcome.engine}]"
    )


def percentages(reached: dict[str, tuple[int, int]]) -> str:
    return (
        ", ".join(
            f"{package.rpartition('.')[2]} {100 * lines / there:.1f} % of {there} lines"
            for package, (lines, there) in reached.items()
        )
        or "coverage not measured"
    )


def directory_of(target: Target, corpus: Path) -> Path:
    return corpus / target.name.replace("/", ".")


def kept_inputs(target: Target, corpus: Path) -> list[bytes]:
    """The seeds, and what earlier runs kept."""
    directory = directory_of(target, corpus)
    kept = [path.read_bytes() for path in sorted(directory.iterdir())] if directory.is_dir() else []
    return list(dict.fromkeys((*target.seeds(), *kept)))


def with_atheris(target: Target, options: argparse.Namespace) -> Outcome:
    findings = Findings(target, options.findings)
    corpus = directory_of(target, options.corpus)
    outcome = atheris_engine.run(target, findings, corpus, seconds=int(options.seconds), seed=options.seed)
    outcome.reached = random_engine.measure(target, kept_inputs(target, options.corpus), Coverage())
    return outcome


def at_random(target: Target, options: argparse.Namespace) -> Outcome:
    findings = Findings(target, options.findings)
    outcome, kept = random_engine.run(
        target,
        findings,
        kept_inputs(target, options.corpus),
        seconds=options.seconds,
        seed=options.seed,
        coverage=None if options.unguided else Coverage(),
        executions=options.executions or 1 << 62,
    )
    directory = directory_of(target, options.corpus)
    directory.mkdir(parents=True, exist_ok=True)
    seeds = set(target.seeds())
    for data in kept:
        if data not in seeds:
            (directory / random_engine.name_of(data)).write_bytes(data)
    return outcome


def reproduce(target: Target, options: argparse.Namespace) -> int:
    path = options.reproduce or options.minimise
    try:
        data = path.read_bytes()
    except OSError as error:
        parser().error(str(error))
    if options.minimise:
        try:
            smaller = minimised(target, data)
        except ValueError as error:
            parser().error(str(error))
        to = path.with_name(f"{path.name}.min")
        to.write_bytes(smaller)
        print(f"{len(data)} bytes became {len(smaller)}: {to}\n{reproducer(target, to)}")
        return 1
    # Whatever comes out is shown as it is.
    target.run(data)
    print(f"{path}: nothing wrong")
    return 0


if __name__ == "__main__":
    sys.exit(main())
