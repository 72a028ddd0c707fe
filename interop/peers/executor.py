"""The guest's first process: it runs programs for the host and tells what they write.

The host makes one TCP connection per program and sends one JSON line, `{"argv": [...], "env": {...}, "cwd":
"..."}`. The executor answers with JSON lines: `{"out": line}`, `{"err": line}` and, last, `{"exit": code}`. When
the host closes the connection, the program is killed. Only the standard library is used, whatever Python the
host has.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from typing import IO, Any

SIOCETHTOOL = 0x8946
ETHTOOL_SGSO = 0x24


def switch_off_gso(interface: str) -> None:
    """Make the kernel hand `interface` packets of at most an MTU.

    The driver of User-Mode Linux drops the trains that Linux's SCTP makes with segmentation offload, in
    silence (they count as "TX dropped"), which looks like heavy loss.
    """
    value = struct.pack("=II", ETHTOOL_SGSO, 0)
    buffer = ctypes.create_string_buffer(value, len(value))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(buffer))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)


def serve(address: str, port: int) -> None:
    """Accept connections for ever."""
    listener = socket.create_server((address, port))
    print(f"executor: listening on {address}:{port}", flush=True)
    while True:
        connection, _peer = listener.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def handle(connection: socket.socket) -> None:
    """Run the program that one connection asks for."""
    lock = threading.Lock()
    stream = connection.makefile("rw", encoding="utf-8")

    def tell(message: dict[str, Any]) -> None:
        with lock:
            try:
                stream.write(json.dumps(message) + "\n")
                stream.flush()
            except OSError:
                pass  # the host has gone; `watch` kills the program

    def pump(pipe: IO[str], key: str) -> None:
        with pipe:
            for line in pipe:
                tell({key: line})

    def watch(process: subprocess.Popen[str]) -> None:
        # The host sends nothing more: the end of the stream says that it wants the program dead.
        with contextlib.suppress(OSError):
            stream.read()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    line = stream.readline()
    if not line:
        connection.close()  # the host only asked whether the executor is there
        return
    job = json.loads(line)
    try:
        process = subprocess.Popen(
            job["argv"],
            env={**os.environ, **job["env"]},
            cwd=job["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        tell({"err": f"cannot start: {error}"})
        tell({"exit": 127})
        connection.close()
        return
    pumps = [
        threading.Thread(target=pump, args=(process.stdout, "out")),
        threading.Thread(target=pump, args=(process.stderr, "err")),
    ]
    for thread in pumps:
        thread.start()
    threading.Thread(target=watch, args=(process,), daemon=True).start()
    exit_code = process.wait()
    for thread in pumps:
        thread.join()
    tell({"exit": exit_code})
    with contextlib.suppress(OSError):  # the host may have gone
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


if __name__ == "__main__":
    for interface in sys.argv[3:]:
        switch_off_gso(interface)
    serve(sys.argv[1], int(sys.argv[2]))
