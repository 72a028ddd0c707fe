"""What stands on the simulated network: a sans-IO endpoint, its addresses, and its source of random bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from pysctpstack.core.route import Route
from pysctpstack.testing.nat import Nat
from pysctpstack.testing.trace import TraceRecord


class SansIOEndpoint(Protocol):
    """What the network needs of an endpoint. `pysctpstack.core.Endpoint` has it, and so may anything else.

    Times are the network's virtual seconds.
    """

    def receive_datagrams(self, batch: Sequence[tuple[Route, bytes]], now: float, /) -> None:
        """Take datagrams; a route holds source address, source UDP port and the address that was sent to."""

    def handle_timeout(self, now: float, /) -> None:
        """Do all that is due; afterwards `next_timeout` is later than ``now``."""

    def datagrams_to_send(self, now: float, /) -> Sequence[tuple[Route, bytes]]:
        """Hand over all that is to leave now; an empty ``local`` leaves the source address to the network."""
        ...

    def next_timeout(self) -> float:
        """When `handle_timeout` is to be called; ``math.inf``: never."""
        ...


@dataclass(slots=True, eq=False)
class Host:
    """An endpoint with its addresses. Made by `SimulatedNetwork.add_host`.

    ``endpoint`` may be replaced, which is a host that crashed and started again, and ``udp_port`` changed.
    """

    endpoint: SansIOEndpoint
    addresses: list[str]
    """To be changed through `SimulatedNetwork.add_address` and `SimulatedNetwork.remove_address` only."""
    udp_port: int
    """Where it receives and sends from."""
    name: str
    batching: float
    """Seconds for which an arrival waits for others, to be given to the endpoint as one batch, as by GRO."""
    _inbox: list[TraceRecord] = field(default_factory=list, init=False, repr=False)
    _collecting: bool = field(default=False, init=False, repr=False)
    _nats: dict[bool, Nat] = field(default_factory=dict, init=False, repr=False)


def seeded_bytes(seed: int) -> Callable[[int], bytes]:
    """A source of reproducible "random" bytes for an endpoint: ``seeded_bytes(1)(16)`` gives 16 of them.

    For tests only: tags and cookie keys that come from here can be guessed. Survives ``copy.deepcopy``.
    """
    return Random(seed).randbytes
