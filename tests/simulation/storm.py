"""Storms: whole lives of associations under every fault at once, drawn from a seed, and what has to hold afterwards.

`draw` makes a `Scenario` of a seed: how the two hosts and the network between them are, and a list of things that
happen at random times. `Storm` plays it and checks that

* each message arrives at most once, unharmed, and in the order of its stream; and what does not arrive was reported to
  the sender as failed, unless the receiver crashed;
* each association ends with exactly one event, after which nothing is reported of it but failed messages;
* when all associations have ended no timer runs, and neither endpoint holds anything of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from support.pair import CLIENT_PORT, SERVER_PORT, WrappingEntropy

from pysctpstack.config import Config
from pysctpstack.core import Association, Endpoint, Message, Route, Settings, State
from pysctpstack.events import (
    AssociationClosed,
    AssociationLost,
    AssociationRestarted,
    AssociationUp,
    MessageReceived,
    PartialDeliveryAborted,
    SendFailed,
)
from pysctpstack.testing import Host, Link, Nat, SeededEntropy, SimulatedNetwork

CLIENT, SERVER = 0, 1
NAMES = ("client", "server")
INSIDE = "10.0.0.1"
PUBLIC = "192.0.2.9"
#: What a host with so many addresses has; the second is of the other network, or of the other family.
ADDRESSES = (
    (("192.0.2.1",), ("192.0.2.1", "203.0.113.1"), ("192.0.2.1", "2001:db8:a::1")),
    (("198.51.100.1",), ("198.51.100.1", "203.0.113.129"), ("198.51.100.1", "2001:db8:b::1")),
)
#: No fault of the network that passes ends an association of these: what was sent has to arrive.
PATIENT = {
    "max_init_retransmits": 60,
    "association_max_retrans": 200,
    "path_max_retrans": 8,
    "shutdown_guard": 100_000.0,
    "rto_max": 5.0,
}
LONGEST = 100_000.0
"""Seconds after which everything has to have ended."""


@dataclass(frozen=True)
class Step:
    """Something that happens: the name of a method of `Storm`, and its arguments."""

    time: float
    what: str
    arguments: tuple[Any, ...] = ()


@dataclass
class Scenario:
    seed: int
    link: Link
    configs: tuple[Config, Config]
    addresses: tuple[tuple[str, ...], tuple[str, ...]]
    udp_ports: tuple[int, int]
    mtu: int
    batching: float
    no_delay: bool
    knows_all: bool
    """The client is told of all addresses of the server, not only by the INIT ACK."""
    nat: dict[str, Any] | None
    entropy: type[SeededEntropy]
    steps: list[Step] = field(default_factory=list)
    merciful: bool = False
    """Nothing happens that may cost a message that has no life time."""


def draw(seed: int) -> Scenario:
    chance = Random(seed)
    pick = chance.choice
    merciful = chance.random() < 0.5
    nat = None
    addresses = [pick(choices) for choices in ADDRESSES]
    if chance.random() < 0.25:
        addresses[CLIENT] = (INSIDE,)
        addresses[SERVER] = addresses[SERVER][:2] if addresses[SERVER][-1].startswith("2") else addresses[SERVER]
        symmetric = len(addresses[SERVER]) == 1 and chance.random() < 0.3
        nat = {"symmetric": symmetric, "strict": chance.random() < 0.5, "idle_timeout": pick((math.inf, 120.0))}
    scenario = Scenario(
        seed,
        _link(chance),
        (_config(chance, merciful), _config(chance, merciful)),
        (addresses[CLIENT], addresses[SERVER]),
        (pick((9_899, 9_900, 40_000)), pick((9_899, 9_900))),
        pick((1_500, 1_500, 600, 9_000)),
        pick((0.0, 0.0, 0.01)),
        chance.random() < 0.5,
        chance.random() < 0.5,
        nat,
        SeededEntropy,
        merciful=merciful,
    )
    duration = pick((1.0, 5.0, 30.0, 200.0))
    steps = scenario.steps
    busy = pick((0.1, 0.5, 1.0)) * duration
    for _ in range(chance.randrange(40)):
        steps.append(Step(chance.random() * busy, "send", _message(chance)))
    _add_faults(scenario, chance, duration)
    if all(step.what not in ("restart", "abort") for step in steps) and chance.random() < 0.5:
        # Tags of which all are alike in front are no measure of how well restarts are told apart.
        scenario.entropy = WrappingEntropy
    steps.sort(key=lambda step: step.time)
    return scenario


def _link(chance: Random) -> Link:
    pick = chance.choice
    return Link(
        latency=pick((0.001, 0.02, 0.1, 0.4)),
        jitter=pick((0.0, 0.005, 0.1)),
        loss=pick((0.0, 0.02, 0.1, 0.2, 0.3)),
        duplicate=pick((0.0, 0.05, 0.3)),
        reorder=pick((0.0, 0.05, 0.3)),
        corrupt=pick((0.0, 0.02, 0.1)),
        rate=pick((0, 0, 10_000_000, 500_000)),
        queue=pick((0, 20_000)),
        reorder_delay=pick((0.005, 0.02, 0.3)),
        burst_enter=pick((0.0, 0.0, 0.01)),
    )


def _config(chance: Random, merciful: bool) -> Config:
    pick = chance.choice
    config = Config(
        rto_initial=pick((1.0, 3.0)),
        rto_min=pick((0.1, 1.0)),
        # A host that sends nothing would not learn that its peer is elsewhere now.
        heartbeat_interval=pick((1.0, 5.0, 15.0)) if merciful else pick((0.0, 1.0, 5.0, 15.0)),
        heartbeat_max_burst=pick((0, 1, 4)),
        association_max_retrans=pick((2, 10)),
        path_max_retrans=pick((1, 5)),
        potentially_failed_max_retrans=pick((0, 2, 5)),
        max_init_retransmits=pick((1, 8)),
        receive_buffer=pick((212_992, 212_992, 30_000, 8_000, 3_000)),
        outbound_streams=pick((4, 10)),
        max_inbound_streams=pick((2, 65_535)),
        sack_delay=pick((0.0, 0.2, 0.5)),
        sack_frequency=pick((1, 2, 10)),
        strict_sack=chance.random() < 0.3,
        max_burst=pick((0, 1, 4)),
        max_gap_blocks=pick((1, 300)),
        max_duplicates=pick((0, 20)),
        pr_sctp=chance.random() < 0.8,
        plpmtud=chance.random() < 0.3,
        plpmtud_probe_interval=pick((1.0, 20.0)),
        valid_cookie_life=pick((1.0, 60.0)),
        cookie_secret_life=pick((2.0, 3_600.0)),
    )
    return replace(config, **PATIENT, valid_cookie_life=60.0) if merciful else config


def _message(chance: Random) -> tuple[int, int, int, bool, float]:
    """End, size, stream, whether it is unordered, life time."""
    size = chance.choice((1, 3, 100, 1_452, 1_453, chance.randrange(1, 3_000), chance.randrange(1, 30_000)))
    life = chance.choice((0.0, 0.05, 0.3, 2.0, 60.0)) if chance.random() < 0.3 else math.inf
    return chance.randrange(2), size, chance.randrange(4), chance.random() < 0.3, life


def _add_faults(scenario: Scenario, chance: Random, duration: float) -> None:
    """What happens besides messages, each kind in some of the scenarios."""
    add = scenario.steps.append
    merciful = scenario.merciful

    def when() -> float:
        return chance.random() * duration

    def sometimes(share: float) -> bool:
        return chance.random() < share

    outside = [*scenario.addresses[CLIENT], *scenario.addresses[SERVER]]
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        begin, address = when(), chance.choice(outside)
        add(Step(begin, "cut", (address,)))
        if merciful or sometimes(0.7):
            add(Step(begin + chance.choice((0.1, 3.0, 60.0)), "restore", (address,)))
    for end in (CLIENT, SERVER):
        if sometimes(0.3):
            begin = when()
            add(Step(begin, "pause", (end,)))
            add(Step(begin + chance.choice((0.5, 5.0, 100.0)), "resume", (end,)))
        if sometimes(0.3):
            add(Step(when(), "shutdown", (end,)))
        if not merciful and sometimes(0.15):
            add(Step(when(), "abort", (end,)))
        if not merciful and sometimes(0.2):
            add(Step(when(), "restart", (end,)))
        if sometimes(0.2):
            add(Step(when(), "heartbeat", (end,)))
    if sometimes(0.2):
        add(Step(when(), "change", ({"mtu": chance.choice((1_280, 1_400))},)))
    if sometimes(0.3):
        add(Step(when(), "change", ({"latency": chance.choice((0.001, 0.2)), "loss": chance.choice((0.0, 0.3))},)))
    if scenario.nat is not None:
        for _ in range(chance.choice((0, 1, 3))):
            add(Step(when(), "rebind"))
    if sometimes(0.3):
        # After an end, again between the same ports.
        add(Step(when(), "associate"))


@dataclass
class Parcel:
    """A message, as it has to arrive."""

    sender: Life
    stream_id: int
    unordered: bool
    data: bytes
    mortal: bool
    failed: SendFailed | None = None
    received_by: Life | None = None


@dataclass(eq=False)
class Life:
    """An association as one end sees it."""

    end: End
    association_id: int
    number: int
    """Lives are counted over both ends."""
    up: bool = False
    crashed: bool = False
    ended: AssociationClosed | AssociationLost | None = None
    begun: MessageReceived | None = None
    """A message under partial delivery, as far as it is here."""
    received: list[int] = field(default_factory=list)
    peers: list[Life] = field(default_factory=list)
    """Whose messages it received; the last is the present one."""


@dataclass(eq=False)
class End:
    """A host: its endpoint and the program above it."""

    which: int
    endpoint: Endpoint
    host: Host
    settings: Settings
    reading: bool = True
    unread: list[MessageReceived] = field(default_factory=list)
    lives: dict[int, Life] = field(default_factory=dict)
    """By association id, of the present endpoint."""

    def association(self) -> Association | None:
        """One that takes messages, if there is."""
        for id_, life in reversed(self.lives.items()):
            association = self.endpoint.associations.get(id_)
            if life.ended is None and association is not None:
                return association
        return None


class Routes:
    """A route table: the other network, and the other family, are reached from the second address."""

    __slots__ = ("mtu", "own")

    def __init__(self, mtu: int, own: tuple[str, ...]) -> None:
        self.mtu = mtu
        self.own = own

    def path_mtu(self, route: Route) -> int:  # noqa: ARG002 -- every route is the same
        return self.mtu

    def source_address(self, peer: str) -> str:
        second = peer.startswith("203.") or ":" in peer
        return self.own[-1] if second else self.own[0]

    def controls_fragmentation(self, route: Route) -> bool:  # noqa: ARG002 -- every route is the same
        return True


class Storm:
    """A scenario at work. `play` runs it to the end and returns what happened how often."""

    def __init__(self, scenario: Scenario, *, tracing: bool = False) -> None:
        self.scenario = scenario
        self.network = SimulatedNetwork(
            scenario.seed, scenario.link, batching=scenario.batching, tracing=tracing, max_steps_at_once=2_000
        )
        self.parcels: list[Parcel] = []
        self.lives: list[Life] = []
        self.seen: Counter[str] = Counter()
        self.endpoints = 0
        self.ends = [self._end(which) for which in (CLIENT, SERVER)]
        self.nat: Nat | None = None
        if scenario.nat is not None:
            self.nat = self.network.nat(self.ends[CLIENT].host, PUBLIC, **scenario.nat)
        self.listen()

    def _endpoint(self, which: int) -> Endpoint:
        scenario = self.scenario
        self.endpoints += 1
        entropy = scenario.entropy(1_000 * scenario.seed + self.endpoints)
        return Endpoint(scenario.configs[which], entropy, Routes(scenario.mtu, scenario.addresses[which]))

    def _end(self, which: int) -> End:
        scenario = self.scenario
        endpoint = self._endpoint(which)
        host = self.network.add_host(
            endpoint, *scenario.addresses[which], udp_port=scenario.udp_ports[which], name=NAMES[which]
        )
        settings = Settings.from_config(scenario.configs[which])
        settings.no_delay = scenario.no_delay
        return End(which, endpoint, host, settings)

    @property
    def now(self) -> float:
        return self.network.now

    # --- what happens ---

    def listen(self) -> None:
        server = self.ends[SERVER]
        own = self.scenario.addresses[SERVER]
        server.endpoint.listen(SERVER_PORT, server.settings, 1_000, local_addresses=own)

    def associate(self) -> None:
        client = self.ends[CLIENT]
        own, (first, *others) = self.scenario.addresses
        port = self.scenario.udp_ports[SERVER]
        table = Routes(0, own)
        try:
            association = client.endpoint.associate(
                CLIENT_PORT,
                SERVER_PORT,
                Route(first, port, own[0] if len(own) > 1 else ""),
                client.settings,
                self.now,
                alternates=[Route(other, port, table.source_address(other)) for other in others if self._knows(other)],
                local_addresses=own,
            )
        except ValueError:
            # There is one.
            self.seen["associated twice"] += 1
            return
        self._begin(client, association.association_id)

    def _knows(self, other: str) -> bool:
        families = {":" in address for address in self.scenario.addresses[CLIENT]}
        return self.scenario.knows_all and (":" in other) in families

    def _begin(self, end: End, association_id: int) -> Life:
        assert association_id not in end.lives, f"{NAMES[end.which]}: id {association_id} is used twice"
        life = end.lives[association_id] = Life(end, association_id, len(self.lives))
        self.lives.append(life)
        return life

    def send(self, which: int, size: int, stream_id: int, unordered: bool, life_time: float) -> None:
        end = self.ends[which]
        association = end.association()
        if association is None:
            self.seen["nobody to send to"] += 1
            return
        number = len(self.parcels)
        data = (number.to_bytes(4, "big") * (size // 4 + 1))[:size]
        message = Message(
            stream_id, number, data, unordered=unordered, context=number, expires_at=self.now + life_time
        )
        life = end.lives[association.association_id]
        parcel = Parcel(life, stream_id, unordered, data, life_time < math.inf)
        self.parcels.append(parcel)
        try:
            association.send(message, self.now)
        except (ConnectionError, ValueError):
            # It closes, or has fewer streams.
            self.parcels.pop()
            self.seen["refused"] += 1

    def cut(self, address: str) -> None:
        self.network.cut(address)

    def restore(self, address: str) -> None:
        self.network.restore(address)

    def change(self, settings: dict[str, float]) -> None:
        self.network.everywhere(**settings)

    def pause(self, which: int) -> None:
        self.ends[which].reading = False

    def resume(self, which: int) -> None:
        self.ends[which].reading = True

    def rebind(self) -> None:
        assert self.nat is not None
        if not self.scenario.merciful or all(end.association() and self._all_up(end) for end in self.ends):
            # During the handshake it makes the cookie one of another address.
            self.nat.rebind()
            self.seen["rebound"] += 1

    def _all_up(self, end: End) -> bool:
        return all(life.up for life in end.lives.values())

    def _each(self, which: int, verb: Callable[[Association], None]) -> None:
        for association in list(self.ends[which].endpoint.associations.values()):
            verb(association)

    def shutdown(self, which: int) -> None:
        self._each(which, lambda association: association.shutdown(self.now))

    def abort(self, which: int) -> None:
        self._each(which, lambda association: association.abort(b"enough", self.now))

    def heartbeat(self, which: int) -> None:
        def probe(association: Association) -> None:
            for address in list(association.tcb.paths.by_address):
                association.heartbeat(address, self.now)

        self._each(which, probe)

    def restart(self, which: int) -> None:
        """The program crashes, and another takes its place at the same ports."""
        end = self.ends[which]
        self.drain()
        for life in end.lives.values():
            life.crashed = life.ended is None
        end.lives = {}
        end.unread.clear()
        end.endpoint = end.host.endpoint = self._endpoint(which)
        self.seen[f"{NAMES[which]} restarted"] += 1
        if which == CLIENT:
            self.associate()
        else:
            self.listen()

    # --- what the programs see ---

    def drain(self) -> bool:
        """Take the events of both ends, and read if the ends do. Always False: a predicate that never holds."""
        for end in self.ends:
            for event in end.endpoint.next_events():
                self._take(end, event)
            if end.reading and end.unread:
                unread, end.unread = end.unread, []
                for message in unread:
                    association = end.endpoint.associations.get(message.association_id)
                    if association is not None:
                        association.consumed(len(message.data), self.now)
        return False

    def _take(self, end: End, event: Any) -> None:
        life = end.lives.get(event.association_id)
        if isinstance(event, AssociationUp) and event.accepted:
            life = self._begin(end, event.association_id)
        assert life is not None, f"{event} of no association"
        if isinstance(event, SendFailed):
            parcel = self.parcels[event.context]
            assert parcel.sender is life and parcel.failed is None, f"{event.context} reported twice"
            assert event.data == parcel.data, f"{event.context} reported with other data"
            assert life.ended is not None or parcel.mortal or not life.up or event.error == 1 or life.peers, event
            parcel.failed = event
            return
        assert life.ended is None, f"{type(event).__name__} after {life.ended}"
        if isinstance(event, AssociationUp):
            assert not life.up
            life.up = True
        elif isinstance(event, (AssociationClosed, AssociationLost)):
            assert isinstance(event, AssociationLost) is False or event.established is life.up
            life.ended = event
            self.seen[event.loss.name if isinstance(event, AssociationLost) else "closed"] += 1
        elif isinstance(event, AssociationRestarted):
            assert life.begun is None, "a message under partial delivery outlives a restart"
            self.seen["peer restarted"] += 1
        elif isinstance(event, PartialDeliveryAborted):
            assert life.begun is not None
            life.begun = None
        elif isinstance(event, MessageReceived):
            end.unread.append(event)
            self._receive(life, event)

    def _receive(self, life: Life, event: MessageReceived) -> None:
        if life.begun is not None:
            begun = life.begun
            assert (event.ppid, event.stream_id, event.ssn) == (begun.ppid, begun.stream_id, begun.ssn)
            event = replace(event, data=begun.data + event.data)
        life.begun = None if event.complete else event
        if not event.complete:
            return
        parcel = self.parcels[event.ppid]
        assert (event.stream_id, event.unordered, event.data) == (parcel.stream_id, parcel.unordered, parcel.data)
        assert parcel.sender.end is not life.end, f"{event.ppid} came back"
        assert parcel.received_by is None, f"{event.ppid} delivered twice"
        parcel.received_by = life
        if not life.peers or life.peers[-1] is not parcel.sender:
            assert parcel.sender not in life.peers, f"{event.ppid} is of the time before the restart"
            life.peers.append(parcel.sender)
        life.received.append(event.ppid)

    # --- the run ---

    def play(self) -> Counter[str]:
        self.associate()
        for step in self.scenario.steps:
            self.network.run_until(self.drain, max(step.time - self.now, 0.0))
            self.drain()
            getattr(self, step.what)(*step.arguments)
        for end in self.ends:
            end.reading = True
        self._end_all()
        self.check_messages()
        self.check_nothing_left()
        for parcel in self.parcels:
            self.seen["delivered" if parcel.received_by else "not delivered"] += 1
        return self.seen

    def _end_all(self) -> None:
        """Close what is open until nothing is, and nothing comes any more."""
        self.ends[SERVER].endpoint.unlisten(SERVER_PORT)
        deadline = self.now + LONGEST
        while True:
            for end in self.ends:
                self.shutdown(end.which)
            self.network.run_until(lambda: self.drain() or not self._open(), deadline - self.now)
            assert not self._open(), f"still open: {self._open()}"
            # What is still under way finds nobody, and leaves nothing.
            self.network.run_until(self.drain, 10.0)
            if not self._open():
                break

    def _open(self) -> list[State]:
        return [a.state for end in self.ends for a in end.endpoint.associations.values() if a.state is not State.CLOSED]

    # --- what has to hold ---

    def check_messages(self) -> None:
        for life in self.lives:
            assert life.crashed or life.ended is not None
            self._check_order(life)
        for number, parcel in enumerate(self.parcels):
            failed, receiver = parcel.failed, parcel.received_by
            if failed is not None and not failed.sent:
                assert receiver is None, f"{number} was delivered and reported as not sent"
            if receiver is None and failed is None and not parcel.sender.crashed:
                # The peer has acknowledged it, so it had it; only a crash takes it with it.
                assert any(life.crashed for life in self.lives if life.end is not parcel.sender.end), (
                    f"{number} was neither delivered nor reported"
                )
            if self.scenario.merciful and not parcel.mortal and parcel.sender.up and failed is not None:
                assert failed.error == 1, f"{number} was given up without need"
        if self.scenario.merciful:
            lost = [life.ended for life in self.lives if life.up and isinstance(life.ended, AssociationLost)]
            assert not lost, lost

    def _check_order(self, life: Life) -> None:
        """In each stream the messages of a peer rise, and those left out had a life time, and were reported."""
        for peer in life.peers:
            arrived = [number for number in life.received if self.parcels[number].sender is peer]
            sent = [number for number, parcel in enumerate(self.parcels) if parcel.sender is peer]
            for stream_id in {self.parcels[number].stream_id for number in sent}:
                ordered = [n for n in sent if self._is_ordered(n, stream_id)]
                got = [n for n in arrived if self._is_ordered(n, stream_id)]
                assert got == sorted(got), f"stream {stream_id} of {life.number} out of order: {got}"
                missing = [n for n in ordered if got and n < got[-1] and n not in got]
                for number in missing:
                    parcel = self.parcels[number]
                    assert parcel.mortal, f"{number} was left out"
                    assert parcel.failed is not None or peer.crashed, f"{number} was left out and not reported"

    def _is_ordered(self, number: int, stream_id: int) -> bool:
        parcel = self.parcels[number]
        return parcel.stream_id == stream_id and not parcel.unordered

    def check_nothing_left(self) -> None:
        for end in self.ends:
            endpoint = end.endpoint
            assert endpoint.next_timeout() == math.inf, NAMES[end.which]
            held = (
                endpoint.associations, endpoint.by_tag, endpoint.by_peer, endpoint.scheduled, endpoint.deadlines,
                endpoint.shared.out, endpoint.shared.events, endpoint.shared.touched,
            )  # fmt: skip
            assert not any(held), (NAMES[end.which], held)
