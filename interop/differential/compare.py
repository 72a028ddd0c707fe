"""Judge results: against what Linux said (`linux.json`) and the known differences (`differences`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interop.differential.differences import DIFFERENCES

GOLDEN = Path(__file__).parent / "linux.json"
ABSENT = "(absent)"

Results = dict[str, Any]


def load() -> tuple[str, Results]:
    """The kernel that the recorded results are of, and they."""
    recorded = json.loads(GOLDEN.read_text())
    return recorded["system"], recorded["results"]


def save(system: str, results: Results) -> None:
    """Record results, a line for each scenario."""
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(result)}" for name, result in results.items())
    GOLDEN.write_text(f'{{"system": {json.dumps(system)}, "results": {{\n{lines}\n}}}}\n')


def differing(linux: Any, ours: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two results differ: a path into both, and what each has there; lists of different lengths do as a whole."""
    if linux == ours:
        return
    if isinstance(linux, dict) and isinstance(ours, dict):
        for name in [*linux, *(name for name in ours if name not in linux)]:
            yield from differing(linux.get(name, ABSENT), ours.get(name, ABSENT), f"{path}.{name}".lstrip("."))
    elif isinstance(linux, list) and isinstance(ours, list) and len(linux) == len(ours):
        for number, both in enumerate(zip(linux, ours, strict=True)):
            yield from differing(*both, f"{path}[{number}]")
    else:
        yield path, linux, ours


def problem(name: str, linux: Any, ours: Any) -> str | None:
    """What is wrong with our result of a scenario: it differs, or does no longer, as nobody has said that it does."""
    known = DIFFERENCES[name].ours if name in DIFFERENCES else {}
    found = {path: (theirs, own) for path, theirs, own in differing(linux, ours)}
    lines = []
    for path, (theirs, own) in found.items():
        if path not in known:
            lines.append(f"{path or 'all'}: Linux {json.dumps(theirs)}, ours {json.dumps(own)}")
        elif known[path] != own:
            lines.append(f"{path or 'all'}: ours {json.dumps(own)}, and not the known {json.dumps(known[path])}")
    lines += [f"{path or 'all'}: known to differ, but does not" for path in known if path not in found]
    return "; ".join(lines) or None


def changes(linux: Results) -> list[str]:
    """Where a kernel now says otherwise than what is recorded."""
    _, recorded = load()
    names = [*recorded, *(name for name in linux if name not in recorded)]
    return [
        f"{name} {path}: recorded {json.dumps(before)}, now {json.dumps(now)}"
        for name in names
        for path, before, now in differing(recorded.get(name, ABSENT), linux.get(name, ABSENT))
    ]
