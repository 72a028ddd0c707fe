"""Packets that belong to no association: out of the blue (RFC 9260 section 8.4). Answered, if at all, without
state."""

from __future__ import annotations

from collections.abc import Sequence

from pysctpstack.core.route import Route
from pysctpstack.core.tcb import Surroundings
from pysctpstack.errors import PacketError
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.chunks import Abort, Error, ShutdownComplete
from pysctpstack.wire.packet import encode

Bounds = tuple[int, int, int, int]


class ReplyLimit:
    """At most so many answers a second: an endpoint is not to be made a reflector (RFC 5062 section 8)."""

    __slots__ = ("per_second", "window_started_at", "used")

    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self.window_started_at = 0.0
        self.used = 0

    def allows(self, now: float) -> bool:
        if now - self.window_started_at >= 1.0:
            self.window_started_at = now
            self.used = 0
        self.used += 1
        return self.used <= self.per_second


def answer(
    shared: Surroundings,
    limit: ReplyLimit,
    route: Route,
    datagram: bytes,
    chunks: Sequence[Bounds],
    header: tuple[int, int, int],
    now: float,
) -> None:
    """Answer a packet out of the blue, INIT and COOKIE ECHO excepted. ``header``: source port, destination port,
    tag as received."""
    types = {chunk[0] for chunk in chunks}
    # Section 8.4, 2, 6 and 7: no answer to an end, nor to what was too late.
    if cp.ABORT in types:
        shared.count("ootb_abort")
    elif cp.SHUTDOWN_ACK in types:
        # 5
        _reply(shared, limit, route, header, ShutdownComplete(reflected=True).encode(), now)
    elif cp.SHUTDOWN_COMPLETE in types:
        shared.count("ootb_shutdown_complete")
    elif cp.COOKIE_ACK in types or _has_stale_cookie(datagram, chunks):
        shared.count("ootb_late_setup")
    elif not chunks:
        shared.count("ootb_empty")
    else:
        # 8
        _reply(shared, limit, route, header, Abort([], reflected=True).encode(), now)


def _has_stale_cookie(datagram: bytes, chunks: Sequence[Bounds]) -> bool:
    for type_, flags, start, end in chunks:
        if type_ == cp.ERROR:
            try:
                causes = Error.decode(flags, datagram[start:end]).causes
            except PacketError:
                continue
            if any(cause.code == cp.CAUSE_STALE_COOKIE for cause in causes):
                return True
    return False


def refuse_init(
    shared: Surroundings, limit: ReplyLimit, route: Route, ports: tuple[int, int], initiate_tag: int, now: float
) -> None:
    """Section 8.4, 3: nobody listens. The ABORT carries the INIT's own tag, so it is not reflected."""
    _reply(shared, limit, route, (ports[1], ports[0], initiate_tag), Abort([]).encode(), now)


def _reply(
    shared: Surroundings,
    limit: ReplyLimit,
    route: Route,
    header: tuple[int, int, int],
    chunk: bytes,
    now: float,
) -> None:
    if not limit.allows(now):
        shared.count("ootb_reply_limited")
        return
    shared.count("ootb_replies")
    source_port, destination_port, tag = header
    # Encaps-cons section 3: to the UDP port that the packet came from; `Route` holds it.
    shared.out.append((route, encode(destination_port, source_port, tag, [chunk])))
