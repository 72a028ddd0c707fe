"""Bugs, one or more in each procedure, to show that the model checker finds what it looks for.

Each is a small change of the protocol's code, the kind that a tired programmer makes; `SEEDS` tells which scenario has
to notice it. A bug is put in with pytest's ``monkeypatch``, which takes it out again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import pytest
from model.checker import Scenario
from model.scenarios import SCENARIOS, WIDE

from pysctpstack.core import endpoint, handshake, ootb, shutdown
from pysctpstack.core.association import Association
from pysctpstack.core.cookie import Cookie
from pysctpstack.core.handshake import CookieResolution
from pysctpstack.core.path import Path
from pysctpstack.core.route import Route
from pysctpstack.core.rx import receiver, tsn_map
from pysctpstack.core.rx.receiver import Receiver
from pysctpstack.core.rx.tsn_map import TsnMap
from pysctpstack.core.state import State
from pysctpstack.core.tcb import Surroundings, Tcb
from pysctpstack.core.timers import T1_COOKIE, T1_INIT, T2_SHUTDOWN
from pysctpstack.core.tx.sender import SackOutcome, Sender
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire import data as data_chunk
from pysctpstack.wire.chunks import InitAck

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS + WIDE}


@dataclass(frozen=True)
class Seed:
    """``plant`` puts the bug in; exploring ``scenario`` has to report something with ``symptom`` in it."""

    name: str
    scenario: Scenario
    plant: Callable[[pytest.MonkeyPatch], None]
    symptom: str


# --- setup and its collisions ---


def t1_init_not_restarted(patch: pytest.MonkeyPatch) -> None:
    original = handshake.on_t1

    def on_t1(tcb: Tcb, now: float) -> None:
        original(tcb, now)
        tcb.timers.stop(T1_INIT)

    patch.setattr(handshake, "on_t1", on_t1)


def t1_cookie_not_restarted(patch: pytest.MonkeyPatch) -> None:
    original = handshake.on_t1

    def on_t1(tcb: Tcb, now: float) -> None:
        original(tcb, now)
        tcb.timers.stop(T1_COOKIE)

    patch.setattr(handshake, "on_t1", on_t1)


def duplicate_cookie_not_answered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(handshake, "on_duplicate_cookie", lambda _tcb: None)


def collision_keeps_old_peer_tag(patch: pytest.MonkeyPatch) -> None:
    original = handshake.on_collision

    def on_collision(tcb: Tcb, cookie: Cookie) -> None:
        before = tcb.peer_tag
        original(tcb, cookie)
        tcb.peer_tag = before or tcb.peer_tag

    patch.setattr(handshake, "on_collision", on_collision)


def init_ack_taken_twice(patch: pytest.MonkeyPatch) -> None:
    """RFC 9260 section 5.2.3 discards the second one."""
    original = handshake.on_init_ack

    def on_init_ack(tcb: Tcb, init_ack: InitAck, now: float) -> None:
        if tcb.state is State.ESTABLISHED:
            tcb.peer_tag = init_ack.initiate_tag
        original(tcb, init_ack, now)

    patch.setattr(handshake, "on_init_ack", on_init_ack)


# --- restart ---


def table_12_compares_no_tags(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(handshake, "resolve", lambda _tcb, _cookie: CookieResolution.DUPLICATE)


def table_12_compares_no_tie_tags(patch: pytest.MonkeyPatch) -> None:
    """A cookie that was overtaken by another handshake passes for a restart."""

    def resolve(tcb: Tcb, cookie: Cookie) -> CookieResolution:
        if cookie.local_tag == tcb.local_tag:
            same = cookie.peer_tag == tcb.peer_tag
            return CookieResolution.DUPLICATE if same else CookieResolution.COLLISION
        return CookieResolution.RESTART

    patch.setattr(handshake, "resolve", resolve)


def restart_keeps_the_old_tsns(patch: pytest.MonkeyPatch) -> None:
    original = handshake.on_restart

    def on_restart(tcb: Tcb, cookie: Cookie) -> None:
        following = tcb.sender.next_tsn
        original(tcb, cookie)
        tcb.sender.next_tsn = following
        tcb.sender.cumulative = following - 1

    patch.setattr(handshake, "on_restart", on_restart)


# --- shutdown ---


def t2_not_restarted(patch: pytest.MonkeyPatch) -> None:
    original = shutdown.on_t2

    def on_t2(tcb: Tcb, now: float) -> None:
        original(tcb, now)
        tcb.timers.stop(T2_SHUTDOWN)

    patch.setattr(shutdown, "on_t2", on_t2)


def shutdown_ack_ignored_after_own(patch: pytest.MonkeyPatch) -> None:
    """RFC 9260 section 9.2: in SHUTDOWN-ACK-SENT it ends the association too."""
    original = shutdown.on_shutdown_ack

    def on_shutdown_ack(tcb: Tcb, tag: int) -> None:
        if tcb.state is not State.SHUTDOWN_ACK_SENT:
            original(tcb, tag)

    patch.setattr(shutdown, "on_shutdown_ack", on_shutdown_ack)


def shutdown_before_data_is_acknowledged(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Sender, "is_idle", property(lambda _sender: True))


def shutdown_does_not_acknowledge(patch: pytest.MonkeyPatch) -> None:
    """What was acknowledged by the SHUTDOWN alone stays outstanding, and holds up the SHUTDOWN ACK."""
    patch.setattr(Sender, "on_shutdown", lambda _sender, _tsn, _now: SackOutcome.OLD)
    patch.setattr(Sender, "on_t3", lambda _sender, path: setattr(path, "t3_deadline", inf))


# --- data ---


def t3_not_started(patch: pytest.MonkeyPatch) -> None:
    original = Sender.next_packet

    def next_packet(
        sender: Sender, now: float, room_used: int = 0, used_path: Path | None = None
    ) -> tuple[Path, list[bytes]] | None:
        packet = original(sender, now, room_used, used_path)
        if packet is not None:
            packet[0].t3_deadline = inf
        return packet

    patch.setattr(Sender, "next_packet", next_packet)


def cumulative_ack_one_too_high(patch: pytest.MonkeyPatch) -> None:
    original = Sender.on_sack

    def on_sack(
        sender: Sender, cumulative_tsn: int, a_rwnd: int, gaps: Sequence[tuple[int, int]], now: float
    ) -> SackOutcome:
        return original(sender, min(cumulative_tsn + 1, sender.next_tsn - 1), a_rwnd, (), now)

    patch.setattr(Sender, "on_sack", on_sack)


def duplicates_delivered(patch: pytest.MonkeyPatch) -> None:
    original = Receiver.on_data

    def on_data(self: Receiver, datagram: bytes, flags: int, start: int, end: int) -> int:
        outcome = original(self, datagram, flags, start, end)
        if outcome == receiver.DROPPED:
            tsn, stream_id, ssn, ppid = data_chunk.FIELDS.unpack_from(datagram, start)
            self._hand_over(stream_id, ssn, ppid, tsn, False, datagram[start + data_chunk.FIELDS.size : end])
        return outcome

    patch.setattr(Receiver, "on_data", on_data)


def gaps_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The cumulative TSN is the highest one received."""

    def add(self: TsnMap, tsn: int) -> int:
        if tsn <= self.cumulative:
            return tsn_map.DUPLICATE
        self.cumulative = tsn
        return tsn_map.NEW

    patch.setattr(TsnMap, "add", add)


# --- ABORT, and packets out of the blue ---


def abort_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Association, "aborted", lambda _association, _chunk: None)


def reflected_abort_under_any_tag(patch: pytest.MonkeyPatch) -> None:
    """With the T bit the tag has to be the peer's of this association (RFC 9260 section 8.5.1, B)."""
    original = endpoint.Endpoint._receive_slowly

    def receive_slowly(
        self: endpoint.Endpoint,
        route: Route,
        datagram: bytes,
        source_port: int,
        destination_port: int,
        tag: int,
        received: dict[int, Association],
        now: float,
    ) -> None:
        association = self.by_peer.get((destination_port, source_port, route.peer))
        if association is not None and datagram[12] == cp.ABORT and association.state is not State.CLOSED:
            association.aborted(datagram[12:])
            received[association.association_id] = association
            return
        original(self, route, datagram, source_port, destination_port, tag, received, now)

    patch.setattr(endpoint.Endpoint, "_receive_slowly", receive_slowly)


def _unanswered(patch: pytest.MonkeyPatch, type_: int) -> None:
    """Packets out of the blue with this chunk are dropped."""
    original = ootb.answer

    def answer(
        shared: Surroundings,
        limit: ootb.ReplyLimit,
        route: Route,
        datagram: bytes,
        chunks: Sequence[ootb.Bounds],
        header: tuple[int, int, int],
        now: float,
    ) -> None:
        if not any(chunk[0] == type_ for chunk in chunks):
            original(shared, limit, route, datagram, chunks, header, now)

    patch.setattr(ootb, "answer", answer)


def late_shutdown_ack_not_answered(patch: pytest.MonkeyPatch) -> None:
    _unanswered(patch, cp.SHUTDOWN_ACK)


def late_data_not_answered(patch: pytest.MonkeyPatch) -> None:
    _unanswered(patch, cp.DATA)


SEEDS = [
    Seed("T1-init is not restarted", BY_NAME["setup"], t1_init_not_restarted, "deadlock in COOKIE-WAIT"),
    Seed("T1-cookie is not restarted", BY_NAME["setup"], t1_cookie_not_restarted, "deadlock in COOKIE-ECHOED"),
    Seed("no second COOKIE ACK", BY_NAME["setup"], duplicate_cookie_not_answered, "TIMED_OUT"),
    Seed("INIT ACK taken twice", BY_NAME["setup"], init_ack_taken_twice, "given up"),
    Seed("collision keeps the old tag", BY_NAME["collision"], collision_keeps_old_peer_tag, "TIMED_OUT"),
    Seed("table 12 without tags", BY_NAME["restart"], table_12_compares_no_tags, "TIMED_OUT"),
    Seed("table 12 without tie-tags", BY_NAME["collision"], table_12_compares_no_tie_tags, "['setup']"),
    Seed("restart keeps the TSNs", BY_NAME["restart"], restart_keeps_the_old_tsns, "an ABORT that nobody asked for"),
    Seed("T2 is not restarted", BY_NAME["shutdown"], t2_not_restarted, "deadlock in SHUTDOWN"),
    Seed("SHUTDOWN ACK ignored", BY_NAME["shutdown from both"], shutdown_ack_ignored_after_own, "TIMED_OUT"),
    Seed("SHUTDOWN too early", BY_NAME["shutdown after data"], shutdown_before_data_is_acknowledged, "not delivered"),
    Seed("SHUTDOWN acknowledges nothing", BY_NAME["shutdown"], shutdown_does_not_acknowledge, "deadlock in SHUTDOWN"),
    Seed("T3-rtx is not started", BY_NAME["data"], t3_not_started, "data is stuck"),
    Seed("cumulative TSN one too high", BY_NAME["data"], cumulative_ack_one_too_high, ""),
    Seed("duplicates are delivered", BY_NAME["data"], duplicates_delivered, "delivered where number"),
    Seed("gaps are forgotten", BY_NAME["data"], gaps_forgotten, "data is stuck"),
    Seed("ABORT is ignored", BY_NAME["abort"], abort_ignored, "given up"),
    Seed("T bit under any tag", BY_NAME["restart with data"], reflected_abort_under_any_tag, "lost: ABORTED"),
    Seed("no SHUTDOWN COMPLETE out of the blue", BY_NAME["shutdown"], late_shutdown_ack_not_answered, "TIMED_OUT"),
    Seed("no ABORT out of the blue", BY_NAME["abort"], late_data_not_answered, "given up"),
]
