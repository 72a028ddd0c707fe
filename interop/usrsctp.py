"""Compiling the C programs: the usrsctp peer, and the slides' programs for the guest."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from interop import plan

SOURCES = Path(__file__).parent / "peers"
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")


class Missing(Exception):
    """The compiler or a library is not installed."""


class BuildError(Exception):
    """A C program does not compile although all it needs is there."""


def build_usrsctp_peer(build: Path) -> Path:
    """Compile `usrsctp_peer.c` into `build` and return the program's path."""
    (build / "plan.h").write_text(plan.c_header())
    return _compile(build, "usrsctp_peer", "<usrsctp.h>", "libusrsctp-dev", ("-lusrsctp", "-lpthread"))


def build_slides(build: Path) -> tuple[Path, Path]:
    """Compile the slides' server and client into `build` and return their paths."""
    names = ("slides_server", "slides_client")
    server, client = (_compile(build, name, "<netinet/sctp.h>", "libsctp-dev", ("-lsctp",)) for name in names)
    return server, client


def _compile(build: Path, name: str, header: str, package: str, libraries: Sequence[str]) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("cc is not installed (Debian: gcc)")
    trial = subprocess.run(
        [compiler, "-E", "-x", "c", "-"],
        input=f"#include {header}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if trial.returncode != 0:
        raise Missing(f"{header} is not installed (Debian: {package})")
    program = build / name
    command = [compiler, *_FLAGS, f"-I{build}", "-o", str(program), str(SOURCES / f"{name}.c"), *libraries]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode != 0:
        raise BuildError(f"{name}.c does not compile: {result.stderr.strip()}")
    return program
