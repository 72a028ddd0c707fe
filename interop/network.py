"""The run's own network: a bridge in a network namespace, one port for each guest and one for usrsctp.

    ours 10.77.0.1 (the bridge itself)   linux 10.77.0.2 (tap)   usrsctp 10.77.0.3 (veth)   linux2 10.77.0.4
    (tap)

usrsctp gets a namespace of its own, so that its packets have an address of their own whatever its UDP socket
is bound to. All interfaces have an MTU of 1,500, and `gso_max_segs 1` makes the kernel cut UDP_SEGMENT trains
before a capture sees them. `reexec` puts the run into namespaces of network, mounts and processes: when it
ends, however it ends, its processes and interfaces are gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

BRIDGE = "br0"
OURS, LINUX, USRSCTP, LINUX2 = "10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4"
TAPS = {LINUX: "tap0", LINUX2: "tap1"}

_INSIDE = "PYSCTPSTACK_INTEROP_INSIDE"
_UNSHARE = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


class NetworkError(Exception):
    """The run's network could not be made."""


def build_folder() -> Path | None:
    """Return the run's folder for what it builds, when this process is in the run's namespaces; else None."""
    name = os.environ.get(_INSIDE)
    return Path(name) if name else None


def why_not() -> str | None:
    """Return the reason why no namespaces can be made here, or None."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    for tool, package in (("unshare", "util-linux"), ("nsenter", "util-linux"), ("ip", "iproute2")):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian: {package})"
    trial = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, timeout=20, check=False)
    if trial.returncode != 0:
        return f"namespaces cannot be made (root is needed): {trial.stderr.strip()}"
    return None


def reexec(arguments: Sequence[str], root: Path) -> int:
    """Run `python -m interop` again inside namespaces of its own; return its exit code.

    When this process is interrupted or terminated, the namespaces go, and with them every process of the run.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    command = [*_UNSHARE, sys.executable, "-m", "interop", *arguments]
    with tempfile.TemporaryDirectory(prefix="interop-", ignore_cleanup_errors=True) as build:
        process = subprocess.Popen(command, env={**os.environ, _INSIDE: build, "PYTHONPATH": path})
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        finally:
            process.kill()  # --kill-child takes the whole process namespace along
            process.wait()


class Network:
    """The bridge and its ports; made once a run, inside its namespaces."""

    def __init__(self) -> None:
        for name in ("all", "default"):
            switch = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
            if switch.exists():
                switch.write_text("1")  # neighbour discovery would only clutter the captures
        _ip("link", "set", "lo", "up")
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("link", "add", "veth0", "type", "veth", "peer", "name", "veth1")
        # A namespace lives as long as a process in it.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self._wait_for_namespace()
        _ip("link", "set", "veth1", "netns", str(self._holder.pid))
        self._in_holder("link", "set", "lo", "up")
        self._in_holder("addr", "add", f"{USRSCTP}/24", "dev", "veth1")
        self._in_holder("link", "set", "veth1", "gso_max_segs", "1", "up")
        self._attach("veth0")
        _ip("addr", "add", f"{OURS}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "gso_max_segs", "1", "up")

    def add_tap(self, name: str) -> None:
        """Add a port for a guest."""
        _ip("tuntap", "add", name, "mode", "tap")
        self._attach(name)

    def usrsctp_prefix(self) -> list[str]:
        """Return the command that runs another one in usrsctp's namespace."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", "--"]

    def close(self) -> None:
        """Let go of usrsctp's namespace; the run's own goes with its last process."""
        self._holder.kill()
        self._holder.wait(5.0)

    def _attach(self, name: str) -> None:
        _ip("link", "set", name, "master", BRIDGE)
        _ip("link", "set", name, "gso_max_segs", "1", "up")

    def _in_holder(self, *arguments: str) -> None:
        _run([*self.usrsctp_prefix(), "ip", *arguments])

    def _wait_for_namespace(self) -> None:
        mine = os.readlink("/proc/self/ns/net")
        while self._holder.poll() is None:
            if os.readlink(f"/proc/{self._holder.pid}/ns/net") != mine:
                return
            os.sched_yield()
        raise NetworkError("no second network namespace can be made")


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if result.returncode != 0:
        raise NetworkError(f"{' '.join(command)}: {result.stderr.strip()}")
