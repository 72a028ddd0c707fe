"""The goals of this project, beside what was reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tools.bench.measures import goodput, latency, memory, one_process, scale, setup
from tools.bench.results import Results, Row


@dataclass(frozen=True)
class Goal:
    """``at_least`` or ``at_most``, one of them: of the ratio to the baseline, or of the value if ``absolute``."""

    what: str
    rows: Callable[[Results], list[Row]]
    at_least: float = 0.0
    at_most: float = 0.0
    absolute: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.at_least if self.at_least else value <= self.at_most

    @property
    def text(self) -> str:
        return f"at least {self.at_least:g}" if self.at_least else f"at most {self.at_most:g}"


def _rows(measure: str, contender: str, case: str = "") -> Callable[[Results], list[Row]]:
    def find(results: Results) -> list[Row]:
        return [row for row in results.of(measure) if row.contender == contender and (not case or row.case == case)]

    return find


def _largest(measure: str, case: str) -> Callable[[Results], list[Row]]:
    """The row of the most associations: the last one."""

    def find(results: Results) -> list[Row]:
        return [row for row in results.of(measure) if row.case == case and row.contender != scale.BASELINE][-1:]

    return find


def _goodput(size: int, at_least: float) -> Goal:
    rows = _rows(goodput.GOODPUT, "ours", f"{size:,} B")
    return Goal(f"goodput, {size:,} B, of usrsctp's", rows, at_least=at_least)


GOALS = (
    _goodput(100, 0.5),
    _goodput(1_400, 1.5),
    _goodput(16_384, 1.5),
    _goodput(65_536, 2.0),
    _goodput(1_048_576, 2.0),
    Goal(
        "goodput, 1,400 B, levers off, of usrsctp's",
        _rows(goodput.GOODPUT, "ours, levers off", "1,400 B"),
        at_least=0.8,
    ),
    Goal("ping-pong, 64 B, of usrsctp's", _rows(latency.MEDIAN, "ours"), at_most=1.0),
    Goal("1,200 B in one process, of aiortc's", _rows(one_process.MEASURE, "ours, core", "1,200 B"), at_least=10.0),
    Goal("KiB of an idle association, server", _rows(memory.SERVER, "ours"), at_most=16.0, absolute=True),
    Goal("KiB of an idle association, client", _rows(memory.CLIENT, "ours"), at_most=16.0, absolute=True),
    Goal("cost of a packet with the most associations, of one's", _largest(scale.MEASURE, "ours"), at_most=1.2),
    Goal("associations set up and closed a second", _rows(setup.MEASURE, "ours"), at_least=1_000.0, absolute=True),
)


def outcomes(results: Results) -> list[tuple[Goal, float]]:
    """Goals and values, of those that were measured."""
    found = []
    for goal in GOALS:
        for row in goal.rows(results):
            value = (row.median if row.samples else None) if goal.absolute else results.ratio(row)
            if value is not None:
                found.append((goal, value))
    return found
