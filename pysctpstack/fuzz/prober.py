"""Sends a peer what `Mutator` makes, from associations that this stack sets up, and watches whether it lives."""

from __future__ import annotations

import hashlib
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Route, Settings, State
from pysctpstack.errors import PacketError
from pysctpstack.fuzz.mutations import NOWHERE, STATES, Bearings, Mutator
from pysctpstack.testing import pcap
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import encode, split

FIRST_PORT = 40_000
LAST_PORT = 60_000
LATEST = 10
"""Packets that a `Report` keeps of those before the peer fell silent."""


class Silence(Exception):
    """The peer does not answer before anything has been done to it."""


@dataclass
class Report:
    """``packets``: sent. ``answered``: after how many of them something came back before the next. ``checks``: how
    often the peer proved that it serves. ``silent_after``: the number of the last packet when it did not any more, or
    None; ``latest``: the packets before that, (number, state, bytes)."""

    packets: int = 0
    answered: int = 0
    checks: int = 0
    associations: int = 0
    silent_after: int | None = None
    latest: list[tuple[int, str, bytes]] = field(default_factory=list)


class _Tokens:
    """Random bytes of a seed: the tags and TSNs of a run are the same in the next."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.drawn = 0

    def token(self, size: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_128(f"fuzz/{self.seed}/{self.drawn}".encode()).digest(size)


class Prober:
    """One run against a peer at ``host`` (a numeric address), SCTP port ``port``, over UDP.

    ``udp_port`` 0: any that is free. ``patience``: seconds that the peer has to answer when asked whether it serves.
    Use as a context manager. OSError: the UDP socket can't be had.
    """

    def __init__(
        self,
        host: str,
        port: int,
        seed: int,
        *,
        udp_port: int = 0,
        remote_udp_port: int = 9_899,
        states: Sequence[str] = STATES,
        check_every: int = 50,
        patience: float = 5.0,
        log: str | Path | None = None,
    ) -> None:
        unknown = set(states) - set(STATES)
        if unknown or not states:
            raise ValueError(f"states are some of {', '.join(STATES)}, not {', '.join(sorted(unknown)) or 'none'}")
        if check_every < 1:
            raise ValueError(f"every {check_every} packets is no interval")
        self.port = port
        self.states = tuple(states)
        self.check_every = check_every
        self.patience = patience
        self.mutator = Mutator(seed)
        config = Config(rto_initial=0.5, rto_min=0.2, rto_max=1.0, max_init_retransmits=4, association_max_retrans=4)
        self.endpoint = Endpoint(config, _Tokens(seed), FixedMtu(1_500))
        self.settings = Settings.from_config(config)
        self.route = Route(host, remote_udp_port)
        self.log = log
        self.logged: list[pcap.Captured] = []
        self.seed = seed
        self.next_port = FIRST_PORT + seed % 10_000
        self.deaf = False
        """Packets of the peer are counted and not taken: the association stays in COOKIE-WAIT."""
        self.received = self.unsent = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.udp.bind(("", udp_port))
            self.udp.connect((host, remote_udp_port))
        except OSError:
            self.udp.close()
            raise
        self.udp.setblocking(False)
        self.start = time.monotonic()

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the peer, and write the log. Idempotent."""
        if self.udp.fileno() < 0:
            return
        for association in list(self.endpoint.associations.values()):
            association.abort(b"", self.now)
        self._transmit()
        self.udp.close()
        if self.log is not None:
            pcap.write(self.log, self.logged)

    @property
    def now(self) -> float:
        return time.monotonic() - self.start

    # --- driving the stack ---

    def _send(self, datagram: bytes) -> None:
        local = self.udp.getsockname()
        self._note(local[0], local[1], self.route.peer, self.route.port, datagram)
        # ICMP's answer to an earlier one, or no room: as good as lost.
        try:
            self.udp.send(datagram)
        except OSError:
            self.unsent += 1

    def _note(self, source: str, source_port: int, to: str, to_port: int, datagram: bytes) -> None:
        if self.log is not None:
            self.logged.append(pcap.Captured(self.now, source, source_port, to, to_port, datagram))

    def _transmit(self) -> None:
        for _, datagram in self.endpoint.datagrams_to_send(self.now):
            self._send(datagram)

    def _receive(self) -> None:
        route = Route(self.route.peer, self.route.port)
        local = self.udp.getsockname()
        for _ in range(256):
            try:
                datagram = self.udp.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                # ICMP: nobody there at that moment.
                continue
            self.received += 1
            self._note(self.route.peer, self.route.port, local[0], local[1], datagram)
            if not self.deaf:
                self.endpoint.receive_datagrams([(route, datagram)], self.now)
                self._transmit()

    def _pump(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let the stack work for so long, or until a condition holds: whether it does."""
        end = self.now + seconds
        while True:
            if self.endpoint.next_timeout() <= self.now:
                self.endpoint.handle_timeout(self.now)
            self._transmit()
            self.endpoint.next_events()
            if until():
                return True
            left = min(end, self.endpoint.next_timeout()) - self.now
            if self.now >= end:
                return False
            select.select([self.udp], [], [], max(left, 0.0))
            self._receive()

    def _associate(self) -> Association:
        self.next_port = self.next_port + 1 if self.next_port < LAST_PORT else FIRST_PORT
        association = self.endpoint.associate(self.next_port, self.port, self.route, self.settings, self.now)
        self._transmit()
        return association

    # --- states ---

    def _established(self, seconds: float) -> Association | None:
        association = self._associate()
        up = self._pump(seconds, lambda: association.state in (State.ESTABLISHED, State.CLOSED))
        if up and association.state is State.ESTABLISHED:
            return association
        self._leave(association)
        return None

    def _in_state(self, state: str, current: Association | None) -> Association | None:
        """An association in the state; None if there can be none, or the peer gives none now."""
        wanted = {
            "cookie-wait": State.COOKIE_WAIT,
            "established": State.ESTABLISHED,
            "shutdown-sent": State.SHUTDOWN_SENT,
        }
        if current is not None and current.state is wanted.get(state):
            return current
        self._leave(current)
        self.deaf = state == "cookie-wait"
        if state == "closed":
            return None
        if state == "cookie-wait":
            return self._associate()
        association = self._established(self.patience)
        if association is not None and state == "shutdown-sent":
            # What the peer answers is not taken, so that the association stays where it is.
            self.deaf = True
            association.shutdown(self.now)
            self._transmit()
        return association

    def _leave(self, association: Association | None) -> None:
        if association is not None and association.state is not State.CLOSED:
            association.abort(b"", self.now)
            self._transmit()

    def _bearings(self, association: Association | None) -> Bearings:
        if association is None:
            return NOWHERE
        tcb = association.tcb
        return Bearings(
            tcb.local_tag,
            tcb.peer_tag or NOWHERE.peer_tag,
            tcb.sender.next_tsn & 0xFFFFFFFF,
            tcb.receiver.tsn_map.cumulative & 0xFFFFFFFF,
        )

    # --- the run ---

    def serves(self) -> bool:
        """Whether the peer sets up one more association, within its time. It may refuse at first: its backlog may be
        full of what was there before."""
        self.deaf = False
        end = self.now + self.patience
        while True:
            association = self._established(max(end - self.now, 0.0))
            if association is not None:
                self._leave(association)
                return True
            if self.now >= end:
                return False
            self._pump(min(0.1, end - self.now))

    def run(self, count: int, first: int = 0, progress: Callable[[Report], None] = lambda _: None) -> Report:
        """Send ``count`` packets, the first with the number ``first``; ends early when the peer falls silent.

        Silence: it did not answer in the first place.
        """
        report = Report()
        if not self.serves():
            raise Silence(f"no association with {self.route.peer}, SCTP port {self.port}, UDP port {self.route.port}")
        report.checks = 1
        current: Association | None = None
        for number in range(first, first + count):
            # A state lasts for a while: associations take longer than packets.
            state = self.states[number // 10 % len(self.states)]
            before = self.endpoint.next_id
            current = self._in_state(state, current)
            report.associations += self.endpoint.next_id - before
            if current is None and state != "closed" and not self.serves():
                report.silent_after = number - 1
                return report
            tag, body = self.mutator.packet(number, state, self._bearings(current))
            source = current.tcb.local_port if current is not None else FIRST_PORT - 1
            packet = encode(source, self.port, tag, [body])
            heard = self.received
            self._send(packet)
            report.packets += 1
            report.latest = [*report.latest[1 - LATEST :], (number, state, packet)]
            self._pump(0.002, lambda heard=heard: self.received > heard)  # type: ignore[misc]
            report.answered += self.received > heard
            if report.packets % self.check_every == 0 or report.packets == count:
                self._leave(current)
                current = None
                if not self.serves():
                    report.silent_after = number
                    return report
                report.checks += 1
                progress(report)
        return report


def describe(packet: bytes) -> str:
    """The chunk types of a packet, for the log on the screen."""
    try:
        bounds, complete = split(packet)
    except PacketError as error:
        return error.reason
    names = [cp.CHUNK_NAMES.get(type_, f"CHUNK-{type_}") for type_, _, _, _ in bounds]
    return "+".join((*names, *(() if complete else ("a part of a chunk",)))) or "nothing"
