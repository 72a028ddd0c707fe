"""Storms drawn from a seed: how two hosts and the network between them are, and what happens at which time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from support.pair import CLIENT_PORT, SERVER_PORT

from pysctpstack.config import Config
from pysctpstack.testing import Link, SeededEntropy

CLIENT, SERVER = 0, 1
NAMES = ("client", "server")
PORTS = (CLIENT_PORT, SERVER_PORT)
INSIDE = "10.0.0.1"
PUBLIC = "192.0.2.9"
#: What a host with so many addresses has; the second is of the other network, or of the other family.
ADDRESSES = (
    (("192.0.2.1",), ("192.0.2.1", "203.0.113.1"), ("192.0.2.1", "2001:db8:a::1")),
    (("198.51.100.1",), ("198.51.100.1", "203.0.113.129"), ("198.51.100.1", "2001:db8:b::1")),
)
#: No fault of the network that passes ends an association of these: what was sent has to arrive.
PATIENT: dict[str, Any] = {
    "max_init_retransmits": 60,
    "association_max_retrans": 200,
    "path_max_retrans": 8,
    "shutdown_guard": 100_000.0,
    "rto_max": 5.0,
    # A COOKIE ECHO whose COOKIE ACK was lost is good as long as the key of its cookie is kept. And a Stale Cookie error
    # that comes twice makes the client begin anew when the server has accepted it already, which ends in time-outs.
    "valid_cookie_life": 50_000.0,
    "cookie_secret_life": 100_000.0,
}
STREAMS = 4


class NearTheEnd(SeededEntropy):
    """32-bit numbers are within 4,096 of 2^32, so that TSNs wrap; all are different, as tags are."""

    __slots__ = ()

    def token(self, size: int) -> bytes:
        token = super().token(size)
        if size != 4:
            return token
        # An odd factor: each number of 12 bits once.
        return (0xFFFFF000 | (self.seed + self.drawn * 0x9E5) & 0xFFF).to_bytes(4, "big")


@dataclass(frozen=True)
class Step:
    """Something that happens: the name of a method of `storm.Storm`, and its arguments."""

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
    both_listen: bool
    room: int
    """Associations that a listener takes at a time."""
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
        # RFC 6951 section 3.2: what is behind a NAT has one address.
        addresses[CLIENT] = (INSIDE,)
        nat = {
            "symmetric": chance.random() < 0.3,
            "strict": chance.random() < 0.5,
            "idle_timeout": pick((math.inf, 120.0)),
        }
    scenario = Scenario(
        seed,
        _link(chance),
        (_config(chance, merciful), _config(chance, merciful)),
        (addresses[CLIENT], addresses[SERVER]),
        (pick((9_899, 9_900, 40_000)), pick((9_899, 9_900))),
        pick((1_500, 1_500, 600, 9_000)),
        pick((0.0, 0.0, 0.01)),
        chance.random() < 0.5,
        # From a symmetric NAT a handshake that goes on at another address comes from another port, which ends it.
        chance.random() < 0.5 and not (merciful and nat is not None and nat["symmetric"]),
        nat,
        SeededEntropy,
        nat is None and chance.random() < 0.3,
        pick((1, 1_000)),
        merciful=merciful,
    )
    duration = pick((1.0, 5.0, 30.0, 200.0))
    steps = scenario.steps
    busy = pick((0.1, 0.5, 1.0)) * duration
    for _ in range(chance.randrange(80)):
        steps.append(Step(chance.random() * busy, "send", _message(chance)))
    _add_faults(scenario, chance, duration)
    if all(step.what not in ("restart", "abort") for step in steps) and chance.random() < 0.5:
        # A new endpoint could draw the tags of the one before.
        scenario.entropy = NearTheEnd
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
        sack_delay=pick((0.001, 0.2, 0.5)),
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
    return replace(config, **PATIENT) if merciful else config


def _message(chance: Random) -> tuple[int, int, int, bool, float]:
    """End, size, stream, whether it is unordered, life time."""
    size = chance.choice((1, 3, 100, 1_452, 1_453, chance.randrange(1, 3_000), chance.randrange(1, 30_000)))
    life = chance.choice((0.0, 0.05, 0.3, 2.0, 60.0)) if chance.random() < 0.3 else math.inf
    return chance.randrange(2), size, chance.randrange(STREAMS), chance.random() < 0.3, life


def _add_faults(scenario: Scenario, chance: Random, duration: float) -> None:
    """What happens besides messages, each kind in some of the scenarios."""
    add = scenario.steps.append
    merciful = scenario.merciful

    def when() -> float:
        return chance.random() * duration

    def late() -> float:
        return max(chance.random(), chance.random()) * duration

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
            add(Step(late(), "shutdown", (end,)))
        if not merciful and sometimes(0.15):
            add(Step(late(), "abort", (end,)))
        if not merciful and sometimes(0.2):
            add(Step(late(), "restart", (end,)))
        if sometimes(0.2):
            add(Step(when(), "heartbeat", (end,)))
    if sometimes(0.2):
        add(Step(when(), "change", ({"mtu": chance.choice((1_280, 1_400)), "fragments": merciful or sometimes(0.7)},)))
    if sometimes(0.3):
        add(Step(when(), "change", ({"latency": chance.choice((0.001, 0.2)), "loss": chance.choice((0.0, 0.3))},)))
    if sometimes(0.3):
        # One direction is worse than the other.
        addresses = chance.sample((PUBLIC if scenario.nat else scenario.addresses[CLIENT][0], outside[-1]), 2)
        add(Step(when(), "change_link", (*addresses, {"loss": chance.choice((0.1, 0.3)), "rate": 300_000})))
    if scenario.nat is not None:
        for _ in range(chance.choice((0, 1, 3))):
            add(Step(when(), "rebind"))
    ends = [CLIENT, SERVER] if scenario.both_listen else [CLIENT]
    for number in range(chance.choice((0, 1, 10, 20))):
        # After an end, again between the same ports; or while the other end does the same.
        add(Step(when() if number % 2 else number * duration / 20, "associate", (chance.choice(ends),)))
