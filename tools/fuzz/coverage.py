"""Which lines of the wire format and of the core an input reaches.

`sys.monitoring` where it is (CPython 3.12), `sys.settrace` elsewhere. Either way a line costs something the first
time only: a code object of which every line has been seen is not watched any longer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGES = ("pysctpstack.wire", "pysctpstack.core")
_TOOL = 4
"""Of `sys.monitoring`; no tool has this number by convention."""


def _files() -> dict[str, Path]:
    """By package: its directory."""
    found = {}
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is None or not spec.origin:
            raise ImportError(f"no {package} to measure")
        found[package] = Path(spec.origin).parent
    return found


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def lines_of(code: CodeType) -> set[int]:
    """The lines of a function that an event tells of; not the ``def`` itself."""
    return {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}


class Coverage:
    """Lines of functions reached while `watch` is on; the bodies of modules and classes do not count."""

    def __init__(self) -> None:
        self.prefixes = {package: f"{directory}/" for package, directory in _files().items()}
        self.all: dict[str, set[tuple[str, int]]] = {}
        for package, directory in _files().items():
            self.all[package] = {
                (str(path), line)
                for path in sorted(directory.rglob("*.py"))
                for code in _codes(compile(path.read_text(), str(path), "exec"))
                if code.co_flags & 2 and not code.co_name.startswith("<")  # CO_NEWLOCALS: a function
                for line in lines_of(code)
            }
        self.everything = set().union(*self.all.values())
        self.seen: set[tuple[str, int]] = set()
        self._left: dict[CodeType, set[int]] = {}
        self._tracer: Any = None

    def reached(self) -> dict[str, tuple[int, int]]:
        """By package: lines reached, and lines that there are."""
        return {package: (len(self.seen & lines), len(lines)) for package, lines in self.all.items()}

    # --- watching ---

    def start(self) -> None:
        if sys.version_info >= (3, 12):
            self._start_monitoring()
        else:
            self._tracer = sys.gettrace()
            sys.settrace(self._on_call)

    def stop(self) -> None:
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)
        else:
            # Somebody else may have been measuring.
            sys.settrace(self._tracer)

    def _is_ours(self, code: CodeType) -> bool:
        return code.co_filename.startswith(tuple(self.prefixes.values()))

    def _note(self, code: CodeType, line: int) -> bool:
        """Whether any line of the function is left to be seen."""
        left = self._left.get(code)
        if left is None:
            left = self._left[code] = lines_of(code)
        if line in left:
            left.discard(line)
            if (code.co_filename, line) in self.everything:
                self.seen.add((code.co_filename, line))
        return bool(left)

    def _on_call(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        code = frame.f_code
        left = self._left.get(code)
        if left is None:
            if not self._is_ours(code):
                self._left[code] = set()
                return None
            self._left[code] = lines_of(code)
            return self._on_line
        return self._on_line if left else None

    def _on_line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            self._note(frame.f_code, frame.f_lineno)
        return self._on_line

    if sys.version_info >= (3, 12):

        def _start_monitoring(self) -> None:
            monitoring = sys.monitoring
            monitoring.use_tool_id(_TOOL, "tools.fuzz")

            def on_line(code: CodeType, line: int) -> Any:
                if self._is_ours(code):
                    self._note(code, line)
                return monitoring.DISABLE

            monitoring.register_callback(_TOOL, monitoring.events.LINE, on_line)
            monitoring.set_events(_TOOL, monitoring.events.LINE)
