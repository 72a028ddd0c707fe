"""One association in a capture: who said what in the handshake, in between, and at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from pysctpstack.check.findings import Finding, Limits, Report, Seen
from pysctpstack.check.flow import Flow, backoff
from pysctpstack.check.packets import Opened
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import params as p
from pysctpstack.wire.extension_chunks import ForwardTsn, IData, IForwardTsn, ReConfig

_MIN_RWND = 1_500
_LARGEST_PROBE = 1_200
"""Bytes of a packet beyond which a HEARTBEAT may ask for the path MTU, and be lost for its size (RFC 8899)."""
_T3_QUIET = frozenset((cp.DATA, cp.I_DATA))


@dataclass(slots=True)
class Heartbeats:
    """HEARTBEATs from one address to another that were not answered, since the last that was."""

    unanswered: list[tuple[int, float, bytes]] = field(default_factory=list)
    alive: set[bytes] = field(default_factory=set)
    """Those after which something came back on the path before the next one."""


@dataclass(slots=True)
class Timer:
    """When a chunk that T1 guards (INIT, COOKIE ECHO) was sent."""

    time: float
    path: tuple[str, str]
    interval: float = 0.0


class Side:
    """One end, with what it sends."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.addresses: set[str] = set()
        self.tag: int | None = None
        """What packets to this side carry; None until it is known."""
        self.offers: dict[int, c.InitAck] = {}
        """INIT ACKs by Initiate Tag: a listener's answers differ until one of them comes back in a COOKIE ECHO."""
        self.cookies: set[bytes] = set()
        self.init: c.Init | c.InitAck | None = None
        self.init_time = 0.0
        self.first: dict[int, tuple[int, float]] = {}
        """Frame and time of the first chunk of each type."""
        self.timers: dict[int, Timer] = {}
        self.last_packet = -1.0
        self.heartbeats: dict[bytes, float] = {}
        self.paths: dict[tuple[str, str], Heartbeats] = {}
        self.ended: tuple[str, float] | None = None
        self.flow: Flow

    @property
    def source(self) -> str:
        """An address for messages."""
        return min(self.addresses, default="?")


class Association:
    """Both ends, and the rules about what passes between them."""

    def __init__(self, limits: Limits, report: Report, ports: tuple[int, int]) -> None:
        self.limits = limits
        self.sides = (Side(ports[0]), Side(ports[1]))
        self._report = report
        self._recent: dict[tuple[str, str, bytes], float] = {}
        self._most_recent = 4_096
        self._last_data: list[float] = [-1.0, -1.0]
        self._strange_acks: list[tuple[int, int, float, bytes]] = []
        self._late_cue: list[tuple[str, int, int, float, int, str]] = []
        for index, side in enumerate(self.sides):
            side.flow = Flow(limits, self._teller(index), self._teller(1 - index))

    @property
    def name(self) -> str:
        """Addresses, ports and tags, for messages."""
        ends = []
        for side in self.sides:
            address = f"[{side.source}]" if ":" in side.source else side.source
            tag = "unknown" if side.tag is None else f"{side.tag:#010x}"
            ends.append(f"{address}:{side.port} (tag {tag})")
        return " - ".join(ends)

    def _teller(self, index: int) -> Callable[[str, int, float, str], None]:
        def tell(rule: str, number: int, time: float, text: str) -> None:
            self._report.findings.append(Finding(rule, number, time, self.sides[index].source, self.name, text))

        return tell

    def _tell(self, index: int, rule: str, seen: Seen, text: str) -> None:
        self._teller(index)(rule, seen.number, seen.time, text)

    # --- packets ---

    def has_seen(self, seen: Seen) -> bool:
        """Whether these very bytes passed between the ends' addresses just now."""
        return any(
            data == seen.data and seen.time - time <= self.limits.duplicate
            for (_, _, data), time in self._recent.items()
        )

    def choose(self, index: int, tag: int) -> None:
        """A packet with this tag went to a side: so this is its tag."""
        side = self.sides[index]
        # A cookie that has gone stale is followed by a new one, with a new tag (RFC 9260 section 5.2.6).
        anew = side.tag != tag and tag in side.offers and cp.COOKIE_ACK not in side.first
        if side.tag is None or anew:
            side.tag = tag
            if tag in side.offers:
                self._negotiate(index, side.offers[tag], side.init_time)

    def take(self, index: int, packet: Opened) -> None:
        """A packet of the side ``index`` that belongs to this association."""
        seen, side, peer = packet.seen, self.sides[index], self.sides[1 - index]
        side.addresses.add(seen.source)
        peer.addresses.add(seen.destination)
        path = seen.source, seen.destination
        key = *path, seen.data
        copy = seen.time - self._recent.get(key, -1e9) <= self.limits.duplicate
        self._recent[key] = seen.time
        if len(self._recent) > self._most_recent:
            limit = seen.time - self.limits.duplicate
            self._recent = {known: time for known, time in self._recent.items() if time >= limit}
            self._most_recent = max(4_096, 2 * len(self._recent))
        if packet.cut and not (packet.chunks and isinstance(packet.chunks[-1], c.Data)):
            side.flow.holes = True
        self._after_end(index, packet)
        self._t_bit(index, packet)
        quiet = peer.last_packet < self._last_data[index] - self._lag(side)
        for chunk in packet.chunks:
            self._chunk(index, packet, chunk, path, copy, quiet)
        if not _T3_QUIET.isdisjoint(packet.types):
            self._last_data[index] = seen.time
        side.last_packet = seen.time
        beats = peer.paths.get((path[1], path[0]))
        answering = side.flow.shutdown_time is None  # RFC 9260 section 8.3: until SHUTDOWN-SENT
        if answering and beats and beats.unanswered:
            _, asked, info = beats.unanswered[-1]
            if seen.time > asked + self._lag(peer) + self.limits.reorder:
                beats.alive.add(info)

    def _chunk(
        self, index: int, packet: Opened, chunk: c.Chunk, path: tuple[str, str], copy: bool, quiet: bool
    ) -> None:
        seen, side, peer = packet.seen, self.sides[index], self.sides[1 - index]
        number, time = seen.number, seen.time
        if not copy:
            self._timer(index, seen, chunk.type, path)
        if isinstance(chunk, c.Data | IData):
            self._cue(index, seen)
            side.flow.data(number, time, path, chunk, copy, quiet)
        elif isinstance(chunk, c.Sack):
            peer.flow.sack(number, time, chunk)
        elif isinstance(chunk, c.Init):
            self._init(index, seen, chunk)
        elif isinstance(chunk, c.InitAck):
            self._init_ack(index, seen, chunk)
        elif isinstance(chunk, c.CookieEcho):
            self._cookie_echo(index, seen, chunk)
        elif isinstance(chunk, c.CookieAck):
            self._needs(index, seen, cp.COOKIE_ACK, cp.COOKIE_ECHO, "handshake")
        elif isinstance(chunk, c.Heartbeat):
            if not copy and len(seen.data) <= _LARGEST_PROBE:
                side.paths.setdefault(path, Heartbeats()).unanswered.append((number, time, chunk.info))
            side.heartbeats.setdefault(chunk.info, time)
        elif isinstance(chunk, c.HeartbeatAck):
            self._heartbeat_ack(index, seen, chunk)
        elif isinstance(chunk, c.Shutdown):
            self._shutdown(index, seen, chunk)
        elif isinstance(chunk, c.ShutdownAck):
            self._needs(index, seen, cp.SHUTDOWN_ACK, cp.SHUTDOWN, "shutdown-order")
            self._stop_data(side, seen)
        elif isinstance(chunk, c.ShutdownComplete):
            if not chunk.reflected:
                self._needs(index, seen, cp.SHUTDOWN_COMPLETE, cp.SHUTDOWN_ACK, "shutdown-order")
                side.ended = side.ended or ("SHUTDOWN COMPLETE", time)
        elif isinstance(chunk, c.Abort):
            if not chunk.reflected:
                side.ended = side.ended or ("ABORT", time)
        elif isinstance(chunk, ForwardTsn | IForwardTsn):
            side.flow.forward(number, time, chunk.new_cumulative_tsn, self._takes_forward(peer, chunk.type))
        elif isinstance(chunk, ReConfig):
            self._reconfig()
        side.first.setdefault(chunk.type, (number, time))

    # --- the handshake ---

    def _init(self, index: int, seen: Seen, chunk: c.Init) -> None:
        side = self.sides[index]
        _values(chunk, lambda text: self._tell(index, "init-values", seen, text))
        if side.init is None:
            side.tag = chunk.initiate_tag
            self._negotiate(index, chunk, seen.time)

    def _init_ack(self, index: int, seen: Seen, chunk: c.InitAck) -> None:
        side, peer = self.sides[index], self.sides[1 - index]
        _values(chunk, lambda text: self._tell(index, "init-values", seen, text))
        cookies = {parameter.cookie for parameter in chunk.parameters if isinstance(parameter, p.StateCookie)}
        side.cookies |= cookies
        if not cookies:
            self._tell(index, "init-ack-cookie", seen, "INIT ACK without a State Cookie")
        if not side.offers:
            side.init_time = seen.time
            if cp.INIT in peer.first:
                peer.flow.round_trip = max(seen.time - peer.first[cp.INIT][1], 0.0)
                if peer.timers[cp.INIT].time != peer.first[cp.INIT][1]:
                    peer.flow.round_trip = max(seen.time - peer.timers[cp.INIT].time, 0.0)
        side.offers[chunk.initiate_tag] = chunk
        side.addresses |= _addresses(chunk)
        if side.tag == chunk.initiate_tag and side.init is None:
            self._negotiate(index, chunk, seen.time)

    def _negotiate(self, index: int, chunk: c.Init | c.InitAck, time: float) -> None:
        side, peer = self.sides[index], self.sides[1 - index]
        side.init, side.init_time = chunk, time
        side.addresses |= _addresses(chunk)
        if peer.init:
            for me, other in ((side, peer), (peer, side)):
                assert me.init is not None
                assert other.init is not None
                me.flow.begin(time, me.init.initial_tsn, other.init.a_rwnd)
                # RFC 9260 section 5.1.1: the smaller of what one asks for and the other takes.
                me.flow.streams = min(me.init.outbound_streams, other.init.inbound_streams)
            trip = max(side.flow.round_trip, peer.flow.round_trip)
            side.flow.round_trip = peer.flow.round_trip = trip

    def _cookie_echo(self, index: int, seen: Seen, chunk: c.CookieEcho) -> None:
        peer = self.sides[1 - index]
        if peer.cookies and chunk.cookie not in peer.cookies:
            self._tell(index, "cookie", seen, f"COOKIE ECHO with {len(chunk.cookie)} bytes that no INIT ACK offered")
        self._needs(index, seen, cp.COOKIE_ECHO, cp.INIT_ACK, "handshake")
        if cp.INIT_ACK in peer.first and cp.COOKIE_ECHO not in self.sides[index].first:
            trip = max(seen.time - peer.first[cp.INIT_ACK][1], *(side.flow.round_trip for side in self.sides))
            for side in self.sides:
                side.flow.round_trip = trip

    def _needs(self, index: int, seen: Seen, what: int, cue: int, rule: str) -> None:
        """The peer's cue comes first. When it comes later, the order was wrong; when never, it was not captured."""
        if cue not in self.sides[1 - index].first and what not in self.sides[index].first:
            text = f"{cp.CHUNK_NAMES[what]} before the peer's {cp.CHUNK_NAMES[cue]}"
            self._late_cue.append((rule, index, seen.number, seen.time, cue | (1 - index) << 8, text))

    def _cue(self, index: int, seen: Seen) -> None:
        """RFC 9260 section 5.1: no DATA before COOKIE ECHO, the own one or the peer's."""
        side, peer = self.sides[index], self.sides[1 - index]
        if cp.DATA in side.first or cp.I_DATA in side.first or side.init is None or peer.init is None:
            return
        if cp.COOKIE_ECHO in side.first or cp.COOKIE_ECHO in peer.first:
            return
        # COOKIE ACK itself may have been lost on its way to where the capture was made; what it answers was seen.
        echoes = index if cp.INIT in side.first else 1 - index
        text = f"DATA before the {'own' if echoes == index else 'peer'} COOKIE ECHO"
        self._late_cue.append(("handshake", index, seen.number, seen.time, cp.COOKIE_ECHO | echoes << 8, text))

    # --- in between ---

    def _heartbeat_ack(self, index: int, seen: Seen, chunk: c.HeartbeatAck) -> None:
        peer = self.sides[1 - index]
        if chunk.info not in peer.heartbeats:
            asked = peer.paths.get((seen.destination, seen.source))
            if asked and asked.unanswered:  # else the HEARTBEAT that it answers was not captured
                self._strange_acks.append((index, seen.number, seen.time, chunk.info))
            return
        for beats in peer.paths.values():
            if any(info == chunk.info for _, _, info in beats.unanswered):
                beats.unanswered.clear()
                beats.alive.clear()

    def _unanswered(self, index: int) -> None:
        """HEARTBEATs in a row without answer, on a path on which the other end could have answered."""
        side = self.sides[index]
        for beats in side.paths.values():
            cases = [case for case in beats.unanswered if case[2] in beats.alive]
            lossy = any(end.flow.lossy for end in self.sides)
            if len(cases) >= self.limits.occurrences * (3 if lossy else 2):
                number, time, _ = cases[0]
                self._teller(1 - index)("heartbeat", number, time, f"{len(cases)} HEARTBEATs in a row without answer")

    def _takes_forward(self, peer: Side, type_: int) -> bool | None:
        if peer.init is None:
            return None
        for parameter in peer.init.parameters:
            if isinstance(parameter, p.ForwardTsnSupported):
                return True
            if isinstance(parameter, p.SupportedExtensions) and type_ in parameter.chunk_types:
                return True
        return False

    def _reconfig(self) -> None:
        """RFC 6525 may reset SSNs, and add streams in either direction."""
        for side in self.sides:
            side.flow.reset = True
            side.flow.streams = 0x10000

    def _lag(self, side: Side) -> float:
        """How long the peer's packets may still be under way from where they were captured."""
        return self.limits.latency + 2 * side.flow.round_trip

    def _timer(self, index: int, seen: Seen, type_: int, path: tuple[str, str]) -> None:
        """Back-off of the chunks that T1 guards, while the peer is silent."""
        # T2's also answer packets that the capture may not show: SHUTDOWN DATA (section 9.2), SHUTDOWN ACK SHUTDOWN.
        if type_ not in (cp.INIT, cp.COOKIE_ECHO):
            return
        side, peer = self.sides[index], self.sides[1 - index]
        before = side.timers.get(type_)
        timer = Timer(seen.time, path)
        side.timers[type_] = timer
        if before is None or before.path != path or peer.last_packet >= before.time - self._lag(side):
            return
        timer.interval = seen.time - before.time
        name = cp.CHUNK_NAMES[type_]
        if timer.interval < self.limits.rto_min * 0.8:
            self._tell(index, "early-retransmission", seen, f"{name} is sent again after {timer.interval:.3f} s")
        elif before.interval:
            text = f"{name}: time-outs after {before.interval:.3f} s and {timer.interval:.3f} s"
            backoff(self._teller(index), self.limits, seen.number, seen.time, before.interval, timer.interval, text)

    # --- the end ---

    def _shutdown(self, index: int, seen: Seen, chunk: c.Shutdown) -> None:
        side, peer = self.sides[index], self.sides[1 - index]
        flow = side.flow
        done = max(flow.cumulative or 0, flow.forwarded or 0)
        if cp.SHUTDOWN not in side.first and flow.complete and flow.highest is not None and flow.highest > done:
            text = f"SHUTDOWN while {flow.highest - done} TSNs are not acknowledged"
            self._tell(index, "shutdown-outstanding", seen, text)
        peer.flow.shutdown(seen.number, seen.time, chunk.cumulative_tsn)
        self._stop_data(side, seen)

    def _stop_data(self, side: Side, seen: Seen) -> None:
        if side.flow.shutdown_time is None:
            side.flow.shutdown_time = seen.time

    def _after_end(self, index: int, packet: Opened) -> None:
        """RFC 9260 sections 9.1 and 9.2; what answers packets from out of the blue (section 8.4) is no part of it."""
        ended = self.sides[index].ended
        if ended is None or packet.seen.time <= ended[1] + self.limits.reorder:
            return
        for chunk in packet.chunks:
            answer = isinstance(chunk, c.ShutdownComplete) and chunk.reflected
            if not answer and not isinstance(chunk, c.Abort | c.Error):
                text = f"{cp.CHUNK_NAMES.get(chunk.type, chunk.type)} after {ended[0]}"
                self._tell(index, "after-end", packet.seen, text)
                return

    def _t_bit(self, index: int, packet: Opened) -> None:
        own, peers = self.sides[index].tag, self.sides[1 - index].tag
        if own is None or peers is None or own == peers:
            return
        for chunk in packet.chunks:
            if not isinstance(chunk, c.Abort | c.ShutdownComplete):
                continue
            name = cp.CHUNK_NAMES[chunk.type]
            if chunk.reflected and packet.tag == peers:
                self._tell(index, "t-bit", packet.seen, f"{name} with the T bit and the peer's tag")
            elif not chunk.reflected and packet.tag == own:
                self._tell(index, "t-bit", packet.seen, f"{name} with the sender's own tag, without the T bit")

    def _whole(self) -> bool:
        """Whether the capture has the handshake, so that nothing came before it."""
        return any(cp.INIT in side.first for side in self.sides) and not any(side.flow.holes for side in self.sides)

    def finish(self) -> None:
        """Judge what only the whole capture can tell."""
        for rule, index, number, time, cue, text in self._late_cue:
            came = self.sides[cue >> 8].first.get(cue & 0xFF)
            if came is None:
                if self._whole():
                    self._report.notes.append(f"{self.name}: frame {number}: {text}: the latter was not seen")
            elif came[1] > time + self.limits.reorder:
                self._teller(index)(rule, number, time, text)
        for index, number, time, info in self._strange_acks:
            asked = self.sides[1 - index].heartbeats.get(info, math.inf)
            if self._whole() and asked > time + self.limits.reorder:
                text = f"{len(info)} bytes of information that no HEARTBEAT had"
                self._teller(index)("heartbeat-ack", number, time, text)
        for index, side in enumerate(self.sides):
            self._unanswered(index)
            side.flow.finish(lambda text: self._report.notes.append(f"{self.name}: {text}"))
        if not self._whole():
            self._report.notes.append(f"{self.name}: its beginning was not seen")


def _addresses(chunk: c.Init | c.InitAck) -> set[str]:
    return {item.address for item in chunk.parameters if isinstance(item, p.Ipv4Address | p.Ipv6Address)}


def _values(chunk: c.Init | c.InitAck, tell: Callable[[str], None]) -> None:
    name = cp.CHUNK_NAMES[chunk.type]
    if not chunk.initiate_tag:
        tell(f"{name} with Initiate Tag 0")
    if not chunk.outbound_streams or not chunk.inbound_streams:
        tell(f"{name} with {chunk.outbound_streams} outbound and {chunk.inbound_streams} inbound streams")
    if chunk.a_rwnd < _MIN_RWND:
        tell(f"{name} with an a_rwnd of {chunk.a_rwnd}")
