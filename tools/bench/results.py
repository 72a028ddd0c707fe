"""Rows of results: samples of one quantity of one contender, and how rows relate."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """Samples of one quantity (``measure``), for one ``case`` (a message size, say) and one ``contender``."""

    measure: str
    case: str
    contender: str
    unit: str
    baseline: str = ""
    """The contender of the same measure and case that ratios refer to; empty: there is none."""
    samples: list[float] = field(default_factory=list)
    problem: str = ""
    """Why there are no samples, or fewer."""
    note: str = ""
    """What else is to be known of them."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.measure, self.case, self.contender

    @property
    def median(self) -> float:
        """ValueError: there are no samples."""
        if not self.samples:
            raise ValueError(f"no samples of {', '.join(self.key)}")
        return statistics.median(self.samples)


class Results:
    """Rows in the order in which they were first named."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Row] = {}

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def row(self, measure: str, case: str, contender: str, unit: str, baseline: str = "") -> Row:
        """The row of that name, made if need be."""
        row = Row(measure, case, contender, unit, baseline)
        return self._rows.setdefault(row.key, row)

    def ratio(self, row: Row) -> float | None:
        """The row's median over its baseline's; None where one of them is missing, or the row is its own baseline."""
        if not row.baseline or row.baseline == row.contender or not row.samples:
            return None
        other = self._rows.get((row.measure, row.case, row.baseline))
        if other is None or not other.samples or not other.median:
            return None
        return row.median / other.median

    def of(self, measure: str) -> list[Row]:
        return [row for row in self if row.measure == measure]

    def keep_best(self, case: str, candidates: Sequence[str], name: str, measure: str) -> Row:
        """Let the contender with the best median of ``measure`` (more is better) stand for all of these, as ``name``.

        The others' rows of that case are dropped, of all measures. Returns its row, which has no samples if nobody has
        any. KeyError: a row is missing.
        """
        rows = [self._rows[measure, case, candidate] for candidate in candidates]
        best = max(rows, key=lambda row: row.median if row.samples else -1.0)
        chosen = best.contender
        kept = []
        for row in self._rows.values():
            if row.case == case and row.contender in candidates:
                if row.contender != chosen:
                    continue
                row.contender = name
            kept.append(row)
        self._rows = {row.key: row for row in kept}
        return best

    @property
    def measures(self) -> list[str]:
        return list(dict.fromkeys(row.measure for row in self))


def number(value: float) -> str:
    """Three digits or more, thousands parted."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of the values do not exceed (nearest rank). ValueError: no values."""
    if not values:
        raise ValueError("no values")
    if not 0 < percent <= 100:
        raise ValueError(f"{percent} is not a percentage above 0")
    ordered = sorted(values)
    rank = -(-len(ordered) * percent // 100)  # rounded up
    return ordered[int(rank) - 1]


def settled(values: Sequence[float]) -> Sequence[float]:
    """The values without the first tenth, in which caches fill and clocks rise."""
    return values[len(values) // 10 :]


def to_json(results: Iterable[Row]) -> list[dict[str, object]]:
    return [
        {
            "measure": row.measure,
            "case": row.case,
            "contender": row.contender,
            "unit": row.unit,
            "baseline": row.baseline,
            "samples": row.samples,
            **({"median": row.median} if row.samples else {}),
            **({"problem": row.problem} if row.problem else {}),
            **({"note": row.note} if row.note else {}),
        }
        for row in results
    ]


def from_json(rows: Iterable[dict[str, object]]) -> Results:
    """What `to_json` wrote. KeyError, TypeError or ValueError: that is not it."""
    results = Results()
    for entry in rows:
        row = results.row(*(str(entry[name]) for name in ("measure", "case", "contender", "unit", "baseline")))
        samples = entry["samples"]
        if not isinstance(samples, list):
            raise TypeError("samples are no list")
        row.samples.extend(float(sample) for sample in samples)
        row.problem = str(entry.get("problem", ""))
        row.note = str(entry.get("note", ""))
    return results
