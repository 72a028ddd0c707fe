"""Where a hostile packet can arrive: an association in each state, with and without data under way, or none at all.

A `Victim` is an endpoint at such a place, with a peer made by hand that breaks the rules. What "dropped" means is said
once, in `Victim.check_dropped`: nothing changes, nothing is answered, nobody is told, and a named counter goes up.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import pytest
from support.pair import CLIENT_PORT, SERVER_PORT, UDP_PORT, A, B, Raw

from pysctpstack.config import Config
from pysctpstack.core import Message, Route, State
from pysctpstack.events import Event
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import encode

FROM_PEER = Route(A, UDP_PORT, B)
STRANGER = "203.0.113.9"
WRONG_TAG = 0x5EED5EED
OUTSTANDING = 3
"""DATA chunks of the victim that are not acknowledged at the place of that name."""
RECEIVING = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT})
ACKNOWLEDGED = frozenset({State.COOKIE_ECHOED, State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED})
ANSWERING = ACKNOWLEDGED
"""HEARTBEATs are answered in the same states as SACKs are taken."""
CHUNK_TYPES = sorted(cp.CHUNK_NAMES)


@dataclass(frozen=True)
class Place:
    """``state``: of the association; CLOSED is none. ``listening``: somebody waits for associations.

    ``traffic``: "outstanding" (the victim's data is not acknowledged) or "held" (the peer's has gaps).
    """

    name: str
    state: State
    traffic: str = ""
    listening: bool = True


PLACES = [
    Place("nobody", State.CLOSED, listening=False),
    Place("listener", State.CLOSED),
    Place("COOKIE-WAIT", State.COOKIE_WAIT),
    Place("COOKIE-ECHOED", State.COOKIE_ECHOED),
    Place("ESTABLISHED", State.ESTABLISHED),
    Place("ESTABLISHED, data outstanding", State.ESTABLISHED, "outstanding"),
    Place("ESTABLISHED, data held", State.ESTABLISHED, "held"),
    Place("SHUTDOWN-PENDING", State.SHUTDOWN_PENDING),
    Place("SHUTDOWN-SENT", State.SHUTDOWN_SENT),
    Place("SHUTDOWN-RECEIVED", State.SHUTDOWN_RECEIVED),
    Place("SHUTDOWN-ACK-SENT", State.SHUTDOWN_ACK_SENT),
]
WITH_ASSOCIATION = [place for place in PLACES if place.state is not State.CLOSED]
CLOSED = [place for place in PLACES if place.state is State.CLOSED]


def at(places: Iterable[Place]) -> pytest.MarkDecorator:
    """Run a test at each of these places."""
    return pytest.mark.parametrize(
        "place", list(places), ids=lambda place: place.name.replace(", ", "-").replace(" ", "-")
    )


def in_states(states: Iterable[State]) -> list[Place]:
    """The places of these states."""
    wanted = set(states)
    return [place for place in PLACES if place.state in wanted]


EVERYWHERE = at(PLACES)


class _AsTheyAre:
    """Names for a fingerprint that tell random numbers apart: here, a changed tag is a changed state."""

    def tag(self, value: int) -> Hashable:
        return value

    def tsn(self, value: int) -> Hashable:
        return value

    def token(self, value: bytes) -> Hashable:
        return value


class Victim(Raw):
    """An endpoint at a `Place`; see the module."""

    place: Place
    cookies: list[c.CookieEcho]
    """COOKIE ECHOs that were made from what the endpoint signed, the latest last."""

    @classmethod
    def at(cls, place: Place, config: Config | None = None, seed: int = 0) -> Victim:
        victim = cls(config, seed)
        victim.cookies = []
        victim.settle(place)
        return victim

    def settle(self, place: Place) -> None:
        """Bring the endpoint, which has no association, to ``place``."""
        self.place = place
        self.tsn = 1_000
        if place.state is State.CLOSED:
            self.tag = WRONG_TAG
            if not place.listening:
                self.endpoint.unlisten(SERVER_PORT)
            return
        self.bring_to(place.state)
        if place.traffic == "outstanding":
            self.association.tcb.sender.no_delay = True
            for number in range(OUTSTANDING):
                self.association.send(Message(0, number, bytes(100)), self.now)
        elif place.traffic == "held":
            # A message without its end, a gap, and one that waits for its turn behind it.
            self.give(self.data(bytes(100), flags=cp.DATA_FLAG_B), self.data(bytes(50), flags=0))
            self.give(self.data(bytes(100), tsn=self.tsn + 2, ssn=7))
        self.answers()
        self.endpoint.next_events()

    def cookie(self, init: c.Init | None = None) -> c.CookieEcho:
        self.cookies.append(super().cookie(init))
        return self.cookies[-1]

    @property
    def state(self) -> State:
        """Of the association; CLOSED if there is none."""
        return next((a.state for a in self.endpoint.associations.values()), State.CLOSED)

    def snapshot(self) -> Hashable:
        """All that decides what happens next."""
        routes = [path.route for a in self.endpoint.associations.values() for path in a.tcb.paths]
        tags = sorted(self.endpoint.by_tag)
        return (
            self.endpoint.fingerprint(self.now, _AsTheyAre()),
            tuple(routes),
            tuple(tags),
            self.endpoint.next_timeout(),
        )

    def packet_of(
        self,
        *chunks: c.Chunk | bytes,
        tag: int | None = None,
        ports: tuple[int, int] = (CLIENT_PORT, SERVER_PORT),
    ) -> bytes:
        """A packet of the peer; ``tag`` None: the right one."""
        encoded = [k if isinstance(k, bytes) else k.encode() for k in chunks]
        return encode(*ports, self.tag if tag is None else tag, encoded)

    def inject(
        self, packet: bytes, route: Route = FROM_PEER
    ) -> tuple[list[tuple[Route, int, list[c.Chunk]]], set[str]]:
        """A datagram arrives: the packets that answer it, as (route, tag, chunks), and the counters that went up."""
        before = dict(self.endpoint.counters)
        self.endpoint.receive_datagrams([(route, packet)], self.now)
        raised = {name for name, count in self.endpoint.counters.items() if count > before.get(name, 0)}
        return self.sent(), raised

    def check_dropped(self, packet: bytes, *reasons: str, route: Route = FROM_PEER) -> None:
        """The packet is dropped; one of the counters ``reasons`` tells why, if any are given.

        A packet out of the blue may have the one answer of RFC 9260 section 8.4, which is no larger than what drew it.
        """
        before = self.snapshot()
        answers, raised = self.inject(packet, route)
        assert self.snapshot() == before
        assert self.endpoint.next_events() == []
        assert raised, "dropped without a trace"
        if self.place.state is State.CLOSED and answers:
            ((to, tag, (chunk,)),) = answers
            assert (to, tag) == (route, int.from_bytes(packet[4:8], "big"))
            assert isinstance(chunk, (c.Abort, c.ShutdownComplete))
            assert chunk.reflected
            assert raised == {"ootb_replies"}
            assert 12 + len(chunk.encode()) <= max(len(packet), 16)
            return
        assert answers == []
        assert not reasons or raised & set(reasons), raised

    def check_aborted(self, packet: bytes, cause: int, route: Route = FROM_PEER) -> None:
        """The packet ends the association: one ABORT with this cause, and nothing else, leaves."""
        answers, _ = self.inject(packet, route)
        ((_, _, (abort,)),) = answers
        assert isinstance(abort, c.Abort)
        assert [k.code for k in abort.causes] == [cause]
        assert self.state is State.CLOSED
        assert self.endpoint.next_timeout() == float("inf")

    def told(self) -> list[Event]:
        """Take what the user was told."""
        return self.endpoint.next_events()

    def serves(self) -> bool:
        """Whether a new peer, elsewhere, is accepted, heard and answered."""
        peer = Raw.__new__(Raw)
        for name in ("config", "endpoint", "settings", "listener"):
            setattr(peer, name, getattr(self, name))
        peer.now, peer.tag, peer.own_tag, peer.tsn, peer.local_tsn = self.now, 0, 0x33333333, 500, 0
        route = Route("203.0.113.77", 1_234, B)
        ports = (6_000, SERVER_PORT)
        (ack,) = peer.give(peer.init(), tag=0, route=route, ports=ports)
        if not isinstance(ack, c.InitAck):
            return False
        peer.tag = ack.initiate_tag
        (cookie,) = [p.cookie for p in ack.parameters if hasattr(p, "cookie")]
        first, *_ = peer.give(c.CookieEcho(cookie), route=route, ports=ports)
        answers = peer.give(peer.data(b"hello"), route=route, ports=ports)
        heard = [event for event in self.told() if getattr(event, "data", None) == b"hello"]
        association = self.endpoint.by_tag[peer.tag]
        association.send(Message(0, 0, b"and back"), self.now)
        back = [k for k in peer.answers() if isinstance(k, c.Data)]
        association.abort(b"", self.now)
        peer.answers()
        self.told()
        self.endpoint.next_timeout()
        self.listener.room += 1
        return (
            isinstance(first, c.CookieAck)
            and any(isinstance(k, c.Sack) for k in answers)
            and len(heard) == 1
            and [k.payload for k in back] == [b"and back"]
        )
