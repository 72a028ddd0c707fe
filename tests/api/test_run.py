"""`pysctp run` is `python` to the program that it runs: the same ``__main__``, arguments, paths, output and end."""

from __future__ import annotations

import compileall
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PROBE = """
import sys
main = sys.modules["__main__"].__dict__
for name in sorted(name for name in main if name.startswith("__")):
    value = main[name]
    print(name, type(value).__name__, value if isinstance(value, (str, dict)) else getattr(value, "name", ""))
print(__name__, sys.argv, sys.path[0], len(sys.path), __builtins__ is __import__("builtins"))
def fail(): raise ValueError("what the program raises")
if "fail" in sys.argv: fail()
if "exit" in sys.argv: sys.exit(eval(sys.argv[-1]))
"""
THREADS = """
import atexit, sys, threading
def late(): print("from a thread")
atexit.register(print, "at exit")
threading.Timer(0.1, late).start()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Programs of every kind."""
    for name in ("probe.py", "package/__main__.py", "package/module.py", "tree/__main__.py", "real/linked.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(PROBE)
    for name in ("package/__init__.py", "package/empty/__init__.py", "nothing/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.py").symlink_to("real/linked.py")
    (tmp_path / "wrong.py").write_text("x = (\n")
    (tmp_path / "latin.py").write_bytes("# coding: latin-1\nprint(ascii('é'))\n".encode("latin-1"))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    compileall.compile_file(tmp_path / "probe.py", quiet=1, legacy=True)
    return tmp_path


def outcome(folder: Path, command: tuple[str, ...], text: str, flags: tuple[str, ...] = ()) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *flags, *command],
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("probe.py",),
        ("probe.py", "fail"),
        ("./real/../probe.py", "a b", "--udp-port", "1", "--", "-m", "x"),
        ("link.py",),
        ("probe.pyc", "fail"),
        ("wrong.py",),
        ("latin.py",),
        ("absent.py",),
        ("tree", "fail"),
        ("archive.zip", "x", "fail"),
        ("nothing",),
        ("-m", "package", "-x", "fail"),
        ("-m", "package.module", "--", "1"),
        ("-mpackage.module", "1"),
        ("-m", "package.empty"),
        ("-m", "absent"),
        ("-m", "absent.module"),
        ("-c", PROBE, "1", "--x"),
        ("-c", "def f():\n    1/0\nf()"),
        ("-cimport sys; print(sys.argv)", "1"),
        ("-", "1", "fail"),
        ("probe.py", "exit", "3"),
        ("probe.py", "exit", "None"),
        ("probe.py", "exit", "'a reason'"),
        ("-c", THREADS),
        ("-c", THREADS + "raise ValueError"),
        ("-c", THREADS + "sys.exit(4)"),
        ("-c", THREADS + "raise KeyboardInterrupt"),
        ("-c", "import sys\ndef hook(*a): 1/0\nsys.excepthook = hook\nraise ValueError"),
        ("-c", "import sys\ndef hook(*a): sys.exit(5)\nsys.excepthook = hook\nraise ValueError"),
        ("-c", "import sys\ntry:\n    1/0\nfinally:\n    sys.stdout.write('no newline')"),
    ],
    ids=lambda command: " ".join(command)[:40],
)
def test_a_program_sees_no_difference_from_python(folder: Path, command: tuple[str, ...]) -> None:
    expected = outcome(folder, command, PROBE)
    assert outcome(folder, ("-m", "pysctpstack", "run", *command), PROBE) == expected


@pytest.mark.parametrize(
    ("flags", "command"),
    [
        (("-I",), ("probe.py",)),
        (("-I",), ("tree",)),
        (("-I",), ("-c", "import sys; print(sys.flags, sys.path)")),
        (("-O", "-W", "error"), ("-c", "import sys; print(sys.flags, sys.path, sys.warnoptions)")),
    ],
)
def test_the_interpreters_own_options_hold(folder: Path, flags: tuple[str, ...], command: tuple[str, ...]) -> None:
    expected = outcome(folder, command, "", flags)
    assert outcome(folder, ("-m", "pysctpstack", "run", *command), "", flags) == expected


def test_an_interrupted_program_ends_of_the_signal() -> None:
    # What runs in the background of a shell ignores SIGINT, and its children with it.
    text = (
        "import signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "print('up', flush=True); time.sleep(30)"
    )
    for command in (("-c", text), ("-m", "pysctpstack", "run", "-c", text)):
        with subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        assert process.returncode == -signal.SIGINT
        assert errors.splitlines()[-1] == "KeyboardInterrupt"
        assert "pysctpstack" not in errors


def test_a_program_that_is_typed(folder: Path) -> None:
    pty = pytest.importorskip("pty")
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pysctpstack", "run", "-", "word"],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(leader, b"import sys; print(sys.argv, __name__)\nexit()\n")
        output, _ = process.communicate(timeout=30)
    os.close(leader)
    os.close(follower)
    assert "['-', 'word'] __main__" in output
    assert process.returncode == 0


def test_bad_usage_is_told() -> None:
    for words in ((), ("-m",), ("-c",), ("--udp-port", "65536", "x.py"), ("--remote-udp-port",)):
        done = subprocess.run(
            [sys.executable, "-m", "pysctpstack", "run", *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 2, words
        assert "usage: pysctp run" in done.stderr


def test_udp_ports_reach_the_stack_and_the_environment() -> None:
    text = "import os; print(os.environ['PYSCTPSTACK_UDP_PORT'], os.environ['PYSCTPSTACK_REMOTE_UDP_PORT'])"
    options = ("--udp-port", "15003", "--remote-udp-port=15004")
    done = outcome(Path.cwd(), ("-m", "pysctpstack", "run", *options, "-c", text), "")
    assert done == (0, "15003 15004\n", "")
