"""``import sctp`` under `pysctp run`: what pysctp does on a kernel, and the documentation's programs."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pysctpstack import pysctp
from pysctpstack.pysctp import bottom
from pysctpstack.sockets import default_stack

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
KNOWN: dict[str, Any] = json.loads((ROOT / "interop" / "pysctp_results.json").read_text())


WAIT = """
import socket, sys, time
for _ in range(1000):
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("", int(sys.argv[1])))
        except OSError:
            break
    time.sleep(0.02)
"""
"""Ends once a stack listens on that UDP port: surer than the second that the documentation waits."""


def free_port() -> int:
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def run(*words: str, cwd: Path | None = None, python_path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`pysctp run` with a stack that is its own peer."""
    port = str(free_port())
    paths = {"PYTHONPATH": str(python_path)} if python_path else {}
    return subprocess.run(
        [sys.executable, "-m", "pysctpstack", "run", "--udp-port", port, "--remote-udp-port", port, *words],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=cwd,
        env={**os.environ, **paths},
        check=False,
    )


def test_the_checks_that_ran_on_pysctp_have_its_results() -> None:
    done = run(str(ROOT / "interop" / "pysctp_scenarios.py"))
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    found = {entry["check"]: entry["result"] for entry in entries}
    theirs = KNOWN["results"]
    assert found.keys() == theirs.keys()
    different = {name: (found[name], theirs[name]) for name in found if found[name] != theirs[name]}
    assert different.keys() == KNOWN["differences"].keys(), different


@pytest.fixture
def own_peer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A default stack that is its own peer."""
    default_stack().close()
    port = str(free_port())
    for variable in ("PYSCTPSTACK_UDP_PORT", "PYSCTPSTACK_REMOTE_UDP_PORT"):
        monkeypatch.setenv(variable, port)
    yield
    default_stack().close()


@pytest.mark.skipif(sys.platform == "win32", reason="the checks use SIGALRM and poll")
def test_the_one_line_port_has_them_too(own_peer: None) -> None:
    """Without `run`: ``from pysctpstack import pysctp as sctp``, and `pysctpstack.socket`."""
    text = (ROOT / "interop" / "pysctp_scenarios.py").read_text()
    text = re.sub("^import socket$", "from pysctpstack import socket", text, flags=re.MULTILINE)
    text = re.sub("^import sctp .*$", "from pysctpstack import pysctp as sctp", text, flags=re.MULTILINE)
    program: dict[str, Any] = {"__name__": "scenarios"}
    exec(compile(text, "pysctp_scenarios.py", "exec"), program)
    found = {}
    for check in program["CHECKS"]:
        try:
            found[check.__name__] = json.loads(json.dumps(check(), default=repr))
        finally:
            for sock in program["_open"]:
                sock.close()
            program["_open"].clear()
    different = {name for name in found if found[name] != KNOWN["results"][name]}
    # There `sctp.socket` is pysctpstack's, which refuses other families itself, and tests have a default time-out.
    assert different - {"wraps_a_socket", "bad_family"} == {*KNOWN["differences"], "names_of_socket_module"}


def test_the_documentation_lists_the_differences() -> None:
    text = (DOCS / "port-pysctp.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == KNOWN["differences"].keys()
    assert f"{len(KNOWN['results'])} checks" in text


def test_a_module_of_the_programs_own_stays_that(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sctp; print(sctp.__name__, getattr(sctp, 'mine', None))")
    assert run(str(tmp_path / "program.py")).stdout == "sctp None\n"
    (tmp_path / "sctp.py").write_text("mine = 1")
    assert run(str(tmp_path / "program.py")).stdout == "sctp 1\n"


def test_an_installed_pysctp_gives_way(tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    installed.mkdir()
    for name in ("sctp", "_sctp"):
        (installed / f"{name}.py").write_text("raise ImportError('no kernel SCTP here')")
    done = run("-c", "import sctp, _sctp; print(_sctp.getconstant('MSG_EOF'), sctp.MSG_EOF)", python_path=installed)
    assert done.stdout == "512 512\n", done.stderr


def test_every_name_of_a_star_import() -> None:
    text = """
        from sctp import *
        sock = sctpsocket_tcp(socket.AF_INET)
        print(sock.sock().family == AF_INET, time.time() > 0, os.getpid() > 0, sys.argv, datetime.MINYEAR)
        print(TCP_STYLE, UDP_STYLE, FLAG_NOTIFICATION, IPPROTO_SCTP, SOL_SCTP, htons(1) == socket.htons(1))
    """
    done = run("-c", textwrap.dedent(text))
    assert done.stdout == "True True True ['-c'] 1\n1 5 32768 132 132 True\n", done.stderr


def test_constants_by_name() -> None:
    assert bottom.getconstant("SCTP_ESTABLISHED") == pysctp.status.state_ESTABLISHED
    with pytest.raises(SystemError, match="SCTP_NOTHING"):
        bottom.getconstant("SCTP_NOTHING")


def test_unknown_notifications(capsys: pytest.CaptureFixture[str]) -> None:
    made = pysctp.notification_factory({"type": 1, "flags": 2})
    assert (type(made), made.type, made.flags) == (pysctp.notification, 1, 2)
    assert "unknown type 1" in capsys.readouterr().err


def test_bad_values_are_refused() -> None:
    """Of types that can't be numbers, before the socket has seen anything of them."""
    sock = pysctp.sctpsocket_tcp(socket.AF_INET)
    with pytest.raises(TypeError):
        sock.nodelay = "yes"
    with pytest.raises(TypeError):
        sock.events.data_io = None
    with pytest.raises(TypeError):
        sock.initparams.num_ostreams = 1.5
    with pytest.raises(TypeError):
        sock.sctp_send(5)
    with pytest.raises(TypeError):
        sock.bindx([(5, 5)])
    with pytest.raises(ValueError, match="nowhere"):
        sock.connectx([("nowhere", 5)])
    sock.close()


def blocks(name: str) -> list[tuple[str, str]]:
    """The code blocks of a page: language and text."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a shell")
@pytest.mark.parametrize("page", ["port-kernel-sctp.md", "port-pysctp.md"])
def test_the_documentations_programs(page: str, tmp_path: Path) -> None:
    """What a page shows after a command is what the command prints."""
    ports = {"9900": str(free_port()), "9901": str(free_port())}
    shown = 0
    command = ""
    for language, text in blocks(page):
        if language == "python":
            name = text.partition("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(text)
        elif language == "sh":
            command = re.sub("9900|9901", lambda found: ports[found[0]], text)
            command = re.sub("^python", sys.executable, command, flags=re.MULTILINE)
            command = command.replace("sleep 1", f"{sys.executable} -c '{WAIT}' {ports['9900']}")
        else:
            done = subprocess.run(
                ["sh", "-e", "-c", command], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
            )
            assert (done.stdout, done.stderr) == (text, "")
            shown += 1
    assert shown == 2
