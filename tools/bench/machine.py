"""What the figures were measured on and with."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from pysctpstack import __version__
from pysctpstack.wire import crc32c
from tools.bench import build


def description() -> dict[str, str]:
    """Names and values, in the order in which they are printed."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "pysctpstack": f"{__version__}{_revision()}, CRC32c by {crc32c.IMPLEMENTATION}",
        "usrsctp": f"{build.USRSCTP_VERSION}, {' '.join(build.CMAKE_OPTIONS[:2])}, checksums on",
        "aiortc": build.AIORTC_VERSION,
        "compiler": _first_line(["cc", "--version"]),
        "load before": f"{load} (1, 5 and 15 minutes)",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _revision() -> str:
    """The commit that the working tree is at, with a mark if files differ from it; nothing outside of a repository."""
    if not (build.ROOT / ".git").exists():
        return ""
    revision = _first_line(["git", "-C", str(build.ROOT), "rev-parse", "--short", "HEAD"])
    if not revision:
        return ""
    changed = _first_line(["git", "-C", str(build.ROOT), "status", "--porcelain", "--untracked-files=no"])
    return f" ({revision}{' and changes' if changed else ''})"


def _first_line(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.splitlines()[0].strip() if result.returncode == 0 and result.stdout.strip() else ""
