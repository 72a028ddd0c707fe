"""Plays a scenario (`simulation.scenarios`), a whole life of associations under every fault at once, and checks that

* each message arrives at most once, unharmed, and in the order of its stream; and what does not arrive was reported to
  the sender as failed, unless the receiver crashed;
* each association ends with exactly one event, after which nothing is reported of it but failed messages;
* when all associations have ended no timer runs, and neither endpoint holds anything of them.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from simulation.hosts import Routes
from simulation.scenarios import CLIENT, NAMES, PORTS, PUBLIC, SERVER, STREAMS, Scenario, draw

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
from pysctpstack.testing import Host, Nat, SimulatedNetwork

LONGEST = 100_000.0
"""Seconds after which everything has to have ended."""


@dataclass
class Parcel:
    """A message, as it has to arrive."""

    sender: Life
    generation: int
    """How often the sender's peer had restarted."""
    stream_id: int
    unordered: bool
    data: bytes
    mortal: bool
    failed: SendFailed | None = None
    skipped: bool = False
    """It was given up while the association went on: others of its stream may arrive without it."""
    received_by: Life | None = None


@dataclass(eq=False)
class Life:
    """An association as one end sees it."""

    end: End
    association_id: int
    number: int
    """Lives are counted over both ends."""
    accepted: bool = False
    up: bool = False
    crashed: bool = False
    generation: int = 0
    ended: AssociationClosed | AssociationLost | None = None
    begun: MessageReceived | None = None
    """A message under partial delivery, as far as it is here."""
    received: list[int] = field(default_factory=list)
    peers: list[tuple[Life, int]] = field(default_factory=list)
    """Whose messages, of which generation, it received; the last is the present one."""


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

    def listen(self, which: int) -> None:
        end = self.ends[which]
        if which == SERVER or self.scenario.both_listen:
            own = self.scenario.addresses[which]
            end.endpoint.listen(PORTS[which], end.settings, self.scenario.room, local_addresses=own)

    def associate(self, which: int = CLIENT) -> None:
        end = self.ends[which]
        own, theirs = self.scenario.addresses[which], self.scenario.addresses[1 - which]
        port = self.scenario.udp_ports[1 - which]
        table = Routes(0, own)
        families = {":" in address for address in own}
        known = theirs if self.scenario.knows_all else theirs[:1]
        first, *others = [
            Route(address, port, table.source_address(address) if len(own) > 1 else "")
            for address in known
            if (":" in address) in families
        ]
        try:
            association = end.endpoint.associate(
                PORTS[which],
                PORTS[1 - which],
                first,
                end.settings,
                self.now,
                alternates=others,
                local_addresses=own,
            )
        except ValueError:
            # There is one.
            self.seen["associated twice"] += 1
            return
        self._begin(end, association.association_id)

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
        message = Message(stream_id, number, data, unordered=unordered, context=number, expires_at=self.now + life_time)
        life = end.lives[association.association_id]
        parcel = Parcel(life, life.generation, stream_id, unordered, data, life_time < math.inf)
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

    def change_link(self, source: str, destination: str, settings: dict[str, float]) -> None:
        self.network.link(source, destination).change(**settings)

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
        self.listen(which)
        if which == CLIENT or self.scenario.both_listen:
            self.associate(which)

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
            life.accepted = True
        assert life is not None, f"{event} of no association"
        if isinstance(event, SendFailed):
            parcel = self.parcels[event.context]
            assert parcel.sender is life
            assert parcel.failed is None, f"{event.context} reported twice"
            assert event.data == parcel.data, f"{event.context} reported with other data"
            # Its life time, too few streams at the peer, or a peer that has forgotten it.
            parcel.skipped = parcel.mortal or event.error == 1 or parcel.generation < life.generation
            assert parcel.skipped or life.ended is not None, f"{event.context} given up without a reason"
            parcel.failed = event
            return
        assert life.ended is None, f"{type(event).__name__} after {life.ended}"
        if isinstance(event, AssociationUp):
            assert not life.up
            life.up = True
        elif isinstance(event, (AssociationClosed, AssociationLost)):
            assert not isinstance(event, AssociationLost) or event.established is life.up
            life.ended = event
            if life.accepted:
                for listener in end.endpoint.listeners.values():
                    listener.room += 1
            self.seen[event.loss.name if isinstance(event, AssociationLost) else "closed"] += 1
        elif isinstance(event, AssociationRestarted):
            assert life.begun is None, "a message under partial delivery outlives a restart"
            life.generation += 1
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
            event = event._replace(data=begun.data + event.data)
        life.begun = None if event.complete else event
        if not event.complete:
            return
        parcel = self.parcels[event.ppid]
        assert (event.stream_id, event.unordered, event.data) == (parcel.stream_id, parcel.unordered, parcel.data)
        assert parcel.sender.end is not life.end, f"{event.ppid} came back"
        assert parcel.received_by is None, f"{event.ppid} delivered twice"
        parcel.received_by = life
        peer = (parcel.sender, parcel.generation)
        if not life.peers or life.peers[-1] != peer:
            assert peer not in life.peers, f"{event.ppid} is of the time before the restart"
            life.peers.append(peer)
        life.received.append(event.ppid)

    # --- the run ---

    def play(self) -> Counter[str]:
        start = self.now
        for which in (CLIENT, SERVER):
            self.listen(which)
        self.associate()
        for step in self.scenario.steps:
            self.network.run_until(self.drain, max(start + step.time - self.now, 0.0))
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

    def forget(self) -> None:
        """After `play`, before the same again on the same endpoints."""
        self.parcels.clear()
        self.lives.clear()
        self.seen.clear()
        for end in self.ends:
            end.lives.clear()
            end.unread.clear()

    def _end_all(self) -> None:
        """Close what is open until nothing is, and nothing comes any more."""
        if self.scenario.merciful:
            self.network.run_until(
                lambda: self.drain() or all(life.up or life.ended is not None for life in self.lives), 1_000.0
            )
        for end in self.ends:
            for port in list(end.endpoint.listeners):
                end.endpoint.unlisten(port)
        deadline = self.now + LONGEST
        while True:
            for end in self.ends:
                self.shutdown(end.which)
            # Again and again: a restart of the peer makes one that closes ESTABLISHED (RFC 9260 section 5.2.4, A).
            if self.network.run_until(lambda: self.drain() or not self._open(), 1_000.0):
                # What is still under way finds nobody, and leaves nothing, or brings up another.
                self.network.run_until(self.drain, 10.0)
                if not self._open():
                    return
            assert self.now < deadline, f"still open: {self._open()}"

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
        """In each stream the messages of a peer rise, and those left out were given up."""
        for peer in life.peers:
            for stream_id in range(STREAMS):
                sent = [n for n, parcel in enumerate(self.parcels) if self._is_ordered(parcel, peer, stream_id)]
                got = [n for n in life.received if self._is_ordered(self.parcels[n], peer, stream_id)]
                assert got == sorted(got), f"stream {stream_id} of life {life.number} is out of order: {got}"
                left_out = [n for n in sent if got and n < got[-1] and n not in got]
                for number in left_out:
                    parcel = self.parcels[number]
                    assert parcel.skipped or (parcel.mortal and peer[0].crashed), f"{number} was left out"

    def _is_ordered(self, parcel: Parcel, peer: tuple[Life, int], stream_id: int) -> bool:
        return (parcel.sender, parcel.generation, parcel.stream_id, parcel.unordered) == (*peer, stream_id, False)

    def check_nothing_left(self) -> None:
        for end in self.ends:
            endpoint = end.endpoint
            assert endpoint.next_timeout() == math.inf, NAMES[end.which]
            held = (
                endpoint.associations, endpoint.by_tag, endpoint.by_peer, endpoint.scheduled, endpoint.deadlines,
                endpoint.shared.out, endpoint.shared.events, endpoint.shared.touched,
            )  # fmt: skip
            assert not any(held), (NAMES[end.which], held)


def main() -> None:
    """Play one scenario and print it, with every packet."""
    scenario = draw(int(sys.argv[1]))
    storm = Storm(scenario, tracing=True)
    try:
        print(dict(storm.play()))
    finally:
        print(*storm.network.trace_lines(), sep="\n")
        print(replace(scenario, steps=[]), *scenario.steps, sep="\n")
        for life in storm.lives:
            print(life.number, NAMES[life.end.which], life.association_id, life.ended)


if __name__ == "__main__":
    main()
