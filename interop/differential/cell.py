"""The cell of the interop matrix that asks the kernel whether `linux.json` still holds."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from interop.differential import compare
from interop.guest import GuestError
from interop.lab import Lab
from interop.scenarios import Cell, Result

_TIMEOUT = 90.0


@dataclass(frozen=True)
class Recorded(Cell):
    """Run all scenarios in the guest; its answers have to be the recorded ones."""

    def run(self, lab: Lab, folder: Path) -> Result:
        result = Result()
        begin = time.monotonic()
        lab.prepare(self.server)
        command = [sys.executable, "-m", "interop.differential", "run", "kernel", "--at-once", "4"]
        try:
            process = lab.start(self.server, "differential", command, self.client)
            try:
                if process.wait(_TIMEOUT) != 0:
                    result.problems.append(f"it did not end well within {_TIMEOUT:.0f} s: {process.errors[-1:]}")
            finally:
                process.kill()
                (folder / "linux.log").write_text(process.output())
        except GuestError as error:
            result.problems.append(str(error))
        else:
            lines = [json.loads(line) for line in process.lines]
            answers = {line["name"]: line["result"] for line in lines if "name" in line}
            result.problems += compare.changes(answers)
            result.notes.append(f"{len(answers)} scenarios as recorded")
        result.seconds = time.monotonic() - begin
        return result
