"""A simulated network for sans-IO endpoints, in virtual time.

`SimulatedNetwork` plays the part of sockets, threads and clocks. It moves the clock from one thing that
happens to the next (an arrival, an endpoint's deadline, a call that the test scheduled), so hours pass in
milliseconds, and nothing in it depends on anything but its seed and the calls made: the same program gives
the same trace::

    network = SimulatedNetwork(seed=7, link=Link(latency=0.05, loss=0.01))
    client = network.add_host(client_endpoint, "192.0.2.1")
    server = network.add_host(server_endpoint, "198.51.100.1")
    ... client_endpoint.associate(..., network.now)
    assert network.run_until(lambda: connected(client_endpoint), timeout=10)

A step is: take what the endpoints want to send, move the clock to the next event, give every host the
datagrams that arrived by then as one batch, and call `handle_timeout` where a deadline has come. Arrivals
come before deadlines of the same instant, as a host that finds both would read its socket first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Any

from pysctpstack.core.route import Route
from pysctpstack.testing import pcap
from pysctpstack.testing.clock import VirtualClock
from pysctpstack.testing.host import Host, SansIOEndpoint
from pysctpstack.testing.link import Fate, Link
from pysctpstack.testing.nat import Nat, Transport
from pysctpstack.testing.trace import Rule, TraceRecord, trace_line


class SimulationError(Exception):
    """An endpoint or a test does not let virtual time go on. The message holds the seed and the time."""


class SimulatedNetwork:
    """Hosts, the links between their addresses, NATs, and the clock that they share.

    ``seed``: of every random decision; each link has a generator of its own, so traffic on one does not
    change the luck of another. ``link``: the settings that new links start from. ``batching``: see
    `Host.batching`. ``tracing``: whether `trace` is kept; off for runs of millions of datagrams. ``start``:
    the clock's first reading. ``max_steps_at_once``: steps at one instant after which the run is held to be a
    livelock.
    """

    def __init__(
        self,
        seed: int = 0,
        link: Link | None = None,
        *,
        batching: float = 0.0,
        tracing: bool = True,
        start: float = 0.0,
        max_steps_at_once: int = 10_000,
    ) -> None:
        self.seed = seed
        self.clock = VirtualClock(start)
        self.default_link = replace(link) if link is not None else Link()
        self.batching = batching
        self.tracing = tracing
        self.max_steps_at_once = max_steps_at_once
        self.hosts: list[Host] = []
        self.rules: list[Rule] = []
        """Asked in order about every datagram that a host sends; see `pysctpstack.testing.drop`."""
        self.trace: list[TraceRecord] = []
        """Every datagram in the order of sending, copies made by the network and injected ones included."""
        self.counters: Counter[Fate] = Counter()
        """Datagrams by what became of them, also when tracing is off; those in flight are not in it."""
        self._links: dict[tuple[str, str], tuple[Link, Random]] = {}
        self._by_address: dict[str, list[Host]] = {}
        self._nats: dict[str, Nat] = {}
        self._down: set[str] = set()
        self._ready: dict[Host, None] = {}
        self._in_flight = 0
        self._steps_at_once = 0
        self._instant = start
        self._stepping = False

    # --- the clock ---

    @property
    def now(self) -> float:
        """The virtual time in seconds."""
        return self.clock.now

    def call_at(self, when: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Have something done at a time: ``network.call_at(5.0, network.cut, a, b)``."""
        self.clock.call_at(when, callback, *arguments)

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> None:
        """Have something done ``delay`` seconds from now."""
        self.clock.call_later(delay, callback, *arguments)

    # --- topology ---

    def add_host(
        self,
        endpoint: SansIOEndpoint,
        *addresses: str,
        udp_port: int = 9899,
        name: str = "",
        batching: float | None = None,
    ) -> Host:
        """Put an endpoint on the network. Hosts may share an address if their UDP ports differ.

        Raises ValueError for no address or a bad one, one whose UDP port or name is taken, and a NAT's
        address.
        """
        if not addresses:
            raise ValueError("a host needs an address")
        if not 0 < udp_port < 65_536:
            raise ValueError(f"not a UDP port: {udp_port}")
        batching = self.batching if batching is None else batching
        if not 0 <= batching < math.inf:
            raise ValueError(f"not a time to collect datagrams for: {batching}")
        name = name or f"host{len(self.hosts) + 1}"
        if any(other.name == name for other in self.hosts):
            raise ValueError(f"there is a host {name} already")
        known = list(dict.fromkeys(_canonical(address) for address in addresses))
        for address in known:
            self._check_free(address, udp_port)
        host = Host(endpoint, [], udp_port, name, batching)
        self.hosts.append(host)
        for address in known:
            self.add_address(host, address)
        return host

    def add_address(self, host: Host, address: str) -> None:
        """Give a host another address. Raises ValueError as `add_host` does."""
        address = _canonical(address)
        self._check_free(address, host.udp_port)
        host.addresses.append(address)
        self._by_address.setdefault(address, []).append(host)

    def remove_address(self, host: Host, address: str) -> None:
        """Take an address from a host; what is under way to it becomes unreachable.

        Raises ValueError for an address that is not the host's.
        """
        address = _canonical(address)
        if address not in host.addresses:
            raise ValueError(f"{host.name} has no address {address}")
        host.addresses.remove(address)
        self._by_address[address].remove(host)

    def nat(
        self,
        inside: Host,
        public_address: str,
        *,
        symmetric: bool = False,
        strict: bool = False,
        idle_timeout: float = math.inf,
    ) -> Nat:
        """Put a host behind a new NAT; `put_behind` puts others there too. See `Nat` for the settings.

        Only traffic of the public address's family is translated. From outside, the inside addresses can no
        longer be reached; links are those of the public address.
        """
        public_address = _canonical(public_address)
        if public_address in self._nats or self._by_address.get(public_address):
            raise ValueError(f"{public_address} is taken")
        nat = Nat(public_address, symmetric=symmetric, strict=strict, idle_timeout=idle_timeout)
        self.put_behind(inside, nat)
        self._nats[public_address] = nat
        return nat

    def put_behind(self, inside: Host, nat: Nat) -> None:
        """Let a host share a NAT.

        Raises ValueError if it is behind one of this family, or has no address of the family.
        """
        family = ":" in nat.public_address
        if family in inside._nats:
            raise ValueError(f"{inside.name} is behind {inside._nats[family].public_address} already")
        if not any((":" in address) == family for address in inside.addresses):
            raise ValueError(f"{inside.name} has no address that {nat.public_address} could stand for")
        inside._nats[family] = nat

    # --- links ---

    def link(self, source: str, destination: str) -> Link:
        """The link from one address to another; the other direction is another link."""
        return self._link(_canonical(source), _canonical(destination))[0]

    def both(self, a: str, b: str, **settings: float) -> tuple[Link, Link]:
        """The links of both directions, after changing ``settings`` in each: ``both(a, b, loss=0.1)``."""
        links = (self.link(a, b), self.link(b, a))
        for link in links:
            link.change(**settings)
        return links

    def everywhere(self, **settings: float) -> None:
        """Change settings of all links, and of those to come."""
        self.default_link.change(**settings)
        for link, _chance in self._links.values():
            link.change(**settings)

    def cut(self, a: str, b: str | None = None) -> None:
        """Cut the links between two addresses, both ways; with one address, all links to and from it.

        What is already under way arrives.
        """
        if b is None:
            self._down.add(_canonical(a))
        else:
            self.both(a, b, up=False)

    def restore(self, a: str, b: str | None = None) -> None:
        """Undo a `cut` with the same arguments."""
        if b is None:
            self._down.discard(_canonical(a))
        else:
            self.both(a, b, up=True)

    # --- running ---

    @property
    def in_flight(self) -> int:
        """Datagrams that were sent and have not met their fate, or wait for their batch."""
        return self._in_flight

    def run_until(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Run until ``predicate()`` holds, at most ``timeout`` seconds, and return whether it does.

        It is asked before the first step and after each; it may call endpoints, which are then drained.
        """
        deadline = self._deadline(timeout)
        if predicate():
            return True
        while self._step(deadline):
            if predicate():
                return True
        self.clock.advance(deadline)
        return predicate()

    def run_for(self, seconds: float) -> None:
        """Run for so many seconds, whatever happens; what is due at the very end is done."""
        deadline = self._deadline(seconds)
        while self._step(deadline):
            pass
        self.clock.advance(deadline)

    def run_until_idle(self, limit: float = 600.0, quiet: float = 5.0) -> bool:
        """Run until nothing is left to do for the moment, and return True; False after ``limit`` seconds.

        Idle means: no datagram is in flight, and no deadline of an endpoint and no scheduled call lies within
        the next ``quiet`` seconds. The default is longer than a delayed acknowledgement and the first
        retransmission timers, and shorter than the interval of heartbeats, which never end. The clock stays
        at the last event.
        """
        deadline = self._deadline(limit)
        while True:
            self._flush_all()
            if not self._in_flight and self._next_due() > self.now + quiet:
                return True
            if not self._step(deadline):
                self.clock.advance(deadline)
                return False

    def flush(self, host: Host) -> None:
        """Send what a host's endpoint has to send; for a look at the trace without letting time go on.

        The methods that run do this for all hosts by themselves.
        """
        for route, data in host.endpoint.datagrams_to_send(self.now):
            # As it is if it is marked (`pysctpstack.core.route.Fragmentable`).
            self._send(host, route, data if isinstance(data, bytes) else bytes(data))

    def inject(self, source: Transport | Route, destination: str, port: int, data: bytes, delay: float = 0.0) -> None:
        """Let a forged datagram arrive after ``delay`` seconds, from any source, existing or not.

        No link, rule or NAT of the source has a say in it, and it also reaches hosts behind a NAT at their
        inside addresses. Raises ValueError for addresses of two families and a negative delay.
        """
        if not 0 <= delay < math.inf:
            raise ValueError(f"a delay cannot be {delay}")
        seen = (_canonical(source[0]), source[1])
        route = Route(_canonical(destination), port, seen[0])
        if (":" in route.peer) != (":" in route.local):
            raise ValueError(f"no datagram goes from {route.local} to {route.peer}")
        record = self._record("injected", route, seen[1], seen, bytes(data))
        self._launch(record, self.now + delay, "delivered", None)

    # --- evidence ---

    def trace_lines(self) -> list[str]:
        """The trace as text, a datagram a line, SCTP packets decoded. For a test that failed."""
        return [trace_line(record) for record in self.trace]

    def write_pcap(self, path: str | Path, host: Host | None = None) -> int:
        """Write the trace as a capture file for Wireshark or tshark; returns the number of datagrams in it.

        With ``host``: what a capture on that host shows, that is, what it sent and what reached it. Without:
        everything that was put on the network, whatever became of it, at the time of sending, with the
        addresses between the NATs.
        """
        if host is None:
            seen = [record.on_the_way for record in self.trace if record.left]
        else:
            # What arrives comes before what is sent at the same instant, which may answer it.
            to_me = (record for record in self.trace if record.destination == host.name)
            seen = [record.received for record in to_me if record.arrived]
            mine = (record for record in self.trace if record.source == host.name)
            seen += [record.sent for record in mine if record.left and not record.is_copy]
        return pcap.write(path, sorted(seen, key=lambda captured: captured.time))

    # --- inside ---

    def _deadline(self, seconds: float) -> float:
        if not 0 <= seconds < math.inf:
            raise ValueError(f"cannot run for {seconds} seconds")
        return self.now + seconds

    def _check_free(self, address: str, udp_port: int) -> None:
        if address in self._nats:
            raise ValueError(f"{address} is the public address of a NAT")
        for other in self._by_address.get(address, ()):
            if other.udp_port == udp_port:
                raise ValueError(f"{other.name} has {address} with UDP port {udp_port} already")

    def _link(self, source: str, destination: str) -> tuple[Link, Random]:
        found = self._links.get((source, destination))
        if found is None:
            # A string seed goes through SHA-512, which is the same in every process, unlike hash().
            found = (replace(self.default_link), Random(f"{self.seed} {source} {destination}"))
            self._links[source, destination] = found
        return found

    def _flush_all(self) -> None:
        for host in self.hosts:
            self.flush(host)

    def _next_due(self) -> float:
        due = self.clock.next_event
        for host in self.hosts:
            timeout = host.endpoint.next_timeout()
            if math.isnan(timeout):
                raise self._error(f"next_timeout() of {host.name} is not a number")
            due = min(due, timeout)
        return due

    def _step(self, deadline: float) -> bool:
        """Do what happens next, unless that is after the deadline: then nothing, and False."""
        if self._stepping:
            raise self._error("a scheduled call or an endpoint started to run the network that is calling it")
        self._stepping = True
        try:
            self._flush_all()
            due = max(self._next_due(), self.now)
            if due > deadline:
                return False
            self._count_step(due)
            self.clock.advance(due)
            self.clock.run_due()
            ready, self._ready = self._ready, {}
            for host in ready:
                self._hand_over(host)
            for host in self.hosts:
                self._fire(host)
        finally:
            self._stepping = False
        return True

    def _count_step(self, due: float) -> None:
        if due != self._instant:
            self._instant = due
            self._steps_at_once = 0
        self._steps_at_once += 1
        if self._steps_at_once > self.max_steps_at_once:
            raise self._error(f"more than {self.max_steps_at_once} steps, and the time does not go on")

    def _fire(self, host: Host) -> None:
        endpoint = host.endpoint
        if endpoint.next_timeout() > self.now:
            return
        endpoint.handle_timeout(self.now)
        self.flush(host)
        if endpoint.next_timeout() <= self.now:
            # A driver would spin on this: it is told to wake up at a time that has come.
            raise self._error(
                f"next_timeout() of {host.name} is still {endpoint.next_timeout()} after handle_timeout()"
            )

    def _error(self, what: str) -> SimulationError:
        return SimulationError(f"{what} (seed {self.seed}, time {self.now})")

    def _record(self, source: str, route: Route, source_port: int, seen: Transport, data: bytes) -> TraceRecord:
        for port in (route.port, source_port):
            if not 0 < port < 65_536:
                raise self._error(f"a datagram of {source} has the UDP port {port}")
        record = TraceRecord(
            time=self.now,
            source=source,
            destination="",
            route=route,
            data=data,
            fate="in_flight",
            arrival=math.inf,
            source_port=source_port,
            seen_source=seen,
            reached=(route.peer, route.port),
            received_data=data,
        )
        if self.tracing:
            self.trace.append(record)
        return record

    def _send(self, host: Host, route: Route, data: bytes) -> None:
        peer = _canonical(route.peer)
        family = ":" in peer
        local = route.local or next((address for address in host.addresses if (":" in address) == family), "")
        owned = local in host.addresses and (":" in local) == family
        seen: Transport = (local, host.udp_port)
        nat = host._nats.get(family)
        if owned and nat is not None and not self._is_behind(nat, (peer, route.port)):
            seen = nat.outgoing(seen, (peer, route.port), self.now)
        record = self._record(host.name, Route(peer, route.port, local), host.udp_port, seen, data)
        found = self._resolve(record, host)
        if found is not None:
            record.destination = found[0].name
        if not owned:
            self._settle(record, "unreachable")
        elif not self._passes_rules(record):
            self._settle(record, "filtered")
        elif self._is_cut(local, seen[0], peer, peer if found is None else found[1][0]):
            self._settle(record, "cut")
        else:
            self._carry(record, host)

    def _carry(self, record: TraceRecord, host: Host) -> None:
        link, chance = self._link(record.seen_source[0], record.route.peer)
        size = len(record.data) + pcap.ip_overhead(record.route.peer)
        for passage in link.carry(record.data, size, self.now, chance):
            if passage.fate == "duplicated":
                record = replace(record, is_copy=True)
                if self.tracing:
                    self.trace.append(record)
            record.received_data = passage.data
            if math.isinf(passage.arrival):
                self._settle(record, passage.fate)
            else:
                self._launch(record, passage.arrival, passage.fate, host)

    def _settle(self, record: TraceRecord, fate: Fate) -> None:
        record.fate = fate
        self.counters[fate] += 1

    def _passes_rules(self, record: TraceRecord) -> bool:
        for rule in self.rules:
            verdict = rule(record)
            if verdict is not None:
                return verdict
        return True

    def _is_cut(self, *addresses: str) -> bool:
        return not self._down.isdisjoint(addresses)

    def _launch(self, record: TraceRecord, arrival: float, fate: Fate, sender: Host | None) -> None:
        self._in_flight += 1
        self.clock.call_at(arrival, self._arrive, record, fate, sender)

    def _arrive(self, record: TraceRecord, fate: Fate, sender: Host | None) -> None:
        record.arrival = self.now
        found = self._resolve(record, sender)
        if found is None:
            self._in_flight -= 1
            record.destination = ""
            self._settle(record, "unreachable")
            return
        host, record.reached = found
        record.destination = host.name
        self._settle(record, fate)
        host._inbox.append(record)
        if not host.batching:
            self._ready[host] = None
        elif not host._collecting:
            host._collecting = True
            self.clock.call_later(host.batching, self._collected, host)

    def _collected(self, host: Host) -> None:
        host._collecting = False
        self._ready[host] = None

    def _hand_over(self, host: Host) -> None:
        inbox, host._inbox = host._inbox, []
        self._in_flight -= len(inbox)
        batch = [(Route(*record.seen_source, record.reached[0]), record.received_data) for record in inbox]
        host.endpoint.receive_datagrams(batch, self.now)
        self.flush(host)

    def _resolve(self, record: TraceRecord, sender: Host | None) -> tuple[Host, Transport] | None:
        """The host that a datagram is for, with the address and port there; None when there is none (now)."""
        target: Transport = (record.route.peer, record.route.port)
        nat = self._nats.get(target[0])
        if nat is not None:
            inside = nat.incoming(target[1], record.seen_source, self.now)
            host = None if inside is None else self._host_at(inside)
            return None if inside is None or host is None else (host, inside)
        host = self._host_at(target)
        if host is None:
            return None
        family = ":" in target[0]
        behind = host._nats.get(family)
        if behind is None or sender is None or sender._nats.get(family) is behind:
            return host, target
        return None

    def _host_at(self, target: Transport) -> Host | None:
        for host in self._by_address.get(target[0], ()):
            if host.udp_port == target[1]:
                return host
        return None

    def _is_behind(self, nat: Nat, target: Transport) -> bool:
        host = self._host_at(target)
        return host is not None and host._nats.get(":" in target[0]) is nat


@lru_cache(maxsize=4_096)
def _canonical(address: str) -> str:
    """An address in the form in which the operating system writes it. Raises ValueError for other text."""
    return str(ip_address(address))
