"""A UDP relay between two ends that does to packets what networks do: it loses, delays, reorders, duplicates.

It is a NAT for both: each end takes the relay's address and port for the other end's. Run as `python -m
interop.relay` it works until SIGTERM, for MOST_SECONDS at most, and writes JSON lines: `{"event": "ready"}`, then, at
its end, `{"event": "relayed", ...}` with what it did in each direction. What befalls a packet depends on the seed and
on how many came before it in its direction, not on the time.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import json
import random
import select
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, fields

MOST_SECONDS = 120.0
MOST_PACKETS = 10_000  # under way at once; those beyond are lost, as in a full queue
_BUFFER = 4 * 1024 * 1024
_SO_RCVBUFFORCE = 33

Place = tuple[str, int]


@dataclass(frozen=True)
class Trouble:
    """What befalls packets, in each direction alike. Probabilities, and milliseconds."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0  # the probability to be held back for `delay` more, while those that come after go ahead
    delay: float = 0.0
    jitter: float = 0.0  # added to `delay`, from 0 to so much, without changing the order
    corrupt: float = 0.0  # one bit of the packet is turned
    after: int = 0  # packets of the first end before `rebind`
    rebind: int = 0  # 1: to the second end, packets come from another UDP port, as from a NAT that has forgotten
    meet: int = 0  # 1: nothing passes until both ends have sent
    seed: int = 1

    def arguments(self) -> list[str]:
        """Return the options of the relay's command line."""
        return [part for name, value in asdict(self).items() for part in (f"--{name}", str(value))]


@dataclass
class Tally:
    """What was done to the packets of one direction."""

    packets: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    rebound: int = 0
    overflowed: int = 0


class Direction:
    """One direction: when the packets that arrive now are to leave."""

    def __init__(self, trouble: Trouble, target: Place, seed: str) -> None:
        self.target = target
        self.tally = Tally()
        self._trouble = trouble
        self._random = random.Random(seed)
        self._last = 0.0  # when the latest one leaves of those that keep their order

    def treat(self, packet: bytes) -> bytes:
        """Return the packet as it goes on, perhaps with a wrong bit."""
        if not self._trouble.corrupt or self._random.random() >= self._trouble.corrupt:
            return packet
        self.tally.corrupted += 1
        place = self._random.randrange(len(packet))
        return packet[:place] + bytes((packet[place] ^ 1 << self._random.randrange(8),)) + packet[place + 1 :]

    def departures(self, now: float) -> list[float]:
        """Return the times at which copies of a packet that arrives `now` leave; none: it is lost."""
        trouble, tally = self._trouble, self.tally
        tally.packets += 1
        # Always as many random numbers, so that one packet's fate does not depend on that of another.
        lost, duplicated, reordered = (
            self._random.random() < chance for chance in (trouble.loss, trouble.duplicate, trouble.reorder)
        )
        due = now + (trouble.delay + trouble.jitter * self._random.random()) / 1_000
        if lost:
            tally.lost += 1
            return []
        if reordered:
            tally.reordered += 1
            due += trouble.delay / 1_000
        else:
            due = self._last = max(due, self._last)
        if not duplicated:
            return [due]
        tally.duplicated += 1
        return [due, due + trouble.delay / 1_000]


class Relay:
    """The relay at `at`, between the two `ends`; packets of anybody else are dropped."""

    def __init__(self, at: Place, ends: tuple[Place, Place], trouble: Trouble) -> None:
        one, other = ends
        self._at = at
        self._trouble = trouble
        self._rebinds = one if trouble.rebind else None
        sock = _open(at)
        self._socks = {one: sock, other: sock}  # by the end that they talk with
        self._held: list[tuple[Direction, bytes]] | None = [] if trouble.meet else None
        self._directions = {
            one: Direction(trouble, other, f"{trouble.seed} there"),
            other: Direction(trouble, one, f"{trouble.seed} back"),
        }
        self._queue: list[tuple[float, int, bytes, Place]] = []
        self._count = 0

    def run(self, seconds: float) -> None:
        """Relay for so many seconds, or until something is raised (by a signal, say)."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            until = min(self._queue[0][0] if self._queue else deadline, deadline)
            for sock in select.select(list({*self._socks.values()}), [], [], max(0.0, until - now))[0]:
                self._take_all(sock)
            self._send_due()

    def tallies(self) -> dict[str, dict[str, int]]:
        """Return what was done, by the address of the sender."""
        return {place[0]: asdict(direction.tally) for place, direction in self._directions.items()}

    def _take_all(self, sock: socket.socket) -> None:
        while True:
            try:
                packet, source = sock.recvfrom(65_535)
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # an end is gone, as ICMP says: the other need not know
            direction = self._directions.get(source)
            if direction is None or self._socks[source] is not sock:
                continue  # a stranger's, or to a port that is given up
            if self._held is not None:
                self._hold(direction, packet)
                continue
            self._pass_on(direction, packet)
            if source == self._rebinds and direction.tally.packets >= self._trouble.after:
                self._rebinds = None
                direction.tally.rebound += 1
                self._socks[direction.target] = _open((self._at[0], self._at[1] + 1))

    def _hold(self, direction: Direction, packet: bytes) -> None:
        assert self._held is not None
        self._held.append((direction, packet))
        if len({id(held) for held, _packet in self._held}) == len(self._directions):
            held, self._held = self._held, None
            for one, first in held:
                self._pass_on(one, first)

    def _pass_on(self, direction: Direction, packet: bytes) -> None:
        for due in direction.departures(time.monotonic()):
            if len(self._queue) >= MOST_PACKETS:
                direction.tally.overflowed += 1
                continue
            self._count += 1
            heapq.heappush(self._queue, (due, self._count, direction.treat(packet), direction.target))

    def _send_due(self) -> None:
        while self._queue and self._queue[0][0] <= time.monotonic():
            _due, _count, packet, target = heapq.heappop(self._queue)
            with contextlib.suppress(BlockingIOError, ConnectionError):  # lost, as UDP may be
                self._socks[target].sendto(packet, target)


def _open(at: Place) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    # What overflows here would be lost beyond what the trouble says.
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    sock.bind(at)
    sock.setblocking(False)
    return sock


def main(arguments: list[str] | None = None) -> int:
    """Relay until SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m interop.relay", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--at", type=_place, required=True, metavar="ADDRESS:PORT", help="the relay's own place")
    parser.add_argument("--ends", type=_place, nargs=2, required=True, metavar="ADDRESS:PORT")
    for entry in fields(Trouble):
        parser.add_argument(f"--{entry.name}", type=type(entry.default), default=entry.default)
    options = parser.parse_args(arguments)
    trouble = Trouble(**{entry.name: getattr(options, entry.name) for entry in fields(Trouble)})
    relay = Relay(options.at, tuple(options.ends), trouble)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    print(json.dumps({"event": "ready"}), flush=True)
    try:
        relay.run(MOST_SECONDS)
    finally:
        print(json.dumps({"event": "relayed", **relay.tallies()}), flush=True)
    return 0


def _place(text: str) -> Place:
    address, _, port = text.rpartition(":")
    return address, int(port)


if __name__ == "__main__":
    sys.exit(main())
