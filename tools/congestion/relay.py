"""A bottleneck in real time: a UDP relay on loopback that does to packets what a `Link` of the simulation does.

    python -m tools.congestion.relay PORT PORT SERVER_PORT RTT RATE LOSS SEED

Clients send to the first port; what the server answers comes back through the second, so that each end takes the relay
for the other end. RTT in seconds, RATE in bits a second. Works until its standard input ends, then writes a JSON line:
what became of the packets, and how late the relay sent what was due (its own lateness, not that of the line).
"""

from __future__ import annotations

import heapq
import json
import math
import select
import socket
import sys
import time
from collections import Counter
from random import Random

from tools.congestion.lines import Line

HOST = "127.0.0.1"
_HEADERS = 20 + 8
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER = 8 << 20
_SPIN = 0.0005
"""Seconds before something is due from which the relay no longer sleeps."""


class Relay:
    def __init__(self, client_side: int, server_side: int, server: int, line: Line, seed: int) -> None:
        self.counters: Counter[str] = Counter()
        self.lateness: list[float] = []
        """Seconds, of each packet that was sent on."""
        self._socks = []
        for port in (client_side, server_side):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            # What overflows here would be lost beyond what the line loses.
            try:
                sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
            except OSError:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            sock.bind((HOST, port))
            sock.setblocking(False)
            self._socks.append(sock)
        self._links = line.links()
        self._chances = (Random(f"{seed} there"), Random(f"{seed} back"))
        self._targets: list[tuple[str, int] | None] = [(HOST, server), None]
        self._due: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def run(self) -> None:
        """Relay until standard input ends."""
        while True:
            now = time.perf_counter()
            wait = self._due[0][0] - now - _SPIN if self._due else 1.0
            readable = select.select([*self._socks, sys.stdin], [], [], max(wait, 0.0))[0]
            if sys.stdin in readable:
                return
            for direction, sock in enumerate(self._socks):
                if sock in readable:
                    self._take(direction, sock)
            self._send()

    def _take(self, direction: int, sock: socket.socket) -> None:
        link, chance = self._links[direction], self._chances[direction]
        for _ in range(64):
            try:
                packet, source = sock.recvfrom(65_535)
            except (BlockingIOError, ConnectionError):
                return
            if direction == 0:
                self._targets[1] = source
            for passage in link.carry(packet, len(packet) + _HEADERS, time.perf_counter(), chance):
                self.counters[f"{'back' if direction else 'there'} {passage.fate}"] += 1
                if passage.arrival < math.inf:
                    self._count += 1
                    heapq.heappush(self._due, (passage.arrival, self._count, direction, passage.data))

    def _send(self) -> None:
        while self._due and self._due[0][0] <= (now := time.perf_counter()):
            due, _, direction, packet = heapq.heappop(self._due)
            target = self._targets[direction]
            if target is None:
                continue
            self.lateness.append(now - due)
            try:
                # Each end sees the packets of the other come from the relay's socket on its own side.
                self._socks[1 - direction].sendto(packet, target)
            except (BlockingIOError, ConnectionError):
                self.counters["not sent"] += 1

    def report(self) -> dict[str, object]:
        late = sorted(self.lateness) or [0.0]
        return {
            "packets": dict(self.counters),
            "late_median": late[len(late) // 2],
            "late_p99": late[len(late) * 99 // 100],
            "late_most": late[-1],
        }


def main() -> None:
    client_side, server_side, server = (int(text) for text in sys.argv[1:4])
    line = Line(float(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6]))
    relay = Relay(client_side, server_side, server, line, int(sys.argv[7]))
    print(json.dumps({"ready": True}), flush=True)
    relay.run()
    print(json.dumps(relay.report()), flush=True)


if __name__ == "__main__":
    main()
