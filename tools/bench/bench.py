"""The run: contenders in turn, their samples in rows, and what is printed on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tools.bench.contenders import Pairs
from tools.bench.errors import RunFailed, Unavailable
from tools.bench.results import Results, Row

DEFAULT_SIZES = (100, 1_400, 16_384, 65_536, 1_048_576)
Sample = Mapping[str, float]
"""Measures and their values, as one run brings them."""


@dataclass
class Options:
    seconds: float = 2.0
    """Of one run."""
    repeat: int = 5
    sizes: Sequence[int] = DEFAULT_SIZES
    mtu: int = 1_500
    associations: int = 10_000
    """The most that are in one process."""
    first_udp_port: int = 12_000
    contenders: frozenset[str] = frozenset()
    """Contenders that are wanted; empty: all."""


@dataclass
class Bench:
    options: Options
    results: Results = field(default_factory=Results)

    def __post_init__(self) -> None:
        self.pairs = Pairs(self.options.first_udp_port)

    def wants(self, contender: str) -> bool:
        return not self.options.contenders or contender in self.options.contenders

    def alternate(
        self,
        case: str,
        runs: Mapping[str, Callable[[], Sample]],
        units: Mapping[str, str],
        baseline: str = "",
        repeat: int | None = None,
        *,
        filtered: bool = True,
    ) -> None:
        """Run each contender of ``runs`` in turn, ``repeat`` times; each time another one begins.

        ``units``: of every measure that a run brings, in the order of the table. What a contender lacks, and a run that
        failed, is said in its rows. ``filtered``: only the contenders that the user wants.
        """
        names = [name for name in runs if not filtered or self.wants(name)]
        rows = {
            name: {measure: self.results.row(measure, case, name, unit, baseline) for measure, unit in units.items()}
            for name in names
        }
        for turn in range(repeat or self.options.repeat):
            offset = turn % max(len(names), 1)
            for name in names[offset:] + names[:offset]:
                mine = rows[name]
                if any(row.problem.startswith("SKIP") for row in mine.values()):
                    continue
                try:
                    sample = runs[name]()
                except Unavailable as error:
                    self._note(mine.values(), f"SKIP: {error}")
                    self.say(f"{case}, {name}: SKIP: {error}")
                except RunFailed as error:
                    self._note(mine.values(), f"FAILED: {error}")
                    self.say(f"{case}, {name}: FAILED: {error}")
                else:
                    for measure, value in sample.items():
                        mine[measure].samples.append(value)
                    values = ", ".join(f"{value:.4g} {units[measure]}" for measure, value in sample.items())
                    self.say(f"{case}, {name}: {values}")

    @staticmethod
    def _note(rows: Iterable[Row], problem: str) -> None:
        for row in rows:
            row.problem = problem

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)
