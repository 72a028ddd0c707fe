"""Coverage-guided fuzzing by atheris (libFuzzer for Python), in a process of its own."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tools.fuzz.random_engine import Outcome
from tools.fuzz.target import Findings, Target

GRACE = 60
"""Seconds that a run may take beyond its time, to start and to end."""
UNIT_TIMEOUT = 10
"""Seconds after which an input counts as one that hangs."""
MEMORY_LIMIT = 2_048
"""MB of the process beyond which an input counts as one that eats memory."""


class EngineError(Exception):
    """The engine itself failed, not the target."""


def is_available() -> bool:
    return find_spec("atheris") is not None


def run(target: Target, findings: Findings, corpus: Path, *, seconds: int, seed: int) -> Outcome:
    """Fuzz for so long. ``corpus``: a directory, whose inputs are where it begins, and which gets the new ones."""
    corpus.mkdir(parents=True, exist_ok=True)
    for data in target.seeds():
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    findings.directory.mkdir(parents=True, exist_ok=True)
    before = set(findings.directory.iterdir())
    prefix = findings.directory / f"{target.name.replace('/', '.')}-"
    options = [
        f"-max_total_time={max(int(seconds), 1)}",
        f"-timeout={UNIT_TIMEOUT}",
        f"-rss_limit_mb={MEMORY_LIMIT}",
        f"-artifact_prefix={prefix}",
        "-print_final_stats=1",
        "-verbosity=1",
        "-reload=0",
        str(corpus),
    ]
    command = [sys.executable, "-m", "tools.fuzz.guided", target.name, str(findings.directory), str(seed), *options]
    start = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            output, _ = process.communicate(timeout=seconds + GRACE)
        except BaseException:
            process.kill()
            raise
    new = sorted(set(findings.directory.iterdir()) - before)
    outcome = Outcome("atheris", seconds=time.monotonic() - start, corpus=len(list(corpus.iterdir())))
    outcome.findings = [str(path) for path in new if path.suffix != ".txt"]
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", output)
    if executed is not None:
        outcome.executions = int(executed[1])
    elif not outcome.findings:
        raise EngineError(f"atheris ended with {process.returncode} and no count:\n{output[-2_000:]}")
    return outcome
