"""The processes of a measurement: started here, read line by line, and ended by their ids."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tools.bench.errors import RunFailed

ROOT = Path(__file__).resolve().parents[2]
"""Where ``python -m tools.bench.peer`` finds both packages."""
END_PATIENCE = 5.0
"""Seconds that a process has to end after its standard input has."""


class Process:
    """A program whose standard output is lines of JSON. A context manager: leaving it ends the program."""

    def __init__(self, name: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile(  # noqa: SIM115 -- closed with the process
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def _read(self, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self._lines.put(line)
        self._lines.put("")  # the end

    @property
    def exit_code(self) -> int | None:
        """None: it still runs. Negative: a signal."""
        return self._process.poll()

    def result(self, timeout: float) -> dict[str, Any]:
        """The next line. RunFailed: it did not come in ``timeout`` seconds, or is no JSON object."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise RunFailed(f"{self.name} said nothing for {timeout:g} s") from None
        if not line:
            code = self._ended()
            raise RunFailed(f"{self.name} ended without a result (exit code {code}): {self._last_error()}")
        try:
            value = json.loads(line)
        except ValueError:
            raise RunFailed(f"{self.name} wrote what is no JSON: {line.strip()[:80]}") from None
        if not isinstance(value, dict):
            raise RunFailed(f"{self.name} wrote {line.strip()[:80]}")
        return value

    def _ended(self) -> int:
        """The exit code of a program that has closed its standard output; it is given a moment to end."""
        try:
            return self._process.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _last_error(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else "no message"

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_PATIENCE if kind is None else 0.1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._errors.close()


def run_program(name: str, argv: Sequence[str], timeout: float) -> dict[str, Any]:
    """The last line of a program that ends by itself. RunFailed as `Process.result`."""
    with Process(name, argv, {}) as process:
        result = process.result(timeout)
        while result.get("ready"):
            result = process.result(timeout)
    return result


def settle(seconds: float = 0.05) -> None:
    """Let what a run left behind come to rest before the next begins."""
    time.sleep(seconds)
