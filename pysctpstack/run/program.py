"""Runs a program as ``python`` does: the same ``__main__``, ``sys.argv``, ``sys.path``, tracebacks and exit status.

What `python -m` does for modules, folders and archives is in the standard library's `runpy`. Scripts, ``-c`` and
``-`` the interpreter runs in C, which is done here over again.
"""

from __future__ import annotations

import atexit
import builtins
import code
import importlib.machinery
import importlib.util
import linecache
import os
import pkgutil
import runpy
import signal
import sys
import textwrap
import threading
import traceback
import types
from collections.abc import Callable, Sequence
from typing import Any

EXIT_FAILURE = 1
EXIT_NO_FILE = 2


def run_file(path: str, arguments: Sequence[str]) -> int:
    """Run a script, a compiled one, or a folder or archive with a ``__main__.py``. Returns the exit status."""
    # As the interpreter writes it: on POSIX systems ``..`` stays in it.
    absolute = os.path.join(os.getcwd(), path) if os.name == "posix" else os.path.abspath(path)
    main = _begin([path, *arguments])
    if pkgutil.get_importer(absolute) is not None:
        _first_on_path(absolute)
        return _guarded(lambda: _run_module_as_main("__main__", alter_argv=False))
    try:
        with open(absolute, "rb") as file:
            source = file.read()
    except OSError as error:
        print(
            f"{sys.executable}: can't open file {absolute!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr
        )
        return EXIT_NO_FILE
    _first_on_path(os.path.dirname(os.path.realpath(absolute)))
    if source.startswith(importlib.util.MAGIC_NUMBER):
        compiled = importlib.machinery.SourcelessFileLoader("__main__", absolute)
        main.__dict__.update(__file__=absolute, __cached__=None, __loader__=compiled)
        return _guarded(lambda: _execute(compiled.get_code("__main__"), main))
    loader = importlib.machinery.SourceFileLoader("__main__", absolute)
    main.__dict__.update(__file__=absolute, __cached__=None, __loader__=loader)
    return _guarded(lambda: _execute(compile(source, absolute, "exec", dont_inherit=True), main))


def run_module(name: str, arguments: Sequence[str]) -> int:
    """Run a module, or the ``__main__`` of a package, as ``python -m``. Returns the exit status."""
    _begin(["-m", *arguments])
    _first_on_path(os.getcwd())
    return _guarded(lambda: _run_module_as_main(name, alter_argv=True))


def run_code(source: str, arguments: Sequence[str]) -> int:
    """Run a piece of code, as ``python -c``. Returns the exit status."""
    main = _begin(["-c", *arguments])
    _first_on_path("")
    if sys.version_info >= (3, 14):
        source = textwrap.dedent(source)
    source += "\n"
    if sys.version_info >= (3, 13):
        # Tracebacks show its lines.
        linecache.cache["<string>"] = (len(source), None, source.splitlines(keepends=True), "<string>")
    return _guarded(lambda: _execute(compile(source, "<string>", "exec", dont_inherit=True), main))


def run_stdin(arguments: Sequence[str]) -> int:
    """Run what comes from standard input, as ``python -``: a program, or what is typed. Returns the exit status."""
    main = _begin(["-", *arguments])
    _first_on_path("")
    if sys.stdin.isatty():
        code.interact(local=main.__dict__, exitmsg="")
        return 0
    main.__dict__.update(__file__="<stdin>", __cached__=None)
    source = sys.stdin.buffer.read()
    status = _guarded(lambda: _execute(compile(source, "<stdin>", "exec", dont_inherit=True), main))
    for name in ("__file__", "__cached__"):
        main.__dict__.pop(name, None)
    return status


def _begin(argv: list[str]) -> types.ModuleType:
    """A ``__main__`` of the program's own, and its arguments."""
    main = types.ModuleType("__main__")
    ours = sys.modules["__main__"].__dict__
    main.__dict__.update(__loader__=importlib.machinery.BuiltinImporter, __builtins__=builtins)
    if "__annotations__" in ours:
        main.__annotations__ = {}
    _kept.append(sys.modules["__main__"])
    sys.modules["__main__"] = main
    sys.argv = argv
    return main


_kept: list[types.ModuleType] = []
"""The ``__main__`` that there was before: its functions are still on the stack."""


def _first_on_path(entry: str) -> None:
    """Put the program's folder where the interpreter has put the one of this command."""
    if getattr(sys.flags, "safe_path", sys.flags.isolated):
        # `python -P` or `-I`: there is none, but for folders and archives, which have to be found.
        if pkgutil.get_importer(entry) is not None and os.path.exists(os.path.join(entry, "__main__.py")):
            sys.path.insert(0, entry)
        return
    sys.path[0] = entry


def _run_module_as_main(name: str, *, alter_argv: bool) -> None:
    runpy._run_module_as_main(name, alter_argv)  # type: ignore[attr-defined]  # what the interpreter calls for -m


def _execute(compiled: types.CodeType | None, main: types.ModuleType) -> None:
    assert compiled is not None
    exec(compiled, main.__dict__)


def _guarded(program: Callable[[], None]) -> int:
    """Run the program; an exception that it does not catch is shown as the interpreter shows it."""
    try:
        program()
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = without_own_frames(error.__traceback__)
        _show(error)
        if isinstance(error, KeyboardInterrupt):
            _end_by_interrupt()
        return EXIT_FAILURE
    return 0


def without_own_frames(trace: types.TracebackType | None) -> types.TracebackType | None:
    """A traceback from where the program begins."""
    while trace is not None and trace.tb_frame.f_globals is globals():
        trace = trace.tb_next
    return trace


def _show(error: BaseException) -> None:
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except SystemExit:
        raise
    except BaseException as another:
        another.__traceback__ = without_own_frames(another.__traceback__)
        another.__context__ = None
        print("Error in sys.excepthook:", file=sys.stderr)
        traceback.print_exception(another)
        print("\nOriginal exception was:", file=sys.stderr)
        traceback.print_exception(error)


def _end_by_interrupt() -> None:
    """End as the interpreter does after a KeyboardInterrupt that nobody caught: in order, and then of SIGINT."""
    if os.name != "posix":
        return
    finish: Any = getattr(threading, "_shutdown", None)
    if finish is not None:
        finish()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
