"""What the contenders need beyond this repository: usrsctp from Debian's source package, a venv with aiortc.

Everything lies in a cache directory, ``$XDG_CACHE_HOME/pysctpstack-bench`` (~/.cache without it), and is made once.
Nothing of the system is touched: the package lists and the sources list are the cache's own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path

from tools.bench.errors import Unavailable

ROOT = Path(__file__).resolve().parents[2]
PEER_SOURCE = Path(__file__).with_name("peer.c")

USRSCTP_VERSION = "0.9.5.0"
DEBIAN_VERSION = "0.9.5.0-2"
DEBIAN_SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CMAKE_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-Dsctp_debug=OFF",
    "-Dsctp_build_programs=OFF",
    "-Dsctp_werror=OFF",
)
AIORTC_VERSION = "1.16.0"
PEER_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror")
NEEDED = {
    "cc": "gcc",
    "make": "make",
    "cmake": "cmake",
    "apt-get": "apt",
    "dpkg-source": "dpkg-dev",
}
"""Programs, and the Debian packages that have them."""
NEEDS = (
    "To build usrsctp and its peer: Debian or a derivative with gcc, libc6-dev, make, cmake, dpkg-dev and "
    "debian-archive-keyring, and a network that reaches deb.debian.org, once. For aiortc: a network that reaches PyPI, "
    "once. What is missing becomes a row that says so."
)


def _once(make: Callable[[], Path]) -> Callable[[], Path]:
    """``make``, called the first time only; what was unavailable then stays so."""
    outcome: list[Path | Unavailable] = []

    @wraps(make)
    def made() -> Path:
        if not outcome:
            try:
                outcome.append(make())
            except Unavailable as error:
                outcome.append(error)
        (found,) = outcome
        if isinstance(found, Unavailable):
            raise found
        return found

    return made


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base) / "pysctpstack-bench"
    path.mkdir(parents=True, exist_ok=True)
    return path


@_once
def usrsctp_peer() -> Path:
    """The program of `peer.c`. Unavailable: what is missing."""
    return usrsctp_program(PEER_SOURCE)


def usrsctp_program(source: Path) -> Path:
    """A C program, linked with an optimised usrsctp without debug code. Unavailable: what is missing."""
    tree = _usrsctp_tree()
    library = _usrsctp_library(tree)
    digest = hashlib.sha256(source.read_bytes() + library.read_bytes()).hexdigest()[:12]
    program = cache() / f"{source.stem}-{digest}"
    if not program.exists():
        unfinished = program.with_suffix(".part")
        include = f"-I{tree / 'usrsctplib'}"
        _run(["cc", *PEER_FLAGS, include, "-o", unfinished, source, library, "-lpthread"], f"usrsctp's {source.stem}")
        unfinished.replace(program)
    return program


def _usrsctp_library(tree: Path) -> Path:
    build = tree / "bench-build"
    library = build / "usrsctplib" / "libusrsctp.a"
    done = build / "done"
    if not done.exists():
        shutil.rmtree(build, ignore_errors=True)
        _run(["cmake", "-S", tree, "-B", build, *CMAKE_OPTIONS], "usrsctp")
        _run(["cmake", "--build", build, "--parallel", str(os.cpu_count() or 1)], "usrsctp")
        done.touch()
    return library


def _usrsctp_tree() -> Path:
    """The unpacked source package."""
    tree = cache() / f"usrsctp-{USRSCTP_VERSION}"
    missing = [f"{program} (Debian: {package})" for program, package in NEEDED.items() if shutil.which(program) is None]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}")
    if tree.exists():
        return tree
    if not KEYRING.exists():
        raise Unavailable(f"{KEYRING} is not there (Debian: debian-archive-keyring)")
    apt = cache() / "apt"
    for directory in ("lists/partial", "cache/archives/partial", "parts"):
        (apt / directory).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb-src [signed-by={KEYRING}] {MIRROR} {DEBIAN_SUITE} main\n", encoding="ascii")
    options = [
        f"-oDir::Etc::SourceList={apt / 'sources.list'}",
        f"-oDir::Etc::SourceParts={apt / 'parts'}",
        f"-oDir::State::Lists={apt / 'lists'}",
        f"-oDir::Cache={apt / 'cache'}",
        "-oAPT::Sandbox::User=",  # the cache need not be readable for others
        "-qq",
    ]
    _run(["apt-get", *options, "update"], "usrsctp's source package")
    _run(
        ["apt-get", *options, "source", "--download-only", f"libusrsctp={DEBIAN_VERSION}"],
        "usrsctp's source package",
        cwd=apt,
    )
    unfinished = cache() / "usrsctp.part"
    shutil.rmtree(unfinished, ignore_errors=True)
    _run(["dpkg-source", "-x", apt / f"libusrsctp_{DEBIAN_VERSION}.dsc", unfinished], "usrsctp's source package")
    unfinished.rename(tree)
    return tree


@_once
def aiortc_python() -> Path:
    """The interpreter of a venv that has aiortc. Unavailable: pip can't get it."""
    venv = cache() / f"aiortc-{AIORTC_VERSION}-py{sys.version_info[0]}.{sys.version_info[1]}"
    python = venv / "bin" / "python"
    done = venv / "done"
    if not done.exists():
        shutil.rmtree(venv, ignore_errors=True)
        _run([sys.executable, "-m", "venv", venv], "a venv for aiortc")
        _run([python, "-m", "pip", "install", "--quiet", f"aiortc=={AIORTC_VERSION}"], "aiortc")
        done.touch()
    return python


def _run(command: Sequence[str | Path], what: str, cwd: Path | None = None) -> None:
    result = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        reason = next((line for line in reversed(lines) if line.strip()), "no message")
        raise Unavailable(f"{what}: {Path(command[0]).name} failed: {reason.strip()}")
