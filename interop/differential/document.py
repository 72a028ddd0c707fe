"""Write docs/differential.md: how many scenarios there are, how many are equal, and the rest with its reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interop.differential import compare
from interop.differential.differences import DIFFERENCES
from interop.differential.scenarios import AREAS, all_scenarios

PAGE = Path(__file__).parent.parent.parent / "docs" / "differential.md"

_HEAD = """# Against the Linux kernel, call by call

<!-- Written by `python -m interop.differential document`. -->

{total} small scenarios (`interop/differential/scenarios`), each a short Python function on socket objects, run
unchanged on kernel SCTP through the standard `socket` module ({system}, in User-Mode Linux) and on
`pysctpstack.socket`. What they return is compared: values, errno names, and every byte of notifications, options and
ancillary data but association ids, ports, TSNs and times. **{equal} of {total} are equal ({share:.1f} %)**, and the
rest is below. `tests/api/test_differential.py` compares with Linux's recorded answers (`linux.json`), and
`python -m interop` asks the kernel whether they still are its answers.

{areas}

## Where they differ

{differences}
"""


def text() -> str:
    """The page."""
    system, recorded = compare.load()
    scenarios = all_scenarios()
    areas = _areas()
    differ = {area: sum(name.startswith(area + "/") for name in DIFFERENCES) for area in AREAS}
    rows = [f"| {area.replace('_', ' ')} | {areas[area]} | {areas[area] - differ[area]} |" for area in AREAS]
    purposes = {scenario.name: scenario.purpose for scenario in scenarios}
    total, equal = len(scenarios), len(scenarios) - len(DIFFERENCES)
    return _HEAD.format(
        total=total,
        equal=equal,
        share=100 * equal / total,
        system=system,
        areas="\n".join(["| area | scenarios | equal |", "|---|---|---|", *rows]),
        differences=_differences(recorded, purposes) if DIFFERENCES else "Nowhere.",
    )


def count() -> dict[str, Any]:
    """How many scenarios there are, in all and by area, how many are equal, and whether the page says so."""
    areas = _areas()
    total = sum(areas.values())
    return {"total": total, "equal": total - len(DIFFERENCES), "areas": areas, "page": PAGE.read_text() == text()}


def _areas() -> dict[str, int]:
    names = [scenario.name for scenario in all_scenarios()]
    return {area: sum(name.startswith(area + "/") for name in names) for area in AREAS}


def write() -> None:
    """Write the page."""
    PAGE.write_text(text())


def _differences(recorded: compare.Results, purposes: dict[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for name in recorded:
        if name in DIFFERENCES:
            by_reason.setdefault(DIFFERENCES[name].reason, []).append(name)
    rows = ["| scenario | where | Linux | pysctpstack |", "|---|---|---|---|"]
    sections = []
    for reason, names in by_reason.items():
        lines = [reason, "", *rows]
        for name in names:
            for path, own in DIFFERENCES[name].ours.items():
                where = _code(path) if path else "all of it"
                linux = _code(_at(recorded[name], path))
                lines.append(f"| {purposes[name].rstrip('.')} | {where} | {linux} | {_code(own)} |")
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def _at(result: Any, path: str) -> Any:
    """What a result has at a path of `compare.differing`."""
    for part in path.replace("[", ".[").strip(".").split(".") if path else []:
        if part.startswith("["):
            result = result[int(part[1:-1])]
        else:
            result = result.get(part, compare.ABSENT)
    return result


def _code(value: Any) -> str:
    shown = value if isinstance(value, str) else json.dumps(value)
    shown = shown if len(shown) <= 120 else shown[:117] + "..."
    return f"`{shown or json.dumps(shown)}`".replace("|", "\\|")
