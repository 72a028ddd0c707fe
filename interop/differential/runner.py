"""Run scenarios on one of the two.

Every scenario has a thread of its own, so that one that blocks for ever is a result, "HANG", and not the end of the
run.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, NamedTuple

from interop.differential.kit import Kit
from interop.differential.scenarios import Scenario

TIME_LIMIT = 8.0
HANG = "HANG"


class Outcome(NamedTuple):
    """What came of a scenario."""

    name: str
    result: Any
    seconds: float


def run(scenario: Scenario, module: ModuleType, limit: float = TIME_LIMIT) -> Outcome:
    """What one scenario returns, as JSON gives it back; an exception that it lets out is a result, too."""
    kit = Kit(module)
    results: list[Any] = []
    began = time.monotonic()

    def call() -> None:
        try:
            results.append(json.loads(json.dumps(scenario.function(module, kit))))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[1]
            results.append({"raised": f"{type(error).__name__}: {error}", "at": str(where.line)})

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(limit)
    kit.close()
    return Outcome(scenario.name, results[0] if results else HANG, time.monotonic() - began)


def run_all(scenarios: Iterable[Scenario], module: ModuleType, at_once: int = 1) -> Iterator[Outcome]:
    """Run scenarios, so many at once; their outcomes in order. Most of their time is waiting for nothing to come."""
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(lambda scenario: run(scenario, module), scenarios)
