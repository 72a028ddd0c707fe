"""The run's own network: a bridge in a network namespace, one port for each guest, one for usrsctp, one for the relay.

    ours 10.77.0.1 (the bridge itself)   linux 10.77.0.2 (tap)   usrsctp 10.77.0.3 (veth)   linux2 10.77.0.4 (tap)
    relay 10.77.0.5 (veth)

A second bridge joins ours and the guests once more, 10.78.0.x: the second path of hosts with two addresses.

usrsctp and the relay get a namespace each, so that their packets have an address of their own whatever their UDP
socket is bound to. All interfaces have an MTU of 1,500, and `gso_max_segs 1` makes the kernel cut UDP_SEGMENT trains
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

OURS, LINUX, USRSCTP, LINUX2, RELAY = "10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5"
SECOND = {OURS: "10.78.0.1", LINUX: "10.78.0.2", LINUX2: "10.78.0.4"}  # what the same host has on the second bridge
BRIDGES = {"br0": OURS, "br1": SECOND[OURS]}
FIRST_BRIDGE, SECOND_BRIDGE = BRIDGES
TAPS = {LINUX: ("tap0", "tap2"), LINUX2: ("tap1", "tap3")}  # on the first and on the second bridge

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
    """The bridges and their ports; made once a run, inside its namespaces."""

    def __init__(self) -> None:
        for name in ("all", "default"):
            switch = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
            if switch.exists():
                switch.write_text("1")  # neighbour discovery would only clutter the captures
        _ip("link", "set", "lo", "up")
        for bridge, address in BRIDGES.items():
            _ip("link", "add", bridge, "type", "bridge")
            _ip("addr", "add", f"{address}/24", "dev", bridge)
            _ip("link", "set", bridge, "gso_max_segs", "1", "up")
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        for number, address in enumerate((USRSCTP, RELAY)):
            self._add_room(number, address)

    def add_taps(self, address: str) -> None:
        """Add the two ports of the guest that has `address`."""
        for name, bridge in zip(TAPS[address], BRIDGES, strict=True):
            _ip("tuntap", "add", name, "mode", "tap")
            _attach(name, bridge)

    def cut(self, address: str) -> None:
        """Let the guest that has `address` reach nobody on the first bridge, and nobody reach it."""
        _ip("link", "set", TAPS[address][0], "nomaster")

    def restore(self, address: str) -> None:
        """Undo `cut`; does nothing without one."""
        _ip("link", "set", TAPS[address][0], "master", FIRST_BRIDGE)

    def prefix(self, address: str) -> list[str]:
        """Return the command that runs another one in the namespace that has `address`."""
        return ["nsenter", f"--net=/proc/{self._holders[address].pid}/ns/net", "--"]

    def close(self) -> None:
        """Let go of the namespaces of usrsctp and of the relay; the run's own goes with its last process."""
        for holder in self._holders.values():
            holder.kill()
            holder.wait(5.0)

    def _add_room(self, number: int, address: str) -> None:
        """Make a namespace with one port on the first bridge."""
        outside, inside = f"veth{2 * number}", f"veth{2 * number + 1}"
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        # A namespace lives as long as a process in it.
        self._holders[address] = holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        _wait_for_namespace(holder)
        _ip("link", "set", inside, "netns", str(holder.pid))
        for command in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{address}/24", "dev", inside),
            ("link", "set", inside, "gso_max_segs", "1", "up"),
        ):
            _run([*self.prefix(address), "ip", *command])
        _attach(outside, FIRST_BRIDGE)


def _attach(name: str, bridge: str) -> None:
    _ip("link", "set", name, "master", bridge)
    _ip("link", "set", name, "gso_max_segs", "1", "up")


def _wait_for_namespace(holder: subprocess.Popen[bytes]) -> None:
    mine = os.readlink("/proc/self/ns/net")
    while holder.poll() is None:
        if os.readlink(f"/proc/{holder.pid}/ns/net") != mine:
            return
        os.sched_yield()
    raise NetworkError("no second network namespace can be made")


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if result.returncode != 0:
        raise NetworkError(f"{' '.join(command)}: {result.stderr.strip()}")
