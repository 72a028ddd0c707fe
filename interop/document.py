"""docs/interop.md: the table of a run's cells, with the peers' versions and what is known not to be as it should."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from interop import known
from interop.peers.plays import PARTS
from interop.scenes import SCENES, Scene

PAIRS: Final = ("ours-to-usrsctp", "usrsctp-to-ours", "ours-to-linux", "linux-to-ours")
_HEAD = """# Interoperability

<!-- Written by `python -m interop --document`. -->

`python -m interop` runs this stack as client and as server against usrsctp and against the Linux kernel (in User-Mode
Linux), and lets tshark and the stack's own checker look at every packet; `interop/README.md` tells how. An empty place
is a scenario that this pair does not have. Retransmissions, rates and times of a run are in its output, not here.

| peer | version |
|---|---|
"""


def write(outcomes: list[dict[str, str]], root: Path) -> None:
    """Write the page from what became of the cells."""
    page = root / "docs" / "interop.md"
    page.write_text(text(outcomes, versions()))


def versions() -> dict[str, str]:
    """Return the versions of the peers and of the judge."""
    return {
        "usrsctp (libusrsctp2)": _said("dpkg-query", "--show", "--showformat=${Version}", "libusrsctp2"),
        "Linux (User-Mode Linux)": _said("linux.uml", "--version"),
        "tshark": _said("tshark", "--version").partition(") ")[2],
    }


def text(outcomes: list[dict[str, str]], peers: dict[str, str]) -> str:
    """Return the page."""
    verdicts: dict[str, dict[str, str]] = {}
    for outcome in outcomes:
        pair, _, kind = outcome["name"].partition("/")
        verdicts.setdefault(kind, {})[pair] = outcome["verdict"]
    lines = [_HEAD.rstrip()]
    lines += [f"| {peer} | {version} |" for peer, version in peers.items()]
    count = {verdict: sum(o["verdict"] == verdict for o in outcomes) for verdict in ("PASS", "FAIL", "SKIP")}
    lines += ["", f"{count['PASS']} cells passed, {count['FAIL']} failed, {count['SKIP']} were skipped.", ""]
    lines += [f"| scenario | {' | '.join(PAIRS)} |", "|---" * (len(PAIRS) + 1) + "|"]
    for kind, row in verdicts.items():
        cells = [row.get(pair, "").lower() for pair in PAIRS]
        if any(cells):
            lines.append(f"| `{kind}` | {' | '.join(cells)} |")
    lines += ["", "## The scenarios that are played", ""]
    lines += [f"* `{scene.name}`: {_said_of(scene)}" for scene in SCENES]
    lines += ["", "## What is known", ""]
    lines += [f"* `{pattern}` is skipped: {reason}" for pattern, reason in known.UNABLE.items()]
    lines += [f'* `{cell}`: tshark warns "{text}": {reason}' for (cell, text), reason in known.WARNINGS.items()]
    lines += [f'* `{cell}`: the checker finds "{text}": {reason}' for (cell, text), reason in known.DEVIATIONS.items()]
    return "\n".join(lines) + "\n"


def _said_of(scene: Scene) -> str:
    parts = dict.fromkeys((scene.client, scene.server))
    return " ".join((PARTS[part].__doc__ or "").strip() for part in parts)


def _said(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return (result.stdout.strip().splitlines() or ["not there"])[0]
