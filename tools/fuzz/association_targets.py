"""An association in each state, and what conversations do to it; see `tools.fuzz.conversation`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from hostile.places import FROM_PEER, PLACES, RECEIVING, Place, Victim
from support.pair import CLIENT_PORT, SERVER_PORT, A, B

from pysctpstack.config import Config
from pysctpstack.constants import SCTP_PR_SCTP_PRIO, SCTP_PR_SCTP_RTX
from pysctpstack.core import Association, Message, Route, State
from pysctpstack.core.rx.receiver import Receiver
from pysctpstack.core.tx.send_queue import LimitedMessage
from pysctpstack.core.tx.sender import Sender
from pysctpstack.errors import PacketError
from pysctpstack.events import MessageReceived
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import encode, split
from pysctpstack.wire.params import StateCookie
from tools.fuzz import conversation as conv
from tools.fuzz.conversation import Record
from tools.fuzz.soundness import check_datagram, check_endpoint, require
from tools.fuzz.target import Target

_SMALL = Config(
    receive_buffer=20_000, max_gap_blocks=50, max_overhead=4, association_max_retrans=4, backlog_limit=1 << 30
)
CONFIGS = (
    _SMALL,
    replace(_SMALL, receive_buffer=5_000, max_gap_blocks=4),
    replace(_SMALL, sack_delay=0.05, plpmtud=True),
    replace(_SMALL, strict_sack=True, max_burst=0),
)
PARTIAL_DELIVERY = 2
"""Which of the configurations delivers large messages in pieces, from so many bytes on:"""
PARTIAL_DELIVERY_POINT = 500
ELSEWHERE = Route(A, 1, B)
LARGEST_PACKET = 1_472
PER_STEP = 200
"""Datagrams that leave after one record at most: all that a window of the smallest chunks lets go."""
TIMEOUTS = 100_000
MOST_UNACKNOWLEDGED = 200_000


class Talk:
    """One conversation with one victim."""

    def __init__(self, place: Place, config: int) -> None:
        self.victim = Victim(CONFIGS[config])
        self.victim.cookies = []
        if config == PARTIAL_DELIVERY:
            # Of the listener too: the object is the same.
            self.victim.settings.partial_delivery_point = PARTIAL_DELIVERY_POINT
        self.victim.settle(place)
        self.cookie = self.victim.cookies[-1].cookie if self.victim.cookies else b""
        self.heartbeat = b""
        self.unread: list[MessageReceived] = []
        self.batch: list[tuple[Route, bytes]] = []
        self.transcript: list[object] = []
        """What left and what was told, in order."""

    def follow(self, records: list[Record]) -> None:
        for kind, body in records:
            what = kind & 7
            if what == conv.TIME:
                self.flush()
                self.pass_time(conv.TIMES[body[0] % len(conv.TIMES)] if body else 0.0)
            elif what == conv.VERB:
                self.flush()
                self.verb(body)
            else:
                self.batch.append(self.datagram(what, body))
                if kind & conv.TOGETHER and len(self.batch) < 44:
                    continue
                self.flush()
            self.check()
        self.flush()
        self.check()

    # --- packets ---

    def flush(self) -> None:
        if self.batch:
            batch, self.batch = self.batch, []
            self.victim.endpoint.receive_datagrams(batch, self.victim.now)

    def datagram(self, what: int, body: bytes) -> tuple[Route, bytes]:
        if what == conv.DATAGRAM:
            return FROM_PEER, body
        victim = self.victim
        chunks = self.completed(body)
        tag = {conv.PACKET_TAG_0: 0, conv.PACKET_TAG_OF_PEER: victim.own_tag, conv.PACKET_WRONG_TAG: 0x5EED5EED}.get(
            what, victim.tag
        )
        # The port of a peer is learned from its packets: a route of its own for each, as drivers have them.
        route = ELSEWHERE if what == conv.PACKET_FROM_ELSEWHERE else FROM_PEER
        return route, encode(CLIENT_PORT, SERVER_PORT, tag, [chunks])

    def completed(self, body: bytes) -> bytes:
        """Chunks with TSNs that count from the association's, and with what it gave out."""
        expected = acknowledged = 0
        for association in self.victim.endpoint.associations.values():
            expected = association.tcb.receiver.tsn_map.cumulative
            acknowledged = association.tcb.sender.cumulative
        bounds, _ = split(bytes(12) + body)
        pieces = []
        end = 12
        for type_, flags, start, end in bounds:
            chunk = body[start - 16 : ((end + 3) & ~3) - 12]
            if len(chunk) >= 8 and type_ in (cp.DATA, cp.FORWARD_TSN, cp.SACK, cp.SHUTDOWN):
                base = expected if type_ in (cp.DATA, cp.FORWARD_TSN) else acknowledged
                number = (int.from_bytes(chunk[4:8], "big") + base) & 0xFFFFFFFF
                chunk = chunk[:4] + number.to_bytes(4, "big") + chunk[8:]
            elif start == end and type_ == cp.COOKIE_ECHO:
                chunk = c.CookieEcho(self.cookie).encode()
            elif start == end and type_ == cp.HEARTBEAT_ACK and self.heartbeat:
                chunk = c.HeartbeatAck(self.heartbeat).encode()
            elif len(chunk) < 4:
                chunk += bytes((type_, flags, 0, 4))
            pieces.append(chunk)
        # What is no chunk stays behind them.
        pieces.append(body[((end + 3) & ~3) - 12 :])
        return b"".join(pieces)

    # --- the user and the clock ---

    def verb(self, body: bytes) -> None:
        what, number = (body[0] % conv.VERBS if body else 0), (body[1] if len(body) > 1 else 1)
        victim = self.victim
        if what in (conv.UNREACHABLE, conv.TOO_BIG):
            self.icmp(what, number, body[2:])
            return
        for association in list(victim.endpoint.associations.values()):
            if association.state is State.CLOSED:
                continue
            if what in (0, 1, 2, 7):
                size = {0: 1 + 8 * number, 1: 1 + 64 * number, 2: 1 + 16 * number, 7: 1 + 32 * number}[what]
                if association.state in (State.COOKIE_WAIT, State.COOKIE_ECHOED, State.ESTABLISHED):
                    self.send(association, what, number, size)
            elif what == 3:
                association.shutdown(victim.now)
            elif what == 4:
                association.abort(b"enough", victim.now)
            elif what == 5:
                self.read(len(self.unread))
            elif what == 6:
                self.read(1)
            elif what == 11:
                association.make_room(0, 16 * number, victim.now)
            else:
                association.heartbeat(next(iter(association.tcb.paths)).address, victim.now)

    def icmp(self, what: int, number: int, quoted: bytes) -> None:
        """An error that quotes a packet of the victim's, or (odd numbers) any bytes."""
        victim = self.victim
        if not number & 1:
            if quoted[:1] == bytes((cp.INIT,)):
                # The tag that proves it is one that its victim made.
                quoted = quoted[:4] + victim.tag.to_bytes(4, "big") + quoted[8:]
            quoted = encode(SERVER_PORT, CLIENT_PORT, victim.own_tag, [quoted])
        if what == conv.UNREACHABLE:
            victim.endpoint.handle_unreachable(quoted, victim.now)
        else:
            victim.endpoint.handle_packet_too_big(A, quoted, victim.now)

    def send(self, association: Association, what: int, number: int, size: int) -> None:
        victim = self.victim
        if association.send_buffered > MOST_UNACKNOWLEDGED or association.tcb.shutdown_wanted:
            return
        expires = victim.now + number / 20 if what == 7 else float("inf")
        if what == 7 and number & 1:
            limited = LimitedMessage(0, 0, bytes(size))
            limited.limit_to(SCTP_PR_SCTP_RTX if number & 2 else SCTP_PR_SCTP_PRIO, number % 3)
            message: Message = limited
        else:
            message = Message(0, 0, bytes(size), unordered=what == 2, expires_at=expires)
        association.send(message, victim.now)

    def read(self, count: int) -> None:
        taken, self.unread = self.unread[:count], self.unread[count:]
        for event in taken:
            association = self.victim.endpoint.associations.get(event.association_id)
            if association is not None:
                association.consumed(len(event.data), self.victim.now)

    def pass_time(self, seconds: float) -> None:
        victim = self.victim
        end = victim.now + seconds
        for _ in range(TIMEOUTS):
            due = victim.endpoint.next_timeout()
            if due > end:
                break
            victim.now = max(victim.now, due)
            victim.endpoint.handle_timeout(victim.now)
            require(victim.endpoint.next_timeout() > victim.now, "a timer does not move on", due)
            self.sent()
        else:
            require(False, "timers without end")
        victim.now = end

    # --- what came of it ---

    def sent(self) -> None:
        left = self.victim.endpoint.datagrams_to_send(self.victim.now)
        require(len(left) <= PER_STEP, "a burst without bound", len(left))
        self.transcript += left
        for _, datagram in left:
            for chunk in check_datagram(datagram, LARGEST_PACKET):
                if isinstance(chunk, c.InitAck):
                    self.cookie = next(p.cookie for p in chunk.parameters if isinstance(p, StateCookie))
                    self.victim.tag = chunk.initiate_tag
                elif isinstance(chunk, c.Heartbeat):
                    self.heartbeat = chunk.info

    def check(self) -> None:
        self.sent()
        check_endpoint(self.victim.endpoint)
        for event in self.victim.endpoint.next_events():
            self.transcript.append(event)
            if isinstance(event, MessageReceived):
                self.unread.append(event)
        self.unread = [e for e in self.unread if e.association_id in self.victim.endpoint.associations]

    def check_service(self) -> None:
        """Afterwards the endpoint serves others as before."""
        victim = self.victim
        if not victim.place.listening:
            victim.listener = victim.endpoint.listen(SERVER_PORT, victim.settings, 10)
        victim.listener.room = 10
        self.pass_time(2.0)
        self.check()
        victim.told()
        require(victim.serves(), "a new peer is not served")


def run(place: Place, data: bytes) -> None:
    config, records = conv.parse(data)
    talk = Talk(place, config % len(CONFIGS))
    try:
        talk.follow(records)
        if sum(data) & 7 == 0:
            talk.check_service()
    except PacketError as error:
        # None may leave the endpoint, and none that the endpoint sent may be broken.
        raise RuntimeError("an endpoint raised or sent something broken") from error


@contextmanager
def without_fast_paths() -> Iterator[None]:
    """Every DATA chunk goes the general way, in and out."""
    take, send_train = Receiver.take, Sender.send_train
    Receiver.take = lambda _self, _datagram, position: position  # type: ignore[method-assign, assignment]
    Sender.send_train = lambda _self, _now, _header, _out: None  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Receiver.take = take  # type: ignore[method-assign]
        Sender.send_train = send_train  # type: ignore[method-assign]


def run_both_ways(place: Place, data: bytes) -> None:
    """The fast paths of the hot files change nothing that can be seen from outside, nor the state behind it."""
    config, records = conv.parse(data)
    fast = Talk(place, config % len(CONFIGS))
    fast.follow(records)
    with without_fast_paths():
        slow = Talk(place, config % len(CONFIGS))
        slow.follow(records)
    for number, (one, other) in enumerate(zip(fast.transcript, slow.transcript, strict=False)):
        require(one == other, "the fast paths differ", number, one, other)
    require(len(fast.transcript) == len(slow.transcript), "the fast paths differ in length")
    require(fast.victim.snapshot() == slow.victim.snapshot(), "the fast paths leave another state")


def name_of(place: Place) -> str:
    name: str = place.name.lower().replace(", ", "-").replace(" ", "-")
    return f"association/{name}"


def targets() -> list[Target]:
    return [
        Target(
            name_of(place),
            f"conversations with an association at: {place.name}",
            partial(run, place),
            conv.seeds,
            mutate=conv.changed,
            max_size=conv.MAX_SIZE,
            structured=True,
        )
        for place in PLACES
    ] + [
        Target(
            name_of(place).replace("association/", "fast-paths/"),
            f"the same conversation with and without the fast paths, at: {place.name}",
            partial(run_both_ways, place),
            conv.seeds,
            mutate=conv.changed,
            max_size=conv.MAX_SIZE,
            structured=True,
        )
        for place in PLACES
        if place.state in RECEIVING
    ]
