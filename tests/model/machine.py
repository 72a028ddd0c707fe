"""One end of a model: an endpoint, its user, and the table of what each stimulus makes of each of its states.

What an end does depends on its own state and on the packet, timer or verb at hand, and on nothing else. So each
stimulus is tried once on each *local* state that occurs, and the exploration of both ends together (`checker`) is a
matter of looking up numbers: millions of global states need a few thousand steps of the protocol.

Each end has its own clock, which moves when a timer fires, and when the checker has it wait.
"""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, FixedMtu, Message, Route, Settings, State
from pysctpstack.core.cookie import Cookie
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationRestarted,
    AssociationUp,
    Event,
    MessageReceived,
    SendFailed,
)
from pysctpstack.wire import chunks as c
from pysctpstack.wire import codepoints as cp
from pysctpstack.wire.packet import decode
from pysctpstack.wire.params import StateCookie

NAMES = "ab"
ADDRESSES = ("192.0.2.1", "198.51.100.1")
UDP_PORT = 9_899
PORTS = (5_000, 7)

#: Timers that measurements do not move, and patience for more losses than there will be: what ends an association in
#: a model is what the scenario asks for.
PATIENT = Config(
    rto_initial=1.0,
    rto_min=1.0,
    rto_max=1.0,
    heartbeat_interval=0.0,
    max_init_retransmits=15,
    association_max_retrans=15,
    path_max_retrans=30,
    shutdown_guard=1_000.0,
    valid_cookie_life=1e9,
    cookie_secret_life=1e9,
    strict_sack=True,
    outbound_streams=1,
    max_inbound_streams=1,
)

#: Discards that no packet between two sound endpoints may cause, whatever the network does short of changing it.
UNEXPECTED_COUNTS = frozenset(
    {
        "truncated_packet",
        "bad_checksum",
        "bad_chunk_length",
        "partial_chunk",
        "unknown_chunk",
        "init_with_tag",
        "init_not_alone",
        "init_with_initiate_tag_0",
        "init_ack_not_alone",
        "cookie_echo_not_first",
        "cookie_stale",
        "cookie_of_other_ports",
        "cookie_of_other_address",
        "init_from_new_udp_port",
        "init_from_other_address",
        "udp_port_changed",
        "data_beyond_window",
        "data_too_far_ahead",
        "data_invalid_stream",
        "sack_invalid",
    }
)


class Violation(AssertionError):
    """A property does not hold."""


class SpacedEntropy:
    """Random numbers far apart from one another: of a 32-bit number the upper half tells when it was drawn.

    Its whole state is two ints, so that a copy goes on as the original does. No two seeds draw the same number.
    """

    __slots__ = ("seed", "drawn")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.drawn = 0

    def token(self, size: int) -> bytes:
        if size != 4:
            return hashlib.shake_128(f"{self.seed}".encode()).digest(size)
        self.drawn += 1
        if self.drawn >= 0x800:
            raise OverflowError("too many random numbers for one model")
        return (((self.seed + 1) << 27 | self.drawn << 16) + 0x8000).to_bytes(4, "big")


class Atoms:
    """`Names` that keep the upper half of each random number apart, in the order of appearance.

    Two states with the same fingerprint and the same pattern of equal atoms differ in their names only.
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[int] = []

    def tag(self, value: int) -> Hashable:
        self.found.append(value >> 16)
        return value & 0xFFFF

    def tsn(self, value: int) -> Hashable:
        return self.tag(value)

    def token(self, value: bytes) -> Hashable:
        """A cookie, whose life is endless here: its age and signature say nothing."""
        if not value:
            return None
        try:
            k = Cookie.unpack(value[16:])
        except ValueError:
            return value
        numbers = (k.local_tag, k.peer_tag, k.local_tie_tag, k.peer_tie_tag, k.local_initial_tsn, k.peer_initial_tsn)
        return (*map(self.tag, numbers), k.peer_a_rwnd, k.local_port, k.peer_port, k.route, tuple(k.addresses))


class Packet(NamedTuple):
    """A packet as the network knows it."""

    data: bytes
    label: str
    shape: int
    """The same for packets that differ in their random numbers only."""
    atoms: tuple[int, ...]


@dataclass(slots=True)
class Record:
    """What a user has seen of one association."""

    life: int
    """Which life of the process it belongs to."""
    id: int
    status: str = "setup"
    """``setup``, ``up``, ``closed``, ``lost: ...``, or ``died`` with its process."""
    restarts: int = 0
    sent: int = 0
    failed: list[int] = field(default_factory=list)
    delivered: list[tuple[str, int, int]] = field(default_factory=list)
    """(association of the peer's, number of the first message, of the one that is next), in the order of delivery."""
    may_switch: bool = True
    """Messages of another association of the peer's may begin."""

    @property
    def is_live(self) -> bool:
        return self.status in ("setup", "up")

    def key(self) -> Hashable:
        return (
            self.life,
            self.id,
            self.status,
            self.restarts,
            self.sent,
            tuple(self.failed),
            tuple(self.delivered),
            self.may_switch,
        )


class End:
    """An endpoint and its user. The unit that is copied."""

    __slots__ = ("side", "config", "ports", "listens", "life", "endpoint", "clock", "records", "aborted")

    def __init__(self, side: int, config: Config, ports: tuple[int, int], listens: bool) -> None:
        self.side = side
        self.config = config
        self.ports = ports
        """Local and peer."""
        self.listens = listens
        self.life = 0
        self.clock = 0.0
        self.records: list[Record] = []
        self.aborted = False
        """The user has asked for an ABORT."""
        self.endpoint = self._new_endpoint()

    def _new_endpoint(self) -> Endpoint:
        endpoint = Endpoint(self.config, SpacedEntropy(self.side + 2 * self.life), FixedMtu())
        if self.listens:
            endpoint.listen(self.ports[0], self._settings(), 100)
        return endpoint

    def _settings(self) -> Settings:
        settings = Settings.from_config(self.config)
        # Messages leave in packets of their own, so that they can overtake one another.
        settings.no_delay = True
        return settings

    # --- the user ---

    @property
    def record(self) -> Record | None:
        """The latest association of this life."""
        return self.records[-1] if self.records and self.records[-1].life == self.life else None

    def association(self) -> Association | None:
        record = self.record
        if record is None or not record.is_live:
            return None
        return self.endpoint.associations.get(record.id)

    def may(self, verb: str) -> bool:
        """Whether the user can call a verb: there has to be an association, or to begin one, none that lives."""
        if verb == "associate":
            return self.record is None or not self.record.is_live
        if verb == "restart":
            return True
        return self.record is not None

    def call(self, verb: str) -> None:
        """Do what a verb says, if the association still takes it."""
        now = self.clock
        if verb == "associate":
            route = Route(ADDRESSES[1 - self.side], UDP_PORT)
            association = self.endpoint.associate(*self.ports, route, self._settings(), now)
            self.records.append(Record(self.life, association.association_id))
            return
        if verb == "restart":
            for record in self.records:
                if record.is_live:
                    record.status = "died"
            self.life += 1
            self.endpoint = self._new_endpoint()
            return
        living = self.association()
        if living is None:
            return
        if verb == "send":
            record = self.records[-1]
            data = f"{NAMES[self.side]}{len(self.records) - 1}.{record.sent}".encode()
            try:
                living.send(Message(0, 0, data), now)
            except ConnectionError:
                # It closes already: the message is not taken, and the user knows.
                return
            record.sent += 1
        elif verb == "shutdown":
            living.shutdown(now)
        elif verb == "abort":
            self.aborted = True
            living.abort(b"", now)
        else:
            raise ValueError(verb)

    # --- stimuli ---

    def receive(self, data: bytes) -> None:
        route = Route(ADDRESSES[1 - self.side], UDP_PORT, ADDRESSES[self.side])
        self.endpoint.receive_datagrams([(route, data)], self.clock)

    def deadline(self) -> float:
        """When the next timer is due. The endpoint itself may ask to be called earlier, for a timer put off since."""
        return min((a.next_timeout() for a in self.endpoint.associations.values()), default=math.inf)

    def fire(self) -> None:
        self.clock = max(self.deadline(), self.clock)
        self.endpoint.handle_timeout(self.clock)

    # --- what comes of them ---

    def take_events(self) -> None:
        # Reading a message may have more to read.
        while events := self.endpoint.next_events():
            for event in events:
                self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, AssociationUp) and event.accepted:
            self.records.append(Record(self.life, event.association_id, "up"))
            return
        record = next((r for r in self.records if (r.life, r.id) == (self.life, event.association_id)), None)
        if record is None or not (record.is_live or isinstance(event, SendFailed)):
            raise Violation(f"{event} of no association that the user knows")
        if isinstance(event, AssociationUp):
            if record.status == "up":
                raise Violation("up twice")
            record.status = "up"
        elif isinstance(event, AssociationRestarted):
            record.restarts += 1
            record.may_switch = True
        elif isinstance(event, AssociationClosed):
            record.status = "closed"
        elif isinstance(event, AssociationLost):
            record.status = f"lost: {event.loss.name}"
        elif isinstance(event, MessageReceived):
            self._deliver(record, event)
        elif isinstance(event, SendFailed):
            self._fail(record, event)

    def _deliver(self, record: Record, event: MessageReceived) -> None:
        """Messages of one association of the peer's come in order, each once; then those of its next, if it
        restarted."""
        origin, _, text = event.data.decode().partition(".")
        number = int(text)
        delivered = record.delivered
        if not delivered or delivered[-1][0] != origin:
            if not record.may_switch or any(other == origin for other, _, _ in delivered):
                raise Violation(f"{event.data.decode()} after {delivered}")
            record.may_switch = False
            # After a restart the peer's association goes on from where it was.
            first = number if self.life else 0
            delivered.append((origin, first, first))
        _, first, following = delivered[-1]
        if number != following:
            raise Violation(f"{event.data.decode()} delivered where number {following} is next")
        delivered[-1] = (origin, first, following + 1)
        association = self.endpoint.associations.get(event.association_id)
        if association is not None:
            association.consumed(len(event.data), self.clock)

    def _fail(self, record: Record, event: SendFailed) -> None:
        origin, _, number = event.data.decode().partition(".")
        if origin != f"{NAMES[self.side]}{self.records.index(record)}" or int(number) in record.failed:
            raise Violation(f"{event.data.decode()} reported as failed")
        record.failed.append(int(number))

    # --- what holds in every state ---

    def check(self) -> None:
        for name in UNEXPECTED_COUNTS & self.endpoint.counters.keys():
            raise Violation(f"a packet was discarded as {name}")
        for association in self.endpoint.associations.values():
            tcb = association.tcb
            sender, receiver = tcb.sender, tcb.receiver
            outstanding = list(sender.outstanding.values())
            in_flight = [chunk for chunk in outstanding if not chunk.acked and not chunk.marked]
            queued = sum(len(m.data) - m.offset for m in sender.queue.messages if not m.abandoned)
            holds = {
                "in_flight": sender.in_flight == sum(len(chunk.payload) for chunk in in_flight),
                "queued": sender.queue.size == queued,
                "buffered": sender.buffered == queued + sum(len(chunk.payload) for chunk in outstanding),
                "flight_size": sum(path.congestion.flight_size for path in tcb.paths)
                == sum(chunk.size for chunk in in_flight),
                "outstanding": [chunk.tsn for chunk in outstanding]
                == list(range(sender.cumulative + 1, sender.next_tsn)),
                "rwnd": sender.rwnd >= 0,
                "unread": receiver.unread == 0 and receiver.unread_padding == 0,
                "held": receiver.reassembly.held >= 0 and receiver.reassembly.padding >= 0,
                "blocks": all(
                    receiver.tsn_map.cumulative + 1 < start <= end
                    for start, end in zip(receiver.tsn_map.starts, receiver.tsn_map.ends, strict=True)
                ),
                "tags": tcb.local_tag in self.endpoint.by_tag,
            }
            for name, held in holds.items():
                if not held:
                    raise Violation(f"{name} is wrong in {tcb.state.value}")


class Live(NamedTuple):
    """An association that has not ended, as far as both ends' have to agree."""

    state: State
    tags: tuple[int, int]
    idle: bool
    """Nothing queued or outstanding, nothing held."""
    next_tsn: int
    expected_tsn: int


@dataclass(slots=True)
class Local:
    """A local state."""

    frozen: bytes
    shape: int
    atoms: tuple[int, ...]
    remaining: float
    """Seconds until the next timer is due."""
    verbs: frozenset[str]
    """What the user may call."""
    live: tuple[Live, ...]
    records: tuple[Record, ...]
    aborted: bool
    summary: str


class Step(NamedTuple):
    """What a stimulus leads to. ``packets``: numbers of those that leave."""

    state: int
    packets: tuple[int, ...]


Stimulus: TypeAlias = "int | str | tuple[float]"
"""A packet's number, ``"timer"`` or a verb, or seconds to wait."""
VERBS = ("associate", "send", "shutdown", "abort", "restart")


class Table:
    """Local states and packets by number, and the steps between them, each taken once."""

    def __init__(self) -> None:
        self.locals: list[Local] = []
        self.packets: list[Packet] = []
        self.aborts: set[int] = set()
        """Packets with an ABORT that is no answer to one out of the blue."""
        self._local_numbers: dict[Hashable, int] = {}
        self._packet_numbers: dict[Hashable, int] = {}
        self._shapes: dict[Hashable, int] = {}
        self._steps: dict[tuple[int, Stimulus], Step] = {}

    def step(self, state: int, stimulus: Stimulus) -> Step:
        """Take one step, or look up what it led to before."""
        key = (state, stimulus)
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = self._take_step(state, stimulus)
        return step

    def _take_step(self, state: int, stimulus: Stimulus) -> Step:
        end: End = pickle.loads(self.locals[state].frozen)
        if isinstance(stimulus, int):
            end.receive(self.packets[stimulus].data)
        elif isinstance(stimulus, tuple):
            end.clock += stimulus[0]
        elif stimulus == "timer":
            end.fire()
        else:
            end.call(stimulus)
        return self.settle(end)

    def settle(self, end: End) -> Step:
        """Drain an end, check it, and find or make its number."""
        end.take_events()
        sent = end.endpoint.datagrams_to_send(end.clock)
        end.endpoint.next_timeout()  # forgets associations that have ended
        end.check()
        packets = tuple(self._packet(data) for _, data in sent)
        # RFC 9260 section 8.4, 3: an INIT for nobody is refused with an ABORT under its own tag.
        refusing = not end.listens and not end.endpoint.associations
        if self.aborts.intersection(packets) and not end.aborted and not refusing:
            raise Violation(f"{NAMES[end.side]} sends an ABORT that nobody asked for")
        atoms = Atoms()
        fingerprint = (end.endpoint.fingerprint(end.clock, atoms), tuple(record.key() for record in end.records))
        shape = self._shape((end.side, end.life, end.aborted, fingerprint))
        entropy = end.endpoint.shared.entropy
        assert isinstance(entropy, SpacedEntropy)
        key = (shape, tuple(atoms.found), entropy.drawn, end.endpoint.next_id)
        number = self._local_numbers.get(key)
        if number is None:
            number = self._local_numbers[key] = len(self.locals)
            end.endpoint.counters.clear()
            self.locals.append(
                Local(
                    pickle.dumps(end, pickle.HIGHEST_PROTOCOL),
                    shape,
                    tuple(atoms.found),
                    max(round(end.deadline() - end.clock, 6), 0.0),
                    frozenset(verb for verb in VERBS if end.may(verb)),
                    tuple(_live(association) for association in end.endpoint.associations.values()),
                    tuple(end.records),
                    end.aborted,
                    _summary(end),
                )
            )
        return Step(number, packets)

    def _shape(self, key: Hashable) -> int:
        return self._shapes.setdefault(key, len(self._shapes))

    def _packet(self, data: bytes) -> int:
        atoms = Atoms()
        packet = decode(data)
        tag = atoms.tag(packet.verification_tag)
        shape = self._shape((tag, packet.source_port, *(_shape_of(chunk, atoms) for chunk in packet.chunks)))
        number = self._packet_numbers.setdefault((shape, *atoms.found), len(self.packets))
        if number == len(self.packets):
            label = "+".join(cp.CHUNK_NAMES.get(chunk.type, str(chunk.type)) for chunk in packet.chunks)
            self.packets.append(Packet(data, label, shape, tuple(atoms.found)))
            if any(isinstance(chunk, c.Abort) and not chunk.reflected for chunk in packet.chunks):
                self.aborts.add(number)
        return number


def _live(association: Association) -> Live:
    tcb = association.tcb
    receiver = tcb.receiver
    return Live(
        tcb.state,
        (tcb.local_tag, tcb.peer_tag),
        tcb.sender.is_idle and not receiver.reassembly.held and not receiver.tsn_map.starts,
        tcb.sender.next_tsn,
        receiver.tsn_map.cumulative + 1,
    )


def _summary(end: End) -> str:
    states = "/".join(a.state.value for a in end.endpoint.associations.values()) or "CLOSED"
    due = end.deadline() - end.clock
    return f"{NAMES[end.side]} {states}" + (f" timer in {due:.3g} s" if due < math.inf else "")


def _shape_of(chunk: c.Chunk, atoms: Atoms) -> Hashable:
    """A chunk without its random numbers, which go to ``atoms``."""
    if isinstance(chunk, (c.Init, c.InitAck)):
        cookies = [p.cookie for p in chunk.parameters if isinstance(p, StateCookie)]
        return (
            chunk.type,
            atoms.tag(chunk.initiate_tag),
            atoms.tsn(chunk.initial_tsn),
            (chunk.a_rwnd, chunk.outbound_streams, chunk.inbound_streams),
            tuple(p.encode() for p in chunk.parameters if not isinstance(p, StateCookie)),
            *map(atoms.token, cookies),
        )
    if isinstance(chunk, c.CookieEcho):
        return chunk.type, atoms.token(chunk.cookie)
    if isinstance(chunk, c.Data):
        fields = (chunk.stream_id, chunk.ssn, chunk.ppid, chunk.payload, chunk.flags)
        return chunk.type, atoms.tsn(chunk.tsn), fields
    if isinstance(chunk, c.Sack):
        duplicates = tuple(map(atoms.tsn, chunk.duplicates))
        return chunk.type, atoms.tsn(chunk.cumulative_tsn), chunk.a_rwnd, chunk.gaps, duplicates
    if isinstance(chunk, c.Shutdown):
        return chunk.type, atoms.tsn(chunk.cumulative_tsn)
    # The rest holds no random numbers.
    return chunk.encode()
