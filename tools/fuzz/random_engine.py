"""A seeded engine of our own, for where atheris is not: keeps the inputs that reach new lines, and mutates those."""

from __future__ import annotations

import hashlib
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from types import FrameType

from tools.fuzz.coverage import Coverage
from tools.fuzz.target import Findings, Hang, Target

HANG_AFTER = 10.0
"""Seconds after which an input counts as one that hangs."""
RECENT = 0.5
"""The share of inputs that are made from one of the latest that reached something new."""


@dataclass
class Outcome:
    """What a run came to. ``reached``: by package, lines reached and lines that there are."""

    engine: str
    executions: int = 0
    seconds: float = 0.0
    reached: dict[str, tuple[int, int]] = field(default_factory=dict)
    corpus: int = 0
    findings: list[str] = field(default_factory=list)


@contextmanager
def watchdog() -> Iterator[None]:
    """Raises `Hang` in an input that takes too long; only where there is SIGALRM, and in the main thread."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_alarm(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {HANG_AFTER} s for one input")

    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(
    target: Target,
    findings: Findings,
    corpus: list[bytes],
    *,
    seconds: float,
    seed: int,
    coverage: Coverage | None,
    executions: int = 1 << 62,
) -> tuple[Outcome, list[bytes]]:
    """Fuzz for so long or so often; the outcome, and the inputs that are worth keeping.

    ``corpus``: inputs to begin with. ``coverage``: None goes by chance alone, which is several times as fast.
    """
    random = Random(f"{target.name} {seed}")
    outcome = Outcome("random, guided by lines" if coverage else "random, unguided")
    kept: list[bytes] = []
    start = time.monotonic()
    # Whether the clock has run out is asked now and then: it costs more than the smallest targets.
    until = start + seconds

    def execute(data: bytes) -> bool:
        """Whether the input reached a line that none before it has."""
        outcome.executions += 1
        before = len(coverage.seen) if coverage else 0
        if coverage:
            coverage.start()
        try:
            signal.setitimer(signal.ITIMER_REAL, HANG_AFTER) if has_alarm else None
            target.run(data)
        except Exception as error:
            findings.add(data, error)
        finally:
            if coverage:
                coverage.stop()
        return coverage is not None and len(coverage.seen) > before

    has_alarm = hasattr(signal, "SIGALRM") and threading.current_thread() is threading.main_thread()
    with watchdog():
        for data in corpus:
            if outcome.executions >= executions or time.monotonic() >= until:
                break
            if execute(data):
                kept.append(data)
        pool = list(corpus) or [b""]
        fresh: list[bytes] = []
        while outcome.executions < executions and time.monotonic() < until:
            data = random.choice(fresh[-20:] if fresh and random.random() < RECENT else pool)
            data = target.mutate(data, random.choice(pool), target.max_size, random)
            if execute(data):
                kept.append(data)
                fresh.append(data)
                pool.append(data)
    outcome.seconds = time.monotonic() - start
    outcome.corpus = len(pool)
    outcome.findings = [str(path) for path in findings.found.values()]
    if coverage:
        outcome.reached = coverage.reached()
    return outcome, kept


def measure(target: Target, inputs: list[bytes], coverage: Coverage) -> dict[str, tuple[int, int]]:
    """The lines that these inputs reach, without looking at what comes of them."""
    coverage.start()
    try:
        for data in inputs:
            try:
                target.run(data)
            except Exception:  # A finding, which has been saved where it was made.
                continue
    finally:
        coverage.stop()
    return coverage.reached()


def name_of(data: bytes) -> str:
    """Of an input's file."""
    return hashlib.sha1(data).hexdigest()
