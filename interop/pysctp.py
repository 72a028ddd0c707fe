"""Cells of unmodified programs: written for the standard `socket` module or for pysctp, run by `pysctpstack run`.

In the guest the same programs run on the kernel, with the standard `socket` and the real pysctp. One cell runs the
checks of `pysctp_scenarios` on both and compares their results.
"""

from __future__ import annotations

import contextlib
import importlib.machinery
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from interop.lab import ADDRESSES, EXAMPLES, ROOT, Lab, Unavailable
from interop.process import Process
from interop.scenarios import Cell, Result

SCENARIOS: Final = ROOT / "interop" / "pysctp_scenarios.py"
SCENARIOS_TIMEOUT: Final = 60.0
FEWEST_CHECKS: Final = 40

KNOWN: Final[dict[str, Any]] = json.loads((ROOT / "interop" / "pysctp_results.json").read_text())
"""The real pysctp's results, and the differences from them that there are for a reason: for tests without a kernel."""


def programs(pairs: list[tuple[str, str]]) -> list[Cell]:
    """Return the cells of unmodified programs for these pairs of client and server."""
    return [Program(client, server, "slides", library) for client, server in pairs for library in LIBRARIES]


LIBRARIES: Final = ("standard", "pysctp")
"""What the programs are written for; `docs/examples` has a server and a client for each."""


@dataclass(frozen=True)
class Program(Cell):
    """The slides' exchange between programs written for kernel SCTP."""

    library: str

    @property
    def name(self) -> str:
        return f"{self.client}-to-{self.server}/{self.library}-program"

    def run(self, lab: Lab, folder: Path) -> Result:
        if self.library == "pysctp":
            _require_pysctp()
        return super().run(lab, folder)

    def _command(self, _lab: Lab, role: str) -> list[str]:
        arguments = ["--host", ADDRESSES[self.server], "--once"] if role == "server" else [ADDRESSES[self.server]]
        return [*_python(self._party(role)), str(EXAMPLES / f"{self.library}_{role}.py"), *arguments]


@dataclass(frozen=True)
class Pysctp(Cell):
    """The checks of `pysctp_scenarios`: here, and with the real pysctp on the kernel."""

    def run(self, lab: Lab, folder: Path) -> Result:
        _require_pysctp()
        result = Result()
        parties = {"ours": self.client, "pysctp": self.server}
        for party in parties.values():
            lab.prepare(party)
        # The run's network has IPv6 switched off; ::1 is in nobody's way.
        Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6").write_text("0")
        begin = time.monotonic()
        processes: dict[str, Process] = {}
        found = {}
        try:
            for who, party in parties.items():
                command = [*_python(party), str(SCENARIOS)]
                processes[who] = process = lab.start(party, who, command, party)
                if process.wait(SCENARIOS_TIMEOUT) != 0:
                    result.problems.append(f"{who}: exit code {process.exit_code}: {process.errors[-1:]}")
                found[who] = _results(process.lines)
        finally:
            for who, process in processes.items():
                process.kill()
                (folder / f"{who}.log").write_text(process.output())
        if not result.problems:
            result.problems += compare(found["ours"], found["pysctp"], KNOWN["differences"])
            # What the tests without a kernel compare with is what pysctp does.
            result.problems += compare(KNOWN["results"], found["pysctp"], {})
            result.notes.append(f"{len(found['ours'])} checks, {len(KNOWN['differences'])} listed differences")
        result.seconds = time.monotonic() - begin
        return result


def compare(ours: dict[str, Any], theirs: dict[str, Any], differences: dict[str, str]) -> list[str]:
    """Return what is wrong: differences that are not listed, listed ones that are none, checks that are missing."""
    result = [f"{name} ran on one side only" for name in ours.keys() ^ theirs.keys()]
    if len(ours) < FEWEST_CHECKS:
        result.append(f"only {len(ours)} checks ran")
    for name in ours.keys() & theirs.keys():
        if (ours[name] == theirs[name]) == (name in differences):
            kind = "is listed as a difference, and is none" if name in differences else "differs"
            result.append(f"{name} {kind}: ours {ours[name]}, pysctp {theirs[name]}")
    return sorted(result)


def _results(lines: list[str]) -> dict[str, Any]:
    return dict(_parsed(lines))


def _parsed(lines: list[str]) -> Iterator[tuple[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError):
            entry = json.loads(line)
            yield entry["check"], entry["result"]


def _python(party: str) -> list[str]:
    """How a party runs a program: what differs is the command alone."""
    if party == "ours":
        return [sys.executable, "-m", "pysctpstack", "run"]
    # What can be written to in a guest.
    return ["env", "TMPDIR=/run", sys.executable]


def _require_pysctp() -> None:
    if importlib.machinery.PathFinder.find_spec("_sctp") is None:
        raise Unavailable("pysctp is not installed (pip install 'pysctpstack[interop]'; Debian: libsctp-dev, gcc)")
