"""What is fuzzed: a function that takes bytes and raises when something is wrong, and where its inputs come from."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tools.fuzz.mutate import mutated

PACKAGE = "pysctpstack"


@dataclass(frozen=True)
class Target:
    """``run``: raises for a finding, whatever it raises; returns otherwise. ``seeds``: makes inputs to begin with.

    ``mutate``: (input, another one, most bytes, where chance comes from) to a new input. ``max_size``: bytes of an
    input. ``isolated``: an input's outcome depends on nothing that came before it.
    """

    name: str
    about: str
    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    mutate: Callable[[bytes, bytes, int, Random], bytes] = mutated
    max_size: int = 2_048
    structured: bool = False
    """``mutate`` knows the input's structure: a coverage-guided engine uses it in place of its own."""
    isolated: bool = True


class Hang(Exception):
    """An input kept the target busy for too long."""


class TooMuch(Exception):
    """Something that has a bound exceeds it."""


def signature(error: BaseException) -> str:
    """The same for two exceptions from the same place: the class, and the frames inside the package."""
    frames = [
        f"{Path(frame.filename).name}:{frame.name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if PACKAGE in frame.filename
    ]
    if not frames:
        # The check that failed is the fuzzer's own.
        last = traceback.extract_tb(error.__traceback__)[-1]
        what = str(error).partition(":")[0][:60]
        frames = [f"{Path(last.filename).name}:{last.name}:{last.lineno} {what}"]
    return f"{type(error).__name__} {' < '.join(reversed(frames[-4:]))}"


class Findings:
    """Keeps one input for each place where a target failed, on disk, with how it failed."""

    def __init__(self, target: Target, directory: Path) -> None:
        self.target = target
        self.directory = directory
        self.found: dict[str, Path] = {}

    def add(self, data: bytes, error: BaseException) -> Path | None:
        """Save an input that failed; None if one that failed alike is saved already."""
        place = signature(error)
        if place in self.found:
            return None
        self.directory.mkdir(parents=True, exist_ok=True)
        name = f"{self.target.name.replace('/', '.')}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
        path = self.directory / name
        path.write_bytes(data)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        path.with_name(f"{name}.txt").write_text(f"{place}\n\n{reproducer(self.target, path)}\n\n{text}")
        self.found[place] = path
        return path


def reproducer(target: Target, path: Path) -> str:
    """The command that runs a saved input again."""
    return f"python -m tools.fuzz {target.name} --reproduce {path}"


def fails_alike(target: Target, data: bytes, place: str) -> bool:
    try:
        target.run(data)
    except Exception as error:
        return signature(error) == place
    return False


def minimised(target: Target, data: bytes) -> bytes:
    """The smallest input found that fails as ``data`` does: pieces are left out, then bytes set to 0. ValueError:
    ``data`` does not fail."""
    try:
        target.run(data)
    except Exception as error:
        place = signature(error)
    else:
        raise ValueError("this input does not fail")
    size = max(len(data) // 2, 1)
    while size:
        position = 0
        while position < len(data):
            shorter = data[:position] + data[position + size :]
            if fails_alike(target, shorter, place):
                data = shorter
            else:
                position += size
        size //= 2
    for position in range(len(data)):
        plainer = data[:position] + b"\0" + data[position + 1 :]
        if plainer != data and fails_alike(target, plainer, place):
            data = plainer
    return data
