"""The results as Markdown, which is readable as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.bench.goals import outcomes
from tools.bench.results import Results, Row, number

RIGHT = frozenset({"median", "from", "to", "ratio", "reached", "own time", "with callees", "calls", "us a call"})


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned."""
    widths = [max(len(row[i]) for row in (heading, *rows)) for i in range(len(heading))]
    right = [name in RIGHT for name in heading]

    def line(cells: Sequence[str]) -> str:
        padded = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True))
    return "\n".join((line(heading), f"|{rule}|", *map(line, rows)))


def _cells(results: Results, row: Row) -> list[str]:
    if not row.samples:
        return [row.case, row.contender, "", "", "", "", row.problem]
    ratio = results.ratio(row)
    share = f"{ratio:.2f}" if ratio is not None else ""
    remarks = [row.note] if row.note else []
    if row.problem:
        remarks.append(f"{len(row.samples)} runs; {row.problem}")
    values = [number(value) for value in (row.median, min(row.samples), max(row.samples))]
    return [row.case, row.contender, *values, share, "; ".join(remarks)]


def measure_table(results: Results, measure: str) -> str:
    rows = results.of(measure)
    unit, baseline = rows[0].unit, rows[0].baseline
    title = f"### {measure[0].upper()}{measure[1:]}, {unit}"
    if baseline:
        title += f"; ratio to {baseline}"
    heading = ["case", "who", "median", "from", "to", "ratio", "remark"]
    cells = [_cells(results, row) for row in rows]
    for column in (6, 5):
        if not any(row[column] for row in cells):
            del heading[column]
            for row in cells:
                del row[column]
    return f"{title}\n\n{table(heading, cells)}"


def goal_table(results: Results) -> str:
    """Empty when nothing was measured that has a goal."""
    rows = [
        (goal.what, number(value), goal.text, "yes" if goal.reached(value) else "no")
        for goal, value in outcomes(results)
    ]
    return f"### Goals\n\n{table(('what', 'reached', 'goal', 'met'), rows)}" if rows else ""


def report(results: Results, machine: Mapping[str, str], run: Mapping[str, str]) -> str:
    """Machine, goals, and a table for each measure."""
    facts = [f"* {name}: {value}" for name, value in (*machine.items(), *run.items()) if value]
    parts = ["\n".join(facts), goal_table(results), *(measure_table(results, name) for name in results.measures)]
    return "\n\n".join(part for part in parts if part) + "\n"
