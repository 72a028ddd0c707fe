"""One end of a bulk transfer over UDP with this stack's blocking sockets; usrsctp_flow.c is the same with usrsctp.

    python -m tools.congestion.flow receive UDP_PORT REMOTE_UDP_PORT BUFFER WARM_UP SECONDS
    python -m tools.congestion.flow send    UDP_PORT REMOTE_UDP_PORT BUFFER PAYLOAD SECONDS

The receiver writes a JSON line when it knows: the user data that arrived in so many seconds after the warm-up, counted
from the first message; then it reads on until the sender ends. The sender sends for so many seconds in all, writes its
count of retransmissions and aborts.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time

from pysctpstack.config import Config
from pysctpstack.sockets import Stack

HOST = "127.0.0.1"
SCTP_PORT = 7


def make_stack(local: int, remote: int) -> Stack:
    return Stack(Config(udp_port=local, remote_udp_port=remote, path_mtu=1_500, heartbeat_interval=0.0))


def receive(local: int, remote: int, buffer: int, warm_up: float, seconds: float) -> None:
    with make_stack(local, remote) as stack, stack.socket(socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        listener.bind((HOST, SCTP_PORT))
        listener.listen(1)
        print(json.dumps({"ready": True}), flush=True)
        association, _ = listener.accept()
        start = size = 0.0
        done = False
        try:
            while data := association.recv(1 << 16):
                now = time.perf_counter()
                start = start or now
                if not done and now >= start + warm_up + seconds:
                    print(json.dumps({"bits_per_second": 8 * size / seconds}), flush=True)
                    done = True
                if now >= start + warm_up:
                    size += len(data)
        except ConnectionError:
            if not done:
                raise SystemExit("the sender ended too early") from None


def send(local: int, remote: int, buffer: int, payload: int, seconds: float) -> None:
    with make_stack(local, remote) as stack, stack.socket(socket.AF_INET) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        sock.connect((HOST, SCTP_PORT))
        message = bytes(payload)
        until = time.perf_counter() + seconds
        # A full buffer of this size may take longer to drain than there is left.
        sock.settimeout(0.5)
        while time.perf_counter() < until:
            with contextlib.suppress(TimeoutError):
                sock.send(message)
        print(json.dumps({"retransmissions": stack.statistics().associations[0].chunks_retransmitted}), flush=True)
        # Closing would deliver what is queued first.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main() -> None:
    role, local, remote, buffer = sys.argv[1], *(int(text) for text in sys.argv[2:5])
    if role == "receive":
        receive(local, remote, buffer, float(sys.argv[5]), float(sys.argv[6]))
    else:
        send(local, remote, buffer, int(sys.argv[5]), float(sys.argv[6]))


if __name__ == "__main__":
    main()
