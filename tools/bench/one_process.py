"""Both ends of a connection of this stack in one process, two stacks and two threads, over UDP.

``one_process.py SIZE MTU SECONDS FIRST_UDP_PORT`` prints a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

from pysctpstack import Config, Stack
from tools.bench.peer import Peer


def main() -> None:
    size, mtu, seconds, port = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    options = argparse.Namespace(port=port, send_buffer=1 << 20, receive_buffer=1 << 20)
    result: dict[str, Any] = {}
    with (
        Stack(Config(udp_port=port, remote_udp_port=port + 1, path_mtu=mtu)) as server,
        Stack(Config(udp_port=port + 1, remote_udp_port=port, path_mtu=mtu)) as client,
    ):
        listener = Peer(options, server).listen()

        def receive() -> None:
            sock, _ = listener.accept()
            first = sock.recv(65_536)
            total, started = 0, time.monotonic()
            ended = started
            while data := sock.recv(65_536):
                total += len(data)
                ended = time.monotonic()
            result.update(bytes=total, first_bytes=len(first), seconds=ended - started)
            sock.close()

        thread = threading.Thread(target=receive)
        thread.start()
        sock = Peer(options, client).connect()
        message = bytes(size)
        sent = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(16):
                sock.send(message)
            sent += 16
        sock.close()
        thread.join()
    print(json.dumps({**result, "sent": sent * size}), flush=True)


if __name__ == "__main__":
    main()
