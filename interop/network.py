"""The run's own network: a bridge in a network namespace, one port for each guest, one for usrsctp, one for the relay.

    ours 10.77.0.1 (the bridge itself)   linux 10.77.0.2 (tap)   usrsctp 10.77.0.3 (veth)   linux2 10.77.0.4 (tap)
    relay 10.77.0.5 (veth)

A second bridge joins all but the relay once more, 10.78.0.x: the second path of hosts with two addresses. On the first
bridge they have IPv6 addresses too, fd77::x.

usrsctp and the relay get a namespace each, so that their packets have an address of their own whatever their UDP
socket is bound to. All interfaces have an MTU of 1,500, and `gso_max_segs 1` makes the kernel cut UDP_SEGMENT trains
before a capture sees them. `reexec` puts the run into namespaces of network, mounts and processes: when it
ends, however it ends, its processes and interfaces are gone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

OURS, LINUX, USRSCTP, LINUX2, RELAY = "10.77.0.1", "10.77.0.2", "10.77.0.3", "10.77.0.4", "10.77.0.5"
# What the same host has on the second bridge.
SECOND = {OURS: "10.78.0.1", LINUX: "10.78.0.2", USRSCTP: "10.78.0.3", LINUX2: "10.78.0.4"}
# IPv6, on the first bridge.
SIXTH = {OURS: "fd77::1", LINUX: "fd77::2", USRSCTP: "fd77::3", LINUX2: "fd77::4"}
BRIDGES = {"br0": OURS, "br1": SECOND[OURS]}
FIRST_BRIDGE, SECOND_BRIDGE = BRIDGES
TAPS = {LINUX: ("tap0", "tap2"), LINUX2: ("tap1", "tap3")}  # on the first and on the second bridge

SUMMARY = "summary.json"  # in a run's folder: what became of its cells

_ROUTER = {"ip_forward": 1, "conf/all/send_redirects": 0, "conf/eth-br0/send_redirects": 0}

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


def reexec(runs: Sequence[Sequence[str]], root: Path) -> list[list[dict[str, str]]]:
    """Run `python -m interop` again with each of these arguments, at once, each inside namespaces of its own.

    Return what each left in its SUMMARY; nothing for one that ended before that. When this process is interrupted or
    terminated, the namespaces go, and with them every process of the run.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
    processes = []
    with tempfile.TemporaryDirectory(prefix="interop-", ignore_cleanup_errors=True) as parent:
        builds = [Path(parent) / str(number) for number in range(len(runs))]
        try:
            for arguments, build in zip(runs, builds, strict=True):
                build.mkdir()
                command = [*_UNSHARE, sys.executable, "-m", "interop", *arguments]
                environment = {**os.environ, _INSIDE: str(build), "PYTHONPATH": path}
                processes.append(subprocess.Popen(command, env=environment))
            for process in processes:
                process.wait()
        finally:
            for process in processes:
                process.kill()  # --kill-child takes the whole process namespace along
                process.wait()
        return [json.loads((build / SUMMARY).read_text()) if (build / SUMMARY).exists() else [] for build in builds]


class Network:
    """The bridges and their ports; made once a run, inside its namespaces."""

    def __init__(self) -> None:
        for name in ("all", "default"):
            switch = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
            if switch.exists():
                switch.write_text("1")  # neighbour discovery would only clutter the captures
        _ip("link", "set", "lo", "up")
        for number, (bridge, address) in enumerate(BRIDGES.items()):
            # A MAC of its own: with that of a port, which it would take, packets of a port that is cut off reach it.
            _ip("link", "add", bridge, "address", f"02:00:00:77:00:{number:02}", "type", "bridge")
            _ip("addr", "add", f"{address}/24", "dev", bridge)
            _ip("link", "set", bridge, "gso_max_segs", "1", "up")
        Path(f"/proc/sys/net/ipv6/conf/{FIRST_BRIDGE}/disable_ipv6").write_text("0")
        _ip("-6", "addr", "add", f"{SIXTH[OURS]}/64", "dev", FIRST_BRIDGE, "nodad")
        self._holders: dict[str, subprocess.Popen[bytes]] = {}
        self._ports = {address: taps[0] for address, taps in TAPS.items()}  # on the first bridge
        for address in (USRSCTP, RELAY):
            self._add_room(address)
        router = "; ".join(f"echo {value} >/proc/sys/net/ipv4/{name}" for name, value in _ROUTER.items())
        _run([*self.prefix(RELAY), "sh", "-ec", router])

    def add_taps(self, address: str) -> None:
        """Add the two ports of the guest that has `address`."""
        for name, bridge in zip(TAPS[address], BRIDGES, strict=True):
            _ip("tuntap", "add", name, "mode", "tap")
            _attach(name, bridge)

    def cut(self, address: str) -> None:
        """Let the host that has `address` reach nobody on the first bridge, and nobody reach it."""
        _ip("link", "set", self._ports[address], "nomaster")

    def restore(self, address: str) -> None:
        """Undo `cut`; does nothing without one."""
        _ip("link", "set", self._ports[address], "master", FIRST_BRIDGE)

    def detour(self, address: str, mtu: int) -> None:
        """Send what goes to `address` through the relay's host, a router to it with a path of this MTU (RFC 1191)."""
        _ip("route", "replace", f"{address}/32", "via", RELAY)
        path = ["ip", "route", "replace", f"{address}/32", "dev", "eth-br0", "mtu", "lock", str(mtu)]
        _run([*self.prefix(RELAY), *path])

    def straight(self, address: str) -> None:
        """Undo `detour`."""
        _ip("route", "del", f"{address}/32")
        _run([*self.prefix(RELAY), "ip", "route", "del", f"{address}/32"])
        _ip("route", "flush", "cache")  # what ICMP told of path MTUs

    def prefix(self, address: str) -> list[str]:
        """Return the command that runs another one in the namespace that has `address`."""
        return ["nsenter", f"--net=/proc/{self._holders[address].pid}/ns/net", "--"]

    def close(self) -> None:
        """Let go of the namespaces of usrsctp and of the relay; the run's own goes with its last process."""
        for holder in self._holders.values():
            holder.kill()
            holder.wait(5.0)

    def _add_room(self, address: str) -> None:
        """Make a namespace with a port on the first bridge, and one on the second for whoever has an address there."""
        # A namespace lives as long as a process in it.
        self._holders[address] = holder = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        _wait_for_namespace(holder)
        _run([*self.prefix(address), "ip", "link", "set", "lo", "up"])
        here = [address, SECOND[address]] if address in SECOND else [address]
        for bridge, own in zip(BRIDGES, here, strict=False):
            outside, inside = f"{bridge}-{len(self._holders)}", f"eth-{bridge}"
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", str(holder.pid))
            for command in (
                ("addr", "add", f"{own}/24", "dev", inside),
                ("link", "set", inside, "gso_max_segs", "1", "up"),
            ):
                _run([*self.prefix(address), "ip", *command])
            if own in SIXTH:
                _run([*self.prefix(address), "ip", "-6", "addr", "add", f"{SIXTH[own]}/64", "dev", inside, "nodad"])
            _attach(outside, bridge)
            self._ports.setdefault(address, outside)


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
