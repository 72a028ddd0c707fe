"""Where the time goes: samples of the caller's thread, calls of every thread, and both as text.

Samples cost little and are true to life; a function in C counts for the one that called it. Counting calls (cProfile)
makes Python code several times slower and C code not, but tells how often. CPython 3.12 and later allow one cProfile in
a process, so that there only the caller's thread is counted.
"""

from __future__ import annotations

import cProfile
import json
import os
import pstats
import signal
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from tools.bench.table import table

ALL_THREADS = sys.version_info < (3, 12)
TICK = 0.001
"""Seconds between two samples."""


class Samples:
    """A context manager that looks every millisecond where this thread is, and what processor time it has used since.

    It writes a JSON file: for each function the seconds in itself, and those in it or what it called.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.number = 0
        self.own: defaultdict[str, float] = defaultdict(float)
        self.all: defaultdict[str, float] = defaultdict(float)
        self._before = 0.0

    def __enter__(self) -> Samples:
        self._before = time.thread_time()
        # A timer of processor time would tick with the kernel only, a hundred times a second.
        signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, TICK, TICK)
        return self

    def _sample(self, signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG002 -- what `signal` calls
        now = time.thread_time()
        used, self._before = now - self._before, now
        if frame is not None and frame.f_code is Samples._sample.__code__:
            frame = frame.f_back  # late: the one before has just ended
        self.number += 1
        seen: set[str] = set()
        while frame is not None:
            code = frame.f_code
            name = getattr(code, "co_qualname", code.co_name)  # since 3.11
            place = _place(code.co_filename, code.co_firstlineno, name)
            if not seen:
                self.own[place] += used
            seen.add(place)
            frame = frame.f_back
        for place in seen:
            self.all[place] += used

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        result = {"samples": self.number, "own": self.own, "all": self.all}
        Path(self.path).write_text(json.dumps(result), encoding="utf-8")


def sampled(path: str, lines: int) -> str:
    """The functions that used most processor time themselves, as a Markdown table."""
    saved = json.loads(Path(path).read_text(encoding="utf-8"))
    own: dict[str, float] = saved["own"]
    total = sum(own.values())
    most = sorted(own, key=lambda place: -own[place])[:lines]
    rows = [(f"{own[place] / total:.1%}", f"{saved['all'][place] / total:.1%}", place) for place in most]
    heading = ("own time", "with callees", "function")
    used = f"{total:.2f} s of processor time of the caller's thread, {saved['samples']:,} samples"
    return f"{used}\n\n{table(heading, rows)}"


class ThreadProfiles:
    """A context manager that profiles this thread and those that start meanwhile.

    It leaves files ``<prefix>-<number>`` behind, which `pstats` reads, 0 for this thread.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._profiles: list[cProfile.Profile] = []

    def __enter__(self) -> ThreadProfiles:
        if ALL_THREADS:
            threading.setprofile(self._begin)
        main = cProfile.Profile()
        self._profiles.append(main)
        main.enable()
        return self

    def _begin(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ARG002 -- what `setprofile` calls
        """The first event in a new thread: from here on its own profile takes over."""
        profile = cProfile.Profile()
        self._profiles.append(profile)
        profile.enable()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._profiles[0].disable()
        if ALL_THREADS:
            threading.setprofile(None)
        for number, profile in enumerate(self._profiles):
            if profile.getstats():
                profile.dump_stats(f"{self.prefix}-{number}")


def counted(prefix: str, lines: int) -> str:
    """The functions that took most time themselves, thread by thread, as Markdown tables."""
    parts = []
    for path in sorted(Path(prefix).parent.glob(f"{Path(prefix).name}-*")):
        entries = pstats.Stats(str(path)).stats.items()  # type: ignore[attr-defined]
        total = sum(times[2] for _, times in entries)
        number = path.name.rpartition("-")[2]
        thread = "the caller's thread" if number == "0" else f"thread {number} of the stack"
        heading = ("own time", "calls", "us a call", "function")
        most = sorted(entries, key=lambda entry: -entry[1][2])[:lines]
        rows = [
            (f"{own / total:.1%}", f"{calls:,}", f"{own / calls * 1e6:.2f}", _place(*place))
            for place, (_, calls, own, _, _) in most
        ]
        parts.append(f"{thread}: {total:.2f} s, waiting included\n\n{table(heading, rows)}")
    return "\n\n".join(parts)


def _place(file: str, line: int, function: str) -> str:
    if file == "~":
        return function.strip("<>").replace("|", "/")
    _, found, inside = file.rpartition(f"{os.sep}pysctpstack{os.sep}")
    return f"{inside if found else Path(file).name}:{line} {function}"
