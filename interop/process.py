"""Programs that a run starts, on this machine or in the guest, with their output as it comes.

`Process` gathers lines and the exit code; `LocalProcess` is fed by pipes, the guest's (`guest.GuestProcess`)
by a connection. Every process is ended by `kill`, which may be called twice.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO


class Process:
    """A running program: lines of its standard output and standard error, and its exit code."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.exit_code: int | None = None
        self._changed = threading.Condition()

    def wait_line(self, wanted: Callable[[str], bool], timeout: float) -> str | None:
        """Return the first line of standard output that is `wanted`; None if program or time end first."""
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                seen = len(self.lines)
                if self.exit_code is not None or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    return None

    def wait(self, timeout: float) -> int | None:
        """Return the exit code (negative: a signal), or None if the program still runs after `timeout` s."""
        with self._changed:
            self._changed.wait_for(lambda: self.exit_code is not None, timeout)
            return self.exit_code

    def kill(self) -> None:
        """End the program at once."""
        raise NotImplementedError

    def output(self) -> str:
        """Return all that the program wrote, standard error last."""
        return "\n".join([*self.lines, *(f"stderr: {line}" for line in self.errors)]) + "\n"

    def _take(self, line: str, *, is_error: bool = False) -> None:
        with self._changed:
            (self.errors if is_error else self.lines).append(line.rstrip("\n"))
            self._changed.notify_all()

    def _ended(self, exit_code: int) -> None:
        with self._changed:
            self.exit_code = exit_code
            self._changed.notify_all()


class LocalProcess(Process):
    """A program of this machine, in a process group of its own."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        super().__init__(name)
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, **env},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._threads = [
            threading.Thread(target=self._read, args=(self._process.stdout, False), daemon=True),
            threading.Thread(target=self._read, args=(self._process.stderr, True), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        threading.Thread(target=self._reap, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def _read(self, pipe: IO[str], is_error: bool) -> None:
        with pipe:
            for line in pipe:
                self._take(line, is_error=is_error)

    def _reap(self) -> None:
        # Output first, so that whoever sees the exit code has all the lines; a grandchild may keep the pipes
        # open.
        exit_code = self._process.wait()
        for thread in self._threads:
            thread.join(timeout=2.0)
        self._ended(exit_code)

    def terminate(self) -> None:
        """Ask the program to end (SIGTERM)."""
        if self.exit_code is None:
            self._process.terminate()

    def kill(self) -> None:
        if self.exit_code is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return  # it ended in this moment
            self.wait(5.0)
