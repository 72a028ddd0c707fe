"""A Linux kernel with SCTP, as an ordinary program: User-Mode Linux, booted once a run.

The guest's root is the host's file system, read-only (hostfs), so it sees the checkout, Python and the
compiled peers, and leaves nothing behind; what must be written to is a tmpfs. Its first process, after a
shell script that mounts, loads the modules and sets addresses, is `peers/executor.py`, which runs programs for
the host.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from interop.network import SIXTH
from interop.process import Process

EXECUTOR_PORT = 7_700
BOOT_TIMEOUT = 20.0
MODULES = Path("/usr/lib/uml/modules")

_SCRIPT = """#!/bin/sh
# Written by interop/guest.py: brings up the guest and becomes its executor.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
set -e
mount -t proc proc /proc
mount -t sysfs sys /sys
grep -q ' /dev devtmpfs ' /proc/mounts || mount -t devtmpfs dev /dev
mount -t tmpfs run /run
# The host has no /lib/modules of this kernel: modprobe, ours and the kernel's, looks below /run instead.
mkdir -p /run/root/lib/modules
ln -s {modules}/$(uname -r) /run/root/lib/modules/$(uname -r)
printf '#!/bin/sh\\nexec modprobe -d /run/root "$@"\\n' >/run/modprobe
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
/run/modprobe sctp
echo {udp_port} >/proc/sys/net/sctp/udp_port
echo {udp_port} >/proc/sys/net/sctp/encap_port
echo 4194304 >/proc/sys/net/core/rmem_max
echo 4194304 >/proc/sys/net/core/wmem_max
ip link set lo up
ip addr add {first}/24 dev vec0
ip addr add {second}/24 dev vec1
ip link set vec0 up
ip -6 addr add {sixth}/64 dev vec0 nodad
ip link set vec1 up
cd {root}
exec {python} -B -m interop.peers.executor {second} {executor_port} vec0 vec1
"""


def why_not() -> str | None:
    """Return the reason why no guest can be run here, or None."""
    if shutil.which("linux.uml") is None:
        return "linux.uml is not installed (Debian: user-mode-linux)"
    if shutil.which("modprobe") is None:
        return "modprobe is not installed (Debian: kmod)"
    if not MODULES.is_dir():
        return f"{MODULES} is not there (Debian: user-mode-linux)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    return None


class GuestError(Exception):
    """The guest did not boot, or is gone."""


class Guest:
    """One User-Mode Linux on two tap interfaces that exist already.

    The executor is on the second one: programs can be watched while the first is cut off.
    """

    def __init__(
        self, *, addresses: tuple[str, str], taps: tuple[str, str], udp_port: int, root: Path, build: Path, log: Path
    ) -> None:
        first, self.control = addresses
        self._log = log.open("wb")
        self._log_path = log
        script = build / f"guest-{taps[0]}.sh"
        text = _SCRIPT.format(
            modules=MODULES,
            udp_port=udp_port,
            first=first,
            sixth=SIXTH[first],
            second=self.control,
            root=root,
            python=sys.executable,
            executor_port=EXECUTOR_PORT,
        )
        script.write_text(text)
        script.chmod(0o755)
        command = [
            "linux.uml",
            "mem=256M",
            "rootfstype=hostfs",
            "rootflags=/",
            "ro",
            f"init={script}",
            *(f"vec{number}:transport=tap,ifname={tap},depth=128" for number, tap in enumerate(taps)),
            "con=null",
            "con0=null,fd:1",
            f"uml_dir={build}",
            "quiet",
            # An oops or the end of the first process ends the guest, not just its usefulness.
            "panic=-1",
        ]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_up(self) -> None:
        """Wait until the executor answers; raise GuestError with the end of the console's log if not."""
        deadline = time.monotonic() + BOOT_TIMEOUT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection((self.control, EXECUTOR_PORT), timeout=0.5).close()
            except OSError:
                time.sleep(0.05)  # nothing tells of the boot's end but the executor
            else:
                return
        tail = self._log_path.read_text(errors="replace").splitlines()[-5:]
        raise GuestError("the guest did not come up: " + " | ".join(tail))

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: str) -> GuestProcess:
        """Run a program in the guest."""
        try:
            connection = socket.create_connection((self.control, EXECUTOR_PORT), timeout=5.0)
        except OSError as error:
            raise GuestError(f"the guest does not answer: {error}") from error
        return GuestProcess(name, connection, argv, env, cwd)

    def close(self) -> None:
        """Switch the guest off: nothing in it is worth keeping."""
        if self._process.poll() is None:
            # User-Mode Linux cleans up (its processes, its directory) on SIGTERM.
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5.0)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(5.0)
        self._log.close()


class GuestProcess(Process):
    """A program in the guest, known through its connection with the executor."""

    def __init__(
        self, name: str, connection: socket.socket, argv: Sequence[str], env: Mapping[str, str], cwd: str
    ) -> None:
        super().__init__(name)
        self._connection = connection
        job = {"argv": list(argv), "env": dict(env), "cwd": cwd}
        connection.settimeout(None)
        connection.sendall(json.dumps(job).encode() + b"\n")
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        exit_code = -1  # the connection ended without an exit code: killed, or the guest is gone
        try:
            with self._connection.makefile("r", encoding="utf-8") as stream:
                for line in stream:
                    message = json.loads(line)
                    if "exit" in message:
                        exit_code = message["exit"]
                    else:
                        is_error = "err" in message
                        self._take(message["err" if is_error else "out"], is_error=is_error)
        except OSError:
            pass  # told by the exit code
        self._connection.close()
        self._ended(exit_code)

    def kill(self) -> None:
        if self.exit_code is None:
            with contextlib.suppress(OSError):  # the reader may have closed it in this moment
                self._connection.shutdown(socket.SHUT_RDWR)
            self.wait(5.0)
